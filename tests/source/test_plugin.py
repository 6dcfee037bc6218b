"""The worked example of a source plugin, as its users have it: a package of its own, found by its entry point."""

from __future__ import annotations

import sqlite3
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from syncd.errors import ConfigError
from syncd.source import Source, open_source
from syncd.source.conformance import SourceConformance
from tests.support.sandbox import SHIFTS, Stage, run_inline


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    try:
        distribution("syncd-sqlite-example")
    except PackageNotFoundError:
        pytest.fail("the example is not installed: pip install ./tests/plugin")


def write(folder: Path, *rows: tuple[str, str, str, str, str]) -> None:
    with sqlite3.connect(folder / "plan.db") as connection:
        connection.execute("DROP TABLE IF EXISTS shifts")
        connection.execute("CREATE TABLE shifts (uid TEXT, title TEXT, starts TEXT, ends TEXT, owner TEXT)")
        connection.executemany("INSERT INTO shifts VALUES (?, ?, ?, ?, ?)", rows)
    connection.close()


def row(uid: str, day: str = "2026-12-01", owner: str = "") -> tuple[str, str, str, str, str]:
    return uid, f"Shift {uid}", f"{day} 09:00", f"{day} 10:00", owner


class TestTable(SourceConformance):
    def source(self, folder: Path) -> Source:
        return open_source({"type": "sqlite-table", "path": "plan.db", "table": "shifts"}, folder, where="test")

    def put(self, folder: Path, *uids: str) -> None:
        write(folder, *map(row, uids))

    def put_broken(self, folder: Path, good: str, bad: str) -> None:
        write(folder, row(good), row(bad, "2026-02-31"))

    def cut_short(self, folder: Path) -> None:
        content = (folder / "plan.db").read_bytes()
        (folder / "plan.db").write_bytes(content[: len(content) // 2])

    def remove(self, folder: Path) -> None:
        (folder / "plan.db").unlink()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"type": "sqlite-tabel"}, "unknown source type 'sqlite-tabel'.*did you mean 'sqlite-table'"),
        ({"type": "sqlite-table"}, "missing key 'path'"),
        ({"type": "sqlite-table", "path": "a", "tabel": "b"}, "unknown key 'tabel'.*did you mean 'table'"),
        ({"type": "sqlite-table", "path": "a", "table": "x; DROP"}, "is not the name of a table"),
    ],
)
def test_mistakes_are_told_as_well_as_those_of_built_in_sources(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=f"^the sync: .*{says}"):
        open_source(options, Path(), where="the sync")


def test_a_plugin_is_configured_and_synced_like_any_other_source(tmp_path: Path) -> None:
    head, _, tail = SHIFTS.partition("[sync.source]")
    source = '[sync.source]\ntype = "sqlite-table"\npath = "plan.db"\ntable = "shifts"\n\n'
    stage = Stage(tmp_path, head + source + "[sync.target]" + tail.partition("[sync.target]")[2])
    write(tmp_path, row("1", owner="anna.petrova@school.example"))
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["created"]) == (0, 1)
    assert stage.names("user", 3) == ["Shift 1"]
