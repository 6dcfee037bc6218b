"""A calendar event as the portal keeps it, in canonical form: what is compared, remembered and sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from syncd.model.item import Fields, Json
from syncd.model.rule import NativeRule

Accessibility = Literal["busy", "quest", "free", "absent"]
Importance = Literal["high", "normal", "low"]
_REACH_DAYS = 366 * 100  # the portal's series end in 2038 anyway (PORTAL.md 4.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """Who is invited: user ids in ascending order, the host among them, and the host (PORTAL.md 4.2, 4.3)."""

    attendees: tuple[int, ...]
    host: int


class EventFields(msgspec.Struct, frozen=True, kw_only=True):
    """Every field of calendar.event.add that syncd writes.

    `start` and `end` are ISO wall clocks ("2026-12-01T09:00:00") in `zone_from` and `zone_to`, or, with `all_day`, the
    first and the last day (inclusive; PORTAL.md 4.6) without zones. `color` "" leaves the section's colour; `remind`
    is in minutes before the start; `mark` is the recovery mark or "".
    """

    name: str
    start: str
    end: str
    all_day: bool
    zone_from: str = ""
    zone_to: str = ""
    rule: NativeRule | None = None
    description: str = ""
    location: str = ""
    color: str = ""
    accessibility: Accessibility = "busy"
    importance: Importance = "normal"
    private: bool = False
    remind: tuple[int, ...] = ()
    meeting: Meeting | None = None
    crm: tuple[str, ...] = ()
    mark: str = ""


def to_fields(event: EventFields) -> Fields:
    """Return `event` as canonical JSON values."""
    fields: Mapping[str, Json] = msgspec.to_builtins(event)
    return fields


def from_fields(fields: Fields) -> EventFields:
    """Return the event that `to_fields` wrote; raises msgspec.ValidationError for anything else."""
    return msgspec.convert(fields, EventFields)


def wall(text: str) -> datetime:
    """Return the naive wall clock (midnight for a date) that a `start` or `end` names."""
    return datetime.fromisoformat(text)


def days_of(event: EventFields) -> tuple[date, date | None]:
    """Return the first and the last day the event touches, the last None for a series without an end.

    For a series that ends by COUNT the last day is an upper bound: it only places the item against the window.
    """
    start, end = wall(event.start), wall(event.end)
    length = end.date() - start.date()
    rule = event.rule
    if rule is None:
        return start.date(), end.date()
    if rule.until is not None:
        return start.date(), rule.until + length + timedelta(days=1)
    if rule.count is None:
        return start.date(), None
    longest_step = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}[rule.freq]
    days = min(longest_step * rule.interval * rule.count, _REACH_DAYS)
    return start.date(), start.date() + timedelta(days=days) + length
