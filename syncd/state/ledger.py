"""What syncd remembers between passes: the ledger of a config, in a file of its own or in a database.

`of(name)` gives access to everything about one sync, `of_portal(name)` to everything about one portal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from secrets import token_hex
from typing import Any

from syncd.clock import Clock, since_boot
from syncd.config.database import Database
from syncd.errors import ConfigError, StateError
from syncd.lang.saying import say
from syncd.model.evidence import LEDGER_DIGITS
from syncd.model.item import Link
from syncd.model.lease import Board, LeaseTerms, described
from syncd.model.record import Intent, RunRecord, ToldTrouble
from syncd.model.tenure import Tenure
from syncd.state.base import Backup, Connection, Doubt, Store, reading, writing
from syncd.state.codec import intent_of, links_of, run_of
from syncd.state.leases import Leases
from syncd.state.notes import forget_all_verified, put_new_note, read_note
from syncd.state.outlook import Outlook, outlooks
from syncd.state.owner import knows_any, owners_of, write_owner
from syncd.state.passed_on import PassedOn
from syncd.state.portal_ledger import PortalLedger, ToldTroubles
from syncd.state.rows import INTENT, KEY, LINK, RUN, checked, checked_numbered
from syncd.state.sqlite.store import open_locked, open_readonly
from syncd.state.standing import Standing, Standings
from syncd.state.sync_ledger import SyncLedger
from syncd.threads import Threads

_NAME = ("ledger", "name")
"""Scope and name of the note of the ledger's own name."""
_new_name = partial(token_hex, LEDGER_DIGITS // 2)


class Ledger:
    """The links, holds, intents, runs and notes of every sync of one config; made by `open` or `open_readonly`.

    The rest of syncd relies on these guarantees of Ledger, SyncLedger and PortalLedger, over every store:

    * One process writes about a portal and its syncs. Others can read meanwhile, and see only what is committed.
    * A coroutine that writes is one transaction: it is on disk when the coroutine returns, and undone if it raises.
    * Calls take effect in the order in which they are made. A cancelled call is complete or has not begun.
    * Ids of intents and runs are never used twice, also after a restart.
    * While a create is open, no other create of the same sync and key can be intended.
    * Links and holds come ordered by key, intents by id, runs newest first, changes as they were settled.
    * StateError is raised if the store cannot be read or written, ValueError for a call that makes no sense.

    `keep_runs` is how long finished runs are kept, None for ever; `begin_run` forgets the older ones. `doubt` says why
    the store may be older than the portal, where it was put back or its last user did not end in order: then nothing
    counts as verified, so that the next pass of each sync reads the portal. `terms` are those by which leases are held
    in a ledger that several machines share.
    """

    scope = ""

    def __init__(self, thread: Store, keep_runs: timedelta | None = None, terms: LeaseTerms | None = None) -> None:
        self.thread = thread
        self.shown = thread.shown
        self.readonly = thread.readonly
        self.doubt: Doubt | None = thread.doubt
        self.keep_runs = keep_runs
        self.terms = terms
        self._standings = Standings(thread)
        self._name = ""
        self._fence: Any = None  # of a store that is shared; its driver is not installed everywhere

    @classmethod
    async def open(
        cls, place: Path | Database, *, now: float, keep_runs: timedelta | None = None, booted_at: float = 0.0
    ) -> Ledger:
        """Open the ledger at `place` for writing. Make its file and directory, or its tables, if they are missing.

        A file is locked for this process, and runs that a crash left unfinished in it are ended at unix time `now`. The
        machine started at `booted_at`. Raises StateLockedError if another process has the ledger, StateError if it is
        damaged, foreign, made by a newer syncd or not writable, and StateUnavailableError if it cannot be reached.
        """
        if isinstance(place, Path):
            return cls(await _started(partial(open_locked, place, now, booted_at)), keep_runs)
        return cls(await _started(partial(postgres("opening").open_store, place, now)), keep_runs)

    @classmethod
    async def open_readonly(
        cls,
        place: Path | Database,
        *,
        booted_at: float = 0.0,
        thorough: bool = False,
        terms: LeaseTerms | None = None,
    ) -> Ledger:
        """Open the ledger at `place` for reading only. Another process may be working with it.

        A missing file or schema reads as an empty ledger. With `thorough`, every row of a file is checked even if a
        process may be working with it; that takes half a second for 100,000 links. A caller that has to write after all
        does so by `terms`, on a ledger of its own. Raises StateError like `open`; writing raises it as well.
        """
        if isinstance(place, Path):
            return cls(await _started(partial(open_readonly, place, booted_at, thorough)))
        return cls(await _started(partial(postgres("opening").open_store_readonly, place)), terms=terms)

    @property
    def database(self) -> Database | None:
        """The database that holds the ledger, None for a file."""
        database = getattr(self.thread, "database", None)
        return database if isinstance(database, Database) else None

    @property
    def path(self) -> Path:
        """The file that holds the ledger; raises StateError for a database."""
        path = getattr(self.thread, "path", None)
        if isinstance(path, Path):
            return path
        raise StateError(
            say("{shown} is a database, not a file", shown=self.shown),
            say("use PostgreSQL's own tools for it, such as pg_dump"),
        )

    async def share(self, terms: LeaseTerms, clock: Clock) -> Leases:
        """Begin to hold leases by `terms`: from now on what is written of a portal is written by its lease alone.

        For a ledger in a database, which several machines may have open. Raises StateUnavailableError.
        """
        begin_sharing = import_module("syncd.state.postgres.sharing").begin_sharing
        self._fence = await begin_sharing(self.thread, terms, partial(since_boot, clock))
        self.terms = terms
        assert self.leases is not None
        return self.leases

    @property
    def leases(self) -> Leases | None:
        """The leases of this process, None for a ledger that is this process's alone or open for looking only."""
        return self._fence.keeper if self._fence is not None else None

    @property
    def shared(self) -> bool:
        """Whether several machines may write to it, each for the portals whose leases it holds."""
        return self._fence is not None

    def go_by(self, terms: LeaseTerms) -> None:
        """Hold leases by other `terms` from the next renewal on; a ledger that is not shared has none."""
        if self._fence is not None:
            self.terms = terms
            self._fence.go_by(terms)

    def tenure(self, portal: str) -> Tenure | None:
        """Return by which lease this process writes to `portal` now, None if it holds none or needs none."""
        return self.leases.tenures.get(portal) if self.leases is not None else None

    def held_by_another(self, portal: str) -> str | None:
        """Return who holds `portal` in place of this process, as words that follow "is"; None if it may write."""
        if self.leases is None:
            return None
        tenure = self.tenure(portal)
        if tenure is not None and tenure.valid():
            return None
        return described(self.leases.board.lease(portal), self.leases.who.holder)

    def serve(self, portals: Mapping[str, str]) -> None:
        """Note which portal each sync writes to: the lease of that portal is needed to write about the sync."""
        if self._fence is not None:
            self._fence.portals = dict(portals)

    def break_off(self) -> None:
        """Make whatever waits for a silent database raise an error; the next work tries again."""
        if self._fence is not None:
            self._fence.store.break_off()

    @reading
    def board(self, _connection: Connection) -> Board | None:
        """Return which machine holds which portal, None for a ledger of a single machine."""
        return self.thread.board()

    async def close(self) -> None:
        """Finish the work that has begun, close the file and release it; a second call does nothing."""
        if self.leases is not None:
            await self.leases.close()
        await self.thread.close()

    def of(self, name: str) -> SyncLedger:
        """Return what the ledger holds of the sync `name`."""
        # Asked at each run: a service can take over a config with another keep_runs while this object is in use.
        return SyncLedger(self.thread, name, lambda: self.keep_runs, self._standings)

    def of_portal(self, name: str) -> PortalLedger:
        """Return what the ledger remembers of the portal that the config calls `name`."""
        return PortalLedger(self.thread, name)

    def passed_on(self, name: str) -> PassedOn:
        """Return the hints that a portal has given to machines that do not hold it."""
        return PassedOn(self.thread, name)

    async def notice(self, booted_at: float) -> bool:
        """Make every sync read its portal if the machine seems to have started at another time than before.

        Then the machine was put back to an earlier state while this process ran, or its clock was set. Return True if
        so.
        """
        if not self.thread.put_back(booted_at):
            return False
        await self._forget_all_verified()
        return True

    @writing
    def _forget_all_verified(self, connection: Connection) -> None:
        forget_all_verified(connection)

    async def name(self, now: float, made: Callable[[], str] = _new_name) -> str:
        """Return the name of the ledger, which its events bear beside their marks.

        "" if it has none yet and is open for reading only. The name is `made` once. It stays the same through moves,
        backups and upgrades.
        """
        if not self._name:
            self._name = await self._read_name()
        if not self._name and not self.readonly:
            await self._give_name(made(), now)
            self._name = await self._read_name()  # another machine may have been first
        return self._name

    @reading
    def _read_name(self, connection: Connection) -> str:
        note = read_note(connection, *_NAME)
        return str(note[0]) if note is not None else ""

    @writing
    def _give_name(self, connection: Connection, name: str, now: float) -> None:
        put_new_note(connection, *_NAME, name, now)

    @reading
    def owners(self, connection: Connection, names: Collection[str]) -> Mapping[str, str]:
        """Return the path of the config that each of the syncs `names` was last run from, where that is known."""
        return owners_of(connection, names)

    @reading
    def knows_any(self, connection: Connection, names: Collection[str]) -> bool:
        """Return True if one of the syncs `names` has run or has links."""
        return knows_any(connection, names)

    @writing
    def note_owner(self, connection: Connection, names: Collection[str], config: Path, now: float) -> None:
        """Note that the syncs `names` belong to the config at this path."""
        write_owner(connection, names, config, now)

    @reading
    def back_up(self, _connection: Connection, target: Path) -> Backup:
        """Copy the ledger as it is now to the file `target`, and read the copy back; raises StateError."""
        return self.thread.back_up(target)

    @reading
    def check(self, _connection: Connection) -> int:
        """Read the whole ledger and return how many items are linked; raises StateError if any of it is damaged."""
        return self.thread.check()

    @reading
    def standings(self, connection: Connection, names: Collection[str]) -> Mapping[str, Standing]:
        """Return how the syncs `names` stand; what this process has counted before is not counted again."""
        return self._standings.of(connection, names)

    @reading
    def outlooks(self, connection: Connection, names: Collection[str]) -> Mapping[str, Outlook]:
        """Return the outlook of each of the syncs `names`, by a few queries for all of them."""
        return outlooks(connection, names)

    @reading
    def linked_syncs(self, connection: Connection) -> tuple[str, ...]:
        """Return the names of all syncs that have links, whether they are still configured or not."""
        return tuple(name for (name,) in connection.execute("SELECT DISTINCT sync FROM links ORDER BY sync"))

    @reading
    def claimed(self, connection: Connection, names: Collection[str], kinds: Collection[str]) -> frozenset[int]:
        """Return the remote ids that the syncs `names` have linked in places of these `kinds`.

        One query for all of them, because loading the links of a large sync only for their ids would take long.
        """
        ids = connection.execute(
            f"SELECT remote_id FROM links WHERE sync {connection.one_of} AND calendar {connection.one_of}",  # noqa: S608
            (connection.listed(names), connection.listed(kinds)),
        )
        return frozenset(one for (one,) in ids)

    @reading
    def linked_ids(self, connection: Connection, names: Collection[str], *, on_cards: bool) -> frozenset[int]:
        """Return the remote ids that the syncs `names` have linked, on cards of the CRM or else in calendars."""
        rows = connection.execute(
            f"SELECT remote_id FROM links WHERE sync {connection.one_of} AND (calendar LIKE '%-%') = ?",  # noqa: S608
            (connection.listed(names), on_cards),
        )
        return frozenset(one for (one,) in rows)

    @reading
    def links_to(
        self, connection: Connection, names: Collection[str], ids: Collection[int], *, on_cards: bool
    ) -> tuple[tuple[str, Link], ...]:
        """Return the links of the syncs `names` to the events or activities `ids`, each with the name of its sync."""
        # The + keeps SQLite from going through all links of the syncs: it is asked at every batch of a migration.
        rows = connection.execute(
            f"SELECT sync, {LINK} FROM links WHERE remote_id {connection.one_of}"  # noqa: S608
            f" AND +sync {connection.one_of} AND (calendar LIKE '%-%') = ? ORDER BY sync, {KEY}",
            (connection.listed(ids), connection.listed(names), on_cards),
        ).fetchall()
        return tuple(zip((row[0] for row in rows), links_of(row[1:] for row in rows), strict=True))

    @reading
    def open_creates(self, connection: Connection, names: Collection[str], *, on_cards: bool) -> tuple[Intent, ...]:
        """Return the creates of the syncs `names` whose outcome is not known, as `linked_ids` tells them apart."""
        rows = connection.execute(
            f"SELECT {INTENT}, sum FROM intents WHERE sync {connection.one_of} AND op = 'create' ORDER BY id",  # noqa: S608
            (connection.listed(names),),
        )
        return tuple(one for one in map(intent_of, map(checked, rows)) if one.key.place.on_card == on_cards)

    @reading
    def run(self, connection: Connection, run_id: int) -> RunRecord | None:
        """Return the record of run `run_id`, None if there is none, or none any more."""
        row = connection.execute(f"SELECT id, {RUN}, sum FROM runs WHERE id = ?", (run_id,)).fetchone()  # noqa: S608
        return None if row is None else run_of(checked_numbered(row))

    async def told_alerts(self, portals: Collection[str] | None = None) -> dict[str, ToldTrouble]:
        """Return the troubles that people were told of and that are not over, by name.

        In a shared ledger these are the troubles of `portals`, by default of all portals that this process holds: the
        holder of a portal tells people of its troubles.
        """
        if self.leases is None:
            return await ToldTroubles(self.thread).read()
        told: dict[str, ToldTrouble] = {}
        for portal in self.leases.tenures if portals is None else portals:
            told |= await ToldTroubles(self.thread, portal).read()
        return told

    async def note_told_alerts(
        self, told: Mapping[str, ToldTrouble], now: float, portals: Collection[str] | None = None
    ) -> None:
        """Keep the troubles that people were told of, in place of those that `told_alerts` gave for `portals`."""
        if self._fence is None:
            await ToldTroubles(self.thread).note(told, now)
            return
        held = self._fence.keeper.tenures
        for portal in held if portals is None else held.keys() & portals:
            note = ToldTroubles(self.thread, portal)
            before = await note.read()
            own = {name: one for name, one in told.items() if name in before or self._is_about(name, portal)}
            if own != before:
                await note.note(own, now)

    def _is_about(self, trouble: str, portal: str) -> bool:
        """Return True if a trouble, such as "sync shifts (held)", is one of this portal."""
        kind, _, name = trouble.partition(" (")[0].partition(" ")
        return (name if kind == "portal" else self._fence.portals.get(name)) == portal


def postgres(module: str) -> Any:  # noqa: ANN401 - a module
    """Return a module of `postgres/`; its driver is not installed everywhere. Raises ConfigError where it is not."""
    try:
        import_module("psycopg")
    except ImportError as error:
        raise ConfigError(
            say("the state is in PostgreSQL, but psycopg cannot be loaded: {error}", error=str(error)),
            say("install syncd with its extra, as in pip install 'syncd[postgres]'"),
        ) from error
    return import_module(f"syncd.state.postgres.{module}")


async def _started(make: Callable[[ThreadPoolExecutor], Store]) -> Store:
    executor = Threads(max_workers=1, thread_name_prefix="ledger")
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, make, executor)
    except BaseException:
        executor.shutdown(wait=False)
        raise
