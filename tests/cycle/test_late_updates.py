"""Updates and deletes that the portal carries out long after others followed them: they are ours, no person's edits."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from syncd.cycle.run import PassResult
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from syncd.sandbox.tables.database import Event
from tests.cycle.machine import Killed
from tests.cycle.test_late import Fragile, settled, touch
from tests.support.sandbox import HEADER, SHIFTS, Stage, WorldTransport, run_inline

ANNA = 3
ROW = "1,{},2026-12-01 10:00,2026-12-01 12:00,anna.petrova@school.example,Desk 1\n"
OTHER = "2,Other,2026-12-02 10:00,2026-12-02 12:00,peter.novak@school.example,Desk 1\n"
POLICIES = pytest.mark.parametrize("on_conflict", ["source", "report", "portal"])


def staged(folder: Path, on_conflict: str, late: str) -> Stage:
    """Return a portal that shows "First" and "Other", and carries out one call twenty minutes late."""
    more = f'removed_after = 1\non_conflict = "{on_conflict}"\nmax_removed = "100%"'
    fault = parse_fault(f"queue:method=calendar.event.{late},times=1,seconds=1200")
    config = SHIFTS.replace("removed_after = 1", more)
    stage = Stage(folder, config, settings=Settings(integer_stamps=False, faults=(fault,)))
    assert passed(stage, "First").exit_code == 0
    return stage


def passed(stage: Stage, title: str, *, verify: bool = False) -> PassResult:
    stage.write("shifts.csv", HEADER + OTHER + (ROW.format(title) if title else ""))
    return run_inline(stage.one_pass(verify=verify))


def killed(stage: Stage, title: str) -> None:
    """Make a pass that dies where the portal does not answer."""
    stage.transport = Fragile(stage.world, stage.clock)
    with contextlib.suppress(Killed, BaseExceptionGroup):
        passed(stage, title)
    stage.transport = WorldTransport(stage.world, stage.clock)


def event(stage: Stage) -> Event:
    (found,) = stage.world.events("user", ANNA)
    return found


def overtaken(folder: Path, on_conflict: str) -> Stage:
    """Return a portal in which the update to "Second" has come after the one to "Third"."""
    stage = staged(folder, on_conflict, "update")
    assert passed(stage, "Second").exit_code == passed(stage, "Third").exit_code == 0
    assert settled(stage) == ["Other", "Second"]
    return stage


@POLICIES
def test_an_update_of_ours_that_comes_after_the_next_one_is_written_over(tmp_path: Path, on_conflict: str) -> None:
    stage = overtaken(tmp_path, on_conflict)
    result = passed(stage, "Third", verify=True)
    assert (result.exit_code, result.record.problems, stage.names()) == (0, (), ["Other", "Third"])
    assert passed(stage, "Third", verify=True).record.counts["unchanged"] == 2


@POLICIES
def test_so_is_one_that_a_killed_process_has_sent(tmp_path: Path, on_conflict: str) -> None:
    stage = staged(tmp_path, on_conflict, "update")
    killed(stage, "Second")
    assert passed(stage, "Third").exit_code == 0
    assert settled(stage) == ["Other", "Second"]
    assert passed(stage, "Third", verify=True).exit_code == 0
    assert stage.names() == ["Other", "Third"]


@POLICIES
def test_it_hinders_no_later_change_and_no_delete(tmp_path: Path, on_conflict: str) -> None:
    stage = overtaken(tmp_path, on_conflict)
    assert passed(stage, "Fourth").exit_code == 0
    assert stage.names() == ["Fourth", "Other"]


@POLICIES
def test_what_came_late_is_deleted_with_its_entry(tmp_path: Path, on_conflict: str) -> None:
    stage = overtaken(tmp_path, on_conflict)
    assert passed(stage, "").exit_code == 0
    assert stage.names() == ["Other"]


@POLICIES
def test_a_delete_of_ours_that_comes_after_its_entry_came_back_is_made_good(tmp_path: Path, on_conflict: str) -> None:
    stage = staged(tmp_path, on_conflict, "delete")
    killed(stage, "")
    assert passed(stage, "First").exit_code == 0
    assert settled(stage) == ["Other"]
    result = passed(stage, "First", verify=True)
    assert (result.exit_code, result.record.problems, stage.names()) == (0, (), ["First", "Other"])


def test_what_a_person_changed_since_the_late_update_is_a_persons_edit(tmp_path: Path) -> None:
    stage = overtaken(tmp_path, "report")
    touch(stage, event(stage).id, ANNA, {"location": "Desk 9"})
    result = passed(stage, "Third", verify=True)
    assert [problem.kind for problem in result.record.problems] == ["conflict"]
    assert stage.names() == ["Other", "Second"]


def test_a_person_may_set_an_event_back_to_what_was_sent_and_answered_before(tmp_path: Path) -> None:
    stage = staged(tmp_path, "report", "add")  # no fault strikes any more
    passed(stage, "Second")
    touch(stage, event(stage).id, ANNA, {"name": "First", "location": "Desk 1"})
    result = passed(stage, "Second", verify=True)
    assert [problem.kind for problem in result.record.problems] == ["conflict"]
    assert stage.names() == ["First", "Other"]


@pytest.mark.parametrize("on_conflict", ["report", "portal"])
def test_a_late_update_is_known_however_late_it_is_looked_for_and_what_is_done_after_that_is_a_persons_edit(
    tmp_path: Path, on_conflict: str
) -> None:
    stage = overtaken(tmp_path, on_conflict)
    stage.clock.advance(5 * 86_400)
    assert passed(stage, "Third", verify=True).exit_code == 0
    assert stage.names() == ["Other", "Third"]
    stage.clock.advance(5 * 86_400)
    assert passed(stage, "Third", verify=True).record.counts["unchanged"] == 2
    touch(stage, event(stage).id, ANNA, {"name": "Second", "location": "Desk 1"})
    passed(stage, "Third", verify=True)
    assert stage.names() == ["Other", "Second"]
