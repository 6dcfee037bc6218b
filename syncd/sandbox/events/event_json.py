"""An event row as the portal's JSON shows it (PORTAL.md 4.5, 4.6)."""

from __future__ import annotations

import re
from datetime import datetime, time
from html import escape
from typing import TYPE_CHECKING

from syncd.sandbox import rights
from syncd.sandbox.php.scalars import PhpValue
from syncd.sandbox.php.timezones import offset_s, unix_to_wall, wall_to_unix
from syncd.sandbox.series.series import read_rule
from syncd.sandbox.texts import culture_day, culture_moment, formatted, text

if TYPE_CHECKING:
    from syncd.sandbox.call import MethodCall
    from syncd.sandbox.tables.database import Event

_MASKED = ("DESCRIPTION", "~DESCRIPTION", "LOCATION", "REMIND", "ATTENDEE_LIST", "ATTENDEES_CODES")
_BB_CODES = re.compile(r"\[(/?)([bius])\]", re.IGNORECASE)
_BB_URL = re.compile(r"\[url=(https?://[^\]\s]+)\](.*?)\[/url\]", re.IGNORECASE | re.DOTALL)


def shown(call: MethodCall, row: Event) -> dict[str, PhpValue]:
    """Return the fields that all methods show of an event; masked if the caller may see its times only (4.5)."""
    fields: dict[str, PhpValue] = {
        "ID": str(row.id),
        "PARENT_ID": str(row.parent_id),
        "DELETED": "Y" if row.deleted else "N",
        "CAL_TYPE": row.cal_type,
        "OWNER_ID": str(row.owner_id),
        "NAME": row.name or text(call.tables.language, "NEW_EVENT"),
    }
    fields.update(dates_shown(call, row, row.stored.date_from, row.stored.date_to))
    fields.update(_times_shown(call, row))
    fields.update(_texts_shown(call, row))
    fields.update(_people_shown(call, row))
    fields.update(_rule_shown(call, row))
    seen = rights.sees(call.tables, call.caller, row, private_hidden=call.settings.private_hidden)
    if seen == "all":
        return fields
    busy = text(call.tables.language, row.accessibility.upper())
    if seen == "title":
        fields["NAME"] = f"{fields['NAME']} {busy}"  # and nothing else says that this is not all (trap 45)
    else:
        fields["NAME"] = busy
        fields["IS_ACCESSIBLE_TO_USER"] = False
    return {key: value for key, value in fields.items() if key not in _MASKED and not key.startswith("UF_")}


def dates_shown(call: MethodCall, row: Event, opens: datetime, closes: datetime) -> dict[str, PhpValue]:
    """Return start and end in culture format and in English."""
    culture, all_day = call.tables.culture, row.stored.skip_time
    write = culture_day if all_day else culture_moment
    return {
        "DATE_FROM": write(opens, culture),
        "DATE_TO": write(closes, culture),
        # Always English, whatever the culture: what a client should read (trap 12).
        "DATE_FROM_FORMATTED": formatted(opens, all_day=all_day),
        "DATE_TO_FORMATTED": formatted(closes, all_day=all_day),
    }


def _times_shown(call: MethodCall, row: Event) -> dict[str, PhpValue]:
    stored, culture = row.stored, call.tables.culture
    server_zone = call.tables.server_zone
    original = None
    if row.original_from is not None:
        wall = datetime.combine(row.original_from, _series_time(call, row))
        original = culture_day(row.original_from, culture) if stored.skip_time else culture_moment(wall, culture)

    def user_offset(wall: datetime, own: int | None) -> int:
        if stored.skip_time:
            return 0
        # The wall clock is read in the server zone, so near a change of clocks this is off by an hour (PORTAL.md 4.6).
        return (own or 0) - offset_s(call.caller_zone, wall_to_unix(wall, server_zone))

    return {
        "ORIGINAL_DATE_FROM": original,
        "TZ_FROM": stored.tz_from,
        "TZ_TO": stored.tz_to,
        "TZ_OFFSET_FROM": str(stored.tz_offset_from or 0),
        "TZ_OFFSET_TO": str(stored.tz_offset_to or 0),
        # Not UTC unless the server is; of a series the end of the series, not of the event (trap 11).
        "DATE_FROM_TS_UTC": str(stored.from_ts),
        "DATE_TO_TS_UTC": str(stored.to_ts),
        "DT_SKIP_TIME": "Y" if stored.skip_time else "N",
        "DT_LENGTH": stored.length,
        "DATE_CREATE": culture_moment(unix_to_wall(row.created_at, server_zone), culture),
        "TIMESTAMP_X": culture_moment(unix_to_wall(row.changed_at, server_zone), culture),
        "IS_DAYLIGHT_SAVING_TZ": "Y" if _observes_summer_time(call, stored.tz_from) else "N",
        "~USER_OFFSET_FROM": user_offset(stored.date_from, stored.tz_offset_from),
        "~USER_OFFSET_TO": user_offset(stored.date_to, stored.tz_offset_to),
    }


def _series_time(call: MethodCall, row: Event) -> time:
    """Return the time of day of the series that a detached instance came from."""
    master = call.tables.event(row.recurrence_id or 0)
    return (master or row).stored.date_from.time()


def _observes_summer_time(call: MethodCall, zone_name: str | None) -> bool:
    name = zone_name or call.tables.server_zone
    year = unix_to_wall(call.now, "UTC").year
    winter, summer = (wall_to_unix(datetime(year, month, 1), "UTC") for month in (1, 7))
    return offset_s(name, winter) != offset_s(name, summer)


def _texts_shown(call: MethodCall, row: Event) -> dict[str, PhpValue]:
    links: PhpValue = list[PhpValue](row.crm) if row.crm else ""
    relations: PhpValue = {"COMMENT_XML_ID": row.comment_xml_id} if row.comment_xml_id else ""
    return {
        "EVENT_TYPE": None,
        "CREATED_BY": str(row.created_by),
        "DESCRIPTION": row.description,
        "~DESCRIPTION": rendered(row.description),
        "PRIVATE_EVENT": "1" if row.private else "",
        "ACCESSIBILITY": row.accessibility,
        "IMPORTANCE": row.importance,
        "LOCATION": row.location,
        "REMIND": [dict(reminder) for reminder in row.remind],
        "COLOR": row.color,
        "DAV_XML_ID": row.dav_xml_id,
        "G_EVENT_ID": "",
        "DAV_EXCH_LABEL": "",
        "CAL_DAV_LABEL": "",
        "VERSION": str(row.version),
        "RECURRENCE_ID": row.recurrence_id,
        "RELATIONS": relations,
        "SECTION_ID": str(row.section_id),
        "SECT_ID": str(row.section_id),
        "SYNC_STATUS": None,
        "UF_CRM_CAL_EVENT": links,
        "UF_WEBDAV_CAL_EVENT": False,
        "SECTION_DAV_XML_ID": None,
        "OPTIONS": None,
        "COLLAB_ID": None,
    }


def _people_shown(call: MethodCall, row: Event) -> dict[str, PhpValue]:
    host = call.tables.users.get(row.host)
    ids = row.attendees or (row.owner_id or row.created_by,)
    entries = {copy.owner_id: copy for copy in call.tables.copies_of(row.parent_id) if copy.cal_type == "user"}
    parent = call.tables.event(row.parent_id) or row
    attendees: list[PhpValue] = []
    entities: list[PhpValue] = []
    for user in ids:
        entry = entries.get(user, parent)
        status = entry.meeting_status if entry is not parent or user == row.host or not row.is_meeting else "Y"
        attendees.append({"id": user, "entryId": str(entry.id), "status": status})
        entities.append({"entityId": "user", "id": user})
    return {
        "IS_MEETING": row.is_meeting,
        "MEETING_STATUS": row.meeting_status,
        "MEETING_HOST": str(row.host),
        "MEETING": {
            "HOST_NAME": host.full_name if host is not None else "",
            "NOTIFY": row.flags.notify,
            "REINVITE": False,  # it says what a save does, and is never stored (PORTAL.md 4.2)
            "ALLOW_INVITE": row.flags.allow_invite,
            "HIDE_GUESTS": row.flags.hide_guests,
            "MEETING_CREATOR": row.created_by,
            "LANGUAGE_ID": call.tables.language,
            "MAIL_FROM": "",
        },
        "ATTENDEES_CODES": [f"U{user}" for user in ids],
        "ATTENDEE_LIST": attendees,
        "attendeesEntityList": entities,
    }


def _rule_shown(call: MethodCall, row: Event) -> dict[str, PhpValue]:
    culture = call.tables.culture
    rule = read_rule(row.stored.rrule, lambda day: culture_day(day, culture)) if row.stored.rrule else {}
    if not rule:
        return {"RRULE": "", "EXDATE": ""}
    days = rule.get("BYDAY")
    named = ", ".join(days) if isinstance(days, dict) else ""
    return {
        "RRULE": rule,
        "EXDATE": ";".join(culture_day(day, culture) for day in row.stored.exdates),
        "~RRULE_DESCRIPTION": text(call.tables.language, str(rule["FREQ"]), str(rule["INTERVAL"]), named),
    }


def rendered(description: str) -> str:
    """Return BB-code as the portal's HTML, everything else escaped."""
    html = escape(description).replace("\r\n", "\n").replace("\n", "<br />")
    html = _BB_URL.sub(r'<a href="\1">\2</a>', html)
    return _BB_CODES.sub(lambda found: f"<{found[1]}{found[2].lower()}>", html)
