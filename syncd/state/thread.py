"""The one thread in which everything that touches the ledger's file happens, and the two ways into it.

One after the other, so that a slow disk never stops the event loop and no two transactions meet. A coroutine that is
cancelled leaves its transaction either whole or not begun, never half.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import update_wrapper
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from syncd.state.file import Lock, transaction, translated

P = ParamSpec("P")
T = TypeVar("T")


class LedgerThread:
    """An open connection to the ledger at `path` with the thread that uses it; without a `lock` it only reads."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, executor: ThreadPoolExecutor, lock: Lock | None
    ) -> None:
        self.path = path
        self.connection = connection
        self.lock = lock
        self._executor = executor
        self._closed = False

    async def do(self, work: Callable[[], T]) -> T:
        """Do `work` in the thread; raises StateError when the file cannot be read or written."""

        def job() -> T:
            with translated(self.path):
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._executor, job)

    async def close(self) -> None:
        """Finish what is under way, close the file and let others have it; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._executor, self._close)
        self._executor.shutdown()

    def _close(self) -> None:
        try:
            with translated(self.path):
                self.connection.close()
        finally:
            if self.lock is not None:
                self.lock.release()


class InThread(Protocol):
    """Something that works on the ledger's connection."""

    @property
    def thread(self) -> LedgerThread:
        """The thread to do it in."""
        ...


S = TypeVar("S", bound=InThread)
_Work = Callable[Concatenate[S, sqlite3.Connection, P], T]
_Coroutine = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]


def reading(work: _Work[S, P, T]) -> _Coroutine[S, P, T]:
    """Make a method that reads by the connection a coroutine that does so in the ledger's thread."""

    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.thread.do(lambda: work(self, self.thread.connection, *args, **kwargs))

    update_wrapper(call, work)
    return call


def writing(work: _Work[S, P, T]) -> _Coroutine[S, P, T]:
    """Make a method that writes by the connection a coroutine: one transaction, on disk when it returns."""

    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        connection = self.thread.connection

        def job() -> T:
            with transaction(connection):
                return work(self, connection, *args, **kwargs)

        return await self.thread.do(job)

    update_wrapper(call, work)
    return call
