"""Recurring events by the portal's own arithmetic: saving them, and showing them for a window."""
