"""Parameters of crm.activity.add without a config key of their own: `[sync.fields.extra]` (PORTAL.md 6.1).

They are kept by flat name, such as "SETTINGS.DISABLE_SENDING_MESSAGE_COPY". So what the portal or an app adds to a
table of settings is neither compared nor removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from syncd.errors import EntryError
from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.model.template import Template

NUMBERS: Final = frozenset(
    {"RESULT_STATUS", "RESULT_STREAM", "RESULT_MARK", "RESULT_VALUE", "RESULT_SUM", "AUTOCOMPLETE_RULE"}
)
TABLES: Final = ("SETTINGS", "PROVIDER_PARAMS")
_AT_FIRST_ONLY: Final = frozenset({"PROVIDER_ID"})
"""An update ignores it (PORTAL.md 6.4)."""
NOT_GIVEN_BACK: Final = frozenset({"IS_INCOMING_CHANNEL", "ASSOCIATED_ENTITY_ID"})
"""Read-only by crm.activity.fields (PORTAL.md 6.1), so the portal may keep its own, or no column of a list (6.4)."""
_ZERO_IF_UNSET: Final = frozenset({"RESULT_STATUS", "RESULT_STREAM", "RESULT_MARK", "AUTOCOMPLETE_RULE"})
"""The portal shows 0 where nothing was said (PORTAL.md 6.4), so 0 says nothing either."""

Extra = Mapping[str, str]


def filled(given: Iterable[tuple[str, str | Template]], render: Callable[[Template], str]) -> dict[str, str]:
    """Return the values for one entry by flat name; `render` fills a template. Raises EntryError."""
    found: dict[str, str] = {}
    for name, value in given:
        text = value if isinstance(value, str) else render(value)
        if name in NUMBERS and text and plain_number(text) is None:
            raise EntryError(
                say("{name} is {text!r}, which is no number", name=name, text=text), say("see [sync.fields.extra]")
            )
        found[name] = _in_one_form(name, text)
    return found


def _in_one_form(name: str, text: str) -> str:
    if name not in NUMBERS:
        return text
    number = plain_number(text) or text
    return "" if number == "0" and name in _ZERO_IF_UNSET else number


def plain_number(text: str) -> str | None:
    """Return a number in a standard form, "12.5" for "12.5000". Return None for a text that is no number."""
    try:
        number = Decimal(text.replace(",", ".").replace(" ", "").replace("\u00a0", ""))
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) >= Decimal("1e15"):
        return None
    return format(number.normalize() + 0, "f")


def to_send(extra: Extra, before: Extra | None, changed: Iterable[str]) -> dict[str, Json]:
    """Return the parameters for an add, or with `before` those of an update.

    An update replaces a whole table of settings, so it sends one only if it has changed, in the source or in the
    portal.
    """
    said: dict[str, Json] = {}
    if before is not None and extra == before and "extra" not in changed:
        return said
    for name, value in extra.items():
        root, _, rest = name.partition(".")
        if before is not None and root in _AT_FIRST_ONLY:
            continue
        if rest:
            _put(said, name.split("."), value)
        elif value or (before is not None and before.get(name)):
            said[root] = value or ("0" if name in _ZERO_IF_UNSET else "")
    return said


def _put(table: dict[str, Json], path: list[str], value: str) -> None:
    for step in path[:-1]:
        inner = table.setdefault(step, {})
        assert isinstance(inner, dict)
        table = inner
    table[path[-1]] = value


def columns(extra: Iterable[str]) -> tuple[str, ...]:
    """Return the columns in which the portal returns these parameters."""
    roots = dict.fromkeys(name.partition(".")[0] for name in extra)
    return tuple(name for name in roots if name not in NOT_GIVEN_BACK)


def read(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """Return the values of the parameters `names` in a row, "" for those that it does not have."""
    found: dict[str, str] = {}
    for name in names:
        if name.partition(".")[0] in NOT_GIVEN_BACK:
            continue
        value: Any = row
        for step in name.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        text = "" if value is None or isinstance(value, Mapping | list) else str(value)
        found[name] = _in_one_form(name, text)
    return found
