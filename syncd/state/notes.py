"""Small values with a name and a type that the ledger keeps besides links, holds and runs.

A note is a JSON value under a scope ("sync/NAME", "portal/NAME", "alerts") and a name, with the time at which it was
written. One that cannot be read, because another version of syncd wrote it, counts as absent; but not what is known of
a source's uids, without which entries would be created again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import msgspec
import orjson

from syncd.errors import StateError
from syncd.lang.saying import restored, say, stored
from syncd.model.doubles import GivenUp
from syncd.model.elapsed import ClockNote
from syncd.model.json_values import Json
from syncd.model.made_sections import MadeSection
from syncd.model.record import ToldTrouble
from syncd.model.second_writer import Looked
from syncd.model.settled import Settled
from syncd.model.traces import Suspect
from syncd.model.unanswered import Unanswered, kept_unanswered
from syncd.scrub import Clean, within
from syncd.state.base import Connection, Store, reading, writing
from syncd.state.codec import to_json
from syncd.state.rows import SUMMED_NOTE, TOKENS, checked, marks, putting, summed

VERIFIED = "verified"
HOME = "portal"
FLOOR = "highest id before creating"
RESTORED = "highest id when put back"
UIDS = "uids"
DUE = "due"
PAUSED = "paused"
CLOCKS = "clocks"
GIVEN_UP = "creates given up"
LOOKED = "looked at"
UNANSWERED = "changes unanswered"
SUSPECTS = "events that may be creates"
ABOUT_EVENTS = (FLOOR, LOOKED, GIVEN_UP, UNANSWERED, SUSPECTS)
"""The notes on a sync that are about events by their ids, as one portal counts them."""
ALERTS = "alerts"
TOLD = "told"
_DIRECTORY = "directory"
_BUDGET = "budget"
_UNDER_WAY = "sections under way"
_MADE = "sections made"
_FACTS = "facts"
_PROBE = "probe under way"
_HEARD = "events heard"
_HINTS = "hints"
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


def read_notes(connection: Connection, sync: str) -> SyncNotes:
    """Return the notes on `sync`; raises StateError if what is known of its uids cannot be read."""
    rows = map(checked, connection.execute(f"{_GET} WHERE scope = ?", (f"sync/{sync}",)))
    found = {name: (orjson.loads(value), at) for _, name, value, at in rows}
    verified, due = found.get(VERIFIED), found.get(DUE)
    home, floor = found.get(HOME, (None, 0))[0], found.get(FLOOR, (0, 0))[0]
    restored = found.get(RESTORED, (None, 0))[0]
    try:
        uids = msgspec.convert(found[UIDS][0], Uids) if UIDS in found else Uids()
    except msgspec.ValidationError as error:
        # Not taken for absent like the others: without it, entries known under other uids would be created again.
        raise StateError(
            say("the ledger's note on the uids of {sync} cannot be read: {error}", sync=sync, error=str(error)),
            say("restore a backup of the state file"),
        ) from error
    return SyncNotes(
        verified=Verified(portal=str(verified[0]), at=verified[1]) if verified is not None else None,
        home=str(home) if home is not None else None,
        floor=floor if isinstance(floor, int) else 0,
        restored=restored if isinstance(restored, int) else None,
        uids=uids,
        due=Due(at=due[0], noted=due[1]) if due is not None and isinstance(due[0], int | float | None) else None,
        clocks=read_clocks(found[CLOCKS][0]) if CLOCKS in found else (),
        given_up=_given_up(found[GIVEN_UP][0]) if GIVEN_UP in found else (),
        unanswered=_unanswered(found[UNANSWERED][0]) if UNANSWERED in found else (),
        suspects=_suspects(found[SUSPECTS][0]) if SUSPECTS in found else (),
        looked=_looked(found[LOOKED][0]) if LOOKED in found else None,
    )


def _looked(value: Json) -> Looked | None:
    try:
        return msgspec.convert(value, Looked)
    except msgspec.ValidationError:
        return None  # then all that stands there counts as older


def _given_up(value: Json) -> tuple[GivenUp, ...]:
    try:
        return msgspec.convert(value, tuple[GivenUp, ...])
    except msgspec.ValidationError:
        return ()  # then a double is reported, not removed


def _suspects(value: Json) -> tuple[Suspect, ...]:
    try:
        return msgspec.convert(value, tuple[Suspect, ...])
    except msgspec.ValidationError:
        return ()


def _unanswered(value: Json) -> tuple[Unanswered, ...]:
    try:
        return msgspec.convert(value, tuple[Unanswered, ...])
    except msgspec.ValidationError:
        return ()  # then what came late passes for a person's edit


def add_unanswered(connection: Connection, scope: str, more: Sequence[Unanswered], now: float) -> None:
    """Keep `more` beside the changes that nobody answered before; in the caller's transaction."""
    if more:
        note = read_note(connection, scope, UNANSWERED)
        known = _unanswered(note[0]) if note is not None else ()
        write_note(connection, scope, UNANSWERED, msgspec.to_builtins(kept_unanswered(known, more)), now)


def read_clocks(value: Json) -> tuple[ClockNote, ...]:
    """Return the clocks in a note; what cannot be read says that nothing is known of them."""
    try:
        return msgspec.convert(value, tuple[ClockNote, ...])
    except msgspec.ValidationError:
        return (ClockNote(boot="", ahead_of_uptime_s=0.0),)


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
    return orjson.loads(value), at


def drop_note(connection: Connection, scope: str, name: str) -> None:
    """Remove what is kept under `scope` and `name`, if anything; in the caller's transaction."""
    connection.execute("DELETE FROM notes WHERE scope = ? AND name = ?", (scope, name))


def forget_all_verified(connection: Connection) -> None:
    """Have the next pass of every sync read its portal; in the caller's transaction."""
    connection.execute("DELETE FROM notes WHERE name = ?", (VERIFIED,))


def note_restored(connection: Connection, now: float) -> None:
    """Note of every sync with links up to which id it knows its portal, because the ledger was put back.

    In the caller's transaction.
    """
    for sync, highest in connection.execute("SELECT sync, max(remote_id) FROM links GROUP BY sync").fetchall():
        write_note(connection, f"sync/{sync}", RESTORED, highest, now)


def ledger_mark(connection: Connection, sync: str) -> str:
    """Return what differs whenever a link, hold, intent or name of `sync` does, from the sums of their rows."""
    statements = (_MARK_MOST if connection.is_mostly(sync) else _MARKS_FEW, *_MARK_OTHERS)
    marks = [connection.execute(statement, (sync,)).fetchone() for statement in statements]
    uids = connection.execute(_MARK_UIDS, (f"sync/{sync}", UIDS)).fetchone()
    return repr((*marks, uids))


def read_settled(connection: Connection, sync: str) -> Settled | None:
    """Return what is noted of the last pass that left nothing to do; None if nothing is, or by another version.

    It is kept beside the sync's other notes and not among them: each pass reads those, and this may hold much.
    """
    note = read_note(connection, f"settled/{sync}", _SETTLED)
    try:
        settled = msgspec.convert(note[0], Settled) if note is not None else None
    except msgspec.ValidationError:
        return None
    return _told_with(settled, restored) if settled is not None else None


def write_settled(connection: Connection, sync: str, settled: Settled, clean: Clean) -> None:
    """Keep `settled` in place of an earlier one; `clean` takes secrets out of what it tells."""
    found = settled.findings
    problems, because = within(found.problems, clean), within(found.incomplete_because, clean)
    findings = msgspec.structs.replace(found, problems=problems, incomplete_because=because)
    value = msgspec.to_builtins(_told_with(msgspec.structs.replace(settled, findings=findings), stored))
    write_note(connection, f"settled/{sync}", _SETTLED, value, settled.since)


def _told_with(settled: Settled, change: Callable[[str], str]) -> Settled:
    """Return `settled` with `change` made in all that it tells a person."""
    found = settled.findings
    findings = msgspec.structs.replace(
        found,
        incomplete_because=change(found.incomplete_because),
        problems=tuple(replace(one, where=change(one.where), reason=change(one.reason)) for one in found.problems),
        conflicts=tuple(msgspec.structs.replace(one, reason=change(one.reason)) for one in found.conflicts),
    )
    return msgspec.structs.replace(settled, findings=findings)


class PortalLedger:
    """What the ledger remembers of one portal, for all syncs that write to it; made by `Ledger.of_portal`.

    It keeps the contract of Ledger.
    """

    def __init__(self, thread: Store, name: str) -> None:
        self.thread = thread
        self.scope = f"portal/{name}"

    @reading
    def directory(self, connection: Connection, origin: str) -> Json:
        """Return the directory that was kept of the portal at `origin`, None if there is none of that very one."""
        return self._directory(connection, origin)

    def _directory(self, connection: Connection, origin: str) -> Json:
        note = read_note(connection, self.scope, _DIRECTORY)
        value = note[0] if note is not None else None
        if not isinstance(value, Mapping) or value.get("portal") != origin:
            return None  # none yet, or of another portal that had this name in the config
        return value.get("directory")

    @reading
    def marked_directory(self, connection: Connection, origin: str) -> tuple[Json, str]:
        """Return the directory like `directory`, and its mark."""
        return self._directory(connection, origin), self._directory_mark(connection)

    @reading
    def directory_mark(self, connection: Connection) -> str:
        """Return what differs whenever the directory that is kept of the portal does, "" if there is none."""
        return self._directory_mark(connection)

    def _directory_mark(self, connection: Connection) -> str:
        row = connection.execute("SELECT value FROM notes WHERE scope = ? AND name = ?", (self.scope, _DIRECTORY))
        value = row.fetchone()
        return blake2b(value[0], digest_size=16).hexdigest() if value is not None else ""

    @writing
    def note_directory(self, connection: Connection, origin: str, directory: Json, now: float) -> None:
        """Keep the directory of the portal at `origin`, as JSON."""
        write_note(connection, self.scope, _DIRECTORY, {"portal": origin, "directory": directory}, now)

    @writing
    def forget_directory(self, connection: Connection) -> None:
        """Have the next pass read the directory from the portal."""
        drop_note(connection, self.scope, _DIRECTORY)

    @reading
    def budget(self, connection: Connection) -> Json:
        """Return how much of the portal's limits was used, as the client noted it (`Portal.budget_state`), or None."""
        note = read_note(connection, self.scope, _BUDGET)
        return note[0] if note is not None else None

    @writing
    def note_budget(self, connection: Connection, budget: Json, now: float) -> None:
        """Keep how much of the portal's limits is used."""
        write_note(connection, self.scope, _BUDGET, budget, now)

    @reading
    def facts(self, connection: Connection, origin: str) -> Json:
        """Return what a probe found out about the portal at `origin`, None if that very one was never probed."""
        note = read_note(connection, self.scope, _FACTS)
        value = note[0] if note is not None else None
        if not isinstance(value, Mapping) or value.get("portal") != origin:
            return None  # another portal had this name in the config
        return value.get("facts")

    @writing
    def note_facts(self, connection: Connection, origin: str, facts: Json, now: float) -> None:
        """Keep what a probe found out about the portal at `origin`, as JSON."""
        write_note(connection, self.scope, _FACTS, {"portal": origin, "facts": facts}, now)

    @reading
    def probe_under_way(self, connection: Connection) -> bool:
        """Return True if a probe has begun and was not seen to leave nothing behind."""
        return read_note(connection, self.scope, _PROBE) is not None

    @writing
    def note_probe(self, connection: Connection, under_way: bool, now: float) -> None:
        """Keep whether a probe is under way, or has left something behind."""
        if under_way:
            write_note(connection, self.scope, _PROBE, True, now)
        else:
            drop_note(connection, self.scope, _PROBE)

    @reading
    def tokens(self, connection: Connection) -> Json:
        """Return what an application was authorised by, as `note_tokens` kept it, None if it was not."""
        note = read_note(connection, self.scope, TOKENS)
        return note[0] if note is not None else None

    @writing
    def note_tokens(self, connection: Connection, tokens: Json, now: float) -> None:
        """Keep what an application is authorised by, in place of what was kept before; durable when this returns."""
        write_note(connection, self.scope, TOKENS, tokens, now)

    @reading
    def heard_at(self, connection: Connection) -> float | None:
        """Return when the portal was last asked what people have changed, in unix time, None if it never was."""
        note = read_note(connection, self.scope, _HEARD)
        return note[1] if note is not None else None

    @writing
    def note_heard(self, connection: Connection, now: float) -> None:
        """Note that the portal was asked what people have changed."""
        write_note(connection, self.scope, _HEARD, True, now)

    @reading
    def hints(self, connection: Connection) -> dict[str, dict[int, int]]:
        """Return by sync the ids of events that people have changed and no pass has looked at yet, with the user."""
        note = read_note(connection, self.scope, _HINTS)
        try:
            return msgspec.convert(note[0], dict[str, dict[int, int]], strict=False) if note is not None else {}
        except msgspec.ValidationError:
            return {}  # then reading the portal finds what was edited

    @writing
    def note_hints(self, connection: Connection, hints: Mapping[str, Mapping[int, int]], now: float) -> None:
        """Keep what no pass has looked at yet, in place of what was kept before."""
        if any(hints.values()):
            kept: Json = {sync: {str(one): user for one, user in each.items()} for sync, each in hints.items()}
            write_note(connection, self.scope, _HINTS, kept, now)
        else:
            drop_note(connection, self.scope, _HINTS)

    @reading
    def sections_under_way(self, connection: Connection) -> tuple[int, float] | None:
        """Return how many creates of sections may be at work, and since which unix time; None if there are none."""
        note = read_note(connection, self.scope, _UNDER_WAY)
        return (note[0], note[1]) if note is not None and isinstance(note[0], int) else None

    @reading
    def sections_made(self, connection: Connection, origin: str) -> tuple[MadeSection, ...]:
        """Return the sections that syncd has made in the portal at `origin`, as far as it knows them to exist."""
        return self._made(connection, origin)

    @writing
    def note_sections(self, connection: Connection, origin: str, made: Sequence[MadeSection], now: float) -> None:
        """Keep sections that were made in the portal at `origin`, beside those that are known."""
        known = {one.id: one for one in (*self._made(connection, origin), *made)}
        self._write_made(connection, origin, known.values(), now)

    @writing
    def forget_sections(self, connection: Connection, origin: str, ids: Collection[int], now: float) -> None:
        """Keep no longer that the sections `ids` were made."""
        left = [one for one in self._made(connection, origin) if one.id not in ids]
        self._write_made(connection, origin, left, now)

    def _made(self, connection: Connection, origin: str) -> tuple[MadeSection, ...]:
        note = read_note(connection, self.scope, _MADE)
        value = note[0] if note is not None else None
        if not isinstance(value, Mapping) or value.get("portal") != origin:
            return ()  # another portal had this name in the config
        try:
            return msgspec.convert(value.get("sections"), tuple[MadeSection, ...])
        except msgspec.ValidationError:
            return ()  # then they stay

    def _write_made(self, connection: Connection, origin: str, sections: Iterable[MadeSection], now: float) -> None:
        value = {"portal": origin, "sections": msgspec.to_builtins(sorted(sections))}
        write_note(connection, self.scope, _MADE, value, now)

    @reading
    def clocks(self, connection: Connection) -> tuple[ClockNote, ...]:
        """Return by which clocks it can be told since when sections are under way."""
        note = read_note(connection, self.scope, CLOCKS)
        return read_clocks(note[0]) if note is not None else ()

    @writing
    def note_sections_under_way(
        self, connection: Connection, number: int, now: float, clocks: Sequence[ClockNote] = ()
    ) -> None:
        """Keep how many creates of sections are at work since `now`, and how the clocks stand."""
        if number:
            write_note(connection, self.scope, _UNDER_WAY, number, now)
            write_note(connection, self.scope, CLOCKS, msgspec.to_builtins(clocks), now)
        else:
            drop_note(connection, self.scope, _UNDER_WAY)


class ToldTroubles:
    """Of which troubles people were told, of one `portal`, or of all in a ledger that one machine has for itself."""

    def __init__(self, thread: Store, portal: str = "") -> None:
        self.thread = thread
        self.scope = f"portal/{portal}" if portal else ""

    @reading
    def read(self, connection: Connection) -> dict[str, ToldTrouble]:
        """Return the troubles that people were told of and that are not over, by name."""
        note = read_note(connection, self.scope or ALERTS, TOLD)
        told = note[0] if note is not None else None
        return {name: ToldTrouble.parse(one) for name, one in told.items()} if isinstance(told, Mapping) else {}

    @writing
    def note(self, connection: Connection, told: Mapping[str, ToldTrouble], now: float) -> None:
        """Keep the troubles that people were told of, in place of those kept before."""
        cleaned = within(dict(told), self.thread.clean)
        value = {name: msgspec.to_builtins(replace(one, text=stored(one.text))) for name, one in cleaned.items()}
        write_note(connection, self.scope or ALERTS, TOLD, value, now)
