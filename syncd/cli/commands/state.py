"""`syncd status` and `syncd retry`: how the syncs stand by the ledger, and the release of what it holds."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from syncd.cli import show
from syncd.cli.desk import Desk
from syncd.config import Config
from syncd.model.alike import alike
from syncd.model.entry import Problem
from syncd.model.record import RunRecord
from syncd.service.status import Status, SyncStatus, read_status, status_document
from syncd.state.sqlite.file import is_held

_SHOWN_HOLDS = 20


async def status(arguments: argparse.Namespace, desk: Desk) -> int:
    """Print how the syncs stand; neither sources nor portals are asked."""
    app, states = desk.app, desk.states()
    names = app.config.chosen(arguments.names, arguments.portal)
    found = await read_status(
        app.config,
        app.ledger,
        app.clock,
        names=names,
        states=states,
        daemon=True if states is not None else _daemon(app.config),
    )
    if arguments.json:
        desk.document(status_document(found))
    else:
        _show(desk.console(), found, app.config.path)
    return 1 if any(one.holds or one.unplaced or one.tally.open_intents for one in found.syncs) else 0


def _daemon(config: Config) -> bool | None:
    """Return whether a daemon works with the state, None if that cannot be known; of a database its board tells."""
    return is_held(config.state) if config.database is None else None


def _show(out: Console, found: Status, config: Path) -> None:
    titles = (
        "sync", "last pass", "state", "last success", "next pass", "entries", "held", "rejected", "gone", "open intents"
    )  # fmt: skip
    show.rows(out, titles, (_row(one) for one in found.syncs))
    for one in found.syncs:
        _holds(out, one)
        show.kept(out, one.kept)
        _groups(
            out, one.unplaced, lambda problem: f"held: {problem.where}: {problem.reason} (tries again in every pass)"
        )
        _groups(out, one.passed_over, lambda problem: f"{problem.kind}: {problem.where}: {problem.reason}")
        if one.last_run is not None and one.last_run.error:
            show.line(out, f"  {one.name}: {one.last_run.error}", "red")
    for portal, methods in found.operating.items():
        for method, budget in sorted(methods.items()):
            reset = f", resets {show.local_time(budget.resets_at)}" if budget.resets_at else ""
            limit = f" of {budget.limit_s:.0f}" if budget.limit_s < float("inf") else ""
            used = f"{budget.used_s:.0f}{limit} s operating time"
            out.print(f"  {portal}: {method} {used}{reset}", markup=False)
    for lease in found.board.leases if found.board is not None else ():
        since = f" since {show.local_time(lease.since)}" if lease.held else ""
        holder = f"{lease.host} (pid {lease.pid})" if lease.held else "no machine"
        show.line(out, f"  {lease.portal} is held by {holder}{since}, epoch {lease.epoch}")
    for one in found.syncs:
        if one.paused is not None:
            since = f"since {show.local_time(one.paused)}; `syncd resume {one.name}` lets it go on"
            show.line(out, f"  {one.name} is paused {since}", "yellow")
    if found.daemon is False:
        said = f"no daemon runs with {config}, so no pass is made by schedule (`syncd run` is the daemon)"
        show.line(out, said, "yellow")
    show.line(out, f"times are in {show.local_zone()}", "dim")


def _holds(out: Console, one: SyncStatus) -> None:
    groups = alike(one.holds, lambda hold: hold.reason)
    for group in groups[:_SHOWN_HOLDS]:
        for hold in group.examples:
            again = "when the portal has been read" if hold.retry_at == float("inf") else show.local_time(hold.retry_at)
            show.line(out, f"  held: {hold.where}: {hold.title}: {hold.reason} (tries again: {again})")
        show.more_alike(out, [hold.where for hold in group.others])
    if left := sum(group.size for group in groups[_SHOWN_HOLDS:]):
        show.line(out, f"  … and {left} more held in {one.name}")


def _groups(out: Console, problems: Sequence[Problem], said: Callable[[Problem], str]) -> None:
    """Print the first problems of each kind, and where others like them are."""
    groups = alike(problems, lambda problem: problem.reason)
    for group in groups[:_SHOWN_HOLDS]:
        for problem in group.examples:
            show.line(out, f"  {said(problem)}")
        show.more_alike(out, [problem.where for problem in group.others])
    if left := sum(group.size for group in groups[_SHOWN_HOLDS:]):
        show.line(out, f"  … and {left} more (`status --json` has them)")


def _row(one: SyncStatus) -> tuple[str, ...]:
    last = one.last_run
    return (
        one.name,
        show.local_time(last.started) if last is not None else "never",
        last.state if last is not None else "-",
        show.local_time(one.last_success) if one.last_success is not None else "never",
        _next(one),
        str(one.tally.entries),
        str(one.tally.held + len(one.unplaced)),
        str(last.counts.get("rejected", 0)) if last is not None else "0",
        str(len(one.kept)),
        str(one.tally.open_intents),
    )


def _next(one: SyncStatus) -> str:
    if one.running is not None:
        return f"under way since {show.local_time(one.running)}"
    if one.paused is not None:
        return "paused"
    return show.local_time(one.next_run) if one.next_run < float("inf") else "never"


def _released(number: int, last: RunRecord | None) -> str:
    """Return what became of the entries that are held; those without a place wait for no time."""
    waiting = last.counts.get("held", 0) if last is not None else 0
    if number:
        return f"{number} released"
    return f"{waiting} held, which every pass tries again anyway" if waiting else "nothing was held"


async def retry(arguments: argparse.Namespace, desk: Desk) -> int:
    """Release held entries; the next pass tries them again."""
    from syncd.model.item import ANY_FINGERPRINT

    total = 0
    for sync in desk.app.syncs(arguments.names, portal=arguments.portal):
        ledger = desk.app.ledger.of(sync.name)
        if any(hold.fingerprint == ANY_FINGERPRINT for hold in await ledger.holds()):
            # What waited for what stands in the portal is decided by looking there, never without.
            await ledger.forget_verified()
        released = await ledger.release(None)
        total += released
        desk.print(f"{sync.name}: {_released(released, await ledger.last_run())}")
    if total:
        desk.note(f"the next pass tries {'it' if total == 1 else 'them'} again")
    return 0
