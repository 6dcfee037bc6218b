"""The format of a world file, key by key, and the checks across keys.

Strict on purpose: a world file is written by hand, so an unknown key, a duplicate id and a reference to nothing are
errors that name the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec

from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.sandbox.php.timezones import canonical_zones
from syncd.sandbox.tables.crm_rows import FIRST_DYNAMIC, OWNER_TYPES, Activity
from syncd.sandbox.tables.database import GroupKind, Task
from syncd.sandbox.texts import Culture, Language

FOUNDED = 1735689600.0
"""When rows without a date of their own were created: 1 January 2025, as unix time."""

Id = Annotated[int, msgspec.Meta(ge=1)]
Status = Literal["H", "Y", "Q", "N"]
ELEMENT_TYPES: Mapping[str, int] = MappingProxyType({name.lower(): number for number, (name, _) in OWNER_TYPES.items()})
Flag = Literal["notify", "reinvite", "allow_invite", "hide_guests"]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of what a world file may hold."""


class SeedUser(_Strict, frozen=True, kw_only=True):
    """A person."""

    id: Id
    name: str
    second_name: str = ""
    last_name: str = ""
    email: str = ""
    xml_id: str = ""
    zone: str = ""
    admin: bool = False
    active: bool = True
    departments: tuple[int, ...] = ()
    extranet: bool = False


class SeedGroup(_Strict, frozen=True, kw_only=True):
    """A workgroup."""

    id: Id
    name: str
    owner: Id
    members: tuple[int, ...] = ()
    active: bool = True
    closed: bool = False
    secret: bool = False
    calendar: bool = True
    kind: GroupKind = "group"


class SeedChat(_Strict, frozen=True, kw_only=True):
    """A chat; only its members may write into it."""

    id: Id
    title: str = ""
    members: tuple[int, ...] = ()


class SeedDepartment(_Strict, frozen=True, kw_only=True):
    """A department; `parent` 0 is the root."""

    id: Id
    name: str
    parent: int = 0
    head: int = 0


class SeedWebhook(_Strict, frozen=True, kw_only=True):
    """An incoming webhook."""

    user: Id
    code: Annotated[str, msgspec.Meta(min_length=1, pattern="^[A-Za-z0-9]+$")]
    scopes: tuple[str, ...] = ("calendar", "user", "sonet_group", "department", "crm", "im")

    def __repr__(self) -> str:
        return f"SeedWebhook(user={self.user})"


class SeedApplication(_Strict, frozen=True, kw_only=True):
    """A local application; `handler` is its own address, "" for one that uses the API only."""

    client_id: Annotated[str, msgspec.Meta(min_length=1)]
    client_secret: Annotated[str, msgspec.Meta(min_length=1)]
    scopes: tuple[str, ...] = ("calendar", "user", "sonet_group", "department", "crm", "im")
    handler: str = ""

    def __repr__(self) -> str:
        return f"SeedApplication(client_id={self.client_id!r})"


class SeedSection(_Strict, frozen=True, kw_only=True):
    """A calendar section; rooms are sections of type `location`."""

    id: Id
    name: str
    type: str = "user"
    owner: int = 0
    description: str = ""
    color: str = "#9DCF00"
    text_color: str = "#000000"
    external_type: str = "local"
    access: dict[str, Task] = {}
    meetings: bool = False


class SeedEvent(_Strict, frozen=True, kw_only=True):
    """An event; its calendar is its section's. Times are naive wall clocks in `zone`; all-day ends are inclusive."""

    id: Id
    section: Id
    name: str
    opens: datetime = msgspec.field(name="from")
    closes: datetime = msgspec.field(name="to")
    all_day: bool = False
    zone: str = ""
    zone_to: str = ""
    rrule: dict[str, str | int | list[str]] | None = None
    exdates: tuple[date, ...] = ()
    description: str = ""
    location: str = ""
    color: str = ""
    accessibility: str = "busy"
    importance: str = "normal"
    private: bool = False
    remind: tuple[dict[str, str | int], ...] = ()
    crm: tuple[str, ...] = ()
    is_meeting: bool = False
    host: int = 0
    attendees: tuple[int, ...] = ()
    flags: tuple[Flag, ...] = ()
    status: Status = "H"
    parent: int = 0
    recurrence_of: int = 0
    original_date: date | None = None
    created_by: int = 0
    version: int = 1
    created_at: float = FOUNDED
    changed_at: float = FOUNDED
    dav_xml_id: str = ""


class SeedElement(_Strict, frozen=True, kw_only=True):
    """An element of the CRM, as its `type` says: lead, deal, contact, company, quote, smart_invoice, or dynamic_177.

    `fields` are custom ones by their original names.
    """

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
    fields: dict[str, str | tuple[str, ...]] = {}


class SeedType(_Strict, frozen=True, kw_only=True):
    """A dynamic type of CRM elements, which a portal's people have made themselves."""

    id: Annotated[int, msgspec.Meta(ge=FIRST_DYNAMIC)]
    name: str


class WorldSeed(_Strict, frozen=True, kw_only=True):
    """The contents of one portal."""

    server_zone: str = "Europe/Moscow"
    culture: Culture = "ru"
    language: Language = "en"
    host: str = "portal.example"
    types: tuple[str, ...] = ()
    users: tuple[SeedUser, ...]
    groups: tuple[SeedGroup, ...] = ()
    chats: tuple[SeedChat, ...] = ()
    departments: tuple[SeedDepartment, ...] = ()
    webhooks: tuple[SeedWebhook, ...] = ()
    applications: tuple[SeedApplication, ...] = ()
    sections: tuple[SeedSection, ...] = ()
    events: tuple[SeedEvent, ...] = ()
    crm: tuple[str, ...] = ()
    crm_types: tuple[SeedType, ...] = ()
    elements: tuple[SeedElement, ...] = ()
    activities: tuple[Activity, ...] = ()


def check_world(seed: WorldSeed) -> None:
    """Raise ConfigError for the first duplicate id, reference to nothing or unknown zone."""
    if not seed.users:
        raise ConfigError(say("$.users is empty"), say("a portal has at least one user"))
    users = _ids("users", (user.id for user in seed.users))
    groups = _ids("groups", (group.id for group in seed.groups))
    sections = _ids("sections", (section.id for section in seed.sections))
    events = _ids("events", (event.id for event in seed.events))
    _ids("crm_types", (kind.id for kind in seed.crm_types))
    _check_elements(seed.elements, seed.crm_types, users)
    _ids("activities", (activity.id for activity in seed.activities))
    _check_zone("$.server_zone", seed.server_zone)
    for at, user in enumerate(seed.users):
        _check_zone(f"$.users[{at}].zone", user.zone or seed.server_zone)
    for at, group in enumerate(seed.groups):
        _check_reference(f"$.groups[{at}].owner", group.owner, users)
    _ids("chats", (chat.id for chat in seed.chats))
    for at, chat in enumerate(seed.chats):
        for member in chat.members:
            _check_reference(f"$.chats[{at}].members", member, users)
    for at, webhook in enumerate(seed.webhooks):
        _check_reference(f"$.webhooks[{at}].user", webhook.user, users)
    for at, section in enumerate(seed.sections):
        known = {"user": users, "group": groups}.get(section.type)
        if known is not None:
            _check_reference(f"$.sections[{at}].owner", section.owner, known)
    for at, event in enumerate(seed.events):
        _check_reference(f"$.events[{at}].section", event.section, sections)
        _check_zone(f"$.events[{at}].zone", event.zone or seed.server_zone)
        _check_zone(f"$.events[{at}].zone_to", event.zone_to or seed.server_zone)
        for key, number in (("parent", event.parent), ("recurrence_of", event.recurrence_of)):
            _check_reference(f"$.events[{at}].{key}", number, events | {0})
        if event.opens.tzinfo is not None or event.closes.tzinfo is not None:
            raise ConfigError(
                say("$.events[{at}] has a time with an offset", at=at), say("write wall clocks and name the zone")
            )


def _ids(key: str, ids: Iterable[int]) -> frozenset[int]:
    found: set[int] = set()
    for number in ids:
        if number in found:
            raise ConfigError(
                say("$.{key} has the id {number} twice", key=key, number=number), say("give every row its own id")
            )
        found.add(number)
    return frozenset(found)


def _check_reference(key: str, number: int, known: frozenset[int]) -> None:
    if number not in known:
        raise ConfigError(
            say("{key} names {number}, which is not there", key=key, number=number),
            say("add the row or correct the id"),
        )


def _check_zone(key: str, name: str) -> None:
    if name not in canonical_zones():
        raise ConfigError(
            say("{key}: {name!r} is no zone the portal knows", key=key, name=name),
            say("use a canonical name such as Europe/Kyiv"),
        )


def type_of(name: str) -> int:
    """Return the number of a type by the name it has in a world file; raise KeyError for an unknown one."""
    kind, _, number = name.partition("_")
    return int(number) if kind == "dynamic" and number.isdecimal() else ELEMENT_TYPES[name]


def _check_elements(elements: Iterable[SeedElement], own: Iterable[SeedType], users: frozenset[int]) -> None:
    """Raise ConfigError for an unknown type, a duplicate id, or a responsible person who does not exist."""
    seen: set[tuple[str, int]] = set()
    types = (*ELEMENT_TYPES, *(f"dynamic_{kind.id}" for kind in own))
    for at, element in enumerate(elements):
        if element.type not in types:
            raise ConfigError(
                say("$.elements[{at}].type is {type!r}", at=at, type=element.type),
                say("use one of {names}", names=tuple(types)),
            )
        if (element.type, element.id) in seen:
            raise ConfigError(
                say("$.elements has the {type} {id} twice", type=element.type, id=element.id),
                say("give every row its own id"),
            )
        seen.add((element.type, element.id))
        if element.assigned_by not in users | {0}:
            raise ConfigError(
                say(
                    "$.elements[{at}].assigned_by names {user}, which is not there",
                    at=at,
                    user=element.assigned_by,
                ),
                say("add the row or correct the id"),
            )
