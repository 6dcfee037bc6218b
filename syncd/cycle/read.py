"""From a snapshot to what the source asks for: filter, name, shape; one problem line for each entry that fails.

Each entry goes by its source's uid, by one made from its content, or by the one it was first known by. A source that
changes its uids is recognised by what its entries hold (model.naming), and what was recognised is remembered, so that
later edits still reach the same events. Keys, marks and what a run did stay as they were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from syncd.cycle.kept import Kept, Lacking, Sieve
from syncd.cycle.sync import Sync
from syncd.lang.saying import say, say_count
from syncd.model.as_sent import ItemsOfLinks
from syncd.model.entry import Again, Entry, Problem, Snapshot, file_of, is_nameless, telling
from syncd.model.filter import NO_FILTER
from syncd.model.item import Hold, Item, Key, Link, Place, slim
from syncd.model.known_shapes import KnownShapes, Recalling
from syncd.model.moved_rows import is_apart, moved_rows
from syncd.model.naming import Recognised, content_names, recognise, renamed, renamed_entries
from syncd.model.plan import Wanted
from syncd.model.sent_links import SentLinks, Unseen
from syncd.model.stowed import kept_like
from syncd.model.zones import as_told
from syncd.portal.people.directory import Directory, server_zone
from syncd.source.base import EntryStream
from syncd.state.notes import Uids
from syncd.target.base import ShapeContext, Shaped, Target, crashed

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A snapshot and what the filter left of it, under the uids that links know, and what is known of its uids.

    `has_series` tells whether any of it happens more than once.
    """

    snapshot: Snapshot
    kept: Kept
    uids: Uids = field(default_factory=Uids)
    has_series: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaping:
    """What the source asks for, problems met on the way, and how many entries were rejected, wait or are skipped.

    In an ordinary pass nothing is kept of entries that are as they were sent: `familiar` tells how many these are, and
    `unseen` holds the links that are not theirs. `files` are those in which entries with items stand; `places` tells by
    owner where the items of an owner are, if rows without a uid could not be read.
    """

    wanted: Wanted
    problems: tuple[Problem, ...]
    rejected: int
    held: int
    skipped: int = 0
    familiar: int = 0
    unseen: Unseen | None = None
    files: frozenset[str] = frozenset()
    places: Mapping[str, Collection[Place]] = field(default_factory=dict)


def kept_entries(sync: Sync, snapshot: Snapshot) -> Kept:
    """Return what the sync's filter leaves of `snapshot`; an entry that lacks a column the filter names is rejected."""
    sieve = Sieve(sync.filter, sync.name)
    if sync.filter == NO_FILTER:
        return Kept(entries=snapshot.entries)
    passing = kept_like(snapshot.entries, sieve.passing(snapshot.entries))
    return sieve.kept(passing, len(snapshot.entries))


def context_of(sync: Sync, directory: Directory, now: float) -> ShapeContext:
    """Return what shaping may know in a pass at unix time `now`."""
    return ShapeContext(
        directory=directory,
        window=sync.window(now),
        today=sync.today(now),
        portal_zone=portal_zone(sync, directory),
        zone=sync.zone or "",
    )


def portal_zone(sync: Sync, directory: Directory) -> str:
    """Return the server's own zone: as configured, else the best guess from its offset (PORTAL.md 1.2)."""
    return sync.portal_zone or server_zone(directory)


def shaped(target: Target, entries: Iterable[Entry], context: ShapeContext) -> Iterator[tuple[Entry, Shaped]]:
    """Yield each of `entries` with what it becomes. An unexpected error costs only the entry that caused it."""
    for entry in entries:
        try:
            yield entry, target.shape(entry, context)
        except Exception as error:  # noqa: BLE001 - what one entry meets must not stop the others
            yield entry, Shaped(problems=(crashed(entry, error),))


def shape_all(
    sync: Sync,
    snapshot: Snapshot,
    kept: Kept,
    context: ShapeContext,
    *,
    linked: Mapping[Key, Link] | None = None,
    sent: SentLinks | None = None,
    watched: Collection[str] = (),
    known: KnownShapes | None = None,
    learns: bool = False,
) -> Shaping:
    """Return the items of `kept`; an entry that cannot be shaped becomes problems and affects no other.

    Items that are as they were sent share what they hold with the links in `linked`. With `sent` they are only counted,
    and their uids are wanted only if they are `watched`. Those of which it is `known` what they become are not shaped
    for that; with `learns` this is known of the others afterwards.
    """
    shapes = _Shapes(
        linked=linked,
        unseen=Unseen(sent) if sent is not None else None,
        watched=watched,
        items=[] if linked is None or sent is not None else ItemsOfLinks(linked),
    )
    if known is None or shapes.unseen is None:
        for entry, one in shaped(sync.target, kept.entries, context):
            shapes.add(entry, one)
    else:
        recalling = Recalling(known, shapes.unseen, watched, learns=learns)
        for entry, one in shaped(sync.target, recalling.left(kept.entries), context):
            shapes.add(entry, one)
            recalling.learn(entry, one.items, one.problems, stands=one.stands)
        recalling.finish()
        shapes.add_recalled(recalling)
    return shapes.finished(sync, snapshot, kept, context)


@dataclass(slots=True, kw_only=True)
class _Shapes:
    """What entries become, gathered from one after the other; see `shape_all`."""

    linked: Mapping[Key, Link] | None = None
    unseen: Unseen | None = None
    watched: Collection[str] = ()
    items: list[Item] | ItemsOfLinks = field(default_factory=list)
    _problems: list[Problem] = field(default_factory=list)
    _troubled: dict[str, set[str]] = field(default_factory=partial(defaultdict, set))
    _uids: set[str] = field(default_factory=set)
    _files: set[str] = field(default_factory=set)
    _places: set[tuple[str, Place]] = field(default_factory=set)
    _as_sent: int = 0
    _familiar: int = 0

    def add(self, entry: Entry, one: Shaped) -> None:
        """Add what `entry` became."""
        for problem in one.problems:
            self._problems.append(problem)
            self._troubled[problem.kind].add(entry.uid)
        if one.stands:
            self._troubled["stands"].add(entry.uid)
        own = one.items
        for item in own:
            self._files.add(file_of(item.where))
            self._places.add((entry.details.owner, item.key.place))
        if self.unseen is not None and own:
            own = self.unseen.undecided(own)
            if not own:
                self._as_sent += len(one.items)
                self._familiar += 1
                if entry.uid not in self.watched:
                    return
        elif self.linked and own:
            own = tuple(slim(item, self.linked) for item in own)
        # That of its link, or else the entry's would be kept as well.
        self._uids.add(own[0].key.uid if own else entry.uid)
        self.items.extend(own)

    def add_recalled(self, recalled: Recalling) -> None:
        """Add the entries that needed no shaping."""
        self._as_sent += recalled.as_sent
        self._familiar += recalled.as_sent
        self._files |= recalled.files
        self._uids |= recalled.outside

    def finished(self, sync: Sync, snapshot: Snapshot, kept: Kept, context: ShapeContext) -> Shaping:
        """Return all of it, once the entries of `kept` have been added."""
        unused = sync.target.overlooked(kept.entries, context.directory)
        told = [Problem(where=sync.source.describe(), kind="warning", reason=reason) for reason in unused]
        told += kept.problems
        # What could not be read or shaped still stands in the source: its links must not count as absent.
        unread = kept.doubtful | snapshot.rejected_uids
        troubled = self._troubled
        places: dict[str, set[Place]] = defaultdict(set)
        for owner, place in self._places if snapshot.unnamed else ():
            places[owner].add(place)
        return Shaping(
            wanted=Wanted(
                items=tuple(self.items) if isinstance(self.items, list) else self.items.complete(),
                uids=unread.union(self._uids),
                unusable=unread.union(troubled["rejected"], troubled["held"], troubled["stands"]),
                complete=snapshot.complete,
                as_sent=self._as_sent,
                known_uids=self.unseen.sent.uids if self.unseen is not None else None,
            ),
            problems=(*told, *self._problems),
            rejected=sum(p.kind == "rejected" for p in snapshot.problems)
            + len(troubled["rejected"])
            + len(kept.doubtful),
            held=len(troubled["held"]),
            skipped=sum(problem.kind == "skipped" for problem in (*told, *self._problems)),
            familiar=self._familiar,
            unseen=self.unseen,
            files=frozenset(self._files),
            places=places,
        )


def shape_stream(
    sync: Sync, known: Uids, entries: EntryStream, context: ShapeContext, sent: SentLinks, watched: Collection[str]
) -> tuple[Named, Shaping]:
    """Return what `entries` are and become, one after the other; of those that are as they were sent nothing is kept.

    Otherwise like `named` and `shape_all`, for a sync in which all go by the uids of their source. Raises SourceError.
    """
    sieve, lacking = Sieve(sync.filter, sync.name), Lacking(sync.target, context.directory)
    shapes = _Shapes(unseen=Unseen(sent), watched=watched)
    snapshots: list[Snapshot] = []
    passing = lacking.watching(sieve.passing(telling(entries, snapshots.append)))
    for entry, one in shaped(sync.target, passing, context):
        shapes.add(entry, one)
        if not one.items:
            lacking.look_at(entry)
    (snapshot,) = snapshots
    every: Sequence[Entry] = snapshot.entries
    if sync.filter != NO_FILTER:
        every = Again(sieve.passed, lambda: Sieve(sync.filter, sync.name).passing(snapshot.entries))
    kept = replace(sieve.kept(every, len(snapshot.entries)), lacking=lacking.found)
    read = Named(snapshot=snapshot, kept=kept, uids=known, has_series=sieve.has_series)
    return read, shapes.finished(sync, snapshot, kept, context)


def named(sync: Sync, known: Uids, snapshot: Snapshot, used: Collection[str]) -> Named:
    """Return the filtered `snapshot` under the names the sync goes by (`uids`), and those recognised in earlier passes.

    `known` is what those passes noted, and `used` are the names in it by which links or holds go. A name is forgotten
    once nothing goes by it any more, or the source itself uses it for another entry.
    """
    kept = kept_entries(sync, snapshot)
    if sync.uids == "content":
        snapshot, kept = _under(snapshot, kept, content_names(snapshot.entries))
    has_series = any(entry.recurrence is not None or entry.overrides for entry in kept.entries)
    if not known.names:
        return Named(snapshot=snapshot, kept=kept, uids=known, has_series=has_series)
    present = {entry.uid for entry in snapshot.entries} | snapshot.rejected_uids
    names = {old: uid for old, uid in known.names.items() if old in used and old not in present}
    forward = {uid: old for old, uid in names.items() if uid in present}
    snapshot, kept = _under(snapshot, kept, forward)
    return Named(snapshot=snapshot, kept=kept, uids=replace(known, names=names), has_series=has_series)


def shape_recognised(
    sync: Sync,
    read: Named,
    context: ShapeContext,
    links: Sequence[Link],
    holds: Sequence[Hold],
    shaping: Shaping,
    again: Callable[[Snapshot, Kept], Shaping],
) -> tuple[Named, Shaping, tuple[Problem, ...]]:
    """Return the items of `read`, and `read` itself with what came under new uids this time and lines saying so.

    `shaping` is what `read` became under its own uids, and `again` shapes it under others; `links` are those that are
    not of entries which were let go. Linked uids that may hide behind entries which could not be used count as
    rejected: they are not absent.
    """
    snapshot = read.snapshot
    wanted = shaping.wanted
    known = {link.key.uid for link in links}.union(hold.key.uid for hold in holds)
    # Only what has gone from the source may stand in it under another uid. What is wanted is there in any case.
    there = (wanted.uids, snapshot.rejected_uids, read.kept.left_out)
    present = {uid for uid in known if any(uid in some for some in there)}
    if known <= present:
        return replace(read, uids=Uids(names=read.uids.names)), shaping, ()
    # Where content names entries, the uids of what cannot be read say nothing: any link may be theirs.
    doubted = {link.key.uid for link in links} if sync.uids == "content" else read.uids.doubted
    found = recognise(
        wanted.items,
        links,
        holds,
        present=present,
        unusable=wanted.unusable,
        doubted=doubted,
        familiar=shaping.familiar,
        dropped=lambda: _as_if_confirmed(sync, read.kept.entries, shaping, context),
    )
    moved = _moved(snapshot, shaping, links, present.union(found.names.values()), found, context)
    names = {**found.names, **{uid: link.key.uid for uid, (_, link) in moved.items()}}
    fresh = {known: uid for uid, known in names.items()}
    uncertain = found.uncertain.difference(fresh)
    uids = Uids(names={**read.uids.names, **fresh}, doubted=uncertain)
    if not names and not uncertain:
        return replace(read, uids=uids), shaping, ()
    snapshot, kept = _under(snapshot, read.kept, names)
    snapshot = replace(snapshot, rejected_uids=snapshot.rejected_uids | uncertain)
    read = replace(read, snapshot=snapshot, kept=kept, uids=uids)
    return read, again(snapshot, kept), (*_told(sync, found), *_told_moves(sync, moved))


def asks_for_all(read: Named, shaping: Shaping, links: Sequence[Link]) -> bool:
    """Return True if what was let go is needed after all: a file seems to be renamed, and rows without an id with it.

    Which it is only rows tell that stayed the same (model.moved_rows).
    """
    present = shaping.wanted.uids | read.snapshot.rejected_uids
    nameless = [one for one in links if is_nameless(one.key.uid)]
    if not shaping.familiar or all(file_of(one.where) in shaping.files or one.key.uid in present for one in nameless):
        return False
    linked = {link.key.uid for link in links}
    return any(one.key.uid not in linked and is_nameless(one.key.uid) for one in shaping.wanted.items)


def _moved(
    snapshot: Snapshot,
    shaping: Shaping,
    links: Sequence[Link],
    present: Collection[str],
    found: Recognised,
    context: ShapeContext,
) -> Mapping[str, tuple[Item, Link]]:
    """Return the rows without an id that moved, by uid.

    One that cannot be read may be any of its title, so none of these is taken for moved; the others are.
    """
    if found.whole or (snapshot.unnamed is None and not snapshot.complete):
        return {}
    if all(link.key.uid in present for link in links):
        return {}  # a row that moved leaves its old uid behind
    items = [item for item in shaping.wanted.items if item.key.uid not in found.names]
    if snapshot.unnamed:
        wanted = {item.key.uid for item in items}
        titles = {entry.uid: entry.details.title for entry in snapshot.entries if entry.uid in wanted}
        unread = _unread(snapshot.unnamed, shaping.places)
        items = [one for one in items if is_apart(one, titles.get(one.key.uid, ""), unread(one.key.place))]
    return moved_rows(items, links, present=present, files=shaping.files, today=context.today)


def _unread(
    unnamed: Collection[tuple[str, str]], places: Mapping[str, Collection[Place]]
) -> Callable[[Place], Collection[str]]:
    """Return what gives the titles of the `unnamed` rows that may be in a calendar.

    Whose they are is known where other rows of the same owner were read, and all of these are elsewhere.
    """

    def titles(place: Place) -> Collection[str]:
        return {title for title, owner in unnamed if not owner or place in (places.get(owner) or (place,))}

    return titles


def _under(snapshot: Snapshot, kept: Kept, names: Mapping[str, str]) -> tuple[Snapshot, Kept]:
    """Return both with entries renamed from the source's uid to the one in `names`."""
    if not names:
        return snapshot, kept
    problems = tuple(
        replace(one, key=names[one.key]) if one.key is not None and one.key in names else one for one in kept.problems
    )
    kept = Kept(
        entries=renamed_entries(kept.entries, names),
        problems=problems,
        doubtful=frozenset(names.get(uid, uid) for uid in kept.doubtful),
        left_out=frozenset(names.get(uid, uid) for uid in kept.left_out),
        lacking=None if kept.lacking is None else renamed_entries(kept.lacking, names),
    )
    return renamed(snapshot, names), kept


def _as_if_confirmed(sync: Sync, entries: Iterable[Entry], shaping: Shaping, context: ShapeContext) -> Iterator[Item]:
    """Yield what cancelled entries would be if they were not, to find which events they were before."""
    made = {item.key.uid for item in shaping.wanted.items}
    confirmed = (
        replace(entry, details=replace(entry.details, status="CONFIRMED"))
        for entry in entries
        if entry.uid not in made and entry.details.status == "CANCELLED"
    )
    for _, one in shaped(sync.target, confirmed, context):
        yield from one.items


def _told_moves(sync: Sync, moved: Mapping[str, tuple[Item, Link]]) -> Iterator[Problem]:
    """Yield one line about the rows without an id that were recognised although they moved."""
    if moved:
        pairs = list(moved.values())
        shown = tuple(
            say(
                "«{title}» {before} to {after} ({where})",
                title=item.title,
                before=as_told(link.start, sync.zone),
                after=as_told(item.start, sync.zone),
                where=item.where,
            )
            for item, link in pairs[:_SHOWN]
        )
        more = len(pairs) - len(shown)
        reason = say(
            "rows without an id were recognised by owner and title although their start (or the writing of their title)"
            " changed, so their events move: {moves}; give the rows an id (uid in [sync.source.columns]) to have this"
            " certain",
            moves=say("{moves} and {more} more", moves=shown, more=more) if more else shown,
        )
        yield Problem(where=sync.source.describe(), kind="warning", reason=reason)


def _told(sync: Sync, found: Recognised) -> Iterator[Problem]:
    """Yield a warning about uids that changed, and one about entries that may hide a linked event."""
    where = sync.source.describe()
    number, known = len(found.names), len(found.names) + found.known
    if found.whole and sync.uids == "source":
        reason = say(
            "the source has new uids for {number} of the {known} entries known of it; they were recognised by"
            " calendar, title and start, so nothing is made twice. Where uids change, an entry with a new title or"
            ' start counts as a new one, and the old one as gone (on_removed = "{on_removed}"). Have the source keep'
            ' its uids; where it cannot, set uids = "content" in [[sync]] {sync}',
            number=number,
            known=known,
            on_removed=sync.policy.on_removed,
            sync=sync.name,
        )
        yield Problem(where=where, kind="warning", reason=reason)
    elif number and sync.uids == "source":
        reason = say_count(
            "{count:,} entry came under new uids, the same as others that went, so the events stay; have the source"
            " keep its uids, for an entry that changes together with its uid counts as a new one",
            "{count:,} entries came under new uids, the same as others that went, so the events stay; have the source"
            " keep its uids, for an entry that changes together with its uid counts as a new one",
            number,
        )
        yield Problem(where=where, kind="warning", reason=reason)
    if found.uncertain and sync.policy.on_removed == "delete":
        reason = say_count(
            "some entries cannot be used and have uids that say nothing, so {count:,} event that seems gone from the"
            " source may be theirs and stay; fix those entries",
            "some entries cannot be used and have uids that say nothing, so {count:,} events that seem gone from the"
            " source may be theirs and stay; fix those entries",
            len(found.uncertain),
        )
        yield Problem(where=where, kind="warning", reason=reason)
