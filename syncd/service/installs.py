"""How many installations of an application are examined: anybody may send one, and each costs a call.

Pure. A genuine installation comes once, from the portal. So a visitor who sends many uses up only a small share, and
what there is for all is used up only by many visitors at many addresses. `syncd portal authorize` needs none of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_EACH_EVERY_S, _EACH_AT_ONCE = 10.0, 2
_ALL_EVERY_S, _ALL_AT_ONCE = 5.0, 12
_MOST_VISITORS = 256
_TOLD_EVERY_S = 600.0


@dataclass(slots=True)
class _Share:
    """A token bucket: `at_once` are allowed at first, and one more every `every_s` seconds."""

    every_s: float
    at_once: int
    left: float
    at: float

    def ready(self, now: float) -> bool:
        self.left = min(float(self.at_once), self.left + (now - self.at) / self.every_s)
        self.at = now
        return self.left >= 1


@dataclass(slots=True)
class Installs:
    """Admits installations by where they come from. `now` is monotonic time."""

    _all: _Share | None = None
    _each: dict[str, _Share] = field(default_factory=dict)
    _told_at: float | None = None

    def admits(self, visitor: str, now: float) -> bool:
        """Return True, and count it, if the installation that `visitor` sends is to be examined."""
        whole = self._all = self._all or _Share(_ALL_EVERY_S, _ALL_AT_ONCE, _ALL_AT_ONCE, now)
        share = self._each.pop(visitor, None) or _Share(_EACH_EVERY_S, _EACH_AT_ONCE, _EACH_AT_ONCE, now)
        self._each[visitor] = share
        if len(self._each) > _MOST_VISITORS:
            self._each.pop(next(iter(self._each)))
        if not share.ready(now) or not whole.ready(now):
            return False
        share.left -= 1
        whole.left -= 1
        return True

    def tells(self, now: float) -> bool:
        """Return True if a refusal is to be logged: only now and then, or one visitor could fill the log."""
        if self._told_at is not None and now - self._told_at < _TOLD_EVERY_S:
            return False
        self._told_at = now
        return True
