"""`syncd state`: backups that can be restored, and a word on whether the state is sound."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from syncd.errors import StateError
from tests.cli.test_commands import document, edit, run


def rows(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_a_backup_is_one_private_file_with_everything_in_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "sync")
    code, made = document(capsys, "state", "backup", "copy.db", "--json")
    copy = Path("copy.db")
    assert (code, made["items"], made["size_bytes"]) == (0, 2, copy.stat().st_size)
    assert (made["state"], made["backup"]) == (str(folder / "syncd.db"), "copy.db")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert (rows(copy, "links"), rows(copy, "runs")) == (2, 1)
    assert sorted(one.name for one in folder.iterdir() if one.name.startswith("copy")) == ["copy.db"]
    code, said, _ = run(capsys, "state", "backup", "copy.db")  # an earlier backup makes room for a new one
    assert (code, "2 items" in said, "sound" in said) == (0, True, True)


def test_a_backup_holds_what_a_running_daemon_has_not_yet_put_into_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "sync")
    with closing(sqlite3.connect(folder / "syncd.db", isolation_level=None)) as other:
        other.execute("PRAGMA wal_autocheckpoint = 0")
        other.execute("DELETE FROM runs")  # stands in the log alone while this connection is open
        assert run(capsys, "state", "backup", "copy.db")[0] == 0
    assert rows(Path("copy.db"), "runs") == 0


def test_a_restored_backup_makes_nothing_twice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "sync")
    run(capsys, "state", "backup", "copy.db")
    day = (folder / "shifts.csv").read_text().splitlines()[1].split(",")[2][:10]
    with (folder / "shifts.csv").open("a", encoding="utf-8") as file:
        file.write(f"3,Spare,{day} 20:00,{day} 22:00,ivan.sokolov@school.example\n")
    assert document(capsys, "sync", "--json")[1]["runs"][0]["counts"]["created"] == 1
    Path("copy.db").replace(folder / "syncd.db")
    code, ran = document(capsys, "sync", "--json")
    counts = ran["runs"][0]["counts"]
    assert (code, counts["created"], counts["adopted"], counts["unchanged"]) == (0, 0, 1, 2)


def test_a_backup_never_replaces_what_is_no_backup(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "sync")
    Path("notes.txt").write_text("important")
    for target, said in (
        ("notes.txt", "no backup of a state"),
        ("syncd.db", "the state itself"),
        (".", "is a directory"),
        ("nowhere/copy.db", "cannot be used"),
    ):
        code, _, told = run(capsys, "state", "backup", target)
        assert (code, said in told, "Traceback" in told) == (2, True, False), told
    assert Path("notes.txt").read_text() == "important"
    assert rows(folder / "syncd.db", "links") == 2


def test_a_damaged_state_is_told_and_replaces_no_backup(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "sync")
    run(capsys, "state", "backup", "copy.db")
    code, said = document(capsys, "state", "check", "--json")
    assert (code, said) == (0, {"ok": True, "state": str(folder / "syncd.db"), "items": 2})
    before = Path("copy.db").read_bytes()
    content = (folder / "syncd.db").read_bytes()
    assert content.count(b"Early") > 0
    (folder / "syncd.db").write_bytes(content.replace(b"Early", b"Eerly"))
    for arguments in (("check",), ("backup", "copy.db")):
        code, _, told = run(capsys, "state", *arguments)
        assert (code, "is damaged" in told, "restore a backup" in told) == (StateError.exit_code, True, True)
    assert Path("copy.db").read_bytes() == before


def test_a_state_that_is_not_there_yet_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(folder, "Early", "Early")
    code, said = document(capsys, "state", "check", "--json")
    assert (code, said["exit_code"], "there is no state" in said["error"]) == (2, 2, True)
