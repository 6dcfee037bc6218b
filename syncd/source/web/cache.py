"""Keeps files in a directory beside the state for the next process: fetched feeds, so that one-shot runs can be
answered with a 304, and what was worked out from them.

They hold schedules in plain text, so only syncd's own user may read them.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection
from pathlib import Path


class DirectoryCache:
    """A FeedCache of one file per name; one that is not `writable` returns what was kept, and keeps nothing."""

    def __init__(self, directory: Path, *, writable: bool) -> None:
        self._directory = directory
        self._writable = writable

    @property
    def writable(self) -> bool:
        """Whether anything is kept."""
        return self._writable

    def load(self, name: str) -> bytes | None:
        """Return what was kept under `name`, or None if there is nothing or it cannot be read.

        A file into which other users may have written is passed over: what is kept counts as read from the source.
        """
        try:
            # Without waiting, or a pipe that nobody writes to would hold the reading for ever.
            number = os.open(self._directory / name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(number, "rb") as file:
                return file.read() if _is_own(os.fstat(number), self._directory.stat()) else None
        except OSError:
            return None

    def keep_only(self, names: Collection[str]) -> None:
        """Delete what is kept under other names, and what a process that was killed left half written."""
        if not self._writable:
            return
        try:
            found = list(self._directory.iterdir())
        except OSError:
            return
        for file in found:
            if file.name not in names and not file.name.endswith(f".{os.getpid()}"):
                with contextlib.suppress(OSError):  # a folder, say, must not keep the schedules behind it
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


def _is_own(file: os.stat_result, directory: os.stat_result) -> bool:
    """Return True if only we, or whose directory it is, can have written a file (root reads for others, too)."""
    is_ours = file.st_uid in (os.geteuid(), directory.st_uid)
    return stat.S_ISREG(file.st_mode) and is_ours and not file.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
