"""What can be said of the server's own time zone, which the portal never names (PORTAL.md 1.2, 6.3)."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from syncd.model import zones
from syncd.portal.directory import Directory


def server_zone(directory: Directory) -> str:
    """Return the server's zone as the config names it, else the best guess.

    That is the caller's when it has the server's offset now, else a zone that always has that offset.
    """
    if directory.server_zone:
        return directory.server_zone
    caller = caller_zone(directory)
    if caller and offset_s(caller, directory.read_at) == directory.server_offset_s:
        return caller
    hours = round(directory.server_offset_s / 3600)
    try:
        return zones.canonical(f"Etc/GMT{-hours:+d}" if hours else "UTC")
    except LookupError:
        return "UTC"


def caller_zone(directory: Directory) -> str:
    """Return the caller's zone, "" when the profile names none or one nobody knows."""
    if not directory.caller.zone:
        return ""
    try:
        return zones.canonical(directory.caller.zone)
    except LookupError:
        return ""


def offset_s(zone: str, at: float) -> float:
    """Return the UTC offset of an IANA zone at unix time `at`, in seconds."""
    offset = datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset()
    return offset.total_seconds() if offset is not None else 0.0
