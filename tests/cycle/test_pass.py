"""One pass after the other against the simulated portal: what is sent, what stands there, what is left alone."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from syncd.model.json_values import Json
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.settings import Settings
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ROWS = (
    "1,Early shift,2026-12-01 06:00,2026-12-01 14:00,anna.petrova@school.example,Desk 1\n"
    "2,Late shift,2026-12-01 14:00,2026-12-01 22:00,ivan.sokolov@school.example,Desk 1\n"
    "3,Night shift,2026-12-01 22:00,2026-12-02 06:00,emma.clarke@school.example,Desk 2\n"
)


def staged(folder: Path, rows: str = ROWS, config: str = SHIFTS) -> Stage:
    stage = Stage(folder, config)
    stage.write("shifts.csv", HEADER + rows)
    return stage


def test_rows_become_events_in_the_right_calendars(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    result = run_inline(stage.one_pass())
    assert (result.state, result.exit_code) == ("done", 0)
    assert result.record.counts["created"] == 3
    (event,) = stage.world.events("user", 3)
    assert (event.name, event.location) == ("Early shift", "Desk 1")
    assert event.stored.date_from.isoformat() == "2026-12-01T06:00:00"
    assert event.stored.tz_from == "Europe/Moscow"


def test_a_second_pass_sends_no_request_at_all(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    before = stage.transport.requests
    result = run_inline(stage.one_pass())
    assert result.record.counts["unchanged"] == 3
    assert stage.transport.requests == before


def test_one_changed_row_is_one_update(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    stage.write("shifts.csv", HEADER + ROWS.replace("Early shift", "Opening"))
    result = run_inline(stage.one_pass())
    assert (result.record.counts["updated"], result.record.counts["unchanged"]) == (1, 2)
    assert stage.names() == ["Late shift", "Night shift", "Opening"]


def test_a_removed_row_is_deleted_and_only_it(tmp_path: Path) -> None:
    config = SHIFTS.replace("removed_after = 1", 'removed_after = 1\nmax_removed = "50%"')
    stage = staged(tmp_path, config=config)
    run_inline(stage.one_pass())
    stage.write("shifts.csv", HEADER + "".join(ROWS.splitlines(keepends=True)[:2]))
    result = run_inline(stage.one_pass())
    assert result.record.counts["deleted"] == 1
    assert stage.names() == ["Early shift", "Late shift"]


def test_a_guard_stops_a_pass_that_would_delete_too_much(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    stage.write("shifts.csv", HEADER)
    result = run_inline(stage.one_pass())
    assert result.exit_code == 4
    assert result.error is not None
    assert "3 of 3" in result.error.message
    assert "max_removed" in result.error.message
    assert len(stage.names()) == 3
    forced = run_inline(stage.one_pass(force=True))
    assert (forced.exit_code, forced.record.counts["deleted"]) == (0, 3)


def test_a_moved_row_leaves_one_calendar_and_appears_in_the_other(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    stage.write("shifts.csv", HEADER + ROWS.replace("anna.petrova", "james.walker"))
    result = run_inline(stage.one_pass())
    assert (result.record.counts["created"], result.record.counts["deleted"]) == (1, 1)
    assert stage.names(owner=3) == []
    assert stage.names(owner=8) == ["Early shift"]


def test_an_unknown_owner_is_held_with_its_row_and_the_others_go_on(tmp_path: Path) -> None:
    stage = staged(tmp_path, ROWS.replace("emma.clarke", "nobody"))
    result = run_inline(stage.one_pass())
    assert result.exit_code == 1
    assert result.record.counts["created"] == 2
    (problem,) = result.record.problems
    assert (problem.where, problem.kind) == ("shifts.csv:4", "held")
    assert "nobody@school.example" in problem.reason


def test_identical_events_that_stand_there_already_are_taken_over(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    (tmp_path / "state" / "syncd.db").unlink()
    for extra in ("-wal", "-shm"):
        (tmp_path / "state" / f"syncd.db{extra}").unlink(missing_ok=True)
    result = run_inline(stage.one_pass())
    assert (result.record.counts["adopted"], result.record.counts["created"]) == (3, 0)
    assert len(stage.names()) == 3


def test_a_foreign_event_in_the_same_section_is_never_touched(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    (ours,) = stage.world.events("user", 3)
    run_inline(_add(stage, ours.section_id, "Dentist"))
    stage.write("shifts.csv", HEADER)
    run_inline(stage.one_pass(force=True, verify=True))
    assert stage.names(owner=3) == ["Dentist"]


async def _add(stage: Stage, section: int, name: str) -> None:
    async with stage.opened() as (_, app):
        params: dict[str, Json] = {"type": "user", "ownerId": 3, "section": section, "name": name, "skip_time": "N"}
        params |= {"from": "2026-12-01T10:00:00", "to": "2026-12-01T11:00:00", "timezone_from": "Europe/Moscow"}
        await app.portals["main"].read("calendar.event.add", params)


async def _edit(stage: Stage, event_id: int, **changes: str) -> None:
    async with stage.opened() as (_, app):
        params: dict[str, Json] = {"id": event_id, "type": "user", "ownerId": 3, "skip_time": "N", **changes}
        params |= {"timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow"}
        await app.portals["main"].read("calendar.event.update", params)


async def _remove(stage: Stage, event_id: int) -> None:
    async with stage.opened() as (_, app):
        await app.portals["main"].read("calendar.event.delete", {"id": event_id})


def test_an_edit_in_the_portal_is_put_right_on_a_verify_pass(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    (event,) = stage.world.events("user", 3)
    run_inline(_edit(stage, event.id, name="Holiday"))
    ordinary = run_inline(stage.one_pass())
    verified = run_inline(stage.one_pass(verify=True))
    assert ordinary.record.counts["updated"] == 0
    assert verified.record.counts["updated"] == 1
    assert stage.names(owner=3) == ["Early shift"]


def test_an_edit_in_the_portal_is_left_and_listed_with_on_conflict_report(tmp_path: Path) -> None:
    stage = staged(tmp_path, config=SHIFTS.replace("removed_after = 1", 'removed_after = 1\non_conflict = "report"'))
    run_inline(stage.one_pass())
    (event,) = stage.world.events("user", 3)
    run_inline(_edit(stage, event.id, name="Holiday"))
    result = run_inline(stage.one_pass(verify=True))
    stage.write("shifts.csv", HEADER + ROWS.replace("Early shift", "Opening"))
    later = run_inline(stage.one_pass())
    assert (result.record.counts["conflict"], result.exit_code) == (1, 1)
    assert (later.record.counts["conflict"], later.record.counts["updated"]) == (1, 0)
    assert stage.names(owner=3) == ["Holiday"]


def test_an_event_deleted_in_the_portal_comes_back_on_a_verify_pass(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    (event,) = stage.world.events("user", 3)
    run_inline(_remove(stage, event.id))
    result = run_inline(stage.one_pass(verify=True))
    assert result.record.counts["created"] == 1
    assert stage.names(owner=3) == ["Early shift"]


def test_an_update_of_an_event_that_is_gone_makes_it_anew_in_the_same_pass(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    (event,) = stage.world.events("user", 3)
    run_inline(_remove(stage, event.id))
    stage.write("shifts.csv", HEADER + ROWS.replace("Early shift", "Opening"))
    result = run_inline(stage.one_pass())
    assert result.exit_code == 0
    assert stage.names(owner=3) == ["Opening"]


def test_a_section_deleted_by_hand_is_made_anew_on_a_verify_pass(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    (event,) = stage.world.events("user", 3)
    run_inline(_remove_section(stage, event.section_id))
    result = run_inline(stage.one_pass(verify=True))
    assert result.exit_code == 0
    assert stage.names(owner=3) == ["Early shift"]


async def _remove_section(stage: Stage, section: int) -> None:
    async with stage.opened() as (_, app):
        await app.portals["main"].read("calendar.section.delete", {"id": section, "type": "user", "ownerId": 3})


def test_the_text_filter_s_rewriting_is_neither_an_edit_nor_a_reason_to_create_again(tmp_path: Path) -> None:
    stage = staged(tmp_path, ROWS.replace("Early shift", "Create event for the Select from list"))
    stage.set_faults(Settings(waf=True, integer_stamps=False))
    run_inline(stage.one_pass())
    result = run_inline(stage.one_pass(verify=True))
    assert result.record.counts["unchanged"] == 3
    assert len(stage.names()) == 3


@pytest.mark.parametrize(
    "name", ["Create event for classes", "Select a room from the list", "Как <script> и javascript:"]
)
def test_a_section_whose_name_the_text_filter_rewrites_is_made_once_and_found_again(tmp_path: Path, name: str) -> None:
    stage = staged(tmp_path, config=SHIFTS.replace('section = "Shifts"', f'section = "{name}"'))
    stage.set_faults(Settings(waf=True, integer_stamps=False))
    before = len(stage.world.tables.sections)
    assert run_inline(stage.one_pass()).exit_code == 0
    assert run_inline(stage.one_pass(verify=True)).record.counts["unchanged"] == 3
    assert len(stage.names()) == 3
    assert len(stage.world.tables.sections) == before + 3


def test_a_section_that_could_not_be_written_to_is_not_made_and_holds_its_entries_alone(tmp_path: Path) -> None:
    world = default_world()
    users = tuple(msgspec.structs.replace(user, admin=False) for user in world.users)
    rows = ROWS.replace("anna.petrova", next(u.email.split("@")[0] for u in users if u.id == 1))
    stage = Stage(tmp_path, SHIFTS, seed=msgspec.structs.replace(world, users=users))
    stage.write("shifts.csv", HEADER + rows)
    before = len(stage.world.tables.sections)
    result = run_inline(stage.one_pass())
    assert (result.state, result.exit_code) == ("done", 1)
    assert (result.record.counts["created"], result.record.counts["held"]) == (1, 2)
    assert len(stage.world.tables.sections) == before + 1, "the caller's own"
    held = [one.reason for one in result.record.problems if one.kind == "held"]
    assert len(held) == 2
    assert all("could not write into it" in reason for reason in held)
    assert len(stage.names(owner=1)) == 1


def test_a_section_that_cannot_be_found_again_is_made_once_in_a_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.portal.people.directory._is_filtered", lambda stored, label: False)
    stage = staged(tmp_path, config=SHIFTS.replace('section = "Shifts"', 'section = "Create event for classes"'))
    stage.set_faults(Settings(waf=True, integer_stamps=False))
    before = len(stage.world.tables.sections)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["held"]) == (1, 3)
    assert any("the portal changed its name" in problem.reason for problem in result.record.problems)
    assert len(stage.world.tables.sections) == before + 3


SERIES = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:standup
DTSTART;TZID=Europe/Moscow:20261201T100000
DTEND;TZID=Europe/Moscow:20261201T101500
RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20270301T000000Z
SUMMARY:Stand-up
ORGANIZER:mailto:anna.petrova@school.example
END:VEVENT
END:VCALENDAR
"""


def _series_stage(folder: Path, policy: str = "") -> Stage:
    head, _, _ = SHIFTS.partition("[sync.source]")
    config = f"""{head}{policy}
[sync.source]
type = "ics"
path = "team.ics"
[sync.target]
calendar = "user"
owner = "{{organizer}}"
section = "Team"
"""
    stage = Stage(folder, config)
    stage.write("team.ics", SERIES)
    return stage


async def _take_out(stage: Stage, event_id: int) -> None:
    async with stage.opened() as (_, app):
        params: dict[str, Json] = {"id": event_id, "type": "user", "ownerId": 3, "name": "Cancelled", "skip_time": "N"}
        params |= {"recurrence_mode": "this", "current_date_from": "2026-12-08"}
        params |= {"timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow"}
        await app.portals["main"].read("calendar.event.update", params)


def test_a_series_from_which_a_person_took_an_occurrence_is_made_anew(tmp_path: Path) -> None:
    stage = _series_stage(tmp_path)
    run_inline(stage.one_pass())
    (before,) = stage.world.events("user", 3)
    run_inline(_take_out(stage, before.id))
    result = run_inline(stage.one_pass(verify=True))
    assert (result.exit_code, result.record.counts["deleted"], result.record.counts["created"]) == (0, 1, 1)
    (after,) = stage.world.events("user", 3)
    assert after.id != before.id
    assert stage.names(owner=3) == ["Stand-up"]
    assert run_inline(stage.one_pass(verify=True)).record.counts["unchanged"] == 1


def test_a_series_from_which_a_person_took_an_occurrence_is_left_with_on_conflict_report(tmp_path: Path) -> None:
    stage = _series_stage(tmp_path, 'on_conflict = "report"')
    run_inline(stage.one_pass())
    (before,) = stage.world.events("user", 3)
    run_inline(_take_out(stage, before.id))
    result = run_inline(stage.one_pass(verify=True))
    assert (result.record.counts["conflict"], result.record.counts["deleted"]) == (1, 0)
    assert "08.12.2026" in result.record.problems[0].reason
    assert stage.names(owner=3) == ["Cancelled", "Stand-up"]


def test_an_emptied_source_is_incomplete_until_it_was_empty_for_removed_after_passes(tmp_path: Path) -> None:
    loose = SHIFTS.replace("removed_after = 1", 'removed_after = 2\nmax_removed = "100%"')
    stage = staged(tmp_path, config=loose)
    run_inline(stage.one_pass())
    stage.write("shifts.csv", HEADER)
    first = run_inline(stage.one_pass())
    assert first.exit_code == 5
    assert any("no entries, where 3 items were known" in one.reason for one in first.record.problems)
    assert len(stage.names()) == 3
    second = run_inline(stage.one_pass())
    assert (second.exit_code, second.record.counts["deleted"]) == (0, 3)


def test_a_source_that_is_rightly_empty_does_not_stay_incomplete(tmp_path: Path) -> None:
    stage = staged(tmp_path, config=SHIFTS.replace('on_removed = "delete"\nremoved_after = 1', 'on_removed = "keep"'))
    run_inline(stage.one_pass())
    stage.write("shifts.csv", HEADER)
    assert [run_inline(stage.one_pass()).exit_code for _ in range(3)] == [5, 0, 0]
    assert len(stage.names()) == 3
