"""sonet_group.get: the workgroups that the caller may see (PORTAL.md 7)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox.call import Call, Method
from syncd.sandbox.php.scalars import PhpValue, to_int, truthy
from syncd.sandbox.php.wire import as_list, as_map

if TYPE_CHECKING:
    from syncd.sandbox.tables.database import Group

GROUP_SCOPES = frozenset({"sonet_group", "sonet"})


def get(call: Call) -> PhpValue:
    """List groups: administrators see all, others their own; unknown filter keys are dropped silently."""
    params = {key.upper(): value for key, value in call.params.items()}
    wanted = {key.upper(): value for key, value in as_map(params.get("FILTER")).items()}
    groups = [
        group
        for group in call.tables.groups.values()
        if _visible(call, group) and all(_matches(group, key, value) for key, value in wanted.items())
    ]
    order = {key.upper(): str(value).upper() for key, value in as_map(params.get("ORDER")).items()}
    if "NAME" in order:
        groups.sort(key=lambda group: group.name.casefold(), reverse=order["NAME"] == "DESC")
    else:
        groups.sort(key=lambda group: group.id, reverse=order.get("ID") == "DESC")
    return call.page([_shown(group) for group in groups])


def _visible(call: Call, group: Group) -> bool:
    admin = call.caller.admin and truthy(call.params.get("IS_ADMIN", "Y"))
    return admin or call.caller.id == group.owner or call.caller.id in group.members


def _matches(group: Group, key: str, wanted: PhpValue) -> bool:
    name = key.lstrip("=%!@")
    if name == "ID":
        return group.id in [to_int(item) for item in (as_list(wanted) if isinstance(wanted, list | dict) else [wanted])]
    if name == "NAME":
        text = str(wanted).casefold()
        return text in group.name.casefold() if key.startswith("%") else text == group.name.casefold()
    if name == "ACTIVE":
        return group.active is (wanted == "Y")
    if name == "CLOSED":
        return group.closed is (wanted == "Y")
    return True


def _shown(group: Group) -> PhpValue:
    return {
        "ID": str(group.id),
        "SITE_ID": "s1",
        "NAME": group.name,
        "DESCRIPTION": "",
        "ACTIVE": "Y" if group.active else "N",
        "VISIBLE": "Y",
        "OPENED": "N",
        "CLOSED": "Y" if group.closed else "N",
        "OWNER_ID": str(group.owner),
        "NUMBER_OF_MEMBERS": str(len(group.members | {group.owner})),
    }


METHODS = MappingProxyType({"sonet_group.get": Method(run=get, scopes=GROUP_SCOPES)})
