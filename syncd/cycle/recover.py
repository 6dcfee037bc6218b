"""Settles what nobody knows by looking: intents left by a crash, a cut, a time-out or an unclear refusal.

create   found by mark or signature among unlinked events of its section: linked; else dropped, to be planned anew
update   the event shows it: done; is there: sent again, or held when it was refused; gone: planned anew as a create
delete   the event is gone: done; there: planned anew, or held when it was refused
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from syncd.clock import sleep_or_stop
from syncd.cycle.claim import claiming
from syncd.cycle.look import EVERYTHING, forget_verified, joined, observe
from syncd.cycle.setup import SyncSetup, World
from syncd.model import record as records
from syncd.model.item import Hold, Key, Link, Observed
from syncd.model.plan import Observation
from syncd.model.record import REFUSED, Intent, Settlement, next_hold

_log = structlog.get_logger()
_FLOOR = "highest id before creating"


@dataclass(slots=True)
class Recovery:
    """What looking found out: changes that turned out done, items refused and why, events gone (their ids)."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    planned_anew: int = 0
    refused: dict[Key, str] = field(default_factory=dict)
    gone: dict[Key, int] = field(default_factory=dict)
    doubted: set[Key] = field(default_factory=set)
    settled: set[Key] = field(default_factory=set)
    remote_ids: dict[Key, int] = field(default_factory=dict)


async def recover(setup: SyncSetup, world: World, run_id: int, *, stop: asyncio.Event) -> Recovery:
    """Settle every open intent of the sync, or leave all open when `stop` is set while waiting.

    A request that was cut may still be executing on the server, so this waits until the longest one must have ended;
    where the portal has answered, however uselessly, there is nothing to wait for.
    Raises the client's errors; then the intents stay open for the next pass.
    """
    intents = await world.ledger.open_intents(setup.name)
    if not intents:
        return Recovery()
    await _wait_until_ended(world, intents, stop)
    if stop.is_set():
        return Recovery()
    async with claiming(world, wanted=True):
        return await _settle(setup, world, run_id, intents)


async def _settle(setup: SyncSetup, world: World, run_id: int, intents: Sequence[Intent]) -> Recovery:
    """Look for what became of `intents`, and write it down."""
    found = Recovery()
    links = {link.key: link for link in await world.ledger.links(setup.name)}
    holds = {hold.key: hold for hold in await world.ledger.holds(setup.name)}
    claimed = await _claimed(setup, world, (intent.key for intent in intents))
    observation = await _look(setup, world, intents, links)
    looked_at = frozenset(links[intent.key].remote_id for intent in intents if intent.key in links)
    free = _unlinked(observation, claimed, await _floor(setup, world))
    now = world.clock.now()
    settled = [
        Settlement(intent_id=intent.id, outcome=_judge(intent, observation, free, looked_at, holds, found, now), at=now)
        for intent in intents
    ]
    # In this order: should it end in between, the intents are still there to be looked into again.
    if found.gone:  # or not to be seen for a while: the link stays until another event is made in its place
        await forget_verified(setup, world)
    await world.ledger.doubt(setup.name, found.doubted)
    await world.ledger.settle(run_id, settled)
    await world.ledger.doubt(setup.name, found.doubted)  # links that have just been made
    _log.info("intents.recovered", sync=setup.name, intents=len(intents), created=found.created,
              updated=found.updated, deleted=found.deleted, planned_anew=found.planned_anew,
              refused=len(found.refused))  # fmt: skip
    return found


async def note_floor(setup: SyncSetup, world: World, creates: Iterable[Key], observed: Iterable[int]) -> None:
    """Write down, before `creates` are sent, up to which id what stands in the portal is certainly older than them."""
    highest = max((*await _claimed(setup, world, creates), *observed), default=0)
    await world.ledger.note(f"sync/{setup.name}", _FLOOR, highest, world.clock.now())


async def forget_floor(setup: SyncSetup, world: World) -> None:
    """Forget up to which id everything is old: the sync begins anew in another portal, which counts for itself."""
    await world.ledger.drop_note(f"sync/{setup.name}", _FLOOR)


async def _claimed(setup: SyncSetup, world: World, keys: Iterable[Key]) -> set[int]:
    """Return the ids that some sync has linked in places of the same types: events and activities count apart."""
    types = {key.place.kind for key in keys}
    linked = [link for name in setup.siblings for link in await world.ledger.links(name)]
    return {link.remote_id for link in linked if link.key.place.kind in types}


async def _floor(setup: SyncSetup, world: World) -> int:
    note = await world.ledger.read_note(f"sync/{setup.name}", _FLOOR)
    return note[0] if note is not None and isinstance(note[0], int) else 0


async def _wait_until_ended(world: World, intents: Sequence[Intent], stop: asyncio.Event) -> None:
    """Let pass what is left of the longest time a request may run on the server."""
    now = world.clock.now()
    uncertain = [intent for intent in intents if intent.state != "ended"]
    until = max((intent.created_at for intent in uncertain), default=0.0) + world.portal.limits.timeout
    wait_s = min(until - now, world.portal.limits.timeout)
    if uncertain and wait_s > 0:
        _log.info("recovery.waited", seconds=round(wait_s, 1), intents=len(uncertain))
        await sleep_or_stop(world.clock, wait_s, stop)


async def _look(setup: SyncSetup, world: World, intents: Sequence[Intent], links: Mapping[Key, Link]) -> Observation:
    """Read the sections of open creates, and the events of open updates and deletes by id."""
    touched = [links[intent.key] for intent in intents if intent.op != "create" and intent.key in links]
    made = await observe(setup, world, [intent.item for intent in intents if intent.op == "create"], (), EVERYTHING)
    return joined(made, await setup.target.observe(world.portal, touched, (), EVERYTHING)) if touched else made


def _unlinked(observation: Observation, claimed: set[int], floor: int) -> dict[str, list[int]]:
    """Return ids of events that no link claims, by mark and by signature, newest last: ours came after all others.

    The portal counts its events up: what is not above `floor` stood there before anything was sent.
    """
    free: dict[str, list[int]] = {}
    for remote_id in sorted(observation.events):
        if remote_id not in claimed and remote_id > floor:
            seen = observation.events[remote_id]
            for name in filter(None, (seen.mark, seen.signature)):
                free.setdefault(name, []).append(remote_id)
    return free


def _judge(
    intent: Intent,
    observation: Observation,
    free: dict[str, list[int]],
    looked_at: frozenset[int],
    holds: Mapping[Key, Hold],
    found: Recovery,
    now: float,
) -> records.Outcome:
    if intent.op == "create":
        return _judge_create(intent, observation, free, found)
    there = intent.remote_id in looked_at - observation.gone
    if intent.op == "delete" and not there:
        found.deleted += 1
        found.settled.add(intent.key)
        return records.Deleted()
    if intent.op == "update" and not there:
        if intent.remote_id in observation.gone:
            found.gone[intent.key] = intent.remote_id
        found.planned_anew += 1
        return records.Dropped()
    if intent.note.startswith(REFUSED):
        reason = intent.note.removeprefix(REFUSED)
        found.refused[intent.key] = reason
        hold = next_hold(
            intent.key, reason, intent.fingerprint, holds.get(intent.key), now, title=intent.title, where=intent.where
        )
        return records.SetAside(hold=hold)
    if intent.op == "update":
        if (seen := _shown(intent, observation)) is not None:
            found.updated += 1
            found.settled.add(intent.key)
            found.remote_ids[intent.key] = seen.remote_id
            return records.Written(remote_id=seen.remote_id, version=seen.version)
        found.doubted.add(intent.key)
    found.planned_anew += 1
    return records.Dropped()


def _shown(intent: Intent, observation: Observation) -> Observed | None:
    """Return the event of an update that shows what was sent, and showed something else before; None where not.

    Were it sent again instead, what it shows by now would pass for an edit of a person's.
    """
    seen = observation.events.get(intent.remote_id) if intent.remote_id is not None else None
    if seen is None or intent.before is None or seen.section_id != intent.section_id:
        return None
    done = observation.differing(intent.before, seen.fields) and not observation.differing(intent.fields, seen.fields)
    return seen if done else None


def _judge_create(
    intent: Intent, observation: Observation, free: dict[str, list[int]], found: Recovery
) -> records.Outcome:
    remote_id = _own(intent, observation, free)
    if remote_id is None:
        found.planned_anew += 1
        return records.Dropped()
    for ids in free.values():
        if remote_id in ids:
            ids.remove(remote_id)
    found.created += 1
    found.settled.add(intent.key)
    found.remote_ids[intent.key] = remote_id
    seen = observation.events[remote_id]
    if observation.differing(intent.fields, seen.fields):  # edited since, or the twin of another entry: written again
        found.doubted.add(intent.key)
        found.planned_anew += 1
        return records.Written(remote_id=remote_id, version=None)
    if (
        seen.damage
    ):  # somebody was there since, and no update puts that right: the next reading has to see it as an edit
        return records.Written(remote_id=remote_id, version=None)
    return records.Written(remote_id=remote_id, version=seen.version)


def _own(intent: Intent, observation: Observation, free: Mapping[str, Sequence[int]]) -> int | None:
    """Return the event that the create of `intent` made: by its mark, else the newest that looks like it.

    Of several that look alike, one that is the same in every field goes first.
    """
    for name in (observation.mark(intent.key), observation.signature(intent.item)):
        own = [i for i in reversed(free.get(name, ())) if observation.events[i].place == intent.key.place]
        same = [i for i in own if _untouched(intent, observation, i)]
        if own:
            return (same or own)[0]
    return None


def _untouched(intent: Intent, observation: Observation, remote_id: int) -> bool:
    seen = observation.events[remote_id]
    return not seen.damage and not observation.differing(intent.fields, seen.fields)
