"""`[sync.fields.meeting]`: the portal's flags of a meeting, none of which is set unless the config says so."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from syncd.cycle.look import ReadBack, read_back
from syncd.cycle.plan import preview
from syncd.sandbox.tables.database import MeetingFlags
from tests.support.sandbox import Stage, run_inline
from tests.target.guests_stage import event_of, rewrite, staged
from tests.target.test_notices import copies

GUESTS = "ivan.sokolov@school.example, emma.clarke@school.example"


def proved(stage: Stage) -> ReadBack:
    async def made() -> ReadBack:
        async with stage.opened() as (syncs, app):
            run = app.open_pass(syncs["shifts"], asyncio.Event())
            return await read_back(run, [link.key for link in await run.ledger.links()])

    return run_inline(made())


def planned_notices(stage: Stage) -> Counter[int]:
    async def made() -> Counter[int]:
        async with stage.opened() as (syncs, app):
            return Counter((await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)).notified)

    return run_inline(made())


@pytest.mark.parametrize("flag", ["notify", "allow_invite", "hide_guests"])
def test_a_flag_is_sent_and_read_back(tmp_path: Path, flag: str) -> None:
    stage = staged(tmp_path, GUESTS, f"meeting.{flag} = true\n")
    run_inline(stage.one_pass())
    assert event_of(stage, 3).flags == MeetingFlags(**{flag: True})
    assert dict(proved(stage).wrong) == {}
    event = event_of(stage, 3)
    event.flags, event.version = MeetingFlags(), event.version + 1
    result = run_inline(stage.one_pass(verify=True))
    assert result.record.counts["updated"] == 1, "a person took it off, and the source wins"
    assert event_of(stage, 3).flags == MeetingFlags(**{flag: True})


def test_without_the_table_nobody_is_bothered_and_what_people_set_is_no_edit(tmp_path: Path) -> None:
    stage = staged(tmp_path, GUESTS)
    run_inline(stage.one_pass())
    event = event_of(stage, 3)
    assert event.flags == MeetingFlags()
    event.flags, event.version = MeetingFlags(hide_guests=True), event.version + 1
    assert run_inline(stage.one_pass(verify=True)).record.counts["unchanged"] == 1


def test_reinvite_asks_all_guests_again_at_every_change_and_the_plan_counts_them(tmp_path: Path) -> None:
    stage = staged(tmp_path, GUESTS, "meeting.reinvite = true\n")
    run_inline(stage.one_pass())
    for copy in copies(stage):
        copy.meeting_status = "N"
    rewrite(stage, GUESTS, title="Review")
    before = len(stage.world.notices)
    expected = planned_notices(stage)
    assert run_inline(stage.one_pass()).record.counts["updated"] == 1
    assert Counter(notice.to for notice in stage.world.notices[before:]) == expected == Counter({5: 1, 7: 1})
    assert {copy.meeting_status for copy in copies(stage)} == {"Q"}
    assert dict(proved(stage).wrong) == {}, "it is never stored, so it is not compared"
