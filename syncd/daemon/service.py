"""The daemon: one task per sync, one pass at a time per portal, and an honest word to systemd.

due -> wait for the portal -> pass -> due again (later after failures)         SIGTERM: finish batches, settle, exit
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from syncd.clock import Clock
from syncd.cycle.result import PassResult
from syncd.daemon.notify import Notifier
from syncd.daemon.schedule import first_due, next_due

_log = structlog.get_logger()
_LONGEST_SLEEP_S = 30.0
"""How long the daemon sleeps at a time: a machine that was suspended, or whose clock was set, is noticed then."""
STALLED_AFTER_S = 600.0
"""A pass that makes no progress for so long, and is not waiting for a stated time, gets no watchdog sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """One sync as the daemon sees it.

    `last_started` tells when its last pass began, `run` makes one; `progress` is any value that changes as the pass
    gets on, or a time it waits for.
    """

    name: str
    portal: str
    every_s: float
    last_started: Callable[[], Awaitable[float | None]]
    run: Callable[[asyncio.Event], Awaitable[PassResult]]
    progress: Callable[[], tuple[object, float | None]]


class Daemon:
    """Runs the passes of all syncs until `stop` is set."""

    def __init__(self, syncs: Sequence[Scheduled], *, clock: Clock, notifier: Notifier, stop: asyncio.Event) -> None:
        self._syncs = tuple(syncs)
        self._clock = clock
        self._notifier = notifier
        self._stop = stop
        self._portals = {sync.portal: asyncio.Lock() for sync in syncs}
        self._running: dict[str, Scheduled] = {}
        self._due: dict[str, float] = {}

    async def run(self) -> None:
        """Keep the schedules until `stop` is set; returns when every pass has settled.

        An error that is not a SyncdError is a defect: it stops the daemon, and systemd starts it anew.
        """
        async with AsyncExitStack() as ending:
            ending.callback(self._notifier.send, STATUS="stopped")
            async with asyncio.TaskGroup() as tasks:
                for sync in self._syncs:
                    tasks.create_task(self._keep(sync), name=f"sync {sync.name}")
                watching = tasks.create_task(self._watch(), name="watchdog")
                self._notifier.send(READY="1", STATUS=self._status())
                _log.info("daemon.started", syncs=len(self._syncs))
                await self._stop.wait()
                self._notifier.send(STOPPING="1", STATUS="finishing the batches in flight")
                _log.info("daemon.stopping", running=sorted(self._running))
                watching.cancel()
        _log.info("daemon.stopped")

    async def _keep(self, sync: Scheduled) -> None:
        failures = 0
        self._due[sync.name] = first_due(await sync.last_started(), sync.every_s, self._clock.now())
        while await self._wait_until(self._due[sync.name]):
            async with self._portals[sync.portal]:
                if self._stop.is_set():
                    return
                self._running[sync.name] = sync
                self._notifier.send(STATUS=self._status())
                started = self._clock.now()
                try:
                    result = await sync.run(self._stop)
                finally:
                    del self._running[sync.name]
            failures = failures + 1 if _failed(result) else 0
            self._due[sync.name] = next_due(started, sync.every_s, failures, self._clock.now())
            if failures:
                _log.warning(
                    "pass.backed_off", sync=sync.name, failures=failures, next=_clock_text(self._due[sync.name])
                )
            self._notifier.send(STATUS=self._status())

    async def _wait_until(self, due: float) -> bool:
        """Wait for unix time `due`; return False when the daemon is to stop."""
        while not self._stop.is_set() and (left := due - self._clock.now()) > 0:
            await self._pause(min(left, _LONGEST_SLEEP_S))
        return not self._stop.is_set()

    async def _pause(self, seconds: float) -> None:
        """Let `seconds` pass, or less when the daemon is to stop."""
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            stopping.cancel()

    async def _watch(self) -> None:
        """Give the manager its sign of life as long as every running pass gets on or waits for a stated time."""
        if self._notifier.watchdog_s is None:
            return
        seen: dict[str, tuple[object, float]] = {}
        while True:
            now = self._clock.monotonic()
            stalled = []
            for name, sync in self._running.items():
                progress, waits_until = sync.progress()
                if name not in seen or seen[name][0] != progress:
                    seen[name] = (progress, now)
                waiting = waits_until is not None and waits_until > self._clock.now()
                if not waiting and now - seen[name][1] > STALLED_AFTER_S:
                    stalled.append(name)
            seen = {name: one for name, one in seen.items() if name in self._running}
            if stalled:
                _log.error("pass.stalled", syncs=stalled)
            else:
                self._notifier.send(WATCHDOG="1", STATUS=self._status())
            await self._clock.sleep(self._notifier.watchdog_s / 3)

    def _status(self) -> str:
        parts = [f"{name}: running" for name in sorted(self._running)]
        waiting = [(due, name) for name, due in self._due.items() if name not in self._running]
        if waiting:
            due, name = min(waiting)
            parts.append(f"next pass: {name} at {_clock_text(due)}")
        return "; ".join(parts) or "starting"


def _failed(result: PassResult) -> bool:
    """A pass that ended in an error, or in which everything it tried was refused, is a failure."""
    counts = result.record.counts
    tried_in_vain = bool(result.refused) and not any(counts.get(n, 0) for n in ("created", "updated", "deleted"))
    return result.error is not None or result.record.state == "failed" or tried_in_vain


def _clock_text(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
