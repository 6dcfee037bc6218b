"""A batch being filled: it takes jobs as long as count, bytes, seconds and operating time allow. Pure."""

from __future__ import annotations

import math
from collections import Counter as Tally

from syncd.portal.exchange.queue import Waiting
from syncd.portal.limits.pace import Pace

MAX_BATCH_BYTES = 1_000_000
"""Far below what any server takes as a request's body."""


class Load:
    """A batch being filled: it takes a job as long as count, bytes, seconds and operating time allow.

    `seconds` is how long it may take at most, beside the time all batches are planned for.
    """

    def __init__(self, pace: Pace, now: float, size: int, *, seconds: float = math.inf) -> None:
        self.chosen: tuple[Waiting, ...] = ()
        self.full = False
        self._pace = pace
        self._now = now
        self._size = size
        self._most_s = min(pace.batch_seconds, seconds)
        self._bytes = 0
        self._seconds = 0.0
        self._costs: dict[str, float] = {}
        self._counts: Tally[str] = Tally()

    def takes(self, waiting: Waiting) -> bool:
        """Take the job if there is room for it; `full` tells that there is none for any other either."""
        method, pace = waiting.method, self._pace
        cost = pace.costs.expected(method)
        size = len(waiting.text or "")
        if self.chosen and (
            self._seconds + cost > self._most_s
            or self._bytes + size > MAX_BATCH_BYTES
            or self._counts[method] >= pace.costs.most(method)
        ):
            return False
        fits = pace.fits(method, self._now, self._costs.get(method, 0.0) + cost)
        probe = not fits and not self._counts[method] and pace.may_probe(method, self._now)
        if not (fits or probe) or not pace.envelope_fits(self._now, self._seconds + cost):
            return False
        self.chosen = (*self.chosen, waiting)
        self._bytes += size
        self._seconds += cost
        self._costs[method] = self._costs.get(method, 0.0) + cost
        self._counts[method] += 1
        self.full = len(self.chosen) >= self._size
        return True
