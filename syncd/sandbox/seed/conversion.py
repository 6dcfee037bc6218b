"""World files to tables and back: what `dump_seed` writes, `build_tables` reads into equal tables."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields
from typing import Any

import msgspec

from syncd.sandbox.php.scalars import PhpValue
from syncd.sandbox.php.timezones import utc_text, wall_to_unix
from syncd.sandbox.seed.world_schema import (
    FOUNDED,
    Flag,
    SeedApplication,
    SeedChat,
    SeedDepartment,
    SeedElement,
    SeedEvent,
    SeedGroup,
    SeedSection,
    SeedType,
    SeedUser,
    SeedWebhook,
    Status,
    WorldSeed,
    type_of,
)
from syncd.sandbox.series.series import store
from syncd.sandbox.tables.crm_rows import Crm, Element, name_of
from syncd.sandbox.tables.database import (
    Application,
    Chat,
    Department,
    Event,
    Group,
    MeetingFlags,
    Section,
    Tables,
    User,
    Webhook,
)


def build_tables(seed: WorldSeed) -> Tables:
    """Return new tables with the contents of a checked world; the seed itself is never changed."""
    tables = Tables(
        server_zone=seed.server_zone,
        culture=seed.culture,
        language=seed.language,
        host=seed.host,
        crm=frozenset(seed.crm),
        crm_rows=_build_crm(seed),
    )
    tables.types |= frozenset(seed.types)
    for user in seed.users:
        tables.users[user.id] = User(**msgspec.structs.asdict(user))
    for group in seed.groups:
        fields = msgspec.structs.asdict(group)
        tables.groups[group.id] = Group(**{**fields, "members": frozenset(group.members)})
    for chat in seed.chats:
        tables.chats[chat.id] = Chat(id=chat.id, title=chat.title, members=frozenset(chat.members))
    for department in seed.departments:
        tables.departments[department.id] = Department(**msgspec.structs.asdict(department))
    for number, webhook in enumerate(seed.webhooks, start=1):
        own = Webhook(id=number, user=webhook.user, code=webhook.code, scopes=frozenset(webhook.scopes))
        tables.webhooks[webhook.user, webhook.code] = own
    for one in seed.applications:
        fields = msgspec.structs.asdict(one)
        tables.applications[one.client_id] = Application(**{**fields, "scopes": frozenset(one.scopes)})
    for section in seed.sections:
        tables.add_section(_build_section(section, tables))
    for event in seed.events:
        tables.insert(_build_event(event, tables))
    tables.journal.clear()  # nobody has done it
    tables.crm_rows.journal.clear()
    return tables


def _build_section(section: SeedSection, tables: Tables) -> Section:
    return Section(
        id=section.id,
        name=section.name,
        cal_type=section.type,
        owner_id=section.owner,
        created_by=section.owner if section.type == "user" else next(iter(tables.users)),
        created_at=FOUNDED,
        changed_at=FOUNDED,
        description=section.description,
        color=section.color,
        text_color=section.text_color,
        external_type=section.external_type,
        access=dict(section.access),
        meetings=section.meetings,
    )


def _build_event(event: SeedEvent, tables: Tables) -> Event:
    section = tables.sections[event.section]
    zone_name = event.zone or tables.server_zone
    rule: dict[str, PhpValue] = {key: _plain(value) for key, value in (event.rrule or {}).items()}
    stored = store(
        date_from=event.opens,
        date_to=event.closes,
        skip_time=event.all_day,
        tz_from=None if event.all_day else zone_name,
        tz_to=None if event.all_day else event.zone_to or zone_name,
        rrule=rule or None,
        exdates=event.exdates,
        server_zone=tables.server_zone,
        now=event.created_at,
    )
    creator = event.created_by or section.owner_id or section.created_by
    # A world file need not name a DAV id; one with the event's id in it is unique, which the portal's own are not.
    starts = wall_to_unix(event.opens, zone_name)
    return Event(
        id=event.id,
        parent_id=event.parent or event.id,
        cal_type=section.cal_type,
        owner_id=section.owner_id,
        section_id=section.id,
        created_by=creator,
        created_at=event.created_at,
        changed_at=event.changed_at,
        stored=stored,
        dav_xml_id=event.dav_xml_id or f"{utc_text(starts)}-{event.id:032x}@{tables.host}",
        name=event.name,
        description=event.description,
        location=event.location,
        color=event.color,
        accessibility=event.accessibility,
        importance=event.importance,
        private=event.private,
        remind=event.remind,
        crm=event.crm,
        is_meeting=event.is_meeting,
        meeting_status=event.status,
        host=event.host or creator,
        flags=MeetingFlags(**dict.fromkeys(event.flags, True)),
        attendees=event.attendees,
        version=event.version,
        recurrence_id=event.recurrence_of or None,
        original_from=event.original_date,
    )


def _plain(value: str | int | list[str]) -> PhpValue:
    return list[PhpValue](value) if isinstance(value, list) else value


def _build_crm(seed: WorldSeed) -> Crm:
    crm = Crm(dynamic={kind.id: kind.name for kind in seed.crm_types})
    for element in seed.elements:
        columns = msgspec.structs.asdict(element)
        type_id = type_of(columns.pop("type"))
        crm.elements[type_id, element.id] = Element(type_id=type_id, **columns)
    for activity in seed.activities:
        crm.insert(deepcopy(activity))  # rows are mutable, and several worlds may be built from one seed
    return crm


def dump_seed(tables: Tables) -> WorldSeed:
    """Return a world file that builds these tables again; notices and messages are left out."""
    return WorldSeed(
        server_zone=tables.server_zone,
        culture=tables.culture,
        language=tables.language,
        host=tables.host,
        types=tuple(sorted(tables.types - Tables().types)),
        users=tuple(SeedUser(**_columns(user)) for user in tables.users.values()),
        groups=tuple(
            SeedGroup(**{**_columns(group), "members": tuple(sorted(group.members))})
            for group in tables.groups.values()
        ),
        chats=tuple(
            SeedChat(id=chat.id, title=chat.title, members=tuple(sorted(chat.members)))
            for chat in tables.chats.values()
        ),
        departments=tuple(SeedDepartment(**_columns(row)) for row in tables.departments.values()),
        webhooks=tuple(
            SeedWebhook(user=hook.user, code=hook.code, scopes=tuple(sorted(hook.scopes)))
            for hook in tables.webhooks.values()
        ),
        applications=tuple(
            SeedApplication(
                client_id=one.client_id,
                client_secret=one.client_secret,
                scopes=tuple(sorted(one.scopes)),
                handler=one.handler,
            )
            for one in tables.applications.values()
        ),
        sections=tuple(_seed_section(section) for section in tables.sections.values()),
        events=tuple(_seed_event(row) for row in tables.all_events()),
        crm=tuple(sorted(tables.crm)),
        crm_types=tuple(SeedType(id=number, name=name) for number, name in tables.crm_rows.dynamic.items()),
        elements=tuple(_seed_element(element) for element in tables.crm_rows.elements.values()),
        activities=tuple(map(deepcopy, tables.crm_rows.activities.values())),
    )


def _columns(row: User | Group | Department | Element) -> dict[str, Any]:
    """Return the columns of a row by name; the structs of the world file have the same names."""
    return {column.name: getattr(row, column.name) for column in fields(row)}


def _seed_element(element: Element) -> SeedElement:
    columns = _columns(element)
    return SeedElement(type=name_of(columns.pop("type_id")).lower(), **columns)


def _seed_section(section: Section) -> SeedSection:
    return SeedSection(
        id=section.id,
        name=section.name,
        type=section.cal_type,
        owner=section.owner_id,
        description=section.description,
        color=section.color,
        text_color=section.text_color,
        external_type=section.external_type,
        access=dict(section.access),
        meetings=section.meetings,
    )


def _seed_event(row: Event) -> SeedEvent:
    stored = row.stored
    return SeedEvent(
        id=row.id,
        section=row.section_id,
        name=row.name,
        opens=stored.date_from,
        closes=stored.date_to,
        all_day=stored.skip_time,
        zone=stored.tz_from or "",
        zone_to=stored.tz_to or "",
        rrule=_seed_rule(stored.rrule),
        exdates=stored.exdates,
        description=row.description,
        location=row.location,
        color=row.color,
        accessibility=row.accessibility,
        importance=row.importance,
        private=row.private,
        remind=tuple(dict(reminder) for reminder in row.remind),
        crm=row.crm,
        is_meeting=row.is_meeting,
        host=row.host,
        attendees=row.attendees,
        flags=_seed_flags(row.flags),
        status=_STATUSES[row.meeting_status],
        parent=row.parent_id if row.is_copy else 0,
        recurrence_of=row.recurrence_id or 0,
        original_date=row.original_from,
        created_by=row.created_by,
        version=row.version,
        created_at=row.created_at,
        changed_at=row.changed_at,
        dav_xml_id=row.dav_xml_id,
    )


_STATUSES: dict[str, Status] = {"H": "H", "Y": "Y", "Q": "Q", "N": "N"}


def _seed_flags(flags: MeetingFlags) -> tuple[Flag, ...]:
    named: tuple[tuple[Flag, bool], ...] = (
        ("notify", flags.notify),
        ("reinvite", flags.reinvite),
        ("allow_invite", flags.allow_invite),
        ("hide_guests", flags.hide_guests),
    )
    return tuple(name for name, is_set in named if is_set)


def _seed_rule(text: str) -> dict[str, str | int | list[str]] | None:
    """Return a stored rule text as the map that is stored as the same text."""
    rule: dict[str, str | int | list[str]] = {}
    for pair in filter(None, text.split(";")):
        key, _, value = pair.partition("=")
        rule[key] = value.split(",") if key == "BYDAY" else value
    return rule or None
