"""After a lost ledger, what people moved to another section, or stands in a renamed one, is not made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.sandbox.tables.database import Event
from tests.cycle.test_identity import links
from tests.cycle.test_identity import rows as all_rows
from tests.cycle.test_masked import lose_ledger
from tests.cycle.test_pass import staged
from tests.support.restoring import ask
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ANNA = 3
MARKED = 'marker = "description"\n'


def rows(number: int = 3) -> str:
    return all_rows(number=number).partition("\n")[2]


def made(folder: Path, more: str = "") -> Stage:
    """A stage with three events in Anna's section of shifts."""
    config = SHIFTS.replace("removed_after = 1\n", f"removed_after = 1\n{more}")
    stage = staged(folder, rows(), config)
    assert run_inline(stage.one_pass()).exit_code == 0
    return stage


def ours(stage: Stage) -> list[Event]:
    return [event for event in stage.world.events("user", ANNA) if event.name.startswith("Shift")]


def rename(stage: Stage) -> None:
    for section in stage.world.tables.sections_of(("user", ANNA)):
        section.name = "My shifts" if section.name == "Shifts" else section.name


def move(stage: Stage, number: int = 0, name: str = "Shift 1") -> Event:
    """A person moves one of the events to the first section of the calendar; return it."""
    event = ours(stage)[number]
    section = min(one.id for one in stage.world.tables.sections_of(("user", ANNA)))
    span = {"from": event.stored.date_from.isoformat(), "to": event.stored.date_to.isoformat()}
    zones = {"timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow"}
    ask(
        stage, "calendar.event.update", id=event.id, type="user", ownerId=ANNA, name=name, section=section,
        skip_time="N", description=event.description, **span, **zones,
    )  # fmt: skip
    (moved,) = (one for one in ours(stage) if one.id == event.id)
    assert moved.section_id == section
    return moved


@pytest.mark.parametrize("adopt", ["", 'adopt = "same-time"\n', "adopt = false\n"])
def test_marked_events_in_a_renamed_section_are_known_again(tmp_path: Path, adopt: str) -> None:
    stage = made(tmp_path, MARKED + adopt)
    before = [(event.id, event.section_id, event.version) for event in ours(stage)]
    rename(stage)
    lose_ledger(stage)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["adopted"], result.record.counts["created"]) == (0, 3, 0)
    assert [(event.id, event.section_id, event.version) for event in ours(stage)] == before
    after = run_inline(stage.one_pass(verify=True))
    assert (after.record.counts["unchanged"], after.record.problems) == (3, ())


def test_a_marked_event_that_a_person_moved_is_known_again_where_it_stands(tmp_path: Path) -> None:
    stage = made(tmp_path, MARKED)
    moved = move(stage)
    lose_ledger(stage)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["adopted"], result.record.counts["created"]) == (0, 3, 0)
    assert [event.section_id for event in ours(stage)].count(moved.section_id) == 1
    assert len(links(stage)) == 3


@pytest.mark.parametrize("lost", [rename, move], ids=["renamed", "moved"])
def test_without_marks_no_other_section_is_looked_into(tmp_path: Path, lost: Callable[[Stage], object]) -> None:
    stage = made(tmp_path)
    before = len(ours(stage))
    lost(stage)
    lose_ledger(stage)
    result = run_inline(stage.one_pass())
    # Another sync may show the same schedule there: nothing but a mark tells whose event it is.
    assert (result.exit_code, len(ours(stage))) == (0, before + result.record.counts["created"])


def test_a_mark_on_something_else_in_another_section_is_left_alone_and_told(tmp_path: Path) -> None:
    stage = made(tmp_path, MARKED)
    moved = move(stage, name="Shift of mine")
    lose_ledger(stage)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["adopted"], result.record.counts["created"]) == (1, 2, 0)
    assert [one.reason for one in result.record.problems if "differs in name, section" in one.reason]
    assert moved.name == "Shift of mine"


def test_a_ledger_that_knows_the_portal_looks_nowhere_else(tmp_path: Path) -> None:
    stage = made(tmp_path, MARKED)
    stage.write("shifts.csv", HEADER + rows(4))
    before = stage.transport.requests
    assert run_inline(stage.one_pass()).record.counts["created"] == 1
    assert stage.transport.requests - before == 1
