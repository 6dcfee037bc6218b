"""Keeps fetched feeds in a directory beside the state, so that one-shot runs can be answered with a 304, too.

It holds schedules in plain text, so only syncd's own user may read it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path


class DirectoryCache:
    """A FeedCache of one file per name; one that is not `writable` returns what was kept, and keeps nothing."""

    def __init__(self, directory: Path, *, writable: bool) -> None:
        self._directory = directory
        self._writable = writable

    def load(self, name: str) -> bytes | None:
        """Return what was kept under `name`, or None if there is nothing or it cannot be read."""
        try:
            return self._directory.joinpath(name).read_bytes()
        except OSError:
            return None

    def keep_only(self, names: Collection[str]) -> None:
        """Delete what is kept under other names, and what a process that was killed left half written."""
        if not self._writable:
            return
        with contextlib.suppress(OSError):
            for file in self._directory.iterdir():
                if file.name not in names and not file.name.endswith(f".{os.getpid()}"):
                    file.unlink()

    def save(self, name: str, content: bytes) -> None:
        """Keep `content`, if the disk accepts it; otherwise the next process downloads it again."""
        if not self._writable:
            return
        # Written beside and renamed, so that a crash never leaves half a feed under the name.
        temporary = self._directory / f".{name}.{os.getpid()}"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The mode is set when the file is created: chmod afterwards would leave a moment for others.
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
            temporary.replace(self._directory / name)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
