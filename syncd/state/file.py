"""The ledger as a file: the lock, opening and checking it, the copy before an upgrade, errors told to a person.

Never hands out a connection to a file that was not checked, and never writes without the lock.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from syncd.errors import StateError, StateLockedError
from syncd.state.schema import STEPS, Step, apply, version_of

BUSY_TIMEOUT_S: Final = 10.0
"""How long to wait for a program that holds the file for a moment (a backup, an sqlite3 shell)."""


class Lock:
    """An exclusive lock on the ledger at `path`, held by `<path>.lock` until `release` or the end of the process.

    Raises StateLockedError, naming the holder, when another process has it, and StateError when the lock file cannot
    be written. The lock file stays behind: removing it would let two processes lock two files of the same name.
    """

    def __init__(self, path: Path) -> None:
        name = Path(f"{path}.lock")
        try:
            self._fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise StateLockedError(
                f"{path} is in use by another syncd (pid {holder or 'unknown'})",
                "stop that one first, or wait until it is done; `syncd status` and `syncd plan` work meanwhile",
            ) from None
        except OSError as error:
            os.close(self._fd)
            raise _unusable(path, error) from error

    def release(self) -> None:
        """Let others have the ledger."""
        os.close(self._fd)


def open_for_writing(path: Path, steps: Sequence[Step] = STEPS) -> sqlite3.Connection:
    """Return a checked connection to the ledger at `path`, made or brought up to date where needed.

    The caller holds the lock. Before an upgrade the file is copied to `<path>.v<version>.bak`. Raises StateError when
    the file is damaged, foreign, newer than this program or not writable.
    """
    with translated(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        with _closed_on_error(connection):
            version = version_of(connection, str(path), newest=len(steps))
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _quick_check(connection, path)
            if version < len(steps):
                if version:
                    _copy(connection, Path(f"{path}.v{version}.bak"))
                apply(connection, steps, version)
    return connection


def open_for_reading(path: Path, steps: Sequence[Step] = STEPS) -> sqlite3.Connection:
    """Return a connection that can only read the ledger at `path`; needs no lock.

    A missing file reads as an empty ledger; a file of an older schema is read through an upgraded copy in memory.
    Raises StateError when the file is damaged, foreign, newer than this program or not readable.
    """
    with translated(path):
        connection = _open_existing(path) if path.exists() else _in_memory()
        with _closed_on_error(connection):
            version = version_of(connection, str(path), newest=len(steps))
            if version < len(steps):
                copy = _in_memory()
                connection.backup(copy)
                connection.close()
                connection = copy
                apply(connection, steps, version)
            connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Make everything in the block happen together and last, or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite ends it by itself when the disk is full
            connection.execute("ROLLBACK")
        raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors about `path` into StateError with a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        raise _told(path, error) from error
    except OSError as error:
        raise _unusable(path, error) from error


def _told(path: Path, error: sqlite3.Error) -> StateError:
    name: str = getattr(error, "sqlite_errorname", "") or ""  # absent when the module itself complains
    match name.removeprefix("SQLITE_").partition("_")[0]:
        case "CORRUPT" | "NOTADB":
            return _damaged(path, str(error))
        case "FULL":
            return StateError(
                f"no room left to write {path}", "make room on that disk; nothing is lost, syncd goes on where it was"
            )
        case "READONLY" | "CANTOPEN" | "PERM" | "AUTH":
            return StateError(
                f"{path} cannot be opened for this: {error}",
                "let syncd's user read and write it and its directory, or set `state` in the config to another path",
            )
        case "BUSY" | "LOCKED":
            return StateError(
                f"{path} is held by another program: {error}", "close whatever has the file open for writing"
            )
        case "IOERR":
            return StateError(f"{path} cannot be read or written: {error}", "check the disk it lies on")
        case _:
            return StateError(f"{path} cannot be used: {error}")


def _unusable(path: Path, error: OSError) -> StateError:
    return StateError(
        f"{path} cannot be used: {error.strerror or error}",
        "let syncd's user read and write it and its directory, or set `state` in the config to another path",
    )


def _damaged(path: Path, detail: str) -> StateError:
    return StateError(
        f"{path} is damaged: {detail}",
        f"restore a backup of it, or move {path} and {path}-wal away and start anew: with `adopt = true` "
        "syncd takes over the events it made before",
    )


def _quick_check(connection: sqlite3.Connection, path: Path) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _damaged(path, str(verdict).splitlines()[-1])


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    unfinished = Path(f"{target}.part")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    copy = sqlite3.connect(unfinished, isolation_level=None)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    unfinished.replace(target)


def _open_existing(path: Path) -> sqlite3.Connection:
    connection = _connect_uri(path, "mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if Path(f"{path}-wal").exists():
            raise
        # Reading a WAL file needs its index beside it, which a mere reader of the directory cannot make; when no
        # log stands there nobody has the file open, and it may be read as it is.
        connection = _connect_uri(path, "immutable=1")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_uri(path: Path, options: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{options}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def _in_memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            connection.close()
        raise
