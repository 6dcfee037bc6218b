"""A plan with everything that it was made from, what would follow from it, and how a later pass recognises it.

If nothing has changed since a pass that left nothing to do, that is recognised before anything is parsed. What has to
be the same, and why that is enough, stands in model.settled. A pass that reads the portal is never left out, nor one of
a source that cannot tell from its bytes whether it has changed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from syncd.cycle.kept import UNRESOLVED_AGE_S, Kept, is_lacking
from syncd.cycle.sync import Pass
from syncd.lang.saying import say
from syncd.model.doubles import Double
from syncd.model.entry import Problem, Snapshot
from syncd.model.item import Change, Key, Link, Observed
from syncd.model.observation import recovery_mark
from syncd.model.plan import NOTHING_WANTED, Plan, Wanted
from syncd.model.second_writer import NO_WRITERS, Writers
from syncd.model.settled import Circumstances, Findings, Settled, conflicts_of, lasts_until, leaves_nothing
from syncd.model.traces import Suspect
from syncd.portal.limits.forecast import Forecast
from syncd.portal.people.directory import Directory
from syncd.state.notes import Uids


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A plan with everything it was made from.

    `run` and `now` tell for whom and at which unix time it was made. `problems` are all problems of the pass so far, in
    order of place. `kept` are the entries that the filter leaves, not those that `plan.kept` leaves in the portal.
    `wanted` is what the source asks for, `links` what was linked before; of an ordinary pass only what may change.
    `observed` are the ids of the events that were read, None when the portal was not; `confirmed` the linked items
    found there as they were sent. `uids` is what is known of the source's uids; `gone` are the ids of linked events
    that no longer exist and are to be created again, by key; `stamps` tell when and by whom linked events were made,
    where that is news. `meetings` are the events with guests that are to be changed, by id: what people have answered
    decides who is told. `lost` are the ids of events to be deleted that are gone already: nobody is told of their end.
    `doubles` are events that stand beside linked ones, `writers` tells of other ledgers. `suspects` are events that may
    be creates still. `settled` is what the pass was recognised by, where nothing has changed: then it holds no entries,
    items and links, for none were read.

    What it would cost and whom it would notify is worked out when somebody asks: an ordinary pass does not.
    """

    run: Pass = field(repr=False)
    now: float
    plan: Plan
    snapshot: Snapshot
    kept: Kept
    directory: Directory
    problems: tuple[Problem, ...]
    rejected: int
    held: int
    verified: bool
    skipped: int = 0
    uids: Uids = field(default_factory=Uids)
    wanted: Wanted = NOTHING_WANTED
    links: tuple[Link, ...] = ()
    observed: frozenset[int] | None = None
    confirmed: frozenset[Key] = frozenset()
    gone: Mapping[Key, int] = field(default_factory=dict)
    stamps: Mapping[Key, str] = field(default_factory=dict)
    meetings: Mapping[int, Observed] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()
    doubles: tuple[Double, ...] = ()
    settled: Settled | None = None
    suspects: tuple[Suspect, ...] = ()
    writers: Writers = NO_WRITERS

    def check(self) -> None:
        """Raise GuardError if the pass must not go on without a person's word."""
        sync = self.run.sync
        if self.writers.found.made:
            raise self.writers.found.refusal(sync.name)
        sync.guard.check(self.plan, sync.name)

    @property
    def doubtful(self) -> bool:
        """True if the portal is not what the ledger knows, so that nothing is created before all of it has been read.

        Also if something is to be created that an event noted as a suspect may be: one that left the source and has
        come back. Nothing holds it any more, and only a reading of everything looks for suspects.
        """
        if self.gone or self.writers.doubted:
            return True
        suspects = {one.mark for one in self.run.notes.suspects}
        new = (change.key for change in self.plan.changes if change.op == "create") if suspects else ()
        return any(recovery_mark(self.run.sync.name, key) in suspects for key in new)

    @property
    def sync(self) -> str:
        """The name of the sync."""
        return self.run.sync.name

    @property
    def edits_win(self) -> bool:
        """True if a conflict is decided for the portal, so that no person has to decide."""
        return self.run.sync.policy.on_conflict == "portal"

    @cached_property
    def forecast(self) -> Forecast:
        """What sending the changes would take, under the portal's limits as they are when this is first asked for."""
        target, changes = self.run.sync.target, (*self.plan.changes, *self.remade)
        methods = Counter(target.command(one, 0, self.directory).method for one in changes if one.op != "adopt")
        return self.run.portal.forecast(methods)

    @cached_property
    def notified(self) -> Mapping[int, int]:
        """How many notices people get, by user id (PORTAL.md 4.10)."""
        target = self.run.sync.target
        found: Counter[int] = Counter()
        for one in self.plan.changes:
            if one.op == "delete" and one.link is not None and one.link.remote_id in self.lost:
                continue
            seen = self.meetings.get(one.link.remote_id) if one.link is not None else None
            found.update(target.notices(one, self.directory, self.now, seen))
        for one in self.remade:
            found.update(target.notices(one, self.directory, self.now, None))
        return found

    @cached_property
    def remade(self) -> tuple[Change, ...]:
        """The creates that follow deletes of what is wanted: this pass plans them once the deletes are done."""
        deleted = {change.key for change in self.plan.changes if change.op == "delete"}
        again = (item for item in self.wanted.items if item.key in deleted) if deleted else ()
        return tuple(Change(op="create", key=item.key, item=item, reason=say("made again")) for item in again)

    @property
    def notices(self) -> int:
        """How many notices people get."""
        return sum(self.notified.values())

    @property
    def new_sections(self) -> int:
        """How many sections would be created."""
        items = (change.item for change in (*self.plan.changes, *self.remade) if change.item is not None)
        return len({(item.key.place, item.section) for item in items if item.section_id is None})

    @property
    def counts(self) -> dict[str, int]:
        """Counts by what would be done, in the order of the plan's JSON."""
        plan, ops = self.plan, Counter(change.op for change in self.plan.changes)
        return {
            "create": ops["create"],
            "update": ops["update"],
            "delete": ops["delete"],
            "adopt": ops["adopt"],
            "unchanged": plan.unchanged,
            "held": self.held,
            "rejected": self.rejected,
            "conflict": len(plan.conflicts),
            "skipped": self.skipped,
            "kept": len(plan.kept),
        }

    @property
    def leaves_nothing(self) -> bool:
        """True if the next pass would plan the same, as long as nothing changes and it does not read the portal."""
        learned = self.verified or self.gone or self.stamps or self.doubles or self.uids != self.run.notes.uids
        return not learned and leaves_nothing(self.plan, self.snapshot, self.run.sync.policy)

    @property
    def findings(self) -> Findings:
        """What the next pass has to know to report the same."""
        plan, snapshot = self.plan, self.snapshot
        return Findings(
            unchanged=plan.unchanged,
            held=self.held,
            rejected=self.rejected,
            skipped=self.skipped,
            known_uids=plan.known_uids,
            complete=snapshot.complete,
            incomplete_because=snapshot.incomplete_because,
            problems=self.problems,
            conflicts=conflicts_of(plan),
            kept=tuple(link.key for link in plan.kept),
            absent=tuple(sorted(plan.absent)),
        )

    def directory_lasts(self) -> Iterator[float]:
        """Yield when the directory has to be read again: by its age, or sooner if people or rights are missing."""
        read_at = self.directory.read_at
        yield read_at + self.run.sync.directory_every.total_seconds()
        troubled = self.rejected + self.held + self.skipped  # whatever is missing in it makes an entry one of these
        kept = self.kept
        if troubled and is_lacking(
            self.run.sync.target, kept.entries if kept.lacking is None else kept.lacking, self.directory
        ):
            yield read_at + UNRESOLVED_AGE_S

    def left_over(self, counts: Mapping[str, int]) -> int:
        """Return how many of `counts` wait for a person."""
        waiting = counts.get("rejected", 0) + counts.get("held", 0)
        return waiting if self.edits_win else waiting + counts.get("conflict", 0)


async def recognise(run: Pass, marker: str, now: float) -> Settled | None:
    """Return what a whole pass at unix time `now` would find, if that is known; `marker` is that of the bytes read.

    Raises StateError.
    """
    if not marker:
        return None
    known = await run.ledger.settled()
    # The marks of directory and ledger take longest, so they are made only if all else is the same.
    if known is None or known.circumstances.source != marker or not known.holds_at(now):
        return None
    directory = await run.portal_ledger.directory_mark()
    circumstances = await _circumstances(run, marker, directory, now)
    return known if circumstances is not None and known.holds_under(circumstances, now) else None


async def note_findings(run: Pass, findings: Findings, *, marker: str, now: float, due: Sequence[float]) -> None:
    """Note what the pass found at unix time `now`, for the next ones; it holds until the first of the times in `due`.

    Nothing is noted where the portal was asked for people or sections: the next pass might ask again. Raises
    StateError.
    """
    if not marker or not run.directory_mark:
        return
    circumstances = await _circumstances(run, marker, run.directory_mark, now)
    if circumstances is None:
        return
    until = lasts_until(await run.ledger.holds(), now, *due)
    await run.ledger.note_settled(Settled(circumstances=circumstances, since=now, until=until, findings=findings))


async def note_again(run: Pass, settled: Settled) -> None:
    """Note that `settled` holds on although the pass has counted absences, which lead to nothing where all is kept."""
    before = settled.circumstances
    after = Circumstances(
        source=before.source,
        settings=before.settings,
        days=before.days,
        directory=before.directory,
        ledger=await run.ledger.mark(),
    )
    again = Settled(circumstances=after, since=settled.since, until=settled.until, findings=settled.findings)
    await run.ledger.note_settled(again)


async def _circumstances(run: Pass, marker: str, directory: str, now: float) -> Circumstances | None:
    """Return what a plan follows from at unix time `now`, None where configs or programs cannot be told apart."""
    if run.sync.mark is None or not (settings := await asyncio.to_thread(run.sync.mark)):
        return None
    window = run.sync.window(now)
    return Circumstances(
        source=marker,
        settings=f"{settings} {run.portal.origin}",
        days=f"{run.sync.today(now)} {window.first} {window.last}",
        directory=directory,
        ledger=await run.ledger.mark(),
    )
