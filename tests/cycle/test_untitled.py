"""Events without a title: the portal shows its own, and by it they are known again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

import pytest
from msgspec import structs

from syncd.cycle.run import PassOptions, run_pass
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.settings import Settings
from tests.support.sandbox import WEBHOOK, Stage, run_inline

CONFIG = f"""
[portals.main]
webhook = "{WEBHOOK}"

[[sync]]
name = "busy"
timezone = "Europe/Moscow"

[sync.source]
type = "ics"
path = "busy.ics"

[sync.target]
calendar = "user"
owner = "2"
section = "Busy"
"""
FEED = (
    "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART:20261201T090000\nDTEND:20261201T100000\nEND:VEVENT\nEND:VCALENDAR\n"
)


def stage_of(folder: Path, language: Literal["ru", "en"] = "en", *faults: str) -> Stage:
    settings = Settings(integer_stamps=False, faults=tuple(parse_fault(text) for text in faults))
    stage = Stage(folder, CONFIG, settings=settings, seed=structs.replace(default_world(), language=language))
    stage.write("busy.ics", FEED)
    return stage


@pytest.mark.parametrize("language", ["ru", "en"])
def test_an_event_without_a_title_is_created_and_read_back_as_it_was_sent(
    tmp_path: Path, language: Literal["ru", "en"]
) -> None:
    stage = stage_of(tmp_path, language)
    first = run_inline(stage.one_pass("busy"))
    again = run_inline(stage.one_pass("busy", verify=True))
    assert (first.exit_code, first.record.counts["created"], len(stage.world.events("user", 2))) == (0, 1, 1)
    assert (again.exit_code, again.record.counts["unchanged"], again.record.problems) == (0, 1, ())


@pytest.mark.parametrize("language", ["ru", "en"])
def test_an_event_without_a_title_whose_create_was_lost_is_found_again(
    tmp_path: Path, language: Literal["ru", "en"]
) -> None:
    stage = stage_of(tmp_path, language, "cut-after:method=calendar.event.add,times=1")

    async def killed() -> None:
        async with stage.opened() as (syncs, app):
            await asyncio.wait_for(run_pass(app.open_pass(syncs["busy"], asyncio.Event()), PassOptions()), 5)

    with pytest.raises(TimeoutError):
        run_inline(killed())
    assert len(stage.world.events("user", 2)) == 1
    stage.clock.advance(600)
    assert run_inline(stage.one_pass("busy")).exit_code == 0
    assert len(stage.world.events("user", 2)) == 1


def test_a_title_for_such_events_can_be_given_and_is_a_change_like_any_other(tmp_path: Path) -> None:
    stage = stage_of(tmp_path)
    run_inline(stage.one_pass("busy"))
    stage.config += '\n[sync.fields]\nname = "{title} (Anna)"\nuntitled = "Busy"\n'
    assert run_inline(stage.one_pass("busy")).record.counts["updated"] == 1
    assert [event.name for event in stage.world.events("user", 2)] == ["Busy (Anna)"]
