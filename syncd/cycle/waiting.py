"""Waiting that a stop signal ends."""

from __future__ import annotations

import asyncio

from syncd.clock import Clock


async def sleep_or_stop(clock: Clock, seconds: float, stop: asyncio.Event) -> None:
    """Let `seconds` pass, or less when `stop` is set meanwhile."""
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        stopping.cancel()
