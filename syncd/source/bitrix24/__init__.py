"""Calendars of a Bitrix24 portal as a source: another portal's, or the same one's."""
