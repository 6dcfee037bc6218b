"""Settles intents: what is written of links, holds and change records, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, assert_never

from syncd.lang.saying import stored
from syncd.model.item import Hold, Key, Link, Op
from syncd.model.json_values import Fields, unpacked
from syncd.model.record import Deleted, Dropped, Intent, SetAside, Settlement, Unsettled, Written
from syncd.scrub import Clean, within
from syncd.state.base import Connection
from syncd.state.codec import hold_row, key_row, link_of_intent, link_rows, links_of, packed
from syncd.state.rows import (
    INTENT,
    IS_KEY,
    KEY,
    SUMMED_CHANGE,
    SUMMED_HOLD,
    SUMMED_LINK,
    Row,
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
_ANY_HOLD: Final = "SELECT 1 FROM holds WHERE sync = ? LIMIT 1"


def links_for(connection: Connection, keys: Collection[tuple[str, Key]]) -> dict[tuple[str, Key], Link]:
    """Return the links of `keys` by sync and key; keys without a link are left out."""
    rows = [checked(row) for row in connection.each(_GET_LINK, [key_row(sync, key) for sync, key in keys])]
    links = links_of(row[1:] for row in rows)
    return {(row[0], link.key): link for row, link in zip(rows, links, strict=True)}


def drop_links(connection: Connection, sync: str, keys: Iterable[Key]) -> None:
    """Remove the links of `keys`."""
    connection.executemany(_DROP_LINK, (key_row(sync, key) for key in keys))


def drop_holds(connection: Connection, sync: str, keys: Iterable[Key]) -> int:
    """Remove the holds of `keys` and return how many there were."""
    return connection.executemany(_DROP_HOLD, (key_row(sync, key) for key in keys)).rowcount


def put_holds(connection: Connection, sync: str, wanted: Iterable[Hold]) -> None:
    """Write the `wanted` holds, in place of others of the same keys."""
    connection.executemany(_PUT_HOLD, (summed(hold_row(sync, each)) for each in wanted))


@dataclass(slots=True)
class Settling:
    """The links, holds and change records that one call writes: gathered first, and written table by table at the end.

    Writing row by row would take a round trip to the database for each. `links` are those of all keys concerned, by
    sync and key, as they are after what was gathered so far. `clean` takes secrets out of reasons.
    """

    links: dict[tuple[str, Key], Link]
    clean: Clean
    _new_links: dict[tuple[str, Key], Link | None] = field(default_factory=dict)
    _new_holds: dict[tuple[str, Key], Hold | None] = field(default_factory=dict)
    _records: list[Row] = field(default_factory=list)
    _states: list[Row] = field(default_factory=list)
    _ended: list[int] = field(default_factory=list)

    def put_link(self, sync: str, link: Link, *, op: Op, before: Link | None, runs: tuple[int, int], at: float) -> None:
        """Gather `link` and the record of the change; `runs` are the run that sent it and the run that found out."""
        self.links[sync, link.key] = self._new_links[sync, link.key] = link
        self._new_holds[sync, link.key] = None
        self._records.append(_record(sync, op=op, before=before, after=link, runs=runs, at=at))

    def settle(self, run_id: int, intent: Intent, settlement: Settlement) -> None:
        """Gather what became of `intent`, as run `run_id` found out.

        Raises ValueError for an outcome that does not fit the intent's operation.
        """
        runs = (intent.run_id, run_id)
        match settlement.outcome:
            case Written() as written:
                self._settle_written(intent, written, runs, settlement.at)
            case Deleted():
                self._settle_deleted(intent, runs, settlement.at)
            case SetAside(hold=hold):
                if hold.key != intent.key:
                    raise ValueError(f"a hold on {hold.key} cannot settle {intent.key}")
                self._new_holds[intent.sync, hold.key] = cleaned_hold(hold, self.clean)
            case Dropped():  # nothing was done, so only the intent goes
                pass
            case Unsettled(reason=reason, ended=ended):
                self._states.append(("ended" if ended else "unknown", stored(within(reason, self.clean)), intent.id))
                return
            case never:
                assert_never(never)
        self._ended.append(intent.id)

    def _settle_written(self, intent: Intent, written: Written, runs: tuple[int, int], at: float) -> None:
        if intent.op == "delete":
            raise ValueError(f"intent {intent.id} was to delete, and cannot have been written")
        # A create replaces the link to an event that no longer exists, which a take-back could not restore.
        before = self.links.get((intent.sync, intent.key)) if intent.op == "update" else None
        after = link_of_intent(intent, written.remote_id, written.version, intent.fields, written.stamp)
        if before is not None:
            same_updates = before.same_updates + 1 if before.fingerprint == after.fingerprint else 0
            stamp = written.stamp or before.stamp
            after = replace(after, same_updates=same_updates, adopted=before.adopted, stamp=stamp)
        self.put_link(intent.sync, after, op=intent.op, before=before, runs=runs, at=at)

    def _settle_deleted(self, intent: Intent, runs: tuple[int, int], at: float) -> None:
        if intent.op != "delete":
            raise ValueError(f"intent {intent.id} was to {intent.op}, and cannot have been deleted")
        before = self.links.get((intent.sync, intent.key))
        if intent.remote_id is not None and (before is None or before.remote_id != intent.remote_id):
            # A duplicate without a link of its own was deleted: the link of the key is to another event, and stays.
            before = link_of_intent(intent, intent.remote_id, None, intent.before or intent.fields)
        else:
            at_key = intent.sync, intent.key
            self.links.pop(at_key, None)
            self._new_links[at_key] = self._new_holds[at_key] = None
        if before is not None:
            self._records.append(_record(intent.sync, op="delete", before=before, after=None, runs=runs, at=at))

    def write(self, connection: Connection) -> None:
        """Write all of it down, in the caller's transaction."""
        if gone := [key_row(sync, key) for (sync, key), link in self._new_links.items() if link is None]:
            connection.executemany(_DROP_LINK, gone)
        if links := [(sync, link) for (sync, _), link in self._new_links.items() if link is not None]:
            connection.executemany(_PUT_LINK, map(summed, link_rows(links)))
        self._write_holds(connection)
        if self._records:
            connection.executemany(_PUT_CHANGE, self._records)
        # Each is open still, also where it was not read: whatever is not is a fault, and nothing is kept then.
        if self._states and connection.change(_SET_STATE, self._states) != len(self._states):
            raise ValueError("an intent whose outcome is unknown is not open")
        if self._ended and _ended(connection, self._ended) != len(self._ended):
            raise ValueError("an intent that was settled is not open")

    def _write_holds(self, connection: Connection) -> None:
        # Most syncs have no hold, and then none of very many keys has to be looked up.
        held = {sync for sync in {sync for sync, _ in self._new_holds} if _has_holds(connection, sync)}
        released = [key_row(*at) for at, hold in self._new_holds.items() if hold is None and at[0] in held]
        if released:
            connection.executemany(_DROP_HOLD, released)
        if holds := [(sync, hold) for (sync, _), hold in self._new_holds.items() if hold is not None]:
            connection.executemany(_PUT_HOLD, [summed(hold_row(sync, hold)) for sync, hold in holds])


def _ended(connection: Connection, ids: Collection[int]) -> int:
    """Remove the intents `ids`, and return how many of them there were."""
    return connection.execute(f"DELETE FROM intents WHERE id {connection.one_of}", (connection.listed(ids),)).rowcount  # noqa: S608


def _has_holds(connection: Connection, sync: str) -> bool:
    return connection.execute(_ANY_HOLD, (sync,)).fetchone() is not None


def cleaned_hold(hold: Hold, clean: Clean) -> Hold:
    """Return `hold` without secrets in its reason, which may quote the portal."""
    return replace(hold, reason=within(hold.reason, clean))


def _record(sync: str, *, op: Op, before: Link | None, after: Link | None, runs: tuple[int, int], at: float) -> Row:
    """Return the row that keeps a change."""
    link = after or before
    if link is None:
        raise ValueError("a change has a before or an after")
    sent_in, settled_in = runs
    _, *key = key_row(sync, link.key)
    # What was sent to make or update it stands in the link; only what an event said before syncd took it over, or
    # before an update, has to be kept here for whoever takes the run back, and what an update changed, for whoever asks
    # what the run did. That is half the ledger.
    changed = _changed(before, after) if after is not None and op != "adopt" else None
    row = (sent_in, sync, op, *key, link.remote_id, packed(before), packed(after, changed), float(at))
    return (*summed(row), settled_in)


def _changed(before: Link | None, after: Link) -> Fields:
    """Return the fields that an update changed, as it sent them; {} for a create."""
    old = unpacked(before.sent) if before is not None else {}
    if not old:
        return {}
    new = unpacked(after.sent)
    return {name: new.get(name) for name in sorted({*old, *new}) if old.get(name) != new.get(name)}
