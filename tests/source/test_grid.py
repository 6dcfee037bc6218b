"""Plans of people by days."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.errors import ConfigError, SourceError
from syncd.model.entry import AllDay, Timed
from syncd.model.filter import Filter, compile_condition
from syncd.source import open_source
from syncd.source.conformance import CONTEXT
from syncd.source.files import Part
from syncd.source.table.csv import CsvFormat, CsvOptions
from syncd.source.table.grid import GridOptions, hours_of
from syncd.source.table.grid_days import find_days, month_named
from syncd.source.table.xlsx import XlsxFormat, XlsxOptions
from tests.source.calendars import days, timed
from tests.source.workbooks import Cell, Failed, workbook_of

CODES: dict[str, str | list[str]] = {
    "Д": "08:00-20:00", "Н": "20:00-08:00", "С": "08:00-08:00", "О": "all day", "В": "", "Р": ["08:00-12:00", "16-20"],
}  # fmt: skip
NUMBERS = ";".join(map(str, range(1, 32)))


def parse(text: str, *, name: str = "plan.csv", columns: dict[str, str | int] | None = None, **grid: object) -> Part:
    chosen = GridOptions(**{"codes": CODES} | grid)  # type: ignore[arg-type]
    options = CsvOptions(type="csv", path=name, grid=chosen, columns=columns or {})
    return CsvFormat(options).parse(name, text.encode(), CONTEXT)


def plan(*rows: str, title: str = "График работы на декабрь 2026 г.", head: str = f"ФИО;{NUMBERS}") -> str:
    return "".join(f"{row}\n" for row in (title, head, *rows))


def shown(part: Part) -> list[tuple[str, str, str]]:
    """Return owner, title and start of each entry."""
    starts = [one.span.start if isinstance(one.span, Timed) else one.span.first for one in part.entries]
    return [(one.details.owner, one.details.title, str(at)) for one, at in zip(part.entries, starts, strict=True)]


def test_each_cell_is_a_shift_of_its_person_on_its_day() -> None:
    part = parse(plan("Петрова А. И.;Д;н;;С;О;В", "Иванов П. С.;;Р"))
    assert (part.problems, part.incomplete) == ([], "")
    assert [entry.span for entry in part.entries] == [
        timed("2026-12-01 08:00", "2026-12-01 20:00"),
        timed("2026-12-02 20:00", "2026-12-03 08:00"),
        timed("2026-12-04 08:00", "2026-12-05 08:00"),
        days("2026-12-05", "2026-12-06"),
        timed("2026-12-02 08:00", "2026-12-02 12:00"),
        timed("2026-12-02 16:00", "2026-12-02 20:00"),
    ]
    assert [entry.details.owner for entry in part.entries] == ["Петрова А. И."] * 4 + ["Иванов П. С."] * 2
    assert (part.entries[0].where, part.entries[0].uid) == ("plan.csv:3 (01.12)", "Петрова А. И. 2026-12-01")
    assert len({entry.uid for entry in part.entries}) == 6


def test_a_shift_that_changes_keeps_its_uid_wherever_its_row_stands() -> None:
    before = parse(plan("Петрова;Д;Н", "Иванов;Н"))
    after = parse(plan("Иванов;Д", "Сидоров;Д", "Петрова;Н;Н"))
    assert {entry.uid for entry in before.entries} <= {entry.uid for entry in after.entries}


def test_two_rows_of_one_person_are_two_shifts() -> None:
    part = parse(plan("Петрова;Д", "Петрова;Н"))
    assert [entry.uid for entry in part.entries] == ["Петрова 2026-12-01", "Петрова #2 2026-12-01"]


@pytest.mark.parametrize(
    ("cell", "hours"),
    [
        ("8-20", ("8:00-20:00",)), ("08:00-20:00", ("08:00-20:00",)), ("с 8 до 20", ("8:00-20:00",)),
        ("8:00\n20:00", ("8:00-20:00",)), ("8-12, 13-17", ("8:00-12:00", "13:00-17:00")), ("9:00", ("9:00",)),
        ("Q", None), ("8", None), ("", None), ("01.12.2026", None), ("25-30", None), ("12,5", None),
    ],
)  # fmt: skip
def test_hours_in_a_cell_need_no_code(cell: str, hours: tuple[str, ...] | None) -> None:
    assert hours_of(cell) == hours


def test_hours_in_cells_are_read_and_titles_are_given_to_codes() -> None:
    part = parse(plan('Петрова;8-20;"8:00\n20:00";Д'), titles={"Д": "Дневная смена"})
    assert shown(part) == [
        ("Петрова", "8-20", "2026-12-01 08:00:00"),
        ("Петрова", "8:00\n20:00", "2026-12-02 08:00:00"),
        ("Петрова", "Дневная смена", "2026-12-03 08:00:00"),
    ]


@pytest.mark.parametrize("cell", ["д", " Д ", "C", "c"])
def test_codes_are_known_in_any_case_and_keyboard(cell: str) -> None:
    assert len(parse(plan(f"Петрова;{cell}")).entries) == 1


def test_a_cell_that_is_no_code_is_told_once_for_all_of_its_kind_and_keeps_what_stood_there() -> None:
    part = parse(plan("Петрова;Q;Д;Q", "Иванов;Q;#REF!;-"))
    assert shown(part) == [("Петрова", "Д", "2026-12-02 08:00:00")]
    assert [(problem.kind, problem.where) for problem in part.problems] == [
        ("rejected", "plan.csv:3 (01.12)"),
        ("rejected", "plan.csv:4 (02.12)"),
    ]
    assert "'Q' at 3 (01.12), 3 (03.12), 4 (01.12) is neither hours nor one of codes" in part.problems[0].reason
    assert "the error #REF!" in part.problems[1].reason
    assert part.rejected == {
        f"{who} 2026-12-0{day}" for who, day in (("Петрова", 1), ("Петрова", 3), ("Иванов", 1), ("Иванов", 2))
    }
    assert part.incomplete == ""


def test_shifts_without_a_name_are_told_and_not_lost() -> None:
    part = parse(plan("Петрова;Д", ";Н"))
    assert [(problem.kind, problem.where) for problem in part.problems] == [("rejected", "plan.csv:4")]
    assert part.incomplete


def test_shifts_with_numbers_are_no_row_of_days() -> None:
    codes: dict[str, str] = {str(number): f"0{number}:00-20:00" for number in range(1, 7)}
    assert len(parse(plan("Петрова;1;2;3;4;5;6"), codes=codes).entries) == 6


@pytest.mark.parametrize(
    "below",
    [
        ("Итого;1;1",),
        (";2;3",),
        ("", "Составил: Иванова"),
        ("Д;08:00-20:00",),
        ("Д - день с 8 до 20",),
        ("Отдел продаж",),
    ],
)
def test_totals_legends_and_headings_are_no_shifts(below: tuple[str, ...]) -> None:
    part = parse(plan("Петрова;Д", *below))
    assert shown(part) == [("Петрова", "Д", "2026-12-01 08:00:00")]
    assert {problem.kind for problem in part.problems} <= {"warning"}
    assert part.incomplete == ""


def test_the_weekdays_below_the_days_are_no_shifts_and_show_a_wrong_month() -> None:
    right = ";".join(["вт", "ср", "чт", "пт", "сб", "вс", "пн"])
    assert parse(plan(f";{right}", "Петрова;Д")).problems == []
    (problem,) = parse(plan(f";{right}", "Петрова;Д", title="Январь 2027")).problems
    assert (problem.kind, problem.where) == ("warning", "plan.csv:3")
    assert "the weekdays are not those of 2027-01" in problem.reason


@pytest.mark.parametrize(
    ("title", "name", "month"),
    [
        ("Декабрь 2026", "plan.csv", None),
        ("График;12.2026", "plan.csv", None),
        ("Утверждаю 25.11.2026;график на декабрь 2026 года", "plan.csv", None),
        ("Утверждаю 25 ноября 2026;;ДЕКАБРЬ;2026 год", "plan.csv", None),
        ("Смены", "График декабрь_2026.csv", None),
        ("Смены", "grafik_2026-12.csv", None),
        ("Смены", "12_2026.csv", None),
        ("Декабрь", "plan 2026.csv", None),
        ("Смены", "plan.csv", "2026-12"),
        ("Ноябрь 2026", "plan.csv", "декабрь 2026"),
    ],
)
def test_the_month_of_numbered_days_is_found(title: str, name: str, month: str | None) -> None:
    part = parse(plan("Петрова;Д", title=title), name=name, month=month)
    assert shown(part) == [("Петрова", "Д", "2026-12-01 08:00:00")]


@pytest.mark.parametrize("title", ["Смены", "Декабрь", "Ноябрь 2026;Декабрь 2026", "2026"])
def test_a_month_that_cannot_be_told_is_an_error_with_the_key(title: str) -> None:
    with pytest.raises(SourceError, match=r'plan\.csv:2: the days have no month.*set month = "2026-12"'):
        parse(plan("Петрова;Д", title=title))


@pytest.mark.parametrize(
    "head",
    [
        "01.12.2026;02.12.2026;03.12.2026;04.12.2026;05.12.2026",
        "01.12;02.12;03.12;04.12;05.12",
        "1 дек;2 дек;3 дек;4 дек;5 дек",
        "1;2;3;4;5",
        "01;02;03;04;05",
        "вт 1;ср 2;чт 3;пт 4;сб 5",
        "1, вт;2, ср;3, чт;4, пт;5, сб",
        '"1\nвт";"2\nср";"3\nчт";"4\nпт";"5\nсб"',
    ],
)
def test_days_are_written_in_many_ways(head: str) -> None:
    part = parse(plan("Петрова;;Д", head=f"Сотрудник;{head}"))
    assert shown(part) == [("Петрова", "Д", "2026-12-02 08:00:00")]


@pytest.mark.parametrize(
    "head",
    ["Сотрудник;1;2;3;4", "Сотрудник;01.12;02.12;03.12;04.12", "Сотрудник;вт 1;ср 2;чт 3;пт 4", "Сотрудник;1;2",
     "Сотрудник;вт;ср;чт;пт\n;1;2;3;4", ";вт;ср;чт;пт\nСотрудник;1;2;3;4", "Сотрудник;1;2;3;4\n;вт;ср;чт;пт"],
)  # fmt: skip
def test_a_plan_may_have_a_few_days_only(head: str) -> None:
    part = parse(
        plan("Петрова;;Д", "Иванов;1;2;3;4", head=head), codes=CODES | {"1": "8-9", "2": "9-10", "3": "", "4": ""}
    )
    assert shown(part)[0] == ("Петрова", "Д", "2026-12-02 08:00:00")
    assert {owner for owner, _, _ in shown(part)[1:]} == {"Иванов"}
    assert part.problems == []


def test_days_may_be_left_out() -> None:
    part = parse(plan("Петрова;Д;;;;Д;Н", head="ФИО;1;2;3;4;7;8;9;10;11"))
    assert [at for _, _, at in shown(part)] == ["2026-12-01 08:00:00", "2026-12-07 08:00:00", "2026-12-08 20:00:00"]
    dated = parse(plan("Петрова;Д;;;;Д", head="ФИО;01.12.2026;02.12.2026;03.12.2026;04.12.2026;07.12.2026"))
    assert [at for _, _, at in shown(dated)] == ["2026-12-01 08:00:00", "2026-12-07 08:00:00"]


@pytest.mark.parametrize(
    ("head", "read"),
    [("1;2;3;4;5;5;7", 5), ("1;1;3;4;5;6;7", 6), ("27.02;28.02;30.02;01.03;02.03;03.03;04.03", 6)],
)
def test_a_day_that_is_none_is_told_and_nothing_is_deleted_for_it(head: str, read: int) -> None:
    part = parse(plan("Петрова;Д;Д;Д;Д;Д;Д;Д", title="Декабрь 2026", head=f"ФИО;{head}"))
    assert (len(part.entries), len(part.problems)) == (read, 1)
    assert "none or out of order" in part.problems[0].reason
    assert part.incomplete


def test_the_numbers_of_the_columns_of_a_form_are_no_days() -> None:
    numbers = ";".join(map(str, range(1, 35)))
    part = parse(plan(numbers, "1;Петрова;7;Д", head=f"№;ФИО;Разряд;{NUMBERS}"))
    assert shown(part) == [("Петрова", "Д", "2026-12-01 08:00:00")]
    assert (part.incomplete, [problem.kind for problem in part.problems]) == ("", ["warning"])


def test_days_may_run_over_the_turn_of_a_year_if_they_have_months() -> None:
    part = parse(plan("Петрова;Д;;;Д", title="2026", head="ФИО;30.12;31.12;01.01;02.01;03.01"))
    assert shown(part) == [("Петрова", "Д", "2026-12-30 08:00:00"), ("Петрова", "Д", "2027-01-02 08:00:00")]
    with pytest.raises(SourceError, match="run over two months"):
        parse(plan("Петрова;Д", head="ФИО;29;30;31;1;2"))


def test_a_form_with_31_columns_serves_a_shorter_month() -> None:
    row = "Петрова;" + ";".join(["Д"] * 28)
    assert len(parse(plan(row, title="Февраль 2027")).entries) == 28


def test_several_months_may_stand_below_each_other() -> None:
    text = plan("Петрова;Д") + plan("Петрова;Н", title="Январь 2027") + plan("Иванов;Д", title="Отдел 2")
    assert shown(parse(text)) == [
        ("Петрова", "Д", "2026-12-01 08:00:00"),
        ("Петрова", "Н", "2027-01-01 20:00:00"),
        ("Иванов", "Д", "2027-01-01 08:00:00"),
    ]


def test_a_later_part_may_have_more_days_than_the_first() -> None:
    short = ";".join(map(str, range(1, 29)))
    text = plan("Петрова;Д", title="Февраль 2027", head=f"ФИО;{short}") + plan("Петрова;Д", "Иванов" + ";" * 31 + "Н")
    assert [at for _, _, at in shown(parse(text))][1:] == ["2026-12-01 08:00:00", "2026-12-31 20:00:00"]


def test_columns_beside_the_days_give_fields_and_templates() -> None:
    text = plan("7;Петрова;p@b.c;Касса;Д", head=f"Таб. №;ФИО;E-mail;Место;{NUMBERS}")
    (entry,) = parse(text, columns={"uid": "Таб. №", "owner": "E-mail", "location": 4}, names="ФИО").entries
    assert (entry.uid, entry.details.owner, entry.details.location) == ("7 2026-12-01", "p@b.c", "Касса")
    assert dict(entry.details.columns)["ФИО"] == "Петрова"


def test_the_titles_may_stand_above_the_row_of_days() -> None:
    head = "№;Фамилия Имя;Декабрь 2026\n;;1;2;3;4;5"
    assert shown(parse(plan("1;Петрова;Д", title="График", head=head))) == [("Петрова", "Д", "2026-12-01 08:00:00")]


def test_a_column_of_names_that_cannot_be_told_is_an_error_with_the_key() -> None:
    text = plan("Петрова;Д", head=f"Кто-то;{NUMBERS}")
    with pytest.raises(SourceError, match=r"plan\.csv:2: no column says that it holds the names.*set names"):
        parse(text)
    assert len(parse(text, names=1).entries) == 1
    assert len(parse(text, names="Кто-то").entries) == 1


def test_what_is_no_grid_is_an_error() -> None:
    with pytest.raises(SourceError, match="has no row of days"):
        parse("ФИО;Дата\nПетрова;01.12.2026\n")
    with pytest.raises(SourceError, match=r"plan\.csv:1 is no row of days"):
        parse(plan("Петрова;Д"), dates=1)
    assert len(parse("1;2;3;4;5\n" + plan("Петрова;Д"), dates=3).entries) == 1


def test_the_filter_leaves_out_rows_before_they_are_judged() -> None:
    excluded = Filter(exclude=(compile_condition("owner ~ ^Резерв", where="t"),))
    options = CsvOptions(type="csv", path="plan.csv", grid=GridOptions(codes=CODES))
    text = plan("Петрова;Д", "Резерв 1;Q").encode()
    part = CsvFormat(options).parse("plan.csv", text, replace(CONTEXT, filter=excluded))
    assert (len(part.entries), part.problems, part.rejected) == (1, [], set())


def excel(*rows: tuple[Cell, ...], sheet: str = "Декабрь 2026", merged: tuple[str, ...] = (), **grid: object) -> Part:
    chosen = GridOptions(**{"codes": CODES} | grid)  # type: ignore[arg-type]
    options = XlsxOptions(type="xlsx", path="a.xlsx", grid=chosen)
    return XlsxFormat(options).parse("a.xlsx", workbook_of({sheet: rows}, merged=merged), CONTEXT)


def test_a_workbook_has_real_dates_numbers_and_leaves_merged_over_days() -> None:
    first = date(2026, 12, 1)
    real = excel(("ФИО", *(first + timedelta(days=at) for at in range(7))), ("Петрова", "Д", None, "О", None, None))
    assert shown(real) == [("Петрова", "Д", "2026-12-01 08:00:00"), ("Петрова", "О", "2026-12-03")]
    numbered = excel(
        ("ФИО", *range(1, 32)), ("Петрова", "О", None, None, 12), merged=("B2:D2",), codes=CODES | {"12": "8-20"}
    )
    assert [str(entry.span.first) for entry in numbered.entries if isinstance(entry.span, AllDay)] == [
        "2026-12-01", "2026-12-02", "2026-12-03",
    ]  # fmt: skip
    assert numbered.entries[-1].span == timed("2026-12-04 08:00", "2026-12-04 20:00")
    failed = excel(("ФИО", *range(1, 32)), ("Петрова", Failed("#N/A"), "Д"))
    assert (len(failed.entries), failed.rejected) == (1, {"Петрова 2026-12-01"})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"grid": {"codes": {"Д": "soon"}}}, "'Д' = 'soon' is no hours"),
        ({"grid": {"month": "soon"}}, "month = 'soon' is no month"),
        ({"grid": {}, "header": 2}, "header goes with columns"),
        ({"grid": {}, "columns": {"start": "A"}}, "a grid has no column for start"),
        ({"grid": {"code": {}}}, "grid"),
        ({}, "missing key 'columns' .or grid"),
    ],
)
def test_a_grid_that_cannot_be_meant_is_a_config_error(options: dict[str, object], says: str, tmp_path: Path) -> None:
    for kind in ("csv", "xlsx"):
        with pytest.raises(ConfigError, match=f"^the sync: .*{says}"):
            open_source({"type": kind, "path": "a"} | options, tmp_path, where="the sync")


def test_months_and_days_are_told_from_other_texts() -> None:
    assert month_named(["с 1 по 31 декабря 2026 г."]) == (2026, 12)
    assert month_named(["Приказ 5/2026"]) == (2026, 5)
    assert month_named(["Май", "Июнь 2026"]) == (2026, 6)
    assert month_named(["2026-12-01"]) == (2026, 12)
    assert month_named(["маяк 2026", "25.11.2026"]) is None
    assert find_days(["1", "2", "3", "4"]) is None
    assert find_days(["8", "8", "8", "8", "8"]) is None
    assert find_days(["ФИО", "12", "8", "1", "2", "3", "4", "5"]) is not None


CELLS = st.lists(st.sampled_from(["", "Д", "Q", "8-20", "-"]), max_size=31)
ROWS = st.lists(st.tuples(st.sampled_from(["Петрова", "Иванов", "Итого", "", "Д"]), CELLS), max_size=6)


@settings(max_examples=100, deadline=None)
@given(ROWS, st.integers(0, 6))
def test_one_odd_row_never_moves_the_shifts_of_others(rows: list[tuple[str, list[str]]], at: int) -> None:
    lines = [";".join([who, *cells]) for who, cells in rows]
    before = {entry.uid: entry.span for entry in parse(plan(*lines)).entries}
    part = parse(plan(*lines[:at], "Сидоров;#REF!;?!;31.12.2026", *lines[at:]))
    assert {entry.uid: entry.span for entry in part.entries} == before
    assert {"Сидоров 2026-12-01", "Сидоров 2026-12-02"} <= part.rejected


def test_a_long_text_in_place_of_hours_is_refused_at_once() -> None:
    before = process_time()
    assert hours_of("с 8" + " " * 100_000 + "x") is None
    assert process_time() - before < 1
