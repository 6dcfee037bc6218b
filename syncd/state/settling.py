"""What the ledger writes when an intent is settled: link, hold and change record, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, assert_never

from syncd.model.item import Hold, Key, Link, Op
from syncd.model.json_values import Fields
from syncd.model.record import Deleted, Dropped, Intent, SetAside, Settlement, Unsettled, Written
from syncd.state.base import Connection
from syncd.state.codec import hold_row, key_row, link_of, link_of_intent, link_row, packed
from syncd.state.rows import (
    INTENT,
    IS_KEY,
    KEY,
    SUMMED_CHANGE,
    SUMMED_HOLD,
    SUMMED_LINK,
    Update,
    checked,
    marks,
    putting,
    summed,
)

# The column lists and placeholders put into these statements are constants of this room; values are always bound.
_PUT_LINK: Final = putting("links", SUMMED_LINK, f"sync, {KEY}")
_PUT_HOLD: Final = putting("holds", SUMMED_HOLD, f"sync, {KEY}")
_PUT_CHANGE: Final = f"INSERT INTO changes ({SUMMED_CHANGE}, sum, settled_in) VALUES ({marks(SUMMED_CHANGE, more=2)})"  # noqa: S608
_GET_LINK: Final = f"SELECT {SUMMED_LINK}, sum FROM links WHERE {IS_KEY}"  # noqa: S608
_SET_STATE: Final = Update("intents", INTENT, "id = ?3", state="?1", note="?2")
_DROP_LINK: Final = f"DELETE FROM links WHERE {IS_KEY}"  # noqa: S608
_DROP_HOLD: Final = f"DELETE FROM holds WHERE {IS_KEY}"  # noqa: S608


def link_for(connection: Connection, sync: str, key: Key) -> Link | None:
    """Return the link of `key`, if there is one."""
    row = connection.execute(_GET_LINK, key_row(sync, key)).fetchone()
    return None if row is None else link_of(checked(row)[1:])


def drop_links(connection: Connection, sync: str, keys: Iterable[Key]) -> None:
    """Remove the links of `keys`."""
    connection.executemany(_DROP_LINK, (key_row(sync, key) for key in keys))


def drop_holds(connection: Connection, sync: str, keys: Iterable[Key]) -> int:
    """Remove the holds of `keys` and return how many there were."""
    return connection.executemany(_DROP_HOLD, (key_row(sync, key) for key in keys)).rowcount


def put_holds(connection: Connection, sync: str, wanted: Iterable[Hold]) -> None:
    """Write the `wanted` holds, in place of others of the same keys."""
    connection.executemany(_PUT_HOLD, (summed(hold_row(sync, each)) for each in wanted))


def put_link(
    connection: Connection,
    sync: str,
    link: Link,
    *,
    op: Op,
    before: Link | None,
    runs: tuple[int, int],
    at: float,
) -> None:
    """Write `link` and the record of the change; `runs` are the run that sent it and the run that found out."""
    connection.execute(_PUT_LINK, summed(link_row(sync, link)))
    drop_holds(connection, sync, (link.key,))
    _record(connection, sync, op=op, before=before, after=link, runs=runs, at=at)


def settle_one(connection: Connection, run_id: int, intent: Intent, settlement: Settlement) -> None:
    """Write down what became of `intent`, as run `run_id` found out.

    Raises ValueError for an outcome that does not fit the intent's operation.
    """
    runs = (intent.run_id, run_id)
    match settlement.outcome:
        case Written() as written:
            _settle_written(connection, intent, written, runs, settlement.at)
        case Deleted():
            _settle_deleted(connection, intent, runs, settlement.at)
        case SetAside(hold=hold):
            if hold.key != intent.key:
                raise ValueError(f"a hold on {hold.key} cannot settle {intent.key}")
            put_holds(connection, intent.sync, (hold,))
        case Dropped():  # nothing was done, so only the intent goes
            pass
        case Unsettled(reason=reason, ended=ended):
            state = "ended" if ended else "unknown"
            connection.change(_SET_STATE, [(state, reason, intent.id)])
            return
        case _ as never:
            assert_never(never)
    connection.execute("DELETE FROM intents WHERE id = ?", (intent.id,))


def _settle_written(connection: Connection, intent: Intent, written: Written, runs: tuple[int, int], at: float) -> None:
    if intent.op == "delete":
        raise ValueError(f"intent {intent.id} was to delete, and cannot have been written")
    # A create replaces the link to an event that no longer exists, which a take-back could not restore.
    before = link_for(connection, intent.sync, intent.key) if intent.op == "update" else None
    after = link_of_intent(intent, written.remote_id, written.version, intent.fields, written.stamp)
    if before is not None:
        same_updates = before.same_updates + 1 if before.fingerprint == after.fingerprint else 0
        stamp = written.stamp or before.stamp
        after = replace(after, same_updates=same_updates, adopted=before.adopted, stamp=stamp)
    put_link(connection, intent.sync, after, op=intent.op, before=before, runs=runs, at=at)


def _settle_deleted(connection: Connection, intent: Intent, runs: tuple[int, int], at: float) -> None:
    if intent.op != "delete":
        raise ValueError(f"intent {intent.id} was to {intent.op}, and cannot have been deleted")
    before = link_for(connection, intent.sync, intent.key)
    if intent.remote_id is not None and (before is None or before.remote_id != intent.remote_id):
        # A duplicate without a link of its own was deleted: the link of the key is to another event, and stays.
        before = link_of_intent(intent, intent.remote_id, None, intent.before or intent.fields)
    else:
        drop_links(connection, intent.sync, (intent.key,))
        drop_holds(connection, intent.sync, (intent.key,))
    if before is not None:
        _record(connection, intent.sync, op="delete", before=before, after=None, runs=runs, at=at)


def _changed(before: Link | None, after: Link) -> Fields:
    """Return the fields of `after` that are not those of `before`, None for one that is gone; none without `before`."""
    if before is None:
        return {}
    names = {*before.sent, *after.sent}
    return {name: after.sent.get(name) for name in sorted(names) if before.sent.get(name) != after.sent.get(name)}


def _record(
    connection: Connection,
    sync: str,
    *,
    op: Op,
    before: Link | None,
    after: Link | None,
    runs: tuple[int, int],
    at: float,
) -> None:
    link = after or before
    if link is None:
        raise ValueError("a change has a before or an after")
    sent_in, settled_in = runs
    _, *key = key_row(sync, link.key)
    # What was sent to make or update it stands in the link; only what an event said before syncd took it over, or
    # before an update, has to be kept here for whoever takes the run back, and what an update changed, for whoever asks
    # what the run did. That is half the ledger.
    kept = replace(after, sent=_changed(before, after)) if after is not None and op != "adopt" else after
    row = (sent_in, sync, op, *key, link.remote_id, packed(before), packed(kept), float(at))
    connection.execute(_PUT_CHANGE, (*summed(row), settled_in))
