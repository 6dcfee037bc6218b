"""Editing one occurrence of a series, or all that follow it: modes `this` and `next` (PORTAL.md 4.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from syncd.sandbox.events.attendees import seen, sync_guests
from syncd.sandbox.events.fields import new_dav_id
from syncd.sandbox.php.scalars import PhpValue, to_int
from syncd.sandbox.series.series import Stored, occurrences, read_rule, store
from syncd.sandbox.texts import culture_day, culture_moment

if TYPE_CHECKING:
    from syncd.sandbox.call import Call
    from syncd.sandbox.tables.database import Event

_ONE_DAY = timedelta(days=1)


def kept_rule(call: Call, stored: Stored) -> dict[str, PhpValue] | None:
    """Return a stored rule as the portal reads it, to be stored again: that is how a missing INTERVAL is repaired."""
    if not stored.rrule:
        return None
    rule = read_rule(stored.rrule, lambda day: culture_day(day, call.tables.culture))
    rule.pop("~UNTIL", None)
    return rule


def edit_one(call: Call, master: Event, current: date, change: Callable[[Event], None]) -> PhpValue:
    """Exclude a day from a series and put a new single event beside it; return the id of the series.

    The day is not checked to be an occurrence, and a second call for it makes a second event (trap 20).
    """
    before = seen(master)
    event_id = call.tables.next_event_id()
    single = replace(
        master,
        id=event_id,
        parent_id=event_id,
        created_at=call.now,
        changed_at=call.now,
        version=1,
        recurrence_id=master.recurrence_id or master.id,
        original_from=current,
        comment_xml_id=f"EVENT_{master.id}_{current:%d.%m.%Y}",
    )
    change(single)
    single.stored = _single(call, single.stored, master.stored, current)
    call.tables.insert(single)
    master.stored = _with_rule(call, master.stored, kept_rule(call, master.stored), (*master.stored.exdates, current))
    master.version += 1
    master.changed_at = call.now
    sync_guests(call, master, before)
    sync_guests(call, single, None)
    return master.id


def _single(call: Call, given: Stored, series: Stored, current: date) -> Stored:
    """Return the dates of a detached instance: as given, or on its own day when the series' first day was given."""
    opens, closes = given.date_from, given.date_to
    if opens.date() == series.date_from.date():
        length = closes - opens
        if given.skip_time and length >= _ONE_DAY:
            length -= _ONE_DAY  # the portal takes a day too many off
        opens = datetime.combine(current, opens.time())
        closes = opens + length
    return _placed(call, given, opens, closes, None, ())


def edit_following(call: Call, master: Event, current: date, change: Callable[[Event], None]) -> PhpValue:
    """End a series on the day before and start a new one; return what the portal tells of both.

    `current` must come after the first day of the series.
    """
    before, original = seen(master), master.stored
    event_id = call.tables.next_event_id()
    following = replace(
        master,
        id=event_id,
        parent_id=event_id,
        created_at=call.now,
        changed_at=call.now,
        version=1,
        dav_xml_id=new_dav_id(
            call, datetime.combine(current, original.date_from.time()), original.tz_from, master.owner_id
        ),
    )
    call.tables.insert(following)
    change(following)
    following.stored = _following(call, following.stored, original, current)
    _end_before(call, master, current)
    for instance in call.tables.instances_of(master.id):
        if instance.original_from is not None and instance.original_from >= current:
            call.tables.adopt(instance, following.id)
    master.version += 1
    master.changed_at = call.now
    sync_guests(call, master, before)
    sync_guests(call, following, None)
    return split_result(call, following.id, master.id, original, current)


def split_result(call: Call, event_id: int, series_id: int | None, original: Stored, current: date) -> PhpValue:
    """Return the object that mode `next` answers; `series_id` None when the first occurrence was edited."""
    wall = datetime.combine(current, original.date_from.time())
    culture = call.tables.culture
    return {
        "originalDate": culture_day(current, culture) if original.skip_time else culture_moment(wall, culture),
        "originalDavXmlId": _dav_id(call, series_id or event_id),
        "instanceTz": original.tz_from,
        "recEventId": event_id,
        "id": series_id,
    }


def _dav_id(call: Call, event_id: int) -> str:
    row = call.tables.event(event_id)
    return "" if row is None else row.dav_xml_id


def _following(call: Call, given: Stored, original: Stored, current: date) -> Stored:
    """Return the new series: from the day named unless another was given, COUNT less what has been."""
    opens, closes = given.date_from, given.date_to
    if opens.date() == original.date_from.date():
        length = closes - opens
        opens = datetime.combine(current, opens.time())
        closes = opens + length
    rule = kept_rule(call, given)
    if rule is not None and "COUNT" in rule:
        rule["COUNT"] = max(to_int(rule["COUNT"]) - _past(call, original, current), 1)
        rule.pop("UNTIL", None)
    later = tuple(day for day in original.exdates if day >= current)
    return _placed(call, given, opens, closes, rule, later)


def _past(call: Call, original: Stored, current: date) -> int:
    """Count the occurrences before a day, excluded ones too."""
    whole = replace(original, exdates=())
    last = datetime.combine(current - _ONE_DAY, time())
    shown = occurrences(whole, original.date_from, last, call.tables.server_zone, exact=call.settings.exact_expansion)
    return sum(1 for opens, _ in shown if opens.date() < current)


def _end_before(call: Call, master: Event, current: date) -> None:
    rule = kept_rule(call, master.stored) or {}
    rule.pop("COUNT", None)
    rule.pop("UNTIL_TS", None)
    rule["UNTIL"] = f"{current - _ONE_DAY:%d.%m.%Y}"
    master.stored = _with_rule(call, master.stored, rule, master.stored.exdates)


def _with_rule(call: Call, stored: Stored, rule: dict[str, PhpValue] | None, exdates: tuple[date, ...]) -> Stored:
    return _placed(call, stored, stored.date_from, stored.date_to, rule, exdates)


def _placed(
    call: Call,
    stored: Stored,
    opens: datetime,
    closes: datetime,
    rule: dict[str, PhpValue] | None,
    exdates: tuple[date, ...],
) -> Stored:
    return store(
        date_from=opens,
        date_to=closes,
        skip_time=stored.skip_time,
        tz_from=stored.tz_from,
        tz_to=stored.tz_to,
        rrule=rule,
        exdates=exdates,
        server_zone=call.tables.server_zone,
        now=call.now,
    )
