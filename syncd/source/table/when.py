"""Dates and times as people write them into tables. A text that could mean two days is refused, never guessed.

auto  2026-12-31  2026/12/31  20261231  31.12.2026  31.12.26; 12/31/2026 only if the whole file allows one order
iso   2026-12-31  2026/12/31  20261231
dmy   those of iso and day, month, year with any of . / -
mdy   those of iso and month, day, year with any of . / -

Times are 9:00, 9.00, 21:30 or 9:30 pm, perhaps with an offset (09:00+03:00); or two with a dash, as timetables have
them (8:30-9:15). A dash without blanks is an offset only in 2026-12-31T09:00-05:00 and 2026-12-31 09:00:00-05:00.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from syncd.source.table.spoken import named_day, without_weekday

DateOrder = Literal["auto", "iso", "dmy", "mdy"]

_DATE = re.compile(r"(\d{1,4})([-./])(\d{1,2})\2(\d{1,4})(?![\d])(?:[T\s,]\s*(.+))?", re.IGNORECASE)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})?(Z)?)?", re.IGNORECASE)
_TIME = re.compile(
    r"(\d{1,2})(?:[:.](\d{2}))?(?:[:.](\d{2})(?:[.,]\d{1,9})?)?\s*(?:([ap])\.?m\.?)?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
_CLOCK = r"\d{1,2}(?:[:.]\d{2}){1,2}|\d{1,2}(?=\s*[ap]\.?m)"
_HALF = r"\s*(?:([ap])\.?m\.?)?"
_RANGE = re.compile(rf"({_CLOCK}){_HALF}\s*[-\N{{EN DASH}}\N{{EM DASH}}]\s*({_CLOCK}){_HALF}", re.IGNORECASE)
_ISO_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}(T| \d{2}:\d{2}:\d{2})", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2}")
_LIKE_OFFSET = re.compile(r"-(0\d|1[0-2]):(00|30)\Z")
_FORMS = "2026-12-31, 31.12.2026, 31.12.2026 9:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellTime:
    """What a cell says: a day, a time of day (from 0 to 24 hours), or both; `offset` from UTC if it is given.

    `until` is the second time of a range.
    """

    day: date | None = None
    time: timedelta | None = None
    offset: timedelta | None = None
    until: timedelta | None = None

    def wall(self) -> datetime:
        """Return day and time together; 24:00 is midnight of the next day. Raises ValueError if either is missing."""
        if self.day is None or self.time is None:
            raise ValueError("there is no time with the date")
        return datetime.combine(self.day, datetime.min.time()) + self.time


def find_order(texts: Iterable[str], setting: DateOrder) -> DateOrder:
    """Return the order of day and month: the setting, or for "auto" the one that the file's dates allow, else "auto".

    A single 12/31/2026 proves month first, a single 31/12/2026 day first; both together prove nothing.
    """
    if setting != "auto":
        return setting
    day_first = month_first = False
    for text in texts:
        found = _DATE.fullmatch(without_weekday(text) if _WORD.search(text) else text)
        # Dots are day first wherever they are used, so such a date says nothing of those with a slash or a dash.
        if found and found[2] != "." and len(found[1]) < 3:
            day_first = day_first or int(found[1]) > 12
            month_first = month_first or int(found[3]) > 12
        if day_first and month_first:
            return "auto"
    return "dmy" if day_first else "mdy" if month_first else "auto"


def read_cell(text: str, order: DateOrder) -> CellTime:
    """Return what a date, a date with a time, or a time alone says; raises ValueError with what is wrong with it."""
    if _WORD.search(text):
        text = without_weekday(text)
    if found := _DATE.fullmatch(text):
        day = _day(found[1], found[2], found[3], found[4], order)
        return replace(_time_with_date(text, found[5]), day=day) if found[5] else CellTime(day=day)
    if found := _COMPACT.fullmatch(text):
        day = _day(found[1], "-", found[2], found[3], order)
        if not found[4]:
            return CellTime(day=day)
        return replace(_time(f"{found[4]}:{found[5]}:{found[6] or '00'}{found[7] or ''}"), day=day)
    # A bare number is never a time: it might be an hour, but also a count, a room or a day that Excel has numbered.
    if (_TIME.fullmatch(text) and not text.isdigit()) or _RANGE.fullmatch(text):
        return _time_or_range(text)
    if (spoken := named_day(text)) is not None:
        return replace(_time_or_range(spoken[1]) if spoken[1] else CellTime(), day=spoken[0])
    raise ValueError(f"{text!r} is not a date or a time (write it like {_FORMS})")


def _day(first: str, mark: str, second: str, third: str, order: DateOrder) -> date:
    """Return the day that three numbers with `mark` between them mean; raises ValueError if they mean none or two."""
    text = mark.join((first, second, third))
    year_first = len(first) == 4 and len(third) <= 2 and mark != "."
    if not year_first and (len(first) > 2 or len(third) not in (2, 4)):
        raise ValueError(f"{text!r} is not a date (write it like {_FORMS})")
    if year_first:
        year, month, day = int(first), int(second), int(third)
    elif order == "iso":
        raise ValueError(f'{text!r} is not an ISO date, and dates = "iso" (write 2026-12-31, or change dates)')
    else:
        year, month, day = int(third) + (2000 if len(third) == 2 else 0), int(second), int(first)
        if order == "mdy":
            month, day = day, month
        elif order == "auto" and mark != "." and month != day:  # 2/2/2026 is the same day in either order
            raise ValueError(f'{text!r} could be read day first or month first (set dates = "dmy" or "mdy")')
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"there is no day {year:04}-{month:02}-{day:02}") from None


def _time_with_date(whole: str, text: str) -> CellTime:
    """Return what the time behind a date says.

    Raises ValueError for a text in which the part behind the dash could be an offset from UTC or the end of a range.
    """
    if _ISO_STAMP.match(whole) and _TIME.fullmatch(text):
        return _time(text)
    if re.match(r"\d{4}-", whole) and _TIME.fullmatch(text) and _LIKE_OFFSET.search(text):
        apart = " - ".join(part.strip() for part in text.rsplit("-", 1))
        raise ValueError(f"{whole!r} could be two times or one with an offset (write {apart}, or a T before it)")
    return _time_or_range(text)


def _time_or_range(text: str) -> CellTime:
    """Return a time of day, or two; in 1:00-2:30 pm the half of the day holds for both."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return _time(text)
    last = _time(f"{found[3]} {found[4]}m" if found[4] else found[3])
    first = _time(f"{found[1]} {found[2]}m" if found[2] else found[1])
    if found[4] and not found[2]:
        alike = _time(f"{found[1]} {found[4]}m")
        # In 11:00-1:00 pm it cannot hold for the first: 11 pm comes after 1 pm.
        if alike.time is not None and last.time is not None and alike.time <= last.time:
            first = alike
    return replace(first, until=last.time)


def _time(text: str) -> CellTime:
    found = _TIME.fullmatch(text)
    if not found or not (found[2] or found[4]):
        raise ValueError(f"{text!r} is not a time (write it like 9:00, 21:30 or 9:30 pm)")
    hour, minute, second = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    if found[4]:
        if not 1 <= hour <= 12:
            raise ValueError(f"{text!r} is not a time: there is no {hour} o'clock {found[4].lower()}m")
        hour = hour % 12 + (12 if found[4].lower() == "p" else 0)
    time = timedelta(hours=hour, minutes=minute, seconds=second)
    if minute > 59 or second > 59 or time > timedelta(hours=24):
        raise ValueError(f"there is no time {hour:02}:{minute:02}:{second:02}")
    return CellTime(time=time, offset=_offset(found[5]) if found[5] else None)


def _offset(text: str) -> timedelta:
    if text in "Zz":
        return timedelta(0)
    size = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    if size > timedelta(hours=14):
        raise ValueError(f"there is no offset {text}")
    return size if text[0] == "+" else -size
