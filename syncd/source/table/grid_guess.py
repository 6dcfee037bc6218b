"""Guesses what a plan of people by days is made of, for `syncd init`: its names, days, month, and what its codes mean.

What a code means is a guess unless a legend beside the table says it; each is marked so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from syncd.lang.saying import say
from syncd.source.table.cell_values import is_error
from syncd.source.table.grid import folded_code, hours_of, title_of
from syncd.source.table.grid_days import Days, find_days, month_named
from syncd.source.table.heading_words import field_of
from syncd.source.table.no_entries import counts_columns, is_note
from syncd.source.table.row_reader import HEADER_WITHIN
from syncd.source.table.spans import is_nothing
from syncd.source.table.spoken import month_of

_WEEK = 7
_FEWEST = 2
_MEANT = 0.8
"""Share of the cells below a few bare numbers that must be hours or usual codes, or the numbers are no days."""
_CODE_CHARS = 12
_MOST_CODES = 40
_DAY, _NIGHT, _ROUND, _OFF = (
    ("08:00-20:00", "Дневная смена"),
    ("20:00-08:00", "Ночная смена"),
    "Суточная смена",
    ("", ""),
)
_MORNING, _EVENING, _WORK = (
    ("07:00-15:00", "Утренняя смена"),
    ("15:00-23:00", "Вечерняя смена"),
    ("09:00-18:00", "Работа"),
)
_LEAVE, _SICK, _TRIP = ("all day", "Отпуск"), ("all day", "Больничный"), ("all day", "Командировка")
_USUAL: Mapping[str, tuple[str, str]] = {
    "д": _DAY, "день": _DAY, "дн": _DAY, "12": _DAY, "11": _DAY, "н": _NIGHT, "ночь": _NIGHT,
    "с": ("08:00-08:00", _ROUND), "сут": ("08:00-08:00", _ROUND), "сутки": ("08:00-08:00", _ROUND),
    "24": ("08:00-08:00", _ROUND), "у": _MORNING, "утро": _MORNING, "вечер": _EVENING, "я": _WORK, "8": _WORK,
    "1": ("08:00-16:00", "1-я смена"), "2": ("16:00-00:00", "2-я смена"), "3": ("00:00-08:00", "3-я смена"),
    "day": ("08:00-20:00", "Day shift"), "d": ("08:00-20:00", "Day shift"), "night": ("20:00-08:00", "Night shift"),
    "n": ("20:00-08:00", "Night shift"), "о": _LEAVE, "от": _LEAVE, "отп": _LEAVE, "отпуск": _LEAVE, "б": _SICK,
    "бл": _SICK, "к": _TRIP, "в": _OFF, "вых": _OFF, "выходной": _OFF, "x": _OFF, "х": _OFF, "off": _OFF,
}  # fmt: skip
"""What codes usually mean in such plans: hours and a title, by the folded code."""
_FOLDED = {folded_code(code): meaning for code, meaning in _USUAL.items()}
_LEGEND = re.compile(r"\W{0,12}(\S{1,12})\W{0,12}?\s*[-\N{EN DASH}\N{EM DASH}=:]\s*(.+)", re.DOTALL)
_MEANS = re.compile(
    r"""(?:^|(?<=[\s,;.("«]))([^\s,;."«»()=]{1,12}?)["»)]?\s*(?:[-\N{EN DASH}\N{EM DASH}=]|:(?!\d))\s*""", re.MULTILINE
)
"""Where a legend says what something means: "Д - ", "«Н» = "."""
_HOURS = re.compile(r"\d{1,2}(?:[:.]\d{2})?\s*(?:-|\N{EN DASH}|\N{EM DASH}|до|по)\s*\d{1,2}(?:[:.]\d{2})?")
_BY_LEGEND = say("from the legend")

Said = tuple[str, str | int, str]
"""A key, its value, and a note on where it comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridGuess:
    """The keys of `[sync.source.grid]`, its codes and titles; `people` are the names in it, `doubts` what to check."""

    keys: tuple[Said, ...]
    codes: tuple[Said, ...]
    titles: tuple[Said, ...]
    people: tuple[str, ...]
    doubts: tuple[str, ...]


def guess_grid(lines: Sequence[tuple[int, Sequence[str]]], called: Sequence[str], today: date) -> GridGuess | None:
    """Return what a table seems to be as a grid, None if it is none; `called` names its sheet and file."""
    best: GridGuess | None = None
    most = 0
    for at, (line, cells) in enumerate(lines[:HEADER_WITHIN]):
        days = find_days(cells, max(_FEWEST, most + 1))
        if days is None or most >= _WEEK:
            continue
        rows = [row for _, row in lines[at + 1 :]]
        above = [row for _, row in lines[:at]]
        names = _names_column(days, cells, above, rows)
        if names is None or not _is_plan(days, title_of(names, cells, above), names, rows):
            continue
        if codes := _codes(days, names, rows):
            best, most = _described(days, line, cells, above, rows, names, codes, called, today), len(days.days)
    return best


def _is_plan(days: Days, title: str, names: int, rows: Sequence[Sequence[str]]) -> bool:
    """Return True if so few days can be those of a plan: two of them may be the period of any report."""
    if len(days.days) >= _WEEK:
        return True
    if len(days.days) == _FEWEST and field_of(title) != "owner":
        return False
    if days.dated or days.has_months:
        ordinals = [day.toordinal() for day in days.days.values()]
        return all(later - earlier <= 3 for earlier, later in pairwise(ordinals))  # at most over a weekend
    cells = [row[at] for row in _people(days, names, rows) for at in days.days if at < len(row) and row[at]]
    meant = [text for text in cells if hours_of(text) is not None or folded_code(text) in _FOLDED or is_nothing(text)]
    return bool(meant) and len(meant) >= (0.5 if days.named else _MEANT) * len(cells)


def _described(
    days: Days, line: int, cells: Sequence[str], above: Sequence[Sequence[str]], rows: Sequence[Sequence[str]],
    names: int, codes: Sequence[str], called: Sequence[str], today: date,
) -> GridGuess:  # fmt: skip
    title = title_of(names, cells, above)
    keys: list[Said] = [
        ("names", title or names + 1, say("the column of people")),
        ("dates", line, say("the line of the days")),
    ]
    doubts: list[str] = []
    texts = [text for row in (*above, cells) for text in row]
    if not days.dated and all(month_named(one) is None for one in (texts, called, [*texts, *called])):
        month = _likely_month([*texts, *called], today, days)
        keys.append(("month", month, say("a guess: neither the table nor the names of sheet and file say it")))
        doubts.append(say('the days have no month with a year: month = "{month}" is a guess', month=month))
    legend = _legend(rows, codes)
    meanings = [(code, *_meaning(code, legend)) for code in codes if code]
    guesses = tuple(code for code, _, _, said in meanings if said != _BY_LEGEND)
    if guesses:
        doubts.append(say("what the codes {codes} mean is a guess: correct their hours in codes", codes=guesses))
    return GridGuess(
        keys=tuple(keys),
        codes=tuple((code, hours, said) for code, hours, _, said in meanings),
        titles=tuple((code, name, "") for code, _, name, _ in meanings if name),
        people=tuple(dict.fromkeys(row[names] for row in _people(days, names, rows))),
        doubts=tuple(doubts),
    )


def _names_column(
    days: Days, cells: Sequence[str], above: Sequence[Sequence[str]], rows: Sequence[Sequence[str]]
) -> int | None:
    """Return the column of names: by its title, else the one left of the days with most different words."""
    left = range(min(days.days))
    titled = [at for at in left if field_of(title_of(at, cells, above)) == "owner"]
    if len(titled) == 1:
        return titled[0]
    words = {at: len({row[at] for row in _people(days, at, rows) if any(map(str.isalpha, row[at]))}) for at in left}
    best = max(words, key=lambda at: words[at], default=None)
    return best if best is not None and words[best] else None


def _people(days: Days, names: int, rows: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    """Yield the rows of people: with a name and something on some day."""
    for row in rows:
        filled = [row[at] for at in days.days if at < len(row) and row[at]]
        is_none = names >= len(row) or not row[names] or is_note(row[names]) or counts_columns(row)
        if filled and not is_none and not days.are_weekdays(filled):
            yield row


def _codes(days: Days, names: int, rows: Sequence[Sequence[str]]) -> list[str]:
    """Return what stands in the cells and is no hours, commonest first; nothing if the cells hold longer texts."""
    found = Counter(
        " ".join(row[at].split())
        for row in _people(days, names, rows)
        for at in days.days
        if at < len(row) and row[at] and not is_nothing(row[at]) and not is_error(row[at])
    )
    codes = [text for text, _ in found.most_common() if hours_of(text) is None]
    if not found or len(codes) > _MOST_CODES or any(len(code) > _CODE_CHARS for code in codes[:3]):
        return []
    # Written in two ways, a code is one.
    return list({folded_code(code): code for code in reversed(codes)}.values())[::-1] or [""]


def _legend(rows: Sequence[Sequence[str]], codes: Sequence[str]) -> dict[str, str]:
    """Return the hours that a legend gives to codes: "Д - день с 8 до 20", or a code and its hours in two cells.

    One cell may tell several codes.
    """
    folded = {folded_code(code): code for code in codes}
    found: dict[str, str] = {}
    for row in rows:
        filled = [cell for cell in row if cell]
        pairs = [pair for cell in filled for pair in _said_of(cell, folded)]
        pairs += list(pairwise(filled)) if len(filled) <= 4 else []
        for code, text in pairs:
            hours = _HOURS.search(text)
            if folded_code(code) in folded and hours is not None and hours_of(hours[0]) is not None:
                found.setdefault(folded[folded_code(code)], (hours_of(hours[0]) or ("",))[0])
    return found


def _said_of(cell: str, folded: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return each code in a cell of the legend and what is said of it, which ends where the next code begins."""
    told = [
        means
        for means in _MEANS.finditer(cell)
        # "с 8 - 20" are hours, though 8 may be a code.
        if folded_code(means[1]) in folded and not _HOURS.match(cell, means.start(1))
    ]
    if not told:
        return [(said[1], said[2])] if (said := _LEGEND.fullmatch(cell)) else []
    ends = [*(means.start() for means in told[1:]), len(cell)]
    return [(means[1], cell[means.end() : end]) for means, end in zip(told, ends, strict=True)]


def _meaning(code: str, legend: Mapping[str, str]) -> tuple[str, str, str]:
    """Return the hours of a code, a title, and where they come from."""
    usual = _FOLDED.get(folded_code(code))
    if code in legend:
        return legend[code], usual[1] if usual is not None else "", _BY_LEGEND
    if usual is None:
        return "all day", "", say("a guess: nothing says its hours")
    return usual[0], usual[1], say("a guess: a day off") if not usual[0] else say("a guess: what it usually means")


def _likely_month(texts: Sequence[str], today: date, days: Days) -> str:
    """Return the month that is named without a year, in the year that puts it nearest to today; else that of today."""
    words = (
        {next(iter(days.days.values())).month}
        if days.has_months
        else {month for text in texts for word in re.findall(r"[^\W\d_]{3,}", text) if (month := month_of(word))}
    )
    if len(words) != 1:
        return f"{today:%Y-%m}"
    month = words.pop()
    year = min((today.year - 1, today.year, today.year + 1), key=lambda year: abs((date(year, month, 1) - today).days))
    return f"{year}-{month:02}"
