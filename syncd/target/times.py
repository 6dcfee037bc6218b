"""The time of a single occurrence in the portal's terms (PORTAL.md 4.1, 4.6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from syncd.errors import EntryError
from syncd.model import zones
from syncd.model.entry import AllDay, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When something is, as `EventFields` says it: `start`, `end`, `all_day` and both zones.

    `first` and `last` are the days it touches, also as ISO dates; `shown` is its start with its offset, for people and
    for sorting.
    """

    start: str
    end: str
    all_day: bool
    zone_from: str
    zone_to: str
    first: date
    last: date
    starts_on: str
    ends_on: str
    shown: str


def times_of(span: Span) -> Times:
    """Return the times of `span`; raises EntryError when the portal cannot hold them."""
    if isinstance(span, AllDay):
        return _days(span.first, span.end)
    return _clocks(span.start, span.end, span.zone, span.end_zone)


# In a timetable many entries are at the same time, and what the portal gets for it depends on nothing else.
@lru_cache(maxsize=4096)
def _days(first: date, end: date) -> Times:
    last = end - timedelta(days=1)  # the portal's last day is inclusive (PORTAL.md 4.6)
    starts_on, ends_on = first.isoformat(), last.isoformat()
    return Times(
        start=starts_on,
        end=ends_on,
        all_day=True,
        zone_from="",
        zone_to="",
        first=first,
        last=last,
        starts_on=starts_on,
        ends_on=ends_on,
        shown=starts_on,
    )


@lru_cache(maxsize=32_768)
def _clocks(start: datetime, end: datetime, zone: str, end_zone: str) -> Times:
    try:
        zone_from, zone_to = zones.canonical(zone), zones.canonical(end_zone)
    except LookupError as error:
        raise EntryError(
            f"the portal knows no time zone like {error.args[0]!r}", "name an IANA zone such as Europe/Berlin"
        ) from None
    # The portal rounds seconds in many paths (PORTAL.md 4.1), so none are sent; nor can it be told which reading of a
    # repeated hour is meant.
    start, end = start.replace(second=0, microsecond=0, fold=0), end.replace(second=0, microsecond=0, fold=0)
    begins = start.replace(tzinfo=ZoneInfo(zone_from))
    if end.replace(tzinfo=ZoneInfo(zone_to)) < begins:
        raise EntryError("the end is before the start")
    first, last = start.date(), end.date()
    return Times(
        start=start.isoformat(),
        end=end.isoformat(),
        all_day=False,
        zone_from=zone_from,
        zone_to=zone_to,
        first=first,
        last=last,
        starts_on=first.isoformat(),
        ends_on=last.isoformat(),
        shown=begins.isoformat(),
    )
