"""Lists of the CRM: columns, filter, order, selection and pages (PORTAL.md 6.4, 6.8, 6.9), and its dates (6.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

from syncd.sandbox.call import Refusal
from syncd.sandbox.php.scalars import PhpValue, as_list, as_map, to_int
from syncd.sandbox.php.strtotime import is_showable, strtotime
from syncd.sandbox.php.timezones import offset_s, zone
from syncd.sandbox.tables.crm_rows import Activity, Element, name_of

if TYPE_CHECKING:
    from syncd.sandbox.call import MethodCall

Row = TypeVar("Row")
_KEY = re.compile(r"(?P<operator>[=%!@><]*)(?P<name>\w+)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns(Generic[Row]):
    """The public columns of a kind of row: how each is shown, and which are numbers, dates or shown only if named."""

    shown: Mapping[str, Callable[[MethodCall, Row], PhpValue]]
    numbers: frozenset[str]
    moments: Mapping[str, Callable[[Row], float | None]]
    multi: Mapping[str, Callable[[Row], tuple[str, ...]]]
    on_demand: frozenset[str]
    default_order: str


def listed(call: MethodCall, rows: Sequence[Row], columns: Columns[Row]) -> PhpValue:
    """Return one page of `rows`, filtered, ordered and with the columns that the call selects."""
    params = call.upper_params()
    for key, wanted in as_map(params.get("FILTER")).items():
        passes = _test(call, key.upper(), wanted, columns)
        rows = rows if passes is None else [row for row in rows if passes(row)]
    rows = _ordered(call, rows, as_map(params.get("ORDER")), columns)
    names = _selected(params.get("SELECT"), columns)
    page = call.page(list[PhpValue](range(len(rows))))
    return [shown(call, rows[to_int(at)], names, columns) for at in as_list(page)]


def shown(call: MethodCall, row: Row, names: Sequence[str], columns: Columns[Row]) -> PhpValue:
    """Return a row with these columns; a multiple field that is empty is left out (PORTAL.md 6.8)."""
    full = {name: columns.shown[name](call, row) for name in names}
    return {name: value for name, value in full.items() if not (name in columns.multi and not value)}


def found(row: Row | None, text: str = "Not found") -> Row:
    """Return the row; raise the portal's refusal when there is none."""
    if row is None:
        raise Refusal("", text)
    return row


def _selected(value: PhpValue, columns: Columns[Row]) -> tuple[str, ...]:
    wanted = [str(item).upper() for item in as_list(value)] or ([value.upper()] if isinstance(value, str) else [])
    if not wanted:
        return tuple(name for name in columns.shown if name not in columns.on_demand)
    names = {"ID", *(name for name in wanted if name in columns.shown)}
    if "*" in wanted:
        names |= {name for name in columns.shown if name not in columns.on_demand}
    return tuple(name for name in columns.shown if name in names)


def _test(call: MethodCall, key: str, wanted: PhpValue, columns: Columns[Row]) -> Callable[[Row], bool] | None:
    """Return the test of one filter key, None for a key that does not count."""
    match = _KEY.match(key)
    if match is None or match["name"] not in columns.shown:
        return None  # no error: a list with a misspelt filter is the whole list (PORTAL.md 6.4, trap 37)
    name, operator = match["name"], match["operator"]
    several = as_list(wanted) if isinstance(wanted, list | dict) else [wanted]
    texts = [str(one) for one in several]
    if name in columns.multi:
        own = columns.multi[name]
        return lambda row: _hit(operator, any(text in own(row) for text in texts))
    if name in columns.moments:
        moment, moments = columns.moments[name], [read_moment(call, one) for one in several]
        return lambda row: _compare(operator, moment(row), moments)
    value = columns.shown[name]
    if name in columns.numbers:
        numbers = [float(to_int(one)) for one in several]
        return lambda row: _compare(operator, float(to_int(value(call, row))), numbers)
    if "%" in operator:
        parts = [text.casefold() for text in texts]
        return lambda row: _hit(operator, any(part in str(value(call, row)).casefold() for part in parts))
    return lambda row: _hit(operator, str(value(call, row)) in texts)


def _hit(operator: str, hit: bool) -> bool:
    return not hit if "!" in operator else hit


def _compare(operator: str, value: float | None, wanted: Sequence[float | None]) -> bool:
    if value is None:
        return "!" in operator
    numbers = [one for one in wanted if one is not None]
    if ">" in operator or "<" in operator:
        if not numbers:
            return True
        equal = "=" in operator and value == numbers[0]
        return equal or (value > numbers[0] if ">" in operator else value < numbers[0])
    return _hit(operator, value in numbers)


def _ordered(call: MethodCall, rows: Sequence[Row], order: Mapping[str, PhpValue], columns: Columns[Row]) -> list[Row]:
    kept = list(rows)
    asked = [(key.upper(), str(way).upper()) for key, way in order.items() if key.upper() in columns.shown]
    for name, way in reversed(asked or [(columns.default_order, "ASC")]):
        kept.sort(key=lambda row: _sort_key(call, row, name, columns), reverse=way.startswith("DESC"))
    return kept


def _sort_key(call: MethodCall, row: Row, name: str, columns: Columns[Row]) -> tuple[float, str]:
    if name in columns.moments:
        return columns.moments[name](row) or 0.0, ""
    value = columns.shown[name](call, row)
    return (float(to_int(value)), "") if name in columns.numbers else (0.0, str(value))


def read_moment(call: MethodCall, value: PhpValue) -> float | None:
    """Return the unix time that the CRM stores for a date, None if it cannot be read and so is dropped (6.1).

    A date without an offset is in the server zone (PORTAL.md 6.3).
    """
    if not isinstance(value, str) or not value.strip():
        return None
    at = strtotime(value, call.tables.server_zone, call.now)
    if at is None or not is_showable(at):
        return None
    # Today's difference between the zones goes in and that of the date comes out: off by an hour in the other season
    # if the two change their clocks differently (PORTAL.md 6.3, trap 9).
    on_date = offset_s(call.caller_zone, at) - offset_s(call.tables.server_zone, at)
    return float(at + call.now_offset_s - on_date)


def shown_moment(call: MethodCall, at: float | None) -> str:
    """Return a unix time as ISO 8601 in the server zone, "" for none."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, zone(call.tables.server_zone)).isoformat()


RESULTS: Mapping[str, str | None] = MappingProxyType(
    {
        **dict.fromkeys(("PROVIDER_TYPE_ID", "PROVIDER_GROUP_ID", "PROVIDER_DATA"), None),
        **dict.fromkeys(("RESULT_VALUE", "RESULT_SUM", "RESULT_CURRENCY_ID", "RESULT_SOURCE_ID"), None),
        **dict.fromkeys(("RESULT_MARK", "RESULT_STATUS", "RESULT_STREAM", "AUTOCOMPLETE_RULE"), "0"),
        "ASSOCIATED_ENTITY_ID": "0",
    }
)
"""Columns of providers and results, each with what is shown where nothing was given (PORTAL.md 6.4)."""
SETTINGS = ("SETTINGS", "PROVIDER_PARAMS")
"""Columns that hold tables; an empty one is a list."""


def _result(name: str, empty: str | None) -> Callable[[MethodCall, Activity], PhpValue]:
    return lambda _, row: row.results.get(name) or empty


def _settings(name: str) -> Callable[[MethodCall, Activity], PhpValue]:
    return lambda _, row: row.settings.get(name) or []


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
            **{name: _result(name, empty) for name, empty in RESULTS.items()},
            **{name: _settings(name) for name in SETTINGS},
            "COMMUNICATIONS": lambda _, row: _communications(row),
            "FILES": lambda _, row: _files(row),
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
    on_demand=frozenset({"COMMUNICATIONS", "FILES"}),
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


def _files(row: Activity) -> PhpValue:
    return [
        {"ID": row.id * 10 + at, "NAME": one.name, "SIZE": f"{one.size_bytes} b", "BYTES": one.size_bytes}
        for at, one in enumerate(row.files)
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
            "TITLE": lambda _, row: row.title or f"{name_of(row.type_id).title()} {row.id}",
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
