"""server.time, methods, method.get, scope and profile: questions about the portal and about the caller."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from syncd.sandbox.call import Method, MethodCall
from syncd.sandbox.php.scalars import PhpValue, truthy
from syncd.sandbox.php.timezones import zone

if TYPE_CHECKING:
    from collections.abc import Mapping


def system_methods(others: Mapping[str, Method]) -> Mapping[str, Method]:
    """Return the methods that need no scope; `others` are the portal's other methods, which some of these list."""

    def scopes() -> frozenset[str]:
        return frozenset[str]().union(*(method.scopes for method in others.values()))

    def names(call: MethodCall) -> PhpValue:
        own = {**others, **table}
        wanted = call.params.get("scope")
        if isinstance(wanted, str) and wanted:
            return [name for name in sorted(own) if wanted in own[name].scopes]
        if truthy(call.params.get("full")):
            return list[PhpValue](sorted(own))
        return [name for name in sorted(own) if own[name].open_to(call.webhook.scopes)]

    def existence(call: MethodCall) -> PhpValue:
        name = call.params.get("name")
        found = {**others, **table}.get(name.lower()) if isinstance(name, str) else None
        available = found is not None and found.open_to(call.webhook.scopes)
        return {"isExisting": found is not None, "isAvailable": available}

    def scope(call: MethodCall) -> PhpValue:
        return list[PhpValue](sorted(scopes() if truthy(call.params.get("full")) else call.webhook.scopes))

    table = {
        "server.time": Method(run=server_time),
        "methods": Method(run=names),
        "method.get": Method(run=existence),
        "scope": Method(run=scope),
        "profile": Method(run=profile),
    }
    return table


def server_time(call: MethodCall) -> PhpValue:
    """Return the server's time with its offset (PORTAL.md 1.2)."""
    return datetime.fromtimestamp(int(call.now), zone(call.tables.server_zone)).isoformat()


def profile(call: MethodCall) -> PhpValue:
    """Return the caller's id, admin flag, name and zone."""
    return {
        "ID": str(call.caller.id),
        "ADMIN": call.caller.admin,
        "NAME": call.caller.name,
        "LAST_NAME": call.caller.last_name,
        "PERSONAL_GENDER": "",
        "TIME_ZONE": call.caller.zone,
    }
