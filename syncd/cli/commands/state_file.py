"""`syncd state backup`, `check` and `move`: the state as a whole. Neither sources nor portals are asked."""

from __future__ import annotations

import argparse
import asyncio
import os

from syncd.app.configured import read_config
from syncd.app.documents import iso
from syncd.app.state_move import hint, move_state, target_of
from syncd.cli import printed
from syncd.cli.execute import config_path
from syncd.cli.outlet import tell
from syncd.clock import SystemClock
from syncd.config import Config
from syncd.errors import StateError
from syncd.lang.saying import say, say_count
from syncd.scrub import Scrubber
from syncd.state.ledger import Ledger


async def state(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Run the subcommand that was asked for."""
    scrubber: Scrubber = arguments.scrubber
    config = read_config(config_path(arguments), os.environ, scrubber.add, looks=True)
    if arguments.what == "move":
        return await _move(config, arguments, scrubber)
    if config.database is None and not config.state.exists():
        raise StateError(
            say("there is no state at {state} yet", state=str(config.state)), say("the first `syncd sync` makes it")
        )
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
        printed.document(
            {
                "state": ledger.shown,
                "backup": str(made.path),
                "taken": iso(now),
                "size_bytes": made.size_bytes,
                "items": made.items,
            }
        )
    else:
        tell(
            say(
                "{path}: a copy of {state} with {items}, {size:.1f} MB, read back and sound",
                path=str(made.path),
                state=ledger.shown,
                items=_items(made.items),
                size=made.size_bytes / 1e6,
            )
        )
    return 0


def _items(number: int) -> str:
    return say_count("{count:,} item", "{count:,} items", number)


async def _check(ledger: Ledger, arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """Read the whole state. If it is damaged, print how to repair it; the exit code is 2."""
    items = await ledger.check()
    if arguments.json:
        printed.document({"ok": True, "state": ledger.shown, "items": items})
    else:
        tell(
            say(
                "{state} is sound: {items}, every row as it was written",
                state=ledger.shown,
                items=_items(items),
            )
        )
        if name := await ledger.name(SystemClock().now()):
            tell(say("its ledger is {name}", name=name))
    return 0


async def _move(config: Config, arguments: argparse.Namespace, scrubber: Scrubber) -> int:
    """Move the state. A move under way is not stopped, because the next try would have to begin again."""
    target = target_of(arguments.to, arguments.schema, os.environ, scrubber.add)
    moved = await asyncio.to_thread(move_state, config.ledger, target, SystemClock().booted_at())
    if arguments.json:
        printed.document({"state": moved.source, "moved_to": moved.target, "rows": dict(moved.rows)})
        return 0
    if moved.finished:
        tell(
            say(
                "{target}: the move from {source} was complete but for its end, and is finished now",
                target=moved.target,
                source=moved.source,
            )
        )
    else:
        rows = tuple(say("{number} {table}", number=number, table=table) for table, number in moved.rows.items())
        tell(
            say(
                "{target}: moved from {source}, read back and compared: {rows}",
                target=moved.target,
                source=moved.source,
                rows=rows,
            )
        )
    tell(say("the old one refuses from now on; let {path} say {hint}", path=str(config.path), hint=hint(target)))
    return 0
