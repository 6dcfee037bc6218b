"""What calendar.event.add and update read alike: dates, section, rule, links, attendees (PORTAL.md 4.1, 4.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from syncd.sandbox import rights
from syncd.sandbox.php.scalars import PhpValue, PortalCrash, as_list, as_map, is_empty, to_int
from syncd.sandbox.php.strtotime import has_zone, is_showable, strtotime
from syncd.sandbox.php.timezones import accepted_zone, unix_to_wall

if TYPE_CHECKING:
    from syncd.sandbox.call import MethodCall
    from syncd.sandbox.tables.database import CalendarId, Section

_CRM_LINK = re.compile(r"[A-Z][A-Z0-9]*_\d+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """The dates of one call: naive wall clocks, None if absent or unreadable; zones None if all-day."""

    date_from: datetime | None
    date_to: datetime | None
    from_given: bool
    to_given: bool
    all_day: bool
    tz_from: str | None
    tz_to: str | None


def read_dates(call: MethodCall) -> Dates:
    """Read from, to, skip_time and the zones of a call."""
    skip = call.params.get("skipTime") if call.has("skipTime") else call.params.get("skip_time")
    all_day = skip == "Y"  # exactly: JSON true is not all-day (PORTAL.md 4.1)
    date_from, from_zoned = _read(call, "from", all_day)
    date_to, to_zoned = _read(call, "to", all_day)
    # A date with a zone discards the zone parameter, and the event gets the caller's zone (PORTAL.md 4.1).
    tz_from = None if from_zoned else _zone_param(call, "timezone_from")
    tz_to = None if to_zoned else _zone_param(call, "timezone_to") or tz_from
    return Dates(
        date_from=date_from,
        date_to=date_to,
        from_given=call.has("from") or call.has("from_ts"),
        to_given=call.has("to") or call.has("to_ts"),
        all_day=all_day,
        tz_from=None if all_day else tz_from or call.caller_zone,
        tz_to=None if all_day else tz_to or call.caller_zone,
    )


def server_date(call: MethodCall, value: PhpValue) -> date | None:
    """Return the day of a date parameter in the server zone, None where it cannot be read."""
    at = strtotime(value, call.tables.server_zone, call.now) if isinstance(value, str) else None
    return None if at is None else unix_to_wall(at, call.tables.server_zone).date()


def named_section(call: MethodCall, calendar: CalendarId) -> Section | None:
    """Return the section that the call names, None if it names none; raise BAD_SECTION or DENIED."""
    number = call.number("section")
    if number == 0:
        return None
    section = call.tables.sections.get(number)
    if section is None or section.calendar != calendar or not rights.may_see(call.tables, call.caller, section):
        raise call.refuse("BAD_SECTION")
    if not rights.may_edit(call.tables, call.caller, section):
        raise call.refuse("DENIED")
    return section


def given_section(call: MethodCall, calendar: CalendarId) -> Section | None:
    """Return the section that an update names, None without one; `0` and `"x"` name one that does not exist."""
    if not call.has("section"):
        return None
    section = named_section(call, calendar)
    if section is None:
        raise call.refuse("BAD_SECTION")
    return section


def sent_rule(value: PhpValue) -> dict[str, PhpValue] | None:
    """Return a rule as sent, None if there is none; a text in place of an array is discarded (trap 26)."""
    return as_map(value) or None if isinstance(value, list | dict) else None


def crm_links(call: MethodCall) -> tuple[str, ...]:
    """Return `crm_fields`; raise BAD_CRM if it is not an array and PARAM_BAD for a link to nothing."""
    value = call.params.get("crm_fields")
    if not isinstance(value, list | dict):
        raise call.refuse("BAD_CRM")
    links = []
    known = call.tables.crm | call.tables.crm_rows.codes()
    for item in as_list(value):
        if not isinstance(item, str) or not _CRM_LINK.match(item) or item not in known:
            raise call.refuse("PARAM_BAD", "crm_fields")
        links.append(item)
    return tuple(dict.fromkeys(links))


def attendees_of(call: MethodCall, otherwise: int) -> tuple[int, ...]:
    """Return the existing users of `attendees`; without a list, or with an empty one, `otherwise` alone."""
    value = call.params.get("attendees")
    ids = dict.fromkeys(to_int(item) for item in as_list(value) if not is_empty(item))
    return tuple(number for number in ids if number in call.tables.users) or (otherwise,)


def _read(call: MethodCall, name: str, all_day: bool) -> tuple[datetime | None, bool]:
    """Return the wall clock of one date and whether the date has a zone of its own."""
    value = call.params.get(name)
    server_zone = call.tables.server_zone
    if value is None:
        wall = _stamp(call, name)
        return (_midnight(wall) if all_day and wall is not None else wall), False
    if isinstance(value, list | dict):
        raise PortalCrash("strtotime(): argument must be of type string, array given")
    if not isinstance(value, str):
        return None, False
    at = strtotime(value, server_zone, call.now)
    if at is None:
        return None, has_zone(value)
    if all_day:
        # Midnight plus a negative now-offset is the day before, so a bare date moves for callers to the west (trap 8).
        return _midnight(unix_to_wall(at + call.now_offset_s, server_zone)), False
    wall = unix_to_wall(at, server_zone).replace(second=0)
    if has_zone(value):
        # Today's difference, not that of the event's date: off by an hour in the other season (trap 9).
        return wall + timedelta(seconds=call.now_offset_s), True
    return wall, False


def _stamp(call: MethodCall, name: str) -> datetime | None:
    """Return `from_ts` or `to_ts` as wall clock of the server zone."""
    at = to_int(call.params.get(f"{name}_ts"))
    if at == 0 or not is_showable(at):
        return None
    return unix_to_wall(at, call.tables.server_zone).replace(second=0)


def _midnight(wall: datetime) -> datetime:
    return wall.replace(hour=0, minute=0, second=0, microsecond=0)


def _zone_param(call: MethodCall, name: str) -> str | None:
    value = call.params.get(name)
    if isinstance(value, list | dict):
        raise PortalCrash("trim(): argument must be of type string, array given")
    return accepted_zone(value, call.tables.server_zone) if isinstance(value, str) and value else None
