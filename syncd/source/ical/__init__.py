"""iCalendar to entries, in steps: components (split), properties (lines), zones, values, events, entries."""
