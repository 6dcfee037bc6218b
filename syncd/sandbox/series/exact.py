"""Expansion of a series by plain calendar arithmetic, an alternative behind a switch (PORTAL.md 4.13).

Reads a rule as RFC 5545 does: counted from the start, whatever the window; days that a month lacks are left out; UNTIL
is the last day; COUNT includes excluded dates.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from syncd.sandbox.series.stored import WEEKDAYS, Rule, Stored
from syncd.sandbox.series.walls import civil, datetime_of, day_of, days_of, month_length, weekday_of

_ONE_DAY = timedelta(days=1)


def expand_exactly(
    row: Stored, rule: Rule, window_from: datetime, window_to: datetime
) -> tuple[tuple[datetime, datetime], ...]:
    """Return start and end wall clocks of the occurrences that touch a window, its last day included."""
    length = row.date_to - row.date_from
    reach = day_of((window_from - length - _ONE_DAY).date())
    last = day_of(window_to.date()) + 1
    if rule.count is None:
        last = min(last, day_of(rule.until))
    excluded = {day_of(day) for day in row.exdates}
    at = row.date_from - row.date_from.replace(hour=0, minute=0)
    found = list[tuple[datetime, datetime]]()
    for number, day in _days(rule, day_of(row.date_from.date()), reach):
        if day > last or (rule.count is not None and number >= rule.count):
            break
        start = datetime_of(day * 86400) + at
        if start >= window_to + _ONE_DAY:
            break
        end = start + length
        shown_until = end + _ONE_DAY if row.skip_time else end
        if day not in excluded and shown_until >= window_from:
            found.append((start, end))
    return tuple(found)


def _days(rule: Rule, start: int, reach: int) -> Iterator[tuple[int, int]]:
    """Yield number (from 0) and day of each occurrence, skipping what lies whole intervals before `reach`."""
    match rule.freq:
        case "DAILY":
            number = max(0, (reach - start) // rule.interval)
            while True:
                yield number, start + number * rule.interval
                number += 1
        case "WEEKLY":
            yield from _weekly(rule, start, reach)
        case _:
            yield from _by_month(rule, start)


def _weekly(rule: Rule, start: int, reach: int) -> Iterator[tuple[int, int]]:
    weekdays = sorted(WEEKDAYS.index(name) for name in rule.byday)
    monday, step = start - weekday_of(start), 7 * rule.interval
    early = sum(weekday < weekday_of(start) for weekday in weekdays)
    weeks = max(0, (reach - monday) // step)
    number = weeks * len(weekdays) - early
    while True:
        for weekday in weekdays:
            if number >= 0:
                yield number, monday + weeks * step + weekday
            number += 1
        weeks += 1


def _by_month(rule: Rule, start: int) -> Iterator[tuple[int, int]]:
    year, month, of_month = civil(start)
    step = rule.interval * (1 if rule.freq == "MONTHLY" else 12)
    number = 0
    while True:
        if of_month <= month_length(year, month):
            yield number, days_of(year, month, of_month)
            number += 1
        month += step
