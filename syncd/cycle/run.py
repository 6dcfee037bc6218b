"""The cycle of one sync on one screen: recover -> read -> shape -> diff -> guard -> push -> report.

Steps only; every decision is made where its facts are (model.diff, model.guard, target, exchange).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import structlog

from syncd.cycle import directory as directories
from syncd.cycle.journal import LedgerJournal
from syncd.cycle.recover import recover
from syncd.cycle.result import PassResult, Prepared
from syncd.cycle.sections import ensure_sections
from syncd.cycle.setup import SyncSetup, World
from syncd.cycle.shaping import kept_entries, shape_all
from syncd.errors import SourceError, SyncdError
from syncd.model.diff import ANY_FINGERPRINT, Observation, Plan, Wanted, make_plan
from syncd.model.entry import Problem
from syncd.model.item import Calendar, Change, Hold, Item, Key, Link
from syncd.model.window import Window
from syncd.portal.client import Usage
from syncd.portal.directory import Directory
from syncd.portal.waiting import Job
from syncd.source.base import ReadContext
from syncd.state.records import RunRecord, RunState

_log = structlog.get_logger()
_ROUNDS = 3
"""How often one pass plans anew after it had to look what became of a change."""
_FOREVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOptions:
    """What a caller may ask of one pass: read the portal first, go past the guard.

    `approve` sees the plan before anything is sent, and raises a SyncdError to stop the pass.
    """

    verify: bool = False
    force: bool = False
    approve: Callable[[Prepared], None] | None = None


@dataclass(slots=True)
class _Done:
    """What a pass has done so far."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    refused: dict[Key, str] = field(default_factory=dict)
    remote_ids: dict[Key, int] = field(default_factory=dict)
    settled: set[Key] = field(default_factory=set)
    unknown: set[Key] = field(default_factory=set)
    not_sent: set[Key] = field(default_factory=set)
    prepared: Prepared | None = None


async def prepare(setup: SyncSetup, world: World, *, verify: bool, keep: bool) -> Prepared:
    """Return the plan of a pass without changing anything in the portal; `keep` lets it write to the ledger.

    Reads the portal's events on the first pass, every `verify_every`, and when `verify` asks for it. Raises
    SourceError when the source cannot be read at all, and the client's errors.
    """
    now = world.clock.now()
    window = setup.window(now)
    snapshot = await setup.source.read(ReadContext(zone=setup.zone, window=window, today=setup.today(now)))
    verify = verify or await _verify_due(setup, world, now)
    kept = kept_entries(setup, snapshot)
    directory = await directories.directory_for(setup, world, kept.entries, fresh=verify, keep=keep)
    shaping = shape_all(setup, snapshot, kept, directory, window=window, now=now)
    links = await world.ledger.links(setup.name)
    observation = await _observe(setup, world, shaping.wanted, links, window) if verify else None
    if observation is not None:
        observation = await _without_siblings(setup, world, observation)
    holds = {hold.key: hold for hold in await world.ledger.holds(setup.name)}
    plan = make_plan(shaping.wanted, links, holds, policy=setup.policy, window=window, now=now, observation=observation)
    commands = Counter(setup.target.command(c, 0, directory).method for c in plan.changes if c.op != "adopt")
    problems = (*snapshot.problems, *shaping.problems, *plan.problems)
    if not snapshot.complete:
        reason = f"source incomplete: {snapshot.incomplete_because}; nothing is deleted"
        problems = (Problem(where=setup.source.describe(), kind="incomplete", reason=reason), *problems)
    return Prepared(
        sync=setup.name,
        plan=plan,
        snapshot=snapshot,
        kept=kept,
        directory=directory,
        problems=problems,
        rejected=shaping.rejected,
        held=shaping.held + plan.held,
        forecast=world.portal.forecast(commands),
        notices=sum(_notices(change) for change in plan.changes),
        new_sections=len(_without_section(plan)),
        verified=verify,
    )


async def run_pass(setup: SyncSetup, world: World, options: PassOptions, *, stop: asyncio.Event) -> PassResult:
    """Run one whole pass and return what became of it; a SyncdError ends it and is returned, never raised.

    `stop` ends it after the batches in flight. Whatever happens, the ledger tells the truth afterwards.
    """
    started = world.clock.now()
    before = world.portal.usage()
    run_id = await world.ledger.begin_run(setup.name, started)
    done = _Done()
    error: SyncdError | None = None
    state: RunState = "failed"
    try:
        state = await _steps(setup, world, options, run_id, done, stop)
    except SyncdError as caught:
        error = caught
    finally:
        record = await _close(setup, world, run_id, started, before, done, state, error)
    return PassResult(
        record=record,
        prepared=done.prepared,
        error=error,
        refused=done.refused,
        settled=frozenset(done.settled),
        unknown=frozenset(done.unknown),
        remote_ids=done.remote_ids,
    )


async def _steps(
    setup: SyncSetup, world: World, options: PassOptions, run_id: int, done: _Done, stop: asyncio.Event
) -> RunState:
    found = await recover(setup, world, run_id, stop=stop)
    done.counts.update(created=found.created, deleted=found.deleted)
    if stop.is_set():
        return "stopped"
    prepared = await prepare(setup, world, verify=options.verify, keep=True)
    done.prepared = prepared
    done.problems += prepared.problems
    if options.approve is not None:
        options.approve(prepared)
    if not options.force:
        setup.guard.check(prepared.plan, setup.name)
    await _note_plan(setup, world, prepared, run_id)
    for name in ("unchanged", "held", "rejected"):
        done.counts[name] += prepared.counts[name]
    done.counts["conflict"] += len(prepared.plan.conflicts)
    done.counts["adopted"] += prepared.plan.count("adopt")
    plan = prepared.plan
    for _ in range(_ROUNDS):
        again = await _push(setup, world, plan, prepared, run_id, done, stop)
        if stop.is_set():
            return "stopped"
        if not again:
            break
        plan = await _plan_anew(setup, world, prepared)
    left = (await world.ledger.tally(setup.name)).open_intents
    return "partial" if left or done.refused or done.unknown or done.not_sent else "done"


async def _push(
    setup: SyncSetup,
    world: World,
    plan: Plan,
    prepared: Prepared,
    run_id: int,
    done: _Done,
    stop: asyncio.Event,
) -> bool:
    """Send one plan; return whether something must be planned anew because looking told what nobody knew."""
    changes = [change for change in plan.changes if change.op != "adopt"]
    if not changes:
        return False
    directory, troubled = await ensure_sections(setup, world, prepared.directory, changes, stop)
    holds = {hold.key: hold for hold in await world.ledger.holds(setup.name)}
    ready: list[tuple[Change, int]] = []
    for change in changes:
        section_id = _section_id(setup, directory, change)
        reason = troubled.get(change.key.calendar)
        if section_id is None:
            done.refused[change.key] = reason or "its section could not be found or created"
        else:
            ready.append((change, section_id))
    ids = await world.ledger.reserve_ids(len(ready))
    journal = LedgerJournal(
        ledger=world.ledger,
        clock=world.clock,
        target=setup.target,
        sync=setup.name,
        run_id=run_id,
        changes={one: change for one, (change, _) in zip(ids, ready, strict=True)},
        section_ids={one: section_id for one, (_, section_id) in zip(ids, ready, strict=True)},
        holds=holds,
    )
    jobs = [
        Job(id=one, command=setup.target.command(change, section_id, directory), repeatable=change.op != "create")
        for one, (change, section_id) in zip(ids, ready, strict=True)
    ]
    try:
        await world.portal.push(jobs, journal, stop)
    finally:
        done.counts.update(journal.done)
        done.remote_ids.update(journal.remote_ids)
        done.refused.update(journal.refused)
        done.unknown |= journal.unknown
        done.settled |= journal.settled
        done.not_sent = journal.not_sent
        await world.ledger.note(directories.scope(world), "budget", world.portal.budget_state(), world.clock.now())
    if stop.is_set():
        return False
    gone = await _confirm_updates(setup, world, ready, journal, prepared)
    found = await recover(setup, world, run_id, stop=stop)
    done.counts.update(created=found.created, deleted=found.deleted)
    done.counts["updated"] -= len(gone)
    done.settled -= gone
    done.refused.update(found.refused)
    done.remote_ids.update(found.remote_ids)
    done.settled |= found.settled
    done.unknown -= journal.unknown
    if done.refused:
        await directories.drop(world)
    return bool(found.planned_anew or gone or journal.not_sent)


async def _confirm_updates(
    setup: SyncSetup, world: World, sent: list[tuple[Change, int]], journal: LedgerJournal, prepared: Prepared
) -> frozenset[Key]:
    """Look at updated events that were not read in this pass, for an update of a deleted one may look done.

    Returns the keys of those that were gone; their links are forgotten, so that the next plan creates them
    (PORTAL.md 4.3).
    """
    if prepared.verified:
        return frozenset()
    updated = [c.link for c, _ in sent if c.op == "update" and c.link is not None and c.key in journal.remote_ids]
    if not updated:
        return frozenset()
    days = Window(first=setup.today(world.clock.now()), last=setup.today(world.clock.now()))
    seen = await setup.target.observe(world.portal, updated, (), days)
    gone = [link.key for link in updated if link.remote_id in seen.gone]
    await world.ledger.forget(setup.name, gone)
    versions = {
        link.key: version
        for link in updated
        if link.remote_id in seen.events and (version := seen.events[link.remote_id].version) is not None
    }
    await world.ledger.relearn(setup.name, versions)
    return frozenset(gone)


async def _plan_anew(setup: SyncSetup, world: World, prepared: Prepared) -> Plan:
    """Plan once more from the same snapshot, after outcomes became known."""
    now = world.clock.now()
    window = setup.window(now)
    directory = await directories.directory_for(setup, world, prepared.kept.entries, fresh=False, keep=True)
    shaping = shape_all(setup, prepared.snapshot, prepared.kept, directory, window=window, now=now)
    holds = {hold.key: hold for hold in await world.ledger.holds(setup.name)}
    return make_plan(
        shaping.wanted, await world.ledger.links(setup.name), holds, policy=setup.policy, window=window, now=now
    )


def _section_id(setup: SyncSetup, directory: Directory, change: Change) -> int | None:
    if change.item is None:
        return change.link.section_id if change.link is not None else None
    if change.item.section_id is not None:
        return change.item.section_id
    section = directory.section(change.key.calendar, change.item.section)
    return section.id if section is not None else None


async def _verify_due(setup: SyncSetup, world: World, now: float) -> bool:
    note = await world.ledger.read_note(f"sync/{setup.name}", "verified")
    return note is None or not 0 <= now - note[1] < setup.verify_every.total_seconds()


async def _observe(
    setup: SyncSetup, world: World, wanted: Wanted, links: tuple[Link, ...], window: Window
) -> Observation:
    """Read the sections that links or wanted items stand in."""
    places = {(item.key.calendar, item.section_id) for item in wanted.items if item.section_id is not None}
    places |= {(link.key.calendar, link.section_id) for link in links}
    inside = tuple(link for link in links if _touches(window, link))
    return await setup.target.observe(world.portal, inside, sorted(places), _narrowed(window, wanted.items, inside))


def _touches(window: Window, link: Link) -> bool:
    ends = date.fromisoformat(link.ends_on) if link.ends_on else None
    return window.touches(date.fromisoformat(link.starts_on), ends)


def _narrowed(window: Window, items: tuple[Item, ...], links: tuple[Link, ...]) -> Window:
    """Return the part of `window` that items and links reach, so that empty months are not read."""
    holders: list[Item | Link] = [*items, *links]
    if not holders:
        return window
    first = min(date.fromisoformat(one.starts_on) for one in holders)
    ends = [one.ends_on for one in holders]
    last = max(date.fromisoformat(end) for end in ends if end) if all(ends) else window.last
    first = max(first, window.first) if window.first else first
    last = min(last, window.last) if last and window.last else last
    return Window(first=first, last=max(first, last) if last else last)


async def _without_siblings(setup: SyncSetup, world: World, observation: Observation) -> Observation:
    """Return the observation without events that other syncs of this portal own: those are never adopted."""
    others = {
        link.remote_id for name in setup.siblings if name != setup.name for link in await world.ledger.links(name)
    }
    return replace(observation, events={i: seen for i, seen in observation.events.items() if i not in others})


async def _note_plan(setup: SyncSetup, world: World, prepared: Prepared, run_id: int) -> None:
    """Write down what the plan learned without the portal's help: absences, versions, adoptions, conflicts."""
    plan, ledger, now = prepared.plan, world.ledger, world.clock.now()
    await ledger.mark_absent(setup.name, plan.absent, plan.present)
    if plan.versions:
        await ledger.relearn(setup.name, plan.versions)
    adopted = [change.link for change in plan.changes if change.op == "adopt" and change.link is not None]
    if adopted:
        await ledger.adopt(run_id, adopted, now=now)
    if prepared.verified:
        if plan.conflicts:
            await ledger.hold(setup.name, [_conflict_hold(change, now) for change in plan.conflicts])
        if plan.settled_conflicts:
            await ledger.release(setup.name, plan.settled_conflicts)
        await ledger.note(f"sync/{setup.name}", "verified", True, now)


def _conflict_hold(change: Change, now: float) -> Hold:
    holder = change.item or change.link
    assert holder is not None
    return Hold(
        key=change.key,
        reason=change.reason,
        fingerprint=ANY_FINGERPRINT,
        attempts=0,
        since=now,
        retry_at=_FOREVER,
        title=holder.title,
        where=holder.where,
    )


def _without_section(plan: Plan) -> set[tuple[Calendar, str]]:
    return {
        (change.key.calendar, change.item.section)
        for change in plan.changes
        if change.item is not None and change.item.section_id is None
    }


def _notices(change: Change) -> int:
    """Return how many people would get a notice of `change` (PORTAL.md 4.10)."""
    if change.op == "adopt":
        return 0
    invited = set(change.item.invites) if change.item is not None else set()
    if change.link is not None and isinstance(meeting := change.link.sent.get("meeting"), Mapping):
        people = meeting.get("attendees")
        invited |= {one for one in people if isinstance(one, int)} if isinstance(people, list | tuple) else set()
        invited.discard(change.key.calendar.owner)
    return len(invited)


async def _close(
    setup: SyncSetup,
    world: World,
    run_id: int,
    started: float,
    before: Usage,
    done: _Done,
    state: RunState,
    error: SyncdError | None,
) -> RunRecord:
    """Write the run's record and its one canonical log line."""
    now = world.clock.now()
    used = world.portal.usage().since(before)
    done.counts["held"] += len(done.refused)
    for key, reason in sorted(done.refused.items()):
        done.problems.append(Problem(where=_where(done, key), kind="held", key=str(key), reason=reason))
    names = ("created", "updated", "deleted", "adopted", "unchanged", "held", "rejected", "conflict")
    record = RunRecord(
        id=run_id,
        sync=setup.name,
        started=started,
        finished=now,
        state=state,
        counts={name: done.counts[name] for name in names},
        requests=used.requests,
        commands=used.commands,
        waited_s=used.waited_s,
        seconds=now - started,
        problems=tuple(done.problems),
        problem_count=len(done.problems),
        error=str(error) if error is not None else "",
    )
    await world.ledger.end_run(run_id, record)
    log = _log.error if error is not None else _log.info
    log("pass.done", sync=setup.name, run=run_id, state=state, **record.counts, problems=record.problem_count,
        requests=record.requests, commands=record.commands, waited_s=round(record.waited_s, 1),
        seconds=round(record.seconds, 1), error=record.error or None)  # fmt: skip
    if isinstance(error, SourceError):
        _log.warning("source.unreadable", sync=setup.name, reason=error.message)
    return record


def _where(done: _Done, key: Key) -> str:
    if done.prepared is not None:
        for change in done.prepared.plan.changes:
            if change.key == key:
                holder = change.item or change.link
                return holder.where if holder is not None else ""
    return ""
