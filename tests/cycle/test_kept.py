"""What is gone from the source and stays in the portal is counted and listed, wherever somebody looks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncd.app import documents, report
from syncd.clock import SystemClock
from syncd.config import load_config
from syncd.cycle.plan import preview
from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassResult
from syncd.service.status import Status, read_status, status_document
from syncd.state.ledger import Ledger
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

KEEP = SHIFTS.replace('on_removed = "delete"', 'on_removed = "keep"')
ROWS = (
    "1,Early,2026-12-01 06:00,2026-12-01 14:00,anna.petrova@school.example,\n"
    "2,Late,2026-12-02 14:00,2026-12-02 22:00,anna.petrova@school.example,\n"
    "3,Night,2026-11-19 14:00,2026-11-19 22:00,ivan.sokolov@school.example,\n"
)
FIRST = ROWS.splitlines(keepends=True)[0]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path, KEEP)
    stage.write("shifts.csv", HEADER + ROWS)
    run_inline(stage.one_pass())
    stage.write("shifts.csv", HEADER + FIRST)
    return stage


def shown(kept: object) -> list[tuple[str, str]]:
    assert isinstance(kept, list)
    return [(one["where"], one["title"]) for one in kept]


GONE = [("shifts.csv:4", "Night"), ("shifts.csv:3", "Late")]


def test_a_plan_counts_and_lists_what_is_kept(stage: Stage) -> None:
    async def planned() -> tuple[Prepared, dict[str, object]]:
        async with stage.opened() as (syncs, app):
            prepared = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)
            return prepared, documents.plan_document([prepared], {})  # type: ignore[return-value]

    prepared, document = run_inline(planned())
    assert (prepared.counts["kept"], prepared.plan.changes) == (2, ())
    plans = document["plans"]
    assert isinstance(plans, list)
    assert (plans[0]["counts"]["kept"], shown(plans[0]["kept"])) == (2, GONE)


@pytest.mark.parametrize("verify", [False, True])
def test_a_pass_its_document_and_its_report_tell_it_every_time(stage: Stage, tmp_path: Path, verify: bool) -> None:
    for _ in range(2):
        result: PassResult = run_inline(stage.one_pass(verify=verify, fresh=True))  # as where a report is asked for
        assert (result.exit_code, result.record.counts["kept"], result.record.counts["unchanged"]) == (0, 2, 1)
        runs = documents.runs_document([(result.record, result.kept)], {})["runs"]
        assert isinstance(runs, list)
        assert shown(runs[0]["kept"]) == GONE
        rows = [(row[0], row[2], row[4], row[7]) for row in report.rows(result)]
        assert rows == [
            ("shifts.csv:2", "Early", "unchanged", ""),
            ("shifts.csv:4", "Night", "unchanged", "gone from the source, kept"),
            ("shifts.csv:3", "Late", "unchanged", "gone from the source, kept"),
        ]


def test_status_lists_it_until_it_comes_back(stage: Stage, tmp_path: Path) -> None:
    async def read() -> Status:
        ledger = await Ledger.open_readonly(tmp_path / "state" / "syncd.db")
        try:
            return await read_status(load_config(tmp_path / "syncd.toml", {"HOME": "/h"}), ledger, SystemClock())
        finally:
            await ledger.close()

    run_inline(stage.one_pass())
    syncs = status_document(run_inline(read()))["syncs"]
    assert isinstance(syncs, list)
    assert sorted(shown(syncs[0]["kept"])) == sorted(GONE)
    stage.write("shifts.csv", HEADER + ROWS)
    assert run_inline(stage.one_pass()).record.counts["kept"] == 0
    assert run_inline(read()).syncs[0].kept == ()


def test_a_source_that_was_not_read_completely_says_nothing_is_gone(stage: Stage) -> None:
    stage.write("shifts.csv", "<html>")
    assert run_inline(stage.one_pass()).record.counts["kept"] == 0


def test_an_entry_of_many_events_is_told_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, KEEP.replace('location = "Place"', 'rrule = "Place"'))
    line = "1,Early,2026-12-01 06:00,2026-12-01 14:00,anna.petrova@school.example,{rule}\n"
    stage.write("shifts.csv", HEADER + line.format(rule="FREQ=MONTHLY;BYDAY=1TU;COUNT=5"))
    assert run_inline(stage.one_pass()).record.counts["created"] > 1
    stage.write("shifts.csv", HEADER)
    for _ in range(3):
        result = run_inline(stage.one_pass())
    assert result.record.counts["kept"] == 1
