"""The input and output of planning: policy, what the source asks for, and the changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from syncd.model.entry import Problem
from syncd.model.item import Change, Item, Key, Link

Adopt = Literal["identical", "same-time", False]
OnHostChange = Literal["keep", "report", "recreate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a sync wants removals, conflicts and existing events to be treated. The names are those of the config."""

    on_removed: Literal["keep", "delete"] = "keep"
    removed_after: int = 2
    on_conflict: Literal["source", "portal", "report"] = "source"
    adopt: Adopt = "identical"
    on_host_change: OnHostChange = "keep"
    """`keep` where the config names no host: then it does not matter who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the source asks for.

    `uids` are all uids in the snapshot, whether usable or not. `unusable` are those whose items could not be made this
    time; their links are left alone. `complete` is that of the snapshot. `as_sent` counts further items that are as
    they were last sent. There is nothing to decide about them, so neither they nor their links are passed, and
    `known_uids` then counts the uids of all links.
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

    `absent` and `present` are linked keys for the absence counter, empty if the snapshot is incomplete. `versions` are
    the VERSIONs of events that are as they were sent. `conflicts` become holds that last even if the fingerprint
    changes. So do `lookalikes`, for which nothing is made. `settled_holds` are over. `waiting` tells why the change of
    an item waits: another one has to come first and cannot be made now. `forgotten` are links that no item needs and
    whose id another event has. `kept` are entries that are gone from the source and stay, by the first link of each.
    The four uid fields count entries for the guard.
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

    def count(self, op: str) -> int:
        """Return the number of changes with this `op`."""
        return sum(1 for change in self.changes if change.op == op)
