"""An ordinary pass shapes the rows of a file as they are parsed, and keeps none about which it decides nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from syncd.app import report
from syncd.cycle import plan as planning
from syncd.cycle.kept import UNRESOLVED_AGE_S
from syncd.cycle.plan import preview
from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassOptions, run_pass
from syncd.errors import ConfigError, OutOfMemoryError, SourceError
from syncd.model.entry import Again
from syncd.source.table.csv import CsvFormat
from tests.cycle.edits import decided, told
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ROWS = 30
LATE = "x{n},Late,2026-12-01 06:00,2026-12-01 14:00,{who},\n"
EARLY = "".join(
    f"{n},Shift {n},2026-12-{1 + n % 28:02} 06:00,2026-12-{1 + n % 28:02} 09:00,anna.petrova@school.example,\n"
    for n in range(ROWS)
)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path, SHIFTS)
    stage.write("shifts.csv", HEADER + EARLY)
    run_inline(stage.one_pass())
    return stage


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the steps of passes as they are done: `stream` or `named`, which is done with a list."""
    seen: list[str] = []
    for name in ("shape_stream", "named"):
        step = getattr(planning, name)

        def noting(*args: object, name: str = name, step: object = step) -> object:
            seen.append(name)
            assert callable(step)
            return step(*args)

        monkeypatch.setattr(planning, name, noting)
    return seen


@pytest.fixture
def parsed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of files as they are parsed, after the first pass of the stage."""
    parse, seen = CsvFormat.stream, list[str]()

    def noting(self: CsvFormat, name: str, *args: Any) -> Any:
        seen.append(name)
        return parse(self, name, *args)

    monkeypatch.setattr(CsvFormat, "stream", noting)
    return seen


def planned(stage: Stage, streams: list[str]) -> Prepared:
    """Return the plan of an ordinary pass, which is that of one that keeps everything and asks the portal as often."""

    async def both() -> Prepared:
        async with stage.opened() as (syncs, app):
            before = stage.transport.requests
            ordinary = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)
            asked, done = stage.transport.requests, tuple(streams)
            whole = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False, fresh=True)
            assert (told(ordinary), decided(ordinary)) == (told(whole), decided(whole))
            assert asked - before == stage.transport.requests - asked
            streams[:] = done
            return ordinary

    return run_inline(both())


def test_no_entry_is_kept_and_all_can_be_had_again(stage: Stage, streams: list[str]) -> None:
    stage.write("shifts.csv", HEADER + EARLY + LATE.format(n=1, who="anna.petrova@school.example"))
    prepared = planned(stage, streams)
    assert streams == ["shape_stream"]
    assert isinstance(prepared.snapshot.entries, Again)
    assert (len(prepared.kept.entries), prepared.kept.lacking) == (ROWS + 1, [])
    assert [entry.uid for entry in prepared.kept.entries][-1] == "x1"
    assert prepared.wanted.uids == {"x1"}


def test_rows_of_somebody_whose_calendar_is_not_known_yet_are_gone_through_twice(
    stage: Stage, streams: list[str]
) -> None:
    stage.write("shifts.csv", HEADER + EARLY + LATE.format(n=1, who="ivan.sokolov@school.example"))
    assert planned(stage, streams).plan.count("create") == 1
    assert streams == ["shape_stream", "shape_stream"]


def test_rows_of_somebody_who_does_not_exist_are_gone_through_once(stage: Stage, streams: list[str]) -> None:
    some = "".join(LATE.format(n=n, who=f"nobody{n}@school.example") for n in range(3))
    stage.write("shifts.csv", HEADER + EARLY + some)
    prepared = planned(stage, streams)
    assert streams == ["shape_stream"]
    assert (prepared.held, [entry.uid for entry in prepared.kept.lacking or ()]) == (3, ["x0", "x1", "x2"])


def test_a_pass_that_gets_no_more_memory_on_the_way_fails_with_words(
    stage: Stage, streams: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.write("shifts.csv", HEADER + EARLY + LATE.format(n=1, who="anna.petrova@school.example"))

    def none_left(*_: object) -> None:
        raise MemoryError

    async def main() -> None:
        async with stage.opened() as (syncs, app):
            with monkeypatch.context() as short:
                short.setattr("syncd.source.table.row_reader.RowReader._entry", none_left)
                result = await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())
            assert isinstance(result.error, OutOfMemoryError)
            assert (result.exit_code, result.state, result.prepared) == (7, "failed", None)
            result = await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())
            assert (result.error, result.record.counts["created"]) == (None, 1)

    run_inline(main())
    assert streams == ["shape_stream", "shape_stream"]


def test_a_file_that_lost_a_column_fails_the_pass_as_before(stage: Stage, streams: list[str]) -> None:
    stage.write("shifts.csv", HEADER.replace("Start", "Begin") + EARLY)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, streams) == (5, ["shape_stream"])
    assert "Start" in result.record.error


@pytest.mark.parametrize("fresh", [False, True])
def test_a_source_that_cannot_be_read_is_told_before_a_target_that_does_not_know_the_links(
    stage: Stage, streams: list[str], *, fresh: bool
) -> None:
    target = SHIFTS.index("[sync.target]")
    stage.config = SHIFTS[:target] + '[sync.target]\ntype = "activity"\ncontact = "C_1"\nresponsible = "{owner}"\n'
    stage.write("shifts.csv", HEADER.replace("Start", "Begin") + EARLY)
    assert isinstance(run_inline(stage.one_pass(fresh=fresh)).error, SourceError)
    stage.write("shifts.csv", HEADER + EARLY)
    assert isinstance(run_inline(stage.one_pass(fresh=fresh)).error, ConfigError)
    assert streams == (["shape_stream", "shape_stream"] if not fresh else [])


def test_a_report_goes_through_the_rows_once_more(stage: Stage, parsed: list[str]) -> None:
    stage.write("shifts.csv", HEADER + EARLY + LATE.format(n=1, who="anna.petrova@school.example"))
    result = run_inline(stage.one_pass())
    assert parsed == ["shifts.csv"]
    rows = list(report.rows(result))
    assert parsed == ["shifts.csv", "shifts.csv"]
    assert ([row[1] for row in rows], rows[-1][3:5]) == ([*map(str, range(ROWS)), "x1"], ("create", "ok"))


def test_rows_are_kept_where_the_portal_is_asked_for_all_people_for_they_are_needed_again_and_again(
    stage: Stage, streams: list[str], parsed: list[str]
) -> None:
    stage.write("shifts.csv", HEADER + EARLY + LATE.format(n=1, who="nobody@school.example"))

    async def main() -> None:
        async with stage.opened() as (syncs, app):
            for steps in (["shape_stream", "named", "named"], ["named"]):
                stage.clock.advance(UNRESOLVED_AGE_S + 1)
                before = stage.transport.requests
                result = await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())
                counts, asked = result.record.counts, stage.transport.requests - before
                assert (counts["held"], counts["unchanged"], streams, asked) == (1, ROWS, steps, 3)
                streams.clear()

    run_inline(main())
    assert parsed == ["shifts.csv", "shifts.csv"]
