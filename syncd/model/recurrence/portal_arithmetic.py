"""What the portal makes of a recurring event: its arithmetic, rounding faults included (PORTAL.md 4.13).

It never sees the network or the simulated portal; tests/vectors/expansion.json is the judge of every line. All times
are whole seconds: wall clocks (see wall.py) or unix time in the reading of the server's zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from syncd.model.recurrence.wall import DAY, EPOCH_ORDINAL, WallClock, as_date, as_datetime, clock_of, day_seconds
from syncd.model.rule import WEEKDAYS, NativeRule

END_OF_TIME = date(2038, 1, 1)
_UNITS = {"DAILY": DAY, "WEEKLY": DAY, "MONTHLY": 30 * DAY, "YEARLY": 365 * DAY}
_EASY_DAY = 28
_DAY_NAME = re.compile("|".join(WEEKDAYS))
_DOTTED = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})")

Sent = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An event as the portal stores it, the rule as its reader understands it.

    `start` and `end` are wall clocks of the first occurrence (all-day: midnights of the first and last day). `unix`
    reads a wall clock as the server does: W(x) of PORTAL.md 4.13. `until` is the stored end as a date, `last_ts` stands
    for DATE_TO_TS_UTC, `excluded` holds days since 1970.
    """

    server: WallClock
    unix: Callable[[int], int]
    all_day: bool
    start: int
    end: int
    offset_from: int
    offset_to: int
    first_ts: int
    last_ts: int
    length: int
    freq: str
    interval: int
    count: int | None
    weekdays: frozenset[int]
    until: date
    excluded: frozenset[int]

    def render(self, candidate: int) -> tuple[int, int]:
        """Return start and end wall clocks shown for the candidate at unix time `candidate`."""
        start = self.server.wall(candidate)
        ends = self.unix(start + self.length)
        if self.all_day:
            return start // DAY * DAY, self.server.wall(ends - DAY) // DAY * DAY
        return start, self.server.wall(ends - (self.offset_from - self.offset_to))


def native_as_sent(rule: NativeRule) -> dict[str, object]:
    """Return the rule as syncd sends it: INTERVAL always there, UNTIL as an ISO date."""
    sent: dict[str, object] = {"FREQ": rule.freq, "INTERVAL": rule.interval}
    if rule.byday:
        sent["BYDAY"] = list(rule.byday)
    if rule.count is not None:
        sent["COUNT"] = rule.count
    if rule.until is not None:
        sent["UNTIL"] = rule.until.isoformat()
    return sent


def save(
    *,
    server: WallClock,
    start: int,
    end: int,
    zones: tuple[str, str] | None,
    rule: Sent,
    excluded: Sequence[date] = (),
    later: bool = False,
) -> Row:
    """Store a series as calendar.event.add does (PORTAL.md 4.13, "save").

    `start` and `end` are wall clocks as sent (all-day: inclusive last day, `zones` None). `rule` is the `rrule` object
    as sent. `later` reads the hour that the server's zone repeats in autumn as its second pass.
    """
    unix = server.later_unix if later else server.unix
    unit = DAY if zones is None else 60
    start, end = start - start % unit, end - end % unit
    from_unix, to_unix = unix(start), unix(end)
    raw_end, offset_from, offset_to = to_unix, 0, 0
    if zones is not None:
        offset_from, offset_to = clock_of(zones[0]).offset(from_unix), clock_of(zones[1]).offset(to_unix)
    first_ts, last_ts = from_unix - offset_from, to_unix - offset_to
    if first_ts > last_ts:
        end, to_unix, last_ts, offset_to = start, from_unix, first_ts, offset_from
    length = last_ts - first_ts
    if zones is None:
        length = DAY if from_unix == to_unix else length + DAY
    given = _until_as_sent(rule.get("UNTIL"), server)
    until = given or END_OF_TIME
    until_unix = unix(day_seconds(until))
    if given is not None and until_unix + DAY < raw_end:
        until_unix, until = raw_end, as_date(server.wall(raw_end))
    weekdays, sent_days = _weekdays(rule.get("BYDAY"))
    freq = str(rule.get("FREQ"))
    if freq == "WEEKLY" and not weekdays:
        weekdays = frozenset({0})
    count, interval = _integer(rule.get("COUNT")), _integer(rule.get("INTERVAL"))
    row = Row(
        server=server,
        unix=unix,
        all_day=zones is None,
        start=start,
        end=end,
        offset_from=offset_from,
        offset_to=offset_to,
        first_ts=first_ts,
        last_ts=until_unix + DAY,
        length=length,
        freq=freq,
        interval=interval if interval is not None and interval > 0 else 1,
        count=count if count is not None and count > 0 else None,
        weekdays=weekdays if freq == "WEEKLY" else frozenset(),
        until=until,
        excluded=frozenset(day.toordinal() - EPOCH_ORDINAL for day in excluded if unix(day_seconds(day)) <= until_unix),
    )
    if count is None:
        return row
    return _with_end(row, _series_end(row, count, interval or 0, sent_days))


def selects(row: Row, first: int, last: int) -> bool:
    """Return True if calendar.event.get for the wall clocks `first`..`last` of the server returns the row at all."""
    return row.last_ts >= row.unix(first) and row.first_ts <= row.unix(last) + DAY - 1


def occurrences(row: Row, first: int, last: int) -> list[tuple[int, int]]:
    """Expand `row` for a window given as server wall clocks (a date is its midnight; PORTAL.md 4.13, "expand").

    Returns start and end wall clocks as shown (all-day: midnights of first and last day).
    """
    first, last = row.unix(first + 59 - (first + 59) % 60), row.unix(last + 59 - (last + 59) % 60)
    low = max(first + row.offset_from, row.first_ts)
    ends = row.last_ts
    if row.count is not None:
        ends = _series_end(row, row.count, row.interval, len(row.weekdays))
    high = min(last + row.offset_to + DAY, ends)
    origin = row.unix(row.start)
    candidate = _first_candidate(row, origin, low)
    skipped = 0
    if row.count is not None and row.freq != "WEEKLY":
        beyond = _series_end(row, row.count, row.interval, 0, candidate - origin) - ends
        beyond += 0 if row.all_day else row.length
        unit = _UNITS[row.freq] * row.interval
        skipped = beyond // unit if beyond >= 0 else -(-beyond // unit)
    shown: list[tuple[int, int]] = []
    emitted = 0
    tail = DAY if row.all_day and row.freq != "WEEKLY" else 0
    for at, is_member in _candidates(row, candidate, low - row.length - 3 * DAY):
        if at > high or at < origin - DAY or (row.count is not None and emitted + skipped >= row.count):
            break
        if not is_member:
            continue
        emitted += 1
        if at + row.length < low - 2 * DAY:
            continue
        wall = row.server.wall(at)
        if row.unix(wall + row.length) - tail > low - DAY and wall // DAY not in row.excluded:
            shown.append(row.render(at))
    return shown


def _candidates(row: Row, first: int, useless: int) -> Iterator[tuple[int, bool]]:
    """Yield unix times from the first candidate on, and whether the rule makes each an occurrence.

    Without COUNT, whole weeks before the unix time `useless` may be skipped: they would not be shown.
    """
    wall = row.server.wall(first)
    day, time_of_day = divmod(wall, DAY)
    unix, interval = row.unix, row.interval
    if row.freq == "DAILY":
        while True:
            yield unix(day * DAY + time_of_day), True
            day += interval
    elif row.freq == "WEEKLY":
        # days that are no members matter at the very first only: the loop stops there when it lies before the series
        weekdays = row.weekdays
        yield unix(day * DAY + time_of_day), (day + 3) % 7 in weekdays
        if row.count is None and useless > first:
            day += (useless - first) // DAY // (7 * interval) * 7 * interval
        while True:
            day += 1 if (day + 3) % 7 != 6 else (interval - 1) * 7 + 1
            if (day + 3) % 7 in weekdays:
                yield unix(day * DAY + time_of_day), True
    else:
        start = as_date(wall)
        step = interval if row.freq == "MONTHLY" else 12 * interval
        months = start.year * 12 + start.month - 1
        while True:
            on = _month_day(months, start.day, rolls_to_first=row.freq == "MONTHLY")
            yield unix(on * DAY + time_of_day), True
            months += step


def _first_candidate(row: Row, origin: int, low: int) -> int:
    units = _round(low - origin, _UNITS[row.freq])
    if row.freq == "WEEKLY":
        spread = len(row.weekdays) * 7 * row.interval
        passed = _round(units + spread, spread) - 1
        return _shift(row, origin, _round(passed * 7 * row.interval, len(row.weekdays)), "DAILY")
    whole = units - (units % row.interval if units >= 0 else -(-units % row.interval))
    return _shift(row, origin, whole, row.freq)


def _shift(row: Row, unix: int, amount: int, freq: str) -> int:
    """Move the server's wall clock of `unix` by days, months or years, overflowing as PHP's mktime does."""
    wall = row.server.wall(unix)
    if freq in ("DAILY", "WEEKLY"):
        return row.unix(wall + amount * DAY)
    day = as_date(wall)
    months = day.year * 12 + day.month - 1 + (amount if freq == "MONTHLY" else 12 * amount)
    return row.unix(_month_day(months, day.day, rolls_to_first=False) * DAY + wall % DAY)


def _month_day(months: int, day: int, *, rolls_to_first: bool) -> int:
    """Return days since 1970 of a month's day; a missing day overflows, or becomes the 1st of the next month."""
    first = date(months // 12, months % 12 + 1, 1).toordinal() - EPOCH_ORDINAL
    if rolls_to_first and day > _EASY_DAY:
        following = date((months + 1) // 12, (months + 1) % 12 + 1, 1).toordinal() - EPOCH_ORDINAL
        return min(first + day - 1, following)
    return first + day - 1


def _series_end(row: Row, count: int, interval: int, days: int, moved: int = 0) -> int:
    """END(n, k, b; x) of PORTAL.md 4.13."""
    from_unix, to_unix = row.unix(row.start) + moved, row.unix(row.end) + moved
    if row.freq != "WEEKLY":
        return _shift(row, to_unix, count * interval, row.freq)
    if days == 0:
        return 0
    shifted = row.server.wall(to_unix) + _round((count - 1) * 7 * interval, days) * DAY + (to_unix - from_unix)
    return row.unix(shifted)


def _with_end(row: Row, last_ts: int) -> Row:
    values = {name: getattr(row, name) for name in Row.__slots__}
    return Row(**(values | {"last_ts": last_ts}))


def _round(numerator: int, denominator: int) -> int:
    """Divide and round half away from zero, as PHP's round()."""
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def _integer(value: object) -> int | None:
    """Return what PHP's (int) makes of a value that was sent, None when it was not."""
    if value is None:
        return None
    digits = re.match(r"\s*[+-]?\d+", str(value))
    return int(digits[0]) if digits else 0


def _weekdays(sent: object) -> tuple[frozenset[int], int]:
    """Return the weekdays the reader sees (0 = Monday) and the number of days counted on saving."""
    names: list[str] = []
    if isinstance(sent, str):
        names = [name for name in sent.upper().split(",") if name in WEEKDAYS]
    elif isinstance(sent, Sequence):
        names = [str(name) for name in sent]
    found = [match[0] for match in map(_DAY_NAME.search, names) if match]
    return frozenset(index for index, name in enumerate(WEEKDAYS) if name in found), len(names)


def _until_as_sent(value: object, server: WallClock) -> date | None:
    """Return the date the portal keeps of UNTIL: a time with Z is converted to the server's zone first."""
    if not isinstance(value, str) or not value:
        return None
    dotted = _DOTTED.fullmatch(value)
    try:
        moment = datetime.fromisoformat("-".join(reversed(dotted.groups())) if dotted else value)
    except ValueError:
        return None
    offset = moment.utcoffset()
    if offset is None:
        return moment.date()
    utc = moment.replace(tzinfo=None) - offset
    return as_date(server.wall(int((utc - as_datetime(0)) / timedelta(seconds=1))))
