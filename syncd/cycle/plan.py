"""The plan of a pass: what is read, what it becomes, and what would change. Sends nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from syncd.cycle.directories import UNRESOLVED_AGE_S, directory_for, is_lacking, is_refused, kept_directory
from syncd.cycle.look import (
    joined,
    observe,
    observe_elsewhere,
    observe_hinted,
    observe_touched,
    whose,
    with_suspects,
    without_siblings,
)
from syncd.cycle.read import Kept, Named, Shaping, asks_for_all, context_of, named, shape_all, shape_recognised
from syncd.cycle.series_index import keep_series, recall_series
from syncd.cycle.settled import kept_links, recognise
from syncd.cycle.sync import Pass, check_home
from syncd.cycle.writers import NO_WRITERS, Writers, writers_of
from syncd.lang.saying import say
from syncd.model.diff import make_plan
from syncd.model.doubles import Double, doubles_left
from syncd.model.draft import Found, found_by, touched
from syncd.model.entry import Problem, Snapshot, Window
from syncd.model.guard import believed
from syncd.model.item import ANY_FINGERPRINT, Change, Hold, Item, Key, Link, Observed
from syncd.model.json_values import unpacked
from syncd.model.observation import UNASKED, Observation, recovery_mark
from syncd.model.plan import NOTHING_WANTED, Plan, Wanted
from syncd.model.second_writer import NOBODY
from syncd.model.settled import Findings, Settled, change_of, conflicts_of, leaves_nothing
from syncd.model.stowed import Stowed
from syncd.model.traces import Suspect
from syncd.model.unanswered import came_late
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
        if self.writers.found.made:
            raise self.writers.found.refusal(self.sync)
        self.run.sync.guard.check(self.plan, self.sync)

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
        return any(recovery_mark(self.sync, key) in suspects for key in new)

    @property
    def sync(self) -> str:
        """The name of the sync."""
        return self.run.name

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
        if troubled and is_lacking(self.run, self.kept.entries, self.directory):
            yield read_at + UNRESOLVED_AGE_S

    def left_over(self, counts: Mapping[str, int]) -> int:
        """Return how many of `counts` wait for a person."""
        waiting = counts.get("rejected", 0) + counts.get("held", 0)
        return waiting if self.edits_win else waiting + counts.get("conflict", 0)


async def preview(run: Pass, *, verify: bool, fresh: bool = False) -> Prepared:
    """Return the plan of a pass without changing anything, here or in the portal.

    Reads the portal's events where a pass would, or if `verify` asks for it. `fresh` has the source read whole, and
    parsed even if nothing seems to have changed. Raises like `prepare`, and GuardError when the sync has written to
    another portal.
    """
    run.ledger_name = await run.ledger_of_all.name(run.clock.now())
    run.notes = await run.ledger.notes()
    run.heard_at = await run.portal_ledger.heard_at()
    if await check_home(run):
        run.notes = run.notes.without_events()
    verify = verify or run.verify_due()
    reading = await read_source(run, fresh=fresh or verify, whole=fresh)
    prepared = await prepare(run, reading, verify=verify, keep=False, whole=fresh)
    again = not verify and prepared.doubtful
    return await prepare(run, reading, verify=True, keep=False) if again else prepared


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReading:
    """What the source held, and when it was asked, in unix time: the days of the window follow from that.

    `settled` is what is known of a source that has not changed since a pass left nothing to do, and `directory` whom
    that pass knew; then nothing was parsed.
    """

    snapshot: Snapshot
    now: float
    settled: Settled | None = None
    directory: Directory | None = None


async def read_source(run: Pass, *, fresh: bool, whole: bool = False) -> SourceReading:
    """Read the source; raises SourceError if it cannot be read at all.

    It is not parsed if it is known what would follow, unless `fresh`. It is separate from `prepare`, because it can
    take as long as a slow server likes, and must not make other syncs wait. With `whole`, a source that otherwise asks
    its server for changes asks for everything. What failed is read again only in the next pass (`service/schedule.py:
    next_due`); a source on the web repeats requests itself (`WebClient.ask`).
    """
    now = run.clock.now()
    fetched = await run.sync.fetch(now, whole=whole)
    settled = None if fresh else await recognise(run, fetched.marker, now)
    directory = await kept_directory(run) if settled is not None else None
    if settled is None or directory is None:
        return SourceReading(snapshot=await fetched.parsed(), now=now)
    found = settled.findings
    snapshot = Snapshot(
        entries=(),
        problems=found.problems,
        complete=found.complete,
        incomplete_because=found.incomplete_because,
        changed_marker=fetched.marker,
    )
    return SourceReading(snapshot=snapshot, now=now, settled=settled, directory=directory)


async def _as_settled(run: Pass, reading: SourceReading, settled: Settled, directory: Directory) -> Prepared:
    """Return the plan of a pass that finds what the last one found."""
    found = settled.findings
    plan = Plan(
        unchanged=found.unchanged,
        conflicts=tuple(map(change_of, found.conflicts)),
        absent=frozenset(found.absent),
        known_uids=found.known_uids,
        kept=await kept_links(run, found),
    )
    return Prepared(
        run=run,
        now=reading.now,
        plan=plan,
        snapshot=reading.snapshot,
        kept=Kept(entries=()),
        uids=run.notes.uids,
        directory=directory,
        problems=found.problems,
        rejected=found.rejected,
        held=found.held,
        skipped=found.skipped,
        verified=False,
        settled=settled,
    )


async def prepare(run: Pass, reading: SourceReading, *, verify: bool, keep: bool, whole: bool = False) -> Prepared:
    """Return the plan of a pass without changing anything in the portal; `keep` lets it write to the ledger.

    With `verify` the portal's events are read, without it only those that are to be changed. Then items and links
    about which nothing is to be decided are let go of on the way, unless `whole` asks for all of them. Raises the
    client's errors.
    """
    if reading.settled is not None and reading.directory is not None:
        return await _as_settled(run, reading, reading.settled, reading.directory)
    sync, now = run.sync, reading.now
    window = sync.window(now)
    held = await run.ledger.holds()
    read, shaping, links, renamed, directory = await _shaped(run, reading, held, verify=verify, keep=keep, whole=whole)
    snapshot = read.snapshot
    if not snapshot.entries:
        believe = partial(believed, window=window, removed_after=sync.policy.removed_after)
        snapshot = await run.worked_out(believe, snapshot, links)
    plan, observation = await _planned(run, shaping.wanted, links, held, directory, window, verify=verify)
    with_guests = [link for link in touched(plan.changes) if unpacked(link.sent).get("meeting")]
    found, twice = await _found(run, plan, shaping.wanted, links, observation, directory, verify=verify)
    items, linked = shaping.wanted.items, links
    seen = observation.events.values() if observation is not None and not (verify or whole) else ()
    if any(one.ledger not in ("", run.ledger_name) for one in seen):
        # Any link may be the one whose mark the event of another ledger bears.
        _, every, linked, _, _ = await _shaped(run, reading, held, directory, verify=False, keep=False, whole=True)
        items = every.wanted.items
    writers = await writers_of(run, plan, items, linked, observation, directory, now, verify=verify)
    told = [one.problem for one in twice]
    if writers.found is not NOBODY:
        told += writers.found.problems(sync.source.describe())
    problems = (*renamed, *snapshot.problems, *shaping.problems, *plan.problems, *told)
    if not snapshot.complete:
        reason = say("{because}; nothing is deleted", because=snapshot.incomplete_because)
        problems = (Problem(where=sync.source.describe(), kind="incomplete", reason=reason), *problems)
    return Prepared(
        run=run,
        now=now,
        plan=plan,
        snapshot=snapshot,
        kept=read.kept,
        uids=read.uids,
        directory=directory,
        problems=problems,
        rejected=shaping.rejected,
        held=shaping.held + plan.held,
        skipped=shaping.skipped,
        verified=verify,
        wanted=shaping.wanted,
        links=tuple(links),
        observed=found.observed,
        confirmed=found.confirmed,
        gone=found.gone,
        stamps=found.stamps,
        meetings=await _meetings(run, with_guests, observation, window) if with_guests else {},
        lost=found.lost,
        doubles=twice,
        suspects=tuple(one for one in run.notes.suspects if observation and one.mark in observation.suspects),
        writers=writers,
    )


async def _shaped(
    run: Pass,
    reading: SourceReading,
    held: Sequence[Hold],
    directory: Directory | None = None,
    *,
    verify: bool,
    keep: bool,
    whole: bool,
) -> tuple[Named, Shaping, Sequence[Link], tuple[Problem, ...], Directory]:
    """Return what the source holds and what it becomes, and the links about which there is something to decide.

    Also what there is to tell of entries under new uids, and the directory that was used: the one that is given, which
    the portal was asked for in this pass, or else one for the entries.
    """
    sync, everything, names = run.sync, verify or whole, run.notes.uids.names
    if isinstance(entries := reading.snapshot.entries, Stowed):
        # Where all links are read, there is no room for the entries beside them.
        await run.worked_out(entries.put_away if everything else entries.unpack)
    links: Sequence[Link] = await run.ledger.links() if everything else ()
    sent = None if everything else await run.ledger.sent(run.hints, names)
    if sent is not None:
        sent.apart.update((hold.key for hold in held), run.fates.remote_ids)
    sync.check_links((link.key.place for link in links) if sent is None else sent.places)
    used = {link.key.uid for link in links} if sent is None else sent.named
    read = await run.worked_out(named, sync, run.notes.uids, reading.snapshot, used.union(one.key.uid for one in held))
    if directory is None:
        directory = await directory_for(run, read.kept.entries, fresh=verify, keep=keep)
    context = context_of(sync, directory, reading.now)
    if read.has_series:
        await recall_series(run)
    shape = partial(shape_all, sync, context=context, linked={link.key: link for link in links}, sent=sent)
    shaping = await run.worked_out(shape, read.snapshot, read.kept)
    if shaping.unseen is not None:
        links, _ = await run.ledger.unseen(shaping.unseen)
        if asks_for_all(read, shaping, links):
            return await _shaped(run, reading, held, directory, verify=False, keep=keep, whole=True)
    read, shaping, renamed = await run.worked_out(shape_recognised, sync, read, context, links, held, shaping, shape)
    if shaping.unseen is not None:
        links = [link for link in links if shaping.unseen.holds(link.key, link.fingerprint)]
    if keep and read.has_series:
        await keep_series(run)
    return read, shaping, links, renamed, directory


async def _with_late(run: Pass, links: Sequence[Link], observation: Observation) -> Observation:
    """Return `observation` with the effects of our own requests that came late."""
    requests = (await run.ledger.notes()).unanswered
    if not requests:
        return observation
    looked_at = run.notes.verified.at if run.notes.verified is not None else 0.0
    return replace(observation, late=came_late(links, observation, requests, looked_at))


async def _planned(
    run: Pass,
    wanted: Wanted,
    links: Sequence[Link],
    held: Sequence[Hold],
    directory: Directory,
    window: Window,
    *,
    verify: bool,
) -> tuple[Plan, Observation | None]:
    """Return the plan, and what was read of the portal for it if it was to be read.

    `window` is that of the reading, for which the items were shaped: midnight may have passed since.
    """
    observation = None
    if verify:
        observation = await observe(run, wanted.items, links, window)
        observation = await without_siblings(run, observation, links)
        observation = await with_suspects(run, observation)
    elif run.hints:
        observation = await observe_hinted(run, links)
    if observation is not None and run.hints:
        observation = replace(observation, by=whose(run.hints, directory))
    policy = run.sync.policy
    if observation is not None and run.notes.restored is not None and not policy.adopt:
        # What was made after the ledger's backup is known no more, but it is ours: it is taken back even where nothing
        # else is taken over. The portal counts its ids up, so it lies above all that the backup knew.
        policy, observation = replace(policy, adopt="identical"), _newer(observation, links, run.notes.restored)
    planned = partial(
        make_plan,
        wanted,
        links,
        {hold.key: hold for hold in held},
        policy=policy,
        window=window,
        now=run.clock.now(),
        counted=run.fates.remote_ids,
    )
    if observation is not None:
        observation = await _with_late(run, links, observation)
    plan = await run.worked_out(planned, observation=observation)
    if observation is not None and (fresh := _forgotten(run, plan, held)):
        observation = replace(observation, elsewhere=await observe_elsewhere(run, fresh, links, directory, window))
        plan = await run.worked_out(planned, observation=observation)
    links_touched = touched(plan.changes)
    if unread := [one for one in links_touched if observation is None or observation.verdict(one) is UNASKED]:
        # An event is looked at before it is written to: another one may have its id, or an edit is to be left. Also by
        # a pass that has read the window, for one that stood outside of it.
        looked = await observe_touched(run, unread)
        observation = looked if observation is None else joined(observation, looked)
        observation = await _with_late(run, links, observation)
        plan = await run.worked_out(planned, observation=observation)
    return plan, observation


def _forgotten(run: Pass, plan: Plan, held: Sequence[Hold]) -> list[Item]:
    """Return the new items with a mark that the ledger may have forgotten, in whatever section they stand.

    A new ledger may be a lost one. What was found elsewhere and waits has to be found there again.
    """
    waited = {hold.key for hold in held if hold.fingerprint == ANY_FINGERPRINT}
    unread = run.notes.verified is None
    new = (one for one in plan.changes if one.op == "create" and one.link is None and (unread or one.key in waited))
    return [change.item for change in new if change.item is not None and change.item.fields.get("mark")]


async def _found(
    run: Pass,
    plan: Plan,
    wanted: Wanted,
    links: Sequence[Link],
    observation: Observation | None,
    directory: Directory,
    *,
    verify: bool,
) -> tuple[Found, tuple[Double, ...]]:
    """Return what was read of `links`, and after a reading of everything which events stand beside theirs."""
    if observation is None:
        return Found(), ()
    section, source_wins = run.sync.target.section_name, run.sync.policy.on_conflict == "source"
    told = partial(found_by, observation, plan, wanted, links, source_wins=source_wins)
    found = await run.worked_out(told, may_not_write=lambda place: is_refused(directory, place, section))
    if not verify:
        return found, ()
    creates, caller = (await run.ledger.notes()).given_up, directory.caller.id
    return found, await run.worked_out(doubles_left, links, plan.changes, observation, creates, caller, run.ledger_name)


async def _meetings(
    run: Pass, with_guests: Sequence[Link], observation: Observation | None, window: Window
) -> dict[int, Observed]:
    """Return the events `with_guests` that a plan changes, by id; those that were not read for it are read now."""
    known = {link.remote_id: observation.verdict(link).seen for link in with_guests} if observation is not None else {}
    found = {remote_id: seen for remote_id, seen in known.items() if seen is not None}
    if unread := [link for link in with_guests if link.remote_id not in found]:
        found |= (await run.sync.target.observe(run.portal, unread, (), window)).events
    return found


def _newer(observation: Observation, links: Sequence[Link], known: int) -> Observation:
    """Return the observation without unlinked events that are not newer than the id `known`."""
    own = {link.remote_id for link in links}
    kept = {one: seen for one, seen in observation.events.items() if one > known or one in own}
    return replace(observation, events=kept)


async def plan_again(run: Pass, prepared: Prepared) -> Plan:
    """Plan once more from the same snapshot, after outcomes became known; links to vanished events count as none.

    It is the same pass: what is absent counts once, and nothing is touched that the first plan, which was guarded and
    approved, did not touch.
    """
    sync, now, before = run.sync, run.clock.now(), prepared.plan
    directory = await directory_for(run, prepared.kept.entries, fresh=False, keep=True)
    concerned = {change.key.uid for change in before.changes}
    kept = replace(prepared.kept, entries=tuple(one for one in prepared.kept.entries if one.uid in concerned))
    shaping = await run.worked_out(shape_all, sync, prepared.snapshot, kept, context_of(sync, directory, now))
    wanted = replace(shaping.wanted, uids=prepared.wanted.uids)
    holds = {hold.key: hold for hold in await run.ledger.holds()}
    absent = {link.key: link.absent_passes for link in prepared.links if link.key.uid in concerned}
    keys = absent.keys() | {item.key for item in prepared.wanted.items if item.key.uid in concerned}
    vanished = run.fates.vanished
    living = [one for one in await run.ledger.links_for(sorted(keys)) if vanished.get(one.key) != one.remote_id]
    links = [replace(one, absent_passes=absent.get(one.key, 0)) for one in living]
    plan = await run.worked_out(make_plan, wanted, links, holds, policy=sync.policy, window=sync.window(now), now=now)
    planned = {change.key for change in before.changes}
    return replace(plan, changes=tuple(change for change in plan.changes if change.key in planned))
