"""What the page, /healthz and /metrics show, as values. Times are unix seconds; no value holds a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from syncd.model.item import Hold
from syncd.model.record import RunRecord, Tally
from syncd.portal.figures import Usage
from syncd.portal.limits.forecast import MethodBudget

Freshness = Literal["fresh", "stale", "new"]
"""`new`: no pass has succeeded yet, and it is too early to call the sync stale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLine:
    """One change of a plan, in words."""

    op: str
    title: str
    where: str
    start: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """The plan of a running pass, or of one that a guard stopped: `stopped` says why, and is empty otherwise.

    `changes` are the first of `total`; `seconds` is the time it takes under the portal's limits.
    """

    counts: Mapping[str, int]
    changes: tuple[ChangeLine, ...]
    total: int
    notices: int
    seconds: float
    stopped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressView:
    """How far the changes of a running pass are; `eta_s` is how many seconds they still take, None if unknown."""

    done: int
    total: int
    eta_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncView:
    """How one sync stands; `runs` are its last ones, newest first, or only the last pass unless it is `in_full`.

    `schedule` is an interval in seconds, or a cron as the config writes it. `paused` is since when somebody wants it
    left alone; it is not stale then. `holds` are the first of its held items, () unless it is `in_full`. If it is not
    `here`, another machine makes its passes.
    """

    name: str
    portal: str
    source: str
    schedule: float | str
    due: float
    running_since: float | None
    failures: int
    freshness: Freshness
    stale_at: float
    last_success: float | None
    tally: Tally
    holds: tuple[Hold, ...]
    runs: tuple[RunRecord, ...]
    plan: PlanView | None
    in_full: bool = True
    paused: float | None = None
    progress: ProgressView | None = None
    here: bool = True

    @property
    def passes(self) -> tuple[RunRecord, ...]:
        """Those of the runs that went over the schedule, which an undo does not."""
        return tuple(run for run in self.runs if run.kind == "pass")

    @property
    def last_run(self) -> RunRecord | None:
        """The newest pass that has ended."""
        return next((run for run in self.passes if run.finished is not None), None)

    @property
    def held(self) -> int:
        """The number shown as held: items held in the ledger, or entries that the last pass could not place.

        It is the greater of the two. They overlap in a way that the counts do not tell, so their sum would be too high.
        """
        last = self.last_run
        return max(self.tally.held, last.counts.get("held", 0) if last is not None else 0)

    @property
    def rejected(self) -> int:
        """How many entries the last pass could not use."""
        last = self.last_run
        return last.counts.get("rejected", 0) if last is not None else 0

    @property
    def left_over(self) -> int:
        """What the source holds and the portal does not show as it should: held, rejected, or not settled yet."""
        return self.held + self.tally.open_intents + self.rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalView:
    """How one portal stands; `refused` is why it refuses syncd, "" if it does not.

    If several machines share the state, `holder` is the one that writes to it, "" for none yet, since `held_since`. If
    that is not this machine (`here`), `operating` is what the state remembers.
    """

    name: str
    host: str
    refused: str
    operating: Mapping[str, MethodBudget]
    usage: Usage
    refused_rate: int
    waiting_for: str | None
    waiting_until: float | None
    here: bool = True
    holder: str | None = None
    held_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts since the daemon started: passes by (sync, state), changes by (sync, kind)."""

    passes: Mapping[tuple[str, str], int]
    changes: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One pass with what it changed: `changes` are the first ones, `more` says that there are others."""

    record: RunRecord
    changes: tuple[ChangeLine, ...]
    more: bool


Condition = Literal["bad", "failing", "left", "waiting", "paused", "good"]
"""The overall state, the worst first: a person is needed; a pass failed and is tried again; entries are held, rejected
or not settled; a sync has never succeeded; one is paused; none of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How everything stands at `now`; `config_refused` is why the last change of the config was refused."""

    now: float
    began: float
    version: str
    config_refused: str
    syncs: tuple[SyncView, ...]
    portals: tuple[PortalView, ...]
    totals: Totals

    @property
    def ok(self) -> bool:
        """Whether no sync whose passes are made here is stale."""
        return all(sync.freshness != "stale" for sync in self.syncs if sync.here)

    @property
    def condition(self) -> Condition:
        """The overall state."""
        refused = self.config_refused or any(portal.refused for portal in self.portals)
        if not self.ok or refused or any(sync.plan is not None and sync.plan.stopped for sync in self.syncs):
            return "bad"
        if any(sync.failures for sync in self.syncs):
            return "failing"
        if any(sync.left_over for sync in self.syncs):
            return "left"
        if any(sync.last_success is None for sync in self.syncs):
            return "waiting"
        return "paused" if any(sync.paused is not None for sync in self.syncs) else "good"
