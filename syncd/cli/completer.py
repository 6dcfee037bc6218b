"""Completes the words of a command line, for a shell that asks for it (`syncd completion`).

The config is read as plain TOML: a shell asks at every press of a key, even while the config has a mistake.
"""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import argcomplete
from argcomplete.completers import BaseCompleter, FilesCompleter


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks for completions, and exit; return if none asks."""
    argcomplete.autocomplete(parser, default_completer=_Completer())


class _Completer(BaseCompleter):
    """Completes arguments without choices: with names in the config, otherwise with files."""

    _files = FilesCompleter()

    def __call__(
        self, *, prefix: str, action: argparse.Action, parser: argparse.ArgumentParser, parsed_args: argparse.Namespace
    ) -> Iterable[str]:
        """Return the words that may stand here."""
        names = _NAMES.get(action.dest)
        return names(parsed_args) if names is not None else self._files(prefix)


def sync_names(parsed_args: argparse.Namespace) -> list[str]:
    """Return the names of all [[sync]] of the config."""
    found = []
    for document in _documents(parsed_args):
        syncs = document.get("sync")
        found += [one.get("name") for one in syncs if isinstance(one, dict)] if isinstance(syncs, list) else []
    return [name for name in found if isinstance(name, str)]


def portal_names(parsed_args: argparse.Namespace) -> list[str]:
    """Return the names of all [portals.NAME] of the config."""
    return [name for document in _documents(parsed_args) for name in _table(document.get("portals"))]


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _documents(parsed_args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the config and the files that it includes, as far as they can be read."""
    from syncd.config import find_config

    try:
        path = find_config(getattr(parsed_args, "config", None), os.environ, Path.cwd())
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except Exception:  # noqa: BLE001 - no suggestion is better than a traceback between two keys
        return
    yield document
    for pattern in document.get("include", ()):
        for included in sorted(path.parent.glob(str(pattern))):
            try:
                yield tomllib.loads(included.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue


_NAMES: dict[str, Callable[[argparse.Namespace], list[str]]] = {
    "names": sync_names,
    "name": sync_names,
    "unresolved": sync_names,
    "portal": portal_names,
    "from_portal": portal_names,
}
"""By the name of the argument. The shell completes files itself."""
