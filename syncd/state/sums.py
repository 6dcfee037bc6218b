"""Checksums over the rows of the ledger: a row whose bits were changed outside of syncd is told, never acted upon.

SQLite finds a torn page or a broken tree, but not a digit that turned into another one within a row. Each sum covers
all of its row's values in the order of the codec; it stands in the row itself, so it goes along with every copy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final
from zlib import crc32

import orjson

from syncd.state.codec import CHANGE, HOLD, INTENT, LINK, RUN, Row
from syncd.state.trouble import DamagedError

SUMMED_LINK: Final = f"sync, {LINK}"
SUMMED_CHANGE: Final = CHANGE.removeprefix("id, ")
SUMMED_NOTE: Final = "scope, name, value, at"
_SUMMED: Final = {
    "links": SUMMED_LINK,
    "intents": INTENT,
    "holds": f"sync, {HOLD}",
    "notes": SUMMED_NOTE,
    "runs": RUN,
}
"""The columns that the sum of each table covers. Change records have one too, checked when they are read: there may be
half a gigabyte of them, and older ones have none.
"""


def row_sum(*values: object) -> int:
    """Return the sum of a row's values; whole numbers of a REAL column have to be floats already."""
    # Twice as fast as anything that takes the values one by one: a push sums three rows for each change.
    return crc32(orjson.dumps(values, default=bytes.decode))


def summed(row: Row) -> Row:
    """Return `row` with its sum behind it."""
    return (*row, row_sum(*row))


def checked(row: Row) -> Row:
    """Return the `row` that was read with its sum, without it; raises DamagedError if they do not agree."""
    *values, kept = row
    try:
        agrees = row_sum(*values) == kept
    except TypeError:  # bytes that are no text any more
        agrees = False
    if not agrees:
        raise DamagedError("a row of it is not what was written")
    return values


def checked_numbered(row: Row) -> Row:
    """Return a row with its id in front like `checked`; a change record from before there were sums passes."""
    number, *values, kept = row
    return row[:-1] if kept is None else (number, *checked((*values, kept)))


def learn_sum(connection: sqlite3.Connection) -> None:
    """Let statements on `connection` use `row_sum`; one of values that cannot be summed is -1."""
    connection.create_function("row_sum", -1, _row_sum_or_less, deterministic=True)


def setting(columns: str, **values: str) -> str:
    """Return the SET clause that gives some of the summed `columns` new values, in SQL, and the row its new sum."""
    new = ", ".join(values.get(name, name) for name in columns.split(", "))
    return ", ".join([*(f"{name} = {value}" for name, value in values.items()), f"sum = row_sum({new})"])


def sum_all(connection: sqlite3.Connection) -> None:
    """Write every row's sum, as after an upgrade that changed the columns; in the caller's transaction."""
    for table, columns in _with_sums(connection):
        connection.execute(f"UPDATE {table} SET sum = row_sum({columns})")  # noqa: S608 - constants of this room


def check_all(connection: sqlite3.Connection) -> None:
    """Raise DamagedError if a row that decides what is sent is not what was written."""
    for table, columns in _with_sums(connection):
        wrong = f"SELECT count(*) FROM {table} WHERE sum IS NOT row_sum({columns})"  # noqa: S608 - likewise
        if (number := connection.execute(wrong).fetchone()[0]) > 0:
            raise DamagedError(f"{number} of its {table} are not what was written")
    (sound,) = connection.execute(
        "SELECT count(*) FROM counters WHERE name = 'intent' AND typeof(next) = 'integer'"
        " AND next > (SELECT coalesce(max(id), 0) FROM intents)"
    ).fetchone()
    if not sound:
        raise DamagedError("its count of changes is not what was written")


def check_records(connection: sqlite3.Connection) -> None:
    """Raise DamagedError if a change record is not what was written, as far as it has a sum."""
    wrong = f"SELECT count(*) FROM changes WHERE sum IS NOT NULL AND sum != row_sum({SUMMED_CHANGE})"  # noqa: S608
    if (number := connection.execute(wrong).fetchone()[0]) > 0:
        raise DamagedError(f"{number} records of changes are not what was written")


def _with_sums(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for table, columns in _SUMMED.items():
        if any(name == "sum" for _, name, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall()):
            yield table, columns


def _row_sum_or_less(*values: object) -> int:
    try:
        return row_sum(*values)
    except TypeError:
        return -1
