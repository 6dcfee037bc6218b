"""Who is told of a change to an event (PORTAL.md 4.10).

Notices cannot be turned off, so a plan counts them beforehand. What guests are told depends on what they have answered.
The count is exact where their answers were read; otherwise it is the largest number that can go out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from zoneinfo import ZoneInfo

from syncd.model.evidence import Stamp
from syncd.model.item import Change, Observed
from syncd.model.observation import Comparison
from syncd.model.recurrence.portal_arithmetic import native_as_sent, save
from syncd.model.recurrence.wall import DAY, clock_of
from syncd.model.rule import NativeRule
from syncd.portal.people.directory import Directory, server_zone
from syncd.target.calendar.portal_event import EventFields, from_fields, wall

_TOLD = ("name", "start", "end", "all_day", "zone_from", "rule", "description", "mark", "location")
_TAKES_PART = ("Y", "H")
_ACCEPTED = "Y"
_DECLINED = "N"


def told(
    change: Change, directory: Directory, now: float, *, comparison: Comparison, seen: Observed | None
) -> tuple[int, ...]:
    """Return the ids of the users who get a notice of `change` at unix time `now`, in ascending order.

    `seen` is the event as it stands, None if it was not read. Nobody is told of an event that is over.
    """
    before = _standing(change, seen)
    after = from_fields(change.item.fields) if change.item is not None and change.op != "adopt" else None
    was = _guests(before)
    there = was if after is not None and after.meeting is not None and after.meeting.kept else _guests(after)
    shown = after or before
    if shown is None or not (was or there) or _is_over(shown, server_zone(directory), now):
        return ()
    answers: Mapping[int, str] = dict(seen.answers) if seen is not None else {}
    people = (there - was) | {user for user in was - there if _is_told_off(change, answers, user)}
    if before is not None and after is not None and (was != there or _is_news(change, before, after, comparison, seen)):
        people |= {user for user in was & there if not answers or answers.get(user) in _TAKES_PART}
    if before is not None and after is not None and after.meeting is not None and after.meeting.reinvite:
        people |= was & there
    return tuple(sorted(people - _untold(change, before, after, directory, seen)))


def _is_told_off(change: Change, answers: Mapping[int, str], user: int) -> bool:
    """Return True if a guest who is removed is told so. An update tells only those who had accepted."""
    if change.op == "delete" or not answers:
        return answers.get(user) != _DECLINED
    return answers.get(user) == _ACCEPTED


def _standing(change: Change, seen: Observed | None) -> EventFields | None:
    """Return what stands in the portal before `change`, as far as it is known, None for a create."""
    if change.link is None or change.op in ("create", "adopt"):
        return None
    return from_fields({**change.link.sent, **seen.fields} if seen is not None else change.link.sent)


def _guests(event: EventFields | None) -> set[int]:
    return set(event.meeting.attendees) if event is not None and event.meeting is not None else set()


def _untold(
    change: Change, before: EventFields | None, after: EventFields | None, directory: Directory, seen: Observed | None
) -> set[int]:
    """Return who is told nothing: the host, from whom notices come, the creator, and the owner of the calendar.

    A meeting in a user's calendar counts as created by that user, any other event by the user of the webhook (PORTAL.md
    4.2). The event may have been made long ago as something else. So what was read of its creator takes precedence over
    what is sent now.
    """
    place = change.key.place
    meetings = [one.meeting for one in (after, before) if one is not None and one.meeting is not None]
    sent = [one for one in meetings if not one.kept] or meetings
    first = before if before is not None else after
    as_meeting = first is not None and first.meeting is not None
    # The link of a create is that of an event which is gone; who made that one makes this one only by chance.
    stamp = Stamp.parse(change.link.stamp) if change.link is not None and before is not None else None
    known = (seen.creator if seen is not None else 0) or (stamp.by if stamp is not None else 0)
    creator = known or (place.owner if place.kind == "user" and as_meeting else directory.caller.id)
    host = (seen.host if seen is not None else 0) or sent[0].host
    return {creator, host} | ({place.owner} if place.kind == "user" else set())


def _is_news(
    change: Change, before: EventFields, after: EventFields, comparison: Comparison, seen: Observed | None
) -> bool:
    """Return True if guests see a difference: what syncd changes, or what it puts back after a person's edit."""
    raised = after.importance == "high" != before.importance
    link, item = change.link, change.item
    assert link is not None
    assert item is not None
    sent = from_fields(link.sent)
    edited = comparison.differing(item.fields, seen.fields) if seen is not None else ()
    return raised or any(getattr(sent, name) != getattr(after, name) or name in edited for name in _TOLD)


def _is_over(event: EventFields, portal_zone: str, now: float) -> bool:
    """Return True if the event, or the whole series by the end that the portal stores, is over at unix time `now`."""
    if event.rule is not None:
        return _series_end(event, event.rule, portal_zone) < now
    end = wall(event.end).replace(tzinfo=ZoneInfo(event.zone_to or portal_zone)).timestamp()
    return end + (DAY if event.all_day else 0) < now


def _series_end(event: EventFields, rule: NativeRule, portal_zone: str) -> int:
    start, end = (int(wall(text).replace(tzinfo=UTC).timestamp()) for text in (event.start, event.end))
    zones = None if event.all_day else (event.zone_from, event.zone_to)
    return save(server=clock_of(portal_zone), start=start, end=end, zones=zones, rule=native_as_sent(rule)).last_ts
