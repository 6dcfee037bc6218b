"""The days a pass looks at: what lies outside is neither created nor removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Days from `first` to `last`, both inclusive; None means unbounded on that side.

    Raises ValueError when `last` lies before `first`.
    """

    first: date | None
    last: date | None

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None and self.last < self.first:
            raise ValueError("a window ends on or after the day it begins")

    def touches(self, first: date, last: date | None) -> bool:
        """Say whether anything from `first` to `last` (inclusive; None = without end) falls into the window."""
        begins_in_time = self.last is None or first <= self.last
        ends_in_time = self.first is None or last is None or last >= self.first
        return begins_in_time and ends_in_time
