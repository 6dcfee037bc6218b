"""What a store of the ledger gives to those who read and write in it: a connection, and the one thread that uses it.

The statements of this room are written once, in the SQL that SQLite and PostgreSQL share; where the two differ, the
connection says how (`one_of`, `change`, `inserted`). `sqlite/` and `postgres/` implement both protocols, and the tests
in `tests/state` are run over both.
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
    """Why the ledger may be older than the portal; `replaced` if the store itself is another than syncd left."""

    reason: str
    replaced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy that was made: where, how large, and how many items are linked in it."""

    path: Path
    size_bytes: int
    items: int


class Cursor(Protocol):
    """What a statement gave; iterating yields rows as tuples."""

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
    """A connection as the statements of this room use it, within a transaction of the store's thread.

    Placeholders are `?` or `?1`, as SQLite counts them. A name with a `+` before it is not to be looked up in an index.
    """

    @property
    def IntegrityError(self) -> type[Exception]:  # noqa: N802 - as DB-API names it on a connection (PEP 249)
        """What is raised for a row that a constraint refuses."""
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
        """Carry out one statement for each of the rows; `rowcount` counts what all of them changed."""
        ...

    def each(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> list[Row]:
        """Carry out one query for each of the rows, and return what all of them gave."""
        ...

    def change(self, update: Update, parameters: Iterable[Sequence[Any]], /) -> int:
        """Carry out an update for each of the rows, keep the sums right, and return how many rows it changed."""
        ...

    def inserted(self, sql: str, parameters: Sequence[Any], /) -> int:
        """Carry out an INSERT into a table that numbers its rows, and return the number."""
        ...

    def rows(self, sql: str, parameters: Sequence[Any], /) -> Iterable[Row]:
        """Yield the rows of a query that may give very many, without holding all of them."""
        ...

    def trying(self) -> AbstractContextManager[object]:
        """Let the statements in the block fail: then what was written before it can still be read and committed."""
        ...

    def is_mostly(self, sync: str, /) -> bool:
        """Return True if most links are of this sync, and it is quicker to read the table from end to end."""
        ...

    def give_back(self) -> None:
        """Return room that nothing needs any more to the disk, a little at a time."""
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
        """The connection; to be asked for in the thread only, and again in each piece of work."""
        ...

    @property
    def shown(self) -> str:
        """What the store is called in messages: its path, or its address without secrets."""
        ...

    @property
    def readonly(self) -> bool:
        """True for a store that was opened for looking only."""
        ...

    @property
    def doubt(self) -> Doubt | None:
        """Why what it notes of the portal may be older than the portal, None if it need not be doubted."""
        ...

    def owns(self, sync: str) -> bool:
        """Return True if nobody but this process writes to the sync now."""
        ...

    def put_back(self, booted_at: float) -> bool:
        """Return True, once, if the machine seems to have started at another time, and the store with it."""
        ...

    def board(self) -> Board | None:
        """Return which machine holds which portal, None for a store that one machine has for itself; in the thread."""
        ...

    async def do(self, work: Callable[[], T], *, writes: bool = False, scope: str = "") -> T:
        """Do `work` in the thread, in one transaction; one that `writes` says what of: "sync/NAME", "portal/NAME", "".

        Raises StateError when the store cannot be read or written. What it raised of has not been done, or it cannot be
        known whether it was: then the store tells, when it is read again.
        """
        ...

    def check(self) -> int:
        """Read everything and return how many items are linked; in the thread. Raises for what is damaged."""
        ...

    def back_up(self, target: Path) -> Backup:
        """Copy everything to the file `target`, in place of an earlier backup there; in the thread."""
        ...

    async def close(self) -> None:
        """Finish the work that has begun and close the store; a second call does nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalClaim:
    """A portal as a config knows it: by which name, at which host, and the portal's own number where that is known."""

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
    """An object whose methods work on a store's connection; `scope` says what of the ledger it is about."""

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
