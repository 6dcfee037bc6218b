"""One row of a table to one entry. A row that cannot be used is rejected alone, with its line and the reason.

times in the row                      the entry
none, or all_day says yes             whole days, the last one included: 1 to 3 May is three days
start with a time, no end             that whole day; a moment (zero length) where all_day says no, or with `moments`
end as a time without a date, or the  that day; earlier than the start: the next day (a night shift)
second of two times in the start
all_day says yes, end at 0:00         the days before that midnight, as Outlook writes them
end with its date, or a duration      as written; an end before its start is rejected
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from operator import itemgetter
from typing import TypeVar

from syncd.model import zones
from syncd.model.entry import AllDay, Details, Entry, Recurrence, Span, Timed
from syncd.source import span
from syncd.source.reading import Part
from syncd.source.rules import read_rule
from syncd.source.table import words
from syncd.source.table.columns import FIELDS
from syncd.source.table.when import DateOrder, Written, read_moment
from syncd.source.text import clean, damaged, digest, dropped

_TIMES = ("start", "date", "start_time", "end", "end_time", "duration")
_REQUIRED = frozenset({"uid", "title", *_TIMES})
_SPAN = (*_TIMES, "all_day", "timezone")
_DETAILS = (
    *("description", "location", "owner", "status", "priority", "color", "url"),
    *("categories", "attendees", "reminders", "private"),
)
_CONTACTS = ("contact_phone", "contact_email")
_NOWHERE = Written()
_DAY = timedelta(days=1)
Value = TypeVar("Value")


class RowReader:
    """Turns the rows under one header into entries.

    `positions` are the mapped fields' 0-based columns, `zone` the IANA zone of times without one (None: there is none).
    Times met again and again are read once. While a row is worked on it has one empty cell more than the header, at -1,
    where all fields stand that are not mapped; it keeps a large file's rows cheap.
    """

    def __init__(
        self,
        *,
        name: str,
        header: Sequence[str],
        positions: Mapping[str, int],
        order: DateOrder,
        zone: str | None,
        moments: bool = False,
    ) -> None:
        self._name = name
        self._titles = tuple(title or str(at) for at, title in enumerate(header, 1))
        self._at = dict.fromkeys(FIELDS, -1) | dict(positions)
        self._mapped = frozenset(positions)
        self._details_of = itemgetter(*(self._at[field] for field in _DETAILS))
        self._times_of = itemgetter(*(self._at[field] for field in _SPAN))
        self._contacts = tuple((field, positions[field]) for field in _CONTACTS if field in positions)
        self._order = order
        self._zone = zone
        self._moments = moments
        self._least = 1 + max(at for field, at in positions.items() if field in _REQUIRED)
        self._spare = 0
        self._read: dict[str, Written] = {}
        self._spans: dict[tuple[str, ...], Span] = {}
        self._warned: set[tuple[str, str]] = set()

    def part(self, rows: Sequence[tuple[int, Sequence[str]]]) -> Part:
        """Return what the rows (each with the line it starts on) hold; of two rows with one uid the first is used."""
        part = Part()
        lines: dict[str, int] = {}
        width = len(self._titles)
        self._spare = min((len(cells) for _, cells in rows), default=0) - width
        for line, cells in rows:
            text = "".join(cells)
            values = [cell.strip() for cell in cells] if text.isprintable() else [clean(cell) for cell in cells]
            if not any(values):
                continue
            values.extend([""] * (width - len(values) + 1))
            overflows = len(cells) > width and self._overflows(cells)
            uid = self._uid(values, cells, overflows=overflows)
            try:
                self._check_row(cells, text, overflows=overflows)
                entry = self._entry(uid, line, values, part)
            except ValueError as error:
                part.reject(f"{self._name}:{line}", uid, str(error), self._title(values, cells))
                continue
            first = lines.setdefault(entry.uid, line)
            if first != line:
                reason = f"the row at {self._name}:{first} has the same {self._identity()}, so this one is not used"
                part.reject(entry.where, entry.uid, reason, entry.details.title)
                continue
            part.entries.append(entry)
            if not text.isprintable():
                self._warn_of_controls(cells, entry, part)
        return part

    def _warn_of_controls(self, cells: Sequence[str], entry: Entry, part: Part) -> None:
        for title, cell in zip(self._titles, cells, strict=False):
            if names := dropped(cell):
                reason = f"column {title!r} holds control characters ({names}); they are left out"
                part.warn(entry.where, reason, entry.uid)

    def _entry(self, uid: str, line: int, values: list[str], part: Part) -> Entry:
        where = f"{self._name}:{line}"
        title = values[self._at["title"]]
        if not title:
            raise ValueError("there is no title")
        rule = values[self._at["rrule"]]
        return Entry(
            uid=uid,
            where=where,
            details=self._details(title, values, where, part),
            span=self._span(values),
            recurrence=Recurrence(rules=(read_rule(rule),)) if rule else None,
        )

    def _uid(self, values: list[str], cells: Sequence[str], *, overflows: bool) -> str:
        """Return the row's uid, or "" when the row does not say enough to name it.

        Without a uid column, or with nothing in it, owner, title and start name the row.
        """
        at = self._at["uid"]
        if overflows:
            return values[0] if at == 0 else ""  # behind a stray delimiter no cell stands where it belongs
        if values[at]:
            return "" if damaged(values[at]) else values[at]
        if at >= len(cells):
            return ""
        title, owner = values[self._at["title"]], values[self._at["owner"]]
        try:
            start = self._start(values)
        except ValueError:
            return ""
        named = title and start.day and not damaged(title + owner)
        return "row-" + digest(owner, title, str(start.day), str(start.time or "")) if named else ""

    def _title(self, values: list[str], cells: Sequence[str]) -> str:
        """Return the title of a row that cannot be used, "" where the cell is none or not where it belongs."""
        title = values[self._at["title"]]
        return "" if self._overflows(cells) or damaged(title) else title

    def _identity(self) -> str:
        return "uid" if "uid" in self._mapped else "owner, title and start"

    def _check_row(self, cells: Sequence[str], text: str, *, overflows: bool) -> None:
        width = len(self._titles)
        if len(cells) < self._least:
            raise ValueError(f"the row has only {len(cells)} of {width} cells")
        if overflows:
            reason = "a text with the delimiter in it has to stand in quotes"
            raise ValueError(f"the row has {len(cells)} cells, the header {width} ({reason})")
        if not text.isprintable() and damaged(text):
            raise ValueError("the row has bytes that are not text in this encoding (set encoding, or save it again)")

    def _overflows(self, cells: Sequence[str]) -> bool:
        """Say whether the row is cut into too many cells; a delimiter that ends every row of the file is none."""
        extra = len(cells) - len(self._titles)
        if extra <= 0:
            return False
        return extra > self._spare or any(cell.strip() for cell in cells[-extra:])

    def _moment(self, field: str, values: list[str]) -> Written:
        text = values[self._at[field]]
        if not text:
            return _NOWHERE
        found = self._read.get(text)
        if found is None:
            found = self._read[text] = self._strict(field, text, lambda cell: read_moment(cell, self._order))
        return found

    def _start(self, values: list[str]) -> Written:
        if "start" in self._mapped:
            start = self._moment("start", values)
            if start.day is None and start.time is not None:
                raise ValueError("start has a time but no date")
            return start
        start, clock = self._moment("date", values), self._moment("start_time", values)
        if start.time is not None and clock.time is not None:
            raise ValueError("both date and start_time hold a time")
        if clock.day is not None:
            raise ValueError("start_time holds a date")
        return start if clock.time is None else replace(clock, day=start.day)

    def _end(self, values: list[str]) -> Written:
        end, clock = self._moment("end", values), self._moment("end_time", values)
        if clock.day is not None or (clock.time is not None and end.time is not None):
            raise ValueError("end_time holds a date" if clock.day is not None else "both end and end_time hold a time")
        if end.until is not None or clock.until is not None:
            raise ValueError("end holds two times")
        return end if clock.time is None else replace(clock, day=end.day)

    def _span(self, values: list[str]) -> Span:
        written: tuple[str, ...] = self._times_of(values)
        found = self._spans.get(written)
        if found is None:
            found = self._spans[written] = self._read_span(values)
        return found

    def _read_span(self, values: list[str]) -> Span:
        start, end = self._start(values), self._end(values)
        if start.until is not None:
            if end != _NOWHERE or values[self._at["duration"]]:
                raise ValueError("start holds two times, and there is an end besides")
            end = Written(time=start.until)
        if start.day is None:
            raise ValueError("there is no start" if "start" in self._mapped else "there is no date")
        text = values[self._at["duration"]]
        length = self._strict("duration", text, words.duration) if text else None
        all_day = values[self._at["all_day"]]
        says_all_day = self._strict("all_day", all_day, words.truth) if all_day else None
        no_times = start.time is None and end.time is None
        is_moment = self._moments and start.time is not None
        no_end = end.day is None and end.time is None and length is None and not is_moment
        if says_all_day or (says_all_day is None and (no_times or no_end)):
            return _whole_days(start.day, _last_day(start.day, end), length)
        if start.time is None:
            raise ValueError("there is no start time")
        return self._timed(start, end, length, values)

    def _timed(self, start: Written, end: Written, length: timedelta | None, values: list[str]) -> Timed:
        zone = self._row_zone(values[self._at["timezone"]], start)
        begin = start.wall()
        if start.offset is not None:
            begin = span.in_zone(begin, start.offset, zone)
        if length is not None:
            return span.timed(begin, span.after(begin, length, zone), zone, zone)
        if end.time is None:
            if end.day is not None:
                raise ValueError("there is no end time")
            return span.timed(begin, begin, zone, zone)
        finish = Written(day=end.day or start.day, time=end.time).wall()
        if end.offset is not None:
            finish = span.in_zone(finish, end.offset, zone)
        if end.day is None and finish < begin:
            finish += _DAY
        return span.timed(begin, finish, zone, zone)

    def _row_zone(self, text: str, start: Written) -> str:
        if text:
            zone = zones.resolve(text)
            if zone is None:
                raise ValueError(f"timezone {text!r} is not known (write a name like Europe/Moscow)")
            return zone
        if self._zone:
            return self._zone
        if start.offset is None:
            raise ValueError('the time has no zone (set timezone = "Europe/Moscow" or the like in [[sync]])')
        minutes = int(start.offset.total_seconds()) // 60
        text = f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
        zone = zones.resolve(text)
        if zone is None:
            raise ValueError(f"no time zone keeps {text} all year (set timezone in [[sync]])")
        return zone

    def _details(self, title: str, values: list[str], where: str, part: Part) -> Details:
        columns = tuple(zip(self._titles, values, strict=False))
        if self._contacts:
            columns += tuple((field, values[at]) for field, at in self._contacts)
        description, location, owner, status, priority, color, url, *others = self._details_of(values)
        categories, attendees, alarms, private = others
        is_private = self._strict("private", private, words.truth) if private else None
        return Details(
            title=title,
            description=description,
            location=location,
            owner=owner,
            status=(self._lenient("status", status, words.status, where, part) or "") if status else "",
            classification="" if is_private is None else "PRIVATE" if is_private else "PUBLIC",
            priority=self._lenient("priority", priority, words.priority, where, part) if priority else None,
            color=color,
            url=url,
            categories=words.items(categories) if categories else (),
            attendees=words.items(attendees) if attendees else (),
            reminders=self._strict("reminders", alarms, words.reminders) if alarms else None,
            columns=columns,
        )

    def _strict(self, field: str, text: str, read: Callable[[str], Value]) -> Value:
        """Read a cell whose content decides what people see; raises ValueError naming the field."""
        try:
            return read(text)
        except ValueError as error:
            reason = str(error)
            if reason.startswith("is "):
                raise ValueError(f"{field} {text!r} {reason}") from None
            raise ValueError(f"{field}: {reason}" if text in reason else f"{field} {text!r}: {reason}") from None

    def _lenient(self, field: str, text: str, read: Callable[[str], Value], where: str, part: Part) -> Value | None:
        """Read a cell that may hold any word; one that is not known is warned of once and taken as empty."""
        try:
            return read(text)
        except ValueError as error:
            if (field, text) not in self._warned:
                self._warned.add((field, text))
                part.warn(where, f"{field} {text!r} {error}; it is taken as empty")
            return None


def _last_day(first: date, end: Written) -> date | None:
    """Return the last of whole days; an end that says midnight means that the day has not begun."""
    midnight = end.time == timedelta(0)
    return end.day - _DAY if midnight and end.day is not None and end.day > first else end.day


def _whole_days(first: date, last: date | None, length: timedelta | None) -> AllDay:
    """Return the days from `first` to `last`, which a person writes inclusively, or of a length in whole days."""
    if length is not None:
        if length % _DAY or not length:
            raise ValueError("there is no start time, and the duration is not in whole days")
        return span.all_day(first, first + length)
    last = last or first
    if last < first:
        raise ValueError(f"end is before start ({last} is before {first})")
    return span.all_day(first, last + _DAY)
