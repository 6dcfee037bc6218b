"""`syncd run`: the daemon, in the foreground as systemd wants it."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal

from syncd.cli.execute import config_path
from syncd.errors import ConfigError
from syncd.service.host import open_service, surroundings


async def run_daemon(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Make passes by the schedules of the config until a signal comes; SIGHUP reads the config again."""
    reload = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload.set)
    around = surroundings(os.environ, os.getpid(), arguments.learn_secret)
    async with open_service(config_path(arguments), around, stop) as service:
        if not service.config.syncs:
            raise ConfigError(f"{service.config.path} has no [[sync]]", "add one; see config.example.toml")
        await service.run(reload)
    return 0
