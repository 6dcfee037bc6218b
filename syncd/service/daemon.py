"""The scheduler of `syncd run`: starts the passes that are due, one at a time per sync, and reports to systemd.

due -> pass -> due again (later after failures)      a portal that refuses the webhook: one try an hour, the others wait
SIGTERM: finish the batches in flight, settle, exit
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog

from syncd import events
from syncd.clock import Clock
from syncd.errors import (
    ConfigError,
    LostLeaseError,
    OutOfMemoryError,
    PortalRefusedError,
    PortalUnreachableError,
    StoppedError,
    SyncdError,
    held_elsewhere,
)
from syncd.lang.catalog import house, told
from syncd.lang.saying import Saying, say, say_as
from syncd.service.notify import Notifier
from syncd.service.schedule import SyncState, first_due, next_due
from syncd.service.tracked import (
    LONGEST_SLEEP_S,
    STALLED_AFTER_S,
    Ended,
    EndedPass,
    Scheduled,
    Tracked,
    Watchdog,
    doing,
    failure_of,
)

R = TypeVar("R")
_Told = asyncio.Future[Any] | None
_log = structlog.get_logger()
REFUSED_PAUSE_S = 3600.0
"""How long a portal that refuses the caller is left alone before one of its syncs tries again."""
_CLOCK_TOLERANCE_S = 1.0


class Daemon:
    """Runs the passes of its syncs until `stop` is set, and calls `ended` after every pass.

    `random` returns numbers in [0, 1) for the jitter of the schedules. `away` returns who else may write to a portal
    now, None if this process may.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        notifier: Notifier,
        stop: asyncio.Event,
        random: Callable[[], float],
        ended: Callable[[Ended], Awaitable[None]],
        away: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._notifier = notifier
        self._stop = stop
        self._random = random
        self._ended = ended
        self._away = away
        self._tracked: dict[str, Tracked] = {}
        self._refused: dict[str, tuple[str, float]] = {}
        self._wake = asyncio.Event()
        self._turn = asyncio.Event()  # set, and replaced, whenever a pass has ended or may start again
        self._tasks: asyncio.TaskGroup | None = None
        self._watchdog = Watchdog(clock, notifier, lambda: self._tracked)

    def set_syncs(self, syncs: Iterable[Scheduled]) -> None:
        """Schedule these syncs from now on. Those whose schedule is unchanged keep their due time and failures.

        Syncs that are left out must be `drained`. After a reload every sync that failed is tried again at once, also at
        a portal that refused the caller: people reload after they have repaired something.
        """
        now = self._clock.now()
        tracked: dict[str, Tracked] = {}
        for sync in syncs:
            before = self._tracked.get(sync.name)
            if before is not None and before.sync.schedule == sync.schedule:
                before.sync = sync
                tracked[sync.name] = before
                if before.failures and before.task is None:
                    self._set_due(before, now)
            else:
                due = first_due(sync.schedule, sync.last_run, now)
                tracked[sync.name] = Tracked(sync=sync, due=due, decided_at=now)
        self._tracked = tracked
        portals = {one.sync.portal for one in tracked.values()}
        # Only a pass can tell that it is over: until one has, it is refused still, for the page and the alerts too.
        self._refused = {name: (why, now) for name, (why, _) in self._refused.items() if name in portals}
        self._stir()

    def begin_again(self, syncs: Iterable[Scheduled]) -> None:
        """Schedule these syncs as after a start, because until now another machine made their passes."""
        now = self._clock.now()
        for sync in syncs:
            due = first_due(sync.schedule, sync.last_run, now)
            self._tracked[sync.name] = Tracked(sync=sync, due=due, decided_at=now)
            self._refused.pop(sync.portal, None)
        self._stir()

    async def cut_off(self, names: Iterable[str]) -> None:
        """End the passes of these syncs at once, unsettled: another machine may write to their portal from now on."""
        ending = [one for name in names if (one := self._tracked.get(name)) is not None and one.task is not None]
        for one in ending:
            one.cut_off = True
            one.halt.set()
            if one.task is not None:
                one.task.cancel()
        if passes := [one.task for one in ending if one.task is not None]:
            await asyncio.wait(passes)

    @asynccontextmanager
    async def drained(self, names: Iterable[str]) -> AsyncIterator[None]:
        """End the passes of these syncs after the batches in flight, and start none while the body runs.

        The body may replace what they work with, and call `set_syncs`.
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
            self._stir()

    async def alone(
        self,
        name: str,
        work: Callable[[], Awaitable[R]],
        stop: asyncio.Event,
        *,
        waits: Callable[[], None] = lambda: None,
        at_once: bool = False,
    ) -> R:
        """Run `work` in the place of a pass of the sync `name`, so that no other pass of it runs; return its result.

        `stop` is set when it has to end, as with a pass. `waits` is called if a pass is running, which is ended first
        if `at_once`. If `work` returns a finished pass, that counts like one by schedule. Raises ConfigError if there
        is no such sync (any more), StateLockedError if another machine may write to its portal, StoppedError if `stop`
        is set first, and whatever `work` raises.
        """
        one = await self._free(name, stop, waits, at_once=at_once)
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()

        async def guest(_halt: asyncio.Event) -> EndedPass | None:
            result = await work()
            if not done.done():
                done.set_result(result)
            return result if isinstance(result, EndedPass) else None

        assert self._tasks is not None
        self._begin(one, self._clock.now(), halt=stop)
        one.guest = True
        one.task = self._tasks.create_task(self._pass(one, guest, done), name=f"command for {name}")
        return await asyncio.shield(done)

    async def _free(self, name: str, stop: asyncio.Event, waits: Callable[[], None], *, at_once: bool) -> Tracked:
        """Return the sync `name` as soon as nothing works with it; raises as `alone` does."""
        told = False
        while not stop.is_set() and not self._stop.is_set():
            one = self._tracked.get(name)
            if one is None:
                raise ConfigError(
                    say("there is no sync {sync!r} (any more)", sync=name), say("the config has been read again")
                )
            if (holder := self._away(one.sync.portal)) is not None:
                raise held_elsewhere(one.sync.portal, holder)
            if one.task is None and not one.drained and self._tasks is not None:
                return one
            if not told:
                waits()
                told = True
            if at_once and one.task is not None:
                one.halt.set()
            one.waiting += 1  # or the next pass by schedule could be quicker
            try:
                await self._next_turn(stop)
            finally:
                one.waiting -= 1
        raise StoppedError(say("{sync}: stopped before it began; nothing was sent", sync=name))

    async def _next_turn(self, stop: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(one.wait()) for one in (self._turn, self._stop, stop)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def pause(self, name: str, since: float) -> None:
        """Let no pass of the sync start until `resume`. A running one ends after the requests in flight.

        A command that works alone with the sync goes on: `undo`, for one, pauses the sync itself.
        """
        one = self._tracked[name]
        one.sync = replace(one.sync, paused=since)
        if not one.guest:
            one.halt.set()
        self._stir()

    def resume(self, name: str) -> None:
        """Let passes of the sync start again, the first one at once."""
        one = self._tracked[name]
        one.sync = replace(one.sync, paused=None)
        self._set_due(one, self._clock.now())
        self._stir()

    def poke(self, name: str, *, insist: bool = False) -> None:
        """Start the next pass of a sync at once, because its source has changed; unknown names are ignored.

        This ends the back-off after failures, as the change may have removed their cause. An unreachable or refusing
        portal is not tried earlier, because new files do not help there, unless somebody `insist`s.
        """
        one = self._tracked.get(name)
        if one is None or (one.unreachable and not insist):
            return
        if insist:
            why, _ = self._refused.get(one.sync.portal, ("", 0.0))
            if why:
                self._refused[one.sync.portal] = (why, self._clock.now())
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
                paused=one.sync.paused,
            )
            for name, one in self._tracked.items()
        }

    async def run(self) -> None:
        """Run the passes that come due until `stop` is set; return when every pass has settled.

        The caller sends READY, once everything else has started too.
        """
        async with AsyncExitStack() as ending:
            # On an error as well: `systemctl status` must not go on naming a next pass.
            ending.callback(self._notifier.send, STATUS=say_as("state of the service", "stopped"))
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._stir()
                watching = tasks.create_task(self._watchdog.run(), name="watchdog")
                _log.info(events.DAEMON_STARTED, syncs=len(self._tracked))
                while not self._stop.is_set():
                    self._watchdog.beat()
                    self._start_due(tasks)
                    await self._wait()
                # Every pass gets its own event, so that a reload can end some and this can end all.
                running = sorted(name for name, one in self._tracked.items() if one.task is not None)
                self._notifier.send(STOPPING="1", STATUS=say("finishing the batches in flight"))
                _log.info(events.DAEMON_STOPPING, running=running)
                for one in self._tracked.values():
                    one.halt.set()
                watching.cancel()
        _log.info(events.DAEMON_STOPPED)

    def status(self) -> str:
        """Return one line for `systemctl status`: what runs, which portals refuse, and which pass comes next.

        It is in the language of the house, because systemd has no reader whose language is known.
        """
        running = [(name, one) for name, one in sorted(self._tracked.items()) if one.task is not None]
        parts = [say("{sync}: {what}", sync=name, what=doing(one.sync)) for name, one in running]
        parts += [say("portal {portal} refuses syncd", portal=portal) for portal in sorted(self._refused)]
        waiting = [(self._due(one), name) for name, one in self._tracked.items() if one.task is None]
        if waiting:
            due, name = min(waiting)
            parts.append(_next_pass(name, due))
        return "; ".join(told(part, house()) for part in parts or [say("no sync is configured")])

    def _stir(self) -> None:
        """Wake the main loop and whoever waits for a sync."""
        self._wake.set()
        self._turn.set()
        self._turn = asyncio.Event()

    def _due(self, one: Tracked) -> float:
        if one.sync.paused is not None or self._away(one.sync.portal) is not None:
            return float("inf")
        return max(one.due, self._refused.get(one.sync.portal, ("", 0.0))[1])

    def _set_due(self, one: Tracked, due: float) -> None:
        one.due = due
        one.decided_at = self._clock.now()

    def _start_due(self, tasks: asyncio.TaskGroup) -> None:
        now = self._clock.now()
        # The longest overdue first, because after a suspension all of them are due at once.
        for one in sorted(self._tracked.values(), key=lambda tracked: tracked.due):
            if one.task is not None or one.drained or one.waiting:
                continue
            if now < one.decided_at - _CLOCK_TOLERANCE_S:
                # The clock was set back: a due time from before could lie a day ahead, so it is worked out again.
                self._set_due(one, next_due(one.sync.schedule, started=now, failures=0, now=now, random=0.0))
            if self._due(one) <= now and not self._being_tried(one.sync.portal):
                self._begin(one, now, halt=asyncio.Event())
                one.task = tasks.create_task(self._pass(one, one.sync.run), name=f"sync {one.sync.name}")
        self._notifier.send(STATUS=self.status())

    def _begin(self, one: Tracked, now: float, halt: asyncio.Event) -> None:
        one.started, one.halt, one.guest = now, halt, False
        one.changed, one.seen, one.given_up, one.cut_off = False, None, False, False

    def _being_tried(self, portal: str) -> bool:
        """Return True if `portal` has refused the caller and one of its syncs is trying it again just now."""
        return portal in self._refused and any(
            one.task is not None and one.sync.portal == portal for one in self._tracked.values()
        )

    async def _wait(self) -> None:
        """Wait until the next pass is due, something happens, or the clock has to be looked at again."""
        now = self._clock.now()
        idle = [one for one in self._tracked.values() if one.task is None and not one.drained and not one.waiting]
        idle = [one for one in idle if not self._being_tried(one.sync.portal)]
        left_s = min((self._due(one) for one in idle), default=now + LONGEST_SLEEP_S) - now
        waits = [
            asyncio.ensure_future(self._clock.sleep(min(max(left_s, 0.0), LONGEST_SLEEP_S))),
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

    async def _pass(
        self, one: Tracked, run: Callable[[asyncio.Event], Awaitable[EndedPass | None]], told: _Told = None
    ) -> None:
        """Await `run` and note how it ended; `told` gets the error, if somebody waits for the result."""
        started = self._clock.now()
        result, error, refused = None, "", False
        caught: BaseException | None = None
        try:
            result = await run(one.halt)
            error, refused = failure_of(result) if result is not None else ("", False)
        except LostLeaseError as failure:  # the new holder goes on, and notes when the next pass is due
            caught = failure
            _log.warning(events.PASS_CUT_OFF, sync=one.sync.name, reason=failure.message)
        except SyncdError as failure:  # the ledger cannot be written, as with a full disk
            error, caught, refused = str(failure), failure, isinstance(failure, PortalRefusedError)
            _log.error(events.PASS_FAILED, sync=one.sync.name, error=error)
        except asyncio.CancelledError:
            if not (one.given_up or one.cut_off) or _cancelled_by_others():
                raise
            error = "" if one.cut_off else say("no progress for {minutes:.0f} minutes", minutes=STALLED_AFTER_S / 60)
        except MemoryError:
            caught = OutOfMemoryError()
            error = str(caught)
            _log.error(events.PASS_FAILED, sync=one.sync.name, error=error)
        except Exception as failure:  # noqa: BLE001 - a defect that one sync meets must not stop the others
            what = f"{type(failure).__name__}: {failure}"
            error, caught = say("a defect of syncd: {error}", error=what), failure
            _log.exception(events.PASS_CRASHED, sync=one.sync.name)
        finally:
            if told is not None and not told.done():
                why = error or say_as("end of a pass", "stopped")
                told.set_exception(caught or StoppedError(say("{sync}: {reason}", sync=one.sync.name, reason=why)))
        if not one.given_up:
            self._watchdog.hope()
        if (result is not None or told is None) and not isinstance(caught, LostLeaseError) and not one.cut_off:
            await self._note_end(one, started, Ended(
                sync=one.sync.name, portal=one.sync.portal, error=error, refused=refused, result=result
            ))  # fmt: skip
        one.task = None  # not earlier: the next pass must find the plan and the counts of this one stored
        self._stir()

    async def _note_end(self, one: Tracked, started: float, ended: Ended) -> None:
        """Work out when the next pass is due after one that began at `started`, and report the end of this one."""
        sync, error, result = one.sync, ended.error, ended.result
        one.failures = one.failures + 1 if error else 0
        one.unreachable = result is not None and isinstance(result.error, PortalUnreachableError)
        now = self._clock.now()
        due = next_due(sync.schedule, started=started, failures=one.failures, now=now, random=self._random())
        # After a failure even changed files have to wait: a broken file that is being written would be read in a loop.
        self._set_due(one, now if one.changed and not error else due)
        self._note_refusal(sync.portal, error, refused=ended.refused, now=now)
        if error and not ended.refused:
            _log.warning(events.PASS_BACKED_OFF, sync=sync.name, failures=one.failures, next=_iso(due))
        await self._ended(ended)

    def _note_refusal(self, portal: str, error: str, *, refused: bool, now: float) -> None:
        """Pause a portal that refuses the caller, and resume it once it accepts calls again.

        A pass that failed for another reason, such as its source, proves neither, so it changes nothing.
        """
        if refused:
            if portal not in self._refused:
                _log.error(events.PORTAL_STOPPED, portal=portal, reason=error, again=_iso(now + REFUSED_PAUSE_S))
            self._refused[portal] = (error, now + REFUSED_PAUSE_S)
        elif not error and self._refused.pop(portal, None) is not None:
            _log.info(events.PORTAL_RESUMED, portal=portal)


def _cancelled_by_others() -> bool:
    """Take back the daemon's own cancellation of the current task; return True if somebody else cancelled it too."""
    task = asyncio.current_task()
    return task is None or task.uncancel() > 0


def _next_pass(name: str, due: float) -> Saying:
    if due == float("inf"):
        return say("next pass: {sync}, never", sync=name)
    # In English as the log has it, which programs may read too; in another language as people there write it.
    when = _iso(due) if house() == "en" else datetime.fromtimestamp(due, UTC).astimezone()
    return say("next pass: {sync} at {when}", sync=name, when=when)


def _iso(unix: float) -> str:
    if unix == float("inf"):
        return "never"
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
