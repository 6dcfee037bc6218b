"""The daemon: begins the passes that are due, one at a time per sync, and keeps an honest word to systemd.

due -> pass -> due again (later after failures)      a portal that refuses its webhook: one try an hour, the others wait
SIGTERM: finish the batches in flight, settle, exit
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from syncd.clock import Clock
from syncd.cycle.result import PassResult
from syncd.errors import PortalRefusedError, PortalUnreachableError, SyncdError
from syncd.service.notify import Notifier
from syncd.service.schedule import LastRun, Schedule, first_due, next_due

_log = structlog.get_logger()
_LONGEST_SLEEP_S = 30.0
"""How long the daemon sleeps at a time: a machine that was suspended, or whose clock was set, is noticed then."""
STALLED_AFTER_S = 600.0
"""A pass that makes no progress for so long, and is not waiting for a stated time, gets no watchdog sign."""
REFUSED_PAUSE_S = 3600.0
"""How long a portal that refuses the caller is left alone, before one sync tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """One sync as the daemon sees it.

    `last_run` tells of its last pass, `run` makes one; `progress` is any value that changes as the pass
    gets on, and a time it waits for; `doing` says in a few words how far a running pass is.
    """

    name: str
    portal: str
    schedule: Schedule
    last_run: Callable[[], Awaitable[LastRun | None]]
    run: Callable[[asyncio.Event], Awaitable[PassResult]]
    progress: Callable[[], tuple[object, float | None]]
    doing: Callable[[], str] = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a pass ended: `error` says why it failed, empty when it did not; `result` is None when it left none."""

    sync: str
    portal: str
    error: str
    refused: bool
    result: PassResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one sync stands: when its next pass is due, since when one runs, and how many failed in a row."""

    due: float
    running_since: float | None
    failures: int
    refused: str


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What the daemon knows of one sync; `decided_at` is when `due` was worked out."""

    sync: Scheduled
    due: float
    decided_at: float
    failures: int = 0
    unreachable: bool = False
    changed: bool = False
    started: float | None = None
    halt: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    seen: tuple[object, float] | None = None


class Daemon:
    """Runs the passes of the syncs that were `put` until `stop` is set; `ended` hears of every pass."""

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
        self._kept: dict[str, _Kept] = {}
        self._refused: dict[str, tuple[str, float]] = {}
        self._wake = asyncio.Event()
        self._beat = clock.monotonic()

    async def put(self, syncs: Iterable[Scheduled]) -> None:
        """Keep these syncs from now on; those that had the same schedule before keep their due time and failures.

        Syncs that are left out must have been drained. A portal that refused is asked again.
        """
        now = self._clock.now()
        kept: dict[str, _Kept] = {}
        for sync in syncs:
            before = self._kept.get(sync.name)
            if before is not None and before.sync.schedule == sync.schedule:
                before.sync = sync
                kept[sync.name] = before
                continue
            due = first_due(sync.schedule, await sync.last_run(), now)
            kept[sync.name] = _Kept(sync=sync, due=due, decided_at=now)
        self._kept = kept
        self._refused.clear()
        self._wake.set()

    async def drain(self, names: Iterable[str]) -> None:
        """End the running passes of these syncs after the batches in flight, and wait until they have settled."""
        ending = [kept for name in names if (kept := self._kept.get(name)) is not None and kept.task is not None]
        for kept in ending:
            kept.halt.set()
        for kept in ending:
            if kept.task is not None:
                await asyncio.wait({kept.task})

    def poke(self, name: str) -> None:
        """Let the sync's next pass begin at once (its files changed), unless the portal cannot be reached or refuses.

        Files that were mended end the back-off that they were the reason of. A pass that is running may have read them
        before the change: one more follows it.
        """
        kept = self._kept.get(name)
        if kept is None or kept.unreachable:
            return
        if kept.task is not None:
            kept.changed = True
        else:
            self._decide(kept, self._clock.now())
        self._wake.set()

    def standing(self) -> Mapping[str, Standing]:
        """Return how every sync stands, in the config's order."""
        return {
            name: Standing(
                due=self._due(kept),
                running_since=kept.started if kept.task is not None else None,
                failures=kept.failures,
                refused=self._refused.get(kept.sync.portal, ("", 0.0))[0],
            )
            for name, kept in self._kept.items()
        }

    async def run(self) -> None:
        """Keep the schedules until `stop` is set; returns when every pass has settled.

        READY is the caller's to send, when everything else has begun too.
        """
        async with AsyncExitStack() as ending:
            ending.callback(self._notifier.send, STATUS="stopped")
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(self._watch(), name="watchdog")
                _log.info("daemon.started", syncs=len(self._kept))
                while not self._stop.is_set():
                    self._beat = self._clock.monotonic()
                    self._start_due(tasks)
                    await self._rest()
                running = sorted(name for name, kept in self._kept.items() if kept.task is not None)
                self._notifier.send(STOPPING="1", STATUS="finishing the batches in flight")
                _log.info("daemon.stopping", running=running)
                for kept in self._kept.values():
                    kept.halt.set()
                watching.cancel()
        _log.info("daemon.stopped")

    def _due(self, kept: _Kept) -> float:
        return max(kept.due, self._refused.get(kept.sync.portal, ("", 0.0))[1])

    def _decide(self, kept: _Kept, due: float) -> None:
        kept.due = due
        kept.decided_at = self._clock.now()

    def _start_due(self, tasks: asyncio.TaskGroup) -> None:
        now = self._clock.now()
        for kept in sorted(self._kept.values(), key=lambda one: one.due):
            if kept.task is not None:
                continue
            if now < kept.decided_at - 1:  # the clock was set back: what was worked out before means nothing
                self._decide(kept, next_due(kept.sync.schedule, started=now, failures=0, now=now, random=0.0))
            if self._due(kept) <= now and not self._tried(kept.sync.portal):
                kept.started, kept.halt, kept.changed, kept.seen = now, asyncio.Event(), False, None
                kept.task = tasks.create_task(self._pass(kept), name=f"sync {kept.sync.name}")
        self._notifier.send(STATUS=self.status())

    def _tried(self, portal: str) -> bool:
        """Say whether a portal that refused is being tried by one sync already."""
        return portal in self._refused and any(
            kept.task is not None and kept.sync.portal == portal for kept in self._kept.values()
        )

    async def _rest(self) -> None:
        """Wait until the next pass is due, something happens, or it is time to look at the clock again."""
        now = self._clock.now()
        idle = [kept for kept in self._kept.values() if kept.task is None and not self._tried(kept.sync.portal)]
        left = min((self._due(kept) for kept in idle), default=now + _LONGEST_SLEEP_S) - now
        waits = [
            asyncio.ensure_future(self._clock.sleep(min(max(left, 0.0), _LONGEST_SLEEP_S))),
            asyncio.ensure_future(self._stop.wait()),
            asyncio.ensure_future(self._wake.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._wake.clear()

    async def _pass(self, kept: _Kept) -> None:
        sync, started = kept.sync, self._clock.now()
        result, error, refused = None, "", False
        try:
            result = await sync.run(kept.halt)
            error, refused = _failure(result)
        except SyncdError as caught:  # the ledger cannot be written, as with a full disk
            error = str(caught)
            _log.error("pass.failed", sync=sync.name, error=error)
        except Exception as caught:  # noqa: BLE001 - a defect that one sync meets must not stop the others
            error = f"a defect of syncd: {type(caught).__name__}: {caught}"
            _log.exception("pass.crashed", sync=sync.name)
        kept.failures = kept.failures + 1 if error else 0
        kept.unreachable = result is not None and isinstance(result.error, PortalUnreachableError)
        now = self._clock.now()
        due = next_due(sync.schedule, started=started, failures=kept.failures, now=now, random=self._random())
        self._decide(kept, now if kept.changed and not error else due)
        self._judge(sync.portal, error, refused=refused, now=now)
        if error and not refused:
            _log.warning("pass.backed_off", sync=sync.name, failures=kept.failures, next=_clock_text(due))
        await self._ended(Ended(sync=sync.name, portal=sync.portal, error=error, refused=refused, result=result))
        kept.task = None
        self._wake.set()

    def _judge(self, portal: str, error: str, *, refused: bool, now: float) -> None:
        """Stop a portal that refuses the caller, and let it go on when it does so no more."""
        if refused:
            if portal not in self._refused:
                _log.error("portal.stopped", portal=portal, reason=error, again=_clock_text(now + REFUSED_PAUSE_S))
            self._refused[portal] = (error, now + REFUSED_PAUSE_S)
        elif not error and self._refused.pop(portal, None) is not None:
            _log.info("portal.resumed", portal=portal)

    async def _watch(self) -> None:
        """Give the manager its sign of life as long as every running pass gets on or waits for a stated time."""
        if self._notifier.watchdog_s is None:
            return
        while True:
            stalled = self.stalled()
            if stalled:
                _log.error("daemon.stalled", what=stalled)
            else:
                self._notifier.send(WATCHDOG="1")
            await self._clock.sleep(self._notifier.watchdog_s / 3)

    def stalled(self) -> tuple[str, ...]:
        """Return what makes no progress: running passes, and the scheduler itself."""
        now = self._clock.monotonic()
        found = ["the scheduler"] if now - self._beat > _LONGEST_SLEEP_S + STALLED_AFTER_S else []
        for name, kept in self._kept.items():
            if kept.task is None:
                continue
            progress, waits_until = kept.sync.progress()
            if kept.seen is None or kept.seen[0] != progress:
                kept.seen = (progress, now)
            waiting = waits_until is not None and waits_until > self._clock.now()
            if not waiting and now - kept.seen[1] > STALLED_AFTER_S:
                found.append(name)
        return tuple(found)

    def status(self) -> str:
        """Return in one line what runs, what refuses, and which pass comes next."""
        running = [(name, kept) for name, kept in sorted(self._kept.items()) if kept.task is not None]
        parts = [f"{name}: {kept.sync.doing() or 'running'}" for name, kept in running]
        parts += [f"portal {portal} refuses syncd" for portal in sorted(self._refused)]
        waiting = [(self._due(kept), name) for name, kept in self._kept.items() if kept.task is None]
        if waiting:
            due, name = min(waiting)
            parts.append(f"next pass: {name} at {_clock_text(due)}")
        return "; ".join(parts) or "no sync is configured"


def _failure(result: PassResult) -> tuple[str, bool]:
    """Return why a pass counts as failed, empty when it does not, and whether the portal refuses the caller.

    A pass that ended in an error, or in which everything it tried was refused, is a failure; one that was asked to
    stop is none.
    """
    if result.error is not None:
        return str(result.error), isinstance(result.error, PortalRefusedError)
    if result.record.state == "failed":
        return result.record.error or "failed", False
    counts = result.record.counts
    if result.refused and not any(counts.get(name, 0) for name in ("created", "updated", "deleted", "adopted")):
        return f"the portal refused all {len(result.refused)} changes", False
    return "", False


def _clock_text(unix: float) -> str:
    if unix == float("inf"):
        return "never"
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
