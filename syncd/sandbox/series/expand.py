"""Rules as the portal reads them, and the expansion of a series for a window as it computes it (PORTAL.md 4.13).

Every mistake of the portal is here as the portal makes it: months of 30 and years of 365 days in the estimate of the
first candidate, COUNT turned into dates, all-day ends one day back in unix time. Never correct them: the client proves
its series against this arithmetic, and tests/vectors/expansion.json records it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime

from syncd.sandbox.php.scalars import to_int
from syncd.sandbox.series.stored import FOREVER, WEEKDAYS, Rule, Stored
from syncd.sandbox.series.walls import (
    DAY,
    ZoneClock,
    civil,
    datetime_of,
    day_of,
    days_of,
    month_length,
    seconds_of,
    weekday_of,
)

_UNIT_S = {"DAILY": DAY, "WEEKLY": DAY, "MONTHLY": 30 * DAY, "YEARLY": 365 * DAY}
_DAY_NAME = re.compile("|".join(WEEKDAYS))
_UNTIL = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})")


def parse_rule(text: str) -> Rule | None:
    """Read a stored rule text as the portal's reader does; None without a FREQ."""
    parts = dict[str, str]()
    for pair in text.split(";"):
        key, _, value = pair.partition("=")
        if key:
            parts[key] = value.partition("=")[0]
    freq = parts.get("FREQ")
    if not freq:
        return None
    count = to_int(parts.get("COUNT"))
    return Rule(
        freq=freq,
        interval=max(to_int(parts.get("INTERVAL")), 0) or 1,
        byday=_byday(parts.get("BYDAY", "")) if freq == "WEEKLY" else (),
        count=count if count > 0 else None,
        until=_until(parts.get("UNTIL", "")),
    )


def _byday(text: str) -> tuple[str, ...]:
    # The reader looks for a day name anywhere in an entry, so an ordinal such as 2MO loses its number; and a rule
    # without a readable day is a Monday's, whatever the weekday of the start (PORTAL.md 4.7, trap 15).
    found = (_DAY_NAME.search(entry) for entry in text.split(","))
    return tuple(dict.fromkeys(day[0] for day in found if day)) or ("MO",)


def _until(text: str) -> date:
    found = _UNTIL.fullmatch(text)
    return date(int(found[3]), int(found[2]), int(found[1])) if found else FOREVER


def series_end(
    clock: ZoneClock,
    date_from: datetime,
    date_to: datetime,
    *,
    freq: str,
    count: int,
    interval: int,
    days: int,
    shift: int,
) -> int:
    """Return END(n, k, b; x) of PORTAL.md 4.13: the unix time at which a counted series ends.

    `days` is the number of BYDAY days, `shift` moves the whole event by seconds.
    """
    opened = clock.unix(seconds_of(date_from)) + shift
    closed = clock.unix(seconds_of(date_to)) + shift
    closed_wall = clock.wall(closed - closed % 60)
    if freq == "WEEKLY":
        if days == 0:
            return 0  # no BYDAY: the end is 1970, and the series is invisible (PORTAL.md 4.7)
        weeks_s = round_half_away((count - 1) / days * 7 * interval) * DAY
        return clock.unix(closed_wall + weeks_s + (closed - closed % 60) - (opened - opened % 60))
    return clock.unix(shifted(closed_wall, freq, count * interval))


def shifted(wall_s: int, freq: str, units: int) -> int:
    """Move a wall clock by days, months or years; days that a month lacks overflow into the next."""
    if freq in ("DAILY", "WEEKLY"):
        return wall_s + units * DAY
    day, of_day = divmod(wall_s, DAY)
    year, month, of_month = civil(day)
    months = units if freq == "MONTHLY" else 12 * units
    return days_of(year, month + months, of_month) * DAY + of_day


def round_half_away(number: float) -> int:
    """Round as PHP does: halves go away from zero."""
    whole = int(abs(number) + 0.5)
    return whole if number >= 0 else -whole


def expand(
    row: Stored, rule: Rule, window_from: datetime, window_to: datetime, clock: ZoneClock
) -> tuple[tuple[datetime, datetime], ...]:
    """Return start and end wall clocks of the occurrences that `calendar.event.get` shows for a window."""
    offset_from, offset_to = row.tz_offset_from or 0, row.tz_offset_to or 0
    lo = max(_whole_minute(clock.unix(seconds_of(window_from))) + offset_from, row.from_ts)
    # With COUNT the end is computed again by the rule as read, where a missing INTERVAL is 1. The stored end was made
    # with interval 0, and that one selects the row: hence series that vanish from later windows (trap 16).
    ends = row.to_ts if rule.count is None else _end(row, rule, clock, 0)
    hi = min(_whole_minute(clock.unix(seconds_of(window_to))) + offset_to + DAY, ends)
    back = DAY if row.skip_time else 0
    skipped_days = {day_of(day) for day in row.exdates}
    found = list[tuple[datetime, datetime]]()
    for wall in _candidates(row, rule, clock, lo=lo, hi=hi, ends=ends):
        closed = clock.unix(wall + row.length)
        shown_end = closed - back
        if (closed if rule.freq == "WEEKLY" else shown_end) <= lo - DAY or wall // DAY in skipped_days:
            continue
        end = clock.wall(shown_end - (offset_from - offset_to))
        found.append((_shown(wall, row.skip_time), _shown(end, row.skip_time)))
    return tuple(found)


def _candidates(row: Stored, rule: Rule, clock: ZoneClock, *, lo: int, hi: int, ends: int) -> Iterator[int]:
    """Yield the wall clocks of emitted candidates, in order, until the portal's loop stops."""
    event = clock.unix(seconds_of(row.date_from))
    first_unix = clock.unix(_first_wall(row, rule, lo, event))
    skipped = 0
    if rule.count is not None and rule.freq != "WEEKLY":
        beyond = _end(row, rule, clock, first_unix - event) - ends + (0 if row.skip_time else row.length)
        skipped = int(beyond / (_UNIT_S[rule.freq] * rule.interval))
    emitted = 0
    for wall, counts in _steps(rule, clock.wall(first_unix)):
        at = clock.unix(wall)
        if at > hi or at < event - DAY or (rule.count is not None and emitted + skipped >= rule.count):
            return
        if counts:
            emitted += 1
            yield clock.wall(at)


def _first_wall(row: Stored, rule: Rule, lo: int, event: int) -> int:
    """Estimate the candidate to start from, a whole number of intervals after the event, near `lo`."""
    start, interval = seconds_of(row.date_from), rule.interval
    units = round_half_away((lo - event) / _UNIT_S[rule.freq])
    if rule.freq == "WEEKLY":
        days = len(rule.byday)
        nth = round_half_away(units / (days * 7 * interval) + 1)
        return start + round_half_away((nth - 1) / days * 7 * interval) * DAY
    whole = abs(units) // interval * interval
    return shifted(start, rule.freq, whole if units >= 0 else -whole)


def _steps(rule: Rule, first: int) -> Iterator[tuple[int, bool]]:
    """Yield every candidate's wall clock from the first on, without end, and whether it is an occurrence."""
    day, of_day = divmod(first, DAY)
    year, month, of_month = civil(day)
    match rule.freq:
        case "DAILY":
            while True:
                yield day * DAY + of_day, True
                day += rule.interval
        case "WEEKLY":
            names = {WEEKDAYS.index(name) for name in rule.byday}
            while True:
                weekday = weekday_of(day)
                yield day * DAY + of_day, weekday in names
                # Intervals are counted in weeks from Monday: after a Sunday the skipped weeks follow.
                day += 1 if weekday != 6 else (rule.interval - 1) * 7 + 1
        case "YEARLY":
            while True:
                yield days_of(year, month, of_month) * DAY + of_day, True
                year += rule.interval
        case _:
            while True:
                # The 31st of a short month becomes the 1st of the next, not skipped and not clamped (trap 18).
                fits = of_month <= month_length(year, month)
                yield days_of(year, month if fits else month + 1, of_month if fits else 1) * DAY + of_day, True
                month += rule.interval


def _end(row: Stored, rule: Rule, clock: ZoneClock, shift: int) -> int:
    return series_end(
        clock,
        row.date_from,
        row.date_to,
        freq=rule.freq,
        count=rule.count or 0,
        interval=rule.interval,
        days=len(rule.byday),
        shift=shift,
    )


def _whole_minute(unix_s: int) -> int:
    return (unix_s + 30) // 60 * 60


def _shown(wall_s: int, skip_time: bool) -> datetime:
    return datetime_of(wall_s - wall_s % DAY if skip_time else wall_s)
