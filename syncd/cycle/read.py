"""From a snapshot to what the source asks for: filter, name, shape; one problem line for each entry that fails.

Each entry goes by its source's uid, by one made from its content, or by the one it was first known by. A source that
changes its uids is recognised by what its entries hold (model.naming), and what was recognised is remembered, so that
later edits still reach the same events. Keys, marks and what a run did stay as they were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncd.cycle.sync import Sync
from syncd.errors import EntryError
from syncd.lang.saying import say, say_count
from syncd.model.as_sent import MANY, ItemsOfLinks
from syncd.model.entry import Entry, Problem, Snapshot, file_of, is_nameless
from syncd.model.filter import NO_FILTER
from syncd.model.item import Hold, Item, Key, Link, Place, slim
from syncd.model.moved_rows import is_apart, moved_rows
from syncd.model.naming import Recognised, content_names, recognise, renamed, renamed_entries
from syncd.model.plan import Wanted
from syncd.model.sent_links import SentLinks, Unseen
from syncd.model.stowed import kept_like
from syncd.portal.people.directory import Directory, server_zone
from syncd.state.notes import Uids
from syncd.target.base import ShapeContext, crashed, shaped

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The entries that pass the sync's filter; `doubtful` are uids it could not be applied to, with a problem each."""

    entries: Sequence[Entry]
    problems: tuple[Problem, ...] = ()
    doubtful: frozenset[str] = frozenset()


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
    if sync.filter == NO_FILTER:
        return Kept(entries=snapshot.entries)
    problems: list[Problem] = []

    def passes(entry: Entry) -> bool:
        try:
            return sync.filter.passes(entry)
        except EntryError as error:
            title = entry.details.title
            problems.append(Problem(where=entry.where, kind="rejected", key=entry.uid, reason=str(error), title=title))
        except Exception as error:  # noqa: BLE001 - what one entry meets must not stop the others
            problems.append(crashed(entry, error))
        return False

    kept = kept_like(snapshot.entries, filter(passes, snapshot.entries))
    doubtful = frozenset(problem.key for problem in problems if problem.key is not None)
    if snapshot.entries and not kept and not problems:  # as good as always a slip of the pen
        reason = say_count(
            "[sync.filter] leaves out all {count:,} entry of the source",
            "[sync.filter] leaves out all {count:,} entries of the source",
            len(snapshot.entries),
        )
        problems.append(Problem(where=sync.name, kind="warning", reason=reason))
    return Kept(entries=kept, problems=tuple(problems), doubtful=doubtful)


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


def shape_all(
    sync: Sync,
    snapshot: Snapshot,
    kept: Kept,
    context: ShapeContext,
    *,
    linked: Mapping[Key, Link] | None = None,
    sent: SentLinks | None = None,
) -> Shaping:
    """Return the items of `kept`; an entry that cannot be shaped becomes problems and affects no other.

    Items that are as they were sent share what they hold with the links in `linked`; with `sent` they are only counted.
    """
    unseen = Unseen(sent) if sent is not None else None
    items: list[Item] | ItemsOfLinks = ItemsOfLinks(linked) if linked and len(linked) >= MANY else []
    unused, where = sync.target.overlooked(kept.entries, context.directory), sync.source.describe()
    problems = [*(Problem(where=where, kind="warning", reason=reason) for reason in unused), *kept.problems]
    troubled: dict[str, set[str]] = defaultdict(set)
    places: dict[str, set[Place]] = defaultdict(set)
    files, uids, as_sent, familiar = set[str](), list[str](), 0, 0
    for entry, one in shaped(sync.target, kept.entries, context):
        for problem in one.problems:
            problems.append(problem)
            troubled[problem.kind].add(entry.uid)
        if one.stands:
            troubled["stands"].add(entry.uid)
        own = one.items
        for item in own:
            files.add(file_of(item.where))
            if snapshot.unnamed:
                places[entry.details.owner].add(item.key.place)
        if linked and own:
            own = tuple(slim(item, linked) for item in own)
        elif unseen is not None and own:
            own = unseen.undecided(own)
            if not own:
                as_sent += len(one.items)
                familiar += 1
        items.extend(own)
        uids.append(own[0].key.uid if own else entry.uid)  # that of its link, or else the entry's would be kept as well
    # What could not be read or shaped still stands in the source: its links must not count as absent.
    unread = kept.doubtful | snapshot.rejected_uids
    return Shaping(
        wanted=Wanted(
            items=tuple(items) if isinstance(items, list) else items.complete(),
            uids=unread.union(uids),
            unusable=unread.union(troubled["rejected"], troubled["held"], troubled["stands"]),
            complete=snapshot.complete,
            as_sent=as_sent,
            known_uids=sent.uids if sent is not None else None,
        ),
        problems=tuple(problems),
        rejected=len(troubled["rejected"]) + len(kept.doubtful) + sum(p.kind == "rejected" for p in snapshot.problems),
        held=len(troubled["held"]),
        skipped=sum(problem.kind == "skipped" for problem in problems),
        familiar=familiar,
        unseen=unseen,
        files=frozenset(files),
        places=places,
    )


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
    if known <= wanted.uids or known <= (present := {entry.uid for entry in snapshot.entries} | snapshot.rejected_uids):
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
    moved = _moved(snapshot, shaping, links, found, context)
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
    snapshot: Snapshot, shaping: Shaping, links: Sequence[Link], found: Recognised, context: ShapeContext
) -> Mapping[str, tuple[Item, Link]]:
    """Return the rows without an id that moved, by uid.

    One that cannot be read may be any of its title, so none of these is taken for moved; the others are.
    """
    if found.whole or (snapshot.unnamed is None and not snapshot.complete):
        return {}
    present = {*(entry.uid for entry in snapshot.entries), *snapshot.rejected_uids, *found.names.values()}
    if all(link.key.uid in present for link in links):
        return {}  # a row that moved leaves its old uid behind
    items: Iterable[Item] = (item for item in shaping.wanted.items if item.key.uid not in found.names)
    if snapshot.unnamed:
        titles = {entry.uid: entry.details.title for entry in snapshot.entries}
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
                before=link.start,
                after=item.start,
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
