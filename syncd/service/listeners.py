"""The listeners of all portals with an application: started and stopped as the config says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import structlog

from syncd import events
from syncd.app.application import App
from syncd.clock import Clock
from syncd.config import Config
from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.model.traces import Heard
from syncd.portal.oauth.application import Application
from syncd.portal.oauth.grants import granted
from syncd.service.installs import Installs
from syncd.service.listening import Listener

_log = structlog.get_logger()
_LOOKED_UP_EVERY_S = 10.0
"""How often the state is asked whether another machine got a new token: anybody may call, so not for each call."""


class Poke(Protocol):
    """Starts a pass of a sync. `insist` tries it even though its portal has refused."""

    def __call__(self, name: str, *, insist: bool = False) -> None:
        """Start it as soon as it may start."""
        ...


class Listeners:
    """One listener for each portal with an application, even if events are off. `poke` starts a pass of a sync.

    `here` returns True for a portal as long as this process may write to it. If another machine may, that one listens:
    what this process took out of the portal's queue would be lost to it.
    """

    def __init__(self, app: App, clock: Clock, poke: Poke, here: Callable[[str], bool] = lambda _: True) -> None:
        self._app = app
        self._clock = clock
        self._poke = poke
        self._here = here
        self._listeners: dict[str, Listener] = {}
        self._installs = Installs()
        self._known_after: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def follow(self, config: Config) -> None:
        """Listen to the portals of `config` from now on. A listener whose settings are unchanged goes on."""
        apps = {one.name: one.app for one in config.portals if one.app is not None and not one.unusable}
        for name, listener in tuple(self._listeners.items()):
            if apps.get(name) != listener.config or self._moved(config, listener):
                await self._end(name)
        for name, app in apps.items():
            if name not in self._listeners:
                listener = Listener(
                    app=self._app, name=name, config=app, clock=self._clock, poke=self._poke,
                    address=_address(config, name) if app.events == "online" else "", here=partial(self._here, name),
                )  # fmt: skip
                self._listeners[name] = listener
                self._tasks[name] = asyncio.get_running_loop().create_task(listener.run(), name=f"events of {name}")

    def wake(self, portal: str) -> None:
        """Let the listener of a portal try again at once, because somebody has repaired something."""
        if (listener := self._listeners.get(portal)) is not None:
            listener.wake()

    def hints_for(self, sync: str) -> dict[int, int]:
        """Return the ids that a pass of `sync` that begins now has to look at, each with the user who changed it."""
        listener = self._of_sync(sync)
        return listener.taken(sync) if listener is not None else {}

    def heard_for(self, sync: str) -> Heard:
        """Return which other events the portal of `sync` has reported."""
        listener = self._of_sync(sync)
        return listener.heard_of() if listener is not None else Heard()

    async def looked_at(self, sync: str, hints: Mapping[int, int]) -> None:
        """Note that a pass of `sync` has decided on what these `hints` are about; raises StateError."""
        listener = self._of_sync(sync)
        if listener is not None:
            await listener.looked_at(sync, hints)

    def arrived(self, portal: str, code: str, state: str) -> bool:
        """Pass on the code that a browser brought; return False if no command waits for it."""
        application = self._application(portal)
        return application is not None and application.arrived(code, state)

    async def installed(self, portal: str, form: Mapping[str, Json], visitor: str = "") -> bool:
        """Keep the tokens of an installation and start the syncs, if it is genuine; return False if it is not.

        `visitor` is where it comes from. Raises StateError if the tokens cannot be written down.
        """
        application, auth = self._application(portal), form.get("auth")
        if application is None or not isinstance(auth, Mapping):
            return False
        given, token, now = granted(auth), auth.get("application_token"), self._clock.monotonic()
        if given is None or not isinstance(token, str):
            return False
        refused = ""
        if not self._here(portal):
            refused = say(
                "another machine holds the portal; install it again later, or run `syncd portal authorize {portal}`",
                portal=portal,
            )
        elif not self._installs.admits(visitor, now):
            refused = say(
                "more came than are looked into; install it again later, or run `syncd portal authorize {portal}`",
                portal=portal,
            )
        if refused:
            if self._installs.tells(now):
                _log.warning(events.INSTALLATION_REFUSED, portal=portal, reason=refused)
            return False
        if not await application.install(given, token):
            return False
        _log.info(events.APPLICATION_INSTALLED, portal=portal)
        self.wake(portal)
        for name in (sync.name for sync in self._app.config.syncs if sync.portal == portal):
            self._poke(name, insist=True)  # it has refused everything until now
        return True

    async def called(self, portal: str, form: Mapping[str, Json]) -> bool:
        """Take in an event from somebody who proves to be the portal; return False for anybody else.

        Raises StateError if it is for another machine and cannot be passed on.
        """
        listener, application, auth = self._listeners.get(portal), self._application(portal), form.get("auth")
        if listener is None or not listener.address or application is None or not isinstance(auth, Mapping):
            return False
        token, member = auth.get("application_token"), auth.get("member_id")
        if not application.is_known_to(token, member):
            now = self._clock.monotonic()
            if self._here(portal) or now < self._known_after.get(portal, 0.0):
                return False
            self._known_after[portal] = now + _LOOKED_UP_EVERY_S
            await application.open()  # whoever holds the portal takes its installations
            if not application.is_known_to(token, member):
                return False
        await listener.called(form)
        return True

    def _application(self, portal: str) -> Application | None:
        client = self._app.portals.get(portal)
        return client.application if client is not None else None

    def troubles(self) -> dict[str, str]:
        """Return which portals report no events although they should, and why, by name."""
        return {
            f"portal {name} (events)": say(
                "portal {portal} tells of no edits: {reason}", portal=name, reason=one.trouble
            )
            for name, one in self._listeners.items()
            if one.trouble
        }

    async def close(self) -> None:
        """Stop all listeners."""
        for name in tuple(self._tasks):
            await self._end(name)

    def _of_sync(self, name: str) -> Listener | None:
        portal = next((one.portal for one in self._app.config.syncs if one.name == name), "")
        return self._listeners.get(portal)

    @staticmethod
    def _moved(config: Config, listener: Listener) -> bool:
        """Return True if the portal has to call another address than before."""
        return bool(listener.address) and listener.address != _address(config, listener.name)

    async def _end(self, name: str) -> None:
        del self._listeners[name]
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _address(config: Config, portal: str) -> str:
    """Return the address that the portal is to call. The config names a public_url if events are to come online."""
    assert config.http is not None and config.http.public_url is not None
    return f"{config.http.public_url}app/{portal}/events"
