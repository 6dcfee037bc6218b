"""The process dies between the portal's doing and the ledger's line, and people edit the new event before the next one.

Nothing on the event is then as it was sent. It is ours all the same: it is never made twice, and what is not proved to
be ours is never touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.model.item import Hold, Link
from syncd.model.traces import Heard
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.php.wire import PortalRequest
from syncd.sandbox.settings import Settings
from syncd.sandbox.tables.crm_rows import Activity
from syncd.sandbox.tables.database import Event
from tests.crm.stage import HEADER as VISITS_HEADER
from tests.crm.stage import ROWS as VISITS_ROWS
from tests.crm.stage import VISITS, activities
from tests.cycle.test_pass import staged
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ROW = "1,Early shift,2026-12-01 06:00,2026-12-01 14:00,anna.petrova@school.example,Desk 1\n"
OTHER = "2,Late shift,2026-12-01 14:00,2026-12-01 22:00,anna.petrova@school.example,Desk 1\n"
WHOLE_DAY = "1,Early shift,2026-12-01,2026-12-02,anna.petrova@school.example,\n"
ANNA = 3
MOVED: dict[str, object] = {"from": "2027-03-01T10:00:00", "to": "2027-03-01T11:00:00"}
FAR: dict[str, object] = {"from": "2029-03-01T10:00:00", "to": "2029-03-01T11:00:00"}
EDITS: dict[str, dict[str, object]] = {
    "renamed": {"name": "Mine"},
    "moved": MOVED,
    "both": {"name": "Mine", **MOVED},
    "a day for all": {"name": "Mine", "skip_time": "Y"},
    "lengthened": {"to": "2026-12-01T15:00:00"},
}


def asked(stage: Stage, method: str, **params: object) -> Any:
    """Call the portal as a person's browser does, at once."""
    body = orjson.dumps(params)
    request = PortalRequest(path=f"/rest/1/sandboxadmin/{method}", content_type="application/json", body=body)
    now = stage.clock.start + stage.clock.offset_s + stage.clock._last
    answer = orjson.loads(stage.world.handle(now, request).body)
    assert isinstance(answer["result"], int | bool | dict), answer
    return answer["result"]


def edit(stage: Stage, event: Event, **changes: object) -> None:
    row = {
        "name": event.name, "section": event.section_id, "skip_time": "N", "type": "user", "ownerId": event.owner_id,
        "timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow",
        "from": event.stored.date_from.isoformat(), "to": event.stored.date_to.isoformat(),
    }  # fmt: skip
    asked(stage, "calendar.event.update", id=event.id, **(row | changes))


def dies(stage: Stage, **options: Any) -> None:
    """Run a pass whose creates are carried out, while the process dies before it has their answer."""
    stage.set_faults(
        Settings(integer_stamps=False, faults=(parse_fault("cut-after:method=calendar.event.add,times=1"),))
    )

    async def dying() -> None:
        async with stage.opened() as (syncs, app):
            await asyncio.wait_for(run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions(**options)), 5)

    with pytest.raises(TimeoutError):
        run_inline(dying())
    stage.clock.advance(30)


def events(stage: Stage) -> list[Event]:
    """The events of Anna's calendar, oldest first."""
    return sorted(stage.world.events("user", ANNA), key=lambda one: one.id)


def shown(stage: Stage) -> list[tuple[str, str]]:
    return [(event.name, event.stored.date_from.isoformat()) for event in events(stage)]


async def kept(stage: Stage) -> tuple[Sequence[Link], Sequence[Hold]]:
    async with stage.opened(readonly=True) as (_, app):
        ledger = app.ledger.of("shifts")
        return await ledger.links(), await ledger.holds()


def without_notes(stage: Stage) -> None:
    """Let the portal keep no note of how its events were made."""
    for row in stage.world.tables._events.values():
        row.dav_xml_id = ""


EARLY = ("Early shift", "2026-12-01T06:00:00")


@pytest.mark.parametrize("change", EDITS)
@pytest.mark.parametrize("noted", [True, False])
def test_what_a_person_edits_before_anybody_knew_its_id_is_put_right_and_not_made_twice(
    tmp_path: Path, change: str, noted: bool
) -> None:
    stage = staged(tmp_path, ROW)
    dies(stage)
    (made,) = events(stage)
    edit(stage, made, **EDITS[change])
    if not noted and "name" not in EDITS[change]:
        without_notes(stage)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, shown(stage), [one.id for one in events(stage)]) == (0, [EARLY], [made.id])
    assert run_inline(stage.one_pass(verify=True)).record.counts["unchanged"] == 1


def test_so_it_is_with_one_that_was_deleted_and_made_again(tmp_path: Path) -> None:
    stage = staged(tmp_path, ROW + OTHER)
    run_inline(stage.one_pass())
    first, second = events(stage)
    asked(stage, "calendar.event.delete", id=first.id)
    dies(stage, hints={first.id: 1})
    again = events(stage)[-1]
    assert again.id not in (first.id, second.id)
    edit(stage, again, name="Mine", **MOVED)
    assert run_inline(stage.one_pass()).exit_code == 0
    assert [one.id for one in events(stage)] == [second.id, again.id]
    assert sorted(shown(stage)) == [EARLY, ("Late shift", "2026-12-01T14:00:00")]


def test_each_of_several_edited_ones_is_found_again(tmp_path: Path) -> None:
    rows = "".join(f"{n},Shift {n},2026-12-{n:02} 06:00,2026-12-{n:02} 14:00,anna.petrova@school.example,\n"
                   for n in (1, 1, 2, 3, 4)).replace("1,Shift 1,", "9,Shift 9,", 1)  # fmt: skip
    stage = staged(tmp_path, rows)
    dies(stage)
    made = events(stage)
    for number, event in enumerate(made[:-1]):
        edit(stage, event, **({"name": f"Mine {number}"} if number % 2 else MOVED))
    assert run_inline(stage.one_pass()).exit_code == 0
    assert [one.id for one in events(stage)] == [one.id for one in made]
    assert sorted(stage.names()) == ["Shift 1", "Shift 2", "Shift 3", "Shift 4", "Shift 9"]


def test_whole_days_that_were_edited_are_found_again(tmp_path: Path) -> None:
    stage = staged(tmp_path, WHOLE_DAY)
    dies(stage)
    (made,) = events(stage)
    edit(stage, made, name="Mine", **MOVED)
    assert run_inline(stage.one_pass()).exit_code == 0
    assert shown(stage) == [("Early shift", "2026-12-01T00:00:00")]
    assert events(stage)[0].id == made.id


def test_one_that_was_moved_to_another_section_of_the_calendar_is_found_there(tmp_path: Path) -> None:
    stage = staged(tmp_path, ROW)
    other = asked(stage, "calendar.section.add", type="user", ownerId=ANNA, name="Private")
    dies(stage)
    (made,) = events(stage)
    edit(stage, made, section=other, **MOVED)
    assert run_inline(stage.one_pass()).exit_code == 0
    assert [(one.id, one.section_id) for one in events(stage)] == [(made.id, made.section_id)]


def test_one_that_was_moved_years_away_is_found_because_the_portal_tells_of_it(tmp_path: Path) -> None:
    stage = staged(tmp_path, ROW)
    dies(stage)
    (made,) = events(stage)
    edit(stage, made, **FAR)
    heard = Heard(saved=frozenset({made.id, made.id + 1000}))
    result = run_inline(stage.one_pass(heard=lambda: heard))
    assert result.exit_code == 0
    assert result.record.seconds < 60, "the first look finds it"
    assert (shown(stage), events(stage)[0].id) == ([EARLY], made.id)


@pytest.mark.parametrize("policy", ["report", "portal"])
def test_where_the_source_does_not_win_the_edit_stays_and_is_told(tmp_path: Path, policy: str) -> None:
    config = SHIFTS.replace("removed_after", f'on_conflict = "{policy}"\nremoved_after')
    stage = staged(tmp_path, ROW, config)
    dies(stage)
    (made,) = events(stage)
    edit(stage, made, name="Mine", **MOVED)
    result = run_inline(stage.one_pass())
    assert (shown(stage), [one.id for one in events(stage)]) == ([("Mine", "2027-03-01T10:00:00")], [made.id])
    assert result.record.counts["conflict"] == 1
    links, _ = run_inline(kept(stage))
    assert [link.remote_id for link in links] == [made.id]


def test_an_edit_while_one_pass_waits_for_an_answer_that_never_comes_is_no_other_case(tmp_path: Path) -> None:
    stage = staged(tmp_path, ROW)
    stage.set_faults(
        Settings(integer_stamps=False, faults=(parse_fault("cut-after:method=calendar.event.add,times=1"),))
    )

    async def main() -> PassResult:
        async with stage.opened() as (syncs, app):
            passing = asyncio.create_task(run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions()))
            await asyncio.sleep(40)
            edit(stage, events(stage)[0], name="Mine", **MOVED)
            return await passing

    assert run_inline(main()).exit_code == 0
    assert shown(stage) == [EARLY]


def by_hand(stage: Stage, section: int, **changes: object) -> int:
    """Make an event as syncd's user does by hand, and save it once more; return its id."""
    row = {
        "name": "By hand", "section": section, "skip_time": "N", "type": "user", "ownerId": ANNA,
        "timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow",
        "from": "2026-12-01T10:30:00", "to": "2026-12-01T11:00:00",
    }  # fmt: skip
    number = int(asked(stage, "calendar.event.add", **(row | changes)))
    asked(stage, "calendar.event.update", id=number, **(row | changes))
    return number


def never_made(tmp_path: Path) -> tuple[Stage, int]:
    """Return a stage whose process died when its create had not reached the portal, and the section it was for."""
    stage = staged(tmp_path, OTHER)
    run_inline(stage.one_pass())
    (late,) = events(stage)
    stage.write("shifts.csv", HEADER + ROW + OTHER)
    dies(stage)
    lost = events(stage)[-1]
    asked(stage, "calendar.event.delete", id=lost.id)  # which is as if it had never come
    return stage, late.section_id


@pytest.mark.parametrize(
    ("changes", "heard"),
    [
        ({}, Heard()),
        ({"name": "Early shift"}, Heard()),
        ({"from": "2026-12-01T06:00:00"}, None),
    ],
)
def test_what_syncds_user_makes_by_hand_meanwhile_is_left_alone(
    tmp_path: Path, changes: dict[str, object], heard: Heard | None
) -> None:
    """It was made for another time; or the portal tells that somebody made it, which it does not of our own."""
    stage, section = never_made(tmp_path)
    foreign = by_hand(stage, section, **changes)
    told = heard or Heard(saved=frozenset({foreign}), made=frozenset({foreign}))
    assert run_inline(stage.one_pass(heard=lambda: told)).exit_code == 0
    links, _ = run_inline(kept(stage))
    assert len(links) == 2
    assert foreign not in {link.remote_id for link in links}
    assert {one.name for one in events(stage) if one.id == foreign} == {str(changes.get("name", "By hand"))}


@pytest.mark.parametrize("late_s", [-600.0, 4000.0])
def test_what_was_made_before_or_long_after_is_left_alone(tmp_path: Path, late_s: float) -> None:
    stage, section = never_made(tmp_path)
    stage.clock.advance(max(late_s, 0))
    foreign = by_hand(stage, section, **{"from": "2026-12-01T06:00:00", "to": "2026-12-01T07:00:00"})
    row = stage.world.tables.event(foreign)
    assert row is not None
    row.created_at += min(late_s, 0)
    assert run_inline(stage.one_pass()).exit_code == 0
    links, _ = run_inline(kept(stage))
    assert foreign not in {link.remote_id for link in links}


def test_what_somebody_else_makes_meanwhile_is_left_alone(tmp_path: Path) -> None:
    stage, section = never_made(tmp_path)
    foreign = by_hand(stage, section, **{"from": "2026-12-01T06:00:00"})
    row = stage.world.tables.event(foreign)
    assert row is not None
    row.created_by = ANNA
    assert run_inline(stage.one_pass()).exit_code == 0
    links, _ = run_inline(kept(stage))
    assert foreign not in {link.remote_id for link in links}


def doubtful(tmp_path: Path, config: str = SHIFTS) -> tuple[Stage, Event]:
    """Return a stage with an event that may be the lost create: the portal has no note of how it was made."""
    stage = staged(tmp_path, ROW, config)
    dies(stage)
    (made,) = events(stage)
    edit(stage, made, name="Mine", **MOVED)
    without_notes(stage)
    return stage, made


def test_what_cannot_be_told_is_held_with_a_reason_and_nothing_is_made_however_often(tmp_path: Path) -> None:
    stage, made = doubtful(tmp_path)
    for verify in (False, False, True, True):
        result = run_inline(stage.one_pass(verify=verify))
        assert (result.exit_code, result.record.counts["held"], result.record.counts["created"]) == (1, 1, 0)
        assert shown(stage) == [("Mine", "2027-03-01T10:00:00")]
        (hold,) = run_inline(kept(stage))[1]
        assert f"id {made.id}) may be this one" in hold.reason
        stage.clock.advance(86400)
    stage.write("shifts.csv", HEADER + ROW.replace("06:00", "07:00"))
    assert run_inline(stage.one_pass(verify=True)).record.counts["held"] == 1
    assert len(events(stage)) == 1


def test_nothing_is_made_beside_one_that_cannot_be_told_when_the_entry_comes_back(tmp_path: Path) -> None:
    stage, _ = doubtful(tmp_path)
    run_inline(stage.one_pass())
    for rows, held in (("", 0), (ROW, 1)):
        stage.write("shifts.csv", HEADER + OTHER + rows)
        stage.clock.advance(600)
        assert run_inline(stage.one_pass()).record.counts["held"] == held
    assert sorted(stage.names()) == ["Late shift", "Mine"]


def _deleted(stage: Stage, event: Event) -> None:
    asked(stage, "calendar.event.delete", id=event.id)


def _moved_away(stage: Stage, event: Event) -> None:
    other = asked(stage, "calendar.section.add", type="user", ownerId=ANNA, name="Private")
    edit(stage, event, section=other)


def _given_back(stage: Stage, event: Event) -> None:
    edit(stage, event, **{"name": "Early shift", "from": "2026-12-01T06:00:00", "to": "2026-12-01T14:00:00"})


@pytest.mark.parametrize("act", [_deleted, _moved_away, _given_back])
@pytest.mark.parametrize("adopt", ['"identical"', "false"])
def test_a_person_decides_what_it_is_and_it_goes_on(
    tmp_path: Path, act: Callable[[Stage, Event], None], adopt: str
) -> None:
    stage, made = doubtful(tmp_path, SHIFTS.replace("removed_after", f"adopt = {adopt}\nremoved_after"))
    run_inline(stage.one_pass())
    act(stage, made)
    result = run_inline(stage.one_pass(verify=True))
    assert result.exit_code == 0
    links, holds = run_inline(kept(stage))
    assert (len(links), holds) == (1, ())
    assert EARLY in shown(stage)
    assert (links[0].remote_id == made.id) is (act is _given_back)
    assert ("Mine" in stage.names()) is (act is _moved_away)
    again = run_inline(stage.one_pass(verify=True))
    assert (again.exit_code, again.record.counts["unchanged"]) == (0, 1)
    assert len(events(stage)) == 1 + (act is _moved_away)


def test_one_that_cannot_be_told_is_held_in_place_of_one_that_was_deleted(tmp_path: Path) -> None:
    stage = staged(tmp_path, ROW)
    run_inline(stage.one_pass())
    (first,) = events(stage)
    asked(stage, "calendar.event.delete", id=first.id)
    dies(stage, hints={first.id: 1})
    (made,) = events(stage)
    edit(stage, made, name="Mine", **MOVED)
    without_notes(stage)
    for verify in (False, True, True):
        result = run_inline(stage.one_pass(verify=verify))
        assert result.exit_code == 1
        assert [one.id for one in events(stage)] == [made.id]
    _deleted(stage, made)
    assert run_inline(stage.one_pass(verify=True)).exit_code == 0
    assert shown(stage) == [EARLY]


@pytest.mark.parametrize("apart_s", [3600.0, -7200.0])
def test_a_portal_that_tells_moments_in_a_zone_that_nobody_knows_has_nothing_doubled(
    tmp_path: Path, apart_s: float
) -> None:
    stage = staged(tmp_path, ROW)
    dies(stage)
    (made,) = events(stage)
    edit(stage, made, name="Mine", **MOVED)
    row = stage.world.tables.event(made.id)
    assert row is not None
    row.created_at += apart_s
    assert run_inline(stage.one_pass()).exit_code == 1
    assert [one.id for one in events(stage)] == [made.id]
    assert "may be this one" in run_inline(kept(stage))[1][0].reason


def test_a_portal_that_notes_the_clock_on_the_wall_has_nothing_doubled(tmp_path: Path) -> None:
    stage = staged(tmp_path, ROW)
    dies(stage)
    (made,) = events(stage)
    edit(stage, made, name="Mine", **MOVED)
    row = stage.world.tables.event(made.id)
    assert row is not None
    row.dav_xml_id = "20261201T060000Z-0123456789abcdef0123456789abcdef@school.example"
    assert run_inline(stage.one_pass()).exit_code == 1
    assert [one.id for one in events(stage)] == [made.id]


TODO = VISITS.replace('type = "activity"', 'type = "todo"')


def todo_dies(tmp_path: Path) -> tuple[Stage, Activity]:
    """Return a stage whose process died while it made a to-do, and that to-do."""
    stage = Stage(tmp_path, TODO)
    stage.write("visits.csv", VISITS_HEADER + VISITS_ROWS.splitlines(keepends=True)[0])
    stage.set_faults(
        Settings(integer_stamps=False, faults=(parse_fault("cut-after:method=crm.activity.todo.add,times=1"),))
    )

    async def dying() -> None:
        async with stage.opened() as (syncs, app):
            await asyncio.wait_for(run_pass(app.open_pass(syncs["visits"], asyncio.Event()), PassOptions()), 5)

    with pytest.raises(TimeoutError):
        run_inline(dying())
    stage.clock.advance(30)
    (made,) = activities(stage)
    return stage, made


def edit_todo(stage: Stage, made: Activity, **changes: object) -> None:
    row = {"title": made.subject, "deadline": "2026-12-01T10:00:00+03:00"} | changes
    asked(stage, "crm.activity.todo.update", id=made.id, ownerTypeId=made.owner_type_id, ownerId=made.owner_id, **row)


def test_a_todo_whose_deadline_a_person_moved_is_found_again(tmp_path: Path) -> None:
    stage, made = todo_dies(tmp_path)
    edit_todo(stage, made, deadline="2026-12-20T10:00:00+03:00")
    assert run_inline(stage.one_pass("visits")).exit_code == 0
    assert [(one.id, one.subject) for one in activities(stage)] == [(made.id, "First visit")]
    assert run_inline(stage.one_pass("visits", verify=True)).record.counts["unchanged"] == 1


def test_a_todo_that_a_person_renamed_is_held_and_not_made_twice(tmp_path: Path) -> None:
    stage, made = todo_dies(tmp_path)
    edit_todo(stage, made, title="Mine")
    for verify in (False, True, True):
        assert run_inline(stage.one_pass("visits", verify=verify)).record.counts["held"] == 1
        assert [one.id for one in activities(stage)] == [made.id]
    asked(stage, "crm.activity.delete", id=made.id)
    assert run_inline(stage.one_pass("visits", verify=True)).exit_code == 0
    assert [one.subject for one in activities(stage)] == ["First visit"]


@pytest.mark.parametrize("change", EDITS)
def test_so_it_is_with_one_whose_answer_took_long_and_that_nobody_has_read_since(tmp_path: Path, change: str) -> None:
    """Such an answer does not tell when the event was made, so its title and times were all that told it apart."""
    stage = staged(tmp_path, ROW)
    slow = (parse_fault("slow:method=calendar.event.add,times=1,seconds=20"),)
    stage.set_faults(Settings(integer_stamps=False, faults=slow))
    assert run_inline(stage.one_pass()).exit_code == 0
    (made,) = events(stage)
    edit(stage, made, **EDITS[change])
    assert run_inline(stage.one_pass(verify=True)).exit_code == 0
    assert (shown(stage), [one.id for one in events(stage)]) == ([EARLY], [made.id])
