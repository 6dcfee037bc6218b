"""The longest stall of an event loop: how long it kept something waiting that wanted to run every few milliseconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

BEAT_S = 0.005


@dataclass(slots=True)
class Heartbeat:
    """What was seen while the body ran: the `longest_s` beyond a beat, and all `stalls_s` above 20 ms.

    `busiest_s` is the most processor time that the loop's own thread took between two beats: what else the machine does
    changes it little. `held_s` is the same of the whole process: what its other threads took while the loop waited.
    """

    longest_s: float = 0.0
    busiest_s: float = 0.0
    held_s: float = 0.0
    stalls_s: list[float] = field(default_factory=list)


@asynccontextmanager
async def heartbeat() -> AsyncIterator[Heartbeat]:
    """Measure the stalls of the running loop, in real time, while the body runs."""
    seen = Heartbeat()

    async def beat() -> None:
        last, worked, used = time.perf_counter(), time.thread_time(), time.process_time()
        while True:
            try:
                await asyncio.sleep(BEAT_S)
            finally:  # also at the end: the body may have stalled until now
                now, work, use = time.perf_counter(), time.thread_time(), time.process_time()
                seen.busiest_s = max(seen.busiest_s, work - worked)
                seen.held_s = max(seen.held_s, use - used)
                late_s = now - last - BEAT_S
                seen.longest_s = max(seen.longest_s, late_s)
                if late_s > 0.02:
                    seen.stalls_s.append(late_s)
                last, worked, used = now, work, use

    task = asyncio.create_task(beat())
    await asyncio.sleep(0)
    try:
        yield seen
    finally:
        await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
