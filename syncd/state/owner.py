"""To whom a ledger belongs: the config file that each sync was last run from."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path

from syncd.errors import StateError
from syncd.state.base import Connection
from syncd.state.notes import read_note, write_note
from syncd.state.sqlite.connection import translated
from syncd.state.sqlite.file import open_for_reading

_CONFIG = "config"


def owners_of(connection: Connection, names: Collection[str]) -> Mapping[str, str]:
    """Return the path of the config of each of these syncs that has one noted."""
    noted = {name: read_note(connection, f"sync/{name}", _CONFIG) for name in names}
    return {name: str(note[0]) for name, note in noted.items() if note is not None}


def write_owner(connection: Connection, names: Collection[str], config: Path, now: float) -> None:
    """Note that these syncs belong to the config at that path; in the caller's transaction."""
    path = os.path.realpath(config)
    known = owners_of(connection, names)
    for name in names:
        if known.get(name) != path:  # nearly always it is, and each write waits for the disk
            write_note(connection, f"sync/{name}", _CONFIG, path, now)


def is_used_by(path: Path, config: Path, names: Collection[str]) -> bool:
    """Return True if the ledger at `path` knows one of these syncs, and not as another config's.

    A ledger that cannot be read counts as used: whoever opens it is told why.
    """
    try:
        with translated(path), closing(open_for_reading(path)) as connection:
            known = [name for name in names if _has_run(connection, name)]
            owners = owners_of(connection, known)
            return any(owners.get(name, os.path.realpath(config)) == os.path.realpath(config) for name in known)
    except StateError:
        return True


def knows_any(connection: Connection, names: Collection[str]) -> bool:
    """Return True if one of these syncs has run or has links."""
    return any(_has_run(connection, name) for name in names)


def _has_run(connection: Connection, name: str) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM runs WHERE sync = ?1) OR EXISTS (SELECT 1 FROM links WHERE sync = ?1)", (name,)
    ).fetchone()
    return bool(row[0])
