"""A sync stays with the portal it has written to: another one's events are never taken for its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncd.cycle.plan import preview
from syncd.cycle.takeback import undo
from syncd.errors import GuardError
from syncd.sandbox.world import World
from tests.cycle.test_pass import ROWS, staged
from tests.cycle.test_second_writer import A_WHILE_S, beside, made
from tests.cycle.test_taking import purged, taking, yes
from tests.support.sandbox import HEADER, SHIFTS, WEBHOOK, Stage, run_inline

OTHER = WEBHOOK.replace("http://127.0.0.1:9/", "https://company.example/")


def rehearsed(folder: Path) -> Stage:
    """A sync after a rehearsal in one portal, pointed at another one in which other events have the same ids."""
    stage = staged(folder)
    run_inline(stage.one_pass())
    move(stage)
    stage.write("syncd.toml", SHIFTS)
    return stage


def move(stage: Stage) -> None:
    stage.webhook = OTHER
    stage.world = World(stage.settings, stage.seed)
    stage.transport.world = stage.world


def test_another_portal_s_events_are_not_touched_after_a_rehearsal(tmp_path: Path) -> None:
    stage = rehearsed(tmp_path)
    stage.write("shifts.csv", HEADER + ROWS.replace("Early shift", "Opening"))
    before = stage.transport.requests
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.state) == (4, "failed")
    assert result.error is not None
    assert "written 3 items to http://127.0.0.1:9, but main is https://company.example now" in result.error.message
    assert "`state`" in result.error.remedy
    assert stage.transport.requests == before


def test_a_plan_says_it_too(tmp_path: Path) -> None:
    stage = rehearsed(tmp_path)

    async def plan() -> None:
        async with stage.opened() as (syncs, app):
            await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)

    with pytest.raises(GuardError, match="has written 3 items to"):
        run_inline(plan())


def test_nothing_is_taken_back_from_another_portal(tmp_path: Path) -> None:
    stage = rehearsed(tmp_path)
    before = stage.transport.requests
    undone = taking(stage, lambda setup, app: undo(app.open_pass(setup, asyncio.Event()), 1, confirm=yes))
    assert [one.error.exit_code if one.error else 0 for one in (undone, purged(stage))] == [4, 4]
    assert stage.transport.requests == before


def test_a_portal_under_a_new_address_is_accepted_once_by_force(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    stage.webhook = OTHER
    assert run_inline(stage.one_pass()).exit_code == 4
    assert run_inline(stage.one_pass(force=True)).record.counts["unchanged"] == 3
    again = run_inline(stage.one_pass())
    assert (again.exit_code, again.record.counts["unchanged"], again.record.requests) == (0, 3, 0)


def test_a_simulated_portal_on_another_port_of_this_machine_is_the_same_one(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    stage.webhook = WEBHOOK.replace("127.0.0.1:9/", "localhost:10/")
    again = run_inline(stage.one_pass())
    assert (again.exit_code, again.record.counts) == (0, {**dict.fromkeys(again.record.counts, 0), "unchanged": 3})


def test_after_a_purge_the_sync_begins_anew_in_another_portal(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    purged(stage)
    move(stage)
    stage.world.tables.users[3].active = False  # the people known from the portal before are not taken for those here
    result = run_inline(stage.one_pass())
    assert (result.record.counts["created"], result.record.counts["held"]) == (2, 1)
    assert stage.names() == ["Late shift", "Night shift"]


def test_what_was_noted_of_one_portal_refuses_nothing_in_another(tmp_path: Path) -> None:
    stage = made(tmp_path)
    purged(stage)
    move(stage)
    lost = beside(stage)
    lost.webhook = OTHER
    assert run_inline(lost.one_pass()).record.counts["created"] == 3
    stage.clock.advance(A_WHILE_S)
    begun = run_inline(stage.one_pass())
    assert (begun.error, begun.exit_code, begun.record.counts["adopted"]) == (None, 0, 3)
