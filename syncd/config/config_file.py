"""One file of the config: which line holds which key, errors that name it, and the checks that tables share."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from syncd.config.durations import parse_duration
from syncd.config.secrets import Secret, read_secret, secret_forms
from syncd.config.tables import Table
from syncd.config.toml_lines import KeyPath, TomlLines
from syncd.errors import ConfigError, message_of
from syncd.lang.saying import say
from syncd.model.names import nearest
from syncd.model.template import Template, compile_template

T = TypeVar("T", bound=Table)
R = TypeVar("R")

_PLACE: Final = re.compile(r" - at `\$(?P<path>.*)`$")
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]|\[(\.\.\.)\]")
_EXPECTED: Final = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`")
_MISSING: Final = re.compile(r"missing required field `(?P<field>[^`]+)`")
_WORDS: Final = {
    "str": say("text in quotes"),
    "int": say("a whole number"),
    "float": say("a number"),
    "bool": say("true or false"),
    "array": say("a list"),
    "object": say("a table"),
    "null": say("nothing"),
}


class ConfigFile:
    """Knows where the keys of one config file stand, and checks values so that every error names its key.

    A `path` names a key: table names, keys, and indexes of arrays. All errors are ConfigErrors. `above` is the file
    that includes this one, if any.
    """

    def __init__(self, path: Path, text: str, above: ConfigFile | None = None) -> None:
        self.path = path
        self._lines = TomlLines(text)
        self._above = above

    def where(self, *path: str | int) -> str:
        """Return "FILE:LINE: table.key" for `path`; for a key that came from the defaults, where these give it."""
        file, path = self._placed(path)
        key = ".".join(step for step in path if isinstance(step, str))
        return f"{file.path}:{file._lines.line_of(path)}: {key}"

    def _placed(self, path: KeyPath) -> tuple[ConfigFile, KeyPath]:
        kind = {"sync": "sync", "portals": "portal"}.get(str(path[0])) if len(path) > 2 else None
        if kind is not None and not self._lines.holds(path):
            default = ("defaults", kind, *path[2:])
            for file in (self, self._above):
                if file is not None and file._lines.holds(default):
                    return file, default
        return self, path

    def error(self, path: KeyPath, message: str, remedy: str = "") -> ConfigError:
        """Return the error that says `message` about the key at `path`."""
        return ConfigError(say("{where} {message}", where=self.where(*path), message=message), remedy)

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """Turn a ValueError in the block into a ConfigError about the key at `path`."""
        try:
            yield
        except ValueError as error:
            raise self.error(path, message_of(error)) from None

    def parsed(self, parse: Callable[[str], R], text: str, *path: str | int) -> R:
        """Return `parse(text)`; its ValueError becomes a ConfigError about the key at `path`."""
        with self.at(*path):
            return parse(text)

    def secret(
        self,
        table: Table,
        name: str,
        path: KeyPath,
        *,
        base: Path,
        environ: Mapping[str, str],
        check: Callable[[Secret], None] = lambda _: None,
    ) -> Secret | None:
        """Return the secret `name` of the table at `path`, None if no key gives it; `check` raises ValueError."""
        given, forms = secret_forms(table, name)
        if given is None:
            return None
        with self.at(*path, given):
            _, secret, _ = read_secret(name, forms, base=base, environ=environ)
            check(secret)
        return secret

    def period(self, text: str, *path: str | int) -> timedelta:
        """Return the duration `text`, which must not be zero."""
        duration = self.parsed(parse_duration, text, *path)
        if not duration:
            raise self.error(path, say('must be longer than "{text}"', text=text))
        return duration

    def reminders(self, texts: Sequence[str], path: KeyPath) -> tuple[int, ...]:
        """Return durations before the start in whole minutes, each once: the portal knows no seconds here."""
        minutes: list[int] = []
        for number, text in enumerate(texts):
            duration = self.parsed(parse_duration, text, *path, number)
            if duration.total_seconds() % 60:
                raise self.error((*path, number), say('must be whole minutes, not "{text}"', text=text))
            minutes.append(int(duration.total_seconds() // 60))
        return tuple(dict.fromkeys(minutes))

    def template(self, text: str | int, *path: str | int) -> Template:
        """Return the template `text`."""
        return compile_template(str(text), where=self.where(*path))

    def optional_template(self, text: str | int | None, *path: str | int) -> Template | None:
        """Return the template `text`, None for None."""
        return None if text is None else self.template(text, *path)

    def one_of(self, text: str, allowed: Sequence[str], *path: str | int) -> str:
        """Return `text`, which must be one of `allowed`."""
        if text not in allowed:
            raise self.error(
                path,
                say('must be one of {allowed}, not "{text}"', allowed=tuple(allowed), text=text),
                did_you_mean(text, allowed),
            )
        return text

    def portal(self, name: str | None, portals: Sequence[str], path: KeyPath) -> str:
        """Return the portal `name`, which must be one of `portals`; None means the only one."""
        if name is None:
            if len(portals) == 1:
                return portals[0]
            raise self.error(path, say("is missing"), say("there is more than one: {portals}", portals=tuple(portals)))
        if name not in portals:
            message = say('names "{name}", but there is no [portals.{name}]', name=name)
            raise self.error(path, message, did_you_mean(name, portals))
        return name

    def convert(self, table: Mapping[str, Any], kind: type[T], *path: str | int) -> T:
        """Return `table`, which stands at `path`, as a `kind`; raises for unknown and missing keys and wrong types."""
        self._refuse_unknown_within(table, kind, path)
        try:
            return msgspec.convert(table, kind)
        except msgspec.ValidationError as error:
            raise self._explained(table, kind, path, str(error)) from None

    def refuse_unknown(self, table: Mapping[str, Any], known: Sequence[str], path: KeyPath) -> None:
        """Raise ConfigError for a key of `table`, which stands at `path`, that is not one of `known`."""
        for key in table:
            if key not in known:
                remedy = did_you_mean(key, known) or say("known here: {names}", names=tuple(known))
                raise self.error((*path, key), say("is not a known key"), remedy)

    def _refuse_unknown_within(self, table: Mapping[str, Any], kind: type[Table], path: KeyPath) -> None:
        # msgspec could refuse unknown keys itself, but names neither the line nor the nearest known key.
        self.refuse_unknown(table, kind.__struct_fields__, path)
        hints = _hints(kind)
        for key, value in table.items():
            inner = inner_table(hints[key])
            if inner is not None and isinstance(value, dict):
                self._refuse_unknown_within(value, inner, (*path, key))

    def _explained(self, table: Mapping[str, Any], kind: type[Table], path: KeyPath, message: str) -> ConfigError:
        """Return msgspec's `message` about `table` in the terms of TOML, with the key it is about."""
        found = _PLACE.search(message)
        steps = tuple(_STEP.findall(found["path"])) if found else ()
        inner: KeyPath = tuple(name or int(index) for name, index, rest in steps if not rest)
        missing = _MISSING.search(message)
        if missing is not None:
            return self.error((*path, *inner, missing["field"]), say("is missing"))
        value: Any = table
        for step in inner:
            value = value[step]
        choices = _choices(kind, inner)
        if choices and isinstance(value, str):
            said = say('must be one of {choices}, not "{value}"', choices=tuple(choices), value=value)
            return self.error((*path, *inner), said, did_you_mean(value, choices))
        expected = _EXPECTED.search(message)
        if expected is None:
            return self.error((*path, *inner), message[: found.start()] if found else message)
        wanted = _either(_WORDS.get(each.strip(), each) for each in expected["wanted"].split("|") if "null" not in each)
        return self.error(
            (*path, *inner),
            say("must be {wanted}, not {got}", wanted=wanted, got=_WORDS.get(expected["got"], expected["got"])),
        )


def _either(words: Iterable[str]) -> str:
    """Return what may stand there, in words: "text in quotes or a list"."""
    first, *others = words
    for other in others:
        first = say("{one} or {other}", one=first, other=other)
    return first


@cache
def _hints(kind: type[Table]) -> Mapping[str, Any]:
    """Return the types of the fields of `kind`; a config has a few kinds of tables, and maybe hundreds of each."""
    return get_type_hints(kind)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the remedy that names the nearest of `known`, empty if none is close."""
    close = nearest(name, known)
    return say('did you mean "{close}"?', close=close) if close else ""


def inner_table(hint: object) -> type[Table] | None:
    """Return the table that a key with the type `hint` holds, None if it holds something else."""
    return next((one for one in _options(hint) if isinstance(one, type) and issubclass(one, Table)), None)


def _options(hint: object) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _choices(kind: type[Table], path: KeyPath) -> tuple[str, ...]:
    """Return the texts allowed at `path` in a `kind`, () where any text is; with true and false where they are too."""
    hint: Any = kind
    for step in path:
        table = inner_table(hint)
        if table is None or not isinstance(step, str):
            return ()
        hint = _hints(table)[step]
    options = _options(hint)
    words = tuple(str(word) for option in options if get_origin(option) is Literal for word in get_args(option))
    return (*words, "true", "false") if words and bool in options else words
