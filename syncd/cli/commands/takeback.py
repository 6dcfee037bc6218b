"""`syncd undo` and `syncd purge`: take back one run, or everything a sync has created."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence

from rich.console import Console

from syncd.cli import progress, show
from syncd.cli.opened import opened
from syncd.cli.question import agreed
from syncd.cycle.takeback import Confirm, Offer, Taken
from syncd.cycle.takeback import purge as purge_sync
from syncd.cycle.takeback import undo as undo_run
from syncd.errors import ConfigError
from syncd.model.takeback import Left

_SHOWN_LEFT = 40


async def undo(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Take back what one run did, except what has been changed since."""
    out = show.console()
    async with opened(arguments, readonly=False) as app:
        run = await app.ledger.run(arguments.run_id)
        if run is None:
            raise ConfigError(
                f"there is no run {arguments.run_id}",
                "`syncd status --json` names the last run of every sync; runs older than keep_runs are forgotten",
            )
        sync, portal = app.sync(run.sync), app.portal_of(run.sync)
        question = f"take back run {run.id} of {run.sync}?"
        # With a question to come there is no bar: it would be in the way.
        async with progress.shown(portal, f"undo {run.id}", lines=True, wanted=arguments.yes) as bar:
            confirm = _asking(out, bar, question, ask=not arguments.yes, stop=stop)
            taken = await undo_run(app.open_pass(sync, stop), run.id, confirm=confirm, force=arguments.force)
        _tell(out, taken)
        if taken.error is None and taken.record.state != "stopped":
            out.print("  the next pass does it again, unless the source or the config changes before")
        return taken.exit_code


async def purge(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Delete everything that one sync created; what it adopted stays."""
    out = show.console()
    async with opened(arguments, readonly=False) as app:
        sync = app.sync(arguments.name)
        portal = app.portal_of(sync.name)
        question = f"delete all of this from {portal.origin}?"
        async with progress.shown(portal, f"purge {sync.name}", lines=True, wanted=arguments.yes) as bar:
            confirm = _asking(out, bar, question, ask=not arguments.yes, stop=stop)
            taken = await purge_sync(app.open_pass(sync, stop), confirm=confirm, force=arguments.force)
        _tell(out, taken)
        if taken.error is None and taken.record.state == "done":
            out.print("  sections stay; the next pass creates everything again while the sync is in the config")
        return taken.exit_code


def _asking(out: Console, bar: progress.Shown, question: str, *, ask: bool, stop: asyncio.Event) -> Confirm:
    """Return the question for an offer. Without changes there is nothing to agree to, so it is not asked."""

    async def confirm(offer: Offer) -> bool:
        with bar.aside():
            _show(out, offer)
        nothing = not offer.plan.changes and not offer.plan.forgotten
        return nothing or not ask or await agreed(question, stop)

    return confirm


def _show(out: Console, offer: Offer) -> None:
    plan = offer.plan
    counts = {op: sum(1 for change in plan.changes if change.op == op) for op in ("delete", "update", "create")}
    said = [f"{number} to {op}" for op, number in counts.items() if number]
    said += [f"{len(plan.left)} left alone"] if plan.left else []
    said += [f"{len(plan.forgotten)} only forgotten (taken over, or gone already)"] if plan.forgotten else []
    said += [f"nothing to do for {plan.already}"] if plan.already else []
    show.line(out, ", ".join(said) or "nothing to do", "bold")
    show.change_table(out, plan.changes, directory=offer.directory)
    _lines(out, plan.left, "left alone")
    _lines(out, plan.noted, "deleted nevertheless")
    if plan.changes:
        notices = f", {offer.notices} notices to people" if offer.notices else ""
        show.estimate(out, offer.forecast, notices)


def _lines(out: Console, lines: Sequence[Left], what: str) -> None:
    for one in lines[:_SHOWN_LEFT]:
        show.line(out, f"  {what}: {one.link.where}: «{one.link.title}» {one.link.start[:10]}: {one.reason}", "yellow")
    if len(lines) > _SHOWN_LEFT:
        out.print(f"  … and {len(lines) - _SHOWN_LEFT} more")


def _tell(out: Console, taken: Taken) -> None:
    show.problems(out, taken.record.problems)
    show.outcome(out, taken.record, taken.error)
