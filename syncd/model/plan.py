"""The input and output of planning: policy, what the source asks for, the changes, and a plan in the making."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from syncd.lang.saying import say
from syncd.model.entry import Problem
from syncd.model.item import Change, Item, Key, Link, Place

Adopt = Literal["identical", "same-time", False]
OnHostChange = Literal["keep", "report", "recreate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a sync wants removals, conflicts and existing events treated (config keys of the same names)."""

    on_removed: Literal["keep", "delete"] = "keep"
    removed_after: int = 2
    on_conflict: Literal["source", "portal", "report"] = "source"
    adopt: Adopt = "identical"
    on_host_change: OnHostChange = "keep"
    """`keep` where the config names no host: then it does not matter who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the source asks for.

    `uids` are all uids in the snapshot, usable or not; `unusable` are those whose items could not be made this time
    (their links are left alone). `complete` is the snapshot's. `as_sent` counts further items that are as they were
    last sent, so that there is nothing to decide about them: neither they nor their links are passed. `known_uids`
    then counts the uids of all links.
    """

    items: Sequence[Item] = ()
    uids: frozenset[str] = frozenset()
    unusable: frozenset[str] = frozenset()
    complete: bool = True
    as_sent: int = 0
    known_uids: int | None = None


NOTHING_WANTED: Final = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Sorted changes, problems and counts of one pass, and what the ledger should note without the portal.

    `absent` and `present` are linked keys for the absence counter (empty if the snapshot is incomplete); `versions` are
    the VERSIONs of events that are as they were sent. `conflicts` become holds that last even if the fingerprint
    changes, and so do `lookalikes`, for which nothing is made; `settled_holds` are over. `waiting` says for each item
    why its change waits: another one has to come first and cannot be made now. `forgotten` are links that no item needs
    and whose id another event has. `kept` are entries that are gone from the source and stay, by the first link of
    each. The four uid fields count entries for the guard.
    """

    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    unchanged: int = 0
    held: int = 0
    conflicts: tuple[Change, ...] = ()
    lookalikes: tuple[Change, ...] = ()
    settled_holds: tuple[Key, ...] = ()
    absent: frozenset[Key] = frozenset()
    present: frozenset[Key] = frozenset()
    versions: Mapping[Key, int] = field(default_factory=dict)
    waiting: Mapping[Key, str] = field(default_factory=dict)
    forgotten: tuple[Link, ...] = ()
    known_uids: int = 0
    removed_uids: frozenset[str] = frozenset()
    kept: tuple[Link, ...] = ()
    changed_uids: frozenset[str] = frozenset()
    vanished_uids: frozenset[str] = frozenset()

    @property
    def touched(self) -> tuple[Link, ...]:
        """The links of events that would be updated or deleted."""
        return tuple(change.link for change in self.changes if change.link is not None and change.op != "adopt")

    def count(self, op: str) -> int:
        """Return how many changes have this `op`."""
        return sum(1 for change in self.changes if change.op == op)


@dataclass(slots=True)
class Draft:
    """What `make_plan` has decided so far: the fields of a Plan, and what later decisions depend on.

    `counted` are the items that were written earlier in the same run, `blocked` the changes that cannot be made now,
    `doubled` the links to an event that belongs rather to another link.
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
    doubled: Collection[Key] = ()
    waiting: Mapping[Key, str] = field(default_factory=dict)
    unchanged: int = 0
    held: int = 0

    def conflict(self, change: Change, where: str) -> None:
        """Note a change that is not made, because a person decides; `where` is the item's place in the source."""
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

    def finished(self, known_uids: int) -> Plan:
        """Return the plan with everything but its changes sorted; `known_uids` is how many uids have links."""
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
    first: dict[tuple[str, Place], Link] = {}
    for link in sorted(links, key=lambda one: (one.start, one.key)):
        first.setdefault((link.key.uid, link.key.place), link)
    return tuple(first.values())
