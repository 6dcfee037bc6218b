"""crm.activity.todo.add and update: a deadline only, and no fields for an origin (PORTAL.md 6.7)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox.applications.event_queue import ACTIVITY, Happened
from syncd.sandbox.call import Method, MethodCall, Refusal
from syncd.sandbox.crm.listing import read_moment
from syncd.sandbox.php.scalars import PhpValue, as_list, is_empty, to_int, trim
from syncd.sandbox.tables.crm_rows import PROVIDER, TODO_PROVIDER, Activity
from syncd.sandbox.tables.database import Notice

if TYPE_CHECKING:
    from syncd.sandbox.tables.crm_rows import Element

SCOPE = frozenset({"crm"})
_DEFAULT_TITLE = "To-do"


def add(call: MethodCall) -> PhpValue:
    """Create a to-do on the card of an element; return its id in an object."""
    owner, deadline = _checked(call)
    activity = Activity(
        id=call.tables.crm_rows.next_id(),
        type_id=PROVIDER,
        provider_id=TODO_PROVIDER,
        owner_type_id=owner.type_id,
        owner_id=owner.id,
        subject=trim(call.params.get("title")) or _DEFAULT_TITLE,
        author=call.caller.id,
        created_at=call.now,
        changed_at=call.now,
        responsible=call.number("responsibleId") or call.caller.id,
        bindings=((owner.type_id, owner.id),),
    )
    _apply(call, activity, deadline)
    call.tables.crm_rows.insert(activity)
    _tell(call, activity)
    return {"id": activity.id}


def update(call: MethodCall) -> PhpValue:
    """Change a to-do; a title, description or pings that are omitted are lost (PORTAL.md 6.7, trap 40)."""
    if is_empty(call.params.get("id")):
        raise _missing("id")
    owner, deadline = _checked(call)
    activity = call.tables.crm_rows.activities.get(call.number("id"))
    if activity is None or (activity.owner_type_id, activity.owner_id) != (owner.type_id, owner.id):
        raise Refusal("NOT_FOUND", "Activity not found")
    if activity.completed:
        raise Refusal("CAN_NOT_UPDATE_COMPLETED_TODO", "A completed to-do cannot be changed")
    before = activity.responsible
    activity.subject = trim(call.params.get("title"))
    activity.responsible = call.number("responsibleId") or activity.responsible
    _apply(call, activity, deadline)
    activity.changed_at = call.now
    call.tables.crm_rows.journal.append(Happened(f"{ACTIVITY}UPDATE", activity.id))
    if activity.responsible != before:
        _tell(call, activity)
    return {"id": activity.id}


def _checked(call: MethodCall) -> tuple[Element, float]:
    for name in ("ownerTypeId", "ownerId", "deadline"):
        if is_empty(call.params.get(name)):
            raise _missing(name)
    owner = call.tables.crm_rows.elements.get((call.number("ownerTypeId"), call.number("ownerId")))
    if owner is None:
        raise Refusal("OWNER_NOT_FOUND", "Owner not found")
    if not (call.caller.admin or owner.opened or owner.assigned_by == call.caller.id):
        raise Refusal("ACCESS_DENIED", "Access denied")
    deadline = read_moment(call, call.params["deadline"])
    if deadline is None:
        raise Refusal("WRONG_DATETIME_FORMAT", "Wrong datetime format")
    return owner, deadline


def _missing(name: str) -> Refusal:
    return Refusal("100", f"Could not find value for parameter {{{name}}}")


def _apply(call: MethodCall, activity: Activity, deadline: float) -> None:
    activity.description = trim(call.params.get("description"))
    activity.deadline = activity.start = activity.end = deadline
    activity.pings = tuple(to_int(one) for one in as_list(call.params.get("pingOffsets")))
    activity.color = trim(call.params.get("colorId"))


def _tell(call: MethodCall, activity: Activity) -> None:
    """Send a notice to a responsible person who is not the caller."""
    if activity.responsible != call.caller.id:
        call.tables.notices.append(
            Notice(at=call.now, to=activity.responsible, kind="invite", event_id=activity.id, name=activity.subject)
        )


METHODS = MappingProxyType(
    {
        "crm.activity.todo.add": Method(run=add, scopes=SCOPE),
        "crm.activity.todo.update": Method(run=update, scopes=SCOPE),
    }
)
