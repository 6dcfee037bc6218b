"""What the portal's reading methods answer with, stated in one place (PORTAL.md 4.5, 4.6, 5, 6, 7).

A value of another type never means "nothing there": it is a failed read. A client that took null for an empty list
would create everything again, or delete it. Only what syncd decides by is stated; other columns may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from syncd.lang.saying import say
from syncd.model.item import TODO_PROVIDER
from syncd.model.json_values import Json

Test = Callable[[Json], bool]

_FORMATTED = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d{1,2} -?\d{1,6}(?: \d{1,2}:\d{2}:\d{2})?\Z")
_SHOWN = 60
_WRAPPERS = frozenset({"items", "workgroups"})


def rows_of(result: Json) -> Sequence[Json]:
    """Return the rows of a list result; PHP writes a list with gaps as an object (PORTAL.md 1.2).

    Newer methods have them under a name of their own.
    """
    if isinstance(result, Mapping) and len(result) == 1 and (own := next(iter(result))) in _WRAPPERS:
        result = result[own]
    if isinstance(result, Mapping):
        return list(result.values())
    if isinstance(result, Sequence) and not isinstance(result, str):
        return result
    return ()


def fault_in(method: str, result: Json) -> str | None:
    """Return what is wrong with the `result` of a method that reads, None if it has the shape that is believed.

    syncd does not read by methods that are not named here, so any result of theirs is believed.
    """
    shape = _METHODS.get(method.lower())
    if not isinstance(shape, _Shape):
        return None if shape is None else shape(result)
    if shape.nullable and result is None:
        return None
    if shape.wrapper:
        if not isinstance(result, Mapping) or set(result) != {shape.wrapper}:
            return say("{value} where an object with {name} was expected", value=_said(result), name=shape.wrapper)
        result = result[shape.wrapper]
    if shape.many and not _is_list(result):
        return say("{value} where a list was expected", value=_said(result))
    for row in rows_of(result) if shape.many else (result,):
        if (fault := _row_fault(row, shape)) is not None:
            return fault
    return None


def _row_fault(row: Json, shape: _Shape) -> str | None:
    if not isinstance(row, Mapping):
        return say("{value} where a row was expected", value=_said(row))
    for name, tests in shape.columns.items():
        value = row.get(name)
        for test in tests:  # a loop: any() makes a generator for each column, and a listing has 100,000 rows of 23
            if test(value):
                break
        else:
            return say("{name} is {value}", name=name, value=_said(value))
    return None if shape.rule is None else shape.rule(row)


def _said(value: Json) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _is_number(value: Json) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return False
    text = str(value)
    # ASCII, as int() would read digits that no portal writes; the ledger holds no longer numbers.
    return text.isascii() and text.isdecimal() and len(text) < 19


def _is_nothing(value: Json) -> bool:
    """Return True for what PHP writes where there is nothing: null, "", [] or false (PORTAL.md 4.6)."""
    return value is None or value is False or (isinstance(value, (str, Sequence)) and not value)


def _is_rule(value: Json) -> bool:
    if not isinstance(value, Mapping):
        return value is None or value == ""
    days = value.get("BYDAY")
    named = rows_of(days)
    if value.get("FREQ") == "WEEKLY" and _is_nothing(days):
        return False  # what has no readable day is read as Monday (PORTAL.md 4.7)
    return (
        isinstance(value.get("FREQ"), str)
        and all(_is_number(one) or _is_nothing(one) for one in map(value.get, ("INTERVAL", "COUNT", "UNTIL_TS")))
        and (isinstance(days, str) or _is_nothing(days) or (bool(named) and all(isinstance(one, str) for one in named)))
    )


def _is_list(value: Json) -> bool:
    """Return True for a list, also one with gaps; an empty one is never an object (PORTAL.md 1.2)."""
    if isinstance(value, Mapping):
        return bool(value) and all(_is_number(key) for key in value)
    return isinstance(value, Sequence) and not isinstance(value, str)


_WORDS: Mapping[str, Test] = {
    "id": lambda value: _is_number(value) and int(str(value)) > 0,
    "number": _is_number,
    "text": lambda value: isinstance(value, str),
    "list": _is_list,
    "null": lambda value: value is None,
    "nothing": _is_nothing,
    "yes/no": lambda value: isinstance(value, str) and value in ("Y", "N"),
    "flag": lambda value: isinstance(value, bool) or value in ("Y", "N", "1", "0", 1, 0, "", None),
    "moment": lambda value: isinstance(value, str) and _FORMATTED.match(value) is not None,
    "rule": _is_rule,
    "rights": lambda value: isinstance(value, Mapping) and all(isinstance(one, bool) for one in value.values()),
}
"""What the tables below say of a column, and what it means. A column that is absent counts as null."""
_Columns = Mapping[str, tuple[Test, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What a method answers with: `many` rows or one, within an object that has the key `wrapper`, null if `nullable`.

    A `rule` says what is wrong with a row whose columns are right by themselves.
    """

    columns: _Columns
    many: bool = True
    nullable: bool = False
    wrapper: str = ""
    rule: Callable[[Mapping[str, Json]], str | None] | None = None


def _stated(columns: Mapping[str, str]) -> _Columns:
    """Return the tests of each column that is read; one that passes is enough."""
    return {name: tuple(_WORDS[word] for word in wanted.split(" or ")) for name, wanted in columns.items()}


_EVENT = _stated(
    {
        "ID": "id",
        "NAME": "text",
        "DATE_FROM_FORMATTED": "moment",
        "DATE_TO_FORMATTED": "moment",
        "DT_SKIP_TIME": "yes/no",
        "TZ_FROM": "text or null",
        "TZ_TO": "text or null",
        "RRULE": "rule",
        "EXDATE": "text or list or nothing",
        "SECTION_ID": "number",
        "VERSION": "number or nothing",
        "PARENT_ID": "number or nothing",
        "RECURRENCE_ID": "number or nothing",
        "DESCRIPTION": "text or nothing",
        "LOCATION": "text or nothing",
        "COLOR": "text or nothing",
        "ACCESSIBILITY": "text or nothing",
        "IMPORTANCE": "text or nothing",
        "PRIVATE_EVENT": "flag",
        "IS_MEETING": "flag",
        "MEETING_HOST": "number or nothing",
        "ATTENDEE_LIST": "list or nothing",
        "REMIND": "list or nothing",
        "UF_CRM_CAL_EVENT": "list or nothing",
    }
)
_SECTION = _stated({"ID": "id", "NAME": "text", "EXTERNAL_TYPE": "text or nothing", "PERM": "rights"})
_USER = _stated(
    {
        "ID": "id",
        "ACTIVE": "flag",
        **dict.fromkeys(("NAME", "SECOND_NAME", "LAST_NAME", "EMAIL", "TIME_ZONE"), "text or nothing"),
        "XML_ID": "text or number or nothing",
    }
)
_GROUP = _stated({"ID": "id", "NAME": "text"})
_WORKGROUP = _stated({"id": "id", "name": "text"})
_CALLER = _stated({"ID": "id", "TIME_ZONE": "text or nothing", "ADMIN": "flag"})
_ACTIVITY = _stated(
    {
        **dict.fromkeys(("ID", "OWNER_ID", "OWNER_TYPE_ID"), "id"),
        **dict.fromkeys(("TYPE_ID", "RESPONSIBLE_ID", "PRIORITY", "NOTIFY_TYPE", "NOTIFY_VALUE"), "number or nothing"),
        **dict.fromkeys(("SUBJECT", "DESCRIPTION", "LOCATION", "PROVIDER_ID"), "text or nothing"),
        **dict.fromkeys(("START_TIME", "END_TIME", "DEADLINE", "LAST_UPDATED"), "text or nothing"),
        **dict.fromkeys(("ORIGINATOR_ID", "ORIGIN_ID"), "text or nothing"),
        "COMPLETED": "flag",
    }
)
_CARD = _stated(
    {
        "ID": "id",
        **dict.fromkeys(("NAME", "LAST_NAME", "TITLE"), "text or nothing"),
        **dict.fromkeys(("ASSIGNED_BY_ID", "CONTACT_ID", "COMPANY_ID"), "number or nothing"),
        **dict.fromkeys(("PHONE", "EMAIL"), "list or nothing"),
    }
)
_ITEM = _stated(
    {
        "id": "id",
        **dict.fromkeys(("title", "name", "lastName"), "text or nothing"),
        **dict.fromkeys(("assignedById", "contactId", "companyId"), "number or nothing"),
        "fm": "list or nothing",
    }
)


def _event_rule(row: Mapping[str, Json]) -> str | None:
    # Only whole days have no zone (PORTAL.md 4.6).
    if row["DT_SKIP_TIME"] == "N" and row.get("TZ_FROM") is None:
        return say("TZ_FROM is null though the event has a time")
    return None


def _activity_rule(row: Mapping[str, Json]) -> str | None:
    # Both are set together by whoever sets them (PORTAL.md 6.1): one without the other would hide what is ours.
    if "ORIGIN_ID" in row and "ORIGINATOR_ID" in row and bool(row["ORIGIN_ID"]) != bool(row["ORIGINATOR_ID"]):
        return say(
            "ORIGINATOR_ID is {originator} and ORIGIN_ID {origin}",
            originator=_said(row["ORIGINATOR_ID"]),
            origin=_said(row["ORIGIN_ID"]),
        )
    # A to-do cannot be made or updated without one (PORTAL.md 6.7), so the portal has not told it.
    if row.get("PROVIDER_ID") == TODO_PROVIDER and "DEADLINE" in row and not row["DEADLINE"]:
        return say("DEADLINE of a to-do is {value}", value=_said(row["DEADLINE"]))
    return None


def _found(result: Json) -> str | None:
    """Look-ups answer with ids by type, and with an empty list for nobody (PORTAL.md 6.8)."""
    if isinstance(result, Mapping):
        lists = result.values()
        if result and all(_is_list(one) and all(_WORDS["id"](number) for number in rows_of(one)) for one in lists):
            return None
    nobody = isinstance(result, Sequence) and not result and result != ""
    return None if nobody else say("{value} where ids by type were expected", value=_said(result))


def _texts(result: Json) -> str | None:
    well = _is_list(result) and all(isinstance(one, str) for one in rows_of(result))
    return None if well else say("{value} where a list of texts was expected", value=_said(result))


_METHODS: Mapping[str, _Shape | Callable[[Json], str | None]] = {
    "calendar.event.get": _Shape(columns=_EVENT, rule=_event_rule),
    # Null is the documented word for "not there".
    "calendar.event.getbyid": _Shape(columns=_EVENT, rule=_event_rule, many=False, nullable=True),
    "calendar.section.get": _Shape(columns=_SECTION),
    "user.get": _Shape(columns=_USER),
    "sonet_group.get": _Shape(columns=_GROUP),
    "socialnetwork.api.workgroup.list": _Shape(columns=_WORKGROUP, wrapper="workgroups"),
    "user.current": _Shape(columns=_CALLER, many=False),
    "profile": _Shape(columns=_CALLER, many=False),
    "scope": _texts,
    "crm.activity.list": _Shape(columns=_ACTIVITY, rule=_activity_rule),
    "crm.activity.get": _Shape(columns=_ACTIVITY, rule=_activity_rule, many=False),
    **{f"crm.{one}.list": _Shape(columns=_CARD) for one in ("contact", "company", "lead", "deal", "quote")},
    "crm.item.list": _Shape(columns=_ITEM, wrapper="items"),
    "crm.duplicate.findbycomm": _found,
}
