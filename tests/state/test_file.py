from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.errors import StateError, StateLockedError
from syncd.state.ledger import Ledger
from syncd.state.notes import read_note
from syncd.state.sqlite.connection import SqliteConnection
from syncd.state.sqlite.file import open_for_reading, open_for_writing
from syncd.state.sqlite.schema import APPLICATION_ID, STEPS
from syncd.state.sqlite.store import _LOG_BYTES
from tests.state.values import SYNC, hold, intent, link

NOBODY = 65534

HOLDER = """
import asyncio, sys
from pathlib import Path
from syncd.errors import StateLockedError
from syncd.state.ledger import Ledger
async def main():
    try:
        await Ledger.open(Path(sys.argv[1]), now=1.0)
    except StateLockedError as error:
        print(error)
        sys.exit(error.exit_code)
asyncio.run(main())
"""

CRASHER = """
import asyncio, os, sys
from pathlib import Path
from syncd.state.ledger import Ledger
from tests.state.values import SYNC, intent
async def main():
    ledger = await Ledger.open(Path(sys.argv[1]), now=1.0)
    run_id = await ledger.of(SYNC).begin_run(1.0)
    ids = await ledger.of(SYNC).reserve_ids(2)
    await ledger.of(SYNC).intend(run_id, [intent(ids[0], run_id, "a"), intent(ids[1], run_id, "b")])
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""


def python(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)


def names(directory: Path) -> list[str]:
    return sorted(each.name for each in directory.iterdir())


@contextmanager
def of_an_ordinary_user() -> Iterator[Path]:
    """Give a directory to a user without rights over others, and act as that user meanwhile (root may everything)."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        root = os.geteuid() == 0
        if root:
            os.chown(directory, NOBODY, NOBODY)
            try:
                os.seteuid(NOBODY)
            except PermissionError:
                pytest.skip("this root may not act as another user, and may write everywhere")
        try:
            yield directory
        finally:
            directory.chmod(0o700)
            if root:
                os.seteuid(0)


async def test_file_lock_and_directory_belong_to_the_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "syncd.db"
    ledger = await Ledger.open(path, now=1.0)
    await ledger.of(SYNC).begin_run(1.0)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    await ledger.close()
    assert modes.pop("syncd.db.lock") == 0o600
    assert set(modes) >= {"syncd.db", "syncd.db-wal"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_commits_are_synced_to_disk_before_they_return(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "syncd.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    connection.close()


async def test_a_second_process_is_told_who_holds_the_ledger(file_ledger: Ledger) -> None:
    alias = file_ledger.path.with_name("alias.db")
    alias.symlink_to(file_ledger.path)
    for path in (file_ledger.path, alias):
        second = python(HOLDER, path)
        assert second.returncode == StateLockedError.exit_code, second.stderr
        assert str(file_ledger.path) in second.stdout
        assert f"pid {os.getpid()}" in second.stdout


async def test_the_lock_goes_with_close_and_close_may_be_repeated(file_ledger: Ledger) -> None:
    with pytest.raises(StateLockedError, match="is in use by another syncd"):
        await Ledger.open(file_ledger.path, now=1.0)
    await file_ledger.close()
    await file_ledger.close()
    again = await Ledger.open(file_ledger.path, now=1.0)
    await again.close()


async def test_intents_outlive_a_killed_process_and_its_lock_does_not(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    killed = python(CRASHER, path)
    assert killed.returncode == -9, killed.stderr
    ledger = await Ledger.open(path, now=2.0)
    assert [each.key.uid for each in await ledger.of(SYNC).open_intents()] == ["a", "b"]
    await ledger.close()


async def test_a_reader_sees_what_is_committed_while_the_daemon_works(file_ledger: Ledger) -> None:
    reader = await Ledger.open_readonly(file_ledger.path)
    await file_ledger.of(SYNC).hold([hold()])
    assert await reader.of(SYNC).holds() == (hold(),)
    assert reader.readonly
    with pytest.raises(StateError, match=r"cannot be opened for this.*readonly"):
        await reader.of(SYNC).release(None)
    await reader.close()


async def test_a_missing_file_reads_as_an_empty_ledger_and_is_not_made(tmp_path: Path) -> None:
    reader = await Ledger.open_readonly(tmp_path / "none" / "syncd.db")
    assert await reader.of(SYNC).links() == ()
    assert await reader.of(SYNC).last_pass() is None
    with pytest.raises(StateError, match="cannot be opened for this"):
        await reader.of(SYNC).hold([hold()])
    await reader.close()
    assert names(tmp_path) == []


async def test_a_closed_ledger_can_be_read_but_not_opened_in_a_directory_that_cannot_be_written() -> None:
    with of_an_ordinary_user() as directory:
        ledger = await Ledger.open(directory / "syncd.db", now=1.0)
        await ledger.of(SYNC).hold([hold()])
        await ledger.close()
        directory.chmod(0o500)
        reader = await Ledger.open_readonly(directory / "syncd.db")
        assert await reader.of(SYNC).holds() == (hold(),)
        await reader.close()
        with pytest.raises(StateError, match="let syncd's user read and write it and its directory"):
            await Ledger.open(directory / "syncd.db", now=1.0)


async def test_a_damaged_file_is_reported_with_the_way_out(file_ledger: Ledger) -> None:
    run_id = await file_ledger.of(SYNC).begin_run(1.0)
    await file_ledger.of(SYNC).adopt(run_id, [link(f"{n:04}") for n in range(300)], now=1.0)
    await file_ledger.close()
    size = file_ledger.path.stat().st_size
    with file_ledger.path.open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * (size // 2))
    with pytest.raises(StateError, match=r"is damaged.*adopt = true"):
        await Ledger.open(file_ledger.path, now=1.0)
    with pytest.raises(StateError, match="is damaged"):  # and the lock was given back
        await Ledger.open(file_ledger.path, now=1.0)


@pytest.mark.parametrize("start", ["open", "open_readonly"])
async def test_a_file_that_is_no_database_is_reported(tmp_path: Path, start: str) -> None:
    path = tmp_path / "syncd.db"
    path.write_text("sync = 1\n" * 500)
    with pytest.raises(StateError, match=r"syncd.db is damaged"):
        await (Ledger.open(path, now=1.0) if start == "open" else Ledger.open_readonly(path))


async def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE cookies (a)")
    foreign.close()
    with pytest.raises(StateError, match="another program"):
        await Ledger.open(path, now=1.0)
    with pytest.raises(StateError, match="another program"):
        await Ledger.open_readonly(path)


async def test_a_ledger_of_a_newer_syncd_is_refused(file_ledger: Ledger) -> None:
    await file_ledger.close()
    connection = sqlite3.connect(file_ledger.path)
    connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    connection.close()
    for start in (Ledger.open(file_ledger.path, now=1.0), Ledger.open_readonly(file_ledger.path)):
        with pytest.raises(StateError, match=rf"newer syncd \(schema {len(STEPS) + 1}.*upgrade syncd"):
            await start


def first_schema(path: Path) -> None:
    """Make a file as the first released schema had it, with a row in every table."""
    connection = open_for_writing(path, STEPS[:1])
    for statement in (
        "INSERT INTO runs VALUES (1, 'timetable', 1, 2, 'done', x'7b7d', 0, 0, 0, 0, x'5b5d', 0, '')",
        "INSERT INTO links VALUES ('timetable', 'a', 'user', 5, '', 812, 'Shifts', 7, 'f', x'7b7d', 1, 'T', 'w',"
        " '2026-12-01', NULL, 's', 0, 0, 0)",
        "INSERT INTO holds VALUES ('timetable', 'b', 'user', 5, '', 'r', 'f', 1, 1, 2, 'T', 'w')",
        "INSERT INTO intents VALUES (1, 'timetable', 1, 'create', 'c', 'user', 5, '', NULL, 'Shifts', 7, 'f', x'7b7d',"
        " 'T', 'w', '2026-12-01', NULL, 's', 1, NULL, 'open', '')",
        "INSERT INTO changes VALUES (1, 1, 1, 'timetable', 'create', 'a', 'user', 5, '', 812, NULL, NULL, 1)",
        "INSERT INTO notes VALUES ('main', 'budget', x'7b7d', 1)",
        "UPDATE counters SET next = 2",
    ):
        connection.execute(statement)
    connection.close()


async def test_the_first_released_schema_opens_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    first_schema(path)
    ledger = await Ledger.open(path, now=1.0)
    assert [(each.remote_id, each.stamp) for each in await ledger.of(SYNC).links()] == [(812, "")]
    assert [each.reason for each in await ledger.of(SYNC).holds()] == ["r"]
    assert [each.key.uid for each in await ledger.of(SYNC).open_intents()] == ["c"]
    assert [each.remote_id for each in await ledger.of(SYNC).changes(1)] == [812]
    assert await ledger.thread.do(lambda: read_note(ledger.thread.connection, "main", "budget")) == ({}, 1.0)
    assert await ledger.of(SYNC).last_success() == 2.0
    assert await ledger.of(SYNC).reserve_ids(1) == range(2, 3)
    await ledger.close()


NEXT = (*STEPS, ("ALTER TABLE links ADD COLUMN extra TEXT NOT NULL DEFAULT 'new'", "DELETE FROM notes"))


def test_an_upgrade_keeps_a_copy_of_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    first_schema(path)
    connection = open_for_writing(path, NEXT)
    assert connection.execute("SELECT extra FROM links").fetchall() == [("new",)]
    assert connection.execute("PRAGMA user_version").fetchone() == (len(NEXT),)
    connection.close()
    copy = tmp_path / "syncd.db.v1.bak"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    old = sqlite3.connect(copy)
    assert old.execute("PRAGMA user_version").fetchone() == (1,)
    assert old.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert old.execute("SELECT count(*) FROM notes").fetchone() == (1,)
    old.close()


def test_an_upgrade_that_fails_midway_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    first_schema(path)
    with pytest.raises(StateError, match="nonsense"):
        open_for_writing(path, (*STEPS, ("DELETE FROM links", "UPDATE nonsense SET a = 1")))
    connection = open_for_writing(path)
    assert connection.execute("SELECT count(*) FROM links").fetchone() == (1,)
    connection.close()


def test_a_step_that_changes_no_table_writes_no_row_and_is_read_in_place(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    open_for_writing(path).close()
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO notes VALUES ('main', 'budget', x'7b7d', 1, 17)")  # not its sum
    connection.commit()
    connection.close()
    connection = open_for_reading(path, (*STEPS, ()))
    assert [Path(name) for _, _, name in connection.execute("PRAGMA database_list")] == [path]
    connection.close()
    connection = open_for_writing(path, (*STEPS, ()))
    assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS) + 1,)
    assert connection.execute("SELECT sum FROM notes").fetchall() == [(17,)]
    connection.close()
    assert (tmp_path / f"syncd.db.v{len(STEPS)}.bak").exists()


def test_an_older_file_is_read_through_an_upgraded_copy(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    first_schema(path)
    before = path.read_bytes()
    connection = open_for_reading(path, NEXT)
    assert connection.execute("SELECT extra FROM links").fetchall() == [("new",)]
    connection.close()
    assert path.read_bytes() == before


async def test_a_directory_or_file_without_rights_is_reported() -> None:
    with of_an_ordinary_user() as directory:
        directory.chmod(0o500)
        for path in (directory / "syncd.db", directory / "sub" / "syncd.db"):
            with pytest.raises(StateError, match="let syncd's user read and write it"):
                await Ledger.open(path, now=1.0)
        directory.chmod(0o700)
        (directory / "syncd.db").touch(0o000)
        for start in (Ledger.open(directory / "syncd.db", now=1.0), Ledger.open_readonly(directory / "syncd.db")):
            with pytest.raises(StateError, match="let syncd's user read and write it"):
                await start


async def test_a_path_that_cannot_be_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with pytest.raises(StateError, match="cannot be used"):
        await Ledger.open(tmp_path / "plain" / "syncd.db", now=1.0)
    with pytest.raises(StateError, match="cannot be used"):
        await Ledger.open(tmp_path, now=1.0)


async def test_a_full_disk_is_reported_and_loses_nothing_that_was_committed(file_ledger: Ledger) -> None:
    run_id = await file_ledger.of(SYNC).begin_run(1.0)
    ids = await file_ledger.of(SYNC).reserve_ids(2)
    await file_ledger.of(SYNC).intend(run_id, [intent(ids[0], run_id, "a")])
    connection = file_ledger.thread.connection
    assert isinstance(connection, SqliteConnection)
    await file_ledger.thread.do(lambda: connection.execute("PRAGMA max_page_count = 1").fetchone())
    with pytest.raises(StateError, match=r"no room left.*nothing is lost"):
        await file_ledger.of(SYNC).hold([hold(f"{n}", reason="x" * 5000) for n in range(50)])
    assert not connection.in_transaction
    await file_ledger.thread.do(lambda: connection.execute("PRAGMA max_page_count = 100000").fetchone())
    assert await file_ledger.of(SYNC).holds() == ()
    assert [each.id for each in await file_ledger.of(SYNC).open_intents()] == [ids[0]]
    await file_ledger.of(SYNC).hold([hold()])


async def test_the_log_is_copied_into_the_file_once_it_is_large_or_many_writes_are_in_it(file_ledger: Ledger) -> None:
    def left() -> tuple[bytes, int]:
        return Path(f"{file_ledger.path}.echo").read_bytes(), Path(f"{file_ledger.path}-wal").stat().st_size

    seen = []
    for number in range(120):
        await file_ledger.of(SYNC).hold([hold("a", reason=f"{number}" * 50_000)])
        seen.append(left())
    assert 2 <= len({echo for echo, _ in seen}) <= 12  # not at every write
    assert max(size for _, size in seen) < 2 * _LOG_BYTES


async def test_a_program_that_keeps_the_file_locked_is_reported(file_ledger: Ledger) -> None:
    await file_ledger.thread.do(lambda: file_ledger.thread.connection.execute("PRAGMA busy_timeout = 1").fetchone())
    shell = sqlite3.connect(file_ledger.path, isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match="held by another program"):
        await file_ledger.of(SYNC).hold([hold()])
    shell.execute("ROLLBACK")
    shell.close()
    await file_ledger.of(SYNC).hold([hold()])


async def test_a_cancelled_call_is_complete_or_has_not_begun(file_ledger: Ledger) -> None:
    started, blocked = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        blocked.wait()

    def hold_slowly() -> None:
        file_ledger.thread.connection.execute("UPDATE counters SET next = 50 WHERE name = 'intent'")
        block()

    waiting = asyncio.ensure_future(file_ledger.thread.do(block))
    await asyncio.to_thread(started.wait)
    not_begun = asyncio.ensure_future(file_ledger.of(SYNC).hold([hold()]))
    await asyncio.sleep(0)
    not_begun.cancel()
    with pytest.raises(asyncio.CancelledError):
        await not_begun
    blocked.set()
    await waiting
    started.clear()
    blocked.clear()
    under_way = asyncio.ensure_future(file_ledger.thread.do(hold_slowly, writes=True))
    await asyncio.to_thread(started.wait)
    under_way.cancel()
    blocked.set()
    with pytest.raises(asyncio.CancelledError):
        await under_way
    assert await file_ledger.of(SYNC).holds() == ()
    assert await file_ledger.of(SYNC).reserve_ids(1) == range(50, 51)
