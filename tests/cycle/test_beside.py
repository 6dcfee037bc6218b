"""What takes long is worked out beside the event loop, so that other syncs, the page and the watchdog go on."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from syncd.cycle import plan as planning
from syncd.cycle.plan import preview
from syncd.target.calendar.calendar_target import CalendarTarget
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ROWS = "1,Early,2026-12-01 06:00,2026-12-01 14:00,anna.petrova@school.example,\n"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[int]]:
    """Return by the name of each step in which threads it was done."""
    threads: dict[str, set[int]] = {}

    def watched(owner: Any, name: str) -> None:
        work = getattr(owner, name)

        def noting(*args: Any, **kwargs: Any) -> Any:
            threads.setdefault(name, set()).add(threading.get_ident())
            return work(*args, **kwargs)

        monkeypatch.setattr(owner, name, noting)

    for name in ("named", "shape_stream", "shape_recognised", "believed", "make_plan"):
        watched(planning, name)
    for name in ("shape", "places", "sought"):
        watched(CalendarTarget, name)
    return threads


@pytest.mark.parametrize(
    ("later_s", "read"), [(0.0, "shape_stream"), (86_400.0, "named")], ids=["as it is parsed", "all of it"]
)
def test_no_step_that_goes_through_all_entries_is_done_in_the_loop_s_thread(
    tmp_path: Path, seen: dict[str, set[int]], later_s: float, read: str
) -> None:
    stage = Stage(tmp_path, SHIFTS)
    stage.write("shifts.csv", HEADER + ROWS)
    run_inline(stage.one_pass())
    stage.clock.advance(later_s)  # if the directory that was kept is too old, the entries stay in memory
    stage.write("shifts.csv", HEADER + ROWS + ROWS.replace("1,Early", "2,Late"))
    seen.clear()

    async def planned() -> tuple[int, int]:
        async with stage.opened(readonly=True) as (syncs, app):
            full = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)
            assert "believed" not in seen  # only an empty source is doubted
            stage.write("shifts.csv", HEADER)
            empty = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)
            return full.plan.count("create"), empty.plan.count("create")

    assert asyncio.run(planned()) == (1, 0)
    assert set(seen) == {read, "shape_recognised", "believed", "make_plan", "shape", "places", "sought"}
    used = set().union(*seen.values())
    assert threading.get_ident() not in used
    assert len(used) == 1  # more of them would only keep the loop waiting longer


def test_an_error_of_such_a_step_ends_the_pass_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(tmp_path, SHIFTS)
    stage.write("shifts.csv", HEADER + ROWS)

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("too much")

    monkeypatch.setattr(planning, "make_plan", crash)
    with pytest.raises(RuntimeError):
        run_inline(stage.one_pass())
    monkeypatch.undo()
    assert run_inline(stage.one_pass()).record.counts["created"] == 1
