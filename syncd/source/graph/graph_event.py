"""An event as Microsoft Graph writes it, and what of it an entry shows besides its days. Pure.

Times are asked for in UTC, so that they are instants whatever the event's own zone is; whole days are always written
from midnight to midnight. Only properties of the reference's event resource type that are used are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from sys import intern
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from syncd.model import zones
from syncd.model.entry import AllDay, Classification, Details, Reminder, Span, Status, Timed
from syncd.model.markup import is_html
from syncd.source.field_values import (
    FIRST_YEAR,
    FIRST_YEAR_OF_SERIES,
    all_day_span,
    clean,
    in_zone,
    instant,
    timed_span,
)
from syncd.source.graph.graph_pattern import PatternedRecurrence

V = TypeVar("V")
_CLASSES: dict[str, Classification] = {
    "normal": "", "personal": "PRIVATE", "private": "PRIVATE", "confidential": "CONFIDENTIAL"
}  # fmt: skip
_PRIORITIES = {"high": 1, "low": 9}
_ACCESS = {"free": "free", "tentative": "quest", "busy": "busy", "oof": "absent", "workingElsewhere": "busy"}
"""What the portal calls the values of showAs; who works elsewhere is not free."""
_UTC = timedelta(0)
_HEAD = re.compile(r"<(head|style|script)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_LOOKS = re.compile(
    r"""\s(?:style|class|id|dir|lang|align|valign|border|width|height|face|size|color|bgcolor|role|target|rel|title"""
    r"""|cellspacing|cellpadding|aria-[\w-]+|data-[\w-]+)\s*=\s*(?:"[^"]*"|'[^']*')""",
    re.IGNORECASE,
)
_LONGEST_BODY = 200_000
_CUSTOM = "tzone://Microsoft/Custom"


class GraphModel(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of what is read from Graph and kept; properties that are not named are dropped."""


class GraphTime(GraphModel, frozen=True, kw_only=True):
    """A dateTimeTimeZone, in UTC as it was asked for."""

    date_time: str = ""
    time_zone: str = "UTC"

    def wall(self, *, whole_days: bool) -> datetime:
        """Return the time in UTC, of whole days as it stands there; raises ValueError if it is none."""
        return _time(self.date_time, "UTC" if whole_days else self.time_zone)


class GraphBody(GraphModel, frozen=True, kw_only=True):
    """An itemBody."""

    content_type: str = "text"
    content: str | None = None


class GraphPlace(GraphModel, frozen=True, kw_only=True):
    """A location."""

    display_name: str | None = None


class GraphAddress(GraphModel, frozen=True, kw_only=True):
    """An emailAddress."""

    address: str | None = None


class GraphPerson(GraphModel, frozen=True, kw_only=True):
    """A recipient, an attendee if `type` is given ("required", "optional", "resource")."""

    type: str = ""
    email_address: GraphAddress | None = None


class GraphResponse(GraphModel, frozen=True, kw_only=True):
    """A responseStatus: "none", "organizer", "tentativelyAccepted", "accepted", "declined" or "notResponded"."""

    response: str = ""


class GraphMeeting(GraphModel, frozen=True, kw_only=True):
    """An onlineMeetingInfo."""

    join_url: str | None = None


class GraphEvent(GraphModel, frozen=True, kw_only=True):
    """An event: a single one, the master of a series, an occurrence, or an exception.

    A property that is UNSET was not sent. Delta queries send of an occurrence little more than its id and times.
    """

    id: str
    type: str | UnsetType | None = UNSET
    series_master_id: str | UnsetType | None = UNSET
    subject: str | UnsetType | None = UNSET
    body: GraphBody | UnsetType | None = UNSET
    start: GraphTime | UnsetType | None = UNSET
    end: GraphTime | UnsetType | None = UNSET
    is_all_day: bool | UnsetType | None = UNSET
    is_cancelled: bool | UnsetType | None = UNSET
    is_organizer: bool | UnsetType | None = UNSET
    original_start: str | UnsetType | None = UNSET
    original_start_time_zone: str | UnsetType | None = UNSET
    original_end_time_zone: str | UnsetType | None = UNSET
    occurrence_id: str | UnsetType | None = UNSET
    recurrence: PatternedRecurrence | UnsetType | None = UNSET
    location: GraphPlace | UnsetType | None = UNSET
    show_as: str | UnsetType | None = UNSET
    sensitivity: str | UnsetType | None = UNSET
    importance: str | UnsetType | None = UNSET
    categories: tuple[str, ...] | UnsetType | None = UNSET
    organizer: GraphPerson | UnsetType | None = UNSET
    attendees: tuple[GraphPerson, ...] | UnsetType | None = UNSET
    response_status: GraphResponse | UnsetType | None = UNSET
    is_reminder_on: bool | UnsetType | None = UNSET
    reminder_minutes_before_start: int | UnsetType | None = UNSET
    online_meeting: GraphMeeting | UnsetType | None = UNSET
    web_link: str | UnsetType | None = UNSET
    i_cal_u_id: str | UnsetType | None = UNSET


SELECTED = ",".join(GraphEvent.__struct_encode_fields__)
"""The properties to ask for where Graph lets one choose."""


def merged(before: GraphEvent | None, sent: GraphEvent) -> GraphEvent:
    """Return `before` with everything that was `sent` of it since; an update may name only what has changed."""
    sent = _slim(sent)
    if before is None:
        return sent
    changes = {name: value for name in sent.__struct_fields__ if (value := getattr(sent, name)) is not UNSET}
    return msgspec.structs.replace(before, **changes)


def _slim(event: GraphEvent) -> GraphEvent:
    """Return the event without what its HTML says of looks: that is most of it, and nothing of it is shown."""
    body = event.body
    if not isinstance(body, GraphBody) or not body.content:
        return event
    content = body.content[:_LONGEST_BODY]
    if body.content_type.lower() == "html":
        content = _LOOKS.sub("", _HEAD.sub("", content)).strip()
    return msgspec.structs.replace(event, body=GraphBody(content_type=body.content_type, content=intern(content)))


def given(value: V | UnsetType | None, default: V) -> V:
    """Return a property, or `default` where Graph sent none."""
    return default if value is None or isinstance(value, UnsetType) else value


def times_of(event: GraphEvent) -> tuple[datetime, datetime]:
    """Return when an event starts and ends, naive in UTC; of whole days the midnights. Raises ValueError."""
    days = given(event.is_all_day, default=False)
    begin, end = given(event.start, GraphTime()), given(event.end, GraphTime())
    return begin.wall(whole_days=days), end.wall(whole_days=days)


def zone_named(name: str) -> str | None:
    """Return the IANA zone that Graph means, None where it means one that nobody else knows."""
    return zones.resolve(name) if name and name != _CUSTOM else None


def span_of(event: GraphEvent, zone: str, end_zone: str, *, series: bool = False) -> Span:
    """Return an event's span on the clocks of two zones; raises ValueError for one that makes no sense."""
    begin, end = times_of(event)
    first_year = FIRST_YEAR_OF_SERIES if series else FIRST_YEAR
    if given(event.is_all_day, default=False):
        last = end.date() + timedelta(days=1) if end.time() != datetime.min.time() or end == begin else end.date()
        return all_day_span(begin.date(), last, first_year=first_year)
    return timed_span(in_zone(begin, _UTC, zone), in_zone(end, _UTC, end_zone), zone, end_zone, first_year=first_year)


def moved_to(main: Span, day: date) -> Span:
    """Return the span as it is on another day."""
    if isinstance(main, AllDay):
        return AllDay(first=day, end=day + timedelta(days=main.days))
    shift = day - main.start.date()
    return Timed(start=main.start + shift, end=main.end + shift, zone=main.zone, end_zone=main.end_zone)


def details_of(event: GraphEvent, owner: str, calendar: str) -> Details:
    """Return what an event says besides its times; `calendar` is its calendar's name, for templates."""
    show_as = given(event.show_as, "")
    meeting = given(event.online_meeting, GraphMeeting())
    attendees = tuple(_addresses(event))
    return Details(
        title=clean(given(event.subject, "")),
        description=_body(event),
        location=intern(clean(given(event.location, GraphPlace()).display_name or "")),
        owner=owner,
        status=_status(event, show_as),
        transparent={"free": True}.get(show_as, False if show_as in _ACCESS else None),
        classification=_CLASSES.get(given(event.sensitivity, "normal"), ""),
        priority=_PRIORITIES.get(given(event.importance, "normal")),
        url=clean(meeting.join_url or ""),
        organizer=_address(given(event.organizer, GraphPerson())) if attendees else "",
        categories=tuple(dict.fromkeys(filter(None, map(clean, given(event.categories, ()))))),
        attendees=attendees,
        reminders=_reminders(event),
        columns=tuple(_columns(event, show_as, calendar)),
    )


def _status(event: GraphEvent, show_as: str) -> Status:
    if given(event.is_cancelled, default=False):
        return "CANCELLED"
    return "TENTATIVE" if show_as == "tentative" else ""


def _body(event: GraphEvent) -> str:
    body = given(event.body, GraphBody())
    content = clean(body.content or "")
    if body.content_type.lower() == "html" and content and not is_html(content):
        # Marked as HTML and without a tag that tells so: it has to be read as HTML all the same.
        content = f"<div>{content}</div>"
    return intern(content)


def _addresses(event: GraphEvent) -> Iterator[str]:
    """Yield the addresses of the people who are invited; rooms and equipment are none."""
    seen = {""}
    for person in given(event.attendees, ()):
        address = _address(person)
        if person.type.lower() != "resource" and address not in seen:
            seen.add(address)
            yield address


def _address(person: GraphPerson) -> str:
    address = (person.email_address.address if person.email_address is not None else None) or ""
    # A user of an Exchange that is gone has an X.500 name in place of an address.
    return clean(address).lower() if "@" in address else ""


def _reminders(event: GraphEvent) -> tuple[Reminder, ...] | None:
    if not isinstance(event.is_reminder_on, bool):
        return None
    minutes = given(event.reminder_minutes_before_start, 0)
    return (Reminder(before=timedelta(minutes=minutes)),) if event.is_reminder_on and minutes >= 0 else ()


def _columns(event: GraphEvent, show_as: str, calendar: str) -> Iterator[tuple[str, str]]:
    """Yield what has no field of its own, for templates and filters."""
    yield "calendar", calendar
    yield "accessibility", _ACCESS.get(show_as, "")
    yield "showAs", show_as
    yield "response", given(event.response_status, GraphResponse()).response
    yield "webLink", clean(given(event.web_link, ""))
    yield "iCalUId", given(event.i_cal_u_id, "")


def _time(text: str, zone: str) -> datetime:
    """Return a time of Graph ("2026-12-01T06:00:00.0000000", seven digits of a second) in UTC, naive."""
    try:
        wall = datetime.fromisoformat(text.removesuffix("Z")[:19])
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a time") from None
    if zone in ("UTC", "tzone://Microsoft/Utc", ""):
        return wall
    # Graph was asked for UTC; what it gives in another zone all the same is that zone's clock.
    known = zones.resolve(zone)
    if known is None:
        raise ValueError(f"it has times in the zone {zone[:60]!r}, which is not known")
    return instant(wall, known).replace(tzinfo=None)
