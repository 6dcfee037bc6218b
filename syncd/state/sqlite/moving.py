"""Moves a ledger out of a file, or into a new file, which is built beside its place and put there at the end."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from syncd.errors import StateError
from syncd.lang.saying import say
from syncd.model.json_values import dumps, loads
from syncd.state.moving import NUMBERED, Numbers
from syncd.state.rows import Row, marks, summed
from syncd.state.sqlite.backup import synced
from syncd.state.sqlite.connection import SqliteConnection, connected, connected_uri, transaction, translated
from syncd.state.sqlite.echo import echo_of, write_echo
from syncd.state.sqlite.file import Lock, checkpoint, open_for_writing
from syncd.state.sqlite.schema import MOVED, STEPS, apply, moved_of, version_of

_ARRIVING = "arriving"
_MOVE = "SELECT value FROM notes WHERE scope = 'moved' AND name = ?"


class LeavingFile:
    """The ledger in the file at `path`, for this process alone until `close`; raises StateLockedError, StateError."""

    def __init__(self, path: Path, booted_at: float) -> None:
        if not path.exists():
            raise StateError(
                say("there is no state at {path} yet", path=str(path)), say("the first `syncd sync` makes it")
            )
        self.path = path.resolve()
        self.shown = str(self.path)
        self._booted_at = booted_at
        self._lock = Lock(self.path)
        try:
            with translated(self.path):
                self._moved = _moved_in(self.path)
            self.connection = connected(self.path) if self._moved is not None else open_for_writing(self.path)
        except BaseException:
            self._lock.release()
            raise

    def numbers(self) -> Numbers:
        """Return from where on ids go on."""
        (following,) = self.connection.execute("SELECT next FROM counters WHERE name = 'intent'").fetchone()
        found = dict(self.connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        return Numbers(next_intent=following, last={table: found.get(table, 0) for table in NUMBERED})

    def moved(self) -> tuple[str, str] | None:
        """Return where it was moved to and by which move, None if it was not."""
        return self._moved

    def mark_moved(self, target: str, move: str) -> None:
        """Have it refuse from now on and tell where it went; earlier versions take it for one of a newer syncd."""
        value = dumps({"to": target, "move": move})
        with translated(self.path):
            with transaction(self.connection):
                (version,) = self.connection.execute("PRAGMA user_version").fetchone()
                row = summed(("moved", "to", value, 0.0))
                self.connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?, ?)", row)
                self.connection.execute(f"PRAGMA user_version = {MOVED + version}")
            with suppress(sqlite3.Error, OSError):
                checkpoint(self.path, self.connection, self._booted_at)

    def close(self) -> None:
        """Close the file and release the lock."""
        self.connection.close()
        self._lock.release()


class ArrivingFile:
    """A ledger that comes to the file at `path`; it grows beside it."""

    def __init__(self, path: Path, booted_at: float) -> None:
        with translated(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path.resolve()
        self.shown = str(self.path)
        self._booted_at = booted_at
        self._beside = Path(f"{self.path}.moving")
        self._lock = Lock(self.path)
        self._connection: SqliteConnection | None = None

    @property
    def connection(self) -> SqliteConnection:
        """The connection to the file that grows."""
        assert self._connection is not None
        return self._connection

    def pending(self) -> str | None:
        """Return which move has brought everything here without being finished, None for none."""
        if not self._beside.exists():
            return None
        with translated(self._beside):
            found = connected_uri(self._beside, "mode=ro")
            try:
                row = found.execute(_MOVE, (_ARRIVING,)).fetchone()
            except sqlite3.DatabaseError:  # it was not even begun to be filled
                return None
            finally:
                found.close()
        return None if row is None else str(loads(row[0]))

    @contextmanager
    def filling(self, move: str) -> Iterator[None]:
        """Make a file beside the place for what the block puts there; raises StateError if there is a ledger."""
        with translated(self.path):
            self._refuse_ledger()
            for one in (self._beside, Path(f"{self._beside}-wal"), Path(f"{self._beside}-journal")):
                one.unlink(missing_ok=True)
            os.close(os.open(self._beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            connection = self._connection = connected(self._beside)
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA synchronous = FULL")
            apply(connection, STEPS, 0)
            with transaction(connection):
                yield
                row = summed(("moved", _ARRIVING, dumps(move), 0.0))
                connection.execute("INSERT INTO notes VALUES (?, ?, ?, ?, ?)", row)

    def _refuse_ledger(self) -> None:
        if not self.path.exists() or not self.path.stat().st_size or _moved_in(self.path) is not None:
            return
        found = connected_uri(self.path, "mode=ro")
        try:
            version_of(found, self.shown, newest=len(STEPS))
            for table in ("links", "intents", "runs"):
                if found.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0]:  # noqa: S608 - a constant
                    raise StateError(
                        say("{shown} holds a state already", shown=self.shown),
                        say("name another file, or move that one away"),
                    )
        finally:
            found.close()

    def put(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        """Put rows into a table."""
        self.connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks(columns)})", rows)  # noqa: S608

    def put_numbers(self, numbers: Numbers) -> None:
        """Let ids go on from there."""
        self.connection.execute("UPDATE counters SET next = ? WHERE name = 'intent'", (numbers.next_intent,))
        for table, last in numbers.last.items():
            self.connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            self.connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))

    def let_go(self) -> None:
        """Put the file into its place, as one that syncd has left in order."""
        with translated(self.path):
            connection = self._connection or connected(self._beside)
            self._connection = None
            with transaction(connection):
                connection.execute("DELETE FROM notes WHERE scope = 'moved'")
                connection.execute("INSERT OR REPLACE INTO counters (name, next) VALUES ('generation', 1)")
            connection.close()
            for stale in ("-wal", "-shm"):  # of a file that was moved away from here before
                Path(f"{self.path}{stale}").unlink(missing_ok=True)
            self._beside.replace(self.path)
            synced(self.path.parent)
            write_echo(self.path, echo_of(self.path, 1, self._booted_at, clean=True))

    def close(self) -> None:
        """Close what is open, and release the lock."""
        if self._connection is not None:
            self._connection.close()
        self._lock.release()


def _moved_in(path: Path) -> tuple[str, str] | None:
    """Return where the ledger at `path` was moved to and by which move, None if it was not."""
    found = connected_uri(path, "mode=ro")
    try:
        return moved_of(found)
    except sqlite3.DatabaseError:
        return None  # whoever opens it is told what is wrong
    finally:
        found.close()
