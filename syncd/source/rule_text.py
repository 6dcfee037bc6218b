"""Recurrence rules as programs write them, made plain: what says nothing is dropped, stamps are written one way.

Only what can have one meaning is changed; everything else is left to whoever checks the rule.
"""

from __future__ import annotations

import re

from syncd.lang.saying import say
from syncd.source.stamps import looks_like_stamp, read_stamp, utc_of

_WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_LISTS = re.compile(r"BY[A-Z]+|COUNT|INTERVAL|WKST")
_NEXT_PART = re.compile(r",(?=[A-Z]+=)")
_WHOLE = re.compile(r"(\d+)\.0+")
_GLUED_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?=\d\d:)")
_UNQUOTED = str.maketrans("", "", "\"'")
_SAFE_DAY = 28
"""Every month has this day, so a rule that keeps to it never has to skip one."""


def plain_rule(text: str, *, day: int) -> str:
    """Return a rule in upper case without blanks, escapes and parts that say nothing; "" if there is no rule.

    `day` is the day of the month on which the series begins. Raises ValueError for a calendar scale that cannot be
    shown (RFC 7529).
    """
    # No value of a rule has a quotation mark, an escape or a blank in it.
    rule = "".join(text.replace("\\;", ";").replace("\\,", ",").translate(_UNQUOTED).split()).upper()
    rule = _NEXT_PART.sub(";", rule)
    # Sheets and some exports put the name of the property before it, and some write a part twice.
    pieces = tuple(dict.fromkeys(_plain(piece) for piece in rule.removeprefix("RRULE:").split(";") if piece))
    has_until = any(name == "UNTIL" and value for name, _, value in pieces)
    kept = [piece for piece in pieces if not _says_nothing(*piece, has_until=has_until)]
    if any(name in ("RSCALE", "SKIP") for name, _, _ in kept):
        kept = _gregorian(kept, day)
    return ";".join(name + equals + (_until(value) if name == "UNTIL" else value) for name, equals, value in kept)


def _plain(piece: str) -> tuple[str, str, str]:
    """Return name, "=" and value of a part; lists without their empty items (BYDAY=TU,), weekdays as two letters."""
    name, equals, value = piece.partition("=")
    if _LISTS.fullmatch(name):
        value = ",".join(_item(name, item) for item in value.split(",") if item)
    return name, equals, value


def _item(name: str, text: str) -> str:
    if name in ("COUNT", "INTERVAL"):
        return _WHOLE.sub(r"\1", text.removeprefix("+"))
    if name in ("BYDAY", "WKST"):
        word = text.lstrip("+-0123456789")
        full = len(word) > 2 and any(weekday.startswith(word) for weekday in _WEEKDAYS)
        return text.removesuffix(word) + word[:2] if full else text
    return text


def _says_nothing(name: str, equals: str, value: str, *, has_until: bool) -> bool:
    """Return True for a part without a value, and for a COUNT that means "not counted"."""
    if name == "COUNT":
        return value in ("", "-1") or (value == "0" and has_until)
    return bool(equals) and not value and name not in ("", "FREQ")


def _gregorian(pieces: list[tuple[str, str, str]], day: int) -> list[tuple[str, str, str]]:
    """Return the parts without the calendar scale of RFC 7529, which is Gregorian and skips no day anyway."""
    named = {name: value for name, _, value in pieces}
    if named.get("RSCALE", "GREGORIAN") not in ("GREGORIAN", "GREGORY"):
        raise ValueError(
            say("the rule counts in the calendar {scale}, which cannot be shown (use dates)", scale=named["RSCALE"])
        )
    skip = named.get("SKIP", "OMIT")
    if skip != "OMIT" and named.get("FREQ") in ("MONTHLY", "YEARLY") and not {"BYDAY", "BYYEARDAY"} & named.keys():
        days = [abs(int(text)) for text in named.get("BYMONTHDAY", str(day)).split(",") if text.lstrip("+-").isdigit()]
        if max(days, default=31) > _SAFE_DAY:
            raise ValueError(
                say(
                    "the rule moves days that a month lacks (SKIP={skip}), which cannot be shown (use RDATE)", skip=skip
                )
            )
    return [piece for piece in pieces if piece[0] not in ("RSCALE", "SKIP")]


def _until(text: str) -> str:
    """Return the stamp of an UNTIL as RFC 5545 writes it; what is none stays as it is."""
    text = _GLUED_TIME.sub(r"\1T", text.removesuffix("T"))
    if not looks_like_stamp(text):
        return text
    wall, has_time, offset = read_stamp(text)
    if not has_time:
        return f"{wall:%Y%m%d}"
    return f"{wall:%Y%m%dT%H%M%S}" if offset is None else f"{utc_of(wall, offset):%Y%m%dT%H%M%SZ}"
