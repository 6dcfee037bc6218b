"""What `syncd status` asks of many syncs besides how they stand, in one go: there may be hundreds."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from syncd.model.record import RunRecord
from syncd.state.codec import run_of, to_json
from syncd.state.notes import DUE, PAUSED, Due
from syncd.state.schema import RUN, SUMMED_NOTE, checked, checked_numbered

_NAMED: Final = "sync IN (SELECT value FROM json_each(?))"
_NEWEST: Final = f"SELECT id, {RUN}, sum FROM runs WHERE id IN (SELECT max(id) FROM runs WHERE {_NAMED} GROUP BY sync)"  # noqa: S608
_ABSENT: Final = f"SELECT sync, count(*) FROM links WHERE absent_passes > 0 AND {_NAMED} GROUP BY sync"  # noqa: S608
_NOTES: Final = (
    f"SELECT {SUMMED_NOTE}, sum FROM notes"  # noqa: S608 - constants of this room, as above
    " WHERE scope IN (SELECT 'sync/' || value FROM json_each(?)) AND name IN (?, ?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is to come for a sync: its newest run, which may be running still, and what is noted of the next.

    `paused` is since when it is to be left alone, `absent` how many of its links have lost their entry.
    """

    newest: RunRecord | None = None
    paused: float | None = None
    due: Due | None = None
    absent: int = 0


def outlooks(connection: sqlite3.Connection, names: Collection[str]) -> Mapping[str, Outlook]:
    """Return the outlook of each of the syncs `names`; raises StateError for a damaged row."""
    chosen = to_json(list(names)).decode()
    newest = {
        run.sync: run for run in (run_of(checked_numbered(row)) for row in connection.execute(_NEWEST, (chosen,)))
    }
    absent = dict(connection.execute(_ABSENT, (chosen,)))
    paused, due = dict[str, float](), dict[str, Due]()
    for scope, name, value, at in map(checked, connection.execute(_NOTES, (chosen, DUE, PAUSED))):
        sync = scope.removeprefix("sync/")
        if name == PAUSED:
            paused[sync] = at
        elif isinstance(moment := orjson.loads(value), int | float | None):
            due[sync] = Due(at=moment, noted=at)
    return {
        name: Outlook(newest=newest.get(name), paused=paused.get(name), due=due.get(name), absent=absent.get(name, 0))
        for name in names
    }
