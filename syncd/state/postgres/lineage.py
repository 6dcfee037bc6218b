"""Tells whether the tables are those that were written last: another server may have taken over, or a copy be in place.

What an asynchronous standby had not received yet is missing there, links and open creates among it. So whoever finds
another server has every portal read before anything is created: when the ledger is opened, and while it is in use.
"""

from __future__ import annotations

from typing import Final

from syncd.lang.saying import say
from syncd.state.base import Doubt
from syncd.state.notes import forget_all_verified, note_restored
from syncd.state.postgres.connection import TIMELINE, PostgresConnection

_PLACE: Final = f"s.system_identifier::text || '/' || {TIMELINE} || '/' || to_regclass('links')::oid::text"
_SERVER: Final = f"SELECT {_PLACE} FROM pg_control_system() AS s"  # noqa: S608 - constants
"""What tells the tables from a copy of them: another server has another identifier, one that took over or was put back
to an earlier moment another timeline, and what pg_restore made another table.
"""


def note_server(connection: PostgresConnection) -> None:
    """Note where the tables were made; in the caller's transaction."""
    connection.execute(f"UPDATE state SET server = ({_SERVER})")  # noqa: S608 - a constant


def find_doubt(connection: PostgresConnection, now: float) -> Doubt | None:
    """Return why the tables may be older than the portals, None if they are where they were.

    Then it is noted that every portal is to be read: in the tables, so that it holds however often syncd starts before.
    In the caller's transaction.
    """
    (found,) = connection.execute(_SERVER).fetchone()
    (known,) = connection.execute("SELECT server FROM state").fetchone()
    if found == known:
        return None
    connection.execute("UPDATE state SET server = ?", (found,))
    forget_all_verified(connection)
    note_restored(connection, now)
    return Doubt(
        reason=say(
            "the database was restored, or another server has taken over: what was committed last may be missing"
        ),
        replaced=True,
    )
