"""`syncd lease list` and `syncd lease release`: which machine writes to which portal, and having one given back."""

from __future__ import annotations

import argparse
import asyncio

from syncd.cli import printed, show, times
from syncd.cli.opened import looked, no_leases, sharing
from syncd.cli.outlet import tell
from syncd.clock import SystemClock, sleep_or_stop
from syncd.errors import ConfigError, StateLockedError
from syncd.lang.saying import say, say_as
from syncd.model.lease import Board, Lease, described
from syncd.service.status import board_document
from syncd.state.leases import Leases

_LEASES = (
    say_as("column", "portal"),
    say_as("column", "machine"),
    say_as("column", "pid"),
    say_as("column", "since"),
    say_as("column", "epoch"),
)
_MEMBERS = (
    say_as("column", "machine"),
    say_as("column", "pid"),
    "syncd",
    say_as("column", "portals"),
    say_as("column", "state"),
)
_LEAVING, _ALIVE, _LOST = say("leaving"), say("alive"), say("no longer heard of")
_ASKED_EVERY_S = 0.2
_PATIENCE_S = 5.0
"""How much longer than a lease lasts to wait for another machine to take it."""


async def lease(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Run the subcommand that was asked for."""
    return await (_release if arguments.what == "release" else _list)(arguments, stop)


async def _list(arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """Print which machine holds which portal since when, and which machines are alive."""
    async with looked(arguments) as app:
        board = await app.ledger.board()
        portals = [portal.name for portal in app.config.portals]
    if board is None:
        raise no_leases(app.config.path)
    if arguments.json:
        printed.document(board_document(board))
        return 0
    out = show.console()
    leases = {one.portal: one for one in board.leases}
    show.rows(out, _LEASES, (
        _row(name, leases.get(name)) for name in [*portals, *sorted(leases.keys() - portals)]
    ))  # fmt: skip
    show.rows(out, _MEMBERS, (
        (one.host, str(one.pid), one.version, str(sum(lease.holder == one.holder for lease in board.leases)),
         _LEAVING if one.leaving else _ALIVE if one.left_s > 0 else _LOST)
        for one in board.members
    ))  # fmt: skip
    return 0


def _row(portal: str, lease: Lease | None) -> tuple[str, ...]:
    if lease is None or not lease.held:
        return (portal, "-", "-", "-", str(lease.epoch) if lease is not None else "-")
    return (portal, lease.host, str(lease.pid), times.local_time(lease.since), str(lease.epoch))


async def _release(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Have a portal given back by the machine that holds it, and print which machine has it then."""
    async with sharing(arguments) as (app, leases):
        portal: str = arguments.portal
        board = await leases.look()
        before = board.lease(portal)
        if before is None and portal not in {one.name for one in app.config.portals}:
            raise ConfigError(
                say("{path} has no portal {portal!r}", path=str(app.config.path), portal=portal),
                say("`syncd lease list` names them"),
            )
        if before is None or not before.held or not await leases.ask_back(portal):
            tell(say("{portal}: held by no machine", portal=portal))
            return 0
        after = await _until_moved(leases, before, stop)
    if after is None:
        tell(say("{portal}: given back by {host}; no other machine has taken it yet", portal=portal, host=before.host))
    elif after.epoch == before.epoch:
        raise StateLockedError(
            say("{portal} is {holder} still", portal=portal, holder=described(after)),
            say("no other machine can serve it, or its pass takes long to end"),
        )
    else:
        tell(
            say(
                "{portal}: given back by {host}, now {holder}",
                portal=portal,
                host=before.host,
                holder=described(after),
            )
        )
    return 0


async def _until_moved(leases: Leases, before: Lease, stop: asyncio.Event) -> Lease | None:
    """Wait until another machine has taken the portal, or long enough; return who holds it then."""
    clock = SystemClock()
    ends = clock.monotonic() + leases.terms.ttl_s + _PATIENCE_S
    while True:
        board = await leases.look()
        now = board.lease(before.portal)
        moved = now is not None and now.held and now.epoch != before.epoch
        if moved or stop.is_set() or clock.monotonic() > ends or not _may_move(board, before):
            return now if now is not None and now.held else None
        await sleep_or_stop(clock, _ASKED_EVERY_S, stop)


def _may_move(board: Board, before: Lease) -> bool:
    """Return True if another machine could take the portal, or its holder has not given it back yet."""
    now = board.lease(before.portal)
    others = [one for one in board.members if one.left_s > 0 and not one.leaving and one.holder != before.holder]
    return bool(others) or (now is not None and now.held and all(one.holder != before.holder for one in board.members))
