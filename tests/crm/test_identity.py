"""Activities and to-dos of a portal that was restored from a backup: their ids are those of others now."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from syncd.cycle.takeback import Taken, purge
from tests.crm.stage import HEADER, VISITS, activities
from tests.crm.test_todo import TODO
from tests.cycle.test_taking import yes
from tests.support.restoring import ask, backup, restore
from tests.support.sandbox import Stage, run_inline

BASE = "0,+79161112233,2026-12-01 09:00,30,Base,anna.petrova@school.example,,\n"
MORE = "".join(
    f"{n},+79161112233,2026-12-{n + 1:02} 10:00,30,Visit {n},anna.petrova@school.example,,\n" for n in range(1, 7)
)
WHOM = {"OWNER_TYPE_ID": 3, "OWNER_ID": 1, "RESPONSIBLE_ID": 3}
TALK: dict[str, Any] = {"COMMUNICATIONS": [{"VALUE": "+7 916 111-22-33", "ENTITY_TYPE_ID": 3, "ENTITY_ID": 1}]}


def meeting(stage: Stage, n: int) -> None:
    day = f"2026-12-{n + 1:02}T15"
    times = {"START_TIME": f"{day}:00:00+03:00", "END_TIME": f"{day}:30:00+03:00"}
    ask(stage, "crm.activity.add", fields={**WHOM, **TALK, **times, "TYPE_ID": 1, "SUBJECT": f"Talk {n}"})


def to_do(stage: Stage, n: int) -> None:
    deadline = f"2026-12-{n + 1:02}T15:00:00+03:00"
    ask(stage, "crm.activity.todo.add", ownerTypeId=3, ownerId=1, deadline=deadline, title=f"Talk {n}", responsibleId=3)


def talks(stage: Stage) -> list[Any]:
    return [deepcopy(one) for one in activities(stage) if one.subject.startswith("Talk")]


@pytest.fixture(params=["meetings", "to-dos", "meetings where to-dos were", "to-dos where meetings were"])
def restored(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Stage, list[Any]]:
    kind = request.param
    config = TODO if kind in ("to-dos", "meetings where to-dos were") else VISITS
    stage = Stage(tmp_path, config)
    stage.write("visits.csv", HEADER + BASE)
    run_inline(stage.one_pass("visits"))
    kept = backup(stage)
    stage.write("visits.csv", HEADER + BASE + MORE)
    assert run_inline(stage.one_pass("visits")).record.counts["created"] == 6
    ours = {one.id for one in activities(stage)}
    restore(stage, kept)
    for n in range(1, 7):
        (meeting if kind.startswith("meetings") else to_do)(stage, n)
    assert {one.id for one in talks(stage)} <= ours
    return stage, talks(stage)


def test_a_verifying_pass_makes_ours_again_beside_them(restored: tuple[Stage, list[Any]]) -> None:
    stage, foreign = restored
    result = run_inline(stage.one_pass("visits", verify=True))
    assert (result.record.counts["created"], result.record.counts["updated"]) == (6, 0)
    assert talks(stage) == foreign
    assert run_inline(stage.one_pass("visits", verify=True)).record.counts["unchanged"] == 7


def test_an_ordinary_pass_and_purge_touch_none_of_them(restored: tuple[Stage, list[Any]]) -> None:
    stage, foreign = restored
    stage.write("visits.csv", HEADER + BASE + MORE.replace("Visit 3", "Changed 3").replace("6,+7", "9,+7"))
    assert run_inline(stage.one_pass("visits")).record.counts["deleted"] == 0
    assert talks(stage) == foreign

    async def go() -> Taken:
        async with stage.opened() as (syncs, app):
            return await purge(app.open_pass(syncs["visits"], asyncio.Event()), confirm=yes)

    assert run_inline(go()).exit_code == 0
    assert talks(stage) == foreign
    assert activities(stage) == foreign
