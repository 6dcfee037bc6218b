"""Dates as people say them, in English and Russian: with the month's name, or the weekday's beside them.

1 December 2026   Dec 1st, 2026, 9:00 am   1 декабря 2026 г.   вт, 01.12.2026   01.12.2026 (вторник) 8:30

A weekday is ignored, not checked: the date is enough.
"""

from __future__ import annotations

import re
from datetime import date

_MONTHS = (
    ("january", "января", "январь"),
    ("february", "февраля", "февраль"),
    ("march", "марта", "март"),
    ("april", "апреля", "апрель"),
    ("may", "мая", "май"),
    ("june", "июня", "июнь"),
    ("july", "июля", "июль"),
    ("august", "августа", "август"),
    ("september", "сентября", "сентябрь"),
    ("october", "октября", "октябрь"),
    ("november", "ноября", "ноябрь"),
    ("december", "декабря", "декабрь"),
)
_DAYS = "monday tuesday wednesday thursday friday saturday sunday понедельник вторник среда четверг пятница суббота"
_WEEKDAYS = frozenset(
    part
    for day in (*_DAYS.split(), "воскресенье", "среду", "пятницу", "субботу")
    for part in (day, day[:3], day[:4], day[:5])
) | frozenset(["пн", "вт", "ср", "чт", "пт", "сб", "вс", "mo", "tu", "we", "th", "fr", "sa", "su"])
_WORD = r"[^\W\d_]+"
_BEFORE = re.compile(rf"\(?({_WORD})\.?\)?,?\s+(?=\d|{_WORD})")
_BEHIND = re.compile(rf"(?<=[\d.])(?:\s*,\s*|\s+|\s*\()({_WORD})\.?\)?(?=,?\s|$)")
_DAY_FIRST = re.compile(
    rf"(\d{{1,2}})(?:\.|st|nd|rd|th)?\s+({_WORD})\.?,?\s+(\d{{4}})(?:\s*г(?:\.|ода)?)?(?:,?\s+(.+))?"
)
_MONTH_FIRST = re.compile(rf"({_WORD})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})(?:,?\s+(.+))?")
_LEAST = 3
"""Fewest letters of a month: "ма" could be March or May, and so could "ma"."""


def without_weekday(text: str) -> str:
    """Return the text without the name of a weekday before or behind its date, or unchanged if there is none."""
    before = _BEFORE.match(text)
    if before is not None and before[1].casefold() in _WEEKDAYS:
        return text[before.end() :]
    # Each word is looked at, as the first may be the month: 1 December, Tue.
    for behind in _BEHIND.finditer(text):
        if behind[1].casefold() in _WEEKDAYS:
            return (text[: behind.start()] + text[behind.end() :]).strip()
    return text


def named_day(text: str) -> tuple[date, str] | None:
    """Return the day that a text with a month's name begins with, and the rest; None for any other text.

    Raises ValueError for a day that the month does not have.
    """
    if found := _DAY_FIRST.fullmatch(text):
        day, word, year, rest = found.groups()
    elif found := _MONTH_FIRST.fullmatch(text):
        word, day, year, rest = found.groups()
    else:
        return None
    month = _month(word.casefold())
    if month is None:
        return None
    try:
        return date(int(year), month, int(day)), rest or ""
    except ValueError:
        raise ValueError(f"there is no day {int(year):04}-{month:02}-{int(day):02}") from None


def _month(word: str) -> int | None:
    """Return the number of the one month whose name begins with `word`, None if there is none or more than one."""
    if len(word) < _LEAST:
        return None
    hits = [number for number, names in enumerate(_MONTHS, 1) if any(name.startswith(word) for name in names)]
    return hits[0] if len(hits) == 1 else None
