"""Starts a pass when the files of a source have changed and are no longer being written.

watchfiles (inotify and its like) says when to look. Without it, and for what it misses, the files are looked at every
few seconds. A change that is noticed late or twice does no harm. Nothing wakes up more often than once a second.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import structlog

from syncd import events
from syncd.clock import Clock
from syncd.threads import begin

_log = structlog.get_logger()
_POLL_S = 5.0
_POLL_WITH_HINTS_S = 60.0
_POLL_UNSETTLED_S = 1.0
_STEP_MS = 1500
"""How often watchfiles asks for events: the only thing that wakes an idle daemon up about every second."""
_NO_DEBOUNCE_MS = 1
"""watchfiles' own debounce is switched off in effect: `Settling` waits until the files are still."""

FileState = tuple[tuple[str, int, int, int], ...]
"""Name, inode, size and mtime in nanoseconds of each existing file; two states differ if any of these differs."""
Hints = Callable[[Sequence[Path], bool], AsyncIterator[object]]
"""Yields whenever something may have changed in these directories, or below them if the flag is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The files of one sync. `files` returns those that exist now, `folder` is where new ones would appear.

    `deep` includes the directories below `folder`. The files count as settled after `settle_s` without a change.
    """

    name: str
    files: Callable[[], tuple[Path, ...]]
    folder: Path
    deep: bool
    settle_s: float


def stat_files(paths: Iterable[Path]) -> FileState:
    """Return the state of these files, without those that are missing or cannot be read."""
    found = []
    for path in paths:
        try:
            seen = os.stat(path)  # noqa: PTH116 - a Path for each of thousands of files costs more than the question
        except OSError:
            continue
        found.append((str(path), seen.st_ino, seen.st_size, seen.st_mtime_ns))
    return tuple(sorted(found))


def state_of(watched: Watched) -> FileState:
    """Return the state of the files of one sync."""
    return stat_files(watched.files())


class Settling:
    """Reports every change once, when it has settled. The first state seen is no change.

    still -> changed (being written) -> still for `settle_s` -> reported
    """

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._last: FileState | None = None
        self._changed_at: float | None = None

    @property
    def pending(self) -> bool:
        """Return True if a change has not settled yet."""
        return self._changed_at is not None

    def seen(self, state: FileState, now: float) -> bool:
        """Take in the state at monotonic time `now`; return True if a change has been still for long enough.

        If all files of a source disappear, only their return is reported: programs that replace a file remove it first,
        and a pass in between would read nothing.
        """
        if self._last is None or state != self._last:
            first = self._last is None
            self._last = state
            self._changed_at = None if first else now
        if self._changed_at is None or now - self._changed_at < self._settle_s or not state:
            return False
        self._changed_at = None
        return True


class Watcher:
    """Calls `changed` with the name of each sync whose files have changed and settled."""

    def __init__(
        self, watched: Iterable[Watched], *, clock: Clock, changed: Callable[[str], None], hints: Hints | None = None
    ) -> None:
        self._watched = tuple(watched)
        self._clock = clock
        self._changed = changed
        self._hints = hints
        self._settling = {one.name: Settling(one.settle_s) for one in self._watched}
        self._hinted = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Look until cancelled; returns at once if there is nothing to look at."""
        if not self._watched:
            return
        places: tuple[tuple[Path, int], ...] = ()
        try:
            while True:
                try:
                    states, here = await asyncio.to_thread(self._look)
                except MemoryError:  # passes that need less of it go on, and so must this
                    await self._clock.sleep(_POLL_S)
                    continue
                # A directory that was replaced has another inode, and inotify goes on watching the old one.
                if self._hints is not None and (here != places or self._listening is None):
                    places = here
                    await self._stop_listening()
                    self._listening = asyncio.get_running_loop().create_task(
                        self._listen(self._hints, [place for place, _ in places])
                    )
                now = self._clock.monotonic()
                for name, state in states.items():
                    if self._settling[name].seen(state, now):
                        _log.info(events.SOURCE_CHANGED, sync=name)
                        self._changed(name)
                await self._wait()
        finally:
            await self._stop_listening()

    def _look(self) -> tuple[dict[str, FileState], tuple[tuple[Path, int], ...]]:
        """Return the state of every sync's files, and the directories to listen to with their inodes."""
        states = {one.name: state_of(one) for one in self._watched}
        places = {place: inode for one in self._watched for place, inode in [_nearest(one.folder)]}
        return states, tuple(sorted(places.items()))

    async def _listen(self, hints: Hints, places: Sequence[Path]) -> None:
        try:
            async for _ in hints(places, any(one.deep for one in self._watched)):
                self._hinted.set()
        except (OSError, RuntimeError, MemoryError) as error:  # a directory disappeared, or there are too many to watch
            _log.warning(events.SOURCE_UNWATCHED, reason=str(error), seconds=_POLL_S)
            self._hints = None

    async def _wait(self) -> None:
        if any(settling.pending for settling in self._settling.values()):
            await self._clock.sleep(_POLL_UNSETTLED_S)
            return
        pause_s = _POLL_S if self._hints is None else _POLL_WITH_HINTS_S
        waits: list[asyncio.Future[object]] = [
            asyncio.ensure_future(self._hinted.wait()),
            asyncio.ensure_future(self._clock.sleep(pause_s)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._hinted.clear()

    async def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None


def system_hints() -> Hints | None:
    """Return the hints of the operating system, through watchfiles; None if that is not installed."""
    return _watchfiles if find_spec("watchfiles") is not None else None


async def _watchfiles(places: Sequence[Path], deep: bool) -> AsyncIterator[object]:
    from watchfiles import awatch  # noqa: PLC0415 - optional

    # Its own thread is not Python's: where it cannot begin, the process is aborted or waits for it for ever.
    begin(trial := Thread(target=str))
    trial.join()
    async for changes in awatch(
        *places, watch_filter=None, step=_STEP_MS, debounce=_NO_DEBOUNCE_MS, rust_timeout=0, recursive=deep
    ):
        yield changes


def _nearest(folder: Path) -> tuple[Path, int]:
    """Return the folder with its inode, or the nearest existing one above it."""
    for place in (folder, *folder.parents):
        try:
            if place.is_dir():
                return place, place.stat().st_ino
        except OSError:
            continue
    return Path("/"), 0
