"""One event as Google's API gives it, and what it tells in the terms of all vendors. Pure.

Shapes: https://developers.google.com/workspace/calendar/api/v3/reference/events#resource. A time comes with the offset
of the calendar's zone even where the event has another one, so it is the moment that counts, on the event's own clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import msgspec

from syncd.lang.saying import say
from syncd.model import zones
from syncd.source.accounts.people import is_shared
from syncd.source.accounts.told import Answer, At, Told, Wall
from syncd.source.field_values import in_zone
from syncd.source.ical.vtimezone import plain_name
from syncd.source.stamps import read_stamp

KINDS = ("birthday", "default", "focusTime", "fromGmail", "outOfOffice", "workingLocation")
_ANSWERS: Mapping[str, Answer] = {
    "accepted": "accepted", "declined": "declined", "tentative": "tentative", "needsAction": "unanswered"
}  # fmt: skip
_STATUS: Mapping[str, Literal["CONFIRMED", "TENTATIVE", "CANCELLED"]] = {
    "confirmed": "CONFIRMED", "tentative": "TENTATIVE", "cancelled": "CANCELLED"
}  # fmt: skip
_COLORS = {
    "1": "#a4bdfc", "2": "#7ae7bf", "3": "#dbadff", "4": "#ff887c", "5": "#fbd75b", "6": "#ffb878", "7": "#46d6db",
    "8": "#e1e1e1", "9": "#5484ed", "10": "#51b749", "11": "#dc2127",
}  # fmt: skip
"""What the method colors.get gives for events; a request for eleven colours that never change is not worth it."""
_INSTANCE = re.compile(r"_(\d{8})(?:T(\d{6})Z)?\Z")
"""The end of the id of an occurrence: the start that its series gives it, in UTC."""


class Stamp(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A `date`, or a `date_time` with an offset and perhaps a zone."""

    date: str | None = None
    date_time: str | None = None
    time_zone: str | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """An organizer or attendee; `is_self` is True for the owner of the calendar that was read."""

    email: str | None = None
    is_self: bool = msgspec.field(default=False, name="self")
    resource: bool = False
    response_status: str | None = None


class Alarm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reminder, so many minutes before the start."""

    minutes: int = 0


class Reminders(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Those of the calendar, or those of the event."""

    use_default: bool = False
    overrides: tuple[Alarm, ...] = ()


class EntryPoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A way into a conference."""

    entry_point_type: str = ""
    uri: str = ""


class Conference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A conference with its ways in."""

    entry_points: tuple[EntryPoint, ...] = ()


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The page or message that an event was made from."""

    url: str | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """An event, a master, or a changed or cancelled occurrence; fields that nobody reads are not kept.

    `broken` is not Google's: it says why something is no event as the reference has them.
    """

    id: str
    broken: str | None = None
    status: str | None = None
    summary: str | None = None
    description: str | None = None
    location: str | None = None
    color_id: str | None = None
    html_link: str | None = None
    hangout_link: str | None = None
    conference_data: Conference | None = None
    start: Stamp | None = None
    end: Stamp | None = None
    original_start_time: Stamp | None = None
    recurrence: tuple[str, ...] = ()
    recurring_event_id: str | None = None
    transparency: str | None = None
    visibility: str | None = None
    attendees: tuple[Person, ...] = ()
    organizer: Person | None = None
    reminders: Reminders | None = None
    event_type: str | None = None
    source: Origin | None = None

    @property
    def series(self) -> str:
        """The id of the master that it belongs to, its own if it is none of a series."""
        return self.recurring_event_id or self.id

    @property
    def is_gone(self) -> bool:
        """Whether it is cancelled: an occurrence that is taken away, or an event that is deleted."""
        return self.status == "cancelled"


def only_time(item: Item) -> Item:
    """Return what is needed of an event to show when its owner is busy: nothing that says with what, or with whom."""
    return Item(
        id=item.id,
        broken=item.broken,
        status=item.status,
        start=item.start,
        end=item.end,
        original_start_time=item.original_start_time,
        recurrence=item.recurrence,
        recurring_event_id=item.recurring_event_id,
        transparency=item.transparency,
        attendees=tuple(one for one in item.attendees if one.is_self),
        organizer=item.organizer,
        event_type=item.event_type,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a calendar says of all its events: its zone, whether its details are hidden, and its usual reminders.

    `meanings` is what the config says of names of zones (`plain_name`).
    """

    zone: str
    hidden: bool
    alarms: tuple[int, ...]
    meanings: Mapping[str, str]


def read_item(item: Item, around: Surroundings) -> Told:
    """Return what an event tells; raises ValueError with the reason if it cannot be used."""
    if item.broken is not None:
        raise ValueError(say("it is no event as Google's API gives them: {error}", error=item.broken))
    at = _occurrence(item, around) if item.recurring_event_id else None
    if item.is_gone:
        return Told(id=item.id, at=at, status="CANCELLED")
    if item.start is None:
        raise ValueError(say("it has no start"))
    own = next((one for one in item.attendees if one.is_self), None)
    answer = _ANSWERS.get(own.response_status or "", "") if own is not None else ""
    return Told(
        id=item.id,
        start=_at(item.start, around, "start"),
        end=_at(item.end, around, "end") if item.end is not None else None,
        at=at,
        recurrence=item.recurrence,
        title=item.summary or "",
        description=item.description or "",
        location=item.location or "",
        url=(item.source.url if item.source is not None else None) or item.html_link or "",
        conference=_conference(item),
        color=_COLORS.get(item.color_id or "", ""),
        status=_STATUS.get(item.status or "", ""),
        free=item.transparency == "transparent",
        private=item.visibility in ("private", "confidential"),
        organizer=_people_only(item.organizer),
        guests=tuple(dict.fromkeys(filter(None, map(_people_only, item.attendees)))),
        alarms=_alarms(item.reminders, around),
        kind=item.event_type or "default",
        answer=answer,
        is_organizer=item.organizer is None or item.organizer.is_self,
        hidden=around.hidden or (item.summary is None and item.visibility in ("private", "confidential")),
        extras=tuple(_extras(item, answer)),
    )


def _extras(item: Item, answer: str) -> Iterator[tuple[str, str]]:
    yield "event-type", item.event_type or "default"
    if answer:
        yield "response", answer


def _occurrence(item: Item, around: Surroundings) -> At:
    """Return which occurrence of its series an item changes."""
    if item.original_start_time is not None:
        return _at(item.original_start_time, around, "originalStartTime")
    found = _INSTANCE.search(item.id)
    if found is None:
        raise ValueError(say("it changes an occurrence, and does not say which (no originalStartTime)"))
    text = f"{found[1]}T{found[2]}Z" if found[2] else found[1]
    wall, has_time, _ = read_stamp(text)
    return Wall(wall=wall, zone="UTC") if has_time else wall.date()


def _at(stamp: Stamp, around: Surroundings, name: str) -> At:
    text = stamp.date or stamp.date_time
    if not text:
        raise ValueError(say("its {name} has neither date nor dateTime", name=name))
    wall, has_time, offset = read_stamp(text)
    if stamp.date or not has_time:
        return _day(wall)
    zone = stamp.time_zone or around.zone
    known = around.meanings.get(plain_name(zone)) or zones.resolve(zone)
    if offset is None or known is None:
        return Wall(wall=wall, zone=zone)  # a zone that is not known is told where the event is read
    return Wall(wall=in_zone(wall, offset, known), zone=known)


def _day(wall: datetime) -> date:
    return wall.date()


def _conference(item: Item) -> str:
    """Return the link to join by video, else Google's own link, else any other way in."""
    ways = item.conference_data.entry_points if item.conference_data is not None else ()
    video = next((way.uri for way in ways if way.entry_point_type == "video"), "")
    return video or item.hangout_link or next((way.uri for way in ways), "")


def _people_only(person: Person | None) -> str:
    """Return the address of a person, "" for a room, and for a calendar that organizes its own events."""
    if person is None or person.resource or person.email is None or is_shared(person.email):
        return ""
    return person.email.lower() if "@" in person.email else ""


def _alarms(reminders: Reminders | None, around: Surroundings) -> tuple[int, ...] | None:
    if reminders is None:
        return None
    minutes = around.alarms if reminders.use_default else (one.minutes for one in reminders.overrides)
    return tuple(sorted({one for one in minutes if one >= 0}))
