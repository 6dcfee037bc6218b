"""What a source is to the rest of syncd: something that can be read into a snapshot.

A source turns bytes into entries and nothing else; it never writes, and it never calls a snapshot complete that is not
proved to be.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from syncd.model.entry import Snapshot, Window

if TYPE_CHECKING:
    from syncd.portal.client import Portal


class FeedCache(Protocol):
    """Where a source may keep what it fetched, so that the next process need not fetch it again.

    Both methods block. What is kept may be lost at any time, and nothing may depend on it.
    """

    def load(self, name: str) -> bytes | None:
        """Return what was kept under `name` (letters and digits), or None."""
        ...

    def save(self, name: str, content: bytes) -> None:
        """Keep `content` under `name`, instead of what was there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadContext:
    """What a source may know of the pass it reads for; `cache`, where there is one, outlives the process.

    `zone` is the sync's `timezone` for times without one (any spelling `zones.resolve` takes). With `moments` a time
    without an end is a moment, not that whole day: what the entries become has a deadline rather than a length.
    `window` and `today` are for sources that ask a server for a span of days; a file is always read whole.
    """

    zone: str | None
    window: Window
    today: date
    cache: FeedCache | None = None
    moments: bool = False


class Source(Protocol):
    """One schedule that can be read again and again."""

    async def read(self, context: ReadContext) -> Snapshot:
        """Read everything there is now.

        Raises SourceError only when nothing can be read at all; otherwise what could be read comes back, incomplete
        with its reason when absence may not be trusted. Blocking work never runs in the event loop.
        """
        ...

    def describe(self) -> str:
        """Name the source in a few words for logs and `check`; never holds a secret."""
        ...


class SourceFactory(Protocol):
    """What an entry point of the group `syncd.sources` loads.

    A factory that has a parameter `clock` besides is given the process's `syncd.clock.Clock` as keyword argument, for
    sources that wait or measure time.
    """

    def __call__(self, options: Mapping[str, object], base: Path, *, where: str) -> Source:
        """Make a source from `[sync.source]`; relative paths start at `base`.

        Raises ConfigError, its message beginning with `where`, for anything in `options` it cannot use.
        """
        ...


@runtime_checkable
class FileBacked(Protocol):
    """A source of files on this machine; the daemon reads it again when they change."""

    def files(self) -> tuple[Path, ...]:
        """Return the files a reading would take now, () when there are none; blocking."""
        ...

    def folder(self) -> tuple[Path, bool]:
        """Return the directory in which its files are, or appear, and whether they may lie deeper in it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnEvents:
    """What syncd writes in a portal: the events it is linked to, the sections they stand in, and those it will use.

    `names` are calendar type and section label (folded name or id) of every sync that writes there.
    """

    events: frozenset[int]
    sections: frozenset[int]
    names: frozenset[tuple[str, str]]


@runtime_checkable
class PortalBacked(Protocol):
    """A source that reads a portal of the config; the app gives it that portal before the first reading."""

    @property
    def portal(self) -> str:
        """Name of the portal to read from."""
        ...

    @property
    def where(self) -> str:
        """Place in the config, for messages."""
        ...

    def bind(self, portal: Portal, written: Callable[[], Awaitable[OwnEvents]]) -> None:
        """Give the source its portal, and what tells before each reading what syncd itself writes there."""
        ...
