"""Guesses what kind of schedule a file is and which columns it has, for `syncd init`; a person checks the result.

A source never guesses: it reads what the config says, or refuses.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from pathlib import PurePath

from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.source.encodings import decode, is_wide, looks_like_markup
from syncd.source.field_values import clean
from syncd.source.ical.ical_guess import guess_calendar
from syncd.source.ical.split import plain_lines
from syncd.source.json.json_guess import guess_records, looks_like_json
from syncd.source.table.columns import LABELS
from syncd.source.table.csv import Records, find_delimiter
from syncd.source.table.grid_days import row_of_days
from syncd.source.table.grid_guess import GridGuess, guess_grid
from syncd.source.table.heading_words import field_of, names_group
from syncd.source.table.headings import BY_TITLE, BY_TITLE_AND_CONTENT, FoundFields, find_fields, is_day, is_time_alone
from syncd.source.table.key_guess import Found, date_order, no_end, unit_of_numbers
from syncd.source.table.no_entries import TitlesAgain, is_note
from syncd.source.table.row_reader import HEADER_WITHIN, count_found, find_header
from syncd.source.table.spoken import weekday_of
from syncd.source.table.when import numbered_day
from syncd.source.table.xlsx import rows_of_sheets
from syncd.source.twice import once

_SAMPLE_ROWS = 500
_CLOCK = re.compile(r"(?<!\d)(?:[01]?\d|2[0-3])[:.-][0-5]\d(?!\d)")
_CLOCKS = ("start", "start_time", "end", "end_time")
_BY_WORDS = say("the file does not say it, but its words read right so")
_FOUND = say("found")
_NO_TITLES: Found = ("header", 0, say("the table has no titles, so columns are numbers"))
_BY_TITLES = frozenset({BY_TITLE, BY_TITLE_AND_CONTENT})
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What a schedule seems to be.

    `keys` are those of `[sync.source]` and `columns` those of its columns, each with a note on where the value comes
    from. `zone` is the feed's own, if it names one, `unknown_zones` are names of unknown zones in it, `owner`
    is its property that says whose an event is. With `by_groups` the owners are called groups. `doubts` are what a
    person should check; `samples` are the texts in each column.
    """

    type: str
    keys: tuple[Found, ...] = ()
    columns: tuple[Found, ...] = ()
    zone: str = ""
    unknown_zones: tuple[str, ...] = ()
    owner: str = ""
    by_groups: bool = False
    doubts: tuple[str, ...] = ()
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    grid: GridGuess | None = None


def guess(name: str, content: bytes, today: date) -> Guess:
    """Return what the bytes of a file seem to be; raises SourceError for a file that cannot be a schedule.

    `today` tells the year of a plan that names only its month.
    """
    if not content.strip():
        raise SourceError(say("{name} is empty", name=name), say("give a file with at least one event"))
    if content.startswith((_ZIP, _OLE)):
        return _guess_workbook(name, content, today)
    if looks_like_markup(content):
        raise SourceError(
            say("{name} is an HTML page", name=name), say("a login or error page may have been saved instead")
        )
    # iCalendar is cut up as bytes, which UTF-16 hides from it.
    plain = decode(content, "auto", name=name, kind=say("text"))[0].encode() if is_wide(content) else content
    head = plain_lines(plain[:4096]).lstrip(b"\xef\xbb\xbf \t\n").upper()
    if head.startswith(b"BEGIN:VCALENDAR") or b"\nBEGIN:VEVENT" in head:
        return _guess_calendar(name, content, plain)
    if looks_like_json(content):
        return _guess_json(name, content)
    return _guess_text(name, content, today)


def guess_query(query: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Guess:
    """Return what the rows of a query seem to be; raises SourceError for those that cannot be a schedule."""
    return _guess_table(
        say("the query"), "sql", (("query", query, say("what looks most like a schedule")),), titles, rows
    )


def _guess_json(name: str, content: bytes) -> Guess:
    found = guess_records(name, content)
    keys: tuple[Found, ...] = (("records", found.path, say("the longest list")),)
    guessed = _guess_table(name, "json", keys, found.titles, found.rows)
    if not found.more:
        return guessed
    doubt = say("the answer says that there is another page ({more}): say in next how to ask for it", more=found.more)
    return replace(guessed, doubts=(*guessed.doubts, doubt))


def _guess_calendar(name: str, content: bytes, plain: bytes) -> Guess:
    """Return what a calendar says; `plain` is its content in an encoding that contains ASCII."""
    text, codec, assumed = decode(content, "auto", name=name, kind="iCalendar")
    mended, twice = once(text)
    found = guess_calendar(mended.encode() if twice else plain)
    doubts: tuple[str, ...] = ()
    if found.unknown_zones:
        doubts = (
            say(
                "the zones {zones!r} of the feed are not known: say what they mean in [sync.source.zones]",
                zones=found.unknown_zones,
            ),
        )
    return Guess(
        type="ics",
        zone=found.zone,
        owner=found.owner,
        samples={"owner": found.owners} if found.owner else {},
        keys=(("encoding", codec, _BY_WORDS),) if assumed else (),
        unknown_zones=found.unknown_zones,
        doubts=doubts,
    )


def _guess_text(name: str, content: bytes, today: date) -> Guess:
    text, encoding, assumed = decode(content, "auto", name=name, kind="CSV")
    text, _ = once(text)
    delimiter, skip = find_delimiter(text, "auto", {})
    numbered = list(islice(Records(text, delimiter, skip_first=skip), _SAMPLE_ROWS + HEADER_WITHIN))
    rows = [[clean(cell) for cell in cells] for _, cells in numbered]
    if not rows:
        raise SourceError(
            say("{name} has no rows", name=name), say("give a file with a row of titles and at least one event")
        )
    lines = [(line, row) for (line, _), row in zip(numbered, rows, strict=False)]
    said = _BY_WORDS if assumed else _FOUND
    keys: tuple[Found, ...] = (("encoding", encoding, said), ("delimiter", delimiter, _FOUND))
    plan = _guess_plan(name, "csv", keys, lines, (), today)
    if plan is not None:
        return plan
    at = _header_of(rows)
    if at is None:
        return _guess_table(name, "csv", (*keys, _NO_TITLES), _numbered(rows), rows)
    if at:
        keys = (*keys, ("header", numbered[at][0], say("the line with the titles")))
    return _guess_table(name, "csv", keys, rows[at], rows[at + 1 :])


def _guess_workbook(name: str, content: bytes, today: date) -> Guess:
    sheets = [
        (sheet, [[clean(cell) for cell in row] for row in texts[: _SAMPLE_ROWS + HEADER_WITHIN]])
        for sheet, texts in rows_of_sheets(name, content)
    ]
    (sheet, rows), *others = sheets
    keys: tuple[Found, ...] = (("sheet", sheet, say("the first visible")),)
    plan = _guess_plan(name, "xlsx", keys, list(enumerate(rows, 1)), (sheet,), today)
    if plan is not None:
        alike = [one for one, texts in others if row_of_days(texts) is not None]
        return _of_all_sheets(plan, sheet, alike) if alike else plan
    if not any(len(row) > 1 and any(row) for row in rows):
        raise SourceError(
            say("{name} has no table on sheet {sheet!r}", name=name, sheet=sheet),
            say("give a file with a row of titles"),
        )
    at = _header_of(rows)
    if at is None:
        return _guess_table(name, "xlsx", (*keys, _NO_TITLES), _numbered(rows), rows)
    header = list(rows[at])
    while header and not header[-1]:
        header.pop()
    keys = (*keys, ("header", at + 1, say("the row with the titles")))
    found = _guess_table(name, "xlsx", keys, header, rows[at + 1 :])
    titles = {field: column for field, column, _ in found.columns}
    wanted = sum(isinstance(column, str) for column in titles.values())
    alike = [
        one
        for one, texts in others
        if wanted and texts and count_found(titles, texts[find_header(texts, titles)]) == wanted
    ]
    return _of_all_sheets(found, sheet, alike) if alike else found


def _of_all_sheets(found: Guess, first: str, alike: Sequence[str]) -> Guess:
    """Return the guess for all sheets, where others hold the same: each finds its own titles, days and month."""
    said = say("{sheets}: all that hold this table", sheets=(first, *alike))
    keys = tuple(key for key in found.keys if key[0] not in ("sheet", "header"))
    grid = found.grid
    if grid is not None:
        grid = replace(grid, keys=tuple(key for key in grid.keys if key[0] not in ("dates", "month")))
    return replace(found, keys=(("sheet", "*", said), *keys), grid=grid)


def _guess_plan(
    name: str,
    kind: str,
    keys: tuple[Found, ...],
    lines: Sequence[tuple[int, Sequence[str]]],
    called: tuple[str, ...],
    today: date,
) -> Guess | None:
    """Return what a plan of people by days seems to be, None for an ordinary table."""
    grid = guess_grid(lines, (*called, PurePath(name).stem), today)
    if grid is None:
        return None
    return Guess(type=kind, keys=keys, grid=grid, owner="owner", doubts=grid.doubts, samples={"owner": grid.people})


def _header_of(rows: Sequence[Sequence[str]]) -> int | None:
    """Return the row of the titles, None if the table has none.

    Tables often begin with a title and a date, so it is the one that is recognised best.
    """
    likely = [at for at, row in enumerate(rows[:HEADER_WITHIN]) if len(row) > 1 and any(row) and not _has_day(row)]

    def merit(at: int) -> tuple[int, int, int]:
        found = find_fields(rows[at], rows[at + 1 : at + 20])
        # What the cells below look like says little of the row: it is the same for a title above the table.
        return sum(found.reasons[field] in _BY_TITLES for field in found.columns), len(found.columns), -at

    best = max(likely, key=merit) if likely else None
    first = next((at for at, row in enumerate(rows) if _has_day(row)), len(rows))
    if best is not None and (merit(best)[0] > 1 or (best < first and 2 * sum(map(bool, rows[best])) > _width(rows))):
        return best
    return None if first < len(rows) else best or 0


def _has_day(row: Sequence[str]) -> bool:
    return any(is_day(cell) for cell in row if cell)


def _width(rows: Sequence[Sequence[str]]) -> int:
    """Return how many cells are filled in a usual row."""
    return Counter(sum(map(bool, row)) for row in rows).most_common(1)[0][0]


def _numbered(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the titles of a table that has none, so that its columns go by their numbers."""
    return ("",) * max(map(len, rows))


def _first_table(header: Sequence[str], table: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """Return the rows above the titles of another table, which a source does not read and which say nothing here."""
    known = {str(at): at for at, title in enumerate(header) if field_of(title) is not None}
    again = TitlesAgain(titles=header, mapped=known)
    for at, row in enumerate(table):
        again.finds(at, row)
        if again.elsewhere:
            return table[:at]
    return table


def _entries_of(table: Sequence[Sequence[str]], width: int) -> list[Sequence[str]]:
    """Return the rows that may be entries: without empty ones, and the totals and signatures below a table."""

    def may_be(row: Sequence[str]) -> bool:
        filled = [cell for cell in row if cell]
        return bool(filled) and not is_note(filled[0]) and (len(filled) > 1 or width == 1)

    return [row for row in table if may_be(row)]


def _guess_table(
    name: str,
    kind: str,
    keys: tuple[Found, ...],
    header: Sequence[str],
    table: Sequence[Sequence[str]],
) -> Guess:
    above_rows = any(_has_day(row) for row in table if sum(map(bool, row)) == 1) and len(header) > 1
    table = _entries_of(_first_table(header, table), len(header))
    found = find_fields(header, table)
    columns = found.columns
    if "title" not in columns or not {"start", "date"} & columns.keys():
        raise _no_table(name, header, table, "title" if "title" not in columns else "start", above_rows=above_rows)
    dates = [
        row[columns[name]]
        for name in ("start", "date", "end")
        if name in columns
        for row in table
        if columns[name] < len(row)
    ]
    order, said, unsure = date_order(
        dates, [row[columns[name]] for name in _CLOCKS if name in columns for row in table if columns[name] < len(row)]
    )
    unit = unit_of_numbers(found, header, table)
    owner = header[columns["owner"]] if "owner" in columns else ""
    doubts = [
        *found.doubts,
        *unsure,
        *_other_owners(owner, header),
        *_unread_times(found, header, table),
        *(
            say('the durations are numbers: {key} = "{value}" is a guess', key=key, value=value)
            for key, value, _ in unit
        ),
    ]
    # A title that occurs twice cannot name a column; its number can.
    twice = {title for title in header if list(header).count(title) > 1}
    shown = {field: header[at] if header[at] and header[at] not in twice else at + 1 for field, at in columns.items()}
    return Guess(
        type=kind,
        by_groups=names_group(owner),
        keys=(*keys, ("dates", order, said), *no_end(found, table), *unit),
        columns=tuple((field, column, found.reasons[field]) for field, column in shown.items()),
        doubts=tuple(doubts),
        samples={
            field: tuple(dict.fromkeys(row[at] for row in table if at < len(row) and row[at]))
            for field, at in columns.items()
        },
    )


def _other_owners(owner: str, header: Sequence[str]) -> Iterator[str]:
    """Yield a doubt if people own the entries and groups could, or the other way round."""
    for title in header:
        if owner and field_of(title) == "owner" and names_group(title) != names_group(owner):
            yield say(
                "the entries go to {owner!r}; {title!r} could own them as well (owner and calendar)",
                owner=owner,
                title=title,
            )


def _no_table(
    name: str, header: Sequence[str], table: Sequence[Sequence[str]], lacks: str, *, above_rows: bool
) -> SourceError:
    """Return the error for a table without titles or days; with `above_rows` days stand alone in rows of their own."""
    first = header if any(header) or not table else table[0]
    if (days := tuple(title for title in first if weekday_of(title) is not None or is_day(title)))[2:]:
        return SourceError(
            say("{name}: the columns are days ({days}), and not those of a plan of people", name=name, days=days),
            say("write a row for each event, with its date"),
        )
    if above_rows and lacks == "start":
        return SourceError(
            say("{name}: the dates stand above the rows, and no column holds them", name=name),
            say("give each row its date in a column of its own"),
        )
    for at, title in enumerate(header):
        cells = [row[at] for row in table if at < len(row) and row[at]]
        if lacks == "start" and cells and field_of(title) in ("start", "date"):
            if (numbered := numbered_day(cells[0])) is not None:
                said, remedy = numbered
                return SourceError(
                    say("{name}: in the column {title!r} {reason}", name=name, title=title, reason=said), remedy
                )
            return SourceError(
                say(
                    "{name}: the column {title!r} holds {text!r}, which is no date",
                    name=name,
                    title=title,
                    text=cells[0],
                ),
                say("write whole dates, such as 31.12.2026 or 2026-12-31"),
            )
    titles, field = tuple(title for title in header if title), LABELS[lacks]
    return SourceError(
        say("{name}: no column seems to be the {field}; there are: {titles!r}", name=name, field=field, titles=titles)
        if titles
        else say("{name}: no column seems to be the {field}; and there are no titles", name=name, field=field),
        say("name it in the header"),
    )


def _unread_times(found: FoundFields, header: Sequence[str], table: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a doubt if entries become whole days though a column that is not mapped seems to hold times."""
    columns = found.columns
    used = {at for field, at in columns.items() if field != "title"}
    if "start_time" in columns or any(is_time_alone(row[columns["start"]]) for row in table if "start" in columns):
        return
    for at, title in enumerate(header):
        cells = [row[at] for row in table if at < len(row) and row[at]]
        if at not in used and cells and sum(_CLOCK.search(cell) is not None for cell in cells) > len(cells) / 2:
            yield say(
                "the entries are whole days; the times in {title!r} cannot be read (write them like 9:00)",
                title=title or at + 1,
            )
