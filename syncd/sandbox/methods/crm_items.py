"""crm.item.list: elements of any type, dynamic ones too (PORTAL.md 6.8). Names of parameters and fields are exact."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox.call import Method, MethodCall, Refusal
from syncd.sandbox.methods.crm_elements import SCOPE, visible
from syncd.sandbox.php.scalars import PhpValue, as_list, as_map, to_int
from syncd.sandbox.tables.crm_rows import COMPANY, CONTACT, LEAD, name_of

if TYPE_CHECKING:
    from syncd.sandbox.tables.crm_rows import Element

_REACHED = frozenset({LEAD, CONTACT, COMPANY})
_STANDARD = frozenset({"id", "title", "assignedById", "contactId", "companyId", "opened"})
_KEY = re.compile(r"(?P<operator>[=!@]*)(?P<name>\w+)\Z")
_NUMBERED = re.compile(r"UF_CRM_(\d+)_(\w+)\Z")


def list_(call: MethodCall) -> PhpValue:
    """Return one page of the elements of a type that the caller may see."""
    if call.settings.crm_items == "none":
        raise Refusal("ERROR_METHOD_NOT_FOUND", "Method not found!", status=404)
    if call.caller.extranet:
        raise Refusal("allowed_only_intranet_user", "Action is allowed only for intranet users", status=403)
    type_id = call.number("entityTypeId")
    if not call.tables.crm_rows.has_type(type_id):
        raise Refusal("NOT_FOUND", "SPA not found")
    original = call.params.get("useOriginalUfNames") == "Y"
    rows = [_row(one, original=original) for one in call.tables.crm_rows.of_type(type_id) if visible(call, one)]
    names = _STANDARD | {name for row in rows for name in row}
    for key, wanted in as_map(call.params.get("filter")).items():
        rows = _filtered(rows, key, wanted, names)
    rows = _ordered(rows, as_map(call.params.get("order")), names)
    selected = [str(name) for name in as_list(call.params.get("select"))] or ["*"]
    page = as_list(call.page([_chosen(call, row, selected) for row in rows]))
    return {"items": page}


def _row(element: Element, *, original: bool) -> dict[str, PhpValue]:
    row: dict[str, PhpValue] = {
        "id": element.id,
        "title": element.title or f"{name_of(element.type_id).title()} {element.id}",
        "assignedById": element.assigned_by,
        "contactId": element.contact or None,
        "companyId": element.company or None,
        "opened": "Y" if element.opened else "N",
    }
    if element.type_id in (LEAD, CONTACT):
        row |= {"name": element.name, "lastName": element.last_name}
    if element.type_id in _REACHED:
        row |= {"hasPhone": "Y" if element.phones else "N", "hasEmail": "Y" if element.emails else "N"}
        row["fm"] = [*_multi(element, "PHONE", element.phones), *_multi(element, "EMAIL", element.emails)]
    for name, value in element.fields.items():
        row[name if original else _camel(name)] = value if isinstance(value, str) else list[PhpValue](value)
    return row


def _multi(element: Element, kind: str, texts: tuple[str, ...]) -> list[PhpValue]:
    return [
        {"id": element.id * 100 + at, "typeId": kind, "valueType": "WORK", "value": text}
        for at, text in enumerate(texts)
    ]


def _camel(name: str) -> str:
    """Return the name of a custom field as crm.item.* has it: UF_CRM_5_1700 is ufCrm5_1700."""
    numbered = _NUMBERED.match(name)
    if numbered is not None:
        return f"ufCrm{numbered[1]}_{numbered[2].lower()}"
    first, *others = name.lower().split("_")
    return first + "".join(word.capitalize() for word in others)


def _filtered(
    rows: list[dict[str, PhpValue]], key: str, wanted: PhpValue, names: frozenset[str]
) -> list[dict[str, PhpValue]]:
    """Return the rows that pass one filter; an unknown field is refused, unlike in the older lists."""
    match = _KEY.match(key)
    name = match["name"] if match is not None else key
    if match is None or name not in names or name == "fm":
        raise Refusal("INVALID_ARG_VALUE", f"Invalid filter: field '{name}' is not allowed in filter")
    texts = {str(one) for one in (as_list(wanted) if isinstance(wanted, list | dict) else [wanted])}
    hits = [(row, bool(texts & _texts(row.get(name)))) for row in rows]
    return [row for row, hit in hits if hit != ("!" in match["operator"])]


def _texts(value: PhpValue) -> set[str]:
    return {str(one) for one in (value if isinstance(value, list) else [value])}


def _ordered(
    rows: list[dict[str, PhpValue]], order: Mapping[str, PhpValue], names: frozenset[str]
) -> list[dict[str, PhpValue]]:
    for name, way in reversed(list(order.items())):
        if name not in names:
            raise Refusal("INVALID_ARG_VALUE", f"Invalid order: field '{name}' is not allowed in order")
        rows = sorted(rows, key=lambda row: _sort_key(row.get(name)), reverse=str(way).upper() == "DESC")
    return rows


def _sort_key(value: PhpValue) -> tuple[int, str]:
    return (to_int(value), "") if isinstance(value, int) else (0, str(value))


def _chosen(call: MethodCall, row: Mapping[str, PhpValue], selected: list[str]) -> PhpValue:
    """Return the selected fields; phones and e-mails come with all of them only."""
    kept = set(row) if "*" in selected else {"id", *selected} - {"fm"}
    if call.settings.crm_items == "bare":
        kept -= {"fm"}
    return {name: value for name, value in row.items() if name in kept}


METHODS = MappingProxyType({"crm.item.list": Method(run=list_, scopes=SCOPE)})
