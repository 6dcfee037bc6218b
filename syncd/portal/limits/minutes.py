"""One method's operating time by the minute, as the portal keeps it, and what a request adds to it (PORTAL.md 3.2).

Pure; times are the portal's unix time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec

BUCKETS = 10
MINUTE = 60
COUNTED_FROM_S = 0.1
"""The portal counts shorter calls only when their request ends, all at once."""

NOTHING_S = 1e-6
"""Sums of seconds that differ by less are the same."""


@dataclass(slots=True, kw_only=True)
class Counter:
    """The counter of one method, rebuilt from what the portal reports and what we measure.

    `reset_at` is when the portal says that its oldest bucket drops. `unsure` is True if some seconds may belong to an
    earlier minute than the one they are booked in, so that the real sum falls sooner. `blocked_at` is the time of the
    last 429, `blocks` the number of them in a row, each after waiting.
    """

    buckets: dict[int, float] = field(default_factory=dict)
    reset_at: float | None = None
    unsure: bool = False
    blocked_at: float | None = None
    blocks: int = 0

    def used(self, at: float) -> float:
        """Return the seconds that count at `at`, without those that a wrong clock has booked far in the future."""
        first = minute_of(at) - BUCKETS + 1
        return sum(seconds for minute, seconds in self.buckets.items() if first <= minute < first + 2 * BUCKETS)

    def add(self, at: float, seconds: float) -> None:
        """Add seconds of a request that began at `at`; the portal books a whole request in its first minute."""
        if seconds > 0:
            minute = minute_of(at)
            self.buckets[minute] = self.buckets.get(minute, 0.0) + seconds

    def settle(self, at: float, total: float) -> None:
        """Make the sum at `at` equal to `total`.

        Missing seconds are added to the newest minute, surplus is taken from the oldest ones. Either way the sum may
        fall later than the real one, but never sooner.
        """
        self.forget(at)
        missing = total - self.used(at)
        if missing > 0:
            self.unsure = self.unsure or missing > COUNTED_FROM_S
            self.add(at, missing)
            return
        for minute in sorted(self.buckets):
            taken = min(self.buckets[minute], -missing)
            self.buckets[minute] -= taken
            missing += taken
        self.forget(at)

    def free_at(self, at: float, fitting: float) -> float:
        """Return when the sum will be at most `fitting` if nothing is added: `at`, or a minute boundary after it."""
        left = self.used(at)
        if left <= fitting + NOTHING_S:
            return at
        for minute in sorted(self.buckets):
            if (drops_at := float((minute + BUCKETS) * MINUTE)) > at:
                left -= self.buckets[minute]
                if left <= fitting + NOTHING_S:
                    return drops_at
        return float((minute_of(at) + BUCKETS) * MINUTE)

    def oldest_drops_at(self, at: float) -> float | None:
        """Return when the oldest seconds that count at `at` drop, by our own buckets; None if there are none."""
        first = minute_of(at) - BUCKETS + 1
        live = [minute for minute, seconds in self.buckets.items() if minute >= first and seconds > NOTHING_S]
        return float((min(live) + BUCKETS) * MINUTE) if live else None

    def forget(self, at: float) -> None:
        """Drop the minutes that no longer count at `at`."""
        first = minute_of(at) - BUCKETS + 1
        self.buckets = {m: s for m, s in self.buckets.items() if m >= first and s > NOTHING_S}
        self.unsure = self.unsure and bool(self.buckets)


def minute_of(at: float) -> int:
    """Return the number of the wall-clock minute; the portal fixes it once per request."""
    return math.floor(at / MINUTE)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One executed command: the counter in its answer, and the longest it can have taken.

    `precise` is True if its stamps tell that to a fraction of a second. `grown_s` is by how much it raised the counter,
    where no stamp tells its time and that is the better measure, if no other request was in flight.
    """

    used_s: float | None
    reset_at: float | None
    seconds: float
    precise: bool = True
    grown_s: float | None = None


def booked(calls: Sequence[Call]) -> tuple[float, float]:
    """Return the seconds one request booked, and those of them that count only once it has ended.

    The former are as measured, or less if the counter grew by less. The growth alone is not enough: it also contains
    what other requests booked meanwhile. The latter are those of calls too short to count at once.
    """
    first, last = calls[0], calls[-1]
    late = min(first.seconds, COUNTED_FROM_S) if first.seconds <= COUNTED_FROM_S else 0.0
    for before, call in pairwise(calls):
        if before.used_s is not None and call.used_s is not None and call.used_s <= before.used_s:
            late += min(call.seconds, COUNTED_FROM_S)
    spent = sum(call.seconds for call in calls)
    spent = spent if spent > COUNTED_FROM_S else 0.0  # the portal books no less (PORTAL.md 3.2)
    if first.used_s is None or last.used_s is None:
        return spent, late
    begun = min(first.seconds, last.used_s) if first.seconds > COUNTED_FROM_S else 0.0
    return min(spent, max(0.0, last.used_s - first.used_s) + begun + late), late
