"""PostgreSQL as the statements of the ledger use it: connections and transactions.

Every transaction makes its own settings (the schema, how long it may stand idle), and none of them outlives it, because
there may be a pooler between syncd and the server that gives each transaction to another session.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg import RawCursor, RawServerCursor
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.string import TextBinaryLoader

from syncd.config.database import Database
from syncd.state.base import Cursor
from syncd.state.postgres.texts import learn_texts, rows_as_they_were
from syncd.state.rows import Row, Update, row_sum

OLDEST_SERVER: Final = 140000
CONNECT_TIMEOUT_S: Final = 5
LONGEST_IDLE_S: Final = 10.0
"""How long a transaction that writes may stand still: then this process is frozen, and others wait for its locks."""
_ROWS_AT_ONCE: Final = 5_000
_ANSWERS_AT_ONCE: Final = 1_000
_DEFAULTS: Final = {
    "application_name": "syncd",
    "connect_timeout": CONNECT_TIMEOUT_S,
    # A server that vanishes without a word is noticed within some ten seconds, not after the kernel's hours.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""What holds unless the address says otherwise."""
_PLACEHOLDER: Final = re.compile(r"\?(\d*)")
TIMELINE: Final = "('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int::text"
"""The timeline that the server writes: another one has taken over, or an earlier moment was restored, if it changes.

By the name of its log, for what it tells in plain words is that of its last checkpoint (PostgreSQL's docs, 9.27).
"""
_NUMBER: Final = " SELECT pg_current_xact_id()::text, NULL, NULL, ''"
_NUMBER_AND_STATE: Final = f" SELECT pg_current_xact_id()::text, moved_to, version, {TIMELINE} FROM state"  # noqa: S608 - constants
_SIGN: Final = (
    " WITH signed AS (INSERT INTO signatures (connection, count) VALUES ('{connection}', {count})"
    " ON CONFLICT (connection) DO UPDATE SET count = excluded.count, at = clock_timestamp())"
)
_SIGNED: Final = "SELECT 1 FROM signatures WHERE connection = $1 AND count = $2"
_FACTS: Final = (
    "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), pg_backend_pid(),"
    " current_setting('synchronous_commit')"
)


@cache
def statement(sql: str) -> str:
    """Return a statement of the ledger as PostgreSQL counts placeholders, without SQLite's hints about indexes."""
    highest = 0

    def number(found: re.Match[str]) -> str:
        nonlocal highest
        highest = max(highest, own := int(found[1] or highest + 1))
        return f"${own}"

    return _PLACEHOLDER.sub(number, sql.replace(" +sync ", " sync "))


class PostgresConnection:
    """A connection to the server, within one transaction after the other."""

    IntegrityError: type[Exception] = psycopg.IntegrityError
    one_of = "= ANY (?)"

    def __init__(self, raw: psycopg.Connection[Any], schema: str) -> None:
        self.raw = raw
        facts = raw.execute(_FACTS, prepare=False).fetchone()
        assert facts is not None
        self.version, self.encoding, pid, commits = facts
        self.pooled = pid != raw.info.backend_pid
        """True if a pooler answers in the server's place, for the session that greeted is not the one that works."""
        learn_texts(raw, self.note_odd)
        raw.prepare_threshold = None if self.pooled else 5
        self._writes = self._odd_texts = False
        self.moved_to: str | None = None
        self.version_there: int | None = None
        self.timeline = ""
        self._name, self._count = uuid4().hex, 0
        self._local = f'SET LOCAL search_path TO "{schema}"; '
        # Weaker, a commit could be lost after it was told: an intent whose create was sent.
        self._durable = "SET LOCAL synchronous_commit TO on; " if commits == "off" else ""

    def begin(self, *, writes: bool, made: bool = False, idle_s: float = LONGEST_IDLE_S) -> str:
        """Begin a transaction, and return the number by which the server knows it; "" for one that only reads.

        If the tables are `made`, one that writes finds out whether the ledger was moved away (`moved_to`), the
        version of the tables (`version_there`) and the `timeline` of the server, and it leaves its `signature` in the
        tables. The server ends a transaction that writes and stands still for `idle_s`.
        """
        self._writes, self._odd_texts = writes, False
        if not writes:
            self.raw.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {self._local}", prepare=False)
            return ""
        cursor = self.raw.execute(
            f"BEGIN; {self._local}{self._durable}SET LOCAL idle_in_transaction_session_timeout TO {idle_s * 1000:.0f};"
            + (self._signed() + _NUMBER_AND_STATE if made else _NUMBER),
            prepare=False,
        )
        while cursor.nextset():
            pass
        found = cursor.fetchone()
        assert found is not None
        number, self.moved_to, self.version_there, self.timeline = found
        return str(number)

    @property
    def signature(self) -> tuple[str, int]:
        """What the last transaction that wrote put into the table `signatures`; it is there if that was committed."""
        return self._name, self._count

    def _signed(self) -> str:
        self._count += 1
        return _SIGN.format(connection=self._name, count=self._count)

    def has(self, signature: tuple[str, int]) -> bool:
        """Return True if the tables bear `signature`; in a statement of its own, outside of transactions."""
        self.begin(writes=False)
        try:
            found = self.raw.execute(_SIGNED, signature, prepare=False).fetchone()
        finally:
            self.roll_back()
        return found is not None

    def commit(self) -> None:
        """Commit the transaction; raises psycopg.Error if it was not."""
        if self._odd_texts and self._writes:
            self.raw.execute("UPDATE state SET odd_texts = true WHERE NOT odd_texts")
        said = self.raw.execute("COMMIT", prepare=False).statusmessage
        if said != "COMMIT":  # the server rolls back what an error has ended, and calls that a success
            raise psycopg.errors.InFailedSqlTransaction("the transaction was rolled back")

    def roll_back(self) -> None:
        """Undo the transaction."""
        self.raw.execute("ROLLBACK", prepare=False)

    @property
    def lost(self) -> bool:
        """True if the connection is closed."""
        return self.raw.closed

    def close(self) -> None:
        """Close the connection."""
        self.raw.close()

    def listed(self, values: Collection[Any]) -> list[Any]:
        """Return `values` as one parameter."""
        return list(values)

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Carry out one statement."""
        return self.raw.execute(statement(sql), parameters, binary=True)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        """Carry out one statement for each of the rows, without waiting for each of them."""
        cursor = self.raw.cursor(binary=True)
        cursor.executemany(statement(sql), parameters)
        return cursor

    def each(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> list[Row]:
        """Carry out one query for each of the rows, without waiting for each, and return the results of all of them."""
        return self._each(statement(sql), parameters)

    def _each(self, sql: str, parameters: Iterable[Sequence[Any]]) -> list[Row]:
        found: list[Row] = []
        rows = iter(parameters)
        # The driver keeps an answer for each until all have come, and one takes some kilobytes however little it says.
        while part := list(islice(rows, _ANSWERS_AT_ONCE)):
            cursor = self.raw.cursor(binary=True)
            cursor.executemany(sql, part, returning=True)
            while cursor.pgresult is not None:
                found += cursor.fetchall()
                if not cursor.nextset():
                    break
        return found

    def change(self, update: Update, parameters: Iterable[Sequence[Any]], /) -> int:
        """Carry out an update for each of the rows, then write the sums of the changed rows."""
        changed = self._each(_changing(update), parameters)
        sums = ((row_sum(*values), place) for place, *values in changed)
        # Where a row lies holds until the transaction ends, for it is locked. One that was changed twice lies elsewhere
        # by now, and the sum of what it was before finds nothing.
        self.raw.cursor().executemany(f"UPDATE {update.table} SET sum = $1 WHERE ctid = $2::tid", sums)  # noqa: S608 - a constant
        return len(changed)

    def inserted(self, sql: str, parameters: Sequence[Any], /) -> int:
        """Carry out an INSERT and return the number of the new row."""
        return int(self.execute(f"{sql} RETURNING id", parameters).fetchone()[0])

    def rows(self, sql: str, parameters: Sequence[Any], /) -> Iterator[Row]:
        """Yield the rows of a query, some thousands at a time."""
        with RawServerCursor(self.raw, "rows") as cursor:
            # Texts are hardly ever kept as others, and looking at each of a million cells takes its time.
            odd = self._odd_texts or self.execute("SELECT odd_texts FROM state").fetchone()[0]
            cursor.adapters.register_loader("text", TextBinaryLoader)
            cursor.execute(statement(sql), parameters, binary=True)
            while some := cursor.fetchmany(_ROWS_AT_ONCE):
                yield from rows_as_they_were(some) if odd else some

    def note_odd(self) -> None:
        """Note that a text of the transaction is stored in another form."""
        self._odd_texts = True

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Return a context for statements that may fail; if one does, all of them are undone."""
        try:
            with self.raw.pipeline():  # nothing waits for the savepoint
                self.raw.execute("SAVEPOINT trying")
                yield
        except psycopg.IntegrityError:
            self.raw.execute("ROLLBACK TO SAVEPOINT trying")
            raise

    def is_mostly(self, _sync: str, /) -> bool:
        """Return False, because PostgreSQL plans by itself how to read a table."""
        return False

    def give_back(self) -> None:
        """Do nothing, because the server's own vacuum does this."""


@cache
def _changing(update: Update) -> str:
    new = ", ".join(f"{name} = {value}" for name, value in update.values.items())
    return statement(
        f"UPDATE {update.table} SET {new} WHERE {update.where} RETURNING ctid::text, {update.columns}"  # noqa: S608
    )


def connect(database: Database) -> PostgresConnection:
    """Return a new connection to the server of `database`; raises psycopg.Error."""
    given = conninfo_to_dict(database.url.reveal())
    wanted: dict[str, Any] = {**_DEFAULTS, **given, "client_encoding": "utf8"}
    raw = psycopg.connect(make_conninfo(**wanted), autocommit=True, cursor_factory=RawCursor, prepare_threshold=None)
    try:
        return PostgresConnection(raw, database.schema)
    except BaseException:
        raw.close()
        raise
