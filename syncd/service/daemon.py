"""The scheduler of `syncd run`: starts the passes that are due, one at a time per sync, and reports to systemd.

due -> pass -> due again (later after failures)      a portal that refuses the webhook: one try an hour, the others wait
SIGTERM: finish the batches in flight, settle, exit
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import structlog

from syncd import events
from syncd.clock import Clock
from syncd.errors import PortalRefusedError, PortalUnreachableError, SyncdError
from syncd.model.fates import Fates
from syncd.model.record import RunRecord
from syncd.portal.client import Progress
from syncd.service.notify import Notifier
from syncd.service.schedule import LastRun, Schedule, SyncState, first_due, next_due

_log = structlog.get_logger()
_LONGEST_SLEEP_S = 30.0
"""How long the daemon sleeps at most, so that it notices a machine that was suspended or a clock that was set."""
STALLED_AFTER_S = 600.0
"""A pass without progress for this long, unless it waits for a stated time, is given up; if nothing else works for as
long again, the watchdog hears no more signs of life."""
_LOOKED_AFTER_EVERY_S = 60.0
"""How often running passes are looked at where no watchdog asks for more."""
SCHEDULER = "the scheduler"
"""What `Daemon.stalled` calls the main loop, beside the names of syncs, which have no spaces."""
REFUSED_PAUSE_S = 3600.0
"""How long a portal that refuses the caller is left alone before one of its syncs tries again."""
_CLOCK_TOLERANCE_S = 1.0
_WATCHDOG_SIGNS = 3
"""Signs of life per watchdog interval: systemd's advice is two, one more allows for a busy machine."""


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
    portal are; it is asked while a pass runs.
    """

    name: str
    portal: str
    schedule: Schedule
    last_run: LastRun | None
    run: Callable[[asyncio.Event], Awaitable[EndedPass]]
    progress: Callable[[], Progress]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a pass ended. `error` is why it failed, empty on success; `result` is None when the pass raised."""

    sync: str
    portal: str
    error: str
    refused: bool
    result: EndedPass | None


@dataclass(slots=True, kw_only=True)
class _Tracked:
    """What the scheduler keeps of one sync. `decided_at` is when `due` was worked out, `seen` the last progress.

    While it is `drained` no pass of it starts. `given_up`: its pass is being ended because it makes no progress.
    """

    sync: Scheduled
    due: float
    decided_at: float
    failures: int = 0
    unreachable: bool = False
    changed: bool = False
    drained: bool = False
    given_up: bool = False
    started: float | None = None
    halt: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    seen: tuple[object, float] | None = None


class Daemon:
    """Runs the passes of its syncs until `stop` is set, and calls `ended` after every pass.

    `random` gives numbers in [0, 1) for the jitter of the schedules.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        notifier: Notifier,
        stop: asyncio.Event,
        random: Callable[[], float],
        ended: Callable[[Ended], Awaitable[None]],
    ) -> None:
        self._clock = clock
        self._notifier = notifier
        self._stop = stop
        self._random = random
        self._ended = ended
        self._tracked: dict[str, _Tracked] = {}
        self._refused: dict[str, tuple[str, float]] = {}
        self._wake = asyncio.Event()
        self._beat = clock.monotonic()  # when the main loop last ran: the watchdog has to notice if it hangs
        self._hopeless_since: float | None = None  # when a pass was given up, with nothing having worked since

    def set_syncs(self, syncs: Iterable[Scheduled]) -> None:
        """Schedule these syncs from now on. Those whose schedule is unchanged keep their due time and failures.

        Syncs that are left out must be `drained`. A portal that refused the caller is tried again.
        """
        now = self._clock.now()
        tracked: dict[str, _Tracked] = {}
        for sync in syncs:
            before = self._tracked.get(sync.name)
            if before is not None and before.sync.schedule == sync.schedule:
                before.sync = sync
                tracked[sync.name] = before
            else:
                due = first_due(sync.schedule, sync.last_run, now)
                tracked[sync.name] = _Tracked(sync=sync, due=due, decided_at=now)
        self._tracked = tracked
        self._refused.clear()  # a reload is what people do after they have replaced the webhook
        self._wake.set()

    @asynccontextmanager
    async def drained(self, names: Iterable[str]) -> AsyncIterator[None]:
        """End the passes of these syncs after the batches in flight, and start none while the body runs.

        The body may exchange what they work with, and call `set_syncs`.
        """
        leaving = [one for name in names if (one := self._tracked.get(name)) is not None]
        for one in leaving:
            one.drained = True
            one.halt.set()
        try:
            if passes := [one.task for one in leaving if one.task is not None]:
                await asyncio.wait(passes)
            yield
        finally:
            for one in leaving:
                one.drained = False
            self._wake.set()

    def poke(self, name: str) -> None:
        """Start the next pass of a sync at once, because its files have changed; ignores unknown names.

        This ends the back-off after failures, whose cause the change may have removed. An unreachable or refusing
        portal is not tried earlier: new files do not help there.
        """
        one = self._tracked.get(name)
        if one is None or one.unreachable:
            return
        if one.task is None:
            self._set_due(one, self._clock.now())
        else:
            one.changed = True  # the running pass may have read the files before they changed: one more follows
        self._wake.set()

    def states(self) -> Mapping[str, SyncState]:
        """Return how every sync stands, by name, in the config's order."""
        return {
            name: SyncState(
                due=self._due(one),
                running_since=one.started if one.task is not None else None,
                failures=one.failures,
                refused=self._refused.get(one.sync.portal, ("", 0.0))[0],
            )
            for name, one in self._tracked.items()
        }

    async def run(self) -> None:
        """Run the passes that come due until `stop` is set; return when every pass has settled.

        READY is for the caller to send, once everything else has started too.
        """
        async with AsyncExitStack() as ending:
            # On an error as well: `systemctl status` must not go on naming a next pass.
            ending.callback(self._notifier.send, STATUS="stopped")
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(self._look_after(), name="watchdog")
                _log.info(events.DAEMON_STARTED, syncs=len(self._tracked))
                while not self._stop.is_set():
                    self._beat = self._clock.monotonic()
                    self._start_due(tasks)
                    await self._wait()
                # Every pass gets its own event, so that a reload can end some and this can end all.
                running = sorted(name for name, one in self._tracked.items() if one.task is not None)
                self._notifier.send(STOPPING="1", STATUS="finishing the batches in flight")
                _log.info(events.DAEMON_STOPPING, running=running)
                for one in self._tracked.values():
                    one.halt.set()
                watching.cancel()
        _log.info(events.DAEMON_STOPPED)

    def stalled(self) -> tuple[str, ...]:
        """Return what makes no progress: the scheduler itself, and the names of running passes."""
        now = self._clock.monotonic()
        found = [SCHEDULER] if now - self._beat > _LONGEST_SLEEP_S + STALLED_AFTER_S else []
        for name, one in self._tracked.items():
            if one.task is None:
                continue
            progress = one.sync.progress()
            done = (progress.done, progress.total, progress.requests)
            if one.seen is None or one.seen[0] != done:
                if one.seen is not None:
                    self._hopeless_since = None  # something works
                one.seen = (done, now)
            # Waiting for a limit of the portal is no stall: operating time may take ten minutes to come back.
            waiting = progress.waiting_until is not None and progress.waiting_until > self._clock.now()
            if not waiting and now - one.seen[1] > STALLED_AFTER_S:
                found.append(name)
        return tuple(found)

    def status(self) -> str:
        """Return one line for `systemctl status`: what runs, which portals refuse, and which pass comes next."""
        running = [(name, one) for name, one in sorted(self._tracked.items()) if one.task is not None]
        parts = [f"{name}: {_doing(one.sync)}" for name, one in running]
        parts += [f"portal {portal} refuses syncd" for portal in sorted(self._refused)]
        waiting = [(self._due(one), name) for name, one in self._tracked.items() if one.task is None]
        if waiting:
            due, name = min(waiting)
            parts.append(f"next pass: {name} at {_iso(due)}")
        return "; ".join(parts) or "no sync is configured"

    def _due(self, one: _Tracked) -> float:
        return max(one.due, self._refused.get(one.sync.portal, ("", 0.0))[1])

    def _set_due(self, one: _Tracked, due: float) -> None:
        one.due = due
        one.decided_at = self._clock.now()

    def _start_due(self, tasks: asyncio.TaskGroup) -> None:
        now = self._clock.now()
        # The longest overdue first, because after a suspension all of them are due at once.
        for one in sorted(self._tracked.values(), key=lambda tracked: tracked.due):
            if one.task is not None or one.drained:
                continue
            if now < one.decided_at - _CLOCK_TOLERANCE_S:
                # The clock was set back: a due time from before could lie a day ahead, so it is worked out again.
                self._set_due(one, next_due(one.sync.schedule, started=now, failures=0, now=now, random=0.0))
            if self._due(one) <= now and not self._being_tried(one.sync.portal):
                one.started, one.halt, one.changed, one.seen, one.given_up = now, asyncio.Event(), False, None, False
                one.task = tasks.create_task(self._pass(one), name=f"sync {one.sync.name}")
        self._notifier.send(STATUS=self.status())

    def _being_tried(self, portal: str) -> bool:
        """Return True if `portal` has refused the caller and one of its syncs is trying it again just now."""
        return portal in self._refused and any(
            one.task is not None and one.sync.portal == portal for one in self._tracked.values()
        )

    async def _wait(self) -> None:
        """Wait until the next pass is due, something happens, or the clock has to be looked at again."""
        now = self._clock.now()
        idle = [one for one in self._tracked.values() if one.task is None and not one.drained]
        idle = [one for one in idle if not self._being_tried(one.sync.portal)]
        left_s = min((self._due(one) for one in idle), default=now + _LONGEST_SLEEP_S) - now
        waits = [
            asyncio.ensure_future(self._clock.sleep(min(max(left_s, 0.0), _LONGEST_SLEEP_S))),
            asyncio.ensure_future(self._stop.wait()),
            asyncio.ensure_future(self._wake.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._wake.clear()

    async def _pass(self, one: _Tracked) -> None:
        sync, started = one.sync, self._clock.now()
        result, error, refused = None, "", False
        try:
            result = await sync.run(one.halt)
            error, refused = _failure(result)
        except SyncdError as caught:  # the ledger cannot be written, as with a full disk
            error = str(caught)
            _log.error(events.PASS_FAILED, sync=sync.name, error=error)
        except asyncio.CancelledError:
            if not one.given_up or _cancelled_by_others():
                raise
            error = f"no progress for {STALLED_AFTER_S / 60:.0f} minutes"
        except Exception as caught:  # noqa: BLE001 - a defect that one sync meets must not stop the others
            error = f"a defect of syncd: {type(caught).__name__}: {caught}"
            _log.exception(events.PASS_CRASHED, sync=sync.name)
        if not one.given_up:
            self._hopeless_since = None
        one.failures = one.failures + 1 if error else 0
        one.unreachable = result is not None and isinstance(result.error, PortalUnreachableError)
        now = self._clock.now()
        due = next_due(sync.schedule, started=started, failures=one.failures, now=now, random=self._random())
        # After a failure even changed files have to wait: a broken file that is being written would be read in a loop.
        self._set_due(one, now if one.changed and not error else due)
        self._note_refusal(sync.portal, error, refused=refused, now=now)
        if error and not refused:
            _log.warning(events.PASS_BACKED_OFF, sync=sync.name, failures=one.failures, next=_iso(due))
        await self._ended(Ended(sync=sync.name, portal=sync.portal, error=error, refused=refused, result=result))
        one.task = None  # not before: the next pass must find the plan and the counts of this one put away
        self._wake.set()

    def _note_refusal(self, portal: str, error: str, *, refused: bool, now: float) -> None:
        """Pause a portal that refuses the caller, and resume it once it accepts calls again.

        A pass that failed for another reason (its source, say) proves neither, so it changes nothing.
        """
        if refused:
            if portal not in self._refused:
                _log.error(events.PORTAL_STOPPED, portal=portal, reason=error, again=_iso(now + REFUSED_PAUSE_S))
            self._refused[portal] = (error, now + REFUSED_PAUSE_S)
        elif not error and self._refused.pop(portal, None) is not None:
            _log.info(events.PORTAL_RESUMED, portal=portal)

    async def _look_after(self) -> None:
        """Give up passes that make no progress, and send systemd a sign of life while something else works.

        One feed that hangs must not have all syncs restarted again and again. Only if the scheduler itself hangs, or
        if nothing has worked for long after a pass was given up, a new process is the better chance.
        """
        watchdog_s = self._notifier.watchdog_s
        pause_s = _LOOKED_AFTER_EVERY_S if watchdog_s is None else watchdog_s / _WATCHDOG_SIGNS
        while True:
            stalled = self.stalled()
            if stalled:
                _log.error(events.DAEMON_STALLED, what=stalled)
                self._give_up(stalled)
            if watchdog_s is not None and SCHEDULER not in stalled and not self._hopeless():
                self._notifier.send(WATCHDOG="1")
            await self._clock.sleep(pause_s)

    def _give_up(self, names: Iterable[str]) -> None:
        """End these passes at once. That is safe: what was sent is written down, and the next pass looks."""
        for name in names:
            one = self._tracked.get(name)
            if one is None or one.task is None or one.given_up:
                continue
            one.given_up = True
            one.task.cancel()
            if self._hopeless_since is None:
                self._hopeless_since = self._clock.monotonic()

    def _hopeless(self) -> bool:
        since = self._hopeless_since
        return since is not None and self._clock.monotonic() - since > STALLED_AFTER_S


def _cancelled_by_others() -> bool:
    """Take back the cancelling of the current task by `_give_up`, and return True if somebody else cancelled it too."""
    task = asyncio.current_task()
    return task is None or task.uncancel() > 0


def _failure(result: EndedPass) -> tuple[str, bool]:
    """Return why a pass counts as failed, empty when it does not, and whether the portal refuses the caller.

    A pass fails when it ends in an error, or when the portal refused every change it tried. One that was asked to
    stop does not.
    """
    if result.error is not None:
        return str(result.error), isinstance(result.error, PortalRefusedError)
    if result.record.state == "failed":
        return result.record.error or "failed", False
    counts = result.record.counts
    if result.fates.refused and not any(counts.get(name, 0) for name in ("created", "updated", "deleted", "adopted")):
        return f"the portal refused all {len(result.fates.refused)} changes", False
    return "", False


def _doing(sync: Scheduled) -> str:
    """Return how far the pushes to the sync's portal are and what they wait for."""
    progress = sync.progress()
    if not progress.total:
        return "running"
    done = f"{progress.done} of {progress.total} changes to {sync.portal}"
    return f"{done}, waiting for {progress.waiting_for}" if progress.waiting_for is not None else done


def _iso(unix: float) -> str:
    if unix == float("inf"):
        return "never"
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
