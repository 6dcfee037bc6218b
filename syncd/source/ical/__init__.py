"""iCalendar to entries, in steps: cut into components, lex, zones, values, series."""
