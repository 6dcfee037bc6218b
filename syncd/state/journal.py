"""Intents, what became of them, and the record of changes; the part that makes "never twice, never lost" true.

Each function is one transaction. Nothing here guesses an outcome: an intent stays until somebody settles it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, assert_never

from syncd.errors import StateError
from syncd.model.item import Link, Op
from syncd.model.record import (
    ChangeRecord,
    Deleted,
    Dropped,
    Intent,
    SetAside,
    Settlement,
    Unsettled,
    Written,
)
from syncd.state import items
from syncd.state.file import transaction
from syncd.state.rows import (
    CHANGE,
    INTENT,
    change_of,
    intent_of,
    intent_row,
    key_row,
    link_of_intent,
    marks,
    packed,
)

# The column lists and placeholders put into these statements are constants of this room; values are always bound.
_NEXT_ID: Final = "SELECT next FROM counters WHERE name = 'intent'"
_PUT_INTENT: Final = f"INSERT INTO intents ({INTENT}) VALUES ({marks(INTENT)})"  # noqa: S608
_GET_INTENTS: Final = f"SELECT {INTENT} FROM intents WHERE sync = ? ORDER BY id"  # noqa: S608
_GET_INTENT: Final = f"SELECT {INTENT} FROM intents WHERE id = ?"  # noqa: S608
_GET_CHANGES: Final = f"SELECT {CHANGE} FROM changes WHERE run_id = ? ORDER BY id"  # noqa: S608
_PUT_CHANGE: Final = f"INSERT INTO changes ({CHANGE}, settled_in) VALUES (NULL, {marks(CHANGE)})"  # noqa: S608


def reserve_ids(connection: sqlite3.Connection, count: int) -> range:
    """Return `count` numbers for intents that were and will be given to nobody else; raises ValueError below 0."""
    if count < 0:
        raise ValueError("cannot reserve fewer than no ids")
    with transaction(connection):
        (first,) = connection.execute(_NEXT_ID).fetchone()
        connection.execute("UPDATE counters SET next = next + ? WHERE name = 'intent'", (count,))
    return range(first, first + count)


def intend(connection: sqlite3.Connection, run_id: int, intents: Sequence[Intent]) -> None:
    """Write `intents` down; when this returns they outlive a power cut.

    Raises ValueError for an intent of another run, an id used before or not reserved, and StateError when an earlier
    create of the same item has no known outcome yet.
    """
    if any(intent.run_id != run_id for intent in intents):
        raise ValueError(f"an intent belongs to another run than {run_id}")
    with transaction(connection):
        (free,) = connection.execute(_NEXT_ID).fetchone()
        for intent in intents:
            if not 0 < intent.id < free:
                raise ValueError(f"the id {intent.id} was not reserved")
            try:
                connection.execute(_PUT_INTENT, intent_row(intent))
            except sqlite3.IntegrityError as error:
                raise _not_intended(connection, intent, error) from error


def sent_again(connection: sqlite3.Connection, ids: Sequence[int], at: float) -> None:
    """Note that intents which are still open go out once more at unix time `at`; raises ValueError for others."""
    with transaction(connection):
        for one in ids:
            if not connection.execute("UPDATE intents SET created_at = ? WHERE id = ?", (at, one)).rowcount:
                raise ValueError(f"there is no open intent {one}")


def _not_intended(connection: sqlite3.Connection, intent: Intent, error: sqlite3.IntegrityError) -> Exception:
    if error.sqlite_errorname == "SQLITE_CONSTRAINT_UNIQUE":
        return StateError(
            f"{intent.where}: an earlier create of “{intent.title}” ({intent.key}) has no known outcome yet",
            "it is looked for in the portal at the start of the next pass",
        )
    if connection.execute("SELECT 1 FROM intents WHERE id = ?", (intent.id,)).fetchone():
        return ValueError(f"the id {intent.id} is in use")
    return ValueError(f"cannot intend {intent.op} of {intent.key} in run {intent.run_id}: {error}")


def open_intents(connection: sqlite3.Connection, sync: str) -> tuple[Intent, ...]:
    """Return the intents of `sync` that nobody has settled for good, ordered by id."""
    return tuple(intent_of(row) for row in connection.execute(_GET_INTENTS, (sync,)))


def settle(connection: sqlite3.Connection, run_id: int, settlements: Sequence[Settlement]) -> None:
    """Write down what became of intents, with links, holds and change records, all or nothing.

    `run_id` is the run that found out. Raises ValueError for an intent that is not open and for an outcome that does
    not fit its operation.
    """
    with transaction(connection):
        for settlement in settlements:
            row = connection.execute(_GET_INTENT, (settlement.intent_id,)).fetchone()
            if row is None:
                raise ValueError(f"there is no open intent {settlement.intent_id}")
            _settle_one(connection, run_id, intent_of(row), settlement)


def _settle_one(connection: sqlite3.Connection, run_id: int, intent: Intent, settlement: Settlement) -> None:
    match settlement.outcome:
        case Written() as written:
            _settle_written(connection, run_id, intent, written, settlement.at)
        case Deleted():
            _settle_deleted(connection, run_id, intent, settlement.at)
        case SetAside(hold=hold):
            if hold.key != intent.key:
                raise ValueError(f"a hold on {hold.key} cannot settle {intent.key}")
            items.put_holds(connection, intent.sync, (hold,))
        case Dropped():
            pass
        case Unsettled(reason=reason, ended=ended):
            state = "ended" if ended else "unknown"
            connection.execute("UPDATE intents SET state = ?, note = ? WHERE id = ?", (state, reason, intent.id))
            return
        case _ as never:
            assert_never(never)
    connection.execute("DELETE FROM intents WHERE id = ?", (intent.id,))


def _settle_written(connection: sqlite3.Connection, run_id: int, intent: Intent, written: Written, at: float) -> None:
    if intent.op == "delete":
        raise ValueError(f"intent {intent.id} was to delete, and cannot have been written")
    # The link to a dead event that a create replaces is nothing that could be brought back.
    before = items.link(connection, intent.sync, intent.key) if intent.op == "update" else None
    after = link_of_intent(intent, written.remote_id, written.version, intent.fields)
    if before is not None:
        same_updates = before.same_updates + 1 if before.fingerprint == after.fingerprint else 0
        after = replace(after, same_updates=same_updates, adopted=before.adopted)
    items.put_links(connection, intent.sync, (after,))
    items.drop_holds(connection, intent.sync, (intent.key,))
    _record(connection, intent.run_id, run_id, intent.sync, intent.op, before, after, at)


def _settle_deleted(connection: sqlite3.Connection, run_id: int, intent: Intent, at: float) -> None:
    if intent.op != "delete":
        raise ValueError(f"intent {intent.id} was to {intent.op}, and cannot have been deleted")
    before = items.link(connection, intent.sync, intent.key)
    if intent.remote_id is not None and (before is None or before.remote_id != intent.remote_id):
        # An event without a link of its own (a duplicate being cleaned away): the link of the key is not concerned.
        before = link_of_intent(intent, intent.remote_id, None, intent.before or intent.fields)
    else:
        items.drop_links(connection, intent.sync, (intent.key,))
        items.drop_holds(connection, intent.sync, (intent.key,))
    if before is not None:
        _record(connection, intent.run_id, run_id, intent.sync, intent.op, before, None, at)


def adopt(connection: sqlite3.Connection, run_id: int, links: Sequence[Link], now: float) -> None:
    """Link events that already stood in the portal, and record that `run_id` took them over.

    Raises ValueError when there is no such run.
    """
    with transaction(connection):
        row = connection.execute("SELECT sync FROM runs WHERE id = ?", (run_id,)).fetchone()
        if row is None:
            raise ValueError(f"there is no run {run_id}")
        (sync,) = row
        for link in links:
            before = items.link(connection, sync, link.key)
            items.put_links(connection, sync, (link,))
            _record(connection, run_id, run_id, sync, "adopt", before, link, now)
        items.drop_holds(connection, sync, (link.key for link in links))


def _record(
    connection: sqlite3.Connection,
    run_id: int,
    settled_in: int,
    sync: str,
    op: Op,
    before: Link | None,
    after: Link | None,
    at: float,
) -> None:
    link = after or before
    if link is None:
        raise ValueError("a change has a before or an after")
    _, *key = key_row(sync, link.key)
    row = (run_id, sync, op, *key, link.remote_id, packed(before), packed(after), at, settled_in)
    connection.execute(_PUT_CHANGE, row)


def changes(connection: sqlite3.Connection, run_id: int) -> tuple[ChangeRecord, ...]:
    """Return what `run_id` did, in the order in which it was settled."""
    return tuple(change_of(row) for row in connection.execute(_GET_CHANGES, (run_id,)))
