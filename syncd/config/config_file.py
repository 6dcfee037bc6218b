"""Errors of a config with their place: file, line and key; and the first check of a table against its struct."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from syncd.config.tables import Table
from syncd.config.toml_lines import KeyPath, TomlLines
from syncd.errors import ConfigError
from syncd.model.names import nearest

T = TypeVar("T", bound=Table)
R = TypeVar("R")

_PLACE: Final = re.compile(r" - at `\$(?P<path>.*)`$")
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]|\[(\.\.\.)\]")
_EXPECTED: Final = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`")
_MISSING: Final = re.compile(r"missing required field `(?P<field>[^`]+)`")
_WORDS: Final = {
    "str": "text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


class ConfigFile:
    """Where the keys of one config file stand."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._lines = TomlLines(text)

    def where(self, *path: str | int) -> str:
        """Return "FILE:LINE: table.key" for `path`."""
        key = ".".join(step for step in path if isinstance(step, str))
        return f"{self.path}:{self._lines.line_of(path)}: {key}"

    def error(self, path: KeyPath, message: str, remedy: str = "") -> ConfigError:
        """Return the error that says `message` about the key at `path`."""
        return ConfigError(f"{self.where(*path)} {message}", remedy)

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """Turn a ValueError in the block into a ConfigError about the key at `path`."""
        try:
            yield
        except ValueError as error:
            raise self.error(path, str(error)) from None

    def parsed(self, parse: Callable[[str], R], text: str, *path: str | int) -> R:
        """Return what `parse` makes of `text`; its ValueError becomes a ConfigError about the key at `path`."""
        with self.at(*path):
            return parse(text)

    def convert(self, table: Mapping[str, Any], kind: type[T], *path: str | int) -> T:
        """Return `table`, which stands at `path`, as a `kind`.

        Raises ConfigError for unknown keys, missing keys and wrong types or choices.
        """
        self._refuse_unknown_within(table, kind, path)
        try:
            return msgspec.convert(table, kind)
        except msgspec.ValidationError as error:
            raise self._told(table, kind, path, str(error)) from None

    def refuse_unknown(self, table: Mapping[str, Any], known: Sequence[str], path: KeyPath) -> None:
        """Raise ConfigError for a key of `table`, which stands at `path`, that is not one of `known`."""
        for key in table:
            if key not in known:
                close = nearest(key, known)
                remedy = f'did you mean "{close}"?' if close else f"known here: {', '.join(known)}"
                raise self.error((*path, key), "is not a known key", remedy)

    def _refuse_unknown_within(self, table: Mapping[str, Any], kind: type[Table], path: KeyPath) -> None:
        self.refuse_unknown(table, kind.__struct_fields__, path)
        hints = get_type_hints(kind)
        for key, value in table.items():
            inner = inner_table(hints[key])
            if inner is not None and isinstance(value, dict):
                self._refuse_unknown_within(value, inner, (*path, key))

    def _told(self, table: Mapping[str, Any], kind: type[Table], path: KeyPath, message: str) -> ConfigError:
        found = _PLACE.search(message)
        steps = tuple(_STEP.findall(found["path"])) if found else ()
        inner: KeyPath = tuple(name or int(index) for name, index, rest in steps if not rest)
        missing = _MISSING.search(message)
        if missing is not None:
            return self.error((*path, *inner, missing["field"]), "is missing")
        value: Any = table
        for step in inner:
            value = value[step]
        choices = _choices(kind, inner)
        if choices and isinstance(value, str):
            close = nearest(value, choices)
            remedy = f'did you mean "{close}"?' if close else ""
            return self.error((*path, *inner), f'must be one of {", ".join(choices)}, not "{value}"', remedy)
        expected = _EXPECTED.search(message)
        if expected is None:
            return self.error((*path, *inner), message[: found.start()] if found else message)
        wanted = " or ".join(
            _WORDS.get(each.strip(), each) for each in expected["wanted"].split("|") if "null" not in each
        )
        return self.error((*path, *inner), f"must be {wanted}, not {_WORDS.get(expected['got'], expected['got'])}")


def inner_table(hint: object) -> type[Table] | None:
    """Return the table that a key with the type `hint` holds, None when it holds something else."""
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return next((one for one in options if isinstance(one, type) and issubclass(one, Table)), None)


def _choices(kind: type[Table], path: KeyPath) -> tuple[str, ...]:
    """Return the texts allowed at `path` in a `kind`, () where any text is."""
    hint: Any = kind
    for step in path:
        table = inner_table(hint)
        if table is None or not isinstance(step, str):
            return ()
        hint = get_type_hints(table)[step]
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return tuple(str(word) for option in options if get_origin(option) is Literal for word in get_args(option))
