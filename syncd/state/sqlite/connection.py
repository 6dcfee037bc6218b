"""SQLite as the statements of the ledger see it, and its transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from syncd.state.rows import Row, Update

BUSY_TIMEOUT_S: Final = 10.0
"""How long to wait for a program that holds the file for a moment (a backup, an sqlite3 shell)."""
_SPARE_PAGES: Final = 256
"""How many free pages are kept for what comes next."""
PAGES_AT_ONCE: Final = 1024
"""How many pages one pass gives back to the disk at most: 4 MB, so that no pass waits for it."""
_SHARE: Final = "SELECT (SELECT count(*) FROM links WHERE sync = ?) * 8 > (SELECT max(rowid) FROM links)"


class SqliteConnection(sqlite3.Connection):
    """A connection to a file, or to a database in memory."""

    one_of = "IN (SELECT value FROM json_each(?))"

    def listed(self, values: Collection[Any]) -> str:
        """Return `values` as one parameter."""
        return orjson.dumps(list(values)).decode()

    def each(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> list[Row]:
        """Carry out one query for each of the rows, and return what all of them gave."""
        return [row for each in parameters for row in self.execute(sql, each)]

    def change(self, update: Update, parameters: Iterable[Sequence[Any]], /) -> int:
        """Carry out an update for each of the rows; SQLite has learnt how to sum."""
        return self.executemany(update.sql, parameters).rowcount

    def inserted(self, sql: str, parameters: Sequence[Any], /) -> int:
        """Carry out an INSERT and return the number of the new row."""
        number = self.execute(sql, parameters).lastrowid
        if number is None:
            raise sqlite3.DatabaseError("the run got no number")
        return number

    def rows(self, sql: str, parameters: Sequence[Any], /) -> Iterable[Row]:
        """Yield the rows of a query; SQLite reads on as they are asked for."""
        return self.execute(sql, parameters)

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Return a context for statements that may fail; then none of them has done anything."""
        self.execute("SAVEPOINT trying")
        try:
            yield
        except sqlite3.IntegrityError:
            self.execute("ROLLBACK TO trying")
            raise
        self.execute("RELEASE trying")

    def is_mostly(self, sync: str, /) -> bool:
        """Return True if most links are of this sync, so that it is quicker to read the table from end to end."""
        return bool(self.execute(_SHARE, (sync,)).fetchone()[0])

    def give_back(self) -> None:
        """Return pages that nothing needs any more to the disk, a few megabytes at a time."""
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
    """Return a connection to an empty database that is nowhere."""
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
    """Return where SQLite writes ahead for the file at `path`."""
    return Path(f"{path}-wal")


def log_bytes(log: Path) -> int:
    """Return the size of a log, 0 if there is none."""
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0
