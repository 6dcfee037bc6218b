"""The hidden link between activities and calendar events, in both directions (PORTAL.md 6.5, 6.6, trap 38)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.sandbox.events.stored_fields import cut_name, new_dav_id, remind_of
from syncd.sandbox.php.timezones import unix_to_wall, wall_to_unix
from syncd.sandbox.series.series import store
from syncd.sandbox.tables.crm_rows import MEETING, PROVIDER, TODO_PROVIDER, Activity, code_of, element_of
from syncd.sandbox.tables.database import Event, Section

if TYPE_CHECKING:
    from syncd.sandbox.call import MethodCall
    from syncd.sandbox.series.stored import Stored

SECTION_NAME = "CRM"
_UNITS = {1: "min", 2: "hour", 3: "day"}


def save_event(call: MethodCall, activity: Activity, location: str) -> None:
    """Create or re-save the event of a meeting in the responsible's calendar, in their CRM section.

    `location` is what the present call has sent: an update without LOCATION clears the event's place (trap 40).
    """
    if activity.type_id != MEETING or activity.start is None or activity.responsible not in call.tables.users:
        return
    event = call.tables.event(activity.event_id) if activity.event_id else None
    if event is not None and event.owner_id != activity.responsible:
        call.tables.erase(event)
        event = None
    if event is None:
        event = _new_event(call, activity)
        call.tables.insert(event)
        call.tables.crm_rows.link(activity, event.id)
    else:
        event.stored = _stored(call, activity)
        call.tables.saved(event)
        event.changed_at = call.now
    event.name = cut_name(activity.subject, call.settings)
    event.description = activity.description
    event.location = location
    event.crm = tuple(code_of(one) for one in activity.bindings)
    unit = _UNITS.get(activity.notify_type)
    event.remind = remind_of([{"type": unit, "count": activity.notify_value}]) if unit else ()


def drop_event(call: MethodCall, activity: Activity) -> None:
    """Delete the event of an activity that is being deleted."""
    event = call.tables.event(activity.event_id) if activity.event_id else None
    if event is not None:
        call.tables.erase(event)


def drop_activities(call: MethodCall, gone: tuple[Event, ...]) -> None:
    """Delete the activities of events that were deleted."""
    for event in gone:
        activity = call.tables.crm_rows.of_event(event.id)
        if activity is not None:
            call.tables.crm_rows.remove(activity)


def follow_links(call: MethodCall, event: Event) -> None:
    """Create, change or delete the to-do of an event saved with `crm_fields`; without links there is none."""
    rows = call.tables.crm_rows
    activity = rows.of_event(event.id)
    if activity is not None and activity.type_id != PROVIDER:
        return  # a meeting has an activity already; a to-do beside it would show it twice
    bindings = tuple(one for one in map(element_of, event.crm) if one is not None)
    if not bindings:
        if activity is not None:
            rows.remove(activity)
        return
    zone_name = event.stored.tz_from or call.tables.server_zone
    starts = float(wall_to_unix(event.stored.date_from, zone_name))
    if activity is None:
        activity = Activity(
            id=rows.next_id(),
            type_id=PROVIDER,
            provider_id=TODO_PROVIDER,
            owner_type_id=bindings[0][0],
            owner_id=bindings[0][1],
            subject=event.name,
            author=call.caller.id,
            created_at=call.now,
            changed_at=call.now,
            responsible=event.owner_id if event.cal_type == "user" else call.caller.id,
            event_id=event.id,
        )
        rows.insert(activity)
    activity.subject, activity.bindings = event.name, bindings
    activity.start = activity.end = activity.deadline = starts
    activity.changed_at = call.now


def _new_event(call: MethodCall, activity: Activity) -> Event:
    section = _crm_section(call, activity.responsible)
    stored = _stored(call, activity)
    event_id = call.tables.next_event_id()
    return Event(
        id=event_id,
        parent_id=event_id,
        cal_type="user",
        owner_id=activity.responsible,
        section_id=section.id,
        created_by=call.caller.id,
        created_at=call.now,
        changed_at=call.now,
        stored=stored,
        dav_xml_id=new_dav_id(call.tables, call.now, stored.date_from, stored.tz_from, activity.responsible),
        host=activity.responsible,
    )


def _stored(call: MethodCall, activity: Activity) -> Stored:
    """Return the activity's times in the responsible's zone."""
    zone_name = call.tables.users[activity.responsible].zone or call.tables.server_zone
    opens, closes = activity.start or 0.0, activity.end or activity.start or 0.0
    return store(
        date_from=unix_to_wall(opens, zone_name),
        date_to=unix_to_wall(closes, zone_name),
        skip_time=False,
        tz_from=zone_name,
        tz_to=zone_name,
        rrule=None,
        exdates=(),
        server_zone=call.tables.server_zone,
        now=call.now,
    )


def _crm_section(call: MethodCall, user: int) -> Section:
    own = call.tables.sections_of(("user", user))
    found = next((section for section in own if section.name == SECTION_NAME), None)
    if found is not None:
        return found
    section = Section(
        id=call.tables.next_section_id(),
        name=SECTION_NAME,
        cal_type="user",
        owner_id=user,
        created_by=user,
        created_at=call.now,
        changed_at=call.now,
        color="#AF7E00",
    )
    call.tables.add_section(section)
    return section
