"""A portal as a source, from itself into itself: whole passes against the simulated portal."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import msgspec

from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.seed.world_schema import SeedEvent, SeedSection
from tests.support.sandbox import WEBHOOK, Stage, run_inline

CONFIG = f"""
[portals.main]
webhook = "{WEBHOOK}"

[[sync]]
name = "copies"
timezone = "Europe/Moscow"
on_removed = "delete"
removed_after = 1
max_removed = "100%"

[sync.source]
type = "bitrix24"
portal = "main"
calendar = "user"
owner = [3, "ivan.sokolov@school.example"]
SECTIONS

[sync.target]
calendar = "user"
owner = "{{owner}}"
section = "Copies"
"""


def event(number: int, name: str, section: int = 901, **more: object) -> SeedEvent:
    day = datetime(2026, 12, 1, 9)
    zone = "" if more.get("all_day") else "Europe/Moscow"
    keys = {"opens": day, "closes": day.replace(hour=10), "zone": zone, **more}
    return SeedEvent(id=number, section=section, name=name, **keys)  # type: ignore[arg-type]


def stage(folder: Path, *events: SeedEvent, sections: str = "") -> Stage:
    world = default_world()
    own = (SeedSection(id=901, name="Lessons", owner=3), SeedSection(id=902, name="Lessons", owner=5))
    seed = msgspec.structs.replace(world, sections=own, events=events, activities=())
    return Stage(folder, CONFIG.replace("SECTIONS", sections), seed=seed)


def names(stage: Stage) -> list[str]:
    return sorted(f"{event.name}/{event.section_id}" for owner in (3, 5) for event in stage.world.events("user", owner))


def test_a_portal_never_feeds_on_its_own_items(tmp_path: Path) -> None:
    staged = stage(tmp_path, event(1001, "Algebra"), event(1002, "Trip", 902, all_day=True))
    first = run_inline(staged.one_pass("copies"))
    assert (first.exit_code, first.record.counts["created"]) == (0, 2)
    after = names(staged)
    for verify in (False, True):
        again = run_inline(staged.one_pass("copies", verify=verify))
        assert again.exit_code == 0
        assert {name: number for name, number in again.record.counts.items() if number} == {"unchanged": 2}
    assert names(staged) == after
    assert len(after) == 4


def test_series_are_read_by_their_masters_with_the_days_left_out(tmp_path: Path) -> None:
    series = event(1001, "Stand-up", rrule={"FREQ": "WEEKLY", "INTERVAL": 1, "BYDAY": ["TU"]},
                   exdates=(date(2026, 12, 15),))  # fmt: skip
    moved = event(1003, "Stand-up, later", opens=datetime(2026, 12, 15, 11), closes=datetime(2026, 12, 15, 12))
    staged = stage(tmp_path, series, moved)

    async def read() -> object:
        async with staged.opened() as (syncs, _):
            return await syncs["copies"].source.read(syncs["copies"].reading(staged.clock.now()))

    snapshot = run_inline(read())
    entries = snapshot.entries  # type: ignore[attr-defined]
    assert [entry.details.title for entry in entries] == ["Stand-up", "Stand-up, later"]
    recurrence = entries[0].recurrence
    assert recurrence.rules == ("FREQ=WEEKLY;INTERVAL=1;BYDAY=TU",)
    assert [moment.wall for moment in recurrence.exdates] == [datetime(2026, 12, 15, 9)]
    assert entries[0].details.owner == "anna.petrova@school.example"
    assert run_inline(staged.one_pass("copies")).exit_code == 0


def test_what_is_deleted_in_the_source_is_deleted_and_the_original_never_touched(tmp_path: Path) -> None:
    staged = stage(tmp_path, event(1001, "Algebra"), event(1002, "Chess"))
    run_inline(staged.one_pass("copies"))
    gone = staged.world.tables.event(1002)
    assert gone is not None
    staged.world.tables.erase(gone)
    assert run_inline(staged.one_pass("copies")).record.counts["deleted"] == 1
    assert [name.partition("/")[0] for name in names(staged)] == ["Algebra", "Algebra"]


def test_a_section_that_syncd_writes_to_cannot_be_named_as_a_source(tmp_path: Path) -> None:
    staged = stage(tmp_path, event(1001, "Algebra"), sections='sections = ["Lessons", "Copies"]')
    run_inline(staged.one_pass("copies"))
    result = run_inline(staged.one_pass("copies"))
    assert result.exit_code == 5
    assert "syncd itself writes to section 'Copies'" in str(result.error)


def test_a_section_that_is_not_there_makes_the_reading_incomplete(tmp_path: Path) -> None:
    staged = stage(tmp_path, event(1001, "Algebra"), sections='sections = ["Lessons", "Lesons"]')
    result = run_inline(staged.one_pass("copies"))
    assert result.exit_code == 5
    assert result.record.counts["created"] == 1
    assert any("has a section 'lesons'" in problem.reason for problem in result.record.problems)
