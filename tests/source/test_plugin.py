"""The worked example of a source plugin, as its users have it: a package of its own, found by its entry point."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from syncd.clock import Clock
from syncd.errors import ConfigError
from syncd.source import SOURCE_API, Source, open_source
from syncd.source.conformance import SourceConformance
from tests.support.sandbox import SHIFTS, SimClock, Stage, run_inline


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


OPTIONS = {"type": "sqlite-table", "path": "plan.db"}


@pytest.mark.parametrize("version", [SOURCE_API + 1, "2"])
def test_a_plugin_written_for_a_newer_syncd_is_refused_with_the_remedy(
    version: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd_sqlite_example.SOURCE_API", version, raising=False)
    says = rf"^x: the source 'sqlite-table' is written for version {version} of syncd.source.*version 1 \(update syncd"
    with pytest.raises(ConfigError, match=says):
        open_source(OPTIONS, Path(), where="x")


@pytest.mark.parametrize("declared", [True, False])
def test_a_plugin_written_for_this_syncd_is_opened_whether_it_says_so_or_not(
    declared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd_sqlite_example.SOURCE_API", SOURCE_API, raising=False)
    if not declared:
        monkeypatch.delattr("syncd_sqlite_example.SOURCE_API")
    assert open_source(OPTIONS, Path(), where="x").describe() == "sqlite plan.db:schedule"


def test_a_factory_that_asks_for_the_clock_is_given_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Clock] = []

    def open_table(options: Mapping[str, object], base: Path, *, where: str, clock: Clock) -> Source:
        given.append(clock)
        return open_source({"type": "ics", "path": "a.ics"}, base, where=where)

    monkeypatch.setattr("syncd_sqlite_example.open_table", open_table)
    clock = SimClock()
    open_source(OPTIONS, Path(), where="x", clock=clock)
    assert given == [clock]


def test_a_plugin_is_configured_and_synced_like_any_other_source(tmp_path: Path) -> None:
    head, _, tail = SHIFTS.partition("[sync.source]")
    source = '[sync.source]\ntype = "sqlite-table"\npath = "plan.db"\ntable = "shifts"\n\n'
    stage = Stage(tmp_path, head + source + "[sync.target]" + tail.partition("[sync.target]")[2])
    write(tmp_path, row("1", owner="anna.petrova@school.example"))
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["created"]) == (0, 1)
    assert stage.names("user", 3) == ["Shift 1"]
