"""`syncd poke`, `pause` and `resume`: when the daemon makes passes of a sync."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from syncd.cli.desk import Desk
from syncd.errors import StateError

if TYPE_CHECKING:  # only its interface: beside no daemon it is not loaded
    from syncd.service.host import Service


async def poke(arguments: argparse.Namespace, desk: Desk) -> int:
    """Have the daemon make a pass of each named sync now."""
    daemon = _daemon(desk)
    for name in desk.app.config.chosen(arguments.names, arguments.portal):
        daemon.poke(name, by="command")
        desk.print(f"{name}: a pass starts now")
    return 0


async def pause(arguments: argparse.Namespace, desk: Desk) -> int:
    """Leave each named sync alone until it is resumed, also over restarts of the daemon."""
    for sync in desk.app.syncs(arguments.names, portal=arguments.portal):
        if desk.service is not None:
            await desk.service.pause(sync.name)
        else:
            await desk.app.ledger.of(sync.name).note_paused(desk.app.clock.now())
        desk.print(f"{sync.name}: paused until `syncd resume {sync.name}`")
    return 0


async def resume(arguments: argparse.Namespace, desk: Desk) -> int:
    """Let the passes of each named sync start again."""
    for sync in desk.app.syncs(arguments.names, portal=arguments.portal):
        if desk.service is not None:
            await desk.service.resume(sync.name)
        else:
            await desk.app.ledger.of(sync.name).forget_paused()
        desk.print(f"{sync.name}: resumed")
    return 0


def _daemon(desk: Desk) -> Service:
    if desk.service is None:
        raise StateError(
            f"no daemon runs with {desk.app.config.path}", "`syncd sync` makes a pass now; `syncd run` is the daemon"
        )
    return desk.service
