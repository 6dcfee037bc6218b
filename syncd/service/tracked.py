"""The syncs as the scheduler sees them: what it is told of each, what it keeps, and how a pass ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from syncd.errors import PortalRefusedError, SyncdError
from syncd.lang.saying import say, say_as, say_count
from syncd.model.fates import Fates
from syncd.model.record import RunRecord
from syncd.portal.figures import Progress
from syncd.service.schedule import LastRun, Schedule


@runtime_checkable
class EndedPass(Protocol):
    """What the daemon needs to know of a pass that has ended."""

    @property
    def record(self) -> RunRecord:
        """The run's record."""
        ...

    @property
    def error(self) -> SyncdError | None:
        """What ended it, if anything did."""
        ...

    @property
    def fates(self) -> Fates:
        """What became of the items."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """One sync as the scheduler sees it: its schedule, its last pass, and how to run one.

    `run` makes a pass and ends it early when the event is set. `progress` tells how far the pushes to the sync's
    portal are; it is asked while a pass runs. `paused` is since when no pass of it starts, None if it is not paused.
    """

    name: str
    portal: str
    schedule: Schedule
    last_run: LastRun | None
    run: Callable[[asyncio.Event], Awaitable[EndedPass]]
    progress: Callable[[], Progress]
    paused: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a pass ended. `error` is why it failed, empty on success; `result` is None when the pass raised."""

    sync: str
    portal: str
    error: str
    refused: bool
    result: EndedPass | None


@dataclass(slots=True, kw_only=True)
class Tracked:
    """What the scheduler keeps of one sync. `decided_at` is when `due` was worked out, `seen` the last progress.

    While it is `drained` no pass of it starts. `waiting` counts the commands that wait to work alone with it; `guest`
    is True while one does. `given_up` is True while its pass is ended because it makes no progress, `cut_off` because
    its portal was lost.
    """

    sync: Scheduled
    due: float
    decided_at: float
    failures: int = 0
    unreachable: bool = False
    changed: bool = False
    drained: bool = False
    waiting: int = 0
    guest: bool = False
    given_up: bool = False
    cut_off: bool = False
    started: float | None = None
    halt: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    seen: tuple[object, float] | None = None


def failure_of(result: EndedPass) -> tuple[str, bool]:
    """Return why a pass counts as failed, "" if it does not, and whether the portal refuses the caller.

    A pass fails if it ends in an error, or if the portal refused every change it tried. One that was asked to stop does
    not fail.
    """
    if result.error is not None:
        return str(result.error), isinstance(result.error, PortalRefusedError)
    if result.record.state == "failed":
        return result.record.error or say("the pass failed"), False
    counts = result.record.counts
    if result.fates.refused and not any(counts.get(name, 0) for name in ("created", "updated", "deleted", "adopted")):
        refused = len(result.fates.refused)
        return say_count("the portal refused the change", "the portal refused all {count:,} changes", refused), False
    return "", False


def doing(sync: Scheduled) -> str:
    """Return how far the pushes to the sync's portal are and what they wait for."""
    progress = sync.progress()
    if not progress.total:
        return say_as("state of a sync", "running")
    done = say_count(
        "{done:,} of {count:,} change to {portal}", "{done:,} of {count:,} changes to {portal}",
        progress.total, done=progress.done, portal=sync.portal,
    )  # fmt: skip
    if progress.waiting_for is None:
        return done
    return say("{done}, waiting for {what}", done=done, what=progress.waiting_for)
