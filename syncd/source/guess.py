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
from syncd.model import zones
from syncd.source.encodings import decode, is_wide, looks_like_markup
from syncd.source.field_values import clean
from syncd.source.ical.lines import read_component
from syncd.source.ical.split import Feed, plain_lines, split
from syncd.source.json.json_guess import guess_records, looks_like_json
from syncd.source.table.columns import LABELS
from syncd.source.table.csv import Records, find_delimiter
from syncd.source.table.grid_days import row_of_days
from syncd.source.table.grid_guess import GridGuess, guess_grid
from syncd.source.table.heading_words import field_of, names_group, says_unit, unit_of
from syncd.source.table.headings import BY_TITLE, BY_TITLE_AND_CONTENT, FoundFields, find_fields, is_day, is_time_alone
from syncd.source.table.no_entries import TitlesAgain, is_note
from syncd.source.table.row_reader import HEADER_WITHIN, count_found, find_header
from syncd.source.table.spans import is_nothing
from syncd.source.table.spoken import weekday_of
from syncd.source.table.when import DateOrder, DateOrders, find_orders, numbered_day, read_cell
from syncd.source.table.xlsx import rows_of_sheets
from syncd.source.twice import once

_SAMPLE_ROWS = 500
_OWNER = re.compile(rb"\n(X-[A-Z-]*OWNER[A-Z-]*)(?:;[^:\r\n]*)?:([^\r\n]*)", re.IGNORECASE)
_CLOCK = re.compile(r"(?<!\d)(?:[01]?\d|2[0-3])[:.-][0-5]\d(?!\d)")
_TZID = re.compile(rb';TZID=(?:"([^"\r\n]*)"|([^":;\r\n]*))[;:]', re.IGNORECASE)
_DEFINED = re.compile(rb"^TZID(?:;[^:\r\n]*)?:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
Found = tuple[str, str | int, str]
"""A key, its value, and a note on where it comes from."""
_CLOCKS = ("start", "start_time", "end", "end_time")
_NUMBER = re.compile(r"\d{1,4}(?:[.,]\d{1,3})?")
_SHIFTS = re.compile(r"смен|дежурств|shift", re.IGNORECASE)
_MOST_HOURS, _DAY_H = 12, 24
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
    plain = mended.encode() if twice else plain
    zone = ""
    feed = split(plain)
    for calendar in feed.calendars:
        head = read_component("BEGIN:VCALENDAR\n" + calendar.head.decode("utf-8", "replace") + "\nEND:VCALENDAR")
        zone = zone or zones.resolve(head.text("X-WR-TIMEZONE").strip()) or ""
    said = (("encoding", codec, _BY_WORDS),) if assumed else ()
    unknown = _unknown_zones(feed)
    doubts: tuple[str, ...] = ()
    if unknown:
        doubts = (
            say(
                "the zones {zones!r} of the feed are not known: say what they mean in [sync.source.zones]",
                zones=unknown,
            ),
        )
    owned = [
        (found[1].decode().upper(), found[2].decode("utf-8", "replace").strip())
        for calendar in feed.calendars
        for event in calendar.events[:_SAMPLE_ROWS]
        if (found := event.search(_OWNER)) is not None
    ]
    if not owned:
        return Guess(type="ics", zone=zone, keys=said, unknown_zones=unknown, doubts=doubts)
    # The feed says whose an event is in a property of its own; a template takes it like a column.
    first = owned[0][0]
    owners = tuple(dict.fromkeys(owner for title, owner in owned if title == first and owner))
    return Guess(
        type="ics",
        zone=zone,
        owner=first,
        samples={"owner": owners},
        keys=said,
        unknown_zones=unknown,
        doubts=doubts,
    )


def _unknown_zones(feed: Feed) -> tuple[str, ...]:
    """Return the zones that events name, and that neither their calendar defines nor anybody knows."""
    found: dict[str, None] = {}
    for calendar in feed.calendars:
        defined = {_text(one[1]) for zone in calendar.zones if (one := _DEFINED.search(zone.content)) is not None}
        names = {_text(one[1] or one[2]) for event in calendar.events for one in _TZID.finditer(event.content)}
        found |= dict.fromkeys(name for name in sorted(names - defined) if zones.resolve(name) is None)
    return tuple(found)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace").strip()


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
    order, said, unsure = _date_order(
        dates, [row[columns[name]] for name in _CLOCKS if name in columns for row in table if columns[name] < len(row)]
    )
    unit = _unit(found, header, table)
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
        keys=(*keys, ("dates", order, said), *_no_end(found, table), *unit),
        columns=tuple((field, column, found.reasons[field]) for field, column in shown.items()),
        doubts=tuple(doubts),
        samples={
            field: tuple(dict.fromkeys(row[at] for row in table if at < len(row) and row[at]))
            for field, at in columns.items()
        },
    )


def _no_end(found: FoundFields, table: Sequence[Sequence[str]]) -> tuple[Found, ...]:
    """Return a length for entries that have a start time and no end, if there are such."""
    columns = found.columns
    start = columns.get("start_time", columns.get("start", -1))
    ends = [columns[name] for name in ("end", "end_time", "duration") if name in columns]
    for row in table:
        text = row[start] if 0 <= start < len(row) else ""
        has_end = any(at < len(row) and not is_nothing(row[at]) for at in ends)
        if not has_end and is_time_alone(text):
            said = say("a guess: how long what has a start time and no end lasts")
            return (("default_duration", "1h", said),)
    return ()


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


def _unit(found: FoundFields, header: Sequence[str], table: Sequence[Sequence[str]]) -> tuple[Found, ...]:
    """Return what bare numbers in a column of durations count, if its title does not say it and they are no minutes."""
    at = found.columns.get("duration", -1)
    numbers = [float(row[at].replace(",", ".")) for row in table if at < len(row) and _NUMBER.fullmatch(row[at])]
    if at < 0 or not numbers:
        return ()
    if unit_of(header[at]) is None:
        academic = re.search(r"\bак|academic", header[at], re.IGNORECASE) is not None
        return (("duration_unit", "45m", say("a guess: an academic hour")),) if academic else ()
    of_shifts = _SHIFTS.search(header[at]) is not None and max(numbers) <= _DAY_H
    # Appointments last 5 or 10 minutes, but nothing lasts 3 or 8 of them.
    of_hours = max(numbers) <= _MOST_HOURS and any(number % 5 for number in numbers)
    if says_unit(header[at]) or not (of_shifts or of_hours):
        return ()
    return (("duration_unit", "1h", say("a guess: what a number in the column of durations counts")),)


def _date_order(dates: Sequence[str], clocks: Sequence[str]) -> tuple[DateOrder, str, tuple[str, ...]]:
    """Return the order of day and month to write, where it comes from, and what is to be checked."""
    orders = find_orders(dates, "auto")
    unknown = [text for text in dates if _could_be_two_days(text, orders)]
    proved = {_reads(text, "dmy") for text in dates if _reads(text, "dmy") != _reads(text, "mdy")}
    if unknown and len(proved) > 1:
        doubt = say(
            "the dates have both orders of day and month, so {unknown!r} cannot be read (write 2026-12-31)",
            unknown=unknown[0],
        )
        return "auto", say("both orders occur, so each date has to say its own"), (doubt,)
    if unknown:
        # am and pm are written almost only where the month comes first.
        order: DateOrder = "mdy" if any(text.casefold().endswith(("am", "pm")) for text in clocks) else "dmy"
        return (
            order,
            say("a guess: the dates can be read both ways"),
            (say('dates like {text!r} are taken as dates = "{order}"', text=unknown[0], order=order),),
        )
    shown = set(orders.shown.values())
    dotted = any(text.count(".") == 2 for text in dates)
    if len(shown) == 1 and not orders.odd and not (dotted and shown == {"mdy"}):
        return shown.pop(), say("read from the dates"), ()
    return "auto", say("all dates say it themselves"), ()


def _could_be_two_days(text: str, orders: DateOrders) -> bool:
    try:
        read_cell(text, orders)
    except ValueError:
        return _reads(text, "dmy") and _reads(text, "mdy")
    return False


def _reads(text: str, setting: DateOrder) -> bool:
    try:
        return read_cell(text, DateOrders(setting=setting)).day is not None
    except ValueError:
        return False
