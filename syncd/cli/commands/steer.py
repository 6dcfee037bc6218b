"""`syncd poke`, `pause` and `resume`: when the daemon makes passes of a sync."""

from __future__ import annotations

import argparse

from syncd.cli.desk import Desk
from syncd.lang.saying import say


async def poke(arguments: argparse.Namespace, desk: Desk) -> int:
    """Have the daemon make a pass of each named sync now."""
    for name in desk.app.config.chosen(arguments.names, arguments.portal):
        desk.poke(name)
        desk.print(say("{name}: a pass starts now", name=name))
    return 0


async def pause(arguments: argparse.Namespace, desk: Desk) -> int:
    """Leave each named sync alone until it is resumed, also over restarts of the daemon."""
    for sync in desk.app.syncs(arguments.names, portal=arguments.portal):
        await desk.pause(sync.name)
        desk.print(say("{name}: paused until `syncd resume {name}`", name=sync.name))
    return 0


async def resume(arguments: argparse.Namespace, desk: Desk) -> int:
    """Let the passes of each named sync start again."""
    for sync in desk.app.syncs(arguments.names, portal=arguments.portal):
        await desk.resume(sync.name)
        desk.print(say("{name}: resumed", name=sync.name))
    return 0
