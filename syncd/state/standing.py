"""How much the ledger holds for each sync and how its last pass ended: counted once, then remembered until it changes.

Only one process writes, so what this process has counted holds until it writes to that sync itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

from syncd.model.record import RunRecord, Tally
from syncd.state.codec import run_of, to_json
from syncd.state.schema import RUN, checked_numbered

_NAMED: Final = "sync IN (SELECT value FROM json_each(?1))"
# In the order of the index, so that the uids need not be sorted to be told apart.
_LINKS: Final = (
    "SELECT sync, count(*), sum(pieces) FROM"  # noqa: S608 - constants of this room, here and below
    f" (SELECT sync, count(*) AS pieces FROM links WHERE {_NAMED} GROUP BY sync, uid) GROUP BY sync"
)
_HOLDS: Final = f"SELECT sync, count(*) FROM holds WHERE {_NAMED} GROUP BY sync"  # noqa: S608
_INTENTS: Final = f"SELECT sync, count(*) FROM intents WHERE {_NAMED} GROUP BY sync"  # noqa: S608
_ENDED: Final = (
    f"SELECT id, {RUN}, sum FROM runs WHERE id IN"  # noqa: S608
    f" (SELECT max(id) FROM runs WHERE {_NAMED} AND finished IS NOT NULL GROUP BY sync)"
)
_SUCCESS: Final = (
    "SELECT sync, max(finished) FROM runs"  # noqa: S608
    f" WHERE {_NAMED} AND state IN ('done', 'partial') GROUP BY sync"
)
_FIRST: Final = f"SELECT sync, min(started) FROM runs WHERE {_NAMED} GROUP BY sync"  # noqa: S608

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a sync stands: what the ledger holds of it, its newest pass that has ended, and when one last succeeded.

    `tried_since` is when the first run began that is known of a sync of which none has succeeded.
    """

    tally: Tally
    last: RunRecord | None = None
    last_success: float | None = None
    tried_since: float | None = None


class Standings:
    """What is known of how each sync stands; used in the ledger's thread only."""

    def __init__(self) -> None:
        self._known: dict[str, Standing] = {}

    def forget(self, name: str) -> None:
        """Have the sync `name` counted again when it is next asked for."""
        self._known.pop(name, None)

    def of(self, connection: sqlite3.Connection, names: Collection[str], *, own: bool) -> Mapping[str, Standing]:
        """Return how the syncs `names` stand; `own` is False where another process may write meanwhile."""
        known = self._known if own else {}
        if unknown := [name for name in names if name not in known]:
            known |= _counted(connection, unknown)
        return {name: known[name] for name in names}


def _counted(connection: sqlite3.Connection, names: Collection[str]) -> dict[str, Standing]:
    chosen = (to_json(list(names)).decode(),)
    links = {name: (entries, items) for name, entries, items in connection.execute(_LINKS, chosen)}
    holds, intents = dict(connection.execute(_HOLDS, chosen)), dict(connection.execute(_INTENTS, chosen))
    ended = {run.sync: run for run in (run_of(checked_numbered(row)) for row in connection.execute(_ENDED, chosen))}
    successes = dict(connection.execute(_SUCCESS, chosen))
    without = [name for name in names if name not in successes]
    tried = dict(connection.execute(_FIRST, (to_json(without).decode(),))) if without else {}
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


class OfSync(Protocol):
    """What the ledger holds of the sync `name`, with what is remembered of how all syncs stand."""

    name: str
    standings: Standings


S = TypeVar("S", bound=OfSync)


def changing(
    work: Callable[Concatenate[S, sqlite3.Connection, P], T],
) -> Callable[Concatenate[S, sqlite3.Connection, P], T]:
    """Have the sync counted again after a method that changes links, holds, intents or runs."""

    @wraps(work)
    def done(self: S, connection: sqlite3.Connection, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # Before: it holds until the next reading in the same thread, also where the method raises halfway.
        self.standings.forget(self.name)
        return work(self, connection, *args, **kwargs)

    return done
