"""crm.contact.get and .list, likewise of other types, crm.duplicate.findbycomm, crm.enum.ownertype (PORTAL.md 6.8)."""

from __future__ import annotations

import re
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox.call import Method, MethodCall, Refusal
from syncd.sandbox.crm.listing import ELEMENTS, found, listed, shown
from syncd.sandbox.php.scalars import PhpValue, as_list, to_int
from syncd.sandbox.tables.crm_rows import COMPANY, CONTACT, DEAL, LEAD, OWNER_TYPES, QUOTE, name_of, short_of

if TYPE_CHECKING:
    from syncd.sandbox.tables.crm_rows import Element

SCOPE = frozenset({"crm"})
MOST_VALUES = 20
_CROWD = 20
_SEARCHED = {"LEAD": LEAD, "CONTACT": CONTACT, "COMPANY": COMPANY}
_NOT_A_DIGIT = re.compile(r"[^0-9]")


def get(call: MethodCall, type_id: int) -> PhpValue:
    """Return one element with its phones and e-mails."""
    number = to_int(call.upper_params().get("ID"))
    if number <= 0:
        raise Refusal("", "ID is not defined or invalid.")
    element = found(call.tables.crm_rows.elements.get((type_id, number)))
    if not visible(call, element):
        raise Refusal("", "Access denied.")
    return shown(call, element, tuple(ELEMENTS.shown), ELEMENTS)


def list_(call: MethodCall, type_id: int) -> PhpValue:
    """List the elements of a type that the caller may see; phones and e-mails only when they are named."""
    rows = [element for element in call.tables.crm_rows.of_type(type_id) if visible(call, element)]
    return listed(call, rows, ELEMENTS)


def find_by_comm(call: MethodCall) -> PhpValue:
    """Find leads, contacts and companies by phones or e-mails; nothing found is an empty list."""
    params = call.upper_params()
    kind = str(params.get("TYPE") or "").upper()
    if kind not in ("PHONE", "EMAIL"):
        raise Refusal("", "Communication type is not defined." if not kind else "Communication type is not supported.")
    values = [str(one) for one in as_list(params.get("VALUES"))][:MOST_VALUES]
    wanted = str(params.get("ENTITY_TYPE") or "").upper()
    types = [_SEARCHED[wanted]] if wanted in _SEARCHED else list(_SEARCHED.values())
    hits: dict[int, set[int]] = {}
    for value in values:
        for type_id, numbers in _matches(call, kind, value, types).items():
            hits.setdefault(type_id, set()).update(numbers)
    result: dict[str, PhpValue] = {}
    for type_id in sorted(hits, reverse=True):
        result[OWNER_TYPES[type_id][0]] = list[PhpValue](sorted(hits[type_id]))
    return result or []


def _matches(call: MethodCall, kind: str, value: str, types: list[int]) -> dict[int, set[int]]:
    """Return the elements of one value; once 20 are found, the remaining types are not searched (PORTAL.md 6.8)."""
    sought = _normal(kind, value)
    hits: dict[int, set[int]] = {}
    if not sought:
        return hits
    for type_id in types:
        for element in call.tables.crm_rows.of_type(type_id):
            own = element.phones if kind == "PHONE" else element.emails
            if any(_normal(kind, one) == sought for one in own):
                hits.setdefault(type_id, set()).add(element.id)
        if sum(map(len, hits.values())) >= _CROWD:
            break
    return hits


def _normal(kind: str, value: str) -> str:
    """Return a value as the duplicate index has it: digits with a country code, or a lower-case address."""
    if kind == "EMAIL":
        return value.strip().lower()
    digits = _NOT_A_DIGIT.sub("", value)
    if digits.startswith("00"):
        return digits[2:]
    if len(digits) == 11 and digits[0] == "8" and not value.strip().startswith("+"):
        return "7" + digits[1:]
    return digits


def owner_types(call: MethodCall) -> PhpValue:
    """Return the kinds of elements with their ids and codes."""
    names = {number: name.title() for number, (name, _) in OWNER_TYPES.items()} | call.tables.crm_rows.dynamic
    return [
        {"ID": number, "NAME": name, "SYMBOL_CODE": name_of(number), "SYMBOL_CODE_SHORT": short_of(number)}
        for number, name in names.items()
    ]


def visible(call: MethodCall, element: Element) -> bool:
    """Return True if the caller may see an element."""
    return call.caller.admin or element.opened or element.assigned_by == call.caller.id


_NAMES = ((LEAD, "lead"), (DEAL, "deal"), (CONTACT, "contact"), (COMPANY, "company"), (QUOTE, "quote"))

METHODS = MappingProxyType(
    {
        **{f"crm.{name}.get": Method(run=partial(get, type_id=number), scopes=SCOPE) for number, name in _NAMES},
        **{f"crm.{name}.list": Method(run=partial(list_, type_id=number), scopes=SCOPE) for number, name in _NAMES},
        "crm.duplicate.findbycomm": Method(run=find_by_comm, scopes=SCOPE),
        "crm.enum.ownertype": Method(run=owner_types, scopes=SCOPE),
    }
)
