"""The part of PHP's strtotime that callers of the calendar meet (PORTAL.md 4.1).

Accepts what PHP accepts of these kinds, overflowing days included. Anything else is None, never an exception. Reads no
clock: `now` is an argument.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from syncd.sandbox.php.timezones import canonical_zones, unix_to_wall, wall_to_unix, zone

_MONTHS = MappingProxyType(
    {
        name: number
        for number, name in enumerate(
            ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
        )
    }
)
_MONTH = r"(?P<month_name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_WEEKDAY = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?"

_DATES = tuple(
    re.compile(pattern + r"(?!\d)", re.IGNORECASE)
    for pattern in (
        r"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?=\D|$)",
        r"(?P<day>\d{1,2})[.-](?P<month>\d{1,2})[.-](?P<year>\d{4})",
        r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})",
        r"(?P<day>\d{1,2})[ .-]?" + _MONTH + r"[ ,.-]*(?P<year>\d{4})",
        _MONTH + r"[ .-]*(?P<day>\d{1,2})(?:st|nd|rd|th)?[ ,.-]+(?P<year>\d{4})",
    )
)
_TIMES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"t?(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?(?:\s*(?P<half>[ap])\.?m\.?(?![a-z/_]))?(?![\d:])",
        r"t(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?(?!\d)",
        r"(?P<hour>\d{1,2})\s*(?P<half>[ap])\.?m\.?\b",
    )
)
_STAMP = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$")
_BARE_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d)$")
_UNIX = re.compile(r"@(-?\d{1,11})$")
_OFFSET = re.compile(r"(?:gmt|utc)?([+-])(\d{2}):?(\d{2})?(?!\d)", re.IGNORECASE)
_UTC = re.compile(r"(?:z|utc|gmt)\b", re.IGNORECASE)
_ZONE = re.compile(r"[a-z]+/[a-z_]+(?:/[a-z_]+)?", re.IGNORECASE)
_WORD = re.compile(r"(?:now|today|midnight|noon|tomorrow|yesterday)\b", re.IGNORECASE)
_RELATIVE = re.compile(r"([+-]?\d{1,6})\s*(sec|second|min|minute|hour|day|week|month|year)s?\b", re.IGNORECASE)
EARLIEST, LATEST = wall_to_unix(datetime(1900, 1, 1), "UTC"), wall_to_unix(datetime(4001, 1, 1), "UTC")

_GAP = re.compile(r"[\s,]+|" + _WEEKDAY + r"(?=[\s,]|$)", re.IGNORECASE)

#: A lower-case `z` is read by strtotime, but does not count here (PORTAL.md 4.1).
_HAS_ZONE = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})$|[A-Za-z_]+/[A-Za-z_]+")


def has_zone(value: str) -> bool:
    """Return True if the portal takes a date to have a zone; `20-03-2025` ends in `-2025`, so it counts (4.1)."""
    return _HAS_ZONE.search(value.strip()) is not None


@dataclass(slots=True)
class _Reading:
    """What has been read so far of one text."""

    date: tuple[int, int, int] | None = None
    time: tuple[int, int, int] | None = None
    zone_name: str | None = None
    offset_s: int | None = None
    keep_now: bool = False
    shifts: list[tuple[int, str]] = field(default_factory=list)


def strtotime(text: str, server_zone: str, now: float) -> int | None:
    """Return the unix time PHP's strtotime gives in the server zone, or None where it gives false.

    Years outside 1900..4000 are None too. PHP takes them, but Python cannot shift a date near its own limits.
    """
    at = _read(text.strip(), server_zone, now)
    return at if at is not None and is_showable(at) else None


def is_showable(at: int) -> bool:
    """Return True if a unix time lies in the years that the simulated portal can show and shift."""
    return EARLIEST <= at < LATEST


def _read(text: str, server_zone: str, now: float) -> int | None:
    # A bare number is not a date: `1718000000` fails, only `@1718000000` is unix time (PORTAL.md 4.1).
    if whole := _UNIX.match(text):
        return int(whole[1])
    if whole := _STAMP.match(text):
        text = "{}-{}-{} {}:{}:{}".format(*whole.groups())
    elif whole := _BARE_TIME.match(text):
        text = f"{whole[1]}:{whole[2]}"
    reading = _Reading()
    position = 0
    while position < len(text):
        if gap := _GAP.match(text, position):
            position = gap.end()
            continue
        end = _read_part(text, position, reading)
        if end is None:
            return None
        position = end
    if not text or reading == _Reading():
        return None
    try:
        return _unix(reading, server_zone, now)
    except (ValueError, OverflowError, OSError):
        return None


def _read_part(text: str, position: int, reading: _Reading) -> int | None:
    """Read one part at `position`; return where it ends, or None when nothing fits."""
    if reading.date is None:
        for pattern in _DATES:
            if found := pattern.match(text, position):
                return found.end() if _take_date(found, reading) else None
    if reading.time is None:
        for pattern in _TIMES:
            if found := pattern.match(text, position):
                return found.end() if _take_time(found, reading) else None
    if found := _RELATIVE.match(text, position):
        reading.shifts.append((int(found[1]), found[2].lower()))
        reading.keep_now = reading.keep_now or reading.date is None
        return found.end()
    if found := _WORD.match(text, position):
        _take_word(found[0].lower(), reading)
        return found.end()
    return _read_zone(text, position, reading)


def _take_date(found: re.Match[str], reading: _Reading) -> bool:
    """Keep a date; PHP refuses months over 12 and days over 31, but lets 30 February and day 0 overflow."""
    parts = found.groupdict()
    month = _MONTHS[parts["month_name"].lower()] if parts.get("month_name") else int(parts["month"])
    reading.date = (int(parts["year"]), month, int(parts["day"]))
    return 0 <= month <= 12 and 0 <= reading.date[2] <= 31


def _take_time(found: re.Match[str], reading: _Reading) -> bool:
    """Keep a time of day; 24:00 is the next midnight."""
    parts = found.groupdict()
    hour, minute, second = int(parts["hour"]), int(parts.get("minute") or 0), int(parts.get("second") or 0)
    half = parts.get("half")
    if half:
        if not 1 <= hour <= 12:
            return False
        hour = hour % 12 + (12 if half.lower() == "p" else 0)
    reading.time = (hour, minute, second)
    return hour <= 24 and minute <= 59 and second <= 60


def _take_word(word: str, reading: _Reading) -> None:
    """Keep a word such as `tomorrow`; all words but `now` set the time to midnight or noon."""
    if word == "now":
        reading.keep_now = True
        return
    reading.time = reading.time or ((12, 0, 0) if word == "noon" else (0, 0, 0))
    if word in ("tomorrow", "yesterday"):
        reading.shifts.append((1 if word == "tomorrow" else -1, "day"))
        reading.time = None if reading.time == (0, 0, 0) else reading.time


def _read_zone(text: str, position: int, reading: _Reading) -> int | None:
    """Read an offset or a zone name; return its end, or None."""
    if reading.zone_name is not None or reading.offset_s is not None:
        return None
    if found := _OFFSET.match(text, position):
        seconds = int(found[2]) * 3600 + int(found[3] or 0) * 60
        reading.offset_s = -seconds if found[1] == "-" else seconds
        return found.end()
    if found := _UTC.match(text, position):
        reading.offset_s = 0
        return found.end()
    if (found := _ZONE.match(text, position)) and found[0] in canonical_zones():
        reading.zone_name = found[0]
        return found.end()
    return None


def _unix(reading: _Reading, server_zone: str, now: float) -> int:
    """Put the parts together in the zone they name, else in the server zone."""
    here = reading.zone_name or server_zone
    local = unix_to_wall(now, here).replace(microsecond=0)
    if reading.offset_s is not None:
        local = datetime.fromtimestamp(now, zone("UTC")).replace(tzinfo=None, microsecond=0)
        local += timedelta(seconds=reading.offset_s)
    if reading.date is not None:
        year, month, day = reading.date
        year, month = (year, month) if month else (year - 1, 12)
        local = datetime(year, month, 1, local.hour, local.minute, local.second) + timedelta(days=day - 1)
    if reading.time is not None:
        hour, minute, second = reading.time
        midnight = local.replace(hour=0, minute=0, second=0)
        local = midnight + timedelta(hours=hour, minutes=minute, seconds=second)
    elif not reading.keep_now:
        local = local.replace(hour=0, minute=0, second=0)
    for count, unit in reading.shifts:
        local = _shifted(local, count, unit)
    if reading.offset_s is not None:
        return wall_to_unix(local, "UTC") - reading.offset_s
    return wall_to_unix(local, here)


_STEPS = MappingProxyType(
    {"sec": 1, "second": 1, "min": 60, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}
)


def _shifted(local: datetime, count: int, unit: str) -> datetime:
    """Move a wall clock by `count` units; months overflow as in `2025-01-31 +1 month` = 3 March."""
    if unit in _STEPS:
        return local + timedelta(seconds=count * _STEPS[unit])
    months = local.year * 12 + local.month - 1 + (count if unit == "month" else 12 * count)
    first = local.replace(year=months // 12, month=months % 12 + 1, day=1)
    return first + timedelta(days=local.day - 1)
