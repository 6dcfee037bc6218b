"""The gate that every request passes, one by one, in order of arrival, at the allowed rate.

asyncio-throttle keeps the sliding window. It is not fair and its waiters poll, so only one request at a time asks it.
The gate never exceeds the limits and stays closed during the pause after a refusal.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from asyncio_throttle.throttler import Throttler

from syncd.clock import Clock
from syncd.model.json_values import Json

_COLD_SHARE = 0.4
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_RECOVER_EVERY = 5
_NARROWEST = 8
"""The window never shrinks below this part, however many refusals come: the portal's bucket leaks all the time."""


class _ClockedThrottler(Throttler):
    """The throttler on our clock. It sleeps until the window moves on instead of polling a hundred times a second."""

    def __init__(self, clock: Clock, rate_limit: int, period: float) -> None:
        super().__init__(rate_limit, period, retry_interval=0.001)
        self._clock = clock
        self.most = rate_limit

    def flush(self) -> None:
        now = self._clock.monotonic()
        while self._task_logs and now - self._task_logs[0] > self.period:
            self._task_logs.popleft()

    async def acquire(self) -> None:
        while (wait_s := self.wait_s()) > 0:
            await self._clock.sleep(wait_s)
        self._task_logs.append(self._clock.monotonic())

    def wait_s(self) -> float:
        """Return the seconds until the window has room."""
        self.flush()
        if len(self._task_logs) < self.rate_limit:
            return 0.0
        leaver = self._task_logs[len(self._task_logs) - self.rate_limit]
        return float(max(self.retry_interval, leaver + self.period - self._clock.monotonic()))

    def count(self, moments: Sequence[float]) -> None:
        """Add requests made at these monotonic times to the window."""
        self._task_logs = deque(sorted([*self._task_logs, *moments]))

    def forget(self, until: float) -> None:
        """Take the requests up to this monotonic time out of the window."""
        self._task_logs = deque(moment for moment in self._task_logs if moment > until)

    def passed(self) -> tuple[float, ...]:
        """Return the monotonic times of the requests in the window, oldest first."""
        self.flush()
        return tuple(self._task_logs)


class RequestGate:
    """First in, first out. Half of the portal's burst per window; the rest is left to neighbours and late arrivals.

    A window of `burst/2` requests lasts `burst/2/rate` seconds, so in any stretch of time at most half a burst more
    passes than the bucket leaks meanwhile (PORTAL.md 3.1). It starts partly filled, because requests before a restart
    may still be in the bucket. `random` returns numbers in [0, 1) for the jitter of pauses.
    """

    def __init__(self, clock: Clock, *, burst: int, rate: float, random: Callable[[], float]) -> None:
        half = max(1, burst // 2)
        self._clock = clock
        self._random = random
        self._window = _ClockedThrottler(clock, half, half / rate)
        self._turn = asyncio.Lock()
        self._paused_until: float | None = None
        self._refusals = 0
        self._passes = 0
        cold = half - max(1, round(half * _COLD_SHARE))
        now, step = clock.monotonic(), half / rate / max(1, cold)
        self._window.count([now - (index + 0.5) * step for index in range(cold)])

    @property
    def wait_s(self) -> float:
        """Seconds that the next request would have to wait if it were the first in line."""
        pause = 0.0 if self._paused_until is None else self._paused_until - self._clock.monotonic()
        return max(0.0, pause, self._window.wait_s())

    async def acquire(self) -> None:
        """Wait until one request may be sent, in the order of the calls."""
        async with self._turn:
            while (wait_s := self.wait_s) > 0:
                await self._clock.sleep(wait_s)
            await self._window.acquire()

    def refused(self) -> None:
        """Close for a while after a QUERY_LIMIT_EXCEEDED, longer each time, and halve the window."""
        self._refusals += 1
        self._passes = 0
        pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (self._refusals - 1)) * (0.75 + self._random() / 2)
        self._paused_until = self._clock.monotonic() + pause
        self._window.rate_limit = max(1, self._window.most // _NARROWEST, self._window.rate_limit // 2)

    def answered(self) -> None:
        """Note that a request was not refused; every few of them the window opens a step."""
        self._refusals = 0
        self._passes += 1
        if self._window.rate_limit < self._window.most and self._passes % _RECOVER_EVERY == 0:
            wider = self._window.rate_limit + max(1, self._window.rate_limit // 2)
            self._window.rate_limit = min(self._window.most, wider)

    def dump(self) -> Json:
        """Return the unix times of the requests in the window and of this moment, in the form that `load` reads."""
        offset = self._clock.now() - self._clock.monotonic()
        moments = [round(moment + offset, 3) for moment in self._window.passed()]
        return {"until": round(self._clock.now(), 3), "requests": moments}

    def load(self, state: Json) -> None:
        """Count the requests of an earlier process once; raises TypeError if `state` did not come from `dump`.

        What was assumed of the time before this start is dropped for as long as that process knew what it sent.
        """
        if isinstance(state, Mapping):
            until, requests = state.get("until"), state.get("requests")
        else:
            until, requests = 0.0, state  # as versions before 0.2 wrote it: nothing tells until when it is whole
        if not isinstance(requests, Sequence) or isinstance(requests, str):
            raise TypeError("the saved requests must be a list")
        moments, known = [self._moment(saved) for saved in requests], self._moment(until)
        self._window.forget(known)
        self._window.count(moments)

    def _moment(self, saved: Json) -> float:
        """Return a saved unix time as one of this process, which is never in the future."""
        if isinstance(saved, bool) or not isinstance(saved, (int, float)):
            raise TypeError("a saved request must be a time")
        return min(saved - self._clock.now() + self._clock.monotonic(), self._clock.monotonic())
