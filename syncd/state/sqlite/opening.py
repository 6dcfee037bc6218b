"""How a ledger is opened: lock, echo, checks, and what the start itself writes."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from msgspec.structs import replace

from syncd import events
from syncd.state.base import Backup, Doubt, Store
from syncd.state.notes import forget_all_verified, note_restored
from syncd.state.runs import end_runs
from syncd.state.sqlite.backup import back_up, check
from syncd.state.sqlite.connection import SqliteConnection, in_memory, transaction
from syncd.state.sqlite.echo import Echo, doubt_of, echo_of, read_echo
from syncd.state.sqlite.file import (
    LedgerThread,
    Lock,
    checkpoint,
    foreign_log,
    generation_of,
    open_for_reading,
    open_for_writing,
)
from syncd.state.sqlite.schema import STEPS, apply, check_all, check_structure
from syncd.state.sqlite.trouble import translated

_log = structlog.get_logger()


class FileStore(LedgerThread):
    """An open ledger in a file, with what is done to it as a whole."""

    def check(self) -> int:
        """Read every page and every row, and return how many items are linked."""
        return check(self.connection)

    def back_up(self, target: Path) -> Backup:
        """Copy the ledger as it is now to the file `target`, and read the copy back."""
        return back_up(self.connection, self.path, target)


def open_locked(path: Path, now: float, booted_at: float, executor: ThreadPoolExecutor) -> FileStore:
    """Open the ledger at `path` for this process alone, as `Ledger.open` says; `executor` is the thread it runs in."""
    with translated(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        real = path.resolve()  # a symbolic link and its file must share one lock
    lock = Lock(real)
    try:
        return _opened(real, now, booted_at, executor, lock)
    except BaseException:
        lock.release()
        raise


def open_readonly(path: Path, booted_at: float, thorough: bool, executor: ThreadPoolExecutor) -> FileStore:
    """Open the ledger at `path` for looking only, as `Ledger.open_readonly` says."""
    with translated(path):
        before = _seen(path, booted_at)
    connection = open_for_reading(path)
    doubt = _doubt(path, connection, before)
    if doubt is not None and (doubt.replaced or thorough):
        with translated(path):
            check_structure(connection)
            check_all(connection)
    if doubt is not None and not doubt.replaced:
        doubt = None  # who only reads cannot tell a process that works with it now from one that has crashed
    return FileStore(path, connection, executor, None, doubt=doubt, booted_at=booted_at)


def empty_store(shown: str, executor: ThreadPoolExecutor) -> Store:
    """Return an empty ledger that can only be read, for a place where there is none yet."""
    connection = in_memory()
    with translated(Path(shown)):
        apply(connection, STEPS, 0)
        connection.execute("PRAGMA query_only = ON")
    return FileStore(Path(shown), connection, executor, None)


def _opened(path: Path, now: float, booted_at: float, executor: ThreadPoolExecutor, lock: Lock) -> FileStore:
    if foreign_log(path):
        _set_log_aside(path)
    with translated(path):
        before = _seen(path, booted_at)  # opening it may change it
    connection = open_for_writing(path)
    try:
        doubt = _doubt(path, connection, before)
        with translated(path):
            if doubt is not None:
                check_all(connection)  # who changed the file may have changed a row
            with transaction(connection):
                _begin(connection, now, doubt)
            checkpoint(path, connection, booted_at)
    except BaseException:
        connection.close()
        raise
    return FileStore(path, connection, executor, lock, doubt=doubt, booted_at=booted_at)


def _begin(connection: SqliteConnection, now: float, doubt: Doubt | None) -> None:
    # The lock is held, so no pass can be running.
    end_runs(connection, now)
    if doubt is not None:
        # In the file, so that it holds until the portal has been read, however often syncd starts before.
        forget_all_verified(connection)
        if doubt.replaced:
            note_restored(connection, now)


def _seen(path: Path, booted_at: float) -> Echo | None:
    """Return what the ledger at `path` is now, but for its generation; None without content that could be doubted."""
    if not path.exists() or not path.stat().st_size:
        return None
    return echo_of(path, 0, booted_at, clean=False)


def _doubt(path: Path, connection: sqlite3.Connection, before: Echo | None) -> Doubt | None:
    """Return why the ledger is not to be believed that was `before` when `connection` to it was opened."""
    if before is None:
        return None
    with translated(path):
        return doubt_of(read_echo(path), replace(before, generation=generation_of(connection)))


def _set_log_aside(path: Path) -> None:
    """Rename the log of a newer file, so that SQLite does not mix it into this older one."""
    kept = Path(f"{path}-wal.old")
    with translated(path):
        Path(f"{path}-wal").replace(kept)
        Path(f"{path}-shm").unlink(missing_ok=True)
    _log.warning(events.LOG_SET_ASIDE, path=str(path), kept=str(kept))
