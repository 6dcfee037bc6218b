"""Property values to times, spans and reminders. Every reader raises ValueError with what is wrong with the value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from syncd.model.entry import AllDay, Moment, Reminder, Span, Timed
from syncd.source.field_values import (
    FIRST_YEAR,
    FIRST_YEAR_OF_SERIES,
    after,
    all_day_span,
    instant,
    iso_length,
    timed_span,
)
from syncd.source.ical.lines import Component, Property
from syncd.source.ical.vtimezone import FeedZones

_STAMP = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})(Z)?)?", re.IGNORECASE)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A date (`zone` is None) or a wall clock in an IANA zone."""

    wall: datetime
    zone: str | None

    def moment(self) -> Moment:
        """Return the name of the occurrence at this time."""
        return Moment(wall=self.wall, zone=self.zone)


def read_when(prop: Property, zones: FeedZones) -> When:
    """Return the time of a DATE or DATE-TIME with its TZID."""
    return _when(prop.value.strip(), prop, zones)


def read_list(prop: Property, zones: FeedZones) -> Iterator[When]:
    """Yield the times of a list of DATEs or DATE-TIMEs."""
    for text in filter(None, (item.strip() for item in prop.value.split(","))):
        yield _when(text, prop, zones)


def read_length(text: str) -> timedelta:
    """Return the length of a signed DURATION."""
    stripped = text.strip()
    length = iso_length(stripped.lstrip("+-"))
    if length is None:
        raise ValueError(f"{text!r} is not a duration (PT1H30M, P1D)")
    return -length if stripped.startswith("-") else length


def read_span(component: Component, zones: FeedZones, *, series: bool) -> Span:
    """Return the span of DTSTART with DTEND or DURATION; without either a date is one day and a time a moment."""
    first_year = FIRST_YEAR_OF_SERIES if series else FIRST_YEAR
    begin = component.first("DTSTART")
    if begin is None:
        raise ValueError("there is no DTSTART")
    start = read_when(begin, zones)
    end = component.first("DTEND")
    length = component.first("DURATION")
    if start.zone is None:
        last = _all_day_end(start, end, length, zones)
        return all_day_span(start.wall.date(), last, first_year=first_year)
    if end is not None:
        finish = read_when(end, zones)
        if finish.zone is None:
            raise ValueError("DTSTART has a time and DTEND has none")
        timed = timed_span(start.wall, finish.wall, start.zone, finish.zone, first_year=first_year)
        return _outlook_all_day(component, timed, zones) or timed
    if length is not None:
        size = read_length(length.value)
        if size < timedelta(0):
            raise ValueError(f"DURATION {length.value} is negative")
        return timed_span(
            start.wall, after(start.wall, size, start.zone), start.zone, start.zone, first_year=first_year
        )
    return timed_span(start.wall, start.wall, start.zone, start.zone, first_year=first_year)


def read_rdates(prop: Property, main: Span, zones: FeedZones) -> Iterator[Span]:
    """Yield the spans of an RDATE; without an end they are as long as the series' first occurrence."""
    for text in filter(None, (item.strip() for item in prop.value.split(","))):
        first, slash, last = text.partition("/")
        start = _when(first, prop, zones)
        # Some programs write RDATE as bare dates in a series with times: the time is that of the series.
        if start.zone is None and isinstance(main, Timed):
            start = When(wall=datetime.combine(start.wall, main.start.time()), zone=main.zone)
        if start.zone is None:
            days = main.days if isinstance(main, AllDay) else 1
            yield all_day_span(start.wall.date(), start.wall.date() + days * _DAY)
        elif slash:
            yield _period(start.wall, start.zone, last, prop, zones)
        elif isinstance(main, AllDay):
            raise ValueError(f"RDATE {text} has a time, the series has none")
        else:
            yield moved(main, start.wall, start.zone)


def moved(main: Timed, start: datetime, zone: str) -> Timed:
    """Return a span as long as `main` that starts at another wall clock."""
    if main.zone == main.end_zone:
        return timed_span(start, start + (main.end - main.start), zone, zone)
    return timed_span(start, after(start, _length(main), zone), zone, zone)


def read_reminders(component: Component, main: Span, zones: FeedZones) -> tuple[tuple[Reminder, ...] | None, list[str]]:
    """Return the alarms as reminders before the start, None if there is no alarm at all, and warnings."""
    alarms = [nested for nested in component.nested if nested.kind == "VALARM"]
    if not alarms:
        return None, []
    found: set[timedelta] = set()
    passed: list[str] = []
    for alarm in alarms:
        trigger = alarm.first("TRIGGER")
        if trigger is None or alarm.text("ACTION").upper() == "NONE":
            continue
        try:
            # A reminder that cannot be read is lost with a warning; the event itself is right without it.
            before = _before(trigger, main, zones)
        except ValueError as error:
            passed.append(f"a reminder is left out: {error}")
            continue
        if before < timedelta(0):
            passed.append(f"a reminder is left out: {trigger.value} comes after the start")
        else:
            found.add(before)
    return tuple(Reminder(before=before) for before in sorted(found)), passed


def _when(text: str, prop: Property, zones: FeedZones) -> When:
    found = _STAMP.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a date or time (20261231, 20261231T090000)")
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    try:
        wall = datetime(year, month, day)
    except ValueError:
        raise ValueError(f"there is no day {year:04}-{month:02}-{day:02}") from None
    if found[4] is None:
        return When(wall=wall, zone=None)
    hour, minute, second = int(found[4]), int(found[5]), min(int(found[6]), 59)  # a leap second is 60
    if hour > 23 or minute > 59 or int(found[6]) > 60:
        raise ValueError(f"there is no time {hour:02}:{minute:02}:{found[6]}")
    wall = datetime.combine(wall, time(hour, minute, second))
    if prop.params.get("VALUE", "").upper() == "DATE":
        if wall.time() != time(0):
            raise ValueError(f"{text} has a time and is marked as a date")
        return When(wall=wall, zone=None)
    return When(wall=wall, zone="UTC" if found[7] else zones.find(prop.params.get("TZID")))


def _all_day_end(start: When, end: Property | None, length: Property | None, zones: FeedZones) -> date:
    """Return the exclusive end of whole days. Some programs write a DTEND on the first day and mean one day."""
    first = start.wall.date()
    if end is not None:
        finish = read_when(end, zones)
        if finish.zone is not None and finish.wall.time() != time(0):
            raise ValueError("DTSTART is a date and DTEND has a time")
        last = finish.wall.date()
        # RFC 5545, 3.6.1: DTEND is exclusive, so an equal one would be no day at all.
        return first + _DAY if last == first else last
    if length is None:
        return first + _DAY
    size = read_length(length.value)
    if size % _DAY or size < timedelta(0):
        raise ValueError(f"DTSTART is a date, and DURATION {length.value} is not in whole days")
    return first + max(size, _DAY)


def _outlook_all_day(component: Component, timed: Timed, zones: FeedZones) -> AllDay | None:
    """Return the days of an event from midnight to midnight that Outlook marks as whole days, else None.

    Midnight in the event's zone or in the feed's: Exchange writes the times of such events in UTC.
    """
    if component.text("X-MICROSOFT-CDO-ALLDAYEVENT").strip().upper() != "TRUE":
        return None
    for zone in (timed.zone, zones.floating):
        if zone is None:
            continue
        start, end = _moved_to(timed.start, timed.zone, zone), _moved_to(timed.end, timed.end_zone, zone)
        if start.time() == end.time() == time(0) and end > start:
            return AllDay(first=start.date(), end=end.date())
    return None


def _period(start: datetime, zone: str, text: str, prop: Property, zones: FeedZones) -> Timed:
    if text.lstrip("+-").upper().startswith("P"):
        length = read_length(text)
        if length < timedelta(0):
            raise ValueError(f"the period's length {text} is negative")
        return timed_span(start, after(start, length, zone), zone, zone)
    end = _when(text, prop, zones)
    if end.zone is None:
        raise ValueError(f"the period's end {text} has no time")
    return timed_span(start, end.wall, zone, end.zone)


def _before(trigger: Property, main: Span, zones: FeedZones) -> timedelta:
    """Return how long before the start a trigger fires; negative if it fires after it."""
    start, zone = (main.start, main.zone) if isinstance(main, Timed) else (_midnight(main.first), zones.floating)
    if trigger.params.get("VALUE", "").upper() == "DATE-TIME" or _STAMP.fullmatch(trigger.value.strip()):
        at = read_when(trigger, zones)
        if zone is None or at.zone is None:
            raise ValueError(f"{trigger.value} cannot be set against a day without a zone")
        return instant(start, zone) - instant(at.wall, at.zone)
    length = read_length(trigger.value)
    if trigger.params.get("RELATED", "").upper() == "END":
        # The portal knows reminders before the start only, so the end is counted from there.
        length += _length(main) if isinstance(main, Timed) else main.days * _DAY
    return -length


def _length(main: Timed) -> timedelta:
    return instant(main.end, main.end_zone) - instant(main.start, main.zone)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0))


def _moved_to(wall: datetime, origin: str, zone: str) -> datetime:
    return wall if origin == zone else instant(wall, origin).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
