"""What syncd remembers between passes: the ledger of one config, opened as one file.

Everything about one sync is asked of `of(name)`, about one portal of `of_portal(name)`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec

from syncd.model.item import Link
from syncd.model.record import Intent, RunRecord, Told
from syncd.scrub import within
from syncd.state.backup import Backup, back_up, check
from syncd.state.codec import intent_of, links_of, run_of, to_json
from syncd.state.echo import CLOCK_TOLERANCE_S, Doubt
from syncd.state.file import LedgerThread, reading, writing
from syncd.state.notes import ALERTS, TOLD, PortalLedger, forget_all_verified, read_note, write_note
from syncd.state.opening import open_locked, open_readonly
from syncd.state.outlook import Outlook, outlooks
from syncd.state.owner import owners_of, write_owner
from syncd.state.schema import INTENT, KEY, LINK, RUN, checked, checked_numbered
from syncd.state.standing import Standing, Standings
from syncd.state.sync_ledger import SyncLedger


class Ledger:
    """The links, holds, intents, runs and notes of every sync of one config; made by `open` or `open_readonly`.

    What the rest of syncd relies on, and any other store would have to keep, here and in SyncLedger and PortalLedger:

    * One process writes; others can read meanwhile and see only what is committed.
    * A coroutine that writes is one transaction: on disk when it returns, and nothing of it is kept when it raises.
    * Calls take effect in the order in which they are made. A cancelled one is complete or has not begun.
    * Ids of intents and runs are never used twice, also after a restart.
    * While a create is open, no other create of the same sync and key can be intended.
    * Links and holds come ordered by key, intents by id, runs newest first, changes as they were settled.
    * StateError is raised when the store cannot be read or written, ValueError for a call that cannot be right.

    `keep_runs` is how long finished runs are kept, None for ever; `begin_run` forgets the older ones. `doubt` says why
    the store may be older than the portal, where it was put back or its last user did not end in order: then nothing
    counts as verified, so that the next pass of each sync reads the portal.
    """

    def __init__(self, thread: LedgerThread, keep_runs: timedelta | None = None) -> None:
        self.thread = thread
        self.path = thread.path
        self.readonly = thread.lock is None
        self.doubt: Doubt | None = thread.doubt
        self.keep_runs = keep_runs
        self._standings = Standings()

    @classmethod
    async def open(
        cls, path: Path, *, now: float, keep_runs: timedelta | None = None, booted_at: float = 0.0
    ) -> Ledger:
        """Open the ledger at `path` for this process alone, making the file and its directory where missing.

        Runs that a crash left unfinished are ended at unix time `now`; the machine started at `booted_at`. Raises
        StateLockedError when another process has it, StateError when it is damaged, foreign, made by a newer syncd, or
        not writable.
        """
        return cls(await _started(partial(open_locked, path, now, booted_at)), keep_runs)

    @classmethod
    async def open_readonly(cls, path: Path, *, booted_at: float = 0.0, thorough: bool = False) -> Ledger:
        """Open the ledger at `path` for looking only, also while another process works with it.

        A missing file reads as an empty ledger. `thorough` has every row checked also beside a process that works with
        it, which takes half a second for 100,000 links. Raises StateError like `open`; writing raises it too.
        """
        return cls(await _started(partial(open_readonly, path, booted_at, thorough)))

    async def close(self) -> None:
        """Finish the work that has begun, close the file and release it; a second call does nothing."""
        await self.thread.close()

    def of(self, name: str) -> SyncLedger:
        """Return what the ledger holds of the sync `name`."""
        # Asked at each run: a service can take over a config with another keep_runs while this object is in use.
        return SyncLedger(self.thread, name, lambda: self.keep_runs, self._standings)

    def of_portal(self, name: str) -> PortalLedger:
        """Return what the ledger remembers of the portal that the config calls `name`."""
        return PortalLedger(self.thread, name)

    async def notice(self, booted_at: float) -> bool:
        """Have every sync read the portal if the machine seems to have started at another time than before.

        Then it was put back to an earlier state while this process ran in it, or its clock was set. Returns True if so.
        """
        if abs(booted_at - self.thread.booted_at) <= CLOCK_TOLERANCE_S:
            return False
        self.thread.booted_at = booted_at
        await self._forget_all_verified()
        return True

    @writing
    def _forget_all_verified(self, connection: sqlite3.Connection) -> None:
        forget_all_verified(connection)

    @reading
    def owners(self, connection: sqlite3.Connection, names: Collection[str]) -> Mapping[str, str]:
        """Return the path of the config that each of the syncs `names` was last run from, where that is known."""
        return owners_of(connection, names)

    @writing
    def note_owner(self, connection: sqlite3.Connection, names: Collection[str], config: Path, now: float) -> None:
        """Note that the syncs `names` belong to the config at this path."""
        write_owner(connection, names, config, now)

    @reading
    def back_up(self, connection: sqlite3.Connection, target: Path) -> Backup:
        """Copy the ledger as it is now to the file `target`, and read the copy back; raises StateError."""
        return back_up(connection, self.path, target)

    @reading
    def check(self, connection: sqlite3.Connection) -> int:
        """Read the whole ledger and return how many items are linked; raises StateError if any of it is damaged."""
        return check(connection)

    @reading
    def standings(self, connection: sqlite3.Connection, names: Collection[str]) -> Mapping[str, Standing]:
        """Return how the syncs `names` stand, in one go; what this process has counted before is not counted again."""
        return self._standings.of(connection, names, own=not self.readonly)

    @reading
    def outlooks(self, connection: sqlite3.Connection, names: Collection[str]) -> Mapping[str, Outlook]:
        """Return what is to come for each of the syncs `names`, in one go."""
        return outlooks(connection, names)

    @reading
    def linked_syncs(self, connection: sqlite3.Connection) -> tuple[str, ...]:
        """Return the names of all syncs that have links, whether they are still configured or not."""
        return tuple(name for (name,) in connection.execute("SELECT DISTINCT sync FROM links ORDER BY sync"))

    @reading
    def claimed(self, connection: sqlite3.Connection, names: Collection[str], kinds: Collection[str]) -> frozenset[int]:
        """Return the remote ids that the syncs `names` have linked in places of these `kinds`.

        One query over all of them: the links of a large sync need not be loaded for their ids.
        """
        ids = connection.execute(
            f"SELECT remote_id FROM links WHERE sync IN ({_marks(names)}) AND calendar IN ({_marks(kinds)})",  # noqa: S608
            (*names, *kinds),
        )
        return frozenset(one for (one,) in ids)

    @reading
    def linked_ids(self, connection: sqlite3.Connection, names: Collection[str], *, on_cards: bool) -> frozenset[int]:
        """Return the remote ids that the syncs `names` have linked, on cards of the CRM or else in calendars."""
        rows = connection.execute(
            f"SELECT remote_id FROM links WHERE sync IN ({_marks(names)}) AND (instr(calendar, '-') > 0) = ?",  # noqa: S608
            (*names, on_cards),
        )
        return frozenset(one for (one,) in rows)

    @reading
    def links_to(
        self, connection: sqlite3.Connection, names: Collection[str], ids: Collection[int], *, on_cards: bool
    ) -> tuple[tuple[str, Link], ...]:
        """Return the links of the syncs `names` to the events or activities `ids`, each with the name of its sync."""
        # The + keeps SQLite from going through all links of the syncs: it is asked at every batch of a migration.
        rows = connection.execute(
            f"SELECT sync, {LINK} FROM links WHERE remote_id IN (SELECT value FROM json_each(?))"  # noqa: S608
            f" AND +sync IN ({_marks(names)}) AND (instr(calendar, '-') > 0) = ? ORDER BY sync, {KEY}",
            (to_json(list(ids)).decode(), *names, on_cards),
        ).fetchall()
        return tuple(zip((row[0] for row in rows), links_of(row[1:] for row in rows), strict=True))

    @reading
    def open_creates(
        self, connection: sqlite3.Connection, names: Collection[str], *, on_cards: bool
    ) -> tuple[Intent, ...]:
        """Return the creates of the syncs `names` whose outcome is not known, as `linked_ids` tells them apart."""
        rows = connection.execute(
            f"SELECT {INTENT}, sum FROM intents WHERE sync IN ({_marks(names)}) AND op = 'create' ORDER BY id",  # noqa: S608
            tuple(names),
        )
        return tuple(one for one in map(intent_of, map(checked, rows)) if one.key.place.on_card == on_cards)

    @reading
    def run(self, connection: sqlite3.Connection, run_id: int) -> RunRecord | None:
        """Return the record of `run_id`, None if there is none (any more)."""
        row = connection.execute(f"SELECT id, {RUN}, sum FROM runs WHERE id = ?", (run_id,)).fetchone()  # noqa: S608
        return None if row is None else run_of(checked_numbered(row))

    @reading
    def told_alerts(self, connection: sqlite3.Connection) -> dict[str, Told]:
        """Return the troubles that people were told of and that are not over, by name."""
        note = read_note(connection, ALERTS, TOLD)
        told = note[0] if note is not None else None
        return {name: Told.parse(one) for name, one in told.items()} if isinstance(told, Mapping) else {}

    @writing
    def note_told_alerts(self, connection: sqlite3.Connection, told: Mapping[str, Told], now: float) -> None:
        """Keep the troubles that people were told of, in place of those kept before."""
        value = {name: msgspec.to_builtins(one) for name, one in told.items()}
        write_note(connection, ALERTS, TOLD, within(value, self.thread.clean), now)


def _marks(values: Collection[str]) -> str:
    """Return as many placeholders as there are values."""
    return ", ".join("?" * len(values))


async def _started(make: Callable[[ThreadPoolExecutor], LedgerThread]) -> LedgerThread:
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, make, executor)
    except BaseException:
        executor.shutdown(wait=False)
        raise
