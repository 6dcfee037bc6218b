"""What is told of an entry's fields is told in the reader's language, with plurals that fit whatever number comes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncd.errors import EntryError
from syncd.lang.catalog import told
from syncd.target.fields import description_text, location_text, title_text, to_fallback, truth


def warned(write: Callable[[list[str]], object]) -> list[str]:
    warnings: list[str] = []
    write(warnings)
    return [told(one, "ru") for one in warnings]


@pytest.mark.parametrize(("length", "russian"), [(261, "261 знак"), (262, "262 знака"), (300, "300 знаков")])
def test_a_title_that_is_cut_is_told_with_its_length(length: int, russian: str) -> None:
    (said,) = warned(lambda warnings: title_text("x" * length, warnings))
    assert said == f"в названии {russian}, портал хранит 255; обрезано по слову"


def test_what_is_changed_in_texts_is_told_in_russian() -> None:
    assert warned(lambda warnings: location_text("calendar_5", warnings)) == [
        "место «calendar_5» заняло бы переговорную портала; записано в скобках"
    ]
    assert warned(lambda warnings: title_text("Early\nshift", warnings)) == [
        "в поле «название» несколько строк, портал показывает одну; они соединены пробелами"
    ]
    assert warned(lambda warnings: description_text("x" * 60_001, warnings)) == [
        "описание слишком длинное (байт: 60001, портал хранит 60000); обрезано по слову"
    ]


def test_an_entry_that_cannot_be_used_is_told_in_russian() -> None:
    with pytest.raises(EntryError) as blank:
        title_text(" ", [])
    assert told(str(blank.value), "ru") == (
        "название пустое (дайте записи название или задайте untitled или name в [sync.fields])"
    )
    with pytest.raises(EntryError) as word:
        truth("perhaps", "private")
    assert told(str(word.value), "ru") == "private: «perhaps» (пишите «да» или «нет»)"


@pytest.mark.parametrize(
    ("number", "russian"), [(1, "1 запись попадает"), (3, "3 записи попадают"), (11, "11 записей попадают")]
)
def test_entries_that_go_to_the_fallback_are_counted_in_russian(number: int, russian: str) -> None:
    (said,) = to_fallback(["Анна"] * number, "5")
    assert told(said, "ru").startswith(f"{russian} в календарь fallback_owner 5, потому что ")
    assert f"«Анна» ({number})" in told(said, "ru")
