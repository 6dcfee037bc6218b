"""The interface of sources, for syncd and for plugins: a source can be read into a snapshot.

A source turns bytes into entries and nothing else. It never writes, and it calls a snapshot complete only if everything
proves that it is: what is missing from a complete snapshot is deleted in the portal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from syncd.model.entry import Entry, Snapshot, Window
from syncd.model.filter import NO_FILTER, Filter
from syncd.source.shelf import Shelf

if TYPE_CHECKING:
    from syncd.portal.reader import PageReader


class FeedCache(Protocol):
    """Where a source may keep what it fetched, so that the next process need not fetch it again.

    Both methods block. What is kept may be lost at any time; a source must work without it.
    """

    def load(self, name: str) -> bytes | None:
        """Return what was kept under `name` (letters and digits), or None if there is nothing."""
        ...

    def save(self, name: str, content: bytes) -> None:
        """Keep `content` under `name` in place of what was there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadContext:
    """What a source may know of the pass that it reads for; `cache`, if there is one, outlives the process.

    `zone` is the sync's `timezone` for times without one (any spelling `zones.resolve` takes). `window` and `today` are
    for sources that ask a server for a span of days; a file is always read whole. `filter` is the sync's. The
    pass applies it to entries; a source needs it only to leave out what is no entry, such as the totals below a table.
    With `whole` a source that asks its server for changes only asks for everything, as if it had read nothing before.
    On the `shelf`, if there is one, it may keep what it has parsed; with `whole` nothing is taken from there.
    """

    zone: str | None
    window: Window
    today: date
    cache: FeedCache | None = None
    filter: Filter = NO_FILTER
    whole: bool = False
    shelf: Shelf | None = None


class Source(Protocol):
    """One schedule, which can be read many times."""

    async def read(self, context: ReadContext) -> Snapshot:
        """Return everything that the schedule holds now.

        Raises SourceError only if nothing can be read at all. Otherwise the snapshot holds what could be read, and is
        incomplete, with the reason, if absence cannot be trusted. Blocking work must not run in the event loop.
        """
        ...

    def describe(self) -> str:
        """Return a short name of the source for logs and `check`; it never holds a secret."""
        ...


EntryStream = Generator[Entry, None, Snapshot]
"""Yields the entries of a source as they are parsed, and returns the snapshot, which reads them again. It blocks.

Raises SourceError, at any time, if nothing can be read at all.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a source returned when it was asked, before any of it is parsed.

    `marker` is the `changed_marker` that the snapshot will have, "" if only parsing tells. `parsed` returns that
    snapshot; it raises SourceError like `Source.read`. A source that can parse without keeping all entries has
    `streamed` besides, which may be called before `parsed` and any number of times.
    """

    marker: str
    parsed: Callable[[], Awaitable[Snapshot]]
    streamed: Callable[[], EntryStream] | None = None


@runtime_checkable
class Fetching(Protocol):
    """A source that can tell from the bytes alone whether anything has changed, so that they need not be parsed."""

    async def fetch(self, context: ReadContext) -> Fetched:
        """Return what the schedule holds now, unparsed; raises SourceError if nothing can be read at all.

        Equal markers promise equal snapshots, in another process too as long as the program is the same.
        """
        ...


class SourceFactory(Protocol):
    """What an entry point of the group `syncd.sources` loads.

    A factory that has a parameter `clock` besides is given the process's `syncd.clock.Clock` as keyword argument, for
    sources that wait or measure time.
    """

    def __call__(self, options: Mapping[str, object], base: Path, *, where: str) -> Source:
        """Return a source from `[sync.source]`; relative paths start at `base`.

        Raises ConfigError, its message beginning with `where`, for anything in `options` that it cannot use.
        """
        ...


@runtime_checkable
class FileBacked(Protocol):
    """A source of files on this machine. The daemon reads it again when they change."""

    def files(self) -> tuple[Path, ...]:
        """Return the files that a reading would take now, () if there are none. Blocking."""
        ...

    # Files that do not exist yet are watched for by their directory.
    def folder(self) -> tuple[Path, bool]:
        """Return the directory in which its files are or would appear, and whether they may be in subdirectories."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnEvents:
    """What syncd itself writes in a portal: the events that are linked, their sections, and the sections of its syncs.

    `names` are the calendar type and the section label (case-folded name or id) of every sync that writes there.
    """

    events: frozenset[int]
    sections: frozenset[int]
    names: frozenset[tuple[str, str]]


@runtime_checkable
class PortalBacked(Protocol):
    """A source that reads a portal of the config. The app gives it that portal before the first reading."""

    @property
    def portal(self) -> str:
        """Name in the config of the portal to read from."""
        ...

    @property
    def where(self) -> str:
        """The source's place in the config, for messages."""
        ...

    def bind(self, portal: PageReader, written: Callable[[], Awaitable[OwnEvents]]) -> None:
        """Give the source its portal, and a function that returns what syncd writes there at the time of the call.

        It is a call because the ledger changes between readings, and only a source that reads a portal needs it.
        """
        ...
