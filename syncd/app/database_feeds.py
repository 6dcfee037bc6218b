"""What sources fetched, kept in the ledger's database, where a machine that takes a portal over finds it."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from syncd.errors import StateError
from syncd.state.base import KeepsFeeds
from syncd.state.ledger import Ledger

LARGEST_FEED: Final = 32 * 1024 * 1024
"""The largest feed that is kept, in bytes. A larger one is downloaded again by the machine that takes its sync over."""


class DatabaseFeeds:
    """A FeedCache in the ledger's database. It keeps nothing before `bind`, nor for a ledger in a file."""

    def __init__(self, *, writable: bool) -> None:
        self._writable = writable
        self._store: KeepsFeeds | None = None

    def bind(self, ledger: Ledger) -> None:
        """Keep feeds in the database of `ledger` from now on."""
        self._store = ledger.thread if isinstance(ledger.thread, KeepsFeeds) else None

    def load(self, name: str) -> bytes | None:
        """Return what was kept under `name`; None if there is nothing or the database does not answer."""
        if self._store is not None:
            with suppress(StateError):
                return self._store.kept_feed(name)
        return None

    def save(self, name: str, content: bytes) -> None:
        """Keep `content`, unless it is too large or the database refuses it."""
        if self._store is not None and self._writable and len(content) <= LARGEST_FEED:
            with suppress(StateError):
                self._store.keep_feed(name, content)
