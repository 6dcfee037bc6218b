"""`syncd run`: the daemon in the foreground, as a service manager wants it."""

from __future__ import annotations

import argparse
import asyncio
import os
from functools import partial

from syncd.app.wiring import App, open_app
from syncd.cli.dispatch import config_path
from syncd.cycle.result import PassResult
from syncd.cycle.run import PassOptions, run_pass
from syncd.cycle.setup import SyncSetup
from syncd.daemon.notify import Notifier
from syncd.daemon.service import Daemon, Scheduled
from syncd.errors import ConfigError


async def run_daemon(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Keep every sync's schedule until a signal comes."""
    notifier = Notifier.from_environ(os.environ, os.getpid())
    async with open_app(config_path(arguments), learn_secret=arguments.learn_secret, readonly=False) as app:
        if not app.ready:
            raise ConfigError(f"{app.config.path} has no [[sync]]", "add one; see config.example.toml")
        syncs = [_scheduled(app, setup) for setup in app.setups()]
        await Daemon(syncs, clock=app.clock, notifier=notifier, stop=stop).run()
    return 0


def _scheduled(app: App, setup: SyncSetup) -> Scheduled:
    config = next(sync for sync in app.config.syncs if sync.name == setup.name)
    portal = app.portals[config.portal]

    async def last_started() -> float | None:
        last = await app.ledger.last_run(setup.name)
        return last.started if last is not None else None

    def progress() -> tuple[object, float | None]:
        now = portal.progress()
        return (now.done, now.total, now.requests), now.waiting_until

    return Scheduled(
        name=setup.name,
        portal=config.portal,
        every_s=config.when.every.total_seconds(),
        last_started=last_started,
        run=partial(_pass, app, setup),
        progress=progress,
    )


async def _pass(app: App, setup: SyncSetup, stop: asyncio.Event) -> PassResult:
    return await run_pass(setup, app.world(setup.name), PassOptions(), stop=stop)
