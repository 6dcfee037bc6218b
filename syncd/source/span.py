"""Spans of time as entries hold them, checked: ends after starts, years that the portal can hold, exact lengths.

Raises ValueError with a reason a person can act on; the caller knows the line.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from syncd.model import zones
from syncd.model.entry import AllDay, Timed

_ISO = re.compile(
    r"P(?=.)(?:(\d{1,6})W)?(?:(\d{1,7})D)?(?:T(?=.)(?:(\d{1,8})H)?(?:(\d{1,8})M)?(?:(\d{1,8})S)?)?", re.IGNORECASE
)

FIRST_YEAR = 1970
FIRST_YEAR_OF_SERIES = 1900
"""A birthday's series begins long ago; only its days to come are ever shown."""
LAST_YEAR = 2037
"""The portal's last day is 2038-01-01 (PORTAL.md 4.7)."""


def timed(start: datetime, end: datetime, zone: str, end_zone: str, *, first_year: int = FIRST_YEAR) -> Timed:
    """Return the span between two wall clocks; an end at the start is a moment, an end before it a ValueError.

    Both ends get one name where the zone is one: then the length is that on the clock, through every switch.
    """
    end_zone = zone if zones.same(zone, end_zone) else end_zone
    if end < start if zone == end_zone else instant(end, end_zone) < instant(start, zone):
        raise ValueError(f"end is before start ({end:%Y-%m-%d %H:%M} is before {start:%Y-%m-%d %H:%M})")
    check_year(start.year, first_year)
    if end.year > LAST_YEAR and end.date() > date(LAST_YEAR + 1, 1, 1):
        check_year(end.year, first_year)
    return Timed(start=start, end=end, zone=zone, end_zone=end_zone)


def all_day(first: date, end: date, *, first_year: int = FIRST_YEAR) -> AllDay:
    """Return whole days, `end` exclusive and after `first`, else ValueError."""
    if end <= first:
        raise ValueError(f"end is before start (it ends before {end} and starts on {first})")
    check_year(first.year, first_year)
    check_year((end - timedelta(days=1)).year, first_year)
    return AllDay(first=first, end=end)


def check_year(year: int, first_year: int = FIRST_YEAR) -> None:
    """Raise ValueError for a year that the portal cannot hold."""
    if not first_year <= year <= LAST_YEAR:
        raise ValueError(f"the year {year} is outside {first_year} to {LAST_YEAR}, which is what the portal can hold")


def after(start: datetime, length: timedelta, zone: str) -> datetime:
    """Return the wall clock `length` after `start` in `zone`: whole days by the calendar, the rest by the clock.

    RFC 5545, 3.3.6: a day may have 23 or 25 hours, an hour has always 60 minutes. Raises ValueError past year 9999.
    """
    days = timedelta(days=length.days)
    try:
        day = start + days
        naive = day + (length - days)
        if zone == "UTC" or length == days:
            return naive
        exact = instant(day, zone) + (length - days)
        return exact.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    except OverflowError:
        raise ValueError("the end lies past the year 9999") from None


def iso_length(text: str) -> timedelta | None:
    """Read an unsigned duration of RFC 5545 (PT1H30M, P1D, P2W); None when it is not one."""
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    weeks, days, hours, minutes, seconds = (int(piece or 0) for piece in found.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def in_zone(wall: datetime, offset: timedelta, zone: str) -> datetime:
    """Return the wall clock in `zone` of a time given with its offset from UTC; ValueError past the calendar's ends."""
    try:
        return (wall.replace(tzinfo=UTC) - offset).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    except OverflowError:
        raise ValueError("the time lies outside the calendar") from None


def instant(wall: datetime, zone: str) -> datetime:
    """Return the moment in UTC at which a clock in `zone` shows `wall`; ValueError past the calendar's ends."""
    try:
        return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"the year {wall.year} is outside {FIRST_YEAR} to {LAST_YEAR}") from None
