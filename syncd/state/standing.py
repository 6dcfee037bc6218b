"""How much the ledger holds for each sync and how its last pass ended: counted once, then remembered until it changes.

If only this process writes about a sync, its counts hold until it writes about that sync again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from syncd.model.record import RunRecord, Tally
from syncd.state.base import Connection, Cursor, Store
from syncd.state.codec import run_of
from syncd.state.rows import IS_PASS, RUN, SUCCEEDED, checked_numbered

# In the order of the index, so that the uids need not be sorted to be told apart.
_LINKS: Final = (
    "SELECT sync, count(*), sum(pieces) FROM"
    " (SELECT sync, count(*) AS pieces FROM links WHERE sync {named} GROUP BY sync, uid) AS entries GROUP BY sync"
)
_HOLDS: Final = "SELECT sync, count(*) FROM holds WHERE sync {named} GROUP BY sync"
_INTENTS: Final = "SELECT sync, count(*) FROM intents WHERE sync {named} GROUP BY sync"
_ENDED: Final = (
    f"SELECT id, {RUN}, sum FROM runs WHERE id IN"  # noqa: S608 - constants of this room
    f" (SELECT max(id) FROM runs WHERE sync {{named}} AND {IS_PASS} AND finished IS NOT NULL GROUP BY sync)"
)
_SUCCESS: Final = f"SELECT sync, max(finished) FROM runs WHERE sync {{named}} AND {SUCCEEDED} GROUP BY sync"  # noqa: S608 - likewise
_FIRST: Final = "SELECT sync, min(started) FROM runs WHERE sync {named} GROUP BY sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a sync stands: what the ledger holds of it, its newest finished pass, and when a pass last succeeded.

    If no pass has succeeded, `tried_since` is when the first known run began.
    """

    tally: Tally
    last: RunRecord | None = None
    last_success: float | None = None
    tried_since: float | None = None


class Standings:
    """What is known of how each sync in `store` stands; used in the store's thread only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[int, Standing]] = {}

    def of(self, connection: Connection, names: Collection[str]) -> Mapping[str, Standing]:
        """Return how the syncs `names` stand; those of which something was written since are counted again."""
        writes = {name: self._store.writes[f"sync/{name}"] for name in names}
        owned = [name for name in names if self._store.owns(name)]  # of which no other process may write meanwhile
        known = {name: self._known[name][1] for name in owned if self._known.get(name, (-1,))[0] == writes[name]}
        if unknown := [name for name in names if name not in known]:
            known |= _counted(connection, unknown)
            self._known |= {name: (writes[name], known[name]) for name in owned}
        return {name: known[name] for name in names}


def _counted(connection: Connection, names: Collection[str]) -> dict[str, Standing]:
    def found(statement: str, of: Collection[str] = names) -> Cursor:
        return connection.execute(statement.format(named=connection.one_of), (connection.listed(of),))

    links = {name: (entries, int(items)) for name, entries, items in found(_LINKS)}
    holds, intents = dict(iter(found(_HOLDS))), dict(iter(found(_INTENTS)))
    ended = {run.sync: run for run in (run_of(checked_numbered(row)) for row in found(_ENDED))}
    successes = dict(iter(found(_SUCCESS)))
    without = [name for name in names if name not in successes]
    tried = dict(iter(found(_FIRST, without))) if without else {}
    return {
        name: Standing(
            tally=Tally(
                entries=links.get(name, (0, 0))[0],
                items=links.get(name, (0, 0))[1],
                held=holds.get(name, 0),
                open_intents=intents.get(name, 0),
            ),
            last=ended.get(name),
            last_success=None if successes.get(name) is None else float(successes[name]),
            tried_since=None if tried.get(name) is None else float(tried[name]),
        )
        for name in names
    }
