"""One pass of one sync on one screen: recover -> read -> shape -> plan -> guard -> push -> record.

Steps only: what becomes of an item is decided where its facts are (model, target, exchange). Here it is decided whether
the portal is read first, and whether the pass plans and sends once more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from syncd.cycle.doubles import remove_doubles
from syncd.cycle.look import ReadBack
from syncd.cycle.plan import plan_again, prepare, read_source
from syncd.cycle.prepared import Prepared, note_again, note_findings
from syncd.cycle.push import push, where_of
from syncd.cycle.recover import recover
from syncd.cycle.sync import Pass, begin, close, settle_home
from syncd.errors import OutOfMemoryError, StoppedError, SyncdError, without_frames
from syncd.lang.saying import say
from syncd.model.fates import Fate, Fates
from syncd.model.item import ANY_FINGERPRINT, Change, Hold, Link
from syncd.model.record import RunRecord, RunState, next_hold
from syncd.model.traces import Heard

_ROUNDS = 3
"""How often one pass plans and sends: again if it had to look what became of a change."""
_LOOK_HOLDS_S = 300.0
"""After so long a push the next pass reads the portal: an event that a person deleted between our look and our update
would pass for updated, because the portal answers as if it were (PORTAL.md 4.3)."""
_FOREVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOptions:
    """What a caller may ask of one pass: to read the portal first (`verify`), to ignore the guards (`force`).

    With `fresh` the source is read whole, parsed and compared, even if nothing seems to have changed since a pass left
    nothing to do.

    `hints` are ids of events that somebody may have changed, each with the user: the pass looks at them and decides.
    `heard` returns at any time which other events the portal has reported.

    `approve` sees the plan before anything is sent, and raises a SyncdError to stop the pass. `confirm` is asked after
    the guard whether to go on, and ends the pass as stopped if the answer is no.
    """

    verify: bool = False
    force: bool = False
    fresh: bool = False
    hints: Mapping[int, int] = field(default_factory=dict)
    heard: Callable[[], Heard] = Heard
    approve: Callable[[Prepared], None] | None = None
    confirm: Callable[[Prepared], Awaitable[bool]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    """One finished pass: its record, its plan if it came that far, what became of the items, and the error if any.

    `read_back` is what reading everything back found, where that was asked for.
    """

    record: RunRecord
    fates: Fates
    prepared: Prepared | None = None
    error: SyncdError | None = None
    read_back: ReadBack | None = None

    @property
    def kept(self) -> tuple[Link, ...]:
        """The entries that are gone from the source while their events stay."""
        return self.prepared.plan.kept if self.prepared is not None else ()

    @property
    def state(self) -> RunState:
        """How the pass ended."""
        return self.record.state

    @property
    def exit_code(self) -> int:
        """The exit code of the command line for this pass."""
        if self.error is not None:
            return self.error.exit_code
        if self.record.state == "stopped":
            return 130
        if self.prepared is not None and not self.prepared.snapshot.complete:
            return 5
        left_over = self.prepared.left_over(self.record.counts) if self.prepared is not None else 0
        return 1 if left_over or self.fates.unknown or self.record.state == "partial" else 0


async def run_pass(run: Pass, options: PassOptions) -> PassResult:
    """Run one whole pass and return what became of it; a SyncdError ends it and is returned, never raised.

    `run.stop` ends it after the batches in flight. Whatever happens, the ledger tells the truth afterwards.
    """
    run.hints, run.heard = options.hints, options.heard
    begun = await begin(run)
    state: RunState = "stopped"
    prepared: Prepared | None = None
    error: SyncdError | None = None
    approved = False
    try:
        if run.notes.home != run.portal.origin:
            await settle_home(run, force=options.force)
        if await run.ledger.open_intents():
            await recover(run)
        verify = options.verify or run.verify_due()
        if not run.stop.is_set():
            reading = await read_source(run, fresh=options.fresh or verify or bool(run.hints), whole=options.fresh)
            # Who deleted an event may have made it again: nothing is made in its place before everything was read.
            for reads_portal in (verify, True):
                # Only a plan that has seen the portal takes events over, so only that keeps other syncs from doing so.
                async with run.portal.claiming if reads_portal else nullcontext():
                    prepared = await prepare(run, reading, verify=reads_portal, keep=True, whole=options.fresh)
                    if reads_portal or not prepared.doubtful:
                        approved = await _approved(run, prepared, options)
                        break
            if prepared is not None and approved:
                state = await _carry_out(run, prepared)
    except StoppedError:
        state = "stopped"
    except SyncdError as caught:
        state, error = "failed", without_frames(caught)
    except MemoryError:  # not kept: its frames hold what took the memory
        state, error, prepared = "failed", OutOfMemoryError(), None
    except BaseException:
        state = "failed"
        raise
    finally:
        planned = prepared.counts if prepared is not None and approved else {}
        problems = prepared.problems if prepared is not None else ()
        record = await close(run, begun, state=state, error=error, planned=planned, problems=problems)
    return PassResult(record=record, fates=run.fates, prepared=prepared, error=error)


async def _carry_out(run: Pass, prepared: Prepared) -> RunState:
    """Make what was approved true in the portal, and return how that ended."""
    if prepared.doubles:
        await remove_doubles(run, prepared.doubles, prepared.directory)
    state = await _push(run, prepared)
    # A pass that changed something says nothing of what the next one will find.
    if state == "done" and not prepared.plan.changes:
        await _note_settled(run, prepared)
    return state


async def _approved(run: Pass, prepared: Prepared, options: PassOptions) -> bool:
    """Show the plan to everybody who may stop it, and write down what it learned; return False if a person says no.

    Raises what `options.approve` raises, and GuardError.
    """
    for key, remote_id in prepared.gone.items():
        run.fates.add(key, Fate(kind="vanished", remote_id=remote_id))
    if prepared.verified or prepared.gone:
        # What was found and is not put right, because of a guard or a crash, has to be found again. And where an event
        # is gone unexpectedly, so may be others.
        await run.forget_verified()
    if options.approve is not None:
        options.approve(prepared)
    if not options.force:
        prepared.check()
    if options.confirm is not None and not await options.confirm(prepared):
        return False
    await _note_plan(run, prepared)
    return True


async def _note_plan(run: Pass, prepared: Prepared) -> None:
    """Write down what the plan found and what no call to the portal changes: absences, versions, adoptions, conflicts.

    Links to events that are gone and will be created again stay until that is done: a webhook that lost its rights sees
    nothing for a while, and what it cannot create again is still there when they return.
    """
    plan, ledger, now = prepared.plan, run.ledger, run.clock.now()
    if prepared.writers.looked is not None:
        await ledger.note_looked(prepared.writers.looked, now)
    if prepared.uids != run.notes.uids:
        await ledger.note_uids(prepared.uids, now)
    await ledger.mark_absent(plan.absent, plan.present)
    if plan.versions:
        await ledger.relearn(plan.versions)
    if prepared.stamps:
        await ledger.learn_stamps(prepared.stamps)
    if plan.forgotten:  # each write of the ledger waits for the disk
        await ledger.forget([link.key for link in plan.forgotten])
    adopted = [change.link for change in plan.changes if change.op == "adopt" and change.link is not None]
    if adopted:
        await ledger.adopt(run.run_id, adopted, now=now)
        for link in adopted:
            run.fates.add(link.key, Fate(kind="adopted", remote_id=link.remote_id))
    linked = [change for change in plan.conflicts if change.link is not None]  # the others are held already
    if found := [*linked, *plan.lookalikes]:
        await ledger.hold([_conflict_hold(change, now) for change in found])
    if plan.settled_holds:
        await ledger.release(plan.settled_holds)
    if prepared.verified and prepared.suspects != run.notes.suspects:
        await ledger.note_suspects(prepared.suspects, now)


async def _push(run: Pass, prepared: Prepared) -> RunState:
    """Send the plan, and plan and send again what looking has shown to be needed; return how the pass ended."""
    plan, began = prepared.plan, run.clock.monotonic()
    for number in range(_ROUNDS):
        last = number == _ROUNDS - 1
        again = await push(run, plan.changes, prepared.directory, observed=prepared.observed or (), alone=last)
        if plan.changes and not run.stop.is_set() and await run.ledger.open_intents():
            again = await recover(run) or again
        if run.stop.is_set():
            return "stopped"
        # Something may have been deleted only to be created again.
        deleted = {change.key for change in plan.changes if change.op == "delete"}
        if not again and not (deleted and any(item.key in deleted for item in prepared.wanted.items)):
            break
        plan = await plan_again(run, prepared)
        places = {change.key: where_of(change) for change in prepared.plan.changes}
        for key, reason in plan.waiting.items():
            if key not in prepared.plan.waiting:
                run.fates.add(key, Fate(kind="refused", reason=reason, where=places.get(key, "")))
    else:
        await _set_aside(run, plan.changes)
    if run.clock.monotonic() - began > _LOOK_HOLDS_S and any(change.op == "update" for change in plan.changes):
        await run.forget_verified()
    elif prepared.verified and not run.overlooked and not await _missing(run) and not await _put_back(run):
        # Not before: what a person did is noticed only by reading, and has to be put right first.
        await run.ledger.note_verified(run.portal.origin, run.clock.now())
    left = await run.ledger.open_intents() if prepared.plan.changes else ()
    fates = run.fates
    return "partial" if left or fates.refused or fates.unknown or fates.not_sent else "done"


async def _note_settled(run: Pass, prepared: Prepared) -> None:
    """Note what the pass found if it left nothing to do, so that the next one can recognise it."""
    if prepared.settled is not None:
        if prepared.plan.absent:  # which the pass has counted
            await note_again(run, prepared.settled)
    elif prepared.leaves_nothing:
        due = await run.worked_out(list, prepared.directory_lasts())
        marker = prepared.snapshot.changed_marker
        await note_findings(run, prepared.findings, marker=marker, now=prepared.now, due=due)


async def _set_aside(run: Pass, changes: Sequence[Change]) -> None:
    """Hold the changes to which the portal gives no usable answer, even sent alone, so that nothing waits for them.

    If the connection broke, the change may not be to blame: that is reported, and the next pass tries it again.
    """
    before = {hold.key: hold for hold in await run.ledger.holds()}
    now = run.clock.now()
    holds: list[Hold] = []
    run.fates.begin_round(change.key for change in changes)
    for change in changes:
        holder = change.item or change.link
        assert holder is not None
        unanswered = run.fates.unanswered(change.key)
        if unanswered is None:
            run.fates.add(change.key, Fate(kind="not_sent", where=holder.where))
            continue
        reason = say("the portal gives no usable answer to it, even sent alone: {reason}", reason=unanswered.reason)
        run.fates.add(change.key, Fate(kind="refused", reason=reason, where=holder.where))
        if unanswered.ended:
            known = before.get(change.key)
            told = {"title": holder.title, "where": holder.where}
            holds.append(next_hold(change.key, reason, holder.fingerprint, known, now, **told))
    await run.ledger.hold(holds)


async def _put_back(run: Pass) -> bool:
    """Return True if the ledger was put back to an earlier state since the pass began, as when a standby took over."""
    return (await run.ledger.notes()).restored != run.notes.restored


async def _missing(run: Pass) -> bool:
    """Return True if an event that had vanished could not be created again; the next pass may see it again."""
    vanished = run.fates.vanished
    return bool(vanished) and any(vanished.get(link.key) == link.remote_id for link in await run.ledger.links())


def _conflict_hold(change: Change, now: float) -> Hold:
    """Return the hold of a conflict or look-alike, which waits for a person or another source, not for a time."""
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
