"""`check` finds out in seconds what would stop a sync, by looking and never by trying."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from syncd.app.check import Check, check_all
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from tests.cycle.test_pass import ROWS, staged
from tests.support.sandbox import Stage, run_inline

EXACT = Settings(integer_stamps=False)


def checks(stage: Stage) -> tuple[list[Check], float]:
    """Return the checks that are not ok, and the seconds that they all took."""

    async def look() -> tuple[list[Check], float]:
        async with stage.opened(readonly=False) as (_, app):
            began = asyncio.get_running_loop().time()
            found = [one async for one in check_all(app, offline=False)]
            return [one for one in found if not one.ok], asyncio.get_running_loop().time() - began

    return run_inline(look())


def test_a_method_without_operating_time_is_told_within_seconds(tmp_path: Path) -> None:
    for method in ("user.get", "calendar.section.get", "profile"):
        folder = tmp_path / method
        folder.mkdir()
        stage = staged(folder, ROWS)
        stage.set_faults(replace(EXACT, faults=(parse_fault(f"block:method={method}"),)))
        (wrong,), seconds = checks(stage)
        assert f"OPERATION_TIME_LIMIT: {method} is blocked for another" in wrong.detail, method
        assert "syncd portal limits" in wrong.remedy
        assert seconds < 10, method
