"""`syncd state backup` and `syncd state check`: the state file as a file. Neither sources nor portals are asked."""

from __future__ import annotations

import argparse
import asyncio
import os

from syncd.app.configured import read_config
from syncd.app.documents import iso
from syncd.cli import show
from syncd.cli.execute import config_path
from syncd.clock import SystemClock
from syncd.errors import StateError
from syncd.model.names import counted
from syncd.state.ledger import Ledger


async def state(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Run the one of the commands below that was asked for."""
    config = read_config(config_path(arguments), os.environ, looks=True)
    if not config.state.exists():
        raise StateError(f"there is no state at {config.state} yet", "the first `syncd sync` makes it")
    ledger = await Ledger.open_readonly(config.state, thorough=True)
    try:
        return await (_backup if arguments.what == "backup" else _check)(ledger, arguments, stop)
    finally:
        await ledger.close()


async def _backup(ledger: Ledger, arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """Copy the state as it is at this moment, check the copy, and put it into place."""
    now = SystemClock().now()
    made = await ledger.back_up(arguments.file)
    if arguments.json:
        show.document(
            {
                "state": str(ledger.path),
                "backup": str(made.path),
                "taken": iso(now),
                "size_bytes": made.size_bytes,
                "items": made.items,
            }
        )
    else:
        size = f"{made.size_bytes / 1e6:.1f} MB"
        print(f"{made.path}: a copy of {ledger.path} with {counted(made.items, 'item')}, {size}, read back and sound")
    return 0


async def _check(ledger: Ledger, arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """Read everything; a damaged state is told with the way out, and ends with exit code 2."""
    items = await ledger.check()
    if arguments.json:
        show.document({"ok": True, "state": str(ledger.path), "items": items})
    else:
        print(f"{ledger.path} is sound: {counted(items, 'item')}, every row as it was written")
    return 0
