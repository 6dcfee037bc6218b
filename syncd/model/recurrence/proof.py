"""Proof that a native series shows what RFC 5545 says: the portal's own expansion, asked for many windows.

A window's answer must hold nothing that is not an occurrence (with its right end), and every occurrence that touches
the window. Timed events may be missing within a day of the window's edges, where even single events are: the portal
shifts its windows by the zones' offsets (PORTAL.md 4.8), and everybody asks for a day more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from syncd.model.recurrence import portal_arithmetic as portal
from syncd.model.recurrence.wall import DAY, WallClock, as_date, clock_of, day_seconds
from syncd.model.rule import NativeRule

_MARGIN = DAY
_MONTHS = 14
_AROUND = 40
_SWITCHES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What must be shown: starts and ends as wall clocks (all-day: midnights of first and last day), in order.

    `zones` are those of start and end, None for all-day. `horizon` is set for a series without end: the wall clock up
    to which `starts` reaches.
    """

    starts: Sequence[int]
    ends: Sequence[int]
    zones: tuple[str, str] | None
    horizon: int | None = None


def shows(rule: NativeRule, expected: Expected, server: WallClock) -> bool:
    """Return True if the portal shows a series with `rule`, begun at the first of `expected`, exactly as expected.

    Times of day that the server's zone repeats in autumn are tried in both of the readings that the season of the
    request may give them (PORTAL.md 4.7).
    """
    doubtful = server.may_repeat(expected.starts[0]) or server.may_repeat(expected.ends[0])
    return all(_shows(rule, expected, server, later) for later in ((False, True) if doubtful else (False,)))


def _shows(rule: NativeRule, expected: Expected, server: WallClock, later: bool) -> bool:
    row = portal.save(
        server=server,
        start=expected.starts[0],
        end=expected.ends[0],
        zones=expected.zones,
        rule=portal.native_as_sent(rule),
        later=later,
    )
    return _Check(row, expected).passes(_windows(rule, expected, server))


class _Check:
    """Compares answers for windows of one row with what is expected."""

    def __init__(self, row: portal.Row, expected: Expected) -> None:
        self._row = row
        self._expected = expected
        self._ends = dict(zip(expected.starts, expected.ends, strict=True))
        self._longest = max(end - start for start, end in zip(expected.starts, expected.ends, strict=True))
        self._margin = _MARGIN if expected.zones is not None else 0
        self._last_day = DAY if expected.zones is None else 0

    def passes(self, windows: Iterator[tuple[int, int]]) -> bool:
        return all(self._passes(first, last) for first, last in windows)

    def _passes(self, first: int, last: int) -> bool:
        row, horizon = self._row, self._expected.horizon
        shown: set[int] = set()
        if portal.selects(row, first, last):
            for start, end in portal.occurrences(row, first, last):
                if horizon is not None and start > horizon:
                    continue
                if self._ends.get(start) != end:
                    return False
                shown.add(start)
        return all(start in shown for start in self._required(first, last))

    def _required(self, first: int, last: int) -> Iterator[int]:
        """Yield the expected starts that touch the window's days, less the margin."""
        low, high = first + self._margin, last + DAY - self._margin
        starts = self._expected.starts
        for index in range(bisect_left(starts, low - self._longest - DAY), bisect_left(starts, high)):
            start = starts[index]
            if start >= low or self._ends[start] + self._last_day > low:
                yield start


def _windows(rule: NativeRule, expected: Expected, server: WallClock) -> Iterator[tuple[int, int]]:
    """Yield windows as first and last day (wall clocks of the server), the most telling first."""
    first, last = expected.starts[0] // DAY, expected.starts[-1] // DAY
    middle = expected.starts[len(expected.starts) // 2] // DAY
    yield from _days((first - _AROUND, last + _AROUND), (middle, last + _AROUND), (first - _AROUND, middle))
    yield from _months(rule, first, last)
    yield from _days(*((first + offset, first + offset + 6) for offset in (-1, 1, 2)))
    step = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}[rule.freq] * rule.interval
    reach = min(step, 31)
    yield from _days(*((middle + offset, middle + offset + 6) for offset in range(-1, reach + 1, max(1, reach // 7))))
    yield from _days((first - 1, first - 1), (first, first), (last, last), (last + 1, last + 2), (last + 30, last + 60))
    for zone in {server, *(clock_of(zone) for zone in expected.zones or ())}:
        switches = zone.switches((first - 1) * DAY, (last + 1) * DAY)
        for switch in (*switches[:_SWITCHES], *switches[-_SWITCHES:]):
            day = (switch + zone.offset(switch)) // DAY
            yield from _days((day - 1, day + 1), (day, day + 6), (day + 1, day + 30), (day, day))
    if rule.freq == "WEEKLY" and len(rule.byday) > 1:
        yield from _from_skipped(rule, expected.starts[0], last, server)


def _from_skipped(rule: NativeRule, start: int, last: int, server: WallClock) -> Iterator[tuple[int, int]]:
    """Yield windows that are computed from a day on which the server's zone skips the time of day of `start`.

    A view of several days a week may be computed from a day that has no occurrence, and all of it then shows the time
    that was skipped to (PORTAL.md 4.7, 4.13: first candidate c). It lies as many weeks after the start as the window
    does, divided by the number of days.
    """
    weeks = 7 * rule.interval
    for switch in server.switches(start, (last + 1) * DAY):
        begin, end = switch + server.offset(switch - 1), switch + server.offset(switch)
        skipped = begin + (start - begin) % DAY
        if skipped < end:
            turn = (skipped - start) // DAY * len(rule.byday) // weeks
            for number in (turn, turn + 1):
                low = start // DAY + number * len(rule.byday) * weeks
                if low <= last:
                    yield from _days((low, low + 30), (low, low + 6))


def _days(*pairs: tuple[int, int]) -> Iterator[tuple[int, int]]:
    return ((first * DAY, last * DAY) for first, last in pairs)


def _months(rule: NativeRule, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield calendar months as the portal's page asks for them: all of a monthly or yearly series, else a selection."""
    begin, end = as_date(first * DAY), as_date(last * DAY)
    numbers = range(begin.year * 12 + begin.month - 2, end.year * 12 + end.month + 1)
    chosen: Sequence[int] = numbers
    if rule.freq in ("DAILY", "WEEKLY") and len(numbers) > _MONTHS:
        stride = len(numbers) // (_MONTHS - 6)
        chosen = sorted({*numbers[:3], *numbers[-3:], *numbers[3:-3:stride]})
    for number in chosen:
        month = date(number // 12, number % 12 + 1, 1)
        following = date((number + 1) // 12, (number + 1) % 12 + 1, 1)
        yield day_seconds(month), day_seconds(following - timedelta(days=1))
