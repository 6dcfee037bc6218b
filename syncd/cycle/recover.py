"""Settles what nobody knows by looking: intents left by a crash, a cut, a time-out or an unclear refusal.

create   found by mark or signature among unlinked events of its section: linked; else dropped, to be planned anew
update   the event is there: planned anew, or held when it was refused; gone: its link is forgotten
delete   the event is gone: done; there: planned anew, or held when it was refused
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import structlog

from syncd.cycle.journal import REFUSED, next_hold
from syncd.cycle.setup import SyncSetup, World
from syncd.model.diff import Observation
from syncd.model.item import Hold, Item, Key, Link
from syncd.model.window import Window
from syncd.state import records
from syncd.state.records import Intent, Settlement

_log = structlog.get_logger()


@dataclass(slots=True)
class Recovery:
    """What looking found out: creates and deletes that turned out done, items refused and why, items gone."""

    created: int = 0
    deleted: int = 0
    planned_anew: int = 0
    refused: dict[Key, str] = field(default_factory=dict)
    gone: set[Key] = field(default_factory=set)
    settled: set[Key] = field(default_factory=set)
    remote_ids: dict[Key, int] = field(default_factory=dict)


async def recover(setup: SyncSetup, world: World, run_id: int, *, stop: asyncio.Event) -> Recovery:
    """Settle every open intent of the sync, or leave all open when `stop` is set while waiting.

    A request that was cut may still be executing on the server, so this waits until the longest one must have ended;
    where the portal has answered, however uselessly, there is nothing to wait for.
    Raises the client's errors; then the intents stay open for the next pass.
    """
    found = Recovery()
    intents = await world.ledger.open_intents(setup.name)
    if not intents:
        return found
    await _wait_until_ended(world, intents, stop)
    if stop.is_set():
        return found
    links = {link.key: link for link in await world.ledger.links(setup.name)}
    holds = {hold.key: hold for hold in await world.ledger.holds(setup.name)}
    claimed = {link.remote_id for name in setup.siblings for link in await world.ledger.links(name)}
    observation = await _look(setup, world, intents, links)
    free = _unlinked(observation, claimed)
    now = world.clock.now()
    settled = [
        Settlement(intent_id=intent.id, outcome=_judge(intent, observation, free, holds, found, now), at=now)
        for intent in intents
    ]
    await world.ledger.settle(run_id, settled)
    await world.ledger.forget(setup.name, found.gone)
    _log.info("intents.recovered", sync=setup.name, intents=len(intents), created=found.created,
              deleted=found.deleted, planned_anew=found.planned_anew, refused=len(found.refused))  # fmt: skip
    return found


async def _wait_until_ended(world: World, intents: Sequence[Intent], stop: asyncio.Event) -> None:
    """Let pass what is left of the longest time a request may run on the server."""
    now = world.clock.now()
    uncertain = [intent for intent in intents if intent.state != "ended"]
    until = max((intent.created_at for intent in uncertain), default=0.0) + world.portal.limits.timeout
    wait_s = min(until - now, world.portal.limits.timeout)
    if uncertain and wait_s > 0:
        _log.info("recovery.waited", seconds=round(wait_s, 1), intents=len(uncertain))
        sleeping = asyncio.ensure_future(world.clock.sleep(wait_s))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            stopping.cancel()


async def _look(setup: SyncSetup, world: World, intents: Sequence[Intent], links: Mapping[Key, Link]) -> Observation:
    """Read the sections of open creates, and the events of open updates and deletes by id."""
    creates = [intent for intent in intents if intent.op == "create"]
    touched = [links[intent.key] for intent in intents if intent.op != "create" and intent.key in links]
    places = sorted({(intent.key.calendar, intent.section_id) for intent in creates})
    days = [date.fromisoformat(intent.starts_on) for intent in creates or intents]
    window = Window(first=min(days), last=max(days))
    return await setup.target.observe(world.portal, touched, places, window)


def _unlinked(observation: Observation, claimed: set[int]) -> dict[str, list[int]]:
    """Return ids of events that no link claims, by mark and by signature, oldest last."""
    free: dict[str, list[int]] = {}
    for remote_id in sorted(observation.events, reverse=True):
        if remote_id not in claimed:
            seen = observation.events[remote_id]
            for name in filter(None, (seen.mark, seen.signature)):
                free.setdefault(name, []).append(remote_id)
    return free


def _judge(
    intent: Intent,
    observation: Observation,
    free: dict[str, list[int]],
    holds: Mapping[Key, Hold],
    found: Recovery,
    now: float,
) -> records.Outcome:
    if intent.op == "create":
        return _judge_create(intent, observation, free, found)
    there = intent.remote_id in observation.events
    if intent.op == "delete" and not there:
        found.deleted += 1
        found.settled.add(intent.key)
        return records.Deleted()
    if intent.op == "update" and not there:
        found.gone.add(intent.key)
        found.planned_anew += 1
        return records.Dropped()
    if intent.note.startswith(REFUSED):
        reason = intent.note.removeprefix(REFUSED)
        found.refused[intent.key] = reason
        hold = next_hold(
            intent.key, reason, intent.fingerprint, holds.get(intent.key), now, title=intent.title, where=intent.where
        )
        return records.Refused(hold=hold)
    found.planned_anew += 1
    return records.Dropped()


def _judge_create(
    intent: Intent, observation: Observation, free: dict[str, list[int]], found: Recovery
) -> records.Outcome:
    for name in (observation.mark(intent.key), observation.signature(_item(intent))):
        candidates = free.get(name, [])
        while candidates:
            remote_id = candidates.pop()
            seen = observation.events[remote_id]
            if seen.calendar == intent.key.calendar:
                for ids in free.values():
                    if remote_id in ids:
                        ids.remove(remote_id)
                found.created += 1
                found.settled.add(intent.key)
                found.remote_ids[intent.key] = remote_id
                return records.Written(remote_id=remote_id, version=seen.version)
    found.planned_anew += 1
    return records.Dropped()


def _item(intent: Intent) -> Item:
    """Return the item that an intent was to write."""
    return Item(
        key=intent.key,
        section=intent.section,
        section_id=intent.section_id,
        fields=intent.fields,
        title=intent.title,
        where=intent.where,
        starts_on=intent.starts_on,
        ends_on=intent.ends_on,
        start=intent.start,
    )
