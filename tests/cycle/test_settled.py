"""A pass that left nothing to do is recognised by the next one, in another process too, and hides nothing."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import orjson
import pytest
from msgspec.structs import replace as replaced

from syncd.app import program, wiring
from syncd.cycle.plan import preview
from syncd.cycle.run import PassResult
from syncd.model.entry import Problem
from syncd.model.record import next_hold
from syncd.source.files import Assembly
from syncd.state.notes import ledger_mark, write_note
from syncd.state.sqlite.connection import connected
from tests.cycle.edits import Life, told
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ROWS = (
    "1,Early,2026-12-01 06:00,2026-12-01 14:00,anna.petrova@school.example,\n"
    "2,Late,2026-12-02 14:00,2026-12-02 22:00,anna.petrova@school.example,\n"
    "3,Night,2026-12-03 14:00,not a time,ivan.sokolov@school.example,\n"
)
SOUND = "".join(ROWS.splitlines(keepends=True)[:2])


def settled_stage(folder: Path, config: str = SHIFTS, rows: str = ROWS) -> Stage:
    """Return a stage on which a pass has left nothing to do: the first writes, the second finds it so."""
    stage = Stage(folder, config)
    stage.write("shifts.csv", HEADER + rows)
    run_inline(stage.one_pass())
    run_inline(stage.one_pass())
    return stage


def is_settled(result: PassResult) -> bool:
    assert result.error is None
    assert result.prepared is not None
    return result.prepared.settled is not None


def no_parsing(*_: object) -> None:
    raise AssertionError("the source was parsed")


def test_nothing_is_parsed_where_nothing_has_changed_and_the_same_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = settled_stage(tmp_path)
    before = run_inline(stage.one_pass(fresh=True))
    monkeypatch.setattr(Assembly, "parsed", no_parsing)
    after = run_inline(stage.one_pass())
    assert (is_settled(before), is_settled(after)) == (False, True)
    assert (before.record.counts["unchanged"], before.record.counts["rejected"], before.exit_code) == (2, 1, 1)
    assert after.record.counts == before.record.counts
    assert after.record.problems == before.record.problems
    assert (after.exit_code, after.state, after.record.requests) == (before.exit_code, before.state, 0)


def test_a_plan_of_what_is_settled_prints_the_same(tmp_path: Path) -> None:
    stage = settled_stage(tmp_path)

    async def planned(*, fresh: bool) -> tuple[bool, object]:
        async with stage.opened(readonly=True) as (syncs, app):
            prepared = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False, fresh=fresh)
            return prepared.settled is not None, told(prepared)

    known, whole = run_inline(planned(fresh=False)), run_inline(planned(fresh=True))
    assert (known[0], whole[0]) == (True, False)
    assert known[1] == whole[1]


def change_source(stage: Stage) -> None:
    stage.write("shifts.csv", HEADER + ROWS.replace("Late", "Later"))


def change_config(stage: Stage) -> None:
    stage.config += "\n# a comment moves the lines that messages name\n"


def let_a_day_pass(stage: Stage) -> None:
    stage.clock.advance(15 * 3600)


def set_the_clock_back(stage: Stage) -> None:
    stage.clock.offset_s -= 1000


def change_the_directory(stage: Stage) -> None:
    with closing(sqlite3.connect(stage.folder / "state" / "syncd.db")) as connection:
        (value,) = connection.execute("SELECT value FROM notes WHERE name = 'directory'").fetchone()
        kept = orjson.loads(value)

    async def note() -> None:
        async with stage.opened() as (_, app):
            kept["directory"]["users"][0]["name"] = "Renamed"
            origin = app.portals["main"].origin
            await app.ledger.of_portal("main").note_directory(origin, kept["directory"], stage.clock.now())

    run_inline(note())


def count_an_absence(stage: Stage) -> None:
    async def mark() -> None:
        async with stage.opened() as (_, app):
            ledger = app.ledger.of("shifts")
            await ledger.mark_absent([(await ledger.links())[0].key], ())

    run_inline(mark())


def ask_to_read_the_portal(stage: Stage) -> None:
    async def forget() -> None:
        async with stage.opened() as (_, app):
            await app.ledger.of("shifts").forget_verified()

    run_inline(forget())


CHANGES = (
    change_source, change_config, let_a_day_pass, set_the_clock_back, change_the_directory, count_an_absence,
    ask_to_read_the_portal,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_a_plan_follows_from_makes_a_whole_pass(tmp_path: Path, change: Callable[[Stage], None]) -> None:
    stage = settled_stage(tmp_path)
    assert is_settled(run_inline(stage.one_pass()))
    change(stage)
    assert not is_settled(run_inline(stage.one_pass()))


@pytest.mark.parametrize("part", ["_versions", "_files", "_zones"])
def test_another_program_or_other_zone_data_make_a_whole_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    stage = settled_stage(tmp_path)
    monkeypatch.setattr(wiring, "program_mark", program.program_mark)  # as a process that starts finds it
    monkeypatch.setattr(program, part, lambda *_: iter(["another"]))
    assert not is_settled(run_inline(stage.one_pass()))


def test_while_an_upgrade_replaces_the_program_passes_are_whole_and_leave_no_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced() -> str:
        raise FileNotFoundError("syncd/model/item.py")

    stage = settled_stage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(wiring, "program_mark", replaced)
        for _ in range(2):
            assert not is_settled(run_inline(stage.one_pass()))
    assert is_settled(run_inline(stage.one_pass()))


def test_an_update_of_the_system_s_zone_data_is_another_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "TZPATH", (str(tmp_path),))
    (tmp_path / "Europe").mkdir()
    marks = {program.program_mark()}
    (tmp_path / "tzdata.zi").write_text("# version 2026b\n")
    marks.add(program.program_mark())
    os.utime(tmp_path / "Europe", ns=(1, 1))
    marks.add(program.program_mark())
    assert len(marks) == 3
    assert program.program_mark() in marks


def test_a_held_entry_is_tried_again_when_its_time_has_come(tmp_path: Path) -> None:
    stage = settled_stage(tmp_path, rows=SOUND)
    stage.write("shifts.csv", HEADER + SOUND.replace("Late", "Later"))

    async def hold() -> None:
        """Note that the portal refused the change that is to be made now."""
        async with stage.opened() as (syncs, app):
            prepared = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)
            (change,) = prepared.plan.changes
            assert change.item is not None
            told_of = {"title": "Later", "where": "shifts.csv:3"}
            hold = next_hold(change.key, "refused", change.item.fingerprint, None, stage.clock.now(), **told_of)
            await app.ledger.of("shifts").hold([hold])

    run_inline(hold())
    assert [is_settled(run_inline(stage.one_pass())) for _ in range(2)] == [False, True]
    result = run_inline(stage.one_pass())
    assert (is_settled(result), result.record.counts["held"]) == (True, 1)
    assert [problem.kind for problem in result.record.problems] == ["held"]
    stage.clock.advance(901)
    after = run_inline(stage.one_pass())
    assert not is_settled(after)
    assert after.record.counts["held"] == 0


def test_what_is_gone_is_counted_in_every_pass_and_deleted_when_it_is_time(tmp_path: Path) -> None:
    config = SHIFTS.replace("removed_after = 1", 'removed_after = 3\nmax_removed = "100%"')
    stage = settled_stage(tmp_path, config, SOUND)
    stage.write("shifts.csv", HEADER + SOUND.splitlines(keepends=True)[0])
    results = [run_inline(stage.one_pass()) for _ in range(5)]
    assert [result.record.counts["deleted"] for result in results] == [0, 0, 1, 0, 0]
    assert [is_settled(result) for result in results] == [False, False, False, False, True]


def test_absences_are_counted_on_where_all_is_kept(tmp_path: Path) -> None:
    stage = settled_stage(tmp_path, SHIFTS.replace('on_removed = "delete"', 'on_removed = "keep"'), SOUND)
    stage.write("shifts.csv", HEADER + SOUND.splitlines(keepends=True)[0])

    async def absent() -> list[int]:
        async with stage.opened(readonly=True) as (_, app):
            return [link.absent_passes for link in await app.ledger.of("shifts").absent()]

    counted = []
    for settled in (False, True, True):
        result = run_inline(stage.one_pass())
        assert is_settled(result) == settled
        assert [link.title for link in result.kept] == ["Late"]
        counted.append(run_inline(absent()))
    assert counted == [[1], [2], [3]]


def test_an_empty_source_is_believed_after_as_many_passes_as_ever(tmp_path: Path) -> None:
    config = SHIFTS.replace('on_removed = "delete"\nremoved_after = 1', 'on_removed = "keep"\nremoved_after = 3')
    stage = settled_stage(tmp_path, config, SOUND)
    stage.write("shifts.csv", HEADER)
    assert [run_inline(stage.one_pass()).exit_code for _ in range(4)] == [5, 5, 0, 0]


def test_people_whom_the_portal_lacks_are_looked_for_as_often_as_ever(tmp_path: Path) -> None:
    rows = ROWS.replace("ivan.sokolov", "nobody").replace("not a time", "2026-12-03 22:00")
    stage = settled_stage(tmp_path, rows=rows)
    first = run_inline(stage.one_pass())
    assert (is_settled(first), first.record.requests, first.record.counts["held"]) == (True, 0, 1)
    stage.clock.advance(901)
    later = run_inline(stage.one_pass())
    assert (is_settled(later), later.record.requests > 0, later.record.counts["held"]) == (False, True, 1)


def test_a_note_of_another_version_is_passed_over(tmp_path: Path) -> None:
    stage = settled_stage(tmp_path)

    async def rewrite() -> None:
        async with stage.opened() as (_, app):
            thread = app.ledger.of("shifts").thread
            value = {"circumstances": {"source": 1}}
            await thread.do(lambda: write_note(thread.connection, "settled/shifts", "settled", value, 1.0), writes=True)

    run_inline(rewrite())
    assert [is_settled(run_inline(stage.one_pass())) for _ in range(2)] == [False, True]


def test_a_note_that_is_not_what_was_written_is_told(tmp_path: Path) -> None:
    stage = settled_stage(tmp_path)
    with closing(sqlite3.connect(tmp_path / "state" / "syncd.db")) as connection:
        connection.execute("UPDATE notes SET value = replace(value, '\"unchanged\":2', '\"unchanged\":3')"
                           " WHERE scope = 'settled/shifts'")  # fmt: skip
        connection.commit()
    with pytest.raises(Exception, match="not what was written"):
        run_inline(stage.one_pass())


def test_no_secret_of_what_is_told_again_is_kept(tmp_path: Path) -> None:
    stage = settled_stage(tmp_path)

    async def noted() -> tuple[str, str]:
        async with stage.opened() as (_, app):
            ledger = app.ledger.of("shifts")
            ledger.thread.clean = lambda text: text.replace("hunter22", "***")
            known = await ledger.settled()
            assert known is not None
            problem = Problem(where="shifts.csv:2", kind="rejected", reason="hunter22")
            findings = replaced(known.findings, problems=(problem,), incomplete_because="row hunter22 has no id")
            await ledger.note_settled(replaced(known, findings=findings))
            kept = await ledger.settled()
            assert kept is not None
            return kept.findings.problems[0].reason, kept.findings.incomplete_because

    assert run_inline(noted()) == ("***", "row *** has no id")


@pytest.mark.parametrize("others", [0, 1000])
def test_the_mark_of_the_ledger_differs_whenever_a_row_does(tmp_path: Path, others: int) -> None:
    settled_stage(tmp_path)
    with closing(connected(tmp_path / "state" / "syncd.db")) as connection:
        connection.execute("CREATE TEMP TABLE one AS SELECT * FROM links LIMIT 1")
        for number in range(others):  # with many links of others the rows are found another way
            connection.execute("UPDATE one SET sync = 'other', uid = ?", (f"u{number}",))
            connection.execute("INSERT INTO links SELECT * FROM one")
        marks = {ledger_mark(connection, "shifts")}
        connection.execute("UPDATE links SET sum = sum + 1 WHERE sync = 'other'")
        assert ledger_mark(connection, "shifts") in marks
        for statement in ("UPDATE links SET sum = sum + 1 WHERE sync = 'shifts' AND uid = '1'",
                          "DELETE FROM links WHERE sync = 'shifts' AND uid = '2'"):  # fmt: skip
            connection.execute(statement)
            marks.add(ledger_mark(connection, "shifts"))
        assert len(marks) == 3


@pytest.mark.parametrize("seed", range(40))
def test_a_plan_that_is_recognised_is_the_one_that_a_whole_pass_makes(tmp_path: Path, seed: int) -> None:
    life = Life(tmp_path, Random(seed))
    life.play(4)
    assert life.passes >= 4
