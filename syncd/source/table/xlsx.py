"""Excel workbooks to entries, through python-calamine: which sheet, which row is the header, what a cell is as text.

The rest is as for any table. Nothing in a workbook is computed: a formula has the value that was saved with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from threading import Lock
from typing import Literal

import msgspec

from syncd.clock import Clock
from syncd.errors import ConfigError, SourceError
from syncd.lang.saying import joined, say, say_count
from syncd.model.entry import Entry
from syncd.source.base import ReadContext, Source
from syncd.source.field_values import clean, sync_zone
from syncd.source.files import Part
from syncd.source.opening import FileOptions, open_files
from syncd.source.options import default_length, read_options, unit_length
from syncd.source.table.columns import TableOptions, check_header
from syncd.source.table.grid import GridOptions, PlanSheet, check_columns, read_grid
from syncd.source.table.grid_days import row_of_days
from syncd.source.table.no_entries import above_titles
from syncd.source.table.row_reader import HEADER_WITHIN, count_found, find_columns, find_header, has_titles, read_table
from syncd.source.table.sheet_cells import Clocks, early_text_of, row_of, text_of
from syncd.source.table.sheet_reader import Cell, Merged, Sheet, SheetLimits, SheetReader
from syncd.source.table.when import DateOrder
from syncd.source.twice import once_in_cells
from syncd.source.versions import repeated

SheetChoice = str | int | list[str | int] | None
"""The key `sheet`: a name, a number from 1, a pattern such as "*" or "* 2026", a list; or None, the first visible."""


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
    _check_choice(chosen.sheet, where=where)
    if chosen.grid is not None and chosen.grid.month is not None and _is_several(chosen.sheet):
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
        if _is_several(choice):
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
            wanted = _matching(visible, choice)
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
        return _merged(parts)

    def _alike(self, name: str, content: bytes, sheet: Sheet, reader: SheetReader) -> tuple[str, ...]:
        """Return the other visible sheets that hold the same kind of table."""
        others = (reader.read(name, content, one) for one in sheet.visible if one != sheet.name)
        return tuple(other.name for other in others if self._has_table(other))

    def _has_table(self, sheet: Sheet) -> bool:
        """Return True if a sheet has any of the mapped titles, or the days of a plan."""
        texts = [[text_of(cell) for cell in row] for row in sheet.cells[:HEADER_WITHIN]]
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
            texts = [(at + 1, [text_of(cell) for cell in row]) for at, row in enumerate(cells)]
            called = (sheet.name, PurePath(name).stem)
            part = read_grid(PlanSheet(name=name, rows=texts, called=called), options.grid, table)
            if twice:
                part.warn(name, twice)
            return part
        at = _header_row(cells, options)
        if at is None:
            return Part(incomplete=say("{name} has no header", name=name))
        header = [clean(text_of(cell)) for cell in _trimmed(cells[at])]
        if not has_titles([text_of(cell) for cell in cells[at]], options.columns, options.header):
            header = [""] * max(len(_trimmed(row)) for row in cells)
            at -= 1
        positions = find_columns(options.columns, header, where=f"{name}:{at + 1}")
        headings = _headings(cells, spread, after=at)
        clocks = Clocks(positions, cells[at + 1 :])
        if clocks.doubtful:
            clocks.look(sheet.timed)
        numbered = (
            (number + 1, row_of(number, cells[number], clocks, len(header)))
            for number in range(at + 1, len(cells))
            if number not in headings
        )
        rows = [(line, row) for line, row in numbered if any(row)]
        beside = [line for line, _ in rows if len(_trimmed(cells[line - 1])) > len(header)]
        above = [(number, [text_of(cell) for cell in row]) for number, row in enumerate(cells[: max(at, 0)], 1)]
        part = read_table(name, (at + 1, header), rows, table)
        if (other := above_titles(above)) is not None:
            part.warn(f"{name}:{other[0]}", other[1])
        _tell_of_layout(part, name, beside, headings)
        if twice:
            part.warn(name, twice)
        return part


def _check_choice(sheet: SheetChoice, *, where: str) -> None:
    """Raise ConfigError, beginning with `where`, for a choice that means no sheet."""
    if sheet == []:
        raise ConfigError(
            say("{where}: sheet = [] names no sheet", where=where), say('a name, a number from 1, or "*" for all')
        )
    for one in sheet if isinstance(sheet, list) else [sheet]:
        if isinstance(one, int) and one < 1:
            raise ConfigError(
                say("{where}: sheet = {one} is no sheet", where=where, one=one), say("a name, or a number from 1")
            )


def _is_several(sheet: SheetChoice) -> bool:
    """Return True if the choice may mean more than one sheet; no sheet has a "*" in its name."""
    return isinstance(sheet, list) or (isinstance(sheet, str) and "*" in sheet)


def _matching(names: Sequence[str], pattern: str) -> tuple[str, ...]:
    """Return the names that a pattern with "*" means, in any case."""
    return tuple(name for name in names if fnmatchcase(name.strip().casefold(), pattern.strip().casefold()))


def _merged(parts: Sequence[Part]) -> Part:
    """Return what several sheets hold as one part; of two rows with one uid the first counts, as in several files."""
    whole = Part()
    first: dict[str, Entry] = {}
    for part in parts:
        for entry in part.entries:
            seen = first.setdefault(entry.uid, entry)
            if seen is not entry:
                whole.problems.append(repeated(entry, seen))
        whole.problems.extend(part.problems)
        whole.rejected |= part.rejected
        whole.unnamed.extend(part.unnamed)
        whole.without_row = whole.without_row or part.without_row
    whole.entries = list(first.values())
    # A reason that is not a row without a uid says that more may be missing, and goes before those that are.
    reasons = [part.incomplete for part in parts if part.incomplete]
    graver = [part.incomplete for part in parts if part.incomplete != part.without_row]
    whole.incomplete = joined(graver) or next(iter(reasons), "")
    return whole


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
            yield one.name, [[early_text_of(cell) for cell in row] for row in _filled(one)]


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
    return filled[find_header([[text_of(cell) for cell in cells[at]] for at in filled], options.columns)]


def _trimmed(row: Sequence[Cell]) -> Sequence[Cell]:
    """Return the row without the empty cells at its end, which formatted but unused cells leave."""
    width = len(row)
    while width and row[width - 1] == "":
        width -= 1
    return row[:width]
