"""The ledger in PostgreSQL as a whole: every row read and compared with its sum."""

from __future__ import annotations

from syncd.state.postgres.connection import PostgresConnection
from syncd.state.rows import SUMMED, SUMMED_CHANGE, DamagedRowError, checked


def check_rows(connection: PostgresConnection) -> int:
    """Read every row and return how many items are linked; raises DamagedRowError for one that is not as written."""
    for table, columns in (*SUMMED.items(), ("changes", SUMMED_CHANGE)):
        query = f"SELECT {columns}, sum FROM {table} WHERE sum IS NOT NULL"  # noqa: S608 - constants
        for row in connection.rows(query, ()):
            try:
                checked(row)
            except DamagedRowError:
                raise DamagedRowError(f"a row of its {table} is not what was written") from None
    return int(connection.execute("SELECT count(*) FROM links").fetchone()[0])
