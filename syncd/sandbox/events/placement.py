"""Which section an event goes to when the caller names none (PORTAL.md 4.2, row section)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.sandbox.tables.database import CalendarId, Section
from syncd.sandbox.texts import text

if TYPE_CHECKING:
    from syncd.sandbox.tables.database import Tables


def usual_section(tables: Tables, calendar: CalendarId, creator: int, now: float) -> Section:
    """Return the section of a calendar last used, else its first, else a new one."""
    found = tables.last_section(calendar)
    if found is None:
        found = next(iter(tables.sections_of(calendar)), None)
    return found or _create(tables, calendar, "PERSONAL", creator, now)


def meeting_section(tables: Tables, user_id: int, creator: int, now: float) -> Section:
    """Return the section where a person's meetings go: the one marked for it, else the first, else a new one."""
    own = tables.sections_of(("user", user_id))
    marked = next((section for section in own if section.meetings), None)
    return marked or next(iter(own), None) or _create(tables, ("user", user_id), "MEETINGS", creator, now)


def detected_section(tables: Tables, calendar: CalendarId, creator: int, now: float) -> Section:
    """Return where `auto_detect_section` puts an event."""
    if calendar[0] == "user":
        return meeting_section(tables, calendar[1], creator, now)
    return usual_section(tables, calendar, creator, now)


def _create(tables: Tables, calendar: CalendarId, name: str, creator: int, now: float) -> Section:
    cal_type, owner_id = calendar
    section = Section(
        id=tables.next_section_id(),
        name=text(tables.language, name),
        cal_type=cal_type,
        owner_id=owner_id,
        created_by=creator,
        created_at=now,
        changed_at=now,
        color="#9DCF00",
        meetings=name == "MEETINGS",
    )
    tables.add_section(section)
    return section
