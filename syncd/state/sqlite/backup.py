"""Copies a ledger, while another process may work with it, and reads the copy back before it counts."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from syncd.errors import StateError
from syncd.lang.saying import say
from syncd.state.base import Backup
from syncd.state.rows import TOKENS
from syncd.state.sqlite.connection import translated
from syncd.state.sqlite.schema import APPLICATION_ID, check_all, check_records, check_structure, learn_sum


def back_up(connection: sqlite3.Connection, ledger: Path, target: Path) -> Backup:
    """Copy what `connection` sees of `ledger` to `target`, in place of an earlier backup there.

    The copy is one moment of the ledger, however long it takes. Raises StateError when `target` is the ledger itself or
    no backup of a ledger, when it cannot be written, and when what was copied is damaged.
    """
    with translated(target):
        if target.exists():
            _check_replaceable(ledger, target)
        unfinished = Path(f"{target}.part")
        unfinished.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            items = _copied(connection, unfinished)
            synced(unfinished)
            unfinished.replace(target)
            synced(target.absolute().parent)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        return Backup(path=target, size_bytes=target.stat().st_size, items=items)


def synced(path: Path) -> None:
    """Write the file or directory at `path` through to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check(connection: sqlite3.Connection) -> int:
    """Read every page and every row, and return how many items are linked; raises sqlite3.DatabaseError for damage."""
    check_structure(connection, every=True)
    check_all(connection)
    check_records(connection)
    (items,) = connection.execute("SELECT count(*) FROM links").fetchone()
    return int(items)


def _copied(connection: sqlite3.Connection, unfinished: Path) -> int:
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as copy:
        connection.backup(copy)
        _without_open_tokens(copy)
        # One file, whatever is done with it: without this a program that reads it would leave files beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
        learn_sum(copy)
        return check(copy)


def _without_open_tokens(copy: sqlite3.Connection) -> None:
    """Remove tokens that are not encrypted: a backup is kept in other places than the state, and they open the portal.

    After restoring it, the application has to be authorised again, which an old refresh token might need anyway.
    """
    gone = copy.execute("DELETE FROM notes WHERE name = ? AND instr(value, ?) <> 1", (TOKENS, b'{"sealed"')).rowcount
    if gone:
        copy.execute("VACUUM")  # or they would still stand on pages that are free


def _check_replaceable(ledger: Path, target: Path) -> None:
    if target.is_dir():
        raise StateError(
            say("{target} is a directory", target=str(target)), say("name the file that the copy is to become")
        )
    if target.samefile(ledger):
        raise StateError(say("{target} is the state itself", target=str(target)), say("name another file"))
    with closing(sqlite3.connect(f"{target.absolute().as_uri()}?mode=ro", uri=True)) as earlier:
        try:
            (application,) = earlier.execute("PRAGMA application_id").fetchone()
        except sqlite3.DatabaseError:
            application = 0
    if target.stat().st_size and application != APPLICATION_ID:
        raise StateError(
            say("{target} is there already and no backup of a state", target=str(target)),
            say("name another file, or remove that one"),
        )
