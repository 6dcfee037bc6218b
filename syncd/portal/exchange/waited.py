"""For how long something waited: what waits at once waits the same seconds."""

from __future__ import annotations

from collections import deque
from typing import Final

_KEPT: Final = 1_000
"""How many of the last stretches of waiting are kept apart. A later one reaches back over a few of them at most."""

Span = tuple[float, float]
"""From when to when, in monotonic time."""


class Waited:
    """The time in which at least one of many waited; `seconds` never falls."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._stretches: deque[Span] = deque(maxlen=_KEPT)

    def add(self, waited: Span) -> None:
        """Count a wait that has ended just now, as far as nothing else waited at that time."""
        since, until = waited
        while self._stretches and self._stretches[-1][1] >= since:
            begun, ended = self._stretches.pop()
            self.seconds -= ended - begun
            since, until = min(since, begun), max(until, ended)
        self._stretches.append((since, until))
        self.seconds += until - since
