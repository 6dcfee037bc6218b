"""From a snapshot to what the source asks for: filter, then shape every entry, one problem line for each that fails."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cycle.directory import portal_zone
from syncd.cycle.setup import SyncSetup
from syncd.errors import EntryError
from syncd.model.entry import Entry, Problem, Snapshot
from syncd.model.plan import Wanted
from syncd.model.window import Window
from syncd.portal.people.directory import Directory
from syncd.target.base import ShapeContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaping:
    """What the source asks for, with the problems met on the way and how many entries were refused or wait."""

    wanted: Wanted
    problems: tuple[Problem, ...]
    rejected: int
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The entries that pass the sync's filter; `doubtful` are uids it could not be applied to, with a problem each."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    doubtful: frozenset[str]


def kept_entries(setup: SyncSetup, snapshot: Snapshot) -> Kept:
    """Return what the sync's filter leaves of `snapshot`; an entry that lacks a column the filter names is rejected."""
    if not setup.filter.names:
        return Kept(entries=snapshot.entries, problems=(), doubtful=frozenset())
    kept: list[Entry] = []
    problems: list[Problem] = []
    for entry in snapshot.entries:
        try:
            if setup.filter.passes(entry):
                kept.append(entry)
        except EntryError as error:
            title = entry.details.title
            problems.append(Problem(where=entry.where, kind="rejected", key=entry.uid, reason=str(error), title=title))
    doubtful = frozenset(problem.key for problem in problems if problem.key is not None)
    return Kept(entries=tuple(kept), problems=tuple(problems), doubtful=doubtful)


def context_of(setup: SyncSetup, directory: Directory, *, window: Window, now: float) -> ShapeContext:
    """Return what shaping may know in a pass at unix time `now`."""
    return ShapeContext(
        directory=directory,
        window=window,
        today=setup.today(now),
        portal_zone=portal_zone(setup, directory),
        zone=setup.zone or "",
    )


def shape_all(setup: SyncSetup, snapshot: Snapshot, kept: Kept, context: ShapeContext) -> Shaping:
    """Return the items of `kept`; an entry that cannot be shaped becomes problems and sinks nothing else."""
    shaped = setup.shaped.shape(setup.target, kept.entries, context)
    troubled = [(entry.uid, one.problems) for entry, one in shaped if one.problems]
    problems = kept.problems + tuple(problem for _, ones in troubled for problem in ones)
    rejected = {uid for uid, ones in troubled if any(problem.kind == "rejected" for problem in ones)}
    held = {uid for uid, ones in troubled if any(problem.kind == "held" for problem in ones)}
    return Shaping(
        wanted=Wanted(
            items=tuple(item for _, one in shaped for item in one.items),
            uids=frozenset(entry.uid for entry in kept.entries) | kept.doubtful | snapshot.rejected_uids,
            unusable=frozenset(rejected | held) | kept.doubtful | snapshot.rejected_uids,
            complete=snapshot.complete,
        ),
        problems=problems,
        rejected=len(rejected) + len(kept.doubtful) + sum(1 for p in snapshot.problems if p.kind == "rejected"),
        held=len(held),
    )
