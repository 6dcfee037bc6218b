"""crm.activity.add, get, list, update and delete (PORTAL.md 6.1 to 6.5)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox.call import Call, Method
from syncd.sandbox.crm import activity_fields as given
from syncd.sandbox.crm.columns import ACTIVITIES
from syncd.sandbox.crm.linked_events import drop_event, save_event
from syncd.sandbox.crm.listing import listed, params_of, shown
from syncd.sandbox.events.fields import text_of
from syncd.sandbox.php.scalars import PhpValue, to_int
from syncd.sandbox.php.wire import Refusal, as_map
from syncd.sandbox.tables.crm_rows import Activity

if TYPE_CHECKING:
    from syncd.sandbox.tables.crm_rows import Crm

SCOPE = frozenset({"crm"})
NOT_THERE = "Activity is not found."


def add(call: Call) -> PhpValue:
    """Create an activity; return its id."""
    fields = given.fields_of(call)
    activity = given.new_activity(call, fields)
    call.tables.crm_rows.insert(activity)
    save_event(call, activity, activity.location)
    return activity.id


def update(call: Call) -> PhpValue:
    """Change what is given; what an update may not change is ignored."""
    activity = _activity(call)
    fields = given.fields_of(call)
    given.check_bindings(call, activity.bindings)
    given.apply(call, activity, fields)
    activity.changed_at = call.now
    save_event(call, activity, text_of(fields.get("LOCATION")))
    return True


def delete(call: Call) -> PhpValue:
    """Delete an activity with its calendar event."""
    activity = _activity(call)
    given.check_bindings(call, activity.bindings)
    drop_event(call, activity)
    call.tables.crm_rows.remove(activity)
    return True


def get(call: Call) -> PhpValue:
    """Return one activity, without bindings and communications."""
    names = [name for name in ACTIVITIES.shown if name not in ACTIVITIES.on_demand]
    number = to_int(params_of(call).get("ID"))
    if number <= 0:
        raise Refusal("", "ID is not defined or invalid.")
    activity = call.tables.crm_rows.activities.get(number)
    if activity is None:
        raise Refusal("", "")
    return shown(call, activity, names, ACTIVITIES)


def list_(call: Call) -> PhpValue:
    """List activities; a BINDINGS filter returns a row once for every pair it matches."""
    rows: list[Activity] = list(call.tables.crm_rows.activities.values())
    pairs = _pairs(as_map(params_of(call).get("FILTER")))
    if pairs:
        rows = [row for row in rows for pair in pairs if pair in row.bindings]
    return listed(call, rows, ACTIVITIES)


def _pairs(wanted: Mapping[str, PhpValue]) -> list[tuple[int, int]]:
    named = next((value for key, value in wanted.items() if key.upper() == "BINDINGS"), None)
    several = [as_map(one) for one in as_map(named).values()]
    return [(to_int(one.get("OWNER_TYPE_ID")), to_int(one.get("OWNER_ID"))) for one in several]


def _activity(call: Call) -> Activity:
    number = to_int(params_of(call).get("ID"))
    if number <= 0:
        raise Refusal("", "The parameter 'id' is invalid or not defined.")
    crm: Crm = call.tables.crm_rows
    found = crm.activities.get(number)
    if found is None:
        raise Refusal("", NOT_THERE)
    return found


METHODS = MappingProxyType(
    {
        "crm.activity.add": Method(run=add, scopes=SCOPE),
        "crm.activity.get": Method(run=get, scopes=SCOPE),
        "crm.activity.list": Method(run=list_, scopes=SCOPE),
        "crm.activity.update": Method(run=update, scopes=SCOPE),
        "crm.activity.delete": Method(run=delete, scopes=SCOPE),
    }
)
