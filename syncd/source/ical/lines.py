"""Content lines to properties: the lexer, which returns values exactly as they are in the file.

Lines with quoted parameters are left to icalendar. Dates keep their TZID unread here, because icalendar silently leaves
a time naive if it does not know the TZID; ical/time_values.py decides what it means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.source.ical.transfer import decoded

_DATES = frozenset({"DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE", "RDATE", "DUE"})
_NAME = re.compile(r"[A-Za-z0-9-]+")
_DATE = re.compile(r":\s*\d{4}-?\d\d-?\d\d")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ITEM = re.compile(r"(?:\\.|[^,\\])+", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One content line; parameter names are upper case, `value` is as it is in the file."""

    value: str
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The value as TEXT, with its escapes resolved."""
        return unescape(self.value)


@dataclass(slots=True, kw_only=True)
class Component:
    """A component's properties by upper-case name, in order, and nested components; `unread` are the other lines."""

    kind: str
    properties: dict[str, list[Property]] = field(default_factory=dict)
    nested: list[Component] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def first(self, name: str) -> Property | None:
        """Return the first property of that name, or None."""
        found = self.properties.get(name)
        return found[0] if found else None

    def text(self, name: str) -> str:
        """Return the text of the first property of that name, or ""."""
        found = self.properties.get(name)
        return unescape(found[0].value) if found else ""

    def all(self, name: str) -> list[Property]:
        """Return all properties of that name."""
        return self.properties.get(name, [])


def read_component(text: str) -> Component:
    """Return an unfolded component, from its BEGIN to its END; a BEGIN or END without counterpart is an unread line."""
    root = Component(kind="")
    stack = [root]
    # Not splitlines(): it also cuts at characters such as U+2028, which may stand in a value.
    for raw in text.split("\n"):
        line = raw.rstrip("\r")
        if not line.strip():
            continue
        found = _lex(line)
        name, read = found or ("", Property(value=""))
        kind = read.value.strip().upper()
        if name == "BEGIN" and not read.params and _NAME.fullmatch(kind):
            stack.append(Component(kind=kind))
            stack[-2].nested.append(stack[-1])
        elif name == "END" and len(stack) > 1 and kind == stack[-1].kind:
            stack.pop()
        elif name in ("", "BEGIN", "END"):
            stack[-1].unread.append(line)
        else:
            stack[-1].properties.setdefault(name, []).append(read)
    return root.nested[0] if root.nested else root


def unescape(value: str) -> str:
    """Return a TEXT value with its escapes resolved (RFC 5545, 3.3.11)."""
    return _ESCAPE.sub(_unescaped, value) if "\\" in value else value


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] in "nN" else found[1]


def split_items(value: str) -> list[str]:
    """Return the items of a list of TEXT values, which are separated by unescaped commas."""
    return [unescape(item).strip() for item in _ITEM.findall(value)]


def _lex(line: str) -> tuple[str, Property] | None:
    head, colon, value = line.partition(":")
    if not colon:
        return None
    if ";" not in head:
        return (head.strip().upper(), Property(value=value)) if _NAME.fullmatch(head.strip()) else None
    name = head.partition(";")[0].upper()
    if name in _DATES and '"' not in line:
        head, value = _before_date(line)
    # RFC 6868 escapes and quoted parameters are rare, and icalendar reads them right.
    elif '"' in head or "^" in head:
        return _lex_quoted(line)
    params = dict(_parameter(piece) for piece in head.split(";")[1:])
    return _property(name, value, params) if _NAME.fullmatch(name) else None


def _before_date(line: str) -> tuple[str, str]:
    """Return what stands before and after the colon of a date: TZID=GMT+03:00 should be in quotes, and often is not."""
    head, _, value = line.rpartition(":")
    # The last colon is within the time where it is written as 09:00:00.
    if not value[:8].isdigit() and (found := _DATE.search(line)) is not None:
        return line[: found.start()], line[found.start() + 1 :]
    return head, value


def _property(name: str, value: str, params: Mapping[str, str]) -> tuple[str, Property] | None:
    if "ENCODING" in params or "QUOTED-PRINTABLE" in params:
        plain = decoded(value, params)
        if plain is None:
            return None
        value = plain
    return name, Property(value=value, params=params)


def _parameter(piece: str) -> tuple[str, str]:
    key, _, value = piece.partition("=")
    return key.strip().upper(), value.strip()


def _lex_quoted(line: str) -> tuple[str, Property] | None:
    from icalendar.parser import Contentline  # noqa: PLC0415 - slow to import, and most files have no such line

    try:
        name, params, value = Contentline(line).raw_parts()  # type: ignore[no-untyped-call]  # icalendar's __new__ has no types
    except ValueError:
        return None
    flat = {key.upper(): item if isinstance(item, str) else ",".join(item) for key, item in params.items()}
    return _property(name.upper(), value, flat)
