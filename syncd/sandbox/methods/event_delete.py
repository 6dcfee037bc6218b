"""calendar.event.delete (PORTAL.md 4.4)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox import rights
from syncd.sandbox.call import Method, MethodCall
from syncd.sandbox.crm.linked_events import drop_activities
from syncd.sandbox.events.attendees import DECLINED, cancel, notify_host
from syncd.sandbox.php.scalars import PhpValue

if TYPE_CHECKING:
    from syncd.sandbox.tables.database import Event


def delete(call: MethodCall) -> PhpValue:
    """Delete an event with its copies and instances; a detached instance deletes its whole series (trap 21)."""
    if call.number("id") <= 0:
        raise call.refuse("NO_ID")
    row = call.tables.event(call.number("id"))
    if row is None:
        raise call.refuse("DEL_FAIL")  # the same error as for a missing right (trap 23)
    if row.is_copy:
        parent = call.tables.event(row.parent_id)
        if parent is None or not _may_delete(call, parent):
            return _decline(call, row)
        row = parent
    if not _may_delete(call, row):
        raise call.refuse("DEL_FAIL")
    master = call.tables.event(row.recurrence_id) if row.recurrence_id is not None else None
    gone = call.tables.erase(row)
    drop_activities(call, gone)
    cancel(call, row, gone)
    if master is not None:
        cancel(call, master, call.tables.erase(master))
    return True


def _may_delete(call: MethodCall, row: Event) -> bool:
    section = call.tables.sections.get(row.section_id)
    return call.caller.admin or (section is not None and rights.may_edit(call.tables, call.caller, section))


def _decline(call: MethodCall, copy: Event) -> PhpValue:
    """Decline an invitation, which is what deleting one's copy does without the right to delete the event."""
    if copy.calendar != ("user", call.caller.id):
        raise call.refuse("DEL_FAIL")
    copy.meeting_status = DECLINED
    if copy.flags.notify:  # the flag is about notices to the host only (PORTAL.md 4.10)
        notify_host(call, copy)
    return True


METHODS = MappingProxyType({"calendar.event.delete": Method(run=delete, scopes=frozenset({"calendar"}))})
