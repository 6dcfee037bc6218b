"""Attendees' copies, room bookings and the notices that writes send (PORTAL.md 4.2, 4.4, 4.10).

There is no parameter that suppresses a notice (trap 24), so the sandbox keeps all of them for tests and for its page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from syncd.sandbox.events.placement import meeting_section
from syncd.sandbox.php.timezones import wall_to_unix
from syncd.sandbox.tables.database import Event, Notice, NoticeKind

if TYPE_CHECKING:
    from syncd.sandbox.call import MethodCall
    from syncd.sandbox.tables.database import Section

_ROOM = re.compile(r"calendar_(\d+)")
_OLD_ROOM = re.compile(r"ECMR_\d+")
DECLINED = "N"
ACCEPTED = "Y"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What attendees see of an event; they get a notice if a write changes it."""

    name: str
    dates: object
    rule: str
    description: str
    location: str
    importance: str
    attendees: tuple[int, ...]


def seen(row: Event) -> Seen:
    """Return what attendees see of an event."""
    return Seen(
        name=row.name,
        dates=(row.stored.date_from, row.stored.date_to, row.stored.tz_from, row.stored.skip_time),
        rule=row.stored.rrule,
        description=row.description,
        location=row.location,
        importance=row.importance,
        attendees=row.attendees,
    )


def ended(call: MethodCall, row: Event) -> bool:
    """Return True if an event, or the whole series, is over."""
    stored = row.stored
    if stored.rule is not None:
        return stored.to_ts < call.now
    end = wall_to_unix(stored.date_to, stored.tz_to or call.tables.server_zone)
    return end + (86400 if stored.skip_time else 0) < call.now


def notify(call: MethodCall, to: int, kind: NoticeKind, row: Event) -> None:
    """Record a notice from the host, who gets none of it, and neither does the event's creator (PORTAL.md 4.10).

    The caller is told like anybody else unless he is one of the two.
    """
    if to not in (row.host, row.created_by):
        call.tables.notices.append(Notice(at=call.now, to=to, kind=kind, event_id=row.id, name=row.name))


def notify_host(call: MethodCall, row: Event) -> None:
    """Record what the host is told of a guest's answer."""
    if row.host != call.caller.id:
        call.tables.notices.append(Notice(at=call.now, to=row.host, kind="answer", event_id=row.id, name=row.name))


def sync_guests(call: MethodCall, row: Event, before: Seen | None) -> None:
    """Update the attendees' copies and the room's booking of an event just saved; `before` is None for a new one."""
    if row.is_copy:
        return
    _sync_booking(call, row)
    guests = row.attendees if row.is_meeting else ()
    wanted = dict.fromkeys(user for user in guests if row.calendar != ("user", user))
    copies = {copy.owner_id: copy for copy in call.tables.copies_of(row.id) if copy.cal_type == "user"}
    for user, copy in copies.items():
        if user not in wanted:
            _uninvite(call, row, copy)
    changed = before is not None and _worth_telling(before, seen(row))
    over = ended(call, row)
    for user in wanted:
        copy_or_none = copies.get(user)
        if copy_or_none is None:
            _invite(call, row, user, over=over)
        else:
            _update_copy(call, row, copy_or_none, changed=changed, over=over)


def cancel(call: MethodCall, row: Event, gone: tuple[Event, ...]) -> None:
    """Send cancel notices for a deleted event, except to those who declined, and not if it is over."""
    for copy in gone:
        if copy.is_copy and copy.cal_type == "user" and copy.meeting_status != DECLINED and not ended(call, copy):
            notify(call, copy.owner_id, "cancel", row)


def _worth_telling(before: Seen, now: Seen) -> bool:
    # Importance is worth a notice only if it becomes high; any other field if it changes at all (PORTAL.md 4.10).
    raised = now.importance == "high" != before.importance
    return raised or replace(now, importance="") != replace(before, importance="")


def _uninvite(call: MethodCall, row: Event, copy: Event) -> None:
    call.tables.erase(copy)
    # Who was invited and has not said yes is told nothing when he is taken out again (PORTAL.md 4.10).
    if copy.meeting_status == ACCEPTED and not ended(call, row):
        notify(call, copy.owner_id, "cancel", row)


def _status(row: Event, user: int) -> str:
    if user == row.host:
        return "H"
    return "Y" if user == row.created_by else "Q"


def _invite(call: MethodCall, row: Event, user: int, *, over: bool) -> None:
    section = meeting_section(call.tables, user, call.caller.id, call.now)
    copy = Event(
        id=call.tables.next_event_id(),
        parent_id=row.id,
        cal_type="user",
        owner_id=user,
        section_id=section.id,
        created_by=row.created_by,
        created_at=call.now,
        changed_at=call.now,
        stored=row.stored,
        dav_xml_id=row.dav_xml_id,
        meeting_status=_status(row, user),
        remind=row.remind,
        recurrence_id=_copy_of_master(call, row, user),
        original_from=row.original_from,
    )
    _fill(copy, row)
    call.tables.insert(copy)
    if not over:
        notify(call, user, "invite", row)


def _copy_of_master(call: MethodCall, row: Event, user: int) -> int | None:
    """Return the id of the attendee's copy of the series that a detached instance belongs to."""
    if row.recurrence_id is None:
        return None
    copies = call.tables.copies_of(row.recurrence_id)
    return next((copy.id for copy in copies if copy.calendar == ("user", user)), None)


def _update_copy(call: MethodCall, row: Event, copy: Event, *, changed: bool, over: bool) -> None:
    _fill(copy, row)
    copy.stored = row.stored
    call.tables.saved(copy)
    copy.changed_at = call.now
    if row.flags.reinvite and copy.owner_id not in (row.host, row.created_by):
        copy.meeting_status = "Q"
        if not over:
            notify(call, copy.owner_id, "invite", row)
    elif changed and copy.meeting_status in ("Y", "H") and not over:
        notify(call, copy.owner_id, "change", row)


def _fill(copy: Event, row: Event) -> None:
    """Give a copy what it shares with the organiser's event; accessibility and reminders stay its own."""
    copy.name, copy.description, copy.location, copy.color = row.name, row.description, row.location, row.color
    copy.importance, copy.private = row.importance, row.private
    copy.is_meeting, copy.host, copy.flags, copy.attendees = True, row.host, row.flags, row.attendees


def _sync_booking(call: MethodCall, row: Event) -> None:
    """Book the room that the location names; a busy or unknown one leaves the location empty (trap 41)."""
    named = _ROOM.match(row.location)
    room = call.tables.sections.get(int(named[1])) if named else None
    kept = None
    for booking in call.tables.copies_of(row.id):
        if booking.cal_type == "location":
            if room is not None and booking.section_id == room.id:
                kept = booking
            else:
                call.tables.erase(booking)
    if named is None:
        # ECMR_ rooms no longer exist here, so such a booking always ends without a place (trap 41).
        row.location = "" if _OLD_ROOM.match(row.location) else row.location
        return
    if room is None or room.cal_type != "location" or _is_busy(call, room, row):
        row.location = ""
        if kept is not None:
            call.tables.erase(kept)
        return
    if kept is None:
        kept = _book(call, room, row)
    kept.stored, kept.name = row.stored, row.name
    row.location = f"calendar_{room.id}_{kept.id}"


def _book(call: MethodCall, room: Section, row: Event) -> Event:
    booking = Event(
        id=call.tables.next_event_id(),
        parent_id=row.id,
        cal_type="location",
        owner_id=room.owner_id,
        section_id=room.id,
        created_by=row.created_by,
        created_at=call.now,
        changed_at=call.now,
        stored=row.stored,
        dav_xml_id=row.dav_xml_id,
        host=row.host,
    )
    call.tables.insert(booking)
    return booking


def _is_busy(call: MethodCall, room: Section, row: Event) -> bool:
    """Return True if another event overlaps; a series counts as one span from its first start to its end."""
    own = row.stored
    return any(
        other.stored.from_ts < max(own.to_ts, own.from_ts + 60) and own.from_ts < other.stored.to_ts
        for other in call.tables.events_in(room.id)
        if other.parent_id != row.id
    )
