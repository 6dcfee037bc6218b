"""A pass that reads the portal puts the entries of a large source away, and decides as one that keeps them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncd.cycle.plan import plan_again, prepare, preview, read_source
from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassOptions, run_pass
from syncd.model import stowed
from syncd.model.stowed import Stowed
from syncd.source import files
from tests.cycle.edits import decided, told
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ROWS = {
    str(n): f"Shift {n},2026-12-{1 + n % 20:02} 06:00,2026-12-{1 + n % 20:02} 14:00,anna.petrova@school.example,"
    for n in range(30)
}


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(files, "MANY", 10)
    monkeypatch.setattr(stowed, "_PART", 7)
    stage = Stage(tmp_path, SHIFTS.replace("removed_after = 1", 'removed_after = 1\nmax_changed = "100%"'))
    write(stage, ROWS)
    return stage


def write(stage: Stage, rows: dict[str, str]) -> None:
    stage.write("shifts.csv", HEADER + "".join(f"{uid},{row}\n" for uid, row in rows.items()))


def read_back(stage: Stage) -> tuple[Prepared, object]:
    """Return the plan of a pass that reads the portal, and all that it says."""

    async def both() -> tuple[Prepared, object]:
        async with stage.opened() as (syncs, app):
            run = app.open_pass(syncs["shifts"], asyncio.Event())
            run.notes = await run.ledger.notes()
            prepared = await prepare(run, await read_source(run, fresh=True), verify=True, keep=False)
            return prepared, (told(prepared), decided(prepared))

    return run_inline(both())


def test_entries_are_bytes_once_they_are_shaped(stage: Stage) -> None:
    prepared, _ = read_back(stage)
    assert isinstance(prepared.kept.entries, Stowed)
    assert all(isinstance(part, bytes) for part in prepared.kept.entries._parts)
    assert [entry.uid for entry in prepared.kept.entries] == list(ROWS)


def test_the_plan_is_that_of_a_pass_that_keeps_them(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    run_inline(stage.one_pass())
    changed = ROWS | {"3": ROWS["3"].replace("Shift", "Late shift"), "new": ROWS["4"], "bad": "No time,x,y,z,"}
    del changed["7"]
    write(stage, changed)
    away, says = read_back(stage)
    monkeypatch.setattr(files, "MANY", 10_000)
    kept, same = read_back(stage)
    assert isinstance(away.kept.entries, Stowed)
    assert not isinstance(kept.kept.entries, Stowed)
    assert says == same
    assert away.wanted == kept.wanted


def test_what_is_planned_again_is_shaped_from_entries_that_were_put_away(stage: Stage) -> None:
    run_inline(stage.one_pass())
    write(stage, ROWS | {"3": ROWS["3"].replace("Shift", "Late shift"), "new": ROWS["4"]})

    async def twice() -> None:
        async with stage.opened() as (syncs, app):
            run = app.open_pass(syncs["shifts"], asyncio.Event())
            run.notes = await run.ledger.notes()
            prepared = await prepare(run, await read_source(run, fresh=True), verify=True, keep=True)
            again = await plan_again(run, prepared)
            assert [(one.op, one.key.uid, one.item) for one in again.changes] == [
                (one.op, one.key.uid, one.item) for one in prepared.plan.changes
            ]
            assert sorted(one.op for one in again.changes) == ["create", "update"]

    run_inline(twice())


def test_an_ordinary_pass_after_it_in_the_same_process_has_them_unpacked(stage: Stage) -> None:
    async def both() -> None:
        async with stage.opened() as (syncs, app):
            result = await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions(verify=True))
            assert result.error is None
            prepared = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)
            assert (prepared.settled, prepared.counts["unchanged"]) == (None, 30)
            entries = prepared.kept.entries
            assert isinstance(entries, Stowed)
            assert not any(isinstance(part, bytes) for part in entries._parts)
            assert [entry.uid for entry in entries] == list(ROWS)

    run_inline(both())


def test_what_a_filter_leaves_is_put_away_too(stage: Stage) -> None:
    stage.config += '[sync.filter]\nexclude = ["title = Shift 3"]\n'
    prepared, _ = read_back(stage)
    kept = prepared.kept.entries
    assert isinstance(kept, Stowed)
    assert all(isinstance(part, bytes) for part in kept._parts)
    assert [entry.uid for entry in kept] == [uid for uid in ROWS if uid != "3"]
