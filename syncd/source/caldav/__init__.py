"""CalDAV (RFC 4791, RFC 6578): calendars on a server, from which only changed resources are fetched."""
