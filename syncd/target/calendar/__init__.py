"""Events of user, group and company calendars (PORTAL.md 4)."""
