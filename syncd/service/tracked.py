"""The syncs as the scheduler sees them: what it is told of each, what it keeps, and how a pass ended.

And the watchdog, which looks after their passes and the scheduler itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import structlog

from syncd import events
from syncd.clock import Clock
from syncd.errors import PortalRefusedError, SyncdError
from syncd.lang.saying import say, say_as, say_count
from syncd.model.fates import Fates
from syncd.model.record import RunRecord
from syncd.portal.figures import Progress
from syncd.service.notify import Notifier
from syncd.service.schedule import LastRun, Schedule

_log = structlog.get_logger()
LONGEST_SLEEP_S = 30.0
"""The longest sleep of the scheduler, so that it notices when a machine was suspended or its clock was set."""
STALLED_AFTER_S = 600.0
"""A pass without progress for this long is given up, unless it waits for a stated time. If nothing else works for as
long again, the watchdog gets no more signs of life."""
_LOOKED_AFTER_EVERY_S = 60.0
"""How often running passes are checked if no watchdog asks for more."""
_SCHEDULER = "the scheduler"
"""What `stalled` calls the main loop, beside the names of syncs. Those have no spaces."""
_SIGNS = 3
"""Signs of life per watchdog interval: systemd's advice is two, one more allows for a busy machine."""


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


class Watchdog:
    """Gives up passes that make no progress, and tells systemd as long as something works.

    One feed that hangs must not restart all syncs again and again. A new process is the better chance only if the
    scheduler itself hangs, or if nothing has worked for long after a pass was given up. `tracked` returns the syncs by
    name.
    """

    def __init__(self, clock: Clock, notifier: Notifier, tracked: Callable[[], Mapping[str, Tracked]]) -> None:
        self._clock = clock
        self._notifier = notifier
        self._tracked = tracked
        self._beat = clock.monotonic()  # when the scheduler last ran
        self._hopeless_since: float | None = None  # when a pass was given up, with nothing having worked since

    def beat(self) -> None:
        """Note that the scheduler runs."""
        self._beat = self._clock.monotonic()

    def hope(self) -> None:
        """Note that something works."""
        self._hopeless_since = None

    async def run(self) -> None:
        """Look after them, and send systemd signs of life, until cancelled."""
        watchdog_s = self._notifier.watchdog_s
        pause_s = _LOOKED_AFTER_EVERY_S if watchdog_s is None else watchdog_s / _SIGNS
        while True:
            stalled = self.stalled()
            if stalled:
                _log.error(events.DAEMON_STALLED, what=stalled)
                self._give_up(stalled)
            if watchdog_s is not None and _SCHEDULER not in stalled and not self._hopeless():
                self._notifier.send(WATCHDOG="1")
            await self._clock.sleep(pause_s)

    def stalled(self) -> tuple[str, ...]:
        """Return what makes no progress: the scheduler itself, and the syncs of running passes."""
        now = self._clock.monotonic()
        found = [_SCHEDULER] if now - self._beat > LONGEST_SLEEP_S + STALLED_AFTER_S else []
        for name, one in self._tracked().items():
            if one.task is None:
                continue
            progress = one.sync.progress()
            done = (progress.done, progress.total, progress.requests)
            if one.seen is None or one.seen[0] != done:
                if one.seen is not None:
                    self.hope()
                one.seen = (done, now)
            # Waiting for a limit of the portal is no stall: operating time may take ten minutes to come back.
            waiting = progress.waiting_until is not None and progress.waiting_until > self._clock.now()
            if not waiting and now - one.seen[1] > STALLED_AFTER_S:
                found.append(name)
        return tuple(found)

    def _give_up(self, names: Iterable[str]) -> None:
        """End these passes at once. That is safe: what was sent is written down, and the next pass looks."""
        for name in names:
            one = self._tracked().get(name)
            if one is None or one.task is None or one.given_up:
                continue
            one.given_up = True
            one.task.cancel()
            if self._hopeless_since is None:
                self._hopeless_since = self._clock.monotonic()

    def _hopeless(self) -> bool:
        since = self._hopeless_since
        return since is not None and self._clock.monotonic() - since > STALLED_AFTER_S
