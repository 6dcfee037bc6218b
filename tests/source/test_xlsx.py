"""Excel workbooks, real and odd."""

from __future__ import annotations

import zipfile
from datetime import date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.errors import ConfigError, SourceError
from syncd.model.entry import AllDay, Entry, Span
from syncd.source import open_source
from syncd.source.conformance import CONTEXT
from syncd.source.files import Part
from syncd.source.table.sheet_reader import SheetLimits
from syncd.source.table.xlsx import XlsxFormat, XlsxOptions
from syncd.workbook.sheet_biff import errors_in_xls
from tests.source.calendars import days, timed
from tests.source.old_workbooks import Broken, old_workbook
from tests.source.workbooks import Cell, Failed, Formula, Shown, workbook, workbook_of

HEADER = ("ID", "Shift", "Start", "End", "E-mail")
COLUMNS: dict[str, str | int] = {"uid": "ID", "title": "Shift", "start": "Start", "end": "End", "owner": "E-mail"}
NINE, TEN = datetime(2026, 12, 1, 9), datetime(2026, 12, 1, 10, 20)


def parse(
    content: bytes,
    columns: dict[str, str | int] | None = None,
    limits: SheetLimits | None = None,
    **options: object,
) -> Part:
    chosen = XlsxOptions(type="xlsx", path="a.xlsx", columns=columns or COLUMNS, **options)  # type: ignore[arg-type]
    return XlsxFormat(chosen, limits).parse("a.xlsx", content, CONTEXT)


def one(*cells: Cell | Formula, columns: dict[str, str | int] | None = None, header: tuple[str, ...] = HEADER) -> Entry:
    part = parse(workbook(header, cells), columns)
    assert part.problems == []
    return part.entries[0]


@pytest.mark.parametrize(
    ("start", "end", "span"),
    [
        (NINE, TEN, timed("2026-12-01 09:00", "2026-12-01 10:20")),
        (Formula("A1+1", NINE), Formula("C2+1/18", TEN), timed("2026-12-01 09:00", "2026-12-01 10:20")),
        ("01.12.2026 9:00", "01.12.2026 10:20", timed("2026-12-01 09:00", "2026-12-01 10:20")),
        (NINE, time(8, 0), timed("2026-12-01 09:00", "2026-12-02 08:00")),
        (date(2026, 12, 1), date(2026, 12, 2), days("2026-12-01", "2026-12-03")),
        (date(2026, 12, 1), None, days("2026-12-01", "2026-12-02")),
        (date(2026, 12, 1), NINE, timed("2026-12-01 00:00", "2026-12-01 09:00")),
        (NINE, date(2026, 12, 2), timed("2026-12-01 09:00", "2026-12-02 00:00")),
        (NINE + timedelta(milliseconds=-3), TEN, timed("2026-12-01 09:00", "2026-12-01 10:20")),
    ],
)
def test_dates_are_read_whether_real_or_text(start: Cell | Formula, end: Cell | Formula, span: Span) -> None:
    assert one("1", "Shift", start, end, "a@b.c").span == span


def test_times_of_day_and_lengths_have_columns_of_their_own() -> None:
    columns: dict[str, str | int] = {"title": 1, "date": 2, "start_time": 3, "duration": 4}
    entry = one(
        "Shift", date(2026, 12, 1), time(9, 30), timedelta(hours=26), columns=columns, header=("T", "D", "From", "For")
    )
    assert entry.span == timed("2026-12-01 09:30", "2026-12-02 11:30")
    midnight = one("Shift", date(2026, 12, 1), time(0), time(1, 30), columns=columns, header=("T", "D", "From", "For"))
    assert midnight.span == timed("2026-12-01 00:00", "2026-12-01 01:30")


TIMES: dict[str, str | int] = {"title": "T", "date": "D", "start_time": "From", "end_time": "To"}
DATED = "yyyy-mm-dd hh:mm"
FIRST, SECOND = date(2026, 12, 1), date(2026, 12, 2)


@pytest.mark.parametrize(
    ("start", "end", "span"),
    [
        (time(16), timedelta(days=1), timed("2026-12-01 16:00", "2026-12-02 00:00")),
        (time(16), Shown(1.0, "hh:mm"), timed("2026-12-01 16:00", "2026-12-02 00:00")),
        (time(0), Shown(1.0, "hh:mm"), timed("2026-12-01 00:00", "2026-12-02 00:00")),
        (time(22), Shown(1.25, "hh:mm"), timed("2026-12-01 22:00", "2026-12-02 06:00")),
        (time(8), time(8), timed("2026-12-01 08:00", "2026-12-02 08:00")),
        # As Python and SQL Server write a time without a date: on 1900-01-01.
        (Shown(1.375, DATED), Shown(1.5, DATED), timed("2026-12-01 09:00", "2026-12-01 12:00")),
        (Shown(1.9375, DATED), Shown(2.25, DATED), timed("2026-12-01 22:30", "2026-12-02 06:00")),
        (Shown(1.9375, DATED), Shown(1.25, DATED), timed("2026-12-01 22:30", "2026-12-02 06:00")),
        (Shown(1.0, DATED), Shown(1.25, DATED), timed("2026-12-01 00:00", "2026-12-01 06:00")),
        (Shown(1.375, DATED), time(12), timed("2026-12-01 09:00", "2026-12-01 12:00")),
        (datetime(2026, 12, 1, 9), datetime(2026, 12, 1, 10), timed("2026-12-01 09:00", "2026-12-01 10:00")),
        (datetime(2026, 12, 1, 22), datetime(2026, 12, 2, 6), timed("2026-12-01 22:00", "2026-12-02 06:00")),
        (datetime(2026, 12, 1, 9), SECOND, timed("2026-12-01 09:00", "2026-12-02 00:00")),
        (time(9), None, timed("2026-12-01 09:00", "2026-12-01 09:00")),
    ],
)
def test_times_of_day_may_be_a_whole_day_or_carry_their_date(start: Cell, end: Cell, span: Span) -> None:
    (entry,) = parse(workbook(("T", "D", "From", "To"), ("Shift", FIRST, start, end)), TIMES).entries
    assert entry.span == span


def test_from_midnight_to_midnight_beside_times_is_a_span_where_the_cells_show_a_time() -> None:
    midnights = (Shown(46357.0, "dd.mm.yyyy hh:mm"), Shown(46358.0, "dd.mm.yyyy hh:mm"))
    rows = (("1", "Timed", NINE, TEN, ""), ("2", "Duty", *midnights, ""), ("3", "Leave", FIRST, SECOND, ""))
    timed_one, duty, leave = parse(workbook(HEADER, *rows)).entries
    assert timed_one.span == timed("2026-12-01 09:00", "2026-12-01 10:20")
    assert duty.span == timed("2026-12-01 00:00", "2026-12-02 00:00")
    assert leave.span == days("2026-12-01", "2026-12-03")
    # Without rows that have times, a date is a day however it is shown.
    assert parse(workbook(HEADER, rows[1])).entries[0].span == days("2026-12-01", "2026-12-03")


def test_an_error_cell_is_one_of_its_row_and_no_empty_cell() -> None:
    bad = (("1", "S", NINE, Failed("#REF!"), ""), ("2", "S", Failed("#N/A"), TEN, ""))
    part = parse(workbook(HEADER, *bad, ("3", "S", NINE, TEN, "")))
    assert [entry.uid for entry in part.entries] == ["3"]
    assert [(problem.where, problem.key) for problem in part.problems] == [("a.xlsx:2", "1"), ("a.xlsx:3", "2")]
    assert "column 'End' holds the error #REF!" in part.problems[0].reason
    assert "column 'Start' holds the error #N/A" in part.problems[1].reason
    merged = parse(workbook(HEADER, ("1", Failed("#N/A"), NINE, TEN, ""), ("2", None, NINE, TEN, ""), merged=["B2:B3"]))
    assert merged.rejected == {"1", "2"}


def test_what_stands_beside_a_table_costs_no_row() -> None:
    rows = (("Early", FIRST, time(9), time(10), None, "ask Anna"), ("Late", FIRST, time(11), time(12)))
    part = parse(workbook(("T", "D", "From", "To"), *rows), TIMES)
    assert [entry.details.title for entry in part.entries] == ["Early", "Late"]
    (problem,) = part.problems
    assert (problem.kind, problem.where) == ("warning", "a.xlsx:2")
    assert problem.reason.startswith("1 row has cells beyond the last title, which are not read")


def test_a_formula_that_nobody_has_computed_is_no_empty_cell() -> None:
    rows = (
        ("Shift", FIRST, time(9), Formula("C2+1/24", None)),
        ("Duty", Formula("B2+1", None), time(9), time(10)),
        ("Night", SECOND, time(9), Formula('IF(1,"")', "")),
    )
    part = parse(workbook(("T", "D", "From", "To"), *rows), TIMES)
    assert [entry.details.title for entry in part.entries] == ["Night"]
    assert [problem.reason for problem in part.problems] == [
        f"column '{name}' holds a formula without its value (open the file in Excel or LibreOffice, and save it there)"
        for name in ("To", "D")
    ]


def test_errors_are_found_on_the_sheet_that_is_read_only() -> None:
    good, bad = (HEADER, ("1", "S", NINE, TEN, "")), (HEADER, ("1", "S", Failed("#N/A"), TEN, ""))
    content = workbook_of({"Good & old": good, "Bad": bad})
    assert parse(content, sheet="Good & old").problems == []
    assert len(parse(content, sheet="Bad").problems) == 1


def test_a_number_that_excel_shows_as_a_date_is_named_as_one() -> None:
    part = parse(workbook(HEADER, ("1", "S", 46357.375, TEN, ""), ("2", "S", 46357, None, "")))
    assert ["2026-12-01 09:00" in part.problems[0].reason, "2026-12-01 " in part.problems[1].reason] == [True, True]
    assert "format the column as a date" in part.problems[0].reason


def test_numbers_and_truths_are_what_a_person_would_type() -> None:
    columns = {**COLUMNS, "all_day": "Whole", "priority": "P"}
    entry = one(1024, 3.5, date(2026, 12, 1), None, "a@b.c", True, 5, columns=columns, header=(*HEADER, "Whole", "P"))
    assert (entry.uid, entry.details.title, entry.details.priority) == ("1024", "3.5", 5)
    assert isinstance(entry.span, AllDay)


def test_a_cell_merged_over_rows_stands_for_all_of_them() -> None:
    content = workbook(
        HEADER,
        ("1", "Morning", NINE, TEN, "a@b.c"),
        ("2", None, NINE, TEN, "d@e.f"),
        ("3", "Other", NINE, TEN, "a@b.c"),
        merged=["B2:B3"],
    )
    assert [entry.details.title for entry in parse(content).entries] == ["Morning", "Morning", "Other"]


def test_titles_above_the_header_and_headings_between_rows_are_passed_over_and_told() -> None:
    content = workbook(
        ("Shift plan 2026",),
        (),
        HEADER,
        ("December",),
        ("1", "Morning", NINE, TEN, "a@b.c"),
        (None, None, None, None, None),
        ("2", "Evening", NINE, TEN, "a@b.c"),
        merged=["A1:E1", "A4:E4"],
    )
    part = parse(content)
    assert [(entry.where, entry.uid) for entry in part.entries] == [("a.xlsx:5", "1"), ("a.xlsx:7", "2")]
    assert [(problem.where, problem.kind) for problem in part.problems] == [("a.xlsx:4", "warning")]
    assert part.incomplete == ""


def test_the_sheet_is_named_numbered_or_the_first_visible() -> None:
    rows = {name: (HEADER, (name, name, NINE, TEN, "")) for name in ("Old", "Now", "Next")}
    content = workbook_of(rows, hidden=["Old"])
    for sheet, title in ((None, "Now"), ("Next", "Next"), ("next ", "Next"), (1, "Old"), (3, "Next")):
        assert parse(content, sheet=sheet).entries[0].details.title == title
    with pytest.raises(SourceError, match=r"has no sheet 'Nxt'.*did you mean 'Next'"):
        parse(content, sheet="Nxt")
    with pytest.raises(SourceError, match="has no sheet 4, only 3"):
        parse(content, sheet=4)


def test_the_header_is_where_the_config_says() -> None:
    content = workbook(HEADER, HEADER, ("1", "Shift", NINE, TEN, ""))
    assert [problem.where for problem in parse(content).problems] == ["a.xlsx:2"]
    assert parse(content, header=2).problems == []
    assert "no header" in parse(content, header=9).incomplete


def test_a_missing_column_is_an_error_with_the_header_row_and_the_nearest_title() -> None:
    with pytest.raises(SourceError, match=r"a.xlsx:2: no column 'E-mail' for owner.*E-Mai"):
        parse(workbook(("Plan",), ("ID", "Shift", "Start", "End", "E-Mai"), ("1", "S", NINE, TEN, "")))


def test_a_row_with_an_impossible_cell_is_rejected_alone() -> None:
    part = parse(workbook(HEADER, ("1", "S", 46000.375, TEN, ""), ("2", "S", NINE, TEN, "")))
    assert [entry.uid for entry in part.entries] == ["2"]
    assert part.rejected == {"1"}
    assert "46000.375" in part.problems[0].reason


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html><body>Sign in</body></html>", "HTML"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>", "HTML or XML"),
        (b"ID;Shift\n1;2\n", "not an Excel file"),
        (b"PK\x03\x04\x00\x00binary\x00", "not an Excel file"),
        (workbook(HEADER)[:-200], "not an Excel file|damaged archive"),
        (
            workbook(HEADER).replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xa7"),
            "not an Excel file|damaged archive",
        ),
        (workbook(HEADER)[:400], "not an Excel file|damaged archive"),
    ],
)
def test_what_is_no_workbook_is_an_error(content: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=f"^a.xlsx .*({says})"):
        parse(content)


def bomb(declared: int | None) -> bytes:
    """Return an archive of 20 MB of zeros, which claims to hold `declared` bytes."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(20_000_000))
    content = out.getvalue()
    if declared is None:
        return content
    return content.replace((20_000_000).to_bytes(4, "little"), declared.to_bytes(4, "little"))


@pytest.mark.parametrize("declared", [None, 10])
def test_an_archive_that_unpacks_to_too_much_is_refused_whatever_it_says_of_itself(declared: int | None) -> None:
    with pytest.raises(SourceError, match="would unpack to more than 1000000 bytes"):
        parse(bomb(declared), limits=SheetLimits(most_bytes=1_000_000))


@pytest.mark.parametrize("header", [0, None])
def test_a_sheet_without_titles_is_read_from_its_first_row_on(header: int | None) -> None:
    content = workbook([date(2026, 12, 1), "A"], [date(2026, 12, 2), "B", "b"])
    part = parse(content, columns={"date": 1, "title": 2}, header=header)
    assert [(entry.where, entry.details.title) for entry in part.entries] == [("a.xlsx:1", "A"), ("a.xlsx:2", "B")]


MONTHS: dict[str, tuple[tuple[Cell, ...], ...]] = {
    "Ноябрь": (HEADER, ("A", "A", NINE, TEN, "")),
    "Декабрь 2026": (("План",), HEADER, ("B", "B", NINE, TEN, ""), ("A", "again", NINE, TEN, "")),
    "Справочник": (("Код", "Имя"), ("1", "x")),
    "Лист4": (),
}


@pytest.mark.parametrize(
    ("sheet", "titles"),
    [("*", ["A", "B"]), ("* 2026", ["B", "again"]), (["Ноябрь", 2], ["A", "B"]), (["Декабрь 2026"], ["B", "again"])],
)
def test_several_sheets_are_read_as_one_table(sheet: object, titles: list[str]) -> None:
    part = parse(workbook_of(MONTHS), sheet=sheet)
    assert [entry.details.title for entry in part.entries] == titles
    assert part.incomplete == ""
    assert part.entries[-1].where.startswith("a.xlsx[Декабрь 2026]:")
    told = " ".join(problem.reason for problem in part.problems)
    assert ("'Справочник' has none of the titles" in told) == (sheet == "*")
    assert "Лист4" not in told


def test_sheets_that_are_not_read_and_hold_the_same_are_told() -> None:
    (problem,) = parse(workbook_of(MONTHS)).problems
    assert (problem.kind, problem.where) == ("warning", "a.xlsx")
    assert "the sheets 'Декабрь 2026' have the same titles as 'Ноябрь' and are not read" in problem.reason
    assert 'sheet = "*"' in problem.reason
    assert parse(workbook_of(MONTHS), sheet="Ноябрь").problems == []


def test_a_sheet_that_lacks_a_column_hides_no_other_and_deletes_nothing() -> None:
    lacking = MONTHS | {"Январь": (("ID", "Shift"), ("C", "C"))}
    part = parse(workbook_of(lacking), sheet="*")
    assert [entry.details.title for entry in part.entries] == ["A", "B"]
    assert "a.xlsx[Январь]:1: no column 'Start'" in part.incomplete
    with pytest.raises(SourceError, match="no column 'Start'"):
        parse(workbook_of(lacking), sheet=["Январь"])


@pytest.mark.parametrize(("sheet", "says"), [("x*", "no sheet like 'x.'.*there are: Ноябрь"), (["x"], "no sheet 'x'")])
def test_a_choice_that_no_sheet_has_is_an_error(sheet: object, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        parse(workbook_of(MONTHS), sheet=sheet)


@pytest.mark.parametrize(
    ("options", "says"),
    [({"sheet": []}, "names no sheet"), ({"sheet": ["A", 0]}, "sheet = 0 is no sheet"),
     ({"sheet": "*", "columns": {}, "grid": {"month": "2026-12"}}, "month cannot date several sheets")],
)  # fmt: skip
def test_a_choice_of_sheets_that_means_none_is_a_config_error(options: dict[str, object], says: str) -> None:
    given: dict[str, object] = {"type": "xlsx", "path": "a.xlsx", "columns": COLUMNS}
    with pytest.raises(ConfigError, match=says):
        open_source(given | options, Path(), where="here")


@pytest.mark.parametrize("small", [False, True])
def test_an_error_cell_of_an_old_workbook_is_no_empty_cell(small: bool) -> None:
    day = "01.12.2026"
    rows: list[tuple[str | Broken, ...]] = [
        ("ID", "Shift", "Start", "End", "E-mail"),
        ("a", "Ok", day, "", ""),
        ("b", "Typed", day, Broken(0x17), ""),
        ("c", "Formula", day, Broken(0x2A, formula=True), ""),
    ]
    part = parse(old_workbook([[("no table",)], rows], small=small), sheet=2)
    assert [entry.uid for entry in part.entries] == ["a"]
    reasons = [problem.reason for problem in part.problems]
    assert reasons == [f"column 'End' holds the error {error} (correct the formula)" for error in ("#REF!", "#N/A")]
    assert part.rejected == {"b", "c"}


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 6000), st.binary(min_size=1, max_size=4), st.integers(0, 6000))
def test_a_damaged_old_workbook_ends_nothing(at: int, damage: bytes, length: int) -> None:
    whole = old_workbook([[("ID", Broken(0x17))]])
    errors_in_xls(whole[:at] + damage + whole[at + len(damage) :], 0)
    errors_in_xls(whole[:length], 0)
    assert errors_in_xls(whole, 0) == {(0, 1): "#REF!"}


def test_the_number_1_among_times_is_refused_as_it_could_be_1_or_24_hours() -> None:
    rows: list[list[Cell]] = [
        ["T", date(2026, 12, 3), time(16), 1.0],
        ["T", date(2026, 12, 4), time(16), Shown(1.0, "[h]:mm")],
    ]
    columns: dict[str, str | int] = {"title": "A", "date": "B", "start_time": "C", "end_time": "D"}
    part = parse(workbook(["A", "B", "C", "D"], *rows), columns=columns)
    assert [problem.where for problem in part.problems] == ["a.xlsx:2"]
    assert "end_time: '1.0' could be 1:00 or 24:00" in part.problems[0].reason
    assert [entry.where for entry in part.entries] == ["a.xlsx:3"]
