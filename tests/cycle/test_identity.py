"""An id is no proof: after a portal was restored from a backup, events of people have the ids of ours."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.cycle.plan import preview
from syncd.model.item import Link
from syncd.model.plan import Plan
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from syncd.sandbox.tables.database import Event
from syncd.sandbox.world import World
from syncd.state.sqlite.schema import learn_sum, sum_all
from tests.cycle.machine import Play, Row
from tests.cycle.test_pass import _edit, staged
from tests.cycle.test_taking import purged, undone
from tests.support.restoring import ask, backup, person_adds, restore
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

MANY = 12
ALL = SHIFTS.replace("removed_after = 1", 'removed_after = 1\nmax_removed = "100%"\nmax_changed = "100%"')


def rows(*, name: str = "Shift", number: int = MANY) -> str:
    first = "0,Base,2026-12-01 06:00,2026-12-01 14:00,anna.petrova@school.example,\n"
    return first + "".join(
        f"{n},{name} {n},2026-12-{n + 1:02} 06:00,2026-12-{n + 1:02} 14:00,anna.petrova@school.example,\n"
        for n in range(1, number + 1)
    )


def restored(folder: Path, *, by: int | None, config: str = ALL) -> tuple[Stage, dict[int, tuple[str, int]]]:
    """A portal that lost all but the first of ours, and in which people's events have the ids of the lost ones."""
    stage = staged(folder, rows(number=0), config)
    run_inline(stage.one_pass())
    kept = backup(stage)
    stage.write("shifts.csv", HEADER + rows())
    run_inline(stage.one_pass())
    ours = {link.remote_id for link in links(stage)}
    restore(stage, kept)
    foreign = [person_adds(stage, f"Meeting {n}", day=n + 1, by=by) for n in range(1, MANY + 1)]
    assert {event.id for event in foreign} <= ours
    return stage, {event.id: (event.name, event.version) for event in foreign}


def links(stage: Stage) -> tuple[Link, ...]:
    async def read() -> tuple[Link, ...]:
        async with stage.opened() as (_, app):
            return await app.ledger.of("shifts").links()

    return run_inline(read())


def untouched(stage: Stage, foreign: dict[int, tuple[str, int]]) -> bool:
    return foreign == {
        event.id: (event.name, event.version) for event in stage.world.events("user", 3) if event.id in foreign
    }


def shifts(stage: Stage, prefix: str = "Shift") -> list[Event]:
    return [event for event in stage.world.events("user", 3) if event.name.startswith(prefix)]


@pytest.mark.parametrize("by", [None, 5], ids=["by the webhook's user", "by another user"])
def test_a_verifying_pass_leaves_people_s_events_with_our_ids_and_makes_ours_again(
    tmp_path: Path, by: int | None
) -> None:
    stage, foreign = restored(tmp_path, by=by)
    result = run_inline(stage.one_pass(verify=True))
    assert (result.exit_code, result.record.counts["created"], result.record.counts["updated"]) == (0, MANY, 0)
    assert untouched(stage, foreign)
    assert len(shifts(stage)) == MANY
    assert len({link.remote_id for link in links(stage)}) == MANY + 1
    quiet = run_inline(stage.one_pass(verify=True))
    assert quiet.record.counts["unchanged"] == MANY + 1


@pytest.mark.parametrize("by", [None, 5], ids=["by the webhook's user", "by another user"])
def test_an_ordinary_pass_looks_before_it_writes_to_an_id(tmp_path: Path, by: int | None) -> None:
    stage, foreign = restored(tmp_path, by=by)
    stage.write("shifts.csv", HEADER + rows().replace("Shift 3", "Changed shift 3").replace("4,Shift 4", "4,Changed 4"))
    result = run_inline(stage.one_pass())
    assert untouched(stage, foreign)
    # What was found makes it read everything.
    assert (result.exit_code, result.record.counts["updated"], result.record.counts["created"]) == (0, 0, MANY)
    assert run_inline(stage.one_pass()).record.counts["unchanged"] == MANY + 1
    assert untouched(stage, foreign)


def test_the_plan_says_that_another_event_has_the_id(tmp_path: Path) -> None:
    stage, _ = restored(tmp_path, by=5)

    async def plan() -> Plan:
        async with stage.opened() as (syncs, app):
            return (await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=True)).plan

    reasons = {change.reason for change in run_inline(plan()).changes}
    assert reasons == {"another event has its id in the portal now"}


def test_an_entry_that_is_gone_from_the_source_takes_no_person_s_event_along(tmp_path: Path) -> None:
    stage, foreign = restored(tmp_path, by=None)
    stage.write("shifts.csv", HEADER + rows(number=5))
    result = run_inline(stage.one_pass())
    assert untouched(stage, foreign)
    assert result.record.counts["deleted"] == 0
    said = [problem.reason for problem in result.record.problems if "another event has its id" in problem.reason]
    assert len(said) == MANY - 5
    assert len(links(stage)) == 6


@pytest.mark.parametrize("verify", [False, True])
def test_purge_deletes_no_person_s_event(tmp_path: Path, verify: bool) -> None:
    stage, foreign = restored(tmp_path, by=None)
    if verify:
        run_inline(stage.one_pass(verify=True))
    taken = purged(stage)
    assert untouched(stage, foreign)
    assert (taken.exit_code, shifts(stage), shifts(stage, "Base"), links(stage)) == (0, [], [], ())


def test_undo_deletes_no_person_s_event(tmp_path: Path) -> None:
    stage, foreign = restored(tmp_path, by=None)
    taken = undone(stage, 2)
    assert untouched(stage, foreign)
    assert taken.exit_code == 0
    assert [event.name for event in shifts(stage, "Base")] == ["Base"]


@pytest.mark.parametrize("policy", ["portal", "report"])
def test_where_edits_are_left_a_reused_id_is_a_conflict_like_a_deleted_event(tmp_path: Path, policy: str) -> None:
    config = ALL.replace("removed_after = 1", f'removed_after = 1\non_conflict = "{policy}"')
    stage, foreign = restored(tmp_path, by=None, config=config)
    result = run_inline(stage.one_pass(verify=True))
    assert (result.record.counts["conflict"], result.record.counts["created"]) == (MANY, 0)
    assert untouched(stage, foreign)


@pytest.mark.parametrize("by", [None, 5], ids=["by the webhook's user", "by another user"])
@pytest.mark.parametrize(("after_s", "hour"), [(1, 10), (3600, 10), (3600, 6), (86_400, 6)])
def test_a_new_event_is_not_ours_by_a_creation_that_is_only_close_or_whole_hours_away(
    tmp_path: Path, after_s: int, hour: int, by: int | None
) -> None:
    """What was made is never read before: when that was is known from the answer alone, to some seconds."""
    stage = staged(tmp_path, rows(number=0), ALL)
    run_inline(stage.one_pass())
    kept = backup(stage)
    stage.write("shifts.csv", HEADER + rows(number=3))
    run_inline(stage.one_pass())
    restore(stage, kept, after_s=after_s)
    times: list[dict[str, Any]] = [
        {"from": f"2026-12-{n + 1:02}T{hour:02}:00", "to": f"2026-12-{n + 1:02}T14:00"} for n in range(1, 4)
    ]
    events = [person_adds(stage, f"Meeting {n}", by=by, **one) for n, one in enumerate(times)]
    foreign = {event.id: (event.name, event.version) for event in events}
    assert set(foreign) <= {link.remote_id for link in links(stage)}
    result = run_inline(stage.one_pass(verify=True))
    assert (result.record.counts["created"], result.record.counts["updated"]) == (3, 0)
    purged(stage)
    assert untouched(stage, foreign)
    assert shifts(stage) == []


def test_creates_that_are_answered_with_ids_of_lost_events_end_up_once(tmp_path: Path) -> None:
    """Nobody has noticed the restore: new entries get the ids that the ledger has for lost ones."""
    stage = staged(tmp_path, rows(number=0), ALL)
    run_inline(stage.one_pass())
    kept = backup(stage)
    stage.write("shifts.csv", HEADER + rows())
    run_inline(stage.one_pass())
    restore(stage, kept)
    more = "".join(
        f"n{n},New {n},2027-01-{n + 1:02} 06:00,2027-01-{n + 1:02} 14:00,anna.petrova@school.example,\n"
        for n in range(5)
    )
    stage.write("shifts.csv", HEADER + rows() + more)
    first = run_inline(stage.one_pass())
    assert first.record.counts["created"] == 5
    assert len(shifts(stage, "New")) == 5
    second = run_inline(stage.one_pass())
    assert second.record.counts["created"] == MANY
    assert (len(shifts(stage)), len(shifts(stage, "New"))) == (MANY, 5)
    assert len({link.remote_id for link in links(stage)}) == MANY + 6
    assert run_inline(stage.one_pass(verify=True)).record.counts["unchanged"] == MANY + 6


@pytest.mark.parametrize("marker", ["none", "description"])
@pytest.mark.parametrize("fault", ["", "cut-after:method=calendar.event.add,times=1", "cut-before:times=1"])
def test_what_is_made_again_may_get_the_id_it_had(tmp_path: Path, marker: str, fault: str) -> None:
    config = ALL.replace("removed_after = 1", f'removed_after = 1\nmarker = "{marker}"')
    stage = staged(tmp_path, rows(number=0), config)
    empty = backup(stage)
    run_inline(stage.one_pass())
    stage.write("shifts.csv", HEADER + rows(number=2))
    run_inline(stage.one_pass())
    restore(stage, empty)
    faults = (parse_fault(fault),) if fault else ()
    stage.set_faults(Settings(integer_stamps=False, faults=faults))
    result = run_inline(stage.one_pass(verify=True))
    assert (result.exit_code, result.record.counts["created"]) == (0, 3)
    assert [event.name for event in stage.world.events("user", 3)] == ["Base", "Shift 1", "Shift 2"]
    assert run_inline(stage.one_pass()).record.counts["unchanged"] == 3
    assert run_inline(stage.one_pass(verify=True)).record.counts["unchanged"] == 3


def test_another_loopback_portal_under_the_same_address_loses_nothing(tmp_path: Path) -> None:
    stage = staged(tmp_path, rows(), ALL)
    run_inline(stage.one_pass())
    stage.world = World(stage.settings, stage.seed)
    stage.transport.world = stage.world
    stage.clock.advance(7_001)
    ask(stage, "calendar.section.add", type="user", ownerId=3, name="Shifts")
    foreign = {
        event.id: (event.name, event.version)
        for event in [person_adds(stage, f"Meeting {n}", day=n + 1) for n in range(1, MANY + 2)]
    }
    stage.write("shifts.csv", HEADER + rows(name="Edited"))
    for _ in range(2):
        run_inline(stage.one_pass(force=True))
        assert untouched(stage, foreign)
    assert len(shifts(stage, "Edited")) == MANY
    purged(stage)
    assert untouched(stage, foreign)


def test_an_event_that_a_person_renamed_and_moved_before_it_was_ever_read_stays_ours(tmp_path: Path) -> None:
    stage = staged(tmp_path, rows(number=1), ALL)
    run_inline(stage.one_pass())
    (event,) = shifts(stage)
    wall = {"from": "2026-12-24T10:00:00", "to": "2026-12-24T11:00:00"}
    run_inline(_edit(stage, event.id, name="Something else", **wall))
    result = run_inline(stage.one_pass(verify=True))
    assert (result.record.counts["updated"], result.record.counts["created"]) == (1, 0)
    assert [(one.id, one.version) for one in shifts(stage)] == [(event.id, 3)]


def test_an_event_that_a_person_moved_to_another_section_stays_ours(tmp_path: Path) -> None:
    stage = staged(tmp_path, rows(number=1), ALL)
    run_inline(stage.one_pass())
    (event,) = shifts(stage)
    other = ask(stage, "calendar.section.add", type="user", ownerId=3, name="Other")
    run_inline(_edit(stage, event.id, name="Renamed", section=other))
    result = run_inline(stage.one_pass(verify=True))
    assert (result.record.counts["updated"], result.record.counts["created"]) == (1, 0)
    (back,) = shifts(stage)
    assert (back.id, back.section_id) == (event.id, stage.world.tables.event(event.id - 1).section_id)  # type: ignore[union-attr]


def rewrite(stage: Stage, *statements: str) -> None:
    """Change the ledger as if syncd had written it so."""
    connection = sqlite3.connect(stage.folder / "state" / "syncd.db")
    learn_sum(connection)
    for statement in statements:
        connection.execute(statement)
    sum_all(connection)
    connection.commit()
    connection.close()


def forget_stamps(stage: Stage) -> None:
    """Make the ledger one of a version that knew no stamps."""
    rewrite(stage, "UPDATE links SET stamp = ''")


def test_an_older_ledger_learns_whose_events_are_at_the_first_look(tmp_path: Path) -> None:
    stage = staged(tmp_path, rows(), ALL)
    run_inline(stage.one_pass())
    forget_stamps(stage)
    assert run_inline(stage.one_pass(verify=True)).record.counts["unchanged"] == MANY + 1
    assert all(link.stamp for link in links(stage))


def test_an_older_ledger_does_not_take_people_s_events_for_ours_after_a_restore(tmp_path: Path) -> None:
    stage, foreign = restored(tmp_path, by=None)
    forget_stamps(stage)
    stage.write("shifts.csv", HEADER + rows().replace("Shift 3", "Changed shift 3"))
    assert run_inline(stage.one_pass()).record.counts["updated"] == 0
    run_inline(stage.one_pass(verify=True))
    assert untouched(stage, foreign)
    purged(stage)
    assert untouched(stage, foreign)


def test_two_links_to_one_event_end_as_two_events(tmp_path: Path) -> None:
    stage = staged(tmp_path, rows(number=2), ALL)
    run_inline(stage.one_pass())
    of_the_first = "(SELECT {0} FROM links WHERE uid = '1')"
    rewrite(
        stage,
        f"UPDATE links SET remote_id = {of_the_first.format('remote_id')} WHERE uid = '2'",
        f"UPDATE links SET stamp = {of_the_first.format('stamp')} WHERE uid = '2'",
    )
    (second,) = (event for event in shifts(stage) if event.name == "Shift 2")
    ask(stage, "calendar.event.delete", id=second.id)
    result = run_inline(stage.one_pass(verify=True))
    assert (result.record.counts["created"], result.record.counts["updated"]) == (1, 0)
    assert [event.name for event in shifts(stage)] == ["Shift 1", "Shift 2"]
    assert len({link.remote_id for link in links(stage)}) == 3


def test_the_portal_may_change_its_format_and_its_zone(tmp_path: Path) -> None:
    stage = staged(tmp_path, rows(), ALL)
    run_inline(stage.one_pass())
    run_inline(stage.one_pass(verify=True))
    for culture, zone in (("us", "Europe/Moscow"), ("ru", "Europe/Berlin")):
        stage.world.tables.culture = culture  # type: ignore[assignment]
        stage.world.tables.server_zone = zone
        stage.clock.advance(60)
        result = run_inline(stage.one_pass(verify=True))
        assert (result.record.counts["created"], result.exit_code) == (0, 0)


def test_a_verifying_pass_looks_at_what_stood_outside_its_window_too(tmp_path: Path) -> None:
    """An entry moves from long ago into the window, and its event's id is another one's by now."""
    config = ALL.replace('name = "shifts"', 'name = "shifts"\nwindow = { past = "60d", future = "365d" }')
    old = "9,Old shift,2026-10-01 06:00,2026-10-01 14:00,anna.petrova@school.example,\n"
    stage = staged(tmp_path, rows(number=0), config)
    run_inline(stage.one_pass())
    kept = backup(stage)
    stage.write("shifts.csv", HEADER + rows(number=0) + old)
    run_inline(stage.one_pass())
    restore(stage, kept)
    foreign = person_adds(stage, "Meeting", day=5)
    assert foreign.id in {link.remote_id for link in links(stage)}
    stage.config = stage.config.replace('past = "60d"', 'past = "10d"')
    stage.write("shifts.csv", HEADER + rows(number=0) + old.replace("2026-10-01", "2026-12-03"))
    result = run_inline(stage.one_pass(verify=True))
    assert untouched(stage, {foreign.id: ("Meeting", 1)})
    assert (result.record.counts["created"], result.record.counts["updated"]) == (1, 0)


@pytest.mark.parametrize("way", ["a person made it again", "made again with a text", "the portal was restored"])
def test_undo_makes_nothing_beside_what_came_back_by_itself(tmp_path: Path, way: str) -> None:
    stage = staged(tmp_path, rows(number=1), ALL)
    run_inline(stage.one_pass())
    kept = backup(stage)
    stage.write("shifts.csv", HEADER + rows(number=0))
    assert run_inline(stage.one_pass()).record.counts["deleted"] == 1
    if way == "the portal was restored":
        restore(stage, kept)
    else:
        times: dict[str, Any] = {
            "from": "2026-12-02T06:00:00",
            "to": "2026-12-02T14:00:00",
            "timezone_to": "Europe/Moscow",
        }
        person_adds(stage, "Shift 1", **{**times, "description": "Bring keys" if "text" in way else ""})
    (before,) = shifts(stage)
    taken = undone(stage, 2)
    assert [(event.id, event.version) for event in shifts(stage)] == [(before.id, before.version)]
    assert (taken.exit_code, taken.error) == (0, None)
    assert taken.plan is not None
    (left,) = taken.plan.left
    assert left.reason == f"deleted by the run, but event {before.id} stands in its place; nothing is made beside it"


@pytest.mark.parametrize("place", ["Desk 1", "Desk 2"])
def test_an_id_that_now_belongs_to_an_event_of_another_sync_is_left_to_that_one(tmp_path: Path, place: str) -> None:
    """The portal went back to its backup, and the next event that got the id of ours is one of the other sync."""
    play = Play(tmp_path, marker=False, passes=1)
    row = Row(title="Early", day=2, hour=15, owner="anna.petrova", place="Desk 1", rule="")
    play.rows = {"shifts": {"r2": row}, "extras": {"r0": replace(row, place=place)}}
    play.one_pass("shifts", verify=False, force=True)
    before = play.linked()
    play.restore()
    play.one_pass("extras", verify=False, force=True)
    assert play.linked() == before
    play.check_converged()
    assert sorted(event.location for event in play.ours()) == ["Desk 1", place]
