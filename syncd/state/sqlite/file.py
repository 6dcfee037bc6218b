"""The ledger as a file: its lock, how it is opened and checked, and how its log is copied into it.

A connection is made only to a file that has been checked, and nothing is written without the lock.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from syncd.errors import StateLockedError
from syncd.lang.saying import say
from syncd.state.sqlite.connection import (
    PAGES_AT_ONCE,
    SqliteConnection,
    connected,
    connected_uri,
    in_memory,
    log_bytes,
    log_of,
    transaction,
    translated,
    unusable,
)
from syncd.state.sqlite.echo import Echo, echo_of, read_echo, wal_is_foreign, write_echo
from syncd.state.sqlite.schema import STEPS, Step, apply, check_structure, learn_sum, version_of

_READ_AT_ONCE: Final = 4 * 1024 * 1024
_GENERATION: Final = "SELECT next FROM counters WHERE name = 'generation'"
_NEXT_GENERATION: Final = (
    "INSERT INTO counters (name, next) VALUES ('generation', 1) ON CONFLICT (name) DO UPDATE SET next = next + 1"
)


class Lock:
    """An exclusive lock on the ledger at `path`, held by `<path>.lock` until `release` or the end of the process.

    Raises StateLockedError, naming the holder, when another process has it, and StateError when the lock file cannot
    be written. The lock file stays behind: removing it would let two processes lock two files of the same name.
    """

    def __init__(self, path: Path) -> None:
        # A file of its own, because SQLite's locks on the ledger itself would keep readers out. The kernel releases
        # it when the process dies, so nothing has to be removed after a kill; the pid in it is only for the message.
        name = Path(f"{path}.lock")
        try:
            self._fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unusable(path, error) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise StateLockedError(
                say("{path} is in use by another syncd (pid {pid})", path=str(path), pid=holder or say("unknown")),
                say("stop that one first, or wait until it is done; `syncd status` and `syncd plan` work meanwhile"),
            ) from None
        except OSError as error:
            os.close(self._fd)
            raise unusable(path, error) from error

    def release(self) -> None:
        """Release the lock, so that another process can take it."""
        os.close(self._fd)


def is_held(path: Path) -> bool | None:
    """Return whether a process works with the ledger at `path`; None if that cannot be known."""
    # Not by trying the lock: a daemon that starts in that very moment would find it taken.
    try:
        inode = Path(f"{path.resolve()}.lock").stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return False if Path("/proc/locks").exists() else None
    except OSError:
        return None
    return any(f":{inode} " in line and " FLOCK " in line and "->" not in line for line in locks)


def open_for_writing(path: Path, steps: Sequence[Step] = STEPS) -> SqliteConnection:
    """Return a checked connection to the ledger at `path`, made or brought up to date where needed.

    The caller holds the lock. Before an upgrade the file is copied to `<path>.v<version>.bak`. Raises StateError when
    the file is damaged, foreign, newer than this program or not writable.
    """
    with translated(path):
        # SQLite would create it readable for others; the files it adds (-wal, -shm) take over this mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        _read_ahead(path)
        connection = connected(path)
        with _closed_on_error(connection):
            version = version_of(connection, str(path), newest=len(steps))
            if not version:  # while it is empty: only then it costs nothing to change
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            # WAL lets `syncd status` and `syncd plan` read while a pass writes.
            connection.execute("PRAGMA journal_mode = WAL")
            # `checkpoint` does it, because the echo has to know how old the file is without its log.
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            # The weaker NORMAL does not sync a commit in WAL mode: after a power cut an intent could be missing whose
            # create was sent, and the next pass would create the event twice.
            connection.execute("PRAGMA synchronous = FULL")
            # Off by default; with it a run takes its changes along, and stays while an intent refers to it.
            connection.execute("PRAGMA foreign_keys = ON")
            learn_sum(connection)
            # Here, so that damage is found before anything is sent, not when its outcome must be written down.
            if version:
                check_structure(connection)
            if version < len(steps):
                if version:
                    _copy(connection, Path(f"{path}.v{version}.bak"))
                apply(connection, steps, version)
            _compact(connection)
    return connection


def _read_ahead(path: Path) -> None:
    """Read the file once from its start to its end, so that the check finds its pages in memory.

    The check reads pages in the order of the trees, which on a slow disk takes minutes for a gigabyte that is not in
    memory. This happens before the connection is made, because closing a descriptor of the file would release SQLite's
    locks on it.
    """
    with suppress(OSError), path.open("rb", buffering=0) as file:  # what cannot be read, the check tells
        while file.read(_READ_AT_ONCE):
            pass


def _compact(connection: sqlite3.Connection) -> None:
    """Rewrite a ledger that is mostly free space and comes from a version that returned none to the disk."""
    (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if mode or free <= PAGES_AT_ONCE or 2 * free < pages:
        return
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    with suppress(sqlite3.OperationalError):  # no room for the copy: then it stays as it was, which is no harm
        connection.execute("VACUUM")


def open_for_reading(path: Path, steps: Sequence[Step] = STEPS) -> SqliteConnection:
    """Return a connection that can only read the ledger at `path`; needs no lock.

    A missing file reads as an empty ledger. An older file with other tables is read through an upgraded copy in memory.
    Raises StateError if the file is damaged, foreign, newer than this program or unreadable.
    """
    with translated(path):
        connection = _open_existing(path) if path.exists() else in_memory()
        with _closed_on_error(connection):
            version = version_of(connection, str(path), newest=len(steps))
            if any(steps[version:]):
                copy = in_memory()
                connection.backup(copy)
                connection.close()
                connection = copy
                apply(connection, steps, version)
            learn_sum(connection)
            connection.execute("PRAGMA query_only = ON")
    return connection


def checkpoint(path: Path, connection: sqlite3.Connection, booted_at: float) -> Echo | None:
    """Copy the log of the ledger at `path` into the file, and leave its echo; for the holder of the lock.

    Returns None if a reader keeps some of the log from being copied. Raises sqlite3.Error and OSError.
    """
    with transaction(connection):
        connection.execute(_NEXT_GENERATION)
        (generation,) = connection.execute(_GENERATION).fetchone()
    busy, pages, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if busy or pages != copied:
        return None
    echo = echo_of(path, generation, booted_at, clean=False)
    write_echo(path, echo)
    return echo


def generation_of(connection: sqlite3.Connection) -> int:
    """Return how often the ledger was started and checkpointed, 0 for one that no syncd with an echo has used."""
    row = connection.execute(_GENERATION).fetchone()
    return row[0] if row is not None else 0


def foreign_log(path: Path) -> bool:
    """Return True if the -wal beside the ledger at `path` was written for a newer file than this one.

    SQLite cannot tell, and would write pages of that one into this.
    """
    echo = read_echo(path)
    if echo is None or not log_bytes(log_of(path)) or not path.exists() or not path.stat().st_size:
        return False
    try:
        alone = connected_uri(path, "immutable=1")  # so that SQLite does not look at the log
        with closing(alone):
            return wal_is_foreign(echo, generation_of(alone))
    except sqlite3.Error:
        return False  # a checkpoint that ended halfway leaves a file that only its own log makes whole


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


def _open_existing(path: Path) -> SqliteConnection:
    if foreign_log(path):
        return connected_uri(path, "immutable=1")
    connection = connected_uri(path, "mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if Path(f"{path}-wal").exists():
            raise
        # Reading a file in WAL mode needs its index beside it, which cannot be created without the right to write the
        # directory. Without a -wal file no process has the ledger open, so it can be read as it is.
        connection = connected_uri(path, "immutable=1")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            connection.close()
        raise
