"""The commands that work with the state: done in the daemon that holds it if there is one, else here."""

from __future__ import annotations

import argparse
import asyncio
import os

from syncd.app.configured import read_outline
from syncd.cli.desk import OwnDesk, work_of
from syncd.cli.execute import config_path
from syncd.cli.opened import hold, looked, opened
from syncd.cli.reach import reach


async def shared(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Do what the command line asks for, in the daemon that holds the state if there is one."""
    if getattr(arguments, "report", None):
        from syncd.app import report  # what only looks must be quick

        report.check(arguments.report)  # before anything is sent: afterwards it could not be written any more
    outline = read_outline(config_path(arguments), os.environ, arguments.scrubber.add)
    daemon = await reach(outline, os.environ)
    if daemon is not None:
        from syncd.cli.client import carried

        return await carried(daemon, arguments, stop)
    only_looks = arguments.command in ("history", "poke", "report", "status")
    async with looked(arguments) if only_looks else opened(arguments, readonly=False) as app:
        if not only_looks:
            await hold(arguments, app)
        return await work_of(arguments.command)(arguments, OwnDesk(app, stop))
