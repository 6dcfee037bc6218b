"""What entries became is kept beside the ledger; whatever happens to the file, the plan is the same."""

from __future__ import annotations

import asyncio
import logging
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import orjson
import pytest
import structlog
from structlog.testing import capture_logs

from syncd import events
from syncd.app import program, wiring
from syncd.cycle import shapes_index
from syncd.cycle.plan import preview
from syncd.model import known_shapes
from syncd.model.known_shapes import PartShapes, Recalling
from syncd.sandbox.php.wire import PortalRequest
from syncd.source.shelf import shelf_name
from tests.cycle.edits import decided, told
from tests.cycle.feed_edits import CONFIG
from tests.cycle.shelf_damage import DAMAGES, packed_again
from tests.support.sandbox import Stage, run_inline

COUNT = 120
EVENT = (
    "BEGIN:VEVENT\nUID:{n}\nSUMMARY:{title}\nDTSTART;TZID=Europe/Moscow:202612{day}T090000\n"
    "ORGANIZER:mailto:anna.petrova@school.example\n{more}END:VEVENT\n"
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes_index, "MANY", 10)
    monkeypatch.setattr(known_shapes, "_ENDS_PART", 0b11)


def event(n: int, title: str = "", more: str = "") -> str:
    return EVENT.format(n=n, title=title or f"Shift {n}", day=f"{n % 28 + 1:02}", more=more)


def write(stage: Stage, *others: str) -> None:
    """Write the feed, with `others` in place of as many of its first events."""
    lines = [*others, *(event(n) for n in range(len(others), COUNT))]
    stage.write("shifts.ics", f"BEGIN:VCALENDAR\nVERSION:2.0\n{''.join(lines)}END:VCALENDAR\n")


def passed(stage: Stage) -> None:
    result = run_inline(stage.one_pass())
    assert (result.error, result.state) == (None, "done")


def staged(folder: Path) -> Stage:
    """Return a stage after two passes over a feed: the first asks for its people, so nothing is known after it."""
    stage = Stage(folder, CONFIG)
    write(stage)
    passed(stage)
    write(stage, event(0, "changed"))
    passed(stage)
    return stage


def the_file(stage: Stage) -> Path:
    return stage.folder / "state" / "syncd.db-index" / shelf_name("shaped", "shifts")


def known(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return of how many entries a new process knows what they become; its plan is the one that knows of none."""
    counts: list[int] = []
    finish = Recalling.finish

    def finished(recalling: Recalling) -> None:
        counts.append(recalling.as_sent)
        finish(recalling)

    async def planned(*, fresh: bool) -> tuple[object, object]:
        async with stage.opened(readonly=True) as (syncs, app):
            prepared = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False, fresh=fresh)
            assert prepared.settled is None
            return told(prepared), decided(prepared)

    with monkeypatch.context() as patched:
        patched.setattr(Recalling, "finish", finished)
        assert run_inline(planned(fresh=False)) == run_inline(planned(fresh=True))
    return sum(counts)


def test_a_new_process_shapes_only_the_entry_that_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = staged(tmp_path)
    assert stat.S_IMODE(the_file(stage).stat().st_mode) == 0o600
    write(stage, event(0, "changed"), event(1, "changed, too"))
    assert COUNT // 2 < known(stage, monkeypatch) < COUNT


def test_an_event_more_at_the_beginning_has_few_others_shaped_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = staged(tmp_path)
    write(stage, event(1000), event(0, "changed"), *(event(n) for n in range(1, COUNT)))
    assert COUNT // 2 < known(stage, monkeypatch) < COUNT


def test_series_and_entries_with_problems_are_shaped_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(tmp_path, CONFIG)
    odd = [event(n, more="RRULE:FREQ=WEEKLY;COUNT=3\n" if n % 2 else "ATTENDEE:mailto:x@y.example\n") for n in range(8)]
    write(stage, *odd)
    passed(stage)
    write(stage, *odd[:-1], event(7, "changed"))
    passed(stage)
    write(stage, *odd[:-1], event(7, "changed again"))
    assert COUNT // 2 < known(stage, monkeypatch) <= COUNT - 5


def test_nothing_that_people_wrote_stands_in_the_file(tmp_path: Path) -> None:
    content = the_file(staged(tmp_path)).read_bytes()
    assert b"Shift" not in content
    assert b"anna.petrova" not in content


def pack_nonsense(file: Path) -> None:
    packed_again(file, msgspec.msgpack.encode(["circumstances", {b"key": 1}]))


@pytest.mark.parametrize("damage", [*DAMAGES, pack_nonsense])
def test_a_damaged_file_is_told_and_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    stage = staged(tmp_path)
    damage(the_file(stage))
    write(stage, event(0, "changed again"))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with capture_logs() as lines:
        assert known(stage, monkeypatch) == 0
    assert [line["sync"] for line in lines if line["event"] == events.INDEX_DISCARDED] == ["shifts"]
    passed(stage)
    write(stage, event(0, "changed once more"))
    assert known(stage, monkeypatch) > COUNT // 2  # it was written again


@pytest.mark.parametrize(
    "wrong",
    [
        lambda part: PartShapes((), part.numbers, part.fingerprints),
        lambda part: PartShapes(part.spots, part.numbers[2:], part.fingerprints),
        lambda part: PartShapes(part.spots, part.numbers, part.fingerprints[1:]),
        lambda part: PartShapes((("user", 99, ""),), part.numbers, part.fingerprints),
    ],
    ids=["spots that are missing", "a number too few", "a fingerprint cut", "another owner"],
)
def test_parts_that_tell_nonsense_have_their_entries_shaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[PartShapes], PartShapes]
) -> None:
    stage = staged(tmp_path)
    mark, parts = shapes_index._FILE.decode(msgspec.msgpack.decode(the_file(stage).read_bytes())[2])
    wronged = {key: wrong(part) if part.numbers else part for key, part in parts.items()}
    packed_again(the_file(stage), msgspec.msgpack.encode((mark, wronged)))
    write(stage, event(0, "changed again"))
    assert known(stage, monkeypatch) == 0


def let_a_day_pass(stage: Stage) -> None:
    stage.clock.advance(86_400)


def change_config(stage: Stage) -> None:
    stage.config += "\n# a comment\n"


def put_the_window_elsewhere(stage: Stage) -> None:
    stage.config = stage.config.replace("removed_after = 1", 'removed_after = 1\nwindow = { past = "60d" }')


@pytest.mark.parametrize("change", [let_a_day_pass, change_config, put_the_window_elsewhere])
def test_what_all_entries_depend_on_has_all_of_them_shaped_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Stage], None]
) -> None:
    stage = staged(tmp_path)
    change(stage)
    write(stage, event(0, "changed again"))
    assert known(stage, monkeypatch) == 0


def test_a_file_of_another_program_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = staged(tmp_path)
    monkeypatch.setattr(wiring, "program_mark", program.program_mark)  # as a process that starts finds it
    monkeypatch.setattr(program, "_zones", lambda: iter(["another"]))
    write(stage, event(0, "changed again"))
    assert known(stage, monkeypatch) == 0


def test_what_a_person_deleted_is_not_taken_for_as_it_was_sent(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    (own,) = (one for place in stage.world.calendars() for one in stage.world.events(*place) if one.name == "Shift 7")
    asked = PortalRequest(
        path="/rest/1/sandboxadmin/calendar.event.delete",
        content_type="application/json",
        body=orjson.dumps({"id": own.id}),
    )
    stage.world.handle(stage.clock.start + stage.clock.offset_s + stage.clock._last, asked)
    write(stage, event(0, "changed again"))
    result = run_inline(stage.one_pass(verify=True))
    assert (result.record.counts["created"], result.record.counts["updated"]) == (1, 1)


def test_a_file_that_is_deleted_in_the_middle_of_a_pass_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = staged(tmp_path)
    write(stage, event(0, "changed again"))

    def delete() -> None:
        for one in the_file(stage).parent.iterdir():
            one.unlink()

    stage.transport.before = delete
    result = run_inline(stage.one_pass())
    assert (result.error, result.state, result.record.counts["updated"]) == (None, "done", 1)
    write(stage, event(0, "changed once more"))
    assert known(stage, monkeypatch) == 0


def test_who_only_looks_writes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = staged(tmp_path)
    the_file(stage).unlink()
    write(stage, event(0, "changed again"))
    assert known(stage, monkeypatch) == 0
    assert not the_file(stage).exists()
