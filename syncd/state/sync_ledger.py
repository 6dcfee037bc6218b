"""The ledger as one sync sees it: its links, holds, intents, runs and notes.

reserve_ids -> intend -> (sent) -> settle. An intent stays until it is settled for good; no outcome is guessed here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

import msgspec

from syncd import collector
from syncd.errors import StateError
from syncd.lang.saying import say
from syncd.model.doubles import GivenUp
from syncd.model.elapsed import ClockNote
from syncd.model.item import Fingerprints, Hold, Key, Link, Place
from syncd.model.json_values import Json
from syncd.model.record import ChangeRecord, Intent, RunRecord, SetAside, Settlement, Tally, Unsettled
from syncd.model.second_writer import Looked
from syncd.model.settled import Settled
from syncd.model.traces import Suspect
from syncd.model.unanswered import Unanswered, unanswered
from syncd.scrub import Clean, within
from syncd.state.base import Connection, Store, reading, writing
from syncd.state.codec import change_of, hold_of, intent_of, intent_row, key_of, key_row, links_of, run_of, run_row
from syncd.state.notes import (
    ABOUT_EVENTS,
    CLOCKS,
    DUE,
    FLOOR,
    GIVEN_UP,
    HOME,
    LOOKED,
    PAUSED,
    RESTORED,
    SUSPECTS,
    UIDS,
    VERIFIED,
    SyncNotes,
    Uids,
    add_unanswered,
    drop_note,
    ledger_mark,
    read_note,
    read_notes,
    read_settled,
    write_note,
    write_settled,
)
from syncd.state.rows import (
    CHANGE,
    INTENT,
    IS_KEY,
    KEY,
    LINK,
    NO_LIMIT,
    RUN,
    SUMMED_HOLD,
    SUMMED_LINK,
    Update,
    checked,
    checked_numbered,
    marks,
    summed,
)
from syncd.state.runs import MOST_RUNS, end_runs_of, prune
from syncd.state.settling import Settling, drop_holds, drop_links, links_for, put_holds
from syncd.state.standing import Standings, changing

# The column lists and placeholders put into these statements are constants of this room; values are always bound.
_GET_LINKS: Final = f"SELECT {LINK} FROM links WHERE sync = ? ORDER BY {KEY}"  # noqa: S608
_GET_FINGERPRINTS: Final = f"SELECT {KEY}, remote_id, fingerprint FROM links WHERE sync = ? ORDER BY {KEY}"  # noqa: S608
_GET_TWICE: Final = "SELECT remote_id FROM links WHERE sync = ? GROUP BY remote_id HAVING count(*) > 1"
_GET_HOLDS: Final = f"SELECT {SUMMED_HOLD}, sum FROM holds WHERE sync = ? ORDER BY {KEY}"  # noqa: S608
_GET_ABSENT: Final = f"SELECT {KEY} FROM links WHERE sync = ? AND absent_passes > 0"  # noqa: S608
_GET_ABSENT_LINKS: Final = f"SELECT {LINK} FROM links WHERE sync = ? AND absent_passes > 0 ORDER BY {KEY}"  # noqa: S608
_NEXT_ID: Final = "SELECT next FROM counters WHERE name = 'intent'"
_PUT_INTENT: Final = f"INSERT INTO intents ({INTENT}, sum) VALUES ({marks(INTENT, more=1)})"  # noqa: S608
_GET_INTENTS: Final = f"SELECT {INTENT}, sum FROM intents WHERE sync = ? ORDER BY id"  # noqa: S608
_GET_INTENT: Final = f"SELECT {INTENT}, sum FROM intents WHERE id = ?"  # noqa: S608
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
_GET_RUNS: Final = f"SELECT id, {RUN}, sum FROM runs WHERE sync = ? ORDER BY id DESC LIMIT ?"  # noqa: S608


class SyncLedger:
    """What the ledger holds of the sync `name`; made by `Ledger.of`, whose contract it keeps.

    `keep_runs` returns for how long finished runs are kept, None for ever; `standings` is what this process remembers
    of how all syncs stand.
    """

    def __init__(
        self, thread: Store, name: str, keep_runs: Callable[[], timedelta | None], standings: Standings
    ) -> None:
        self.thread = thread
        self.name = name
        self.standings = standings
        self._keep_runs = keep_runs
        self.scope = f"sync/{name}"

    @reading
    def links(self, connection: Connection) -> tuple[Link, ...]:
        """Return the links of the sync, ordered by key; what each one sent is unpacked when it is first asked for."""
        with collector.resting():
            return tuple(links_of(connection.rows(_GET_LINKS, (self.name,))))

    @reading
    def fingerprints(self, connection: Connection, ids: Collection[int] = ()) -> Fingerprints:
        """Return the fingerprints of all links; those to one of the events `ids`, too, are to be looked at in full."""
        apart = {key_of(row) for row in connection.execute(_GET_ABSENT, (self.name,))}
        looked_at = {number for (number,) in connection.execute(_GET_TWICE, (self.name,))}.union(ids)
        found: dict[Key, str] = {}
        places: dict[tuple[str, int], Place] = {}
        with collector.resting():
            for uid, kind, owner, piece, remote_id, fingerprint in connection.rows(_GET_FINGERPRINTS, (self.name,)):
                place = places.get((kind, owner)) or places.setdefault((kind, owner), Place(kind=kind, owner=owner))
                found[key := Key(uid=uid, place=place, piece=piece)] = fingerprint
                if remote_id in looked_at:
                    apart.add(key)
        return Fingerprints(by_key=found, apart=frozenset(apart))

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
        return self.standings.of(connection, (self.name,), owns=self.thread.owns)[self.name].tally

    @writing
    def reserve_ids(self, connection: Connection, count: int) -> range:
        """Return `count` ids for intents that are never used again; raises ValueError if it is negative."""
        if count < 0:
            raise ValueError("cannot reserve fewer than no ids")
        # A counter, not the table's own numbering: settled intents leave the table, and their ids must not come again.
        # Written before it is read, so that no two processes read the same.
        connection.execute("UPDATE counters SET next = next + ? WHERE name = 'intent'", (count,))
        (after,) = connection.execute(_NEXT_ID).fetchone()
        return range(after - count, after)

    @writing
    @changing
    def intend(self, connection: Connection, run_id: int, intents: Sequence[Intent]) -> None:
        """Write `intents` down before they are sent; when this returns they outlive a power cut.

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

        The requests that they went with before may be carried out yet.
        """
        intents = self._open(connection, ids)
        if missing := [one for one in ids if one not in intents]:
            raise ValueError(f"there is no open intent {missing[0]}")
        connection.change(_SEND_AGAIN, ((float(now), number) for number in ids))
        add_unanswered(connection, self.scope, unanswered(intents[one] for one in ids), now)

    @reading
    def open_intents(self, connection: Connection) -> tuple[Intent, ...]:
        """Return the intents that are not settled for good (left by a crash, or unknown), ordered by id."""
        return tuple(intent_of(checked(row)) for row in connection.execute(_GET_INTENTS, (self.name,)))

    @writing
    @changing
    def settle(self, connection: Connection, run_id: int, settlements: Sequence[Settlement]) -> None:
        """Write down what became of intents: links, holds and change records, all or nothing.

        `run_id` is the run that found out. Raises ValueError for an intent that is not open and for an outcome that
        does not fit its operation.
        """
        intents = self._open(connection, [one.intent_id for one in settlements])
        settling = Settling(links_for(connection, {(one.sync, one.key) for one in intents.values()}))
        for settlement in settlements:
            intent = intents.pop(settlement.intent_id, None)
            if intent is None:
                raise ValueError(f"there is no open intent {settlement.intent_id}")
            settling.settle(run_id, intent, _cleaned(settlement, self.thread.clean))
        settling.write(connection)

    def _open(self, connection: Connection, ids: Sequence[int]) -> dict[int, Intent]:
        """Return the open intents among `ids`."""
        found = map(intent_of, map(checked, connection.each(_GET_INTENT, [(one,) for one in ids])))
        return {one.id: one for one in found}

    @writing
    @changing
    def adopt(self, connection: Connection, run_id: int, links: Sequence[Link], *, now: float) -> None:
        """Link events that already stood in the portal, and record at `now` that `run_id` took them over.

        Raises ValueError when the sync has no such run.
        """
        of_this_sync = "SELECT 1 FROM runs WHERE id = ? AND sync = ?"
        if connection.execute(of_this_sync, (run_id, self.name)).fetchone() is None:
            raise ValueError(f"there is no run {run_id} of {self.name}")
        settling = Settling(links_for(connection, {(self.name, link.key) for link in links}))
        for link in links:
            before = settling.link(self.name, link.key)
            settling.put_link(self.name, link, op="adopt", before=before, runs=(run_id, run_id), at=now)
        settling.write(connection)

    @writing
    def doubt(self, connection: Connection, keys: Collection[Key]) -> None:
        """Note that what the events of `keys` show is not known, so that the next plan writes them again.

        Keys without a link are passed over, here and in the methods below.
        """
        connection.change(_DOUBT, (key_row(self.name, key) for key in keys))

    @writing
    def relearn(self, connection: Connection, versions: Mapping[Key, int]) -> None:
        """Set the VERSION of links whose events stand there as they were sent.

        Whoever edited them has stopped, so the count of same updates starts again.
        """
        connection.change(_RELEARN, ((version, *key_row(self.name, key)) for key, version in versions.items()))

    @writing
    def learn_stamps(self, connection: Connection, stamps: Mapping[Key, str]) -> None:
        """Note when and by whom the events of links were made, as the portal tells it."""
        connection.change(_LEARN_STAMP, ((stamp, *key_row(self.name, key)) for key, stamp in stamps.items()))

    @writing
    def mark_absent(self, connection: Connection, absent: Collection[Key], present: Collection[Key]) -> None:
        """Count one more complete snapshot without the `absent` keys; start again at 0 for the `present` ones."""
        # Nearly always nothing has been absent, and then the present keys need not be looked up.
        counted = {key_of(row) for row in connection.execute(_GET_ABSENT, (self.name,))}
        back = counted.intersection(present) if counted else set()
        connection.change(_PRESENT, (key_row(self.name, key) for key in back))
        connection.change(_ABSENT, (key_row(self.name, key) for key in absent))

    @writing
    @changing
    def forget(self, connection: Connection, keys: Collection[Key]) -> None:
        """Remove the links of `keys`, whose events a person deleted; holds stay until they are released."""
        drop_links(connection, self.name, keys)

    @writing
    @changing
    def hold(self, connection: Connection, holds: Sequence[Hold]) -> None:
        """Set items aside, in place of earlier holds of the same keys."""
        put_holds(connection, self.name, [_cleaned_hold(hold, self.thread.clean) for hold in holds])

    @writing
    @changing
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
    @changing
    def begin_run(self, connection: Connection, started: float) -> int:
        """Write down that a pass began at unix time `started`, and return its number, which is never used twice.

        Runs older than the ledger keeps are forgotten first.
        """
        if (kept := self._keep_runs()) is not None:
            prune(connection, started - kept.total_seconds())
        connection.give_back()
        return connection.inserted(_PUT_RUN, summed(run_row(RunRecord(id=0, sync=self.name, started=started))))

    @writing
    @changing
    def end_run(self, connection: Connection, run_id: int, record: RunRecord) -> None:
        """Write down how run `run_id` ended; raises ValueError for another run's record or an unknown run."""
        if record.id != run_id:
            raise ValueError(f"the record of run {record.id} cannot end run {run_id}")
        # Where nothing is told in words, nothing is quoted from portal or feed.
        cleaned = within(record, self.thread.clean) if record.problems or record.error else record
        if connection.execute(_SET_RUN, (*summed(run_row(cleaned)), run_id)).rowcount == 0:
            raise ValueError(f"there is no run {run_id}")

    @writing
    @changing
    def end_left_runs(self, connection: Connection, now: float) -> None:
        """End the runs that another process left unfinished; for who knows that nobody works on the sync."""
        end_runs_of(connection, (self.name,), now)

    @reading
    def runs(self, connection: Connection, limit: int) -> tuple[RunRecord, ...]:
        """Return the last `limit` runs, the newest first."""
        return tuple(run_of(checked_numbered(row)) for row in connection.execute(_GET_RUNS, (self.name, limit)))

    @reading
    def runs_since(self, connection: Connection, moment: float) -> tuple[RunRecord, ...]:
        """Return the runs that began at unix time `moment` or later and the last one before, the newest first."""
        found: list[RunRecord] = []
        for row in connection.execute(_GET_RUNS, (self.name, MOST_RUNS)):
            found.append(run_of(checked_numbered(row)))
            if found[-1].started < moment:
                break
        return tuple(found)

    async def last_run(self) -> RunRecord | None:
        """Return the newest run, which may be running still; None before the first."""
        return next(iter(await self.runs(1)), None)

    @reading
    def last_success(self, connection: Connection) -> float | None:
        """Return when a pass last reached its end, even if single entries were rejected or held."""
        (finished,) = connection.execute(
            "SELECT max(finished) FROM runs WHERE sync = ? AND state IN ('done', 'partial')", (self.name,)
        ).fetchone()
        return None if finished is None else float(finished)

    @reading
    def changes(self, connection: Connection, run_id: int, limit: int | None = None) -> tuple[ChangeRecord, ...]:
        """Return what run `run_id` did, in the order in which it was settled, with the links before and after.

        The first `limit` of it if that is given.
        """
        rows = connection.execute(f"{_GET_CHANGES} LIMIT ?", (run_id, NO_LIMIT if limit is None else limit))
        return tuple(change_of(checked_numbered(row)) for row in rows)

    @reading
    def past(self, connection: Connection, keys: Collection[Key]) -> Mapping[Key, Sequence[str]]:
        """Return which runs that are kept created, adopted or deleted events of `keys`, oldest first, by key."""
        found: dict[Key, list[str]] = defaultdict(list)
        for op, *key in connection.execute(_GET_PAST, (self.name,)):
            if (known := key_of(key)) in keys:
                found[known].append(op)
        return found

    @reading
    def notes(self, connection: Connection) -> SyncNotes:
        """Return all notes on the sync."""
        found = read_notes(connection, self.name)
        if self.thread.readonly and self.thread.doubt is not None:  # whoever may write has dropped it in the store
            return replace(found, verified=None)
        return found

    @writing
    def note_verified(self, connection: Connection, portal: str, now: float) -> None:
        """Note that what the portal at the origin `portal` holds has been read and put right."""
        write_note(connection, self.scope, VERIFIED, portal, now)
        drop_note(connection, self.scope, RESTORED)

    @writing
    def forget_verified(self, connection: Connection) -> None:
        """Have the next pass read the portal, however recently that was done."""
        drop_note(connection, self.scope, VERIFIED)

    @writing
    def note_home(self, connection: Connection, origin: str, now: float) -> None:
        """Note which portal the sync writes to."""
        write_note(connection, self.scope, HOME, origin, now)

    @writing
    def note_floor(self, connection: Connection, highest: int, now: float) -> None:
        """Note up to which id the portal's events are older than the creates that are about to be sent."""
        write_note(connection, self.scope, FLOOR, highest, now)

    @writing
    def forget_floor(self, connection: Connection) -> None:
        """Forget up to which id events are old: another portal counts its own."""
        drop_note(connection, self.scope, FLOOR)
        drop_note(connection, self.scope, LOOKED)

    @writing
    def forget_events(self, connection: Connection) -> None:
        """Forget what is noted of single events: in another portal their ids are those of others."""
        for name in ABOUT_EVENTS:
            drop_note(connection, self.scope, name)

    @writing
    def note_looked(self, connection: Connection, looked: Looked, now: float) -> None:
        """Note up to where the portal is known, and which other ledgers have written there."""
        write_note(connection, self.scope, LOOKED, msgspec.to_builtins(looked), now)

    @writing
    def note_uids(self, connection: Connection, uids: Uids, now: float) -> None:
        """Note what is known of the source's uids."""
        value: Json = {"names": uids.names, "doubted": sorted(uids.doubted)}
        write_note(connection, self.scope, UIDS, value, now)

    @writing
    def note_clocks(self, connection: Connection, clocks: Sequence[ClockNote], now: float) -> None:
        """Note by which clocks it can be told how long ago open intents were sent."""
        write_note(connection, self.scope, CLOCKS, msgspec.to_builtins(clocks), now)

    @writing
    def note_given_up(self, connection: Connection, creates: Sequence[GivenUp], now: float) -> None:
        """Note which creates were given up though the portal may carry them out yet."""
        write_note(connection, self.scope, GIVEN_UP, msgspec.to_builtins(creates), now)

    @writing
    def note_suspects(self, connection: Connection, suspects: Sequence[Suspect], now: float) -> None:
        """Note which events may be creates whose outcome could not be told, in place of those noted before."""
        write_note(connection, self.scope, SUSPECTS, msgspec.to_builtins(suspects), now)

    @writing
    def note_unanswered(self, connection: Connection, changes: Sequence[Unanswered], now: float) -> None:
        """Note which updates and deletes nobody answered, beside those that were noted before."""
        add_unanswered(connection, self.scope, changes, now)

    @writing
    def note_due(self, connection: Connection, due: float | None, now: float) -> None:
        """Note when the next pass is due, None for never: for `syncd status`, which cannot ask the daemon."""
        write_note(connection, self.scope, DUE, due, now)

    @reading
    def mark(self, connection: Connection) -> str:
        """Return what differs whenever a link, hold, intent or known name of the sync does."""
        return ledger_mark(connection, self.name)

    @reading
    def settled(self, connection: Connection) -> Settled | None:
        """Return what the last pass found that left nothing to do, None if that is not known."""
        return read_settled(connection, self.name)

    @reading
    def links_for(self, connection: Connection, keys: Sequence[Key]) -> tuple[Link, ...]:
        """Return the links of `keys`, in their order; keys without a link are passed over."""
        found = links_for(connection, [(self.name, key) for key in keys])
        return tuple(found[self.name, key] for key in keys if (self.name, key) in found)

    @writing
    def note_settled(self, connection: Connection, settled: Settled) -> None:
        """Note what a pass found that left nothing to do."""
        write_settled(connection, self.name, settled, self.thread.clean)

    @reading
    def paused(self, connection: Connection) -> float | None:
        """Return since which unix time the sync is to be left alone, None if it is not."""
        note = read_note(connection, self.scope, PAUSED)
        return note[1] if note is not None else None

    @writing
    def note_paused(self, connection: Connection, now: float) -> None:
        """Note that the sync is to be left alone from `now` on; one that is paused already stays so since then."""
        if read_note(connection, self.scope, PAUSED) is None:
            write_note(connection, self.scope, PAUSED, True, now)

    @writing
    def forget_paused(self, connection: Connection) -> None:
        """Note that the sync is no longer to be left alone."""
        drop_note(connection, self.scope, PAUSED)


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
        if one.id in ids or connection.execute(_GET_INTENT, (one.id,)).fetchone():
            return ValueError(f"the id {one.id} is in use")
        ids.add(one.id)
        creates |= {(one.sync, one.key)} if is_create else set()
    return ValueError(f"cannot intend {len(intents)} changes in run {intents[0].run_id}: {error}")


def _is_open(connection: Connection, intent: Intent) -> bool:
    """Return True if another create of the same item was written down and has no known outcome."""
    found = connection.execute(_GET_CREATE, (*key_row(intent.sync, intent.key), intent.id)).fetchone()
    return found is not None


def _cleaned(settlement: Settlement, clean: Clean) -> Settlement:
    """Return `settlement` without secrets in its reason; what was sent has to be kept as it is."""
    match settlement.outcome:
        case SetAside(hold=hold):
            return replace(settlement, outcome=SetAside(hold=_cleaned_hold(hold, clean)))
        case Unsettled(reason=reason) as unsettled:
            return replace(settlement, outcome=replace(unsettled, reason=within(reason, clean)))
        case _:
            return settlement


def _cleaned_hold(hold: Hold, clean: Clean) -> Hold:
    return replace(hold, reason=within(hold.reason, clean))
