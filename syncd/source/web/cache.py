"""What was fetched last, kept in a directory beside the state, so that one-shot runs profit from a 304 as well.

It holds schedules in plain text, so only syncd's own user may read it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class DirectoryCache:
    """A FeedCache of one file per name; one that is not `writable` only gives what others kept."""

    def __init__(self, directory: Path, *, writable: bool) -> None:
        self._directory = directory
        self._writable = writable

    def load(self, name: str) -> bytes | None:
        """Return what was kept under `name`, or None."""
        try:
            return self._directory.joinpath(name).read_bytes()
        except OSError:
            return None

    def save(self, name: str, content: bytes) -> None:
        """Keep `content`; a disk that does not take it costs a download next time and nothing else."""
        if not self._writable:
            return
        temporary = self._directory / f".{name}.{os.getpid()}"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
            temporary.replace(self._directory / name)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
