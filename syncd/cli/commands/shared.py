"""The commands that work with the state: the daemon that holds it carries them out, or else this process."""

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
    """Carry out the command, in the daemon that holds the state if there is one.

    Without a daemon it opens the state here: for reading if the command only looks, otherwise with the leases it needs.
    """
    if getattr(arguments, "report", None):
        from syncd.app import report  # not at the top: commands that only look must start quickly

        report.check(arguments.report)  # before anything is sent: an error afterwards would come too late
    outline = read_outline(config_path(arguments), os.environ, arguments.scrubber.add)
    daemon = await reach(outline, os.environ)
    if daemon is not None:
        from syncd.cli.client import carried

        return await carried(daemon, arguments, stop)
    # Without a daemon a poke only tells that there is none, so it needs no more than the others.
    only_looks = arguments.command in ("history", "poke", "report", "status")
    async with looked(arguments) if only_looks else opened(arguments, readonly=False) as app:
        if not only_looks:
            await hold(arguments, app)
        return await work_of(arguments.command)(arguments, OwnDesk(app, stop))
