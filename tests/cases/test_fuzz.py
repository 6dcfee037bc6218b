"""A share of the spoiled inputs of `tests.bench.fuzz_cases`, and what an error that nobody foresaw costs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from syncd.errors import SourceError
from syncd.model.entry import Window
from syncd.source import ReadContext, open_source
from syncd.source.ical import grouping
from syncd.source.ical.vevent import read_event
from syncd.source.table.row_reader import RowReader
from tests.cases.fuzz import PLAYED, begin_with, bring, play
from tests.support.sandbox import run_inline

CONTEXT = ReadContext(zone="Europe/Moscow", window=Window(first=None, last=None), today=date(2026, 11, 26))
TABLE = {"type": "csv", "path": "in.csv", "columns": {"uid": "ID", "title": "Title", "start": "Start"}}


@pytest.mark.parametrize("case", PLAYED, ids=lambda case: case.name)
def test_a_spoiled_input_breaks_no_rule(case: Path, tmp_path: Path) -> None:
    assert [(seed, trial.broken) for seed, trial in play(case, tmp_path, range(4)) if trial.broken] == []


@pytest.mark.parametrize("case", PLAYED[::8], ids=lambda case: case.name)
def test_what_a_spoiled_input_brought_is_not_sent_again_and_init_takes_it(case: Path, tmp_path: Path) -> None:
    for folder in (tmp_path / "brought", tmp_path / "begun"):
        folder.mkdir()
    assert (bring(case, tmp_path / "brought", 1), begin_with(case, tmp_path / "begun", 1)) == ((), ())


def test_an_error_that_nobody_foresaw_costs_its_row_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = RowReader._entry

    def breaks(self: RowReader, uid: str, line: int | str, values: list[str], part: object) -> object:
        if uid == "2":
            raise ZeroDivisionError("division\nby zero")
        return usual(self, uid, line, values, part)  # type: ignore[arg-type]

    monkeypatch.setattr(RowReader, "_entry", breaks)
    tmp_path.joinpath("in.csv").write_text("ID,Title,Start\n1,a,2026-12-01\n2,b,2026-12-02\n3,c,2026-12-03\n")
    snapshot = run_inline(open_source(TABLE, tmp_path, where="x").read(CONTEXT))
    (problem,) = snapshot.problems
    assert [one.uid for one in snapshot.entries] == ["1", "3"]
    assert (problem.where, problem.kind, problem.key, snapshot.complete) == ("in.csv:3", "rejected", "2", True)
    assert "a defect of syncd: ZeroDivisionError: division by zero (please report it" in problem.reason


def test_an_end_of_memory_is_no_matter_of_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_arguments: object) -> object:
        raise MemoryError

    monkeypatch.setattr(RowReader, "_entry", breaks)
    tmp_path.joinpath("in.csv").write_text("ID,Title,Start\n1,a,2026-12-01\n")
    with pytest.raises(MemoryError):
        run_inline(open_source(TABLE, tmp_path, where="x").read(CONTEXT))


def test_an_error_that_nobody_foresaw_costs_its_event_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = read_event

    def breaks(text: str, *arguments: object, **named: object) -> object:
        if "SUMMARY:b" in text:
            raise ZeroDivisionError("division by zero")
        return usual(text, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(grouping, "read_event", breaks)
    events = (f"BEGIN:VEVENT\nUID:{one}\nSUMMARY:{one}\nDTSTART:20261201T090000Z\nEND:VEVENT\n" for one in "abc")
    tmp_path.joinpath("in.ics").write_text(f"BEGIN:VCALENDAR\n{''.join(events)}END:VCALENDAR\n")
    snapshot = run_inline(open_source({"type": "ics", "path": "in.ics"}, tmp_path, where="x").read(CONTEXT))
    (problem,) = snapshot.problems
    assert [one.uid for one in snapshot.entries] == ["a", "c"]
    assert (problem.where, problem.kind, problem.key, snapshot.complete) == ("in.ics:7", "rejected", "b", True)
    assert "a defect of syncd" in problem.reason


@pytest.mark.parametrize("row", [b"\xcf\xe5\xf2\xf0\xee\xe2\xe0;\xc4", "Петрова;".encode() + b"\xc4"])
def test_bytes_that_are_no_text_reach_no_line_of_a_plan_of_days(tmp_path: Path, row: bytes) -> None:
    days = ";".join(map(str, range(1, 32)))
    plan = f"Декабрь 2026\nСотрудник;{days}\nИванова Анна Петровна, старшая смена;Д;Д;Д\n"
    tmp_path.joinpath("in.csv").write_bytes(plan.encode() + row + b";;\n")
    options = {"type": "csv", "path": "in.csv", "encoding": "auto", "grid": {"codes": {"Д": "08:00-20:00"}}}
    snapshot = run_inline(open_source(options, tmp_path, where="x").read(CONTEXT))
    assert len(snapshot.entries) == 3
    assert all(one.kind != "rejected" or one.where.startswith("in.csv:4") for one in snapshot.problems)
    for one in snapshot.problems:
        f"{one.where}{one.reason}{one.title}{one.key}".encode()
    assert any(one.kind == "rejected" for one in snapshot.problems)


def test_a_header_that_is_no_text_ends_a_pass_with_an_error_that_can_be_stored(tmp_path: Path) -> None:
    case = next(one for one in PLAYED if one.name == "45-title-rows-and-totals")
    assert bring(case, tmp_path, 340) == ()
    titles = "ID;Название смены;Titl".encode() + b"\xbe;Start\n"
    tmp_path.joinpath("in.csv").write_bytes(titles + "1;Смена;б;2026-12-01\n".encode())
    with pytest.raises(SourceError, match="no column 'Title'") as caught:
        run_inline(open_source({**TABLE, "encoding": "auto"}, tmp_path, where="x").read(CONTEXT))
    str(caught.value).encode()
