"""event.*, feature.get and app.option.*: what only applications may call (PORTAL.md 11.3)."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox.applications.event_queue import KNOWN, SCOPES, Binding, Row
from syncd.sandbox.call import Method, MethodCall, Refusal
from syncd.sandbox.php.scalars import as_list, as_map, to_int, truthy
from syncd.sandbox.php.timezones import zone
from syncd.sandbox.tables.database import AppAccess, Application

if TYPE_CHECKING:
    from syncd.sandbox.php.scalars import PhpValue

_LIMIT = 50


def _application(call: MethodCall) -> Application:
    if not isinstance(call.webhook, AppAccess):
        raise Refusal("WRONG_AUTH_TYPE", "Current authorization type is denied for this method", 403)
    return call.webhook.application


def bind(call: MethodCall) -> PhpValue:
    """Have an application hear of an event; of offline ones only an administrator may."""
    application = _application(call)
    name, handler = _name(call), str(call.params.get("handler") or "")
    offline = call.params.get("event_type") == "offline"
    if offline and not call.caller.admin:
        raise Refusal("ACCESS_DENIED", "Access denied!", 403)
    if not offline and not handler:
        raise Refusal("ERROR_ARGUMENT", "Argument 'handler' is null or empty", 400, argument="handler")
    kind = next((kind for kind in SCOPES if name.startswith(kind)), "")
    if name not in KNOWN or SCOPES[kind] not in application.scopes:
        raise Refusal("ERROR_EVENT_NOT_FOUND", "Event not found")
    connector = str(call.params.get("auth_connector") or "")
    binding = Binding(name=name, handler="" if offline else handler, connector=connector)
    bound = call.tables.queue.bindings.setdefault(application.client_id, [])
    if binding in bound:
        raise Refusal("ERROR_EVENT_BINDING_EXISTS", "Unable to set event handler: Handler already binded")
    bound.append(binding)
    return True


def unbind(call: MethodCall) -> PhpValue:
    """Remove the bindings of an event that fit what is given; return how many there were."""
    application, name = _application(call), _name(call)
    offline, handler = call.params.get("event_type") == "offline", call.params.get("handler")
    bound = call.tables.queue.bindings.get(application.client_id, [])
    gone = [
        one
        for one in bound
        if one.name == name and one.offline == offline and (offline or handler in (None, "", one.handler))
    ]
    for one in gone:
        bound.remove(one)
    return {"count": len(gone)}


def get(call: MethodCall) -> PhpValue:
    """List the bindings of the application."""
    bound = call.tables.queue.bindings.get(_application(call).client_id, [])
    return [
        {"event": one.name, "handler": one.handler, "auth_type": "0", "offline": 1 if one.offline else 0}
        for one in bound
    ]


def offline_get(call: MethodCall) -> PhpValue:
    """Hand out the first rows of the queue: deleted at once, or reserved where the licence allows it."""
    application = _application(call)
    clear = call.params.get("clear") is None or truthy(call.params.get("clear"))
    if not clear and not _may_reserve(call):
        raise Refusal("WRONG_LICENSE", "Extended offline events handling is not supported", 403)
    queue = call.tables.queue
    process = str(call.params.get("process_id") or "") or ("" if clear else queue.new_process())
    rows = queue.take(
        application.client_id,
        connector=str(call.params.get("auth_connector") or ""),
        limit=to_int(call.params.get("limit")) or _LIMIT,
        clear=clear,
        process=process,
        now=call.now,
    )
    return {"process_id": process or None, "events": [_shown(call, row) for row in rows]}


def offline_list(call: MethodCall) -> PhpValue:
    """List the queue and leave it as it is."""
    rows = call.tables.queue.waiting(_application(call).client_id)
    return call.page([_shown(call, row) for row in rows])


def offline_clear(call: MethodCall) -> PhpValue:
    """Delete what was reserved."""
    application, process = _application(call), str(call.params.get("process_id") or "")
    if not process:
        raise Refusal("ERROR_ARGUMENT", "Argument 'process_id' is null or empty", 400, argument="process_id")
    ids = call.params.get("id")
    chosen = None if ids is None else frozenset(to_int(one) for one in as_list(ids))
    call.tables.queue.clear(application.client_id, process, chosen)
    return True


def feature(call: MethodCall) -> PhpValue:
    """Tell whether the portal's plan has a feature; only that of reservations is simulated."""
    known = str(call.upper_params().get("CODE") or "") == "rest_offline_extended"
    return {"value": "Y" if known and _may_reserve(call) else "N"}


def option_get(call: MethodCall) -> PhpValue:
    """Return one value that the application keeps in the portal, or all of them."""
    options, name = _application(call).options, call.params.get("option")
    if name is None:
        return dict[str, "PhpValue"](options) if options else []
    return options.get(str(name), "")


def option_set(call: MethodCall) -> PhpValue:
    """Keep values of the application in the portal."""
    application = _application(call)
    if not call.caller.admin:
        raise Refusal("ACCESS_DENIED", "Access denied!", 403)
    application.options.update({key: str(value) for key, value in as_map(call.params.get("options")).items()})
    return True


def _may_reserve(call: MethodCall) -> bool:
    return call.settings.offline_extended or not call.settings.cloud


def _name(call: MethodCall) -> str:
    name = call.params.get("event")
    if not isinstance(name, str) or not name:
        raise Refusal("ERROR_ARGUMENT", "Argument 'event' is null or empty", 400, argument="event")
    return name.upper()


def _shown(call: MethodCall, row: Row) -> PhpValue:
    stamp = datetime.fromtimestamp(int(row.at), zone(call.tables.server_zone)).isoformat()
    additional: dict[str, PhpValue] = {"user_id": row.user}
    return {
        "ID": str(row.id),
        "TIMESTAMP_X": stamp,
        "EVENT_NAME": row.name,
        "EVENT_DATA": row.data,
        "EVENT_ADDITIONAL": additional,
        "MESSAGE_ID": row.message,
        "PROCESS_ID": row.process,
        "ERROR": "0",
    }


METHODS = MappingProxyType(
    {
        "event.bind": Method(run=bind),
        "event.unbind": Method(run=unbind),
        "event.get": Method(run=get),
        "event.offline.get": Method(run=offline_get),
        "event.offline.list": Method(run=offline_list),
        "event.offline.clear": Method(run=offline_clear),
        "feature.get": Method(run=feature),
        "app.option.get": Method(run=option_get),
        "app.option.set": Method(run=option_set),
    }
)
