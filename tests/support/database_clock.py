"""A database whose clock a test sets: `clock_timestamp()` is another function there than everywhere else.

The server looks for a function in the catalogue of the database, so the real one is given another name there, and one
that adds what a sequence says takes its place. A sequence, for its value is seen at once, whatever a transaction sees.
"""

from __future__ import annotations

from itertools import count
from typing import Any, Final

import psycopg
import pytest

from syncd.config.database import Database, database_at
from syncd.config.secrets import Secret

_numbers = count(1)
_REPLACE: Final = """
CREATE SEQUENCE public.clock MINVALUE -9223372036854775808 START 0;
ALTER FUNCTION pg_catalog.clock_timestamp() RENAME TO real_clock_timestamp;
CREATE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
$$ SELECT {base} + (SELECT last_value FROM public.clock) * interval '1 microsecond' $$;
"""
AHEAD: Final = "real_clock_timestamp()"
"""The base of a clock that is set by how far it is ahead."""
STANDING: Final = "to_timestamp(0)"
"""The base of a clock that goes on only when it is set, to a unix time."""


def named(address: str, name: str) -> str:
    """Return the address of another database of the same server."""
    return f"{address.rpartition('/')[0]}/{name}"


SET: Final = "SELECT setval('public.clock', %s)"
"""The statement that sets the clock, in microseconds."""


def replace_clock(line: psycopg.Connection[Any], base: str) -> None:
    """Put another clock in the place of that of a database; only a superuser may."""
    line.execute(_REPLACE.format(base=base).encode())


class DatabaseClock:
    """A database of its own on the server at `address`, with a clock that `set` sets; dropped by `drop`."""

    def __init__(self, address: str, worker: str, base: str) -> None:
        name = f"clock_{worker}_{next(_numbers)}"
        self._server, self._name = address, name
        with psycopg.connect(address, autocommit=True) as line:
            line.execute(f"DROP DATABASE IF EXISTS {name} (FORCE)".encode())
            line.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        self.address = named(address, name)
        self._line = psycopg.connect(self.address, autocommit=True)
        self._told = 0
        try:
            replace_clock(self._line, base)
        except psycopg.errors.InsufficientPrivilege:
            self.drop()
            pytest.skip("the clock of a database is set by a superuser only")

    def set(self, seconds: float) -> None:
        """Set the clock to so many seconds from its base."""
        if (now := round(seconds * 1e6)) != self._told:
            self._line.execute(SET, (now,))
            self._told = now

    def schema(self, name: str) -> Database:
        """Return where a ledger may be in it; one that is there is dropped."""
        self._line.execute(f"SET client_min_messages TO warning; DROP SCHEMA IF EXISTS {name} CASCADE".encode())
        return database_at(Secret(self.address), name)

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        return self._line.execute(sql.encode()).fetchall()

    def drop(self) -> None:
        """Drop the database."""
        self._line.close()
        with psycopg.connect(self._server, autocommit=True) as line:
            line.execute(f"DROP DATABASE IF EXISTS {self._name} (FORCE)".encode())
