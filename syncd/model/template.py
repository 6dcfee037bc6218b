"""Texts with places for an entry's fields and columns: "{title|cut:80}", "{Room or location}", "{start|date:%d.%m}".

    template = (text | "{{" | "}}" | "{" name ("or" name)* ("|" filter (":" argument)?)* "}")*

A name with spaces at its ends, " or ", "|", ":" or braces in it stands in double quotes. What a name stands for is
put in as it is and never read as a template again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from syncd.errors import ConfigError, EntryError
from syncd.model.entry import Details, Entry, Span
from syncd.model.names import Value, as_text, lookup, nearest

_PIECE = re.compile(r'\{\{|\}\}|\{((?:"[^"]*"|[^{}"])*)\}|[^{}]+|[{}]')
_NAME = re.compile(r'\s*(?:"(?P<quoted>[^"]+)"|(?P<plain>[^"|\s][^"|]*?))\s*(?P<next>\bor\b|\||$)')
_ELLIPSIS = "…"

Filter = Callable[[Value], Value]


@dataclass(frozen=True, slots=True)
class _Place:
    names: tuple[str, ...]
    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A compiled template; made by `compile_template`."""

    text: str
    where: str
    pieces: tuple[str | _Place, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names used, each once, in the order of the text."""
        used = (name for piece in self.pieces if isinstance(piece, _Place) for name in piece.names)
        return tuple(dict.fromkeys(used))

    @property
    def constant(self) -> str | None:
        """What every entry gets when the template uses no names, else None."""
        return None if self.names else "".join(piece for piece in self.pieces if isinstance(piece, str))

    def render(self, entry: Entry, details: Details, span: Span) -> str:
        """Return the text for one occurrence of `entry`, whose details and span may be an override's.

        Raises EntryError for a name that the entry does not know, and for a date filter on what is no date.
        """
        return "".join(
            piece if isinstance(piece, str) else self._fill(piece, entry, details, span) for piece in self.pieces
        )

    def _fill(self, place: _Place, entry: Entry, details: Details, span: Span) -> str:
        values = [lookup(name, entry, details, span) for name in place.names]
        value: Value = next((each for each in values if as_text(each).strip()), "")
        try:
            for apply in place.filters:
                value = apply(value)
        except ValueError as error:
            raise EntryError(
                f"{entry.where}: {self.where} does not fit: {error}", "mend the value or the template"
            ) from None
        return as_text(value)


def compile_template(text: str, *, where: str) -> Template:
    """Return the template that `text` describes; raises ConfigError, beginning with `where`, when it is not one."""
    pieces: list[str | _Place] = []
    for found in _PIECE.finditer(text):
        match found[0]:
            case "{{" | "}}" as brace:
                pieces.append(brace[0])
            case "{" | "}" as brace:
                raise ConfigError(
                    f"{where}: a lone {brace} at character {found.start() + 1}",
                    "write {{ and }} for braces as text, and close every {name}",
                )
            case _ if found[1] is not None:
                pieces.append(_place(found[1], where))
            case plain:
                pieces.append(plain)
    return Template(text=text, where=where, pieces=tuple(pieces))


def _place(inside: str, where: str) -> _Place:
    names: list[str] = []
    at = 0
    while True:
        found = _NAME.match(inside, at)
        if found is None:
            raise ConfigError(
                f"{where}: {{{inside}}} has no name where one belongs", "write {title} or {Room or location}"
            )
        names.append(found["quoted"] or found["plain"])
        at = found.end()
        if found["next"] != "or":
            break
    filters = inside[at:].split("|") if found["next"] == "|" else []
    return _Place(tuple(names), tuple(_filter(each, inside, where) for each in filters))


def _filter(text: str, inside: str, where: str) -> Filter:
    name, colon, argument = text.partition(":")
    name = name.strip()
    make = FILTERS.get(name)
    if make is None:
        close = nearest(name, FILTERS)
        raise ConfigError(
            f'{where}: {{{inside}}} uses an unknown filter "{name}"',
            f'did you mean "{close}"?' if close else f"there are {', '.join(FILTERS)}",
        )
    try:
        return make(argument if colon else None)
    except ValueError as error:
        raise ConfigError(f"{where}: {{{inside}}}: {name} {error}") from None


def _no_argument(change: Callable[[str], str]) -> Callable[[str | None], Filter]:
    def make(argument: str | None) -> Filter:
        if argument is not None:
            raise ValueError("takes nothing after a colon")
        return lambda value: change(as_text(value))

    return make


def _cut(argument: str | None) -> Filter:
    if argument is None or not argument.strip().isdecimal() or int(argument) < 1:
        raise ValueError("needs a number of characters, as in cut:80")
    length = int(argument)
    return lambda value: cut(as_text(value), length)


def cut(text: str, length: int) -> str:
    """Return at most `length` characters of `text`, ended at a word with "…" where something was left out."""
    if len(text) <= length:
        return text
    kept = text[: length - 1]
    at_word = kept if text[length - 1].isspace() else kept.rpartition(" ")[0]
    if len(at_word) < length // 2:  # one long word: half of it says more than nothing
        at_word = kept
    return at_word.rstrip() + _ELLIPSIS


def _default(argument: str | None) -> Filter:
    if argument is None:
        raise ValueError("needs a text, as in default:none")
    return lambda value: value if as_text(value).strip() else argument


def _date(argument: str | None) -> Filter:
    if not argument:
        raise ValueError("needs a format, as in date:%d.%m.%Y")
    datetime(2000, 1, 1).strftime(argument)
    return lambda value: _formatted(value, argument)


def _formatted(value: Value, form: str) -> Value:
    if isinstance(value, date):
        return value.strftime(form)
    text = as_text(value).strip()
    if not text:
        return ""
    try:
        return datetime.fromisoformat(text).strftime(form)
    except ValueError:
        raise ValueError(f'"{cut(text, 40)}" is not an ISO date') from None


def _prefix(argument: str | None) -> Filter:
    if argument is None:
        raise ValueError("needs a text, as in prefix:Link: ")
    return lambda value: argument + as_text(value) if as_text(value).strip() else ""


def _map(argument: str | None) -> Filter:
    """Make a filter of "high=red,low=green,*=gray": what a value, or one of several, becomes; * is any other."""
    pairs = [pair.partition("=") for pair in (argument or "").split(",")]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError("needs pairs, as in map:1=high,9=low,*=normal")
    table = {before.strip().casefold(): after.strip() for before, _, after in pairs}

    def mapped(value: Value) -> Value:
        texts = value if isinstance(value, tuple) else (as_text(value),)
        for text in texts:
            if text.strip().casefold() in table:
                return table[text.strip().casefold()]
        return table.get("*", "")

    return mapped


FILTERS: Mapping[str, Callable[[str | None], Filter]] = {
    "lower": _no_argument(str.lower),
    "upper": _no_argument(str.upper),
    "strip": _no_argument(str.strip),
    "cut": _cut,
    "default": _default,
    "date": _date,
    "prefix": _prefix,
    "map": _map,
}
"""What may follow a bar, and what makes a filter of the text after its colon."""
