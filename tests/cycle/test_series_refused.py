"""A piece of a series that the portal refuses to change: what would show an occurrence twice, or lose one, waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from syncd.cycle.run import PassResult
from syncd.model.json_values import Json
from syncd.portal.line.answers import RawAnswer
from tests.cycle.browser import OWNER
from tests.cycle.test_pass import ROWS, staged
from tests.cycle.test_series_edits import FIRST, LESSON, TWO_HUNDRED, ZONE, Edited, begun, text
from tests.support.sandbox import HEADER, Stage, WorldTransport, run_inline

SENTENCE = "Доступ запрещен"
CUT = text(LESSON, TWO_HUNDRED, without=(FIRST,))
WHOLE = text(LESSON, TWO_HUNDRED)
SHAPES = ("a sentence", "an error")


class Refusing(WorldTransport):
    """A portal that does not carry out commands of one method, whose text `concerns` picks, and says so in `shape`."""

    method = ""
    shape = "a sentence"
    concerns: Callable[[str], bool] = staticmethod(lambda text: True)

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        request: dict[str, Any] = orjson.loads(body)
        commands: dict[str, str] = request.get("cmd", {})
        refused = {key for key, one in commands.items() if one.startswith(f"{self.method}?") and self.concerns(one)}
        request["cmd"] = {key: "server.time" if key in refused else one for key, one in commands.items()}
        answer = await super().post(method, orjson.dumps(request) if refused else body, timeout_s)
        if not refused:
            return answer
        said = orjson.loads(answer.body)
        maps = said["result"]
        maps["result_error"] = dict(maps["result_error"] or {})
        for key in refused:
            del maps["result"][key]
            if self.shape == "a sentence":
                maps["result"][key] = SENTENCE
            else:
                maps["result_error"][key] = {"error": "", "error_description": SENTENCE}
        return replace(answer, body=orjson.dumps(said))


def refusing(stage: Stage, method: str, shape: str = "a sentence") -> Refusing:
    stage.transport = Refusing(stage.world, stage.clock)
    stage.transport.method, stage.transport.shape = method, shape
    return stage.transport


async def asked(stage: Stage, method: str, **params: Json) -> None:
    async with stage.opened() as (_, app):
        await app.portals["main"].read(method, params)


def brought(edited: Edited, ics: str) -> PassResult:
    """Run a pass for the new text, and see that nothing ever stands twice."""
    edited.stage.write("team.ics", ics)
    edited.longest = edited.in_a_row = 0
    edited.stage.transport.before = edited.look
    result = run_inline(edited.stage.one_pass("series"))
    edited.look()
    assert edited.longest == 0
    return result


@pytest.mark.parametrize("batch_size", [1, 50])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_successor_waits_for_the_cut_that_was_refused(tmp_path: Path, shape: str, batch_size: int) -> None:
    edited = begun(tmp_path, WHOLE, batch_size=batch_size)
    refusing(edited.stage, "calendar.event.update", shape)
    result = brought(edited, CUT)
    assert (result.state, result.exit_code) == ("partial", 1)
    assert (result.record.counts["created"], result.record.counts["held"]) == (0, 2)
    reasons = [problem.reason for problem in result.record.problems if problem.kind == "held"]
    assert len(reasons) == 2
    assert all(SENTENCE in reason for reason in reasons)
    assert sum("waits" in reason for reason in reasons) == 1
    assert all(problem.where for problem in result.record.problems)
    later = brought(edited, CUT)
    assert (later.record.counts["created"], later.record.counts["held"], later.exit_code) == (0, 2, 1)
    assert sorted(problem.reason for problem in later.record.problems) == sorted(reasons)
    edited.stage.transport.method = "nothing"  # type: ignore[attr-defined]
    edited.stage.clock.advance(3600)
    assert edited.brought(CUT).total() == 2


@pytest.mark.parametrize("shape", SHAPES)
def test_an_entry_stays_where_it_was_while_its_new_place_refuses_it(tmp_path: Path, shape: str) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    refusing(stage, "calendar.event.add", shape)
    stage.write("shifts.csv", HEADER + ROWS.replace("anna.petrova", "ivan.sokolov"))
    for _ in range(2):
        result = run_inline(stage.one_pass())
        assert (result.exit_code, result.record.counts["deleted"], result.record.counts["held"]) == (1, 0, 2)
        assert [SENTENCE in problem.reason for problem in result.record.problems] == [True] * 2
        assert stage.names(owner=3) == ["Early shift"]
    stage.transport.method = "nothing"  # type: ignore[attr-defined]
    stage.clock.advance(3600)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["created"], result.record.counts["deleted"]) == (0, 1, 1)
    assert (stage.names(owner=3), stage.names(owner=5)) == ([], ["Early shift", "Late shift"])


def test_a_series_goes_when_only_a_part_of_what_takes_its_place_is_refused(tmp_path: Path) -> None:
    """The first Mondays become several series; one of them that is refused does not keep the old series."""
    edited = begun(tmp_path, WHOLE)
    (before,) = edited.stage.world.events("user", OWNER)
    mondays = text(LESSON, "FREQ=MONTHLY;BYDAY=1MO", without=(date(2026, 1, 5),))
    refusing(edited.stage, "calendar.event.add").concerns = lambda one: "2026-04-06" in unquote(one)
    edited.stage.write("team.ics", mondays)
    result = run_inline(edited.stage.one_pass("series"))
    assert (result.exit_code, result.record.counts["deleted"], result.record.counts["held"]) == (1, 1, 1)
    assert before.id not in {event.id for event in edited.stage.world.events("user", OWNER)}
    edited.stage.transport.method = "nothing"  # type: ignore[attr-defined]
    edited.stage.clock.advance(3600)
    assert edited.brought(mondays) == {"created": 1, "updated": 0, "deleted": 0}


async def holds(stage: Stage) -> int:
    async with stage.opened() as (_, app):
        return len(await app.ledger.of("shifts").holds())


def test_a_hold_ends_with_what_was_refused(tmp_path: Path) -> None:
    """A create whose row is gone, and an update whose row is as it was before, are nothing to wait for."""
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    refusing(stage, "calendar.event.add")
    more = "9,Ninth shift,2026-12-03 06:00,2026-12-03 14:00,anna.petrova@school.example,\n"
    stage.write("shifts.csv", HEADER + ROWS + more)
    run_inline(stage.one_pass())
    stage.transport.method = "calendar.event.update"  # type: ignore[attr-defined]
    stage.write("shifts.csv", HEADER + ROWS.replace("Late shift", "Later shift") + more)
    assert run_inline(stage.one_pass()).record.counts["held"] == 2
    assert run_inline(holds(stage)) == 2
    stage.write("shifts.csv", HEADER + ROWS)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["unchanged"]) == (0, 3)
    assert run_inline(holds(stage)) == 0


@pytest.mark.parametrize("admin", [True, False])
def test_the_cut_of_a_series_that_is_gone_makes_both_pieces_anew(tmp_path: Path, admin: bool) -> None:
    edited = begun(tmp_path, WHOLE)
    (event,) = edited.stage.world.events("user", OWNER)
    run_inline(asked(edited.stage, "calendar.event.delete", id=event.id))
    if not admin:
        refusing(edited.stage, "calendar.event.update").concerns = lambda one: f"id={event.id}&" in one
    edited.stage.write("team.ics", CUT)
    edited.stage.transport.before = edited.look
    result = run_inline(edited.stage.one_pass("series"))
    edited.look()
    assert (result.exit_code, edited.longest) == (0, 0)
    assert edited.brought(CUT).total() == 0
    assert len(edited.stage.world.events("user", OWNER)) == 2


def test_an_entry_stays_where_it_was_while_its_new_owner_s_section_cannot_be_made(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    refusing(stage, "calendar.section.add", "an error")
    stage.write("shifts.csv", HEADER + ROWS.replace("anna.petrova", "james.walker"))
    result = run_inline(stage.one_pass())
    assert result.exit_code == 1
    assert (result.record.counts["deleted"], result.record.counts["held"]) == (0, 2)
    assert stage.names(owner=3) == ["Early shift"]
    stage.transport.method = "nothing"  # type: ignore[attr-defined]
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["created"], result.record.counts["deleted"]) == (0, 1, 1)
    assert stage.names(owner=3) == []


def test_a_series_a_person_edited_gets_no_successor_while_its_edit_is_left(tmp_path: Path) -> None:
    edited = begun(tmp_path, WHOLE)
    edited.stage.config = edited.stage.config.replace("removed_after = 1", 'removed_after = 1\non_conflict = "report"')
    (event,) = edited.stage.world.events("user", OWNER)
    params: dict[str, Json] = {"id": event.id, "type": "user", "ownerId": OWNER, "location": "Attic", "skip_time": "N"}
    params |= {"timezone_from": ZONE, "timezone_to": ZONE}
    run_inline(asked(edited.stage, "calendar.event.update", **params))
    run_inline(edited.stage.one_pass("series", verify=True))
    for verify in (True, False):
        edited.stage.write("team.ics", CUT)
        result = run_inline(edited.stage.one_pass("series", verify=verify))
        assert (result.record.counts["created"], result.record.counts["conflict"]) == (0, 1)
        assert len(edited.stage.world.events("user", OWNER)) == 1
