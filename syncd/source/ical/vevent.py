"""One VEVENT to values: which occurrence it is, its span, how it repeats, and its details.

What would show people something else than the source says is a ValueError; what is merely lost is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from sys import intern

from syncd.model.entry import Classification, Details, Moment, Recurrence, Reminder, Span, Status
from syncd.source.field_values import clean, damaged, digest, dropped, read_rule
from syncd.source.ical.lines import Component, Property, read_component, split_items
from syncd.source.ical.time_values import read_list, read_rdates, read_reminders, read_span, read_when
from syncd.source.ical.vtimezone import FeedZones

_STATUS: dict[str, Status] = {"CONFIRMED": "CONFIRMED", "TENTATIVE": "TENTATIVE", "CANCELLED": "CANCELLED"}
_CLASS: dict[str, Classification] = {"PUBLIC": "PUBLIC", "PRIVATE": "PRIVATE", "CONFIDENTIAL": "CONFIDENTIAL"}
_TRANSPARENT = {"TRANSPARENT": True, "OPAQUE": False}
_TO_COLUMNS = frozenset({"COMMENT", "CONFERENCE", "CONTACT", "GEO", "RESOURCES"})
_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class VEvent:
    """A VEVENT as values: a single event or a series (`at` is None), or a changed occurrence (RECURRENCE-ID).

    `rank` orders versions of the same event: by SEQUENCE, then DTSTAMP and LAST-MODIFIED; the highest is the latest.
    """

    at: Moment | None
    this_and_future: bool
    span: Span
    details: Details
    recurrence: Recurrence | None
    rank: tuple[int, str, str]
    where: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarFacts:
    """What a calendar says of all its events: its zones, its name, and whether its METHOD cancels them."""

    zones: FeedZones
    name: str = ""
    cancels: bool = False


def read_event(text: str, facts: CalendarFacts, *, where: str) -> VEvent:
    """Return an unfolded VEVENT as values; raises ValueError with the reason if it cannot be used."""
    if damaged(text):
        raise ValueError("there are bytes that are not text in the file's encoding (set encoding, or export it again)")
    component = read_component(text)
    # Ignoring it would show occurrences that the source excludes.
    if "EXRULE" in component.properties:
        raise ValueError("EXRULE cannot be read (RFC 5545 has dropped it; use EXDATE)")
    at = component.first("RECURRENCE-ID")
    recurring = "RRULE" in component.properties or "RDATE" in component.properties
    span = read_span(component, facts.zones, series=recurring)
    reminders, warnings = read_reminders(component, span, facts.zones)
    warnings += [f"the line {line[:_SHOWN]!r} is not iCalendar and is left out" for line in component.unread]
    warnings += _controls(component)
    return VEvent(
        at=read_when(at, facts.zones).moment() if at else None,
        this_and_future=at is not None and at.params.get("RANGE", "").upper() == "THISANDFUTURE",
        span=span,
        details=_details(component, facts, reminders),
        recurrence=_recurrence(component, span, facts.zones) if at is None else None,
        rank=(_number(component, "SEQUENCE"), component.text("DTSTAMP"), component.text("LAST-MODIFIED")),
        where=where,
        warnings=tuple(warnings),
    )


def _controls(component: Component) -> Iterator[str]:
    for name, found in component.properties.items():
        if names := dropped("".join(prop.value for prop in found)):
            yield f"{name} holds control characters ({names}); they are left out"


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


def _recurrence(component: Component, span: Span, zones: FeedZones) -> Recurrence | None:
    rules = tuple(read_rule(prop.value) for prop in component.all("RRULE"))
    rdates = tuple(day for prop in component.all("RDATE") for day in read_rdates(prop, span, zones))
    exdates = tuple(day.moment() for prop in component.all("EXDATE") for day in read_list(prop, zones))
    if not rules and not rdates and not exdates:
        return None
    return Recurrence(
        rules=tuple(dict.fromkeys(rules)),
        rdates=tuple(dict.fromkeys(rdates)),
        exdates=tuple(dict.fromkeys(exdates)),
    )


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
