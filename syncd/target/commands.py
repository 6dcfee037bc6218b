"""Changes to calendar events as calls: calendar.event.add, update and delete, and how their answers are believed.

An update always carries the full set of fields, because what is left out is reset or re-labelled (PORTAL.md 4.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syncd.model.item import Change, Fields, Json
from syncd.model.rule import NativeRule
from syncd.portal.line.wire import Command, Done
from syncd.portal.people.directory import Directory
from syncd.target.event import EventFields, from_fields

ADD, UPDATE, DELETE = "calendar.event.add", "calendar.event.update", "calendar.event.delete"
_NOON = 12


def command(change: Change, section_id: int, directory: Directory) -> Command:
    """Return the call that carries out `change`; raises ValueError for an adopt, which needs none."""
    calendar = change.key.place
    owner: Mapping[str, Json] = {"type": calendar.kind, "ownerId": calendar.owner}
    match change.op:
        case "delete":
            assert change.link is not None
            return Command(method=DELETE, params={"id": change.link.remote_id, **owner})
        case "create":
            assert change.item is not None
            event = from_fields(change.item.fields)
            params = {**owner, "section": section_id, **_event(event, directory), **_added(event)}
            return Command(method=ADD, params=params)
        case "update":
            assert change.item is not None
            assert change.link is not None
            event = from_fields(change.item.fields)
            before = _before(change)
            params = {
                "id": change.link.remote_id,
                **owner,
                "section": section_id,
                **_event(event, directory),
                **_updated(event, before),
            }
            return Command(method=UPDATE, params=params)
        case "adopt":
            raise ValueError("an adoption is noted, not sent")


def created_id(outcome: Done) -> int | None:
    """Return the id in an answer to calendar.event.add, None for anything that is not an id."""
    return _id(outcome.result)


def accepted(change: Change, outcome: Done) -> bool:
    """Say whether the answer to an update or delete means that it was done; a sentence does not (PORTAL.md 4.3)."""
    return outcome.result is True if change.op == "delete" else _id(outcome.result) is not None


def _id(value: Json) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int) and value > 0:
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() and int(value) > 0 else None


def _before(change: Change) -> EventFields:
    """What stands in the portal, as far as is known: what was sent, unless it was just read."""
    assert change.link is not None
    sent = change.link.sent
    if change.observed is None:
        return from_fields(sent)
    merged: Fields = {**sent, **change.observed.fields}
    return from_fields(merged)


def _event(event: EventFields, directory: Directory) -> dict[str, Json]:
    """The fields that add and update say alike; all values are strings and numbers, so they fit a batch."""
    params: dict[str, Json] = {
        "name": event.name,
        "description": _description(event),
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
    if event.remind:
        params["remind"] = [{"type": "min", "count": minutes} for minutes in event.remind]
    if event.crm:
        params["crm_fields"] = list(event.crm)
    if event.meeting is not None:
        params |= {
            "is_meeting": "Y",
            "attendees": list(event.meeting.attendees),
            "host": event.meeting.host,
            "meeting": {"notify": 0, "reinvite": 0, "allow_invite": 0, "hide_guests": 0},
        }
    return params


def _added(event: EventFields) -> dict[str, Json]:
    return {"rrule": _rule(event.rule)} if event.rule else {}


def _updated(event: EventFields, before: EventFields) -> dict[str, Json]:
    """What an update has to take away: empty lists only where there is something, for they cannot go in a batch."""
    params: dict[str, Json] = {"rrule": _rule(event.rule) if event.rule else {"FREQ": "NONE"}}
    if before.remind and not event.remind:
        params["remind"] = []
    if before.crm and not event.crm:
        params["crm_fields"] = []
    if before.meeting is not None and event.meeting is None:
        params["is_meeting"] = "N"
    return params


def _rule(rule: NativeRule) -> dict[str, Json]:
    """The rule as the portal reads it: an object, INTERVAL always there, UNTIL a plain date (PORTAL.md 4.7)."""
    said: dict[str, Json] = {"FREQ": rule.freq, "INTERVAL": rule.interval}
    if rule.byday:
        said["BYDAY"] = list(rule.byday)
    if rule.count is not None:
        said["COUNT"] = rule.count
    if rule.until is not None:
        said["UNTIL"] = rule.until.isoformat()
    return said


def _description(event: EventFields) -> str:
    """The description with the recovery mark, if there is one, on a line of its own (PORTAL.md 4.12)."""
    return f"{event.description}\n[syncd:{event.mark}]".lstrip() if event.mark else event.description


def _safe_hour(directory: Directory) -> int:
    """The hour at which a whole day survives the portal's shift between caller and server zone (PORTAL.md 4.1).

    Noon, unless the zones differ by eleven hours or more; counted from the day's midnight, so it may lie on the next
    day. An hour is kept free on either side, for on a day on which the server's clock is set the shift is another one.
    """
    try:
        zone = ZoneInfo(directory.caller.zone)
    except (ValueError, ZoneInfoNotFoundError):
        return _NOON
    offset = datetime.fromtimestamp(directory.read_at, zone).utcoffset()
    shift_h = ((offset.total_seconds() if offset else 0) - directory.server_offset_s) / 3600
    hours = sorted(range(-24, 48), key=lambda hour: abs(hour - _NOON))
    return next((hour for hour in hours if 1 <= hour + shift_h < 23), _NOON)
