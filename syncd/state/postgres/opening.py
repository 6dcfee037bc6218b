"""How a ledger in PostgreSQL is opened: connection, checks of the server, and its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from syncd.clock import pause
from syncd.config.database import Database
from syncd.errors import StateError
from syncd.lang.saying import say
from syncd.state.base import Store
from syncd.state.postgres.connection import OLDEST_SERVER, PostgresConnection
from syncd.state.postgres.lineage import find_doubt, note_server
from syncd.state.postgres.schema import STEPS, Step, apply, version_of
from syncd.state.postgres.store import PostgresStore, first_connection
from syncd.state.postgres.trouble import translated
from syncd.state.sqlite.store import empty_store

_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtext('syncd'), hashtext(?))"
_FORGET_SIGNATURES: Final = (
    "DELETE FROM signatures WHERE connection IN (SELECT connection FROM signatures"
    " WHERE at < clock_timestamp() - interval '30 days' FOR UPDATE SKIP LOCKED)"
)
"""Those of connections that are long gone; one that is still there signs its next transaction as a new one."""


def open_store(
    database: Database,
    now: float,
    executor: ThreadPoolExecutor,
    steps: Sequence[Step] = STEPS,
    wait: Callable[[float], None] = pause,
) -> PostgresStore:
    """Open the ledger in `database` for writing, as `Ledger.open` says; `executor` is the thread it runs in."""
    with _connected(database) as connection:
        with _transaction(connection, writes=True):
            make_tables(connection, database, steps)
            connection.execute(_FORGET_SIGNATURES)
            doubt = find_doubt(connection, now)
        return PostgresStore(
            database, connection, executor, readonly=False, version=len(steps), pause=wait, doubt=doubt
        )


def open_store_readonly(database: Database, executor: ThreadPoolExecutor, steps: Sequence[Step] = STEPS) -> Store:
    """Open the ledger in `database` for reading only, as `Ledger.open_readonly` says."""
    with _connected(database) as connection:
        with _transaction(connection, writes=False):
            version = version_of(connection, database.schema, database.shown, newest=len(steps))
        if not version:
            connection.close()
            return empty_store(database.shown, executor)
        if any(steps[version:]):  # those without a command leave the tables as they are
            raise StateError(
                say(
                    "{shown} was made by an older syncd (schema {version}; this one reads {number})",
                    shown=database.shown,
                    version=version,
                    number=len(steps),
                ),
                say("the next start of `syncd run`, or a `syncd sync`, brings it up to date"),
            )
        return PostgresStore(database, connection, executor, readonly=True, version=version, pause=pause)


@contextmanager
def _connected(database: Database) -> Iterator[PostgresConnection]:
    """Give a connection to a server that will do, which is closed if the block raises."""
    connection = first_connection(database)
    try:
        with translated(database.shown):
            check_server(connection, database.shown)
            yield connection
    except BaseException:
        connection.close()
        raise


def check_server(connection: PostgresConnection, shown: str) -> None:
    """Raise StateError if the server is too old, or keeps texts in an encoding that lacks characters."""
    if connection.version < OLDEST_SERVER:
        major, minor = divmod(connection.version, 10_000)
        raise StateError(
            say("{shown} is PostgreSQL {major}.{minor}", shown=shown, major=major, minor=minor),
            say("syncd needs 14 or newer"),
        )
    if connection.encoding != "UTF8":
        raise StateError(
            say(
                "{shown} keeps texts in {encoding}, in which not every title can be written",
                shown=shown,
                encoding=connection.encoding,
            ),
            say("make the database again: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"),
        )


@contextmanager
def _transaction(connection: PostgresConnection, *, writes: bool) -> Iterator[None]:
    connection.begin(writes=writes)
    try:
        yield
        connection.commit()
    except BaseException:
        if not connection.lost:
            connection.roll_back()
        raise


def make_tables(connection: PostgresConnection, database: Database, steps: Sequence[Step] = STEPS) -> None:
    """Make the tables, or bring them up to date, one machine at a time; in the caller's transaction."""
    connection.execute(_ONE_AT_A_TIME, (database.schema,))
    version = version_of(connection, database.schema, database.shown, newest=len(steps))
    if version == len(steps):
        return
    if not version:
        (there,) = connection.execute("SELECT to_regnamespace(?) IS NOT NULL", (database.schema,)).fetchone()
        if not there:  # IF NOT EXISTS asks for the right to make one also where there is one
            connection.execute(f'CREATE SCHEMA "{database.schema}"')
    apply(connection, steps, version)
    if not version:
        note_server(connection)
