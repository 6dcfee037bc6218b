"""The part of the ledger about one sync: its links, holds, intents, runs and notes.

reserve_ids -> intend -> (sent) -> settle. An intent stays open until its outcome is certain; nothing is guessed here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final

from syncd import collector
from syncd.errors import StateError
from syncd.lang.saying import say
from syncd.model.item import Hold, Key, Link
from syncd.model.json_values import PackedFields
from syncd.model.record import ChangeRecord, Intent, RunKind, RunRecord, Settlement, Tally
from syncd.model.sent_links import SentLinks, Unseen
from syncd.model.unanswered import unanswered
from syncd.scrub import within
from syncd.state.base import Connection, Store, reading, writing
from syncd.state.codec import change_of, hold_of, intent_of, intent_row, key_of, key_row, links_of, run_of, run_row
from syncd.state.notes import NotesOfSync
from syncd.state.rows import (
    CHANGE,
    INTENT,
    IS_KEY,
    IS_PASS,
    KEY,
    LINK,
    NO_LIMIT,
    RUN,
    SUCCEEDED,
    SUMMED_HOLD,
    SUMMED_LINK,
    Update,
    checked,
    checked_numbered,
    marks,
    summed,
)
from syncd.state.runs import end_runs_of
from syncd.state.settling import Settling, cleaned_hold, drop_holds, drop_links, links_for, put_holds
from syncd.state.standing import Standings

MOST_RUNS: Final = 20_000
MOST_CHANGES: Final = 500_000
"""How much is kept at most, however recent: about half a gigabyte of change records."""
# The column lists and placeholders put into these statements are constants of this room; values are always bound.
_GET_LINKS: Final = f"SELECT {LINK} FROM links WHERE sync = ? ORDER BY {KEY}"  # noqa: S608
_GET_SENT: Final = f"SELECT {KEY}, remote_id, fingerprint FROM links WHERE sync = ? ORDER BY {KEY}"  # noqa: S608
_GET_HOLDS: Final = f"SELECT {SUMMED_HOLD}, sum FROM holds WHERE sync = ? ORDER BY {KEY}"  # noqa: S608
_GET_ABSENT: Final = f"SELECT {KEY} FROM links WHERE sync = ? AND absent_passes > 0"  # noqa: S608
_GET_ABSENT_LINKS: Final = f"SELECT {LINK} FROM links WHERE sync = ? AND absent_passes > 0 ORDER BY {KEY}"  # noqa: S608
_NEXT_ID: Final = "SELECT next FROM counters WHERE name = 'intent'"
_PUT_INTENT: Final = f"INSERT INTO intents ({INTENT}, sum) VALUES ({marks(INTENT, more=1)})"  # noqa: S608
_GET_INTENTS: Final = f"SELECT {INTENT}, sum FROM intents WHERE sync = ? ORDER BY id"  # noqa: S608
_GET_OF_INTENTS: Final = f"SELECT {INTENT}, sum FROM intents WHERE"  # noqa: S608
_SEND_AGAIN: Final = Update("intents", INTENT, "id = ?2", created_at="?1")
_GET_CREATE: Final = f"SELECT 1 FROM intents WHERE op = 'create' AND {IS_KEY} AND id != ?"  # noqa: S608
_DOUBT: Final = Update("links", SUMMED_LINK, IS_KEY, fingerprint="''")
_RELEARN: Final = Update("links", SUMMED_LINK, IS_KEY, version="?1", same_updates="0")
_LEARN_STAMP: Final = Update("links", SUMMED_LINK, IS_KEY, stamp="?1")
_PRESENT: Final = Update("links", SUMMED_LINK, IS_KEY, absent_passes="0")
_ABSENT: Final = Update("links", SUMMED_LINK, IS_KEY, absent_passes="absent_passes + 1")
_RELEASE: Final = Update("links", SUMMED_LINK, IS_KEY, same_updates="0")
_RELEASE_ALL: Final = Update("links", SUMMED_LINK, "sync = ? AND same_updates > 0", same_updates="0")
_GET_CHANGES: Final = f"SELECT {CHANGE}, sum FROM changes WHERE run_id = ? ORDER BY id"  # noqa: S608
_GET_PAST: Final = f"SELECT op, {KEY} FROM changes WHERE sync = ? AND op <> 'update' ORDER BY id"  # noqa: S608
_PUT_RUN: Final = f"INSERT INTO runs ({RUN}, sum) VALUES ({marks(RUN, more=1)})"  # noqa: S608
_SET_RUN: Final = f"UPDATE runs SET ({RUN}, sum) = ({marks(RUN, more=1)}) WHERE id = ?"  # noqa: S608
_GET_PASS: Final = f"SELECT id, {RUN}, sum FROM runs WHERE sync = ? AND {IS_PASS} ORDER BY id DESC LIMIT 1"  # noqa: S608
_GET_RUNS: Final = f"SELECT id, {RUN}, sum FROM runs WHERE sync = ? ORDER BY id DESC LIMIT ?"  # noqa: S608


class SyncLedger(NotesOfSync):
    """What the ledger holds of the sync `name`; made by `Ledger.of`, whose contract it keeps.

    `keep_runs` returns for how long finished runs are kept, None for ever; `standings` is what this process remembers
    of how all syncs stand.
    """

    def __init__(
        self, thread: Store, name: str, keep_runs: Callable[[], timedelta | None], standings: Standings
    ) -> None:
        super().__init__(thread, name)
        self._standings = standings
        self._keep_runs = keep_runs

    @reading
    def links(self, connection: Connection) -> tuple[Link, ...]:
        """Return the links of the sync, ordered by key; what each one sent is unpacked when it is first asked for."""
        with collector.resting():
            return tuple(links_of(connection.rows(_GET_LINKS, (self.name,))))

    @reading
    def sent(self, connection: Connection, ids: Collection[int] = (), uids: Collection[str] = ()) -> SentLinks:
        """Return what all links were sent last, and which of `uids` have links.

        Links that count in full (`SentLinks.apart`) are here those of absent entries, those that share an event, and
        those to one of the events `ids`.
        """
        found = SentLinks({key_of(row) for row in connection.execute(_GET_ABSENT, (self.name,))})
        with collector.resting():
            twice = found.add(connection.rows(_GET_SENT, (self.name,)), uids)
        if looked_at := {*twice, *ids}:
            found.set_apart(connection.rows(_GET_SENT, (self.name,)), looked_at)
        return found

    @reading
    def unseen(self, connection: Connection, unseen: Unseen) -> tuple[Sequence[Link], Collection[str]]:
        """Return the links that `unseen` holds still, ordered by key, and the uids that have such links and others."""
        if not unseen.number:
            return (), ()
        keys, both = unseen.keys(connection.rows(_GET_SENT, (self.name,)))
        found = links_for(connection, [(self.name, key) for key in keys])
        return tuple(found[self.name, key] for key in keys), both

    @reading
    def absent(self, connection: Connection) -> tuple[Link, ...]:
        """Return the links whose entries the last complete snapshot lacked, ordered by key."""
        return tuple(links_of(connection.execute(_GET_ABSENT_LINKS, (self.name,))))

    @reading
    def holds(self, connection: Connection, limit: int | None = None) -> tuple[Hold, ...]:
        """Return the holds of the sync, ordered by key; the first `limit` of them if that is given."""
        rows = connection.execute(f"{_GET_HOLDS} LIMIT ?", (self.name, NO_LIMIT if limit is None else limit))
        return tuple(hold_of(checked(row)[1:]) for row in rows)

    @reading
    def tally(self, connection: Connection) -> Tally:
        """Return how many entries, items, holds and open intents there are."""
        return self._standings.of(connection, (self.name,))[self.name].tally

    @reading
    def links_for(self, connection: Connection, keys: Sequence[Key]) -> tuple[Link, ...]:
        """Return the links of `keys`, in their order; keys without a link are left out."""
        found = links_for(connection, [(self.name, key) for key in keys])
        return tuple(found[self.name, key] for key in keys if (self.name, key) in found)

    @writing
    def reserve_ids(self, connection: Connection, count: int) -> range:
        """Return `count` ids for intents, which are never given again; raises ValueError if `count` is negative."""
        if count < 0:
            raise ValueError("cannot reserve fewer than no ids")
        # A counter, not the table's own numbering: settled intents leave the table, and their ids must not come again.
        # Written before it is read, so that no two processes read the same.
        connection.execute("UPDATE counters SET next = next + ? WHERE name = 'intent'", (count,))
        (after,) = connection.execute(_NEXT_ID).fetchone()
        return range(after - count, after)

    @writing
    def intend(self, connection: Connection, run_id: int, intents: Sequence[Intent]) -> None:
        """Write `intents` down before they are sent; when this returns, they survive a power cut.

        Raises ValueError for an intent of another run or an id that was not reserved or is in use, and StateError
        when an earlier create of the same item has no known outcome yet.
        """
        if any(intent.run_id != run_id for intent in intents):
            raise ValueError(f"an intent belongs to another run than {run_id}")
        (free,) = connection.execute(_NEXT_ID).fetchone()
        for intent in intents:
            if not 0 < intent.id < free:
                raise ValueError(f"the id {intent.id} was not reserved")
        try:
            with connection.trying():
                connection.executemany(_PUT_INTENT, (summed(intent_row(intent)) for intent in intents))
        except connection.IntegrityError as error:
            raise _not_intended(connection, intents, error) from error

    @writing
    def sent_again(self, connection: Connection, ids: Sequence[int], *, now: float) -> None:
        """Note that open intents are sent once more at unix time `now`; raises ValueError for an id not open.

        The portal may still carry out the earlier requests.
        """
        intents = self._open(connection, ids)
        if missing := [one for one in ids if one not in intents]:
            raise ValueError(f"there is no open intent {missing[0]}")
        connection.change(_SEND_AGAIN, ((float(now), number) for number in ids))
        self._add_unanswered(connection, unanswered(intents[one] for one in ids), now)

    @reading
    def open_intents(self, connection: Connection) -> tuple[Intent, ...]:
        """Return the intents that are not settled (left by a crash, or of unknown outcome), ordered by id."""
        return tuple(intent_of(checked(row)) for row in connection.execute(_GET_INTENTS, (self.name,)))

    @writing
    def settle(
        self, connection: Connection, run_id: int, settlements: Sequence[Settlement], intended: Sequence[Intent] = ()
    ) -> None:
        """Write down what became of intents: links, holds and change records, all or nothing.

        `run_id` is the run that found out. `intended` are those that this process has written down itself and knows
        still; the others are read. Raises ValueError for an intent that is not open and for an outcome that does not
        fit its operation.
        """
        intents = {one.id: one for one in intended}
        intents |= self._open(connection, [one.intent_id for one in settlements if one.intent_id not in intents])
        # What a create replaces is not looked at.
        keys = {(one.sync, one.key) for one in intents.values() if one.op in ("update", "delete")}
        settling = Settling(links_for(connection, keys), self.thread.clean)
        for settlement in settlements:
            intent = intents.pop(settlement.intent_id, None)
            if intent is None:
                raise ValueError(f"there is no open intent {settlement.intent_id}")
            settling.settle(run_id, intent, settlement)
        settling.write(connection)

    def _open(self, connection: Connection, ids: Sequence[int]) -> dict[int, Intent]:
        """Return the open intents among `ids`."""
        if not ids:
            return {}
        rows = connection.execute(f"{_GET_OF_INTENTS} id {connection.one_of}", (connection.listed(ids),)).fetchall()
        found = (intent_of(checked(row), PackedFields) for row in rows)
        return {one.id: one for one in found}

    @writing
    def adopt(self, connection: Connection, run_id: int, links: Sequence[Link], *, now: float) -> None:
        """Link events that already stood in the portal, and record at `now` that `run_id` took them over.

        Raises ValueError when the sync has no such run.
        """
        of_this_sync = "SELECT 1 FROM runs WHERE id = ? AND sync = ?"
        if connection.execute(of_this_sync, (run_id, self.name)).fetchone() is None:
            raise ValueError(f"there is no run {run_id} of {self.name}")
        settling = Settling(links_for(connection, {(self.name, link.key) for link in links}), self.thread.clean)
        for link in links:
            before = settling.links.get((self.name, link.key))
            settling.put_link(self.name, link, op="adopt", before=before, runs=(run_id, run_id), at=now)
        settling.write(connection)

    @writing
    def doubt(self, connection: Connection, keys: Collection[Key]) -> None:
        """Note that the state of the events of `keys` is unknown, so that the next plan writes them again.

        Keys without a link are ignored, here and in the methods below.
        """
        connection.change(_DOUBT, (key_row(self.name, key) for key in keys))

    @writing
    def relearn(self, connection: Connection, versions: Mapping[Key, int]) -> None:
        """Set the VERSION of links whose events are in the portal as they were sent.

        Nobody edits them any more, so the count of identical updates starts again.
        """
        connection.change(_RELEARN, ((version, *key_row(self.name, key)) for key, version in versions.items()))

    @writing
    def learn_stamps(self, connection: Connection, stamps: Mapping[Key, str]) -> None:
        """Note when and by whom the events of links were created, as the portal says."""
        connection.change(_LEARN_STAMP, ((stamp, *key_row(self.name, key)) for key, stamp in stamps.items()))

    @writing
    def mark_absent(self, connection: Connection, absent: Collection[Key], present: Collection[Key]) -> None:
        """Count one more complete snapshot without the `absent` keys, and reset the count of the `present` keys."""
        # Nearly always nothing has been absent, and then the present keys need not be looked up.
        counted = {key_of(row) for row in connection.execute(_GET_ABSENT, (self.name,))}
        back = counted.intersection(present) if counted else set()
        connection.change(_PRESENT, (key_row(self.name, key) for key in back))
        connection.change(_ABSENT, (key_row(self.name, key) for key in absent))

    @writing
    def forget(self, connection: Connection, keys: Collection[Key]) -> None:
        """Remove the links of `keys`: their events are gone, belong to others, or are left to people; holds stay."""
        drop_links(connection, self.name, keys)

    @writing
    def hold(self, connection: Connection, holds: Sequence[Hold]) -> None:
        """Put items on hold, in place of earlier holds of the same keys."""
        put_holds(connection, self.name, [cleaned_hold(hold, self.thread.clean) for hold in holds])

    @writing
    def release(self, connection: Connection, keys: Collection[Key] | None) -> int:
        """Remove the holds of `keys`, or all for None, and return how many there were.

        Events that were left as people edited them, again and again, are updated by the next pass.
        """
        if keys is None:
            connection.change(_RELEASE_ALL, [(self.name,)])
            return connection.execute("DELETE FROM holds WHERE sync = ?", (self.name,)).rowcount
        connection.change(_RELEASE, (key_row(self.name, key) for key in keys))
        return drop_holds(connection, self.name, keys)

    @writing
    def begin_run(self, connection: Connection, started: float, kind: RunKind = "pass") -> int:
        """Write down that a run began at unix time `started`, and return its number, which is never used twice.

        Runs that are older than the ledger keeps are removed first.
        """
        if (kept := self._keep_runs()) is not None:
            prune(connection, started - kept.total_seconds())
        connection.give_back()
        begun = RunRecord(id=0, sync=self.name, started=started, kind=kind)
        return connection.inserted(_PUT_RUN, summed(run_row(begun)))

    @writing
    def end_run(self, connection: Connection, run_id: int, record: RunRecord) -> None:
        """Write down how run `run_id` ended; raises ValueError for another run's record or an unknown run."""
        if record.id != run_id:
            raise ValueError(f"the record of run {record.id} cannot end run {run_id}")
        # Where nothing is told in words, nothing is quoted from portal or feed.
        cleaned = within(record, self.thread.clean) if record.problems or record.error else record
        if connection.execute(_SET_RUN, (*summed(run_row(cleaned)), run_id)).rowcount == 0:
            raise ValueError(f"there is no run {run_id}")

    @writing
    def end_left_runs(self, connection: Connection, now: float) -> None:
        """End the runs that another process left unfinished. Call it only where nobody works on the sync."""
        end_runs_of(connection, (self.name,), now)

    @reading
    def runs(self, connection: Connection, limit: int) -> tuple[RunRecord, ...]:
        """Return the last `limit` runs, the newest first."""
        return tuple(run_of(checked_numbered(row)) for row in connection.execute(_GET_RUNS, (self.name, limit)))

    @reading
    def runs_since(self, connection: Connection, moment: float) -> tuple[RunRecord, ...]:
        """Return the runs since unix time `moment`, and those before back to a pass, the newest first."""
        found: list[RunRecord] = []
        for row in connection.execute(_GET_RUNS, (self.name, MOST_RUNS)):
            found.append(run_of(checked_numbered(row)))
            if found[-1].started < moment and found[-1].kind == "pass":
                break
        return tuple(found)

    @reading
    def last_pass(self, connection: Connection) -> RunRecord | None:
        """Return the newest pass, which may be running still; None before the first. What took back is no pass."""
        row = connection.execute(_GET_PASS, (self.name,)).fetchone()
        return run_of(checked_numbered(row)) if row is not None else None

    @reading
    def last_success(self, connection: Connection) -> float | None:
        """Return the unix time at which a pass last reached its end, even if single entries were rejected or held."""
        (finished,) = connection.execute(
            f"SELECT max(finished) FROM runs WHERE sync = ? AND {SUCCEEDED}",  # noqa: S608 - a constant of this room
            (self.name,),
        ).fetchone()
        return None if finished is None else float(finished)

    @reading
    def changes(self, connection: Connection, run_id: int, limit: int | None = None) -> tuple[ChangeRecord, ...]:
        """Return the changes of run `run_id`, in the order in which they were settled, with the links before and after.

        Only the first `limit` of them if that is given.
        """
        rows = connection.execute(f"{_GET_CHANGES} LIMIT ?", (run_id, NO_LIMIT if limit is None else limit))
        return tuple(change_of(checked_numbered(row)) for row in rows)

    @reading
    def past(self, connection: Connection, keys: Collection[Key]) -> Mapping[Key, Sequence[str]]:
        """Return by key what the recorded runs did to the events of `keys`, but for updates, the oldest first."""
        found: dict[Key, list[str]] = defaultdict(list)
        for op, *key in connection.execute(_GET_PAST, (self.name,)):
            if (known := key_of(key)) in keys:
                found[known].append(op)
        return found


def _not_intended(connection: Connection, intents: Sequence[Intent], error: Exception) -> Exception:
    """Return what `error` says against `intents`, of which some may have been written by the same statement."""
    creates, ids = set[tuple[str, Key]](), set[int]()
    for one in intents:
        is_create = one.op == "create"
        if is_create and ((one.sync, one.key) in creates or _is_open(connection, one)):
            return StateError(
                say(
                    "{where}: an earlier create of “{title}” ({key}) has no known outcome yet",
                    where=one.where,
                    title=one.title,
                    key=str(one.key),
                ),
                say("it is looked for in the portal at the start of the next pass"),
            )
        if one.id in ids or connection.execute(f"{_GET_OF_INTENTS} id = ?", (one.id,)).fetchone():
            return ValueError(f"the id {one.id} is in use")
        ids.add(one.id)
        creates |= {(one.sync, one.key)} if is_create else set()
    return ValueError(f"cannot intend {len(intents)} changes in run {intents[0].run_id}: {error}")


def _is_open(connection: Connection, intent: Intent) -> bool:
    """Return True if another create of the same item was written down and has no known outcome."""
    found = connection.execute(_GET_CREATE, (*key_row(intent.sync, intent.key), intent.id)).fetchone()
    return found is not None


def prune(connection: Connection, before: float, most_runs: int = MOST_RUNS, most_changes: int = MOST_CHANGES) -> int:
    """Remove runs that finished before unix time `before`, with their change records, and return how many.

    The oldest go too where there are more than `most_runs` runs or `most_changes` change records. Kept are of every
    sync the last run, the last pass and the last pass that reached its end, and runs with open intents. In the
    caller's transaction.
    """
    (crowded,) = connection.execute("SELECT max(id) - ? FROM runs", (most_runs,)).fetchone()
    # Ids only grow, so the newest `most_changes` change records all lie above this one.
    (old,) = connection.execute("SELECT max(id) - ? FROM changes", (most_changes,)).fetchone()
    return connection.execute(
        "DELETE FROM runs WHERE (finished < ?1 OR id <= ?2"  # noqa: S608 - constants of this room
        " OR id < (SELECT max(run_id) FROM changes WHERE id <= ?3))"
        " AND id NOT IN (SELECT run_id FROM intents) AND id NOT IN (SELECT max(id) FROM runs GROUP BY sync)"
        f" AND id NOT IN (SELECT max(id) FROM runs WHERE {IS_PASS} GROUP BY sync)"
        f" AND id NOT IN (SELECT max(id) FROM runs WHERE {SUCCEEDED} GROUP BY sync)",
        (float(before), crowded or 0, old or 0),
    ).rowcount
