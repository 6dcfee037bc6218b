"""Settles intents whose outcome is unknown by looking: those left by a crash, a cut, a time-out or an unclear refusal.

What the look means is decided in model.recover; this waits, reads, and writes down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from syncd import events
from syncd.clock import sleep_or_stop
from syncd.cycle.directories import kept_directory
from syncd.cycle.look import EVERYTHING, joined, lost_claims, observe
from syncd.cycle.sync import Pass, moment_for
from syncd.cycle.traces import (
    CLOCKS_APART_S,
    look_everywhen,
    look_heard,
    look_wider,
    may_be_edited,
    portal_wall_s,
    sendings,
)
from syncd.model.doubles import given_up, remembered
from syncd.model.elapsed import elapsed_s
from syncd.model.entry import Window
from syncd.model.item import Key, Link
from syncd.model.observation import Observation, recovery_mark
from syncd.model.record import Dropped, Intent, Settlement
from syncd.model.recover import Finding, findings, is_missing, may_come_late, unlinked, with_traces
from syncd.model.traces import Suspect, remembered_suspects, traces
from syncd.model.unanswered import unanswered
from syncd.state.codec import link_of_intent

_log = structlog.get_logger()


async def recover(run: Pass) -> bool:
    """Settle every open intent of the sync; return True if something has to be planned again.

    A request that was cut may still be executing on the server, so this waits until the longest one must have ended;
    where the portal has answered, however uselessly, there is nothing to wait for. A create that is not found then may
    still wait in the portal's queue: it is looked for once more when that too must be over, and only then given up. All
    stay open when `run.stop` is set meanwhile. Raises the client's errors; then too they stay open for the next pass.
    """
    limits, again = run.portal.limits, False
    for patience_s, last in ((limits.timeout, False), (limits.timeout + limits.settle, True)):
        intents = await run.ledger.open_intents()
        if not intents:
            break
        await _wait_until_ended(run, intents, patience_s)
        if run.stop.is_set():
            break
        async with run.portal.claiming:
            again = await _settle(run, intents, last=last) or again
    return again


async def _settle(run: Pass, intents: Sequence[Intent], *, last: bool) -> bool:
    """Look for what became of `intents`, and write it down.

    Unless it is the `last` look, a create whose request may come late stays open if it is not found.
    """
    links = {link.key: link for link in await run.ledger.links()}
    observation = await _look(run, intents, links)
    found = await _found(run, intents, observation, links)
    missing = [one.intent for one in found if is_missing(one)]
    further = await _look_further(run, missing, observation, last=last) if missing else observation
    if further is not observation:
        observation = further
        found = await _found(run, intents, observation, links)
    if not last:
        found = tuple(one for one in found if not may_come_late(one))
    # In this order: if it ends in between, the intents are still there to be looked into again.
    if any(fate.kind == "vanished" for one in found for fate in one.fates):
        # Or it cannot be seen for a while: the link stays until another event is made in its place.
        await run.forget_verified()
    wins = run.sync.policy.on_conflict == "source"
    doubted = [one.intent.key for one in found if one.doubted or (one.edited and wins)]
    if any(one.edited for one in found) and not wins:
        await run.forget_verified()  # about the edit a reading decides
        run.overlooked = True
    await _note_suspects(run, found)
    await run.ledger.doubt(doubted)
    await run.ledger.learn_stamps(await run.worked_out(observation.stamps, links.values()))
    now = run.clock.now()
    if more := [given_up(one.intent.item, observation.comparison) for one in found if may_come_late(one)]:
        # However long was waited, a request may come later still: then it is known as ours.
        await run.ledger.note_given_up(remembered((await run.ledger.notes()).given_up, more=more), now)
    late = unanswered(one.intent for one in found if isinstance(one.outcome, Dropped) and one.intent.state != "ended")
    await run.ledger.note_unanswered(late, now)
    settled = [Settlement(intent_id=one.intent.id, outcome=one.outcome, at=now) for one in found]
    await run.ledger.settle(run.run_id, settled)
    await run.ledger.doubt(doubted)  # those links that the settling has just made
    for one in found:
        for fate in one.fates:
            if fate.kind != "vanished" or wins:
                # Where people's edits win, the next plan finds it gone and leaves it at that.
                run.fates.add(one.intent.key, fate)
    kinds = [fate.kind for one in found for fate in one.fates]
    if "refused" in kinds:
        # The portal refused something that the kept directory says is possible.
        await run.portal_ledger.forget_directory()
    again = sum(one.intent.key in doubted or isinstance(one.outcome, Dropped) for one in found)
    _log.info(events.INTENTS_RECOVERED, sync=run.sync.name, intents=len(found), created=kinds.count("created"),
              updated=kinds.count("updated"), deleted=kinds.count("deleted"), planned_anew=again,
              refused=kinds.count("refused"))  # fmt: skip
    return again > 0


async def _found(
    run: Pass, intents: Sequence[Intent], observation: Observation, links: Mapping[Key, Link]
) -> tuple[Finding, ...]:
    """Return what became of `intents` by what was read."""
    creates = [intent for intent in intents if intent.op == "create"]
    unclaimed = await _unclaimed(run, creates, observation, links) if creates else Unclaimed()
    claimed, floor, sent_at = unclaimed.claimed, unclaimed.floor, unclaimed.sent_at
    holds, now = {hold.key: hold for hold in await run.ledger.holds()}, run.clock.now()
    free = unlinked(observation, claimed, floor, sent_at, run.ledger_name) if creates else {}
    found = findings(intents, observation, free=free, links=links, holds=holds, now=now)
    missing = [one.intent for one in found if is_missing(one)]
    if not missing or not observation.comparison.identity:
        return found
    taken = claimed | {fate.remote_id for one in found for fate in one.fates if fate.remote_id is not None}
    sent = await sendings(run, missing, await kept_directory(run))
    seen = await run.worked_out(traces, sent, observation, taken, floor=floor, heard=run.heard())
    return with_traces(found, seen, holds, now)


async def _note_suspects(run: Pass, found: Sequence[Finding]) -> None:
    """Remember which events may be creates that were not found, so that nothing is made while one of them stands."""
    more = [
        Suspect(
            mark=recovery_mark(run.sync.name, one.intent.key),
            kind=one.intent.key.place.kind,
            owner=one.intent.key.place.owner,
            section_id=one.intent.section_id,
            remote_ids=tuple(seen.remote_id for seen in one.suspects),
        )
        for one in found
        if one.suspects
    ]
    if more:
        known = (await run.ledger.notes()).suspects
        suspects = remembered_suspects(known, more)
        await run.ledger.note_suspects(suspects, run.clock.now())
        run.notes = replace(run.notes, suspects=suspects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclaimed:
    """Which events creates may have made: those not `claimed`, with an id above `floor`, or made at `sent_at` or later.

    `sent_at` is by the portal's wall clock.
    """

    claimed: frozenset[int] = frozenset()
    floor: int = 0
    sent_at: float = math.inf


async def _unclaimed(
    run: Pass, creates: Sequence[Intent], observation: Observation, links: Mapping[Key, Link]
) -> Unclaimed:
    """Return which events `creates` may have made: no link claims them, or claims them in vain.

    So do the links that the creates are to replace, whose events were found gone. A link whose id the portal has given
    to another event shows that others may be lost as well, so its sync is to read the portal.
    """
    claimed = await run.claimed(intent.key for intent in creates)
    lost = await lost_claims(run, observation)
    for name in {name for name, _ in lost}:
        await run.ledger_of_all.of(name).forget_verified()
    if any(name == run.sync.name for name, _ in lost):
        await run.forget_verified()
    floor = (await run.ledger.notes()).floor
    sent_at = math.inf
    dead = {link.remote_id for _, link in lost}
    dead |= {links[intent.key].remote_id for intent in creates if intent.key in links}
    if dead or await _counts_anew(run, creates[0], floor, observation):
        sent_at = min(intent.created_at for intent in creates) + portal_wall_s(run) - CLOCKS_APART_S
    return Unclaimed(claimed=claimed - dead, floor=floor, sent_at=sent_at)


async def _counts_anew(run: Pass, like: Intent, floor: int, observation: Observation) -> bool:
    """Return True if nothing has the highest id that was known: the portal may count from an earlier state again."""
    if not floor or floor in observation.events:
        return False
    today = run.sync.today(run.clock.now())
    highest = link_of_intent(like, floor, None, like.fields)
    seen = await run.sync.target.observe(run.portal, [highest], (), Window(first=today, last=today))
    return floor in seen.gone


async def _wait_until_ended(run: Pass, intents: Sequence[Intent], patience_s: float) -> None:
    """Let pass what is left of `patience_s` since the last of `intents` was sent that may still be at work."""
    uncertain = [intent for intent in intents if intent.state != "ended"]
    if not uncertain:
        return
    clocks = (await run.ledger.notes()).clocks
    now = await moment_for(run.portal, clocks)
    wait_s = patience_s - min(elapsed_s(intent.created_at, clocks, now) for intent in uncertain)
    if wait_s > 0:
        _log.info(events.RECOVERY_WAITED, seconds=round(wait_s, 1), intents=len(uncertain))
        await sleep_or_stop(run.clock, wait_s, run.stop)


async def _look_further(run: Pass, missing: Sequence[Intent], made: Observation, *, last: bool) -> Observation:
    """Read what else may be the creates `missing` in what was `made`, wherever people have put it; return both."""
    if not made.comparison.identity:  # where looks prove nothing every item has a mark
        return made
    heard = await look_heard(run, missing, run.heard())
    found = joined(made, heard) if heard is not None else made
    # What may come late is looked for again anyway, and the whole window is much to read.
    due = [one for one in missing if (last or one.state == "ended") and may_be_edited(run, one)]
    return joined(found, await look_wider(run, due, await kept_directory(run))) if due else found


async def _look(run: Pass, intents: Sequence[Intent], links: Mapping[Key, Link]) -> Observation:
    """Read the sections of open creates, and the events of open updates and deletes by id."""
    touched = [links[intent.key] for intent in intents if intent.op != "create" and intent.key in links]
    items = [intent.item for intent in intents if intent.op == "create"]
    made = await observe(run, items, (), EVERYTHING)
    marks = {seen.mark for seen in made.events.values()}
    if lost := [item for item in items if item.fields.get("mark") and item.fields["mark"] not in marks]:
        made = joined(made, await look_everywhen(run, lost))
    if not touched:
        return made
    return joined(made, await run.sync.target.observe(run.portal, touched, (), EVERYTHING))
