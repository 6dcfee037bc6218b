"""calendar.event.update: what happens to fields that are sent and omitted (PORTAL.md 4.3), and editing modes (4.7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox import rights
from syncd.sandbox.call import Method, MethodCall
from syncd.sandbox.crm.linked_events import follow_links
from syncd.sandbox.events.attendees import seen, sync_guests
from syncd.sandbox.events.call_params import (
    Dates,
    attendees_of,
    crm_links,
    given_section,
    read_dates,
    sent_rule,
    server_date,
)
from syncd.sandbox.events.series_split import (
    detached_instance,
    ended_before,
    following_dates,
    following_series,
    instance_dates,
    kept_rule,
    split_result,
    stored_again,
    without_day,
)
from syncd.sandbox.events.stored_fields import (
    accessibility_of,
    color_of,
    cut_description,
    cut_name,
    flags_of,
    importance_of,
    remind_of,
)
from syncd.sandbox.php.scalars import PhpValue, is_empty, trim
from syncd.sandbox.php.timezones import unix_to_wall
from syncd.sandbox.series.series import store
from syncd.sandbox.series.stored import Stored
from syncd.sandbox.tables.database import Event, MeetingFlags
from syncd.sandbox.texts import text

if TYPE_CHECKING:
    from syncd.sandbox.tables.database import Section, User

MODES = frozenset({"this", "next", "all"})


def update(call: MethodCall) -> PhpValue:
    """Change an event; return its id, the object of mode `next`, or a sentence when the caller has no right."""
    _check(call)
    dates = read_dates(call)
    section = given_section(call, (trim(call.params["type"]), call.number("ownerId")))
    mode, day = _mode(call) if call.settings.recurrence_mode else ("", None)
    links = crm_links(call) if call.has("crm_fields") and call.settings.crm_fields else None
    row = call.tables.event(call.number("id"))
    acting = _acting(call, row)
    # A missing right is a sentence in `result` and HTTP 200, not an error (PORTAL.md 4.3, trap 2).
    denied = text(call.tables.language, "DENIED")
    if acting is None:
        return denied
    if row is None:
        # An administrator passes every check, and the UPDATE statement then matches no row (PORTAL.md 4.3, trap 22).
        return call.number("id") if acting.admin else denied
    own = call.tables.sections.get(row.section_id)
    if not (acting.admin or (own is not None and rights.may_edit(call.tables, acting, own))):
        return denied
    if row.stored.rule is not None and day is not None:
        if mode == "this":
            return _edit_one(call, row, day, dates, links)
        return _edit_following(call, row, day, dates, section, links)
    _save(call, row, dates, section, links, whole_series=mode == "all")
    return row.id


def _check(call: MethodCall) -> None:
    """Check what is required and the texts, in the portal's order."""
    for name in ("id", "ownerId", "type"):
        value = call.params.get(name)
        if is_empty(value) and not (name == "ownerId" and value in (0, "0")):
            raise call.missing(name)
    for name in ("name", "description"):
        if call.has(name) and not isinstance(call.params[name], str):
            raise call.refuse("PARAM_BAD", name)


def _mode(call: MethodCall) -> tuple[str, date | None]:
    """Return the mode, "" without one, and the day for `this` and `next`; raise BAD_MODE or PARAM_BAD."""
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


def _acting(call: MethodCall, row: Event | None) -> User | None:
    """Return the user whose rights are checked, None for nobody: the host named for a meeting, else the caller.

    By the documentation `host` has to be the present organiser, and does not count for the rights; anybody else is
    refused with an error (PORTAL.md 4.3).
    """
    if call.params.get("is_meeting") != "Y":
        return call.caller
    named = call.number("host") if call.has("host") else call.caller.id
    if call.settings.host_rule == "docs":
        if row is not None and named != row.host:
            raise call.refuse("DENIED")
        return call.caller
    return call.tables.users.get(named)


def _edit_one(call: MethodCall, master: Event, day: date, dates: Dates, links: tuple[str, ...] | None) -> PhpValue:
    """Exclude a day from a series and save a single event for it; return the id of the series, as the portal does."""
    before = seen(master)
    single = detached_instance(call, master, day)
    _apply(call, single, dates, None, links)
    single.remind = master.remind  # reminders that were sent are lost (PORTAL.md 4.7, mode `this`)
    single.stored = instance_dates(call, single.stored, master.stored, day)
    call.tables.insert(single)
    master.stored = without_day(call, master.stored, day)
    _touch(call, master)
    sync_guests(call, master, before)
    sync_guests(call, single, None)
    return master.id


def _edit_following(
    call: MethodCall, master: Event, day: date, dates: Dates, section: Section | None, links: tuple[str, ...] | None
) -> PhpValue:
    """End a series on the day before `day` and save a new one; on the first occurrence change the series itself."""
    before, original = seen(master), master.stored
    if day <= original.date_from.date():
        _save(call, master, dates, section, links, whole_series=False)
        return split_result(call, master.id, None, original, day)
    following = following_series(call, master, day)
    call.tables.insert(following)
    _apply(call, following, dates, section, links)
    following.stored = following_dates(call, following.stored, original, day)
    master.stored = ended_before(call, original, day)
    for instance in call.tables.instances_of(master.id):
        if instance.original_from is not None and instance.original_from >= day:
            call.tables.adopt(instance, following.id)
    _touch(call, master)
    sync_guests(call, master, before)
    sync_guests(call, following, None)
    return split_result(call, following.id, master.id, original, day)


def _touch(call: MethodCall, row: Event) -> None:
    call.tables.saved(row)
    row.changed_at = call.now


def _save(
    call: MethodCall,
    row: Event,
    dates: Dates,
    section: Section | None,
    links: tuple[str, ...] | None,
    *,
    whole_series: bool,
) -> None:
    """Save a row in place and update its copies; with `whole_series` change its detached instances, too."""
    before, old_name, old_location, old_attendees = seen(row), row.name, row.location, row.attendees
    old_from, old_to = row.stored.date_from, row.stored.date_to
    _apply(call, row, dates, section, links)
    if whole_series:
        row.stored = _with_days_kept(call, row.stored, old_from.date(), old_to.date())
    _touch(call, row)
    sync_guests(call, row, before)
    if links is not None:
        follow_links(call, row)
    if not whole_series:
        return
    for instance in call.tables.instances_of(row.id):
        known = seen(instance)
        _cascade(call, row, instance, old_name, old_location, old_attendees)
        _touch(call, instance)
        sync_guests(call, instance, known)


def _apply(call: MethodCall, row: Event, dates: Dates, section: Section | None, links: tuple[str, ...] | None) -> None:
    """Put what the call sends into a row; what it omits is kept, reset or lost (PORTAL.md 4.3, table)."""
    params = call.params
    if call.has("name"):
        row.name = cut_name(trim(params["name"]), call.settings) or text(call.tables.language, "NEW_EVENT")
    if call.has("description"):
        row.description = cut_description(trim(params["description"]), call.settings)
    if call.has("location"):
        row.location = trim(params["location"])
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
    # A meeting in another person's calendar keeps its section, whatever the call names (PORTAL.md 4.3).
    in_foreign_calendar = row.is_meeting and row.cal_type == "user" and row.owner_id != call.caller.id
    if section is not None and not row.is_copy and not in_foreign_calendar:
        call.tables.move(row, section)
    row.stored = _restored(call, row.stored, dates)


def _apply_meeting(call: MethodCall, row: Event) -> None:
    """Apply is_meeting, attendees, host and meeting (traps 5 and 6)."""
    if not call.has("is_meeting"):
        return
    if call.params["is_meeting"] != "Y":
        row.is_meeting, row.attendees, row.flags = False, (), MeetingFlags()
        return
    # The caller becomes host if none is sent (trap 6); by the documentation it is the present one anyway.
    row.host = call.number("host") if call.has("host") else call.caller.id
    row.flags = flags_of(call.params.get("meeting"))
    alone = row.owner_id or call.caller.id
    if call.has("attendees"):
        row.attendees = attendees_of(call, alone)
    # Without `attendees` everybody is removed, except if `current_date_from` is sent, whatever its value (trap 5).
    elif not (row.is_meeting and call.has("current_date_from")):
        row.attendees = tuple(dict.fromkeys((alone, row.host))) if row.is_meeting else (alone,)
    if row.cal_type == "user" and row.owner_id not in row.attendees:
        row.attendees = (row.owner_id, *row.attendees)
    row.is_meeting = True


def _restored(call: MethodCall, old: Stored, dates: Dates) -> Stored:
    """Return the dates and the rule to store: those sent, else the old wall clocks, in the zones of this call.

    Without `skip_time` the event becomes timed (trap 3); without `timezone_*` it moves to the caller's zone (trap 4).
    """
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
    if all_day and not old.skip_time:  # the portal leaves the old zones in the row (PORTAL.md 4.6, last line)
        return replace(stored, tz_from=old.tz_from, tz_to=old.tz_to)
    return stored


def _merged(call: MethodCall, old: Stored, dates: Dates) -> tuple[datetime, datetime, bool]:
    """Return start, end and all-day; an unreadable `from` becomes now, with an unreadable `to` all of today."""
    unreadable_from = dates.from_given and dates.date_from is None
    unreadable_to = dates.to_given and dates.date_to is None
    now = unix_to_wall(call.now, call.tables.server_zone).replace(second=0, microsecond=0)
    if unreadable_from and unreadable_to:
        return now, now, True
    date_from = now if unreadable_from else dates.date_from or old.date_from
    date_to = date_from if unreadable_to else dates.date_to or old.date_to
    return date_from, date_to, dates.all_day


def _with_days_kept(call: MethodCall, stored: Stored, first: date, last: date) -> Stored:
    """Return the dates on their old days with the new times of day, as mode `all` stores them (trap 20)."""
    opens = datetime.combine(first, stored.date_from.time())
    closes = datetime.combine(last, stored.date_to.time())
    return stored_again(call, stored, opens, closes, kept_rule(call, stored), stored.exdates)


def _cascade(
    call: MethodCall, row: Event, instance: Event, old_name: str, old_location: str, old_attendees: tuple[int, ...]
) -> None:
    """Apply a change of the series to a detached instance; a name, place or attendees of its own stay."""
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
    opens = datetime.combine(first, row.stored.date_from.time())
    closes = datetime.combine(first + days, row.stored.date_to.time())
    instance.stored = stored_again(call, row.stored, opens, closes, None, ())


METHODS = MappingProxyType({"calendar.event.update": Method(run=update, scopes=frozenset({"calendar"}))})
