"""Two ledgers that write the same events: the second writer is noticed and refused, a lost ledger is not one."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from syncd.cycle.plan import preview
from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassResult
from syncd.errors import GuardError
from syncd.model.evidence import split_mark
from syncd.model.item import Key, Place
from syncd.model.observation import recovery_mark
from syncd.sandbox.tables.database import Event
from syncd.state.moving import move
from syncd.state.sqlite.moving import ArrivingFile, LeavingFile
from tests.crm.stage import HEADER as VISITS_HEADER
from tests.crm.stage import ROWS as VISITS_ROWS
from tests.crm.stage import VISITS, activities
from tests.cycle.test_edited_creates import dies
from tests.cycle.test_masked import checked, lose_ledger
from tests.cycle.test_pass import staged
from tests.cycle.test_restored import MARKED_TODO, directory_restored, file_overwritten, file_replaced
from tests.cycle.test_taking import purged, undone
from tests.support.restoring import ask, backup, person_adds, restore
from tests.support.sandbox import HEADER, SHIFTS, SimClock, Stage, run_inline

ANNA = 3
MARKED = SHIFTS.replace("removed_after = 1", 'removed_after = 1\nmax_removed = "100%"\nmarker = "description"')
ROW = "{0},Shift {0},2026-12-{0:02} 06:00,2026-12-{0:02} 14:00,anna.petrova@school.example,{1}\n"
A_WHILE_S = 900.0


def rows(*days: int, place: str = "Desk 1") -> str:
    return HEADER + "".join(ROW.format(day, place) for day in days)


def made(folder: Path, config: str = MARKED) -> Stage:
    """A stage with three events."""
    (folder / "first").mkdir()
    stage = staged(folder / "first", rows(1, 2, 3).removeprefix(HEADER), config)
    assert run_inline(stage.one_pass()).exit_code == 0
    stage.clock.advance(A_WHILE_S)
    return stage


def beside(stage: Stage, config: str | None = None) -> Stage:
    """Another folder with the same config and source, and a state of its own, at the same portal."""
    folder = stage.folder.parent / "second"
    folder.mkdir()
    other = Stage(folder, config or stage.config)
    other.world, other.transport, other.clock = stage.world, stage.transport, stage.clock
    for name in ("shifts.csv", "visits.csv"):
        if (stage.folder / name).exists():
            shutil.copy(stage.folder / name, folder / name)
    return other


def again(stage: Stage, *days: int, place: str = "Desk 1", **options: bool) -> PassResult:
    """One pass a while later, with these rows in the source."""
    if days:
        stage.write("shifts.csv", rows(*days, place=place))
    stage.clock.advance(A_WHILE_S)
    return run_inline(stage.one_pass("shifts", **options))


def ours(stage: Stage) -> list[Event]:
    return [event for event in stage.world.events("user", ANNA) if event.name.startswith("Shift")]


def states(stage: Stage) -> list[tuple[int, str, int]]:
    return [(event.id, event.name, event.version) for event in ours(stage)]


def authors(stage: Stage) -> list[str]:
    return [split_mark(event.description)[2] for event in ours(stage)]


def refused(result: PassResult) -> bool:
    """Whether a pass was refused because another ledger is at work, and sent nothing."""
    counts = result.record.counts
    written = counts["created"] + counts["updated"] + counts["deleted"] + counts["adopted"]
    return (
        isinstance(result.error, GuardError)
        and result.exit_code == 4
        and not written
        and "another syncd" in result.error.message
        and "--force" in str(result.error)
    )


def warned(result: PassResult) -> list[str]:
    return [one.reason for one in result.record.problems if one.kind == "warning"]


def test_new_events_name_the_ledger_that_made_them(tmp_path: Path) -> None:
    stage = made(tmp_path)
    (name,) = set(authors(stage))
    assert len(name) == 8
    assert again(stage, 1, 2, 3, 4, place="Desk 2").record.counts["updated"] == 3
    assert authors(stage) == [name] * 4


def test_a_second_ledger_beside_the_first_is_refused_and_doubles_nothing(tmp_path: Path) -> None:
    first = made(tmp_path)
    second = beside(first)
    before = states(first)
    begun = run_inline(second.one_pass())
    assert (begun.exit_code, begun.record.counts["adopted"], states(first)) == (0, 3, before)
    assert ["stop it" in one for one in warned(begun)] == [True]
    assert again(first, 1, 2, 3, 4).record.counts["created"] == 1
    before = states(first)
    found = again(second, 1, 2, 3, 4)
    assert refused(found)
    assert "«Shift 4»" in str(found.error)
    assert refused(again(second))
    assert states(first) == before
    assert again(first, verify=True).record.counts["unchanged"] == 4


def test_the_first_ledger_notices_the_second_before_it_makes_what_that_one_made(tmp_path: Path) -> None:
    first = made(tmp_path)
    second = beside(first)
    assert again(second, 1, 2, 3, 4).record.counts["created"] == 1
    before = states(first)
    assert refused(again(first, 1, 2, 3, 4))
    assert states(first) == before


def test_what_another_ledger_has_changed_is_noticed_before_it_is_changed_back(tmp_path: Path) -> None:
    first = made(tmp_path)
    second = beside(first)
    assert again(second, 1, 2, 3, place="Desk 2").record.counts["updated"] == 3
    before = states(first)
    assert refused(again(first, 1, 2, 3, place="Desk 3"))
    assert refused(again(first, 1, 2, 3, verify=True))
    assert states(first) == before


def test_a_plan_says_that_a_pass_would_be_refused(tmp_path: Path) -> None:
    first = made(tmp_path)
    assert again(beside(first), 1, 2, 3, 4).exit_code == 0
    first.write("shifts.csv", rows(1, 2, 3, 4))
    first.clock.advance(A_WHILE_S)

    with pytest.raises(GuardError, match="another syncd"):
        run_inline(planned(first)).check()


async def planned(stage: Stage) -> Prepared:
    async with stage.opened(readonly=True) as (syncs, app):
        return await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)


def test_a_plan_takes_a_create_without_an_answer_for_ours(tmp_path: Path) -> None:
    stage = made(tmp_path)
    stage.write("shifts.csv", rows(1, 2, 3, 4))
    dies(stage)
    assert len(ours(stage)) == 4
    stage.clock.advance(A_WHILE_S)
    run_inline(planned(stage)).check()
    assert run_inline(stage.one_pass()).exit_code == 0
    assert len(ours(stage)) == 4


def test_force_takes_over_what_the_other_ledger_made_once_that_one_is_stopped(tmp_path: Path) -> None:
    first = made(tmp_path)
    second = beside(first)
    assert again(second, 1, 2, 3, 4, place="Desk 2").record.counts["created"] == 1
    assert refused(again(first, 1, 2, 3, 4, 5))
    forced = again(first, force=True)
    assert (forced.exit_code, forced.record.counts["created"], forced.record.counts["adopted"]) == (0, 1, 1)
    later = again(first, 1, 2, 3, 4, 5, 6, verify=True)
    assert (later.exit_code, later.record.counts["created"], len(ours(first))) == (0, 1, 6)
    assert refused(again(second, 1, 2, 3, 4, 5, 6, 7))


def test_a_ledger_whose_events_were_taken_over_is_noticed_when_it_comes_back(tmp_path: Path) -> None:
    first = made(tmp_path)
    second = beside(first)
    assert again(second).record.counts["adopted"] == 3
    assert again(second, verify=True).exit_code == 0
    assert again(first, 1, 2, 3, 4, 5).record.counts["created"] == 2
    assert refused(again(second, 1, 2, 3, 4, 5))
    assert refused(again(second, verify=True))


def test_what_both_made_within_the_same_minute_is_told_by_the_next_reading(tmp_path: Path) -> None:
    first = made(tmp_path)
    second = beside(first)
    assert again(second, verify=True).exit_code == 0
    for stage in (first, second):
        assert again(stage, verify=True).exit_code == 0
    for stage in (first, second):
        stage.write("shifts.csv", rows(1, 2, 3, 4))
        stage.clock.advance(20)
        assert run_inline(stage.one_pass()).exit_code == 0
    assert [event.name for event in ours(first)].count("Shift 4") == 2
    before = states(first)
    assert refused(again(first, verify=True))
    assert refused(again(second, verify=True))
    assert states(first) == before


def test_after_a_lost_ledger_everything_is_taken_over_and_it_is_told_once(tmp_path: Path) -> None:
    stage = made(tmp_path)
    before = states(stage)
    lose_ledger(stage)
    result = again(stage, 1, 2, 3, 4)
    assert (result.exit_code, result.record.counts["adopted"], result.record.counts["created"]) == (0, 3, 1)
    assert [one.partition(" made by another ledger")[0] for one in warned(result)] == ["takes over 3 events"]
    assert states(stage)[:3] == before
    for _ in range(2):
        later = again(stage, verify=True)
        assert (later.exit_code, later.record.problems, later.record.counts["unchanged"]) == (0, (), 4)
    assert again(stage, 1, 2, 3, 4, 5).record.counts["created"] == 1
    assert run_inline(checked(stage)).wrong == {}


def test_a_ledger_lost_twice_takes_over_the_events_of_both_earlier_ones(tmp_path: Path) -> None:
    stage = made(tmp_path)
    for days in ((1, 2, 3, 4), (1, 2, 3, 4, 5)):
        lose_ledger(stage)
        assert again(stage, *days).exit_code == 0
    assert len(set(authors(stage))) == 3
    assert again(stage, verify=True).record.problems == ()
    assert purged(stage).exit_code == 0
    assert ours(stage) == []


@pytest.mark.parametrize("put_back", [file_replaced, file_overwritten, directory_restored])
def test_a_ledger_restored_from_its_backup_is_no_second_writer(
    tmp_path: Path, put_back: Callable[[Stage], Callable[[], None]]
) -> None:
    stage = made(tmp_path)
    restore_it = put_back(stage)
    assert again(stage, 1, 2, 3, 4).record.counts["created"] == 1
    stage.clock.advance(A_WHILE_S)
    restore_it()
    result = again(stage, 1, 2, 3, 4, 5)
    assert (result.exit_code, result.record.counts["adopted"], result.record.counts["created"]) == (0, 1, 1)
    assert warned(result) == []
    assert len(set(authors(stage))) == 1
    assert again(stage, verify=True).record.problems == ()


def test_a_backup_that_is_restored_after_a_new_ledger_has_worked_takes_over_what_that_one_made(tmp_path: Path) -> None:
    stage = made(tmp_path)
    restore_it = file_replaced(stage)
    lose_ledger(stage)
    assert again(stage, 1, 2, 3, 4, place="Desk 2").record.counts["created"] == 1
    restore_it()
    result = again(stage, verify=True)
    assert (result.exit_code, result.record.counts["adopted"]) == (0, 1)
    assert ["stop it" in one for one in warned(result)] == [True]
    assert again(stage, verify=True).record.problems == ()


def test_a_restored_portal_is_no_second_writer(tmp_path: Path) -> None:
    stage = made(tmp_path)
    lose_ledger(stage)
    assert again(stage, verify=True).exit_code == 0
    kept = backup(stage)
    assert again(stage, 1, 2, 3, 4, place="Desk 2").record.counts["updated"] == 3
    restore(stage, kept)
    result = again(stage, verify=True)
    assert (result.exit_code, len(ours(stage))) == (0, 4)
    assert again(stage, verify=True).record.problems == ()


def test_a_moved_ledger_keeps_its_name_and_is_not_refused(tmp_path: Path) -> None:
    stage = made(tmp_path)
    name = set(authors(stage))
    source = LeavingFile(stage.folder / "state" / "syncd.db", stage.clock.booted_at())
    target = ArrivingFile(stage.folder / "moved" / "syncd.db", stage.clock.booted_at())
    move(source, target, "one")
    source.close()
    target.close()
    stage.config = f'state = "moved/syncd.db"\n{stage.config}'
    result = again(stage, 1, 2, 3, 4, verify=True)
    assert (result.exit_code, result.record.problems, result.record.counts["unchanged"]) == (0, (), 3)
    assert set(authors(stage)) == name


def earlier_version(stage: Stage) -> None:
    """Make ledger and events what the version before left: it named no ledger."""
    for event in ours(stage):
        text, mark, _ = split_mark(event.description)
        event.description = f"{text}\n[syncd:{mark}]".lstrip()
    with closing(sqlite3.connect(stage.folder / "state" / "syncd.db")) as ledger, ledger:
        gone = ledger.execute("DELETE FROM notes WHERE scope = 'ledger' OR name = 'looked at'").rowcount
    assert gone == 2


def test_an_upgrade_writes_nothing_and_refuses_nothing(tmp_path: Path) -> None:
    stage = made(tmp_path)
    earlier_version(stage)
    before = states(stage)
    for _ in range(2):
        result = again(stage, verify=True)
        assert (result.exit_code, result.record.problems, result.record.counts["unchanged"]) == (0, (), 3)
    assert states(stage) == before
    assert again(stage, 1, 2, 3, 4).record.counts["created"] == 1
    assert [bool(name) for name in authors(stage)] == [False, False, False, True]
    assert undone(stage, 4).exit_code == 0
    assert len(ours(stage)) == 3


def test_a_ledger_lost_before_the_upgrade_takes_over_marks_without_a_name(tmp_path: Path) -> None:
    stage = made(tmp_path)
    earlier_version(stage)
    lose_ledger(stage)
    result = again(stage, 1, 2, 3, 4)
    assert (result.exit_code, result.record.counts["adopted"], result.record.problems) == (0, 3, ())


def test_different_syncs_of_different_ledgers_share_a_section_in_peace(tmp_path: Path) -> None:
    first = made(tmp_path)
    second = beside(first, MARKED.replace('name = "shifts"', 'name = "more"'))
    for number in range(3):
        first.write("shifts.csv", rows(1, 2, 3, *range(10, 11 + number)))
        second.write("shifts.csv", rows(*range(20, 23 + number)))
        for stage, name in ((first, "shifts"), (second, "more")):
            stage.clock.advance(A_WHILE_S)
            result = run_inline(stage.one_pass(name, verify=number == 1))
            assert (result.exit_code, result.record.problems) == (0, ())
    assert len(ours(first)) == 11


def test_a_copy_of_the_state_at_work_on_another_machine_is_noticed(tmp_path: Path) -> None:
    first = made(tmp_path)
    second = beside(first)
    shutil.copytree(first.folder / "state", second.folder / "state")
    assert again(second, verify=True).exit_code == 0
    assert again(first, 1, 2, 3, 4).record.counts["created"] == 1
    found = again(second, 1, 2, 3, 4)
    assert refused(found)
    assert "a copy of this state" in str(found.error)
    assert len(ours(first)) == 4
    assert again(second, force=True).record.counts["adopted"] == 1


def test_a_person_who_copies_events_with_their_marks_is_no_second_writer(tmp_path: Path) -> None:
    stage = made(tmp_path)
    lose_ledger(stage)  # the events bear another ledger's name now
    assert again(stage, verify=True).exit_code == 0
    stage.clock.advance(A_WHILE_S)
    for event, by in zip(ours(stage), (1, 5, 1), strict=True):
        person_adds(stage, event.name, description=event.description, day=20, by=by)
    result = again(stage, 1, 2, 3, 4, verify=True)
    assert (result.exit_code, result.record.counts["created"]) == (0, 1)


def test_an_edit_keeps_the_name_of_the_ledger_and_is_put_right(tmp_path: Path) -> None:
    stage = made(tmp_path)
    lose_ledger(stage)
    assert again(stage, verify=True).exit_code == 0
    event = ours(stage)[0]
    ask(stage, "calendar.event.update", id=event.id, type="user", ownerId=ANNA, name="Mine", section=event.section_id,
        description=event.description, skip_time="N", **{"from": "2026-12-01T06:00:00", "to": "2026-12-01T14:00:00"},
        timezone_from="Europe/Moscow", timezone_to="Europe/Moscow")  # fmt: skip
    result = again(stage, verify=True)
    assert (result.exit_code, result.record.counts["updated"]) == (0, 1)
    assert len(set(authors(stage))) == 2
    assert again(stage, verify=True).record.problems == ()


@pytest.mark.parametrize("adopt", ["", "adopt = false\n"])
def test_without_marks_what_looks_like_a_second_writer_s_is_told(tmp_path: Path, adopt: str) -> None:
    first = made(tmp_path, SHIFTS.replace("removed_after = 1\n", f"removed_after = 1\n{adopt}"))
    second = beside(first)
    if not adopt:
        assert again(second).record.counts["adopted"] == 3
        assert again(second, 1, 2, 3, 4).record.counts["created"] == 1
    else:
        assert again(second, 1, 2, 3, 4).record.counts["created"] == 4
    found = again(first, 1, 2, 3, 4, verify=True)
    assert found.exit_code == 0
    (told,) = warned(found)
    assert told.startswith(f"syncd's own user made {'4 events' if adopt else '1 event'} like those of this sync")
    assert again(first, verify=True).record.problems == ()


def test_what_another_user_makes_is_not_told_as_a_second_writer_s(tmp_path: Path) -> None:
    stage = made(tmp_path, SHIFTS)
    stage.clock.advance(A_WHILE_S)
    person_adds(stage, "Shift 4", by=5, day=4, timezone_to="Europe/Moscow")
    stage.clock.advance(A_WHILE_S)
    stage.write("shifts.csv", rows(1, 2, 3) + ROW.format(4, "").replace("06:00", "10:00").replace("14:00", "11:00"))
    result = run_inline(stage.one_pass(verify=True))
    assert (result.record.counts["adopted"], result.record.problems) == (1, ())


@pytest.mark.parametrize("config", [VISITS, MARKED_TODO], ids=["activities", "to-dos"])
def test_a_second_ledger_on_cards_is_refused_and_doubles_nothing(tmp_path: Path, config: str) -> None:
    more = "4,79161112233,2026-12-09 10:00,30,Third visit,,Room 4,\n"
    (tmp_path / "first").mkdir()
    first = Stage(tmp_path / "first", config)
    first.write("visits.csv", VISITS_HEADER + VISITS_ROWS)
    assert run_inline(first.one_pass("visits")).exit_code == 0
    second = beside(first)
    for stage, text in ((second, VISITS_ROWS), (second, VISITS_ROWS + more)):
        stage.clock.advance(A_WHILE_S)
        stage.write("visits.csv", VISITS_HEADER + text)
        assert run_inline(stage.one_pass("visits")).exit_code == 0
    first.clock.advance(A_WHILE_S)
    first.write("visits.csv", VISITS_HEADER + VISITS_ROWS + more)
    assert refused(run_inline(first.one_pass("visits")))
    assert len(activities(first)) == 4
    assert run_inline(first.one_pass("visits", force=True)).record.counts["adopted"] == 1
    assert run_inline(first.one_pass("visits", verify=True)).record.problems == ()


def put_away(stage: Stage, number: int) -> None:
    ask(stage, "calendar.event.delete", id=number, type="user", ownerId=ANNA)


def in_peace(stage: Stage, *days: int, passes: int = 2) -> None:
    """Pass a few times, and have nobody refused."""
    for number in range(passes):
        assert again(stage, *days, verify=number == passes - 1).error is None


@pytest.mark.parametrize("lost", [False, True])
def test_a_calendar_that_is_exported_emptied_and_imported_again_is_no_second_writers(
    tmp_path: Path, lost: bool
) -> None:
    stage = made(tmp_path)
    if lost:
        lose_ledger(stage)
    assert again(stage, verify=True).exit_code == 0
    stage.clock.advance(A_WHILE_S)
    for event in ours(stage):
        for _ in range(2):
            person_adds(stage, event.name, description=event.description, day=int(event.name[-1]))
        put_away(stage, event.id)
    in_peace(stage, 1, 2, 3, 4, passes=3)


@pytest.mark.parametrize("by", [1, 5])
@pytest.mark.parametrize("lost", [False, True])
def test_a_copy_of_what_went_from_the_source_and_came_back_is_no_second_writers(
    tmp_path: Path, lost: bool, by: int
) -> None:
    stage = made(tmp_path)
    if lost:
        lose_ledger(stage)
    assert again(stage, verify=True).exit_code == 0
    stage.clock.advance(A_WHILE_S)
    person_adds(stage, "Shift 1", description=ours(stage)[0].description, day=2, by=by)
    in_peace(stage, 2, 3, passes=1)
    in_peace(stage, 1, 2, 3)


@pytest.mark.parametrize("how", ["delete", "purge", "undo"])
def test_what_was_deleted_and_stands_again_in_a_portal_that_is_put_back_is_no_second_writers(
    tmp_path: Path, how: str
) -> None:
    stage = made(tmp_path)
    assert again(stage, verify=True).exit_code == 0
    assert again(stage, 1, 2, 3, 4).record.counts["created"] == 1
    kept = backup(stage)
    stage.clock.advance(A_WHILE_S)
    if how == "delete":
        assert again(stage, 1, 2, 3).record.counts["deleted"] == 1
    else:
        assert (purged(stage) if how == "purge" else undone(stage, 3)).exit_code == 0
    restore(stage, kept)
    in_peace(stage, 1, 2, 3, 4)
    assert len(ours(stage)) == 4


def test_a_portal_put_back_to_before_two_ledgers_were_lost_is_no_second_writers(tmp_path: Path) -> None:
    stage = made(tmp_path)
    kept = backup(stage)
    for place in ("Desk 2", "Desk 3"):
        lose_ledger(stage)
        assert again(stage).exit_code == 0
        assert again(stage, 1, 2, 3, place=place).record.counts["updated"] == 3
    restore(stage, kept)
    in_peace(stage)
    assert {event.location for event in ours(stage)} == {"Desk 3"}


def test_when_the_window_comes_to_a_lost_ledgers_events_their_copies_are_no_second_writers(tmp_path: Path) -> None:
    stage = made(tmp_path)
    lose_ledger(stage)
    later, stage.config = (
        stage.config,
        stage.config.replace("removed_after = 1", 'removed_after = 1\nwindow = { past = "30d", future = "5d" }'),
    )
    assert again(stage, verify=True).record.counts["adopted"] == 0
    stage.clock.advance(A_WHILE_S)
    person_adds(stage, "Shift 3", description=ours(stage)[-1].description, day=2)
    stage.config = later
    assert again(stage, verify=True).record.counts["adopted"] == 3


def test_a_source_can_name_no_ledger(tmp_path: Path) -> None:
    texts = MARKED.replace('location = "Place"', 'location = "Place"\ndescription = "Text"')
    stage = made(tmp_path)
    stage.config = texts.replace('marker = "description"', 'marker = "none"')
    head = HEADER.rstrip() + ",Text\n"
    mark = recovery_mark("shifts", Key(uid="1", place=Place(kind="user", owner=ANNA)))
    for text in (f"[syncd-by:deadbeef] [syncd:{mark}]", f"&#91;syncd-by:deadbeef] &#91;syncd:{mark}]"):
        stage.write("shifts.csv", head + ROW.format(1, "Desk 1").rstrip() + f",Hello {text}\n")
        in_peace(stage, passes=3)
        assert ours(stage)[0].description == "Hello"


class PortalClock(SimClock):
    """The clock of a portal that goes right while the one of this machine was set `apart_s` ahead."""

    def __init__(self, machine: SimClock, apart_s: float) -> None:
        self.machine, self.apart_s = machine, apart_s

    def now(self) -> float:
        return self.machine.now() - self.apart_s


@pytest.mark.parametrize("hours", [-12, 12])
def test_a_machine_whose_clock_was_wrong_at_the_first_look_takes_over_what_is_older(tmp_path: Path, hours: int) -> None:
    stage = made(tmp_path)
    lose_ledger(stage)
    mark = recovery_mark("shifts", Key(uid="9", place=Place(kind="user", owner=ANNA)))
    moved = person_adds(stage, "Shift 9", description=f"[syncd-by:{authors(stage)[0]}] [syncd:{mark}]", day=9)
    other = ask(stage, "calendar.section.add", type="user", ownerId=ANNA, name="Elsewhere")
    sections = {one.id: one for one in stage.world.tables.sections_of(("user", ANNA))}
    home = sections[moved.section_id]
    stage.world.tables.move(moved, sections[int(other)])
    stage.clock.set(hours * 3600.0)
    stage.transport.clock = PortalClock(stage.clock, hours * 3600.0)
    assert again(stage, verify=True).exit_code == 0
    stage.clock.set(-hours * 3600.0)
    stage.transport.clock = stage.clock
    stage.world.tables.move(moved, home)
    result = again(stage, 1, 2, 3, 9, verify=True)
    assert (result.error, result.record.counts["adopted"]) == (None, 1)
