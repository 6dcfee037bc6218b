from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.config.database import Database
from syncd.model.entry import Problem
from syncd.model.record import MAX_PROBLEMS, RunRecord
from syncd.state.ledger import Ledger
from syncd.state.sync_ledger import prune
from tests.state.values import OTHER, SYNC, intent, link


async def pruned(ledger: Ledger, *limits: Any) -> int:
    return await ledger.thread.do(lambda: prune(ledger.thread.connection, *limits), writes=True)


async def ended(ledger: Ledger, finished: float, state: str = "done", sync: str = SYNC) -> int:
    run_id = await ledger.of(sync).begin_run(finished - 1)
    record = RunRecord(id=run_id, sync=sync, started=finished - 1, finished=finished)
    await ledger.of(sync).end_run(run_id, replace(record, state=state))  # type: ignore[arg-type]  # given by the tests below
    return run_id


async def test_a_run_is_running_until_it_ends_and_then_reads_back_whole(ledger: Ledger) -> None:
    run_id = await ledger.of(SYNC).begin_run(1000.0)
    assert await ledger.of(SYNC).last_pass() == RunRecord(id=run_id, sync=SYNC, started=1000.0)
    record = RunRecord(
        id=run_id,
        sync=SYNC,
        started=1000.0,
        finished=1010.0,
        state="partial",
        counts={"created": 2, "held": 1},
        requests=3,
        commands=5,
        waited_s=0.5,
        seconds=9.5,
        problems=(Problem(where="a.csv:3", kind="rejected", reason="end is before start"),),
        problem_count=1,
    )
    await ledger.of(SYNC).end_run(run_id, record)
    assert await ledger.of(SYNC).last_pass() == record
    assert await ledger.run(run_id) == record
    assert await ledger.run(run_id + 1) is None
    assert await ledger.of(OTHER).last_pass() is None


async def test_a_run_cannot_be_ended_with_the_record_of_another(ledger: Ledger) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    with pytest.raises(ValueError, match="cannot end run"):
        await ledger.of(SYNC).end_run(run_id, RunRecord(id=run_id + 1, sync=SYNC, started=1.0))
    with pytest.raises(ValueError, match="no run"):
        await ledger.of(SYNC).end_run(run_id + 1, RunRecord(id=run_id + 1, sync=SYNC, started=1.0))


async def test_problems_are_kept_up_to_a_bound_and_counted_beyond(ledger: Ledger) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    problems = tuple(Problem(where=f"a.csv:{n}", kind="held", reason="r", key=f"k{n}") for n in range(MAX_PROBLEMS + 5))
    await ledger.of(SYNC).end_run(run_id, RunRecord(id=run_id, sync=SYNC, started=1.0, problems=problems))
    kept = await ledger.of(SYNC).last_pass()
    assert kept is not None
    assert kept.problems == problems[:MAX_PROBLEMS]
    assert kept.problem_count == MAX_PROBLEMS + 5


async def test_a_run_that_a_crash_left_running_has_failed_by_the_next_start(
    ledger: Ledger, place: Path | Database
) -> None:
    await ledger.of(SYNC).begin_run(1000.0)
    await ledger.close()
    again = await Ledger.open(place, now=5000.0)
    await again.of(SYNC).end_left_runs(5000.0)  # in a database, once it is known that nobody works on the sync
    run = await again.of(SYNC).last_pass()
    await again.close()
    assert run is not None
    assert (run.state, run.finished) == ("failed", 5000.0)
    assert "middle of this pass" in run.error


async def test_success_means_that_the_pass_reached_its_end(ledger: Ledger) -> None:
    assert await ledger.of(SYNC).last_success() is None
    for finished, state in ((10.0, "done"), (20.0, "partial"), (30.0, "stopped"), (40.0, "failed")):
        await ended(ledger, finished, state)
    await ended(ledger, 50.0, sync=OTHER)
    assert await ledger.of(SYNC).last_success() == 20.0


async def test_runs_come_newest_first(ledger: Ledger) -> None:
    numbers = [await ended(ledger, at) for at in (1.0, 2.0, 3.0)]
    assert [run.id for run in await ledger.of(SYNC).runs(2)] == [numbers[2], numbers[1]]


async def test_pruning_keeps_the_last_run_the_last_success_and_open_intents(ledger: Ledger) -> None:
    old = await ended(ledger, 10.0)
    await ledger.of(SYNC).adopt(old, [link()], now=10.0)
    waiting = await ended(ledger, 11.0)
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    await ledger.of(SYNC).intend(waiting, [intent(number, waiting, "b")])
    success = await ended(ledger, 12.0)
    await ended(ledger, 13.0, "failed")
    last = await ended(ledger, 14.0, "failed")
    assert await pruned(ledger, 100.0) == 2
    assert [run.id for run in await ledger.of(SYNC).runs(10)] == [last, success, waiting]
    assert await ledger.of(SYNC).changes(old) == ()
    assert len(await ledger.of(SYNC).links()) == 1


async def test_the_oldest_runs_go_when_there_are_too_many_however_young_they_are(ledger: Ledger) -> None:
    numbers = [await ended(ledger, 100.0 + n) for n in range(6)]
    assert await pruned(ledger, 0.0, 3) == 3
    assert [run.id for run in await ledger.of(SYNC).runs(9)] == numbers[:2:-1]


async def test_runs_before_the_newest_changes_go_when_there_are_too_many_changes(ledger: Ledger) -> None:
    numbers = []
    for n in range(4):
        numbers.append(await ended(ledger, 100.0 + n))
        await ledger.of(SYNC).adopt(numbers[-1], [link(f"{n}-{i}") for i in range(5)], now=100.0)
    assert await pruned(ledger, 0.0, 100, 7) == 2
    assert [len(await ledger.of(SYNC).changes(number)) for number in numbers] == [0, 0, 5, 5]


async def test_beginning_a_run_forgets_those_older_than_the_ledger_keeps(ledger: Ledger) -> None:
    numbers = [await ended(ledger, at) for at in (100.0, 200.0, 300.0)]
    sync = ledger.of(SYNC)  # a service keeps this one while it takes over a config that keeps runs for another time
    kept = [*reversed(numbers), await sync.begin_run(10_000.0)]
    assert {run.id for run in await sync.runs(9)} == set(kept)
    ledger.keep_runs = timedelta(seconds=9_850)
    begun = await sync.begin_run(10_000.0)
    assert {run.id for run in await sync.runs(9)} == {*kept, begun} - {numbers[0]}


async def test_a_ledger_opened_with_a_time_to_keep_runs_forgets_them(ledger: Ledger, place: Path | Database) -> None:
    old, success = await ended(ledger, 100.0), await ended(ledger, 200.0)
    await ledger.close()
    again = await Ledger.open(place, now=90_000.0, keep_runs=timedelta(days=1))
    begun = await again.of(SYNC).begin_run(90_000.0)
    assert [run.id for run in await again.of(SYNC).runs(9)] == [begun, success], f"run {old} is older than a day"
    await again.close()


async def test_what_took_back_is_no_pass_it_hides_none_and_is_no_success(ledger: Ledger) -> None:
    own = ledger.of(SYNC)
    passed = await ended(ledger, 100.0, "partial")
    number = await own.begin_run(200.0, "undo")
    record = RunRecord(id=number, sync=SYNC, started=200.0, finished=210.0, state="done", kind="undo")
    await own.end_run(number, record)
    under_way = await own.begin_run(300.0, "purge")
    assert await ledger.run(number) == record
    assert [(run.kind, run.state) for run in await own.runs(3)] == [
        ("purge", "running"), ("undo", "done"), ("pass", "partial"),
    ]  # fmt: skip
    last = await own.last_pass()
    standing, outlook = (await ledger.standings([SYNC]))[SYNC], (await ledger.outlooks([SYNC]))[SYNC]
    assert last is not None
    assert (last.id, await own.last_success()) == (passed, 100.0)
    assert (standing.last, standing.last_success, outlook.newest) == (last, 100.0, last)
    assert [run.id for run in await own.runs_since(150.0)] == [under_way, number, passed]
    await pruned(ledger, 10_000.0, 0)
    assert passed in {run.id for run in await own.runs(9)}
    await own.end_left_runs(400.0)
    assert [(run.kind, run.state) for run in await own.runs(1)] == [("purge", "failed")]
    assert await own.last_success() == 100.0
