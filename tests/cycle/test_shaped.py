"""What a process shapes that goes on for days, and at how many calls for each row."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from pathlib import Path

from syncd.cycle.plan import preview
from syncd.cycle.run import PassOptions, run_pass
from tests.support.calls import counting_calls
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline


def test_a_process_that_goes_on_sees_an_owner_leave_and_the_window_roll_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS.replace("removed_after = 1", 'removed_after = 1\nwindow = { future = "10d" }'))
    stage.write(
        "shifts.csv",
        HEADER
        + "1,Soon,2026-11-30 06:00,2026-11-30 14:00,anna.petrova@school.example,\n"
        + "2,Later,2026-12-03 06:00,2026-12-03 14:00,ivan.sokolov@school.example,\n",
    )

    async def passes() -> list[dict[str, int]]:
        counts = []
        async with stage.opened() as (syncs, app):
            for days in (0, 0, 5, 1):
                stage.clock.advance(days * 86_400)
                if days == 1:
                    (ivan,) = (user for user in stage.world.tables.users.values() if user.email.startswith("ivan."))
                    ivan.active = False
                result = await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())
                counts.append({name: n for name, n in result.record.counts.items() if n})
        return counts

    assert run_inline(passes()) == [
        {"created": 1},
        {"unchanged": 1},
        {"created": 1, "unchanged": 1},
        {"unchanged": 1, "held": 1},
    ]


def test_an_unchanged_row_costs_few_calls(tmp_path: Path) -> None:
    """A bound on the work for each row, so that a large table stays quick: calls can be counted, seconds cannot."""

    def calls(rows: int) -> int:
        folder = tmp_path / str(rows)
        folder.mkdir()
        stage = Stage(folder, SHIFTS)
        days = (date(2026, 11, 22) + timedelta(days=n % 200) for n in range(rows))
        lines = (f"{n},Shift {n},{day} 06:00,{day} 14:00,anna.petrova@school.example,\n" for n, day in enumerate(days))
        stage.write("shifts.csv", HEADER + "".join(lines))
        run_inline(stage.one_pass())

        async def again() -> int:
            async with stage.opened() as (syncs, app):
                with counting_calls() as made:
                    prepared = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)
                assert prepared.plan.unchanged == rows
                return made.count

        return run_inline(again())

    assert (calls(200) - calls(100)) / 100 < 235  # 226 when this was written
