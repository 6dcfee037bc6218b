"""Which uid each entry goes by: the source's own, one made from its content, or the one it was first known by.

A source that changes its uids is recognised by what its entries hold (model.naming), and what was recognised is
remembered, so that later edits still reach the same events. Keys, marks and what a run did stay as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from syncd.cycle.setup import SyncSetup, World
from syncd.cycle.shaping import Kept, Shaping, shape_all
from syncd.model.entry import Entry, Problem, Snapshot
from syncd.model.item import Hold, Item, Json, Link
from syncd.model.naming import Recognised, content_names, recognise, renamed, renamed_entries
from syncd.target.base import ShapeContext

_NOTE = "uids"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uids:
    """What one pass tells the next: `names` maps known uids to the source's, as far as they differ; `doubted` are known
    ones that may stand there still, among entries which cannot be used."""

    names: Mapping[str, str] = field(default_factory=dict)
    doubted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """A snapshot and what the filter left of it, under the uids that links know, and what is known of its uids."""

    snapshot: Snapshot
    kept: Kept
    uids: Uids


async def named(
    setup: SyncSetup, world: World, snapshot: Snapshot, kept: Kept, links: Sequence[Link], holds: Iterable[Hold]
) -> Naming:
    """Return snapshot and `kept` under the names the sync goes by (`uids`), and those recognised in earlier passes.

    A name is forgotten once nothing goes by it any more, or the source itself uses it for another entry.
    """
    remembered = await _remembered(setup, world)
    if setup.uids == "content":
        snapshot, kept = _applied(snapshot, kept, content_names(snapshot.entries))
    if not remembered.names:
        return Naming(snapshot=snapshot, kept=kept, uids=remembered)
    present = {entry.uid for entry in snapshot.entries} | snapshot.rejected_uids
    used = {link.key.uid for link in links} | {hold.key.uid for hold in holds}
    names = {known: uid for known, uid in remembered.names.items() if known in used and known not in present}
    forward = {uid: known for known, uid in names.items() if uid in present}
    snapshot, kept = _applied(snapshot, kept, forward)
    return Naming(snapshot=snapshot, kept=kept, uids=replace(remembered, names=names))


def shape_recognised(
    setup: SyncSetup, naming: Naming, context: ShapeContext, links: Sequence[Link], holds: Sequence[Hold]
) -> tuple[Naming, Shaping, tuple[Problem, ...]]:
    """Return the items of `naming`, and the naming itself with what came under new uids this time and lines saying so.

    Linked uids that may hide behind entries which could not be used count as rejected: they are not absent.
    """
    snapshot = naming.snapshot
    shaping = shape_all(setup, snapshot, naming.kept, context)
    shaped = shaping.wanted
    everything = setup.uids == "content"  # the uids of what cannot be read say nothing there
    found = recognise(
        shaped.items,
        links,
        holds,
        present={entry.uid for entry in snapshot.entries} | snapshot.rejected_uids,
        unusable=shaped.unusable,
        doubted={link.key.uid for link in links} if everything else naming.uids.doubted,
        dropped=lambda: _as_if_confirmed(setup, naming.kept.entries, shaping, context),
    )
    fresh = {known: uid for uid, known in found.names.items()}
    uids = Uids(names={**naming.uids.names, **fresh}, doubted=found.uncertain)
    if not found.names and not found.uncertain:
        return replace(naming, uids=uids), shaping, ()
    snapshot, kept = _applied(snapshot, naming.kept, found.names)
    snapshot = replace(snapshot, rejected_uids=snapshot.rejected_uids | found.uncertain)
    again = Naming(snapshot=snapshot, kept=kept, uids=uids)
    return again, shape_all(setup, snapshot, kept, context), tuple(_said(setup, found))


async def remember(setup: SyncSetup, world: World, uids: Uids) -> None:
    """Write down what is known of the source's uids, unless it was known."""
    if uids != await _remembered(setup, world):
        value: Json = {"names": uids.names, "doubted": sorted(uids.doubted)}
        await world.ledger.note(f"sync/{setup.name}", _NOTE, value, world.clock.now())


async def _remembered(setup: SyncSetup, world: World) -> Uids:
    note = await world.ledger.read_note(f"sync/{setup.name}", _NOTE)
    return msgspec.convert(note[0], Uids) if note is not None else Uids()


def _applied(snapshot: Snapshot, kept: Kept, names: Mapping[str, str]) -> tuple[Snapshot, Kept]:
    if not names:
        return snapshot, kept
    problems = tuple(
        replace(one, key=names[one.key]) if one.key is not None and one.key in names else one for one in kept.problems
    )
    kept = replace(
        kept,
        entries=renamed_entries(kept.entries, names),
        problems=problems,
        doubtful=frozenset(names.get(uid, uid) for uid in kept.doubtful),
    )
    return renamed(snapshot, names), kept


def _as_if_confirmed(
    setup: SyncSetup, entries: Iterable[Entry], shaping: Shaping, context: ShapeContext
) -> Iterator[Item]:
    """Yield what cancelled entries would be if they were not, to know which events they were before."""
    made = {item.key.uid for item in shaping.wanted.items}
    for entry in entries:
        if entry.uid not in made and entry.details.status == "CANCELLED":
            details = replace(entry.details, status="CONFIRMED")
            yield from setup.target.shape(replace(entry, details=details), context).items


def _said(setup: SyncSetup, found: Recognised) -> Iterator[Problem]:
    where = setup.source.describe()
    number, known = len(found.names), len(found.names) + found.known
    if found.whole and setup.uids == "source":
        reason = (
            f"the source has new uids for {number} of the {known} entries known of it; they were recognised by"
            " calendar, title and start, so nothing is made twice. Where uids change, an entry with a new title or"
            " start counts as a new one, and the old one as gone"
            f" (on_removed = {setup.policy.on_removed!r}). Have the source keep its uids; where it cannot, set"
            f' uids = "content" in [[sync]] {setup.name}'
        )
        yield Problem(where=where, kind="warning", reason=reason)
    elif number and setup.uids == "source":
        reason = (
            f"{number} entries came under new uids and are the same as others that went, so their events were kept;"
            " have the source keep its uids, for an entry that changes together with its uid counts as a new one"
        )
        yield Problem(where=where, kind="warning", reason=reason)
    if found.uncertain and setup.policy.on_removed == "delete":
        reason = (
            f"some entries cannot be used and have uids that say nothing, so {len(found.uncertain)} events that seem"
            " gone from the source may be theirs and are left; mend those entries"
        )
        yield Problem(where=where, kind="warning", reason=reason)
