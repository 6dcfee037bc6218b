"""The records of runs: which of them go, and those that nobody will end any more."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from syncd.lang.saying import say, stored
from syncd.state.base import Connection
from syncd.state.rows import RUN, Update

MOST_RUNS: Final = 20_000
MOST_CHANGES: Final = 500_000
"""How much is kept at most, however recent: about half a gigabyte of change records."""
_CUT_OFF: Final = stored(say("syncd ended in the middle of this pass"))
_ENDED: Final = {"state": "'failed'", "finished": "?1", "error": f"'{_CUT_OFF}'"}
_END_RUNS: Final = Update("runs", RUN, "state = 'running'", **_ENDED)


def end_runs(connection: Connection, now: float) -> None:
    """End the runs that a crash left unfinished; for who knows that no pass can be running."""
    connection.change(_END_RUNS, [(float(now),)])


def end_runs_of(connection: Connection, syncs: Collection[str], now: float) -> None:
    """End the unfinished runs of `syncs`; for who knows that none of them can have a pass running."""
    theirs = Update("runs", RUN, f"state = 'running' AND sync {connection.one_of.replace('?', '?2')}", **_ENDED)
    connection.change(theirs, [(float(now), connection.listed(syncs))])


def prune(connection: Connection, before: float, most_runs: int = MOST_RUNS, most_changes: int = MOST_CHANGES) -> int:
    """Remove runs that finished before unix time `before`, with their change records, and return how many.

    The oldest go too where there are more than `most_runs` runs or `most_changes` change records. Kept are the last run
    and the last that reached its end of every sync, and runs with open intents. In the caller's transaction.
    """
    (crowded,) = connection.execute("SELECT max(id) - ? FROM runs", (most_runs,)).fetchone()
    # Ids only grow, so the newest `most_changes` change records all lie above this one.
    (old,) = connection.execute("SELECT max(id) - ? FROM changes", (most_changes,)).fetchone()
    return connection.execute(
        "DELETE FROM runs WHERE (finished < ?1 OR id <= ?2"
        " OR id < (SELECT max(run_id) FROM changes WHERE id <= ?3))"
        " AND id NOT IN (SELECT run_id FROM intents) AND id NOT IN (SELECT max(id) FROM runs GROUP BY sync)"
        " AND id NOT IN (SELECT max(id) FROM runs WHERE state IN ('done', 'partial') GROUP BY sync)",
        (float(before), crowded or 0, old or 0),
    ).rowcount
