"""A calendar event as the portal keeps it: its canonical fields, its times, and the calls that write it.

These fields are compared, remembered and sent. An update always carries all of them, because the portal resets or
changes what is left out (PORTAL.md 4.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from syncd.errors import EntryError, message_of
from syncd.lang.saying import say
from syncd.model import zones
from syncd.model.entry import AllDay, Span, Timed
from syncd.model.evidence import marked
from syncd.model.item import Change
from syncd.model.json_values import Fields, Json, PackedFields, unpacked
from syncd.model.observation import Comparison
from syncd.model.rule import NativeRule
from syncd.portal.line.wire import Command
from syncd.portal.people.directory import Directory

Accessibility = Literal["busy", "quest", "free", "absent"]
NO_END = date(2038, 1, 1)
"""The last day of a series without an end: the portal writes it where there is no UNTIL (PORTAL.md 4.7)."""
_REACH_DAYS = 366 * 100  # the portal's series end in 2038 anyway (PORTAL.md 4.7)


MEETING_FLAGS = ("notify", "reinvite", "allow_invite", "hide_guests")


class Meeting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The guests of an event: their user ids in ascending order, the host included, and the host (PORTAL.md 4.2, 4.3).

    The four flags are the portal's own. With `reinvite` every update invites all guests again.

    `kept` is True for guests whom people invited to an event that was taken over. Nothing is ever sent about them: the
    portal leaves them as they are if an update says nothing of a meeting.
    """

    attendees: tuple[int, ...]
    host: int
    kept: bool = False
    notify: bool = False
    reinvite: bool = False
    allow_invite: bool = False
    hide_guests: bool = False


class EventFields(msgspec.Struct, frozen=True, kw_only=True):
    """Every field of calendar.event.add that syncd writes.

    `start` and `end` are ISO wall clocks ("2026-12-01T09:00:00") in `zone_from` and `zone_to`. With `all_day` they are
    the first and the last day (inclusive; PORTAL.md 4.6), and there are no zones. "" for `color` and `text_color`
    leaves the colours of the section. `remind` is in minutes before the start, and `mark` is the recovery mark or "".
    `accessibility` and `importance` may be words that syncd never writes, if another program has written them into the
    portal. That is an edit like any other.
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
    text_color: str = ""
    accessibility: str = "busy"
    importance: str = "normal"
    private: bool = False
    remind: tuple[int, ...] = ()
    meeting: Meeting | None = None
    crm: tuple[str, ...] = ()
    mark: str = ""


def to_fields(event: EventFields) -> Fields:
    """Return `event` as canonical JSON values."""
    if event.rule is not None and event.rule.until == NO_END:
        event = msgspec.structs.replace(event, rule=replace(event.rule, until=None))  # it reads back as no end
    fields: dict[str, Json] = msgspec.to_builtins(event)
    if not event.text_color:
        del fields["text_color"]  # where nobody uses it, items are what they were before it could be set
    return fields


_EVENT = msgspec.json.Decoder(EventFields)


def from_fields(fields: Fields) -> EventFields:
    """Return the event that `to_fields` wrote. Raises msgspec.ValidationError for anything else."""
    if isinstance(fields, PackedFields):
        return _EVENT.decode(fields.text)
    return msgspec.convert(fields, EventFields)


def wall(text: str) -> datetime:
    """Return the naive wall clock of a `start` or `end`, midnight for a date."""
    return datetime.fromisoformat(text)


def days_of(event: EventFields) -> tuple[date, date | None]:
    """Return the first and the last day that the event touches. The last is None for a series without an end.

    The last day of a series that ends by COUNT is an upper bound, enough to compare the item with the window.
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


MASKED = frozenset({"name", "description", "location", "remind", "meeting", "crm"})
"""The fields that cannot be seen on an event that is masked (PORTAL.md 4.5)."""
_NEW_EVENT = frozenset({
    "New event", "Новое событие", "Нова подія", "Neuer Termin", "Nuevo evento", "Novo evento", "Nouvel événement",
    "Nuovo evento", "Nowe wydarzenie", "Yeni etkinlik", "Жаңа оқиға",
})  # fmt: skip
"""What the portal shows, by its language, for an event without a name (PORTAL.md 4.2)."""


def comparison_of(sync: str, *, invites: bool = True, names_host: bool = False) -> Comparison:
    """Return how the events of a sync compare. The portal returns everything that is sent; the mark is found apart.

    A sync that invites nobody leaves the guests of events that it takes over alone. One that does not name the host
    accepts whomever the portal makes the host. People may link an event to more than what was sent.
    """
    plainest = to_fields(EventFields(name="", start="", end="", all_day=False))
    return Comparison(
        sync=sync,
        defaults={name: value for name, value in plainest.items() if name != "mark"},
        texts=frozenset({"name", "description", "location"}),
        chosen=frozenset({"color", "name"}),
        unnamed=_NEW_EVENT,
        identity=("name", "start", "end", "zone_from", "rule"),
        clocks=(("start", "zone_from"), ("end", "zone_to")),
        maskable=MASKED,
        left=frozenset() if invites else frozenset({"meeting"}),
        holding=frozenset({"crm"}),
        steady={"meeting": "host"},
        unstored={"meeting": frozenset({"reinvite"})},
        asks_steady=names_host,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The times of something, in the form of `EventFields`: `start`, `end`, `all_day` and both zones.

    `first` and `last` are the days that it touches, `starts_on` and `ends_on` the same as ISO dates. `shown` is the
    start with its offset, for people and for sorting.
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


# In a timetable many entries are at the same time, and what the portal gets for it depends on nothing else.
@lru_cache(maxsize=32_768)
def times_of(span: Span) -> Times:
    """Return the times of `span`. Raises EntryError if the portal cannot hold them."""
    return _days(span.first, span.end) if isinstance(span, AllDay) else _clocks(span)


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


def _clocks(span: Timed) -> Times:
    try:
        zone_from, zone_to = zones.canonical(span.zone), zones.canonical(span.end_zone)
    except LookupError as error:
        raise EntryError(message_of(error), say("name an IANA zone such as Europe/Berlin")) from None
    # The portal rounds seconds in many paths (PORTAL.md 4.1), so none are sent; nor can it be told which reading of a
    # repeated hour is meant.
    start, end = (one.replace(second=0, microsecond=0, fold=0) for one in (span.start, span.end))
    begins = start.replace(tzinfo=ZoneInfo(zone_from))
    if end.replace(tzinfo=ZoneInfo(zone_to)) < begins:
        raise EntryError(say("the end is before the start"))
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


ADD, UPDATE, DELETE = "calendar.event.add", "calendar.event.update", "calendar.event.delete"
_NOON = 12


def command(change: Change, section_id: int, directory: Directory, ledger: str = "") -> Command:
    """Return the call that carries out `change` for `ledger`. Raises ValueError for an adopt, which needs none."""
    calendar = change.key.place
    owner: Mapping[str, Json] = {"type": calendar.kind, "ownerId": calendar.owner}
    match change.op:
        case "delete":
            assert change.link is not None
            return Command(method=DELETE, params={"id": change.link.remote_id, **owner}, success="true")
        case "create":
            assert change.item is not None
            event = from_fields(change.item.fields)
            params = {**owner, "section": section_id, **_params(event, directory, ledger)}
            if event.rule:
                params["rrule"] = _rule(event.rule)
            return Command(method=ADD, params=params, success="id")
        case "update":
            return _update(change, section_id, directory, ledger)
        case "adopt":
            raise ValueError("an adoption is noted, not sent")


def _update(change: Change, section_id: int, directory: Directory, ledger: str) -> Command:
    """Return the call that updates an event.

    What has to be taken away, and who the host is, follows from what stands there: `change.observed` if it was read for
    the plan, else what was sent last.
    """
    assert change.item is not None
    assert change.link is not None
    link, seen, place = change.link, change.observed, change.key.place
    event, sent = from_fields(change.item.fields), from_fields(link.sent)
    before = sent
    if seen is not None:
        shown = unpacked(seen.fields)
        before = from_fields({**unpacked(link.sent), **shown})
        # The portal takes no other organiser. By one reading any other host is refused, by the other it is whose rights
        # count; what was read is right by both (PORTAL.md 4.3).
        if event.meeting is not None and not event.meeting.kept and seen.host:
            event = msgspec.structs.replace(event, meeting=msgspec.structs.replace(event.meeting, host=seen.host))
        stands = shown.get("crm")
        if (event.crm or sent.crm) and isinstance(stands, list | tuple):  # people's own links are left to them
            own = tuple(str(one) for one in stands if one not in sent.crm and one not in event.crm)
            event = msgspec.structs.replace(event, crm=(*event.crm, *own))
    params: dict[str, Json] = {
        "id": link.remote_id,
        "type": place.kind,
        "ownerId": place.owner,
        "section": section_id,
        **_params(event, directory, ledger),
        "rrule": _rule(event.rule) if event.rule else {"FREQ": "NONE"},
    }
    # An empty list takes away what stands there, and only then it is sent: it cannot go in a batch.
    if before.remind and not event.remind:
        params["remind"] = []
    if before.crm and not event.crm and set(before.crm).intersection(sent.crm):
        params["crm_fields"] = []
    if before.meeting is not None and event.meeting is None:
        params["is_meeting"] = "N"
    return Command(method=UPDATE, params=params, success="id")


def _params(event: EventFields, directory: Directory, ledger: str) -> dict[str, Json]:
    """Return the parameters that add and update have in common. Empty lists are left out.

    They hold every field, because an update must send all of them (PORTAL.md 4.3). An empty list cannot be sent in a
    batch; `_update` adds one if it is needed.
    """
    params: dict[str, Json] = {
        # Without a name the portal refuses an event; for one of blanks it shows its own title (PORTAL.md 4.2).
        "name": event.name or " ",
        "description": marked(event.description, event.mark, ledger),
        "location": event.location,
        "accessibility": event.accessibility,
        "importance": event.importance,
        "private_event": "Y" if event.private else "N",
        "skip_time": "Y" if event.all_day else "N",
    }
    if event.all_day:
        shift = timedelta(hours=_safe_hour(directory))
        params["from"] = (datetime.fromisoformat(event.start) + shift).isoformat()
        params["to"] = (datetime.fromisoformat(event.end) + shift).isoformat()
    else:
        params |= {
            "from": event.start,
            "to": event.end,
            "timezone_from": event.zone_from,
            "timezone_to": event.zone_to,
        }
    if event.color:
        params["color"] = event.color
    if event.text_color:
        params["text_color"] = event.text_color
    if event.remind:
        params["remind"] = [{"type": "min", "count": minutes} for minutes in event.remind]
    if event.crm:
        params["crm_fields"] = list(event.crm)
    if event.meeting is not None and not event.meeting.kept:
        params |= {
            "is_meeting": "Y",
            "attendees": list(event.meeting.attendees),
            "host": event.meeting.host,
            "meeting": {flag: int(getattr(event.meeting, flag)) for flag in MEETING_FLAGS},
        }
    return params


def _rule(rule: NativeRule) -> dict[str, Json]:
    """Return the rule as the portal reads it: an object with INTERVAL always there, UNTIL as a date (PORTAL.md 4.7)."""
    said: dict[str, Json] = {"FREQ": rule.freq, "INTERVAL": rule.interval}
    if rule.byday:
        said["BYDAY"] = list(rule.byday)
    if rule.count is not None:
        said["COUNT"] = rule.count
    if rule.until is not None:
        said["UNTIL"] = rule.until.isoformat()
    return said


def _safe_hour(directory: Directory) -> int:
    """Return an hour at which a whole day survives the portal's shift between caller and server (PORTAL.md 4.1).

    It is noon, unless the two zones are eleven hours or more apart. It counts from the midnight of the day, so it may
    lie on the next day. An hour is kept free on either side, because the shift is another one on a day on which the
    clock of the server is changed.
    """
    try:
        zone = ZoneInfo(directory.caller.zone)
    except (ValueError, ZoneInfoNotFoundError):
        return _NOON
    offset = datetime.fromtimestamp(directory.read_at, zone).utcoffset()
    shift_h = ((offset.total_seconds() if offset else 0) - directory.server_offset_s) / 3600
    hours = sorted(range(-24, 48), key=lambda hour: abs(hour - _NOON))
    return next((hour for hour in hours if 1 <= hour + shift_h < 23), _NOON)
