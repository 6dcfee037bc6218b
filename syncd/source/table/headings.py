"""Guesses which column of a table is which field: by its title in English or Russian, then by its content."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from syncd.lang.saying import say
from syncd.source.table import cell_values
from syncd.source.table.dashes import without_dashes
from syncd.source.table.heading_words import WORDS, field_of, parted, unit_of
from syncd.source.table.spans import NO_DATES, is_nothing
from syncd.source.table.when import CellTime, DateOrders, read_cell

Value = TypeVar("Value")
_STARTS: tuple[str, ...] = ("start", "date", "start_time")
_ENDS: tuple[str, ...] = ("end", "end_time")
_TIMES = (*_STARTS, *_ENDS)
_ENDS_IN_ANY = {*_ENDS, "duration"}
_BARE_HOUR = re.compile(r"1?\d|2[0-4]")
_NAMES = frozenset({"name", "имя"})
BY_TITLE = say("by its title")
BY_TITLE_AND_CONTENT = say("by its title and what it holds")
_HOUR = timedelta(hours=1)
# What 8-20 means is for the reader to decide; here it only has to be told from other texts.
_DAY_FIRST, _MONTH_FIRST = DateOrders(setting="dmy", dashes="hours"), DateOrders(setting="mdy", dashes="hours")
_PHONE = re.compile(r"\+?[78]?[\s(-]*\d{3,5}\)?[\s-]*\d{1,3}[\s-]*\d{2}[\s-]*\d{2}")
_SAYS_NOTHING = re.compile(r"#[^\s#]+[!?]|#N/A|#Н/Д|#{3,}|[2-7]\d{4}(?:\.\d+)?|01\.01\.0001(?: 0?0:00(?::00)?)?")
_MOSTLY = 0.8
"""Share of a column's cells that must fit; tables hold notes such as "cancelled" in any column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFields:
    """The 0-based column of each field, why it was taken, and what a person should check."""

    columns: dict[str, int]
    reasons: dict[str, str]
    doubts: tuple[str, ...] = ()


def find_fields(header: Sequence[str], table: Sequence[Sequence[str]]) -> FoundFields:
    """Return the column of each field, as far as title and content tell; `table` holds the rows below `header`."""
    contents = [_column(table, at) for at in range(len(header))]
    columns: dict[str, int] = {}
    reasons: dict[str, str] = {}
    doubts: list[str] = []
    named = [field_of(title) for title in header]
    _spell_hours(named, contents)
    for at, (title, name) in enumerate(zip(header, named, strict=True)):
        field = name
        if field in _TIMES:
            # Below another heading 8-20 is a room or a class.
            contents[at] = _without_words(tuple(without_dashes(text, "hours") or text for text in contents[at]))
        if field == "date" and _is_bare(title) and _other_start(header, named, at):
            # "Дата" beside "Дата начала" is that of the document.
            continue
        if field == "end" and field in columns and _fits(field, title, contents[at]) and not _is_date(contents[at]):
            field = "end_time"
        if field == "start_time" and contents[at] and not _fits(field, title, contents[at]):
            # "Часы" may be those between which somebody works, or how many they are.
            field = "duration" if unit_of(title) == _HOUR else None
        if field == "title" and _only_counts(at, named, contents):
            continue
        if field is not None and field not in columns and _fits(field, title, contents[at]):
            columns[field], reasons[field] = at, BY_TITLE
    _find_names(columns, reasons, header, named)
    # Titles first, then content: a heading is a statement, a content that looks like a date may be a birthday.
    _sort_times(columns, reasons, contents)
    if "start" not in columns and "date" not in columns:
        _take(columns, reasons, "start", _first(contents, columns, _is_date), say("it holds dates"))
    _find_times(columns, reasons, contents)
    _drop_ends(columns, header, contents)
    _find_others(columns, reasons, contents)
    doubts.extend(_find_title(columns, reasons, header, contents))
    doubts.extend(_left_out(columns, header, named, contents))
    # In a fixed order, whatever the order of the columns, because the config written from it is read by people.
    order = [field for field in WORDS if field in columns]
    return FoundFields(columns={field: columns[field] for field in order}, reasons=reasons, doubts=tuple(doubts))


def _find_names(
    columns: dict[str, int], reasons: dict[str, str], header: Sequence[str], named: Sequence[str | None]
) -> None:
    """Take "Name" for the people if another title says what the entries are called, and none whose they are."""
    at = next((at for at, title in enumerate(header) if title.strip().casefold() in _NAMES), None)
    titles = [other for other, field in enumerate(named) if field == "title" and other != at]
    if at is None or not titles or "owner" in columns:
        return
    columns["title"] = titles[0]
    reasons.setdefault("title", BY_TITLE)
    columns["owner"], reasons["owner"] = (
        at,
        say("a guess: whose they are, as {title!r} is what they are called", title=header[titles[0]]),
    )


def _spell_hours(named: Sequence[str | None], contents: list[tuple[str, ...]]) -> None:
    """Write bare numbers as hours if one column has starts and another has ends: С 8, По 20."""
    both: list[list[int]] = [
        [at for at, field in enumerate(named) if field in fields and not _is_date(contents[at])]
        for fields in (("start", "start_time"), _ENDS)
    ]
    if all(any(contents[at] for at in ats) for ats in both):
        for at in (*both[0], *both[1]):
            contents[at] = tuple(f"{text}:00" if _BARE_HOUR.fullmatch(text) else text for text in contents[at])


def _left_out(
    columns: Mapping[str, int],
    header: Sequence[str],
    named: Sequence[str | None],
    contents: Sequence[Sequence[str]],
) -> Iterator[str]:
    """Yield a doubt for each column whose title means times but whose content does not fit, so that it is not used."""
    covered = {"duration"} if columns.keys() & _ENDS_IN_ANY else set()
    for at, (title, field) in enumerate(zip(header, named, strict=True)):
        is_of_times = field in ("start_time", *_ENDS, "duration") and field not in covered | columns.keys()
        if is_of_times and field is not None and at not in columns.values() and contents[at]:
            odd = next((text for text in contents[at] if not _fits(field, title, (text,))), contents[at][0])
            yield say("the column {title!r} is not used, because of cells such as {odd!r}", title=title, odd=odd)


def _drop_ends(columns: dict[str, int], header: Sequence[str], contents: Sequence[Sequence[str]]) -> None:
    """Leave out the times of ends if the start has none: an entry without a start time is whole days."""
    if "start" not in columns or _has_times(contents[columns["start"]]):
        return
    columns.pop("end_time", None)
    if (at := columns.get("duration")) is not None:
        unit = unit_of(header[at])
        if not _mostly(contents[at], lambda text: _is_days(text, unit)):
            columns.pop("duration")
    if "end" in columns and contents[columns["end"]] and _kind("end", contents[columns["end"]]) != "day":
        columns.pop("end")


def _find_others(columns: dict[str, int], reasons: dict[str, str], contents: Sequence[Sequence[str]]) -> None:
    """Find the owner and the phone by content, if no title tells."""
    if "owner" not in columns:
        _take(columns, reasons, "owner", _first(contents, columns, _is_address), say("it holds e-mail addresses"))
    if "contact_phone" not in columns:
        phone = _first(contents, columns, _is_phone)
        _take(columns, reasons, "contact_phone", phone, say("it holds phone numbers"))


def _find_title(
    columns: dict[str, int], reasons: dict[str, str], header: Sequence[str], contents: Sequence[Sequence[str]]
) -> Iterator[str]:
    """Find the title by content, if no title tells or if that column holds hours; yield what should be checked."""
    shift = columns.get("title")
    if shift is not None and "date" not in columns and "start" in columns and _is_clock(contents[shift]):
        # A shift is often called by its hours, "с 8 до 20".
        columns["date"], reasons["date"] = columns.pop("start"), reasons.pop("start")
        columns["start_time"], reasons["start_time"] = shift, say("it holds times")
    if shift is not None:
        return
    texts = _first(contents, columns, _is_text)
    _take(columns, reasons, "title", texts, say("the first column of texts"))
    if texts is None and "owner" in columns:
        # A plan of who works when has no other names than those of the people.
        _take(columns, reasons, "title", columns["owner"], say("there is no other column of texts"))
    if "title" in columns:
        name = header[columns["title"]] or columns["title"] + 1
        yield say("no heading says which column is the title; {name!r} is a guess", name=name)


def _only_counts(at: int, named: Sequence[str | None], contents: Sequence[Sequence[str]]) -> bool:
    """Return True if a column of titles has numbers only, and another one words: "Урок" 1, 2, 3 beside "Предмет"."""
    others = [contents[other] for other, field in enumerate(named) if field == "title" and other != at]
    return not _has_words(contents[at]) and any(map(_has_words, others))


def _has_words(content: Sequence[str]) -> bool:
    return any(char.isalpha() for text in content for char in text)


def _is_bare(title: str) -> bool:
    """Return True if a title is a single word. It names the day of the entry only if no other title does."""
    return len(title.split()) == 1 and title == parted(title)


def _other_start(header: Sequence[str], named: Sequence[str | None], at: int) -> bool:
    """Return True if another title names the day on which entries begin."""
    return any(
        field in ("date", "start") and other != at and "начала" in parted(header[other]).casefold()
        for other, field in enumerate(named)
    )


def _without_words(content: tuple[str, ...]) -> tuple[str, ...]:
    """Return a column of times without its words ("night", "as agreed"), if anything in it is a time.

    Rows that have no times for these words are refused one by one; without the column all would be whole days.
    """
    times = tuple(text for text in content if _moment(text) is not None or any(map(str.isdigit, text)))
    return times if any(_moment(text) is not None for text in times) else content


def _counts(title: str) -> bool:
    return title.strip().casefold().strip(".") in ("№", "#", "number", "номер", "№ п/п", "n", "no")


def _column(table: Sequence[Sequence[str]], at: int) -> tuple[str, ...]:
    filled = tuple(row[at] for row in table if at < len(row) and row[at])
    # What a person has to correct anyway says nothing of the others: errors, NULL, and days that Excel has numbered.
    telling = tuple(text for text in filled if not _SAYS_NOTHING.fullmatch(text) and not is_nothing(text))
    return telling or filled


def _fits(field: str, title: str, content: Sequence[str]) -> bool:
    """Return True if a column can be what its title says. An empty one can be anything except a uid."""
    if field == "uid":
        # A number that counts the rows is not a uid: it changes when a row is inserted above.
        counts_rows = len(content) > 1 and list(content) == [str(number) for number in range(1, len(content) + 1)]
        return bool(content) and len(set(content)) == len(content) and not (counts_rows and _counts(title))
    if field in _TIMES:
        return not content or _mostly(content, lambda text: _moment(text) is not None)
    if field == "duration":
        return not content or _mostly(content, _is_length)
    if field == "owner":
        # "Куратор" with a number to call is no name that the portal could know.
        return not content or not _is_phone(content)
    if field == "all_day":
        return not content or _mostly(content, _is_truth)
    return True


def _sort_times(columns: dict[str, int], reasons: dict[str, str], contents: Sequence[Sequence[str]]) -> None:
    """Sort columns of days, of times and of both by their content: "Start" may be a heading of any of the three."""
    starts: dict[str, int] = {field: columns.pop(field) for field in _STARTS if field in columns}
    ends: dict[str, int] = {field: columns.pop(field) for field in _ENDS if field in columns}
    kinds: dict[str, str] = {field: _kind(field, contents[at]) for field, at in (starts | ends).items()}

    days = [field for field in (*starts, *ends) if kinds[field] != "clock"]
    if days and days[0] in ends:
        starts[days[0]] = ends.pop(days[0])  # the only days of the table, whatever they are called

    def first(fields: Mapping[str, int], kind: str) -> str | None:
        fitting = [field for field in fields if kinds[field] == kind]
        # A column without any cell is what its title says only if no other is.
        return next((field for field in fitting if contents[fields[field]]), fitting[0] if fitting else None)

    def take(field: str, found: str, at: int) -> None:
        columns[field] = at
        # Columns of times are found by their titles only until here.
        reasons[field] = reasons.get(found, "") if found == field else BY_TITLE_AND_CONTENT

    if (stamp := first(starts, "stamp")) is not None:
        take("start", stamp, starts[stamp])
    elif (day := first(starts, "day")) is not None:
        clock = first(starts, "clock")
        take("start" if clock is None else "date", day, starts[day])
        if clock is not None:
            take("start_time", clock, starts[clock])
    texts = [text for field in ("start", "start_time") if field in columns for text in contents[columns[field]]]
    # One odd cell does not hide a column that says the ends of all others.
    has_two = _mostly(texts, _is_range) if any(contents[at] for at in ends.values()) else any(map(_is_range, texts))
    if texts and has_two:
        # Two times in one cell say the end as well; a column of ends beside them would contradict it.
        columns.pop("duration", None)
        return
    end, clock = first(ends, "stamp") or first(ends, "day"), first(ends, "clock")
    if end is not None:
        take("end", end, ends[end])
    has_ranges = clock is not None and any(map(_is_range, contents[ends[clock]]))
    if clock is not None and not has_ranges and (end is None or kinds[end] == "day"):
        take("end_time", clock, ends[clock])
    if "end" in columns or "end_time" in columns:
        columns.pop("duration", None)


def _kind(field: str, content: Sequence[str]) -> str:
    """Return "day", "clock" or "stamp" (both) for what a column holds; if it is empty, what its title means."""
    if not content:
        return {"start": "stamp", "date": "day", "end": "stamp"}.get(field, "clock")
    if not _is_date(content):
        return "clock"
    return "stamp" if _has_times(content) else "day"


def _find_times(columns: dict[str, int], reasons: dict[str, str], contents: Sequence[Sequence[str]]) -> None:
    """Find times without a title that says so: the times for a column of days, and the end if only a start is known."""
    if "start" not in columns:
        return
    start = contents[columns["start"]]
    has_end = bool(columns.keys() & {"end", "end_time", "duration"})
    if not _has_times(start):
        clock = _first(contents, columns, _is_clock)
        if clock is None:
            return
        columns["date"], reasons["date"] = columns.pop("start"), reasons["start"]
        _take(columns, reasons, "start_time", clock, say("it holds times"))
        if not has_end and not any(_is_range(text) for text in contents[clock]):
            end = _first(contents, columns, _is_clock)
            _take(columns, reasons, "end_time", end, say("it holds times, too"))
    elif not has_end and not any(_is_range(text) for text in start):

        def is_end(content: Sequence[str]) -> bool:
            return _is_stamp(content) and _mostly(list(zip(start, content, strict=False)), _in_order)

        _take(columns, reasons, "end", _first(contents, columns, is_end), say("it holds dates with times, too"))


def _take(columns: dict[str, int], reasons: dict[str, str], field: str, at: int | None, reason: str) -> None:
    if at is not None:
        columns[field], reasons[field] = at, reason


def _first(
    contents: Sequence[Sequence[str]], columns: Mapping[str, int], fits: Callable[[Sequence[str]], bool]
) -> int | None:
    taken = set(columns.values())
    return next((at for at, content in enumerate(contents) if at not in taken and content and fits(content)), None)


def _is_date(content: Sequence[str]) -> bool:
    return _mostly(content, is_day)


def _is_clock(content: Sequence[str]) -> bool:
    """Return True if a column without a telling heading holds times of day; 12.50 is a price, so only colons count."""
    return _mostly(content, lambda text: _is_range(text) or (":" in text and _is_time(text)))


def _is_time(text: str) -> bool:
    return (moment := _moment(text)) is not None and moment.day is None


def _is_stamp(content: Sequence[str]) -> bool:
    return _is_date(content) and _mostly(content, _has_time)


def _has_times(content: Sequence[str]) -> bool:
    return not content or _share(content, _has_time) >= 1 - _MOSTLY


def _has_time(text: str) -> bool:
    # A column of midnights is one of days, as databases write them.
    return (moment := _moment(text)) is not None and bool(moment.time)


def is_day(text: str) -> bool:
    """Return True if a text is a date, perhaps with its time, in whatever order of day and month."""
    return (moment := _moment(text)) is not None and moment.day is not None


def is_time_alone(text: str) -> bool:
    """Return True if a text holds a time of day, perhaps with its date, and no second one."""
    return (moment := _moment(text)) is not None and moment.time is not None and moment.until is None


def _is_range(text: str) -> bool:
    return (moment := _moment(text)) is not None and moment.until is not None


def _is_text(content: Sequence[str]) -> bool:
    return _mostly(content, lambda text: any(char.isalpha() for char in text) and "@" not in text)


def _is_address(content: Sequence[str]) -> bool:
    return _mostly(content, lambda text: "@" in text.strip("@") and " " not in text)


def _is_phone(content: Sequence[str]) -> bool:
    return _mostly(content, lambda text: _PHONE.fullmatch(text) is not None)


def _in_order(pair: tuple[str, str]) -> bool:
    """Return True if both cells have a day and a time, and the second is not before the first."""
    try:
        first, second = (found.wall() if (found := _moment(text)) is not None else None for text in pair)
    except ValueError:
        return False
    return first is not None and second is not None and first <= second


def _mostly(content: Sequence[Value], holds: Callable[[Value], bool]) -> bool:
    """Return True if most of a column holds; in a short table one cell that does not says nothing of the others."""
    misses = sum(1 for one in content if not holds(one))
    return bool(content) and (len(content) - misses >= _MOSTLY * len(content) or misses == 1 < len(content) - 1)


def _share(content: Sequence[Value], holds: Callable[[Value], bool]) -> float:
    return sum(1 for text in content if holds(text)) / len(content) if content else 0.0


def _moment(text: str) -> CellTime | None:
    for orders in (_DAY_FIRST, _MONTH_FIRST):
        try:
            found = read_cell(text, orders)
        except ValueError:
            continue
        # 30.12.1899 9:00 is a time: that date stands for none.
        return found.on(None) if found.day in NO_DATES and found.time is not None else found
    return None


def _is_length(text: str) -> bool:
    return _length(text, _HOUR) is not None


def _is_days(text: str, unit: timedelta | None) -> bool:
    length = _length(text, unit)
    return length is not None and not length % timedelta(days=1)


def _length(text: str, unit: timedelta | None) -> timedelta | None:
    try:
        return cell_values.duration(text, unit)
    except ValueError:
        return None


def _is_truth(text: str) -> bool:
    try:
        cell_values.truth(text)
    except ValueError:
        return False
    return True
