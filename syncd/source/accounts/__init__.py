"""Calendars of many people at a vendor (Google, Microsoft): what their sources have in common."""
