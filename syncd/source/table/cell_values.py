"""The values that people write into cells, in English and Russian: yes and no, states, durations, lists.

Every reader takes a stripped text and raises CellError with the forms that it accepts. Its message begins with "is",
so that the caller can put the field and the text before it.
"""

from __future__ import annotations

import re
from datetime import timedelta

from syncd.lang.saying import say
from syncd.model.entry import Reminder, Status
from syncd.source.field_values import iso_length
from syncd.source.table.spoken import WHOLE_DAY


class CellError(ValueError):
    """What is wrong with the text of a cell; the message goes on behind that text."""


MINUTE = timedelta(minutes=1)
_YES = frozenset({"yes", "y", "true", "t", "1", "x", "+", "on", "✓", "да", "д", "истина", "х"})  # the last is Cyrillic
_YES |= WHOLE_DAY
_NO = frozenset({"no", "n", "false", "f", "0", "-", "off", "нет", "н", "ложь"})
_NONE = frozenset({"none", "no", "нет", "-", "без"})
_STATUS: dict[str, Status] = dict.fromkeys(
    ("confirmed", "accepted", "подтверждено", "подтвержден", "подтверждена"), "CONFIRMED"
)
_STATUS |= dict.fromkeys(("tentative", "под вопросом", "предварительно"), "TENTATIVE")
_STATUS |= dict.fromkeys(
    ("cancelled", "canceled", "отменено", "отменен", "отменена", "отмена"),
    "CANCELLED",
)
_PRIORITY = {
    "high": 1, "высокий": 1, "высокая": 1,
    "medium": 5, "normal": 5, "средний": 5, "обычный": 5, "обычная": 5,
    "low": 9, "низкий": 9, "низкая": 9,
}  # fmt: skip
_UNITS = (
    (timedelta(weeks=1), "w wk week weeks н нед неделя недели недель"),
    (timedelta(days=1), "d day days д дн день дня дней сутки суток"),
    (timedelta(hours=1), "h hr hrs hour hours ч час часа часов"),
    (timedelta(minutes=1), "m min mins minute minutes м мин минута минуты минут"),
    (timedelta(seconds=1), "s sec secs second seconds с сек секунда секунды секунд"),
)
_UNIT = {word: size for size, words in _UNITS for word in words.split()}
_SPOKEN = {
    "час": timedelta(hours=1), "hour": timedelta(hours=1), "an hour": timedelta(hours=1),
    "полчаса": timedelta(minutes=30), "half an hour": timedelta(minutes=30), "полтора часа": timedelta(minutes=90),
    "сутки": timedelta(days=1), "day": timedelta(days=1), "день": timedelta(days=1), "полсуток": timedelta(hours=12),
}  # fmt: skip
"""Lengths without a number: an hour, a day."""
_CLOCK = re.compile(r"(\d{1,3}):(\d{2})(?::(\d{2}))?")
_NUMBER = re.compile(r"\d{1,8}(?:[.,](?:0{1,3}|(\d{1,3})))?")
"""A number, with the part behind its point if that is not zero: pandas writes 90 as 90.0."""
_PIECE = re.compile(r"\s*(\d{1,6}(?:[.,]\d{1,3})?)\s*([^\W\d_]+)\.?\s*")
_LONGEST = timedelta(days=3660)
_LONGEST_TEXT = 40
"""No duration is longer; a description in the wrong column is not searched for units."""
_ERROR = re.compile(
    r"#(?:REF!|N/A|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!|GETTING_DATA|FIELD!|BLOCKED!|BUSY!|CONNECT!|UNKNOWN!|FORMULA!)"
    r"|#(?:ССЫЛКА!|Н/Д|ЗНАЧ!|ИМЯ\?|ДЕЛ/0!|ПУСТО!|ЧИСЛО!|ПЕРЕНОС!|BEZUG!|NV|WERT!|ZAHL!)|#{3,}|Err:\d{3}",
    re.IGNORECASE,
)
"""Errors of Excel in English, Russian and German, of LibreOffice, and what a column too narrow for it is saved as."""


def is_error(text: str) -> bool:
    """Return True if a cell holds an error of a spreadsheet."""
    return _ERROR.fullmatch(text) is not None


def truth(text: str) -> bool:
    """Return True for yes, False for no."""
    word = text.casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise CellError(say("is neither yes nor no (yes, true, 1, x, да / no, false, 0, нет)"))


def status(text: str) -> Status:
    """Return a STATUS of RFC 5545, given as such or in other words."""
    found = _STATUS.get(text.casefold().replace("ё", "е"))
    if found is None:
        raise CellError(say("is not a known status (confirmed, tentative, cancelled)"))
    return found


def priority(text: str) -> int | None:
    """Return a PRIORITY of RFC 5545 (1 highest to 9 lowest, None for 0); also from high, normal, low."""
    if text.isascii() and text.isdigit() and len(text) == 1:
        return int(text) or None
    found = _PRIORITY.get(text.casefold())
    if found is None:
        raise CellError(say("is not a known priority (0 to 9, high, normal, low)"))
    return found


def duration(text: str, unit: timedelta | None = MINUTE) -> timedelta:
    """Return a length of at most ten years: 90, 1:30, 1h30m, PT1H30M, "45 min", "1 ч 30 мин".

    `unit` is what a bare number counts, None if that is not known. A part of a minute is read in longer units only.
    """
    if number := _NUMBER.fullmatch(text):
        if unit is None:
            raise CellError(
                say('is a number, and its heading does not say what it counts (set duration_unit, e.g. "1h")')
            )
        if unit == MINUTE and number[1]:
            raise ValueError(say('could be parts of an hour (write 1:30, or set duration_unit = "1h" for hours)'))
        found: timedelta | None = _of_units(text, unit)
    else:
        found = _duration(text)
    if found is None or found > _LONGEST:
        raise CellError(say("is not a duration (90, 1:30, 1h30m, PT1H30M, 45 min)"))
    return found


def length_in_words(text: str) -> timedelta | None:
    """Return a length that says its units, such as "2 часа" or PT1H, None for any other text."""
    if not text or len(text) > _LONGEST_TEXT:
        return None
    found = _SPOKEN.get(text.casefold())
    for read in (iso_length, _units):
        found = read(text) if found is None else found
    return found if found is not None and found <= _LONGEST else None


def reminders(text: str) -> tuple[Reminder, ...]:
    """Return how long before the start to remind ("15m, 1d", bare numbers are minutes), () for "none"."""
    if text.casefold() in _NONE:
        return ()
    try:
        # Some programs write -15m: before the start is what every reminder means.
        lengths = {duration(piece.lstrip("-").strip()) for piece in items(text)}
    except ValueError:
        raise CellError(say("is not a list of reminders (15m, 1d; or none)")) from None
    return tuple(Reminder(before=length) for length in sorted(lengths))


def items(text: str) -> tuple[str, ...]:
    """Return the items of a list separated by commas, semicolons or line ends; each once, in order."""
    if not text:
        return ()
    pieces = (piece.strip() for piece in re.split(r"[,;\n]", text))
    return tuple(dict.fromkeys(filter(None, pieces)))


def _duration(text: str) -> timedelta | None:
    if not text or len(text) > _LONGEST_TEXT:
        return None
    return found if (found := _clock(text)) is not None else length_in_words(text)


def _clock(text: str) -> timedelta | None:
    if found := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (int(piece or 0) for piece in found.groups())
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return None


def _units(text: str) -> timedelta | None:
    total, at = timedelta(0), 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None or piece[2].casefold() not in _UNIT:
            return None
        total += _of_units(piece[1], _UNIT[piece[2].casefold()])
        at = piece.end()
    return total


def _of_units(number: str, unit: timedelta) -> timedelta:
    """Return so many units; parts of them to the minute, because 1.33 hours are 80 minutes to whoever writes them."""
    found = unit * float(number.replace(",", "."))
    return found if number.isdigit() or unit <= MINUTE else MINUTE * round(found / MINUTE)
