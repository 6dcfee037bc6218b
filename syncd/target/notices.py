"""Who gets a notice of a change to a meeting: nobody can mute them, so the plan says so beforehand (PORTAL.md 4.10).

What is unknown here (who declined) counts as a notice: it tells the most that can go out.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from syncd.model.item import Change
from syncd.target.event import EventFields, days_of, from_fields, wall

_TOLD = ("name", "start", "end", "all_day", "zone_from", "zone_to", "rule", "description", "location")


def notices(change: Change, now: float) -> tuple[int, ...]:
    """Return the ids of users who may get a notice of `change` at unix time `now`, in ascending order.

    Invitations of an event that is over and cancellations of a past one are not sent; a change is told when something
    people see of it changed, or when the guests did.
    """
    if change.op == "adopt":
        return ()
    before = from_fields(change.link.sent) if change.link is not None and change.op != "create" else None
    after = from_fields(change.item.fields) if change.item is not None else None
    was, now_there = _guests(before), _guests(after)
    told: set[int] = set()
    if after is not None and not _is_over(after, now):
        told |= now_there - was
        if before is not None and (was != now_there or _worth_telling(before, after)):
            told |= now_there
    if before is not None and not _is_over(before, now):
        told |= was - now_there
    own = {change.key.place.owner} if change.key.place.kind == "user" else set()
    return tuple(sorted(told - own))


def _guests(event: EventFields | None) -> set[int]:
    if event is None or event.meeting is None:
        return set()
    return set(event.meeting.attendees)


def _worth_telling(before: EventFields, after: EventFields) -> bool:
    raised = after.importance == "high" != before.importance
    return raised or any(getattr(before, name) != getattr(after, name) for name in _TOLD)


def _is_over(event: EventFields, now: float) -> bool:
    _, last = days_of(event)
    if last is None:
        return False
    if event.rule is not None or event.all_day:
        return last + timedelta(days=1) < datetime.fromtimestamp(now, UTC).date()
    return wall(event.end).replace(tzinfo=ZoneInfo(event.zone_to)).timestamp() < now
