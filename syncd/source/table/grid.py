"""A plan of people by days, as most shift plans are drawn, to rows of an ordinary table: one for each shift.

    Декабрь 2026     1   2   3  ...      codes: Д = 08:00-20:00, Н = 20:00-08:00
    Петрова А. И.    Д   Д   Н           -> Петрова А. И., 2026-12-01, 08:00-20:00
    Иванов П. С.     Н       Д

What a code means stands in the config only. A cell that is neither a code nor hours is told, never left out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec

from syncd.errors import ConfigError, SourceError
from syncd.lang.saying import say, say_count
from syncd.source.field_values import clean, damaged, fold
from syncd.source.files import Part
from syncd.source.reasons import some_of
from syncd.source.table.cell_values import is_error
from syncd.source.table.columns import FIELDS, ColumnMap, TableOptions, check_mapping
from syncd.source.table.grid_days import FEWEST, Days, find_days, month_named, read_month, row_of_days, year_named
from syncd.source.table.heading_words import field_of
from syncd.source.table.no_entries import counts_columns, is_note
from syncd.source.table.row_reader import find_columns, read_table
from syncd.source.table.spans import is_nothing
from syncd.source.table.spoken import WHOLE_DAY, spoken_range
from syncd.source.table.when import DateOrders, read_cell

ALL_DAY = WHOLE_DAY | {"day"}
_NO_ENTRY = frozenset({"", "off", "none", "выходной", "нет", "-"})
_IN_A_GRID = FIELDS - {"title", "start", "date", "start_time", "end", "end_time", "duration", "all_day", "rrule"}
"""The fields that a column beside the days can give; the grid itself gives the others."""
_BARE = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?\s*[-\N{EN DASH}\N{EM DASH}]\s*(\d{1,2})(?:[:.](\d{2}))?")
_LOOKALIKES = str.maketrans("abcehkmoptxy", "авсенкмортху")
"""Latin letters that look like Cyrillic ones: who types a code does not see the keyboard's language."""
_ISO = DateOrders(setting="iso")
_MADE = ("uid", "title", "owner", "date", "start_time")
_PLACES_SHOWN = 3
_WEEK = 7
_ALIKE = 0.8
"""A row of days further down has nearly as many as the first; shifts may have numbers that go up as well."""


class GridOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[sync.source.grid]`.

    `codes` gives the hours of what stands in the cells: "08:00-20:00", a list of such, "all day", or "" for no entry;
    `titles` what entries are called, by default their code. `names` is the title or number of the column of people,
    `dates` the line of the row of days, `month` ("2026-12") that of days without one; all three are found by default.
    """

    codes: dict[str, str | list[str]] = {}
    titles: dict[str, str] = {}
    names: str | int | None = None
    dates: int | None = None
    month: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSheet:
    """One table as texts: rows with their lines, and the names that may say its month (of the sheet, of the file)."""

    name: str
    rows: Sequence[tuple[int, Sequence[str]]]
    called: tuple[str, ...] = ()


def check_columns(columns: ColumnMap, grid: GridOptions | None, header: int | None, *, where: str) -> None:
    """Raise ConfigError, beginning with `where`, if columns or a grid do not make entries."""
    if grid is None:
        if not columns:
            raise ConfigError(
                say("{where}: missing key 'columns'", where=where), say("or grid, for a plan of people by days")
            )
        check_mapping(columns, where=where)
        return
    if header is not None:
        raise ConfigError(
            say("{where}: header goes with columns, not with a grid", where=where),
            say("dates in grid is the line of its days"),
        )
    _check_grid(grid, columns, where=where)


def _check_grid(grid: GridOptions, columns: ColumnMap, *, where: str) -> None:
    for name in columns:
        if name not in _IN_A_GRID:
            raise ConfigError(
                say("{where}: columns: a grid has no column for {name}", where=where, name=name),
                say("the days and codes give it"),
            )
    for code, hours in grid.codes.items():
        for one in [hours] if isinstance(hours, str) else hours:
            if one.casefold() not in ALL_DAY | _NO_ENTRY and hours_of(one) is None:
                raise ConfigError(
                    say("{where}: grid: codes: {code!r} = {one!r} is no hours", where=where, code=code, one=one),
                    say('e.g. "08:00-20:00", "all day", or ""'),
                )
    if grid.month is not None and read_month(grid.month) is None:
        raise ConfigError(
            say("{where}: grid: month = {month!r} is no month", where=where, month=grid.month), say('e.g. "2026-12"')
        )


def read_grid(sheet: PlanSheet, grid: GridOptions, options: TableOptions) -> Part:
    """Return what a grid holds.

    Raises SourceError for a table without a row of days, and where the column of names or the month cannot be told.
    """
    melted = _Melt(sheet, grid, options)
    melted.read()
    numbers = {one: at for at, one in enumerate(melted.header, 1)}
    mapping: dict[str, str | int] = {name: numbers[f"\x00{name}"] for name in _MADE}
    mapping |= {name: at + 1 for name, at in melted.positions.items() if name != "uid"}
    header = [title.lstrip("\x00") for title in melted.header]
    table = TableOptions(
        columns=mapping, dates="iso", zone=options.zone, no_end=options.no_end, filter=options.filter
    )  # fmt: skip
    part = read_table(sheet.name, (melted.line, header), melted.rows, table)
    melted.tell(part)
    return part


def hours_of(text: str) -> tuple[str, ...] | None:
    """Return the hours that a text says, each a time or two with a dash ("8-20" as "8:00-20:00"); None for others."""
    pieces = [piece.strip() for piece in re.split(r"[,;\n]", text) if piece.strip()]
    found = [_plain_hours(piece) for piece in pieces]
    if not found or any(one is None for one in found):
        return None
    hours = [one for one in found if one is not None]
    if len(hours) == 2 and not any(_is_range(one) for one in hours):
        return (f"{hours[0]}-{hours[1]}",)  # two lines of a cell: from, to
    return tuple(hours)


def _plain_hours(text: str) -> str | None:
    if bare := _BARE.fullmatch(text):
        first, last = (f"{bare[at]}:{bare[at + 1] or '00'}" for at in (1, 3))
        text = f"{first}-{last}"
    text = spoken_range(text) or text
    try:
        found = read_cell(text, _ISO)
    except ValueError:
        return None
    return text if found.day is None and found.time is not None else None


def _is_range(text: str) -> bool:
    return read_cell(text, _ISO).until is not None


def folded_code(text: str) -> str:
    """Return a code without case and blanks, with a point in numbers (11,5) and Cyrillic letters for alike ones."""
    return "".join(text.split()).casefold().replace(",", ".").translate(_LOOKALIKES)


@dataclass(slots=True)
class _Unknown:
    """Cells that are no code: their places and uids."""

    places: list[str] = field(default_factory=list)
    uids: list[str] = field(default_factory=list)


class _Melt:
    """Makes one row of each shift, while it goes down the table."""

    def __init__(self, sheet: PlanSheet, grid: GridOptions, options: TableOptions) -> None:
        self._sheet = sheet
        self._grid = grid
        self._options = options
        self._codes = {code: [hours] if isinstance(hours, str) else hours for code, hours in grid.codes.items()}
        self._folded = {folded_code(code): code for code in self._codes}
        self._unknown: dict[str, _Unknown] = {}
        self._warnings: list[tuple[str, str]] = []
        self._times: dict[tuple[str, date], int] = {}
        self._notes: list[str] = []
        self._nameless: list[str] = []
        self._odd: list[tuple[str, str]] = []
        self.rows: list[tuple[int | str, Sequence[str]]] = []
        self.header: list[str] = []
        self.positions: dict[str, int] = {}
        self.line = 1

    def read(self) -> None:
        """Go down the rows; a row of days begins a new part of the table."""
        days: Days | None = None
        above: list[Sequence[str]] = []
        first = self._first()
        for line, cells in self._sheet.rows:
            found = self._days(cells, days) if days is not None or line == first else None
            if self._grid.dates == line and found is None:
                where = f"{self._sheet.name}:{line}"
                raise SourceError(
                    say("{where} is no row of days", where=where), say("correct dates in [sync.source.grid]")
                )
            if found is not None:
                days = self._begin(found, line, cells, above, days)
                above = []
            elif days is None or not self._take(days, line, cells):
                above.append(cells)
        if days is None:
            raise SourceError(
                say("{name} has no row of days (1, 2, 3 or dates)", name=self._sheet.name),
                say("name its line with dates"),
            )

    def _first(self) -> int | None:
        """Return the line of the first row of days: the one that the config names, or that looks most like it."""
        if self._grid.dates is not None:
            return self._grid.dates
        at = row_of_days([cells for _, cells in self._sheet.rows])
        return self._sheet.rows[at][0] if at is not None else None

    def _days(self, cells: Sequence[str], before: Days | None) -> Days | None:
        """Return the days of a row if it is one that begins a part of the table."""
        if before is None:
            return find_days(cells, 1)
        found = find_days(cells, min(FEWEST, len(before.days)))
        # Numbers of the columns are no days, nor is what somebody does: a person's name stands beside it.
        if found is None or len(found.days) < _ALIKE * len(before.days) or self._names in found.days:
            return None
        named = clean(cells[self._names]) if self._names < len(cells) else ""
        is_person = named and fold(named) != fold(self.header[self._names])
        return None if is_person and len(before.days) < _WEEK else found

    def tell(self, part: Part) -> None:
        """Add what could not be read, one line for each code."""
        for code, unknown in self._unknown.items():
            places = some_of(
                [place.rpartition(":")[2] for place in unknown.places[:_PLACES_SHOWN]],
                len(unknown.places) - _PLACES_SHOWN,
            )
            reason: str = say(
                "{code!r} at {places} is neither hours nor one of codes in [sync.source.grid]", code=code, places=places
            )
            if is_error(code):
                reason = say(
                    "the cells at {places} hold the error {code} (correct the formula)", places=places, code=code
                )
            # A name that cannot be read may be anybody's, whichever of the cells it stands beside.
            uid = next(filter(damaged, unknown.uids), unknown.uids[0])
            part.reject(unknown.places[0], uid, reason, code)
            part.rejected.update(one for one in unknown.uids if not damaged(one))
        for where, reason in self._odd:
            part.reject(where, "", reason)
        for where in self._nameless:
            part.reject(where, "", say("the row has shifts and no name (write the name into each row)"))
        for where, reason in self._warnings:
            part.warn(where, reason)
        if self._notes:
            part.warn(
                self._notes[0],
                say_count(
                    "{count:,} row of totals or notes left out: they are no people's",
                    "{count:,} rows of totals or notes left out: they are no people's",
                    len(self._notes),
                ),
            )

    def _begin(
        self, days: Days, line: int, cells: Sequence[str], above: Sequence[Sequence[str]], before: Days | None
    ) -> Days:
        """Return the days of a row with their months; the first such row also gives the titles."""
        texts = [cell for row in above for cell in row] + [cell for at, cell in enumerate(cells) if at not in days.days]
        if not days.dated:
            days = days.within(self._month(days, texts, before, line), where=f"{self._sheet.name}:{line}")
        if days.odd:
            odd = days.odd[:_PLACES_SHOWN]
            reason = say("among the days stands {odd!r}, which is none or out of order (correct it)", odd=odd)
            self._odd.append((f"{self._sheet.name}:{line}", reason))
        if before is None:
            self.line = line
            self._name_columns(days, line, cells, above)
        return days

    def _month(self, days: Days, texts: Sequence[str], before: Days | None, line: int) -> tuple[int, int]:
        if self._grid.month is not None and before is None:
            said = read_month(self._grid.month)
            assert said is not None
            return said
        year = year_named(texts) or year_named(self._sheet.called) if days.has_months else None
        if year is not None:
            return year, 1
        found = month_named(texts) or (before.month if before is not None else None) or month_named(self._sheet.called)
        # A month in the table and a year in the name of its sheet belong together.
        found = found or month_named([*texts, *self._sheet.called])
        if found is None:
            where = f"{self._sheet.name}:{line}"
            raise SourceError(
                say(
                    "{where}: the days have no month, and neither the rows above nor the names of sheet "
                    "and file say one month with its year",
                    where=where,
                ),
                say('set month = "2026-12" in [sync.source.grid], or write it above the table'),
            )
        return found

    def _name_columns(self, days: Days, line: int, cells: Sequence[str], above: Sequence[Sequence[str]]) -> None:
        width = max(len(cells), max(days.days) + 1)
        titles = [title_of(at, cells, above) if at not in days.days else "" for at in range(width)]
        where = f"{self._sheet.name}:{line}"
        columns = dict(self._options.columns)
        names = self._grid.names
        if names is None:
            owners = [at for at, title in enumerate(titles) if field_of(title) == "owner"]
            if len(owners) != 1:
                raise SourceError(
                    say("{where}: no column says that it holds the names", where=where),
                    say("set names in [sync.source.grid]"),
                )
            names = owners[0] + 1
        self._names = find_columns({"names": names}, titles, where=where)["names"]
        self.positions = find_columns(columns, titles, where=where)
        if "owner" not in self.positions:
            self.positions["owner"] = self._names
        # Titles that no column has, so that none of the table's own is taken for what the grid gives.
        self.header = [*titles, *(f"\x00{name}" for name in _MADE)]

    def _take(self, days: Days, line: int, cells: Sequence[str]) -> bool:
        """Take the shifts of a row; returns False for a row that is none of a person."""
        # A later row of days may reach further than the first, and its rows end before it.
        width = max(len(self.header), max(days.days) + 1)
        values = [clean(cell) for cell in cells] + [""] * (width - len(cells))
        person = values[self._names]
        filled = {at: values[at] for at in days.days if values[at]}
        # A legend below the table has a code where people have their names.
        if not filled or folded_code(person) in self._folded or days.are_weekdays(filled.values()):
            days.check_weekdays(filled, lambda reason: self._warnings.append((f"{self._sheet.name}:{line}", reason)))
            return False
        if not person and not is_note(next(filter(None, values), "")) and any(map(self._means_hours, filled.values())):
            self._nameless.append(f"{self._sheet.name}:{line}")
            return True
        if not person or is_note(person) or counts_columns(values):
            self._notes.append(f"{self._sheet.name}:{line}")
            return True
        own = values[self.positions.get("uid", self._names)] or person
        first = min(days.days.values())  # each month counts for itself
        self._times[own, first] = time = self._times.get((own, first), 0) + 1
        for at, text in filled.items():
            self._shift(f"{own} #{time}" if time > 1 else own, days.days[at], line, values, text)
        return True

    def _shift(self, own: str, day: date, line: int, values: list[str], text: str) -> None:
        uid, place = f"{own} {day}", f"{line} ({day:%d.%m})"
        code = self._code(text)
        hours = self._codes[code] if code is not None else None if is_error(text) else hours_of(text)
        if hours is None:
            if not is_nothing(text) and not self._options.filter.leaves_out(
                {"owner": values[self.positions["owner"]], "title": text, "uid": uid}.get
            ):
                unknown = self._unknown.setdefault(text, _Unknown())
                unknown.places.append(f"{self._sheet.name}:{place}")
                unknown.uids.append(uid)
            return
        title = self._grid.titles.get(code or text, code or text)
        for number, one in enumerate(_each(hours)):
            own_hours = "" if one.casefold() in ALL_DAY else one
            made = (
                f"{uid} /{number + 1}" if number else uid,
                title,
                values[self.positions["owner"]],
                str(day),
                own_hours,
            )
            self.rows.append((place, [*values[: len(self.header) - len(_MADE)], *made]))

    def _means_hours(self, text: str) -> bool:
        return self._code(text) is not None or hours_of(text) is not None

    def _code(self, text: str) -> str | None:
        return text if text in self._codes else self._folded.get(folded_code(text))


def _each(hours: Sequence[str]) -> Iterator[str]:
    """Yield the hours of a code as read_cell takes them, without those that say that there is no entry."""
    for one in hours:
        if one.casefold() in ALL_DAY:
            yield one
        elif one.casefold() not in _NO_ENTRY:
            yield from hours_of(one) or ()


def title_of(at: int, cells: Sequence[str], above: Sequence[Sequence[str]]) -> str:
    """Return the title of a column beside the days: in their row, or in one of the two above it."""
    rows = (cells, *reversed(above[-2:]))
    return next((clean(row[at]) for row in rows if at < len(row) and clean(row[at])), "")
