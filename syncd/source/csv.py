"""Delimited text to entries: which delimiter, which header, where each record starts.

Nothing is repaired: a quote left open makes the file incomplete, a quote out of place rejects its row.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from syncd.errors import ConfigError, SourceError
from syncd.model import zones
from syncd.source.base import ReadContext, Source
from syncd.source.opening import open_files
from syncd.source.options import TextOptions, read_options
from syncd.source.reading import Part
from syncd.source.table.columns import check_mapping, count_found, find_columns
from syncd.source.table.rows import RowReader
from syncd.source.table.when import DateOrder, find_order
from syncd.source.text import clean, decode, known_encoding

DELIMITERS = ",;\t|"
_SAMPLE_CHARS = 100_000
_SAMPLE_ROWS = 50
_DATE_FIELDS = ("start", "date", "end")
Rows = list[tuple[int, list[str]]]


class CsvOptions(TextOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `[sync.source]` with type = "csv".

    `delimiter` is "auto" or one character; `dates` as in table/when.py; `columns` maps fields to titles or numbers.
    """

    type: Literal["csv"]
    columns: dict[str, str | int]
    delimiter: str = "auto"
    dates: DateOrder = "auto"


def open_csv(options: Mapping[str, object], base: Path, *, where: str) -> Source:
    """Make a source of CSV files; raises ConfigError beginning with `where`."""
    chosen = read_options(CsvOptions, options, where=where)
    check_mapping(chosen.columns, where=where)
    if not known_encoding(chosen.encoding):
        raise ConfigError(f"{where}: unknown encoding {chosen.encoding!r}", 'e.g. "auto", "utf-8" or "cp1251"')
    if chosen.delimiter != "auto" and (len(chosen.delimiter) != 1 or chosen.delimiter in '"\r\n'):
        raise ConfigError(f"{where}: delimiter = {chosen.delimiter!r} is not one character", 'or leave it at "auto"')

    def parse(name: str, content: bytes, context: ReadContext) -> Part:
        return parse_csv(name, content, chosen, context.zone, moments=context.moments)

    auto = chosen.encoding == "auto"
    return open_files(chosen, base, where=where, suffix=".csv", begin=lambda: parse, charset_counts=auto, by_file=True)


def parse_csv(name: str, content: bytes, options: CsvOptions, zone: str | None, *, moments: bool = False) -> Part:
    """Return what the file holds; `zone` is the sync's `timezone`, `moments` the context's.

    Raises SourceError for a file that is no CSV or lacks a mapped column, ConfigError for an unknown `zone`.
    """
    iana = zones.resolve(zone) if zone else None
    if zone and iana is None:
        raise ConfigError(f"timezone = {zone!r} is not a time zone", "write a name like Europe/Moscow")
    if not content.strip():
        return Part(incomplete=f"{name} is empty, without even a header")
    text = decode(content, options.encoding, name=name, kind="CSV")
    delimiter, skip = delimiter_of(text, options)
    rows, broken, open_at = records(text, delimiter, skip)
    if not rows:
        return Part(incomplete=f"{name} has no header")
    cut_at = _cut_off(rows, text)
    if cut_at:
        broken.append((cut_at, "the file is cut off within this row"))
        rows.pop()
    header_line, cells = rows.pop(0)
    header = [clean(cell) for cell in cells]
    positions = find_columns(options.columns, header, where=f"{name}:{header_line}")
    order = find_order(_dates(rows, positions), options.dates)
    reader = RowReader(name=name, header=header, positions=positions, order=order, zone=iana, moments=moments)
    part = reader.part(rows)
    for line, reason in broken:
        part.reject(f"{name}:{line}", "", reason)
    if open_at:
        part.incomplete = f"{name}:{open_at}: a quote is opened and never closed, so the rest is missing"
    if cut_at:
        part.incomplete = f"{name}:{cut_at}: the file ends within the row, so the rest is missing"
    return part


def _cut_off(rows: Rows, text: str) -> int:
    """Return the line of a last row that ends too early, 0 for none: shorter than all others, and without a line end.

    Only then it is certain; many programs leave out the last line end, and some the empty cells at a row's end.
    """
    if len(rows) < 2 or text.endswith(("\n", "\r")):
        return 0
    line, cells = rows[-1]
    return line if len(cells) < min(len(other) for _, other in rows[:-1]) else 0


def find_delimiter(text: str, columns: Mapping[str, str | int]) -> str:
    """Return the delimiter under which the header has most mapped titles, then the most even rows, then most columns.

    Quotes are respected. Of equals the first of `DELIMITERS`, so a table of one column is cut at commas.
    """
    lines = text[:_SAMPLE_CHARS]

    def merit(delimiter: str) -> tuple[int, float, int]:
        reader = csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter)
        rows = list(_first_rows(reader))
        if not rows or len(rows[0]) < 2:
            return (count_found(columns, rows[0]) if rows else 0, 0.0, 0)
        width = len(rows[0])
        even = sum(len(row) == width for row in rows) / len(rows)
        return (count_found(columns, [clean(cell) for cell in rows[0]]), even, width)

    return max(DELIMITERS, key=merit)


def _first_rows(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the first rows that are not blank; a sample that ends within a quote or holds a broken one ends there."""
    found = 0
    try:
        for row in reader:
            if any(row):
                yield row
                found += 1
            if found == _SAMPLE_ROWS:
                return
    except csv.Error:
        return


def delimiter_of(text: str, options: CsvOptions) -> tuple[str, bool]:
    """Return the delimiter and whether the first line only names it (Excel's "sep=;")."""
    first = text.partition("\n")[0].rstrip("\r").strip('"')
    named = first[4:] if first[:4].lower() == "sep=" and len(first) == 5 else ""
    if options.delimiter != "auto":
        return options.delimiter, bool(named)
    return named or find_delimiter(text, options.columns), bool(named)


def records(text: str, delimiter: str, skip_first: bool) -> tuple[Rows, list[tuple[int, str]], int]:
    """Cut the text into records, each with the line it starts on.

    Returns the records, the lines of broken ones with the reason, and the line of a quote left open (0: none).
    """
    source = io.StringIO(text, newline="")
    skipped = 1 if skip_first and source.readline() else 0
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    rows: Rows = []
    broken: list[tuple[int, str]] = []
    while True:
        line = reader.line_num + skipped + 1
        try:
            cells = next(reader)
        except StopIteration:
            return rows, broken, 0
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                return rows, broken, line
            broken.append((line, f"the row cannot be cut into cells: {error} (double a quote inside quotes)"))
            continue
        if any(cells):
            rows.append((line, cells))


def _dates(rows: Sequence[tuple[int, list[str]]], positions: Mapping[str, int]) -> Iterable[str]:
    """Return what stands in the columns of dates, each text once: in a timetable that is a fraction of the rows."""
    wanted = [positions[field] for field in _DATE_FIELDS if field in positions]
    return map(clean, {cells[at] for _, cells in rows for at in wanted if at < len(cells)})


__all__ = ["CsvOptions", "SourceError", "delimiter_of", "find_delimiter", "open_csv", "parse_csv", "records"]
