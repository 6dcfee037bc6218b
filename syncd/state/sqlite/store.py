"""An open ledger in a file, and how it is opened: lock, echo, checks, and what the start itself writes.

All work is done in a single thread, one piece after the other, so that a slow disk never blocks the event loop and no
two transactions overlap. If a coroutine is cancelled, its transaction is complete or has not begun.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Final, TypeVar

import structlog
from msgspec.structs import replace

from syncd import events
from syncd.scrub import Clean
from syncd.state.base import Backup, Doubt, Store
from syncd.state.notes import forget_all_verified, note_restored
from syncd.state.runs import end_runs
from syncd.state.sqlite.backup import back_up, check
from syncd.state.sqlite.connection import (
    SqliteConnection,
    in_memory,
    log_bytes,
    log_of,
    moved_away,
    transaction,
    translated,
)
from syncd.state.sqlite.echo import CLOCK_TOLERANCE_S, Echo, doubt_of, echo_of, read_echo, write_echo
from syncd.state.sqlite.file import (
    Lock,
    checkpoint,
    foreign_log,
    generation_of,
    open_for_reading,
    open_for_writing,
)
from syncd.state.sqlite.schema import STEPS, apply, check_all, check_structure

T = TypeVar("T")
_log = structlog.get_logger()
_LOG_BYTES: Final = 4 * 1024 * 1024
"""How large the write-ahead log grows before its pages are copied into the file: what SQLite itself does by default."""
_WRITES: Final = 64
"""After how many transactions they are copied at the latest; two make up one batch of a push."""


class FileStore:
    """An open ledger in the file at `path`, with the thread that works on it; without a `lock` it only reads.

    `clean` takes secrets out of errors that are kept, which may quote a portal or a feed. `doubt` is why the ledger may
    be older than the portal, None if there is no reason to doubt it. `booted_at` is the unix time at which the machine
    started.
    """

    def __init__(
        self,
        path: Path,
        connection: SqliteConnection,
        executor: ThreadPoolExecutor,
        lock: Lock | None,
        *,
        doubt: Doubt | None = None,
        booted_at: float = 0.0,
    ) -> None:
        self.path = path
        self.connection = connection
        self.lock = lock
        self.readonly = lock is None
        self.clean: Clean = str
        self.writes = Counter[str]()
        self.doubt = doubt
        self.booted_at = booted_at
        self._log = log_of(path)
        self._uncopied = 0
        self._log_bytes = _LOG_BYTES
        self._executor = executor
        self._closed = False
        self._file = _identity(path) if lock is not None else None

    @property
    def shown(self) -> str:
        """The path, for messages."""
        return str(self.path)

    def owns(self, _sync: str) -> bool:
        """Return True if this process has the lock, for then no other writes."""
        return self.lock is not None

    def board(self) -> None:
        """Return None, because a file belongs to a single machine."""

    def put_back(self, booted_at: float) -> bool:
        """Return True, once, if the machine seems to have started at another time than before, and the file with it."""
        if abs(booted_at - self.booted_at) <= CLOCK_TOLERANCE_S:
            return False
        self.booted_at = booted_at
        return True

    async def do(self, work: Callable[[], T], *, writes: bool = False, scope: str = "") -> T:
        """Do `work` in the thread, in one transaction if it `writes`; for a file it does not matter about what.

        Raises StateError if the file cannot be read or written, or is no longer at its path: what is written to a
        deleted file is lost with the process, so an intent that was written there must not be sent.
        """

        def job() -> T:
            if writes:
                self.writes[scope] += 1
            # Outside the transaction, as it is the commit that fails when the disk is full.
            if writes and self._file is not None and _identity(self.path) != self._file:
                raise moved_away(self.path)
            with translated(self.path, decoding=not writes), transaction(self.connection) if writes else nullcontext():
                result = work()
            if writes and self._log_is_long():
                # What was to be written is on disk already. A full disk must not say otherwise: the log grows a bit.
                with suppress(sqlite3.Error, OSError):
                    checkpoint(self.path, self.connection, self.booted_at)
            return result

        return await asyncio.get_running_loop().run_in_executor(self._executor, job)

    def _log_is_long(self) -> bool:
        """Return True now and then, and whenever the log has grown.

        SQLite writes a log that was copied again from its start, but does not make it shorter, which spares the disk.
        So the size alone does not tell how much is in it.
        """
        self._uncopied += 1
        size = log_bytes(self._log)
        if self._uncopied < _WRITES and size <= self._log_bytes:
            return False
        self._uncopied, self._log_bytes = 0, max(size, _LOG_BYTES)
        return True

    def check(self) -> int:
        """Read every page and every row, and return how many items are linked."""
        return check(self.connection)

    def back_up(self, target: Path) -> Backup:
        """Copy the ledger as it is now to the file `target`, and read the copy back."""
        return back_up(self.connection, self.path, target)

    async def close(self) -> None:
        """Finish the work that has begun, close the file and release the lock; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._executor, self._close)
        self._executor.shutdown()

    def _close(self) -> None:
        try:
            with translated(self.path):
                echo = None
                if self.lock is not None:
                    with suppress(sqlite3.Error, OSError):  # a full disk: the next start finds no clean end, and looks
                        echo = checkpoint(self.path, self.connection, self.booted_at)
                self.connection.close()
                if echo is not None:
                    with suppress(OSError):
                        write_echo(self.path, echo_of(self.path, echo.generation, self.booted_at, clean=True))
        finally:
            if self.lock is not None:
                self.lock.release()


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
    """Open the ledger at `path` for reading only, as `Ledger.open_readonly` says."""
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
    """Return the echo of the ledger at `path` as it is now, without its generation; None for an empty ledger."""
    if not path.exists() or not path.stat().st_size:
        return None
    return echo_of(path, 0, booted_at, clean=False)


def _doubt(path: Path, connection: sqlite3.Connection, before: Echo | None) -> Doubt | None:
    """Return why the ledger is to be doubted, None if it is not. `before` is its echo before it was opened."""
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


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells the file at `path` from every other one, None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - before each transaction, and Path.stat takes twice the time
    except OSError:
        return None
    return found.st_dev, found.st_ino
