"""What series became is kept beside the ledger; whatever happens to the file, the plan is the same."""

from __future__ import annotations

import asyncio
import logging
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import structlog
from structlog.testing import capture_logs

from syncd import events
from syncd.app import program, wiring
from syncd.cycle.plan import preview
from syncd.source import shelf
from syncd.source.shelf import shelf_name
from syncd.target.calendar.calendar_target import CalendarTarget
from tests.cycle.edits import told
from tests.cycle.shelf_damage import DAMAGES, packed_again
from tests.support.sandbox import SHIFTS, Stage, run_inline

CONFIG = SHIFTS.replace('location = "Place"', 'location = "Place"\nrrule = "Rule"')
HEADER = "ID,Shift,Start,End,E-mail,Place,Rule\n"
LESSON = '{n},Lesson {n},2026-12-01 06:00,2026-12-01 07:00,anna.petrova@school.example,,"FREQ=WEEKLY;COUNT={n}"\n'


def staged(folder: Path, count: int = 3) -> Stage:
    """Return a stage after a pass over `count` series."""
    stage = Stage(folder, CONFIG)
    stage.write("shifts.csv", HEADER + "".join(LESSON.format(n=n) for n in range(2, count + 2)))
    run_inline(stage.one_pass())
    return stage


def the_file(stage: Stage) -> Path:
    (found,) = (stage.folder / "state" / "syncd.db-index").iterdir()
    return found


def compiled_anew(stage: Stage) -> int:
    """Return how many series a whole plan of a new process compiles; its plan is that of one without an index."""

    async def planned() -> tuple[int, object]:
        async with stage.opened(readonly=True) as (syncs, app):
            prepared = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False, fresh=True)
            target = syncs["shifts"].target
            assert isinstance(target, CalendarTarget)
            return target.series.compiled, told(prepared)

    compiled, known = run_inline(planned())
    folder = stage.folder / "state" / "syncd.db-index"
    folder.rename(folder.with_name("aside"))
    try:
        assert run_inline(planned())[1] == known
    finally:
        folder.with_name("aside").rename(folder)
    return compiled


def test_a_new_process_compiles_only_what_has_changed(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    assert compiled_anew(stage) == 0
    assert stat.S_IMODE(the_file(stage).stat().st_mode) == 0o600
    text = stage.folder.joinpath("shifts.csv").read_text()
    stage.write("shifts.csv", text.replace("COUNT=2", "COUNT=9"))
    assert compiled_anew(stage) == 1


def test_nothing_that_people_wrote_stands_in_the_file(tmp_path: Path) -> None:
    content = the_file(staged(tmp_path)).read_bytes()
    assert b"Lesson" not in content
    assert b"anna.petrova" not in content


def pack_nonsense(file: Path) -> None:
    packed_again(file, msgspec.msgpack.encode([["uid", 1]]))


@pytest.mark.parametrize("damage", [*DAMAGES, pack_nonsense])
def test_a_damaged_file_is_told_and_passed_over(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    stage = staged(tmp_path)
    damage(the_file(stage))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with capture_logs() as lines:
        assert compiled_anew(stage) == 3
    assert [line["sync"] for line in lines if line["event"] == events.INDEX_DISCARDED] == ["shifts"]
    run_inline(stage.one_pass(fresh=True))
    assert compiled_anew(stage) == 0  # it was written again


def test_a_file_of_another_program_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = staged(tmp_path)
    monkeypatch.setattr(wiring, "program_mark", program.program_mark)  # as a process that starts finds it
    monkeypatch.setattr(program, "_zones", lambda: iter(["another"]))
    assert compiled_anew(stage) == 3


def test_an_upgrade_in_the_middle_of_a_pass_costs_the_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced() -> str:
        raise FileNotFoundError("syncd/model/item.py")

    stage = staged(tmp_path)
    before = the_file(stage).read_bytes()
    monkeypatch.setattr(wiring, "program_mark", replaced)
    text = stage.folder.joinpath("shifts.csv").read_text()
    stage.write("shifts.csv", text.replace("COUNT=2", "COUNT=9"))
    result = run_inline(stage.one_pass())
    assert (result.error, result.record.counts["updated"]) == (None, 1)
    assert the_file(stage).read_bytes() == before


def test_a_file_that_is_deleted_in_the_middle_of_a_pass_costs_nothing(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    text = stage.folder.joinpath("shifts.csv").read_text()
    stage.write("shifts.csv", text.replace("COUNT=2", "COUNT=9"))
    folder = the_file(stage).parent

    def delete() -> None:
        for one in folder.iterdir():
            one.unlink()

    stage.transport.before = delete
    result = run_inline(stage.one_pass())
    assert (result.error, result.state) == (None, "done")
    assert compiled_anew(stage) == 3


def test_one_new_series_of_many_does_not_have_all_written_again(tmp_path: Path) -> None:
    stage = staged(tmp_path, 120)
    before = the_file(stage).stat().st_ino
    text = stage.folder.joinpath("shifts.csv").read_text()
    for number in (2, 3, 4):
        text = text.replace(f'COUNT={number}"', f'COUNT={number + 1000}"')
        stage.write("shifts.csv", text)
        run_inline(stage.one_pass(force=True))
        same = the_file(stage).stat().st_ino == before
        assert same == (number < 4)
    assert compiled_anew(stage) == 0


def test_a_file_larger_than_its_bound_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "MOST_BYTES", 10)
    stage = staged(tmp_path)
    assert not (stage.folder / "state" / "syncd.db-index").exists()


def test_files_of_removed_syncs_and_half_written_ones_are_cleared_away(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    own = the_file(stage)
    own.with_name(".half.123456789").write_bytes(b"half")
    other = own.with_name(shelf_name("series", "removed"))
    other.write_bytes(own.read_bytes())
    run_inline(planned_readonly(stage))
    assert other.exists()  # who only looks deletes nothing
    run_inline(stage.one_pass())
    assert list(own.parent.iterdir()) == [own]
    stage.config = stage.config.replace('name = "shifts"', 'name = "renamed"')
    run_inline(stage.one_pass("renamed", force=True))
    assert the_file(stage).name == shelf_name("series", "renamed")


async def planned_readonly(stage: Stage) -> None:
    async with stage.opened(readonly=True):
        pass
