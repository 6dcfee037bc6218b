"""`syncd undo` and `syncd purge`: take back one run, or everything a sync has created."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import TypeVar

from rich.console import Console

from syncd.app import words
from syncd.app.documents import runs_document
from syncd.cli import show, times
from syncd.cli.desk import Desk
from syncd.cli.progress import Shown
from syncd.cycle.made_sections import Tidied, holders
from syncd.cycle.sync import Sync
from syncd.cycle.takeback import Confirm, Offer, Taken
from syncd.cycle.takeback import purge as purge_sync
from syncd.cycle.takeback import undo as undo_run
from syncd.errors import ConfigError, SyncdError
from syncd.lang.saying import say, say_count
from syncd.model.instants import instants
from syncd.model.item import Item, Link
from syncd.model.made_sections import MadeSection
from syncd.model.takeback import Left
from syncd.portal.client import Portal
from syncd.portal.probe.run import sweep

T = TypeVar("T")
_SHOWN_LEFT = 40


async def undo(arguments: argparse.Namespace, desk: Desk) -> int:
    """Take back what one run did, except what has been changed since."""
    run = await desk.app.ledger.run(arguments.run_id)
    if run is None:
        raise ConfigError(
            say("there is no run {run}", run=arguments.run_id),
            say("`syncd history` names the runs; those older than keep_runs are forgotten"),
        )
    question = say("take back run {run} of {sync}?", run=run.id, sync=run.sync)

    async def work() -> Taken:
        sync, portal = desk.app.sync(run.sync), desk.app.portal_of(run.sync)
        # With a question to come there is no bar: it would be in the way.
        async with desk.bar(portal, say("undo {run}", run=run.id), lines=True, wanted=arguments.yes) as bar:
            confirm = _asking(desk, sync.name, bar, question, ask=not arguments.yes, shows=not arguments.json)
            return await undo_run(desk.app.open_pass(sync, desk.stop), run.id, confirm=confirm, force=arguments.force)

    desk.app.sync(run.sync)  # raises for a sync that has left the config, before a running pass is ended for it
    taken = await desk.alone(run.sync, work, at_once=True)
    if arguments.json:
        desk.document(runs_document([(taken.record, ())], {}))
        return taken.exit_code
    out = desk.console()
    _tell(out, taken)
    if taken.error is None and taken.record.state != "stopped":
        out.print(say("  the next pass does it again, unless the source or the config changes before"))
    return taken.exit_code


async def purge(arguments: argparse.Namespace, desk: Desk) -> int:
    """Delete everything that one sync created; what it adopted stays."""

    async def work() -> Taken:
        sync = desk.app.sync(arguments.name)
        portal = desk.app.portal_of(sync.name)
        question = say("delete all of this from {origin}?", origin=portal.origin)
        async with desk.bar(portal, say("purge {sync}", sync=sync.name), lines=True, wanted=arguments.yes) as bar:
            confirm = _asking(desk, sync.name, bar, question, ask=not arguments.yes, shows=not arguments.json)
            taken = await purge_sync(
                desk.app.open_pass(sync, desk.stop), confirm=confirm, force=arguments.force, others=_others(desk, sync)
            )
        await _sweep(desk, portal)
        return taken

    taken = await desk.alone(desk.app.sync(arguments.name).name, work, at_once=True)
    if arguments.json:
        desk.document(runs_document([(taken.record, ())], {}))
        _tell_sections(desk, taken.tidied)
        return taken.exit_code
    out = desk.console()
    _tell(out, taken)
    _tell_sections(desk, taken.tidied)
    if taken.error is None and taken.record.state == "done":
        out.print(say("  the next pass creates everything again while the sync is in the config"))
    return taken.exit_code


def _others(desk: Desk, sync: Sync) -> frozenset[str]:
    """Return the sections, by name or id, that other syncs of the same portal write to."""
    return frozenset(desk.app.sync(name).target.section_name for name in sync.siblings if name != sync.name)


def _tell_sections(desk: Desk, tidied: Tidied) -> None:
    """Print which sections were removed, and why others were not; to stderr, as stdout may hold a document."""
    if tidied.removed:
        desk.note(
            say(
                "removed what syncd had made and nothing is left in: {sections}",
                sections=_sections(tidied.removed, tidied.holders),
            )
        )
    for one, why in tidied.left[:_SHOWN_LEFT]:
        desk.note(say("{sections} stays: {why}", sections=_sections([one], tidied.holders), why=why))
    if len(tidied.left) > _SHOWN_LEFT:
        desk.note(
            say_count(
                "and {count:,} more section that syncd made",
                "and {count:,} more sections that syncd made",
                len(tidied.left) - _SHOWN_LEFT,
            )
        )


def _sections(made: Sequence[MadeSection], holders: Mapping[int, str]) -> str:
    """Return sections in words; those of many calendars together, as "the section «Shifts» in 12 calendars"."""
    names: dict[str, list[MadeSection]] = {}
    for one in made:
        names.setdefault(one.name, []).append(one)
    said = tuple(
        say("«{name}» of {holder}", name=name, holder=holders.get(some[0].id, str(some[0].place)))
        if len(some) == 1
        else say_count("«{name}» in {count:,} calendar", "«{name}» in {count:,} calendars", len(some), name=name)
        for name, some in names.items()
    )
    return say("the section {names}", names=said) if len(made) == 1 else say("the sections {names}", names=said)


async def _sweep(desk: Desk, portal: Portal) -> None:
    """Remove what an interrupted probe of the portal has left behind, if the ledger knows of one."""
    ledger = desk.app.ledger.of_portal(portal.name)
    if desk.stop.is_set() or not await ledger.probe_under_way():
        return
    try:
        cleaned = await sweep(portal, clock=desk.app.clock, stop=desk.stop)
    except SyncdError as error:
        desk.note(say("a probe was cut off, and what it left cannot be looked for: {message}", message=error.message))
        return
    if cleaned.removed:
        desk.note(
            say_count(
                "removed what a probe had left: {count:,} scratch section",
                "removed what a probe had left: {count:,} scratch sections",
                cleaned.removed,
            )
        )
    for text in cleaned.left:
        desk.note(say("left behind by a probe: {text}", text=text))
    if not cleaned.left:
        await ledger.note_probe(False, desk.app.clock.now())


def _asking(desk: Desk, name: str, bar: Shown, question: str, *, ask: bool, shows: bool) -> Confirm:
    """Return the question for an offer. It is not asked if there are no changes to agree to."""

    async def confirm(offer: Offer) -> bool:
        if shows:
            with bar.aside():
                _show(desk.console(), offer, desk.app.sync(name).zone)
        nothing = not offer.plan.changes and not offer.plan.forgotten and not offer.sections
        agreed = nothing or not ask or await desk.agreed(question)
        if agreed and not nothing:
            await desk.pausing(name)
        return agreed

    return confirm


def _show(out: Console, offer: Offer, zone: str | None) -> None:
    plan = offer.plan
    counts = {op: sum(1 for change in plan.changes if change.op == op) for op in ("delete", "update", "create")}
    said = [words.numbered(op, number) for op, number in counts.items() if number]
    said += [say("{number} left alone", number=len(plan.left))] if plan.left else []
    said += (
        [say("{number} only forgotten (taken over, or gone already)", number=len(plan.forgotten))]
        if plan.forgotten
        else []
    )
    said += [say("nothing to do for {number}", number=plan.already)] if plan.already else []
    show.line(out, say("{parts}", parts=tuple(said)) if said else say("nothing to do"), "bold")
    changes = _in_time(plan.changes, lambda change: change.link or change.item)
    show.change_table(out, changes, zone=zone, directory=offer.directory, places=False)
    if offer.sections:
        made = _sections(offer.sections, holders(offer.sections, offer.directory))
        show.line(out, say("  if nothing is left in it, also {made}, which syncd made", made=made))
    _lines(out, plan.left, say("left alone"))
    _lines(out, plan.noted, say("deleted nevertheless"))
    if plan.changes:
        notices = say_count("{count:,} notice to people", "{count:,} notices to people", offer.notices)
        show.estimate(out, offer.forecast, (notices,) if offer.notices else ())


def _lines(out: Console, lines: Sequence[Left], what: str) -> None:
    for one in _in_time(lines, lambda left: left.link)[:_SHOWN_LEFT]:
        show.line(
            out,
            say(
                "  {what}: «{title}» {start}: {reason}",
                what=what,
                title=one.link.title,
                start=times.when(one.link.start[:10], None),
                reason=one.reason,
            ),
            "yellow",
        )
    if len(lines) > _SHOWN_LEFT:
        out.print(say("  … and {number} more", number=len(lines) - _SHOWN_LEFT))


def _in_time(found: Iterable[T], event: Callable[[T], Link | Item | None]) -> list[T]:
    """Return what was found in the order in which people look for events: by start, then by title."""
    held = [(one, event(one)) for one in found]
    moments = instants(of.start for _, of in held if of is not None)
    held.sort(key=lambda pair: (moments[pair[1].start], pair[1].title) if pair[1] is not None else (-inf, ""))
    return [one for one, _ in held]


def _tell(out: Console, taken: Taken) -> None:
    show.problems(out, taken.record.problems)
    show.outcome(out, taken.record, taken.error)
