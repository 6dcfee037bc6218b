"""`check` finds out in seconds what would stop a sync, by looking and never by trying."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from syncd.app.check import check_all
from syncd.app.checked import Check
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import SectionMakers, Settings
from syncd.sandbox.tables.database import Section
from tests.cycle.test_pass import ROWS, staged
from tests.support.sandbox import SHIFTS, Stage, WorldTransport, run_inline

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


# Rights, which are read and never tried

STAFF = "http://127.0.0.1:9/rest/2/sandboxstaff/"
COMPANY = SHIFTS.replace('calendar = "user"\nowner = "{owner}"', 'calendar = "company"')
GROUP = SHIFTS.replace('calendar = "user"\nowner = "{owner}"', 'calendar = "group"\nowner = "Timetable"')


def employed(folder: Path, config: str = SHIFTS, **settings: Any) -> Stage:
    """The webhook of an ordinary employee, user 2."""
    stage = staged(folder, config=config)
    stage.set_faults(Settings(integer_stamps=False, **settings))
    stage.webhook = stage.transport.webhook = STAFF
    return stage


def sections(stage: Stage) -> int:
    return len(stage.world.tables.sections)


@pytest.mark.parametrize("makers", get_args(SectionMakers))
def test_an_employees_webhook_makes_no_sections_for_colleagues_and_check_says_so(
    tmp_path: Path, makers: SectionMakers
) -> None:
    stage = employed(tmp_path, sections_for=makers)
    before = sections(stage)
    (wrong,), _ = checks(stage)
    assert "has no section 'Shifts', and none is created, because syncd's user is no administrator" in wrong.detail
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["held"], result.record.counts["created"]) == (1, 3, 0)
    assert (sections(stage), stage.names()) == (before, stage.names())
    assert stage.world.traffic.commands["calendar.section.add"] == 0


def test_once_the_section_is_there_with_the_right_to_edit_nothing_stands_in_the_way(tmp_path: Path) -> None:
    stage = employed(tmp_path)
    tables = stage.world.tables
    for user in (3, 5, 7):
        tables.add_section(
            Section(
                id=tables.next_section_id(), name="Shifts", cal_type="user", owner_id=user, created_by=user,
                created_at=0.0, changed_at=0.0, access={"U2": "edit"},
            )
        )  # fmt: skip
    assert checks(stage)[0] == []
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["created"]) == (0, 3)


def test_an_employee_makes_sections_in_his_own_calendar(tmp_path: Path) -> None:
    stage = employed(tmp_path, config=SHIFTS.replace('owner = "{owner}"', "owner = 2"))
    assert checks(stage)[0] == []
    assert run_inline(stage.one_pass()).record.counts["created"] == 3


def test_the_companys_calendar_takes_a_section_from_an_administrator_only(tmp_path: Path) -> None:
    stage = employed(tmp_path, COMPANY)
    before = sections(stage)
    (wrong,), _ = checks(stage)
    assert "in the company's calendar" in wrong.detail
    result = run_inline(stage.one_pass())
    assert (result.record.counts["held"], sections(stage)) == (3, before)
    stage.world.tables.users[2].admin = True
    assert checks(stage)[0] == []
    assert run_inline(stage.one_pass(verify=True)).record.counts["created"] == 3


@pytest.mark.parametrize("off", [True, False])
def test_a_group_that_has_its_calendar_off_is_told_before_anything_is_made(tmp_path: Path, off: bool) -> None:
    stage = employed(tmp_path, GROUP)
    stage.world.tables.groups[1].calendar = not off
    wrong, _ = checks(stage)
    before = sections(stage)
    counts = run_inline(stage.one_pass()).record.counts
    if off:
        (one,) = wrong
        assert "calendar switched off" in one.detail
        assert (counts["held"], sections(stage)) == (3, before)
    else:
        assert wrong == []
        assert (counts["created"], sections(stage)) == (3, before + 1)


def test_a_webhook_that_may_not_ask_is_not_taken_for_barred(tmp_path: Path) -> None:
    config = GROUP.replace('owner = "Timetable"', 'owner = "1"')
    stage = employed(tmp_path, config)
    known = stage.world._methods  # the simulated portal of an older build
    stage.world._methods = {name: one for name, one in known.items() if name != "sonet_group.feature.access"}
    assert checks(stage)[0] == []
    assert run_inline(stage.one_pass()).record.counts["created"] == 3


class RenamedTransport(WorldTransport):
    """Reaches the portal under the name that it has now."""

    moved_to: str | None = "https://new.bitrix24.example"


def test_a_renamed_portal_is_told_with_its_new_address(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    stage.transport = RenamedTransport(stage.world, stage.clock)
    assert checks(stage)[0] == [], "it is found, so nothing stands in the way yet"

    async def details() -> list[str]:
        async with stage.opened() as (_, app):
            return [one.detail async for one in check_all(app, offline=False)]

    assert any("was renamed and answers at https://new.bitrix24.example: write" in one for one in run_inline(details()))
