"""Dates and times as people write them into tables. A text that could mean two days is refused, never guessed.

auto  2026-12-31  2026/12/31  20261231  31.12.2026  31.12.26; 12/31/2026 can be one day only; 2/1/2026 could be two, so
      it is read only if the dates of the file with the same mark show their order (see `find_orders`)
iso   2026-12-31  2026/12/31  20261231
dmy   those of iso and day, month, year with any of . / -
mdy   those of iso and month, day, year with any of . / -

Times are 9:00, 9.00, 21:30 or 9:30 pm, perhaps with an offset (09:00+03:00, 9:00 UTC+3, 9:00 MSK); or two with a dash,
as timetables have them (8:30-9:15). A dash without blanks is an offset only in 2026-12-31T09:00-05:00 and
2026-12-31 09:00:00-05:00. What a dash means between hours (11-00, 20-8) is decided in `dashes`. Two dates (5.12.2026 -
7.12.2026, с 5 по 7 декабря 2026) are days with the last one included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from syncd.lang.saying import say
from syncd.model.bulk import bulk_dataclass
from syncd.source.table.dashes import Dashes, without_dashes
from syncd.source.table.spoken import (
    LONGEST,
    WHOLE_DAY,
    day_and_month,
    named_day,
    spoken_range,
    without_weekday,
    without_zone,
    year_in_place,
)

DateOrder = Literal["auto", "iso", "dmy", "mdy"]

_DATE = re.compile(
    r"(\d{1,4})([-./])(\d{1,2})\2(\d{1,4})(?!\d)(?:\s*г(?:\.|ода)?(?=[\s,]|$))?(?:[T\s,]\s*(.+))?", re.IGNORECASE
)
_COMPACT = re.compile(
    r"(\d{4})(\d{2})(\d{2})(?:[T ]?(\d{2}):?(\d{2})(?::?(\d{2})(?:[.,]\d{1,9})?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?)?",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"(\d{1,2})(?:[:.](\d{2}))?(?:[:.](\d{2})(?:[.,]\d{1,9})?)?\s*(?:([ap])\.?m\.?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?",
    re.IGNORECASE,
)
_SERIAL = re.compile(r"\d{1,5}(?:[.,]\d{1,15})?")
_SERIAL_DAYS = range(20_000, 80_000)
"""Numbers that Excel stores for days from 1954 to 2119; a smaller one is more likely a count or a room."""
_COMPACT_YEARS = range(1900, 2100)
"""Digits without marks are a date only if their year can be: an account number has as many."""
_CLOCK = r"\d{1,2}(?:[:.]\d{2}){1,2}|\d{1,2}(?=\s*[ap]\.?m)"
_HALF = r"\s*(?:([ap])\.?m\.?)?"
_RANGE = re.compile(rf"({_CLOCK}){_HALF}\s*[-\N{{EN DASH}}\N{{EM DASH}}]\s*({_CLOCK}){_HALF}", re.IGNORECASE)
_PLAIN = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
_PLAIN_CELL = re.compile(
    r"(?:(\d{4}-\d{2}-\d{2})|(\d{1,2})\.(\d{1,2})\.(\d{4}))(?:[T ](\d{1,2}):(\d{2})(?::(\d{2}))?)?"
)
"""The two ways in which nearly every date is written, perhaps with a time; neither is ever read as another day."""
_ISO_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}(T| \d{2}:\d{2}:\d{2})", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2}")
_LIKE_OFFSET = re.compile(r"-(0\d|1[0-2]):(00|30)\Z")
_TO = re.compile(r"\s*[-\N{EN DASH}\N{EM DASH}/]\s*|\s+(?:по|до|to|till|until|through)\s+", re.IGNORECASE)
_FROM = re.compile(r"(?:[сc]|from)\s+(?=\d)", re.IGNORECASE)
_AT = re.compile(r"(?:[вс]|до|по|at|from|until|till)\s+(?=\d)", re.IGNORECASE)
_PART = re.compile(r"(\d{1,2})(?:\.(\d{1,2})\.?)?")
_FORMS = "2026-12-31, 31.12.2026, 31.12.2026 9:00"
_DAY = timedelta(days=1)
_MIDNIGHT = datetime.min.time()
_LONE, _MANY = 1, 3
"""One date against so many is a slip; more of them show that the file has both orders."""


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class CellTime:
    """What a cell says: a day, a time of day (to 24 hours, to 48 without a day), or both.

    `offset` is that from UTC if it is given, `until` is the second time of a range and `last` its second day. With
    `whole` the cell says in words that it is the whole day.
    """

    day: date | None = None
    time: timedelta | None = None
    offset: timedelta | None = None
    until: timedelta | None = None
    last: date | None = None
    whole: bool = False

    def wall(self, day: date | None = None) -> datetime:
        """Return day and time together, on `day` if the cell has none; 24:00 is midnight of the next day.

        Raises ValueError if either is missing.
        """
        day = self.day or day
        if day is None or self.time is None:
            raise ValueError(say("there is no time with the date"))
        return datetime.combine(day, _MIDNIGHT) + self.time

    def on(self, day: date | None) -> CellTime:
        """Return what the cell says, on that day."""
        return CellTime(day=day, time=self.time, offset=self.offset, until=self.until, last=self.last, whole=self.whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class DateOrders:
    """How dates of three numbers are read.

    `setting` is that of the config. With "auto", `shown` is the order of each mark ("/", "-") that the file's dates
    with this mark show, for those that could be two days; `odd` are the dates that contradict it. `dashes` is what 8-20
    means, and with `bare` it is read without a date beside it, as in a column of times. With `hours` a bare number is
    an hour, as where one column has the start and another the end.
    """

    setting: DateOrder
    shown: Mapping[str, Literal["dmy", "mdy"]] = field(default_factory=dict)
    odd: tuple[str, ...] = ()
    dashes: Dashes = ""
    bare: bool = False
    hours: bool = False


def find_orders(texts: Iterable[str], setting: DateOrder) -> DateOrders:
    """Return the setting, and for "auto" what the file's dates show of their order.

    A single 12/31/2026 shows that slashes are month first, a single 31/12/2026 that they are day first. It says nothing
    of dates with another mark, and dots are day first wherever they are used. If there are both, most must agree, with
    one alone against them; otherwise nothing is shown, and each date has to say it itself.
    """
    if setting != "auto":
        return DateOrders(setting=setting)
    seen: dict[str, tuple[list[str], list[str]]] = {"/": ([], []), "-": ([], [])}
    for text in texts:
        # A date in one of the plain forms says nothing of the order, and in a large table nearly every cell is one.
        if len(text) > LONGEST or _PLAIN_CELL.fullmatch(text):
            continue
        found = _DATE.fullmatch(without_weekday(text) if _WORD.search(text) else text)
        while found is not None:
            first, mark, second, year, rest = found.groups()
            if mark != "." and len(first) <= 2 and len(year) in (2, 4):
                day_first, month_first = _readings(first, second, year)
                # A date that is none in either order, such as 45/12/2026, shows nothing.
                if (day_first is None) != (month_first is None):
                    seen[mark][day_first is None].append(text)
            found = _DATE.search(rest or "")  # the second of two dates
    shown: dict[str, Literal["dmy", "mdy"]] = {}
    odd: list[str] = []
    for mark, (dmy, mdy) in seen.items():
        if fewest := min((dmy, mdy), key=len):
            if len(fewest) > _LONE or max(len(dmy), len(mdy)) < _MANY:
                continue
            odd.extend(fewest)
        if dmy or mdy:
            shown[mark] = "dmy" if len(dmy) > len(mdy) else "mdy"
    return DateOrders(setting=setting, shown=shown, odd=tuple(odd))


def read_cell(text: str, orders: DateOrders) -> CellTime:
    """Return what a date, a date with a time, or a time alone says; raises ValueError with what is wrong with it."""
    # The plain case is decided here, so that a table of 100,000 rows asks none of the questions below. With the month
    # first, or dates in ISO form alone, dots need them.
    if (plain := _PLAIN_CELL.fullmatch(text)) and (plain[1] or orders.setting in ("auto", "dmy")):
        try:
            if plain[1]:
                moment = datetime.fromisoformat(text)
            else:
                _, day, month, year, *clock = plain.groups("0")
                hour, minute, second = map(int, clock)
                moment = datetime(int(year), int(month), int(day), hour, minute, second)
        except ValueError:
            pass  # 24:00, or no day or time at all, which is told below
        else:
            seconds = 3600 * moment.hour + 60 * moment.minute + moment.second
            return CellTime(day=moment.date(), time=timedelta(0, seconds) if plain[5] else None)
    if len(text) > LONGEST:
        raise _no_time(text)  # a description in the wrong column
    zone = None
    if _WORD.search(text):
        if text.casefold() in WHOLE_DAY:
            return CellTime(whole=True)
        text, zone = without_zone(without_weekday(year_in_place(text)))
    try:
        found = _read(text, orders)
    except ValueError:
        # Last, for it is rare and cuts the text at each dash.
        if (days := _two_dates(text, orders)) is None:
            raise
        found = days
    if zone is None or found.time is None or found.offset is not None:
        return found
    if isinstance(zone, timedelta):
        return replace(found, offset=zone)
    # The offset of a place depends on the day.
    return replace(found, offset=found.wall().replace(tzinfo=ZoneInfo(zone)).utcoffset())


def _read(text: str, orders: DateOrders) -> CellTime:
    if found := _DATE.fullmatch(text):
        day = _day(found[1], found[2], found[3], found[4], orders)
        return _time_with_date(text, found[5], orders).on(day) if found[5] else CellTime(day=day)
    if (found := _COMPACT.fullmatch(text)) and int(found[1]) in _COMPACT_YEARS:
        day = _calendar_day(int(found[1]), int(found[2]), int(found[3]))
        if not found[4]:
            return CellTime(day=day)
        return _time(f"{found[4]}:{found[5]}:{found[6] or '00'}{found[7] or ''}").on(day)
    if (clock := _without_date(text, orders)) is not None:
        return clock
    if (spoken := named_day(text)) is not None:
        return (_time_or_range(spoken[1], orders.dashes) if spoken[1] else CellTime()).on(spoken[0])
    raise _no_time(text)


def _no_time(text: str) -> ValueError:
    if (numbered := numbered_day(text)) is not None:
        return ValueError(say("{message} ({remedy})", message=numbered[0], remedy=numbered[1]))
    return ValueError(say("{text!r} is not a date or a time (write it like {forms})", text=text, forms=_FORMS))


def _without_date(text: str, orders: DateOrders) -> CellTime | None:
    """Return what a text of one or two times says, None for any other; raises ValueError for times that are none."""
    if orders.bare and (plain := without_dashes(text, orders.dashes)) is not None:
        return _time_or_range(plain)
    if orders.hours and text.isdecimal() and len(text) <= 2:
        return _time(f"{text}:00")
    # Elsewhere a bare number is no time: it might be an hour, but also a count, a room or a day as Excel numbers it.
    is_time = (_TIME.fullmatch(text) and not text.isdigit()) or _RANGE.fullmatch(text) or _AT.match(text)
    if not is_time and spoken_range(text) is None:
        return None
    # Without a date beside it 26:00 says what 2:00 of the next day is; Excel counts so, and so do broadcasters.
    return _time_or_range(text, most=2 * _DAY)


def numbered_day(text: str) -> tuple[str, str] | None:
    """Return what a number is that Excel shows instead of a date, and the remedy; None for any other text."""
    if not _SERIAL.fullmatch(text):
        return None
    number = float(text.replace(",", "."))
    moment = datetime(1899, 12, 30) + timedelta(minutes=round(number * 1440))
    if int(number) in _SERIAL_DAYS:
        meant = moment if number % 1 else moment.date()
        said = say("{text!r} is not a date but a day as Excel numbers it, {meant}", text=text, meant=meant)
        return said, say("format the column as a date")
    if number == 1 and text != "1":
        said = say("{text!r} could be 1:00 or 24:00, which Excel stores as 1", text=text)
        return said, say("format the cell as a time")
    if 0 < number < 1:
        clock = f"{moment:%H:%M}"
        said = say("{text!r} is not a time but a part of a day as Excel counts it, {clock}", text=text, clock=clock)
        return said, say("format it as a time")
    return None


def _two_dates(text: str, orders: DateOrders) -> CellTime | None:
    """Return the days from one date to another, perhaps with their times; None for any other text."""
    text = _FROM.sub("", text, count=1)
    pairs = [_dates(text[: cut.start()], text[cut.end() :], orders) for cut in _TO.finditer(text)]
    found = [pair for pair in pairs if pair is not None]
    return found[0] if len(found) == 1 else None


def _dates(first: str, last: str, orders: DateOrders) -> CellTime | None:
    """Return the days between two dates, None if one of the texts is none; raises ValueError for a date of no day."""
    try:
        end = _read(last, orders)
        if end.day is None:
            return None
        start = _first_of(first, end.day, orders)
    except ValueError:
        if _DATE.fullmatch(first) and _DATE.fullmatch(last):
            raise  # they are dates, and one of them says no day
        return None
    is_plain = all(one.until is None and not one.whole for one in (start, end))
    if start.day is None or not is_plain or start.offset != end.offset or (start.time is None) != (end.time is None):
        return None
    return replace(start, until=end.time, last=end.day)


def _first_of(text: str, last: date, orders: DateOrders) -> CellTime:
    """Return the first of two dates; "5", "5.12" and "5 декабря" are in the month and year of the last, or before."""
    if part := _PART.fullmatch(text):
        day, month = int(part[1]), int(part[2] or last.month)
    elif (named := day_and_month(text)) is not None:
        day, month = named
    else:
        return _read(text, orders)
    return CellTime(day=date(last.year - (month > last.month), month, day))


def _day(first: str, mark: str, second: str, third: str, orders: DateOrders) -> date:
    """Return the day that three numbers with `mark` between them mean; raises ValueError if they mean none or two."""
    text = mark.join((first, second, third))
    if len(first) == 4 and len(third) <= 2:
        return _calendar_day(int(first), int(second), int(third))
    if len(first) > 2 or len(third) not in (2, 4):
        raise ValueError(say("{text!r} is not a date (write it like {forms})", text=text, forms=_FORMS))
    if orders.setting == "iso":
        raise ValueError(
            say('{text!r} is not an ISO date, and dates = "iso" (write 2026-12-31, or change dates)', text=text)
        )
    order = "dmy" if orders.setting == "auto" and mark == "." else orders.setting
    day_first, month_first = _readings(first, second, third)
    if order == "auto":
        if day_first is not None and month_first is not None and day_first != month_first:
            if mark not in orders.shown:
                raise ValueError(
                    say('{text!r} could be read day first or month first (set dates = "dmy" or "mdy")', text=text)
                )
            order = orders.shown[mark]
        else:
            order = "dmy" if day_first is not None else "mdy"
    if (found := month_first if order == "mdy" else day_first) is not None:
        return found
    if (day_first or month_first) is not None:
        raise ValueError(_no_day(text, order, orders.setting))
    year, month, day = _year(third), int(second), int(first)
    return _calendar_day(year, day, month) if order == "mdy" else _calendar_day(year, month, day)


def _no_day(text: str, order: str, setting: DateOrder) -> str:
    """Return what to say of three numbers that are no day in the order they are read in."""
    if setting == "auto":  # else the other reading would have been taken
        return say(
            "{text!r} is no date with the day first, as dates with dots are read"
            ' (correct it, or set dates = "mdy" for the whole file)',
            text=text,
        )
    if order == "dmy":
        return say(
            '{text!r} is no date with the day first, as dates = "dmy" says'
            ' (correct it, or set dates = "mdy" for the whole file)',
            text=text,
        )
    return say(
        '{text!r} is no date with the month first, as dates = "mdy" says'
        ' (correct it, or set dates = "dmy" for the whole file)',
        text=text,
    )


def _readings(first: str, second: str, year: str) -> tuple[date | None, date | None]:
    """Return the day that three numbers are with the day first, and with the month first; None where there is none."""
    readings: list[date | None] = []
    for day, month in ((first, second), (second, first)):
        try:
            readings.append(date(_year(year), int(month), int(day)))
        except ValueError:
            readings.append(None)
    return readings[0], readings[1]


def _year(digits: str) -> int:
    return int(digits) + (2000 if len(digits) == 2 else 0)


def _calendar_day(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(
            say("there is no day {year:04}-{month:02}-{day:02} (correct it)", year=year, month=month, day=day)
        ) from None


def _time_with_date(whole: str, text: str, orders: DateOrders) -> CellTime:
    """Return what the time behind a date says.

    Raises ValueError for a text in which the part behind the dash could be an offset from UTC or the end of a range.
    """
    if _ISO_STAMP.match(whole) and _TIME.fullmatch(text):
        return _time(text)
    if re.match(r"\d{4}-", whole) and _TIME.fullmatch(text) and _LIKE_OFFSET.search(text):
        apart = " - ".join(part.strip() for part in text.rsplit("-", 1))
        raise ValueError(
            say(
                "{whole!r} could be two times or one with an offset (write {apart}, or a T before it)",
                whole=whole,
                apart=apart,
            )
        )
    return _time_or_range(text, orders.dashes)


def _time_or_range(text: str, dashes: Dashes = "", *, most: timedelta = _DAY) -> CellTime:
    """Return a time of day, or two; in 1:00-2:30 pm the half of the day holds for both."""
    if _PLAIN.fullmatch(text):
        return _time(text, most=most)  # as nearly all are
    if text.casefold() in WHOLE_DAY:
        return CellTime(whole=True)
    if spoken_range(text) is None:
        text = _AT.sub("", text, count=1)
        text = without_dashes(text, dashes) or text
    found = _RANGE.fullmatch(spoken_range(text) or text)
    if found is None:
        return _time(text, most=most)
    last = _time(f"{found[3]} {found[4]}m" if found[4] else found[3])
    first = _time(f"{found[1]} {found[2]}m" if found[2] else found[1])
    if found[4] and not found[2]:
        alike = _time(f"{found[1]} {found[4]}m")
        # In 11:00-1:00 pm it cannot hold for the first: 11 pm comes after 1 pm.
        if alike.time is not None and last.time is not None and alike.time <= last.time:
            first = alike
    return replace(first, until=last.time)


def _time(text: str, *, most: timedelta = _DAY) -> CellTime:
    found = _TIME.fullmatch(text)
    if not found or not (found[2] or found[4]):
        raise ValueError(say("{text!r} is not a time (write it like 9:00, 21:30 or 9:30 pm)", text=text))
    hour, minute, second = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    if found[4]:
        if not 1 <= hour <= 12:
            raise ValueError(
                say(
                    "{text!r} is not a time: there is no {hour} o'clock {half}m",
                    text=text,
                    hour=hour,
                    half=found[4].lower(),
                )
            )
        hour = hour % 12 + (12 if found[4].lower() == "p" else 0)
    if found[5] and found[5][0] == "-" and len(found[5]) == 3 and not found[3]:
        raise ValueError(
            say("{text!r} could be two times or one with an offset (write 9:00 - 10:00, or 09:00-10:00)", text=text)
        )
    time = timedelta(hours=hour, minutes=minute, seconds=second)
    if minute > 59 or second > 59 or time > most:
        raise ValueError(
            say(
                "there is no time {hour:02}:{minute:02}:{second:02} (write 0:00 to 24:00)",
                hour=hour,
                minute=minute,
                second=second,
            )
        )
    return CellTime(time=time, offset=_offset(found[5]) if found[5] else None)


def _offset(text: str) -> timedelta:
    if text in "Zz":
        return timedelta(0)
    size = timedelta(hours=int(text[1:3]), minutes=int(text[3:].lstrip(":") or 0))
    if size > timedelta(hours=14):
        raise ValueError(say("there is no offset {text} (write one up to +14:00)", text=text))
    return size if text[0] == "+" else -size
