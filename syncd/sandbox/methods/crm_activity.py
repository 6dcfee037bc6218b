"""crm.activity.add, get, list, update and delete (PORTAL.md 6.1 to 6.5).

The checks of `new_activity` come in the portal's order, since only the first refusal reaches the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox.applications.event_queue import ACTIVITY, Happened
from syncd.sandbox.call import Method, MethodCall, Refusal
from syncd.sandbox.crm.linked_events import drop_event, save_event
from syncd.sandbox.crm.listing import ACTIVITIES, RESULTS, SETTINGS, listed, read_moment, shown
from syncd.sandbox.php.scalars import PhpValue, as_list, as_map, is_empty, to_int, trim
from syncd.sandbox.tables.crm_rows import (
    CALL,
    EMAIL,
    FAR_FUTURE,
    MEETING,
    PROVIDER,
    TODO_PROVIDER,
    Activity,
    Communication,
    ElementId,
    StoredFile,
    name_of,
)

if TYPE_CHECKING:
    from syncd.sandbox.tables.crm_rows import Crm

SCOPE = frozenset({"crm"})
NOT_THERE = "Activity is not found."
_TASK, _GENERIC = 3, 5
_PROVIDERS = frozenset({TODO_PROVIDER, "CRM_SMS", "CRM_WEBFORM"})
"""Those that this portal knows; others may know more (PORTAL.md 6.1)."""
_OF_APPS = MappingProxyType(
    {
        "REST_APP": "Application context required",
        "CONFIGURABLE_REST_APP": "Use crm.activity.configurable.add for this activity provider",
    }
)
"""Providers that a webhook cannot use, with the portal's words (PORTAL.md 6.1)."""
_DEFAULT_TYPES = {CALL: "PHONE", EMAIL: "EMAIL"}


def add(call: MethodCall) -> PhpValue:
    """Create an activity; return its id."""
    fields = fields_of(call)
    activity = new_activity(call, fields)
    call.tables.crm_rows.insert(activity)
    save_event(call, activity, activity.location)
    return activity.id


def update(call: MethodCall) -> PhpValue:
    """Change the fields that are sent; those that an update cannot change are ignored."""
    activity = _activity(call)
    fields = fields_of(call)
    check_bindings(call, activity.bindings)
    apply(call, activity, fields)
    activity.changed_at = call.now
    call.tables.crm_rows.journal.append(Happened(f"{ACTIVITY}UPDATE", activity.id))
    save_event(call, activity, trim(fields.get("LOCATION")))
    return True


def delete(call: MethodCall) -> PhpValue:
    """Delete an activity with its calendar event."""
    activity = _activity(call)
    check_bindings(call, activity.bindings)
    drop_event(call, activity)
    call.tables.crm_rows.remove(activity)
    return True


def get(call: MethodCall) -> PhpValue:
    """Return one activity, without bindings and communications."""
    names = [name for name in ACTIVITIES.shown if name not in ACTIVITIES.on_demand]
    number = to_int(call.upper_params().get("ID"))
    if number <= 0:
        raise Refusal("", "ID is not defined or invalid.")
    activity = call.tables.crm_rows.activities.get(number)
    if activity is None:
        raise Refusal("", "")
    return shown(call, activity, names, ACTIVITIES)


def list_(call: MethodCall) -> PhpValue:
    """List activities; a BINDINGS filter returns a row once for every pair it matches."""
    rows: list[Activity] = list(call.tables.crm_rows.activities.values())
    pairs = _pairs(as_map(call.upper_params().get("FILTER")))
    if pairs:
        rows = [row for row in rows for pair in pairs if pair in row.bindings]
    return listed(call, rows, ACTIVITIES)


def _pairs(wanted: Mapping[str, PhpValue]) -> list[tuple[int, int]]:
    named = next((value for key, value in wanted.items() if key.upper() == "BINDINGS"), None)
    several = [as_map(one) for one in as_map(named).values()]
    return [(to_int(one.get("OWNER_TYPE_ID")), to_int(one.get("OWNER_ID"))) for one in several]


def _activity(call: MethodCall) -> Activity:
    number = to_int(call.upper_params().get("ID"))
    if number <= 0:
        raise Refusal("", "The parameter 'id' is invalid or not defined.")
    crm: Crm = call.tables.crm_rows
    found = crm.activities.get(number)
    if found is None:
        raise Refusal("", NOT_THERE)
    return found


def fields_of(call: MethodCall) -> dict[str, PhpValue]:
    """Return `fields` by upper-case name; a scalar counts as no fields."""
    return {key.upper(): value for key, value in as_map(call.upper_params().get("FIELDS")).items()}


def new_activity(call: MethodCall, fields: Mapping[str, PhpValue]) -> Activity:
    """Return the activity that the fields describe; raise the first of the portal's refusals if they are not valid."""
    subject = trim(fields.get("SUBJECT"))
    if not subject:
        raise Refusal("", "The field SUBJECT is not defined or empty.")
    owner = (to_int(fields.get("OWNER_TYPE_ID")), to_int(fields.get("OWNER_ID")))
    responsible = to_int(fields.get("RESPONSIBLE_ID")) or _responsible_of(call, owner)
    type_id, provider = _type(fields)
    communications = _communications(fields.get("COMMUNICATIONS"), type_id, owner)
    if not communications and type_id != PROVIDER:
        raise Refusal("", "The field COMMUNICATIONS is not defined or invalid.")
    if type_id in (MEETING, CALL) and len(communications) > 1:
        raise Refusal("", "The only one communication is allowed for activity of specified type.")
    bindings = _bindings(owner, communications)
    if not bindings:
        raise Refusal(
            "", "Could not build binding. Please ensure that owner info and communications are defined correctly."
        )
    check_bindings(call, bindings)
    activity = Activity(
        id=call.tables.crm_rows.next_id(),
        type_id=type_id,
        provider_id=provider,
        owner_type_id=bindings[0][0],
        owner_id=bindings[0][1],
        subject=subject,
        author=call.caller.id,
        created_at=call.now,
        changed_at=call.now,
        responsible=responsible,
        communications=communications,
        bindings=bindings,
    )
    apply(call, activity, {name: value for name, value in fields.items() if name != "COMMUNICATIONS"})
    if activity.responsible <= 0:
        raise Refusal("", "RESPONSIBLE_ID is not assigned.")
    return activity


def apply(call: MethodCall, activity: Activity, fields: Mapping[str, PhpValue]) -> None:
    """Put the fields that may change into an activity; unknown names are dropped without an error (trap 37)."""
    if "SUBJECT" in fields:
        activity.subject = trim(fields["SUBJECT"])[:512]
        if not activity.subject:
            raise Refusal("", "The field SUBJECT is not defined or empty.")
    if to_int(fields.get("RESPONSIBLE_ID")) > 0:
        activity.responsible = to_int(fields["RESPONSIBLE_ID"])
    if "COMMUNICATIONS" in fields:
        owner = (activity.owner_type_id, activity.owner_id)
        # An update with none left is refused like an add (PORTAL.md 6.1).
        activity.communications = _some(_communications(fields["COMMUNICATIONS"], activity.type_id, owner), activity)
        activity.bindings = _bindings(owner, activity.communications)
        check_bindings(call, activity.bindings)
    if "DESCRIPTION" in fields:
        activity.description = trim(fields["DESCRIPTION"])
    if to_int(fields.get("DESCRIPTION_TYPE")) in (1, 2, 3):
        activity.description_type = to_int(fields["DESCRIPTION_TYPE"])
    if to_int(fields.get("PRIORITY")) in (1, 2, 3):
        activity.priority = to_int(fields["PRIORITY"])
    if "COMPLETED" in fields:
        activity.completed = fields["COMPLETED"] in ("Y", True)
    if "DIRECTION" in fields:
        activity.direction = to_int(fields["DIRECTION"])
    for name, column in (("LOCATION", "location"), ("ORIGINATOR_ID", "originator_id"), ("ORIGIN_ID", "origin_id")):
        if name in fields:
            setattr(activity, column, trim(fields[name])[:255])
    _apply_results(activity, fields)
    _apply_notify(activity, fields)
    _apply_times(call, activity, fields)


def _apply_results(activity: Activity, fields: Mapping[str, PhpValue]) -> None:
    """Store what providers and results say; a table that is given replaces the one that stands there (6.4)."""
    for name in RESULTS:
        if name in fields and name != "ASSOCIATED_ENTITY_ID":  # which is read-only
            value = trim(fields[name])
            is_sum = name in ("RESULT_VALUE", "RESULT_SUM") and value
            activity.results[name] = f"{_decimal(value):.4f}" if is_sum else value
    if "FILES" in fields:
        activity.files = tuple(_file(one) for one in as_list(fields["FILES"]))
    for name in SETTINGS:
        if name in fields:
            activity.settings[name] = dict(as_map(fields[name]))


def _file(value: PhpValue) -> StoredFile:
    """Return what is stored of an uploaded file; what is no base64 in its content is passed over, as PHP does."""
    name, content = [str(one) for one in as_list(as_map(value).get("fileData"))][:2]
    plain = re.sub(r"[^A-Za-z0-9+/]", "", content)
    return StoredFile(name=name, size_bytes=len(plain) * 3 // 4)


def _decimal(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def check_bindings(call: MethodCall, bindings: Iterable[ElementId]) -> None:
    """Raise unless every bound object exists and the caller may change it."""
    for type_id, number in bindings:
        element = call.tables.crm_rows.elements.get((type_id, number))
        if element is None:
            raise Refusal("", f"Could not find '{name_of(type_id)}' with ID: {number}")
        if not (call.caller.admin or element.opened or element.assigned_by == call.caller.id):
            raise Refusal("", "Access denied.")


def _responsible_of(call: MethodCall, owner: ElementId) -> int:
    element = call.tables.crm_rows.elements.get(owner)
    if element is not None:
        return element.assigned_by or call.caller.id
    return 0 if owner[1] <= 0 else call.caller.id


def _type(fields: Mapping[str, PhpValue]) -> tuple[int, str]:
    provider = trim(fields.get("PROVIDER_ID"))
    type_id = to_int(fields.get("TYPE_ID")) or (PROVIDER if provider else 0)
    if not 1 <= type_id <= PROVIDER:
        raise Refusal("", "The field TYPE_ID is not defined or invalid.")
    if type_id == PROVIDER and provider in _OF_APPS:
        raise Refusal("", _OF_APPS[provider])
    if type_id == PROVIDER and provider not in _PROVIDERS:
        raise Refusal("", "The custom activity without provider is not supported in current context.")
    if type_id in (_TASK, _GENERIC):
        name = "Task" if type_id == _TASK else "Generic"
        raise Refusal("", f'The activity type "{name}" is not supported in current context".')
    return type_id, provider if type_id == PROVIDER else ""


def _communications(value: PhpValue, type_id: int, owner: ElementId) -> tuple[Communication, ...]:
    kept = []
    for item in as_list(value):
        one = {key.upper(): inner for key, inner in as_map(item).items()}
        entity = (to_int(one.get("ENTITY_TYPE_ID")), to_int(one.get("ENTITY_ID")))
        text = trim(one.get("VALUE"))
        if entity[1] <= 0 and text:
            entity = owner
        if entity[0] <= 0 or entity[1] <= 0:
            continue
        if not text and type_id not in (MEETING, _TASK):
            continue
        kind = trim(one.get("TYPE")).upper() or _DEFAULT_TYPES.get(type_id, "")
        if type_id in _DEFAULT_TYPES and kind != _DEFAULT_TYPES[type_id]:
            continue
        kept.append(Communication(type=kind, value=text, entity_type_id=entity[0], entity_id=entity[1]))
    return tuple(kept)


def _some(communications: tuple[Communication, ...], activity: Activity) -> tuple[Communication, ...]:
    if not communications and activity.type_id != PROVIDER:
        raise Refusal("", "The field COMMUNICATIONS is not defined or invalid.")
    return communications


def _bindings(owner: ElementId, communications: Iterable[Communication]) -> tuple[ElementId, ...]:
    named = [owner] if owner[0] > 0 and owner[1] > 0 else []
    named += [(one.entity_type_id, one.entity_id) for one in communications]
    return tuple(dict.fromkeys(named))


def _apply_notify(activity: Activity, fields: Mapping[str, PhpValue]) -> None:
    if "NOTIFY_TYPE" not in fields:
        return
    kind = to_int(fields["NOTIFY_TYPE"])
    if kind not in (1, 2, 3):
        activity.notify_type = activity.notify_value = 0
        return
    if is_empty(fields.get("NOTIFY_VALUE")):
        raise Refusal("", "NOTIFY_VALUE is not assigned.")
    activity.notify_type, activity.notify_value = kind, to_int(fields["NOTIFY_VALUE"])


def _apply_times(call: MethodCall, activity: Activity, fields: Mapping[str, PhpValue]) -> None:
    """Store the dates that can be read; one alone stands for both, and DEADLINE is always derived (6.1)."""
    start, end = read_moment(call, fields.get("START_TIME")), read_moment(call, fields.get("END_TIME"))
    if start is not None or end is not None:
        activity.start = start if start is not None else activity.start if activity.start is not None else end
        activity.end = end if end is not None else activity.end if activity.end is not None else start
    activity.deadline = activity.start if activity.start is not None else FAR_FUTURE


METHODS = MappingProxyType(
    {
        "crm.activity.add": Method(run=add, scopes=SCOPE),
        "crm.activity.get": Method(run=get, scopes=SCOPE),
        "crm.activity.list": Method(run=list_, scopes=SCOPE),
        "crm.activity.update": Method(run=update, scopes=SCOPE),
        "crm.activity.delete": Method(run=delete, scopes=SCOPE),
    }
)
