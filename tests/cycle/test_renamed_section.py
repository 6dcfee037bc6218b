"""A section that a person renames is the same section: it is followed by its id, and told (PORTAL.md 5)."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from syncd import events
from syncd.app.check import check_all
from syncd.cycle.run import PassResult
from syncd.sandbox.tables.database import Section
from tests.cycle.test_pass import ROWS, staged
from tests.support.sandbox import HEADER, Stage, run_inline


def ours(stage: Stage, owner: int) -> Section:
    (section,) = (one for one in stage.world.tables.sections_of(("user", owner)) if one.name == "Shifts")
    return section


def renamed(folder: Path) -> Stage:
    """A portal with events of ours, in which Anna has renamed the section."""
    stage = staged(folder)
    run_inline(stage.one_pass())
    ours(stage, 3).name = "My shifts"
    return stage


def counts(result: PassResult) -> dict[str, int]:
    return {name: number for name, number in result.record.counts.items() if number}


def test_the_events_stay_and_new_ones_go_into_the_same_section(tmp_path: Path) -> None:
    stage = renamed(tmp_path)
    before = len(stage.world.tables.sections)
    structlog.reset_defaults()
    with structlog.testing.capture_logs() as lines:
        assert counts(run_inline(stage.one_pass(verify=True))) == {"unchanged": 3}
        assert counts(run_inline(stage.one_pass(verify=True))) == {"unchanged": 3}
    told = [line for line in lines if line["event"] == events.SECTION_RENAMED]
    assert [(one["calendar"], one["before"], one["after"]) for one in told] == [("user/3", "Shifts", "My shifts")]
    more = ROWS + "4,Extra,2026-12-03 06:00,2026-12-03 14:00,anna.petrova@school.example,Desk 1\n"
    stage.write("shifts.csv", HEADER + more)
    assert counts(run_inline(stage.one_pass())) == {"created": 1, "unchanged": 3}
    assert len(stage.world.tables.sections) == before
    assert {event.section_id for event in stage.world.events("user", 3)} == {
        one.id for one in stage.world.tables.sections_of(("user", 3)) if one.name == "My shifts"
    }


def test_a_section_renamed_just_before_a_create_is_found_when_it_is_looked_for(tmp_path: Path) -> None:
    stage = staged(tmp_path, "")
    run_inline(stage.one_pass())
    stage.write("shifts.csv", HEADER + ROWS)
    run_inline(stage.one_pass())
    ours(stage, 3).name = "My shifts"
    before = len(stage.world.tables.sections)
    stage.write("shifts.csv", HEADER + ROWS.replace("Early shift", "Dawn shift"))
    assert run_inline(stage.one_pass()).exit_code == 0
    assert len(stage.world.tables.sections) == before


def test_a_name_given_back_is_no_renaming_any_more(tmp_path: Path) -> None:
    stage = renamed(tmp_path)
    run_inline(stage.one_pass(verify=True))
    for section in stage.world.tables.sections.values():
        section.name = "Shifts" if section.name == "My shifts" else section.name
    assert counts(run_inline(stage.one_pass(verify=True))) == {"unchanged": 3}
    assert details(stage) == []


def test_a_new_section_under_the_old_name_goes_before(tmp_path: Path) -> None:
    stage = renamed(tmp_path)
    tables = stage.world.tables
    number = tables.next_section_id()
    tables.add_section(
        Section(id=number, name="Shifts", cal_type="user", owner_id=3, created_by=3, created_at=0.0, changed_at=0.0)
    )
    stage.write(
        "shifts.csv", HEADER + ROWS + "4,Extra,2026-12-03 06:00,2026-12-03 14:00,anna.petrova@school.example,\n"
    )
    run_inline(stage.one_pass(verify=True))
    assert {event.name: event.section_id for event in stage.world.events("user", 3)}["Extra"] == number
    assert details(stage) == []


@pytest.mark.parametrize("passed", [False, True])
def test_check_tells_of_it(tmp_path: Path, passed: bool) -> None:
    stage = renamed(tmp_path)
    if passed:
        run_inline(stage.one_pass(verify=True))
    (told,) = details(stage)
    assert "the section «Shifts» of user/3 is called «My shifts» now" in told


def details(stage: Stage) -> list[str]:
    async def look() -> list[str]:
        async with stage.opened() as (_, app):
            return [one.detail async for one in check_all(app, offline=False) if "is called" in one.detail]

    return run_inline(look())
