"""Delimited text to entries: which delimiter, which header, where each record starts.

Nothing is repaired: a quote left open makes the file incomplete, a quote out of place rejects its row.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path, PurePath
from typing import Literal

import msgspec

from syncd.clock import Clock
from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.model.entry import Entry
from syncd.source.base import ReadContext, Source
from syncd.source.encodings import decode
from syncd.source.field_values import clean, sync_zone
from syncd.source.files import Part, collected
from syncd.source.opening import TextOptions, open_files
from syncd.source.options import default_length, read_options, unit_length
from syncd.source.table.columns import ColumnMap, TableOptions, check_header
from syncd.source.table.grid import GridOptions, PlanSheet, check_columns, read_grid
from syncd.source.table.no_entries import above_titles, is_note
from syncd.source.table.row_reader import HEADER_WITHIN, count_found, find_header, has_titles, stream_table
from syncd.source.table.when import DateOrder
from syncd.source.twice import once

_SAID = {
    str(one): one
    for one in (
        say("',' expected after '\"'"),
        say("';' expected after '\"'"),
        say("'\t' expected after '\"'"),
        say("'|' expected after '\"'"),
        say("field larger than field limit (131072)"),
        say("line contains NUL"),
    )
}
"""What Python's module `csv` says of rows."""
DELIMITERS = ",;\t|"
Numbered = tuple[int, list[str]]
"""A record, with the line on which it starts."""
_BLOCK_CHARS = 1 << 16
_SAMPLE_CHARS = 100_000
_SAMPLE_ROWS = 50


class CsvOptions(TextOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `[sync.source]` with type = "csv".

    `delimiter` is "auto" or one character; `dates` as in table/when.py; `columns` maps fields to titles or numbers, or
    `grid` describes a plan of people by days. `header` is the line of the titles, by default the first that has the
    mapped ones, 0 if there are none. `default_duration` is how long an entry lasts that has a start time and no end,
    `duration_unit` what a bare number counts in a column of durations, by default what its title says.
    """

    type: Literal["csv"]
    columns: dict[str, str | int] = msgspec.field(default_factory=dict)
    grid: GridOptions | None = None
    delimiter: str = "auto"
    header: int | None = None
    dates: DateOrder = "auto"
    default_duration: str = "0m"
    duration_unit: str = "auto"


def open_csv(options: Mapping[str, object], base: Path, *, where: str, clock: Clock) -> Source:
    """Return a source of CSV files; raises ConfigError beginning with `where`."""
    chosen = read_options(CsvOptions, options, where=where)
    check_columns(chosen.columns, chosen.grid, chosen.header, where=where)
    if chosen.delimiter != "auto" and (len(chosen.delimiter) != 1 or chosen.delimiter in '"\r\n'):
        raise ConfigError(
            say("{where}: delimiter = {delimiter!r} is not one character", where=where, delimiter=chosen.delimiter),
            say('or leave it at "auto"'),
        )
    default_length(chosen.default_duration, where=where)
    unit_length(chosen.duration_unit, where=where)
    check_header(chosen.columns, chosen.header, where=where, unit="line")
    return open_files(chosen, base, where=where, file_format=CsvFormat(chosen), clock=clock)


class CsvFormat:
    """Parses CSV files. Nothing is remembered: the part of a file depends on its bytes and the context only."""

    suffix = ".csv"
    by_file = True

    def __init__(self, options: CsvOptions) -> None:
        self._options = options
        self.streams = options.grid is None
        """Whether the entries can be given one after the other: those of a plan of people by days cannot."""
        self._no_end = default_length(options.default_duration, where="default_duration")
        self._unit = unit_length(options.duration_unit, where="duration_unit")

    def begin(self) -> None:
        """Do nothing: nothing is remembered, and a reading needs nothing that must be given up."""

    end = begin

    def parse(self, name: str, content: bytes, context: ReadContext) -> Part:
        """Return what the file holds.

        Raises SourceError for a file that is not CSV or lacks a mapped column, ConfigError for an unknown zone.
        """
        return collected(self.stream(name, content, context))

    def stream(self, name: str, content: bytes, context: ReadContext) -> Generator[Entry, None, Part]:
        """Yield the entries of the file, and return its part without them; otherwise like `parse`."""
        options = self._options
        zone = sync_zone(context.zone)
        if not content.strip():
            return Part(incomplete=say("{name} is empty, without even a header", name=name))
        text, _, assumed = decode(content, options.encoding, name=name, kind="CSV")
        text, twice = (text, "") if text.isascii() else once(text)
        delimiter, names_it = find_delimiter(text, options.delimiter, options.columns)
        rows = Records(text, delimiter, skip_first=names_it)
        above: int | None = 0
        if options.grid is None and options.header:
            above = next((at for at, (line, _) in enumerate(rows) if line == options.header), None)
        elif options.grid is None and options.header is None:
            above = find_header([cells for _, cells in islice(rows, HEADER_WITHIN)], options.columns)
        if above is None or next(iter(rows), None) is None:
            return Part(incomplete=say("{name} has no header", name=name))
        other = above_titles(list(islice(rows, above))) if above else None
        rows.begins_at = above
        line, cells = next(iter(rows))
        titled = options.grid is not None or has_titles(cells, options.columns, options.header)
        # Behind a line end nothing is cut off.
        cut_at = rows.ends_before = 0 if text.endswith(("\n", "\r")) else _cut_off(rows)
        table = TableOptions(
            columns=options.columns,
            dates=options.dates,
            zone=zone,
            no_end=self._no_end,
            unit=self._unit,
            filter=context.filter,
        )
        if options.grid is not None:
            part = read_grid(PlanSheet(name=name, rows=list(rows), called=(PurePath(name).stem,)), options.grid, table)
            yield from part.entries
        else:
            titles = [clean(cell) for cell in cells] if titled else [""] * _usual_width(row for _, row in rows)
            rows.begins_at += titled
            part = yield from stream_table(name, (line, titles), rows, table)
        if other is not None:
            part.warn(f"{name}:{other[0]}", other[1])
        part.assumed = assumed
        if twice:
            part.warn(name, twice)
        if rows.broken or rows.open_at or cut_at:
            _tell_of_broken(part, name, rows, after=line if titled else 0, cut_at=cut_at)
        return part


def _tell_of_broken(part: Part, name: str, rows: Records, *, after: int, cut_at: int) -> None:
    """Reject the rows that cannot be cut into cells, and say if that of the line `cut_at` ends too early (0: none)."""
    # What cannot be cut into cells above the titles is no row of the table.
    broken = [one for one in rows.broken if one[0] > after]
    if cut_at:
        broken.append((cut_at, say("the file is cut off within this row")))
    for number, reason in broken:
        # A row that cannot be cut into cells has no uid, so nothing that is missing may be deleted.
        part.reject(f"{name}:{number}", "", reason)
    if rows.open_at:
        where = f"{name}:{rows.open_at}"
        part.incomplete = say("{where}: a quote is opened and never closed, so the rest is missing", where=where)
    if cut_at:
        where = f"{name}:{cut_at}"
        part.incomplete = say("{where}: the file ends within the row, so the rest is missing", where=where)


def find_delimiter(text: str, setting: str, columns: ColumnMap) -> tuple[str, bool]:
    """Return the delimiter, and whether the first line does nothing but name one (Excel's "sep=;").

    `setting` is the delimiter or "auto": the one that is named, else the one that makes the best table. Of equals the
    first of `DELIMITERS` is taken, so that a table of one column is cut at commas.
    """
    first = text.partition("\n")[0].rstrip("\r").strip('"')
    named = first[4:] if first[:4].lower() == "sep=" and len(first) == 5 else ""
    if setting != "auto":
        return setting, bool(named)
    sample = text[:_SAMPLE_CHARS]
    return named or max(DELIMITERS, key=lambda one: _merit(sample, one, columns)), bool(named)


def _merit(sample: str, delimiter: str, columns: ColumnMap) -> tuple[int, float, float, int]:
    """Return how many mapped titles the header has, how even the rows are, how many are cut, and how long they are.

    Quotes are respected.
    """
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
            if any(row):
                rows.append(row)
            if len(rows) == _SAMPLE_ROWS:
                break
    except csv.Error:
        pass  # a broken quote, or one that the sample cuts off; the rows before it say enough
    if not rows:
        return (0, 0.0, 0.0, 0)
    # Above the titles may stand that of the table, which says nothing of the delimiter.
    at = find_header(rows, columns)
    found = count_found(columns, [clean(cell) for cell in rows[at]])
    width = len(rows[at]) if found else _usual_width(rows)
    even = sum(len(row) == width for row in rows[at:]) / len(rows[at:])
    cut = sum(len(row) > 1 for row in rows) / len(rows)
    return (found, even, cut, width) if width > 1 else (found, 0.0, 0.0, 0)


def _usual_width(rows: Iterable[Sequence[str]]) -> int:
    """Return the commonest number of cells, of equals the highest; rows of one cell are titles and notes."""
    widths = Counter(len(row) for row in rows if len(row) > 1)
    return max(widths, key=lambda width: (widths[width], width), default=1)


@dataclass(slots=True)
class Records:
    """The records of a text, each with the line it starts on, cut again whenever somebody goes through them.

    A list of them takes ten times the memory of the text. They begin with number `begins_at` and leave out the one on
    the line `ends_before`. Once they were gone through to the end, `broken` are the lines of those that cannot be cut
    with the reason, and `open_at` is the line of a quote left open (0: none).
    """

    text: str
    delimiter: str
    skip_first: bool = field(kw_only=True)
    begins_at: int = 0
    ends_before: int = 0
    broken: list[tuple[int, str]] = field(default_factory=list)
    open_at: int = 0

    def __iter__(self) -> Iterator[Numbered]:
        # A line break within quotes belongs to the cell and stays as it is.
        lines = chain.from_iterable(self._blocks())
        skipped = 1 if self.skip_first and next(lines, "") else 0
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        broken: list[tuple[int, str]] = []
        number = open_at = 0
        begins = skipped + 1
        while begins:
            line, begins = begins, 0
            try:
                for cells in reader:
                    if any(cells) and line != self.ends_before:
                        if number >= self.begins_at:
                            yield line, cells
                        number += 1
                    line = reader.line_num + skipped + 1
            except csv.Error as error:
                if "unexpected end of data" in str(error):
                    open_at = line
                    break
                # What Python's own module says, as a message where it is known.
                why = _SAID.get(str(error), str(error))
                broken.append(
                    (line, say("the row cannot be cut into cells: {why} (double a quote inside quotes)", why=why))
                )
                begins = reader.line_num + skipped + 1
        self.broken, self.open_at = broken, open_at

    def _blocks(self) -> Iterator[Iterable[str]]:
        """Yield the lines with their ends, many at a time: StringIO cuts quickly, and takes four bytes a character."""
        at = 0
        while at < len(self.text):
            end = self.text.find("\n", at + _BLOCK_CHARS) + 1 or len(self.text)
            yield io.StringIO(self.text[at:end], newline="")
            at = end


def _cut_off(rows: Iterable[Numbered]) -> int:
    """Return the line of a last row without a line end that ends too early, or 0.

    Only one that is shorter than all others is certainly cut off: many programs leave out the last line end, and some
    the empty cells at the end of a row.
    """
    least, last = 0, None
    for row in rows:
        if last is not None:
            least = min(least or len(last[1]), len(last[1]))
        last = row
    if last is None or not least or is_note(last[1][0]):
        return 0
    return last[0] if len(last[1]) < least else 0
