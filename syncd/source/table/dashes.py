"""Hours with a dash in place of a colon, or without their minutes, as people write them into tables.

11-00  8-45    a time: no day has so many hours
20-8  9 - 18ч  from one hour to another: nobody writes minutes with one digit, or hours behind them
8-30 - 9-15    from one time to another
8-20           could be both: 8:20, or from 8 to 20. What the other cells of the column show decides, if they agree
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from syncd.lang.saying import say

Dashes = Literal["", "times", "hours"]
"""What dashes stand for in a column where a text could mean both: colons, or from one hour to another ("" unknown)."""
_Kind = Literal["", "times", "hours", "either", "odd"]

_DASH = r"\s*[-\N{EN DASH}\N{EM DASH}]\s*"
WITH_DASH = re.compile(r"[-\N{EN DASH}\N{EM DASH}]\s*\d\d\Z")
"""What stands in every text that could be both, and in few others."""
_PAIR = re.compile(rf"(\d{{1,2}}){_DASH}(\d{{1,2}})(\s*(?:ч\.?|час(?:а|ов)?|h))?", re.IGNORECASE)
_TWO_TIMES = re.compile(
    r"(\d{1,2})-(\d{2})(?:\s+[-\N{EN DASH}\N{EM DASH}]\s+|\s*[\N{EN DASH}\N{EM DASH}]\s*)(\d{1,2})-(\d{2})"
)
_BEHIND_DATE = re.compile(r".*\d(?:\s*г\.?)?[\s,]+(\d{1,2}-\d{1,2})")
_OF_HOURS = re.compile(r"час|hours|смен|shift|график|режим|интервал|период", re.IGNORECASE)
"""Titles of columns that hold two hours, not one time."""
_LAST_HOUR, _STEP = 24, 5


def find_dashes(texts: Iterable[str], title: str) -> Dashes:
    """Return what dashes stand for in the starts of rows where no other column says the end.

    Evidence of both kinds is none, so that one odd cell does not turn the others.
    """
    kinds = set(map(_kind_behind_date, texts))
    if _OF_HOURS.search(title):
        kinds.add("hours")
    if {"times", "hours"} <= kinds:
        return ""
    if "times" in kinds:
        return "times"
    # Times of a schedule are multiples of five minutes: 9-18 shows hours as long as nothing shows times.
    return "hours" if kinds & {"hours", "odd"} else ""


def could_be_both(text: str) -> bool:
    """Return True if a text, perhaps behind a date, could be one time or two hours."""
    return _kind_behind_date(text) in ("either", "odd")


def without_dashes(text: str, dashes: Dashes) -> str | None:
    """Return "20-8" as "20:00-8:00" and "11-00" as "11:00", None for any other text.

    Raises ValueError for a text that could mean both, if `dashes` does not say which.
    """
    if found := _TWO_TIMES.fullmatch(text):
        return f"{found[1]}:{found[2]}-{found[3]}:{found[4]}"
    kind = _kind(text)
    found = _PAIR.fullmatch(text)
    if found is None or not kind:
        return None
    first, second = found[1], found[2]
    if kind in ("either", "odd"):
        if not dashes:
            raise ValueError(
                say(
                    "{text!r} could be {first}:{second} or from {first} to {second} (write {first}:{second}, or "
                    "{first}:00-{second}:00)",
                    text=text,
                    first=first,
                    second=second,
                )
            )
        kind = dashes
    return f"{first}:{second}" if kind == "times" else f"{first}:00-{second}:00"


def _kind_behind_date(text: str) -> _Kind:
    return _kind(found[1] if (found := _BEHIND_DATE.fullmatch(text)) else text)


def _kind(text: str) -> _Kind:
    """Return what a text shows: "either" is what it could be both, "odd" so with minutes that no schedule has."""
    found = _PAIR.fullmatch(text)
    if found is None or int(found[1]) > _LAST_HOUR:
        return ""
    if found[3] or len(found[2]) == 1:
        return "hours"
    if found[2] == "00" or int(found[2]) > _LAST_HOUR:
        return "times"
    return "odd" if int(found[2]) % _STEP else "either"
