"""Takes back one run, or everything a sync has made: reads, asks, and sends through the same journal as any pass.

It may end anywhere and be started again: what is already done is found done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace

from syncd.cycle.directories import directory_for
from syncd.cycle.look import EVERYTHING, observe, observe_links, without_siblings
from syncd.cycle.made_sections import Tidied, own_sections, remove_empty
from syncd.cycle.push import push
from syncd.cycle.recover import recover
from syncd.cycle.sync import Pass, begin, check_home, close
from syncd.errors import OutOfMemoryError, StoppedError, SyncdError, without_frames
from syncd.model.made_sections import MadeSection
from syncd.model.record import RunKind, RunRecord, RunState
from syncd.model.takeback import TakeBack, check_visible, concerned, deleted, purging, undoing
from syncd.portal.limits.forecast import Forecast
from syncd.portal.people.directory import Directory

_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is about to be done and what it would take, for a person to say yes or no to; `notices` are sent to people.

    `directory` names whose calendars are concerned; `sections` are removed too if nothing is left in them.
    """

    plan: TakeBack
    forecast: Forecast
    notices: int
    directory: Directory
    sections: tuple[MadeSection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The result: the run's record, what was decided (None if it did not get that far), and any error.

    `tidied` are the sections that a purge removed or left.
    """

    record: RunRecord
    plan: TakeBack | None
    error: SyncdError | None
    tidied: Tidied = field(default_factory=Tidied)

    @property
    def exit_code(self) -> int:
        """The exit code of the command line."""
        if self.error is not None:
            return self.error.exit_code
        if self.record.state == "stopped":
            return 130
        return 1 if self.record.state == "partial" else 0


Confirm = Callable[[Offer], Awaitable[bool]]
_Planner = Callable[[], Awaitable[tuple[TakeBack, frozenset[int]]]]


async def undo(run: Pass, run_id: int, *, confirm: Confirm, force: bool = False) -> Taken:
    """Take back what run `run_id` of the sync did. What has changed since is left and listed.

    `confirm` is asked once, with the first plan. A SyncdError ends it and is returned, such as the GuardError if most
    events cannot be seen, unless `force`.
    """

    async def plan() -> tuple[TakeBack, frozenset[int]]:
        records = await run.ledger.changes(run_id)
        links = {link.key: link for link in await run.ledger.links()}
        own = concerned(records, links)
        seen = await observe(run, deleted(records, links), own, EVERYTHING)
        seen = await without_siblings(run, seen, links.values())
        return await run.worked_out(undoing, records, links, seen), frozenset(seen.events)

    return await _take(run, "undo", plan, confirm, force=force)


async def purge(run: Pass, *, confirm: Confirm, force: bool = False, others: Collection[str] = ()) -> Taken:
    """Delete all events the sync has created, forget those it has adopted; arguments and errors as for `undo`.

    Sections that syncd made go too, where nothing is left in them and no other sync writes to one of that name:
    `others` are the sections, by name or id, of the other syncs of the portal.
    """

    async def plan() -> tuple[TakeBack, frozenset[int]]:
        links = await run.ledger.links()
        seen = await observe_links(run, links)
        return await run.worked_out(purging, links, seen), frozenset(seen.events)

    sections = await own_sections(run)
    taken = await _take(run, "purge", plan, confirm, force=force, sections=sections)
    if taken.error is None and taken.record.state == "done":
        await run.ledger.release(None)
        await run.forget_verified()
        taken = replace(taken, tidied=await remove_empty(run, others) if sections else Tidied())
    return taken


async def _take(
    run: Pass,
    kind: RunKind,
    planner: _Planner,
    confirm: Confirm,
    *,
    force: bool,
    sections: tuple[MadeSection, ...] = (),
) -> Taken:
    begun = await begin(run, kind)
    plan: TakeBack | None = None
    state: RunState = "failed"
    error: SyncdError | None = None
    try:
        await check_home(run)
        await recover(run)
        plan, observed = await planner()
        if not force:
            check_visible(plan, run.sync.name)
        if run.stop.is_set() or not await confirm(await _offer(run, plan, sections)):
            state = "stopped"
        else:
            state = await _carry_out(run, plan, observed, planner)
    except StoppedError:
        state = "stopped"
    except SyncdError as caught:
        error = without_frames(caught)
    except MemoryError:
        error, plan = OutOfMemoryError(), None
    finally:
        record = await close(run, begun, state=state, error=error, planned={}, problems=())
    return Taken(record=record, plan=plan, error=error)


async def _carry_out(run: Pass, decided: TakeBack, observed: frozenset[int], planner: _Planner) -> RunState:
    """Send what was decided, plan the rest again where looking told something new, and return how the run ended."""
    plan, again = decided, False
    for number in range(_ROUNDS):
        if number:
            plan, observed = await planner()
        if run.stop.is_set():
            return "stopped"
        if plan.forgotten or plan.after:
            # What is forgotten still stands there, so the next pass must read before it creates.
            await run.forget_verified()
        await run.ledger.forget([link.key for link in plan.forgotten])
        directory = await directory_for(run, (), fresh=False, keep=True)
        again = await push(run, plan.changes, directory, observed=observed)
        if not run.stop.is_set():
            again = await recover(run) or again
        await run.ledger.forget(plan.after & run.fates.settled)
        if not again:
            break
    if run.stop.is_set():
        return "stopped"
    fates = run.fates
    left = again or await run.ledger.open_intents() or fates.refused or fates.unknown or fates.not_sent
    # Something that was left has to be decided by a person or a later undo; adopted and foreign events need nothing.
    waits = any(one.ours and not one.link.adopted for one in decided.left)
    return "partial" if left or waits else "done"


async def _offer(run: Pass, plan: TakeBack, sections: tuple[MadeSection, ...]) -> Offer:
    directory = await directory_for(run, (), fresh=False, keep=True)
    target, now = run.sync.target, run.clock.now()

    def weighed() -> tuple[Counter[str], int]:
        methods = Counter(target.command(change, 0, directory).method for change in plan.changes)
        return methods, sum(len(target.notices(change, directory, now, change.observed)) for change in plan.changes)

    methods, told = await run.worked_out(weighed)
    return Offer(plan=plan, forecast=run.portal.forecast(methods), notices=told, directory=directory, sections=sections)
