"""calendar.event.update: what becomes of fields given and omitted (PORTAL.md 4.3), and the editing modes (4.7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox import rights
from syncd.sandbox.call import Call, Method
from syncd.sandbox.crm.linked_events import follow_links
from syncd.sandbox.events.attendees import seen, sync_guests
from syncd.sandbox.events.call_params import Dates, read_dates, server_date
from syncd.sandbox.events.fields import (
    accessibility_of,
    attendees_of,
    color_of,
    crm_links,
    cut_name,
    flags_of,
    importance_of,
    remind_of,
    text_of,
)
from syncd.sandbox.events.splitting import edit_following, edit_one, kept_rule, split_result
from syncd.sandbox.methods.event_add import named_section, sent_rule
from syncd.sandbox.php.scalars import PhpValue, is_empty
from syncd.sandbox.php.timezones import unix_to_wall
from syncd.sandbox.series.series import Stored, store
from syncd.sandbox.tables.database import Event, MeetingFlags
from syncd.sandbox.texts import text

if TYPE_CHECKING:
    from syncd.sandbox.tables.database import Section, User

MODES = frozenset({"this", "next", "all"})


def update(call: Call) -> PhpValue:
    """Change an event; return its id, the object of mode `next`, or a sentence when the caller has no right."""
    for name in ("id", "ownerId", "type"):
        value = call.params.get(name)
        if is_empty(value) and not (name == "ownerId" and value in (0, "0")):
            raise call.missing(name)
    mode, current = _mode(call)
    for name in ("name", "description"):
        if call.has(name) and not isinstance(call.params[name], str):
            raise call.refuse("PARAM_BAD", name)
    dates = read_dates(call)
    section = named_section(call, (text_of(call.params["type"]), call.number("ownerId")))
    links = crm_links(call) if call.has("crm_fields") else None
    row = call.tables.event(call.number("id"))
    acting = _acting(call)
    if row is None:
        # an administrator passes every check, and the UPDATE meets no row (trap 22)
        return call.number("id") if acting.admin else text(call.tables.language, "DENIED")
    own = call.tables.sections.get(row.section_id)
    if not (acting.admin or (own is not None and rights.may_edit(call.tables, acting, own))):
        return text(call.tables.language, "DENIED")
    if mode == "this" and row.stored.rule is not None and current is not None:
        return edit_one(call, row, current, lambda copy: _apply_to_new(call, copy, dates, links))
    if mode == "next" and row.stored.rule is not None and current is not None:
        original = row.stored
        if current > original.date_from.date():
            return edit_following(call, row, current, lambda copy: _apply(call, copy, dates, section, links))
        _save(call, row, dates, section, links, whole_series=False)
        return split_result(call, row.id, None, original, current)
    _save(call, row, dates, section, links, whole_series=mode == "all")
    return row.id


def _mode(call: Call) -> tuple[str, date | None]:
    """Return `recurrence_mode` and the day it is about; raise BAD_MODE or PARAM_BAD."""
    value = call.params.get("recurrence_mode")
    if is_empty(value):
        return "", None
    if not isinstance(value, str) or value not in MODES:
        raise call.refuse("BAD_MODE")
    if value == "all":
        return value, None
    current = server_date(call, call.params.get("current_date_from"))
    if current is None:
        raise call.refuse("PARAM_BAD", "current_date_from")
    return value, current


def _acting(call: Call) -> User:
    """Return as whom rights are checked: the host named in an update of a meeting, else the caller."""
    if call.params.get("is_meeting") == "Y" and call.has("host"):
        return call.tables.users.get(call.number("host"), call.caller)
    return call.caller


def _save(
    call: Call, row: Event, dates: Dates, section: Section | None, links: tuple[str, ...] | None, *, whole_series: bool
) -> None:
    """Save a row in place, tell the attendees, and with `whole_series` carry the change on to detached instances."""
    before, old_name, old_location, old_attendees = seen(row), row.name, row.location, row.attendees
    old_from, old_to = row.stored.date_from, row.stored.date_to
    _apply(call, row, dates, section, links)
    if whole_series:
        row.stored = _with_days_kept(call, row.stored, old_from.date(), old_to.date())
    row.version += 1
    row.changed_at = call.now
    sync_guests(call, row, before)
    if links is not None:
        follow_links(call, row)
    if not whole_series:
        return
    for instance in call.tables.instances_of(row.id):
        known = seen(instance)
        _cascade(call, row, instance, old_name, old_location, old_attendees)
        instance.version += 1
        instance.changed_at = call.now
        sync_guests(call, instance, known)


def _apply(call: Call, row: Event, dates: Dates, section: Section | None, links: tuple[str, ...] | None) -> None:
    """Put what the call gives into a row; what it omits is kept, reset or lost as the table of 4.3 says."""
    params = call.params
    if call.has("name"):
        row.name = cut_name(text_of(params["name"])) or text(call.tables.language, "NEW_EVENT")
    if call.has("description"):
        row.description = text_of(params["description"])
    if call.has("location"):
        row.location = text_of(params["location"])
    if call.has("color"):
        row.color = color_of(params["color"])
    if call.has("accessibility"):
        row.accessibility = accessibility_of(params["accessibility"])
    if call.has("importance"):
        row.importance = importance_of(params["importance"])
    if call.has("private_event"):
        row.private = params["private_event"] == "Y"
    if call.has("remind"):
        row.remind = remind_of(params["remind"])
    if links is not None:
        row.crm = links
    _apply_meeting(call, row)
    in_foreign_calendar = row.is_meeting and row.cal_type == "user" and row.owner_id != call.caller.id
    if section is not None and not row.is_copy and not in_foreign_calendar:
        call.tables.move(row, section)
    row.stored = _restored(call, row.stored, dates)


def _apply_to_new(call: Call, row: Event, dates: Dates, links: tuple[str, ...] | None) -> None:
    """Put the call into a detached instance, whose reminders stay the master's."""
    remind = row.remind
    _apply(call, row, dates, None, links)
    row.remind = remind


def _apply_meeting(call: Call, row: Event) -> None:
    """Apply is_meeting, attendees, host and meeting (traps 5 and 6)."""
    if not call.has("is_meeting"):
        return
    if call.params["is_meeting"] != "Y":
        row.is_meeting, row.attendees, row.flags = False, (), MeetingFlags()
        return
    row.host = _acting(call).id
    row.flags = flags_of(call.params.get("meeting"))
    alone = row.owner_id or call.caller.id
    if call.has("attendees"):
        row.attendees = attendees_of(call, alone)
    elif not (row.is_meeting and call.has("current_date_from")):
        row.attendees = tuple(dict.fromkeys((alone, row.host))) if row.is_meeting else (alone,)
    if row.cal_type == "user" and row.owner_id not in row.attendees:
        row.attendees = (row.owner_id, *row.attendees)
    row.is_meeting = True


def _restored(call: Call, old: Stored, dates: Dates) -> Stored:
    """Return the dates and the rule to keep: given ones, else the old wall clock in the caller's zone."""
    date_from, date_to, all_day = _merged(call, old, dates)
    rule = sent_rule(call.params.get("rrule")) if call.has("rrule") else kept_rule(call, old)
    stored = store(
        date_from=date_from,
        date_to=date_to,
        skip_time=all_day,
        tz_from=dates.tz_from,
        tz_to=dates.tz_to,
        rrule=rule,
        exdates=old.exdates,
        server_zone=call.tables.server_zone,
        now=call.now,
    )
    if all_day and not old.skip_time:  # the old zones stay in the row (PORTAL.md 4.6, last line)
        return replace(stored, tz_from=old.tz_from, tz_to=old.tz_to)
    return stored


def _merged(call: Call, old: Stored, dates: Dates) -> tuple[datetime, datetime, bool]:
    """Return start, end and all-day; an unreadable `from` becomes now, with an unreadable `to` all of today."""
    unreadable_from = dates.from_given and dates.date_from is None
    unreadable_to = dates.to_given and dates.date_to is None
    now = unix_to_wall(call.now, call.tables.server_zone).replace(second=0, microsecond=0)
    if unreadable_from and unreadable_to:
        return now, now, True
    date_from = now if unreadable_from else dates.date_from or old.date_from
    date_to = date_from if unreadable_to else dates.date_to or old.date_to
    return date_from, date_to, dates.all_day


def _with_days_kept(call: Call, stored: Stored, first: date, last: date) -> Stored:
    """Return the row on its old days, with the new times of day: what mode `all` does (trap 20)."""
    return store(
        date_from=datetime.combine(first, stored.date_from.time()),
        date_to=datetime.combine(last, stored.date_to.time()),
        skip_time=stored.skip_time,
        tz_from=stored.tz_from,
        tz_to=stored.tz_to,
        rrule=kept_rule(call, stored),
        exdates=stored.exdates,
        server_zone=call.tables.server_zone,
        now=call.now,
    )


def _cascade(
    call: Call, row: Event, instance: Event, old_name: str, old_location: str, old_attendees: tuple[int, ...]
) -> None:
    """Carry a change of the whole series on to a detached instance; its own name, place and guests stay its own."""
    if instance.name == old_name:
        instance.name = row.name
    if instance.location == old_location:
        instance.location = row.location
    if instance.attendees == old_attendees:
        instance.attendees, instance.is_meeting, instance.host = row.attendees, row.is_meeting, row.host
    instance.description, instance.color = row.description, row.color
    instance.accessibility, instance.importance, instance.private = row.accessibility, row.importance, row.private
    instance.remind, instance.crm, instance.flags = row.remind, row.crm, row.flags
    first = instance.stored.date_from.date()
    days = row.stored.date_to.date() - row.stored.date_from.date()
    instance.stored = store(
        date_from=datetime.combine(first, row.stored.date_from.time()),
        date_to=datetime.combine(first + days, row.stored.date_to.time()),
        skip_time=row.stored.skip_time,
        tz_from=row.stored.tz_from,
        tz_to=row.stored.tz_to,
        rrule=None,
        exdates=(),
        server_zone=call.tables.server_zone,
        now=call.now,
    )


METHODS = MappingProxyType({"calendar.event.update": Method(run=update, scopes=frozenset({"calendar"}))})
