"""The columns that both stores keep in their tables, in their order, and the checksum of each row.

A database finds a torn page or a broken tree, but not a digit that has changed within a row. So each row has a sum over
all of its values, which is copied along with it. A row that was changed outside of syncd is reported and never used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from zlib import crc32

from syncd.lang.saying import say
from syncd.model.json_values import dumps

Row = Sequence[Any]

KEY: Final = "uid, calendar, owner, piece"
IS_KEY: Final = "sync = ? AND uid = ? AND calendar = ? AND owner = ? AND piece = ?"
LINK: Final = (
    f"{KEY}, remote_id, section, section_id, fingerprint, sent, version, title, place, starts_on, ends_on, start, "
    "absent_passes, same_updates, adopted, stamp"
)
HOLD: Final = f"{KEY}, reason, fingerprint, attempts, since, retry_at, title, place"
INTENT: Final = (
    f"id, sync, run_id, op, {KEY}, remote_id, section, section_id, fingerprint, fields, title, place, starts_on, "
    "ends_on, start, created_at, before, state, note"
)
RUN: Final = (
    "sync, started, finished, state, counts, requests, commands, waited_s, seconds, problems, problem_count, error"
)
RUNNING: Final = "state IN ('running', 'undo:running', 'purge:running')"
IS_PASS: Final = "state IN ('running', 'done', 'partial', 'stopped', 'failed')"  # noqa: S105 - no password
"""Which runs are passes: the state of any other is kept with its kind before it, as in "undo:done" (codec.py)."""
SUCCEEDED: Final = "state IN ('done', 'partial')"
"""Which passes reached their end, even if single entries were rejected or held."""
CHANGE: Final = f"id, run_id, sync, op, {KEY}, remote_id, before, after, at"
SUMMED_LINK: Final = f"sync, {LINK}"
SUMMED_HOLD: Final = f"sync, {HOLD}"
SUMMED_CHANGE: Final = CHANGE.removeprefix("id, ")
SUMMED_NOTE: Final = "scope, name, value, at"
TOKENS: Final = "tokens"
"""The name of the note of what an application is authorised by: those that are not encrypted are in no backup."""
SUMMED: Final = {
    "links": SUMMED_LINK,
    "intents": INTENT,
    "holds": SUMMED_HOLD,
    "notes": SUMMED_NOTE,
    "runs": RUN,
}
"""The columns that the sum of each table covers. Change records have one too, checked when they are read: there may be
half a gigabyte of them, and older ones have none.
"""
NO_LIMIT: Final = 2**62
"""What LIMIT is given for all rows."""


class DamagedRowError(Exception):
    """A row differs from what was written, although the database may consider it sound."""


class Update:
    """An UPDATE of rows with sums: `values` in SQL for some of the `columns` that the sum covers, for rows `where`."""

    __slots__ = ("columns", "sql", "table", "values", "where")

    def __init__(self, table: str, columns: str, where: str, **values: str) -> None:
        self.table = table
        self.columns = columns
        self.where = where
        self.values = values
        self.sql = f"UPDATE {table} SET {setting(columns, **values)} WHERE {where}"  # noqa: S608 - constants
        """The statement for a database that knows `row_sum`."""


def marks(columns: str, *, more: int = 0) -> str:
    """Return as many placeholders as there are `columns`, plus `more`."""
    return ", ".join("?" * (columns.count(",") + 1 + more))


def putting(table: str, columns: str, key: str) -> str:
    """Return the statement that writes a row of summed `columns`, in place of the one with the same `key`."""
    kept = set(key.split(", "))
    new = ", ".join(f"{name} = excluded.{name}" for name in (*columns.split(", "), "sum") if name not in kept)
    return (
        f"INSERT INTO {table} ({columns}, sum) VALUES ({marks(columns, more=1)})"  # noqa: S608 - constants of this room
        f" ON CONFLICT ({key}) DO UPDATE SET {new}"
    )


def setting(columns: str, **values: str) -> str:
    """Return the SET clause that gives some of the summed `columns` new values, in SQL, and the row its new sum."""
    new = ", ".join(values.get(name, name) for name in columns.split(", "))
    return ", ".join([*(f"{name} = {value}" for name, value in values.items()), f"sum = row_sum({new})"])


def row_sum(*values: object) -> int:
    """Return the sum of a row's values; whole numbers of a REAL column have to be floats already."""
    # Twice as fast as anything that takes the values one by one: a push sums three rows for each change.
    return crc32(dumps(values, default=bytes.decode))


def row_sum_or_less(*values: object) -> int:
    """Return the sum of a row's values, -1 for values that cannot be summed."""
    try:
        return row_sum(*values)
    except TypeError:
        return -1


def summed(row: Row) -> Row:
    """Return `row` with its sum appended."""
    return (*row, row_sum(*row))


def checked(row: Row) -> Row:
    """Return a `row` that was read with its sum, without the sum; raises DamagedRowError if they do not agree."""
    *values, kept = row
    try:
        agrees = row_sum(*values) == kept
    except TypeError:  # bytes that are no text any more
        agrees = False
    if not agrees:
        raise DamagedRowError(say("a row of it is not what was written"))
    return values


def checked_numbered(row: Row) -> Row:
    """Return a row with its id in front, like `checked`; change records of versions without sums are not checked."""
    number, *values, kept = row
    return row[:-1] if kept is None else (number, *checked((*values, kept)))
