"""calendar.section.get, add, update and delete (PORTAL.md 5)."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType

from syncd.sandbox import rights
from syncd.sandbox.applications.event_queue import SECTION, Happened
from syncd.sandbox.call import Method, MethodCall
from syncd.sandbox.php.scalars import PhpValue, as_map, as_php_array, is_empty, to_int
from syncd.sandbox.php.timezones import zone
from syncd.sandbox.tables.database import TASKS, Section, Task

CALENDAR_SCOPES = frozenset({"calendar"})

#: The portal shows tasks as numbers; the numbers differ between portals, 19 is the documented sample's full access.
TASK_IDS = MappingProxyType({task: number for number, task in enumerate(TASKS, start=14)})
_TASKS_BY_NAME = MappingProxyType(
    {f"calendar_{task}": task for task in TASKS} | {str(number): task for task, number in TASK_IDS.items()}
)


def section_owner(call: MethodCall, cal_type: str) -> int:
    """Return `ownerId`; absent, the caller for a user calendar, else PARAM_MISSING."""
    if call.has("ownerId") and call.params["ownerId"] != "":
        return call.number("ownerId")
    if cal_type == "user":
        return call.caller.id
    raise call.missing("ownerId")


def required_type(call: MethodCall) -> str:
    """Return `type` or raise PARAM_MISSING."""
    value = call.params.get("type")
    if is_empty(value) or not isinstance(value, str):
        raise call.missing("type")
    return value


def get(call: MethodCall) -> PhpValue:
    """List a calendar's sections that the caller may see; no paging."""
    cal_type = required_type(call)
    calendar = (cal_type, section_owner(call, cal_type))
    return [
        _shown(call, section)
        for section in call.tables.sections_of(calendar)
        if rights.may_see(call.tables, call.caller, section)
    ]


def _shown(call: MethodCall, section: Section) -> PhpValue:
    level = rights.level(call.tables, call.caller, section)

    def stamp(at: float) -> str:
        return datetime.fromtimestamp(at, zone(call.tables.server_zone)).strftime("%Y-%m-%d %H:%M:%S")

    return {
        "ID": str(section.id),
        "NAME": section.name,
        "GAPI_CALENDAR_ID": None,
        "DESCRIPTION": section.description,
        "COLOR": section.color,
        "TEXT_COLOR": section.text_color,
        "EXPORT": {"ALLOW": True},
        "CAL_TYPE": section.cal_type,
        "OWNER_ID": str(section.owner_id),
        "CREATED_BY": str(section.created_by),
        "DATE_CREATE": stamp(section.created_at),
        "TIMESTAMP_X": stamp(section.changed_at),
        "CAL_DAV_CON": None,
        "SYNC_TOKEN": None,
        "PAGE_TOKEN": None,
        "EXTERNAL_TYPE": section.external_type,
        "ACCESS": as_php_array({code: TASK_IDS[task] for code, task in section.access.items()}),
        "IS_COLLAB": False,
        "PERM": {
            "view_time": level >= 1,
            "view_title": level >= 2,
            "view_full": level >= 3,
            "add": level >= 4,
            "edit": level >= 4,
            "edit_section": level >= 5,
            "access": level >= 5,
        },
    }


def add(call: MethodCall) -> PhpValue:
    """Create a section, in the source's reading also another user's without any right to it (PORTAL.md 5)."""
    cal_type = required_type(call)
    owner = section_owner(call, cal_type)
    name = call.params.get("name")
    if not isinstance(name, str):
        raise call.refuse("PARAM_BAD", "name")
    _check_texts(call, "description")
    if not _may_make(call, cal_type, owner):
        raise call.refuse("DENIED")
    section = Section(
        id=call.tables.next_section_id(),
        name=name.strip(),
        cal_type=cal_type,
        owner_id=owner,
        created_by=call.caller.id,
        created_at=call.now,
        changed_at=call.now,
        description=_text(call, "description") or "",
        color=_text(call, "color") or "#E6A469",
        text_color=_text(call, "text_color") or "#000000",
        access=_access(call) or {},
    )
    call.tables.add_section(section)
    call.tables.journal.append(Happened(f"{SECTION}ADD", section.id))
    return section.id


def _may_make(call: MethodCall, cal_type: str, owner: int) -> bool:
    """Return True if the caller may make a section; in another user's calendar the readings differ (PORTAL.md 5)."""
    if cal_type not in call.tables.types:
        return False
    if cal_type == "user" and call.settings.sections_for == "anyone":
        return True
    return rights.may_edit_calendar(call.tables, call.caller, cal_type, owner)


def _check_texts(call: MethodCall, *names: str) -> None:
    for name in names:
        if call.has(name) and not isinstance(call.params[name], str):
            raise call.refuse("PARAM_BAD", name)


def update(call: MethodCall) -> PhpValue:
    """Change a section; an empty name or description is ignored, type and owner are overwritten (PORTAL.md 5)."""
    section = _existing(call)
    _check_texts(call, "name", "description")
    section.name = _text(call, "name") or section.name
    section.description = _text(call, "description") or section.description
    section.color = _text(call, "color") or section.color
    section.text_color = _text(call, "text_color") or section.text_color
    access = _access(call)
    if access is not None:
        section.access = access
    section.cal_type = required_type(call)
    section.owner_id = section_owner(call, section.cal_type)
    section.changed_at = call.now
    call.tables.journal.append(Happened(f"{SECTION}UPDATE", section.id))
    return section.id


def delete(call: MethodCall) -> PhpValue:
    """Remove a section with all its events and their attendees' copies, without notices (PORTAL.md 5)."""
    section = _existing(call)
    for row in tuple(call.tables.events_in(section.id)):
        call.tables.erase(row)
    call.tables.remove_section(section.id)
    call.tables.journal.append(Happened(f"{SECTION}DELETE", section.id))
    return True


def _existing(call: MethodCall) -> Section:
    """Return the section `id`; raise if the id or the type is missing, it is unknown, or the caller has no right."""
    if is_empty(call.params.get("id")):
        raise call.refuse("SECTION_NO_ID")
    required_type(call)
    section = call.tables.sections.get(call.number("id"))
    if section is None or not rights.may_edit_section(call.tables, call.caller, section):
        raise call.refuse("DENIED")
    return section


def _text(call: MethodCall, name: str) -> str | None:
    value = call.params.get(name)
    return value.strip() if isinstance(value, str) else None


def _access(call: MethodCall) -> dict[str, Task] | None:
    """Read `access{code: task}`, tasks by name or number; None when absent."""
    if not isinstance(call.params.get("access"), list | dict):
        return None
    given = as_map(call.params["access"])
    names = {code: task if isinstance(task, str) else str(to_int(task)) for code, task in given.items()}
    named = {code: _TASKS_BY_NAME.get(name) for code, name in names.items()}
    return {code: task for code, task in named.items() if task is not None}


METHODS = MappingProxyType(
    {
        "calendar.section.get": Method(run=get, scopes=CALENDAR_SCOPES),
        "calendar.section.add": Method(run=add, scopes=CALENDAR_SCOPES),
        "calendar.section.update": Method(run=update, scopes=CALENDAR_SCOPES),
        "calendar.section.delete": Method(run=delete, scopes=CALENDAR_SCOPES),
    }
)
