"""Dates and hours as people say them, in English and Russian: with the name of a month, a weekday or a time zone.

1 December 2026   Dec 1st, 2026, 9:00 am   1 декабря 2026 г.   05-Dec-26   вт, 01.12.2026   01.12.2026 (вторник) 8:30
с 8 до 20   from 8 am to 5 pm   сутки   9:00 MSK   9:00 UTC+3   2026-12-01T09:00+03:00[Europe/Moscow]

A weekday is ignored, not checked: the date is enough.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from syncd.lang.saying import say
from syncd.model import zones

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
_DAYS = (
    ("monday", "понедельник", "пн", "mo"),
    ("tuesday", "вторник", "вт", "tu"),
    ("wednesday", "среда", "ср", "we", "среду"),
    ("thursday", "четверг", "чт", "th"),
    ("friday", "пятница", "пт", "fr", "пятницу"),
    ("saturday", "суббота", "сб", "sa", "субботу"),
    ("sunday", "воскресенье", "вс", "su"),
)
_WEEKDAYS = {
    part: number
    for number, names in enumerate(_DAYS)
    for name in names
    for part in (name, *((name[:3], name[:4], name[:5]) if len(name) > 2 else ()))
}
_WORD = r"[^\W\d_]+"
_BEFORE = re.compile(rf"\(?({_WORD})\.?\)?,?\s+(?=\d|{_WORD})")
_BEHIND = re.compile(rf"(?<=[\d.])(?:\s*,\s*|\s+|\s*\()({_WORD})\.?\)?(?=,?\s|$)")
_YEAR = r"(\d{4}|\d{2})(?!\d)"
_DAY_FIRST = re.compile(
    rf"(\d{{1,2}})(?:\.|st|nd|rd|th)?[\s./-]*({_WORD})\.?,?[\s./-]*{_YEAR}(?:\s*г(?:\.|ода)?)?(?:,?\s+(.+))?"
)
_MONTH_FIRST = re.compile(rf"({_WORD})\.?[\s./-]+(\d{{1,2}})(?:st|nd|rd|th)?(?:,\s*|[\s./-]+){_YEAR}(?:,?\s+(.+))?")
_YEAR_FIRST = re.compile(rf"(\d{{4}})[\s./-]+({_WORD})\.?[\s./-]+(\d{{1,2}})(?!\d)(?:,?\s+(.+))?")
_WITHOUT_YEAR = re.compile(rf"(\d{{1,2}})(?:\.|st|nd|rd|th)?[\s./-]*({_WORD})\.?|({_WORD})\.?[\s./-]+(\d{{1,2}})")
_HOUR = r"(\d{1,2})(?:[:.-](\d{2}))?\s*(?:ч\.?|час(?:а|ов)?|h)?\s*([ap]\.?m\.?)?"
_HOURS = re.compile(rf"(?:[сc]|from|between)?\s*{_HOUR}\s*(?:до|по|to|till|until|and)\s*{_HOUR}", re.IGNORECASE)
WHOLE_DAY = frozenset({"all day", "allday", "all-day", "весь день", "целый день", "whole day"})
"""How people say that something has no hours, casefolded."""
_ROUND_THE_CLOCK = frozenset(["сутки", "круглосуточно", "24/7", "24 часа", "24 ч", "24ч", "24h", "24 hours"])
_BEHIND_TIME = re.compile(
    r"(.*\d(?:\s*[ap]\.?m\b\.?|Z|[+-]\d{2}:?\d{2})?)\s*[(\[]?((?:[A-Za-z_]+/)*[^\W\d_]{2,}(?:[_/-][A-Za-z_]+)*)"
    r"\s*([+-]\d{1,2}(?::?\d{2})?)?[)\]]?",
    re.IGNORECASE,
)
_OFFSET_H = {
    "utc": 0, "gmt": 0, "wet": 0, "west": 1, "cet": 1, "cest": 2, "mez": 1, "mesz": 2, "eet": 2, "eest": 3,
    "msk": 3, "мск": 3, "yekt": 5, "omst": 6, "novt": 7, "krat": 7, "irkt": 8, "yakt": 9, "vlat": 10, "magt": 11,
    "pett": 12, "jst": 9, "kst": 9, "est": -5, "edt": -4, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip
"""Abbreviations that mean one offset (RFC 5322, 4.3, and those of Europe and Russia). CST, IST and BST mean several."""
_YEAR_LAST = re.compile(
    rf"(?:{_WORD}\s+)?({_WORD})\s+(\d{{1,2}})\s+(\d{{1,2}}:\d{{2}}:\d{{2}})(\s+[\w+:/-]+)?\s+(\d{{4}})"
)
_NAMED_OFFSET = re.compile(r"(?<=[+-]\d{4})\s*\([^()]*\)$")
"""Behind an offset, browsers repeat its zone by name: GMT+0300 (Moscow Standard Time)."""
LONGEST = 100
"""No date, time or pair of them has more characters; on a long text the patterns would take minutes."""
_LEAST = 3
"""Fewest letters of a month: "ма" could be March or May, and so could "ma"."""


def year_in_place(text: str) -> str:
    """Return a stamp of programs, "Sat Dec 5 09:00:00 MSK 2026", with the year beside its day; others unchanged."""
    found = _YEAR_LAST.fullmatch(text)
    return f"{found[1]} {found[2]} {found[5]} {found[3]}{found[4] or ''}" if found else text


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


def weekday_of(text: str) -> int | None:
    """Return the number of a weekday from Monday (0) by its name or abbreviation, None for any other text."""
    return _WEEKDAYS.get(text.strip(" .").casefold())


def without_zone(text: str) -> tuple[str, timedelta | str | None]:
    """Return the text without the zone behind its time, and the zone's offset from UTC or its IANA name.

    None if there is none: any other word belongs to the text.
    """
    text = _NAMED_OFFSET.sub("", text) if text[-1:] == ")" else text
    found = _BEHIND_TIME.fullmatch(text)
    if found is None:
        return text, None
    hours = _OFFSET_H.get(found[2].casefold())
    if hours is None:
        zone = zones.resolve(found[2]) if "/" in found[2] and not found[3] else None
        return (found[1], zone) if zone is not None else (text, None)
    size = timedelta(0)
    if found[3]:
        digits = found[3][1:].replace(":", "")
        size = (
            timedelta(hours=int(digits[:-2] or 0), minutes=int(digits[-2:]))
            if len(digits) > 2
            else timedelta(hours=int(digits))
        )
    # МСК+2 is what Russian railways and offices write: two hours ahead of Moscow.
    return found[1], timedelta(hours=hours) + (-size if found[3] and found[3][0] == "-" else size)


def spoken_range(text: str) -> str | None:
    """Return the hours of "с 8 до 20" as "8:00-20:00", those of "сутки" as "0:00-24:00"; None for any other text."""
    if text.casefold() in _ROUND_THE_CLOCK:
        return "0:00-24:00"
    found = _HOURS.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        return None
    first, last = (f"{found[at]}:{found[at + 1] or '00'} {found[at + 2] or ''}".strip() for at in (1, 4))
    return f"{first}-{last}"


def day_and_month(text: str) -> tuple[int, int] | None:
    """Return day and month of a text such as "1 дек" or "Dec 1", None for any other."""
    found = _WITHOUT_YEAR.fullmatch(text)
    month = month_of(found[2] or found[3]) if found is not None else None
    return (int(found[1] or found[4]), month) if found is not None and month is not None else None


def named_day(text: str) -> tuple[date, str] | None:
    """Return the day that a text with a month's name begins with, and the rest; None for any other text.

    Raises ValueError for a day that the month does not have, and for one without a year.
    """
    if found := _DAY_FIRST.fullmatch(text):
        day, word, year, rest = found.groups()
    elif found := _MONTH_FIRST.fullmatch(text):
        word, day, year, rest = found.groups()
    elif found := _YEAR_FIRST.fullmatch(text):
        year, word, day, rest = found.groups()
    else:
        if day_and_month(text) is not None:
            raise ValueError(say("{text!r} has no year (write it like 31 December 2026)", text=text))
        return None
    month = month_of(word)
    if month is None:
        return None
    year = int(year) + (2000 if len(year) == 2 else 0)
    try:
        return date(year, month, int(day)), rest or ""
    except ValueError:
        raise ValueError(
            say("there is no day {year:04}-{month:02}-{day:02} (correct it)", year=year, month=month, day=int(day))
        ) from None


def month_of(word: str) -> int | None:
    """Return the number of the one month whose name begins with `word`, None if there is none or more than one."""
    word = word.casefold()
    if len(word) < _LEAST:
        return None
    hits = [number for number, names in enumerate(_MONTHS, 1) if any(name.startswith(word) for name in names)]
    return hits[0] if len(hits) == 1 else None
