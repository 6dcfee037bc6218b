"""The part of the ledger about one portal: what all its syncs share, and the troubles that people were told about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import msgspec

from syncd.lang.saying import stored
from syncd.model.elapsed import ClockNote
from syncd.model.json_values import Json
from syncd.model.made_sections import MadeSection
from syncd.model.record import ToldTrouble
from syncd.scrub import within
from syncd.state.base import Connection, Store, reading, writing
from syncd.state.notes import ALERTS, CLOCKS, NO_CLOCKS, drop_note, read_note, typed, write_note
from syncd.state.rows import TOKENS

_TOLD = "told"
_DIRECTORY = "directory"
_BUDGET = "budget"
_UNDER_WAY = "sections under way"
_MADE = "sections made"
_FACTS = "facts"
_PROBE = "probe under way"
_HEARD = "events heard"
_HINTS = "hints"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPortal:
    """What is kept of the portal at one address: its directory and the facts that a probe found, each None if unknown.

    `mark` changes whenever the directory that is kept under the portal's name does, whatever its address.
    """

    directory: Json
    mark: str
    facts: Json


class PortalLedger:
    """What the ledger remembers of one portal, for all syncs that write to it; made by `Ledger.of_portal`.

    It keeps the contract of Ledger.
    """

    def __init__(self, thread: Store, name: str) -> None:
        self.thread = thread
        self.scope = f"portal/{name}"

    @reading
    def directory(self, connection: Connection, origin: str) -> Json:
        """Return the stored directory of the portal at `origin`, None if there is none, or only of another portal."""
        return self._of(connection, origin, _DIRECTORY).get("directory")

    @reading
    def known(self, connection: Connection, origin: str) -> KnownPortal:
        """Return what is remembered of the portal at `origin`."""
        return KnownPortal(
            directory=self._of(connection, origin, _DIRECTORY).get("directory"),
            mark=self._mark(connection),
            facts=self._of(connection, origin, _FACTS).get("facts"),
        )

    @reading
    def directory_mark(self, connection: Connection) -> str:
        """Return a mark that changes whenever the stored directory of the portal does, "" if there is none."""
        return self._mark(connection)

    def _mark(self, connection: Connection) -> str:
        row = connection.execute("SELECT value FROM notes WHERE scope = ? AND name = ?", (self.scope, _DIRECTORY))
        value = row.fetchone()
        return blake2b(value[0], digest_size=16).hexdigest() if value is not None else ""

    def _of(self, connection: Connection, origin: str, name: str) -> Mapping[str, Any]:
        """Return what is kept under `name`, an empty mapping if that is of another portal than `origin`."""
        value, _ = read_note(connection, self.scope, name) or (None, 0.0)
        # The config may have given this name to another portal before.
        return value if isinstance(value, Mapping) and value.get("portal") == origin else {}

    @writing
    def note_directory(self, connection: Connection, origin: str, directory: Json, now: float) -> None:
        """Keep the directory of the portal at `origin`, as JSON."""
        write_note(connection, self.scope, _DIRECTORY, {"portal": origin, "directory": directory}, now)

    @writing
    def forget_directory(self, connection: Connection) -> None:
        """Make the next pass read the directory from the portal."""
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
        """Return what a probe found out about the portal at `origin`, None if it was never probed."""
        return self._of(connection, origin, _FACTS).get("facts")

    @writing
    def note_facts(self, connection: Connection, origin: str, facts: Json, now: float) -> None:
        """Keep what a probe found out about the portal at `origin`, as JSON."""
        write_note(connection, self.scope, _FACTS, {"portal": origin, "facts": facts}, now)

    @reading
    def probe_under_way(self, connection: Connection) -> bool:
        """Return True if a probe has begun and is not known to have cleaned up after itself."""
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
        """Return the tokens of the application, as `note_tokens` kept them, None if it was not authorised."""
        note = read_note(connection, self.scope, TOKENS)
        return note[0] if note is not None else None

    @writing
    def note_tokens(self, connection: Connection, tokens: Json, now: float) -> None:
        """Keep the tokens of the application, in place of the earlier ones; on disk when this returns."""
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
        """Return by sync the ids of events that people have changed and no pass has looked at, with the user's id."""
        note = read_note(connection, self.scope, _HINTS)
        try:
            return msgspec.convert(note[0], dict[str, dict[int, int]], strict=False) if note is not None else {}
        except msgspec.ValidationError:
            return {}  # then reading the portal finds what was edited

    @writing
    def note_hints(self, connection: Connection, hints: Mapping[str, Mapping[int, int]], now: float) -> None:
        """Keep the events that no pass has looked at yet, in place of those that were kept before."""
        if any(hints.values()):
            kept: Json = {sync: {str(one): user for one, user in each.items()} for sync, each in hints.items()}
            write_note(connection, self.scope, _HINTS, kept, now)
        else:
            drop_note(connection, self.scope, _HINTS)

    @reading
    def sections_under_way(self, connection: Connection) -> tuple[int, float] | None:
        """Return how many creates of sections may be under way, and since which unix time; None if there are none."""
        note = read_note(connection, self.scope, _UNDER_WAY)
        return (note[0], note[1]) if note is not None and isinstance(note[0], int) else None

    @reading
    def sections_made(self, connection: Connection, origin: str) -> tuple[MadeSection, ...]:
        """Return the sections that syncd has made in the portal at `origin` and that are not known to be gone."""
        return self._made(connection, origin)

    @writing
    def note_sections(self, connection: Connection, origin: str, made: Sequence[MadeSection], now: float) -> None:
        """Add to the sections that were made in the portal at `origin`."""
        known = {one.id: one for one in (*self._made(connection, origin), *made)}
        self._write_made(connection, origin, known.values(), now)

    @writing
    def forget_sections(self, connection: Connection, origin: str, ids: Collection[int], now: float) -> None:
        """Forget that the sections `ids` were made."""
        left = [one for one in self._made(connection, origin) if one.id not in ids]
        self._write_made(connection, origin, left, now)

    def _made(self, connection: Connection, origin: str) -> tuple[MadeSection, ...]:
        # What cannot be read stays in the portal.
        return typed(self._of(connection, origin, _MADE).get("sections"), tuple[MadeSection, ...], ())

    def _write_made(self, connection: Connection, origin: str, sections: Iterable[MadeSection], now: float) -> None:
        value = {"portal": origin, "sections": msgspec.to_builtins(sorted(sections))}
        write_note(connection, self.scope, _MADE, value, now)

    @reading
    def clocks(self, connection: Connection) -> tuple[ClockNote, ...]:
        """Return the clocks that tell how long ago the creates of sections were sent."""
        note = read_note(connection, self.scope, CLOCKS)
        return typed(note[0], tuple[ClockNote, ...], NO_CLOCKS) if note is not None else ()

    @writing
    def note_sections_under_way(
        self, connection: Connection, number: int, now: float, clocks: Sequence[ClockNote] = ()
    ) -> None:
        """Keep how many creates of sections are under way since `now`, and how the clocks stand."""
        if number:
            write_note(connection, self.scope, _UNDER_WAY, number, now)
            write_note(connection, self.scope, CLOCKS, msgspec.to_builtins(clocks), now)
        else:
            drop_note(connection, self.scope, _UNDER_WAY)


class ToldTroubles:
    """The troubles that people were told about: those of one `portal`, or all in a ledger of a single machine."""

    def __init__(self, thread: Store, portal: str = "") -> None:
        self.thread = thread
        self.scope = f"portal/{portal}" if portal else ""

    @reading
    def read(self, connection: Connection) -> dict[str, ToldTrouble]:
        """Return the troubles that people were told of and that are not over, by name."""
        note = read_note(connection, self.scope or ALERTS, _TOLD)
        told = note[0] if note is not None else None
        return {name: ToldTrouble.parse(one) for name, one in told.items()} if isinstance(told, Mapping) else {}

    @writing
    def note(self, connection: Connection, told: Mapping[str, ToldTrouble], now: float) -> None:
        """Keep the troubles that people were told of, in place of those kept before."""
        cleaned = within(dict(told), self.thread.clean)
        value = {name: msgspec.to_builtins(replace(one, text=stored(one.text))) for name, one in cleaned.items()}
        write_note(connection, self.scope or ALERTS, _TOLD, value, now)
