"""What a world file may say about the CRM, and the way from it into rows and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Annotated

import msgspec

from syncd.errors import ConfigError
from syncd.sandbox.tables.crm_rows import FAR_FUTURE, OWNER_TYPES, Activity, Communication, Crm, Element

Id = Annotated[int, msgspec.Meta(ge=1)]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of what a world file may hold."""


class SeedElement(_Strict, frozen=True, kw_only=True):
    """A lead, deal, contact or company, as its `type` says."""

    type: str
    id: Id
    name: str = ""
    last_name: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    assigned_by: int = 0
    contact: int = 0
    company: int = 0
    opened: bool = True


class SeedCommunication(_Strict, frozen=True, kw_only=True):
    """One entry of an activity's COMMUNICATIONS."""

    type: str
    value: str
    entity_type_id: int
    entity_id: int


class SeedActivity(_Strict, frozen=True, kw_only=True):
    """An activity with the columns of its row."""

    id: Id
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
    communications: tuple[SeedCommunication, ...] = ()
    bindings: tuple[tuple[int, int], ...] = ()
    pings: tuple[int, ...] = ()
    color: str = ""
    event_id: int = 0


_TYPE_IDS = {name.lower(): type_id for type_id, (name, _) in OWNER_TYPES.items()}


def check_crm(elements: Iterable[SeedElement], users: frozenset[int]) -> None:
    """Raise ConfigError for an unknown type, an id twice, or a responsible person who is not there."""
    seen: set[tuple[str, int]] = set()
    for at, element in enumerate(elements):
        if element.type not in _TYPE_IDS:
            raise ConfigError(f"$.elements[{at}].type is {element.type!r}", f"use one of {', '.join(_TYPE_IDS)}")
        if (element.type, element.id) in seen:
            raise ConfigError(f"$.elements has the {element.type} {element.id} twice", "give every row its own id")
        seen.add((element.type, element.id))
        if element.assigned_by not in users | {0}:
            raise ConfigError(
                f"$.elements[{at}].assigned_by names {element.assigned_by}, which is not there",
                "add the row or correct the id",
            )


def plant_crm(elements: Iterable[SeedElement], activities: Iterable[SeedActivity]) -> Crm:
    """Return the CRM that a checked world describes."""
    crm = Crm()
    for element in elements:
        columns = msgspec.structs.asdict(element)
        type_id = _TYPE_IDS[columns.pop("type")]
        crm.elements[type_id, element.id] = Element(type_id=type_id, **columns)
    for activity in activities:
        columns = msgspec.structs.asdict(activity)
        columns["communications"] = tuple(
            Communication(**msgspec.structs.asdict(one)) for one in activity.communications
        )
        crm.insert(Activity(**columns))
    return crm


def uproot_elements(crm: Crm) -> tuple[SeedElement, ...]:
    """Return the elements as a world file has them."""
    return tuple(
        SeedElement(type=OWNER_TYPES[row.type_id][0].lower(), **_columns(row, "type_id"))  # type: ignore[arg-type]
        for row in crm.elements.values()
    )


def uproot_activities(crm: Crm) -> tuple[SeedActivity, ...]:
    """Return the activities as a world file has them."""
    return tuple(
        SeedActivity(
            communications=tuple(SeedCommunication(**_columns(one)) for one in row.communications),  # type: ignore[arg-type]
            **_columns(row, "communications"),  # type: ignore[arg-type]
        )
        for row in crm.activities.values()
    )


def _columns(row: Element | Activity | Communication, *without: str) -> dict[str, object]:
    return {column.name: getattr(row, column.name) for column in fields(row) if column.name not in without}
