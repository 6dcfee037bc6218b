"""Takes back one run, or everything a sync has made: looks, asks, sends through the same journal as any pass.

It may end anywhere and be begun anew: what is done already is found done.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from syncd.cycle.directory import directory_for
from syncd.cycle.home import check_home
from syncd.cycle.look import forget_verified, observe_links
from syncd.cycle.push import Done, push
from syncd.cycle.record import begin, close
from syncd.cycle.recover import recover
from syncd.cycle.setup import SyncSetup, World
from syncd.errors import StoppedError, SyncdError
from syncd.model.record import RunRecord, RunState
from syncd.model.takeback import TakeBack, check_visible, concerned, purging, undoing
from syncd.portal.limits.forecast import Forecast
from syncd.portal.people.directory import Directory

_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is about to be done and what it would take, for a person to say yes or no to; `notices` go to people.

    `directory` names whose calendars are concerned.
    """

    plan: TakeBack
    forecast: Forecast
    notices: int
    directory: Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of it: the run's record, what was decided (None when it did not come that far), and any error."""

    record: RunRecord
    plan: TakeBack | None
    error: SyncdError | None

    @property
    def exit_code(self) -> int:
        """The exit code of the command line."""
        if self.error is not None:
            return self.error.exit_code
        if self.record.state == "stopped":
            return 130
        return 1 if self.record.state == "partial" else 0


@dataclass(slots=True)
class _Decided:
    """The first plan, which a person said yes to."""

    plan: TakeBack | None = None


Confirm = Callable[[Offer], Awaitable[bool]]
_Planner = Callable[[], Awaitable[tuple[TakeBack, frozenset[int]]]]


async def undo(
    setup: SyncSetup, world: World, run_id: int, *, confirm: Confirm, stop: asyncio.Event, force: bool = False
) -> Taken:
    """Take back what run `run_id` of the sync did; what changed since is left and listed.

    A SyncdError ends it and is returned, such as the GuardError where most events cannot be seen, unless `force`.
    """
    world = replace(world, portal=world.portal.part(stop))

    async def plan() -> tuple[TakeBack, frozenset[int]]:
        records = await world.ledger.changes(run_id)
        links = {link.key: link for link in await world.ledger.links(setup.name)}
        seen = await observe_links(setup, world, concerned(records, links))
        return undoing(records, links, seen), frozenset(seen.events)

    return await _take(setup, world, plan, _guarded(setup, confirm, force=force), stop)


async def purge(setup: SyncSetup, world: World, *, confirm: Confirm, stop: asyncio.Event, force: bool = False) -> Taken:
    """Delete all events the sync has created, forget those it has adopted; errors and `force` as for `undo`."""
    world = replace(world, portal=world.portal.part(stop))

    async def plan() -> tuple[TakeBack, frozenset[int]]:
        links = await world.ledger.links(setup.name)
        seen = await observe_links(setup, world, links)
        return purging(links, seen), frozenset(seen.events)

    taken = await _take(setup, world, plan, _guarded(setup, confirm, force=force), stop)
    if taken.error is None and taken.record.state == "done":
        await world.ledger.release(setup.name, None)
        await forget_verified(setup, world)
    return taken


def _guarded(setup: SyncSetup, confirm: Confirm, *, force: bool) -> Confirm:
    """Return what asks, but lets nothing be asked that looks like lost rights."""

    async def ask(offer: Offer) -> bool:
        if not force:
            check_visible(offer.plan, setup.name)
        return await confirm(offer)

    return ask


async def _take(setup: SyncSetup, world: World, planner: _Planner, confirm: Confirm, stop: asyncio.Event) -> Taken:
    begun = await begin(setup, world)
    done, decided = Done(), _Decided()
    state: RunState = "failed"
    error: SyncdError | None = None
    try:
        state = await _steps(setup, world, planner, confirm, begun.run_id, done, decided, stop)
    except StoppedError:
        state = "stopped"
    except SyncdError as caught:
        error = caught
    finally:
        record = await close(setup, world, begun, done, state, error)
    return Taken(record=record, plan=decided.plan, error=error)


async def _steps(
    setup: SyncSetup,
    world: World,
    planner: _Planner,
    confirm: Confirm,
    run_id: int,
    done: Done,
    decided: _Decided,
    stop: asyncio.Event,
) -> RunState:
    await check_home(setup, world)
    await recover(setup, world, run_id, stop=stop)
    again = False
    for _ in range(_ROUNDS):
        if stop.is_set():
            return "stopped"
        plan, observed = await planner()
        if decided.plan is None:
            decided.plan = plan
            if not await confirm(await _offer(setup, world, plan)):
                return "stopped"
        again = await _carry_out(setup, world, plan, observed, run_id, done, stop)
        if not again:
            break
    if stop.is_set():
        return "stopped"
    left = (await world.ledger.tally(setup.name)).open_intents
    undone = again or left or done.refused or done.unknown or done.not_sent
    return "partial" if undone or _waits(decided.plan) else "done"


async def _carry_out(
    setup: SyncSetup,
    world: World,
    plan: TakeBack,
    observed: frozenset[int],
    run_id: int,
    done: Done,
    stop: asyncio.Event,
) -> bool:
    if plan.forgotten or plan.after:  # what is forgotten still stands there: the next pass must read before it creates
        await forget_verified(setup, world)
    await world.ledger.forget(setup.name, [link.key for link in plan.forgotten])
    directory = await directory_for(setup, world, (), fresh=False, keep=True)
    again = await push(setup, world, plan.changes, directory, observed=observed, run_id=run_id, done=done, stop=stop)
    await world.ledger.forget(setup.name, plan.after & done.settled)
    return again


def _waits(plan: TakeBack | None) -> bool:
    """Say whether something was left that a person or a later undo has to decide; adopted events are no such thing."""
    return plan is not None and any(not left.link.adopted for left in plan.left)


async def _offer(setup: SyncSetup, world: World, plan: TakeBack) -> Offer:
    directory = await directory_for(setup, world, (), fresh=False, keep=True)
    methods = Counter(setup.target.command(change, 0, directory).method for change in plan.changes)
    invited = sum(len(change.item.invites) for change in plan.changes if change.item is not None)
    return Offer(plan=plan, forecast=world.portal.forecast(methods), notices=invited, directory=directory)
