"""One file of the config: the line of each key, errors that name it, and the checks that tables share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from syncd.config.durations import parse_duration
from syncd.config.secrets import Secret, read_secret, secret_forms
from syncd.config.tables import Table
from syncd.config.toml_lines import KeyPath, TomlLines
from syncd.config.wrong_values import did_you_mean, explained, hints_of, inner_table
from syncd.errors import ConfigError, message_of
from syncd.lang.saying import say
from syncd.model.template import Template, compile_template

T = TypeVar("T", bound=Table)
R = TypeVar("R")


class ConfigFile:
    """Knows the lines of the keys in one config file, and checks values so that every error names its key.

    A `path` names a key: table names, keys, and indexes of arrays. All errors are ConfigErrors. `above` is the file
    that includes this one, if any.
    """

    def __init__(self, path: Path, text: str, above: ConfigFile | None = None) -> None:
        self.path = path
        self._lines = TomlLines(text)
        self._above = above

    def where(self, *path: str | int) -> str:
        """Return "FILE:LINE: table.key" for `path`; for a key that came from the defaults, their file and line."""
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
        """Return durations before the start in whole minutes, each once: the portal has no seconds here."""
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
        """Return `table`, which is at `path`, as a `kind`; raises for unknown and missing keys and wrong types."""
        self._refuse_unknown_within(table, kind, path)
        try:
            return msgspec.convert(table, kind)
        except msgspec.ValidationError as error:
            raise self._explained(table, kind, path, str(error)) from None

    def refuse_unknown(self, table: Mapping[str, Any], known: Sequence[str], path: KeyPath) -> None:
        """Raise ConfigError if `table`, which is at `path`, has a key that is not one of `known`."""
        for key in table:
            if key not in known:
                remedy = did_you_mean(key, known) or say("known here: {names}", names=tuple(known))
                raise self.error((*path, key), say("is not a known key"), remedy)

    def _refuse_unknown_within(self, table: Mapping[str, Any], kind: type[Table], path: KeyPath) -> None:
        # msgspec could refuse unknown keys itself, but names neither the line nor the nearest known key.
        self.refuse_unknown(table, kind.__struct_fields__, path)
        hints = hints_of(kind)
        for key, value in table.items():
            inner = inner_table(hints[key])
            if inner is not None and isinstance(value, dict):
                self._refuse_unknown_within(value, inner, (*path, key))

    def _explained(self, table: Mapping[str, Any], kind: type[Table], path: KeyPath, message: str) -> ConfigError:
        """Return msgspec's `message` about `table` in the terms of TOML, with the key it is about."""
        inner, said, remedy = explained(kind, table, message)
        return self.error((*path, *inner), said, remedy)
