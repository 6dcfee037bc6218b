"""One VEVENT to values: which occurrence it is, its span, how it repeats, and its details.

What would show people something else than the source says is a ValueError; what is merely lost is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from sys import intern

from syncd.lang.saying import say
from syncd.model.entry import AllDay, Classification, Details, Moment, Recurrence, Reminder, Span, Status, Timed
from syncd.model.zones import resolve
from syncd.source.field_values import clean, damaged, digest, dropped
from syncd.source.ical.attachments import attachments_of
from syncd.source.ical.lines import Component, Property, read_component, split_items
from syncd.source.ical.own_zone import in_utc
from syncd.source.ical.repeats import last_start, read_recurrence, read_rules
from syncd.source.ical.time_values import (
    Home,
    When,
    marks_whole_days,
    read_length,
    read_reminders,
    read_span,
    read_when,
)
from syncd.source.ical.vtimezone import FeedZones
from syncd.source.stamps import read_stamp

_STATUS: dict[str, Status] = {
    "CONFIRMED": "CONFIRMED", "TENTATIVE": "TENTATIVE", "CANCELLED": "CANCELLED", "CANCELED": "CANCELLED"
}  # fmt: skip
_CLASS: dict[str, Classification] = {"PUBLIC": "PUBLIC", "PRIVATE": "PRIVATE", "CONFIDENTIAL": "CONFIDENTIAL"}
_TRANSPARENT = {"TRANSPARENT": True, "OPAQUE": False}
_TO_COLUMNS = frozenset({"COMMENT", "CONFERENCE", "CONTACT", "GEO", "RESOURCES"})
_REPEATS = frozenset({"RRULE", "RDATE"})
_ONCE = ("DTSTART", "DTEND", "RECURRENCE-ID", "SUMMARY", "STATUS")
_UTC = frozenset({"UTC", "Etc/UTC", "GMT", "Etc/GMT"})
_SHOWN = 60
_NOWHERE = When(wall=datetime(1970, 1, 1), zone=None)
"""The start of a cancelled event that gives none; nobody sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VEvent:
    """A VEVENT as values: a single event or a series (`at` is None), or a changed occurrence (RECURRENCE-ID).

    `rank` orders versions of the same event: by SEQUENCE, cancellation, DTSTAMP and LAST-MODIFIED; the highest is the
    latest. Its first number is odd for a cancellation, which comes after what has its SEQUENCE.
    `home` is what the changed occurrences of a series are read against.
    """

    at: Moment | None
    this_and_future: bool
    span: Span
    details: Details
    recurrence: Recurrence | None
    rank: tuple[int, str, str]
    where: str
    home: Home
    warnings: tuple[str, ...]

    @property
    def cancels(self) -> bool:
        """Whether it only takes events off the calendar: from METHOD:CANCEL, or cancelled without a start."""
        return self.rank[0] % 2 == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarFacts:
    """What a calendar says of all its events: its zones, its name, and whether its METHOD invites or cancels.

    With `attachments` its files are read. `answers` is the METHOD of answers to invitations, whose events are not used.
    """

    zones: FeedZones
    name: str = ""
    cancels: bool = False
    invites: bool = False
    answers: str = ""
    attachments: bool = False


def read_event(text: str, facts: CalendarFacts, *, where: str, series: Home | None = None) -> VEvent:
    """Return an unfolded VEVENT as values; raises ValueError with the reason if it cannot be used.

    `series` is the home of the series that a changed occurrence belongs to, if the feed has that series.
    """
    if damaged(text):
        raise ValueError(
            say("there are bytes that are not text in the file's encoding (set encoding, or export it again)")
        )
    component = read_component(text)
    # Ignoring it would show occurrences that the source excludes.
    if "EXRULE" in component.properties:
        raise ValueError(say("EXRULE cannot be read (RFC 5545 has dropped it; use EXDATE)"))
    changed = component.first("RECURRENCE-ID")
    if "DTSTART" not in component.properties and _is_cancelled(component, facts):
        return _removal(component, changed, facts, series or Home(zones=facts.zones), where)
    beside = _beside(component, changed, series or Home(zones=facts.zones))
    span, recurrence, home, warnings = _times(component, facts.zones, beside, is_change=changed is not None)
    reminders, unread = read_reminders(component, span, home)
    warnings += unread
    warnings += [
        say("the line {line!r} is not iCalendar and is left out", line=line[:_SHOWN]) for line in component.unread
    ]
    warnings += _controls(component)
    warnings += _contradictions(component, span)
    details = _details(component, facts, reminders)
    if facts.attachments and "ATTACH" in component.properties:
        attached, left_out = attachments_of(component)
        details, warnings = replace(details, attachments=attached), [*warnings, *left_out]
    return VEvent(
        at=(series or home).moment(read_when(changed, series or home)) if changed else None,
        this_and_future=changed is not None and _range(changed) == "THISANDFUTURE",
        span=span,
        details=details,
        recurrence=recurrence,
        rank=_rank(component, cancels=facts.cancels),
        where=where,
        home=home,
        warnings=tuple(warnings),
    )


def read_occurrence(text: str, series: Home) -> Moment | None:
    """Return which occurrence of a series a VEVENT changes that cannot be used otherwise, None if that is unknown."""
    changed = read_component(text).first("RECURRENCE-ID")
    try:
        return series.moment(read_when(changed, series)) if changed is not None else None
    except ValueError:
        return None


def removed_span(at: Moment) -> Span:
    """Return a span for an occurrence that is only taken away: there is one, and nobody sees it."""
    if at.zone is None:
        return AllDay(first=at.wall.date(), end=at.wall.date() + timedelta(days=1))
    return Timed(start=at.wall, end=at.wall, zone=at.zone, end_zone=at.zone)


def _removal(component: Component, changed: Property | None, facts: CalendarFacts, home: Home, where: str) -> VEvent:
    """Return a cancelled event or occurrence that gives no time of its own; RECURRENCE-ID says which occurrence."""
    at = home.moment(read_when(changed, home)) if changed is not None else None
    if at is None:
        home = Home(zones=home.zones, start=_NOWHERE)
    return VEvent(
        at=at,
        this_and_future=changed is not None and _range(changed) == "THISANDFUTURE",
        span=removed_span(at or Moment(wall=_NOWHERE.wall, zone=None)),
        details=_details(component, facts, None),
        recurrence=None,
        rank=_rank(component, cancels=at is None or facts.cancels),
        where=where,
        home=home,
        warnings=(),
    )


def _beside(component: Component, changed: Property | None, series: Home) -> When | None:
    """Return the time whose clock a DTSTART without a zone is on: that of its series, else of RECURRENCE-ID or DTEND.

    None if there is none with a zone: then the start is on the feed's clock.
    """
    begin = component.first("DTSTART")
    if begin is None or "TZID" in begin.params:  # nearly always
        return None
    named = changed if changed is not None else component.first("DTEND")
    if changed is not None and series.start is not None:
        found = series.start
    elif named is not None and "TZID" in named.params:
        found = read_when(named, series)
    else:
        return None
    return found if found.form in ("zoned", "utc") else None


def _times(
    component: Component, zones: FeedZones, beside: When | None, *, is_change: bool
) -> tuple[Span, Recurrence | None, Home, list[str]]:
    """Return an event's span, how it repeats, what other times are read against, and warnings."""
    begin = component.first("DTSTART")
    if begin is None:
        raise ValueError(say("there is no DTSTART"))
    start = read_when(begin, Home(zones=zones, start=beside))
    repeats = not _REPEATS.isdisjoint(component.properties) and _repeats(component)
    rules = read_rules(component, start.wall.day) if repeats else ()
    own = start.tzid if repeats and start.tzid and not zones.is_certain(start.tzid) else ""
    first = read_stamp(begin.value.strip())[0] if own else start.wall
    if own and (zone := zones.lasting(own, first, last_start(component, rules, first))):
        start, own = When(wall=first, zone=zone, form="zoned", tzid=own), ""
    span = read_span(component, start, Home(zones=zones, start=start), series=repeats)
    home = Home(zones=zones, start=start, whole_days=isinstance(span, AllDay))
    recurrence, warnings = (None, list[str]()) if is_change else read_recurrence(component, rules, span, home)
    definition = zones.definition(own) if own else None
    if recurrence is not None and definition is not None and isinstance(span, Timed):
        last = zones.last_of_own_zones
        span, recurrence, goes_on = in_utc(recurrence, span, definition, first=first, last=last)
        if goes_on:
            warnings.append(
                say(
                    "no known zone has the local times of {zone!r}, so it is shown until {year}",
                    zone=own,
                    year=last.year,
                )
            )
    if isinstance(span, Timed) and marks_whole_days(component):
        warnings.append(say("it is marked as whole days and begins at no midnight of the feed's zones (set timezone)"))
    return span, recurrence, home, warnings


def _repeats(component: Component) -> bool:
    """Return True if there is a rule or a further date; an empty RRULE is none."""
    return any(prop.value.strip() for name in _REPEATS for prop in component.all(name))


def _range(changed: Property) -> str:
    return changed.params.get("RANGE", "").upper()


def _is_cancelled(component: Component, facts: CalendarFacts) -> bool:
    return facts.cancels or _STATUS.get(component.text("STATUS").strip().upper()) == "CANCELLED"


def _rank(component: Component, *, cancels: bool) -> tuple[int, str, str]:
    # Not every program raises SEQUENCE when it cancels, as RFC 5546 (3.2.5) has it.
    number = 2 * _number(component, "SEQUENCE") + cancels
    return number, component.text("DTSTAMP"), component.text("LAST-MODIFIED")


def _controls(component: Component) -> Iterator[str]:
    for name, found in component.properties.items():
        if names := dropped("".join(prop.value for prop in found)):
            yield say("{name} holds control characters ({names}); they are left out", name=name, names=names)


def _contradictions(component: Component, span: Span) -> Iterator[str]:
    """Yield what an event says twice, and which of it is used."""
    properties = component.properties
    for name in _ONCE:
        found = properties.get(name, ())
        if len(found) > 1 and len({prop.value for prop in found}) > 1:
            number = len(found)
            yield say("{name} stands there {number} times; the first is used (keep one)", name=name, number=number)
    length = component.first("DURATION")
    if length is not None and "DTEND" in properties and read_length(length.value) != _length(span):
        yield say("DTEND and DURATION exclude each other; DTEND is used (keep one)")
    for name in ("DTSTART", "DTEND"):
        prop = component.first(name)
        tzid = prop.params.get("TZID") if prop is not None else None
        if prop is not None and tzid and prop.value.rstrip()[-1:] in "Zz" and resolve(tzid) not in _UTC:
            yield say(
                "{name} is marked as UTC by its Z and has TZID={tzid}; it is read as UTC (keep one of the two)",
                name=name,
                tzid=tzid,
            )
            return


def _length(span: Span) -> timedelta:
    """Return how long a span lasts by its own clocks."""
    return span.end - (span.first if isinstance(span, AllDay) else span.start)


def stand_in_uid(text: str) -> str:
    """Return a stable uid for a VEVENT without one, made of its summary and start; "" if it has no DTSTART."""
    component = read_component(text)
    start = component.first("DTSTART")
    if start is None or damaged(text):
        return ""
    return "event-" + digest(clean(component.text("SUMMARY")), start.value.strip(), start.params.get("TZID", ""))


def title_of(text: str) -> str:
    """Return the title of an unfolded VEVENT that cannot be used, "" if it has none that can be read."""
    title = clean(read_component(text).text("SUMMARY"))
    return "" if damaged(title) else title


def _details(component: Component, facts: CalendarFacts, reminders: tuple[Reminder, ...] | None) -> Details:
    text = component.text
    busy = text("X-MICROSOFT-CDO-BUSYSTATUS").strip().upper()
    transparency = text("TRANSP").strip().upper()
    priority = _number(component, "PRIORITY")
    organizer = component.first("ORGANIZER")
    return Details(
        title=clean(text("SUMMARY")),
        description=intern(clean(text("DESCRIPTION"))),  # texts that many events share are kept once
        location=intern(clean(text("LOCATION"))),
        # METHOD:CANCEL cancels every event, whatever their STATUS says.
        status="CANCELLED" if facts.cancels else _STATUS.get(text("STATUS").strip().upper(), ""),
        # Without TRANSP the property of Outlook says whether the time is free.
        transparent=_TRANSPARENT.get(transparency, True if busy == "FREE" else None),
        classification=_CLASS.get(text("CLASS").strip().upper(), ""),
        priority=priority if 1 <= priority <= 9 else None,
        color=clean(text("COLOR") or text("X-APPLE-CALENDAR-COLOR")),
        url=clean(text("URL")),
        organizer=_address(organizer) if organizer else "",
        categories=tuple(dict.fromkeys(filter(None, _categories(component)))),
        attendees=tuple(dict.fromkeys(filter(None, _attendees(component)))),
        reminders=reminders,
        columns=tuple(_columns(component, facts)),
    )


def _categories(component: Component) -> Iterator[str]:
    for prop in component.all("CATEGORIES"):
        yield from (clean(item) for item in split_items(prop.value))


def _attendees(component: Component) -> Iterator[str]:
    """Yield the people's addresses; rooms and other resources are not people."""
    for prop in component.all("ATTENDEE"):
        if prop.params.get("CUTYPE", "").upper() not in ("ROOM", "RESOURCE"):
            yield _address(prop)


def _address(prop: Property) -> str:
    """Return the e-mail address of a calendar user, or ""."""
    value = prop.value.strip()
    # A value that is not a mailto address may have one in EMAIL (RFC 7986, 6.2).
    address = value[7:] if value[:7].lower() == "mailto:" else prop.params.get("EMAIL", "")
    return clean(address).lower() if "@" in address else ""


def _columns(component: Component, facts: CalendarFacts) -> Iterator[tuple[str, str]]:
    """Yield the properties that have no field of their own, and the calendar's name, for templates."""
    for name, found in component.properties.items():
        if name.startswith("X-") or name in _TO_COLUMNS:
            yield name, clean(found[0].text)
    if facts.name and "X-WR-CALNAME" not in component.properties:
        yield "X-WR-CALNAME", facts.name


def _number(component: Component, name: str) -> int:
    text = component.text(name).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
