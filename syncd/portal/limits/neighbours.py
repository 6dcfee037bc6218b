"""What other programs use of a method's operating time, as far as the portal's counters show it. Pure."""

from __future__ import annotations

from collections import deque

_WINDOW_S = 600.0
_REMEMBERED_S = 2 * _WINDOW_S
_SLOPE_FROM_S, _SLOPE_WITHIN_S = 15.0, 120.0
_NOISE_S = 1.0
_NOISE = 0.02
_MOST = 0.45
"""The largest part of the limit that is left to a program that was only seen to begin, however fast it begins."""


class Neighbours:
    """What others were seen to use in ten minutes, and how it grew: a program that has just begun will need more."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()
        self._first: tuple[float, float] | None = None
        self._told: tuple[tuple[float, float], float] | None = None

    def see(self, at: float, seconds: float, own_s: float) -> None:
        """Note what others had used at `at`, when our own sum was `own_s`. Small amounts are errors of that sum."""
        while self._seen and not at - _REMEMBERED_S <= self._seen[0][0] <= at:
            self._seen.popleft()
        seen = (at, seconds if seconds > max(_NOISE_S, _NOISE * own_s) else 0.0)
        self._first = self._first or seen
        self._seen.append(seen)
        self._told = None

    @property
    def latest_s(self) -> float:
        """The seconds that others had used when they were last seen."""
        return self._seen[-1][1] if self._seen else 0.0

    def need_s(self, at: float, limit_s: float) -> float:
        """Return the seconds that others will need in ten minutes: the most they used lately, or are about to use."""
        # Asked for every job of a batch that is being filled, all at one moment.
        if self._told is None or self._told[0] != (at, limit_s):
            self._told = ((at, limit_s), self._reckoned(at, limit_s))
        return self._told[1]

    def _reckoned(self, at: float, limit_s: float) -> float:
        lately = [(when, seconds) for when, seconds in self._seen if at - _REMEMBERED_S <= when]
        if not lately:
            return 0.0
        latest, used_s = lately[-1]
        before = [one for one in lately if _SLOPE_FROM_S <= latest - one[0] <= _SLOPE_WITHIN_S] or [
            one for one in lately[:-1] if latest - one[0] >= _SLOPE_FROM_S
        ][-1:]
        growing_s = 0.0
        if before:
            grown_s = used_s - before[0][1]
            growing_s = min(_MOST * limit_s, grown_s / (latest - before[0][0]) * _WINDOW_S)
        return max(growing_s, *(self._since_first(*one) for one in lately))

    def _since_first(self, when: float, seconds: float) -> float:
        """Return what others are known to have used. What was there at first may come from our own previous process."""
        if self._first is not None and when < self._first[0] + _WINDOW_S:
            return max(0.0, seconds - self._first[1])
        return max(0.0, seconds)
