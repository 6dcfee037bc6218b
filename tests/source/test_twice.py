"""Text that was encoded twice is read as it was, wherever that is certain, and told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.source.conformance import CONTEXT
from syncd.source.files import Part
from syncd.source.guess import guess
from syncd.source.table.csv import CsvFormat, CsvOptions
from syncd.source.table.xlsx import XlsxFormat, XlsxOptions
from syncd.source.twice import once
from tests.source.calendars import calendar, event, parse
from tests.source.workbooks import workbook

TEXT = "Урок математики, кабинет № 5 — «Алгебра»; Снова Нина Ия"
COLUMNS: dict[str, str | int] = {"title": "Название", "start": "Начало"}


def twice(text: str, codec: str) -> str:
    """What a program makes of the text's UTF-8 that takes it for `codec`."""
    return "".join(bytes([byte]).decode(codec, "ignore") or chr(byte) for byte in text.encode())


@pytest.mark.parametrize("codec", ["cp1252", "latin-1", "cp1251", "cp866", "mac-roman"])
@pytest.mark.parametrize("text", [TEXT, "Müller grüßt", "Сёмга и Рёбра"])
def test_a_text_that_was_encoded_twice_is_read_as_it_was(text: str, codec: str) -> None:
    mended, told = once(twice(text, codec))
    assert mended == text
    assert "encoded twice" in told
    assert told.endswith("export it again, as UTF-8")


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "Урок Сёмга Рёбра Тёплый РІЧ КИЇВ МІСІЯ ВёВё С° Рё",
        "SÃO JOÃO – MANHÃ–tarde, AÇÃO",
        "Müller ñandú Ñandú “x” 5 µm, 20 °C, √2, ¶ 3, Grüße – über",
        "Д'Артаньян № 5 ©®™",
        "╔══╨══╗",
    ],
)
def test_what_may_have_been_written_so_stays(text: str) -> None:
    assert once(text) == (text, "")


@given(st.text(st.characters(codec="cp1251"), max_size=60))
def test_no_text_of_letters_on_a_russian_keyboard_is_changed(text: str) -> None:
    letters = "".join(char for char in text if char.isascii() or char in "«»№—–…" or "А" <= char <= "я" or char in "Ёё")
    assert once(letters) == (letters, "")


def test_letters_that_were_lost_on_the_way_are_told() -> None:
    assert ", and some letters of it are lost;" in once(twice("Касса и урок", "cp1252").replace("\x81", "?"))[1]
    assert ", and some letters of it are lost;" not in once(twice("Касса и урок", "cp1252"))[1]


def of_table(text: str) -> Part:
    chosen = CsvOptions(type="csv", path="t.csv", columns=COLUMNS)
    return CsvFormat(chosen).parse("t.csv", text.encode(), replace(CONTEXT, zone="Europe/Moscow"))


@pytest.mark.parametrize("codec", ["cp1252", "cp1251"])
def test_a_table_that_was_encoded_twice_is_read_with_a_line(codec: str) -> None:
    table = "Название;Начало\nУрок;01.12.2026 09:00\n"
    part = of_table(twice(table, codec))
    assert [entry.details.title for entry in part.entries] == ["Урок"]
    assert [(one.kind, one.where) for one in part.problems] == [("warning", "t.csv")]
    assert of_table(table).problems == []
    assert guess("t.csv", twice(table, codec).encode(), CONTEXT.today).columns[0][:2] == ("title", "Название")


def test_a_workbook_that_was_encoded_twice_is_read_with_a_line() -> None:
    header, row = [twice(text, "cp1251") for text in ("Название", "Начало")], [twice("Урок", "cp1251"), "01.12.2026"]
    chosen = XlsxOptions(type="xlsx", path="a.xlsx", columns=COLUMNS)
    part = XlsxFormat(chosen).parse("a.xlsx", workbook(header, row), CONTEXT)
    assert [entry.details.title for entry in part.entries] == ["Урок"]
    assert [(one.kind, one.where) for one in part.problems] == [("warning", "a.xlsx")]


@pytest.mark.parametrize("fold_at", [11, 12, 14, 30])
@pytest.mark.parametrize("codec", ["cp1252", "cp1251"])
def test_a_feed_that_was_encoded_twice_is_read_with_its_lines(codec: str, fold_at: int) -> None:
    line = "SUMMARY:" + twice("Урок математики", codec)
    folded = f"{line[:fold_at]}\n {line[fold_at:]}"
    broken = event("DTSTART:tomorrow", uid="bad")
    part = parse(calendar(event(folded, "DTSTART:20261201T090000"), broken))
    assert [entry.details.title for entry in part.entries] == ["Урок математики"]
    assert [(one.kind, one.where) for one in part.problems] == [("rejected", "t.ics:9"), ("warning", "t.ics")]
