"""Property values to times, spans and reminders. Every reader raises ValueError with what is wrong with the value.

a time with                       is
TZID                              on that zone's clock
Z                                 in UTC; beside a floating start it may be that start's own clock, marked by mistake
an offset (+0300)                 on the clock of a zone that has this offset then: the start's, the feed's, a fixed one
nothing                           on the clock of the start, if that has a zone, else of the feed
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from syncd.lang.saying import say
from syncd.model import zones as zone_names
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
from syncd.source.reasons import reason_of
from syncd.source.stamps import looks_like_stamp, read_stamp, utc_of

_DAY = timedelta(days=1)
_MIDNIGHT = time(0)
_MARKS = frozenset({"X-MICROSOFT-CDO-ALLDAYEVENT", "X-MICROSOFT-MSNCALENDAR-ALLDAYEVENT", "X-FUNAMBOL-ALLDAY"})
_DAY_ENDS = (time(23, 59), time(23, 59, 59))
"""How programs write the end of a whole day that they take for inclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A date (`zone` is None) or a wall clock in an IANA zone; `form` is how the source gave it, with its `tzid`."""

    wall: datetime
    zone: str | None
    form: Literal["date", "floating", "zoned", "utc"] = "date"
    tzid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What the other times of an event or series are read against: its feed's zones and the start of the series.

    With `whole_days` they name days, however they are written.
    """

    zones: FeedZones
    start: When | None = None
    whole_days: bool = False

    def moment(self, when: When) -> Moment:
        """Return the name of the occurrence at a time."""
        if self.whole_days and when.zone is not None:
            return Moment(wall=_midnight(self.day(when)), zone=None)
        return Moment(wall=when.wall, zone=when.zone)

    def day(self, when: When) -> date:
        """Return the day that a time names: that of an instant at a midnight of the event or feed, else its own.

        Outlook and Exchange write whole days as instants, at which the day begins or (23:59:59) ends somewhere.
        """
        return self.midnight(when, ends=_DAY_ENDS[1:]) or when.wall.date()

    def is_local(self, wall: datetime) -> bool:
        """Return True if a time marked as UTC is more likely on the clock of a start without a zone.

        Programs that know no zones mark local times with Z in exceptions: 08:25Z beside a start at 08:25.
        """
        start = self.start
        if start is None or start.form != "floating" or start.zone is None:
            return False
        return moved_to(wall, "UTC", start.zone).time() != start.wall.time()

    def midnight(self, when: When, *, ends: tuple[time, ...] = ()) -> date | None:
        """Return the day that begins at a time, or ends there as `ends` writes it; None if none does."""
        if when.zone is None:
            return when.wall.date()
        own = self.start.zone if self.start is not None else None
        known = (when.zone, *((own,) if own else ()), *self.zones.of_days) if when.form == "utc" else (when.zone,)
        # UTC last: what is midnight in a zone of the event is meant there.
        for zone in sorted(dict.fromkeys(known), key=lambda name: name == "UTC"):
            local = moved_to(when.wall, when.zone, zone)
            if local.time() == _MIDNIGHT or local.time() in ends:
                return local.date()
        return None


def read_when(prop: Property, home: Home) -> When:
    """Return the time of a DATE or DATE-TIME."""
    return _when(prop.value.strip(), prop, home)


def read_item(text: str, prop: Property, home: Home) -> When:
    """Return the time of one item of a list of DATEs or DATE-TIMEs."""
    return _when(text, prop, home)


def items(prop: Property) -> Iterator[str]:
    """Yield the items of a list; vCalendar 1.0 separates them by semicolons."""
    return filter(None, (item.strip() for item in prop.value.replace(";", ",").split(",")))


def read_length(text: str) -> timedelta:
    """Return the length of a signed DURATION."""
    stripped = text.strip()
    length = iso_length(stripped.lstrip("+-"))
    if length is None:
        raise ValueError(say("{text!r} is not a duration (write it like PT1H30M or P1D)", text=text))
    return -length if stripped.startswith("-") else length


def read_span(component: Component, start: When, home: Home, *, series: bool) -> Span:
    """Return the span of DTSTART with DTEND or DURATION; without either a date is one day, and a time a moment.

    So has RFC 5545, 3.6.1, unless the config gives such events a length.

    `home` is that of the event itself: its start is the `start` here.
    """
    first_year = FIRST_YEAR_OF_SERIES if series else FIRST_YEAR
    end = component.first("DTEND")
    length = component.first("DURATION")
    if start.zone is None:
        last = _all_day_end(start, end, length, home)
        return all_day_span(start.wall.date(), last, first_year=first_year)
    finish = (
        _when(end.value.strip(), end, home, exact=True)
        if end is not None
        else _end_after(start, start.zone, length, home)
    )
    if finish.zone is None:
        raise ValueError(say("DTSTART has a time and DTEND has none (give both a time, or neither)"))
    timed = timed_span(start.wall, finish.wall, start.zone, finish.zone, first_year=first_year)
    if not marks_whole_days(component):
        return timed
    return _outlook_all_day(start, finish, home) or timed


def marks_whole_days(component: Component) -> bool:
    """Return True if Outlook or a program that follows it marks the event as whole days."""
    if _MARKS.isdisjoint(component.properties):
        return False
    return any(prop.value.strip().upper() in ("TRUE", "1") for name in _MARKS for prop in component.all(name))


def _end_after(start: When, zone: str, length: Property | None, home: Home) -> When:
    size = read_length(length.value) if length is not None else home.zones.no_end
    if not size:
        return start
    if length is not None and size < timedelta(0):
        raise ValueError(say("DURATION {value} is negative", value=length.value))
    return When(wall=after(start.wall, size, zone), zone=zone, form=start.form, tzid=start.tzid)


def read_rdates(prop: Property, main: Span, home: Home) -> Iterator[Span]:
    """Yield the spans of an RDATE; without an end they are as long as the series' first occurrence."""
    for text in items(prop):
        first, slash, last = text.partition("/")
        start = _when(first, prop, home, exact=True)
        if isinstance(main, AllDay) and start.zone is not None and not slash:
            day = home.midnight(start, ends=_DAY_ENDS) if start.form != "utc" else home.day(start)
            if day is None:
                raise ValueError(say("RDATE {text} has a time, the series has none", text=text))
            start = When(wall=_midnight(day), zone=None)
        # Some programs write RDATE as bare dates in a series with times: the time is that of the series.
        if start.zone is None and isinstance(main, Timed):
            start = When(wall=datetime.combine(start.wall, main.start.time()), zone=main.zone)
        if start.zone is None:
            days = main.days if isinstance(main, AllDay) else 1
            yield all_day_span(start.wall.date(), start.wall.date() + days * _DAY)
        elif slash:
            yield _period(start.wall, start.zone, last, prop, home)
        elif isinstance(main, Timed):
            yield moved(main, start.wall, start.zone)


def moved(main: Timed, start: datetime, zone: str) -> Timed:
    """Return a span as long as `main` that starts at another wall clock."""
    if main.zone == main.end_zone:
        return timed_span(start, start + (main.end - main.start), zone, zone)
    return timed_span(start, after(start, _length(main), zone), zone, zone)


def read_reminders(component: Component, main: Span, home: Home) -> tuple[tuple[Reminder, ...] | None, list[str]]:
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
            before = _before(trigger, main, home)
        except ValueError as error:
            passed.append(say("a reminder is left out: {reason}", reason=reason_of(error)))
            continue
        if before < timedelta(0):
            passed.append(say("a reminder is left out: {trigger} comes after the start", trigger=trigger.value))
        else:
            found.add(before)
    return tuple(Reminder(before=before) for before in sorted(found)), passed


def _when(text: str, prop: Property, home: Home, *, exact: bool = False) -> When:
    """Return the time of one value; `exact` if it stands for itself and names no occurrence of a series."""
    wall, has_time, offset = read_stamp(text)
    if not has_time:
        return When(wall=wall, zone=None)
    tzid = prop.params.get("TZID", "")
    if prop.params.get("VALUE", "").upper() == "DATE":
        return _date_with_time(text, wall, offset, home)
    if offset is None:
        return _on_clock(wall, tzid, home)
    if offset:
        return _with_offset(wall, offset, tzid, home)
    if not exact and home.is_local(wall):
        return _on_clock(wall, "", home)
    return When(wall=wall, zone="UTC", form="utc")


def _date_with_time(text: str, wall: datetime, offset: timedelta | None, home: Home) -> When:
    """Return the date of a value that is marked as one and has a time: it must be a midnight somewhere in the feed."""
    if offset is None:
        day = wall.date() if wall.time() == _MIDNIGHT else None
    else:
        day = home.midnight(When(wall=utc_of(wall, offset), zone="UTC", form="utc"))
    if day is None:
        raise ValueError(say("{text} has a time and is marked as a date", text=text))
    return When(wall=_midnight(day), zone=None)


def _on_clock(wall: datetime, tzid: str, home: Home) -> When:
    start = home.start
    if start is not None and not tzid:
        if start.form == "utc":
            return When(wall=wall, zone="UTC", form="utc")
        tzid = start.tzid
    near = start.zone if start is not None and start.tzid == tzid else None
    wall, zone = home.zones.placed(tzid, wall, near=near)
    return When(wall=wall, zone=zone, form="zoned" if tzid else "floating", tzid=tzid)


def _with_offset(wall: datetime, offset: timedelta, tzid: str, home: Home) -> When:
    utc = utc_of(wall, offset)
    known = [home.start.zone if home.start is not None else None, home.zones.floating]
    if tzid:
        known.insert(0, home.zones.placed(tzid, wall)[1])
    for zone in known:
        if zone is not None and moved_to(utc, "UTC", zone) == wall:
            return When(wall=wall, zone=zone, form="zoned", tzid=tzid)
    minutes = abs(offset) // timedelta(minutes=1)
    fixed = zone_names.resolve(f"UTC{'-' if offset < timedelta(0) else '+'}{minutes // 60:02}:{minutes % 60:02}")
    return When(wall=wall, zone=fixed, form="zoned") if fixed else When(wall=utc, zone="UTC", form="utc")


def _all_day_end(start: When, end: Property | None, length: Property | None, home: Home) -> date:
    """Return the exclusive end of whole days. Some programs write a DTEND on the first day and mean one day."""
    first = start.wall.date()
    if end is not None:
        last = _exclusive(_when(end.value.strip(), end, home, exact=True), home)
        if last is None:
            raise ValueError(say("DTSTART is a date and DTEND has a time (give both a time, or neither)"))
        # RFC 5545, 3.6.1: DTEND is exclusive, so an equal one would be no day at all.
        return first + _DAY if last == first else last
    if length is None:
        return first + _DAY
    size = read_length(length.value)
    if size % _DAY or size < timedelta(0):
        raise ValueError(say("DTSTART is a date, and DURATION {value} is not in whole days", value=length.value))
    return first + max(size, _DAY)


def _exclusive(finish: When, home: Home) -> date | None:
    """Return the day at whose beginning whole days end, None if a time ends no day."""
    begun = home.midnight(finish)
    if begun is not None:
        return begun
    ended = home.midnight(finish, ends=_DAY_ENDS)
    return ended + _DAY if ended is not None else None


def _outlook_all_day(start: When, finish: When, home: Home) -> AllDay | None:
    """Return the days of an event that Outlook marks as whole days, None if it begins or ends within one.

    Midnight in the event's zone or in one of the feed's: Exchange writes the times of such events in UTC.
    """
    first, last = home.midnight(start), _exclusive(finish, home)
    if first is None or last is None:
        return None
    # An end that equals the start is an end that was left out.
    last = first + _DAY if finish.wall == start.wall else last
    return AllDay(first=first, end=last) if last > first else None


def _period(start: datetime, zone: str, text: str, prop: Property, home: Home) -> Timed:
    if text.lstrip("+-").upper().startswith("P"):
        length = read_length(text)
        if length < timedelta(0):
            raise ValueError(say("the period's length {text} is negative", text=text))
        return timed_span(start, after(start, length, zone), zone, zone)
    end = _when(text, prop, home, exact=True)
    if end.zone is None:
        raise ValueError(say("the period's end {text} has no time", text=text))
    return timed_span(start, end.wall, zone, end.zone)


def _before(trigger: Property, main: Span, home: Home) -> timedelta:
    """Return how long before the start a trigger fires; negative if it fires after it."""
    start, zone = (main.start, main.zone) if isinstance(main, Timed) else (_midnight(main.first), home.zones.floating)
    if trigger.params.get("VALUE", "").upper() == "DATE-TIME" or looks_like_stamp(trigger.value.strip()):
        at = read_when(trigger, Home(zones=home.zones))
        if zone is None or at.zone is None:
            raise ValueError(say("{value} cannot be set against a day without a zone", value=trigger.value))
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


def moved_to(wall: datetime, origin: str, zone: str) -> datetime:
    """Return what a clock in `zone` shows while one in `origin` shows `wall`; raises ValueError past the year 9999."""
    if origin == zone:
        return wall
    try:
        return instant(wall, origin).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    except OverflowError:
        raise ValueError(say("{wall} lies past the year 9999 elsewhere", wall=wall)) from None
