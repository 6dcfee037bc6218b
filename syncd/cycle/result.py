"""What a pass planned and did, as values the command line and the daemon can show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.cycle.look import ReadBack
from syncd.cycle.naming import Uids
from syncd.cycle.shaping import Kept
from syncd.errors import SyncdError
from syncd.model.entry import Problem, Snapshot
from syncd.model.item import Item, Key, Link
from syncd.model.plan import Plan
from syncd.model.record import RunRecord, RunState
from syncd.portal.limits.forecast import Forecast
from syncd.portal.people.directory import Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan with everything it was made from. `problems` are all problems of the pass so far, in order of place.

    `wanted` are the items the source asks for, `links` what was linked before. `observed` are the ids of the events
    that were read, None when the portal was not; `confirmed` the linked items found there as they were sent.
    `notified` counts by user id the notices that people may get. `edits_win`: a conflict is decided for the portal, so
    that nobody has to. `uids` is what is known of the source's uids; `gone` are the ids of linked events that are not
    to be seen and are to be made anew, by key.
    """

    sync: str
    plan: Plan
    snapshot: Snapshot
    kept: Kept
    directory: Directory
    problems: tuple[Problem, ...]
    rejected: int
    held: int
    forecast: Forecast
    notified: Mapping[int, int]
    new_sections: int
    verified: bool
    uids: Uids = field(default_factory=Uids)
    wanted: tuple[Item, ...] = ()
    links: tuple[Link, ...] = ()
    observed: frozenset[int] | None = None
    confirmed: frozenset[Key] = frozenset()
    gone: Mapping[Key, int] = field(default_factory=dict)
    edits_win: bool = False

    @property
    def notices(self) -> int:
        """How many notices people may get."""
        return sum(self.notified.values())

    @property
    def counts(self) -> dict[str, int]:
        """Counts by what would be done, in the order of the plan's JSON."""
        plan = self.plan
        return {
            "create": plan.count("create"),
            "update": plan.count("update"),
            "delete": plan.count("delete"),
            "adopt": plan.count("adopt"),
            "unchanged": plan.unchanged,
            "held": self.held,
            "rejected": self.rejected,
            "conflict": len(plan.conflicts),
        }

    def left_over(self, counts: Mapping[str, int]) -> int:
        """Return how many of `counts` wait for somebody."""
        waiting = counts.get("rejected", 0) + counts.get("held", 0)
        return waiting if self.edits_win else waiting + counts.get("conflict", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    """One finished pass: its record, its plan if it came that far, and the error that ended it, if any.

    `settled` are the items whose change the portal confirmed, `refused` those it refused with its reason, `unknown`
    those nobody knows about yet. `read_back` is what reading everything back found, where that was asked for.
    """

    record: RunRecord
    prepared: Prepared | None = None
    error: SyncdError | None = None
    refused: Mapping[Key, str] = field(default_factory=dict)
    settled: frozenset[Key] = frozenset()
    unknown: frozenset[Key] = frozenset()
    remote_ids: Mapping[Key, int] = field(default_factory=dict)
    read_back: ReadBack | None = None

    @property
    def state(self) -> RunState:
        """How the pass ended."""
        return self.record.state

    @property
    def exit_code(self) -> int:
        """The exit code of the command line for this pass."""
        if self.error is not None:
            return self.error.exit_code
        if self.record.state == "stopped":
            return 130
        if self.prepared is not None and not self.prepared.snapshot.complete:
            return 5
        left_over = self.prepared.left_over(self.record.counts) if self.prepared is not None else 0
        return 1 if left_over or self.unknown or self.record.state == "partial" else 0
