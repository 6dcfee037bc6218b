"""A Google source of the test server, and what its snapshots say in short."""

from __future__ import annotations

from pathlib import Path

from syncd.model.entry import AllDay, Snapshot, Timed
from syncd.source import open_source
from syncd.source.base import FeedCache
from syncd.source.google.google_source import GoogleSource
from tests.source.google.server import FakeGoogle
from tests.source.web.serving import QuickClock

ANNA, BORIS = "anna@example.com", "boris@example.com"


def opened(
    google: FakeGoogle, folder: Path = Path(), *, clock: QuickClock | None = None, **keys: object
) -> GoogleSource:
    """Return a source that the service account reads, unless the keys say otherwise."""
    login = {} if {"token", "key"} & keys.keys() else {"key": google.key()}
    given = {"type": "google", "url": google.api, "calendars": [ANNA], **login, **keys}
    source = open_source(given, folder, where="test", clock=clock or QuickClock())
    assert isinstance(source, GoogleSource)
    return source


def starts(snapshot: Snapshot) -> dict[str, str]:
    """Return the start of each entry by its title."""
    return {
        entry.details.title: (entry.span.first if isinstance(entry.span, AllDay) else entry.span.start).isoformat()
        for entry in snapshot.entries
    }


def timed(snapshot: Snapshot, at: int = 0) -> Timed:
    """Return the span of an entry that has times."""
    span = snapshot.entries[at].span
    assert isinstance(span, Timed)
    return span


class MemoryCache(FeedCache):
    """What is kept between processes; `saved` is how often."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.saved = 0

    def load(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def save(self, name: str, content: bytes) -> None:
        self.kept[name] = content
        self.saved += 1
