"""What is wrong with a value in the config, in the terms of TOML: msgspec says it in those of Python."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from syncd.config.tables import Table
from syncd.config.toml_lines import KeyPath
from syncd.lang.saying import say
from syncd.model.names import nearest

_PLACE: Final = re.compile(r" - at `\$(?P<path>.*)`$")
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]|\[(\.\.\.)\]")
_EXPECTED: Final = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`")
_MISSING: Final = re.compile(r"missing required field `(?P<field>[^`]+)`")
_UNKNOWN: Final = re.compile(r"contains unknown field `(?P<field>[^`]+)`")
_WORDS: Final = {
    "str": say("text in quotes"),
    "int": say("a whole number"),
    "float": say("a number"),
    "bool": say("true or false"),
    "array": say("a list"),
    "object": say("a table"),
    "null": say("nothing"),
    "date": say("a date"),
    "time": say("a time of day"),
    "datetime": say("a date with a time"),
}


def explained(
    kind: type[msgspec.Struct], table: Mapping[str, Any], message: str
) -> tuple[tuple[str | int, ...], str, str]:
    """Return what msgspec's `message` says about `table`, which was to be a `kind`.

    That is the path of the key within the table, what is wrong, without the key, and the remedy, "" if none is known.
    """
    found = _PLACE.search(message)
    steps = tuple(_STEP.findall(found["path"])) if found else ()
    inner: tuple[str | int, ...] = tuple(name or int(index) for name, index, rest in steps if not rest)
    if missing := _MISSING.search(message):
        return (*inner, missing["field"]), say("is missing"), ""
    if unknown := _UNKNOWN.search(message):
        return (*inner, unknown["field"]), say("is not a known key"), ""
    value: Any = table
    for step in inner:
        value = value[step]
    choices = _choices(kind, inner)
    if choices and isinstance(value, str):
        said = say('must be one of {choices}, not "{value}"', choices=tuple(choices), value=value)
        return inner, said, did_you_mean(value, choices)
    expected = _EXPECTED.search(message)
    if expected is None:
        return inner, message[: found.start()] if found else message, ""
    wanted = _either(_WORDS.get(each.strip(), each) for each in expected["wanted"].split("|") if "null" not in each)
    return (
        inner,
        say("must be {wanted}, not {got}", wanted=wanted, got=_WORDS.get(expected["got"], expected["got"])),
        "",
    )


def _either(words: Iterable[str]) -> str:
    """Return what may stand there, in words: "text in quotes or a list"."""
    first, *others = words
    for other in others:
        first = say("{one} or {other}", one=first, other=other)
    return first


@cache
def hints_of(kind: type[msgspec.Struct]) -> Mapping[str, Any]:
    """Return the types of the fields of `kind`; a config has a few kinds of tables, and maybe hundreds of each."""
    return get_type_hints(kind)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the remedy that names the nearest of `known`, empty if none is close."""
    close = nearest(name, known)
    return say('did you mean "{close}"?', close=close) if close else ""


def inner_table(hint: object) -> type[Table] | None:
    """Return the table that a key with the type `hint` holds, None if it holds something else."""
    return next((one for one in _options(hint) if isinstance(one, type) and issubclass(one, Table)), None)


def _inner_struct(hint: object) -> type[msgspec.Struct] | None:
    return next((one for one in _options(hint) if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)


def _options(hint: object) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _choices(kind: type[msgspec.Struct], path: KeyPath) -> tuple[str, ...]:
    """Return the texts allowed at `path` in a `kind`, () where any text is; with true and false where they are too."""
    hint: Any = kind
    for step in path:
        table = _inner_struct(hint)
        if table is None or not isinstance(step, str):
            return ()
        hint = hints_of(table)[step]
    options = _options(hint)
    words = tuple(str(word) for option in options if get_origin(option) is Literal for word in get_args(option))
    return (*words, "true", "false") if words and bool in options else words
