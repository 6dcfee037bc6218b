"""The types of CRM elements whose cards may hold activities (PORTAL.md 6.1): by name, by number, by letters.

The types that every portal has go by a name. A dynamic one, which a portal's people have made themselves, goes by its
number ("177"), as its name may change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from syncd.lang.saying import say, say_as

OwnerType = str

OWNER_TYPES: Final[Mapping[OwnerType, tuple[int, str]]] = {
    "lead": (1, "L"), "deal": (2, "D"), "contact": (3, "C"), "company": (4, "CO"), "quote": (7, "Q"),
    "invoice": (31, "SI"),
}  # fmt: skip
"""Type id and the letters of links such as C_5, of the types that every portal has (PORTAL.md 6.1, 6.8)."""

FIRST_DYNAMIC: Final = 128
CODE: Final = re.compile(r"(?P<letters>CO|SI|[LDCQ]|T[0-9a-f]{2,8})_(?P<id>[1-9]\d{0,17})\Z", re.IGNORECASE)
"""A link such as C_5 or Tb1_5."""
_CALLED: Final[Mapping[OwnerType, str]] = {
    "lead": say_as("CRM", "lead"),
    "deal": say_as("CRM", "deal"),
    "contact": say_as("CRM", "contact"),
    "company": say_as("CRM", "company"),
    "quote": say_as("CRM", "quote"),
    "invoice": say_as("CRM", "invoice"),
}
_PLURALS: Final[Mapping[OwnerType, str]] = {
    "lead": say_as("CRM", "leads"),
    "deal": say_as("CRM", "deals"),
    "contact": say_as("CRM", "contacts"),
    "company": say_as("CRM", "companies"),
    "quote": say_as("CRM", "quotes"),
    "invoice": say_as("CRM", "invoices"),
}
_ONES: Final[Mapping[OwnerType, str]] = {
    "lead": say("a lead"),
    "deal": say("a deal"),
    "contact": say("a contact"),
    "company": say("a company"),
    "quote": say("a quote"),
    "invoice": say("an invoice"),
}
_NAMES: Final[Mapping[int, OwnerType]] = {number: name for name, (number, _) in OWNER_TYPES.items()}


def owner_type_of(number: int) -> OwnerType:
    """Return the type with this id; raises ValueError for one whose cards syncd does not write to."""
    if number in _NAMES:
        return _NAMES[number]
    if number < FIRST_DYNAMIC:
        raise ValueError(f"no cards of type {number}")
    return str(number)


def number_of(owner_type: OwnerType) -> int:
    """Return the id of a type."""
    return OWNER_TYPES[owner_type][0] if owner_type in OWNER_TYPES else int(owner_type)


def letters_of(owner_type: OwnerType) -> str:
    """Return the letters of links to a type: those of a dynamic one are T and its number, hexadecimal."""
    return OWNER_TYPES[owner_type][1] if owner_type in OWNER_TYPES else f"T{int(owner_type):x}"


def type_in(letters: str) -> OwnerType | None:
    """Return the type that a link's letters name, in any case; None for one whose cards syncd does not write to."""
    wanted = letters.upper()
    for name, (_, known) in OWNER_TYPES.items():
        if known == wanted:
            return name
    number = int(wanted[1:], 16)
    return str(number) if number >= FIRST_DYNAMIC else None


def code_of(owner_type: OwnerType, number: int) -> str:
    """Return the link to an element, such as C_5."""
    return f"{letters_of(owner_type)}_{number}"


def called(owner_type: OwnerType, *, several: bool = False) -> str:
    """Return what people call an element of a type, or several of them."""
    if owner_type in OWNER_TYPES:
        return (_PLURALS if several else _CALLED)[owner_type]
    if several:
        return say("items of type {type}", type=owner_type)
    return say("item of type {type}", type=owner_type)


def one_called(owner_type: OwnerType) -> str:
    """Return what people call some element of a type."""
    return _ONES[owner_type] if owner_type in _ONES else say("an item of type {type}", type=owner_type)
