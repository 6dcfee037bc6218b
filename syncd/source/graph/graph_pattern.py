"""The six recurrence patterns of Microsoft Graph as rules of RFC 5545. Pure.

pattern                          rule
daily                            FREQ=DAILY
weekly                           FREQ=WEEKLY;BYDAY=...;WKST=...
absoluteMonthly                  FREQ=MONTHLY;BYMONTHDAY=... (29 to 31: the last day of a month that is shorter)
relativeMonthly                  FREQ=MONTHLY;BYDAY=2TU, of several weekdays BYDAY=TU,TH;BYSETPOS=2
absoluteYearly, relativeYearly   the same with FREQ=YEARLY and BYMONTH

Source: the recurrencePattern and recurrenceRange resource types of Graph's reference.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import msgspec

from syncd.lang.saying import say

_CODES = {
    "monday": "MO", "tuesday": "TU", "wednesday": "WE", "thursday": "TH", "friday": "FR", "saturday": "SA",
    "sunday": "SU",
}  # fmt: skip
_POSITIONS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_IN_EVERY_MONTH = 28
_MOST = 100_000
_NO_END = date(1, 1, 1)
"""What Graph writes for a date that means nothing, as the endDate of a series without end."""


class Pattern(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Graph's recurrencePattern; values that belong to other types stand there as zeros and defaults."""

    type: str = ""
    interval: int = 1
    days_of_week: tuple[str, ...] = ()
    first_day_of_week: str = "sunday"
    index: str | None = "first"
    day_of_month: int = 0
    month: int = 0


class Range(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Graph's recurrenceRange: the days on which a series begins and ends, in `recurrence_time_zone`."""

    type: str = ""
    start_date: str = ""
    end_date: str | None = None
    number_of_occurrences: int = 0
    recurrence_time_zone: str | None = None


class PatternedRecurrence(msgspec.Struct, frozen=True, kw_only=True):
    """How a series repeats, and from when to when."""

    pattern: Pattern
    range: Range


class UnknownPatternError(ValueError):
    """A pattern that no rule can be made of; the message says what of it is not known."""


def rule_of(recurrence: PatternedRecurrence, zone: str | None) -> tuple[str, ...]:
    """Return the rules that `recurrence` may mean, the likeliest first; `zone` is None for whole days.

    There is more than one where programs differ: months that lack the day are skipped by some and end earlier in
    others. The occurrences that Graph lists decide. Raises UnknownPatternError.
    """
    ending = _ending(recurrence.range, zone)
    return tuple(rule + ending for rule in _rules(recurrence.pattern))


def first_day(found: Range) -> date:
    """Return the day from which a series may have occurrences; raises UnknownPatternError if it is no date."""
    return _day(found.start_date, "startDate")


def _rules(pattern: Pattern) -> tuple[str, ...]:
    if not 1 <= pattern.interval <= _MOST:
        raise UnknownPatternError(say("it repeats at an interval of {interval}", interval=pattern.interval))
    interval = f";INTERVAL={pattern.interval}" if pattern.interval > 1 else ""
    match pattern.type:
        case "daily":
            return (f"FREQ=DAILY{interval}",)
        case "weekly":
            # Which weeks an interval counts depends on the day on which they begin.
            start = f";WKST={_code(pattern.first_day_of_week or 'sunday')}" if interval else ""
            return (f"FREQ=WEEKLY{interval};BYDAY={','.join(_days(pattern))}{start}",)
        case "absoluteMonthly":
            return tuple(f"FREQ=MONTHLY{interval}{days}" for days in _month_days(pattern.day_of_month))
        case "relativeMonthly":
            return (f"FREQ=MONTHLY{interval}{_relative(pattern)}",)
        case "absoluteYearly":
            month = f";BYMONTH={_month(pattern)}"
            return tuple(f"FREQ=YEARLY{interval}{month}{days}" for days in _month_days(pattern.day_of_month))
        case "relativeYearly":
            return (f"FREQ=YEARLY{interval};BYMONTH={_month(pattern)}{_relative(pattern)}",)
        case other:
            raise UnknownPatternError(say("it repeats in a way that syncd does not know ({kind!r})", kind=other[:40]))


def _month_days(day: int) -> tuple[str, ...]:
    """Return what picks a day of the month; Exchange takes the last day where a month has fewer."""
    if not 1 <= day <= 31:
        raise UnknownPatternError(say("it repeats on day {day} of the month", day=day))
    if day <= _IN_EVERY_MONTH:
        return (f";BYMONTHDAY={day}",)
    last = "-1" if day == 31 else ",".join(map(str, range(_IN_EVERY_MONTH, day + 1)))
    return (f";BYMONTHDAY={last}" + ("" if day == 31 else ";BYSETPOS=-1"), f";BYMONTHDAY={day}")


def _relative(pattern: Pattern) -> str:
    days = _days(pattern)
    index = pattern.index or "first"
    if index not in _POSITIONS:
        raise UnknownPatternError(
            say("it repeats on an instance that syncd does not know ({index!r})", index=index[:40])
        )
    position = _POSITIONS[index]
    if len(days) == len(_CODES):  # "the second day", "the last day"
        return f";BYMONTHDAY={position}"
    if len(days) == 1:
        return f";BYDAY={position}{days[0]}"
    # Of several weekdays it is the n-th day that is any of them, as "the last weekday" shows.
    return f";BYDAY={','.join(days)};BYSETPOS={position}"


def _days(pattern: Pattern) -> tuple[str, ...]:
    found = {_code(day) for day in pattern.days_of_week}
    if not found:
        raise UnknownPatternError(say("it repeats on weekdays and names none"))
    return tuple(code for code in _CODES.values() if code in found)


def _code(day: str) -> str:
    try:
        return _CODES[day.lower()]
    except KeyError:
        raise UnknownPatternError(say("it repeats on a day that syncd does not know ({day!r})", day=day[:40])) from None


def _month(pattern: Pattern) -> int:
    if not 1 <= pattern.month <= 12:
        raise UnknownPatternError(say("it repeats in month {month}", month=pattern.month))
    return pattern.month


def _ending(found: Range, zone: str | None) -> str:
    match found.type:
        case "noEnd":
            return ""
        case "numbered":
            if not 1 <= found.number_of_occurrences <= _MOST:
                raise UnknownPatternError(say("it has {number} occurrences", number=found.number_of_occurrences))
            return f";COUNT={found.number_of_occurrences}"
        case "endDate":
            return _until(_day(found.end_date or "", "endDate"), zone)
        case other:
            raise UnknownPatternError(say("it ends in a way that syncd does not know ({kind!r})", kind=other[:40]))


def _until(last: date, zone: str | None) -> str:
    if last == _NO_END:
        raise UnknownPatternError(say("it ends on a date and names none"))
    if zone is None:
        return f";UNTIL={last:%Y%m%d}"
    # RFC 5545, 3.3.10: of a series with times it is in UTC; Graph's is a day in the zone of the series.
    end = datetime.combine(last, time(23, 59, 59), ZoneInfo(zone)).astimezone(UTC)
    return f";UNTIL={end:%Y%m%dT%H%M%SZ}"


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise UnknownPatternError(say("its {name} is no date ({text!r})", name=name, text=text[:20])) from None
