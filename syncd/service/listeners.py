"""The listeners of all portals that tell of people's edits: begun and ended as the config says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from syncd.app.application import App
from syncd.clock import Clock
from syncd.config import Config
from syncd.service.listening import Listener


class Listeners:
    """One listener for each portal with an application that is to hear of events. `poke` starts a pass of a sync."""

    def __init__(self, app: App, clock: Clock, poke: Callable[[str], None]) -> None:
        self._app = app
        self._clock = clock
        self._poke = poke
        self._listeners: dict[str, Listener] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def follow(self, config: Config) -> None:
        """Listen from now on to the portals of `config`; who does so already, with the same client, goes on."""
        apps = {one.name: one.app for one in config.portals if one.app is not None and one.watched and not one.unusable}
        for name, listener in tuple(self._listeners.items()):
            if apps.get(name) != listener.config or self._app.portals.get(name) is not listener.client:
                await self._end(name)
        for name, app in apps.items():
            if name not in self._listeners:
                client = self._app.portals[name]
                listener = Listener(
                    app=self._app, name=name, config=app, client=client, clock=self._clock, poke=self._poke
                )
                self._listeners[name] = listener
                self._tasks[name] = asyncio.get_running_loop().create_task(listener.run(), name=f"events of {name}")

    def of(self, portal: str) -> Listener | None:
        """Return the listener of a portal, None if nobody listens to it."""
        return self._listeners.get(portal)

    def hints_for(self, sync: str) -> dict[int, int]:
        """Return the ids that a pass of `sync` that begins now has to look at, each with the user."""
        listener = self._of_sync(sync)
        return listener.taken(sync) if listener is not None else {}

    async def looked_at(self, sync: str, hints: Mapping[int, int]) -> None:
        """Note that a pass of `sync` has decided on what these `hints` are about; raises StateError."""
        listener = self._of_sync(sync)
        if listener is not None:
            await listener.looked_at(sync, hints)

    def troubles(self) -> dict[str, str]:
        """Return by name which portals tell of nothing although they are to, and why."""
        return {
            f"portal {name} (events)": f"portal {name} tells of no edits: {one.trouble}"
            for name, one in self._listeners.items()
            if one.trouble
        }

    async def close(self) -> None:
        """Listen no more."""
        for name in tuple(self._tasks):
            await self._end(name)

    def _of_sync(self, name: str) -> Listener | None:
        portal = next((one.portal for one in self._app.config.syncs if one.name == name), "")
        return self._listeners.get(portal)

    async def _end(self, name: str) -> None:
        del self._listeners[name]
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
