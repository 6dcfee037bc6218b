"""The gate that every request passes, one by one, in order of arrival, at the allowed rate.

asyncio-throttle keeps the requests that count, here as a leaky bucket. The gate never exceeds the limits and stays
closed during the pause after a refusal.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from asyncio_throttle.throttler import Throttler

from syncd.clock import Clock
from syncd.model.json_values import Json

_COLD_SHARE = 0.8
"""The part of our half that may be sent at once when it is not known what was sent before.

A process that was killed left at most that half in the bucket, so both fit."""

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_RECOVER_EVERY = 5
_NARROWEST = 8
"""The bucket never shrinks below this part, however many refusals come: the portal's leaks all the time."""


class RequestGate(Throttler):
    """First in, first out. Half of the portal's burst at once; the rest is left to neighbours and late arrivals.

    A bucket of `burst/2` requests that leaks like the portal's (PORTAL.md 3.1), so that ours are never more than half
    of what that one holds. It starts partly filled, because requests before a restart may still be in the portal's.
    `random` returns numbers in [0, 1) for the jitter of pauses.

    The throttler's log holds the moments at which requests leave the bucket, by our clock.
    """

    def __init__(self, clock: Clock, *, burst: int, rate: float, random: Callable[[], float]) -> None:
        self.most = max(1, burst // 2)
        super().__init__(self.most, self.most / rate, retry_interval=0.001)
        self._clock = clock
        self._random = random
        self._turn = asyncio.Lock()
        self._paused_until: float | None = None
        self._refusals = 0
        self._passes = 0
        self._cold = self.most - max(1, round(self.most * _COLD_SHARE))
        self._count([clock.monotonic()] * self._cold)

    @property
    def wait_s(self) -> float:
        """Seconds that the next request would have to wait if it were the first in line."""
        now = self._clock.monotonic()
        pause = 0.0 if self._paused_until is None else self._paused_until - now
        self.flush()
        if len(self._task_logs) < self.rate_limit:
            return max(0.0, pause)
        leaves = self._task_logs[len(self._task_logs) - self.rate_limit]
        return float(max(self.retry_interval, pause, leaves - now))

    def flush(self) -> None:
        """Forget the requests that have left the bucket."""
        now = self._clock.monotonic()
        while self._task_logs and self._task_logs[0] <= now:
            self._task_logs.popleft()

    async def acquire(self) -> None:
        """Wait until one request may be sent, in the order of the calls."""
        # One at a time asks and sleeps until there is room: the throttler's own waiters poll, and overtake each other.
        async with self._turn:
            while (wait_s := self.wait_s) > 0:
                await self._clock.sleep(wait_s)
            self._count([self._clock.monotonic()])

    def _count(self, moments: Sequence[float]) -> None:
        """Put in requests made at these monotonic times. None of them may be earlier than those already in the log."""
        # Narrower, it leaks more slowly too: whatever was refused was too much in the long run.
        step = self.period / self.rate_limit
        for moment in sorted(moments):
            last = self._task_logs[-1] if self._task_logs else moment
            self._task_logs.append(max(last, moment) + step)

    def refused(self) -> None:
        """Close for a while after a QUERY_LIMIT_EXCEEDED, longer each time, and halve the bucket."""
        now = self._clock.monotonic()
        if self._paused_until is not None and now < self._paused_until:
            return  # sent together with the one that began the pause
        self._refusals += 1
        self._passes = 0
        pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (self._refusals - 1)) * (0.75 + self._random() / 2)
        self._paused_until = now + pause
        self.rate_limit = max(1, self.most // _NARROWEST, self.rate_limit // 2)

    def answered(self) -> None:
        """Note that a request was not refused. After every few of them the bucket grows by a step."""
        self._refusals = 0
        self._passes += 1
        if self.rate_limit < self.most and self._passes % _RECOVER_EVERY == 0:
            self.rate_limit = min(self.most, self.rate_limit + max(1, self.rate_limit // 2))

    def dump(self) -> Json:
        """Return the unix times at which the requests in the bucket leave it, and this moment, as `load` reads them."""
        offset = self._clock.now() - self._clock.monotonic()
        self.flush()
        leaving = [round(moment + offset, 3) for moment in self._task_logs]
        return {"until": round(self._clock.now(), 3), "leaving": leaving}

    def load(self, state: Json) -> None:
        """Count the requests of an earlier process once; raises TypeError if `state` did not come from `dump`.

        For the time in which that process knew what it sent, this replaces what was assumed about the time before the
        start.
        """
        if not isinstance(state, Mapping):
            self._load_requests(state)  # as version 0.1 wrote it: nothing tells until when it is whole
            return
        now, until, leaving = self._clock.monotonic(), self._moment(state.get("until")), state.get("leaving")
        if not isinstance(leaving, Sequence) or isinstance(leaving, str):
            raise TypeError("the saved requests must be a list")
        # A clock that was set back since must not keep the gate closed: none stays longer than a full bucket takes.
        known = [min(self._moment(saved), now + self.period) for saved in leaving]
        self._task_logs = deque(sorted(moment for moment in known if moment > now))
        # Since then somebody may have sent something and saved nothing.
        silent = round(self._cold * min(1.0, max(0.0, now - until) / self.period))
        self._count([now] * silent)

    def _load_requests(self, state: Json) -> None:
        if not isinstance(state, Sequence) or isinstance(state, str):
            raise TypeError("the saved requests must be a list")
        now = self._clock.monotonic()
        moments = [min(self._moment(saved), now) for saved in state]
        self._task_logs.clear()
        self._count([*moments, *[now] * self._cold])

    def _moment(self, saved: Json) -> float:
        """Return a saved unix time as a monotonic time of this process."""
        if isinstance(saved, bool) or not isinstance(saved, (int, float)):
            raise TypeError("a saved request must be a time")
        return saved - self._clock.now() + self._clock.monotonic()
