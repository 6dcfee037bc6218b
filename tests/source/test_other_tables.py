"""A second table in a file or on a sheet: never read by the titles of the first, and never lost without a line."""

from __future__ import annotations

import pytest

from syncd.source.conformance import CONTEXT
from syncd.source.files import Part
from syncd.source.table.csv import CsvFormat, CsvOptions
from syncd.source.table.xlsx import XlsxFormat, XlsxOptions
from tests.source.workbooks import workbook

HEADER = "Сотрудник;Смена;Начало;Окончание"
COLUMNS: dict[str, str | int] = {"owner": "Сотрудник", "title": "Смена", "start": "Начало", "end": "Окончание"}
FIRST = "Анна;Утро;01.12.2026 8:00;01.12.2026 16:00"
SECOND = "Анна;Утро;02.12.2026 8:00;02.12.2026 16:00"


def parse(*lines: str, columns: dict[str, str | int] | None = None) -> Part:
    options = CsvOptions(type="csv", path="t.csv", columns=columns or COLUMNS)
    return CsvFormat(options).parse("t.csv", "\n".join(lines).encode() + b"\n", CONTEXT)


def told(part: Part) -> list[tuple[str, str, str]]:
    return [(one.where, one.kind, one.reason) for one in part.problems]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Смена;Сотрудник;Окончание;Начало", "Утро;Анна;02.12.2026 16:00;02.12.2026 8:00"),
        ("Смена;Сотрудник;Начало;Окончание", "Утро;Анна;02.12.2026 8:00;02.12.2026 16:00"),
        ("Сотрудник;Смена;Окончание;Начало", "Анна;Утро;02.12.2026;02.12.2026"),
        ("Сотрудник;Смена;Дата;Время", "Анна;Вечер;02.12.2026;16:00"),
        ("Дата;Время;Предмет;Кабинет;Класс", "02.12.2026;9:00;Физика;12;7А"),
        ("смена ; Сотрудник;Лист 2;", "Утро;Анна;02.12.2026;"),
    ],
)
def test_rows_below_other_titles_are_told_and_not_read(header: str, row: str) -> None:
    part = parse(HEADER, FIRST, header, row, row)
    assert [entry.where for entry in part.entries] == ["t.csv:2"]
    ((where, kind, reason),) = told(part)
    assert (where, kind) == ("t.csv:3", "rejected")
    assert "so the 2 rows below are not read" in reason
    assert part.incomplete  # whatever stands there is not gone


@pytest.mark.parametrize(
    "again", [HEADER, "сотрудник;смена;начало; окончание", "Врач;Смена;Начало смены;Дата окончания"]
)
def test_titles_that_mean_the_same_go_on_with_the_table(again: str) -> None:
    part = parse(HEADER, FIRST, "Смена;Сотрудник;Начало;Окончание", "Утро;Анна;3.12.2026;3.12.2026", again, SECOND)
    assert [entry.where for entry in part.entries] == ["t.csv:2", "t.csv:6"]
    assert [where for where, _, _ in told(part)] == ["t.csv:3", "t.csv:5"]
    assert "the row below" in told(part)[0][2] or "1 row below" in told(part)[0][2]


def test_a_row_that_cannot_be_read_is_no_row_of_titles() -> None:
    part = parse(HEADER, "Смена;Утро;завтра;потом", SECOND)
    assert [entry.where for entry in part.entries] == ["t.csv:3"]
    assert "is not a date" in told(part)[0][2]


def test_rows_of_a_table_above_the_titles_are_told() -> None:
    lines = ("Сотрудник;Смена;Дата;Время", "Анна;Утро;01.12.2026;8:00", "Иван;Утро;02.12.2026;8:00", HEADER, SECOND)
    for part in (
        parse(*lines),
        XlsxFormat(XlsxOptions(type="xlsx", path="t.csv", columns=COLUMNS)).parse(
            "t.csv", workbook(*(line.split(";") for line in lines)), CONTEXT
        ),
    ):
        assert [entry.where for entry in part.entries] == ["t.csv:5"]
        ((where, kind, reason),) = told(part)
        assert (where, kind) == ("t.csv:2", "warning")
        assert reason.startswith("2 rows of another table stand above the titles, where nothing is read: 2, 3")


def test_titles_and_dates_of_printing_above_a_table_are_no_other_table() -> None:
    part = parse("Период;с 01.12.2026;по 31.12.2026;", "Дата печати;;01.12.2026;Иванов", HEADER, FIRST)
    assert (len(part.entries), told(part)) == (1, [])
