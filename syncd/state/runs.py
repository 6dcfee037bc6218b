"""Runs and notes in the ledger's tables; every function is one read or one transaction on an open connection."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import msgspec
import orjson

from syncd.model.entry import Problem
from syncd.model.item import Json
from syncd.model.record import MAX_PROBLEMS, RunRecord
from syncd.state.file import transaction
from syncd.state.rows import marks, to_json

_RUN: Final = (
    "sync, started, finished, state, counts, requests, commands, waited_s, seconds, problems, problem_count, error"
)
MOST_RUNS: Final = 20_000
MOST_CHANGES: Final = 500_000
"""How much is kept at most, however young it is: some half a gigabyte of change records."""

# The column list put into these statements is a constant; values are always bound.
_PUT: Final = f"INSERT INTO runs ({_RUN}) VALUES ({marks(_RUN)})"  # noqa: S608
_SET: Final = f"UPDATE runs SET ({_RUN}) = ({marks(_RUN)}) WHERE id = ?"  # noqa: S608
_GET: Final = f"SELECT id, {_RUN} FROM runs WHERE sync = ? ORDER BY id DESC LIMIT ?"  # noqa: S608


def _row(run: RunRecord) -> tuple[Any, ...]:
    return (
        run.sync,
        run.started,
        run.finished,
        run.state,
        to_json(run.counts),
        run.requests,
        run.commands,
        run.waited_s,
        run.seconds,
        msgspec.json.encode(run.problems[:MAX_PROBLEMS]),
        max(run.problem_count, len(run.problems)),
        run.error,
    )


def _run_of(row: tuple[Any, ...]) -> RunRecord:
    number, sync, started, finished, state, counts, requests, commands, waited_s, seconds, problems, count, error = row
    return RunRecord(
        id=number,
        sync=sync,
        started=started,
        finished=finished,
        state=state,
        counts=orjson.loads(counts),
        requests=requests,
        commands=commands,
        waited_s=waited_s,
        seconds=seconds,
        problems=msgspec.json.decode(problems, type=tuple[Problem, ...]),
        problem_count=count,
        error=error,
    )


def begin_run(connection: sqlite3.Connection, sync: str, started: float) -> int:
    """Write down that a pass of `sync` began at `started`, and return its number (never used twice)."""
    with transaction(connection):
        number = connection.execute(_PUT, _row(RunRecord(id=0, sync=sync, started=started))).lastrowid
    if number is None:
        raise sqlite3.DatabaseError("the run got no number")
    return number


def end_run(connection: sqlite3.Connection, run_id: int, run: RunRecord) -> None:
    """Write down how run `run_id` ended; raises ValueError for another run's record or an unknown run."""
    if run.id != run_id:
        raise ValueError(f"the record of run {run.id} cannot end run {run_id}")
    with transaction(connection):
        if connection.execute(_SET, (*_row(run), run_id)).rowcount == 0:
            raise ValueError(f"there is no run {run_id}")


def close_interrupted(connection: sqlite3.Connection, now: float) -> None:
    """End the runs that a crash left running; the caller holds the lock, so nobody is at them."""
    with transaction(connection):
        connection.execute(
            "UPDATE runs SET state = 'failed', finished = ?, error = 'syncd ended in the middle of this pass'"
            " WHERE state = 'running'",
            (now,),
        )


def runs(connection: sqlite3.Connection, sync: str, limit: int) -> tuple[RunRecord, ...]:
    """Return the last `limit` runs of `sync`, the newest first."""
    return tuple(_run_of(row) for row in connection.execute(_GET, (sync, limit)))


def run(connection: sqlite3.Connection, run_id: int) -> RunRecord | None:
    """Return the record of `run_id`, if there is one."""
    row = connection.execute(f"SELECT id, {_RUN} FROM runs WHERE id = ?", (run_id,)).fetchone()  # noqa: S608 - a constant
    return None if row is None else _run_of(row)


def last_success(connection: sqlite3.Connection, sync: str) -> float | None:
    """Return when a pass of `sync` last reached its end, whether or not single entries were rejected or held."""
    (finished,) = connection.execute(
        "SELECT max(finished) FROM runs WHERE sync = ? AND state IN ('done', 'partial')", (sync,)
    ).fetchone()
    return None if finished is None else float(finished)


def prune(
    connection: sqlite3.Connection, before: float, most_runs: int = MOST_RUNS, most_changes: int = MOST_CHANGES
) -> int:
    """Remove runs that finished before unix time `before`, with their change records, and return how many.

    The oldest go too where there are more than `most_runs` runs or `most_changes` change records. Kept are the last run
    and the last that reached its end of every sync, and runs with open intents.
    """
    with transaction(connection):
        (crowded,) = connection.execute("SELECT max(id) - ? FROM runs", (most_runs,)).fetchone()
        # Ids only grow, so the newest `most_changes` change records all lie above this one.
        (old,) = connection.execute("SELECT max(id) - ? FROM changes", (most_changes,)).fetchone()
        return connection.execute(
            "DELETE FROM runs WHERE (finished < ?1 OR id <= ?2"
            " OR id < (SELECT max(run_id) FROM changes WHERE id <= ?3))"
            " AND id NOT IN (SELECT run_id FROM intents) AND id NOT IN (SELECT max(id) FROM runs GROUP BY sync)"
            " AND id NOT IN (SELECT max(id) FROM runs WHERE state IN ('done', 'partial') GROUP BY sync)",
            (before, crowded or 0, old or 0),
        ).rowcount


def note(connection: sqlite3.Connection, scope: str, name: str, value: Json, now: float) -> None:
    """Keep a small JSON `value` under `scope` and `name`, in place of an earlier one."""
    with transaction(connection):
        connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?)", (scope, name, to_json(value), now))


def read_note(connection: sqlite3.Connection, scope: str, name: str) -> tuple[Json, float] | None:
    """Return the value kept under `scope` and `name` and when it was written, None when there is none."""
    row = connection.execute("SELECT value, at FROM notes WHERE scope = ? AND name = ?", (scope, name)).fetchone()
    return None if row is None else (orjson.loads(row[0]), row[1])


def drop_note(connection: sqlite3.Connection, scope: str, name: str) -> None:
    """Remove what is kept under `scope` and `name`, if anything."""
    with transaction(connection):
        connection.execute("DELETE FROM notes WHERE scope = ? AND name = ?", (scope, name))
