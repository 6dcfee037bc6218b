"""Private events that the webhook's user may not see (PORTAL.md 4.5) are known by id, time and creator."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncd.cycle.look import ReadBack, read_back
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from syncd.sandbox.tables.database import Task
from tests.cycle.test_identity import links
from tests.cycle.test_pass import ROWS, _edit, staged
from tests.cycle.test_taking import purged
from tests.support.restoring import person_adds
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

PRIVATE = SHIFTS + "[sync.fields]\nprivate = true\n"
MEETING = PRIVATE.replace('location = "Place"', 'attendees = "Place"') + 'attendees = "source"\n'


async def checked(stage: Stage) -> ReadBack:
    """Read everything back."""
    async with stage.opened() as (syncs, app):
        run = app.open_pass(syncs["shifts"], asyncio.Event())
        return await read_back(run, [link.key for link in await run.ledger.links()])


def hidden(folder: Path, *, by: int = 5, config: str = PRIVATE) -> Stage:
    """A portal in which another administrator's webhook once made our private events."""
    stage = staged(folder, config=config)
    run_inline(stage.one_pass())
    hide(stage, by)
    return stage


def hide(stage: Stage, by: int = 5) -> None:
    for calendar in stage.world.calendars():
        for event in stage.world.events(*calendar):
            event.created_by, event.host, event.attendees = by, by, ()


def lose_ledger(stage: Stage) -> None:
    for suffix in ("", "-wal", "-shm"):
        (stage.folder / "state" / f"syncd.db{suffix}").unlink(missing_ok=True)


def learn(stage: Stage) -> None:
    """Have the ledger know the events as it would if it had made them through that other webhook."""

    async def go() -> None:
        async with stage.opened() as (_, app):
            ledger = app.ledger.of("shifts")
            known = {link.key: link.stamp.rpartition(" ")[0] + " 5" for link in await ledger.links()}
            await ledger.learn_stamps(known)

    run_inline(go())


def test_a_verifying_pass_finds_masked_events_unchanged(tmp_path: Path) -> None:
    stage = hidden(tmp_path)
    learn(stage)
    result = run_inline(stage.one_pass(verify=True))
    assert (result.exit_code, result.record.counts["unchanged"], result.record.counts["created"]) == (0, 3, 0)


def test_a_masked_event_that_a_person_moved_is_moved_back(tmp_path: Path) -> None:
    stage = hidden(tmp_path)
    learn(stage)
    (event,) = stage.world.events("user", 3)
    run_inline(_edit(stage, event.id, **{"from": "2026-12-24T10:00:00", "to": "2026-12-24T11:00:00"}))
    result = run_inline(stage.one_pass(verify=True))
    assert (result.record.counts["updated"], result.record.counts["created"]) == (1, 0)
    (event,) = stage.world.events("user", 3)
    assert event.stored.date_from.isoformat() == "2026-12-01T06:00:00"


def test_reading_back_calls_no_masked_event_different(tmp_path: Path) -> None:
    stage = hidden(tmp_path)
    learn(stage)
    found = run_inline(checked(stage))
    assert (len(found.confirmed), dict(found.wrong)) == (3, {})


@pytest.mark.parametrize("right", ["view_title", "view_time", "view"])
def test_reading_back_as_an_employee_calls_nothing_different_that_is_hidden(tmp_path: Path, right: Task) -> None:
    stage = hidden(tmp_path, config=SHIFTS)
    learn(stage)
    stage.world.tables.users[1].admin = False
    for section in stage.world.tables.sections.values():
        section.access = {"U1": right}
    found = run_inline(checked(stage))
    assert (len(found.confirmed), dict(found.wrong)) == (3, {})


def test_after_a_lost_ledger_nothing_is_made_again_on_sight_of_a_mask(tmp_path: Path) -> None:
    stage = hidden(tmp_path)
    lose_ledger(stage)
    before = stage.names()
    for _ in range(2):
        for verify in (True, False):
            result = run_inline(stage.one_pass(verify=verify))
            assert (result.exit_code, result.record.counts["created"], result.record.counts["held"]) == (1, 0, 3)
            assert stage.names() == before
    first, *_ = run_inline(stage.one_pass(verify=True)).record.problems
    assert "a private event that syncd's user may not see stands there at that time" in first.reason


def test_once_the_mask_is_off_the_events_are_taken_over(tmp_path: Path) -> None:
    stage = hidden(tmp_path)
    lose_ledger(stage)
    run_inline(stage.one_pass())
    hide(stage, by=1)
    result = run_inline(stage.one_pass(verify=True))
    assert (result.exit_code, result.record.counts["adopted"], result.record.counts["created"]) == (0, 3, 0)


def test_a_person_s_private_event_keeps_no_open_entry_from_being_made(tmp_path: Path) -> None:
    stage = staged(tmp_path, "")
    stage.write("shifts.csv", HEADER + "0,Base,2026-12-09 06:00,2026-12-09 14:00,anna.petrova@school.example,\n")
    run_inline(stage.one_pass())
    person_adds(stage, "Doctor", day=1, by=3, private_event="Y").host = 3
    entry = "1,Lesson,2026-12-01 10:00,2026-12-01 11:00,anna.petrova@school.example,\n"
    stage.write(
        "shifts.csv", HEADER + entry + "0,Base,2026-12-09 06:00,2026-12-09 14:00,anna.petrova@school.example,\n"
    )
    result = run_inline(stage.one_pass(verify=True))
    assert (result.exit_code, result.record.counts["created"]) == (0, 1)


@pytest.mark.parametrize("fault", ["cut-after:method=calendar.event.add,times=1", "cut-before:times=1"])
def test_a_lost_answer_to_a_private_meeting_makes_it_once(tmp_path: Path, fault: str) -> None:
    """Its creator is the calendar's owner (PORTAL.md 4.2), so the webhook does not see what it has just made."""
    rows = ROWS.replace("Desk 1", "james.walker@school.example").replace("Desk 2", "james.walker@school.example")
    stage = staged(tmp_path, rows, MEETING)
    stage.set_faults(Settings(integer_stamps=False, faults=(parse_fault(fault),)))
    result = run_inline(stage.one_pass())
    assert result.exit_code == 0, result.record.problems
    (meeting,) = stage.world.events("user", 3)
    assert (meeting.name, meeting.is_meeting, meeting.created_by) == ("Early shift", True, 3)
    assert len(links(stage)) == 3
    quiet = run_inline(stage.one_pass(verify=True))
    assert (quiet.exit_code, quiet.record.counts["unchanged"]) == (0, 3)
    purged(stage)
    assert stage.names() == []
