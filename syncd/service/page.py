"""The status page of the daemon: opened, moved to another address by a reload, closed, and told what to show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from syncd import __version__, events
from syncd.app.application import App
from syncd.clock import Clock
from syncd.config import Config
from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.scrub import Scrubber, within
from syncd.service.overview import Overview, ServiceState
from syncd.web.views import RunView, SyncView, View

if TYPE_CHECKING:
    from syncd.web.calls import Callees

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Opened:
    """A page that is served at `address`, None if nothing is."""

    address: tuple[str, int] | None
    closing: AsyncExitStack


class Page:
    """The status page, which may be closed, as without `[http]` in the config.

    `state` returns what the running service knows. `ring` starts a pass for a caller with the token; `callees` handle
    what portals send.
    """

    def __init__(
        self,
        app: App,
        clock: Clock,
        scrubber: Scrubber,
        state: Callable[[], ServiceState],
        ring: Callable[[str], None],
        callees: Callable[[], Callees] | None = None,
    ) -> None:
        self.overview = Overview(app.ledger, clock.now(), __version__, clock)
        self._app = app
        self._clock = clock
        self._scrubber = scrubber
        self._state = state
        self._ring = ring
        self._callees = callees
        self._open = Opened(None, AsyncExitStack())

    async def view(self) -> View:
        """Return how everything stands now, fit to be shown; raises StateError if the ledger cannot be read."""
        view = await self.overview.view(self._state(), self._clock.now())
        # Beside the loop, as the texts of a thousand syncs take longer to clean than anybody should wait.
        return await asyncio.to_thread(within, view, self._scrubber.shown)

    async def sync(self, name: str) -> SyncView | None:
        """Return how the sync `name` stands, in full and fit to be shown, None if there is none; raises like `view`."""
        found = await self.overview.sync(self._state(), name, self._clock.now())
        return within(found, self._scrubber.shown) if found is not None else None

    async def run(self, name: str, number: int) -> RunView | None:
        """Return pass `number` of the sync `name`, fit to be shown, None if there is none (any more)."""
        found = await self.overview.run(self._state(), name, number)
        return await asyncio.to_thread(within, found, self._scrubber.shown) if found is not None else None

    async def prepared(self, config: Config) -> Opened | None:
        """Open the page of `config` beside the present one; return None if that can stay.

        Raises ConfigError if the address is taken.
        """
        # Whatever else changes in [http] needs no new socket.
        address = (config.http.host, config.http.port) if config.http is not None else None
        if address == self._open.address:
            return None
        opened = Opened(address, AsyncExitStack())
        if config.http is not None:
            await self._serve(config.path, config.http.host, config.http.port, opened.closing)
            if config.http.public:
                _log.warning(events.PAGE_PUBLIC, host=config.http.host, port=config.http.port)
        return opened

    async def exchange(self, opened: Opened | None) -> None:
        """Close the present page if another one was `opened` in its place."""
        if opened is not None:
            await self.close()
            self._open = opened

    async def close(self) -> None:
        """Close the page."""
        before, self._open = self._open, Opened(None, AsyncExitStack())
        await before.closing.aclose()

    async def _serve(self, path: Path, host: str, port: int, closing: AsyncExitStack) -> None:
        from syncd.web.status_server import Bell, Details, serving  # noqa: PLC0415 - saves 0.1 s where there is no page

        server = serving(
            self.view,
            host=host,
            port=port,
            clean=self._scrubber.shown,
            names=self._names,
            bell=Bell(token=self._token, ring=self._ring),
            details=Details(sync=self.sync, run=self.run),
            callees=self._callees() if self._callees is not None else None,
        )
        try:
            await closing.enter_async_context(server)
        except OSError as error:
            reason, address = error.strerror or str(error), f"{host}:{port}"
            raise ConfigError(
                say(
                    "{path}: http.listen: {address} cannot be used: {reason}",
                    path=str(path),
                    address=address,
                    reason=reason,
                ),
                say("stop the syncd that is running already, or choose another port"),
            ) from error

    def _names(self) -> tuple[str, ...]:
        """Return the names under which the page may be requested, by the config in force."""
        http = self._app.config.http
        return http.names if http is not None else ()

    def _token(self) -> str | None:
        """Return the token that a request must have to start a pass, by the config in force; None if no request may."""
        http = self._app.config.http
        return http.token.reveal() if http is not None and http.token is not None else None
