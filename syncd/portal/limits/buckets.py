"""One counter of operating time as the portal keeps it: seconds by wall-clock minute, ten minutes alive.

Pure; all times are the portal's own unix time (PORTAL.md 3.2). It holds numbers and forecasts their fall; what the
numbers mean for sending is decided by the budget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

BUCKETS = 10
MINUTE = 60
COUNTED_FROM_S = 0.1
"""Shorter calls are counted only when their request ends, all at once."""

NOTHING_S = 1e-6
"""Sums of seconds that differ by less are the same."""


@dataclass(slots=True, kw_only=True)
class Counter:
    """The counter of one method, rebuilt from what the portal tells and what we measure.

    `reset_at` is the portal's word on when its oldest bucket drops. `unsure`: some seconds stand in a later minute
    than they may belong to, so that the real sum falls sooner. `blocked_at` is the time of the last 429, `blocks`
    how many came in a row, each after waiting.
    """

    buckets: dict[int, float] = field(default_factory=dict)
    reset_at: float | None = None
    unsure: bool = False
    blocked_at: float | None = None
    blocks: int = 0

    def used(self, at: float) -> float:
        """Return the seconds alive at `at`."""
        first = minute_of(at) - BUCKETS + 1
        return sum(seconds for minute, seconds in self.buckets.items() if minute >= first)

    def add(self, at: float, seconds: float) -> None:
        """Count seconds of a request that began at `at`; the portal books all of a request in its first minute."""
        if seconds > 0:
            minute = minute_of(at)
            self.buckets[minute] = self.buckets.get(minute, 0.0) + seconds

    def settle(self, at: float, total: float) -> None:
        """Make the sum alive at `at` be `total`: more goes into the newest minute, less comes off the oldest."""
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
        """Return when the oldest seconds alive at `at` drop, by our own buckets; None when there are none."""
        first = minute_of(at) - BUCKETS + 1
        live = [minute for minute, seconds in self.buckets.items() if minute >= first and seconds > NOTHING_S]
        return float((min(live) + BUCKETS) * MINUTE) if live else None

    def forget(self, at: float) -> None:
        """Drop the minutes that count no more at `at`."""
        first = minute_of(at) - BUCKETS + 1
        self.buckets = {m: s for m, s in self.buckets.items() if m >= first and s > NOTHING_S}
        self.unsure = self.unsure and bool(self.buckets)


def minute_of(at: float) -> int:
    """Return the number of the wall-clock minute; the portal fixes it once per request."""
    return math.floor(at / MINUTE)


def paired_seconds(spans: Sequence[tuple[float, float | None]]) -> tuple[float, ...]:
    """Return the durations the portal books for one method's calls of one request, given as (start, finish).

    A call that threw has no finish. The portal pairs starts and finishes by position, so that after a failure the
    successes look longer.
    """
    finishes = [finish for _, finish in spans if finish is not None]
    return tuple(finish - start for (start, _), finish in zip(spans, finishes, strict=False))


def counted_now(durations: Sequence[float]) -> float:
    """Return what counts against later calls of the same request."""
    return sum(seconds for seconds in durations if seconds > COUNTED_FROM_S)


def counted_at_end(durations: Sequence[float]) -> float:
    """Return what the portal books when the request ends."""
    total = sum(durations)
    return total if total > COUNTED_FROM_S else 0.0
