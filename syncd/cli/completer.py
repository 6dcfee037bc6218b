"""Completes the words of a command line, for a shell that asks for it (`syncd completion`).

The config is read as plain TOML: a shell asks at every press of a key, also while the config has a mistake.
"""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import argcomplete


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks how the command line goes on, and exit; return if none asks."""
    argcomplete.autocomplete(parser, default_completer=_completed)


def _completed(*, prefix: str, action: argparse.Action, **asked: object) -> Iterable[str]:
    """Return how an argument without choices goes on."""
    completer = _COMPLETERS.get(action.dest)
    return completer(**asked) if completer is not None else _files(prefix)


def sync_names(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Return the names of all [[sync]] of the config."""
    found = []
    for document in _documents(parsed_args):
        syncs = document.get("sync")
        found += [one.get("name") for one in syncs if isinstance(one, dict)] if isinstance(syncs, list) else []
    return [name for name in found if isinstance(name, str)]


def portal_names(parsed_args: argparse.Namespace, **_: object) -> list[str]:
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


_files = argcomplete.FilesCompleter()
_COMPLETERS: dict[str, Callable[..., list[str]]] = {
    "names": sync_names,
    "name": sync_names,
    "unresolved": sync_names,
    "portal": portal_names,
    "from_portal": portal_names,
}
"""By the name of the argument; files are completed by the shell."""
