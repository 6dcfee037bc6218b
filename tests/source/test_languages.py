"""What is wrong with a schedule is told to whoever fills it in his own language, after it was stored, too."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from syncd.errors import SourceError
from syncd.lang.catalog import told
from syncd.lang.saying import restored, say, stored
from syncd.model.entry import Window
from syncd.source.base import ReadContext
from syncd.source.files import Part
from syncd.source.guess import guess
from syncd.source.ical.ics import IcsFormat
from syncd.source.table.columns import FIELDS, LABELS
from syncd.source.table.csv import CsvFormat, CsvOptions

CONTEXT = ReadContext(zone="Europe/Moscow", window=Window(first=None, last=None), today=date(2026, 11, 1))
COLUMNS: dict[str, str | int] = {"uid": "ID", "title": "Урок", "start": "Начало", "end": "Конец", "status": "Статус"}
HEADER = "ID,Урок,Начало,Конец,Статус\n"


def read(text: str, **options: Any) -> Part:
    chosen = CsvOptions(type="csv", columns=COLUMNS, **options)
    return CsvFormat(chosen).parse("план.csv", text.encode(), CONTEXT)


def in_russian(text: str) -> str:
    """Return a message as it is read after it lay in the ledger."""
    return told(restored(stored(text)), "ru")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            "1,Алгебра,завтра,01.12.2026 10:00,",
            "начало: «завтра» — это не дата и не время (пишите как 2026-12-31, 31.12.2026, 31.12.2026 9:00)",
        ),
        ("1,,01.12.2026 9:00,01.12.2026 10:00,", "нет названия (впишите его)"),
        ("1,Алгебра,,01.12.2026 10:00,", "нет начала (впишите его)"),
        (
            "1,Алгебра,01.12.2026 9:00,01.11.2026 10:00,",
            "конец раньше начала (01.11.2026 10:00 раньше, чем 01.12.2026 09:00)",
        ),
        ("1,Алгебра,31.02.2026 9:00,,", "начало «31.02.2026 9:00»: дня 31.02.2026 не бывает (исправьте)"),
        (
            "1,Алгебра,2/1/2026,,",
            'начало: «2/1/2026»: непонятно, где день, а где месяц (задайте dates = "dmy" или "mdy")',
        ),
        ("1,Алгебра,01.12.2026 9:00", "в строке ячеек: 3 вместо 5 (она оборвана? дополните её)"),
        (
            "1,Алгебра,46357,,",
            "начало: «46357» — это не дата, а номер дня в Excel: 01.12.2026 (задайте столбцу формат даты)",
        ),
        ("1,#REF!,01.12.2026 9:00,01.12.2026 10:00,", "в столбце «Урок» ошибка #REF! (исправьте формулу)"),
        (
            "1,Алгебра,01.12.2026 9:00,01.12.2026 10:00,может быть",
            "статус «может быть»: такого статуса нет (есть: подтверждено, под вопросом, отменено);"
            " ячейка считается пустой",
        ),
    ],
)
def test_a_row_is_told_in_russian(row: str, reason: str) -> None:
    # The short row must not be the last one, which would be the end of the file cut off.
    part = read(HEADER + row + "\n")
    if row.count(",") < 4:
        part = read(HEADER + row + "\n2,Физика,02.12.2026 9:00,02.12.2026 10:00,\n")
    assert [in_russian(problem.reason) for problem in part.problems] == [reason]


def test_the_same_row_is_told_in_english_as_before() -> None:
    part = read(HEADER + "1,Алгебра,завтра,01.12.2026 10:00,\n")
    (problem,) = part.problems
    assert problem.reason == (
        "start: 'завтра' is not a date or a time (write it like 2026-12-31, 31.12.2026, 31.12.2026 9:00)"
    )
    assert problem.reason == told(restored(stored(problem.reason)), "en")


def test_a_file_without_a_column_is_told_in_russian() -> None:
    with pytest.raises(SourceError) as caught:
        read("ID,Урок,Начала,Конец,Статус\n1,Алгебра,01.12.2026,,\n")
    assert in_russian(str(caught.value)) == "план.csv:1: нет столбца «Начало» для поля start (может быть, «Начала»?)"


def test_why_a_file_is_incomplete_is_told_in_russian() -> None:
    part = read(HEADER + "1,Алгебра,01.12.2026 9:00,,\n2,Физ")
    assert in_russian(part.incomplete) == "план.csv:3: файл кончается посреди строки, поэтому остального нет"


def test_an_event_of_a_feed_is_told_in_russian() -> None:
    feed = (
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nSUMMARY:Алгебра\nDTSTART;TZID=Марс:20261201T090000\nEND:VEVENT\n"
        "BEGIN:VTODO\nUID:b\nEND:VTODO\nEND:VCALENDAR\n"
    )
    part = IcsFormat("auto").parse("лента.ics", feed.encode(), CONTEXT)
    assert sorted(in_russian(problem.reason) for problem in part.problems) == [
        "пропущено: 1 задача (VTODO); читаются только события",
        "часовой пояс «Марс» неизвестен, и VTIMEZONE для него нет (укажите, какой это пояс, в [sync.source.zones]:"
        " 'Марс' = \"Europe/Moscow\", или пусть в ленте будет имя IANA)",
    ]


def test_what_a_first_config_says_of_its_columns_is_told_in_russian() -> None:
    content = "Урок,Дата,Преподаватель\nАлгебра,01.12.2026,Анна\nФизика,02.12.2026,Иван\n".encode()
    found = guess("план.csv", content, date(2026, 11, 1))
    assert {field: in_russian(said) for field, _, said in found.columns} == {
        "title": "по заголовку",
        "start": "по заголовку и содержимому",
        "owner": "по заголовку",
    }


def test_every_field_of_a_table_has_a_name_in_russian() -> None:
    assert {told(label, "ru") for label in LABELS.values()}.isdisjoint(FIELDS - {"uid"})


def test_each_language_quotes_in_its_own_way_and_shows_what_cannot_be_seen() -> None:
    saying = say("{text!r} is not a date", text="a\nb «c»")
    assert saying == "'a\\nb «c»' is not a date"
    assert in_russian(saying) == "«a\\nb «c»» — это не дата"
    sheets = say(
        "{name}: no column seems to be the {field}; there are: {titles!r}", name="x", field="y", titles=("а", "б")
    )
    assert sheets == "x: no column seems to be the y; there are: 'а', 'б'"
    assert in_russian(sheets) == "x: не нашлось столбца для поля «y»; есть столбцы: «а», «б»"


def test_bytes_that_are_no_text_are_stored_as_escapes() -> None:
    part = Part()
    part.warn("x", say("{text!r} is not a date", text="caf\udce9"))
    assert "udce9" in stored(part.problems[0].reason)
