"""What is ours is known again: damaged series by their marks, events that people made again by their looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from syncd.portal.line.answers import RawAnswer
from tests.cycle.test_identity import links, rows, shifts
from tests.cycle.test_masked import lose_ledger
from tests.cycle.test_pass import SERIES, _series_stage, _take_out, staged
from tests.support.restoring import ask, person_adds
from tests.support.sandbox import HEADER, SHIFTS, Stage, WorldTransport, run_inline

MARKED = 'marker = "description"\n'


def series(stage: Stage) -> list[tuple[str, int]]:
    events = stage.world.events("user", 3)
    return [(event.name, len(event.stored.exdates)) for event in events if event.stored.rule is not None]


def master(stage: Stage) -> int:
    (event,) = (one for one in stage.world.events("user", 3) if one.stored.rule is not None)
    return event.id


def test_a_damaged_series_is_known_by_its_mark_after_a_lost_ledger(tmp_path: Path) -> None:
    stage = _series_stage(tmp_path, MARKED)
    run_inline(stage.one_pass())
    (before,) = series(stage)
    run_inline(_take_out(stage, master(stage)))
    lose_ledger(stage)
    result = run_inline(stage.one_pass())
    assert result.exit_code == 0
    assert series(stage) == [before]


@pytest.mark.parametrize("policy", ["portal", "report"])
def test_a_damaged_series_is_left_with_its_mark_where_edits_are_left(tmp_path: Path, policy: str) -> None:
    stage = _series_stage(tmp_path, f'on_conflict = "{policy}"\n{MARKED}')
    run_inline(stage.one_pass())
    run_inline(_take_out(stage, master(stage)))
    damaged = series(stage)
    lose_ledger(stage)
    result = run_inline(stage.one_pass())
    assert (result.record.counts["created"], result.record.counts["conflict"]) == (0, 1)
    assert series(stage) == damaged


def test_a_removed_occurrence_is_noticed_although_our_own_update_came_in_between(tmp_path: Path) -> None:
    stage = _series_stage(tmp_path)
    run_inline(stage.one_pass())
    run_inline(_take_out(stage, master(stage)))
    assert [taken for _, taken in series(stage)] == [1]
    stage.write("team.ics", SERIES.replace("SUMMARY:", "SUMMARY:New "))
    run_inline(stage.one_pass())
    assert [taken for _, taken in series(stage)] == [0]
    assert all(name.startswith("New ") for name, _ in series(stage))


@pytest.mark.parametrize("policy", ["portal", "report"])
def test_a_removed_occurrence_is_told_where_edits_are_left(tmp_path: Path, policy: str) -> None:
    stage = _series_stage(tmp_path, f'on_conflict = "{policy}"\n')
    run_inline(stage.one_pass())
    run_inline(_take_out(stage, master(stage)))
    stage.write("team.ics", SERIES.replace("SUMMARY:", "SUMMARY:New "))
    for verify in (False, True):
        result = run_inline(stage.one_pass(verify=verify))
        assert (result.record.counts["conflict"], [taken for _, taken in series(stage)]) == (1, [1])


@pytest.mark.parametrize("marker", ["", MARKED], ids=["plain", "marked"])
@pytest.mark.parametrize("policy", ["source", "portal", "report"])
def test_an_event_that_a_person_deleted_and_made_again_is_taken_over(tmp_path: Path, policy: str, marker: str) -> None:
    more = f'removed_after = 1\non_conflict = "{policy}"\n{marker}'
    stage = staged(tmp_path, rows(number=1), SHIFTS.replace("removed_after = 1", more))
    run_inline(stage.one_pass())
    (ours,) = shifts(stage)
    section = ours.section_id
    ask(stage, "calendar.event.delete", id=ours.id)
    wall = {"from": "2026-12-02T06:00:00", "to": "2026-12-02T14:00:00", "timezone_from": "Europe/Moscow"}
    again = ask(
        stage, "calendar.event.add", type="user", ownerId=3, section=section, name="Shift 1", skip_time="N", **wall
    )
    result = run_inline(stage.one_pass(verify=True))
    assert (result.exit_code, result.record.counts["adopted"], result.record.counts["created"]) == (0, 1, 0)
    assert [event.id for event in shifts(stage)] == [again]
    assert again in {link.remote_id for link in links(stage)}
    assert run_inline(stage.one_pass(verify=True)).record.counts["unchanged"] == 2


def made_again(folder: Path, **of_its_own: Any) -> tuple[Stage, int, int]:
    """Ours was deleted by a person, who made the same once more; the ids of both."""
    stage = staged(folder, rows(number=1))
    run_inline(stage.one_pass())
    (ours,) = shifts(stage)
    ask(stage, "calendar.event.delete", id=ours.id)
    times = {"from": "2026-12-02T06:00:00", "to": "2026-12-02T14:00:00"}
    again = person_adds(stage, "Shift 1", **{**times, "timezone_to": "Europe/Moscow", **of_its_own})
    return stage, ours.id, again.id


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("example,\n", "example,Hall\n"),
        ("Shift 1", "Renamed shift"),
        ("2026-12-02 06:00", "2026-12-02 07:00"),
    ],
    ids=["place", "title", "time"],
)
def test_an_ordinary_pass_looks_for_what_a_person_made_again_before_it_makes_it(
    tmp_path: Path, before: str, after: str
) -> None:
    stage, _, again = made_again(tmp_path)
    stage.write("shifts.csv", HEADER + rows(number=1).replace(before, after))
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["adopted"], result.record.counts["created"]) == (0, 1, 0)
    (_, event) = sorted(stage.world.events("user", 3), key=lambda one: one.id)
    assert event.id == again
    assert run_inline(stage.one_pass(verify=True)).record.counts["unchanged"] == 2


def test_what_a_person_made_in_place_of_ours_with_a_text_of_its_own_gets_no_twin(tmp_path: Path) -> None:
    stage, _, again = made_again(tmp_path, description="Bring the budget")
    for _ in range(2):
        result = run_inline(stage.one_pass(verify=True))
        assert (result.exit_code, result.record.counts["held"], result.record.counts["created"]) == (1, 1, 0)
        assert [(event.id, event.version) for event in shifts(stage)] == [(again, 1)]
    ask(stage, "calendar.event.delete", id=again)
    assert run_inline(stage.one_pass(verify=True)).record.counts["created"] == 1


class Liar(WorldTransport):
    """A portal that answers the creates of events with an id of another one."""

    answer: int = 0

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        said = await super().post(method, body, timeout_s)
        if b"calendar.event.add" not in body or not self.answer:
            return said
        told: Any = orjson.loads(said.body)
        asked = orjson.loads(body)["cmd"]
        for key, command in asked.items():
            if command.startswith("calendar.event.add"):
                told["result"]["result"][key] = self.answer
        return RawAnswer(status=said.status, headers=said.headers, body=orjson.dumps(told))


def test_a_create_that_is_answered_with_a_linked_id_is_looked_for(tmp_path: Path) -> None:
    stage = staged(tmp_path, rows(number=1))
    run_inline(stage.one_pass())
    (linked,) = shifts(stage)
    stage.transport = liar = Liar(stage.world, stage.clock)
    liar.answer = linked.id
    stage.write("shifts.csv", HEADER + rows(number=4))
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["created"]) == (0, 3)
    assert sorted(event.name for event in shifts(stage)) == ["Shift 1", "Shift 2", "Shift 3", "Shift 4"]
    assert {link.title: link.remote_id for link in links(stage)}["Shift 1"] == linked.id
    assert len({link.remote_id for link in links(stage)}) == 5
    liar.answer = 0
    assert run_inline(stage.one_pass(verify=True)).record.counts["unchanged"] == 5
