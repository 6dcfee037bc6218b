"""The tables of a ledger in a file, and the steps that bring an older file up to date.

A released step is never edited: a change of the tables is a new step at the end, and one of the same effect at the end
of those for PostgreSQL. A step runs in one transaction, after a copy of the file was made, so that a failure leaves the
old file as it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from syncd.errors import StateError
from syncd.lang.saying import say, say_count
from syncd.model.json_values import loads
from syncd.state.rows import SUMMED, SUMMED_CHANGE, row_sum_or_less
from syncd.state.sqlite.connection import DamagedError

APPLICATION_ID: Final = 0x73796E63
"""Written into the file's header ("sync"), so that another program's database is not mistaken for a ledger."""

MOVED: Final = 1_000_000
"""What is added to the version of a ledger that was moved away, so that earlier versions refuse it too."""

Step = tuple[str, ...]

_LINKS = """
CREATE TABLE links (
  sync TEXT NOT NULL, uid TEXT NOT NULL, calendar TEXT NOT NULL, owner INTEGER NOT NULL, piece TEXT NOT NULL,
  remote_id INTEGER NOT NULL, section TEXT NOT NULL, section_id INTEGER NOT NULL, fingerprint TEXT NOT NULL,
  sent BLOB NOT NULL, version INTEGER, title TEXT NOT NULL, place TEXT NOT NULL, starts_on TEXT NOT NULL,
  ends_on TEXT, start TEXT NOT NULL, absent_passes INTEGER NOT NULL, same_updates INTEGER NOT NULL,
  adopted INTEGER NOT NULL,
  UNIQUE (sync, uid, calendar, owner, piece)
)
"""
_HOLDS = """
CREATE TABLE holds (
  sync TEXT NOT NULL, uid TEXT NOT NULL, calendar TEXT NOT NULL, owner INTEGER NOT NULL, piece TEXT NOT NULL,
  reason TEXT NOT NULL, fingerprint TEXT NOT NULL, attempts INTEGER NOT NULL, since REAL NOT NULL,
  retry_at REAL NOT NULL, title TEXT NOT NULL, place TEXT NOT NULL,
  UNIQUE (sync, uid, calendar, owner, piece)
)
"""
_RUNS = """
CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, sync TEXT NOT NULL, started REAL NOT NULL, finished REAL, state TEXT NOT NULL,
  counts BLOB NOT NULL, requests INTEGER NOT NULL, commands INTEGER NOT NULL, waited_s REAL NOT NULL,
  seconds REAL NOT NULL, problems BLOB NOT NULL, problem_count INTEGER NOT NULL, error TEXT NOT NULL
)
"""
_INTENTS = """
CREATE TABLE intents (
  id INTEGER PRIMARY KEY, sync TEXT NOT NULL, run_id INTEGER NOT NULL REFERENCES runs (id), op TEXT NOT NULL,
  uid TEXT NOT NULL, calendar TEXT NOT NULL, owner INTEGER NOT NULL, piece TEXT NOT NULL,
  remote_id INTEGER, section TEXT NOT NULL, section_id INTEGER NOT NULL, fingerprint TEXT NOT NULL,
  fields BLOB NOT NULL, title TEXT NOT NULL, place TEXT NOT NULL, starts_on TEXT NOT NULL, ends_on TEXT,
  start TEXT NOT NULL, created_at REAL NOT NULL, before BLOB, state TEXT NOT NULL, note TEXT NOT NULL
)
"""
_CHANGES = """
CREATE TABLE changes (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  settled_in INTEGER NOT NULL, sync TEXT NOT NULL, op TEXT NOT NULL,
  uid TEXT NOT NULL, calendar TEXT NOT NULL, owner INTEGER NOT NULL, piece TEXT NOT NULL,
  remote_id INTEGER NOT NULL, before BLOB, after BLOB, at REAL NOT NULL
)
"""
_NOTES = """
CREATE TABLE notes (
  scope TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, at REAL NOT NULL, PRIMARY KEY (scope, name)
) WITHOUT ROWID
"""

STEPS: Final[tuple[Step, ...]] = (
    (
        _LINKS,
        "CREATE INDEX links_absent ON links (sync) WHERE absent_passes > 0",
        _HOLDS,
        _RUNS,
        "CREATE INDEX runs_of_sync ON runs (sync, id)",
        _INTENTS,
        # Never twice: while the outcome of a create is unknown, the same item cannot be created again.
        "CREATE UNIQUE INDEX intents_create_once ON intents (sync, uid, calendar, owner, piece) WHERE op = 'create'",
        "CREATE INDEX intents_of_run ON intents (run_id)",
        _CHANGES,
        "CREATE INDEX changes_of_run ON changes (run_id)",
        _NOTES,
        "CREATE TABLE counters (name TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO counters (name, next) VALUES ('intent', 1)",
    ),
    (
        # When and by whom a linked event was made; of older links that is learnt when they are next read.
        "ALTER TABLE links ADD COLUMN stamp TEXT NOT NULL DEFAULT ''",
        # An id that is linked already must be noticed when a create is answered with it.
        "CREATE INDEX links_of_event ON links (remote_id)",
    ),
    (
        "ALTER TABLE links ADD COLUMN sum INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE intents ADD COLUMN sum INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE holds ADD COLUMN sum INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE notes ADD COLUMN sum INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE runs ADD COLUMN sum INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE changes ADD COLUMN sum INTEGER",
    ),
    (),  # what was sent is shortened from here on, which earlier versions cannot read (codec.py); older rows stay
)
"""Step number n (from 0) turns schema version n into n + 1; a new file goes through all of them."""


def learn_sum(connection: sqlite3.Connection) -> None:
    """Define `row_sum` for statements on `connection`; it returns -1 for values that cannot be summed."""
    connection.create_function("row_sum", -1, row_sum_or_less, deterministic=True)


def sum_all(connection: sqlite3.Connection) -> None:
    """Write every row's sum, as after an upgrade that changed the columns; in the caller's transaction."""
    for table, columns in _with_sums(connection):
        connection.execute(f"UPDATE {table} SET sum = row_sum({columns})")  # noqa: S608 - constants of this room


def check_all(connection: sqlite3.Connection) -> None:
    """Raise DamagedError if a row that matters for what is sent differs from what was written."""
    for table, columns in _with_sums(connection):
        wrong = f"SELECT count(*) FROM {table} WHERE sum IS NOT row_sum({columns})"  # noqa: S608 - likewise
        if (number := connection.execute(wrong).fetchone()[0]) > 0:
            raise DamagedError(
                say_count(
                    "{count} of its {table} is not what was written",
                    "{count} of its {table} are not what was written",
                    number,
                    table=table,
                )
            )
    (sound,) = connection.execute(
        "SELECT count(*) FROM counters WHERE name = 'intent' AND typeof(next) = 'integer'"
        " AND next > (SELECT coalesce(max(id), 0) FROM intents)"
    ).fetchone()
    if not sound:
        raise DamagedError(say("its count of changes is not what was written"))


def check_records(connection: sqlite3.Connection) -> None:
    """Raise DamagedError if a change record that has a sum differs from what was written."""
    wrong = f"SELECT count(*) FROM changes WHERE sum IS NOT NULL AND sum != row_sum({SUMMED_CHANGE})"  # noqa: S608
    if (number := connection.execute(wrong).fetchone()[0]) > 0:
        raise DamagedError(
            say_count(
                "{count} record of a change is not what was written",
                "{count} records of changes are not what was written",
                number,
            )
        )


def _with_sums(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for table, columns in SUMMED.items():
        if any(name == "sum" for _, name, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall()):
            yield table, columns


def moved_of(connection: sqlite3.Connection) -> tuple[str, str] | None:
    """Return where the ledger was moved to and by which move, None if it is still here."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < MOVED:
        return None
    row = connection.execute("SELECT value FROM notes WHERE scope = 'moved' AND name = 'to'").fetchone()
    told = loads(row[0]) if row is not None else {}
    return str(told.get("to", say("another place"))), str(told.get("move", ""))


def version_of(connection: sqlite3.Connection, shown: str, *, newest: int) -> int:
    """Return the schema version of the open file `shown`, 0 for an empty one.

    Raises StateError when another program made it, or a syncd whose schema is beyond `newest`.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (tables or version):
        raise StateError(
            say("{shown} is a database of another program, not a syncd ledger", shown=shown),
            say("give `state` in the config the path of a file of its own"),
        )
    if (moved := moved_of(connection)) is not None:
        raise StateError(
            say("the state in {shown} was moved to {moved}", shown=shown, moved=moved[0]),
            say("let the config name that one"),
        )
    if version > newest:
        raise StateError(
            say(
                "{shown} was made by a newer syncd (schema {version}; this one knows up to {newest})",
                shown=shown,
                version=version,
                newest=newest,
            ),
            say(
                "upgrade syncd, or restore the copy {shown}.v{newest}.bak made before the upgrade",
                shown=shown,
                newest=newest,
            ),
        )
    return int(version)


def apply(connection: sqlite3.Connection, steps: Sequence[Step], version: int) -> None:
    """Carry out the `steps` from schema `version` on, all in one transaction; on an error nothing has changed."""
    learn_sum(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in (statement for step in steps[version:] for statement in step):
            connection.execute(statement)
        if any(steps[version:]):  # else a row that is damaged already would get a sum that fits it
            sum_all(connection)  # also where a step changed what the sums cover
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def check_structure(connection: sqlite3.Connection, *, every: bool = False) -> None:
    """Raise DamagedError if the pages do not fit together; takes a second for a gigabyte.

    Only the indexes that find links, intents and notes are compared with their tables, because a row that is missing in
    its index would be created again. With `every`, all indexes are compared.
    """
    tables = ("integrity_check(links)", "integrity_check(intents)", "integrity_check(notes)")
    for check in ("integrity_check(1)",) if every else ("quick_check(1)", *tables):
        (verdict,) = connection.execute(f"PRAGMA {check}").fetchone()
        if verdict != "ok":
            raise DamagedError(str(verdict).splitlines()[-1])
