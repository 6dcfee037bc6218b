"""An event as Microsoft Graph writes it, and what it tells. Pure.

Times are asked for in UTC, so that they are instants whatever the event's own zone is; whole days are always written
from midnight to midnight. Only properties of the reference's event resource type that are used are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from sys import intern
from typing import Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from syncd.lang.saying import say
from syncd.model import zones
from syncd.model.markup import is_html
from syncd.source.accounts.told import Answer, At, Told, Wall
from syncd.source.field_values import clean, in_zone, instant
from syncd.source.graph.graph_pattern import PatternedRecurrence
from syncd.source.ical.vtimezone import plain_name

V = TypeVar("V")
_PRIVATE = frozenset({"personal", "private", "confidential"})
_STATUS: dict[str, Literal["", "TENTATIVE"]] = {"tentative": "TENTATIVE"}
_FREE = {"free": True, "tentative": False, "busy": False, "oof": False, "workingElsewhere": False}
_ANSWERS: dict[str, Answer] = {
    "accepted": "accepted", "tentativelyAccepted": "tentative", "declined": "declined", "notResponded": "unanswered"
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
_SHOWN = 60
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
    `broken` is not Graph's: it says why something is no event as the reference has them.
    """

    id: str
    broken: str | UnsetType = msgspec.field(default=UNSET, name="@syncd.broken")
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


SELECTED = ",".join(name for name in GraphEvent.__struct_encode_fields__ if "@" not in name)
"""The properties to ask for where Graph lets one choose."""


def merged(before: GraphEvent | None, sent: GraphEvent) -> GraphEvent:
    """Return `before` with everything that was `sent` of it since; an update may name only what has changed."""
    sent = _slim(sent)
    if before is None or before.broken is not UNSET or sent.broken is not UNSET:
        return sent
    changes = {name: value for name in sent.__struct_fields__ if (value := getattr(sent, name)) is not UNSET}
    return msgspec.structs.replace(before, **changes)


E = TypeVar("E", bound=GraphEvent)
_TEXTS = (
    "subject", "body", "location", "categories", "attendees", "online_meeting", "web_link", "is_reminder_on",
)  # fmt: skip


def only_time(event: E) -> E:
    """Return what is needed of an event to show when its owner is busy: nothing that says with what, or with whom."""
    said = {name: None for name in _TEXTS if getattr(event, name) is not UNSET}
    return msgspec.structs.replace(event, **said)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The zones of events: what names mean that nobody else knows, and the sync's own zone for those that mean none."""

    meanings: Mapping[str, str] = field(default_factory=dict)
    usual: str = "UTC"

    def known(self, name: str) -> str | None:
        """Return the IANA zone that Graph means, None where it means one that nobody else knows."""
        if meant := self.meanings.get(plain_name(name)):
            return meant
        return zones.resolve(name) if name and name != _CUSTOM else None

    def of(self, event: GraphEvent) -> str:
        """Return the zone on whose clock an event is shown."""
        return self.known(given(event.original_start_time_zone, "")) or self.usual


def dated(moment: datetime, zone: str) -> Wall:
    """Return what a clock in `zone` shows at a time in UTC."""
    return Wall(wall=in_zone(moment, _UTC, zone), zone=zone)


def told_of(event: GraphEvent, clocks: Clocks, zone: str | None = None) -> Told:
    """Return what an event says, its times on the clock of `zone`, by default its own; raises ValueError.

    `id` is for people: they find an event by its day and title, and not by Graph's ids.
    """
    if event.broken is not UNSET:
        raise ValueError(say("it is no event as Graph gives them: {error}", error=event.broken))
    start, end = _times(event, zone or clocks.of(event), clocks)
    show_as = given(event.show_as, "")
    guests = tuple(_guests(event))
    title = given(event.subject, "")
    join = given(event.online_meeting, GraphMeeting()).join_url or ""
    is_own = given(event.is_organizer, default=True)
    private = given(event.sensitivity, "normal") in _PRIVATE
    return Told(
        id=f"{start if not isinstance(start, Wall) else start.wall.date()} {clean(title)[:_SHOWN]}".strip(),
        start=start,
        end=end,
        title=title,
        description=_body(event),
        location=given(event.location, GraphPlace()).display_name or "",
        url=join,
        conference=join,
        status="CANCELLED" if given(event.is_cancelled, default=False) else _STATUS.get(show_as, ""),
        free=_FREE.get(show_as),
        private=private,
        priority=_PRIORITIES.get(given(event.importance, "normal")),
        categories=given(event.categories, ()),
        organizer=_address(given(event.organizer, GraphPerson())) if guests or not is_own else "",
        guests=guests,
        alarms=_alarms(event),
        kind=show_as,
        answer=_ANSWERS.get(given(event.response_status, GraphResponse()).response, ""),
        is_organizer=is_own,
        # Of a private event of somebody else a person's login sees the time and no more.
        hidden=private and not title.strip(),
        extras=tuple(_extras(event, show_as)),
    )


def _times(event: GraphEvent, zone: str, clocks: Clocks) -> tuple[At, At]:
    begin, end = times_of(event)
    if given(event.is_all_day, default=False):
        # The end is exclusive; a program that wrote the last day itself, or its last minute, means that day.
        whole = end.time() == time() and end.date() > begin.date()
        return begin.date(), end.date() if whole else end.date() + timedelta(days=1)
    return dated(begin, zone), dated(end, clocks.known(given(event.original_end_time_zone, "")) or zone)


def _body(event: GraphEvent) -> str:
    body = given(event.body, GraphBody())
    content = body.content or ""
    if body.content_type.lower() == "html" and content.strip() and not is_html(content):
        # Marked as HTML and without a tag that tells so: it has to be read as HTML all the same.
        return f"<div>{content}</div>"
    return content


def _guests(event: GraphEvent) -> Iterator[str]:
    """Yield the addresses of the people who are invited; rooms and equipment are none."""
    for person in given(event.attendees, ()):
        if person.type.lower() != "resource" and (address := _address(person)):
            yield address


def _address(person: GraphPerson) -> str:
    address = (person.email_address.address if person.email_address is not None else None) or ""
    # A user of an Exchange that is gone has an X.500 name in place of an address.
    return address if "@" in address else ""


def _alarms(event: GraphEvent) -> tuple[int, ...] | None:
    if not isinstance(event.is_reminder_on, bool):
        return None
    minutes = given(event.reminder_minutes_before_start, 0)
    return (minutes,) if event.is_reminder_on and minutes >= 0 else ()


def _extras(event: GraphEvent, show_as: str) -> Iterator[tuple[str, str]]:
    """Yield what has no field of its own, for templates and filters."""
    if show_as:
        yield "X-SHOW-AS", show_as
        yield "X-ACCESSIBILITY", _ACCESS.get(show_as, "")
    yield "X-RESPONSE", given(event.response_status, GraphResponse()).response
    yield "X-WEB-LINK", given(event.web_link, "")
    yield "X-ICAL-UID", given(event.i_cal_u_id, "")


def _time(text: str, zone: str) -> datetime:
    """Return a time of Graph ("2026-12-01T06:00:00.0000000", seven digits of a second) in UTC, naive."""
    try:
        wall = datetime.fromisoformat(text.removesuffix("Z")[:19])
    except ValueError:
        raise ValueError(say("{text!r} is not a time (correct it in Outlook)", text=text[:40])) from None
    if zone in ("UTC", "tzone://Microsoft/Utc", ""):
        return wall
    # Graph was asked for UTC; what it gives in another zone all the same is that zone's clock.
    known = zones.resolve(zone)
    if known is None:
        raise ValueError(say("it has times in the zone {zone!r}, which is not known", zone=zone[:60]))
    return instant(wall, known).replace(tzinfo=None)
