"""`syncd status` and `syncd retry`: how the syncs stand by the ledger, and the release of held entries."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from syncd.app import words
from syncd.cli import show, times
from syncd.cli.desk import Desk
from syncd.config import Config
from syncd.lang.saying import say, say_as
from syncd.model.alike import alike
from syncd.model.entry import Problem
from syncd.model.lease import Lease
from syncd.model.record import RunRecord
from syncd.service.status import Status, SyncStatus, read_status, status_document
from syncd.state.sqlite.file import is_held

if TYPE_CHECKING:  # what only looks at the state asks no portal
    from syncd.portal.client import MethodBudget

_TITLES = (
    say_as("column", "sync"),
    say_as("column", "last pass"),
    say_as("column", "state"),
    say_as("column", "last success"),
    say_as("column", "next pass"),
    say_as("column", "entries"),
    say_as("column", "held"),
    say_as("column", "rejected"),
    say_as("column", "gone"),
    say_as("column", "open intents"),
)
_NEVER = say_as("time", "never")
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
    """Return True if a daemon works with the state, None if that cannot be known; a database tells by its board."""
    return is_held(config.state) if config.database is None else None


def _show(out: Console, found: Status, config: Path) -> None:
    show.rows(out, _TITLES, (_row(one) for one in found.syncs))
    for one in found.syncs:
        _holds(out, one)
        show.kept(out, one.kept, one.why_kept)
        _groups(out, one.unplaced, _unplaced)
        _groups(out, one.passed_over, _passed_over)
        if one.last_run is not None and one.last_run.error:
            show.line(out, say("  {name}: {message}", name=one.name, message=one.last_run.error), "red")
    for portal, methods in found.operating.items():
        for method, budget in sorted(methods.items()):
            out.print(_operating(portal, method, budget), markup=False)
    for lease in found.board.leases if found.board is not None else ():
        show.line(out, _lease(lease))
    for one in found.syncs:
        if one.paused is not None:
            said = say(
                "  {name} is paused since {time}; `syncd resume {name}` lets it go on",
                name=one.name,
                time=times.local_time(one.paused),
            )
            show.line(out, said, "yellow")
    if found.daemon is False:
        said = say(
            "no daemon runs with {config}, so no pass is made by schedule (`syncd run` is the daemon)",
            config=str(config),
        )
        show.line(out, said, "yellow")
    show.line(out, say("times are in {zone}", zone=times.local_zone()), "dim")


def _unplaced(problem: Problem) -> str:
    return say("held: {where}: {reason} (tries again in every pass)", where=problem.where, reason=problem.reason)


def _passed_over(problem: Problem) -> str:
    kind = words.KINDS.get(problem.kind, problem.kind)
    return say("{kind}: {where}: {reason}", kind=kind, where=problem.where, reason=problem.reason)


def _operating(portal: str, method: str, budget: MethodBudget) -> str:
    """Return how much of its operating time a method has used."""
    named = {"portal": portal, "method": method}
    used = (
        say("  {portal}: {method} {used:.0f} of {limit:.0f} s operating time",
            used=budget.used_s, limit=budget.limit_s, **named)
        if budget.limit_s < float("inf")
        else say("  {portal}: {method} {used:.0f} s operating time", used=budget.used_s, **named)
    )  # fmt: skip
    return (
        say("{used}, resets {time}", used=used, time=times.local_time(budget.resets_at)) if budget.resets_at else used
    )


def _lease(lease: Lease) -> str:
    """Return which machine holds a portal."""
    if not lease.held:
        return say("  {portal} is held by no machine, epoch {epoch}", portal=lease.portal, epoch=lease.epoch)
    return say(
        "  {portal} is held by {host} (pid {pid}) since {time}, epoch {epoch}",
        portal=lease.portal,
        host=lease.host,
        pid=lease.pid,
        time=times.local_time(lease.since),
        epoch=lease.epoch,
    )


def _holds(out: Console, one: SyncStatus) -> None:
    groups = alike(one.holds, lambda hold: hold.reason)
    for group in groups[:_SHOWN_HOLDS]:
        for hold in group.examples:
            again = (
                say("when the portal has been read")
                if hold.retry_at == float("inf")
                else times.local_time(hold.retry_at)
            )
            show.line(
                out,
                say(
                    "  held: {where}: {title}: {reason} (tries again: {again})",
                    where=hold.where,
                    title=hold.title,
                    reason=hold.reason,
                    again=again,
                ),
            )
        show.more_alike(out, [hold.where for hold in group.others])
    if left := sum(group.size for group in groups[_SHOWN_HOLDS:]):
        show.line(out, say("  … and {left} more held in {name}", left=left, name=one.name))


def _groups(out: Console, problems: Sequence[Problem], said: Callable[[Problem], str]) -> None:
    """Print the first problems of each kind, and where similar ones are."""
    groups = alike(problems, lambda problem: problem.reason)
    for group in groups[:_SHOWN_HOLDS]:
        for problem in group.examples:
            show.line(out, show.inset(said(problem)))
        show.more_alike(out, [problem.where for problem in group.others])
    if left := sum(group.size for group in groups[_SHOWN_HOLDS:]):
        show.line(out, say("  … and {left} more (`status --json` has them)", left=left))


def _row(one: SyncStatus) -> tuple[str, ...]:
    last = one.last_run
    return (
        one.name,
        times.local_time(last.started) if last is not None else _NEVER,
        words.STATES.get(last.state, last.state) if last is not None else "-",
        times.local_time(one.last_success) if one.last_success is not None else _NEVER,
        _next(one),
        str(one.tally.entries),
        str(one.tally.held + len(one.unplaced)),
        str(last.counts.get("rejected", 0)) if last is not None else "0",
        str(len(one.kept)),
        str(one.tally.open_intents),
    )


def _next(one: SyncStatus) -> str:
    if one.running is not None:
        return say("under way since {time}", time=times.local_time(one.running))
    if one.paused is not None:
        return say("paused")
    return times.local_time(one.next_run) if one.next_run < float("inf") else _NEVER


def _released(number: int, last: RunRecord | None) -> str:
    """Return what happened to the held entries; those that could not be placed do not wait for a time."""
    waiting = last.counts.get("held", 0) if last is not None else 0
    if number:
        return say("{number} released", number=number)
    return (
        say("{number} held, which every pass tries again anyway", number=waiting)
        if waiting
        else say("nothing was held")
    )


async def retry(arguments: argparse.Namespace, desk: Desk) -> int:
    """Release held entries, so that the next pass tries them again."""
    from syncd.model.item import ANY_FINGERPRINT

    total = 0
    for sync in desk.app.syncs(arguments.names, portal=arguments.portal):
        ledger = desk.app.ledger.of(sync.name)
        if any(hold.fingerprint == ANY_FINGERPRINT for hold in await ledger.holds()):
            # What waited for what stands in the portal is decided by looking there, never without.
            await ledger.forget_verified()
        released = await ledger.release(None)
        total += released
        desk.print(say("{name}: {released}", name=sync.name, released=_released(released, await ledger.last_pass())))
    if total:
        desk.note(say("the next pass tries it again") if total == 1 else say("the next pass tries them again"))
    return 0
