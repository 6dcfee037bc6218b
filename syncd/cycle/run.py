"""The cycle of one sync on one screen: recover -> read -> shape -> diff -> guard -> push -> report.

Steps only; every decision is made where its facts are (model.diff, model.guard, target, exchange).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from syncd.cycle.claim import claiming
from syncd.cycle.home import settle_home
from syncd.cycle.look import forget_verified, note_verified, verify_due
from syncd.cycle.naming import remember
from syncd.cycle.prepare import plan_anew, prepare
from syncd.cycle.push import Done, push
from syncd.cycle.record import begin, close
from syncd.cycle.recover import recover
from syncd.cycle.result import PassResult, Prepared
from syncd.cycle.setup import SyncSetup, World
from syncd.errors import StoppedError, SyncdError
from syncd.model.diff import ANY_FINGERPRINT
from syncd.model.item import Change, Hold
from syncd.model.plan import Plan
from syncd.model.record import RunState, next_hold

_ROUNDS = 3
"""How often one pass plans anew after it had to look what became of a change."""
_FOREVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOptions:
    """What a caller may ask of one pass: read the portal first, go past the guard.

    `approve` sees the plan before anything is sent, and raises a SyncdError to stop the pass; `confirm` is asked after
    the guard whether to go on, and ends the pass as stopped when the answer is no.
    """

    verify: bool = False
    force: bool = False
    approve: Callable[[Prepared], None] | None = None
    confirm: Callable[[Prepared], Awaitable[bool]] | None = None


async def run_pass(setup: SyncSetup, world: World, options: PassOptions, *, stop: asyncio.Event) -> PassResult:
    """Run one whole pass and return what became of it; a SyncdError ends it and is returned, never raised.

    `stop` ends it after the batches in flight. Whatever happens, the ledger tells the truth afterwards.
    """
    world = replace(world, portal=world.portal.part(stop))
    begun = await begin(setup, world)
    done = Done()
    error: SyncdError | None = None
    state: RunState = "failed"
    try:
        state = await _steps(setup, world, options, begun.run_id, done, stop)
    except StoppedError:
        state = "stopped"
    except SyncdError as caught:
        error = caught
    finally:
        record = await close(setup, world, begun, done, state, error)
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
    setup: SyncSetup, world: World, options: PassOptions, run_id: int, done: Done, stop: asyncio.Event
) -> RunState:
    await settle_home(setup, world, force=options.force)
    found = await recover(setup, world, run_id, stop=stop)
    done.counts.update(created=found.created, updated=found.updated, deleted=found.deleted)
    if stop.is_set():
        return "stopped"
    verify = options.verify or await verify_due(setup, world, world.clock.now())
    async with claiming(world, wanted=verify):  # only a plan that has seen the portal takes events over
        prepared = await prepare(setup, world, verify=verify, keep=True)
        done.prepared = prepared
        done.problems += prepared.problems
        done.gone.update(prepared.gone)
        if prepared.verified:  # what was found and is not put right, for a guard or a crash, has to be found again
            await forget_verified(setup, world)
        if options.approve is not None:
            options.approve(prepared)
        if not options.force:
            setup.guard.check(prepared.plan, setup.name)
        if options.confirm is not None and not await options.confirm(prepared):
            return "stopped"
        await _note_plan(setup, world, prepared, run_id)
    for name in ("unchanged", "held", "rejected"):
        done.counts[name] += prepared.counts[name]
    touched = {change.key for change in prepared.plan.changes}
    done.counts["unchanged"] -= len(found.remote_ids.keys() - touched)  # they count as created in this very pass
    done.counts["conflict"] += len(prepared.plan.conflicts)
    done.counts["adopted"] += prepared.plan.count("adopt")
    plan = prepared.plan
    for number in range(_ROUNDS):
        again = await push(
            setup,
            world,
            plan.changes,
            prepared.directory,
            observed=prepared.observed,
            run_id=run_id,
            done=done,
            stop=stop,
            alone=number == _ROUNDS - 1,
        )
        if stop.is_set():
            return "stopped"
        if not again and not _takes_away_wanted(plan, prepared):
            break
        plan = await plan_anew(setup, world, prepared, done.gone)
        done.refused.update((key, why) for key, why in plan.waiting.items() if key not in prepared.plan.waiting)
    else:
        await _set_aside(setup, world, plan.changes, done)
    if prepared.verified and not await _missing(setup, world, done):
        # Not before: what a person did is noticed only by reading, and has to be put right first.
        await note_verified(setup, world)
    left = (await world.ledger.tally(setup.name)).open_intents
    return "partial" if left or done.refused or done.unknown or done.not_sent else "done"


async def _set_aside(setup: SyncSetup, world: World, changes: Sequence[Change], done: Done) -> None:
    """Hold the changes to which the portal gives no usable answer, even sent alone; nothing else waits for them.

    Where the line broke the change may not be to blame: that is told, and the next pass tries it again.
    """
    before = {hold.key: hold for hold in await world.ledger.holds(setup.name)}
    now = world.clock.now()
    holds: list[Hold] = []
    for change in changes:
        holder = change.item or change.link
        assert holder is not None
        unanswered = done.unanswered.get(change.key)
        if unanswered is None:
            done.not_sent.add(change.key)
            continue
        reason = f"the portal gives no usable answer to it, even sent alone: {unanswered.reason}"
        done.refused[change.key], done.places[change.key] = reason, holder.where
        if unanswered.ended:
            known = before.get(change.key)
            told = {"title": holder.title, "where": holder.where}
            holds.append(next_hold(change.key, reason, holder.fingerprint, known, now, **told))
    await world.ledger.hold(setup.name, holds)


async def _missing(setup: SyncSetup, world: World, done: Done) -> bool:
    """Say whether some event that was not to be seen could not be made anew; it may be seen again by the next pass."""
    if not done.gone:
        return False
    return any(done.gone.get(link.key) == link.remote_id for link in await world.ledger.links(setup.name))


def _takes_away_wanted(plan: Plan, prepared: Prepared) -> bool:
    """Say whether `plan` deleted something only to have it made anew."""
    wanted = {item.key for item in prepared.wanted}
    return any(change.op == "delete" and change.key in wanted for change in plan.changes)


async def _note_plan(setup: SyncSetup, world: World, prepared: Prepared, run_id: int) -> None:
    """Write down what the plan learned without the portal's help: absences, versions, adoptions, conflicts.

    Links to events that are gone and will be made anew stay until that is done: a webhook that lost its rights sees
    nothing for a while, and what it may not make anew stands there still when they return.
    """
    plan, ledger, now = prepared.plan, world.ledger, world.clock.now()
    await remember(setup, world, prepared.uids)
    await ledger.mark_absent(setup.name, plan.absent, plan.present)
    if plan.versions:
        await ledger.relearn(setup.name, plan.versions)
    adopted = [change.link for change in plan.changes if change.op == "adopt" and change.link is not None]
    if adopted:
        await ledger.adopt(run_id, adopted, now=now)
    if found := [change for change in plan.conflicts if change.link is not None]:  # the others are held already
        await ledger.hold(setup.name, [_conflict_hold(change, now) for change in found])
    if plan.settled_holds:
        await ledger.release(setup.name, plan.settled_holds)


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
