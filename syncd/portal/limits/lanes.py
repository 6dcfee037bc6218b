"""How many requests may be in flight: one until the portal has answered, then all while it answers as fast as alone.

Pure. Operating time counts durations, so lanes that only make the portal slower cost budget and gain nothing.
"""

from __future__ import annotations

_SLOWED = 1.5
_SMOOTHING = 0.3
_GROW_AFTER = 1
_HOLD_AFTER_FAILURE = 3
_HOLD = 10
_LONGEST_HOLD = 160
_HOLD_AFTER_REFUSAL = 30


class LaneControl:
    """Requests in flight and how many are allowed, at most `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.allowed = 1
        self.in_flight = 0
        self._slowdown = 1.0
        self._good = 0
        self._wait = _GROW_AFTER
        self._hold = _HOLD
        self._troubled = False

    @property
    def free(self) -> int:
        """How many more requests may go out now."""
        return max(0, self.allowed - self.in_flight)

    @property
    def likely(self) -> int:
        """How many lanes to forecast with: all, unless there was trouble."""
        return self.allowed if self._troubled else self.most

    def answered(self, slowdown: float | None) -> None:
        """Take in an answer; `slowdown` is its server time over that of the same commands alone, None if unknown."""
        if slowdown is not None:
            self._slowdown += _SMOOTHING * (slowdown - self._slowdown)
        self._good += 1
        if self.allowed > 1 and self._slowdown > _SLOWED:
            self._restrict(self.allowed - 1, self._hold)
            self._hold = min(2 * self._hold, _LONGEST_HOLD)
        elif self.allowed < self.most and self._good >= self._wait:
            # Without any sign of trouble all lanes open at once: a short push is over before they came one by one.
            self.allowed = self.allowed + 1 if self._troubled else self.most
            self._good, self._wait, self._slowdown = 0, _GROW_AFTER, 1.0
        elif self._good >= 2 * _LONGEST_HOLD:
            self._hold = _HOLD

    def refused(self) -> None:
        """Take in a refusal for too many requests: one lane until it has worked for a while."""
        self._restrict(1, _HOLD_AFTER_REFUSAL)

    def failed(self) -> None:
        """Take in a request without an answer: one lane until answers come again."""
        self._restrict(1, _HOLD_AFTER_FAILURE)

    def _restrict(self, allowed: int, wait: int) -> None:
        self.allowed = max(1, allowed)
        self._troubled = True
        self._good, self._wait, self._slowdown = 0, wait, 1.0
