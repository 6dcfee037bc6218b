"""Errors in workbooks of LibreOffice and in binary ones: of their rows, never empty cells."""

from __future__ import annotations

import pytest

from syncd.model.entry import Timed
from syncd.source.conformance import CONTEXT
from syncd.source.files import Part
from syncd.source.table.xlsx import XlsxFormat, XlsxOptions
from syncd.workbook.sheet_ods import errors_in_ods
from syncd.workbook.sheet_xlsb import errors_in_xlsb
from tests.source.old_workbooks import Broken
from tests.source.other_workbooks import binary_workbook, ods_error, open_document

HEADER = ("Title", "Start", "End")
GOOD = ("A", "2026-12-01 09:00", "2026-12-01 10:00")


def parse(content: bytes, **columns: str | int) -> Part:
    mapped = columns or {"title": "Title", "start": "Start", "end": "End"}
    return XlsxFormat(XlsxOptions(type="xlsx", path="a", columns=mapped, sheet="Two")).parse("a", content, CONTEXT)


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        (ods_error("#REF!"), "#REF!"),
        (ods_error("Err:502"), "Err:502"),
        (ods_error("#N/A", value='float" office:value="0'), "#N/A"),
        (ods_error("#ССЫЛКА!"), "#UNKNOWN!"),
        (ods_error("#REF!", mark=""), "#REF!"),
        (ods_error("<text:span>#DIV</text:span>/0!"), "#DIV/0!"),
    ],
)
def test_an_error_in_an_ods_file_is_an_error_of_its_row(cell: str, error: str) -> None:
    rows = [HEADER, GOOD, ("B", "2026-12-02 09:00", cell)]
    part = parse(open_document({"One": [HEADER, (cell, cell, cell)], "Two": rows}))
    assert [entry.where for entry in part.entries] == ["a:2"]
    assert [(one.where, f"'End' holds the error {error}" in one.reason) for one in part.problems] == [("a:3", True)]


def test_repeated_rows_and_cells_and_notes_of_an_ods_file_move_no_error() -> None:
    gap = '<table:table-cell table:number-columns-repeated="2"/>'
    note = ods_error("<office:annotation><text:p>#REF!</text:p></office:annotation>x", mark="", value="string")
    rows = [(note, gap, ods_error("#REF!")), (ods_error("#N/A"),)]
    assert errors_in_ods(open_document({"Two": rows}), "Two") == {(0, 3): "#REF!", (1, 0): "#N/A"}
    content = open_document({"Two": [("2", *rows[0]), rows[1]]})
    assert errors_in_ods(content, "Two") == {(0, 3): "#REF!", (1, 3): "#REF!", (2, 0): "#N/A"}


def test_a_formula_of_an_ods_file_that_gives_a_text_is_no_error() -> None:
    rows = [HEADER, ("B", "2026-12-02 09:00", ods_error("2026-12-02 10:00", mark="", value="string"))]
    assert parse(open_document({"Two": rows})).problems == []


def test_24_hours_in_an_ods_file_are_the_end_of_the_day() -> None:
    end = '<table:table-cell office:value-type="time" office:time-value="PT24H00M00S"/>'
    rows = [HEADER, ("A", "2026-12-01 09:00", end)]
    (entry,) = parse(open_document({"Two": rows}), title="Title", start="Start", end_time="End").entries
    assert isinstance(entry.span, Timed)
    assert f"{entry.span.end}" == "2026-12-02 00:00:00"


@pytest.mark.parametrize("formula", [False, True])
def test_an_error_in_an_xlsb_file_is_an_error_of_its_row(formula: bool) -> None:
    broken = ("B", "2026-12-02 09:00", Broken(0x17, formula=formula))
    part = parse(binary_workbook({"One": [HEADER, broken], "Two": [HEADER, GOOD, broken]}))
    assert [entry.where for entry in part.entries] == ["a:2"]
    assert [(one.where, "'End' holds the error #REF!" in one.reason) for one in part.problems] == [("a:3", True)]


@pytest.mark.parametrize("cut", [0, 30, 200, 500, -200, -40])
def test_damaged_files_hold_no_errors_that_could_be_told(cut: int) -> None:
    for content in (open_document({"Two": [(ods_error("#REF!"),)]}), binary_workbook({"Two": [(Broken(0x17),)]})):
        damaged = content[:cut] + b"\xff\x00<" * 20 + content[cut + 60 :]
        assert set(errors_in_ods(damaged, "Two") | errors_in_xlsb(damaged, "Two")) <= {(0, 0)}
