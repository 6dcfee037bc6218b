"""`syncd run`: the daemon, in the foreground as systemd wants it."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal

from syncd.cli.execute import config_path
from syncd.service.host import open_service, real_runtime


async def run_daemon(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Make passes by the schedules of the config until a signal comes; SIGHUP reads the config again."""
    reload = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload.set)
    runtime = real_runtime(os.environ, os.getpid(), arguments.scrubber)
    async with open_service(config_path(arguments), runtime, stop) as service:
        await service.run(reload)
    return 0
