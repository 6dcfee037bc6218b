"""Which section an event goes to when the caller names none (PORTAL.md 4.2, row section)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.sandbox.tables.database import CalendarId, Section
from syncd.sandbox.texts import text

if TYPE_CHECKING:
    from syncd.sandbox.call import Call


def usual_section(call: Call, calendar: CalendarId) -> Section:
    """Return the section of a calendar last used, else its first, else an auto-created one."""
    found = call.tables.last_section(calendar)
    if found is None:
        found = next(iter(call.tables.sections_of(calendar)), None)
    return found or _create(call, calendar, "PERSONAL", meetings=False)


def meeting_section(call: Call, user_id: int) -> Section:
    """Return the section where a person's meetings go: the one marked for it, else the first, else a new one."""
    own = call.tables.sections_of(("user", user_id))
    marked = next((section for section in own if section.meetings), None)
    return marked or next(iter(own), None) or _create(call, ("user", user_id), "MEETINGS", meetings=True)


def detected_section(call: Call, calendar: CalendarId) -> Section:
    """Return where `auto_detect_section` puts an event."""
    return meeting_section(call, calendar[1]) if calendar[0] == "user" else usual_section(call, calendar)


def _create(call: Call, calendar: CalendarId, name: str, *, meetings: bool) -> Section:
    cal_type, owner_id = calendar
    section = Section(
        id=call.tables.next_section_id(),
        name=text(call.tables.language, name),
        cal_type=cal_type,
        owner_id=owner_id,
        created_by=call.caller.id,
        created_at=call.now,
        changed_at=call.now,
        color="#9DCF00",
        meetings=meetings,
    )
    call.tables.add_section(section)
    return section
