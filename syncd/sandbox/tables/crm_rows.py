"""The CRM tables: leads, deals, contacts, companies and the activities on their cards (PORTAL.md 6).

Rows are mutable. Nothing here knows of rights, JSON or the calendar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from syncd.sandbox.applications.event_queue import ACTIVITY, Happened

LEAD, DEAL, CONTACT, COMPANY, QUOTE, INVOICE = 1, 2, 3, 4, 7, 31
FIRST_DYNAMIC = 128
MEETING, CALL, EMAIL, PROVIDER = 1, 2, 4, 6
TODO_PROVIDER = "CRM_TODO"
FAR_FUTURE = 253370764800.0
"""The deadline of an activity without dates: 1 January 9999."""

#: Type id -> name and the short code in links such as `C_5`.
OWNER_TYPES: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        LEAD: ("LEAD", "L"),
        DEAL: ("DEAL", "D"),
        CONTACT: ("CONTACT", "C"),
        COMPANY: ("COMPANY", "CO"),
        QUOTE: ("QUOTE", "Q"),
        INVOICE: ("SMART_INVOICE", "SI"),
    }
)
ElementId = tuple[int, int]
"""Type id and id of an element."""


@dataclass(slots=True, kw_only=True)
class Element:
    """An element of any type; `contact` and `company` are what it belongs to, `fields` its custom ones."""

    type_id: int
    id: int
    name: str = ""
    last_name: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    assigned_by: int = 0
    contact: int = 0
    company: int = 0
    opened: bool = True
    fields: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name people read."""
        return f"{self.name} {self.last_name}".strip()


class Communication(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of COMMUNICATIONS: how and with whom (PORTAL.md 6.2)."""

    type: str
    value: str
    entity_type_id: int
    entity_id: int


class StoredFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of an activity, without its content."""

    name: str
    size_bytes: int


class Activity(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One activity, in the CRM as in a world file; times are unix time, None where it has none.

    `results` are the columns of providers and results by name, `settings` those that hold tables. `event_id` is the
    hidden link to the calendar, 0 without one: no method shows, filters or sets it (PORTAL.md 6.5).
    """

    id: Annotated[int, msgspec.Meta(ge=1)]
    type_id: int
    owner_type_id: int
    owner_id: int
    subject: str
    author: int
    created_at: float
    changed_at: float
    provider_id: str = ""
    description: str = ""
    description_type: int = 1
    start: float | None = None
    end: float | None = None
    deadline: float = FAR_FUTURE
    responsible: int = 0
    completed: bool = False
    priority: int = 1
    notify_type: int = 0
    notify_value: int = 0
    direction: int = 0
    location: str = ""
    originator_id: str = ""
    origin_id: str = ""
    communications: tuple[Communication, ...] = ()
    bindings: tuple[ElementId, ...] = ()
    pings: tuple[int, ...] = ()
    color: str = ""
    event_id: int = 0
    results: dict[str, str] = {}
    settings: dict[str, dict[str, Any]] = {}
    files: tuple[StoredFile, ...] = ()


@dataclass(slots=True, kw_only=True)
class Crm:
    """All rows of the CRM; `dynamic` are the types that this portal's people have made, by number."""

    elements: dict[ElementId, Element] = field(default_factory=dict)
    dynamic: dict[int, str] = field(default_factory=dict)
    activities: dict[int, Activity] = field(default_factory=dict)
    journal: list[Happened] = field(default_factory=list)
    _last_activity_id: int = 0
    _by_event: dict[int, int] = field(default_factory=dict)

    def insert(self, activity: Activity) -> None:
        """File a new activity under its id."""
        self._last_activity_id = max(self._last_activity_id, activity.id)
        self.activities[activity.id] = activity
        self.journal.append(Happened(f"{ACTIVITY}ADD", activity.id))
        if activity.event_id:
            self._by_event[activity.event_id] = activity.id

    def next_id(self) -> int:
        """Return a new id for an activity; ids are never used twice."""
        self._last_activity_id += 1
        return self._last_activity_id

    def link(self, activity: Activity, event_id: int) -> None:
        """Link an activity to its calendar event; 0 removes the link."""
        self._by_event.pop(activity.event_id, None)
        activity.event_id = event_id
        if event_id:
            self._by_event[event_id] = activity.id

    def of_event(self, event_id: int) -> Activity | None:
        """Return the activity whose calendar event this is."""
        return self.activities.get(self._by_event.get(event_id, 0))

    def remove(self, activity: Activity) -> None:
        """Remove an activity."""
        self._by_event.pop(activity.event_id, None)
        del self.activities[activity.id]
        self.journal.append(Happened(f"{ACTIVITY}DELETE", activity.id))

    def of_type(self, type_id: int) -> Iterator[Element]:
        """Return the elements of a type by id."""
        return (self.elements[key] for key in sorted(key for key in self.elements if key[0] == type_id))

    def has_type(self, type_id: int) -> bool:
        """Return True if this portal has elements of a type, or might have."""
        return type_id in OWNER_TYPES or type_id in self.dynamic

    def codes(self) -> frozenset[str]:
        """Return the short codes of all elements, such as `C_5`."""
        return frozenset(code_of(key) for key in self.elements)


def code_of(element: ElementId) -> str:
    """Return the short code of an element."""
    return f"{short_of(element[0])}_{element[1]}"


def name_of(type_id: int) -> str:
    """Return the symbolic code of a type."""
    return OWNER_TYPES[type_id][0] if type_id in OWNER_TYPES else f"DYNAMIC_{type_id}"


def short_of(type_id: int) -> str:
    """Return the short code of a type; that of a dynamic one is T and its number, hexadecimal (PORTAL.md 6.8)."""
    return OWNER_TYPES[type_id][1] if type_id in OWNER_TYPES else f"T{type_id:x}"


def element_of(code: str) -> ElementId | None:
    """Return the element that a short code names, None for other types."""
    letter, _, number = code.partition("_")
    found = next((type_id for type_id, (_, short) in OWNER_TYPES.items() if short == letter), None)
    if found is None and re.fullmatch("T[0-9a-f]{2,8}", letter):
        found = int(letter[1:], 16)
    return None if found is None or not number.isdecimal() else (found, int(number))
