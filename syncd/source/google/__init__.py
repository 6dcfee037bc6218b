"""Google Calendar (API v3): calendars of one or many people, from which only changed events are fetched."""
