"""A plan in the making, and what a reading of the portal tells of linked events besides what is to be changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from syncd.lang.saying import say
from syncd.model.entry import Problem
from syncd.model.instants import instants
from syncd.model.item import Change, Hold, Item, Key, Link, Place
from syncd.model.observation import LOST, Observation
from syncd.model.order import waiting_for
from syncd.model.plan import Plan, Wanted


@dataclass(slots=True)
class Draft:
    """What `make_plan` has decided so far: the fields of a Plan, and what later decisions depend on.

    `counted` are the items that were written earlier in the same run, and `blocked` the changes that cannot be made
    now.
    """

    counted: Collection[Key] = ()
    changes: list[Change] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    conflicts: list[Change] = field(default_factory=list)
    lookalikes: list[Change] = field(default_factory=list)
    settled_holds: list[Key] = field(default_factory=list)
    versions: dict[Key, int] = field(default_factory=dict)
    absent: set[Key] = field(default_factory=set)
    present: set[Key] = field(default_factory=set)
    removed_uids: set[str] = field(default_factory=set)
    kept: list[Link] = field(default_factory=list)
    blocked: list[Change] = field(default_factory=list)
    forgotten: list[Link] = field(default_factory=list)
    waiting: Mapping[Key, str] = field(default_factory=dict)
    unchanged: int = 0
    held: int = 0

    def conflict(self, change: Change, where: str) -> None:
        """Note a change that is not made because a person decides. `where` is the place of the item in the source."""
        self.conflicts.append(change)
        self.problems.append(Problem(where=where, kind="conflict", key=str(change.key), reason=change.reason))

    def withhold_half_known(self) -> None:
        """Hold back all changes of entries that need a delete: an incomplete snapshot deletes nothing.

        Their other changes wait too, or an entry would be shown partly twice.
        """
        waiting = {change.key.uid for change in self.changes if change.op == "delete"}
        reason = say("changed in a source that could not be read completely; waits for a complete one")
        for change in self.changes:
            if change.op == "delete" and change.link is not None:
                where, key = change.link.where, str(change.key)
                self.problems.append(Problem(where=where, kind="warning", key=key, reason=reason))
        self.changes = [change for change in self.changes if change.key.uid not in waiting]
        self.absent.clear()
        self.present.clear()

    def withhold_refused_deletes(self, holds: Mapping[Key, Hold], waiting: Collection[Key]) -> None:
        """Hold back the deletes of the keys `waiting`, which were refused, until their retry time."""
        for change in self.changes:
            if change.op == "delete" and change.key in waiting:
                self.held += 1
                where = change.link.where if change.link else ""
                reason = holds[change.key].reason
                self.problems.append(Problem(where=where, kind="held", key=str(change.key), reason=reason))
        self.changes = [change for change in self.changes if not (change.op == "delete" and change.key in waiting)]

    def withhold_followers(self, wanted: Iterable[Item]) -> None:
        """Hold back every change that depends on a held one."""
        self.waiting = waiting_for(self.blocked, self.changes, wanted)
        for change in self.changes:
            if reason := self.waiting.get(change.key):
                holder = change.item or change.link
                where = holder.where if holder is not None else ""
                self.problems.append(Problem(where=where, kind="held", key=str(change.key), reason=reason))
        self.held += len(self.waiting)
        self.changes = [change for change in self.changes if change.key not in self.waiting]

    def finished(self, known_uids: int) -> Plan:
        """Return the plan, with everything sorted but its changes. `known_uids` is the number of uids with links."""
        changed = {
            c.key.uid
            for c in self.changes
            if c.op == "update" or (c.op == "delete" and c.key.uid not in self.removed_uids)
        }
        return Plan(
            changes=tuple(self.changes),
            problems=tuple(sorted(self.problems, key=lambda p: (p.where, p.key or "", p.reason))),
            unchanged=self.unchanged,
            held=self.held,
            conflicts=tuple(sorted(self.conflicts, key=lambda c: c.key)),
            lookalikes=tuple(sorted(self.lookalikes, key=lambda c: c.key)),
            settled_holds=tuple(self.settled_holds),
            absent=frozenset(self.absent),
            present=frozenset(self.present),
            versions=dict(self.versions),
            waiting=self.waiting,
            forgotten=tuple(self.forgotten),
            known_uids=known_uids,
            removed_uids=frozenset(self.removed_uids),
            kept=_entries(self.kept) if self.kept else (),
            changed_uids=frozenset(changed),
            vanished_uids=frozenset(c.key.uid for c in self.changes if c.op == "create" and c.link is not None),
        )


def _entries(links: Iterable[Link]) -> tuple[Link, ...]:
    """Return the first link of each entry, in order of time."""
    links = tuple(links)
    moments = instants(link.start for link in links)
    first: dict[tuple[str, Place], Link] = {}
    for link in sorted(links, key=lambda one: (moments[one.start], one.key)):
        first.setdefault((link.key.uid, link.key.place), link)
    return tuple(first.values())


def touched(changes: Iterable[Change]) -> tuple[Link, ...]:
    """Return the links of the events that `changes` update or delete."""
    return tuple(change.link for change in changes if change.link is not None and change.op != "adopt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found of linked events, and which others were read.

    The fields are those of `cycle.plan.Prepared`.
    """

    observed: frozenset[int] | None = None
    confirmed: frozenset[Key] = frozenset()
    gone: Mapping[Key, int] = field(default_factory=dict)
    stamps: Mapping[Key, str] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()


def found_by(
    observation: Observation,
    plan: Plan,
    wanted: Wanted,
    links: Collection[Link],
    *,
    may_not_write: Callable[[Place], bool],
    source_wins: bool,
) -> Found:
    """Return what `observation` tells of `links` besides what is to be changed. `plan` was made from both.

    `gone` has the events that are wanted and no longer exist, also of items that a hold keeps back. If the source does
    not win over what people do (`source_wins`), it has only those that a late delete of ours took away.
    """
    parted = observation.parted(links)
    changed = {change.key for change in (*plan.changes, *plan.conflicts)}
    lost: list[Link] = []
    confirmed: list[Key] = []
    stamps: dict[Key, str] = {}
    for link in links:
        verdict = parted.verdict(link)
        if verdict.standing in LOST:
            lost.append(link)
        if verdict.stamp:
            stamps[link.key] = verdict.stamp
        if verdict.seen is not None and link.key not in changed and observation.difference(link, verdict) is None:
            confirmed.append(link.key)
    awaited = {item.key for item in wanted.items} if lost else set()
    # Where nobody may write now there are no items, and the next pass has to find the event gone, too.
    refused = {place for place in {link.key.place for link in lost} if may_not_write(place)}
    awaited |= {link.key for link in lost if link.key.place in refused and link.key.uid in wanted.unusable}
    if not source_wins:
        awaited &= observation.late
    deleted = [change.link for change in plan.changes if change.op == "delete" and change.link is not None]
    return Found(
        observed=frozenset(observation.events),
        confirmed=frozenset(confirmed),
        gone={link.key: link.remote_id for link in lost if link.key in awaited},
        stamps=stamps,
        lost=frozenset(one.remote_id for one in deleted if observation.verdict(one).standing in LOST),
    )
