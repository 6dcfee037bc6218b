"""SQLite as the statements of the ledger use it: connections, transactions, and its errors in words with a remedy."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from syncd.errors import StateError, StateUnavailableError, message_of
from syncd.lang.saying import say
from syncd.model.json_values import dumps
from syncd.state.rows import DamagedRowError, Row, Update

_LISTED_BYTES: Final = 48
"""How long a value of a list is, about: most are ids, and keys of half a dozen words."""
BUSY_TIMEOUT_S: Final = 10.0
"""How long to wait for a program that holds the file for a moment (a backup, an sqlite3 shell)."""
_SPARE_PAGES: Final = 256
"""How many free pages are kept for what comes next."""
PAGES_AT_ONCE: Final = 1024
"""How many pages one pass gives back to the disk at most: 4 MB, so that no pass waits for it."""
_SHARE: Final = "SELECT (SELECT count(*) FROM links WHERE sync = ?) * 8 > (SELECT max(rowid) FROM links)"
_ROOM: Final = say("make room on that disk; nothing is lost, syncd goes on where it was")
_RIGHTS: Final = say(
    "let syncd's user read and write it and its directory, or set `state` in the config to another path"
)
_DISK: Final = say("check the disk it lies on")
_LET_GO: Final = say("close whatever has the file open for writing")


def _closed(path: str, error: str) -> str:
    return say("{path} cannot be opened for this: {error}", path=path, error=error)


def _held(path: str, error: str) -> str:
    return say("{path} is held by another program: {error}", path=path, error=error)


def _cut_off(path: str, error: str) -> str:
    return say("{path} cannot be read or written: {error}", path=path, error=error)


_PASSING: Final[Mapping[str, tuple[Callable[[str, str], str], str]]] = {
    "FULL": (lambda path, _error: say("no room left to write {path}", path=path), _ROOM),
    "READONLY": (_closed, _RIGHTS),
    "CANTOPEN": (_closed, _RIGHTS),
    "BUSY": (_held, _LET_GO),
    "LOCKED": (_held, _LET_GO),
    "IOERR": (_cut_off, _DISK),
    "NOMEM": (_cut_off, say("let syncd have more memory")),
}
"""Errors that pass without a change of the ledger, by the name of SQLite's error."""
_PASSING_IN_SYSTEM: Final = (
    errno.EROFS,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EBUSY,
    errno.ESTALE,
)

_OF_DAMAGE: Final = ("decode", "user-defined function", "no such table", "no such column", "no such index")
"""Words of errors that mean damage, though their name does not say so: broken text, and missing tables."""


class SqliteConnection(sqlite3.Connection):
    """A connection to a file, or to a database in memory."""

    one_of = "IN (SELECT value FROM json_each(?))"
    rows = sqlite3.Connection.execute
    """Yields the rows of a query; SQLite reads on as they are asked for."""

    def listed(self, values: Collection[Any]) -> str:
        """Return `values` as one parameter."""
        return dumps(list(values), about_bytes=len(values) * _LISTED_BYTES).decode()

    def each(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> list[Row]:
        """Carry out one query for each of the rows, and return the results of all of them."""
        return [row for each in parameters for row in self.execute(sql, each)]

    def change(self, update: Update, parameters: Iterable[Sequence[Any]], /) -> int:
        """Carry out an update for each of the rows; SQLite computes the sums itself (`learn_sum`)."""
        return self.executemany(update.sql, parameters).rowcount

    def inserted(self, sql: str, parameters: Sequence[Any], /) -> int:
        """Carry out an INSERT and return the number of the new row."""
        number = self.execute(sql, parameters).lastrowid
        if number is None:
            raise sqlite3.DatabaseError("the run got no number")
        return number

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Return a context for statements that may fail; if one does, all of them are undone."""
        self.execute("SAVEPOINT trying")
        try:
            yield
        except sqlite3.IntegrityError:
            self.execute("ROLLBACK TO trying")
            raise
        self.execute("RELEASE trying")

    def is_mostly(self, sync: str, /) -> bool:
        """Return True if this sync has so many of the links that reading the whole table is quicker."""
        return bool(self.execute(_SHARE, (sync,)).fetchone()[0])

    def give_back(self) -> None:
        """Return free pages to the disk, a few megabytes at a time."""
        (free,) = self.execute("PRAGMA freelist_count").fetchone()
        for _ in range(min(free - _SPARE_PAGES, PAGES_AT_ONCE)):
            # One at a time: Python's module takes only the first step of a statement that returns no rows.
            self.execute("PRAGMA incremental_vacuum(1)")


def connected(path: Path | str, *, uri: bool = False) -> SqliteConnection:
    """Return a connection to the file at `path`, which it makes if it is missing."""
    # Without an isolation level Python's module begins no transactions by itself.
    return sqlite3.connect(
        path,
        uri=uri,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        factory=SqliteConnection,
    )


def connected_uri(path: Path, options: str) -> SqliteConnection:
    """Return a connection to the file at `path` with SQLite's own `options`, such as "mode=ro"."""
    return connected(f"{path.absolute().as_uri()}?{options}", uri=True)


def in_memory() -> SqliteConnection:
    """Return a connection to an empty database in memory."""
    return connected(":memory:")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit everything in the block together, or nothing of it if the block raises."""
    # IMMEDIATE takes the write lock now: a transaction that begins by reading could find it taken halfway through.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite ends it by itself when the disk is full
            connection.execute("ROLLBACK")
        raise


def log_of(path: Path) -> Path:
    """Return the path of the write-ahead log of the file at `path`."""
    return Path(f"{path}-wal")


def log_bytes(log: Path) -> int:
    """Return the size of a log in bytes, 0 if there is none."""
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


class DamagedError(sqlite3.DatabaseError):
    """The file differs from what was written, although SQLite may consider it sound."""

    sqlite_errorname = "SQLITE_CORRUPT"


@contextmanager
def translated(path: Path, *, decoding: bool = False) -> Iterator[None]:
    """Raise the errors of SQLite and of the system about `path` as StateError with a remedy.

    With `decoding`, so are errors about the values of a row that was read: they differ from what was written.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _told(path, error) from error
    except DamagedRowError as error:
        raise damaged(path, message_of(error)) from error
    except OSError as error:
        raise unusable(path, error) from error
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError) as error:
        if not decoding:
            raise
        raise damaged(path, say("a row of it cannot be read: {error}", error=str(error))) from error


def damaged(path: Path, detail: str) -> StateError:
    """Return the error for a ledger whose content differs from what was written, with all remedies."""
    return StateError(
        say("{path} is damaged: {detail}", path=str(path), detail=detail),
        say(
            "restore a backup of it, as `syncd state backup` makes them, or move {path} and {path}-wal away and start"
            " again: with `adopt = true` syncd takes over the events it made before",
            path=str(path),
        ),
    )


def moved_away(path: Path) -> StateError:
    """Return the error for a ledger that was deleted, moved or replaced while syncd worked with it."""
    return StateError(
        say("{path} is gone: it was deleted, moved or replaced while syncd works with it", path=str(path)),
        say(
            "put it back if you have moved it, and syncd goes on; else start syncd again: it then reads the portal"
            " before it creates anything, and takes over the events it made before (`adopt` in the config)"
        ),
    )


def unusable(path: Path, error: OSError) -> StateError:
    """Return the error for a file or directory that the system does not give access to."""
    said = say("{path} cannot be used: {error}", path=str(path), error=error.strerror or str(error))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StateUnavailableError(said, _ROOM)
    return StateUnavailableError(said, _RIGHTS) if error.errno in _PASSING_IN_SYSTEM else StateError(said, _RIGHTS)


def _told(path: Path, error: sqlite3.Error) -> StateError:
    name: str = getattr(error, "sqlite_errorname", "") or ""  # absent when the module itself complains
    kind = name.removeprefix("SQLITE_").partition("_")[0]
    if kind in _PASSING:
        said, remedy = _PASSING[kind]
        return StateUnavailableError(said(str(path), str(error)), remedy)
    if kind in ("PERM", "AUTH"):
        return StateError(_closed(str(path), str(error)), _RIGHTS)
    if kind in ("CORRUPT", "NOTADB", "FORMAT", "MISMATCH") or any(sign in str(error) for sign in _OF_DAMAGE):
        return damaged(path, message_of(error))
    return StateError(
        say("{path} cannot be used: {error}", path=str(path), error=str(error)),
        say("`syncd state check` tells whether it is damaged"),
    )
