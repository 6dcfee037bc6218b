"""RRULE text to checked parts, as RFC 5545 3.3.10 writes it, read as leniently as calendars do.

Never guesses: what cannot be read raises `RuleError` with the remedy; what contradicts itself but can be read is noted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from syncd.lang.saying import say
from syncd.model.rule import WEEKDAYS

Freq = Literal["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]
FREQS: tuple[Freq, ...] = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
SUB_DAILY = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d):?(\d\d)?(Z?))?")
_RANGES = {
    "BYMONTH": (1, 12, False),
    "BYWEEKNO": (1, 53, True),
    "BYYEARDAY": (1, 366, True),
    "BYMONTHDAY": (1, 31, True),
    "BYHOUR": (0, 23, False),
    "BYMINUTE": (0, 59, False),
    "BYSECOND": (0, 60, False),
    "BYSETPOS": (1, 366, True),
}
_LONGEST = 2000


class RuleError(ValueError):
    """A rule that cannot be read; the message says what is wrong and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """UNTIL as given: a whole day, or a wall clock in UTC or (`utc` false) in DTSTART's zone."""

    wall: datetime
    is_day: bool
    utc: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The parts of an RRULE. Weekdays count from Monday = 0; `byday` pairs them with an ordinal (0 = every)."""

    freq: Freq
    interval: int = 1
    count: int | None = None
    until: Until | None = None
    byday: tuple[tuple[int, int], ...] = ()
    bymonth: tuple[int, ...] = ()
    byweekno: tuple[int, ...] = ()
    byyearday: tuple[int, ...] = ()
    bymonthday: tuple[int, ...] = ()
    byhour: tuple[int, ...] = ()
    byminute: tuple[int, ...] = ()
    bysecond: tuple[int, ...] = ()
    bysetpos: tuple[int, ...] = ()
    wkst: int = 0
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def is_endless(self) -> bool:
        """True if neither COUNT nor UNTIL ends the rule."""
        return self.count is None and self.until is None

    @property
    def weekdays(self) -> frozenset[int]:
        """The weekdays of BYDAY without their ordinals."""
        return frozenset(weekday for _, weekday in self.byday)

    @property
    def has_ordinals(self) -> bool:
        """True if BYDAY picks only some weekdays of a month or year."""
        return any(ordinal for ordinal, _ in self.byday)


def parse(text: str) -> Rule:
    """Return the parts of an RRULE value such as "FREQ=WEEKLY;BYDAY=MO"; raises RuleError."""
    parts = _split(text)
    freq = parts.pop("FREQ", "")
    if freq not in FREQS:
        said = say("FREQ {freq!r} is not a frequency", freq=freq[:20]) if freq else say("the rule has no FREQ")
        raise RuleError(say("{said}; write one of {freqs}", said=said, freqs=tuple(FREQS)))
    notes: list[str] = []
    count = _whole(parts.pop("COUNT", None), "COUNT")
    until = _until(parts.pop("UNTIL", None))
    if count is not None and until is not None:
        notes.append(say("COUNT and UNTIL exclude each other; the rule ends with whichever comes first"))
    interval = _whole(parts.pop("INTERVAL", None), "INTERVAL") or 1
    wkst = parts.pop("WKST", "MO")
    if wkst not in WEEKDAYS:
        raise RuleError(say("WKST {wkst!r} is not a weekday; use MO to SU", wkst=wkst[:20]))
    byday = _byday(parts.pop("BYDAY", None))
    if freq not in ("YEARLY", "MONTHLY") and any(ordinal for ordinal, _ in byday):
        notes.append(say("numbers in BYDAY mean nothing with FREQ={freq} and are ignored", freq=freq))
        byday = tuple((0, weekday) for _, weekday in byday)
    lists = {name.lower(): _numbers(parts.pop(name, None), name) for name in _RANGES}
    unknown = next((name for name in parts if not name.startswith("X-")), None)
    if unknown is not None:
        raise RuleError(
            say("the rule has a part {unknown!r}, which RFC 5545 does not know; leave it out", unknown=unknown[:20])
        )
    return Rule(
        freq=freq,
        interval=interval,
        count=count,
        until=until,
        byday=byday,
        wkst=WEEKDAYS.index(wkst),
        notes=tuple(notes),
        **lists,
    )


def _split(text: str) -> dict[str, str]:
    cleaned = re.sub(r"\s+", "", text).upper().removeprefix("RRULE:")
    if len(cleaned) > _LONGEST:
        raise RuleError(
            say("the rule is longer than {longest} characters; name the dates in RDATE instead", longest=_LONGEST)
        )
    parts: dict[str, str] = {}
    for part in filter(None, cleaned.split(";")):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise RuleError(
                say("{part!r} is not NAME=VALUE; write the rule like FREQ=WEEKLY;BYDAY=MO,WE", part=part[:20])
            )
        if name in parts:
            raise RuleError(say("{name} is given twice; keep one", name=name[:20]))
        parts[name] = value
    return parts


def _whole(value: str | None, name: str) -> int | None:
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:12]) <= 10**9:
        raise RuleError(
            say(
                "{name}={value} is not a whole number from 1 on; write one, or leave {name} out",
                name=name,
                value=value[:20],
            )
        )
    return int(value)


def _numbers(value: str | None, name: str) -> tuple[int, ...]:
    if value is None:
        return ()
    low, high, may_be_negative = _RANGES[name]
    numbers: set[int] = set()
    for text in value.split(","):
        if not re.fullmatch(r"[+-]?\d{1,3}", text, re.ASCII):
            raise RuleError(
                say(
                    "{name}={text} is not a number; write {low} to {high}, with commas between them",
                    name=name,
                    text=text[:20],
                    low=low,
                    high=high,
                )
            )
        number = int(text)
        if not low <= (abs(number) if may_be_negative else number) <= high:
            raise RuleError(_outside(text, name))
        numbers.add(min(number, 59) if name == "BYSECOND" else number)
    return tuple(sorted(numbers))


def _outside(text: str, name: str) -> str:
    low, high, may_be_negative = _RANGES[name]
    if may_be_negative:
        return say(
            "{name}={text} lies outside {low} to {high} (or -{low} to -{high}, counted from the end); correct it, or"
            " leave {name} out",
            name=name,
            text=text,
            low=low,
            high=high,
        )
    return say(
        "{name}={text} lies outside {low} to {high}; correct it, or leave {name} out",
        name=name,
        text=text,
        low=low,
        high=high,
    )


def _byday(value: str | None) -> tuple[tuple[int, int], ...]:
    if value is None:
        return ()
    days: set[tuple[int, int]] = set()
    for text in value.split(","):
        match = _BYDAY.fullmatch(text)
        if match is None or not abs(int(match[1] or 0)) <= 53 or (match[1] and int(match[1]) == 0):
            raise RuleError(say("BYDAY={text} is not a weekday; write it like MO, 2TU or -1FR", text=text[:20]))
        days.add((int(match[1] or 0), [*WEEKDAYS].index(match[2])))  # type: ignore[arg-type]
    return tuple(sorted(days))


def _until(value: str | None) -> Until | None:
    if value is None:
        return None
    match = _UNTIL.fullmatch(value)
    if match is None:
        raise RuleError(
            say("UNTIL={value} is not a date; write it like 20260531 or 20260531T120000Z", value=value[:20])
        )
    year, month, day, hour, minute, second, utc = match.groups()
    try:
        if hour is None:
            return Until(
                wall=datetime.combine(date(int(year), int(month), int(day)), datetime.min.time()),
                is_day=True,
                utc=False,
            )
        wall = datetime(int(year), int(month), int(day), int(hour), int(minute), min(int(second or 0), 59))
    except ValueError as error:
        raise RuleError(
            say("UNTIL={value} is no day of the calendar; name the last day of the series", value=value[:20])
        ) from error
    return Until(wall=wall, is_day=False, utc=bool(utc))
