"""Moves a ledger from one store to another: all of it or nothing, and there are never two that can be used.

    1. everything is copied, read back and compared: counts, and a hash of all rows in their order. What was copied is
       marked as on its way, and cannot be used
    2. the old ledger is marked as moved, and refuses to be used from now on
    3. the mark is taken from the new ledger

If a move ends between two steps, because of a crash or a lost server, the same command carries it on: before step 2 it
begins again, after step 2 it does the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Final, Protocol

from syncd.errors import StateError
from syncd.lang.saying import say
from syncd.model.json_values import dumps
from syncd.state.base import Connection
from syncd.state.rows import CHANGE, INTENT, KEY, RUN, SUMMED_HOLD, SUMMED_LINK, SUMMED_NOTE, Row

TABLES: Final = {
    # Runs first, for intents and changes refer to them.
    "runs": (f"id, {RUN}, sum", "id"),
    "links": (f"{SUMMED_LINK}, sum", f"sync, {KEY}"),
    "holds": (f"{SUMMED_HOLD}, sum", f"sync, {KEY}"),
    "intents": (f"{INTENT}, sum", "id"),
    "changes": (f"{CHANGE}, settled_in, sum", "id"),
    "notes": (f"{SUMMED_NOTE}, sum", "scope, name"),
}
"""The columns of each table that are moved, and in which order they are compared."""
NUMBERED: Final = ("runs", "changes")
"""The tables whose rows are numbered by the database, and never get the number of an earlier one."""
_HASHED_AT_ONCE: Final = 1_000
_ROW_BYTES: Final = 1_000
"""How long a row is as JSON, about, with much to spare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A move that was made: how many rows of each table went where; `finished` if an earlier one was only ended."""

    source: str
    target: str
    rows: Mapping[str, int]
    finished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The counters of ids: the next one of intents, and the last one that was given to a row of each numbered table."""

    next_intent: int
    last: Mapping[str, int]


class Leaving(Protocol):
    """The store that a ledger leaves; nobody works with it meanwhile."""

    @property
    def shown(self) -> str:
        """The name of the store in messages."""
        ...

    @property
    def connection(self) -> Connection:
        """The connection that reads it."""
        ...

    def numbers(self) -> Numbers:
        """Return from where on ids go on."""
        ...

    def moved(self) -> tuple[str, str] | None:
        """Return where it was moved to and by which move, None if it was not."""
        ...

    def mark_moved(self, target: str, move: str) -> None:
        """Make the ledger refuse from now on, and tell where it went; on disk when this returns."""
        ...

    def close(self) -> None:
        """Close it; what was not committed is undone."""
        ...


class Arriving(Protocol):
    """The store that a ledger comes to."""

    @property
    def shown(self) -> str:
        """The name of the store in messages."""
        ...

    @property
    def connection(self) -> Connection:
        """The connection that reads it."""
        ...

    def pending(self) -> str | None:
        """Return which move has brought everything here without being finished, None for none."""
        ...

    def filling(self, move: str) -> AbstractContextManager[None]:
        """Make room for a ledger that the block puts there, which cannot be used before `let_go`.

        All of it is on disk at the end of the block, and nothing if it raises. Raises StateError if there is a ledger.
        """
        ...

    def put(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        """Put rows into a table."""
        ...

    def put_numbers(self, numbers: Numbers) -> None:
        """Have ids go on from there."""
        ...

    def let_go(self) -> None:
        """Allow the ledger to be used from now on."""
        ...

    def close(self) -> None:
        """Close it; what was not committed is undone."""
        ...


def move(source: Leaving, target: Arriving, name: str) -> Moved:
    """Move the ledger in `source` to `target`; `name` is one that no other move has.

    Raises StateError where either cannot be used for it, and where what has arrived is not what left.
    """
    already = source.moved()
    if already is not None:
        place, earlier = already
        if place != target.shown or target.pending() != earlier:
            raise StateError(
                say("the state in {shown} was moved to {place}", shown=source.shown, place=place),
                say("let the config name that one"),
            )
        target.let_go()
        return Moved(source=source.shown, target=target.shown, rows={}, finished=True)
    with target.filling(name):
        counts = dict(_copied(source, target))
        target.put_numbers(source.numbers())
    source.mark_moved(target.shown, name)
    target.let_go()
    return Moved(source=source.shown, target=target.shown, rows=counts)


def _copied(source: Leaving, target: Arriving) -> Iterator[tuple[str, int]]:
    for table, (columns, order) in TABLES.items():
        left = Digest()
        query = f"SELECT {columns} FROM {table} ORDER BY {order}"  # noqa: S608 - constants of this room
        target.put(table, columns, left.seen(source.connection.rows(query, ())))
        arrived = Digest()
        for _ in arrived.seen(target.connection.rows(query, ())):
            pass
        if (left.count, left.value) != (arrived.count, arrived.value):
            raise StateError(
                say(
                    "{target} has {arrived} {table} that are not the {left} of {source}",
                    target=target.shown,
                    arrived=arrived.count,
                    table=table,
                    left=left.count,
                    source=source.shown,
                ),
                say("nothing was moved; `syncd state check` tells whether the old one is sound"),
            )
        yield table, left.count


class Digest:
    """How many rows went by, and a hash of all of them in their order."""

    def __init__(self) -> None:
        self.count = 0
        self._hash = blake2b(digest_size=16)

    @property
    def value(self) -> bytes:
        """The hash."""
        return self._hash.digest()

    def seen(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Count and hash `rows`, and yield them."""
        left = iter(rows)
        # Many at once: taken one by one, millions of rows cost more to be hashed than to be read and written.
        while some := [*islice(left, _HASHED_AT_ONCE)]:
            self.count += len(some)
            self._hash.update(dumps(some, default=bytes.decode, about_bytes=len(some) * _ROW_BYTES))
            yield from some
