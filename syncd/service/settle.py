"""Files of a source that changed, and have been still since: what tells when a pass may begin. No IO but looking.

still -> changed (somebody writes) -> still for `settle_s` -> due, once
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

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
