"""The window and the day that an entry is compiled for, and how far they may move before the result changes."""

from __future__ import annotations

from datetime import date, timedelta

from syncd.model.entry import Window

_DAY = timedelta(days=1)
Facts = tuple[date | None, date | None, date, bool, tuple[date, date], tuple[date, date]]
"""The window, the day, whether the day counts, and between which days the window's first and last one may lie."""


class Conditions:
    """Answers what a compilation asks, and remembers for which other windows and days the answers are the same."""

    __slots__ = ("_day_counts", "_first", "_last", "_today", "_window", "last_year", "this_year")

    def __init__(self, window: Window, today: date) -> None:
        self._window = window
        self._today = today
        self._day_counts = False
        self._first = (date.min, date.max)
        self._last = (date.min, date.max)
        self.this_year, self.last_year = _years(window, today)

    @property
    def facts(self) -> Facts:
        """All of it as plain values, for `of_facts`."""
        window = self._window
        return (window.first, window.last, self._today, self._day_counts, self._first, self._last)

    @classmethod
    def of_facts(cls, facts: Facts) -> Conditions:
        """Return the conditions that had these `facts`."""
        first, last, today, day_counts, first_bounds, last_bounds = facts
        found = cls(Window(first=first, last=last), today)
        found._day_counts, found._first, found._last = day_counts, first_bounds, last_bounds
        return found

    @property
    def today(self) -> date:
        """Today. A caller that needs more than its year makes the result depend on the day."""
        self._day_counts = True
        return self._today

    def touches(self, first: date, last: date | None) -> bool:
        """Answer as Window.touches."""
        window = self._window
        if window.first is not None and last is not None:
            low, high = self._first
            self._first = (low, min(high, last)) if window.first <= last else (max(low, last + _DAY), high)
        if window.last is not None:
            low, high = self._last
            self._last = (max(low, first), high) if first <= window.last else (low, min(high, first - _DAY))
        return window.touches(first, last)

    def hold(self, window: Window, today: date) -> bool:
        """Return True if every question would have been answered alike for `window` on the day `today`."""
        return (
            (self.this_year, self.last_year) == _years(window, today)
            and (not self._day_counts or today == self._today)
            and _within(self._window.first, window.first, self._first)
            and _within(self._window.last, window.last, self._last)
        )


def _within(asked: date | None, other: date | None, bounds: tuple[date, date]) -> bool:
    if asked is None or other is None:
        return asked is other
    return bounds[0] <= other <= bounds[1]


def _years(window: Window, today: date) -> tuple[int, int]:
    """Return the years that decide how far a series is followed: today's, and that of the window's end."""
    return today.year, date.max.year if window.last is None else window.last.year
