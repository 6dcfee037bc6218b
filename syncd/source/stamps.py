"""Stamps of ISO 8601 in all their spellings: 20261201T090000Z, 2026-12-01, 20261201T0900+03:00."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from syncd.lang.saying import say

_STAMP = re.compile(
    r"(\d{4})(-?)(\d\d)\2(\d\d)(?:Z|[T ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,]\d+)?)? ?(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.IGNORECASE | re.ASCII,
)
LAST_YEAR = 2037
"""The portal's last day is 2038-01-01 (PORTAL.md 4.7)."""

_UTC = timedelta(0)
_PLAIN = len("20261201T090000")


def looks_like_stamp(text: str) -> bool:
    """Return True if the text is written as a stamp, whether or not there is such a day."""
    return _STAMP.fullmatch(text) is not None


def read_stamp(text: str) -> tuple[datetime, bool, timedelta | None]:
    """Return what the clock shows, whether there is a time of day, and the offset from UTC if one is written.

    Seconds may be missing, fractions of them are dropped, 24:00 is the next day's midnight. Raises ValueError for
    anything else, and for days and times that do not exist.
    """
    ends_plainly = len(text) == _PLAIN or (len(text) == _PLAIN + 1 and text[-1] == "Z")
    if ends_plainly and text[8] == "T" and text[:8].isdecimal() and text[9:_PLAIN].isdecimal():
        # As nearly all are written, and read three times as fast.
        try:
            return datetime.fromisoformat(text[:_PLAIN]), True, _UTC if len(text) > _PLAIN else None
        except ValueError:
            pass
    return _read_any(text)


def _read_any(text: str) -> tuple[datetime, bool, timedelta | None]:
    found = _STAMP.fullmatch(text)
    if found is None:
        raise ValueError(say("{text!r} is not a date or time (20261231, 20261231T090000)", text=text))
    year, _, month, day, hour, minute, second, offset = found.groups()
    try:
        wall = datetime(int(year), int(month), int(day))
    except ValueError:
        raise ValueError(
            say("{text!r}: there is no day {year}-{month}-{day}", text=text, year=year, month=month, day=day)
        ) from None
    if hour is None:
        return wall, False, None
    seconds = int(second or 0)
    if int(hour) > 24 or int(minute) > 59 or seconds > 60 or (int(hour) == 24 and (int(minute) or seconds)):
        raise ValueError(
            say("there is no time {hour}:{minute}:{second}", hour=hour, minute=minute, second=second or "00")
        )
    try:
        wall += timedelta(hours=int(hour), minutes=int(minute), seconds=min(seconds, 59))  # a leap second is 60
    except OverflowError:
        raise ValueError(say("the time lies past the year 9999")) from None
    return wall, True, _offset(offset) if offset else None


def utc_of(wall: datetime, offset: timedelta) -> datetime:
    """Return the clock in UTC while it shows `wall` where the offset is `offset`; raises ValueError past year 9999."""
    try:
        return wall - offset
    except OverflowError:
        raise ValueError(say("the year {year} is past what a calendar holds", year=wall.year)) from None


def _offset(text: str) -> timedelta:
    if text in "Zz":
        return _UTC
    digits = text[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    if size > timedelta(hours=14):
        raise ValueError(say("there is no offset {text}", text=text))
    return -size if text[0] == "-" else size
