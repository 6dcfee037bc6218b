"""Workbooks that would take the machine's memory or time: each is refused in words, and the others are read."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
import zipfile
from io import BytesIO
from pathlib import Path
from typing import IO

import pytest

from syncd import child
from syncd.errors import SourceError, TransientSourceError
from syncd.source import open_source
from syncd.source.conformance import CONTEXT
from syncd.source.table import sheet_reader
from syncd.source.table.sheet_reader import SheetLimits, SheetReader
from syncd.workbook.archive import unpacks_to_more_than
from syncd.workbook.sheet_xml import SheetXml
from syncd.workbook.worker import read
from tests.source.workbooks import workbook

ROWS = (("Title", "Start"), ("Shift", "2026-12-01 09:00"))
GOOD = workbook(*ROWS)
LIMITS = {"most_bytes": 100_000_000, "most_cells": 20_000_000}


def with_rows(xml: str, *, first: bool = False) -> bytes:
    """Return the good workbook with more rows before or behind its own."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(GOOD)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.infolist():
            text = source.read(member).decode()
            mark, added = ("<sheetData>", f"<sheetData>{xml}") if first else ("</sheetData>", f"{xml}</sheetData>")
            target.writestr(member.filename, text.replace(mark, added))
    return out.getvalue()


def far(cell: str, content: str = "<v>1</v>") -> str:
    return f'<row r="{cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}"><c r="{cell}">{content}</c></row>'


@pytest.mark.parametrize("cell", ["XFD1048576", "ZZ1000000", "CRA400000"])
def test_a_cell_where_no_table_reaches_is_refused_before_room_is_made_for_it(cell: str) -> None:
    with SheetReader() as reader:
        with pytest.raises(SourceError, match=r"a\.xlsx has a cell in row \d+ or column \d+: .*mostly empty .*export"):
            reader.read("a.xlsx", with_rows(far(cell)), None)
        assert reader.read("b.xlsx", GOOD, None).cells[1] == list(ROWS[1])


def test_empty_cells_far_away_and_long_or_wide_tables_are_no_trouble() -> None:
    empty = '<row r="1048576" hidden="1"><c r="XFD1048576" s="1"/></row>'
    with SheetReader() as reader:
        assert len(reader.read("a.xlsx", with_rows(empty), None).cells) == 2
        assert len(reader.read("a.xlsx", with_rows(far("C400000")), None).cells) == 400_000
        assert len(reader.read("a.xlsx", with_rows(far("XFD3")), None).cells[0]) == 16_384


def test_what_the_dimension_does_not_show_dies_alone_and_the_next_file_is_read() -> None:
    # Out of order, so that the last row looks small.
    filler = "".join(far(f"A{row}", f"<v>{'1' * 30_000}</v>") for row in range(3, 60))
    hidden = with_rows(far("XFD1048576") + filler, first=True)
    with SheetReader() as reader:
        with pytest.raises(SourceError, match="cannot be read: it takes more than 3072 MB or 120 s, or breaks"):
            reader.read("a.xlsx", hidden, None)
        assert reader.read("b.xlsx", GOOD, None).cells[1] == list(ROWS[1])


@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_is_killed_in_mid_reading_takes_one_workbook_along(
    monkeypatch: pytest.MonkeyPatch, what: signal.Signals
) -> None:
    whole = sheet_reader._whole
    with SheetReader() as reader:
        assert reader.read("a.xlsx", GOOD, None).cells[1] == list(ROWS[1])

        def struck(stream: IO[bytes]) -> bytes:
            assert reader._process is not None
            os.kill(reader._process.pid, what)
            return whole(stream)

        monkeypatch.setattr(sheet_reader, "_whole", struck)
        with pytest.raises(TransientSourceError, match=r"b\.xlsx cannot be read: it takes more .* or breaks"):
            reader.read("b.xlsx", with_rows(far("C400000")), None)
        monkeypatch.undo()
        assert reader.read("c.xlsx", GOOD, None).cells[1] == list(ROWS[1])


async def test_a_killed_process_fails_one_reading_in_words_and_the_next_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.xlsx").write_bytes(GOOD)
    columns = {"title": "Title", "start": "Start"}
    source = open_source({"type": "xlsx", "path": "a.xlsx", "columns": columns}, tmp_path, where="test")
    start = child.start

    def started(module: str, *arguments: str) -> subprocess.Popen[bytes]:
        process = start(module, *arguments)
        process.kill()
        return process

    monkeypatch.setattr(child, "start", started)
    with pytest.raises(TransientSourceError, match=r"a\.xlsx cannot be read"):
        await source.read(CONTEXT)
    monkeypatch.undo()
    assert len((await source.read(CONTEXT)).entries) == 1


@pytest.mark.parametrize("what", ["process", "thread"])
def test_a_workbook_for_which_nothing_may_begin_fails_in_words_and_the_next_one_is_read(what: str) -> None:
    def refused(*_arguments: object) -> subprocess.Popen[bytes]:
        raise BlockingIOError(11, "no more processes") if what == "process" else RuntimeError("no more threads")

    with SheetReader() as reader:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(child if what == "process" else threading.Thread, "start", refused)
            with pytest.raises(TransientSourceError, match=r"a\.xlsx cannot be read: no process may begin .*TasksMax="):
                reader.read("a.xlsx", GOOD, None)
        assert reader.read("b.xlsx", GOOD, None).cells[1] == list(ROWS[1])


def test_too_little_time_is_told_as_such() -> None:
    with (
        SheetReader(SheetLimits(seconds=0.0)) as reader,
        pytest.raises(SourceError, match=r"takes more than \d+ MB or 0 s"),
    ):
        reader.read("a.xlsx", with_rows(far("C400000")), None)


async def test_one_hostile_file_of_a_folder_leaves_the_others_in_force(tmp_path: Path) -> None:
    for name, content in (("a", GOOD), ("b", with_rows(far("XFD1048576"))), ("c", GOOD)):
        (tmp_path / f"{name}.xlsx").write_bytes(content)
    columns = {"title": "Title", "start": "Start"}
    source = open_source({"type": "xlsx", "path": "*.xlsx", "columns": columns}, tmp_path, where="test")
    snapshot = await source.read(CONTEXT)
    assert snapshot.entries
    assert not snapshot.complete
    assert "b.xlsx has a cell in row 1048576" in snapshot.incomplete_because


def test_the_process_gets_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCD_WEBHOOK", "secret")
    with SheetReader() as reader:
        reader.read("a.xlsx", GOOD, None)
        assert reader._process is not None
        assert b"secret" not in Path(f"/proc/{reader._process.pid}/environ").read_bytes()


def test_the_worker_answers_with_what_it_found() -> None:
    assert read(GOOD, None, **LIMITS)["cells"] == [list(row) for row in ROWS]
    assert read(GOOD, "shifts ", **LIMITS)["sheet"] == "Shifts"
    assert read(GOOD, "Other", **LIMITS) == read(GOOD, 2, **LIMITS) == {"lacks": ["Shifts"]}
    assert list(read(b"PK\x03\x04", None, **LIMITS)["refused"]) == ["error"]
    assert read(with_rows(far("XFD1048576")), None, **LIMITS) == {"refused": {"rows": 1048576, "columns": 16384}}
    assert read(GOOD, None, **{**LIMITS, "most_bytes": 100}) == {"refused": {"unpacks_beyond": 100}}
    assert not unpacks_to_more_than(b"no archive", 1)
    with pytest.raises(ValueError, match="damaged"):
        unpacks_to_more_than(GOOD[:100] + b"\x00" * 400 + GOOD[500:], 1 << 30)


@pytest.mark.parametrize("head", ["", "<c ", '<c t="e">', '<c r="A1"><f>'])
@pytest.mark.parametrize(
    "unit",
    [
        "<c ",
        "<c>",
        ' t="e"',
        ' r="AB1"',
        ' s="1"',
        '<c r="AB1" t="e"',
        '<c t="e"><x>',
        '<c r="A1"><f>',
        "<f/> ",
        "</f> ",
        "<x:",
        "c ",
    ],
)
def test_xml_that_never_comes_to_an_end_takes_no_longer_than_any_other(head: str, unit: str) -> None:
    xml = SheetXml(with_rows(head + unit * (1_000_000 // len(unit))), "Shifts")
    begun = time.process_time()
    xml.extent()
    xml.errors()
    xml.cells_with_a_time()
    assert time.process_time() - begun < 3  # one try of the rest for each of 100,000 beginnings takes minutes


@pytest.mark.parametrize("unit", ['<xf a="', "<xf b='", ' a="1"', "<xf ", "a:", "[$", '"', "<numFmt formatCode='[$"])
def test_styles_that_never_come_to_an_end_take_no_longer_than_any_other(unit: str) -> None:
    styles = "<styleSheet><cellXfs><xf numFmtId='x'/>" + unit * (500_000 // len(unit))
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(GOOD)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.infolist():
            target.writestr(member.filename, styles if "styles" in member.filename else source.read(member))
    xml = SheetXml(out.getvalue(), "Shifts")
    begun = time.process_time()
    assert xml.cells_with_a_time() == frozenset()
    assert time.process_time() - begun < 3


def test_an_error_is_found_whatever_stands_about_its_value() -> None:
    cells = (
        '<c r="A3" t="e"><f>#REF!+1</f><v>#REF!</v></c>'
        '<c t="e" r="B3"><v xml:space="preserve">#N/A</v></c><c r="C3" t="e"/><c r="D3" t="s"><v>0</v></c>'
        '<x:c xmlns:x="y" r="E3" t="e"><x:v>#NUM!</x:v></x:c>'
    )
    found = SheetXml(with_rows(f'<row r="3">{cells}</row>'), "Shifts").errors()
    assert found == {(2, 0): "#REF!", (2, 1): "#N/A", (2, 4): "#NUM!"}
