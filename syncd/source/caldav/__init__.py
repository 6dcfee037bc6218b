"""CalDAV (RFC 4791, RFC 6578): calendars on a server, of which only what has changed is fetched."""
