"""The part of a recurrence rule that the portal can store (PORTAL.md 4.7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Frequency = Literal["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]
Weekday = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
WEEKDAYS: tuple[Weekday, ...] = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeRule:
    """A rule as the portal keeps it: INTERVAL always given, `until` inclusive, at most one of `count` and `until`.

    Raises ValueError for a combination that the portal would misread (PORTAL.md 4.7): WEEKLY without BYDAY, BYDAY
    elsewhere, INTERVAL or COUNT below 1, COUNT together with UNTIL.
    """

    freq: Frequency
    interval: int = 1
    byday: tuple[Weekday, ...] = ()
    count: int | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        if self.interval < 1 or (self.count is not None and self.count < 1):
            raise ValueError("INTERVAL and COUNT are at least 1")
        if (self.freq == "WEEKLY") != bool(self.byday):
            raise ValueError("BYDAY belongs to WEEKLY, and WEEKLY needs it")
        if self.count is not None and self.until is not None:
            raise ValueError("COUNT and UNTIL exclude each other")
