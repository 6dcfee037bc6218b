"""Two ledgers of one schedule: each takes new rows for its own. The next look tells, and nothing more is created."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from syncd.cycle.plan import preview
from syncd.cycle.run import PassResult
from syncd.errors import GuardError
from syncd.model.second_writer import SURE_FROM, check_alone
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

OLD = "1,Early,2026-12-01 06:00,2026-12-01 14:00,anna.petrova@school.example,Desk\n"
NEW = "".join(
    f"{n},New {n},2026-12-0{n} 06:00,2026-12-0{n} 14:00,anna.petrova@school.example,Desk\n" for n in range(2, 6)
)
LATER = NEW + "9,Late,2026-12-09 06:00,2026-12-09 14:00,anna.petrova@school.example,Desk\n"


def both(folder: Path) -> tuple[Stage, Stage]:
    """The service's ledger and root's: both have taken the old row for theirs."""
    first, second = (Stage(folder / name, SHIFTS) for name in ("service", "root"))
    for stage in (first, second):
        stage.folder.mkdir()
        stage.write("shifts.csv", HEADER + OLD)
    second.world, second.transport, second.clock = first.world, first.transport, first.clock
    for stage in (first, second):
        assert run_inline(stage.one_pass()).exit_code == 0
    assert first.names("user", 3) == ["Early"]
    return first, second


def step(stage: Stage, rows: str, **options: Any) -> PassResult:
    stage.write("shifts.csv", HEADER + OLD + rows)
    stage.clock.advance(60)
    return run_inline(stage.one_pass(**options))


def test_a_second_ledger_is_noticed_at_the_next_look_and_nothing_is_created_from_then_on(tmp_path: Path) -> None:
    first, second = both(tmp_path)
    assert step(first, NEW).record.counts["created"] == 4
    assert step(second, NEW).record.counts["created"] == 4  # it has no reason to look first
    before = first.names("user", 3)
    looked = step(first, LATER, verify=True)
    assert (looked.exit_code, looked.record.counts.get("created", 0)) == (4, 0)
    assert isinstance(looked.error, GuardError)
    assert "another syncd seems to write the same entries" in looked.error.message
    assert "4 events stand twice" in looked.error.message
    again = step(first, LATER)  # it looks until that is settled
    assert (again.exit_code, first.names("user", 3)) == (4, before)


def test_a_plan_says_so_and_who_knows_better_goes_past_it(tmp_path: Path) -> None:
    first, second = both(tmp_path)
    step(first, NEW)
    step(second, NEW)

    async def planned() -> None:
        async with first.opened(readonly=True) as (syncs, app):
            prepared = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=True)
            assert len(prepared.twice) == 4
            with pytest.raises(GuardError, match="a state of its own"):
                check_alone(prepared.twice, "shifts")

    run_inline(planned())
    assert step(first, LATER, verify=True, force=True).record.counts["created"] == 1


def test_once_the_copies_are_gone_it_goes_on(tmp_path: Path) -> None:
    first, second = both(tmp_path)
    step(first, NEW)
    step(second, NEW)
    assert step(first, NEW, verify=True).exit_code == 4
    for copy in sorted(first.world.events("user", 3), key=lambda event: event.id)[5:]:
        first.world.tables.erase(copy)
    assert step(first, LATER, verify=True).record.counts["created"] == 1


def test_fewer_pairs_than_are_sure_and_copies_of_another_day_stop_nothing(tmp_path: Path) -> None:
    first, second = both(tmp_path)
    few = "".join(NEW.splitlines(keepends=True)[: SURE_FROM - 1])
    step(first, few)
    step(second, few)
    assert step(first, few, verify=True).exit_code == 0
    first.clock.advance(7200)
    step(first, NEW)
    first.clock.advance(7200)
    step(second, NEW)
    assert step(first, NEW, verify=True).exit_code == 0
