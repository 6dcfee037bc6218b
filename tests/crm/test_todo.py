"""Rows become to-dos on cards: full set on every update, found again without a ledger, told what they cannot do."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from syncd.sandbox.tables.crm_rows import Activity
from tests.crm.stage import VISITS, activities
from tests.support.sandbox import Stage, run_inline

TODO = VISITS.replace('type = "activity"', 'type = "todo"\nping = ["15m", "1d"]\ncolor_id = "3"').replace(
    'name = "visits"', 'name = "visits"\nmarker = "none"'
)
HEADER = "No,Phone,Start,Minutes,Subject,Doctor,Room,State\n"
ROWS = (
    "1,+79161112233,2026-12-01 10:00,30,Ring back,anna.petrova@school.example,,\n"
    "2,oscar@lind.example,2026-12-02 10:00,30,Send the offer,,,\n"
)


def staged(folder: Path, rows: str = ROWS, config: str = TODO) -> Stage:
    stage = Stage(folder, config)
    stage.write("visits.csv", HEADER + rows)
    return stage


def only(stage: Stage, subject: str) -> Activity:
    (found,) = (one for one in activities(stage) if one.subject == subject)
    return found


def test_rows_become_to_dos_and_a_second_pass_is_silent(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    result = run_inline(stage.one_pass("visits"))
    assert result.exit_code == 0, result.record.problems
    ring = only(stage, "Ring back")
    assert (ring.provider_id, ring.owner_id, ring.responsible, ring.pings) == ("CRM_TODO", 1, 3, (15, 1440))
    assert (ring.color, ring.event_id, ring.origin_id) == ("3", 0, "")
    assert only(stage, "Send the offer").responsible == 9
    assert stage.names() == []
    quiet = run_inline(stage.one_pass("visits"))
    assert (quiet.record.requests, quiet.record.counts["unchanged"]) == (0, 2)
    verified = run_inline(stage.one_pass("visits", verify=True))
    assert verified.record.counts["unchanged"] == 2


def test_an_update_carries_everything(tmp_path: Path) -> None:
    config = TODO + '[sync.fields]\ndescription = "See the file"\n'
    stage = staged(tmp_path, config=config)
    run_inline(stage.one_pass("visits"))
    stage.write("visits.csv", HEADER + ROWS.replace("2026-12-01 10:00", "2026-12-03 12:00"))
    result = run_inline(stage.one_pass("visits"))
    assert (result.record.counts["updated"], result.record.commands) == (1, 2)  # looked at before
    ring = only(stage, "Ring back")
    assert (ring.description, ring.pings, ring.color) == ("See the file", (15, 1440), "3")


@pytest.mark.parametrize("marker", ["none", "description"])
def test_a_lost_state_doubles_nothing(tmp_path: Path, marker: str) -> None:
    stage = staged(tmp_path, config=TODO.replace('marker = "none"', f'marker = "{marker}"'))
    run_inline(stage.one_pass("visits"))
    for file in (tmp_path / "state").iterdir():
        file.unlink()
    if marker == "description":  # the mark finds it even when nothing else is the same
        stage.write("visits.csv", HEADER + ROWS.replace("Ring back", "Ring"))
    result = run_inline(stage.one_pass("visits"))
    assert (result.record.counts["adopted"], result.record.counts["created"]) == (2, 0)
    assert len(activities(stage)) == 2
    assert ("Ring" in {one.subject for one in activities(stage)}) is (marker == "description")


def test_a_completed_to_do_is_left_and_told(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass("visits"))
    only(stage, "Ring back").completed = True
    stage.write("visits.csv", HEADER + ROWS.replace("Ring back", "Ring"))
    result = run_inline(stage.one_pass("visits"))
    assert (result.exit_code, result.record.counts["held"]) == (1, 1)
    assert "somebody has completed it" in result.record.problems[0].reason
    assert only(stage, "Ring back").completed


def test_a_deleted_to_do_and_a_removed_row(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass("visits"))
    stage.world.tables.crm_rows.remove(only(stage, "Ring back"))
    result = run_inline(stage.one_pass("visits", verify=True))
    assert result.record.counts["created"] == 1
    stage.write("visits.csv", HEADER + ROWS.splitlines(keepends=True)[0])
    assert run_inline(stage.one_pass("visits")).record.counts["deleted"] == 1
    assert [one.subject for one in activities(stage)] == ["Ring back"]


def test_whole_days_end_at_the_last_minute_and_the_end_may_count(tmp_path: Path) -> None:
    stage = staged(tmp_path, "1,+79161112233,2026-12-01,,Day,,,\n")
    run_inline(stage.one_pass("visits"))
    assert only(stage, "Day").deadline % 86_400 == (23 * 60 + 59) * 60 - 3 * 3600
    other = tmp_path / "other"
    other.mkdir()
    stage = staged(other, config=TODO + 'deadline = "end"\n')
    run_inline(stage.one_pass("visits"))
    assert only(stage, "Ring back").deadline % 86_400 == (10 * 60 + 30) * 60 - 3 * 3600


def test_a_time_without_an_end_is_the_deadline_itself(tmp_path: Path) -> None:
    config = TODO.replace('duration = "Minutes"\n', "")
    stage = staged(tmp_path, config=config)
    run_inline(stage.one_pass("visits"))
    assert only(stage, "Ring back").deadline % 86_400 == (10 - 3) * 3600


@pytest.mark.parametrize("kind", ["cut-after", "error-after", "half"])
@pytest.mark.parametrize("marker", ["none", "description"])
def test_no_fault_makes_a_to_do_twice(tmp_path: Path, kind: str, marker: str) -> None:
    stage = staged(tmp_path, config=TODO.replace('marker = "none"', f'marker = "{marker}"'))
    faults = (parse_fault(f"{kind}:method=crm.activity.todo.add,times=1"),)
    stage.set_faults(Settings(integer_stamps=False, faults=faults))
    result = run_inline(stage.one_pass("visits"))
    assert result.exit_code == 0, result.record.problems
    assert [one.subject for one in activities(stage)] == ["Ring back", "Send the offer"]
    stage.set_faults(Settings(integer_stamps=False))
    assert run_inline(stage.one_pass("visits", verify=True)).record.counts["unchanged"] == 2


def test_the_plan_says_whom_the_portal_will_tell(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    result = run_inline(stage.one_pass("visits"))
    assert result.prepared is not None
    assert dict(result.prepared.notified) == {3: 1, 9: 1}
    assert sorted(notice.to for notice in stage.world.notices) == [3, 9]
