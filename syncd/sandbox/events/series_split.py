"""The rows and dates that editing a part of a series makes: modes `this` and `next` (PORTAL.md 4.7, recurrence_mode).

The functions make values only; `calendar.event.update` saves them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from syncd.sandbox.events.stored_fields import new_dav_id
from syncd.sandbox.php.scalars import PhpValue, to_int
from syncd.sandbox.series.series import occurrences, read_rule, store
from syncd.sandbox.texts import culture_day, culture_moment

if TYPE_CHECKING:
    from syncd.sandbox.call import MethodCall
    from syncd.sandbox.series.stored import Stored
    from syncd.sandbox.tables.database import Event

_ONE_DAY = timedelta(days=1)


def kept_rule(call: MethodCall, stored: Stored) -> dict[str, PhpValue] | None:
    """Return a stored rule in the form in which it is sent, None without one.

    The portal stores what its reader understood, with INTERVAL=1 and a key UNTIL_TS. That is how an update repairs a
    series that was sent with COUNT but without INTERVAL (PORTAL.md 4.7, trap 16).
    """
    if not stored.rrule:
        return None
    rule = read_rule(stored.rrule, lambda day: culture_day(day, call.tables.culture))
    rule.pop("~UNTIL", None)
    return rule


def stored_again(
    call: MethodCall,
    stored: Stored,
    opens: datetime,
    closes: datetime,
    rule: dict[str, PhpValue] | None,
    exdates: tuple[date, ...],
) -> Stored:
    """Return stored dates saved once more with other wall clocks, rule and exceptions; zones and all-day stay."""
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


def detached_instance(call: MethodCall, master: Event, day: date) -> Event:
    """Return a new row for one occurrence of a series, equal to the series but for what ties it to its day.

    The portal does not check that `day` is an occurrence, and a second call makes a second row (PORTAL.md 4.7, trap
    20). The DAV id stays that of the series.
    """
    event_id = call.tables.next_event_id()
    return replace(
        master,
        id=event_id,
        parent_id=event_id,
        created_at=call.now,
        changed_at=call.now,
        version=1,
        recurrence_id=master.recurrence_id or master.id,
        original_from=day,
        comment_xml_id=f"EVENT_{master.id}_{day:%d.%m.%Y}",
    )


def instance_dates(call: MethodCall, given: Stored, series: Stored, day: date) -> Stored:
    """Return the dates of a detached instance: as given, or on its own day if the series' first day was given."""
    opens, closes = given.date_from, given.date_to
    if opens.date() == series.date_from.date():
        length = closes - opens
        if given.skip_time and length >= _ONE_DAY:
            length -= _ONE_DAY  # a bug of the portal: an all-day event of several days loses one (PORTAL.md 4.7)
        opens = datetime.combine(day, opens.time())
        closes = opens + length
    return stored_again(call, given, opens, closes, None, ())


def without_day(call: MethodCall, series: Stored, day: date) -> Stored:
    """Return the dates of a series with one more exception."""
    excluded = (*series.exdates, day)
    return stored_again(call, series, series.date_from, series.date_to, kept_rule(call, series), excluded)


def following_series(call: MethodCall, master: Event, day: date) -> Event:
    """Return a new row for the rest of a series from `day` on, with an id and a DAV id of its own."""
    event_id = call.tables.next_event_id()
    original = master.stored
    opens = datetime.combine(day, original.date_from.time())
    return replace(
        master,
        id=event_id,
        parent_id=event_id,
        created_at=call.now,
        changed_at=call.now,
        version=1,
        dav_xml_id=new_dav_id(call.tables, call.now, opens, original.tz_from, master.owner_id),
    )


def following_dates(call: MethodCall, given: Stored, original: Stored, day: date) -> Stored:
    """Return the dates of the rest: from `day` on unless another day was given, COUNT less the past occurrences."""
    opens, closes = given.date_from, given.date_to
    if opens.date() == original.date_from.date():
        length = closes - opens
        opens = datetime.combine(day, opens.time())
        closes = opens + length
    rule = kept_rule(call, given)
    if rule is not None and "COUNT" in rule:
        rule["COUNT"] = max(to_int(rule["COUNT"]) - _past_occurrences(call, original, day), 1)
        rule.pop("UNTIL", None)
    later = tuple(excluded for excluded in original.exdates if excluded >= day)
    return stored_again(call, given, opens, closes, rule, later)


def ended_before(call: MethodCall, series: Stored, day: date) -> Stored:
    """Return the dates of a series that ends on the day before `day`."""
    rule = kept_rule(call, series) or {}
    rule.pop("COUNT", None)
    rule.pop("UNTIL_TS", None)
    rule["UNTIL"] = f"{day - _ONE_DAY:%d.%m.%Y}"
    return stored_again(call, series, series.date_from, series.date_to, rule, series.exdates)


def split_result(call: MethodCall, event_id: int, series_id: int | None, original: Stored, day: date) -> PhpValue:
    """Return what mode `next` answers; `series_id` is None if the first occurrence was edited."""
    wall = datetime.combine(day, original.date_from.time())
    culture = call.tables.culture
    row = call.tables.event(series_id or event_id)
    return {
        "originalDate": culture_day(day, culture) if original.skip_time else culture_moment(wall, culture),
        "originalDavXmlId": "" if row is None else row.dav_xml_id,
        "instanceTz": original.tz_from,
        "recEventId": event_id,
        "id": series_id,
    }


def _past_occurrences(call: MethodCall, original: Stored, day: date) -> int:
    # COUNT counts excluded dates too (PORTAL.md 4.7), so the exceptions are left out of the count.
    whole = replace(original, exdates=())
    last = datetime.combine(day - _ONE_DAY, time())
    shown = occurrences(whole, original.date_from, last, call.tables.server_zone, exact=call.settings.exact_expansion)
    return sum(1 for opens, _ in shown if opens.date() < day)
