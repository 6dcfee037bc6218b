"""`syncd plan` and `syncd sync`."""

from __future__ import annotations

import argparse
import asyncio

from syncd.app import documents, pinned, report
from syncd.app.wiring import App
from syncd.cli import progress, show
from syncd.cli.execute import worst
from syncd.cli.opened import opened
from syncd.cli.outlet import certain
from syncd.cycle.plan import Prepared, preview
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.errors import GuardError, SyncdError


async def plan(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Show what would change; nothing is written, neither to the portal nor to the ledger."""
    out = show.console()
    plans: list[Prepared] = []
    failures: dict[str, SyncdError] = {}
    async with opened(arguments, readonly=True) as app:
        for chosen in app.syncs(arguments.names):
            try:
                plans.append(await preview(app.open_pass(chosen, stop), verify=arguments.verify, fresh=arguments.fresh))
            except SyncdError as error:
                failures[chosen.name] = error
        guarded = {one.sync: _guard_note(app, one) for one in plans}
    if arguments.out:
        pinned.write(arguments.out, plans, clean=certain)
    codes = [*map(_plan_code, plans), *(error.exit_code for error in failures.values())]
    if arguments.json:
        show.document(documents.plan_document(plans, failures))
        return worst(codes)
    for one in plans:
        show.plan(out, one)
        if note := guarded[one.sync]:
            show.line(out, f"  a pass would stop here: {note}", "red")
    for name, failure in failures.items():
        out.print(f"{name}:", style="bold", markup=False)
        show.error(out, failure)
    return worst(codes)


def _plan_code(prepared: Prepared) -> int:
    """Return what a pass would end with, as far as the plan tells; changes alone are no reason to fail."""
    if not prepared.snapshot.complete:
        return 5
    return 1 if prepared.left_over(prepared.counts) else 0


def _guard_note(app: App, prepared: Prepared) -> str:
    """Return why a guard would stop a pass with this plan, empty if none would."""
    try:
        app.sync(prepared.sync).guard.check(prepared.plan, prepared.sync)
    except GuardError as error:
        return str(error)
    return ""


async def sync(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Make one pass of each named sync, or of all."""
    out = show.console()
    results: list[PassResult] = []
    pins = pinned.read(arguments.plan) if arguments.plan else None
    if arguments.report:
        report.check(arguments.report)  # before anything is sent: afterwards it could not be written any more
    async with opened(arguments, readonly=False) as app:
        for chosen in app.syncs(arguments.names):
            options = PassOptions(
                verify=arguments.verify,
                force=arguments.force,
                fresh=arguments.fresh or bool(arguments.report),  # which has a row for each entry
                approve=pins.check if pins is not None else None,
            )
            # One after the other: they share the portal's limits, so side by side they would take as long.
            async with progress.shown(app.portal_of(chosen.name), chosen.name, wanted=not arguments.json):
                one = await run_pass(app.open_pass(chosen, stop), options)
            results.append(one)
            if not arguments.json:
                if one.prepared is not None:
                    show.problems(out, one.record.problems)
                    show.kept(out, one.prepared.plan.kept)
                show.result(out, one)
            if stop.is_set():
                break
    if arguments.report:
        report.write(arguments.report, results, clean=certain, raw=app.config.raw_reports)
    if arguments.json:
        show.document(documents.runs_document((one.record, one.kept) for one in results))
    return worst(one.exit_code for one in results)
