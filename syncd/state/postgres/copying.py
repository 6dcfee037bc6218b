"""Reads a whole ledger in PostgreSQL, and compares every row with its sum."""

from __future__ import annotations

from typing import Final

from syncd.lang.saying import say
from syncd.state.postgres.connection import PostgresConnection
from syncd.state.rows import SUMMED, SUMMED_CHANGE, DamagedRowError, checked

_COUNTS: Final = (
    "SELECT count(*) = 1 FROM counters WHERE name = 'intent' AND next > (SELECT coalesce(max(id), 0) FROM intents)"
)


def check_rows(connection: PostgresConnection) -> int:
    """Read every row and return the number of linked items; raises DamagedRowError for a damaged row."""
    for table, columns in (*SUMMED.items(), ("changes", SUMMED_CHANGE)):
        query = f"SELECT {columns}, sum FROM {table} WHERE sum IS NOT NULL"  # noqa: S608 - constants
        for row in connection.rows(query, ()):
            try:
                checked(row)
            except DamagedRowError:
                raise DamagedRowError(say("a row of its {table} is not what was written", table=table)) from None
    if not connection.execute(_COUNTS).fetchone()[0]:
        raise DamagedRowError(say("its count of changes is not what was written"))
    return int(connection.execute("SELECT count(*) FROM links").fetchone()[0])
