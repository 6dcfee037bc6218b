"""Guesses what kind of schedule a file is and which columns it has, for `syncd init`; a person checks the result.

A source never guesses: it reads what the config says, or refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from syncd.errors import SourceError
from syncd.model import zones
from syncd.source.encodings import is_wide
from syncd.source.field_values import clean
from syncd.source.files import assumption, decode, looks_like_markup
from syncd.source.ical.lines import read_component
from syncd.source.ical.split import plain_lines, split
from syncd.source.table.csv import delimiter_of, records
from syncd.source.table.headings import find_fields
from syncd.source.table.when import find_order
from syncd.source.table.xlsx import XlsxOptions, rows_of_first_sheet

_SAMPLE_ROWS = 500
_CLOCKS = ("start", "start_time", "end", "end_time")
_BY_WORDS = "the file does not say it, but its words read right so"
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What a schedule seems to be.

    `keys` are those of `[sync.source]` and `columns` those of its columns, each with a note on where the value comes
    from. `zone` is the feed's own, if it names one; `doubts` are what a person should check; `samples` are the texts
    in each column.
    """

    type: str
    keys: tuple[tuple[str, str | int, str], ...] = ()
    columns: tuple[tuple[str, str | int, str], ...] = ()
    zone: str = ""
    doubts: tuple[str, ...] = ()
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def guess(name: str, content: bytes) -> Guess:
    """Return what the bytes of a file seem to be; raises SourceError for a file that cannot be a schedule."""
    if not content.strip():
        raise SourceError(f"{name} is empty", "give a file with at least one event")
    if content.startswith((_ZIP, _OLE)):
        return _guess_workbook(name, content)
    if looks_like_markup(content):
        raise SourceError(f"{name} is an HTML page", "a login or error page may have been saved instead")
    # iCalendar is cut up as bytes, which UTF-16 hides from it.
    plain = decode(content, "auto", name=name, kind="text")[0].encode() if is_wide(content) else content
    head = plain_lines(plain[:4096]).lstrip(b"\xef\xbb\xbf \t\n").upper()
    if head.startswith(b"BEGIN:VCALENDAR") or b"\nBEGIN:VEVENT" in head:
        return _guess_calendar(name, content, plain)
    return _guess_text(name, content)


def _guess_calendar(name: str, content: bytes, plain: bytes) -> Guess:
    """Return what a calendar says; `plain` is its content in an encoding that contains ASCII."""
    _, codec = decode(content, "auto", name=name, kind="iCalendar")
    assumed = assumption(content, "auto", codec, name=name)
    zone = ""
    for calendar in split(plain).calendars:
        head = read_component("BEGIN:VCALENDAR\n" + calendar.head.decode("utf-8", "replace") + "\nEND:VCALENDAR")
        zone = zone or zones.resolve(head.text("X-WR-TIMEZONE").strip()) or ""
    return Guess(type="ics", zone=zone, keys=(("encoding", codec, _BY_WORDS),) if assumed else ())


def _guess_text(name: str, content: bytes) -> Guess:
    text, encoding = decode(content, "auto", name=name, kind="CSV")
    delimiter, skip = delimiter_of(text, "auto", {})
    rows, _, _ = records(text, delimiter, skip)
    if not rows:
        raise SourceError(f"{name} has no rows", "give a file with a row of titles and at least one event")
    header = [clean(cell) for cell in rows[0][1]]
    table = [[clean(cell) for cell in cells] for _, cells in rows[1 : _SAMPLE_ROWS + 1]]
    said = _BY_WORDS if assumption(content, "auto", encoding, name=name) else "found"
    keys = (("encoding", encoding, said), ("delimiter", delimiter, "found"))
    return _guess_table(name, "csv", keys, header, table)


def _guess_workbook(name: str, content: bytes) -> Guess:
    sheet, rows = rows_of_first_sheet(name, content, XlsxOptions(type="xlsx", path=name, columns={}))
    likely = [at for at, row in enumerate(rows[:50]) if sum(1 for cell in row if cell) > 1]
    if not likely:
        raise SourceError(f"{name} has no table on sheet {sheet!r}", "give a file with a row of titles")
    # Sheets often begin with a title and a date; the header is the row whose columns are recognised best.
    at = max(likely, key=lambda row: (len(find_fields(rows[row], rows[row + 1 : row + 20]).columns), -row))
    header = [clean(cell) for cell in rows[at]]
    while header and not header[-1]:
        header.pop()
    table = [[clean(cell) for cell in row] for row in rows[at + 1 : at + 1 + _SAMPLE_ROWS] if any(row)]
    keys = (("sheet", sheet, "the first visible"), ("header", at + 1, "the row with the titles"))
    return _guess_table(name, "xlsx", keys, header, table)


def _guess_table(
    name: str,
    kind: str,
    keys: tuple[tuple[str, str | int, str], ...],
    header: Sequence[str],
    table: Sequence[Sequence[str]],
) -> Guess:
    found = find_fields(header, table)
    columns = found.columns
    if "title" not in columns or not {"start", "date"} & columns.keys():
        lacks = "title" if "title" not in columns else "start"
        titles = ", ".join(repr(title) for title in header if title)
        raise SourceError(f"{name}: no column seems to be the {lacks}; there are: {titles}", "name it in the header")
    dates = [
        row[columns[name]]
        for name in ("start", "date", "end")
        if name in columns
        for row in table
        if columns[name] < len(row)
    ]
    order = find_order(dates, "auto")
    doubts: list[str] = list(found.doubts)
    said = "read from the dates"
    if order == "auto" and any("/" in text for text in dates):
        times = [row[columns[name]] for name in _CLOCKS if name in columns for row in table if columns[name] < len(row)]
        # am and pm are written almost only where the month comes first.
        order = "mdy" if any(text.casefold().endswith(("am", "pm")) for text in times) else "dmy"
        said = "a guess: the dates can be read both ways"
        doubts.append(f'dates like {next(text for text in dates if "/" in text)!r} are taken as dates = "{order}"')
    elif order == "auto":
        said = "all dates say it themselves"
    # A title that occurs twice cannot name a column; its number can.
    twice = {title for title in header if list(header).count(title) > 1}
    shown = {field: header[at] if header[at] and header[at] not in twice else at + 1 for field, at in columns.items()}
    return Guess(
        type=kind,
        keys=(*keys, ("dates", order, said)),
        columns=tuple((field, column, found.reasons[field]) for field, column in shown.items()),
        doubts=tuple(doubts),
        samples={
            field: tuple(dict.fromkeys(row[at] for row in table if at < len(row) and row[at]))
            for field, at in columns.items()
        },
    )
