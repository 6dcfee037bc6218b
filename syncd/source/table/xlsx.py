"""Excel workbooks to entries, through python-calamine: which sheet, which row is the header, what a cell is as text.

The rest is as for any table. Nothing in a workbook is computed: a formula has the value that was saved with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path, PurePath
from threading import Lock
from typing import Literal

import msgspec

from syncd.clock import Clock
from syncd.errors import ConfigError, SourceError
from syncd.lang.saying import say, say_count
from syncd.source.base import ReadContext, Source
from syncd.source.field_values import clean, sync_zone
from syncd.source.files import Part
from syncd.source.opening import FileOptions, open_files
from syncd.source.options import default_length, read_options, unit_length
from syncd.source.table.cell_values import truth
from syncd.source.table.columns import TableOptions, check_header
from syncd.source.table.grid import GridOptions, PlanSheet, check_columns, read_grid
from syncd.source.table.grid_days import row_of_days
from syncd.source.table.no_entries import above_titles
from syncd.source.table.row_reader import HEADER_WITHIN, count_found, find_columns, find_header, has_titles, read_table
from syncd.source.table.sheet_reader import Cell, Merged, Sheet, SheetLimits, SheetReader
from syncd.source.table.sheets import SheetChoice, check_choice, is_several, matching, merged
from syncd.source.table.when import DateOrder
from syncd.source.twice import once_in_cells

_HALF_SECOND = timedelta(milliseconds=500)
_DAY_S = 86_400
_EXACT_FLOAT = 1e15
_DAY_ZERO = date(1899, 12, 31)
_MOST_DAYS = 31
"""More hours than those of a month are no length of an entry, but a date of 1900."""


class XlsxOptions(FileOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `[sync.source]` with type = "xlsx".

    `sheet` is a name, a number from 1, a pattern with "*" or a list of names and numbers, by default the first visible
    sheet. `header` is the number of the row with the titles, by default the first that has the mapped ones, 0 if there
    are none. `dates` orders day and month in dates that are text. `default_duration` is how long an entry lasts that
    has a start time and no end, `duration_unit` what a bare number counts in a column of durations, by default what its
    title says.
    """

    type: Literal["xlsx"]
    columns: dict[str, str | int] = msgspec.field(default_factory=dict)
    grid: GridOptions | None = None
    sheet: SheetChoice = None
    header: int | None = None
    dates: DateOrder = "auto"
    default_duration: str = "0m"
    duration_unit: str = "auto"


def open_xlsx(options: Mapping[str, object], base: Path, *, where: str, clock: Clock) -> Source:
    """Return a source of Excel files; raises ConfigError beginning with `where`."""
    chosen = read_options(XlsxOptions, options, where=where)
    check_columns(chosen.columns, chosen.grid, chosen.header, where=where)
    default_length(chosen.default_duration, where=where)
    unit_length(chosen.duration_unit, where=where)
    check_choice(chosen.sheet, where=where)
    if chosen.grid is not None and chosen.grid.month is not None and is_several(chosen.sheet):
        raise ConfigError(
            say("{where}: grid: month cannot date several sheets", where=where),
            say("let each sheet say its month and year"),
        )
    check_header(chosen.columns, chosen.header, where=where, unit="row")
    return open_files(chosen, base, where=where, file_format=XlsxFormat(chosen), clock=clock)


class XlsxFormat:
    """Parses Excel files. Nothing is remembered: the part of a file depends on its bytes and the context only."""

    suffix = ".xlsx"
    by_file = True

    def __init__(self, options: XlsxOptions, limits: SheetLimits | None = None) -> None:
        self._options = options
        self._limits = limits
        self._reader: SheetReader | None = None
        self._readings = 0
        self._lock = Lock()

    def begin(self) -> None:
        """Let one process read all files of a reading."""
        # A cancelled reading goes on in its thread while the next one begins; both may use the same process.
        with self._lock:
            self._readings += 1
            self._reader = self._reader or SheetReader(self._limits)

    def end(self) -> None:
        """End that process."""
        with self._lock:
            self._readings -= 1
            if not self._readings and self._reader is not None:
                self._reader.close()
                self._reader = None

    def parse(self, name: str, content: bytes, context: ReadContext) -> Part:
        """Return what the sheet holds.

        Raises SourceError for a file that is not a workbook or lacks the sheet or a mapped column, ConfigError for an
        unknown zone.
        """
        if not content:
            return Part(incomplete=say("{name} is empty, without even a sheet", name=name))
        if self._reader is not None:
            return self._read(name, content, context, self._reader)
        with SheetReader(self._limits) as reader:
            return self._read(name, content, context, reader)

    def _read(self, name: str, content: bytes, context: ReadContext, reader: SheetReader) -> Part:
        choice = self._options.sheet
        if is_several(choice):
            return self._all(name, content, context, reader)
        assert not isinstance(choice, list)
        sheet = reader.read(name, content, choice)
        part = self._part(name, sheet, context)
        alike = self._alike(name, content, sheet, reader) if choice is None and len(sheet.visible) > 1 else ()
        if alike:
            part.warn(
                name,
                say(
                    "the sheets {sheets!r} have the same titles as {sheet!r} and are not read"
                    ' (sheet = "*" reads all, a list some, a name one)',
                    sheets=alike,
                    sheet=sheet.name,
                ),
            )
        return part

    def _all(self, name: str, content: bytes, context: ReadContext, reader: SheetReader) -> Part:
        """Return what several sheets hold; raises SourceError if none of them can be used."""
        choice = self._options.sheet
        wanted: Sequence[str | int] = choice if isinstance(choice, list) else ()
        if isinstance(choice, str):
            visible = reader.read(name, content, None).visible
            wanted = matching(visible, choice)
            if not wanted:
                raise SourceError(
                    say("{name} has no sheet like {choice!r}", name=name, choice=choice),
                    say("there are: {names}", names=tuple(visible)),
                )
        parts: list[Part] = []
        errors: list[SourceError] = []
        for one in wanted:
            sheet = reader.read(name, content, one)
            if isinstance(choice, str) and not self._has_table(sheet):
                if any(cell != "" for row in sheet.cells for cell in row):
                    parts.append(Part())
                    parts[-1].warn(
                        name, say("the sheet {name!r} has none of the titles and is left out", name=sheet.name)
                    )
                continue
            try:
                parts.append(self._part(f"{name}[{sheet.name}]", sheet, context))
            except SourceError as error:
                errors.append(error)
                parts.append(Part(incomplete=str(error)))
        if errors and len(errors) == len(parts):
            raise errors[0]
        return merged(parts)

    def _alike(self, name: str, content: bytes, sheet: Sheet, reader: SheetReader) -> tuple[str, ...]:
        """Return the other visible sheets that hold the same kind of table."""
        others = (reader.read(name, content, one) for one in sheet.visible if one != sheet.name)
        return tuple(other.name for other in others if self._has_table(other))

    def _has_table(self, sheet: Sheet) -> bool:
        """Return True if a sheet has any of the mapped titles, or the days of a plan."""
        texts = [[_text(cell) for cell in row] for row in sheet.cells[:HEADER_WITHIN]]
        if self._options.grid is not None:
            return row_of_days(texts) is not None
        columns = self._options.columns
        if not any(isinstance(column, str) for column in columns.values()):
            return any(any(row) for row in texts)
        return any(count_found(columns, row) for row in texts)

    def _part(self, name: str, sheet: Sheet, context: ReadContext) -> Part:
        options = self._options
        zone = sync_zone(context.zone)
        twice = once_in_cells(sheet.cells)
        cells, spread = _filled(sheet), sheet.merged
        no_end = default_length(options.default_duration, where="default_duration")
        unit = unit_length(options.duration_unit, where="duration_unit")
        table = TableOptions(
            columns=options.columns, dates=options.dates, zone=zone, no_end=no_end, unit=unit, filter=context.filter
        )
        if options.grid is not None:
            _fill_right(cells, spread)
            texts = [(at + 1, [_text(cell) for cell in row]) for at, row in enumerate(cells)]
            called = (sheet.name, PurePath(name).stem)
            part = read_grid(PlanSheet(name=name, rows=texts, called=called), options.grid, table)
            if twice:
                part.warn(name, twice)
            return part
        at = _header_row(cells, options)
        if at is None:
            return Part(incomplete=say("{name} has no header", name=name))
        header = [clean(_text(cell)) for cell in _trimmed(cells[at])]
        if not has_titles([_text(cell) for cell in cells[at]], options.columns, options.header):
            header = [""] * max(len(_trimmed(row)) for row in cells)
            at -= 1
        positions = find_columns(options.columns, header, where=f"{name}:{at + 1}")
        headings = _headings(cells, spread, after=at)
        clocks = _Clocks(positions, cells[at + 1 :])
        if clocks.doubtful:
            clocks.look(sheet.timed)
        numbered = (
            (number + 1, _row(number, cells[number], clocks, len(header)))
            for number in range(at + 1, len(cells))
            if number not in headings
        )
        rows = [(line, row) for line, row in numbered if any(row)]
        beside = [line for line, _ in rows if len(_trimmed(cells[line - 1])) > len(header)]
        above = [(number, [_text(cell) for cell in row]) for number, row in enumerate(cells[: max(at, 0)], 1)]
        part = read_table(name, (at + 1, header), rows, table)
        if (other := above_titles(above)) is not None:
            part.warn(f"{name}:{other[0]}", other[1])
        _tell_of_layout(part, name, beside, headings)
        if twice:
            part.warn(name, twice)
        return part


def _tell_of_layout(part: Part, name: str, beside: Sequence[int], headings: frozenset[int]) -> None:
    """Tell of cells without a title, in the rows `beside`, and of the rows taken for `headings`."""
    if beside:
        reason = say_count(
            "{count:,} row has cells beyond the last title, which are not read"
            " (give that column a title to have it read)",
            "{count:,} rows have cells beyond the last title, which are not read"
            " (give that column a title to have it read)",
            len(beside),
        )
        part.warn(f"{name}:{beside[0]}", reason)
    if headings:
        first = min(headings) + 1
        reason = say_count(
            "{count:,} row of one merged cell taken for headings and left out",
            "{count:,} rows of one merged cell taken for headings and left out",
            len(headings),
        )
        part.warn(f"{name}:{first}", reason)


def rows_of_sheets(name: str, content: bytes) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield the name of the first visible sheet, and its cells as texts; then those of the others that people see.

    Raises SourceError if there is none.
    """
    with SheetReader() as reader:
        sheet = reader.read(name, content, None)
        others = (reader.read(name, content, one) for one in sheet.visible if one != sheet.name)
        for one in (sheet, *others):
            once_in_cells(one.cells)
            yield one.name, [[_early(cell) for cell in row] for row in _filled(one)]


def _filled(sheet: Sheet) -> list[list[Cell]]:
    """Return the cells with the value of those merged over several rows in each of them."""
    _fill_down(sheet.cells, sheet.merged)
    return sheet.cells


def _fill_down(cells: list[list[Cell]], merged: Merged) -> None:
    """Write the value of a cell that is merged over several rows into each of them."""
    for (top, left), (bottom, _) in merged:
        if top >= len(cells) or left >= len(cells[top]):
            continue
        for number in range(top + 1, min(bottom, len(cells) - 1) + 1):
            if left < len(cells[number]) and cells[number][left] == "":
                cells[number][left] = cells[top][left]


def _fill_right(cells: list[list[Cell]], merged: Merged) -> None:
    """Write the value of a cell that is merged over several columns into each of them, as leaves are drawn."""
    for (top, left), (bottom, right) in merged:
        for row in cells[top : bottom + 1]:
            for at in range(left + 1, min(right, len(row) - 1) + 1):
                if row[at] == "":
                    row[at] = row[left]


def _headings(cells: Sequence[Sequence[Cell]], merged: Merged, *, after: int) -> frozenset[int]:
    """Return the rows that hold nothing but one cell merged over several columns: headings such as a day's name."""
    return frozenset(
        top
        for (top, left), (_, right) in merged
        if right > left
        and after < top < len(cells)
        and all(cell == "" or left <= at <= right for at, cell in enumerate(cells[top]))
    )


def _header_row(cells: Sequence[Sequence[Cell]], options: XlsxOptions) -> int | None:
    """Return the 0-based row of the titles: the one that the config names, else the first with most mapped ones."""
    if options.header:
        return options.header - 1 if options.header <= len(cells) else None
    filled = [at for at, row in enumerate(cells[:HEADER_WITHIN]) if any(cell != "" for cell in row)]
    if not filled:
        return None
    return filled[find_header([[_text(cell) for cell in cells[at]] for at in filled], options.columns)]


def _trimmed(row: Sequence[Cell]) -> Sequence[Cell]:
    """Return the row without the empty cells at its end, which formatted but unused cells leave."""
    width = len(row)
    while width and row[width - 1] == "":
        width -= 1
    return row[:width]


class _Clocks:
    """Finds which cells without a time of day mean midnight.

    Excel stores a day and its midnight alike, so that calamine gives a date for both. Only the format of the cell tells
    them apart, which takes a second look at the file: it is taken if days stand beside times (`doubtful`).
    """

    def __init__(self, positions: Mapping[str, int], rows: Sequence[Sequence[Cell]]) -> None:
        self._positions = positions
        self._start, self._end = positions.get("start", -1), positions.get("end", -1)
        self._times = tuple(positions[field] for field in ("start_time", "end_time", "duration") if field in positions)
        self._shown: frozenset[tuple[int, int]] | None = None
        spans = (self._start, self._end) if self._start >= 0 else ()
        self.doubtful = any(_is_day(row, at) for row in rows for at in spans) and any(
            _has_time(row, at) for row in rows for at in spans
        )

    def look(self, shown: frozenset[tuple[int, int]] | None) -> None:
        """Take the cells that show a time of day; None says nothing, as for a file of another format."""
        self._shown = shown

    def clear_up(self, number: int, cells: Sequence[Cell], texts: list[str]) -> None:
        """Write out the midnights of a row, and times of day as times."""
        base = self._day_of_times(cells)
        for at in self._times:
            if at < len(texts):
                texts[at] = str(cells[at]) if self._is_doubtful_hour(cells, at) else _clock(cells[at], texts[at], base)
        for at in (self._start, self._end) if self._start >= 0 else ():
            if _is_day(cells, at) and self._is_midnight(number, cells, at):
                texts[at] += " 00:00"

    def _is_doubtful_hour(self, cells: Sequence[Cell], at: int) -> bool:
        """Return True for the number 1 among real times: as Excel counts it is 24:00, as a person does 1:00."""
        return cells[at] == 1.0 and isinstance(cells[at], float) and any(_has_time(cells, one) for one in self._times)

    def _day_of_times(self, cells: Sequence[Cell]) -> int:
        """Return the day of 1900 that a row's times stand on, 0 if they are times alone.

        Python and SQL Server put 1900-01-01 beside a time that has no date. A start is never 33 hours after its date.
        """
        start = self._positions.get("start_time", -1)
        if not 0 <= start < len(cells) or _days(cells[start]) != 1:
            return 0
        others = [_days(cells[at]) for at in self._times if at != start and at < len(cells)]
        # 1.0 alone is 24:00; where an end stands on that day too, it is the midnight at which the day begins.
        return int(isinstance(cells[start], datetime) or max(others, default=0) >= 1)

    def _is_midnight(self, number: int, cells: Sequence[Cell], at: int) -> bool:
        other = self._end if at == self._start else self._start
        if _has_time(cells, other) or (at == self._start and _has_time(cells, self._positions.get("duration", -1))):
            return True
        if not self.doubtful or self._says_all_day(cells):
            return False
        if self._shown is not None:
            return (number, at) in self._shown
        # Without formats: from one midnight to another beside timed rows is a span; a single date is a day.
        start, end = (cells[one] if 0 <= one < len(cells) else "" for one in (self._start, self._end))
        return _is_day(cells, other) and start != end

    def _says_all_day(self, cells: Sequence[Cell]) -> bool:
        at = self._positions.get("all_day", -1)
        text = _text(cells[at]).strip() if 0 <= at < len(cells) else ""
        try:
            return bool(text) and truth(text)
        except ValueError:
            return False


def _row(number: int, cells: Sequence[Cell], clocks: _Clocks, width: int) -> list[str]:
    """Return a row as texts, without what stands beside the table: no delimiter has split a cell of a workbook."""
    texts = [_text(cell) for cell in cells[:width]]
    clocks.clear_up(number, cells, texts)
    return texts


def _early(cell: Cell) -> str:
    """Return the text of a cell of which it is not known whether it is a time: days of January 1900 are hours."""
    return _clock(cell, _text(cell)) if isinstance(cell, date) and cell.year == _DAY_ZERO.year + 1 else _text(cell)


def _days(cell: Cell) -> int:
    """Return how many days a cell counts as a length: calamine gives times from 24 hours on as days of 1900."""
    return (date(cell.year, cell.month, cell.day) - _DAY_ZERO).days if isinstance(cell, date) else 0


def _clock(cell: Cell, text: str, base: int = 0) -> str:
    """Return the text of a cell in a column of times or lengths: 1.0 is 24:00, and a day there is its midnight.

    `base` is the day of 1900 on which times without a date stand.
    """
    if not isinstance(cell, date):
        return text
    days = _days(cell)
    days -= base if days >= base else 0
    if not 0 <= days <= _MOST_DAYS:
        return text if isinstance(cell, datetime) else f"{text} 00:00"
    minutes = days * 1440 + (cell.hour * 60 + cell.minute if isinstance(cell, datetime) else 0)
    return f"{minutes // 60}:{minutes % 60:02}"


def _is_day(cells: Sequence[Cell], at: int) -> bool:
    return 0 <= at < len(cells) and isinstance(cells[at], date) and not isinstance(cells[at], datetime)


def _has_time(cells: Sequence[Cell], at: int) -> bool:
    if not 0 <= at < len(cells):
        return False
    cell = cells[at]
    return isinstance(cell, datetime | time) or (isinstance(cell, timedelta) and cell.total_seconds() % _DAY_S > 0)


def _text(cell: Cell) -> str:  # noqa: PLR0911 - one line per kind of cell
    """Return what a person would type for the cell: dates in ISO, lengths as hours and minutes, whole numbers bare."""
    match cell:
        case str():
            return cell
        case bool():
            return "true" if cell else "false"
        case datetime():
            # Times are fractions of a day, so 9:00 may be stored as 8:59:59.9999.
            return (cell + _HALF_SECOND).isoformat(" ", "seconds")
        case date():
            return cell.isoformat()
        case time():
            return cell.isoformat("seconds")
        case timedelta():
            minutes, seconds = divmod(round(cell.total_seconds()), 60)
            return f"{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
        case float() if cell.is_integer() and abs(cell) < _EXACT_FLOAT:
            # Excel stores every number as a float; an id of 17 must not become "17.0".
            return str(int(cell))
        case _:
            return str(cell)
