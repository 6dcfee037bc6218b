"""`syncd plan` and `syncd sync`."""

from __future__ import annotations

import argparse
import asyncio
from functools import partial

from rich.console import Console

from syncd.app import documents, pinned
from syncd.app.application import App
from syncd.app.known import facts_of, in_short
from syncd.cli import printed, show
from syncd.cli.desk import Desk, chosen
from syncd.cli.execute import worst
from syncd.cli.opened import opened
from syncd.cli.outlet import certain
from syncd.cycle.plan import preview
from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.errors import GuardError, PortalUnusableError, SyncdError, message_of, without_frames
from syncd.lang.saying import say


async def plan(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Show what would change; nothing is written, neither to the portal nor to the ledger.

    It opens the ledger for reading only, so it runs in this process even beside a daemon, which is not told of it.
    """
    out = show.console()
    plans: list[Prepared] = []
    failures: dict[str, SyncdError] = {}
    async with opened(arguments, readonly=True) as app:
        for each in app.syncs(arguments.names, portal=arguments.portal):
            try:
                plans.append(await preview(app.open_pass(each, stop), verify=arguments.verify, fresh=arguments.fresh))
            except SyncdError as error:
                failures[each.name] = without_frames(error)
        guarded = {one.sync: _guard_note(app, one) for one in plans}
        portals = {one.sync: app.portal_of(one.sync) for one in plans}
        known = {name: (portal.name, in_short(await facts_of(app.ledger, portal))) for name, portal in portals.items()}
        zones = {one.sync: app.sync(one.sync).zone for one in plans}
    if arguments.out:
        pinned.write(arguments.out, plans, clean=certain)
    codes = [*map(_plan_code, plans), *(error.exit_code for error in failures.values())]
    if arguments.json:
        printed.document(documents.plan_document(plans, failures))
        return worst(codes)
    for one in plans:
        show.plan(out, one, zone=zones[one.sync])
        if one.plan.changes:
            show.known(out, *known[one.sync])
        if note := guarded[one.sync]:
            show.line(out, say("  a pass would stop here: {note}", note=note), "red")
    for name, failure in failures.items():
        show.line(out, f"{name}:", "bold")
        show.error(out, failure)
    return worst(codes)


def _plan_code(prepared: Prepared) -> int:
    """Return the exit code that a pass would have, as far as the plan tells. Changes alone are no failure."""
    if not prepared.snapshot.complete:
        return 5
    return 1 if prepared.left_over(prepared.counts) else 0


def _guard_note(app: App, prepared: Prepared) -> str:
    """Return why a guard would stop a pass with this plan, "" if none would."""
    try:
        prepared.check()
    except GuardError as error:
        return message_of(error)
    return ""


async def sync(arguments: argparse.Namespace, desk: Desk) -> int:
    """Make one pass of each named sync, or of all."""
    results: list[PassResult] = []
    failures: dict[str, SyncdError] = {}
    pins = pinned.read(arguments.plan, desk.content(arguments.plan)) if arguments.plan else None
    options = PassOptions(
        verify=arguments.verify,
        force=arguments.force,
        fresh=arguments.fresh or bool(arguments.report),  # a report has a row for each entry
        approve=pins.check if pins is not None else None,
    )
    if pins is not None and not arguments.names:
        arguments.names = [*pins.plans]  # only what was reviewed
    for name in await chosen(arguments, desk):
        # One after the other: they share the portal's limits, so side by side they would take as long.
        try:
            one = await desk.alone(name, partial(_pass, desk, name, options, as_json=arguments.json))
        except PortalUnusableError as error:  # of this portal only
            failures[name] = without_frames(error)
            if not arguments.json:
                show.line(desk.console(), f"{name}:", "bold")
                show.error(desk.console(), error)
            continue
        results.append(one)
        if not arguments.json:
            _show(desk.console(), one)
        if desk.stop.is_set():
            break
    if arguments.report:
        await desk.report(arguments.report, results)
    if arguments.json:
        desk.document(documents.runs_document(((one.record, one.kept) for one in results), failures))
    return worst([*(one.exit_code for one in results), *(error.exit_code for error in failures.values())])


async def _pass(desk: Desk, name: str, options: PassOptions, *, as_json: bool) -> PassResult:
    app = desk.app
    async with desk.bar(app.portal_of(name), name, wanted=not as_json):
        return await run_pass(app.open_pass(app.sync(name), desk.stop), options)


def _show(out: Console, one: PassResult) -> None:
    if one.prepared is not None:
        show.problems(out, one.record.problems)
        show.kept(out, one.prepared.plan.kept)
    show.result(out, one)
