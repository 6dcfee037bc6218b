"""Who may see and change which calendar of the simulated portal (PORTAL.md 4.11)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from syncd.sandbox.tables.database import TASKS, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncd.sandbox.tables.database import Event, Section, Tables, User

_LEVEL = MappingProxyType({task: level for level, task in enumerate(TASKS)})

#: What a section grants without an entry: colleagues see busy times of each other, everybody reads the company's.
_DEFAULTS: Mapping[str, Task] = MappingProxyType({"user": "view_time", "company_calendar": "view"})


def level(tables: Tables, user: User, section: Section) -> int:
    """Return how far a user may go in a section: 0 nothing, 1 times, 2 titles, 3 all, 4 edit, 5 also the access."""
    if user.admin or section.calendar == ("user", user.id):
        return _LEVEL["access"]
    if section.cal_type == "group":
        return _group_level(tables, user, section)
    codes = {f"U{user.id}", "AU"} | {f"DR{number}" for number in user.departments}
    if not user.extranet:
        codes.add("G2")
    granted = [_LEVEL[task] for code, task in section.access.items() if code in codes]
    if granted:
        return max(granted)
    return 0 if user.extranet else _LEVEL[_DEFAULTS.get(section.cal_type, "view")]


def _group_level(tables: Tables, user: User, section: Section) -> int:
    group = tables.groups.get(section.owner_id)
    if group is None:
        return 0
    if group.owner == user.id:
        return _LEVEL["access"]
    if user.id in group.members:
        return _LEVEL[section.access.get(f"SG{group.id}", "edit")]
    return max((_LEVEL[task] for code, task in section.access.items() if code in (f"U{user.id}", "G2")), default=0)


def may_see(tables: Tables, user: User, section: Section) -> bool:
    """Return True if a user sees at least the times of a section's events."""
    return level(tables, user, section) >= _LEVEL["view_time"]


def may_edit(tables: Tables, user: User, section: Section) -> bool:
    """Return True if a user may write events into a section."""
    return level(tables, user, section) >= _LEVEL["edit"]


def may_edit_section(tables: Tables, user: User, section: Section) -> bool:
    """Return True if a user may change or delete a section."""
    return level(tables, user, section) >= _LEVEL["access"]


def may_edit_calendar(tables: Tables, user: User, cal_type: str, owner_id: int) -> bool:
    """Return True if a user may write into a calendar that has no section yet."""
    if cal_type == "group":
        group = tables.groups.get(owner_id)
        if group is None or not group.calendar:  # the group may have switched its calendar off: for everybody
            return False
        return user.admin or user.id in group.members or user.id == group.owner
    return user.admin or (cal_type, owner_id) == ("user", user.id)


def sees(tables: Tables, user: User, row: Event, *, private_hidden: bool) -> Literal["all", "title", "time"]:
    """Return how much a user sees of an event that he may see at all (PORTAL.md 4.5, masking)."""
    if user.id in (row.created_by, row.host) or row.calendar == ("user", user.id) or user.id in row.attendees:
        return "all"
    # Nobody else sees a private event of a person's calendar, not even an administrator, as the source has it.
    if row.private and row.cal_type == "user" and (private_hidden or not user.admin):
        return "time"
    section = tables.sections.get(row.section_id)
    if section is None:
        return "all" if user.admin else "time"
    own = level(tables, user, section)
    return "all" if own >= _LEVEL["view"] else "title" if own >= _LEVEL["view_title"] else "time"
