"""What a large feed was parsed to is kept beside the ledger; whatever happens to the file, the plan is the same."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
import pytest
import structlog
from structlog.testing import capture_logs

from syncd import events
from syncd.app import program, wiring
from syncd.cycle.plan import preview
from syncd.cycle.run import PassResult
from syncd.source import shelf
from syncd.source.file_source import FileSource
from syncd.source.ical import feed_reader
from syncd.source.ical.ics import IcsFormat
from syncd.source.shelf import Shelf, shelf_name
from syncd.source.web.cache import DirectoryCache
from tests.cycle.edits import told
from tests.cycle.feed_edits import CONFIG, FeedLife
from tests.cycle.shelf_damage import DAMAGES, packed_again
from tests.support.sandbox import Stage, run_inline

COUNT = 120
EVENT = (
    "BEGIN:VEVENT\nUID:{n}\nSUMMARY:Shift {n}\nDTSTART;TZID=Europe/Moscow:20261201T0900{second:02}\n"
    "ORGANIZER:mailto:anna.petrova@school.example\nEND:VEVENT\n"
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_reader, "MANY", 10)


def write(stage: Stage, body: str) -> None:
    stage.write("shifts.ics", f"BEGIN:VCALENDAR\nVERSION:2.0\n{body}END:VCALENDAR\n")


def body(count: int = COUNT) -> str:
    return "".join(EVENT.format(n=n, second=n % 60) for n in range(count))


def staged(folder: Path) -> Stage:
    """Return a stage after a pass over a feed."""
    stage = Stage(folder, CONFIG)
    write(stage, body())
    passed(stage)
    return stage


def passed(stage: Stage, *, fresh: bool = False) -> PassResult:
    result = run_inline(stage.one_pass(fresh=fresh))
    assert (result.error, result.state) == (None, "done")
    return result


def the_file(stage: Stage) -> Path:
    return stage.folder / "state" / "syncd.db-index" / shelf_name("parsed", "shifts")


def parsed_anew(stage: Stage, *, more: str = EVENT.format(n="more", second=0)) -> int:
    """Return how many groups a plan of a new process parses after an edit; it is the plan that needs no index."""
    write(stage, more + body())

    async def planned(*, fresh: bool) -> tuple[int, object]:
        async with stage.opened(readonly=True) as (syncs, app):
            prepared = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False, fresh=fresh)
            source = syncs["shifts"].source
            assert isinstance(source, FileSource)
            assert isinstance(source._assembly._format, IcsFormat)
            return source._assembly._format.parsed, told(prepared)

    parsed, known = run_inline(planned(fresh=False))
    whole, without = run_inline(planned(fresh=True))
    assert known == without
    assert whole == COUNT + 1
    return parsed


def test_a_new_process_parses_only_what_has_changed_although_all_lines_are_others(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    assert parsed_anew(stage) == 1
    assert stat.S_IMODE(the_file(stage).stat().st_mode) == 0o600


def test_what_all_events_depend_on_has_all_of_them_parsed_again(tmp_path: Path) -> None:
    assert parsed_anew(staged(tmp_path), more="X-WR-CALNAME:Plan\n" + EVENT.format(n="more", second=0)) == COUNT + 1


def test_events_whose_problems_quote_lines_are_parsed_again_once_these_are_others(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    odd = EVENT.format(n="odd", second=0).replace("ORGANIZER", "no line of iCalendar\nORGANIZER")
    write(stage, odd + body())
    passed(stage, fresh=True)
    assert parsed_anew(stage, more=odd) == 0
    assert parsed_anew(stage, more=f"BEGIN:VTODO\nUID:t\nEND:VTODO\n{odd}") == 1


def pack_nonsense(file: Path) -> None:
    packed_again(file, msgspec.msgpack.encode({"shifts.ics": [["key", 1]]}))


@pytest.mark.parametrize("damage", [*DAMAGES, pack_nonsense])
def test_a_damaged_file_is_told_and_passed_over(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    stage = staged(tmp_path)
    damage(the_file(stage))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with capture_logs() as lines:
        assert parsed_anew(stage) == COUNT + 1
    assert [line["sync"] for line in lines if line["event"] == events.INDEX_DISCARDED] == ["shifts"]
    passed(stage, fresh=True)
    assert parsed_anew(stage) == 0  # it was written again, with the event that is new


def test_blocks_that_are_none_cost_their_events_a_second_parsing_and_nothing_else(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    packed_again(the_file(stage), msgspec.msgpack.encode({"shifts.ics": [[b"k" * 32, b"no block"]]}))
    assert parsed_anew(stage) == COUNT + 1


def test_a_file_of_another_program_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = staged(tmp_path)
    monkeypatch.setattr(wiring, "program_mark", program.program_mark)  # as a process that starts finds it
    monkeypatch.setattr(program, "_zones", lambda: iter(["another"]))
    assert parsed_anew(stage) == COUNT + 1


def test_without_a_mark_nothing_is_found_and_nothing_is_kept(tmp_path: Path) -> None:
    board = DirectoryCache(tmp_path / "index", writable=True)
    Shelf(kind="parsed", sync="shifts", board=board, mark=lambda: "mark").save(b"content")
    place = Shelf(kind="parsed", sync="shifts", board=board, mark=lambda: "")
    assert place.load() is None
    place.save(b"other")
    assert Shelf(kind="parsed", sync="shifts", board=board, mark=lambda: "mark").load() == b"content"


def test_a_file_of_another_config_is_passed_over(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    stage.config = CONFIG.replace('path = "shifts.ics"', 'path = "shifts.ics"\ndefault_duration = "30m"')
    assert parsed_anew(stage) == COUNT + 1


def test_a_file_that_others_may_have_written_is_passed_over(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    the_file(stage).chmod(0o666)
    assert parsed_anew(stage) == COUNT + 1
    the_file(stage).chmod(0o600)
    assert parsed_anew(stage) == 1
    if os.geteuid() == 0:
        os.chown(the_file(stage), 65534, 65534)
        assert parsed_anew(stage) == COUNT + 1


def test_what_stands_in_the_place_of_the_file_and_is_none_keeps_nobody_waiting(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    the_file(stage).unlink()
    os.mkfifo(the_file(stage), 0o600)
    assert parsed_anew(stage) == COUNT + 1


def test_a_file_that_is_deleted_in_the_middle_of_a_pass_costs_nothing(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    write(stage, body(COUNT + 1))
    stage.transport.before = lambda: the_file(stage).unlink(missing_ok=True)
    assert passed(stage).record.counts["created"] == 1
    assert parsed_anew(stage) == COUNT + 1


def test_a_disk_that_takes_nothing_leaves_the_pass_as_it_is(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CONFIG)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "syncd.db-index").write_bytes(b"")  # where the folder should be
    write(stage, body())
    assert passed(stage).record.counts["created"] == COUNT
    assert parsed_anew(stage) == COUNT + 1


def test_a_file_larger_than_its_bound_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "MOST_BYTES", 10)
    assert not the_file(staged(tmp_path)).exists()


def test_one_new_event_of_many_does_not_have_all_written_again(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    before = the_file(stage).stat().st_ino
    for more in (1, 2, 3):
        write(stage, body(COUNT + more))
        passed(stage)
        assert (the_file(stage).stat().st_ino == before) == (more < 3)


def test_what_a_removed_sync_has_kept_is_deleted(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    stage.config = CONFIG.replace('name = "shifts"', 'name = "renamed"')
    run_inline(stage.one_pass("renamed", force=True))
    assert not the_file(stage).exists()
    assert the_file(stage).with_name(shelf_name("parsed", "renamed")).exists()


def test_a_folder_among_the_files_keeps_none_of_them_from_being_deleted(tmp_path: Path) -> None:
    board = DirectoryCache(tmp_path / "index", writable=True)
    for number in range(20):
        board.save(f"parsed{number}", b"a schedule")
        (tmp_path / "index" / f"folder{number}").mkdir()
    board.keep_only({"parsed7"})
    assert [one.name for one in (tmp_path / "index").iterdir() if one.is_file()] == ["parsed7"]


def test_who_only_looks_keeps_nothing(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    the_file(stage).unlink()
    assert parsed_anew(stage) == COUNT + 1
    assert not the_file(stage).exists()


@pytest.mark.parametrize("seed", range(6))
def test_a_plan_with_the_index_is_always_the_one_without(tmp_path: Path, seed: int) -> None:
    life = FeedLife(tmp_path, Random(seed))
    life.play(15)
    assert (life.compared, life.taken > 0, life.parsed > 0) == (15, True, True)
    assert life.unshaped > 0
