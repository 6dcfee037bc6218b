"""The rows of a table to entries. A row that cannot be used is rejected alone, with its line and the reason."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import NoReturn, TypeVar

from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.log import entry_crashed
from syncd.model.entry import Cells, Details, Entry, Recurrence, Span
from syncd.source.field_values import clean, damaged, digest, dropped, fold, read_rule
from syncd.source.files import FirstLines, Part, collected
from syncd.source.options import nearest
from syncd.source.reasons import reason_of, with_and
from syncd.source.table import cell_values
from syncd.source.table.cell_values import is_error
from syncd.source.table.columns import FIELDS, ColumnMap, TableOptions
from syncd.source.table.dashes import WITH_DASH, Dashes, could_be_both, find_dashes
from syncd.source.table.heading_words import unit_of
from syncd.source.table.no_entries import NoEntries, TitlesAgain
from syncd.source.table.same_entry import same_entry
from syncd.source.table.spans import ENDS, MOST_TIMES, SpanReader, is_nothing, named, strict
from syncd.source.table.when import DateOrders, find_orders, read_cell

_TIMES = ("start", "date", "start_time", "end", "end_time", "duration")
_REQUIRED = frozenset({"uid", "title", *_TIMES})
_SPAN = (*_TIMES, "all_day", "timezone")
_TEXTS = ("description", "location", "owner", "color", "url")
_OTHERS = ("status", "priority", "categories", "attendees", "reminders", "private")
"""Fields that few tables have, and whose cells are not taken as they stand."""
_CONTACTS = ("contact_phone", "contact_email")
Value = TypeVar("Value")
HEADER_WITHIN = 50
"""How many rows are searched for the titles."""
_MOST_SHARED = 200_000
"""How many texts of cells are kept to be shared by other rows, in which the same texts stand over and over."""
_NO_TITLE = say("there is no title (fill it in)")
_NO_TEXT = say("the row has bytes that are not text in this encoding (set encoding, or save it again)")
Row = tuple[int | str, Sequence[str]]
"""The cells of a row, and the line of the file on which it starts, perhaps with the place in it."""
R = TypeVar("R", bound=Row)


def read_table(name: str, header: Row, rows: Iterable[R], options: TableOptions) -> Part:
    """Return what the rows under a header hold; they are gone through several times. A list of them is empty then.

    Raises SourceError for a mapped column that the header lacks.
    """
    return collected(stream_table(name, header, rows, options))


def stream_table(name: str, header: Row, rows: Iterable[R], options: TableOptions) -> Generator[Entry, None, Part]:
    """Yield the entries of a table, and return its part without them; otherwise like `read_table`."""
    line, titles = header
    positions = find_columns(options.columns, titles, where=f"{name}:{line}")
    days = [positions[field] for field in ("start", "date", "end") if field in positions]
    start = positions.get("start_time", positions.get("start", positions.get("date", -1)))
    # Each text once: in a timetable the different dates are a fraction of the rows.
    texts: dict[int, set[str]] = {at: set() for at in (*days, start)}
    adding = [(at, own.add) for at, own in texts.items()]
    widths = set()
    for _, cells in rows:
        widths.add(width := len(cells))
        for at, add in adding:
            if at < width:
                add(cells[at])
    orders = find_orders(map(clean, set[str]().union(*(texts[at] for at in days))), options.dates)
    orders = replace(orders, dashes=_dashes(titles, positions, start, texts[start], rows))
    reader = RowReader(name=name, header=titles, positions=positions, orders=orders, options=options)
    odd_at = [(odd, _first_with(odd, rows, days)) for odd in orders.odd]
    del texts, adding  # where every row has another time, they take as much as the entries
    part = Part()
    yield from reader.entries(rows, min(widths, default=0), part)
    for odd, line in odd_at:
        reason = say(
            "{odd!r} has day and month in the other order than the other dates of the file; it is read by itself",
            odd=odd,
        )
        part.warn(f"{name}:{line}", reason)
    return part


def _first_with(text: str, rows: Iterable[Row], columns: Sequence[int]) -> int | str:
    """Return the line of the first row that has `text` in one of the `columns`."""
    return next(line for line, cells in rows if any(at < len(cells) and clean(cells[at]) == text for at in columns))


def _taken(rows: list[R]) -> Iterator[R]:
    """Yield `rows` in their order and forget each: together with the entries they would take the memory twice."""
    rows.reverse()
    while rows:
        yield rows.pop()


def _dashes(
    titles: Sequence[str], positions: Mapping[str, int], at: int, texts: Iterable[str], rows: Iterable[Row]
) -> Dashes:
    """Return what dashes between two numbers stand for in the starts of rows that do not say their end.

    `at` is the column of starts, and `texts` are all that stand there.
    """
    ends = [positions[field] for field in ENDS if field in positions]
    unsure = {text for text in texts if WITH_DASH.search(start := clean(text)) and could_be_both(start)} if ends else ()
    found = (cells for _, cells in rows if at < len(cells) and cells[at] in unsure) if unsure else ()
    alone = {cells[at] for cells in found if _lacks(ends, cells)}
    if ends and not alone:
        return "times"  # as beside every end, so that no row need be asked whether it has one
    # What could be both says nothing of the other rows if its own end makes it a time.
    return find_dashes((clean(text) for text in texts if text in alone or text not in unsure), titles[at])


def _lacks(columns: Sequence[int], cells: Sequence[str]) -> bool:
    """Return True if a row has nothing in any of the `columns`."""
    return all(at >= len(cells) or is_nothing(clean(cells[at])) for at in columns)


def find_columns(columns: ColumnMap, header: Sequence[str], *, where: str) -> dict[str, int]:
    """Return the 0-based position of every mapped field; a title matches exactly, else without case and blanks.

    Raises SourceError, beginning with `where`, for a column that is missing or that two columns could be.
    """
    folded = [fold(title) for title in header]
    positions: dict[str, int] = {}
    for field, column in columns.items():
        if isinstance(column, int):
            candidates = [column - 1] if column <= len(header) else []
        else:
            candidates = [at for at, title in enumerate(header) if title == column]
            candidates = candidates or [at for at, title in enumerate(folded) if title == fold(column)]
        if len(candidates) != 1:
            raise _no_column(field, column, header, candidates, where)
        positions[field] = candidates[0]
    return positions


def count_found(columns: ColumnMap, header: Sequence[str]) -> int:
    """Return how many mapped titles a row has, to tell the header from other rows and other delimiters."""
    folded = {fold(title) for title in header}
    return sum(isinstance(column, str) and fold(column) in folded for column in columns.values())


def find_header(rows: Sequence[Sequence[str]], columns: ColumnMap) -> int:
    """Return which of the first rows has most mapped titles, the first of equals."""
    # A header further down is named by `header`; searching a whole file would take rows for titles.
    wanted = sum(isinstance(column, str) for column in columns.values())
    best, most = 0, 0
    for at, cells in enumerate(rows[:HEADER_WITHIN]):
        if (found := count_found(columns, cells)) > most:
            best, most = at, found
        if most == wanted:
            break
    return best


def has_titles(row: Sequence[str], columns: ColumnMap, header: int | None) -> bool:
    """Return True if the row that would be that of the titles can be it.

    `header` is the config's: 0 if there are none. Where nothing names a title, a row with a date as start is an entry.
    """
    if header is not None or any(isinstance(column, str) for column in columns.values()):
        return header != 0
    at = int(columns.get("start", columns.get("date", 1))) - 1
    try:
        return read_cell(clean(row[at]) if at < len(row) else "", DateOrders(setting="dmy")).day is None
    except ValueError:
        return True


def _no_column(
    field: str, column: str | int, header: Sequence[str], candidates: Sequence[int], where: str
) -> SourceError:
    """Return the error for a column that is missing, or that several `candidates` could be."""
    if isinstance(column, int):
        return SourceError(
            say(
                "{where}: no column {column} for {field}, the header has {number}",
                where=where,
                column=column,
                field=field,
                number=len(header),
            ),
            say("correct columns"),
        )
    if candidates:
        numbers = with_and(str(at + 1) for at in candidates)
        return SourceError(
            say("{where}: columns {numbers} are both called {column!r}", where=where, numbers=numbers, column=column),
            say("give {field} by its number", field=field),
        )
    return SourceError(
        say("{where}: no column {column!r} for {field}", where=where, column=column, field=field),
        nearest(column, filter(None, header)),
    )


class RowReader:
    """Turns the rows under one header into entries; `positions` are the mapped fields' 0-based columns."""

    def __init__(
        self,
        *,
        name: str,
        header: Sequence[str],
        positions: Mapping[str, int],
        orders: DateOrders,
        options: TableOptions,
    ) -> None:
        self._name = name
        self._titles = tuple(title or str(at) for at, title in enumerate(header, 1))
        # While it is read a row has one empty cell more than the header, at -1, which is every field that is not
        # mapped: no field of a row needs a test of whether its column exists.
        self._at = dict.fromkeys(FIELDS, -1) | dict(positions)
        self._positions = positions
        self._mapped = frozenset(positions)
        self._title_at, self._uid_at, self._rule_at = self._at["title"], self._at["uid"], self._at["rrule"]
        self._texts_of = itemgetter(*(self._at[field] for field in _TEXTS))
        self._others_of = itemgetter(*(self._at[field] for field in _OTHERS))
        self._has_others = not self._mapped.isdisjoint(_OTHERS)
        self._times_of = itemgetter(*(positions[field] for field in _SPAN if field in positions))
        self._contacts = tuple((field, positions[field]) for field in _CONTACTS if field in positions)
        self._cell_names = (*self._titles, *(field for field, _ in self._contacts))
        self._shared: dict[str, str] = {}
        unit = options.unit or (unit_of(header[positions["duration"]]) if "duration" in positions else None)
        self._span_reader = SpanReader(
            at=self._at, mapped=self._mapped, orders=orders, zone=options.zone, no_end=options.no_end, unit=unit
        )
        again = TitlesAgain(titles=header, mapped=positions)
        self._no_entries = NoEntries(again=again, titles=self._titles, at=self._at, filter=options.filter)
        self._least = 1 + max(at for field, at in positions.items() if field in _REQUIRED)
        self._spare = 0
        # In a timetable many rows are at the same time; each span is made once.
        self._spans: dict[str | tuple[str, ...], Span] = {}
        self._warned: set[tuple[str, str]] = set()

    def entries(self, rows: Iterable[R], least: int, part: Part) -> Iterator[Entry]:
        """Yield the entries of the rows, each of which has at least so many cells; a list of them is empty then.

        Of two rows with the same uid the first is used. What else there is to tell is put into `part`.
        """
        lines = FirstLines()
        width = len(self._titles)
        self._spare = least - width
        no_entries, again = self._no_entries, self._no_entries.again
        first_line: int | str = 0
        has_others = False
        for line, cells in _taken(rows) if isinstance(rows, list) else rows:
            first_line = first_line or line
            uid = ""
            try:
                text = "".join(cells)
                is_plain = text.isprintable()
                values = list(map(str.strip if is_plain else clean, cells))
                if not any(values):
                    continue
                values.extend([""] * (width - len(values) + 1))
                if again.elsewhere and again.passes_over(line, values):
                    continue
                overflows = len(cells) > width and self._overflows(cells)
                broken = not is_plain and damaged(text)
                failed = self._failed(values) if "#" in text or "Err:" in text else ""
                # In a row with nothing odd about it, what stands in the column of uids is one.
                uid = "" if overflows or broken or failed else values[self._uid_at]
                uid = uid or self._uid(values, cells, overflows=overflows, broken=broken, failed=failed)
                try:
                    if overflows or broken or failed or len(cells) < self._least:
                        self._refuse(cells, overflows=overflows, broken=broken, failed=failed)
                    entry = self._entry(uid, line, values, part)
                except ValueError as error:
                    if no_entries.has(line, uid, values, overflows=overflows, is_first=line == first_line):
                        has_others = True
                        continue
                    said = {field: self._said(field, values, overflows=overflows) for field in ("title", "owner")}
                    part.reject(f"{self._name}:{line}", uid, reason_of(error), **said)
                    continue
                first = lines.first(entry.uid, line)
                if first != line:
                    part.reject(
                        entry.where,
                        entry.uid,
                        self._again_at(first, named=bool(values[self._uid_at])),
                        entry.details.title,
                    )
                    continue
                yield entry
                if not is_plain:
                    self._warn_of_controls(cells, entry, part)
            except Exception as error:  # noqa: BLE001 - what one row meets must not stop the others
                part.reject(f"{self._name}:{line}", uid, entry_crashed(f"{self._name}:{line}", error))
        # A uid that is rejected in one row and good in another is there.
        part.rejected.difference_update(uid for uid in list(part.rejected) if uid in lines)
        if has_others:
            no_entries.tell(self._name, part)

    def _again_at(self, first: int | str, *, named: bool) -> str:
        """Return what is wrong with a row that is the same entry as the one at the line `first`, and the remedy."""
        return same_entry(f"{self._name}:{first}", titles=self._titles, positions=self._positions, named=named)

    def _failed(self, values: list[str]) -> str:
        """Return what is wrong with the first mapped column that holds an error of a spreadsheet; or ""."""
        at = next((at for at in sorted(set(self._positions.values())) if is_error(values[at])), -1)
        if at < 0:
            return ""
        title, error = self._titles[at], values[at]
        if error == "#FORMULA!":  # see syncd.workbook.sheet_xml
            return say(
                "column {title!r} holds a formula without its value (open the file in Excel or LibreOffice, and save it"
                " there)",
                title=title,
            )
        return say("column {title!r} holds the error {error} (correct the formula)", title=title, error=error)

    def _overflows(self, cells: Sequence[str]) -> bool:
        """Return True if the row is cut into too many cells, as by a delimiter in a text without quotes."""
        extra = len(cells) - len(self._titles)
        if extra <= 0:
            return False
        # Some programs end every row with a delimiter; the empty cells that all rows have are no sign of a stray one.
        return extra > self._spare or any(cell.strip() for cell in cells[-extra:])

    def _uid(self, values: list[str], cells: Sequence[str], *, overflows: bool, broken: bool, failed: str) -> str:
        """Return the row's uid, or "" if the row does not say enough to name it.

        Without a uid column, or with nothing in it, owner, title and start name the row.
        """
        at = self._at["uid"]
        if overflows:
            return values[0] if at == 0 else ""  # cells behind a stray delimiter are not in their own columns
        if values[at]:
            unsure = (broken and damaged(values[at])) or (failed and is_error(values[at]))
            return "" if unsure else values[at]
        # An error in any cell might stand for the owner or the title.
        if at >= len(cells) or failed:
            return ""
        title, owner = values[self._at["title"]], values[self._at["owner"]]
        try:
            start = self._span_reader.start(values)
        except ValueError:
            return ""
        named = title and start.day and not damaged(title + owner)
        return "row-" + digest(owner, title, str(start.day), str(start.time or "")) if named else ""

    def _refuse(self, cells: Sequence[str], *, overflows: bool, broken: bool, failed: str) -> NoReturn:
        width = len(self._titles)
        if len(cells) < self._least:
            raise ValueError(
                say(
                    "the row has only {number} of {width} cells (is it cut off? complete it)",
                    number=len(cells),
                    width=width,
                )
            )
        if overflows:
            raise ValueError(
                say(
                    "the row has {number} cells, the header {width} (a text with the delimiter in it has to stand in"
                    " quotes)",
                    number=len(cells),
                    width=width,
                )
            )
        if broken:
            raise ValueError(_NO_TEXT)
        raise ValueError(failed)

    def _said(self, field: str, values: list[str], *, overflows: bool) -> str:
        """Return a field of a row that cannot be used, "" if it has none or another cell stands in its place."""
        text = values[self._at[field]]
        return "" if overflows or damaged(text) else text

    def _warn_of_controls(self, cells: Sequence[str], entry: Entry, part: Part) -> None:
        for title, cell in zip(self._titles, cells, strict=False):
            if names := dropped(cell):
                reason = say(
                    "column {title!r} holds control characters ({names}); they are left out", title=title, names=names
                )
                part.warn(entry.where, reason, entry.uid)

    def _entry(self, uid: str, line: int | str, values: list[str], part: Part) -> Entry:
        where = f"{self._name}:{line}"
        title, named = values[self._title_at], values[self._uid_at]
        if not title:
            raise ValueError(_NO_TITLE)
        shared = self._shared
        if len(shared) > _MOST_SHARED:
            shared.clear()
        # Every row has another title and uid.
        values[self._title_at] = values[self._uid_at] = ""
        values[:] = map(shared.setdefault, values, values)
        values[self._title_at], values[self._uid_at] = title, named
        # All cells by their titles, mapped or not: templates and filters may name any of them.
        cells = values[: len(self._titles)]
        if self._contacts:
            cells += [values[at] for _, at in self._contacts]
        columns = Cells(self._cell_names, tuple(cells))
        if self._has_others:
            details = self._details(columns, values, where, part)
        else:
            description, location, owner, color, url = self._texts_of(values)
            details = Details(
                title=title,
                description=description,
                location=location,
                owner=owner,
                color=color,
                url=url,
                columns=columns,
            )
        times: str | tuple[str, ...] = self._times_of(values)
        span = self._spans.get(times)
        if span is None:
            if len(self._spans) > MOST_TIMES:
                self._spans.clear()
            span = self._spans[times] = self._span_reader.span(values)
        rule = values[self._rule_at]
        recurrence = Recurrence(rules=(plain,)) if rule and (plain := read_rule(rule)) else None
        return Entry(uid=uid, where=where, details=details, span=span, recurrence=recurrence)

    def _details(self, columns: Cells, values: list[str], where: str, part: Part) -> Details:
        """Return the details of a row in a table with any of the columns of `_OTHERS`; raises ValueError."""
        description, location, owner, color, url = self._texts_of(values)
        status, priority, categories, attendees, alarms, private = self._others_of(values)
        is_private = strict("private", private, cell_values.truth) if private else None
        return Details(
            title=values[self._title_at],
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
            reminders=strict("reminders", alarms, cell_values.reminders) if alarms else None,
            columns=columns,
        )

    def _lenient(self, field: str, text: str, read: Callable[[str], Value], where: str, part: Part) -> Value | None:
        """Read a cell that may hold any word; one that is not known gives one warning and counts as empty."""
        try:
            return read(text)
        except ValueError as error:
            if (field, text) not in self._warned:
                # Once per text: a column with other words would otherwise give a warning for every row.
                self._warned.add((field, text))
                reason = named(field, text, error).args[0]
                part.warn(where, say("{reason}; it is taken as empty", reason=reason))
            return None
