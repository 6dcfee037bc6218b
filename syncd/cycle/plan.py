"""The plan of a pass: what is read, what it becomes, and what would change. Sends nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from syncd.cycle.directories import directory_for, kept_directory, known_directory
from syncd.cycle.kept import Kept, is_refused
from syncd.cycle.look import (
    joined,
    newer,
    observe,
    observe_elsewhere,
    observe_hinted,
    observe_meetings,
    observe_touched,
    whose,
    with_suspects,
    without_siblings,
    writers_of,
)
from syncd.cycle.prepared import Prepared, recognise
from syncd.cycle.read import Named, Shaping, asks_for_all, context_of, named, shape_all, shape_recognised, shape_stream
from syncd.cycle.series_index import keep_series, recall_series
from syncd.cycle.shapes_index import keep_shapes, recall_shapes
from syncd.cycle.sync import Pass, check_home
from syncd.lang.saying import say
from syncd.model.diff import make_plan
from syncd.model.doubles import Double, doubles_left
from syncd.model.draft import Found, found_by, touched
from syncd.model.entry import Entry, Problem, Snapshot, Window
from syncd.model.guard import believed
from syncd.model.item import ANY_FINGERPRINT, Hold, Item, Link
from syncd.model.json_values import unpacked
from syncd.model.observation import UNASKED, Observation
from syncd.model.plan import Plan, Wanted
from syncd.model.second_writer import NOBODY
from syncd.model.sent_links import SentLinks, Unseen
from syncd.model.settled import Settled, change_of
from syncd.model.stowed import Stowed
from syncd.model.unanswered import came_late
from syncd.portal.people.directory import Directory
from syncd.source.base import EntryStream, Fetched, Fetching
from syncd.target.base import ShapeContext


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
    that pass knew; then nothing was parsed. Nor was it if the source can be streamed: then whoever needs all entries
    in memory has it `parsed`.
    """

    now: float
    parsed: Callable[[], Awaitable[Snapshot]]
    streamed: Callable[[], EntryStream] | None = None
    settled: Settled | None = None
    directory: Directory | None = None


async def read_source(run: Pass, *, fresh: bool, whole: bool = False) -> SourceReading:
    """Read the source; raises SourceError if it cannot be read at all.

    It is not parsed if it is known what would follow, unless `fresh`, and not yet if it can be streamed. It is separate
    from `prepare`, because it can take as long as a slow server likes, and must not make other syncs wait. With
    `whole`, a source that otherwise asks its server for changes asks for everything. What failed is read again only in
    the next pass (`service/schedule.py: next_due`); a source on the web repeats requests itself (`WebClient.ask`).
    """
    now = run.clock.now()
    source, told = run.sync.source, run.sync.reading(now, whole=whole)
    fetched = Fetched(marker="", parsed=partial(source.read, told))
    if isinstance(source, Fetching):  # then nothing need be parsed yet
        fetched = await source.fetch(told)
    settled = None if fresh else await recognise(run, fetched.marker, now)
    directory = await kept_directory(run) if settled is not None else None
    if settled is None or directory is None:
        if not fresh and fetched.streamed is not None:
            return SourceReading(now=now, parsed=fetched.parsed, streamed=fetched.streamed)
        return SourceReading(now=now, parsed=partial(_same, await fetched.parsed()))
    found = settled.findings
    snapshot = Snapshot(
        entries=(),
        problems=found.problems,
        complete=found.complete,
        incomplete_because=found.incomplete_because,
        changed_marker=fetched.marker,
    )
    return SourceReading(now=now, parsed=partial(_same, snapshot), settled=settled, directory=directory)


async def _same(snapshot: Snapshot) -> Snapshot:
    """Return `snapshot`, which is parsed already."""
    return snapshot


async def _as_settled(run: Pass, reading: SourceReading, settled: Settled, directory: Directory) -> Prepared:
    """Return the plan of a pass that finds what the last one found."""
    found = settled.findings
    plan = Plan(
        unchanged=found.unchanged,
        conflicts=tuple(map(change_of, found.conflicts)),
        absent=frozenset(found.absent),
        known_uids=found.known_uids,
        kept=await run.ledger.links_for(found.kept) if found.kept else (),
    )
    return Prepared(
        run=run,
        now=reading.now,
        plan=plan,
        snapshot=await reading.parsed(),
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
        meetings=await observe_meetings(run, with_guests, observation, window) if with_guests else {},
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
    first, sent = None, None
    if not (verify or whole):
        sent = await run.ledger.sent(run.hints, run.notes.uids.names)
        # Of these more is known.
        sent.apart.update((hold.key for hold in held), run.fates.remote_ids)
        first = await _streamed(run, reading, sent, held, keep=keep) if directory is None else None
    if first is None:
        first = await _listed(run, reading, sent, held, directory, verify=verify, keep=keep)
    links, shaping, directory = first.links, first.shaping, first.context.directory
    if shaping.unseen is not None:
        links, shaping = await _left(run, shaping, shaping.unseen)
        if asks_for_all(first.read, shaping, links):
            return await _shaped(run, reading, held, directory, verify=False, keep=keep, whole=True)
    read, shaped, renamed = await run.worked_out(
        shape_recognised, run.sync, first.read, first.context, links, held, shaping, first.again
    )
    if shaped.unseen is not None and shaped is not shaping:
        links, shaped = await _left(run, shaped, shaped.unseen)
    if keep and read.has_series:
        await keep_series(run)
    if keep:
        await keep_shapes(run)
    return read, shaped, links, renamed, directory


@dataclass(frozen=True, slots=True, kw_only=True)
class _First:
    """What the source holds and what it becomes under its own uids; `again` shapes it under others.

    `links` are all of them if nothing was let go of.
    """

    read: Named
    shaping: Shaping
    context: ShapeContext
    again: Callable[[Snapshot, Kept], Shaping]
    links: Sequence[Link] = ()


async def _listed(
    run: Pass,
    reading: SourceReading,
    sent: SentLinks | None,
    held: Sequence[Hold],
    directory: Directory | None,
    *,
    verify: bool,
    keep: bool,
) -> _First:
    """Shape the entries of a snapshot, all of which are in memory; without `sent` all links are read."""
    sync, watched = run.sync, {hold.key.uid for hold in held}
    snapshot = await reading.parsed()
    if isinstance(entries := snapshot.entries, Stowed):
        # Where all links are read, there is no room for the entries beside them.
        await run.worked_out(entries.put_away if sent is None else entries.unpack)
    links: Sequence[Link] = await run.ledger.links() if sent is None else ()
    sync.check_links((link.key.place for link in links) if sent is None else sent.places)
    used = {link.key.uid for link in links} if sent is None else sent.named
    read = await run.worked_out(named, sync, run.notes.uids, snapshot, used | watched)
    if directory is None:
        directory = await directory_for(run, read.kept.entries, fresh=verify, keep=keep)
    if read.has_series:
        await recall_series(run)
    context = context_of(sync, directory, reading.now)
    linked = {link.key: link for link in links}
    shape = partial(shape_all, sync, context=context, linked=linked, sent=sent, watched=watched)
    known = None
    if sent is not None and not snapshot.unnamed:  # what has no name is compared with every place that is used
        known = await recall_shapes(run, context, len(read.kept.entries))
    shaping = await run.worked_out(shape, read.snapshot, read.kept, known=known, learns=keep)
    return _First(read=read, shaping=shaping, context=context, again=shape, links=links)


async def _streamed(
    run: Pass, reading: SourceReading, sent: SentLinks, held: Sequence[Hold], *, keep: bool
) -> _First | None:
    """Shape the entries of a source as they are parsed; None if it cannot be streamed, or the pass needs all of them.

    Nearly always the kept directory has all that they name. If something is missing they are gone through twice. If
    the portal is asked for all people they stay in memory: it is asked again and again as long as somebody is missing.
    """
    if reading.streamed is None or run.sync.uids != "source" or run.notes.uids.names:
        return None
    if (directory := await known_directory(run, keep=keep)) is None:
        return None
    await recall_series(run)
    sync, watched = run.sync, {hold.key.uid for hold in held}
    for is_first in (True, False):
        entries, context = reading.streamed(), context_of(sync, directory, reading.now)
        read, shaping = await run.worked_out(shape_stream, sync, run.notes.uids, entries, context, sent, watched)
        # Not before: a source that cannot be read is told of first, however it is gone through.
        sync.check_links(sent.places)
        if not (is_first and read.kept.lacking):
            break
        every = partial(_all_kept, run, reading)
        asked = await directory_for(run, read.kept.lacking, fresh=False, keep=keep, every=every)
        if asked.read_at != directory.read_at:
            return await _listed(run, reading, sent, held, asked, verify=False, keep=keep)
        if asked == directory:
            break
        directory = asked
    shape = partial(shape_all, sync, context=context, sent=sent, watched=watched)
    return _First(read=read, shaping=shaping, context=context, again=shape)


async def _all_kept(run: Pass, reading: SourceReading) -> Sequence[Entry]:
    """Return all entries that pass the filter, in memory."""
    snapshot = await reading.parsed()
    return (await run.worked_out(named, run.sync, run.notes.uids, snapshot, ())).kept.entries


async def _left(run: Pass, shaping: Shaping, unseen: Unseen) -> tuple[Sequence[Link], Shaping]:
    """Return the links that are not of entries which were let go, and `shaping` with the uids of such entries."""
    links, uids = await run.ledger.unseen(unseen)
    return links, replace(shaping, wanted=replace(shaping.wanted, uids=shaping.wanted.uids.union(uids)))


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
        policy, observation = replace(policy, adopt="identical"), newer(observation, links, run.notes.restored)
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


async def plan_again(run: Pass, prepared: Prepared) -> Plan:
    """Plan once more from the same snapshot, after outcomes became known; links to vanished events count as none.

    It is the same pass: what is absent counts once, and nothing is touched that the first plan, which was guarded and
    approved, did not touch.
    """
    sync, now, before = run.sync, run.clock.now(), prepared.plan
    directory = await directory_for(run, prepared.kept.entries, fresh=False, keep=True)
    concerned = {change.key.uid for change in before.changes}
    kept = await run.worked_out(prepared.kept.only, concerned)
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
