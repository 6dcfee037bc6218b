"""`syncd plan` and `syncd sync`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable

import orjson

from syncd.app import documents, pinned, report
from syncd.app.wiring import App, open_app
from syncd.cli import progress, show
from syncd.cli.execute import config_path
from syncd.cycle.plan import Prepared, preview
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.errors import GuardError, SyncdError

_WORST_FIRST = (130, 3, 2, 4, 5, 1)


def worst(codes: Iterable[int]) -> int:
    """Return the exit code that says most about what went wrong."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), 0)


async def plan(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Show what would change; write nothing, here or there."""
    out = show.console()
    plans: list[Prepared] = []
    codes: list[int] = []
    failures: list[tuple[str, SyncdError]] = []
    async with open_app(config_path(arguments), learn_secret=arguments.learn_secret, readonly=True) as app:
        for chosen in app.syncs(arguments.names):
            try:
                plans.append(await preview(app.open_pass(chosen, stop), verify=arguments.verify))
            except SyncdError as error:
                failures.append((chosen.name, error))
                codes.append(error.exit_code)
                continue
            codes.append(_plan_code(plans[-1]))
        guarded = {one.sync: _guard_note(app, one) for one in plans}
    if arguments.out:
        pinned.write(arguments.out, plans)
    if arguments.json:
        document = documents.plan_document(plans)
        if failures:
            document["errors"] = [
                {"sync": name, "error": failure.message, "remedy": failure.remedy} for name, failure in failures
            ]
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        return worst(codes)
    for one in plans:
        show.plan(out, one)
        if note := guarded[one.sync]:
            show.line(out, f"  a pass would stop here: {note}", "red")
    for name, failure in failures:
        out.print(f"{name}:", style="bold", markup=False)
        show.error(out, failure)
    return worst(codes)


def _plan_code(prepared: Prepared) -> int:
    if not prepared.snapshot.complete:
        return 5
    return 1 if prepared.left_over(prepared.counts) else 0


def _guard_note(app: App, prepared: Prepared) -> str:
    try:
        app.sync(prepared.sync).guard.check(prepared.plan, prepared.sync)
    except GuardError as error:
        return str(error)
    return ""


async def sync(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Run one pass of each sync named (all by default)."""
    out = show.console()
    results: list[PassResult] = []
    pins = pinned.read(arguments.plan) if arguments.plan else None
    if arguments.report:
        report.check(arguments.report)
    async with open_app(config_path(arguments), learn_secret=arguments.learn_secret, readonly=False) as app:
        for chosen in app.syncs(arguments.names):
            options = PassOptions(
                verify=arguments.verify,
                force=arguments.force,
                approve=pins.check if pins is not None else None,
            )
            async with progress.shown(app.portal_of(chosen.name), chosen.name, wanted=not arguments.json):
                one = await run_pass(app.open_pass(chosen, stop), options)
            results.append(one)
            if not arguments.json:
                if one.prepared is not None:
                    show.problems(out, one.record.problems)
                show.result(out, one)
            if stop.is_set():
                break
    if arguments.report:
        report.write(arguments.report, results)
    if arguments.json:
        print(orjson.dumps(documents.runs_document(results), option=orjson.OPT_INDENT_2).decode())
    return worst(one.exit_code for one in results)
