"""user.get, user.search, user.current, sonet_group.get and department.get (PORTAL.md 7)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox import rights
from syncd.sandbox.call import Method, MethodCall, Refusal
from syncd.sandbox.php.scalars import PhpValue, as_list, as_map, is_empty, to_int, truthy

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncd.sandbox.tables.database import Group, User

USER_SCOPES = frozenset({"user", "user_basic", "user_brief"})
GROUP_SCOPES = frozenset({"sonet_group", "sonet"})
_BRIEF = ("ID", "ACTIVE", "NAME", "LAST_NAME", "SECOND_NAME", "UF_DEPARTMENT", "USER_TYPE", "IS_ONLINE")
_MORE = ("XML_ID", "EMAIL", "TIME_ZONE")

_FIELDS: MappingProxyType[str, Callable[[User], PhpValue]] = MappingProxyType(
    {
        "ID": lambda user: str(user.id),
        "XML_ID": lambda user: user.xml_id,
        "ACTIVE": lambda user: user.active,
        "NAME": lambda user: user.name,
        "LAST_NAME": lambda user: user.last_name,
        "SECOND_NAME": lambda user: user.second_name,
        "EMAIL": lambda user: user.email,
        "TIME_ZONE": lambda user: user.zone,
        "IS_ONLINE": lambda user: "N",
        "UF_DEPARTMENT": lambda user: list[PhpValue](user.departments),
        "USER_TYPE": lambda user: "extranet" if user.extranet else "employee",
    }
)


def _visible_fields(scopes: frozenset[str]) -> tuple[str, ...]:
    """Return the fields that the scopes show and filter by; `user_brief` alone has no e-mail, XML_ID or zone."""
    return (*_BRIEF, *_MORE) if scopes & {"user", "user_basic"} else _BRIEF


def _shown(user: User, fields: tuple[str, ...]) -> PhpValue:
    return {name: _FIELDS[name](user) for name in fields}


def _filter_of(call: MethodCall) -> dict[str, PhpValue]:
    """Return the filter: keys at top level and inside FILTER, upper-cased."""
    params = call.upper_params()
    inner = {key.upper(): value for key, value in as_map(params.pop("FILTER", None)).items()}
    return {**params, **inner}


def _matches(user: User, key: str, wanted: PhpValue, fields: tuple[str, ...]) -> bool:
    """Return True if a user passes one filter key; a field outside the granted scopes lets everybody pass."""
    name = key.lstrip("=%@!><")
    if name not in fields or name == "IS_ONLINE":
        return True
    found = _FIELDS[name](user)
    operator = key[: len(key) - len(name)]
    if name == "ACTIVE":
        wanted_active = truthy(wanted) and wanted not in ("N", "false")
        return user.active is wanted_active
    if name == "UF_DEPARTMENT":
        departments = as_list(wanted) or [wanted]
        return any(to_int(number) in user.departments for number in departments)
    if ">" in operator or "<" in operator:
        return _compares(to_int(found), operator, to_int(wanted))
    texts = [_folded(item) for item in (as_list(wanted) if isinstance(wanted, list | dict) else [wanted])]
    text = _folded(found)
    hit = any(part in text for part in texts) if "%" in operator else text in texts
    return not hit if "!" in operator else hit


def _compares(found: int, operator: str, wanted: int) -> bool:
    if operator.strip("=") == ">":
        return found > wanted or ("=" in operator and found == wanted)
    return found < wanted or ("=" in operator and found == wanted)


def _folded(value: PhpValue) -> str:
    return value.casefold() if isinstance(value, str) else str(to_int(value))


def _ordered(call: MethodCall, users: list[User]) -> list[User]:
    params = call.upper_params()
    name = params.get("SORT")
    down = str(params.get("ORDER", "ASC")).upper() == "DESC"
    if isinstance(name, str) and name.upper() in ("NAME", "LAST_NAME", "EMAIL"):
        users.sort(key=lambda user: _folded(_FIELDS[name.upper()](user)))
    else:
        users.sort(key=lambda user: user.id)
    return users[::-1] if down else users


def get(call: MethodCall) -> PhpValue:
    """List users, dismissed ones included; unknown filter keys give the full list, not an error (PORTAL.md 7)."""
    fields = _visible_fields(call.webhook.scopes)
    wanted = {key: value for key, value in _filter_of(call).items() if key not in ("SORT", "ORDER", "START")}
    users = [
        user
        for user in call.tables.users.values()
        if all(_matches(user, key, value, fields) for key, value in wanted.items())
    ]
    return call.page([_shown(user, fields) for user in _ordered(call, users)])


def search(call: MethodCall) -> PhpValue:
    """Find active users by prefixes of words in FIND, or of NAME and LAST_NAME; not an exact match (PORTAL.md 7)."""
    fields = _visible_fields(call.webhook.scopes)
    wanted = _filter_of(call)
    find = wanted.get("FIND")
    words = find.casefold().split() if isinstance(find, str) else []
    users = []
    for user in call.tables.users.values():
        own = f"{user.name} {user.last_name} {user.email if 'EMAIL' in fields else ''}".casefold().split()
        if not user.active or not all(any(part.startswith(word) for part in own) for word in words):
            continue
        if _starts(user.name, wanted.get("NAME")) and _starts(user.last_name, wanted.get("LAST_NAME")):
            users.append(user)
    return call.page([_shown(user, fields) for user in _ordered(call, users)])


def _starts(found: str, wanted: PhpValue) -> bool:
    return is_empty(wanted) or not isinstance(wanted, str) or found.casefold().startswith(wanted.casefold())


def current(call: MethodCall) -> PhpValue:
    """Return the caller as user.get would."""
    return _shown(call.caller, _visible_fields(call.webhook.scopes))


def departments(call: MethodCall) -> PhpValue:
    """List departments by ID, exact NAME, PARENT or UF_HEAD."""
    wanted = call.upper_params()
    rows: list[PhpValue] = []
    for department in sorted(call.tables.departments.values(), key=lambda row: row.id):
        row: dict[str, PhpValue] = {
            "ID": str(department.id),
            "NAME": department.name,
            "SORT": 500,
            "UF_HEAD": str(department.head),
        }
        if department.parent:
            row["PARENT"] = str(department.parent)
        asked = [(key, wanted[key]) for key in ("ID", "NAME", "PARENT", "UF_HEAD") if not is_empty(wanted.get(key))]
        if all(str(row.get(key, "0")) in _texts(value) for key, value in asked):
            rows.append(row)
    return call.page(rows)


def _texts(value: PhpValue) -> list[str]:
    return [str(item) for item in (as_list(value) if isinstance(value, list | dict) else [value])]


def groups(call: MethodCall) -> PhpValue:
    """List groups but collabs: administrators see all, others their own; unknown filter keys are dropped."""
    params = call.upper_params()
    wanted = as_map(params.get("FILTER"))
    if to_int(params.get("GROUP_ID")) > 0:
        wanted = {**wanted, "ID": params["GROUP_ID"]}
    found = _groups(call, wanted, params.get("ORDER"), as_admin=params.get("IS_ADMIN") == "Y")
    return call.page([_group_shown(group) for group in found if group.kind != "collab"])


def workgroups(call: MethodCall) -> PhpValue:
    """List groups of every kind in the newer method's shape; without `select` ids alone (PORTAL.md 7)."""
    asked = as_map(call.params.get("params"))
    found = _groups(
        call, as_map(call.params.get("filter")), call.params.get("order"), as_admin=asked.get("IS_ADMIN") == "Y"
    )
    names = [str(name).upper() for name in as_list(call.params.get("select"))]
    shown: dict[str, Callable[[Group], PhpValue]] = {
        "NAME": lambda group: group.name,
        "TYPE": lambda group: group.kind,
        "CLOSED": lambda group: "Y" if group.closed else "N",
    }
    rows: list[PhpValue] = [
        {"id": str(group.id), **{name.lower(): shown[name](group) for name in names if name in shown}}
        for group in found
    ]
    return {"workgroups": call.page(rows)}


def feature_access(call: MethodCall) -> PhpValue:
    """Tell whether the caller may view or change a group's calendar; other features are all open (PORTAL.md 7)."""
    params = call.upper_params()
    group = call.tables.groups.get(to_int(params.get("GROUP_ID")))
    if group is None:
        raise Refusal("", "Wrong socialnetwork group ID")
    if params.get("FEATURE") != "calendar":
        return True
    if params.get("OPERATION") not in ("view", "write"):
        raise Refusal("", "Wrong operation")
    return rights.may_edit_calendar(call.tables, call.caller, "group", group.id)


def _groups(call: MethodCall, filters: dict[str, PhpValue], order: PhpValue, *, as_admin: bool) -> list[Group]:
    wanted = {key.upper(): value for key, value in filters.items()}
    found = [
        group
        for group in call.tables.groups.values()
        if _sees_group(call, group, as_admin=as_admin)
        and all(_group_matches(group, key, value) for key, value in wanted.items())
    ]
    given = {key.upper(): str(value).upper() for key, value in as_map(order).items()}
    if "NAME" in given:
        found.sort(key=lambda group: group.name.casefold(), reverse=given["NAME"] == "DESC")
    else:
        found.sort(key=lambda group: group.id, reverse=given.get("ID") == "DESC")
    return found


def _sees_group(call: MethodCall, group: Group, *, as_admin: bool) -> bool:
    if call.caller.id == group.owner or call.caller.id in group.members:
        return True
    # IS_ADMIN of anybody else is ignored; without it an administrator's rights are checked like any other's.
    return call.caller.admin and (not group.secret or as_admin or call.settings.admin_groups == "always")


def _group_matches(group: Group, key: str, wanted: PhpValue) -> bool:
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


def _group_shown(group: Group) -> PhpValue:
    return {
        "ID": str(group.id),
        "SITE_ID": "s1",
        "NAME": group.name,
        "DESCRIPTION": "",
        "ACTIVE": "Y" if group.active else "N",
        "VISIBLE": "N" if group.secret else "Y",
        "OPENED": "N",
        "CLOSED": "Y" if group.closed else "N",
        "OWNER_ID": str(group.owner),
        "NUMBER_OF_MEMBERS": str(len(group.members | {group.owner})),
    }


METHODS = MappingProxyType(
    {
        "user.get": Method(run=get, scopes=USER_SCOPES),
        "user.search": Method(run=search, scopes=USER_SCOPES),
        "user.current": Method(run=current, scopes=USER_SCOPES),
        "sonet_group.get": Method(run=groups, scopes=GROUP_SCOPES),
        "sonet_group.feature.access": Method(run=feature_access, scopes=GROUP_SCOPES),
        "socialnetwork.api.workgroup.list": Method(run=workgroups, scopes=frozenset({"socialnetwork"})),
        "department.get": Method(run=departments, scopes=frozenset({"department"})),
    }
)
