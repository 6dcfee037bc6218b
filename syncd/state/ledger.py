"""What syncd remembers between passes, as one object with coroutines.

All work happens one after the other in a single thread of its own, so that a slow disk never stops the event loop.
A coroutine that is cancelled leaves its transaction either whole or not begun, never half.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import msgspec

from syncd.model.item import Hold, Json, Key, Link
from syncd.model.record import ChangeRecord, Intent, RunRecord, Settlement, Tally
from syncd.state import file, items, journal, runs
from syncd.state.notes import SyncNotes, Uids, Verified

P = ParamSpec("P")
T = TypeVar("T")


class Ledger:
    """The links, holds, intents, runs and notes of every sync of one config; made by `open` or `open_readonly`.

    Every coroutine raises StateError when the file cannot be read or written, and every one that writes is one
    transaction, on disk when it returns.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, executor: ThreadPoolExecutor, lock: file.Lock | None
    ) -> None:
        self.path = path
        self.readonly = lock is None
        self._connection = connection
        self._executor = executor
        self._lock = lock
        self._closed = False
        self.keep_runs: timedelta | None = None

    def of(self, name: str) -> SyncLedger:
        """x."""
        return SyncLedger(self, name)

    def of_portal(self, name: str) -> PortalLedger:
        """x."""
        return PortalLedger(self, name)

    async def claimed(self, names: Collection[str], kinds: Collection[str]) -> frozenset[int]:
        """x."""
        links = [link for name in names for link in await self.links(name)]
        return frozenset(link.remote_id for link in links if link.key.place.kind in kinds)

    async def linked_ids(self, names: Collection[str], *, on_cards: bool) -> frozenset[int]:
        """x."""
        links = [link for name in names for link in await self.links(name)]
        return frozenset(link.remote_id for link in links if link.key.place.on_card == on_cards)

    async def open_creates(self, names: Collection[str], *, on_cards: bool) -> tuple[Intent, ...]:
        """x."""
        intents = [one for name in names for one in await self.open_intents(name)]
        return tuple(one for one in intents if one.op == "create" and one.key.place.on_card == on_cards)

    @classmethod
    async def open(cls, path: Path, *, now: float, keep_runs: timedelta | None = None) -> Ledger:
        """Open the ledger at `path` for this process alone, making the file and its directory where missing.

        Runs that a crash left unfinished are ended at unix time `now`. Raises StateLockedError when another process
        has it, StateError when it is damaged, foreign, made by a newer syncd, or not writable.
        """
        ledger = await _started(partial(_open, path, now))
        ledger.keep_runs = keep_runs
        return ledger

    @classmethod
    async def open_readonly(cls, path: Path) -> Ledger:
        """Open the ledger at `path` for looking only, also while another process works with it.

        A missing file reads as an empty ledger. Raises StateError like `open`; writing raises it too.
        """
        return await _started(partial(_open_readonly, path))

    async def close(self) -> None:
        """Finish what is under way, close the file and let others have it; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._executor, self._close)
        self._executor.shutdown()

    def _close(self) -> None:
        try:
            with file.translated(self.path):
                self._connection.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    async def _do(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def job() -> T:
            with file.translated(self.path):
                return work(self._connection, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._executor, job)

    async def links(self, sync: str) -> tuple[Link, ...]:
        """Return the links of `sync`, ordered by key."""
        return await self._do(items.links, sync)

    async def linked_syncs(self) -> tuple[str, ...]:
        """Return the names of all syncs that have links, whether they are still configured or not."""
        return await self._do(items.linked_syncs)

    async def holds(self, sync: str) -> tuple[Hold, ...]:
        """Return the holds of `sync`, ordered by key."""
        return await self._do(items.holds, sync)

    async def tally(self, sync: str) -> Tally:
        """Return how many entries, items, holds and open intents there are for `sync`."""
        return await self._do(items.tally, sync)

    async def reserve_ids(self, count: int) -> range:
        """Return `count` ids for intents, never given to anybody else; raises ValueError below 0."""
        return await self._do(journal.reserve_ids, count)

    async def intend(self, run_id: int, intents: Sequence[Intent]) -> None:
        """Write `intents` down before they are sent; when this returns they outlive a power cut.

        Raises ValueError for an intent of another run or an id that was not reserved or is in use, and StateError
        when an earlier create of the same item has no known outcome yet.
        """
        await self._do(journal.intend, run_id, tuple(intents))

    async def sent_again(self, ids: Sequence[int], *, now: float) -> None:
        """Note that open intents are sent once more at `now`; raises ValueError for an id that is not open."""
        await self._do(journal.sent_again, tuple(ids), now)

    async def open_intents(self, sync: str) -> tuple[Intent, ...]:
        """Return the intents of `sync` that are not settled for good (left by a crash, or unknown), ordered by id."""
        return await self._do(journal.open_intents, sync)

    async def settle(self, run_id: int, settlements: Sequence[Settlement]) -> None:
        """Write down what became of intents: links, holds and change records, all or nothing.

        `run_id` is the run that found out. Raises ValueError for an intent that is not open and for an outcome that
        does not fit its operation.
        """
        await self._do(journal.settle, run_id, tuple(settlements))

    async def adopt(self, run_id: int, links: Sequence[Link], *, now: float) -> None:
        """Link events that already stood in the portal, and record at `now` that `run_id` took them over."""
        await self._do(journal.adopt, run_id, tuple(links), now)

    async def doubt(self, sync: str, keys: Collection[Key]) -> None:
        """Note that nobody knows what the events of `keys` show, so that the next plan writes them again."""
        await self._do(items.doubt, sync, tuple(keys))

    async def relearn(self, sync: str, versions: Mapping[Key, int]) -> None:
        """Set the VERSION of links whose events stand there as they were sent; keys without a link are passed over."""
        await self._do(items.relearn, sync, dict(versions))

    async def mark_absent(self, sync: str, absent: Collection[Key], present: Collection[Key]) -> None:
        """Count one more complete snapshot without the `absent` keys; begin anew at 0 for the `present` ones."""
        await self._do(items.mark_absent, sync, tuple(absent), present)

    async def forget(self, sync: str, keys: Collection[Key]) -> None:
        """Remove the links of `keys` (a person deleted the events); holds stay until they are released."""
        await self._do(items.forget, sync, tuple(keys))

    async def hold(self, sync: str, holds: Sequence[Hold]) -> None:
        """Set items aside, in place of earlier holds of the same keys."""
        await self._do(items.hold, sync, tuple(holds))

    async def release(self, sync: str, keys: Collection[Key] | None) -> int:
        """Remove the holds of `keys`, or all of `sync` for None, and return how many there were."""
        return await self._do(items.release, sync, None if keys is None else tuple(keys))

    async def begin_run(self, sync: str, started: float) -> int:
        """Write down that a pass of `sync` began at unix time `started`, and return its number."""
        return await self._do(runs.begin_run, sync, started)

    async def end_run(self, run_id: int, record: RunRecord) -> None:
        """Write down how run `run_id` ended; raises ValueError for another run's record or an unknown run."""
        await self._do(runs.end_run, run_id, record)

    async def run(self, run_id: int) -> RunRecord | None:
        """Return the record of `run_id`, None when there is none (any more)."""
        return await self._do(runs.run, run_id)

    async def last_run(self, sync: str) -> RunRecord | None:
        """Return the newest run of `sync`, which may be running still; None before the first."""
        return next(iter(await self.runs(sync, 1)), None)

    async def last_success(self, sync: str) -> float | None:
        """Return when a pass of `sync` last reached its end, even if single entries were rejected or held."""
        return await self._do(runs.last_success, sync)

    async def runs(self, sync: str, limit: int) -> tuple[RunRecord, ...]:
        """Return the last `limit` runs of `sync`, the newest first."""
        return await self._do(runs.runs, sync, limit)

    async def changes(self, run_id: int) -> tuple[ChangeRecord, ...]:
        """Return what run `run_id` did, in the order in which it was settled, with the links before and after."""
        return await self._do(journal.changes, run_id)

    async def prune(self, before: float) -> int:
        """Remove runs that finished before unix time `before`, with their change records, and return how many.

        Kept are the last run and the last success of every sync, and runs with open intents.
        """
        return await self._do(runs.prune, before)

    async def note(self, scope: str, name: str, value: Json, now: float) -> None:
        """Keep a small JSON `value` under `scope` and `name`, in place of an earlier one."""
        await self._do(runs.note, scope, name, value, now)

    async def read_note(self, scope: str, name: str) -> tuple[Json, float] | None:
        """Return the value kept under `scope` and `name` with the time it was written, None when there is none."""
        return await self._do(runs.read_note, scope, name)

    async def drop_note(self, scope: str, name: str) -> None:
        """Remove what is kept under `scope` and `name`, if anything."""
        await self._do(runs.drop_note, scope, name)


async def _started(make: Callable[[ThreadPoolExecutor], Ledger]) -> Ledger:
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, make, executor)
    except BaseException:
        executor.shutdown(wait=False)
        raise


def _open(path: Path, now: float, executor: ThreadPoolExecutor) -> Ledger:
    with file.translated(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        real = path.resolve()  # two names of one file must meet at one lock
    lock = file.Lock(real)
    try:
        connection = file.open_for_writing(real)
        try:
            with file.translated(real):
                runs.close_interrupted(connection, now)
        except BaseException:
            connection.close()
            raise
    except BaseException:
        lock.release()
        raise
    return Ledger(real, connection, executor, lock)


def _open_readonly(path: Path, executor: ThreadPoolExecutor) -> Ledger:
    return Ledger(path, file.open_for_reading(path), executor, None)


class SyncLedger:
    """TEMPORARY."""

    def __init__(self, ledger: Ledger, name: str) -> None:
        self.ledger = ledger
        self.name = name
        self._scope = f"sync/{name}"

    async def links(self) -> tuple[Link, ...]:
        """x."""
        return await self.ledger.links(self.name)

    async def holds(self) -> tuple[Hold, ...]:
        """x."""
        return await self.ledger.holds(self.name)

    async def tally(self) -> Tally:
        """x."""
        return await self.ledger.tally(self.name)

    async def open_intents(self) -> tuple[Intent, ...]:
        """x."""
        return await self.ledger.open_intents(self.name)

    async def reserve_ids(self, count: int) -> range:
        """x."""
        return await self.ledger.reserve_ids(count)

    async def intend(self, run_id: int, intents: Sequence[Intent]) -> None:
        """x."""
        await self.ledger.intend(run_id, intents)

    async def sent_again(self, ids: Sequence[int], *, now: float) -> None:
        """x."""
        await self.ledger.sent_again(ids, now=now)

    async def settle(self, run_id: int, settlements: Sequence[Settlement]) -> None:
        """x."""
        await self.ledger.settle(run_id, settlements)

    async def adopt(self, run_id: int, links: Sequence[Link], *, now: float) -> None:
        """x."""
        await self.ledger.adopt(run_id, links, now=now)

    async def doubt(self, keys: Collection[Key]) -> None:
        """x."""
        await self.ledger.doubt(self.name, keys)

    async def relearn(self, versions: Mapping[Key, int]) -> None:
        """x."""
        await self.ledger.relearn(self.name, versions)

    async def mark_absent(self, absent: Collection[Key], present: Collection[Key]) -> None:
        """x."""
        await self.ledger.mark_absent(self.name, absent, present)

    async def forget(self, keys: Collection[Key]) -> None:
        """x."""
        await self.ledger.forget(self.name, keys)

    async def hold(self, holds: Sequence[Hold]) -> None:
        """x."""
        await self.ledger.hold(self.name, holds)

    async def release(self, keys: Collection[Key] | None) -> int:
        """x."""
        return await self.ledger.release(self.name, keys)

    async def begin_run(self, started: float) -> int:
        """x."""
        if self.ledger.keep_runs is not None:
            await self.ledger.prune(started - self.ledger.keep_runs.total_seconds())
        return await self.ledger.begin_run(self.name, started)

    async def end_run(self, run_id: int, record: RunRecord) -> None:
        """x."""
        await self.ledger.end_run(run_id, record)

    async def changes(self, run_id: int) -> tuple[ChangeRecord, ...]:
        """x."""
        return await self.ledger.changes(run_id)

    async def last_run(self) -> RunRecord | None:
        """x."""
        return await self.ledger.last_run(self.name)

    async def last_success(self) -> float | None:
        """x."""
        return await self.ledger.last_success(self.name)

    async def runs(self, limit: int) -> tuple[RunRecord, ...]:
        """x."""
        return await self.ledger.runs(self.name, limit)

    async def notes(self) -> SyncNotes:
        """x."""
        read = self.ledger.read_note
        verified = await read(self._scope, "verified")
        uids = await read(self._scope, "uids")
        home = await read(self._scope, "portal")
        floor = await read(self._scope, "highest id before creating")
        return SyncNotes(
            verified=Verified(portal=str(verified[0]), at=verified[1]) if verified else None,
            uids=msgspec.convert(uids[0], Uids) if uids else Uids(),
            home=str(home[0]) if home else None,
            floor=floor[0] if floor and isinstance(floor[0], int) else 0,
        )

    async def note_verified(self, portal: str, now: float) -> None:
        """x."""
        await self.ledger.note(self._scope, "verified", portal, now)

    async def forget_verified(self) -> None:
        """x."""
        await self.ledger.drop_note(self._scope, "verified")

    async def note_home(self, origin: str, now: float) -> None:
        """x."""
        await self.ledger.note(self._scope, "portal", origin, now)

    async def note_floor(self, highest: int, now: float) -> None:
        """x."""
        await self.ledger.note(self._scope, "highest id before creating", highest, now)

    async def forget_floor(self) -> None:
        """x."""
        await self.ledger.drop_note(self._scope, "highest id before creating")

    async def note_uids(self, uids: Uids, now: float) -> None:
        """x."""
        await self.ledger.note(self._scope, "uids", {"names": uids.names, "doubted": sorted(uids.doubted)}, now)

    async def note_due(self, due: float | None, now: float) -> None:
        """x."""
        await self.ledger.note(self._scope, "due", due, now)


class PortalLedger:
    """TEMPORARY."""

    def __init__(self, ledger: Ledger, name: str) -> None:
        self.ledger = ledger
        self.name = name
        self._scope = f"portal/{name}"

    async def directory(self, origin: str) -> Json:
        """x."""
        note = await self.ledger.read_note(self._scope, "directory")
        value = note[0] if note is not None and isinstance(note[0], Mapping) else {}
        return value.get("directory") if value.get("portal") == origin else None

    async def note_directory(self, origin: str, directory: Json, now: float) -> None:
        """x."""
        await self.ledger.note(self._scope, "directory", {"portal": origin, "directory": directory}, now)

    async def forget_directory(self) -> None:
        """x."""
        await self.ledger.drop_note(self._scope, "directory")

    async def budget(self) -> Json:
        """x."""
        note = await self.ledger.read_note(self._scope, "budget")
        return note[0] if note is not None else None

    async def note_budget(self, budget: Json, now: float) -> None:
        """x."""
        await self.ledger.note(self._scope, "budget", budget, now)

    async def sections_under_way(self) -> tuple[int, float] | None:
        """x."""
        note = await self.ledger.read_note(self._scope, "sections under way")
        return (note[0], note[1]) if note is not None and isinstance(note[0], int) else None

    async def note_sections_under_way(self, number: int, now: float) -> None:
        """x."""
        if number:
            await self.ledger.note(self._scope, "sections under way", number, now)
        else:
            await self.ledger.drop_note(self._scope, "sections under way")
