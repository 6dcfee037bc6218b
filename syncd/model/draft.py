"""A plan while it is being made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from syncd.model.entry import Problem
from syncd.model.item import Change, Key, Link, Place
from syncd.model.order import rank
from syncd.model.plan import Plan


@dataclass(slots=True)
class Draft:
    """What `make_plan` has decided so far; the fields are those of a Plan, and what later decisions depend on.

    `counted` are the items that were written earlier in the same run, `blocked` the changes that cannot be made now,
    `doubled` the links to an event that another link has a better claim to.
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

    def withhold_half_known(self) -> None:
        """Hold back all changes of entries that need a delete: an incomplete snapshot deletes nothing.

        Their other changes wait too, or an entry would be shown partly twice.
        """
        waiting = {change.key.uid for change in self.changes if change.op == "delete"}
        reason = "changed in a source that could not be read completely; waits for a complete one"
        for change in self.changes:
            if change.op == "delete" and change.link is not None:
                where, key = change.link.where, str(change.key)
                self.problems.append(Problem(where=where, kind="warning", key=key, reason=reason))
        self.changes = [change for change in self.changes if change.key.uid not in waiting]
        self.absent.clear()
        self.present.clear()

    def finished(self, linked: Mapping[Key, Link]) -> Plan:
        """Return the plan, everything in it in order; `linked` are the links it was made from."""
        # By the first start of the whole entry, so that an entry's changes stay together.
        first_start: dict[str, str] = {}
        for change in self.changes:
            start = change.item.start if change.item else (change.link.start if change.link else "")
            uid = change.key.uid
            first_start[uid] = min(first_start.get(uid, start), start)
        changed = {
            c.key.uid
            for c in self.changes
            if c.op == "update" or (c.op == "delete" and c.key.uid not in self.removed_uids)
        }
        return Plan(
            changes=tuple(sorted(self.changes, key=lambda c: (first_start[c.key.uid], c.key.uid, rank(c), c.key))),
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
            known_uids=len({key.uid for key in linked}),
            removed_uids=frozenset(self.removed_uids),
            kept=_entries(self.kept),
            changed_uids=frozenset(changed),
            vanished_uids=frozenset(c.key.uid for c in self.changes if c.op == "create" and c.link is not None),
        )


def _entries(links: Iterable[Link]) -> tuple[Link, ...]:
    """Return the first link of each entry, in order of time."""
    first: dict[tuple[str, Place], Link] = {}
    for link in sorted(links, key=lambda one: (one.start, one.key)):
        first.setdefault((link.key.uid, link.key.place), link)
    return tuple(first.values())
