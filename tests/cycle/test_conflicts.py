"""What people edit or delete in the portal: left where the config says so, put right where not, however often."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.cycle.run import PassResult
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from tests.cycle.test_pass import ROWS, _edit, _remove, staged
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

OTHERS = "".join(ROWS.splitlines(keepends=True)[1:])
CHANGED = ROWS.replace("Early shift", "Opening")
LEAVING = ("portal", "report")


def leaving(folder: Path, policy: str) -> Stage:
    """Return a stage with three shifts in the portal, where edits are left as `policy` says."""
    more = f'removed_after = 1\nmax_removed = "100%"\non_conflict = "{policy}"'
    stage = staged(folder, config=SHIFTS.replace("removed_after = 1", more))
    run_inline(stage.one_pass())
    return stage


def edited(stage: Stage) -> None:
    (event,) = stage.world.events("user", 3)
    run_inline(_edit(stage, event.id, name="Holiday"))


@pytest.mark.parametrize("rows", [CHANGED, OTHERS], ids=["changed", "removed"])
@pytest.mark.parametrize("policy", LEAVING)
def test_an_edit_to_be_left_is_seen_before_an_ordinary_pass_would_write_over_it(
    tmp_path: Path, policy: str, rows: str
) -> None:
    stage = leaving(tmp_path, policy)
    edited(stage)
    stage.write("shifts.csv", HEADER + rows)
    for verify in (False, False, True, False):
        result = run_inline(stage.one_pass(verify=verify))
        assert result.record.counts["conflict"] == 1
        assert stage.names(owner=3) == ["Holiday"]


@pytest.mark.parametrize("policy", LEAVING)
def test_an_event_a_person_deleted_stays_deleted_though_its_row_changes(tmp_path: Path, policy: str) -> None:
    stage = leaving(tmp_path, policy)
    (event,) = stage.world.events("user", 3)
    run_inline(_remove(stage, event.id))
    stage.write("shifts.csv", HEADER + CHANGED)
    for verify in (False, True, False):
        result = run_inline(stage.one_pass(verify=verify))
        assert result.record.counts["conflict"] == 1
        assert stage.names(owner=3) == []


def test_a_row_moved_to_another_person_leaves_what_a_person_edited(tmp_path: Path) -> None:
    stage = leaving(tmp_path, "report")
    edited(stage)
    stage.write("shifts.csv", HEADER + ROWS.replace("anna.petrova", "james.walker"))
    result = run_inline(stage.one_pass())
    assert (result.record.counts["conflict"], result.record.counts["created"]) == (1, 1)
    assert stage.names(owner=3) == ["Holiday"]


@pytest.mark.parametrize("fault", ["cut-after", "error-after", "cut-before"])
@pytest.mark.parametrize("policy", LEAVING)
def test_our_own_update_whose_answer_was_lost_is_no_edit_of_a_person(tmp_path: Path, policy: str, fault: str) -> None:
    stage = leaving(tmp_path, policy)
    lost = parse_fault(f"{fault}:method=calendar.event.update,times=30")
    stage.set_faults(Settings(integer_stamps=False, faults=(lost,)))
    stage.write("shifts.csv", HEADER + CHANGED)
    run_inline(stage.one_pass())
    stage.set_faults(Settings(integer_stamps=False))
    stage.clock.advance(300)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["conflict"]) == (0, 0)
    assert stage.names(owner=3) == ["Opening"]
    again = run_inline(stage.one_pass(verify=True))
    assert (again.exit_code, again.record.counts["unchanged"]) == (0, 3)


@pytest.mark.parametrize(("policy", "code"), [("portal", 0), ("report", 1)])
def test_a_conflict_waits_for_a_person_only_where_it_is_to_be_reported(tmp_path: Path, policy: str, code: int) -> None:
    stage = leaving(tmp_path, policy)
    edited(stage)
    results = [run_inline(stage.one_pass(verify=verify)) for verify in (True, False)]
    assert [result.exit_code for result in results] == [code, code]


def test_what_nobody_edited_is_written_as_ever_where_edits_are_left(tmp_path: Path) -> None:
    stage = leaving(tmp_path, "portal")
    edited(stage)
    stage.write("shifts.csv", HEADER + ROWS.replace("Late shift", "Later shift"))
    result = run_inline(stage.one_pass())
    assert (result.record.counts["updated"], result.exit_code) == (1, 0)
    assert stage.names() == ["Holiday", "Later shift", "Night shift"]


def fought(stage: Stage, times: int) -> PassResult:
    """Edit the same event, and let a verify pass put it right, so many times in a row."""
    for _ in range(times):
        edited(stage)
        result = run_inline(stage.one_pass(verify=True))
    return result


def test_an_event_edited_again_each_time_is_left_until_its_row_changes(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    assert fought(stage, 4).record.counts["conflict"] == 1
    assert stage.names(owner=3) == ["Holiday"]
    stage.write("shifts.csv", HEADER + CHANGED)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["updated"]) == (0, 1)
    assert stage.names(owner=3) == ["Opening"]


def test_an_event_edited_again_each_time_is_put_right_after_a_retry(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    fought(stage, 4)
    assert run_inline(_released(stage)) == 1
    result = run_inline(stage.one_pass(verify=True))
    assert (result.exit_code, result.record.counts["updated"]) == (0, 1)
    assert stage.names(owner=3) == ["Early shift"]


async def _released(stage: Stage) -> int:
    async with stage.opened() as (_, app):
        return await app.ledger.of("shifts").release(None)


def test_edits_with_peace_in_between_are_no_fight(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    for _ in range(5):
        assert fought(stage, 1).record.counts["updated"] == 1
        assert run_inline(stage.one_pass(verify=True)).record.counts["unchanged"] == 3
