"""`syncd migrate`: one bulk pass that shows its plan, asks, can be stopped anywhere, and reads everything back."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

from rich.console import Console

from syncd.app import report
from syncd.app.wiring import App
from syncd.cli import progress, show
from syncd.cli.execute import worst
from syncd.cli.opened import opened
from syncd.cli.outlet import certain
from syncd.cli.question import agreed
from syncd.cycle.look import read_back
from syncd.cycle.plan import Prepared
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.cycle.sync import Sync
from syncd.errors import StoppedError, SyncdError

_STOPPED = "stopped; the same command continues where it stopped"


async def migrate(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Migrate each named sync, or all, one after the other."""
    out = show.console()
    if arguments.report:
        report.check(arguments.report)
    results: list[PassResult] = []
    codes: list[int] = []
    async with opened(arguments, readonly=False) as app:
        for sync in app.syncs(arguments.names):
            result = await _pass(out, app, sync.unbounded(), ask=not arguments.yes, stop=stop)
            code = result.exit_code
            # After an error or a stop the difference is known already; reading it all back would only cost time.
            if code in (0, 1) and result.state in ("done", "partial"):
                result, code = await _proved(out, app, sync.unbounded(), result, stop)
            results.append(result)
            codes.append(code)
            if stop.is_set():
                out.print(_STOPPED)
                break
    if arguments.report:
        report.write(arguments.report, results, clean=certain, raw=app.config.raw_reports)
    return worst(codes)


async def _pass(out: Console, app: App, sync: Sync, *, ask: bool, stop: asyncio.Event) -> PassResult:
    async with AsyncExitStack() as bars:

        async def confirm(prepared: Prepared) -> bool:
            show.plan(out, prepared)
            if ask and prepared.plan.changes and not await agreed(f"send these changes of {sync.name}?", stop):
                return False
            # Only now, as a bar would be in the way of the question.
            await bars.enter_async_context(progress.shown(app.portal_of(sync.name), sync.name, lines=True))
            return True

        result = await run_pass(app.open_pass(sync, stop), PassOptions(confirm=confirm, fresh=True))
    show.result(out, result)
    return result


async def _proved(
    out: Console, app: App, sync: Sync, result: PassResult, stop: asyncio.Event
) -> tuple[PassResult, int]:
    """Read everything back and print the verdict; return the result with it, and the exit code."""
    changes = result.prepared.plan.changes if result.prepared is not None else ()
    settled = result.fates.settled
    deleted = [c.link for c in changes if c.op == "delete" and c.link is not None and c.key in settled]
    try:
        async with progress.shown(app.portal_of(sync.name), f"{sync.name}: reading back", lines=True):
            found = await read_back(app.open_pass(sync, stop), report.to_read_back(result), deleted)
    except StoppedError:
        return result, StoppedError.exit_code
    except SyncdError as error:
        show.error(out, error)
        return result, error.exit_code
    result = replace(result, read_back=found)
    said = report.verdict(result)
    see = ", see report" if said.rejected or said.held or said.differ else ""
    show.line(out, f"{sync.name}: {said}{see}", "green" if said.confirmed == said.total else "red")
    return result, result.exit_code or (1 if said.differ or found.wrong else 0)
