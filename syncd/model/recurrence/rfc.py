"""The starts that one RRULE gives, as RFC 5545 3.8.5.3 says, on the wall clock of DTSTART.

Bounded by construction: it looks at every period up to the horizon once and never beyond, so a rule that never fires
or fires every second ends as soon as any other. Wall clocks are whole seconds (wall.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from itertools import product

from syncd.lang.saying import say
from syncd.model.recurrence.rrule import SUB_DAILY, Rule
from syncd.model.recurrence.wall import DAY, EPOCH_ORDINAL

BUDGET = 300_000
_YEAR_DAYS = 366


class TooOftenError(ValueError):
    """The rule fires, or has to be examined, more often than anybody could want in a calendar."""


def starts(rule: Rule, start: int, horizon: int) -> Iterator[int]:
    """Yield in order the wall clocks of `rule` from `start` to `horizon` inclusive; UNTIL and COUNT are the caller's.

    Raises TooOftenError after 300,000 candidates.
    """
    day_fits = _day_filter(rule, start)
    if rule.freq in SUB_DAILY and times_of_day(rule, start) is None:
        found = _sub_daily(rule, start, horizon, day_fits)
    else:
        found = _daily_and_up(rule, start, horizon, day_fits)
    budget = BUDGET
    for wall in found:
        budget -= 1
        if budget < 0:
            raise TooOftenError(say("the rule fires too often"))
        if wall > horizon:
            return
        if wall >= start:
            yield wall


def times_of_day(rule: Rule, start: int) -> tuple[int, ...] | None:
    """Return the seconds of the day at which the rule may fire, None when they differ from day to day."""
    second_of_day = start % DAY
    hour, minute, second = second_of_day // 3600, second_of_day // 60 % 60, second_of_day % 60
    step = SUB_DAILY.get(rule.freq)
    if step is None:
        clock = product(rule.byhour or (hour,), rule.byminute or (minute,), rule.bysecond or (second,))
        return tuple(sorted(h * 3600 + m * 60 + s for h, m, s in clock))
    stride = step * rule.interval
    if DAY % stride or rule.bysetpos:
        return None
    if DAY // stride > BUDGET // 30:
        raise TooOftenError(say("the rule fires too often"))
    minutes = rule.byminute or ((minute,) if step == 3600 else ())
    seconds = rule.bysecond or ((second,) if step >= 60 else ())
    found: set[int] = set()
    for period in range(second_of_day % stride // step * step, DAY, stride):
        found.update(_clocks(rule, period, step, minutes, seconds))
    return tuple(sorted(found))


def _clocks(rule: Rule, period: int, step: int, minutes: tuple[int, ...], seconds: tuple[int, ...]) -> list[int]:
    """Return the times within one hour, minute or second that BYHOUR, BYMINUTE and BYSECOND leave or make."""
    hour, minute, second = period // 3600 % 24, period // 60 % 60, period % 60
    if rule.byhour and hour not in rule.byhour:
        return []
    if step <= 60 and rule.byminute and minute not in rule.byminute:
        return []
    if step == 1 and rule.bysecond and second not in rule.bysecond:
        return []
    day = period // DAY * DAY
    clock = product(minutes if step == 3600 else (minute,), seconds if step >= 60 else (second,))
    return [day + hour * 3600 + m * 60 + s for m, s in clock]


def _daily_and_up(rule: Rule, start: int, horizon: int, day_fits: Callable[[date], bool]) -> Iterator[int]:
    times = times_of_day(rule, start) or ()
    for period in _periods(rule, start // DAY, horizon // DAY):
        walls = [
            day * DAY + time for day in period if day_fits(date.fromordinal(day + EPOCH_ORDINAL)) for time in times
        ]
        yield from _positions(walls, rule.bysetpos)


def _sub_daily(rule: Rule, start: int, horizon: int, day_fits: Callable[[date], bool]) -> Iterator[int]:
    """Walk period by period, skipping days that do not fit at once."""
    step = SUB_DAILY[rule.freq]
    stride = step * rule.interval
    second_of_day = start % DAY
    minutes = rule.byminute or (second_of_day // 60 % 60,)
    seconds = rule.bysecond or (second_of_day % 60,)
    period, budget = start - start % step, BUDGET
    while period <= horizon:
        budget -= 1
        if budget < 0:
            raise TooOftenError(say("the rule has to be looked at too often"))
        if not day_fits(date.fromordinal(period // DAY + EPOCH_ORDINAL)):
            period += -(-((period // DAY + 1) * DAY - period) // stride) * stride
            continue
        yield from _positions(_clocks(rule, period, step, minutes, seconds), rule.bysetpos)
        period += stride


def _positions(walls: list[int], bysetpos: tuple[int, ...]) -> list[int]:
    if not bysetpos:
        return walls
    picked = {position - 1 if position > 0 else len(walls) + position for position in bysetpos}
    return [wall for index, wall in enumerate(walls) if index in picked]


def _periods(rule: Rule, first: int, last: int) -> Iterator[range]:
    """Yield the days (since 1970) of every INTERVAL-th day, week, month or year."""
    if rule.freq == "WEEKLY":
        monday = first - (first + 3 - rule.wkst) % 7
        yield from (range(day, day + 7) for day in range(monday, last + 1, 7 * rule.interval))
    elif rule.freq in ("MONTHLY", "YEARLY"):
        size = 1 if rule.freq == "MONTHLY" else 12
        begin, end = date.fromordinal(first + EPOCH_ORDINAL), date.fromordinal(last + EPOCH_ORDINAL)
        months = begin.year * 12 + (begin.month - 1 if size == 1 else 0)
        for month in range(months, end.year * 12 + end.month, size * rule.interval):
            yield range(_month_start(month), _month_start(month + size))
    else:
        interval = rule.interval if rule.freq == "DAILY" else 1
        yield from (range(day, day + 1) for day in range(first, last + 1, interval))


def _month_start(month: int) -> int:
    return date(month // 12, month % 12 + 1, 1).toordinal() - EPOCH_ORDINAL


def _day_filter(rule: Rule, start: int) -> Callable[[date], bool]:
    """Return what says whether a day fits all day-level parts; missing ones are taken from DTSTART (3.3.10)."""
    begin = date.fromordinal(start // DAY + EPOCH_ORDINAL)
    months, month_days, weekdays = set(rule.bymonth), set(rule.bymonthday), set(rule.byday)
    if not (rule.byweekno or rule.byyearday or month_days or weekdays):
        if rule.freq == "YEARLY":
            months = months or {begin.month}
        if rule.freq in ("YEARLY", "MONTHLY"):
            month_days = {begin.day}
        if rule.freq == "WEEKLY":
            weekdays = {(0, begin.weekday())}
    within_month = rule.freq == "MONTHLY" or bool(months)
    plain = {weekday for ordinal, weekday in weekdays if ordinal == 0}
    ordinals = {day for day in weekdays if day[0] != 0}

    def fits(day: date) -> bool:
        if months and day.month not in months:
            return False
        if weekdays and day.weekday() not in plain and not (ordinals and _is_ordinal_day(day, ordinals, within_month)):
            return False
        if month_days and day.day not in month_days and day.day - _month_length(day) - 1 not in month_days:
            return False
        if rule.byyearday:
            number, length = day.timetuple().tm_yday, _year_length(day.year)
            if number not in rule.byyearday and number - length - 1 not in rule.byyearday:
                return False
        return not rule.byweekno or _is_week(day, rule.byweekno, rule.wkst)

    return fits


def _is_ordinal_day(day: date, weekdays: set[tuple[int, int]], within_month: bool) -> bool:
    if within_month:
        index, length = day.day - 1, _month_length(day)
    else:
        index, length = day.timetuple().tm_yday - 1, _year_length(day.year)
    weekday = day.weekday()
    return (index // 7 + 1, weekday) in weekdays or (-((length - 1 - index) // 7) - 1, weekday) in weekdays


def _is_week(day: date, numbers: tuple[int, ...], wkst: int) -> bool:
    """Return True if `day` lies in one of the weeks, counted from the first with four days in the year (3.3.10)."""
    week_start = day.toordinal() - (day.weekday() - wkst) % 7
    year = date.fromordinal(week_start + 3).year
    first, following = _first_week(year, wkst), _first_week(year + 1, wkst)
    number, weeks = (week_start - first) // 7 + 1, (following - first) // 7
    return number in numbers or number - weeks - 1 in numbers


def _first_week(year: int, wkst: int) -> int:
    fourth = date(year, 1, 4)
    return fourth.toordinal() - (fourth.weekday() - wkst) % 7


def _month_length(day: date) -> int:
    return (date(day.year + day.month // 12, day.month % 12 + 1, 1) - date(day.year, day.month, 1)).days


def _year_length(year: int) -> int:
    return (date(year + 1, 1, 1) - date(year, 1, 1)).days
