"""syncd keeps Bitrix24 calendars true to a schedule kept elsewhere."""

__version__ = "0.1.0"
