"""The only place that reads the time, and the only one that may sleep.

Everything else takes time as an argument or a `Clock`, so that a ten-minute limit is tested in milliseconds.
"""

from __future__ import annotations

import asyncio
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol


class Uptime(NamedTuple):
    """Seconds since the machine was started, sleep included, and which start that was; `boot` is "" if unknown.

    Nobody can set this clock, so it tells what has passed since an earlier process, as long as `boot` is the same.
    """

    boot: str
    seconds: float


class Clock(Protocol):
    """What the rest of syncd may know of time."""

    def now(self) -> float:
        """Return unix time in seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, for measuring durations."""
        ...

    def uptime(self) -> Uptime:
        """Return how long the machine has been running, for what outlives this process."""
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

    def uptime(self) -> Uptime:
        """Return how long the machine has been running; without the means of Linux, nothing is known."""
        if not hasattr(time, "CLOCK_BOOTTIME"):
            return Uptime("", 0.0)
        return Uptime(_boot_id(), time.clock_gettime(time.CLOCK_BOOTTIME))

    def booted_at(self) -> float:
        """Return in unix time when the machine started; it moves when the clock is set."""
        # Unlike the monotonic clock this one goes on while the machine sleeps, which is no new start.
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass; zero or less yields once."""
        await asyncio.sleep(max(0.0, seconds))


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def since_boot(clock: Clock) -> float:
    """Return seconds that nobody can set and that count while the machine sleeps, where it can tell."""
    uptime = clock.uptime()
    return uptime.seconds if uptime.boot else clock.monotonic()


def pause(seconds: float) -> None:
    """Let `seconds` pass in a thread that may wait; never on the event loop."""
    time.sleep(seconds)


async def sleep_or_stop(clock: Clock, seconds: float, stop: asyncio.Event) -> None:
    """Let `seconds` pass, or less when `stop` is set meanwhile."""
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        stopping.cancel()
