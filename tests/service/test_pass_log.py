"""The log names the rows: problems once as warnings, changes as a detail; errors reach the journal as errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from syncd import events
from syncd.model.entry import Problem
from syncd.model.record import RunRecord
from syncd.service.pass_log import MOST_NAMED, log_problems
from tests.service.test_service import scene
from tests.support.sandbox import HEADER, SHIFTS, run_inline


def record(*wheres: str) -> RunRecord:
    problems = tuple(Problem(where=where, kind="rejected", reason="end is before start") for where in wheres)
    return RunRecord(id=7, sync="shifts", started=0.0, problems=problems)


@pytest.fixture(autouse=True)
def _log_as_it_is() -> None:
    structlog.reset_defaults()


def test_a_problem_is_named_once_until_it_is_gone_and_comes_again() -> None:
    known: frozenset[Problem] = frozenset()
    told = []
    for wheres in (("a.csv:2", "a.csv:3"), ("a.csv:2",), ("a.csv:2", "a.csv:3"), ()):
        with capture_logs() as logged:
            known = log_problems(record(*wheres), known)
        assert {one["log_level"] for one in logged} <= {"warning"}
        told.append([one["where"] for one in logged])
    assert told == [["a.csv:2", "a.csv:3"], [], ["a.csv:3"], []]


def test_a_broken_column_does_not_fill_the_log() -> None:
    with capture_logs() as logged:
        log_problems(record(*(f"a.csv:{n}" for n in range(500))), frozenset())
    assert len(logged) == MOST_NAMED + 1
    assert (logged[-1]["event"], logged[-1]["more"]) == (events.PROBLEMS_MORE, 500 - MOST_NAMED)


def test_the_daemon_names_the_rows_that_it_changes_as_a_detail_and_those_with_problems_as_warnings(
    tmp_path: Path,
) -> None:
    stage = scene(tmp_path)
    good, bad = "2026-12-01 06:00,2026-12-01 14:00", "2026-12-01 06:00,2026-12-01 05:00"
    stage.write(
        "shifts.csv",
        HEADER
        + "".join(f"{n},Shift {n},{when},anna.petrova@school.example,Desk\n" for n, when in ((1, good), (2, bad))),
    )

    async def main() -> None:
        async with stage.running(SHIFTS) as (service, _):
            while not service.passes:
                await stage.clock.sleep(1)

    with capture_logs() as logged:
        run_inline(main())
    (change,) = [one for one in logged if one["event"] == events.CHANGE_PLANNED]
    assert (change["log_level"], change["op"], change["where"]) == ("debug", "create", "shifts.csv:2")
    (problem,) = [one for one in logged if one["event"] == events.PROBLEM_FOUND]
    assert (problem["log_level"], problem["kind"], problem["where"]) == ("warning", "rejected", "shifts.csv:3")


def test_a_config_that_is_refused_at_the_start_is_an_error_in_the_journal(tmp_path: Path) -> None:
    (tmp_path / "syncd.toml").write_text("stat = 1\n")
    with (tmp_path / "journal").open("w") as stream:
        found = os.fstat(stream.fileno())
        environ = {**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        command = [sys.executable, "-m", "syncd", "--config", str(tmp_path / "syncd.toml"), "run"]
        done = subprocess.run(command, env=environ, stderr=stream, check=False)
    assert done.returncode == 2
    lines = (tmp_path / "journal").read_text().splitlines()
    assert lines
    assert all(line.startswith("<3>") for line in lines)
    assert "stat is not a known key" in lines[0]
