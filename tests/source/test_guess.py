"""What `syncd init` makes of schedules nobody has described."""

from __future__ import annotations

import itertools
from datetime import date, datetime
from time import process_time

import pytest

from syncd.errors import SourceError
from syncd.source.conformance import CONTEXT
from syncd.source.guess import Guess
from syncd.source.guess import guess as guess_on
from syncd.source.table.columns import check_mapping
from syncd.source.table.csv import CsvFormat, CsvOptions
from syncd.source.table.headings import find_fields
from tests.source.calendars import calendar, event
from tests.source.workbooks import Cell, Failed, workbook, workbook_of


def guess(name: str, content: bytes) -> Guess:
    return guess_on(name, content, date(2026, 11, 26))


def columns(text: str) -> dict[str, str | int]:
    return {field: column for field, column, _ in guess("a.csv", text.encode()).columns}


def keys(found: Guess) -> dict[str, str | int]:
    return {name: value for name, value, _ in found.keys}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "ID;Смена;Начало;Конец;E-mail\na7;Утро;01.12.2026 9:00;01.12.2026 10:00;a@b.c\n",
            {"uid": "ID", "title": "Смена", "start": "Начало", "end": "Конец", "owner": "E-mail"},
        ),
        (
            "Subject,Start Date,Start Time,End Date,End Time,All Day Event,Location\n"
            "X,12/31/2026,9:00 AM,12/31/2026,10:00 AM,False,R\n",
            {"title": "Subject", "date": "Start Date", "start_time": "Start Time", "end": "End Date",
             "end_time": "End Time", "location": "Location", "all_day": "All Day Event"},
        ),
        (
            "Дата\tНачало\tОкончание\tПредмет\tКласс\tАудитория\n01.12.2026\t9:00\t9:45\tФизика\t7А\t12\n",
            {"title": "Предмет", "date": "Дата", "start_time": "Начало", "end_time": "Окончание", "owner": "Класс",
             "location": "Аудитория"},
        ),
        ("Дата;Время;Предмет\n01.12.2026;08:30-09:15;Физика\n01.12.2026;9:25–10:10;Химия\n",
         {"title": "Предмет", "date": "Дата", "start_time": "Время"}),
        ("Дата;Часы;Предмет\n01.12.2026;08:30-09:15;Физика\n01.12.2026;9:25–10:10;Химия\n",
         {"title": "Предмет", "date": "Дата", "start_time": "Часы"}),
        ("Дата;Начало занятия;Звонок;Предмет\n01.12.2026;08:30;09:15;Физика\n01.12.2026;9:25;10:10;Химия\n",
         {"title": "Предмет", "date": "Дата", "start_time": "Начало занятия", "end_time": "Звонок"}),
        ("Position,Shift start,Shift end,E-mail\nDesk,2026-12-01 09:00,2026-12-01 17:00,a@b.c\n",
         {"title": "Position", "start": "Shift start", "end": "Shift end", "owner": "E-mail"}),
        ("Дата;с;по;Предмет\n01.12.2026;08:30;09:15;Физика\n01.12.2026;9:25;10:10;Химия\n",
         {"title": "Предмет", "date": "Дата", "start_time": "с", "end_time": "по"}),
        ("Event,Date,Price\nX,2026-12-01,12.50\n", {"title": "Event", "start": "Date"}),
        ("Event,Date,Duration\nX,2026-12-01 09:00,90\n", {"title": "Event", "start": "Date", "duration": "Duration"}),
        ("a,b,c\nfoo,2026-12-01 9:00,x@y.z\n", {"title": "a", "start": "b", "owner": "c"}),
        (",Date\nfoo,2026-12-01\n", {"title": 1, "start": "Date"}),
        ("Note,Date,Note,Title\nx,2026-12-01,y,T\n", {"title": "Title", "start": "Date", "description": 1}),
    ],
)  # fmt: skip
def test_columns_are_told_by_their_titles_and_what_they_hold(text: str, expected: dict[str, str | int]) -> None:
    assert columns(text) == expected


def test_a_number_that_counts_the_rows_or_comes_twice_names_nothing() -> None:
    assert "uid" not in columns("№,Title,Date\n1,X,2026-12-01\n2,Y,2026-12-02\n")
    assert "uid" not in columns("ID,Title,Date\n7,X,2026-12-01\n7,Y,2026-12-02\n")
    assert columns("№,Title,Date\n17,X,2026-12-01\n4,Y,2026-12-02\n")["uid"] == "№"


def test_a_column_that_cannot_be_what_its_title_says_is_not_taken_for_it() -> None:
    found = find_fields(("Start", "When", "Title"), (("Berlin", "2026-12-01", "Trip"), ("Bonn", "2026-12-02", "Trip")))
    assert found.columns == {"title": 2, "start": 1}


def test_encoding_delimiter_and_date_order_are_found() -> None:
    found = guess("a.csv", "Название;Дата\nУрок;01.12.2026\n".encode("cp1251"))
    assert keys(found) == {"encoding": "cp1251", "delimiter": ";", "dates": "auto"}
    assert keys(guess("a.csv", b"Title,Date\nX,13/12/2026\n"))["dates"] == "dmy"
    assert found.doubts == ()


@pytest.mark.parametrize(
    "content",
    [
        "Title;Date\nPrüfung Müller;01.12.2026\n".encode("cp1252"),
        calendar(event("DTSTART:20261201T090000", "SUMMARY:Prüfung Müller")).decode().encode("cp1252"),
    ],
)
def test_an_encoding_that_the_file_does_not_say_is_written_down_with_how_it_was_found(content: bytes) -> None:
    assert ("encoding", "cp1252", "the file does not say it, but its words read right so") in guess("a", content).keys


def test_a_calendar_in_utf_16_is_told_from_a_table() -> None:
    content = calendar(event("DTSTART:20261201T090000")).decode()
    assert [guess("a", content.encode(one)).type for one in ("utf-16", "utf-16-le", "utf-16-be")] == ["ics"] * 3


@pytest.mark.parametrize(("time", "order"), [("9:00", "dmy"), ("9:00 AM", "mdy")])
def test_an_order_of_dates_that_nobody_can_know_is_a_doubt(time: str, order: str) -> None:
    found = guess("a.csv", f"Title,Date,Time\nX,01/12/2026,{time}\n".encode())
    assert keys(found)["dates"] == order
    assert "'01/12/2026'" in found.doubts[0]


def test_a_workbook_is_told_with_its_header_row() -> None:
    nine = datetime(2026, 12, 1, 9)
    found = guess("a.xlsx", workbook(("Plan",), ("Shift", "Start", "Who"), ("A", nine, "me"), name="Now"))
    assert found.type == "xlsx"
    assert keys(found) == {"sheet": "Now", "header": 2, "dates": "auto", "default_duration": "1h"}
    assert {field for field, _, _ in found.columns} == {"title", "start", "owner"}


def test_a_calendar_is_told_with_its_zone() -> None:
    assert guess("a", calendar(event("DTSTART:20261201T090000"), head="X-WR-TIMEZONE:Asia/Omsk")).zone == "Asia/Omsk"
    assert guess("a", b"\xef\xbb\xbf" + calendar()).type == "ics"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b" \n", "is empty"),
        (b"<!DOCTYPE html><html>", "HTML page"),
        (b"Name,Town\nX,Bonn\n", "no column seems to be the start; there are: 'Name', 'Town'"),
        (b"Date\n2026-12-01\n", "no column seems to be the title"),
        (b"Date;Name\n1;X\n2;Y\n", "the column 'Date' holds '1', which is no date"),
        (
            b"Mon 30.11.2026;;\nTime;Lesson;Class\n8:30;Maths;7A\nTue 01.12.2026;;\n8:30;Art;7A\n",
            "the dates stand above the rows",
        ),
        (workbook(("Title",), ("X",)), "has no table"),
    ],
)
def test_what_is_no_schedule_is_told(content: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        guess("a.csv", content)


DAYS, CLOCKS = ("01.12.2026", "02.12.2026", "13.12.2026"), ("9:00", "10:30", "8:00")
STAMPS, RANGES = tuple(f"{day} 9:00" for day in DAYS), ("с 8 до 20", "сутки", "9:00-10:00")
LATER = tuple(f"{day} 11:00" for day in DAYS)
STARTS = ("Начало", "Start", "Дата", "Date", "Дата начала", "Start date", "Дата и время", "Время", "Time",
          "Время начала", "Время работы", "When", "Смена")  # fmt: skip
ENDS = ("Конец", "End", "Окончание", "Дата окончания", "End date", "Время окончания", "End time", "по", "Длительность")


@pytest.mark.parametrize("one", STARTS)
def test_headings_of_dates_and_times_give_a_readable_table_in_any_combination(one: str) -> None:
    firsts, seconds = (DAYS, STAMPS, CLOCKS, RANGES), (DAYS, LATER, CLOCKS, RANGES, ("",) * 3)
    for other, first, second in itertools.product((*STARTS, *ENDS), firsts, seconds):
        table = [(f"n{at}", "Урок", *cells) for at, cells in enumerate(zip(first, second, strict=True))]
        found = find_fields(("Код", "Предмет", one, other), table)
        if not {"start", "date"} & found.columns.keys():
            assert not {first, second} & {DAYS, STAMPS, LATER}
            continue
        if not table[0][found.columns.get("start", found.columns.get("date", 0))]:
            continue  # the column of starts is empty, and none of its rows can be read
        mapping: dict[str, str | int] = {field: at + 1 for field, at in found.columns.items()}
        check_mapping(mapping, where="the guess")
        text = "\n".join(",".join(row) for row in (("Код", "Предмет", one, other), *table))
        chosen = CsvOptions(type="csv", path="t.csv", columns=mapping)
        part = CsvFormat(chosen).parse("t.csv", text.encode(), CONTEXT)
        assert [problem.reason for problem in part.problems] == [], (first[0], second[0], found.columns)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Номер записи;Дата приема;Время приема;Ф.И.О. сотрудника;Услуга\n17;01.12.2026;9:00;Петрова А. И.;Осмотр\n",
         {"uid": "Номер записи", "title": "Услуга", "date": "Дата приема", "start_time": "Время приема",
          "owner": "Ф.И.О. сотрудника"}),
        ("Дата;Сотрудник;Смена\n01.12.2026;Петрова;с 8 до 20\n02.12.2026;Иванов;сутки\n",
         {"title": "Смена", "date": "Дата", "start_time": "Смена", "owner": "Сотрудник"}),
        ("Дата;Сотрудник;Время\n01.12.2026;Петрова;с 8 до 20\n02.12.2026;Иванов;сутки\n",
         {"title": "Сотрудник", "date": "Дата", "start_time": "Время", "owner": "Сотрудник"}),
        ("Дата;Тема;Куратор\n01.12.2026;A;+7 (916) 123-45-67\n02.12.2026;B;89161234568\n",
         {"title": "Тема", "start": "Дата", "contact_phone": "Куратор"}),
        ("№ записи;Дата;Клиент;Тел.\nA1;01.12.2026;Петров;123\nB2;02.12.2026;Иванов;124\n",
         {"uid": "№ записи", "title": "Клиент", "start": "Дата", "contact_phone": "Тел."}),
        ("Дата;Событие\n01.12.2026;A\n02.12.2026;B\nСоставил: Иванова;\n;Итого\n",
         {"title": "Событие", "start": "Дата"}),
    ],
)  # fmt: skip
def test_headings_of_everyday_plans_are_known(text: str, expected: dict[str, str | int]) -> None:
    assert columns(text) == expected


@pytest.mark.parametrize("above", ["График на декабрь\n", "График на декабрь;;;\n;;;\n", "Отдел;склад\n\n"])
def test_the_header_is_found_below_the_title_of_a_table(above: str) -> None:
    rows = "".join(f"a{at};{at:02}.12.2026;Смена {at};a@b.c\n" for at in range(1, 20))
    found = guess("a.csv", f"{above}ID;Дата;Событие;Почта\n{rows}".encode())
    assert keys(found)["header"] == above.count("\n") + 1
    assert keys(found)["delimiter"] == ";"
    assert [field for field, _, _ in found.columns] == ["uid", "title", "start", "owner"]


def test_real_dates_beside_a_signature_are_still_dates() -> None:
    rows = [(datetime(2026, 12, day, 9), datetime(2026, 12, day, 10), "Смена") for day in (1, 2)]
    found = guess("a.xlsx", workbook(("Начало", "Конец", "Событие"), *rows, ("Составил:", None, "Иванова")))
    assert {field for field, _, _ in found.columns} == {"title", "start", "end"}


def test_a_length_is_proposed_where_a_time_has_no_end_and_marked_as_a_guess() -> None:
    found = guess("a.csv", b"Title,Start,End\nX,2026-12-01 09:00,2026-12-01 10:00\nY,2026-12-01 09:00,-\n")
    (said,) = (said for name, value, said in found.keys if (name, value) == ("default_duration", "1h"))
    assert said.startswith("a guess")
    for text in ("Title,Start,End\nX,2026-12-01 09:00,2026-12-01 10:00\n", "Title,Start\nX,2026-12-01\n"):
        assert "default_duration" not in keys(guess("a.csv", text.encode()))


def test_an_order_shown_by_slashes_is_not_written_for_dotted_dates() -> None:
    assert keys(guess("a.csv", b"Title,Date\nX,12/31/2026\nY,05.12.2026\n"))["dates"] == "auto"
    assert keys(guess("a.csv", b"Title,Date\nX,12/31/2026\nY,1/2/2026\n"))["dates"] == "mdy"


def test_times_with_a_dash_are_times_below_their_headings() -> None:
    found = columns("Переговорная;Дата;С;До;Цель\nБольшая;01.12.2026;9-00;10-30;Совещание\n")
    assert found == {"title": "Цель", "date": "Дата", "start_time": "С", "end_time": "До", "location": "Переговорная"}


def test_bare_numbers_are_hours_where_both_ends_have_a_column() -> None:
    rows = "01.12.2026;8;20;День\n02.12.2026;20;8;Ночь\n"
    expected = {"title": "Смена", "date": "Дата", "start_time": "С", "end_time": "По"}
    assert columns(f"Дата;С;По;Смена\n{rows}") == expected
    assert columns("Дата;Пара;Предмет\n01.12.2026;1;Физика\n") == {"title": "Предмет", "start": "Дата"}


def test_a_column_of_times_that_is_left_out_is_told() -> None:
    text = "Дата;Время начала;Время окончания;Событие\n01.12.2026;9:00;после обеда;A\n02.12.2026;9:00;вечером;B\n"
    found = guess("a.csv", text.encode())
    assert "end_time" not in [field for field, _, _ in found.columns]
    assert any("'Время окончания' is not used, because of cells such as 'после обеда'" in one for one in found.doubts)


def test_times_that_cannot_be_read_are_a_doubt() -> None:
    found = guess("a.csv", "Дата;Пара;Предмет\n01.12.2026;1 (8:30-10:05);Физика\n".encode())
    assert any("the times in 'Пара' cannot be read" in doubt for doubt in found.doubts)


@pytest.mark.parametrize("head", ["Время;Понедельник;Вторник;Среда", "Время;01.12.2026;02.12.2026;03.12.2026"])
def test_a_table_of_times_by_days_is_told_for_what_it_is(head: str) -> None:
    with pytest.raises(SourceError, match=r"the columns are days .*write a row for each event"):
        guess("a.csv", f"{head}\n8:30-9:15;Физическая культура;Алгебра и геометрия;Химия\n".encode())


def test_zones_of_a_feed_that_nobody_knows_are_told() -> None:
    start = "DTSTART;TZID={}:20261201T090000"
    named = [
        event(start.format(zone), "SUMMARY:A") for zone in ("Europe/Moscow", '"Our: zone"', "Customized Time Zone")
    ]
    found = guess("a.ics", calendar(*named))
    assert found.unknown_zones == ("Customized Time Zone", "Our: zone")
    assert any("[sync.source.zones]" in doubt for doubt in found.doubts)


@pytest.mark.parametrize(
    ("owners", "by_groups", "could"),
    [("Класс", True, ""), ("Группа", True, ""), ("Учитель", False, ""), ("Учитель;Класс", False, "'Класс' could own"),
     ("Класс;Учитель", True, "'Учитель' could own"), ("Аудитория", False, "")],
)  # fmt: skip
def test_owners_called_classes_are_groups(owners: str, by_groups: bool, could: str) -> None:
    found = guess("a.csv", f"Дата;Начало;Конец;Предмет;{owners}\n01.12.2026;9:00;9:45;Физика;7А;7Б\n".encode())
    assert found.by_groups == by_groups
    assert any(could in doubt for doubt in found.doubts) == bool(could)


def test_a_feed_that_says_whose_its_events_are_is_told_with_its_owners() -> None:
    events = [event(f"UID:{at}", "DTSTART:20261201T090000Z", f"X-OWNER:{who}@b.c") for at, who in enumerate("aba")]
    found = guess("a.ics", calendar(*events))
    assert (found.owner, found.samples) == ("X-OWNER", {"owner": ("a@b.c", "b@b.c")})


NUMBERS = ";".join(map(str, range(1, 32)))
GRID = (
    "График работы на декабрь 2026 г.\n"
    f"№;Фамилия;{NUMBERS}\n"
    f";;{';'.join(['вт', 'ср', 'чт', 'пт', 'сб', 'вс', 'пн'])}\n"
    "1;Петрова;Д;Н;В;Д;Q;8-20;О\n2;Иванов;Н;В;д;;;Д\nИтого;;2;2;1\nД - день с 9 до 21\n"
)


def said(found: Guess, name: str) -> dict[str, str | int]:
    assert found.grid is not None
    return {key: value for key, value, _ in getattr(found.grid, name)}


def test_a_plan_of_people_by_days_is_told_with_its_codes() -> None:
    found = guess("plan.csv", GRID.encode())
    assert said(found, "keys") == {"names": "Фамилия", "dates": 2}
    assert said(found, "codes") == {"Д": "9:00-21:00", "Н": "20:00-08:00", "В": "", "Q": "all day", "О": "all day"}
    assert found.samples["owner"] == ("Петрова", "Иванов")
    assert found.grid is not None
    notes = {code: said for code, _, said in found.grid.codes}
    assert notes["Д"] == "from the legend"
    assert all(note.startswith("a guess") for code, note in notes.items() if code != "Д")
    assert "Н, В, Q, О mean is a guess" in " ".join(found.doubts)


@pytest.mark.parametrize(
    "legend",
    [
        "Д — дневная 07:30–19:30, Н — ночная 19:30–07:30, О — отпуск",
        "О - отпуск, Н - ночная с 19:30 до 7:30, Д - дневная с 7:30 до 19:30",
        "Условные обозначения: «Д» - день (7:30-19:30); «Н» - ночь (19:30-7:30). О - отпуск",
        '"Д = 7:30-19:30\nН = 19:30-7:30\nО = отпуск"',
        "Д: 7:30 - 19:30 Н: 19:30 - 7:30 О: отпуск",
    ],
)
def test_a_legend_tells_every_code_in_one_cell(legend: str) -> None:
    text = GRID.replace("Д - день с 9 до 21", legend if legend.startswith('"') else f'"{legend}"')
    codes = {
        code: str(hours).replace("07", "7") for code, hours in said(guess("plan.csv", text.encode()), "codes").items()
    }
    assert (codes["Д"], codes["Н"], codes["О"]) == ("7:30-19:30", "19:30-7:30", "all day")


def test_hours_in_a_legend_are_no_codes_though_a_number_is_one() -> None:
    text = GRID.replace("1;Петрова;Д;", "1;Петрова;8;").replace("Д - день с 9 до 21", '"Д - с 8 - 20; 8 - с 10 - 18"')
    codes = said(guess("plan.csv", text.encode()), "codes")
    assert (codes["Д"], codes["8"]) == ("8:00-20:00", "10:00-18:00")


@pytest.mark.parametrize(
    ("title", "name", "month"),
    [
        ("График", "plan.csv", "2026-11"),
        ("Январь", "plan.csv", "2027-01"),
        ("Ноябрь", "plan 2026.csv", None),
        ("График", "2027-01.csv", None),
    ],
)
def test_a_month_without_a_year_is_proposed_and_marked(title: str, name: str, month: str | None) -> None:
    found = guess(name, GRID.replace("График работы на декабрь 2026 г.", title).encode())
    assert said(found, "keys").get("month") == month
    assert any("is a guess" in doubt and "month" in doubt for doubt in found.doubts) == (month is not None)


@pytest.mark.parametrize(
    ("head", "dates"),
    [(";1;2;3;4", 2), (";01.12;02.12;03.12;04.12", 2), (";вт 1;ср 2;чт 3;пт 4", 2), (";вт;ср;чт;пт\n;1;2;3;4", 3),
     (";01.12.2026;02.12.2026", 2), (";1;2;3;4;5\n1;2;3;4;5;6", 2)],
)  # fmt: skip
def test_a_plan_of_a_few_days_is_told(head: str, dates: int) -> None:
    text = f"График на декабрь 2026\nСотрудник{head}\nПетрова;Д;Н\nИванов;;8-20\n"
    found = guess("plan.csv", text.encode())
    assert said(found, "keys") == {"names": "Сотрудник", "dates": dates}
    assert set(said(found, "codes")) == {"Д", "Н"}


def test_the_year_proposed_for_days_with_months_is_the_nearest() -> None:
    text = "ФИО;30.12;31.12;01.01;02.01\nПетрова;Д;Н;Д;Н\n"
    assert said(guess("plan.csv", text.encode()), "keys")["month"] == "2026-12"


@pytest.mark.parametrize(
    "text",
    [
        "Отчет;01.12.2026;07.12.2026;\nПредмет;Дата;Начало;Конец\nФизика;02.12.2026;9:00;10:00\n",
        "Предмет;Дата;1;2;3;4\nФизика;02.12.2026;Петров;5;7;2\nХимия;03.12.2026;Иванов;5;7;2\n",
    ],
)
def test_a_period_or_columns_with_numbers_are_no_plan(text: str) -> None:
    assert guess("a.csv", text.encode()).grid is None


def test_a_plan_in_a_workbook_with_real_dates_is_told() -> None:
    week = [date(2026, 12, day) for day in range(1, 8)]
    content = workbook(("График",), ("Сотрудник", *week), ("Петрова", "Д", "", "Н"), ("Иванов", "8-20"))
    found = guess("a.xlsx", content)
    assert said(found, "keys") == {"names": "Сотрудник", "dates": 2}
    assert set(said(found, "codes")) == {"Д", "Н"}


def test_a_table_with_numbered_columns_is_no_plan() -> None:
    text = "ID;Событие;Начало;a;b;c;d\n1;2;3;4;5;6;7\n" + "".join(
        f"x{at};A{at};0{at}.12.2026 9:00;;;;\n" for at in range(1, 9)
    )
    assert guess("a.csv", text.encode()).grid is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((("1", "A", datetime(2026, 12, 1, 9), Failed("#REF!")), ("2", "B", Failed("#N/A"), datetime(2026, 12, 1, 10))),
         {"uid", "title", "start", "end"}),
        ((("1", "A", datetime(2026, 12, 1, 9), None), ("2", "B", 46358.375, None)), {"uid", "title", "start", "end"}),
    ],
)  # fmt: skip
def test_cells_that_a_person_has_to_correct_do_not_hide_what_their_column_is(
    rows: tuple[tuple[Cell, ...], ...], expected: set[str]
) -> None:
    found = guess("a.xlsx", workbook(("ID", "Title", "Start", "End"), *rows))
    assert {field for field, _, _ in found.columns} == expected


def test_times_with_a_date_that_stands_for_none_are_times() -> None:
    text = "ID;Событие;Дата;С;По\n1;A;01.12.2026 0:00:00;01.01.0001 9:00:00;01.01.0001 18:00:00\n"
    assert columns(text) == {"uid": "ID", "title": "Событие", "date": "Дата", "start_time": "С", "end_time": "По"}


def test_where_both_orders_occur_none_is_written() -> None:
    found = guess("a.csv", b"Title,Date\nX,31/12/2026\nY,12/30/2026\nZ,05/12/2026\n")
    assert keys(found)["dates"] == "auto"
    assert "'05/12/2026' cannot be read" in found.doubts[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ФИО;Вид отпуска;Дата начала отпуска;Дата окончания отпуска\nИванов;основной;01.12.2026;14.12.2026\n",
         {"start": "Дата начала отпуска", "end": "Дата окончания отпуска"}),
        ("Тема;Дата начала;Время начала;Дата завершения;Время завершения\nX;05.12.2026;9:00:00;05.12.2026;10:00:00\n",
         {"date": "Дата начала", "start_time": "Время начала", "end": "Дата завершения",
          "end_time": "Время завершения"}),
        ("Услуга;Дата начала;Начало;Дата конца;Конец\nX;05.12.2026;09:00;05.12.2026;17:00\n",
         {"date": "Дата начала", "start_time": "Начало", "end": "Дата конца", "end_time": "Конец"}),
        ("Номер;Дата;Сотрудник;ДатаНачала;ДатаОкончания\n"
         "01;05.12.2026 0:00:00;И;05.12.2026 9:00:00;05.12.2026 18:00:00\n"
         "02;05.12.2026 0:00:00;П;06.12.2026 9:00:00;01.01.0001 0:00:00\n",
         {"start": "ДатаНачала", "end": "ДатаОкончания"}),
        ("Услуга;Дата;Время;Продолжительность, мин\nX;05.12.2026;09:00;45\n",
         {"date": "Дата", "start_time": "Время", "duration": "Продолжительность, мин"}),
    ],
    ids=["leave", "outlook", "two pairs", "1c", "unit"],
)  # fmt: skip
def test_both_ends_of_an_entry_are_found_under_the_headings_of_offices(text: str, expected: dict[str, str]) -> None:
    times = ("start", "date", "start_time", "end", "end_time", "duration")
    assert {field: column for field, column in columns(text).items() if field in times} == expected


def test_one_bad_day_in_a_short_table_hides_no_column() -> None:
    text = (
        "Расписание на декабрь;;;\nДата;Время;Предмет;Учитель\n07.12.2026;8:30-9:15;Физика;Петрова А.\n"
        "07.12.2026;9:25-10:10;Химия;Соколов И.\n31.02.2026;8:30-9:15;ОБЖ;Петрова А.\nИтого;3;;\nСоставил: ___;;;\n"
    )
    assert columns(text) == {"title": "Предмет", "date": "Дата", "start_time": "Время", "owner": "Учитель"}


@pytest.mark.parametrize(
    ("heading", "cells", "unit"),
    [("Часов", "2 1,5", None), ("Кол-во часов", "8 12", None), ("Часы", "8 12", None), ("Мин.", "90 45", None),
     ("Длительность (ч)", "2 3", None), ("Длительность", "90 45", None), ("Длительность", "2 1,5", "1h"),
     ("Кол-во ак. часов", "2 4", "45m"),
     ("Продолжительность смены", "24 12", "1h"), ("Длительность", "10 5", None),
     ("Количество календарных дней", "2 3", None)],
)  # fmt: skip
def test_a_column_of_lengths_is_known_by_its_heading_and_its_unit_proposed_where_nothing_says_it(
    heading: str, cells: str, unit: str | None
) -> None:
    rows = "".join(f"0{at}.12.2026;9:00;{cell};Йога\n" for at, cell in enumerate(cells.split(), 1))
    found = guess("a.csv", f"Дата;Начало;{heading};Занятие\n{rows}".encode())
    assert ("duration", heading) in [(field, column) for field, column, _ in found.columns]
    assert keys(found).get("duration_unit") == unit
    assert unit is None or any("duration_unit" in doubt for doubt in found.doubts)


@pytest.mark.parametrize("above", ["", "Расписание;;;;\n"])
def test_a_table_without_titles_is_mapped_by_numbers(above: str) -> None:
    rows = "01.12.2026;9:00;10:00;Урок;a@b.c\n02.12.2026;9:00;10:00;Физика;d@b.c\n"
    found = guess("a.csv", (above + rows).encode())
    assert keys(found)["header"] == 0
    assert {field: column for field, column, _ in found.columns} == {
        "title": 4, "date": 1, "start_time": 2, "end_time": 3, "owner": 5,
    }  # fmt: skip


def test_dates_above_a_table_do_not_hide_its_titles() -> None:
    above = "Период;01.12.2026;31.12.2026;\nВыгружено;30.11.2026;;\n"
    found = guess("a.csv", f"{above}Дата;Начало;Конец;Предмет\n02.12.2026;9:00;10:00;Физика\n".encode())
    assert (keys(found)["header"], found.columns[0][:2]) == (3, ("title", "Предмет"))


def test_a_workbook_without_titles_is_mapped_by_numbers() -> None:
    found = guess("a.xlsx", workbook([date(2026, 12, 1), "A"], [date(2026, 12, 2), "B"]))
    assert keys(found)["header"] == 0
    assert [column for _, column, _ in found.columns] == [2, 1]


def test_a_workbook_with_a_sheet_for_each_month_is_read_from_all_of_them() -> None:
    head = ("Дата", "Предмет")
    months: dict[str, tuple[tuple[Cell, ...], ...]] = {
        "Ноябрь": (head, (date(2026, 11, 2), "A")), "Декабрь": (("План",), head, (date(2026, 12, 2), "B")),
        "Справочник": (("Код", "Имя"), ("1", "x")),
    }  # fmt: skip
    found = guess("a.xlsx", workbook_of(months))
    assert keys(found) == {"sheet": "*", "dates": "auto"}
    assert (
        keys(guess("a.xlsx", workbook_of({"Один": months["Ноябрь"], "Два": months["Справочник"]})))["sheet"] == "Один"
    )


def test_plans_on_several_sheets_find_their_own_days_and_months() -> None:
    rows: list[tuple[Cell, ...]] = [("ФИО", 1, 2, 3, 4, 5), ("Петрова", "Д", "Н", "Д", "Д", "Н")]
    found = guess("a.xlsx", workbook_of({"Ноябрь 2026": rows, "Декабрь 2026": rows}))
    assert keys(found) == {"sheet": "*"}
    assert said(found, "keys") == {"names": "ФИО"}


@pytest.mark.parametrize("number", ["46357", "46357,333", 46357.333])
def test_days_as_excel_numbers_them_are_called_so(number: str | float) -> None:
    content = (
        f"Смена;Начало\nУтро;{number}\n".encode()
        if isinstance(number, str)
        else workbook(["Смена", "Начало"], ["Утро", number])
    )
    with pytest.raises(SourceError, match=r"'Начало' '46357.*a day as Excel numbers it, 2026-12-01"):
        guess("a", content)


def test_a_column_of_times_stays_one_for_words_that_nobody_can_read() -> None:
    words = ("с 9 до 18", "сутки", "ночная", "дневная", "по договорённости")
    rows = "".join(f"Анна;Утро;0{at}.12.2026;{word}\n" for at, word in enumerate(words, 1))
    assert columns(f"Сотрудник;Смена;Дата;Время\n{rows}")["start_time"] == "Время"
    rows = "".join(f"Анна;Утро;0{at}.12.2026;{word}\n" for at, word in enumerate(("утро", "вечер"), 1))
    assert "start_time" not in columns(f"Сотрудник;Смена;Дата;Время\n{rows}")


def test_rows_of_a_second_table_below_say_nothing_of_the_columns() -> None:
    found = guess(
        "a.csv",
        "ФИО;Смена;Начало;Окончание\nАнна;Утро;01.12.2026 8:00;01.12.2026 16:00\n"
        "Смена;ФИО;Дата;Время\nВечер;Анна;03.12.2026;16:00\n".encode(),
    )
    assert {field: column for field, column, _ in found.columns} == {
        "title": "Смена", "start": "Начало", "end": "Окончание", "owner": "ФИО",
    }  # fmt: skip
    assert found.samples["owner"] == ("Анна",)


@pytest.mark.parametrize(
    ("header", "owner", "title"),
    [("Name,Shift,Date", "Name", "Shift"), ("Смена,Имя,Дата", "Имя", "Смена"), ("Name,Date,Place", None, "Name")],
)  # fmt: skip
def test_a_column_of_names_is_that_of_the_people_where_another_is_the_title(
    header: str, owner: str | None, title: str
) -> None:
    cells = {"Name": "Anna", "Имя": "Анна", "Shift": "Early", "Смена": "Утро", "Date": "2026-12-01",
             "Дата": "2026-12-01", "Place": "12"}  # fmt: skip
    found = columns(f"{header}\n{','.join(cells[one] for one in header.split(','))}\n")
    assert (found.get("owner"), found["title"]) == (owner, title)


def test_a_long_cell_beside_a_plan_does_not_hold_the_guess() -> None:
    begun = process_time()
    text = f"График на декабрь 2026\nСотрудник;1;2;3;4;5;6;7\nПетрова;Д;Н\n{'.' * 20_000}x\nД - день с 9 до 21\n"
    assert set(said(guess("plan.csv", text.encode()), "codes")) == {"Д", "Н"}
    assert process_time() - begun < 2


def test_numbers_of_lessons_are_no_titles_beside_a_column_of_subjects() -> None:
    text = "Класс;День;Урок;Время;Предмет\n5а;01.12.2026;1;8:30-9:15;Физика\n5а;01.12.2026;2;9:25-10:10;Химия\n"
    assert columns(text)["title"] == "Предмет"
    assert (
        columns(text.replace(";Предмет", ";Кабинет").replace(";Физика", ";5").replace(";Химия", ";6"))["title"]
        == "Урок"
    )
