"""`syncd migrate`: one bulk pass that shows its plan, asks, can be stopped anywhere, and reads everything back."""

from __future__ import annotations

import argparse
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial

from syncd.app import report
from syncd.app.documents import runs_document
from syncd.app.known import facts_of, in_short
from syncd.cli import show
from syncd.cli.desk import Desk, chosen
from syncd.cli.execute import worst
from syncd.cycle.look import read_back
from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.cycle.sync import Sync
from syncd.errors import PortalUnusableError, StoppedError, SyncdError, message_of, without_frames
from syncd.lang.saying import say
from syncd.model.fates import Fates
from syncd.model.record import RunRecord

_STOPPED = say("stopped; the same command continues where it stopped")


@dataclass(frozen=True, slots=True)
class _Migrated:
    """A pass that was read back, in the form of a pass: its exit code takes into account what the reading found."""

    result: PassResult
    code: int

    @property
    def record(self) -> RunRecord:
        return self.result.record

    @property
    def error(self) -> SyncdError | None:
        return self.result.error

    @property
    def fates(self) -> Fates:
        return self.result.fates


async def migrate(arguments: argparse.Namespace, desk: Desk) -> int:
    """Migrate each named sync, or all, one after the other."""
    done: list[_Migrated] = []
    failures: dict[str, SyncdError] = {}
    for name in await chosen(arguments, desk):
        try:
            # Read back before anything else may change what was sent.
            done.append(
                await desk.alone(name, partial(_migrated, desk, name, ask=not arguments.yes, shows=not arguments.json))
            )
        except PortalUnusableError as error:  # of this portal only
            failures[name] = without_frames(error)
            if not arguments.json:
                show.line(desk.console(), f"{name}:", "bold")
                show.error(desk.console(), error)
        if desk.stop.is_set():
            if arguments.json:
                desk.note(_STOPPED)
            else:
                show.line(desk.console(), _STOPPED)
            break
    if arguments.report:
        await desk.report(arguments.report, [one.result for one in done])
    if arguments.json:
        desk.document(runs_document(((one.record, one.result.kept) for one in done), failures))
    return worst([*(one.code for one in done), *(error.exit_code for error in failures.values())])


async def _migrated(desk: Desk, name: str, *, ask: bool, shows: bool) -> _Migrated:
    """Migrate one sync, and read everything back to prove it."""
    sync = desk.app.sync(name).unbounded()
    result = await _pass(desk, sync, ask=ask, shows=shows)
    # After an error or a stop the difference is known already; reading it all back would only cost time.
    if result.exit_code in (0, 1) and result.state in ("done", "partial"):
        return await _proved(desk, sync, result, shows=shows)
    return _Migrated(result, result.exit_code)


async def _pass(desk: Desk, sync: Sync, *, ask: bool, shows: bool) -> PassResult:
    out, portal = desk.console(), desk.app.portal_of(sync.name)
    async with AsyncExitStack() as bars:

        async def confirm(prepared: Prepared) -> bool:
            if shows:
                show.plan(out, prepared, zone=sync.zone)
                show.known(out, portal.name, in_short(await facts_of(desk.app.ledger, portal)))
            if (
                ask
                and prepared.plan.changes
                and not await desk.agreed(say("send these changes of {name}?", name=sync.name))
            ):
                return False
            # Not earlier: a bar would be in the way of the question.
            await bars.enter_async_context(desk.bar(portal, sync.name, lines=True))
            return True

        result = await run_pass(desk.app.open_pass(sync, desk.stop), PassOptions(confirm=confirm, fresh=True))
    if shows:
        show.result(out, result)
    return result


async def _proved(desk: Desk, sync: Sync, result: PassResult, *, shows: bool) -> _Migrated:
    """Read everything back and print the verdict; return the result with it."""
    out, app = desk.console(), desk.app
    changes = result.prepared.plan.changes if result.prepared is not None else ()
    settled = result.fates.settled
    deleted = [c.link for c in changes if c.op == "delete" and c.link is not None and c.key in settled]
    try:
        async with desk.bar(app.portal_of(sync.name), say("{name}: reading back", name=sync.name), lines=True):
            found = await read_back(app.open_pass(sync, desk.stop), report.to_read_back(result), deleted)
    except StoppedError:
        return _Migrated(result, StoppedError.exit_code)
    except SyncdError as error:
        if shows:
            show.error(out, error)
        else:
            desk.note(message_of(error))
        return _Migrated(result, error.exit_code)
    result = replace(result, read_back=found)
    said = report.verdict(result)
    told = said.told(to_report=bool(said.rejected or said.held or said.differ))
    if shows:
        show.line(
            out,
            say("{name}: {verdict}", name=sync.name, verdict=told),
            "green" if said.confirmed == said.total else "red",
        )
    else:
        desk.note(say("{name}: {verdict}", name=sync.name, verdict=told))
    return _Migrated(result, result.exit_code or (1 if said.differ or found.wrong else 0))
