"""Tells when the files of a source have changed and settled; a reading that comes too late or twice does no harm.

watchfiles (inotify and its kin) says when to look; without it, and for what it misses, the files are looked at every
few seconds. Nothing wakes up more often than once a second.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import structlog

from syncd.clock import Clock

_log = structlog.get_logger()
_LOOK_S = 5.0
_LOOK_WITH_HINTS_S = 60.0
_RESTLESS_LOOK_S = 1.0
_STEP_MS = 1500
"""How often watchfiles looks whether the system has told it anything: all that wakes an idle daemon up every second."""
_FIRST_STEP_TELLS_MS = 1

Hints = Callable[[Sequence[Path], bool], AsyncIterator[object]]
"""Yields whenever something may have changed in these directories, with all that is below them when asked to."""


State = tuple[tuple[str, int, int, int], ...]
"""What tells two states of some files apart: name, inode, size and time of change of each that is there."""


def look(paths: Iterable[Path]) -> State:
    """Return the state of these files; one that is not there, or cannot be asked about, is left out."""
    found = []
    for path in paths:
        try:
            seen = os.stat(path)  # noqa: PTH116 - a Path for each of thousands of files costs more than the question
        except OSError:
            continue
        found.append((str(path), seen.st_ino, seen.st_size, seen.st_mtime_ns))
    return tuple(sorted(found))


class Settling:
    """Says once, for every change, that it has settled; the first state seen is no change."""

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._last: State | None = None
        self._changed_at: float | None = None

    @property
    def restless(self) -> bool:
        """Say whether a change has not settled yet."""
        return self._changed_at is not None

    def seen(self, state: State, now: float) -> bool:
        """Take in the state at monotonic time `now`; return True when a change has been still for long enough.

        A source that is gone altogether is no change to act upon: its return is.
        """
        if self._last is None or state != self._last:
            first = self._last is None
            self._last = state
            self._changed_at = None if first else now
        if self._changed_at is None or now - self._changed_at < self._settle_s or not state:
            return False
        self._changed_at = None
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The files of one sync: `files` tells which ones there are now, `folder` where new ones would appear."""

    name: str
    files: Callable[[], tuple[Path, ...]]
    folder: Path
    deep: bool
    settle_s: float


class Watcher:
    """Calls `changed` with the name of a sync whose files changed and have been still for its settle time."""

    def __init__(
        self, watched: Iterable[Watched], *, clock: Clock, changed: Callable[[str], None], hints: Hints | None = None
    ) -> None:
        self._watched = tuple(watched)
        self._clock = clock
        self._changed = changed
        self._hints = hints
        self._settling = {one.name: Settling(one.settle_s) for one in self._watched}
        self._ring = asyncio.Event()
        self._hinting: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Look until cancelled; does nothing where there is nothing to look at."""
        if not self._watched:
            return
        places: tuple[tuple[Path, int], ...] = ()
        try:
            while True:
                states, here = await asyncio.to_thread(self._look)
                if self._hints is not None and (here != places or self._hinting is None):
                    places = here
                    await self._end()
                    self._begin([place for place, _ in places])
                now = self._clock.monotonic()
                for name, state in states.items():
                    if self._settling[name].seen(state, now):
                        _log.info("source.changed", sync=name)
                        self._changed(name)
                await self._rest()
        finally:
            await self._end()

    def _look(self) -> tuple[dict[str, State], tuple[tuple[Path, int], ...]]:
        """Return the state of every sync's files, and the directories to listen to with their inodes."""
        states = {one.name: look(one.files()) for one in self._watched}
        places = {place: inode for one in self._watched for place, inode in [_nearest(one.folder)]}
        return states, tuple(sorted(places.items()))

    async def _listen(self, places: Sequence[Path]) -> None:
        assert self._hints is not None
        try:
            async for _ in self._hints(places, any(one.deep for one in self._watched)):
                self._ring.set()
        except (OSError, RuntimeError) as error:  # a directory went away, or there are too many to watch
            _log.warning("source.unwatched", reason=str(error), seconds=_LOOK_S)
            self._hints = None

    async def _rest(self) -> None:
        if any(settling.restless for settling in self._settling.values()):
            await self._clock.sleep(_RESTLESS_LOOK_S)
            return
        pause_s = _LOOK_S if self._hints is None else _LOOK_WITH_HINTS_S
        waits: list[asyncio.Future[object]] = [
            asyncio.ensure_future(self._ring.wait()),
            asyncio.ensure_future(self._clock.sleep(pause_s)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._ring.clear()

    def _begin(self, places: Sequence[Path]) -> None:
        self._hinting = asyncio.get_running_loop().create_task(self._listen(places))

    async def _end(self) -> None:
        if self._hinting is not None:
            self._hinting.cancel()
            await asyncio.gather(self._hinting, return_exceptions=True)
            self._hinting = None


def system_hints() -> Hints | None:
    """Return what the operating system tells of changes through watchfiles, None where that is not installed."""
    return _watchfiles if find_spec("watchfiles") is not None else None


async def _watchfiles(places: Sequence[Path], deep: bool) -> AsyncIterator[object]:
    from watchfiles import awatch  # noqa: PLC0415 - optional

    async for changes in awatch(
        *places, watch_filter=None, step=_STEP_MS, debounce=_FIRST_STEP_TELLS_MS, rust_timeout=0, recursive=deep
    ):
        yield changes


def _nearest(folder: Path) -> tuple[Path, int]:
    """Return the folder with its inode, or the nearest one above it that is there."""
    for place in (folder, *folder.parents):
        try:
            if place.is_dir():
                return place, place.stat().st_ino
        except OSError:
            continue
    return Path("/"), 0
