"""calendar.event.add (PORTAL.md 4.2)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox import rights
from syncd.sandbox.call import Method, MethodCall
from syncd.sandbox.crm.linked_events import follow_links
from syncd.sandbox.events.attendees import sync_guests
from syncd.sandbox.events.call_params import Dates, attendees_of, crm_links, named_section, read_dates, sent_rule
from syncd.sandbox.events.placement import detected_section, usual_section
from syncd.sandbox.events.stored_fields import (
    accessibility_of,
    color_of,
    cut_description,
    cut_name,
    flags_of,
    importance_of,
    new_dav_id,
    remind_of,
)
from syncd.sandbox.php.scalars import PhpValue, is_empty, trim
from syncd.sandbox.series.series import store
from syncd.sandbox.series.stored import Stored
from syncd.sandbox.tables.database import Event, MeetingFlags, Section

if TYPE_CHECKING:
    from syncd.sandbox.tables.database import CalendarId, User


def add(call: MethodCall) -> PhpValue:
    """Create an event; return its id."""
    dates = read_dates(call)
    calendar = _validated_calendar(call, dates)
    if not isinstance(call.params["name"], str):
        raise call.refuse("PARAM_BAD", "name")
    if call.has("description") and not isinstance(call.params["description"], str):
        raise call.refuse("PARAM_BAD", "description")
    section = named_section(call, calendar)
    links = crm_links(call) if call.has("crm_fields") and call.settings.crm_fields else ()
    is_meeting = call.params.get("is_meeting") == "Y"
    host = _host(call, is_meeting=is_meeting)
    if host is None or (section is not None and not rights.may_edit(call.tables, host, section)):
        raise call.refuse("ADD_FAIL")
    section = section or _chosen_section(call, calendar)
    if dates.date_from is None or dates.date_to is None:
        raise call.missing("from")
    stored = store(
        date_from=dates.date_from,
        date_to=dates.date_to,
        skip_time=dates.all_day,
        tz_from=dates.tz_from,
        tz_to=dates.tz_to,
        rrule=sent_rule(call.params.get("rrule")),
        exdates=(),
        server_zone=call.tables.server_zone,
        now=call.now,
    )
    row = _new_row(call, section, stored, links, host if is_meeting else None)
    call.tables.insert(row)
    sync_guests(call, row, None)
    follow_links(call, row)
    return row.id


def _validated_calendar(call: MethodCall, dates: Dates) -> CalendarId:
    """Check what is required, in the portal's order; return type and owner."""
    owner = call.params.get("ownerId")
    present = {
        "from": dates.date_from is not None,
        "to": dates.date_to is not None,
        "name": not is_empty(call.params.get("name")),
        "ownerId": owner is not None and owner != "",
        "type": not is_empty(call.params.get("type")),
        "section": not _wants_section(call) or not is_empty(call.params.get("section")),
    }
    for name, is_present in present.items():
        if not is_present:
            raise call.missing(name)
    return trim(call.params["type"]), call.number("ownerId")


def _wants_section(call: MethodCall) -> bool:
    return call.has("auto_detect_section") and call.params["auto_detect_section"] != "Y"


def _host(call: MethodCall, *, is_meeting: bool) -> User | None:
    """Return the user whose rights are checked: the host, if the portal uses `host` at all, else the caller.

    Nobody, if `host` names no user.
    """
    if is_meeting and call.settings.host_rule == "source" and call.has("host"):
        return call.tables.users.get(call.number("host"))
    return call.caller


def _chosen_section(call: MethodCall, calendar: CalendarId) -> Section:
    """Return the section for a call that names none; refuse a calendar that does not exist. Rights do not count."""
    tables, (cal_type, owner) = call.tables, calendar
    exists = {"user": owner in tables.users, "group": owner in tables.groups}.get(cal_type, cal_type in tables.types)
    if not exists or cal_type == "location":
        raise call.refuse("ADD_FAIL")
    detect = call.params.get("auto_detect_section") == "Y"
    choose = detected_section if detect else usual_section
    return choose(tables, calendar, call.caller.id, call.now)


def _new_row(call: MethodCall, section: Section, stored: Stored, links: tuple[str, ...], host: User | None) -> Event:
    params = call.params
    owner_or_caller = section.owner_id or call.caller.id
    in_user_calendar = section.cal_type == "user"
    attendees: tuple[int, ...] = ()
    if host is not None:
        attendees = attendees_of(call, owner_or_caller)
        if in_user_calendar and section.owner_id not in attendees:
            attendees = (section.owner_id, *attendees)
    event_id = call.tables.next_event_id()
    return Event(
        id=event_id,
        parent_id=event_id,
        # Type and owner are finally the section's, whatever the call said (PORTAL.md 4.2, section).
        cal_type=section.cal_type,
        owner_id=section.owner_id,
        section_id=section.id,
        created_by=section.owner_id if host is not None and in_user_calendar else call.caller.id,
        created_at=call.now,
        changed_at=call.now,
        stored=stored,
        dav_xml_id=new_dav_id(call.tables, call.now, stored.date_from, stored.tz_from, section.owner_id),
        name=cut_name(trim(params["name"]), call.settings),
        description=cut_description(trim(params.get("description")), call.settings),
        location=trim(params.get("location")),
        color=color_of(params["color"]) if call.has("color") else "",
        accessibility=accessibility_of(params.get("accessibility")),
        importance=importance_of(params.get("importance")),
        private=params.get("private_event") == "Y",
        remind=remind_of(params.get("remind")),
        crm=links,
        is_meeting=host is not None,
        # Of an event that is no meeting it is the calendar's owner (PORTAL.md 4.3).
        host=host.id if host is not None else owner_or_caller,
        flags=flags_of(params.get("meeting")) if host is not None else MeetingFlags(),
        attendees=attendees,
    )


METHODS = MappingProxyType({"calendar.event.add": Method(run=add, scopes=frozenset({"calendar"}))})
