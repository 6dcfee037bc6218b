"""The cells of a row that say when, to the span of its entry.

times in the row                      the entry
none, or all_day says yes             whole days, the last one included: 1 to 3 May is three days
two dates in the start                whole days, or from the time of the first to that of the second
start with a time, no end             as long as `default_duration`, by default a moment
end as a time without a date, or the  that day; if it is not later than the start: the next day, so that 22:00 to 6:00
second of two times in the start      is a night shift, and 8:00 to 8:00 one of 24 hours
all_day says yes, end at 0:00         the days before that midnight, as Outlook writes them
end with its date, or a duration      as written, also a duration in the column of ends ("2 часа"); an end before its
                                      start is rejected

A time with the row's own date, or with one that only stands in for none (1899-12-30), is a time without a date. NULL, a
dash and the like are empty cells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TypeVar

from syncd.lang.saying import Saying, say
from syncd.model import zones
from syncd.model.entry import AllDay, Span, Timed
from syncd.source.field_values import after, all_day_span, in_zone, timed_span
from syncd.source.reasons import reason_of
from syncd.source.table import cell_values
from syncd.source.table.columns import LABELS
from syncd.source.table.when import CellTime, DateOrders, read_cell

Value = TypeVar("Value")
Moment = TypeVar("Moment", date, datetime)
_Way = tuple[DateOrders, dict[str, CellTime]]
"""How the cells of a column are read, and what each text that was read says."""
ENDS = ("end", "end_time", "duration")
EMPTY = CellTime()
ROUND_THE_CLOCK = CellTime(time=timedelta(0), until=timedelta(hours=24))
DAY = timedelta(days=1)
_MIDNIGHT = timedelta(0)
_NO_START, _NO_DATE = say("there is no start (fill it in)"), say("there is no date (fill it in)")
_MOST_WRONG = 10_000
"""How many texts that say nothing usable are kept with what is wrong with them."""
MOST_TIMES = 50_000
"""How many texts are kept with what they say: a timetable has fewer, and those of a log do not come again."""
_NOTHING = frozenset({"null", "none", "nil", "nat", "nan", "n/a", "na", "-", "--", "---", "–", "—", "―", "нет", "\\n"})
"""What databases, pandas and people write for nothing, casefolded."""
NO_DATES = frozenset(
    {date(1, 1, 1), date(1899, 12, 30), date(1899, 12, 31), date(1900, 1, 1), date(1904, 1, 1), date(1970, 1, 1)}
)
"""The dates that programs put beside a time that has none: 1C, Access and Excel, SQL Server, Excel on a Mac, Unix."""


_HOURS_ALONE = re.compile(r"(\d{1,2})\s*(?:ч|час|часа|часов|h|hr|hrs|hour|hours)\.?", re.IGNORECASE)
"""Both a time and a length: 18 часов."""


def is_nothing(text: str) -> bool:
    """Return True if the text of a cell with a time says that there is none (NULL, NaT, -)."""
    return not text or (len(text) <= 4 and text.casefold() in _NOTHING)


class SpanReader:
    """Reads the spans of rows.

    `at` are the columns of the fields, -1 for those that are not mapped, where a row has an empty cell; `zone` is the
    IANA zone of times without one (None: there is none), `no_end` the length of an entry with a time and no end, `unit`
    what a bare number in a column of durations counts (None: that is not known).
    """

    def __init__(
        self,
        *,
        at: Mapping[str, int],
        mapped: frozenset[str],
        orders: DateOrders,
        zone: str | None,
        no_end: timedelta,
        unit: timedelta | None,
    ) -> None:
        self._at = at
        self._mapped = mapped
        as_ends = replace(orders, dashes="times")
        both = {"start_time", "end_time"} <= mapped
        # What a cell says depends on how its column is read; columns that are read alike share what was read.
        days: _Way = (orders, {})
        clocks: _Way = (replace(orders, bare=True, hours=both), {})
        alike = orders == as_ends
        ends = days if alike else (as_ends, {})
        end_clocks = clocks if alike else (replace(as_ends, bare=True, hours=both), {})
        self._ways = {"start": days, "date": days, "start_time": clocks, "end": ends, "end_time": end_clocks}
        # Beside an end, the cell of the start says the start alone; there is nothing to ask where all are read so.
        self._beside_end = self._ways | {"start": ends, "date": ends, "start_time": end_clocks}
        self._wrong: dict[tuple[int, str, str], str] = {}
        self._ends = () if alike else tuple(at[field] for field in ENDS if field in mapped)
        self._zone = zone
        self._no_end = no_end
        self._unit = unit

    def start(self, values: list[str]) -> CellTime:
        """Return what the row says of its start; raises ValueError with what is wrong with it."""
        ends = self._ends and any(not is_nothing(values[at]) for at in self._ends)
        ways = self._beside_end if ends else self._ways
        if "start" in self._mapped:
            start = self._moment("start", values, ways)
            if start.day is None and start.time is not None:
                raise ValueError(
                    say("start has a time but no date (write both, or map its column as start_time beside date)")
                )
            return start
        start, clock = self._moment("date", values, ways), self._moment("start_time", values, ways)
        if clock == EMPTY:
            # Databases write a date as its midnight; with a column of times that cell is a date only.
            return replace(start, time=None) if start.time == _MIDNIGHT and "start_time" in self._mapped else start
        if clock.whole:
            return replace(start, time=None, whole=True)
        clock = _without_own_day(clock, start.day)
        if start.day is None:
            return clock
        if start.last is not None:
            raise ValueError(
                say("date holds two days beside a time: of each of them? (write a row for each, or give end)")
            )
        if clock.day is not None:
            raise ValueError(
                say(
                    "start_time holds another date than date ({day} beside {date}; correct one)",
                    day=clock.day,
                    date=start.day,
                )
            )
        if start.time:
            raise ValueError(say("both date and start_time hold a time (leave one out)"))
        return clock.on(start.day)

    def span(self, values: list[str]) -> Span:
        """Return the span by the table at the top of this file; raises ValueError with what is wrong with it."""
        start = self.start(values)
        # A time ends with a digit, and with no column of durations nothing else says a length.
        ends = values[self._at["end_time"]] or values[self._at["end"]]
        may_say_length = values[self._at["duration"]] or (ends and not ends[-1].isdigit())
        length = self._duration(values, start) if may_say_length else None
        end = EMPTY if length is not None and "duration" not in self._mapped else self._end(values, start)
        if start.until is not None or start.last is not None:
            if end != EMPTY or length is not None:
                raise ValueError(
                    say("start holds two times, and there is an end besides (leave one out)")
                    if start.last is None
                    else say("start holds two days, and there is an end besides (leave one out)")
                )
            end = CellTime(day=start.last, time=start.until, offset=start.offset)
        if start.day is None:
            raise ValueError(_NO_START if "start" in self._mapped else _NO_DATE)
        said = values[self._at["all_day"]]
        says_all_day = _says_all_day(said) if said else None
        if start.whole or end.whole:
            if says_all_day is False or start.time is not None:
                raise ValueError(say("one cell says the whole day, another a time or no (correct one)"))
            says_all_day = True
        # An explicit all_day wins over the times in the row: Outlook exports whole days with times of 0:00.
        if says_all_day or (says_all_day is None and start.time is None and end.time is None):
            return whole_days(start.day, _last_day(start.day, end), length)
        if start.time is None:
            raise ValueError(say("there is no start time beside the end time (fill it in)"))
        return self.timed(start, end, length, values[self._at["timezone"]])

    def timed(self, start: CellTime, end: CellTime, length: timedelta | None, zone_cell: str = "") -> Timed:
        """Return the span from a start with a day and a time to an end or of a length; raises ValueError."""
        zone = self._zone if self._zone and (not zone_cell or is_nothing(zone_cell)) else _row_zone(zone_cell, start)
        begin = start.wall()
        if start.offset is not None:
            begin = in_zone(begin, start.offset, zone)
        if length is None and end.time is None:
            if end.day not in (None, start.day):
                raise ValueError(
                    say("there is no end time beside the start time (fill it in, or leave out the date of the end)")
                )
            length = self._no_end
        if length is not None:
            return timed_span(begin, after(begin, length, zone), zone, zone)
        finish = end.wall(start.day)
        if end.offset is not None:
            finish = in_zone(finish, end.offset, zone)
        # The end has no date, so it is the first such time after the start: a night shift, or one of 24 hours.
        if end.day is None and finish <= begin:
            finish = _later(finish, DAY)
        return timed_span(begin, finish, zone, zone)

    def _duration(self, values: list[str], start: CellTime) -> timedelta | None:
        """Return how long the row says it lasts, in the column of durations or, with its unit, in place of the end."""
        text = values[self._at["duration"]]
        if not is_nothing(text):
            return strict("duration", text, self._length)
        end, clock = values[self._at["end"]], values[self._at["end_time"]]
        text = clock or end
        # Neither an end with a number at its end nor two of them say a length.
        if not text or text[-1].isdigit() or (clock and end) or start.until is not None:
            return None
        length = cell_values.length_in_words(text)
        hour = _HOURS_ALONE.fullmatch(text)
        if (
            length is None
            or hour is None
            or start.time is None
            or (length := timedelta(hours=int(hour[1]))) <= start.time
        ):
            return length
        until = start.time + length
        later = f"{until // timedelta(hours=1) % 24}:{until // timedelta(minutes=1) % 60:02}"
        raise ValueError(
            say(
                "end {text!r} could be {hour}:00, or {hour} hours after the start (write {hour}:00, or {later})",
                text=text,
                hour=hour[1],
                later=later,
            )
        )

    def _length(self, text: str) -> timedelta:
        return cell_values.duration(text, self._unit)

    def _end(self, values: list[str], start: CellTime) -> CellTime:
        end, clock = self._moment("end", values, self._ways), self._moment("end_time", values, self._ways)
        # 01.01.0001 0:00:00 is how 1C writes an empty date.
        if not end.time and end.day in NO_DATES and start.day not in NO_DATES:
            end = EMPTY
        # 8:00 and сутки: until the same time of the next day.
        if clock == ROUND_THE_CLOCK and end == EMPTY and start.time is not None:
            clock = CellTime(time=start.time)
        if end.until is not None or clock.until is not None:
            raise ValueError(say("end holds two times (write the end alone, or map the column as start)"))
        if clock == EMPTY:
            return end
        clock = _without_own_day(clock, end.day or start.day)
        if end.time is not None and end.time != _MIDNIGHT:
            raise ValueError(say("both end and end_time hold a time (leave one out)"))
        if clock.day is not None and (end.day is not None or start.day is None or clock.day < start.day):
            raise ValueError(
                say(
                    "end_time holds another date ({day} beside {date}; correct one)",
                    day=clock.day,
                    date=str(end.day or start.day),
                )
            )
        return clock if clock.day is not None or end.day is None else clock.on(end.day)

    def _moment(self, field: str, values: list[str], ways: Mapping[str, _Way]) -> CellTime:
        text = values[self._at[field]]
        if not text:
            return EMPTY
        # In a timetable the same dates and times come again and again; each is read once.
        orders, known = ways[field]
        found = known.get(text)
        if found is None:
            # So does a slip: a word in place of a date, or dates in an order that nobody can tell.
            if (wrong := self._wrong.get((id(known), field, text))) is not None:
                raise ValueError(wrong)
            if len(known) > MOST_TIMES:
                known.clear()
            try:
                # No word for nothing begins with a digit.
                nothing = not text[0].isdigit() and is_nothing(text)
                found = known[text] = EMPTY if nothing else read_cell(text, orders)
            except ValueError as error:
                # A local variable with the error itself would be a cycle through its traceback, one for each bad row.
                wrong = reason_of(named(field, text, error))
                if len(self._wrong) < _MOST_WRONG:
                    self._wrong[id(known), field, text] = wrong
                raise ValueError(wrong) from None
        return found


def whole_days(first: date, last: date | None, length: timedelta | None = None) -> AllDay:
    """Return the days from `first` to `last`, which is inclusive as people write it, or for a number of days.

    Raises ValueError for a last day before the first and for a length that is not in whole days.
    """
    if length is not None:
        if length % DAY or not length:
            raise ValueError(say("there is no start time, and the duration is not in whole days (give a start time)"))
        return all_day_span(first, _later(first, length))
    last = last or first
    if last < first:
        raise ValueError(say("end is before start ({last} is before {first}; correct one)", last=last, first=first))
    return all_day_span(first, _later(last, DAY))


def _later(moment: Moment, length: timedelta) -> Moment:
    """Return the moment that much later; raises ValueError if it lies after the year 9999."""
    try:
        return moment + length
    except OverflowError:
        raise ValueError(say("the end lies past the year 9999 (write the real one, or leave it out)")) from None


def strict(field: str, text: str, read: Callable[[str], Value]) -> Value:
    """Read a cell that decides what people see; raises ValueError naming the field."""
    try:
        return read(text)
    except ValueError as error:
        raise named(field, text, error) from None


def named(field: str, text: str, error: ValueError) -> ValueError:
    """Return the error with the field and the cell's text, if it does not quote that already."""
    reason, label = reason_of(error), LABELS[field]
    if isinstance(error, cell_values.CellError):
        return ValueError(say("{field} {text!r} {reason}", field=label, text=text, reason=reason))
    if _quotes(reason, text):
        return ValueError(say("{field}: {reason}", field=label, reason=reason))
    return ValueError(say("{field} {text!r}: {reason}", field=label, text=text, reason=reason))


def _quotes(reason: str, text: str) -> bool:
    """Return True if `reason` has the text in every language: a date made of numbers is written as the reader's."""
    if not isinstance(reason, Saying):
        return text in reason
    return any(isinstance(value, str) and _quotes(value, text) for value in reason.values.values())


def _says_all_day(text: str) -> bool | None:
    """Return what the cell says; a word such as "-" is a no here, before it is nothing."""
    try:
        return cell_values.truth(text)
    except ValueError as error:
        if is_nothing(text):
            return None
        raise named("all_day", text, error) from None


def _without_own_day(clock: CellTime, day: date | None) -> CellTime:
    """Return a cell of a time without the date that it carries besides, if that says nothing."""
    return clock.on(None) if clock.day is not None and (clock.day == day or clock.day in NO_DATES) else clock


def _row_zone(text: str, start: CellTime) -> str:
    """Return the zone that a row gives, by its name or by the offset of its start; raises ValueError without one."""
    if not is_nothing(text):
        zone = zones.resolve(text)
        if zone is None:
            raise ValueError(say("timezone {text!r} is not known (write a name like Europe/Moscow)", text=text))
        return zone
    if start.offset is None:
        raise ValueError(say('the time has no zone (set timezone = "Europe/Moscow" or the like in [[sync]])'))
    # An offset is not a zone: only a zone that keeps it all year can stand for it without shifting a series.
    minutes = int(start.offset.total_seconds()) // 60
    text = f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    zone = zones.resolve(text)
    if zone is None:
        raise ValueError(say("no time zone keeps {text} all year (set timezone in [[sync]])", text=text))
    return zone


def _last_day(first: date, end: CellTime) -> date | None:
    """Return the last of whole days; an end at midnight means that its day has not begun."""
    midnight = end.time == _MIDNIGHT
    return end.day - DAY if midnight and end.day is not None and end.day > first else end.day
