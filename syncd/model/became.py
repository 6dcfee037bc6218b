"""What a series became in the portal, as a plan keeps it: it may hold 100,000 of them at once."""

from __future__ import annotations

from typing import NamedTuple


class Became(NamedTuple):
    """The rules of a series, and how many things it has and became; `recurrence.summary.told_of` says it in words.

    `alone` is True if each occurrence became an item of its own, whatever the rules are.
    """

    rules: tuple[str, ...]
    further_dates: int
    exceptions: int
    series: int
    events: int
    alone: bool = False
