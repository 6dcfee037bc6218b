"""The only place that reads the time, and the only one that may sleep.

Everything else takes time as an argument or a `Clock`, so that a ten-minute limit is tested in milliseconds.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the rest of syncd may know of time."""

    def now(self) -> float:
        """Return unix time in seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, for measuring durations."""
        ...

    def booted_at(self) -> float:
        """Return in unix time when the machine started; it moves when the clock is set."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass; zero or less yields once."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Return unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back, for measuring durations."""
        return time.monotonic()

    def booted_at(self) -> float:
        """Return in unix time when the machine started; it moves when the clock is set."""
        # Unlike the monotonic clock this one goes on while the machine sleeps, which is no new start.
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass; zero or less yields once."""
        await asyncio.sleep(max(0.0, seconds))


async def sleep_or_stop(clock: Clock, seconds: float, stop: asyncio.Event) -> None:
    """Let `seconds` pass, or less when `stop` is set meanwhile."""
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        stopping.cancel()
