"""The rows of a table to entries. A row that cannot be used is rejected alone, with its line and the reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from operator import itemgetter
from typing import NoReturn, TypeVar

from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.log import entry_crashed
from syncd.model.entry import Cells, Details, Entry, Recurrence, Span
from syncd.model.filter import NO_FILTER, Filter
from syncd.model.names import Value as Known
from syncd.source.field_values import clean, damaged, digest, dropped, read_rule
from syncd.source.files import Part, collected
from syncd.source.options import nearest
from syncd.source.reasons import reason_of, some_of, with_and
from syncd.source.table import cell_values
from syncd.source.table.columns import ColumnMap
from syncd.source.table.dashes import Dashes, could_be_both, find_dashes
from syncd.source.table.field_names import FIELDS
from syncd.source.table.heading_words import unit_of
from syncd.source.table.other_tables import TitlesAgain, fold
from syncd.source.table.spans import ENDS, SpanReader, is_nothing, named, strict
from syncd.source.table.when import DateOrder, DateOrders, find_orders, read_cell

_TIMES = ("start", "date", "start_time", "end", "end_time", "duration")
_REQUIRED = frozenset({"uid", "title", *_TIMES})
_SPAN = (*_TIMES, "all_day", "timezone")
_DETAILS = (
    *("description", "location", "owner", "status", "priority", "color", "url"),
    *("categories", "attendees", "reminders", "private"),
)
_CONTACTS = ("contact_phone", "contact_email")
Value = TypeVar("Value")
HEADER_WITHIN = 50
"""How many rows are searched for the titles."""
_LISTS = frozenset({"categories", "attendees"})
_SAID = frozenset({"uid", "title", "description", "location", "owner", "status", "priority", "color", "url"})
"""Fields that an entry has whether they are mapped or not."""
_ERROR = re.compile(
    r"#(?:REF!|N/A|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!|GETTING_DATA|FIELD!|BLOCKED!|BUSY!|CONNECT!|UNKNOWN!|FORMULA!)"
    r"|#(?:ССЫЛКА!|Н/Д|ЗНАЧ!|ИМЯ\?|ДЕЛ/0!|ПУСТО!|ЧИСЛО!|ПЕРЕНОС!|BEZUG!|NV|WERT!|ZAHL!)|#{3,}|Err:\d{3}",
    re.IGNORECASE,
)
"""Errors of Excel in English, Russian and German, of LibreOffice, and what a column too narrow for it is saved as."""
_NOTE = re.compile(
    r"(?:итого|всего|total|subtotal|grand total|составил|утвердил|утвержда|согласова|проверил|подготовил|подпись)"
    r"|(?:примечани|исполнитель:|ответственный:|руководитель:|директор:|дата печати)"
    r"|(?:prepared by|approved by|signature|printed)|(?:страница|стр\.?|лист|page)\s+\d|.*_{3}",
    re.IGNORECASE | re.DOTALL,
)
"""Totals and signatures, as they stand below a table in whatever column comes first."""
_HEADING = re.compile(r"\D{0,200}[^\W\d_]{3}\D{0,200}(?:\b\d{1,4}\b\D{0,200})?", re.DOTALL)
"""Words, perhaps with one number: "Расписание на 2026 год", "Отделение 3"."""
_DAYS_OFF = frozenset({"выходной", "вых", "вых.", "выходной день", "нерабочий день", "day off", "off"})
"""What stands in place of the hours of somebody who does not work, casefolded."""
_NOTES_SHOWN, _NOTE_CHARS = 3, 40
_MOST_SHARED = 200_000
"""How many texts of cells are kept to be shared by other rows, in which the same texts stand over and over."""
_NO_TITLE = say("there is no title (fill it in)")
_NO_TEXT = say("the row has bytes that are not text in this encoding (set encoding, or save it again)")
Row = tuple[int | str, Sequence[str]]
"""The cells of a row, and the line of the file on which it starts, perhaps with the place in it."""
R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """How a table is read.

    `columns` maps fields to titles or numbers, `dates` orders day and month, `zone` is the IANA zone of times without
    one (None: there is none). `no_end` is how long an entry lasts that has a start time and no end, `unit` what a bare
    number counts in a column of durations (None: what its title says); `filter` leaves out rows that are no entries.
    """

    columns: ColumnMap
    dates: DateOrder
    zone: str | None
    no_end: timedelta = timedelta(0)
    unit: timedelta | None = None
    filter: Filter = NO_FILTER


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
    least = None
    for _, cells in rows:
        width = len(cells)
        if least is None or width < least:
            least = width
        for at, add in adding:
            if at < width:
                add(cells[at])
    orders = find_orders(map(clean, set[str]().union(*(texts[at] for at in days))), options.dates)
    orders = replace(orders, dashes=_dashes(titles, positions, start, texts[start], rows))
    reader = RowReader(name=name, header=titles, positions=positions, orders=orders, options=options)
    odd_at = [(odd, _first_with(odd, rows, days)) for odd in orders.odd]
    part = Part()
    yield from reader.entries(rows, least or 0, part)
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
    starts = {text: clean(text) for text in texts}
    unsure = {text for text, start in starts.items() if could_be_both(start)} if ends else set()
    found = (cells for _, cells in rows if at < len(cells) and cells[at] in unsure) if unsure else ()
    alone = {cells[at] for cells in found if _lacks(ends, cells)}
    if ends and not alone:
        return "times"  # as beside every end, so that no row need be asked whether it has one
    # What could be both says nothing of the other rows if its own end makes it a time.
    return find_dashes((start for text, start in starts.items() if text in alone or text not in unsure), titles[at])


def _lacks(columns: Sequence[int], cells: Sequence[str]) -> bool:
    """Return True if a row has nothing in any of the `columns`."""
    return all(at >= len(cells) or is_nothing(clean(cells[at])) for at in columns)


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


def is_note(text: str) -> bool:
    """Return True if a text is one that stands below a table: a total or a signature."""
    return _NOTE.match(text) is not None


def counts_columns(cells: Sequence[str]) -> bool:
    """Return True if a row numbers the columns of a form: 1, 2, 3 and so on, as they stand below printed titles."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return (
        len(filled) > 2 and filled[0].isdecimal() and filled == [str(int(filled[0]) + at) for at in range(len(filled))]
    )


def is_error(text: str) -> bool:
    """Return True if a cell holds an error of a spreadsheet."""
    return _ERROR.fullmatch(text) is not None


def _position(field: str, column: str | int, header: Sequence[str], folded: Sequence[str], where: str) -> int:
    if isinstance(column, int):
        if column <= len(header):
            return column - 1
        raise SourceError(
            say(
                "{where}: no column {column} for {field}, the header has {number}",
                where=where,
                column=column,
                field=field,
                number=len(header),
            ),
            say("correct columns"),
        )
    for titles, wanted in ((header, column), (folded, fold(column))):
        candidates = [at for at, title in enumerate(titles) if title == wanted]
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            numbers = with_and(str(at + 1) for at in candidates)
            raise SourceError(
                say(
                    "{where}: columns {numbers} are both called {column!r}", where=where, numbers=numbers, column=column
                ),
                say("give {field} by its number", field=field),
            )
    raise SourceError(
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
        self._mapped = frozenset(positions)
        self._mapped_at = tuple(sorted(set(positions.values())))
        self._details_of = itemgetter(*(self._at[field] for field in _DETAILS))
        self._starts_at = tuple(self._at[field] for field in ("start", "date", "start_time"))
        self._times_of = itemgetter(*(self._at[field] for field in _SPAN))
        self._contacts = tuple((field, positions[field]) for field in _CONTACTS if field in positions)
        self._cell_names = (*self._titles, *(field for field, _ in self._contacts))
        own = {self._at["uid"], self._at["title"]}  # every row has others there
        # And the empty one, because an itemgetter of one place gives no tuple.
        self._repeated_at = (*(at for at in range(len(header)) if at not in own), -1, -1)
        self._repeated_of = itemgetter(*self._repeated_at)
        self._shared: dict[str, str] = {}
        unit = options.unit or (unit_of(header[positions["duration"]]) if "duration" in positions else None)
        self._span_reader = SpanReader(
            at=self._at, mapped=self._mapped, orders=orders, zone=options.zone, no_end=options.no_end, unit=unit
        )
        self._filter = options.filter
        self._notes: list[tuple[int | str, str]] = []
        self._again = TitlesAgain(titles=header, mapped=positions)
        self._first: int | str = 0
        self._least = 1 + max(at for field, at in positions.items() if field in _REQUIRED)
        self._spare = 0
        # In a timetable many rows are at the same time; each span is made once.
        self._spans: dict[tuple[str, ...], Span] = {}
        self._warned: set[tuple[str, str]] = set()

    def entries(self, rows: Iterable[R], least: int, part: Part) -> Iterator[Entry]:
        """Yield the entries of the rows, each of which has at least so many cells; a list of them is empty then.

        Of two rows with the same uid the first is used. What else there is to tell is put into `part`.
        """
        lines: dict[str, int | str] = {}
        width = len(self._titles)
        self._spare = least - width
        for line, cells in _taken(rows) if isinstance(rows, list) else rows:
            self._first = self._first or line
            uid = ""
            try:
                text = "".join(cells)
                values = [cell.strip() for cell in cells] if text.isprintable() else [clean(cell) for cell in cells]
                if not any(values):
                    continue
                values.extend([""] * (width - len(values) + 1))
                if self._again.elsewhere and self._again.passes_over(line, values):
                    continue
                overflows = len(cells) > width and self._overflows(cells)
                broken = not text.isprintable() and damaged(text)
                failed = self._failed(values) if "#" in text or "Err:" in text else ""
                # In a row with nothing odd about it, what stands in the column of uids is one.
                uid = "" if overflows or broken or failed else values[self._at["uid"]]
                uid = uid or self._uid(values, cells, overflows=overflows, broken=broken, failed=failed)
                try:
                    if overflows or broken or failed or len(cells) < self._least:
                        self._refuse(cells, overflows=overflows, broken=broken, failed=failed)
                    entry = self._entry(uid, line, values, part)
                except ValueError as error:
                    if not self._is_no_entry(line, uid, values, overflows=overflows):
                        said = {field: self._said(field, values, overflows=overflows) for field in ("title", "owner")}
                        part.reject(f"{self._name}:{line}", uid, reason_of(error), **said)
                    continue
                first = lines.setdefault(entry.uid, line)
                if first != line:
                    part.reject(entry.where, entry.uid, self._again_at(first), entry.details.title)
                    continue
                yield entry
                if not text.isprintable():
                    self._warn_of_controls(cells, entry, part)
            except Exception as error:  # noqa: BLE001 - what one row meets must not stop the others
                part.reject(f"{self._name}:{line}", uid, entry_crashed(f"{self._name}:{line}", error))
        # A uid that is rejected in one row and good in another is there.
        part.rejected.difference_update(uid for uid in list(part.rejected) if uid in lines)
        if self._again.anything or self._notes:
            self._tell_of_notes(part)

    def _again_at(self, first: int | str) -> str:
        """Return what is wrong with a row that is the same entry as the one at the line `first`."""
        where = f"{self._name}:{first}"
        if "uid" in self._mapped:
            return say("the row at {where} has the same uid, so this one is not used", where=where)
        return say("the row at {where} has the same owner, title and start, so this one is not used", where=where)

    def _tell_of_notes(self, part: Part) -> None:
        for line, reason in self._again.others():
            part.reject(f"{self._name}:{line}", "", reason)
        for line, reason in self._again.same():
            part.warn(f"{self._name}:{line}", reason)
        if self._notes:
            lines = tuple(
                say("{message} ({remedy})", message=str(line), remedy=note) for line, note in self._notes[:_NOTES_SHOWN]
            )
            shown = some_of(lines, len(self._notes) - len(lines))
            reason = say("rows of titles, totals, notes or days off are no entries: {lines}", lines=shown)
            part.warn(f"{self._name}:{self._notes[0][0]}", reason)

    def _failed(self, values: list[str]) -> str:
        """Return what is wrong with the first mapped column that holds an error of a spreadsheet; or ""."""
        at = next((at for at in self._mapped_at if is_error(values[at])), -1)
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

    def _is_no_entry(self, line: int | str, uid: str, values: list[str], *, overflows: bool) -> bool:
        """Return True if a row that cannot be used is none: titles again, outside the filter, or a note alone.

        Totals and signatures stand below many tables. They are no entries that are lost, so the table is complete.
        """
        if self._again.finds(line, values):
            return True
        if overflows:
            return False
        if self._filter.leaves_out(lambda name: self._known(name, uid, values)):
            return True
        note = self._note(values) or (self._subtitles(values) if line == self._first else "")
        if note:
            # One of ours is short; a slice of it would no longer be a message.
            self._notes.append((line, note if len(note) <= _NOTE_CHARS else note[:_NOTE_CHARS]))
        return bool(note)

    def _note(self, values: list[str]) -> str:
        """Return what a row says that is a title, a total or a heading, "" for one that may be an entry."""
        filled = [at for at in self._mapped_at if values[at]]
        # With a title it may be an entry all the same, "Итоговое занятие"; a number there is what is summed up.
        is_named = any(map(str.isalpha, values[self._at["title"]]))
        is_total = bool(filled) and not is_named and is_note(values[filled[0]])
        if is_total or (len(filled) == 1 and (filled[0] == self._at["title"] or is_note(values[filled[0]]))):
            return values[filled[0]]
        # The word may also stand in a column that is not read, before numbers in those that are.
        word = next((text for text in values if text), "")
        if not is_named and not any(values[at] for at in self._starts_at) and is_note(word):
            return word
        if counts_columns(values):
            return say("the numbers of the columns")
        hours = values[self._at["start_time"]] or values[self._at["start"]]
        if hours.casefold() in _DAYS_OFF:
            return hours
        alone = [at for at, text in enumerate(values) if text]
        # "Понедельник" or the name of a ward above its rows; a date or a uid alone may be what is left of an entry.
        is_heading = len(alone) == 1 and alone[0] != self._at["uid"] and _HEADING.fullmatch(values[alone[0]])
        return values[alone[0]] if is_heading else ""

    def _subtitles(self, values: list[str]) -> str:
        """Return what the first row says if it is a second row of titles, as below one that spans two columns."""
        text = " ".join(filter(None, values))
        named = values[self._at["uid"]] or values[self._at["title"]]
        return "" if named or any(map(str.isdigit, text)) else text

    def _known(self, name: str, uid: str, values: list[str]) -> Known | None:
        """Return what a name of the filter stands for in a row that is no entry, None if that cannot be told."""
        if name in _LISTS:
            return cell_values.items(values[self._at[name]])
        if name in _SAID:
            return uid if name == "uid" else values[self._at[name]]
        if name in FIELDS and name in self._mapped:
            return values[self._at[name]]
        titles = [title.strip().casefold() for title in self._titles]
        for wanted, known in ((name, list(self._titles)), (name.casefold(), titles)):
            if wanted in known:
                return values[known.index(wanted)]
        return None

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
        title = values[self._at["title"]]
        if not title:
            raise ValueError(_NO_TITLE)
        rule = values[self._at["rrule"]]
        if len(self._shared) > _MOST_SHARED:
            self._shared.clear()
        texts: tuple[str, ...] = self._repeated_of(values)
        for at, text in zip(self._repeated_at, map(self._shared.setdefault, texts, texts), strict=True):
            values[at] = text
        # All cells by their titles, mapped or not: templates and filters may name any of them.
        cells = values[: len(self._titles)]
        if self._contacts:
            cells += [values[at] for _, at in self._contacts]
        description, location, owner, status, priority, color, url, *others = self._details_of(values)
        categories, attendees, alarms, private = others
        is_private = strict("private", private, cell_values.truth) if private else None
        details = Details(
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
            reminders=strict("reminders", alarms, cell_values.reminders) if alarms else None,
            columns=Cells(self._cell_names, tuple(cells)),
        )
        times: tuple[str, ...] = self._times_of(values)
        span = self._spans.get(times)
        if span is None:
            span = self._spans[times] = self._span_reader.span(values)
        recurrence = Recurrence(rules=(plain,)) if rule and (plain := read_rule(rule)) else None
        return Entry(uid=uid, where=where, details=details, span=span, recurrence=recurrence)

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
