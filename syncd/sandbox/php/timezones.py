"""The time zone names that the portal accepts, and conversions between wall clocks and unix time (PORTAL.md 4.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from zoneinfo import ZoneInfo

#: Windows names that the portal's own table turns into their first valid zone.
WINDOWS_ZONES = MappingProxyType(
    {
        "AUS Eastern Standard Time": "Australia/Sydney",
        "Belarus Standard Time": "Europe/Minsk",
        "Central Asia Standard Time": "Asia/Almaty",
        "Central Europe Standard Time": "Europe/Budapest",
        "Central European Standard Time": "Europe/Warsaw",
        "Central Standard Time": "America/Chicago",
        "China Standard Time": "Asia/Shanghai",
        "E. Europe Standard Time": "Europe/Chisinau",
        "Eastern Standard Time": "America/New_York",
        "Ekaterinburg Standard Time": "Asia/Yekaterinburg",
        "FLE Standard Time": "Europe/Kyiv",
        "GMT Standard Time": "Europe/London",
        "GTB Standard Time": "Europe/Bucharest",
        "India Standard Time": "Asia/Kolkata",
        "Israel Standard Time": "Asia/Jerusalem",
        "Kaliningrad Standard Time": "Europe/Kaliningrad",
        "Mountain Standard Time": "America/Denver",
        "N. Central Asia Standard Time": "Asia/Novosibirsk",
        "Pacific Standard Time": "America/Los_Angeles",
        "Romance Standard Time": "Europe/Paris",
        "Russia Time Zone 3": "Europe/Samara",
        "Russian Standard Time": "Europe/Moscow",
        "Tokyo Standard Time": "Asia/Tokyo",
        "Turkey Standard Time": "Europe/Istanbul",
        "Vladivostok Standard Time": "Asia/Vladivostok",
        "W. Europe Standard Time": "Europe/Berlin",
        "West Asia Standard Time": "Asia/Tashkent",
    }
)


@lru_cache(maxsize=1)
def canonical_zones() -> frozenset[str]:
    """Return the names in PHP's list of zones: those of zone.tab, one or more per country, and UTC."""
    table = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    return frozenset(row.split("\t")[2] for row in table.splitlines() if row and not row.startswith("#")) | {"UTC"}


def accepted_zone(name: str, server_zone: str) -> str:
    """Return the zone that the portal stores for a name that a caller sent."""
    if name in canonical_zones():
        return name
    # Aliases such as Europe/Kiev and GMT are not in PHP's list and become the server zone, without an error (trap 10).
    return WINDOWS_ZONES.get(name, server_zone)


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return the zone of an IANA name that the world has already checked."""
    return ZoneInfo(name)


def offset_s(zone_name: str, at: float) -> int:
    """Return the UTC offset of a zone at a unix time, in seconds."""
    offset = datetime.fromtimestamp(at, zone(zone_name)).utcoffset()
    return int((offset or timedelta()).total_seconds())


def wall_to_unix(wall: datetime, zone_name: str) -> int:
    """Return the unix time of a naive wall clock: moved on in a skipped hour, the first in a repeated one."""
    return int(wall.replace(tzinfo=zone(zone_name)).timestamp())


def unix_to_wall(at: float, zone_name: str) -> datetime:
    """Return the naive wall clock of a zone at a unix time."""
    return datetime.fromtimestamp(at, zone(zone_name)).replace(tzinfo=None, fold=0)


def utc_text(at: float) -> str:
    """Return a unix time as YYYYMMDDThhmmssZ."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
