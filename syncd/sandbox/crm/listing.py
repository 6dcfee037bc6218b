"""The crm.*.list way of filtering, ordering, selecting and paging (PORTAL.md 6.4, 6.8, 6.9).

A filter key that is not in the field list is dropped without a word, and the list is then unfiltered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from syncd.sandbox.crm.moments import read_moment
from syncd.sandbox.php.scalars import PhpValue, to_int
from syncd.sandbox.php.wire import Refusal, as_list, as_map

if TYPE_CHECKING:
    from syncd.sandbox.call import Call

Row = TypeVar("Row")
_KEY = re.compile(r"(?P<operator>[=%!@><]*)(?P<name>\w+)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns(Generic[Row]):
    """The public columns of a kind of row by name, and which are numbers, dates or shown only when named."""

    shown: Mapping[str, Callable[[Call, Row], PhpValue]]
    numbers: frozenset[str]
    moments: Mapping[str, Callable[[Row], float | None]]
    multi: Mapping[str, Callable[[Row], tuple[str, ...]]]
    on_demand: frozenset[str]
    default_order: str


def params_of(call: Call) -> dict[str, PhpValue]:
    """Return the parameters by upper-case name: CRM methods take `id` and `ID`, `filter` and `FILTER`."""
    return {key.upper(): value for key, value in call.params.items()}


def listed(call: Call, rows: Sequence[Row], columns: Columns[Row]) -> PhpValue:
    """Return one page of `rows` as the call asks for them."""
    params = params_of(call)
    for key, wanted in as_map(params.get("FILTER")).items():
        passes = _test(call, key.upper(), wanted, columns)
        rows = rows if passes is None else [row for row in rows if passes(row)]
    rows = _ordered(call, rows, as_map(params.get("ORDER")), columns)
    names = _selected(params.get("SELECT"), columns)
    page = call.page(list[PhpValue](range(len(rows))))
    return [shown(call, rows[to_int(at)], names, columns) for at in as_list(page)]


def shown(call: Call, row: Row, names: Sequence[str], columns: Columns[Row]) -> PhpValue:
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


def _test(call: Call, key: str, wanted: PhpValue, columns: Columns[Row]) -> Callable[[Row], bool] | None:
    """Return what one filter key asks of a row, None for a key that is dropped silently (PORTAL.md 6.4)."""
    match = _KEY.match(key)
    if match is None or match["name"] not in columns.shown:
        return None
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


def _ordered(call: Call, rows: Sequence[Row], order: Mapping[str, PhpValue], columns: Columns[Row]) -> list[Row]:
    kept = list(rows)
    asked = [(key.upper(), str(way).upper()) for key, way in order.items() if key.upper() in columns.shown]
    for name, way in reversed(asked or [(columns.default_order, "ASC")]):
        kept.sort(key=lambda row: _sort_key(call, row, name, columns), reverse=way.startswith("DESC"))
    return kept


def _sort_key(call: Call, row: Row, name: str, columns: Columns[Row]) -> tuple[float, str]:
    if name in columns.moments:
        return columns.moments[name](row) or 0.0, ""
    value = columns.shown[name](call, row)
    return (float(to_int(value)), "") if name in columns.numbers else (0.0, str(value))
