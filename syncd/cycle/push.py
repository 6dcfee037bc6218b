"""Sends changes, by whatever they were planned, and settles what nobody knows about by looking.

Every change goes intend -> send -> settle through the ledger; nothing reaches the portal any other way.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

from syncd.cycle import directory as directories
from syncd.cycle.budget import BudgetJournal, save_budget
from syncd.cycle.claim import claiming
from syncd.cycle.journal import LedgerJournal
from syncd.cycle.look import forget_verified
from syncd.cycle.recover import note_floor, recover
from syncd.cycle.result import Prepared
from syncd.cycle.sections import ensure_sections
from syncd.cycle.setup import SyncSetup, World
from syncd.errors import EntryError
from syncd.model.entry import Problem
from syncd.model.item import Change, Key
from syncd.model.order import predecessors, waits_for
from syncd.model.window import Window
from syncd.portal.exchange.queue import Job
from syncd.portal.line.wire import Done as Answered
from syncd.portal.line.wire import Unknown
from syncd.portal.people.directory import Directory
from syncd.target.base import Target


@dataclass(slots=True)
class Done:
    """What a run has done so far; `places` tells where the refused stand in the source.

    `unanswered` says what came instead of a usable answer, the last time an item had none; `gone` are the ids of linked
    events that are not to be seen in the portal and are to be made anew.
    """

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    refused: dict[Key, str] = field(default_factory=dict)
    places: dict[Key, str] = field(default_factory=dict)
    remote_ids: dict[Key, int] = field(default_factory=dict)
    settled: set[Key] = field(default_factory=set)
    unknown: set[Key] = field(default_factory=set)
    not_sent: set[Key] = field(default_factory=set)
    gone: dict[Key, int] = field(default_factory=dict)
    unanswered: dict[Key, Unknown] = field(default_factory=dict)
    prepared: Prepared | None = None


async def push(
    setup: SyncSetup,
    world: World,
    changes: Sequence[Change],
    directory: Directory,
    *,
    observed: Collection[int] | None,
    run_id: int,
    done: Done,
    stop: asyncio.Event,
    alone: bool = False,
) -> bool:
    """Send `changes`; return whether something must be planned anew because looking told what nobody knew.

    With `alone` each change is a request of its own. `observed` are the ids of events that were read in this run, None
    when the portal was not read: then updates are confirmed by looking, for one of a deleted event may look done.
    Raises the client's errors and StateError.
    """
    changes = [change for change in changes if change.op != "adopt"]
    if not changes:
        return False
    sectionless = any(change.item is not None and change.item.section_id is None for change in changes)
    async with claiming(world, wanted=sectionless):
        directory, troubled = await ensure_sections(setup, world, directory, changes, stop)
    if stop.is_set():
        return False
    after = predecessors(changes)
    places: dict[int, int] = {}
    for index, change in enumerate(changes):
        section_id = _section_id(directory, change)
        missing = [changes[one].key for one in after.get(index, ()) if one not in places]
        if section_id is None:
            done.refused[change.key] = troubled.get(change.key.place) or "its section could not be found or created"
        elif missing:
            done.refused[change.key] = waits_for(done.refused[missing[0]])
        else:
            places[index] = section_id
    ready = [(changes[index], section_id) for index, section_id in places.items()]
    if creates := [change.key for change, _ in ready if change.op == "create"]:
        await note_floor(setup, world, creates, observed or ())
    ids = await world.ledger.reserve_ids(len(ready))
    journal = LedgerJournal(
        ledger=world.ledger,
        clock=world.clock,
        target=setup.target,
        sync=setup.name,
        run_id=run_id,
        changes={one: change for one, (change, _) in zip(ids, ready, strict=True)},
        section_ids={one: section_id for one, (_, section_id) in zip(ids, ready, strict=True)},
        holds={hold.key: hold for hold in await world.ledger.holds(setup.name)},
    )
    id_of = dict(zip(places, ids, strict=True))
    jobs = [
        Job(
            id=job_id,
            command=setup.target.command(changes[index], places[index], directory),
            repeatable=changes[index].op != "create",
            after=tuple(id_of[one] for one in after.get(index, ())),
            believes=partial(_believed, setup.target, changes[index]),
        )
        for index, job_id in id_of.items()
    ]
    try:
        await world.portal.push(jobs, BudgetJournal(journal, world), stop, alone=alone)
    finally:
        _take(done, journal, changes)
        await save_budget(world)
    if stop.is_set():
        return False
    doubtful = observed is None and setup.target.doubts_updates
    gone = await _confirm_updates(setup, world, ready, journal) if doubtful else {}
    found = await recover(setup, world, run_id, stop=stop)
    done.counts.update(created=found.created, updated=found.updated, deleted=found.deleted)
    done.counts["updated"] -= len(gone)
    done.settled -= gone.keys()
    if setup.policy.on_conflict == "source":  # else the next plan finds them gone, and leaves it at that
        done.gone.update(gone | found.gone)
    done.refused.update(found.refused)
    done.remote_ids.update(found.remote_ids)
    done.settled |= found.settled
    if stop.is_set():
        return False
    done.unknown -= journal.unknown
    if done.refused:
        await directories.drop(world)
    return bool(found.planned_anew or gone or journal.not_sent)


def _believed(target: Target, change: Change, outcome: Answered) -> bool:
    """Say whether an answer means that `change` was done (PORTAL.md 4.3)."""
    return target.created_id(outcome) is not None if change.op == "create" else target.accepted(change, outcome)


def _take(done: Done, journal: LedgerJournal, changes: Sequence[Change]) -> None:
    done.counts.update(journal.done)
    done.remote_ids.update(journal.remote_ids)
    done.refused.update(journal.refused)
    done.unknown |= journal.unknown
    done.settled |= journal.settled
    done.unanswered.update(journal.unanswered)
    done.not_sent = journal.not_sent
    doubtful = journal.unknown | journal.not_sent | set(done.refused)
    for change in changes:
        if change.key in doubtful:
            holder = change.item or change.link
            done.places[change.key] = holder.where if holder is not None else ""


def _section_id(directory: Directory, change: Change) -> int | None:
    """Return where `change` goes, None when there is no such section or nobody may write to it."""
    if change.item is None:
        return change.link.section_id if change.link is not None else None
    if change.item.section_id is not None:
        return change.item.section_id
    try:
        section = directory.section(change.key.place, change.item.section)
    except EntryError:  # what it says is among the troubles of `ensure_sections`
        return None
    return section.id if section is not None else None


async def _confirm_updates(
    setup: SyncSetup, world: World, sent: list[tuple[Change, int]], journal: LedgerJournal
) -> dict[Key, int]:
    """Look at updated events that were not read in this run, for an update of a deleted one may look done.

    Returns the ids of those that were gone and are to come back, by key (PORTAL.md 4.3).
    """
    updated = [c.link for c, _ in sent if c.op == "update" and c.link is not None and c.key in journal.remote_ids]
    if not updated:
        return {}
    days = Window(first=setup.today(world.clock.now()), last=setup.today(world.clock.now()))
    seen = await setup.target.observe(world.portal, updated, (), days)
    gone = {link.key: link.remote_id for link in updated if link.remote_id in seen.gone}
    if setup.policy.on_conflict != "source":
        gone = {}
    if gone:
        await forget_verified(setup, world)
    fields = {change.key: change.item.fields for change, _ in sent if change.item is not None}
    versions = {
        link.key: event.version
        for link in updated
        if (event := seen.events.get(link.remote_id)) is not None
        and event.version is not None
        and not seen.differing(fields[link.key], event.fields)  # else a person was there in between
    }
    await world.ledger.relearn(setup.name, versions)
    return gone
