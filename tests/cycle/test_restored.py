"""A ledger that was put back to an earlier state notices it, and looks before it creates: nothing is made twice."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.state.notes import SyncNotes, note_restored
from tests.crm.stage import HEADER as VISITS_HEADER
from tests.crm.stage import ROWS as VISITS_ROWS
from tests.crm.stage import VISITS, activities
from tests.cycle.test_pass import ROWS
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

MORE = "4,Spare shift,2026-12-03 06:00,2026-12-03 14:00,anna.petrova@school.example,Desk 1\n"
ICS = SHIFTS.replace('type = "csv"', 'type = "ics"').replace("shifts.csv", "shifts.ics").replace(
    SHIFTS[SHIFTS.index("[sync.source.columns]") : SHIFTS.index("[sync.target]")], ""
).replace('owner = "{owner}"', 'owner = "3"')  # fmt: skip
EVENT = """BEGIN:VEVENT
UID:{uid}
SUMMARY:{title}
DTSTART;TZID=Europe/Moscow:202612{day:02}T060000
DTEND;TZID=Europe/Moscow:202612{day:02}T140000
END:VEVENT
"""
TODO = VISITS.replace('type = "activity"', 'type = "todo"')
MARKED_TODO = TODO.replace("removed_after", 'marker = "description"\nremoved_after')


def feed(*days: int) -> str:
    events = "".join(EVENT.format(uid=f"e{day}", title=f"Lesson {day}", day=day) for day in days)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{events}END:VCALENDAR\n"


def state(stage: Stage) -> Path:
    return stage.folder / "state"


def backed_up(stage: Stage) -> Path:
    """Copy the ledger as README advises."""
    copy = stage.folder / "backup.db"
    with closing(sqlite3.connect(state(stage) / "syncd.db")) as ledger, closing(sqlite3.connect(copy)) as target:
        ledger.backup(target)
    return copy


def file_replaced(stage: Stage) -> Callable[[], None]:
    """The backup is moved to the ledger's place."""
    copy = backed_up(stage)

    def put_back() -> None:
        for suffix in ("-wal", "-shm"):
            (state(stage) / f"syncd.db{suffix}").unlink(missing_ok=True)
        copy.replace(state(stage) / "syncd.db")

    return put_back


def file_overwritten(stage: Stage) -> Callable[[], None]:
    """The backup is copied over the ledger, which keeps its inode."""
    copy = backed_up(stage)

    def put_back() -> None:
        (state(stage) / "syncd.db").write_bytes(copy.read_bytes())

    return put_back


def directory_restored(stage: Stage) -> Callable[[], None]:
    """Everything beside the ledger is as old as it is, times included."""
    kept = stage.folder / "kept"
    shutil.copytree(state(stage), kept)

    def put_back() -> None:
        shutil.rmtree(state(stage))
        shutil.copytree(kept, state(stage))

    return put_back


def disk_rolled_back(stage: Stage) -> Callable[[], None]:
    """The whole machine is put back: even inodes and change times are the old ones, but it has to start again."""
    put_back = directory_restored(stage)

    def start_again() -> None:
        put_back()
        echo, ledger = state(stage) / "syncd.db.echo", (state(stage) / "syncd.db").stat()
        was = echo.read_text()
        inode, changed = (was.partition(f'"{name}":')[2].partition(",")[0] for name in ("inode", "changed_ns"))
        was = was.replace(f'"inode":{inode}', f'"inode":{ledger.st_ino}')
        echo.write_text(was.replace(f'"changed_ns":{changed}', f'"changed_ns":{ledger.st_ctime_ns}'))
        stage.clock.restarted(after_s=600)

    return start_again


WAYS = [file_replaced, file_overwritten, directory_restored, disk_rolled_back]
Way = Callable[[Stage], Callable[[], None]]


def counts(result: PassResult) -> dict[str, int]:
    return {name: number for name, number in result.record.counts.items() if number}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("marker", ["none", "description"])
def test_what_was_made_since_the_backup_is_not_made_again(tmp_path: Path, way: Way, marker: str) -> None:
    stage = Stage(tmp_path, SHIFTS.replace("removed_after = 1", f'removed_after = 1\nmarker = "{marker}"'))
    stage.write("shifts.csv", HEADER + ROWS)
    run_inline(stage.one_pass())
    put_back = way(stage)
    stage.write("shifts.csv", HEADER + ROWS + MORE)
    assert counts(run_inline(stage.one_pass())) == {"created": 1, "unchanged": 3}
    put_back()
    assert counts(run_inline(stage.one_pass())) == {"adopted": 1, "unchanged": 3}
    requests = stage.transport.requests
    assert counts(run_inline(stage.one_pass())) == {"unchanged": 4}
    assert (len(stage.names()), stage.transport.requests) == (4, requests)


@pytest.mark.parametrize("way", WAYS)
def test_what_a_feed_brought_since_the_backup_is_not_made_again(tmp_path: Path, way: Way) -> None:
    stage = Stage(tmp_path, ICS)
    stage.write("shifts.ics", feed(1, 2))
    run_inline(stage.one_pass())
    put_back = way(stage)
    stage.write("shifts.ics", feed(1, 2, 3))
    run_inline(stage.one_pass())
    put_back()
    assert counts(run_inline(stage.one_pass())) == {"adopted": 1, "unchanged": 2}
    assert stage.names() == ["Lesson 1", "Lesson 2", "Lesson 3"]


@pytest.mark.parametrize(
    "config", [VISITS, TODO, TODO.replace("removed_after", 'marker = "description"\nremoved_after')]
)
def test_what_came_onto_cards_since_the_backup_is_not_made_again(tmp_path: Path, config: str) -> None:
    stage = Stage(tmp_path, config)
    stage.write("visits.csv", VISITS_HEADER + VISITS_ROWS.rpartition("3,")[0])
    run_inline(stage.one_pass("visits"))
    put_back = file_replaced(stage)
    stage.write("visits.csv", VISITS_HEADER + VISITS_ROWS)
    assert counts(run_inline(stage.one_pass("visits"))) == {"created": 1, "unchanged": 2}
    put_back()
    assert counts(run_inline(stage.one_pass("visits"))) == {"adopted": 1, "unchanged": 2}
    assert len(activities(stage)) == 3


def test_what_was_made_since_the_backup_is_known_again_where_nothing_else_is_adopted(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS.replace("removed_after = 1", "removed_after = 1\nadopt = false"))
    stage.write("shifts.csv", HEADER + ROWS)
    run_inline(stage.one_pass())
    put_back = file_replaced(stage)
    stage.write("shifts.csv", HEADER + ROWS + MORE)
    run_inline(stage.one_pass())
    put_back()
    assert counts(run_inline(stage.one_pass())) == {"adopted": 1, "unchanged": 3}
    assert len(stage.names()) == 4


def test_an_update_made_since_the_backup_is_not_made_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS)
    stage.write("shifts.csv", HEADER + ROWS)
    run_inline(stage.one_pass())
    put_back = file_replaced(stage)
    stage.write("shifts.csv", HEADER + ROWS.replace("Early shift", "Opening"))
    run_inline(stage.one_pass())
    put_back()
    run_inline(stage.one_pass())
    assert stage.names() == ["Late shift", "Night shift", "Opening"]


def test_a_log_beside_an_older_file_is_set_aside(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS)
    stage.write("shifts.csv", HEADER + ROWS)
    run_inline(stage.one_pass())
    copy = backed_up(stage)
    stage.write("shifts.csv", HEADER + ROWS + MORE)
    run_inline(stage.one_pass())
    left_by_a_crash(stage)
    (state(stage) / "syncd.db").write_bytes(copy.read_bytes())
    assert counts(run_inline(stage.one_pass())) == {"adopted": 1, "unchanged": 3}
    assert (state(stage) / "syncd.db-wal.old").exists()
    assert len(stage.names()) == 4


def left_by_a_crash(stage: Stage) -> None:
    """Let a process die in a pass, so that its log stays."""

    async def dies() -> None:
        async with stage.opened() as (_, app):
            await app.ledger.of("shifts").begin_run(stage.clock.now())
            os._exit(0)

    pid = os.fork()
    if not pid:
        try:
            run_inline(dies())
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    assert (state(stage) / "syncd.db-wal").stat().st_size


def test_a_crash_makes_the_next_pass_look(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS)
    stage.write("shifts.csv", HEADER + ROWS)
    run_inline(stage.one_pass())
    left_by_a_crash(stage)
    requests = stage.transport.requests
    assert counts(run_inline(stage.one_pass())) == {"unchanged": 3}
    assert stage.transport.requests > requests


def test_a_restored_ledger_looks_until_it_has_looked_however_often_it_starts(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS)
    stage.write("shifts.csv", HEADER + ROWS)
    run_inline(stage.one_pass())
    put_back = file_replaced(stage)
    stage.write("shifts.csv", HEADER + ROWS + MORE)
    run_inline(stage.one_pass())
    put_back()
    stage.write("shifts.csv", "ID,Shift\n")
    assert run_inline(stage.one_pass()).exit_code == 5
    stage.write("shifts.csv", HEADER + ROWS + MORE)
    assert counts(run_inline(stage.one_pass())) == {"adopted": 1, "unchanged": 3}


def test_a_ledger_that_is_put_back_during_a_pass_is_not_taken_for_verified_by_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS)
    stage.write("shifts.csv", HEADER + ROWS)
    assert run_inline(stage.one_pass()).exit_code == 0

    async def put_back_during_a_pass() -> SyncNotes:
        async with stage.opened() as (syncs, app):
            thread, ledger = app.ledger.thread, app.ledger.of("shifts")

            async def confirm(_: Prepared) -> bool:
                await thread.do(lambda: note_restored(thread.connection, stage.clock.now()), writes=True)
                return True

            options = PassOptions(verify=True, confirm=confirm)
            result = await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), options)
            assert result.exit_code == 0
            return await ledger.notes()

    notes = run_inline(put_back_during_a_pass())
    assert (notes.verified, notes.restored is None) == (None, False)
    assert run_inline(stage.one_pass()).record.requests > 0
