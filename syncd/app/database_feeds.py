"""What sources fetched, kept in the database that holds the ledger: whoever takes a portal over finds it there."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from syncd.errors import StateError
from syncd.state.base import KeepsFeeds
from syncd.state.ledger import Ledger

LARGEST_FEED: Final = 32 * 1024 * 1024
"""How many bytes of one feed are kept: a larger one is downloaded again by whoever takes its sync over."""


class DatabaseFeeds:
    """A FeedCache in the ledger's database; keeps and knows nothing before `bind`, nor with a ledger in a file."""

    def __init__(self, *, writable: bool) -> None:
        self._writable = writable
        self._store: KeepsFeeds | None = None

    def bind(self, ledger: Ledger) -> None:
        """Let it keep feeds where `ledger` is."""
        self._store = ledger.thread if isinstance(ledger.thread, KeepsFeeds) else None

    def load(self, name: str) -> bytes | None:
        """Return what was kept under `name`, or None if there is nothing or the database does not tell."""
        if self._store is not None:
            with suppress(StateError):
                return self._store.kept_feed(name)
        return None

    def save(self, name: str, content: bytes) -> None:
        """Keep `content`, if it is not too large and the database takes it."""
        if self._store is not None and self._writable and len(content) <= LARGEST_FEED:
            with suppress(StateError):
                self._store.keep_feed(name, content)
