"""What the portal's reading methods answer with, stated in one place (PORTAL.md 4.5, 4.6, 5, 6, 7).

A value of another type never means "nothing there": it is a failed read. Whoever took null for an empty list would
create everything again, or delete it. Only what syncd decides by is stated; columns it never reads may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from syncd.model.json_values import Json
from syncd.portal.line.answers import rows_of

Test = Callable[[Json], bool]

_FORMATTED = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d{1,2} -?\d{1,6}(?: \d{1,2}:\d{2}:\d{2})?\Z")
_SHOWN = 60


def fault_in(method: str, result: Json) -> str | None:
    """Return what is wrong with the `result` of a method that reads, None if it has the shape that is believed.

    Methods that are not named here are not read by syncd; anything is believed of them.
    """
    look = _METHODS.get(method.lower())
    return None if look is None else look(result)


def _number(value: Json) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool) and _digits(str(value))


def _digits(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _id(value: Json) -> bool:
    return _number(value) and int(str(value)) > 0


def _empty(value: Json) -> bool:
    """Return True for what PHP writes where there is nothing: null, "", [] or false (PORTAL.md 4.6)."""
    return value is None or value is False or (isinstance(value, (str, Sequence)) and not value)


def _text(value: Json) -> bool:
    return isinstance(value, str)


def _text_or_nothing(value: Json) -> bool:
    return _text(value) or _empty(value)


def _number_or_nothing(value: Json) -> bool:
    return _number(value) or _empty(value)


def _text_or_null(value: Json) -> bool:
    return value is None or _text(value)


def _any_text(value: Json) -> bool:
    return _text_or_nothing(value) or _number(value)


def _flag(value: Json) -> bool:
    return isinstance(value, bool) or value in ("Y", "N", "1", "0", 1, 0, "", None)


def _yes_or_no(value: Json) -> bool:
    return isinstance(value, str) and value in ("Y", "N")


def _formatted(value: Json) -> bool:
    return isinstance(value, str) and _FORMATTED.match(value) is not None


def _rule(value: Json) -> bool:
    if not isinstance(value, Mapping):
        return value is None or value == ""
    counts = (value.get(name) for name in ("INTERVAL", "COUNT", "UNTIL_TS"))
    return _text(value.get("FREQ")) and all(map(_number_or_nothing, counts)) and _days(value.get("BYDAY"))


def _days(value: Json) -> bool:
    days = rows_of(value)
    return _text_or_nothing(value) or (bool(days) and all(map(_text, days)))


def _list_or_nothing(value: Json) -> bool:
    return _empty(value) or _is_list(value)


def _is_list(value: Json) -> bool:
    """Return True for a list, also one with gaps; an empty one is never an object (PORTAL.md 1.2)."""
    if isinstance(value, Mapping):
        return bool(value) and all(_digits(key) for key in value)
    return isinstance(value, Sequence) and not isinstance(value, str)


def _dates(value: Json) -> bool:
    return _text(value) or _list_or_nothing(value)


def _rights(value: Json) -> bool:
    return isinstance(value, Mapping) and all(isinstance(one, bool) for one in value.values())


_Columns = Mapping[str, Test]
"""A test for each column that is read. A column that is absent counts as null."""

_EVENT: _Columns = {
    "ID": _id,
    "NAME": _text,
    "DATE_FROM_FORMATTED": _formatted,
    "DATE_TO_FORMATTED": _formatted,
    "DT_SKIP_TIME": _yes_or_no,
    "TZ_FROM": _text_or_null,
    "TZ_TO": _text_or_null,
    "RRULE": _rule,
    "EXDATE": _dates,
    "SECTION_ID": _number,
    "VERSION": _number_or_nothing,
    "PARENT_ID": _number_or_nothing,
    "RECURRENCE_ID": _number_or_nothing,
    "DESCRIPTION": _text_or_nothing,
    "LOCATION": _text_or_nothing,
    "COLOR": _text_or_nothing,
    "ACCESSIBILITY": _text_or_nothing,
    "IMPORTANCE": _text_or_nothing,
    "PRIVATE_EVENT": _flag,
    "IS_MEETING": _flag,
    "MEETING_HOST": _number_or_nothing,
    "ATTENDEE_LIST": _list_or_nothing,
    "REMIND": _list_or_nothing,
}
_SECTION: _Columns = {"ID": _id, "NAME": _text, "EXTERNAL_TYPE": _text_or_nothing, "PERM": _rights}
_USER: _Columns = {
    "ID": _id,
    "ACTIVE": _flag,
    **dict.fromkeys(("NAME", "LAST_NAME", "EMAIL", "TIME_ZONE"), _text_or_nothing),
    "XML_ID": _any_text,
}
_GROUP: _Columns = {"ID": _id, "NAME": _text}
_CALLER: _Columns = {"ID": _id, "TIME_ZONE": _text_or_nothing, "ADMIN": _flag}
_ACTIVITY: _Columns = {
    **dict.fromkeys(("ID", "OWNER_ID", "OWNER_TYPE_ID"), _id),
    **dict.fromkeys(("TYPE_ID", "RESPONSIBLE_ID", "PRIORITY", "NOTIFY_TYPE", "NOTIFY_VALUE"), _number_or_nothing),
    **dict.fromkeys(("SUBJECT", "DESCRIPTION", "LOCATION", "PROVIDER_ID"), _text_or_nothing),
    **dict.fromkeys(("START_TIME", "END_TIME", "DEADLINE", "LAST_UPDATED"), _text_or_nothing),
    **dict.fromkeys(("ORIGINATOR_ID", "ORIGIN_ID"), _text_or_nothing),
    "COMPLETED": _flag,
}
_CARD: _Columns = {
    "ID": _id,
    **dict.fromkeys(("NAME", "LAST_NAME", "TITLE"), _text_or_nothing),
    **dict.fromkeys(("ASSIGNED_BY_ID", "CONTACT_ID", "COMPANY_ID"), _number_or_nothing),
    **dict.fromkeys(("PHONE", "EMAIL"), _list_or_nothing),
}


def _said(value: Json) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _row_fault(row: Json, columns: _Columns) -> str | None:
    if not isinstance(row, Mapping):
        return f"{_said(row)} where a row was expected"
    for name, test in columns.items():
        if not test(row.get(name)):
            return f"{name} is {_said(row.get(name))}"
    return None


def _timed_fault(row: Mapping[str, Json]) -> str | None:
    """Only whole days have no zone (PORTAL.md 4.6)."""
    if row["DT_SKIP_TIME"] == "N" and row.get("TZ_FROM") is None:
        return "TZ_FROM is null though the event has a time"
    return None


def _event_fault(row: Json) -> str | None:
    fault = _row_fault(row, _EVENT)
    return fault if fault is not None or not isinstance(row, Mapping) else _timed_fault(row)


def _activity_fault(row: Json) -> str | None:
    fault = _row_fault(row, _ACTIVITY)
    if fault is not None or not isinstance(row, Mapping):
        return fault
    # Both are set together by whoever sets them (PORTAL.md 6.1): one without the other would hide what is ours.
    if "ORIGIN_ID" in row and "ORIGINATOR_ID" in row and bool(row["ORIGIN_ID"]) != bool(row["ORIGINATOR_ID"]):
        return f"ORIGINATOR_ID is {_said(row['ORIGINATOR_ID'])} and ORIGIN_ID {_said(row['ORIGIN_ID'])}"
    if row.get("PROVIDER_ID") == "CRM_TODO" and "DEADLINE" in row and not row["DEADLINE"]:
        return f"DEADLINE of a to-do is {_said(row['DEADLINE'])}"
    return None


def _rows(row_fault: Callable[[Json], str | None]) -> Callable[[Json], str | None]:
    def fault(result: Json) -> str | None:
        if not _is_list(result):
            return f"{_said(result)} where a list was expected"
        return next((found for found in map(row_fault, rows_of(result)) if found is not None), None)

    return fault


def _columns(columns: _Columns) -> Callable[[Json], str | None]:
    return lambda row: _row_fault(row, columns)


def _one_or_none(result: Json) -> str | None:
    return None if result is None else _event_fault(result)  # null is the documented word for "not there"


def _found(result: Json) -> str | None:
    """Look-ups answer with ids by type, and with an empty list for nobody (PORTAL.md 6.8)."""
    if isinstance(result, Mapping):
        lists = result.values()
        if result and all(_is_list(one) and all(_id(number) for number in rows_of(one)) for one in lists):
            return None
    nobody = isinstance(result, Sequence) and not result and result != ""
    return None if nobody else f"{_said(result)} where ids by type were expected"


def _texts(result: Json) -> str | None:
    well = _is_list(result) and all(isinstance(one, str) for one in rows_of(result))
    return None if well else f"{_said(result)} where a list of texts was expected"


_METHODS: Mapping[str, Callable[[Json], str | None]] = {
    "calendar.event.get": _rows(_event_fault),
    "calendar.event.getbyid": _one_or_none,
    "calendar.section.get": _rows(_columns(_SECTION)),
    "user.get": _rows(_columns(_USER)),
    "sonet_group.get": _rows(_columns(_GROUP)),
    "user.current": _columns(_CALLER),
    "profile": _columns(_CALLER),
    "scope": _texts,
    "crm.activity.list": _rows(_activity_fault),
    "crm.activity.get": _activity_fault,
    **{f"crm.{one}.list": _rows(_columns(_CARD)) for one in ("contact", "company", "lead", "deal")},
    "crm.duplicate.findbycomm": _found,
}
