"""What `syncd status` asks about many syncs, besides how they stand: a few queries for all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from syncd.model.json_values import loads
from syncd.model.record import RunRecord
from syncd.state.base import Connection, Cursor
from syncd.state.codec import run_of
from syncd.state.notes import DUE, PAUSED, Due
from syncd.state.rows import IS_PASS, RUN, SUMMED_NOTE, checked, checked_numbered

_NEWEST: Final = (
    f"SELECT id, {RUN}, sum FROM runs WHERE id IN"  # noqa: S608 - constants of this room
    f" (SELECT max(id) FROM runs WHERE sync {{named}} AND {IS_PASS} GROUP BY sync)"
)
_ABSENT: Final = "SELECT sync, count(*) FROM links WHERE absent_passes > 0 AND sync {named} GROUP BY sync"
_NOTES: Final = f"SELECT {SUMMED_NOTE}, sum FROM notes WHERE scope {{named}} AND name IN (?, ?)"  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is to come for a sync: its newest pass, which may be running still, and what is noted of the next.

    `paused` is the time since which it is paused, `absent` the number of its links whose entry is gone.
    """

    newest: RunRecord | None = None
    paused: float | None = None
    due: Due | None = None
    absent: int = 0


def outlooks(connection: Connection, names: Collection[str]) -> Mapping[str, Outlook]:
    """Return the outlook of each of the syncs `names`; raises StateError for a damaged row."""

    def found(statement: str, of: Collection[str] = names, *more: str) -> Cursor:
        return connection.execute(statement.format(named=connection.one_of), (connection.listed(of), *more))

    newest = {run.sync: run for run in (run_of(checked_numbered(row)) for row in found(_NEWEST))}
    absent = dict(iter(found(_ABSENT)))
    paused, due = dict[str, float](), dict[str, Due]()
    scopes = [f"sync/{name}" for name in names]
    for scope, name, value, at in map(checked, found(_NOTES, scopes, DUE, PAUSED)):
        sync = scope.removeprefix("sync/")
        if name == PAUSED:
            paused[sync] = at
        elif isinstance(moment := loads(value), int | float | None):
            due[sync] = Due(at=moment, noted=at)
    return {
        name: Outlook(newest=newest.get(name), paused=paused.get(name), due=due.get(name), absent=absent.get(name, 0))
        for name in names
    }
