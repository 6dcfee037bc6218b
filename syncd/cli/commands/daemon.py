"""`syncd run`: the daemon, in the foreground as systemd wants it."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from importlib import import_module

from syncd.cli.execute import config_path
from syncd.service.control import Caller
from syncd.service.host import Service, open_service, real_runtime
from syncd.service.memory_limit import limit_memory
from syncd.service.protocol import Request


async def run_daemon(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Make passes by the schedules of the config until a signal comes; SIGHUP reads the config again."""
    limit_memory()
    reload = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload.set)
    runtime = real_runtime(os.environ, os.getpid(), arguments.scrubber, _carry)
    async with open_service(config_path(arguments), runtime, stop) as service:
        await service.run(reload)
    return 0


async def _carry(service: Service, request: Request, caller: Caller) -> int:
    # Imported with the first command, because it loads all that prints, which most daemons never need.
    carry = import_module("syncd.cli.served").carry
    return int(await carry(service.app, service, request, caller, service.scrubber))
