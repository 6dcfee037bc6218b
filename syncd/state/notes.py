"""Small values with a name and a type that the ledger keeps besides links, holds and runs.

A note is a JSON value under a scope ("sync/NAME", "portal/NAME", "alerts") and a name, with the time at which it was
written. A note that cannot be read, because another version of syncd wrote it, counts as absent. The exception is what
is known of a source's uids, without which entries would be created again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import msgspec

from syncd.errors import StateError
from syncd.lang.saying import restored, say, stored
from syncd.model.doubles import GivenUp
from syncd.model.elapsed import ClockNote
from syncd.model.json_values import Json, loads
from syncd.model.second_writer import Looked
from syncd.model.settled import Settled
from syncd.model.traces import Suspect
from syncd.model.unanswered import Unanswered, kept_unanswered
from syncd.scrub import within
from syncd.state.base import Connection, Store, reading, writing
from syncd.state.codec import problems_with, to_json
from syncd.state.rows import SUMMED_NOTE, checked, marks, putting, summed

T = TypeVar("T")
D = TypeVar("D")

_VERIFIED = "verified"
_HOME = "portal"
_FLOOR = "highest id before creating"
_RESTORED = "highest id when put back"
_UIDS = "uids"
DUE = "due"
PAUSED = "paused"
CLOCKS = "clocks"
NO_CLOCKS = (ClockNote(boot="", ahead_of_uptime_s=0.0),)
"""Stands for clocks that cannot be read: nothing is known of them."""
_GIVEN_UP = "creates given up"
_LOOKED = "looked at"
_UNANSWERED = "changes unanswered"
_SUSPECTS = "events that may be creates"
_ABOUT_EVENTS = (_FLOOR, _LOOKED, _GIVEN_UP, _UNANSWERED, _SUSPECTS)
"""The notes on a sync that are about events by their ids, as one portal counts them."""
ALERTS = "alerts"
_GET = f"SELECT {SUMMED_NOTE}, sum FROM notes"  # noqa: S608 - a constant of this room
_PUT = putting("notes", SUMMED_NOTE, "scope, name")
_PUT_NEW = f"INSERT INTO notes ({SUMMED_NOTE}, sum) VALUES ({marks(SUMMED_NOTE, more=1)}) ON CONFLICT DO NOTHING"  # noqa: S608 - likewise
_SETTLED = "settled"
# Two sums, because sums of sums alone stay the same where two rows change against each other.
_MARK = "count(*), sum(sum), sum(sum * (sum % 65521) % 4294967291)"
# With the + SQLite reads the table from end to end, which is seven times as fast where most of it is asked for.
_MARK_MOST = f"SELECT {_MARK} FROM links WHERE +sync = ?"  # noqa: S608 - constants of this room
_MARKS_FEW = f"SELECT {_MARK} FROM links WHERE sync = ?"  # noqa: S608 - likewise
_MARK_OTHERS = tuple(f"SELECT {_MARK} FROM {table} WHERE sync = ?" for table in ("holds", "intents"))  # noqa: S608
_MARK_UIDS = "SELECT sum FROM notes WHERE scope = ? AND name = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uids:
    """What one pass tells the next about the source's uids.

    `names` maps known uids to the source's where the two differ. `doubted` are known uids that may still be in the
    source, among entries that cannot be used.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    doubted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """When the portal with this origin was last read and corrected, in unix time."""

    portal: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When the next pass is due, None for never, as the daemon noted it at unix time `noted`."""

    at: float | None
    noted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncNotes:
    """All notes on one sync: `home` is the portal it has written to, `floor` the highest id before its last creates.

    `restored` is the highest id that the ledger knew when it was put back to an earlier state, None once the portal has
    been read since. `clocks` are those that tell how long ago its open intents were sent; `given_up` are creates that
    nobody answered and that were made again, `unanswered` other changes that nobody answered, `suspects` events that
    may be creates whose outcome could not be told. `looked` is what is known of other ledgers, None before the portal
    was read.
    """

    verified: Verified | None = None
    home: str | None = None
    floor: int = 0
    restored: int | None = None
    uids: Uids = field(default_factory=Uids)
    due: Due | None = None
    clocks: tuple[ClockNote, ...] = ()
    given_up: tuple[GivenUp, ...] = ()
    unanswered: tuple[Unanswered, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    looked: Looked | None = None

    def without_events(self) -> SyncNotes:
        """Return the notes as they are for another portal, which counts its own events."""
        return replace(self, floor=0, looked=None, given_up=(), unanswered=(), suspects=())


def write_note(connection: Connection, scope: str, name: str, value: Json, now: float) -> None:
    """Keep `value` under `scope` and `name`, in place of an earlier one; in the caller's transaction."""
    connection.execute(_PUT, summed((scope, name, to_json(value), float(now))))


def put_new_note(connection: Connection, scope: str, name: str, value: Json, now: float) -> None:
    """Keep `value` unless there is one under `scope` and `name`; in the caller's transaction."""
    connection.execute(_PUT_NEW, summed((scope, name, to_json(value), float(now))))


def read_note(connection: Connection, scope: str, name: str) -> tuple[Json, float] | None:
    """Return the value kept under `scope` and `name` and when it was written, None if there is none."""
    row = connection.execute(f"{_GET} WHERE scope = ? AND name = ?", (scope, name)).fetchone()
    if row is None:
        return None
    *_, value, at = checked(row)
    return loads(value), at


def drop_note(connection: Connection, scope: str, name: str) -> None:
    """Remove what is kept under `scope` and `name`, if anything; in the caller's transaction."""
    connection.execute("DELETE FROM notes WHERE scope = ? AND name = ?", (scope, name))


def forget_all_verified(connection: Connection) -> None:
    """Make the next pass of every sync read its portal; in the caller's transaction."""
    connection.execute("DELETE FROM notes WHERE name = ?", (_VERIFIED,))


def note_restored(connection: Connection, now: float) -> None:
    """Note for every sync the highest id that it knows of its portal, because the ledger was put back.

    In the caller's transaction.
    """
    for sync, highest in connection.execute("SELECT sync, max(remote_id) FROM links GROUP BY sync").fetchall():
        write_note(connection, f"sync/{sync}", _RESTORED, highest, now)


def ledger_mark(connection: Connection, sync: str) -> str:
    """Return a mark, made of the sums of rows, that changes whenever a link, hold, intent or name of `sync` does."""
    statements = (_MARK_MOST if connection.is_mostly(sync) else _MARKS_FEW, *_MARK_OTHERS)
    marks = [connection.execute(statement, (sync,)).fetchone() for statement in statements]
    uids = connection.execute(_MARK_UIDS, (f"sync/{sync}", _UIDS)).fetchone()
    return repr((*marks, uids))


def typed(value: Json, kind: type[T], otherwise: D) -> T | D:
    """Return a note's `value` as a `kind`, or `otherwise` where there is none or another version of syncd wrote it."""
    try:
        return otherwise if value is None else msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return otherwise


class NotesOfSync:
    """The notes on the sync `name`: the part of SyncLedger that is small values.

    It keeps the contract of Ledger.
    """

    def __init__(self, thread: Store, name: str) -> None:
        self.thread = thread
        self.name = name
        self.scope = f"sync/{name}"

    @reading
    def notes(self, connection: Connection) -> SyncNotes:
        """Return all notes on the sync; raises StateError if what is known of its uids cannot be read."""
        rows = map(checked, connection.execute(f"{_GET} WHERE scope = ?", (self.scope,)))
        found = {name: (loads(value), at) for _, name, value, at in rows}
        values = {name: value for name, (value, _) in found.items()}
        verified, due = found.get(_VERIFIED), found.get(DUE)
        if self.thread.readonly and self.thread.doubt is not None:
            verified = None  # whoever may write has dropped it in the store
        try:
            uids = msgspec.convert(values[_UIDS], Uids) if _UIDS in values else Uids()
        except msgspec.ValidationError as error:
            # Not taken for absent like the others: without it, entries known under other uids would be created again.
            raise StateError(
                say(
                    "the ledger's note on the uids of {sync} cannot be read: {error}", sync=self.name, error=str(error)
                ),
                say("restore a backup of the state file"),
            ) from error
        return SyncNotes(
            verified=Verified(portal=str(verified[0]), at=verified[1]) if verified is not None else None,
            home=str(values[_HOME]) if values.get(_HOME) is not None else None,
            floor=typed(values.get(_FLOOR), int, 0),
            restored=typed(values.get(_RESTORED), int, None),
            uids=uids,
            due=Due(at=due[0], noted=due[1]) if due is not None and isinstance(due[0], int | float | None) else None,
            clocks=typed(values[CLOCKS], tuple[ClockNote, ...], NO_CLOCKS) if CLOCKS in values else (),
            # Without these a double is reported instead of removed, what came late is taken for a person's edit, and
            # every event counts as older than this ledger.
            given_up=typed(values.get(_GIVEN_UP), tuple[GivenUp, ...], ()),
            unanswered=typed(values.get(_UNANSWERED), tuple[Unanswered, ...], ()),
            looked=typed(values.get(_LOOKED), Looked, None),
            suspects=typed(values.get(_SUSPECTS), tuple[Suspect, ...], ()),
        )

    @writing
    def note_verified(self, connection: Connection, portal: str, now: float) -> None:
        """Note that everything in the portal at the origin `portal` has been read and put right."""
        write_note(connection, self.scope, _VERIFIED, portal, now)
        drop_note(connection, self.scope, _RESTORED)

    @writing
    def forget_verified(self, connection: Connection) -> None:
        """Make the next pass read the portal, however recently that was done."""
        drop_note(connection, self.scope, _VERIFIED)

    @writing
    def note_home(self, connection: Connection, origin: str, now: float) -> None:
        """Note which portal the sync writes to."""
        write_note(connection, self.scope, _HOME, origin, now)

    @writing
    def note_floor(self, connection: Connection, highest: int, now: float) -> None:
        """Note the highest id of events that are older than the creates that are about to be sent."""
        write_note(connection, self.scope, _FLOOR, highest, now)

    @writing
    def forget_floor(self, connection: Connection) -> None:
        """Forget the highest id of old events, because another portal has ids of its own."""
        drop_note(connection, self.scope, _FLOOR)
        drop_note(connection, self.scope, _LOOKED)

    @writing
    def forget_events(self, connection: Connection) -> None:
        """Forget what is noted about single events, because in another portal their ids mean other events."""
        for name in _ABOUT_EVENTS:
            drop_note(connection, self.scope, name)

    @writing
    def note_looked(self, connection: Connection, looked: Looked, now: float) -> None:
        """Note how far the portal is known, and which other ledgers have written there."""
        write_note(connection, self.scope, _LOOKED, msgspec.to_builtins(looked), now)

    @writing
    def note_uids(self, connection: Connection, uids: Uids, now: float) -> None:
        """Note what is known of the source's uids."""
        value: Json = {"names": uids.names, "doubted": sorted(uids.doubted)}
        write_note(connection, self.scope, _UIDS, value, now)

    @writing
    def note_clocks(self, connection: Connection, clocks: Sequence[ClockNote], now: float) -> None:
        """Note the clocks that tell how long ago open intents were sent."""
        write_note(connection, self.scope, CLOCKS, msgspec.to_builtins(clocks), now)

    @writing
    def note_given_up(self, connection: Connection, creates: Sequence[GivenUp], now: float) -> None:
        """Note the creates that were given up although the portal may still carry them out."""
        write_note(connection, self.scope, _GIVEN_UP, msgspec.to_builtins(creates), now)

    @writing
    def note_suspects(self, connection: Connection, suspects: Sequence[Suspect], now: float) -> None:
        """Note which events may be creates of unknown outcome, in place of those that were noted before."""
        write_note(connection, self.scope, _SUSPECTS, msgspec.to_builtins(suspects), now)

    @writing
    def note_unanswered(self, connection: Connection, changes: Sequence[Unanswered], now: float) -> None:
        """Note which updates and deletes nobody answered, beside those that were noted before."""
        self._add_unanswered(connection, changes, now)

    def _add_unanswered(self, connection: Connection, more: Sequence[Unanswered], now: float) -> None:
        if more:
            note = read_note(connection, self.scope, _UNANSWERED)
            known = typed(note[0], tuple[Unanswered, ...], ()) if note is not None else ()
            write_note(connection, self.scope, _UNANSWERED, msgspec.to_builtins(kept_unanswered(known, more)), now)

    @writing
    def note_due(self, connection: Connection, due: float | None, now: float) -> None:
        """Note when the next pass is due, None for never: for `syncd status`, which cannot ask the daemon."""
        write_note(connection, self.scope, DUE, due, now)

    @reading
    def mark(self, connection: Connection) -> str:
        """Return a mark that changes whenever a link, hold, intent or known name of the sync does."""
        return ledger_mark(connection, self.name)

    @reading
    def settled(self, connection: Connection) -> Settled | None:
        """Return what the last pass that left nothing to do found, None if that is not known.

        This note is not among the other notes of the sync, because each pass reads those and this one may be large.
        """
        note = read_note(connection, f"settled/{self.name}", _SETTLED)
        settled = typed(note[0], Settled, None) if note is not None else None
        return _told_with(settled, restored) if settled is not None else None

    @writing
    def note_settled(self, connection: Connection, settled: Settled) -> None:
        """Note what a pass found that left nothing to do."""
        found, clean = settled.findings, self.thread.clean
        problems, because = within(found.problems, clean), within(found.incomplete_because, clean)
        findings = msgspec.structs.replace(found, problems=problems, incomplete_because=because)
        value = msgspec.to_builtins(_told_with(msgspec.structs.replace(settled, findings=findings), stored))
        write_note(connection, f"settled/{self.name}", _SETTLED, value, settled.since)

    @reading
    def paused(self, connection: Connection) -> float | None:
        """Return the unix time since which the sync is paused, None if it is not."""
        note = read_note(connection, self.scope, PAUSED)
        return note[1] if note is not None else None

    @writing
    def note_paused(self, connection: Connection, now: float) -> None:
        """Note that the sync is paused from `now` on; a sync that is paused already keeps the time of its pause."""
        if read_note(connection, self.scope, PAUSED) is None:
            write_note(connection, self.scope, PAUSED, True, now)

    @writing
    def forget_paused(self, connection: Connection) -> None:
        """Note that the sync is no longer paused."""
        drop_note(connection, self.scope, PAUSED)


def _told_with(settled: Settled, change: Callable[[str], str]) -> Settled:
    """Return `settled` with all its texts for people changed by `change`, which is `stored` or `restored`."""
    found = settled.findings
    findings = msgspec.structs.replace(
        found,
        incomplete_because=change(found.incomplete_because),
        problems=problems_with(found.problems, change),
        conflicts=tuple(msgspec.structs.replace(one, reason=change(one.reason)) for one in found.conflicts),
    )
    return msgspec.structs.replace(settled, findings=findings)
