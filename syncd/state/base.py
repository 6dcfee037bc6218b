"""The protocols of a store of the ledger: its connection, and the one thread that uses the connection.

The statements of this package are written once, in the SQL that SQLite and PostgreSQL share. Where the two differ, a
method of the connection hides the difference (`one_of`, `change`, `inserted`). `sqlite/` and `postgres/` implement both
protocols, and `tests/state` runs over both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, runtime_checkable

import msgspec

from syncd.model.lease import Board
from syncd.scrub import Clean
from syncd.state.rows import Row, Update

P = ParamSpec("P")
T = TypeVar("T")


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """Why the ledger may be older than the portal; `replaced` is True if the store is not the one that syncd left."""

    reason: str
    replaced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy of the ledger: its path, its size, and the number of items that are linked in it."""

    path: Path
    size_bytes: int
    items: int


class Cursor(Protocol):
    """The result of a statement; iterating yields its rows as tuples."""

    @property
    def rowcount(self) -> int:
        """How many rows the statement changed."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401 - a row's values are what the statement asks for
        """Return the next row, None if there is none."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows."""
        ...


class Connection(Protocol):
    """A connection as the statements of this package use it, within a transaction in the store's thread.

    Placeholders are `?` or `?1`, as in SQLite. A column with a `+` before its name is not looked up in an index.
    """

    @property
    def IntegrityError(self) -> type[Exception]:  # noqa: N802 - as DB-API names it on a connection (PEP 249)
        """The exception that is raised for a row that violates a constraint."""
        ...

    @property
    def one_of(self) -> str:
        """The condition with one placeholder that is true of the values in what `listed` returns."""
        ...

    def listed(self, values: Collection[Any]) -> Any:  # noqa: ANN401 - whatever the driver takes
        """Return the parameter that stands for all of `values`."""
        ...

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Carry out one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        """Carry out one statement for each of the rows; `rowcount` is the number of rows that all of them changed."""
        ...

    def each(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> list[Row]:
        """Carry out one query for each of the rows, and return the results of all of them."""
        ...

    def change(self, update: Update, parameters: Iterable[Sequence[Any]], /) -> int:
        """Carry out an update for each of the rows, update their sums, and return the number of changed rows."""
        ...

    def inserted(self, sql: str, parameters: Sequence[Any], /) -> int:
        """Carry out an INSERT into a table that numbers its rows, and return the number."""
        ...

    def rows(self, sql: str, parameters: Sequence[Any], /) -> Iterable[Row]:
        """Yield the rows of a query that may return very many, without holding all of them in memory."""
        ...

    def trying(self) -> AbstractContextManager[object]:
        """Return a context for statements that may fail without ending the transaction that they are part of."""
        ...

    def is_mostly(self, sync: str, /) -> bool:
        """Return True if this sync has so many of the links that reading the whole table is quicker."""
        ...

    def give_back(self) -> None:
        """Return unused space to the disk, a little at a time."""
        ...


class Store(Protocol):
    """An open store: its connection, with the thread that uses it."""

    clean: Clean
    """Takes secrets out of what is kept of errors, which may quote a portal or a feed."""
    writes: Counter[str]
    """The number of writes of each scope, failed ones included: a count made before the last of them is out of date.

    Used in the thread only.
    """

    @property
    def connection(self) -> Connection:
        """The connection. Use it in the thread only, and ask for it again in each piece of work."""
        ...

    @property
    def shown(self) -> str:
        """What the store is called in messages: its path, or its address without secrets."""
        ...

    @property
    def readonly(self) -> bool:
        """True if the store was opened for reading only."""
        ...

    @property
    def doubt(self) -> Doubt | None:
        """Why the store may be older than the portal, None if there is no reason to doubt it."""
        ...

    def owns(self, sync: str) -> bool:
        """Return True if nobody but this process writes to the sync now."""
        ...

    def put_back(self, booted_at: float) -> bool:
        """Return True, once, if the machine seems to have been put back to an earlier state, and the store with it."""
        ...

    def board(self) -> Board | None:
        """Return which machine holds which portal, None for a store of a single machine. Call it in the thread."""
        ...

    async def do(self, work: Callable[[], T], *, writes: bool = False, scope: str = "") -> T:
        """Do `work` in the thread, in one transaction.

        If it `writes`, `scope` says about what: "sync/NAME", "portal/NAME" or "". Raises StateError if the store cannot
        be read or written. Then the work was not done, or may not have been: reading the store again tells.
        """
        ...

    def check(self) -> int:
        """Read everything and return the number of linked items. Call it in the thread. Raises an error for damage."""
        ...

    def back_up(self, target: Path) -> Backup:
        """Copy everything to the file `target`, replacing an earlier backup there. Call it in the thread."""
        ...

    async def close(self) -> None:
        """Finish the work that has begun and close the store; a second call does nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalClaim:
    """A portal as a config names it: its name, its address, and the portal's own id where that is known."""

    name: str
    origin: str
    member_id: str | None = None


@runtime_checkable
class IsShared(Protocol):
    """A store that several configs and machines share."""

    async def claim_portals(self, claims: Sequence[PortalClaim], config: Path, machine: str) -> None:
        """Note which portals a config works with; raises ConfigError where two names or two portals would meet."""
        ...


@runtime_checkable
class KeepsFeeds(Protocol):
    """A store that keeps what sources fetched, for other machines; both methods block until its thread has done it."""

    def kept_feed(self, name: str) -> bytes | None:
        """Return what was kept under `name`, None if there is nothing; raises StateError."""
        ...

    def keep_feed(self, name: str, content: bytes) -> None:
        """Keep `content` under `name`, and drop the oldest where there is too much; raises StateError."""
        ...


class InStore(Protocol):
    """An object whose methods work on a store's connection; `scope` says which part of the ledger they are about."""

    @property
    def thread(self) -> Store:
        """The store."""
        ...

    @property
    def scope(self) -> str:
        """ "sync/NAME", "portal/NAME", or "" for what belongs to no sync and no portal."""
        ...


S = TypeVar("S", bound=InStore)
_Work = Callable[Concatenate[S, Connection, P], T]
_Coroutine = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]


def reading(work: _Work[S, P, T]) -> _Coroutine[S, P, T]:
    """Turn a method that reads through the connection into a coroutine that does so in the store's thread."""
    return _in_thread(work, writes=False)


def writing(work: _Work[S, P, T]) -> _Coroutine[S, P, T]:
    """Turn a method that writes through the connection into a coroutine: one transaction, kept when it returns."""
    return _in_thread(work, writes=True)


def _in_thread(work: _Work[S, P, T], *, writes: bool) -> _Coroutine[S, P, T]:
    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        store = self.thread
        return await store.do(lambda: work(self, store.connection, *args, **kwargs), writes=writes, scope=self.scope)

    update_wrapper(call, work)
    return call
