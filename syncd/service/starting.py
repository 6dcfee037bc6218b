"""The start of the service: tells systemd that it is still starting, and waits for a database that is not there yet.

And which configs it starts with, or goes on with after a reload.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final

import structlog

from syncd import events
from syncd.app.application import App
from syncd.clock import Clock, sleep_or_stop
from syncd.config import Config
from syncd.errors import ConfigError, StateUnreachableError
from syncd.lang.saying import say
from syncd.service.notify import Notifier

_log = structlog.get_logger()
_START_GOES_ON_S: Final = 60.0
"""How long systemd is to wait for the next sign of a start that is under way (man sd_notify, EXTEND_TIMEOUT_USEC)."""
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 30.0
"""How long the start waits before it tries its database again: the first time, and at most."""


@asynccontextmanager
async def told_start(clock: Clock, notifier: Notifier) -> AsyncIterator[None]:
    """Tell systemd while the body runs that the start goes on: checking a ledger of gigabytes may take minutes."""

    async def tell() -> None:
        while True:
            usec = str(int(_START_GOES_ON_S * 1_000_000))
            notifier.send(STATUS=say("opening and checking the state"), EXTEND_TIMEOUT_USEC=usec)
            await clock.sleep(_START_GOES_ON_S / 3)

    telling = asyncio.get_running_loop().create_task(tell(), name="start")
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def opened(
    make: Callable[[], AbstractAsyncContextManager[App]],
    closing: AsyncExitStack,
    clock: Clock,
    notifier: Notifier,
    stop: asyncio.Event,
) -> App:
    """Return what `make` opens, and let `closing` close it. While its database cannot be reached, try again.

    Raises whatever else `make` raises, and StateUnreachableError once `stop` is set.
    """
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            return await closing.enter_async_context(make())
        except StateUnreachableError as error:
            if stop.is_set():
                raise
            _log.warning(events.LEDGER_AWAITED, reason=error.message, seconds=wait_s)
            notifier.send(STATUS=say("waiting for its database: {reason}", reason=error.message))
            await sleep_or_stop(clock, wait_s, stop)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


def check_syncs(config: Config) -> None:
    """Raise ConfigError for a config without a sync."""
    if not config.syncs:
        path = str(config.path)
        raise ConfigError(say("{path} has no [[sync]]", path=path), say("add one; see config.example.toml"))


def check_successor(config: Config, before: Config) -> None:
    """Raise ConfigError for a config that cannot take the place of the one `before` while the service runs."""
    check_syncs(config)
    # The passes under way hold the ledger of the old state, and the lock on it.
    same_state = (config.state, config.database) == (before.state, before.database)
    for key, same in (("state", same_state), ("control", config.control == before.control)):
        if not same:
            path = str(config.path)
            said = say("{path}: {key} cannot change while syncd runs", path=path, key=key)
            raise ConfigError(said, say("restart it"))
