"""People's events that look like an entry: which are taken over, which are not, and what becomes of the entry."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

import pytest

from syncd.cli.commands.shared import shared
from syncd.cycle.run import PassResult
from syncd.model.item import Link
from syncd.sandbox.tables.database import Event
from syncd.scrub import Scrubber
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ROW = "1,Planning,2026-12-01 10:00,2026-12-01 11:00,anna.petrova@school.example,{place}\n"
TIMES: dict[str, Any] = {
    "from": "2026-12-01T10:00:00", "to": "2026-12-01T11:00:00", "skip_time": "N",
    "timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow",
}  # fmt: skip
OF_ITS_OWN: dict[str, Any] = {
    "description": "Bring the budget",
    "location": "Room 5",
    "remind": [{"type": "min", "count": 30}],
}
GUESTS: dict[str, Any] = {"is_meeting": "Y", "attendees": [3, 5, 7, 8], "host": 3}


def ask(stage: Stage, method: str, **params: Any) -> Any:
    async def asked() -> Any:
        async with stage.opened() as (_, app):
            return await app.portals["main"].read(method, params)

    return run_inline(asked())


def staged(folder: Path, *, place: str = "", adopt: str = "", more: str = "", **fields: Any) -> tuple[Stage, Event]:
    """Return a stage where a person's event stands in the section that an entry goes to."""
    stage = Stage(folder, SHIFTS.replace("removed_after = 1", f"removed_after = 1\n{adopt}") + more)
    stage.write("shifts.csv", HEADER + ROW.format(place=place))
    section = ask(stage, "calendar.section.add", type="user", ownerId=3, name="Shifts")
    ask(stage, "calendar.event.add", type="user", ownerId=3, section=section, name="Planning", **{**TIMES, **fields})
    (event,) = stage.world.events("user", 3)
    stage.world.tables.notices.clear()
    return stage, event


def seen(stage: Stage) -> list[tuple[object, ...]]:
    return [
        (one.id, one.version, one.name, one.description, one.location, one.remind, one.attendees, one.is_meeting)
        for one in stage.world.events("user", 3)
    ]


def links(stage: Stage) -> tuple[Link, ...]:
    async def read() -> tuple[Link, ...]:
        async with stage.opened() as (_, app):
            return await app.ledger.of("shifts").links()

    return run_inline(read())


def counts(result: PassResult, *names: str) -> tuple[int, ...]:
    return tuple(result.record.counts[name] for name in names)


@pytest.mark.parametrize("of_its_own", [{**OF_ITS_OWN, **GUESTS}, OF_ITS_OWN, GUESTS, {"location": "Room 5"}])
def test_a_meeting_of_people_loses_nothing_and_gets_no_twin(tmp_path: Path, of_its_own: dict[str, Any]) -> None:
    stage, _ = staged(tmp_path, place="Hall", **of_its_own)
    before = seen(stage)
    for verify in (False, False, True):
        result = run_inline(stage.one_pass(verify=verify))
        assert (seen(stage), len(stage.world.notices)) == (before, 0)
        assert (result.exit_code, *counts(result, "created", "adopted", "updated", "held")) == (1, 0, 0, 0, 1)
        (problem,) = result.record.problems
        assert (problem.where, problem.kind) == ("shifts.csv:2", "held")
        assert problem.reason.startswith("looks like «Planning» (2026-12-01T10:00:00, id ")
        assert 'not taken over, and nothing is made beside it. Change or delete that one, or set adopt = "same' in (
            problem.reason
        )
    assert links(stage) == ()


def test_the_report_names_what_would_have_been_overwritten(tmp_path: Path) -> None:
    stage, _ = staged(tmp_path, place="Hall", **OF_ITS_OWN, **GUESTS)
    (problem,) = run_inline(stage.one_pass()).record.problems
    assert "which differs in description, location, meeting, remind; not taken over" in problem.reason


def test_once_the_person_has_changed_theirs_the_entry_is_made(tmp_path: Path) -> None:
    stage, event = staged(tmp_path, **OF_ITS_OWN)
    run_inline(stage.one_pass())
    ask(stage, "calendar.event.update", id=event.id, type="user", ownerId=3, name="Budget round", **TIMES)
    result = run_inline(stage.one_pass(verify=True))
    assert (result.exit_code, *counts(result, "created", "held")) == (0, 1, 0)
    assert stage.names(owner=3) == ["Budget round", "Planning"]
    assert run_inline(stage.one_pass()).exit_code == 0


def test_an_entry_that_waited_and_is_gone_leaves_nothing_behind(tmp_path: Path) -> None:
    stage, _ = staged(tmp_path, **OF_ITS_OWN)
    run_inline(stage.one_pass())
    stage.write("shifts.csv", HEADER)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, counts(result, "held")) == (0, (0,))


@pytest.mark.parametrize("of_its_own", [{}, {"description": " "}, {"color": "#ff0000"}])
def test_an_identical_event_is_taken_over_without_a_write(tmp_path: Path, of_its_own: dict[str, Any]) -> None:
    stage, event = staged(tmp_path, **of_its_own)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, *counts(result, "adopted", "updated", "created")) == (0, 1, 0, 0)
    assert (event.version, len(stage.world.events("user", 3))) == (1, 1)


def test_a_bare_event_is_taken_over_and_filled_in(tmp_path: Path) -> None:
    stage, event = staged(tmp_path, place="Hall")
    result = run_inline(stage.one_pass())
    assert (result.exit_code, *counts(result, "adopted", "created")) == (0, 1, 0)
    assert (event.location, len(stage.world.events("user", 3))) == ("Hall", 1)


@pytest.mark.parametrize("adopt", ['adopt = "identical"', "adopt = true"])
def test_identical_is_the_default_and_what_true_means(tmp_path: Path, adopt: str) -> None:
    stage, _ = staged(tmp_path, adopt=adopt, **OF_ITS_OWN)
    before = seen(stage)
    assert run_inline(stage.one_pass()).exit_code == 1
    assert seen(stage) == before


def test_without_adopt_another_event_is_made_beside_the_persons(tmp_path: Path) -> None:
    stage, event = staged(tmp_path, adopt="adopt = false", **OF_ITS_OWN)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, *counts(result, "adopted", "created")) == (0, 0, 1)
    assert (event.version, stage.names(owner=3)) == (1, ["Planning", "Planning"])


def test_with_same_time_it_is_taken_over_and_keeps_its_guests_through_every_change(tmp_path: Path) -> None:
    stage, event = staged(tmp_path, place="Hall", adopt='adopt = "same-time"', **OF_ITS_OWN, **GUESTS)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, *counts(result, "adopted", "created")) == (0, 1, 0)
    assert (event.location, event.description, event.is_meeting, event.attendees) == ("Hall", "", True, (3, 5, 7, 8))
    version = event.version
    assert counts(run_inline(stage.one_pass()), "updated", "unchanged") == (0, 1)
    stage.write("shifts.csv", HEADER + ROW.format(place="Gym"))
    assert counts(run_inline(stage.one_pass()), "updated") == (1,)
    assert (event.version, event.location, event.attendees) == (version + 1, "Gym", (3, 5, 7, 8))
    assert [notice.kind for notice in stage.world.notices if notice.kind == "cancel"] == []


def test_a_guest_whom_people_add_to_an_event_taken_over_is_no_edit(tmp_path: Path) -> None:
    stage, event = staged(tmp_path, adopt='adopt = "same-time"', **GUESTS)
    run_inline(stage.one_pass())
    guests: dict[str, Any] = {**GUESTS, "attendees": [3, 5, 6]}
    ask(stage, "calendar.event.update", id=event.id, type="user", ownerId=3, name="Planning", **TIMES, **guests)
    result = run_inline(stage.one_pass(verify=True))
    assert (result.exit_code, *counts(result, "updated", "unchanged")) == (0, 0, 1)
    assert event.attendees == (3, 5, 6)


def test_guests_of_an_event_taken_over_are_the_entrys_once_attendees_is_configured(tmp_path: Path) -> None:
    guests = "[sync.fields]\nattendees = ['emma.clarke@school.example']\n"
    stage, event = staged(tmp_path, adopt='adopt = "same-time"', more=guests, **GUESTS)
    run_inline(stage.one_pass())
    assert set(event.attendees) == {3, 7}


@pytest.mark.parametrize(
    "fields", ["attendees = ['emma.clarke@school.example']\ninvite = 'copy'", "host = 'anna.petrova@school.example'"]
)
def test_a_sync_that_makes_no_meetings_takes_nobody_off_one(tmp_path: Path, fields: str) -> None:
    more = f"[sync.fields]\n{fields}\n"
    stage, event = staged(tmp_path, place="Hall", adopt='adopt = "same-time"', more=more, **GUESTS)
    run_inline(stage.one_pass())
    stage.write("shifts.csv", HEADER + ROW.format(place="Gym"))
    run_inline(stage.one_pass())
    assert (event.location, event.attendees) == ("Gym", (3, 5, 7, 8))
    assert [notice.kind for notice in stage.world.notices if notice.kind == "cancel"] == []


@pytest.mark.parametrize("rows", ["", ROW.format(place="").replace("anna.petrova", "ivan.sokolov")])
def test_one_with_guests_of_its_own_is_not_deleted_with_its_entry(tmp_path: Path, rows: str) -> None:
    """Neither when the entry is gone nor when it goes to somebody else's calendar."""
    stage, event = staged(tmp_path, adopt='adopt = "same-time"', **GUESTS)
    run_inline(stage.one_pass())
    stage.write("shifts.csv", HEADER + rows)
    for _ in range(3):
        result = run_inline(stage.one_pass(force=True))
    assert (result.exit_code, *counts(result, "deleted", "kept")) == (0, 0, 1)
    assert (stage.names(owner=3), event.attendees, len(stage.world.notices)) == (["Planning"], (3, 5, 7, 8), 0)


def test_a_released_lookalike_is_looked_at_again_and_gets_no_twin(tmp_path: Path) -> None:
    stage, _ = staged(tmp_path, **OF_ITS_OWN)
    stage.config = f'state = "state/syncd.db"\n{stage.config}'
    run_inline(stage.one_pass())
    released = argparse.Namespace(
        command="retry", config=tmp_path / "syncd.toml", names=[], portal=None, scrubber=Scrubber()
    )
    assert run_inline(shared(released, asyncio.Event())) == 0
    assert counts(run_inline(stage.one_pass()), "created", "held") == (0, 1)


def test_a_series_like_an_entrys_with_a_day_taken_out_gets_no_twin(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS.replace('location = "Place"', 'rrule = "Place"'))
    stage.write("shifts.csv", HEADER + ROW.format(place="FREQ=WEEKLY;COUNT=4"))
    run_inline(stage.one_pass())
    (event,) = stage.world.events("user", 3)
    days: dict[str, Any] = {"recurrence_mode": "this", "current_date_from": "2026-12-08"}
    ask(stage, "calendar.event.update", id=event.id, type="user", ownerId=3, name="Moved", skip_time="N", **days,
        timezone_from="Europe/Moscow", timezone_to="Europe/Moscow")  # fmt: skip
    (tmp_path / "state" / "syncd.db").unlink()
    result = run_inline(stage.one_pass())
    assert counts(result, "created", "held") == (0, 1)
    assert "differs in occurrences" in result.record.problems[0].reason


ELSEWHERE: dict[str, Any] = {
    "from": "2026-12-01T08:00:00", "to": "2026-12-01T09:00:00",
    "timezone_from": "Europe/Berlin", "timezone_to": "Europe/Berlin",
}  # fmt: skip
"""The times of the entry on another clock, as an event has them that a feed brought in UTC."""


def test_an_event_at_the_same_moment_on_another_clock_is_taken_over_and_not_made_again(tmp_path: Path) -> None:
    stage, event = staged(tmp_path, **ELSEWHERE)
    counts = run_inline(stage.one_pass()).record.counts
    assert (counts["adopted"], counts["created"]) == (1, 0)
    assert [one.id for one in stage.world.events("user", 3)] == [event.id]
    again = run_inline(stage.one_pass(verify=True)).record.counts
    assert (again["unchanged"], again["updated"], again["created"]) == (1, 0, 0)


def test_an_event_with_texts_of_its_own_at_the_same_moment_on_another_clock_is_left_and_told(tmp_path: Path) -> None:
    stage, _ = staged(tmp_path, **{**ELSEWHERE, **OF_ITS_OWN})
    before = seen(stage)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["held"], seen(stage)) == (1, 1, before)
    assert "which differs in description, location, remind" in result.record.problems[0].reason
