"""`syncd state backup`, `check` and `move`: the state as a whole. Neither sources nor portals are asked."""

from __future__ import annotations

import argparse
import asyncio
import os

from syncd.app.configured import read_config
from syncd.app.documents import iso
from syncd.app.state_move import hint, move_state, target_of
from syncd.cli import show
from syncd.cli.execute import config_path
from syncd.clock import SystemClock
from syncd.config import Config
from syncd.errors import StateError
from syncd.model.names import counted
from syncd.scrub import Scrubber
from syncd.state.ledger import Ledger


async def state(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Run the one of the commands below that was asked for."""
    scrubber: Scrubber = arguments.scrubber
    config = read_config(config_path(arguments), os.environ, scrubber.add, looks=True)
    if arguments.what == "move":
        return await _move(config, arguments, scrubber)
    if config.database is None and not config.state.exists():
        raise StateError(f"there is no state at {config.state} yet", "the first `syncd sync` makes it")
    ledger = await Ledger.open_readonly(config.ledger, thorough=True)
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
                "state": ledger.shown,
                "backup": str(made.path),
                "taken": iso(now),
                "size_bytes": made.size_bytes,
                "items": made.items,
            }
        )
    else:
        size = f"{made.size_bytes / 1e6:.1f} MB"
        print(f"{made.path}: a copy of {ledger.shown} with {counted(made.items, 'item')}, {size}, read back and sound")
    return 0


async def _check(ledger: Ledger, arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """Read everything; a damaged state is told with the way out, and ends with exit code 2."""
    items = await ledger.check()
    if arguments.json:
        show.document({"ok": True, "state": ledger.shown, "items": items})
    else:
        print(f"{ledger.shown} is sound: {counted(items, 'item')}, every row as it was written")
        if name := await ledger.name(SystemClock().now()):
            print(f"its ledger is {name}")
    return 0


async def _move(config: Config, arguments: argparse.Namespace, scrubber: Scrubber) -> int:
    """Move the state; what is under way is not stopped halfway, for the next try would have to begin again."""
    target = target_of(arguments.to, arguments.schema, os.environ, scrubber.add)
    moved = await asyncio.to_thread(move_state, config.ledger, target, SystemClock().booted_at())
    if arguments.json:
        show.document({"state": moved.source, "moved_to": moved.target, "rows": dict(moved.rows)})
        return 0
    if moved.finished:
        print(f"{moved.target}: the move from {moved.source} was complete but for its end, and is finished now")
    else:
        rows = ", ".join(f"{count} {table}" for table, count in moved.rows.items())
        print(f"{moved.target}: moved from {moved.source}, read back and compared: {rows}")
    print(f"the old one refuses from now on; let {config.path} say {hint(target)}")
    return 0
