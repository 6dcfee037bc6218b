"""Texts with places for an entry's fields and columns: "{title|cut:80}", "{Room or location}", "{start|date:%d.%m}".

    template = (text | "{{" | "}}" | "{" name ("or" name)* ("|" filter (":" argument)?)* "}")*

A name with spaces at its ends, " or ", "|", ":" or braces in it stands in double quotes. What a name stands for is
inserted as it is and never read as a template again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from syncd.errors import ConfigError, EntryError, message_of
from syncd.lang.saying import say
from syncd.model.entry import Details, Entry, Span
from syncd.model.names import Getter, Value, as_text, getter_of, nearest

_PIECE = re.compile(r'\{\{|\}\}|\{((?:"[^"]*"|[^{}"])*)\}|[^{}]+|[{}]')
_NAME = re.compile(r'\s*(?:"(?P<quoted>[^"]+)"|(?P<plain>[^"|\s][^"|]*?))\s*(?P<next>\bor\b|\||$)')
_ELLIPSIS = "…"

Filter = Callable[[Value], Value]
_Filled = Callable[[Entry, Details, Span], str]


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
    render: _Filled = field(init=False, repr=False, compare=False)
    """Returns the text for one occurrence of an entry: (entry, details, span), the last two perhaps an override's.
    Raises EntryError for a name that the entry does not have, and for a date filter on a value that is no date."""

    def __post_init__(self) -> None:
        # Once, not per entry: a large schedule is rendered half a million times in every pass.
        object.__setattr__(self, "render", _filled(self.pieces, self.where))

    @property
    def names(self) -> tuple[str, ...]:
        """The names used, each once, in the order of the text."""
        used = (name for piece in self.pieces if isinstance(piece, _Place) for name in piece.names)
        return tuple(dict.fromkeys(used))

    @property
    def constant(self) -> str | None:
        """The text that every entry gets if the template uses no names, else None."""
        return None if self.names else "".join(piece for piece in self.pieces if isinstance(piece, str))


def _filled(pieces: Sequence[str | _Place], where: str) -> _Filled:
    """Return the function that renders the whole template."""
    parts = [piece if isinstance(piece, str) else _place_filled(piece, where) for piece in pieces]
    match parts:
        case []:
            return lambda _entry, _details, _span: ""
        case [str() as text]:
            return lambda _entry, _details, _span: text
        case [only] if not isinstance(only, str):
            return only

    def joined(entry: Entry, details: Details, span: Span) -> str:
        return "".join([part if isinstance(part, str) else part(entry, details, span) for part in parts])

    return joined


def _place_filled(place: _Place, where: str) -> _Filled:
    """Return the function that renders one place: its first value that is not blank, through its filters."""
    getters = [getter_of(name) for name in place.names]
    if len(getters) == 1 and not place.filters:
        return _only(getters[0])
    filters = place.filters

    def fill(entry: Entry, details: Details, span: Span) -> str:
        values = [get(entry, details, span) for get in getters]  # all, so that an unknown name is reported in any case
        value: Value = next((each for each in values if as_text(each).strip()), "")
        try:
            for apply in filters:
                value = apply(value)
        except ValueError as error:
            raise EntryError(
                say("{entry}: {where} does not fit: {error}", entry=entry.where, where=where, error=message_of(error)),
                say("correct the value or the template"),
            ) from None
        return as_text(value)

    return fill


def _only(get: Getter) -> _Filled:
    """Return the function that renders one name without filters, which is what most templates are."""

    def fill(entry: Entry, details: Details, span: Span) -> str:
        value = get(entry, details, span)
        text = value if type(value) is str else as_text(value)
        return "" if text.isspace() else text

    return fill


def compile_template(text: str, *, where: str) -> Template:
    """Return the template that `text` describes; raises ConfigError, beginning with `where`, if it is none."""
    pieces: list[str | _Place] = []
    for found in _PIECE.finditer(text):
        match found[0]:
            case "{{" | "}}" as brace:
                pieces.append(brace[0])
            case "{" | "}" as brace:
                raise ConfigError(
                    say(
                        "{where}: a lone {brace} at character {start}",
                        where=where,
                        brace=brace,
                        start=found.start() + 1,
                    ),
                    say("write {{{{ and }}}} for braces as text, and close every {{name}}"),
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
                say("{where}: {place} has no name where one belongs", where=where, place=_in_braces(inside)),
                say("write {{title}} or {{Room or location}}"),
            )
        names.append(found["quoted"] or found["plain"])
        at = found.end()
        if found["next"] != "or":
            break
    filters = inside[at:].split("|") if found["next"] == "|" else []
    return _Place(tuple(names), tuple(_filter(each, inside, where) for each in filters))


def _in_braces(inside: str) -> str:
    return f"{{{inside}}}"


def _filter(text: str, inside: str, where: str) -> Filter:
    name, colon, argument = text.partition(":")
    name = name.strip()
    make = FILTERS.get(name)
    if make is None:
        close = nearest(name, FILTERS)
        raise ConfigError(
            say('{where}: {place} uses an unknown filter "{name}"', where=where, place=_in_braces(inside), name=name),
            say('did you mean "{close}"?', close=close)
            if close
            else say("there are {filters}", filters=tuple(FILTERS)),
        )
    try:
        return make(argument if colon else None)
    except ValueError as error:
        raise ConfigError(
            say("{where}: {place}: {error}", where=where, place=_in_braces(inside), error=message_of(error))
        ) from None


def _no_argument(name: str, change: Callable[[str], str]) -> Callable[[str | None], Filter]:
    def make(argument: str | None) -> Filter:
        if argument is not None:
            raise ValueError(say("{filter} takes nothing after a colon", filter=name))
        return lambda value: change(as_text(value))

    return make


def _cut(argument: str | None) -> Filter:
    if argument is None or not argument.strip().isdecimal() or int(argument) < 1:
        raise ValueError(say("cut needs a number of characters, as in cut:80"))
    length = int(argument)
    return lambda value: cut(as_text(value), length)


def cut(text: str, length: int) -> str:
    """Return at most `length` characters of `text`, cut between words and ended with "…" if something is left out."""
    if len(text) <= length:
        return text
    kept = text[: length - 1]
    at_word = kept if text[length - 1].isspace() else kept.rpartition(" ")[0]
    if len(at_word) < length // 2:  # one long word: half of it says more than nothing
        at_word = kept
    return at_word.rstrip() + _ELLIPSIS


def _default(argument: str | None) -> Filter:
    if argument is None:
        raise ValueError(say("default needs a text, as in default:none"))
    return lambda value: value if as_text(value).strip() else argument


def _date(argument: str | None) -> Filter:
    if not argument:
        raise ValueError(say("date needs a format, as in date:%d.%m.%Y"))
    try:
        datetime(2000, 1, 1).strftime(argument)
    except ValueError as error:
        raise ValueError(say("date: {error}", error=str(error))) from None
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
        raise ValueError(say('"{cut}" is not an ISO date', cut=cut(text, 40))) from None


def _prefix(argument: str | None) -> Filter:
    if argument is None:
        raise ValueError(say("prefix needs a text, as in prefix:Link: "))
    return lambda value: argument + as_text(value) if as_text(value).strip() else ""


def _map(argument: str | None) -> Filter:
    """Make a filter from "high=red,low=green,*=gray": what a value, or one of several, becomes; * is any other."""
    pairs = [pair.partition("=") for pair in (argument or "").split(",")]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError(say("map needs pairs, as in map:1=high,9=low,*=normal"))
    table = {before.strip().casefold(): after.strip() for before, _, after in pairs}

    def mapped(value: Value) -> Value:
        texts = value if isinstance(value, tuple) else (as_text(value),)
        for text in texts:
            if text.strip().casefold() in table:
                return table[text.strip().casefold()]
        return table.get("*", "")

    return mapped


FILTERS: Mapping[str, Callable[[str | None], Filter]] = {
    "lower": _no_argument("lower", str.lower),
    "upper": _no_argument("upper", str.upper),
    "strip": _no_argument("strip", str.strip),
    "cut": _cut,
    "default": _default,
    "date": _date,
    "prefix": _prefix,
    "map": _map,
}
"""The filters that may follow a bar, each with the function that makes it from the text after its colon."""
