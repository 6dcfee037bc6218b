"""Opens what the config asks for, which most commands need; apart from `execute`, which must start quickly."""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from syncd.app.application import App
from syncd.app.configured import read_config
from syncd.cli.execute import config_path
from syncd.clock import SystemClock
from syncd.errors import ConfigError, held_elsewhere
from syncd.lang.saying import say
from syncd.model.lease import described, units
from syncd.scrub import Scrubber
from syncd.state.leases import Leases
from syncd.state.ledger import Ledger


def opened(
    arguments: argparse.Namespace, *, readonly: bool, path: Path | None = None
) -> AbstractAsyncContextManager[App]:
    """Open what the config asks for, as `open_app` does; the config is the command line's unless `path` names one."""
    from syncd.app.wiring import open_app  # not at the top: commands that only look must start quickly

    scrubber: Scrubber = arguments.scrubber
    return open_app(
        path or config_path(arguments), readonly=readonly, learn_secret=scrubber.add, clean=scrubber.certain
    )


@asynccontextmanager
async def looked(arguments: argparse.Namespace) -> AsyncIterator[App]:
    """Open only config and ledger, for reading: neither sources nor portals are made ready."""
    scrubber: Scrubber = arguments.scrubber
    config = read_config(config_path(arguments), os.environ, scrubber.add, looks=True)
    ledger = await Ledger.open_readonly(config.ledger)
    try:
        yield App(config, ledger, clock=SystemClock(), learn_secret=scrubber.add)
    finally:
        await ledger.close()


@asynccontextmanager
async def sharing(arguments: argparse.Namespace) -> AsyncIterator[tuple[App, Leases]]:
    """Open config and ledger like `looked`, to look at or change leases; raises ConfigError for a state file."""
    scrubber: Scrubber = arguments.scrubber
    config, clock = read_config(config_path(arguments), os.environ, scrubber.add, looks=True), SystemClock()
    if config.database is None:
        raise no_leases(config.path)
    ledger = await Ledger.open(config.ledger, now=clock.now())
    try:
        leases = await ledger.share(config.lease, clock)
        try:
            yield App(config, ledger, clock=clock, learn_secret=scrubber.add), leases
        finally:
            await leases.close()
    finally:
        await ledger.close()


def no_leases(path: Path) -> ConfigError:
    """Return the error for a command about leases if the state is a file."""
    return ConfigError(
        say("{path}: the state is a file, which one machine has for itself", path=str(path)),
        say("leases are for a state in PostgreSQL (`state_url`)"),
    )


async def hold(arguments: argparse.Namespace, app: App) -> None:
    """Take the leases of the portals that a command works with; raises StateLockedError naming who has one.

    They are given back when the ledger is closed. A ledger in a file needs none.
    """
    if (leases := app.ledger.leases) is None:
        return
    for portal in await _concerned(arguments, app):
        tenure = await leases.take(portal)
        if tenure is None:
            await leases.look()
            raise held_elsewhere(portal, described(leases.board.lease(portal)))
        for sync in app.config.syncs:
            if sync.portal == portal:
                await app.ledger.of(sync.name).end_left_runs(app.clock.now())
        await app.reconnect(portal)


async def _concerned(arguments: argparse.Namespace, app: App) -> list[str]:
    """Return the portals that a command reads or writes, in the order of their names."""
    match arguments.command:  # about one portal, whether or not a sync writes to it
        case "probe":
            return [app.portal(arguments.portal).name]
        case "authorize":
            return [app.config.authorised(arguments.portal).name]
    names: list[str] = list(getattr(arguments, "names", None) or ())
    if arguments.command == "undo":
        run = await app.ledger.run(arguments.run_id)
        names = [run.sync] if run is not None and run.sync in app.config.chosen(()) else []
        if not names:
            return []  # the command reports it
    if arguments.command == "purge":
        names = [arguments.name]
    chosen = {sync.name for sync in app.syncs(names, portal=getattr(arguments, "portal", None))}
    wanted = {sync.portal for sync in app.config.syncs if sync.name in chosen}
    together = units(app.ties())
    return sorted({portal for one in together.values() if wanted.intersection(one) for portal in one})
