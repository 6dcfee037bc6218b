"""The public columns of activities and of CRM elements, as crm.*.get and crm.*.list show them: ids are texts."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox.crm.listing import Columns
from syncd.sandbox.crm.moments import shown_moment
from syncd.sandbox.tables.crm_rows import OWNER_TYPES, Activity, Element

if TYPE_CHECKING:
    from syncd.sandbox.php.scalars import PhpValue

#: CALENDAR_EVENT_ID and ORIGIN_VERSION are no public columns: neither shown nor filtered by (PORTAL.md 6.4, 6.5).
ACTIVITIES: Columns[Activity] = Columns(
    shown=MappingProxyType(
        {
            "ID": lambda _, row: str(row.id),
            "OWNER_ID": lambda _, row: str(row.owner_id),
            "OWNER_TYPE_ID": lambda _, row: str(row.owner_type_id),
            "TYPE_ID": lambda _, row: str(row.type_id),
            "PROVIDER_ID": lambda _, row: row.provider_id,
            "SUBJECT": lambda _, row: row.subject,
            "START_TIME": lambda call, row: shown_moment(call, row.start),
            "END_TIME": lambda call, row: shown_moment(call, row.end),
            "DEADLINE": lambda call, row: shown_moment(call, row.deadline),
            "COMPLETED": lambda _, row: "Y" if row.completed else "N",
            "STATUS": lambda _, row: "2" if row.completed else "1",
            "RESPONSIBLE_ID": lambda _, row: str(row.responsible),
            "PRIORITY": lambda _, row: str(row.priority),
            "NOTIFY_TYPE": lambda _, row: str(row.notify_type),
            "NOTIFY_VALUE": lambda _, row: str(row.notify_value),
            "DESCRIPTION": lambda _, row: row.description,
            "DESCRIPTION_TYPE": lambda _, row: str(row.description_type),
            "DIRECTION": lambda _, row: str(row.direction),
            "LOCATION": lambda _, row: row.location,
            "CREATED": lambda call, row: shown_moment(call, row.created_at),
            "LAST_UPDATED": lambda call, row: shown_moment(call, row.changed_at),
            "AUTHOR_ID": lambda _, row: str(row.author),
            "ORIGINATOR_ID": lambda _, row: row.originator_id,
            "ORIGIN_ID": lambda _, row: row.origin_id,
            "SETTINGS": lambda _call, _row: [],
            "COMMUNICATIONS": lambda _, row: _communications(row),
        }
    ),
    numbers=frozenset(
        {"ID", "OWNER_ID", "OWNER_TYPE_ID", "TYPE_ID", "RESPONSIBLE_ID", "PRIORITY", "STATUS", "DIRECTION", "AUTHOR_ID"}
    ),
    moments=MappingProxyType(
        {
            "START_TIME": lambda row: row.start,
            "END_TIME": lambda row: row.end,
            "DEADLINE": lambda row: row.deadline,
            "CREATED": lambda row: row.created_at,
            "LAST_UPDATED": lambda row: row.changed_at,
        }
    ),
    multi=MappingProxyType({}),
    on_demand=frozenset({"COMMUNICATIONS"}),
    default_order="START_TIME",
)


def _communications(row: Activity) -> PhpValue:
    return [
        {
            "ID": str(row.id * 10 + at),
            "TYPE": one.type,
            "VALUE": one.value,
            "ENTITY_ID": str(one.entity_id),
            "ENTITY_TYPE_ID": str(one.entity_type_id),
        }
        for at, one in enumerate(row.communications)
    ]


def _multi(texts: tuple[str, ...], kind: str, row: Element) -> PhpValue:
    return [
        {"ID": str(row.id * 100 + at), "VALUE_TYPE": "WORK", "VALUE": text, "TYPE_ID": kind}
        for at, text in enumerate(texts)
    ]


#: Contacts have a first and a last name; leads, deals and companies a title.
ELEMENTS: Columns[Element] = Columns(
    shown=MappingProxyType(
        {
            "ID": lambda _, row: str(row.id),
            "NAME": lambda _, row: row.name,
            "LAST_NAME": lambda _, row: row.last_name,
            "TITLE": lambda _, row: row.title or f"{OWNER_TYPES[row.type_id][0].title()} {row.id}",
            "ASSIGNED_BY_ID": lambda _, row: str(row.assigned_by),
            "CONTACT_ID": lambda _, row: str(row.contact) if row.contact else None,
            "COMPANY_ID": lambda _, row: str(row.company) if row.company else None,
            "OPENED": lambda _, row: "Y" if row.opened else "N",
            "HAS_PHONE": lambda _, row: "Y" if row.phones else "N",
            "HAS_EMAIL": lambda _, row: "Y" if row.emails else "N",
            "DATE_CREATE": lambda call, _row: shown_moment(call, 1735689600.0),
            "PHONE": lambda _, row: _multi(row.phones, "PHONE", row),
            "EMAIL": lambda _, row: _multi(row.emails, "EMAIL", row),
        }
    ),
    numbers=frozenset({"ID", "ASSIGNED_BY_ID", "CONTACT_ID", "COMPANY_ID"}),
    moments=MappingProxyType({}),
    multi=MappingProxyType({"PHONE": lambda row: row.phones, "EMAIL": lambda row: row.emails}),
    on_demand=frozenset({"PHONE", "EMAIL"}),
    default_order="ID",
)
