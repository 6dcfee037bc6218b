"""Posts what happened to the handlers of applications, once each: a portal tries no second time (PORTAL.md 11.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from syncd.sandbox.applications.event_queue import Delivery
    from syncd.sandbox.world import World

_WITHIN_S = 10.0


class Sender:
    """Delivers what waits in the world's queue, beside the requests that it answers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def send(self) -> None:
        """Begin to deliver what waits."""
        deliveries = self._world.tables.queue.deliveries
        while deliveries:
            task = asyncio.get_running_loop().create_task(self._deliver(deliveries.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self, _app: object = None) -> None:
        """Give up what is under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _deliver(self, delivery: Delivery) -> None:
        if delivery.client_id not in self._world.tables.applications:
            return  # it was removed meanwhile
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_WITHIN_S))
        form = self._world.authority.form_of(delivery)
        try:
            async with self._session.post(delivery.handler, data=form, allow_redirects=False):
                return
        except (aiohttp.ClientError, OSError, TimeoutError):
            return  # nobody was there: nothing is sent twice
