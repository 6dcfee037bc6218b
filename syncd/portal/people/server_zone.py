"""What can be said of the server's own time zone, which the portal never names (PORTAL.md 1.2, 6.3)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

from syncd.model import zones
from syncd.portal.people.directory import Directory

_LIKELY = ("Europe/Moscow", "UTC", "Europe/Berlin", "Europe/Kyiv", "America/New_York", "America/Sao_Paulo",
           "America/Chicago", "America/Los_Angeles", "Asia/Kolkata", "Asia/Yekaterinburg", "Europe/London",
           "Australia/Sydney", "Pacific/Auckland")  # fmt: skip
"""Where servers stand, the likelier first: an offset alone says nothing of summer time, which most of these have."""


def server_zone(directory: Directory) -> str:
    """Return the server's zone as the config names it, else the best guess.

    That is the first with the server's offset now: the caller's, the one most people of the portal live in, a likely
    one, and at last a zone that always has that offset.
    """
    if directory.server_zone:
        return directory.server_zone
    lived_in = Counter(_canonical(user.zone) for user in directory.users if user.active)
    for zone in (caller_zone(directory), *(zone for zone, _ in lived_in.most_common()), *_LIKELY):
        if zone and offset_s(zone, directory.read_at) == directory.server_offset_s:
            return zone
    hours = round(directory.server_offset_s / 3600)
    try:
        return zones.canonical(f"Etc/GMT{-hours:+d}" if hours else "UTC")
    except LookupError:
        return "UTC"


def caller_zone(directory: Directory) -> str:
    """Return the caller's zone, "" when the profile names none or one nobody knows."""
    return _canonical(directory.caller.zone)


def _canonical(zone: str) -> str:
    try:
        return zones.canonical(zone) if zone else ""
    except LookupError:
        return ""


def offset_s(zone: str, at: float) -> float:
    """Return the UTC offset of an IANA zone at unix time `at`, in seconds."""
    offset = datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset()
    return offset.total_seconds() if offset is not None else 0.0
