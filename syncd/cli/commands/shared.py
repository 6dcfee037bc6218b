"""The commands that work with the state: what each of them does, written for any desk, and where it is done."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module

from syncd.app import report
from syncd.cli.desk import Desk, OwnDesk
from syncd.cli.opened import opened

Work = Callable[[argparse.Namespace, Desk], Awaitable[int]]
# Names in place of functions, because importing every command would slow down each of them.
_WORKS = {
    "migrate": ("migrate", "migrate"),
    "purge": ("takeback", "purge"),
    "retry": ("state", "retry"),
    "sync": ("passes", "sync"),
    "undo": ("takeback", "undo"),
}


async def shared(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Do what the command line asks for."""
    if getattr(arguments, "report", None):
        report.check(arguments.report)  # before anything is sent: afterwards it could not be written any more
    async with opened(arguments, readonly=False) as app:
        return await work_of(arguments.command)(arguments, OwnDesk(app, stop))


def work_of(command: str) -> Work:
    """Return what `command` does, importing only its module."""
    module, function = _WORKS[command]
    work: Work = getattr(import_module(f"syncd.cli.commands.{module}"), function)
    return work
