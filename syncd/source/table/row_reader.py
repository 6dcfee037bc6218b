"""The rows of a table to entries. A row that cannot be used is rejected alone, with its line and the reason.

times in the row                      the entry
none, or all_day says yes             whole days, the last one included: 1 to 3 May is three days
start with a time, no end             that whole day; a moment (zero length) if all_day says no, or with `moments`
end as a time without a date, or the  that day; if it is earlier than the start: the next day (a night shift)
second of two times in the start
all_day says yes, end at 0:00         the days before that midnight, as Outlook writes them
end with its date, or a duration      as written; an end before its start is rejected
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from operator import itemgetter
from typing import TypeVar

from syncd.errors import SourceError
from syncd.model import zones
from syncd.model.entry import AllDay, Details, Entry, Recurrence, Span, Timed
from syncd.source.field_values import (
    after,
    all_day_span,
    clean,
    damaged,
    digest,
    dropped,
    in_zone,
    read_rule,
    timed_span,
)
from syncd.source.files import Part
from syncd.source.options import nearest
from syncd.source.table import cell_values
from syncd.source.table.columns import FIELDS, ColumnMap
from syncd.source.table.when import CellTime, DateOrder, find_order, read_cell

_TIMES = ("start", "date", "start_time", "end", "end_time", "duration")
_REQUIRED = frozenset({"uid", "title", *_TIMES})
_SPAN = (*_TIMES, "all_day", "timezone")
_DETAILS = (
    *("description", "location", "owner", "status", "priority", "color", "url"),
    *("categories", "attendees", "reminders", "private"),
)
_CONTACTS = ("contact_phone", "contact_email")
_EMPTY = CellTime()
_DAY = timedelta(days=1)
Value = TypeVar("Value")
Row = tuple[int, Sequence[str]]
"""The cells of a row, and the line of the file on which it starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """How a table is read.

    `columns` maps fields to titles or numbers, `dates` orders day and month, `zone` is the IANA zone of times without
    one (None: there is none). With `moments` a time without an end is a moment.
    """

    columns: ColumnMap
    dates: DateOrder
    zone: str | None
    moments: bool


def read_table(name: str, header: Row, rows: Sequence[Row], options: TableOptions) -> Part:
    """Return what the rows under a header hold.

    Raises SourceError for a mapped column that the header lacks.
    """
    line, titles = header
    positions = find_columns(options.columns, titles, where=f"{name}:{line}")
    days = [positions[field] for field in ("start", "date", "end") if field in positions]
    # Each text once: in a timetable the different dates are a fraction of the rows.
    texts = {cells[at] for _, cells in rows for at in days if at < len(cells)}
    order = find_order(map(clean, texts), options.dates)
    reader = RowReader(
        name=name, header=titles, positions=positions, order=order, zone=options.zone, moments=options.moments
    )
    return reader.part(rows)


def find_columns(columns: ColumnMap, header: Sequence[str], *, where: str) -> dict[str, int]:
    """Return the 0-based position of every mapped field; a title matches exactly, else without case and blanks.

    Raises SourceError, beginning with `where`, for a column that is missing or that two columns could be.
    """
    folded = [fold(title) for title in header]
    return {field: _position(field, column, header, folded, where) for field, column in columns.items()}


def count_found(columns: ColumnMap, header: Sequence[str]) -> int:
    """Return how many mapped titles a row has, to tell the header from other rows and other delimiters."""
    folded = {fold(title) for title in header}
    return sum(isinstance(column, str) and fold(column) in folded for column in columns.values())


def fold(title: str) -> str:
    """Return a title without case and blanks."""
    return "".join(title.split()).casefold()


def _position(field: str, column: str | int, header: Sequence[str], folded: Sequence[str], where: str) -> int:
    if isinstance(column, int):
        if column <= len(header):
            return column - 1
        raise SourceError(f"{where}: no column {column} for {field}, the header has {len(header)}", "correct columns")
    for titles, wanted in ((header, column), (folded, fold(column))):
        candidates = [at for at, title in enumerate(titles) if title == wanted]
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            numbers = " and ".join(str(at + 1) for at in candidates)
            raise SourceError(f"{where}: columns {numbers} are both called {column!r}", f"give {field} by its number")
    raise SourceError(f"{where}: no column {column!r} for {field}", nearest(column, filter(None, header)))


class RowReader:
    """Turns the rows under one header into entries.

    `positions` are the mapped fields' 0-based columns, `zone` the IANA zone of times without one (None: there is none).
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
        # While it is read a row has one empty cell more than the header, at -1, which is every field that is not
        # mapped: no field of a row needs a test of whether its column exists.
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
        # In a timetable the same dates and times come again and again; each is read once.
        self._read: dict[str, CellTime] = {}
        self._spans: dict[tuple[str, ...], Span] = {}
        self._warned: set[tuple[str, str]] = set()

    def part(self, rows: Sequence[Row]) -> Part:
        """Return what the rows hold; of two rows with the same uid the first is used."""
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
            broken = not text.isprintable() and damaged(text)
            uid = self._uid(values, cells, overflows=overflows, broken=broken)
            try:
                self._check_row(cells, overflows=overflows, broken=broken)
                entry = self._entry(uid, line, values, part)
            except ValueError as error:
                part.reject(f"{self._name}:{line}", uid, str(error), self._title(values, overflows=overflows))
                continue
            first = lines.setdefault(entry.uid, line)
            if first != line:
                named_by = "uid" if "uid" in self._mapped else "owner, title and start"
                reason = f"the row at {self._name}:{first} has the same {named_by}, so this one is not used"
                part.reject(entry.where, entry.uid, reason, entry.details.title)
                continue
            part.entries.append(entry)
            if not text.isprintable():
                self._warn_of_controls(cells, entry, part)
        return part

    def _overflows(self, cells: Sequence[str]) -> bool:
        """Return True if the row is cut into too many cells, as by a delimiter in a text without quotes."""
        extra = len(cells) - len(self._titles)
        if extra <= 0:
            return False
        # Some programs end every row with a delimiter; the empty cells that all rows have are no sign of a stray one.
        return extra > self._spare or any(cell.strip() for cell in cells[-extra:])

    def _uid(self, values: list[str], cells: Sequence[str], *, overflows: bool, broken: bool) -> str:
        """Return the row's uid, or "" if the row does not say enough to name it.

        Without a uid column, or with nothing in it, owner, title and start name the row.
        """
        at = self._at["uid"]
        if overflows:
            return values[0] if at == 0 else ""  # cells behind a stray delimiter are not in their own columns
        if values[at]:
            return "" if broken and damaged(values[at]) else values[at]
        if at >= len(cells):
            return ""
        title, owner = values[self._at["title"]], values[self._at["owner"]]
        try:
            start = self._start(values)
        except ValueError:
            return ""
        named = title and start.day and not damaged(title + owner)
        return "row-" + digest(owner, title, str(start.day), str(start.time or "")) if named else ""

    def _check_row(self, cells: Sequence[str], *, overflows: bool, broken: bool) -> None:
        width = len(self._titles)
        if len(cells) < self._least:
            raise ValueError(f"the row has only {len(cells)} of {width} cells")
        if overflows:
            reason = "a text with the delimiter in it has to stand in quotes"
            raise ValueError(f"the row has {len(cells)} cells, the header {width} ({reason})")
        if broken:
            raise ValueError("the row has bytes that are not text in this encoding (set encoding, or save it again)")

    def _title(self, values: list[str], *, overflows: bool) -> str:
        """Return the title of a row that cannot be used, "" if it has none or another cell stands in its place."""
        title = values[self._at["title"]]
        return "" if overflows or damaged(title) else title

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
        details = self._details(title, values, where, part)
        times: tuple[str, ...] = self._times_of(values)
        span = self._spans.get(times)
        if span is None:
            span = self._spans[times] = self._span(values)
        recurrence = Recurrence(rules=(read_rule(rule),)) if rule else None
        return Entry(uid=uid, where=where, details=details, span=span, recurrence=recurrence)

    def _details(self, title: str, values: list[str], where: str, part: Part) -> Details:
        # All cells by their titles, mapped or not: templates and filters may name any of them.
        columns = tuple(zip(self._titles, values, strict=False))
        if self._contacts:
            columns += tuple((field, values[at]) for field, at in self._contacts)
        description, location, owner, status, priority, color, url, *others = self._details_of(values)
        categories, attendees, alarms, private = others
        is_private = self._strict("private", private, cell_values.truth) if private else None
        return Details(
            title=title,
            description=description,
            location=location,
            owner=owner,
            status=(self._lenient("status", status, cell_values.status, where, part) or "") if status else "",
            classification="" if is_private is None else "PRIVATE" if is_private else "PUBLIC",
            priority=self._lenient("priority", priority, cell_values.priority, where, part) if priority else None,
            color=color,
            url=url,
            categories=cell_values.items(categories) if categories else (),
            attendees=cell_values.items(attendees) if attendees else (),
            reminders=self._strict("reminders", alarms, cell_values.reminders) if alarms else None,
            columns=columns,
        )

    def _span(self, values: list[str]) -> Span:
        """Return the span by the table at the top of this file."""
        start, end = self._start(values), self._end(values)
        if start.until is not None:
            if end != _EMPTY or values[self._at["duration"]]:
                raise ValueError("start holds two times, and there is an end besides")
            end = CellTime(time=start.until)
        if start.day is None:
            raise ValueError("there is no start" if "start" in self._mapped else "there is no date")
        text = values[self._at["duration"]]
        length = self._strict("duration", text, cell_values.duration) if text else None
        all_day = values[self._at["all_day"]]
        says_all_day = self._strict("all_day", all_day, cell_values.truth) if all_day else None
        no_times = start.time is None and end.time is None
        is_moment = self._moments and start.time is not None
        no_end = end.day is None and end.time is None and length is None and not is_moment
        # An explicit all_day wins over the times in the row: Outlook exports whole days with times of 0:00.
        if says_all_day or (says_all_day is None and (no_times or no_end)):
            return _whole_days(start.day, _last_day(start.day, end), length)
        if start.time is None:
            raise ValueError("there is no start time")
        return self._timed(start, end, length, values[self._at["timezone"]])

    def _start(self, values: list[str]) -> CellTime:
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

    def _end(self, values: list[str]) -> CellTime:
        end, clock = self._moment("end", values), self._moment("end_time", values)
        if clock.day is not None or (clock.time is not None and end.time is not None):
            raise ValueError("end_time holds a date" if clock.day is not None else "both end and end_time hold a time")
        if end.until is not None or clock.until is not None:
            raise ValueError("end holds two times")
        return end if clock.time is None else replace(clock, day=end.day)

    def _moment(self, field: str, values: list[str]) -> CellTime:
        text = values[self._at[field]]
        if not text:
            return _EMPTY
        found = self._read.get(text)
        if found is None:
            try:
                found = self._read[text] = read_cell(text, self._order)
            except ValueError as error:
                raise _named(field, text, error) from None
        return found

    def _timed(self, start: CellTime, end: CellTime, length: timedelta | None, zone_cell: str) -> Timed:
        zone = self._zone if self._zone and not zone_cell else _row_zone(zone_cell, start)
        begin = start.wall()
        if start.offset is not None:
            begin = in_zone(begin, start.offset, zone)
        if length is not None:
            return timed_span(begin, after(begin, length, zone), zone, zone)
        if end.time is None:
            if end.day is not None:
                raise ValueError("there is no end time")
            return timed_span(begin, begin, zone, zone)
        finish = replace(end, day=end.day or start.day).wall()
        if end.offset is not None:
            finish = in_zone(finish, end.offset, zone)
        # A night shift: the end has no date, so it is the first such time after the start.
        if end.day is None and finish < begin:
            finish += _DAY
        return timed_span(begin, finish, zone, zone)

    def _strict(self, field: str, text: str, read: Callable[[str], Value]) -> Value:
        """Read a cell that decides what people see; raises ValueError naming the field."""
        try:
            return read(text)
        except ValueError as error:
            raise _named(field, text, error) from None

    def _lenient(self, field: str, text: str, read: Callable[[str], Value], where: str, part: Part) -> Value | None:
        """Read a cell that may hold any word; one that is not known gives one warning and counts as empty."""
        try:
            return read(text)
        except ValueError as error:
            if (field, text) not in self._warned:
                # Once per text: a column with other words would otherwise give a warning for every row.
                self._warned.add((field, text))
                part.warn(where, f"{field} {text!r} {error}; it is taken as empty")
            return None


def _named(field: str, text: str, error: ValueError) -> ValueError:
    """Return the error with the field and the cell's text, if it does not quote that already."""
    reason = str(error)
    if reason.startswith("is "):
        return ValueError(f"{field} {text!r} {reason}")
    return ValueError(f"{field}: {reason}" if text in reason else f"{field} {text!r}: {reason}")


def _row_zone(text: str, start: CellTime) -> str:
    """Return the zone that a row gives, by its name or by the offset of its start; raises ValueError without one."""
    if text:
        zone = zones.resolve(text)
        if zone is None:
            raise ValueError(f"timezone {text!r} is not known (write a name like Europe/Moscow)")
        return zone
    if start.offset is None:
        raise ValueError('the time has no zone (set timezone = "Europe/Moscow" or the like in [[sync]])')
    # An offset is not a zone: only a zone that keeps it all year can stand for it without shifting a series.
    minutes = int(start.offset.total_seconds()) // 60
    text = f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    zone = zones.resolve(text)
    if zone is None:
        raise ValueError(f"no time zone keeps {text} all year (set timezone in [[sync]])")
    return zone


def _last_day(first: date, end: CellTime) -> date | None:
    """Return the last of whole days; an end at midnight means that its day has not begun."""
    midnight = end.time == timedelta(0)
    return end.day - _DAY if midnight and end.day is not None and end.day > first else end.day


def _whole_days(first: date, last: date | None, length: timedelta | None) -> AllDay:
    """Return the days from `first` to `last`, which is inclusive as people write it, or for a number of days."""
    if length is not None:
        if length % _DAY or not length:
            raise ValueError("there is no start time, and the duration is not in whole days")
        return all_day_span(first, first + length)
    last = last or first
    if last < first:
        raise ValueError(f"end is before start ({last} is before {first})")
    return all_day_span(first, last + _DAY)
