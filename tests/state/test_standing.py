"""How a sync stands is counted once and remembered; what is remembered is always what a count would give."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from syncd.config.database import Database
from syncd.model.record import RunRecord
from syncd.state.ledger import Ledger
from syncd.state.sqlite.connection import SqliteConnection
from syncd.state.standing import Standing
from syncd.state.sync_ledger import SyncLedger
from tests.state.values import OTHER, SYNC, hold, intent, key, link

Write = Callable[[SyncLedger, int], Awaitable[object]]


async def _intend(own: SyncLedger, run_id: int) -> None:
    (number,) = await own.reserve_ids(1)
    await own.intend(run_id, [intent(number, run_id=run_id, uid="new")])


WRITES: dict[str, Write] = {
    "adopted": lambda own, run_id: own.adopt(run_id, [link("b", remote_id=900)], now=2.0),
    "held": lambda own, _: own.hold([hold("b")]),
    "released": lambda own, _: own.release(None),
    "forgotten": lambda own, _: own.forget([key("a")]),
    "intended": _intend,
    "begun": lambda own, _: own.begin_run(5.0),
    "ended": lambda own, run_id: own.end_run(
        run_id, RunRecord(id=run_id, sync=SYNC, started=1.0, finished=9.0, state="done")
    ),
}


async def _counted(place: Path | Database) -> Standing:
    other = await Ledger.open_readonly(place)
    try:
        return (await other.standings([SYNC]))[SYNC]
    finally:
        await other.close()


@pytest.mark.parametrize("name", WRITES)
async def test_what_is_remembered_is_what_a_count_would_give_after_every_kind_of_write(
    ledger: Ledger, place: Path | Database, name: str
) -> None:
    own = ledger.of(SYNC)
    run_id = await own.begin_run(1.0)
    await own.adopt(run_id, [link("a")], now=1.0)
    await own.hold([hold("a")])
    before = (await ledger.standings([SYNC]))[SYNC]
    await WRITES[name](own, run_id)
    after = (await ledger.standings([SYNC]))[SYNC]
    assert after == await _counted(place)
    assert after.tally == await own.tally()
    assert (after != before) == (name != "begun")


async def test_a_sync_that_has_not_changed_is_not_counted_again(file_ledger: Ledger) -> None:
    ledger, names = file_ledger, [SYNC, OTHER, "third"]
    run_id = await ledger.of(SYNC).begin_run(1.0)
    await ledger.standings(names)
    asked: list[str] = []
    connection = ledger.thread.connection
    assert isinstance(connection, SqliteConnection)
    connection.set_trace_callback(asked.append)
    assert list(await ledger.standings(names)) == names
    assert asked == []
    await ledger.of(SYNC).adopt(run_id, [link("a")], now=1.0)
    asked.clear()
    await ledger.standings(names)
    assert asked
    assert all(OTHER not in statement for statement in asked)
