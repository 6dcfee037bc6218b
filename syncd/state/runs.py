"""Ends the records of runs whose process is gone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from syncd.lang.saying import say, stored
from syncd.state.base import Connection
from syncd.state.rows import RUN, RUNNING, Update

_CUT_OFF: Final = stored(say("syncd ended in the middle of this pass"))
_ENDED: Final = {"state": "replace(state, 'running', 'failed')", "finished": "?1", "error": f"'{_CUT_OFF}'"}
_END_RUNS: Final = Update("runs", RUN, RUNNING, **_ENDED)


def end_runs(connection: Connection, now: float) -> None:
    """End the runs that a crash left unfinished. Call it only where no pass can be running."""
    connection.change(_END_RUNS, [(float(now),)])


def end_runs_of(connection: Connection, syncs: Collection[str], now: float) -> None:
    """End the unfinished runs of `syncs`. Call it only where none of them can have a pass running."""
    theirs = Update("runs", RUN, f"{RUNNING} AND sync {connection.one_of.replace('?', '?2')}", **_ENDED)
    connection.change(theirs, [(float(now), connection.listed(syncs))])
