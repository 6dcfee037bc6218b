"""Hints that a portal gave to a machine that does not hold it, kept in the shared database for the machine that does.

Each hint is a row of its own, so that no machine overwrites what another one notes at the same moment, and the holder
drops only what it has read. Writing a hint needs no lease, because it says nothing about what syncd has written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from syncd.model.json_values import Json, loads
from syncd.state.base import Connection, Store, reading, writing
from syncd.state.notes import write_note

_MOST = 10_000
"""So many hints wait at most for a holder; the next reading of the portal finds the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedHint:
    """A hint that waits. `at` is when it was noted, which tells whether it has come again since."""

    name: str
    value: Json
    at: float


class PassedOn:
    """The hints that wait for the holder of the portal `name`; made by `Ledger.passed_on`."""

    scope = ""

    def __init__(self, thread: Store, name: str) -> None:
        self.thread = thread
        self._rows = f"passed on/{name}"

    @writing
    def note(self, connection: Connection, hints: Mapping[str, Json], now: float) -> None:
        """Keep `hints` by their names, in place of those of the same name, as long as there is room."""
        rows = connection.execute("SELECT name FROM notes WHERE scope = ?", (self._rows,)).fetchall()
        known = {str(name) for (name,) in rows}
        for name, value in hints.items():
            # What waits already takes no more room. Left as it was, it would be dropped as seen while it is news.
            if name in known or len(known) < _MOST:
                known.add(name)
                write_note(connection, self._rows, name, value, now)

    @reading
    def waiting(self, connection: Connection) -> tuple[PassedHint, ...]:
        """Return the hints that wait."""
        rows = connection.execute("SELECT name, value, at FROM notes WHERE scope = ? ORDER BY at, name", (self._rows,))
        return tuple(PassedHint(name=name, value=loads(value), at=at) for name, value, at in rows.fetchall())

    @writing
    def drop(self, connection: Connection, hints: Collection[PassedHint]) -> None:
        """Drop `hints`, except those that have come again since."""
        for one in hints:
            connection.execute(
                "DELETE FROM notes WHERE scope = ? AND name = ? AND at = ?", (self._rows, one.name, one.at)
            )
