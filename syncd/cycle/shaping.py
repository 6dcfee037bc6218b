"""From a snapshot to what the source asks for: filter, then shape every entry, one problem line for each that fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncd.cycle.directory import portal_zone
from syncd.cycle.setup import SyncSetup
from syncd.model.diff import Wanted
from syncd.model.entry import Entry, Problem, Snapshot
from syncd.model.window import Window
from syncd.portal.directory import Directory
from syncd.target.base import ShapeContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaping:
    """What the source asks for, with the problems met on the way and how many entries were refused or wait."""

    wanted: Wanted
    problems: tuple[Problem, ...]
    rejected: int
    held: int


def kept_entries(setup: SyncSetup, snapshot: Snapshot) -> tuple[tuple[Entry, ...], tuple[Problem, ...]]:
    """Return the entries that pass the sync's filter, and problems of entries it could not be applied to."""
    return setup.filter.keep(snapshot.entries)


def shape_all(
    setup: SyncSetup,
    snapshot: Snapshot,
    entries: Sequence[Entry],
    directory: Directory,
    *,
    window: Window,
    now: float,
) -> Shaping:
    """Return the items of `entries`; an entry that cannot be shaped becomes problems and sinks nothing else."""
    context = ShapeContext(
        directory=directory, window=window, today=setup.today(now), portal_zone=portal_zone(setup, directory)
    )
    shaped = [(entry.uid, setup.target.shape(entry, context)) for entry in entries]
    problems = tuple(problem for _, one in shaped for problem in one.problems)
    rejected = {uid for uid, one in shaped if any(p.kind == "rejected" for p in one.problems)}
    held = {uid for uid, one in shaped if any(p.kind == "held" for p in one.problems)}
    return Shaping(
        wanted=Wanted(
            items=tuple(item for _, one in shaped for item in one.items),
            uids=frozenset(entry.uid for entry in entries) | snapshot.rejected_uids,
            unusable=frozenset(rejected | held) | snapshot.rejected_uids,
            complete=snapshot.complete,
        ),
        problems=problems,
        rejected=len(rejected) + sum(1 for p in snapshot.problems if p.kind == "rejected"),
        held=len(held),
    )
