"""The dates of an event as the portal stores them, and its recurrence rule as the portal reads it (PORTAL.md 4.13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FOREVER = date(2038, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule as read: INTERVAL and COUNT above 0, BYDAY for WEEKLY only and never empty there, UNTIL always set.

    `freq` is what was stored: besides the four that work also HOURLY, which every reader crashes on (trap 17).
    """

    freq: str
    interval: int
    byday: tuple[str, ...]
    count: int | None
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The columns of one saved event: naive wall clocks, unix times and seconds.

    `from_ts` and `to_ts` carry the shift of PORTAL.md 4.6; for a series `to_ts` is its end. All-day rows have
    midnights, an inclusive `date_to`, and neither zones nor offsets. `rrule` is the stored text, "" without recurrence.
    """

    date_from: datetime
    date_to: datetime
    tz_from: str | None
    tz_to: str | None
    tz_offset_from: int | None
    tz_offset_to: int | None
    from_ts: int
    to_ts: int
    length: int
    skip_time: bool
    rrule: str
    rule: Rule | None
    exdates: tuple[date, ...]
