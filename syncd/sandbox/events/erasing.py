"""Takes events out of the simulated portal together with what hangs on them (PORTAL.md 4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncd.sandbox.tables.database import Event, Tables


def erase(tables: Tables, row: Event) -> tuple[Event, ...]:
    """Mark a row deleted with its copies, bookings and detached instances; return every row that went.

    A row that is already gone gives nothing.
    """
    if row.deleted:
        return ()
    tables.mark_deleted(row)
    gone = [row]
    for dependent in (*tables.copies_of(row.id), *tables.instances_of(row.id)):
        gone.extend(erase(tables, dependent))
    return tuple(gone)
