"""Sections that change while guests are configured: the portal moves no meeting of another person's calendar."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from syncd.cycle.plan import preview
from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassResult
from syncd.cycle.takeback import Offer, Taken, undo
from tests.support.sandbox import Stage, run_inline
from tests.target.guests_stage import event_of, rewrite, staged
from tests.target.test_notices import copies

GUESTS = "ivan.sokolov@school.example, emma.clarke@school.example"
RENAMED = 'section = "Lessons"'


def planned(stage: Stage) -> Prepared:
    async def made() -> Prepared:
        async with stage.opened() as (syncs, app):
            prepared = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)
            assert prepared.forecast.commands  # worked out while the portal's client is open
            return prepared

    return run_inline(made())


def section_of(stage: Stage, owner: int) -> str:
    return stage.world.tables.sections[event_of(stage, owner).section_id].name


def counts(result: PassResult) -> dict[str, int]:
    return {name: number for name, number in result.record.counts.items() if number}


@pytest.mark.parametrize("verify", [False, True])
def test_a_meeting_goes_to_the_renamed_section_and_the_plan_tells_both_notices(tmp_path: Path, verify: bool) -> None:
    stage = staged(tmp_path, GUESTS)
    run_inline(stage.one_pass())
    first = event_of(stage, 3).id
    for copy in copies(stage):
        copy.meeting_status = "Y"
    stage.config = stage.config.replace('section = "Shifts"', RENAMED)
    before = len(stage.world.notices)
    prepared = planned(stage)
    assert "deleted and made again there" in prepared.plan.changes[0].reason
    result = run_inline(stage.one_pass(verify=verify))
    assert (result.exit_code, counts(result)) == (0, {"created": 1, "deleted": 1})
    assert (section_of(stage, 3), event_of(stage, 3).id != first) == ("Lessons", True)
    told = Counter((notice.to, notice.kind) for notice in stage.world.notices[before:])
    assert told == {(5, "cancel"): 1, (5, "invite"): 1, (7, "cancel"): 1, (7, "invite"): 1}
    assert dict(prepared.notified) == {5: 2, 7: 2}
    assert (prepared.forecast.commands, prepared.new_sections) == (2, 1)
    again = run_inline(stage.one_pass(verify=True))
    assert (again.exit_code, counts(again)) == (0, {"unchanged": 1})


@pytest.mark.parametrize("change", [('attendees = "source"', 'attendees = "none"'), ("user", "own")])
def test_what_the_portal_moves_is_updated(tmp_path: Path, change: tuple[str, str]) -> None:
    """No meeting, or one in the calendar of the webhook's own user."""
    stage = staged(tmp_path, GUESTS)
    if change[0] == "user":
        text = (tmp_path / "shifts.csv").read_text().replace("anna.petrova", "olga.smirnova")
        stage.write("shifts.csv", text)
    run_inline(stage.one_pass())
    stage.config = stage.config.replace('section = "Shifts"', RENAMED).replace(
        *change if change[0] != "user" else ("", "")
    )
    result = run_inline(stage.one_pass())
    assert counts(result) == {"updated": 1}
    assert section_of(stage, 1 if change[0] == "user" else 3) == "Lessons"


def test_one_that_a_person_moved_is_told_and_left(tmp_path: Path) -> None:
    stage = staged(tmp_path, GUESTS)
    run_inline(stage.one_pass())
    event, tables = event_of(stage, 3), stage.world.tables
    other = next(section for section in tables.sections_of(("user", 3)) if section.id != event.section_id)
    tables.move(event, other)
    event.version += 1
    before = len(stage.world.notices)
    for _ in range(3):
        result = run_inline(stage.one_pass(verify=True))
        assert (result.exit_code, counts(result)) == (1, {"conflict": 1})
        assert result.prepared is not None
        assert "moved to another section in the portal" in result.prepared.plan.conflicts[0].reason
    assert len(stage.world.notices) == before


def test_an_undo_says_that_the_meeting_stays_in_the_section(tmp_path: Path) -> None:
    stage = staged(tmp_path, GUESTS)
    run_inline(stage.one_pass())
    stage.config = stage.config.replace('section = "Shifts"', RENAMED)
    rewrite(stage, GUESTS, title="Council 2")
    run_inline(stage.one_pass())
    offers: list[Offer] = []

    async def undone() -> Taken:
        async def yes(offer: Offer) -> bool:
            offers.append(offer)
            return True

        async with stage.opened() as (syncs, app):
            return await undo(app.open_pass(syncs["shifts"], asyncio.Event()), 2, confirm=yes)

    assert run_inline(undone()).exit_code == 0
    assert "stays in the section «Lessons»" in offers[0].plan.changes[0].reason
    assert (event_of(stage, 3).name, section_of(stage, 3)) == ("Council", "Lessons")
    rewrite(stage, GUESTS)
    assert counts(run_inline(stage.one_pass(verify=True))) == {"unchanged": 1}


def test_a_meeting_taken_over_stays_in_its_section_with_a_warning(tmp_path: Path) -> None:
    stage = staged(tmp_path, GUESTS)
    run_inline(stage.one_pass())
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / "state" / f"syncd.db{suffix}").unlink(missing_ok=True)
    plain: dict[str, Any] = {'[sync.fields]\nattendees = "source"\n': "", "removed_after = 1": 'adopt = "same-time"'}
    for old, new in plain.items():
        stage.config = stage.config.replace(old, new)
    assert counts(run_inline(stage.one_pass())) == {"adopted": 1}
    event = event_of(stage, 3)
    stage.config = stage.config.replace('section = "Shifts"', RENAMED)
    for verify in (False, True):
        result = run_inline(stage.one_pass(verify=verify))
        assert (result.exit_code, counts(result)) == (0, {"unchanged": 1})
        assert "stays in the section «Shifts»" in result.record.problems[-1].reason
    assert (event_of(stage, 3).id, section_of(stage, 3)) == (event.id, "Shifts")
