"""calendar.event.getbyid, calendar.event.get and calendar.event.get.nearest (PORTAL.md 4.5, 4.8, 4.9)."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox import rights
from syncd.sandbox.call import Method, MethodCall
from syncd.sandbox.events.event_json import dates_shown, shown
from syncd.sandbox.php.scalars import PhpValue, as_list, is_empty, to_int, truthy
from syncd.sandbox.php.strtotime import strtotime
from syncd.sandbox.php.timezones import unix_to_wall, wall_to_unix
from syncd.sandbox.series.series import occurrences, selected
from syncd.sandbox.texts import culture_day, culture_moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from syncd.sandbox.tables.database import CalendarId, Event

_FAR_PAST = datetime(1970, 1, 2)
_FAR_FUTURE = datetime(2038, 1, 1)
NEAREST_LIMIT = 75


def get_by_id(call: MethodCall) -> PhpValue:
    """Return one event, a series not expanded; null if it is missing, not visible, or deleted, unless by the switch."""
    _refuse_extranet(call)
    if is_empty(call.params.get("id")):
        raise call.missing("id")
    number = call.number("id")
    row = call.tables.event(number)
    if call.settings.deleted_getbyid == "still shown":
        row = call.tables.event_or_deleted(number)
    if row is None or not _is_visible(call, row):
        return None
    return shown(call, row)


def get(call: MethodCall) -> PhpValue:
    """Return all events of a calendar in a window, series expanded; no limit, no pages, no order (trap 14)."""
    _refuse_extranet(call)
    if is_empty(call.params.get("type")):
        raise call.missing("type")
    cal_type = str(call.params["type"])
    owner = call.number("ownerId") if call.has("ownerId") else call.caller.id if cal_type == "user" else 0
    opens, closes = _window(call)
    found: list[PhpValue] = []
    for row in _rows(call, (cal_type, owner), _wanted_sections(call)):
        if selected(row.stored, opens, closes, call.tables.server_zone):
            found.extend(_expanded(call, row, opens, closes))
    return found


def _refuse_extranet(call: MethodCall) -> None:
    if call.caller.extranet:
        raise call.refuse("DENIED")


def _is_visible(call: MethodCall, row: Event) -> bool:
    section = call.tables.sections.get(row.section_id)
    return section is None or rights.may_see(call.tables, call.caller, section)


def _window(call: MethodCall) -> tuple[datetime, datetime]:
    """Return the window in server time; without both ends, 30 days back and 90 ahead (PORTAL.md 4.8)."""
    opens, closes = _moment(call, "from"), _moment(call, "to")
    if opens is None and closes is None:
        today = datetime.combine(unix_to_wall(call.now, call.tables.server_zone).date(), time())
        return today - timedelta(days=30), today + timedelta(days=90)
    return opens or _FAR_PAST, closes or _FAR_FUTURE


def _moment(call: MethodCall, name: str) -> datetime | None:
    value = call.params.get(name)
    at = strtotime(value, call.tables.server_zone, call.now) if isinstance(value, str) else None
    return None if at is None else unix_to_wall(at, call.tables.server_zone)


def _wanted_sections(call: MethodCall) -> frozenset[int] | None:
    """Return the section filter; what is neither a positive int nor a list is ignored."""
    value = call.params.get("section")
    if isinstance(value, list | dict):
        return frozenset(to_int(item) for item in as_list(value)) if value else None
    number = to_int(value)
    return frozenset({number}) if number > 0 else None


def _rows(call: MethodCall, calendar: CalendarId, wanted: frozenset[int] | None) -> Iterator[Event]:
    tables = call.tables
    visible = {section.id for section in tables.sections_of(calendar) if rights.may_see(tables, call.caller, section)}
    if wanted is not None:
        visible &= wanted
    by_section: Iterable[Event] = (row for number in sorted(visible) for row in tables.events_in(number))
    rows = tables.events_of(calendar) if wanted is None else by_section
    return (row for row in rows if row.owner_id == calendar[1] and row.section_id in visible)


def _expanded(call: MethodCall, row: Event, opens: datetime, closes: datetime) -> Iterator[PhpValue]:
    """Yield a row once, or once for each occurrence in a window, always under the same ID (trap 13)."""
    exact = call.settings.exact_expansion
    spans = occurrences(row.stored, opens, closes, call.tables.server_zone, exact=exact)
    if not spans:
        return
    fields = shown(call, row)
    fields.pop("~DESCRIPTION", None)
    if call.settings.listing_columns:
        fields.update({"ACTIVE": "Y", "TEXT_COLOR": ""})
    series = row.stored.rule is not None
    for index, (first, last) in enumerate(spans):
        item = {**fields, **dates_shown(call, row, first, last)}
        if call.settings.listing_columns:
            item["DT_FROM"], item["DT_TO"] = item["DATE_FROM"], item["DATE_TO"]
        if series:
            item["~DATE_FROM"], item["~DATE_TO"], item["RINDEX"] = fields["DATE_FROM"], fields["DATE_TO"], index
        yield item


def nearest(call: MethodCall) -> PhpValue:
    """Return coming events of the caller or of a calendar in the caller's zone, without declined ones (4.9)."""
    _refuse_extranet(call)
    for_caller = truthy(call.params.get("forCurrentUser", True))
    given = call.has("type") and call.has("ownerId")
    calendar = ("user", call.caller.id)
    if given and not for_caller:
        calendar = (str(call.params["type"]), call.number("ownerId"))
    days = call.number("days") or 60
    limit = min(call.number("maxEventsCount") or NEAREST_LIMIT, NEAREST_LIMIT)
    opens = datetime.combine(unix_to_wall(call.now, call.tables.server_zone).date(), time())
    closes = opens + timedelta(days=days)
    coming: list[tuple[int, dict[str, PhpValue]]] = []
    for row in _rows(call, calendar, None):
        if row.meeting_status != "N" and selected(row.stored, opens, closes, call.tables.server_zone):
            coming.extend(_coming(call, row, opens, closes))
    coming.sort(key=lambda pair: pair[0])
    return list[PhpValue]([item for _, item in coming[:limit]])


def _coming(
    call: MethodCall, row: Event, opens: datetime, closes: datetime
) -> Iterator[tuple[int, dict[str, PhpValue]]]:
    stored, culture = row.stored, call.tables.culture
    spans = occurrences(stored, opens, closes, call.tables.server_zone, exact=call.settings.exact_expansion)
    detail_url = str(call.params.get("detailUrl") or "")
    fields = shown(call, row)
    for first, last in spans:
        starts = wall_to_unix(first, stored.tz_from or call.tables.server_zone)
        ends = wall_to_unix(last, stored.tz_to or call.tables.server_zone)
        if stored.skip_time:
            texts = (culture_day(first, culture), culture_day(last, culture))
        else:
            own = (unix_to_wall(at, call.caller_zone) for at in (starts, ends))
            begins, closing = (culture_moment(wall, culture) for wall in own)
            texts = (begins, closing)
        item = {key: value for key, value in fields.items() if not key.startswith("TZ_")}
        item["DATE_FROM"], item["DATE_TO"] = texts
        item["DT_FROM_TS"] = starts
        item["~FROM_TO_HTML"] = " - ".join(texts)
        item["~URL"] = f"{detail_url}?EVENT_ID={row.id}"
        yield starts, item


METHODS = MappingProxyType(
    {
        "calendar.event.getbyid": Method(run=get_by_id, scopes=frozenset({"calendar"})),
        "calendar.event.get": Method(run=get, scopes=frozenset({"calendar"})),
        "calendar.event.get.nearest": Method(run=nearest, scopes=frozenset({"calendar"})),
    }
)
