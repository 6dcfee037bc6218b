"""`syncd status` and `syncd retry`: how the syncs stand by the ledger, and the release of what it holds."""

from __future__ import annotations

import argparse
import asyncio
import os
from datetime import datetime

from syncd.app.configured import read_config
from syncd.cli import show
from syncd.cli.desk import Desk
from syncd.cli.execute import config_path
from syncd.clock import SystemClock
from syncd.model.diff import ANY_FINGERPRINT
from syncd.service.status import Status, SyncStatus, read_status, status_document
from syncd.state.ledger import Ledger

_SHOWN_HOLDS = 20


async def status(arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """Print how every sync stands; neither sources nor portals are asked."""
    # Without `open_app`, which would open the portals and import what talks to them.
    config = read_config(config_path(arguments), os.environ, arguments.scrubber.add)
    ledger = await Ledger.open_readonly(config.state)
    try:
        found = await read_status(config, ledger, SystemClock())
    finally:
        await ledger.close()
    if arguments.json:
        show.document(status_document(found))
    else:
        _show(found)
    return 1 if any(one.holds or one.unplaced or one.tally.open_intents for one in found.syncs) else 0


def _show(found: Status) -> None:
    out = show.console()
    titles = ("sync", "last pass", "state", "last success", "next pass", "entries", "held", "gone", "open intents")
    show.rows(out, titles, (_row(one) for one in found.syncs))
    for one in found.syncs:
        for hold in one.holds[:_SHOWN_HOLDS]:
            again = "when the portal has been read" if hold.retry_at == float("inf") else _time(hold.retry_at)
            show.line(out, f"  held: {hold.where}: {hold.title}: {hold.reason} (tries again: {again})")
        if len(one.holds) > _SHOWN_HOLDS:
            out.print(f"  … and {len(one.holds) - _SHOWN_HOLDS} more held in {one.name}", markup=False)
        show.kept(out, one.kept)
        for problem in one.unplaced[:_SHOWN_HOLDS]:
            show.line(out, f"  held: {problem.where}: {problem.reason} (tries again in every pass)")
        for problem in one.passed_over[:_SHOWN_HOLDS]:
            show.line(out, f"  {problem.kind}: {problem.where}: {problem.reason}")
        if len(one.passed_over) > _SHOWN_HOLDS:
            out.print(f"  … and {len(one.passed_over) - _SHOWN_HOLDS} more passed over in {one.name}", markup=False)
        if one.last_run is not None and one.last_run.error:
            show.line(out, f"  {one.name}: {one.last_run.error}", "red")
    for portal, methods in found.operating.items():
        for method, budget in sorted(methods.items()):
            reset = f", resets {_time(budget.resets_at)}" if budget.resets_at else ""
            limit = f" of {budget.limit_s:.0f}" if budget.limit_s < float("inf") else ""
            used = f"{budget.used_s:.0f}{limit} s operating time"
            out.print(f"  {portal}: {method} {used}{reset}", markup=False)


def _row(one: SyncStatus) -> tuple[str, ...]:
    last = one.last_run
    return (
        one.name,
        _time(last.started) if last is not None else "never",
        last.state if last is not None else "-",
        _time(one.last_success) if one.last_success is not None else "never",
        _time(one.next_run) if one.next_run < float("inf") else "never",
        str(one.tally.entries),
        str(one.tally.held + len(one.unplaced)),
        str(len(one.kept)),
        str(one.tally.open_intents),
    )


def _time(unix: float) -> str:
    return datetime.fromtimestamp(unix).astimezone().strftime("%Y-%m-%d %H:%M:%S")


async def retry(arguments: argparse.Namespace, desk: Desk) -> int:
    """Release held entries; the next pass tries them again."""
    for sync in desk.app.syncs(arguments.names):
        ledger = desk.app.ledger.of(sync.name)
        if any(hold.fingerprint == ANY_FINGERPRINT for hold in await ledger.holds()):
            # What waited for what stands in the portal is decided by looking there, never without.
            await ledger.forget_verified()
        released = await ledger.release(None)
        desk.print(f"{sync.name}: {released} released")
    desk.note("the next pass tries them again")
    return 0
