"""Budgets outlive the process, however it ends: what was used is in the ledger while a push still runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from syncd.config import load_config
from syncd.cycle.plan import preview
from syncd.cycle.run import PassOptions, run_pass
from syncd.portal.limits.forecast import Forecast
from syncd.sandbox.settings import Settings
from syncd.service.status import read_status
from tests.cycle.test_faults import rows
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ADD = "calendar.event.add"
DEAR = Settings(integer_stamps=False, costs_s={ADD: 2.0})


def stage_of(folder: Path, count: int) -> Stage:
    stage = Stage(folder, SHIFTS, settings=replace(DEAR))
    stage.write("shifts.csv", HEADER + rows(count))
    return stage


def test_status_beside_a_running_push_tells_used_limit_and_reset(tmp_path: Path) -> None:
    stage = stage_of(tmp_path, 200)

    async def main() -> None:
        async with stage.opened() as (syncs, app):
            push = asyncio.ensure_future(run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions()))
            await asyncio.sleep(100)
            config = load_config(tmp_path / "syncd.toml", {})
            budget = (await read_status(config, app.ledger, stage.clock)).operating["main"][ADD]
            truth = {key: used for key, used, _ in stage.world.budgets(stage.clock.now())}[f"apauth||{ADD}"]
            assert truth - 70 <= budget.used_s <= truth + 1
            assert budget.used_s > 100
            assert budget.limit_s == 480
            assert budget.resets_at is not None
            assert 0 < budget.resets_at - stage.clock.now() <= 660
            await push

    run_inline(main())


def test_a_process_killed_in_the_middle_does_not_overrun_the_limit_when_it_starts_again(tmp_path: Path) -> None:
    stage = stage_of(tmp_path, 300)
    state = tmp_path / "state" / "syncd.db"
    copied = tmp_path / "copied.db"

    async def killed() -> None:
        async with stage.opened() as (syncs, app):
            push = asyncio.ensure_future(run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions()))
            await asyncio.sleep(130)
            # What the disk holds at this moment is all that a killed process leaves.
            for suffix in ("", "-wal"):
                source = state.with_name(state.name + suffix)
                copied.with_name(copied.name + suffix).write_bytes(source.read_bytes() if source.exists() else b"")
            push.cancel()
            await asyncio.gather(push, return_exceptions=True)

    run_inline(killed())
    for suffix in ("", "-wal", "-shm"):
        state.with_name(state.name + suffix).unlink(missing_ok=True)
    for suffix in ("", "-wal"):
        copied.with_name(copied.name + suffix).replace(state.with_name(state.name + suffix))
    for _ in range(3):
        if run_inline(stage.one_pass()).exit_code == 0:
            break
    assert stage.world.traffic.refused["OPERATION_TIME_LIMIT"] == 0
    assert len(set(stage.names())) == len(stage.names()) == 300


def test_plan_estimates_with_the_costs_an_earlier_run_learned(tmp_path: Path) -> None:
    stage = stage_of(tmp_path, 60)

    async def plan() -> Forecast:
        async with stage.opened() as (syncs, app):
            return (await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)).forecast

    fresh = run_inline(plan())
    run_inline(stage.one_pass())
    stage.clock.advance(3_600)
    more = "".join(f"more{line}\n" for line in rows(60, "More").splitlines())
    stage.write("shifts.csv", HEADER + rows(60) + more)
    learned = run_inline(plan())
    assert (fresh.commands, learned.commands) == (60, 60)
    assert fresh.operating_s[ADD] < 40
    assert 110 < learned.operating_s[ADD] < 130
    assert learned.seconds > fresh.seconds
