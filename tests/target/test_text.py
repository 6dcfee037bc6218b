"""Texts that the portal would refuse, cut or act on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import EntryError
from syncd.target import fields
from syncd.target.fields import description_text, location_text, title_text


@pytest.mark.parametrize("title", ["", "   ", "\t\n", "\x00", "0", " 0 ", "\u00a0", "\u3000 \u2003"])
def test_a_title_the_portal_takes_for_none_is_rejected(title: str) -> None:
    with pytest.raises(EntryError, match="title"):
        title_text(title, [])


def test_a_title_of_600_characters_is_cut_at_a_word_with_a_warning() -> None:
    warnings: list[str] = []
    cut = title_text("lesson " * 100, warnings)
    assert len(cut) <= 255
    assert cut.endswith("lesson…")
    assert "699 characters" in warnings[0]


@pytest.mark.parametrize("text", ["Room  3", "Café\u00a0!", "会議\u3000室", "a\tb", "\u00a0Lesson\u3000", "x \u2003 y"])
def test_blanks_within_titles_and_places_are_sent_as_they_are(text: str) -> None:
    warnings: list[str] = []
    assert (title_text(f" {text}\n", warnings), location_text(f"\t{text} ", warnings)) == (text, text)
    assert warnings == []


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n \n ", "\u2028"])
def test_a_title_of_several_lines_becomes_one_with_a_line_about_it(end: str) -> None:
    warnings: list[str] = []
    assert title_text(f"Lesson{end}Room 3", warnings) == "Lesson Room 3"
    assert warnings == ["the title has several lines, the portal shows one; they are joined by blanks"]


@pytest.mark.parametrize("place", ["calendar_5", "ECMR_12 floor", " Calendar_7", "ecmr_1"])
def test_a_location_that_would_book_a_room_is_put_in_brackets(place: str) -> None:
    warnings: list[str] = []
    assert location_text(place, warnings).startswith("(")
    assert "book a room" in warnings[0]


@pytest.mark.parametrize("place", ["Calendar room 5", "Room calendar_5", "calendar", ""])
def test_an_ordinary_location_is_left_alone(place: str) -> None:
    warnings: list[str] = []
    assert location_text(place, warnings) == place
    assert warnings == []


def test_a_description_is_cut_between_characters_not_inside_one() -> None:
    warnings: list[str] = []
    cut = description_text("ж" * 40_000, warnings)
    assert len(cut.encode()) <= fields.DESCRIPTION_LIMIT_BYTES
    assert cut.endswith("ж…")
    assert len(warnings) == 1


@pytest.mark.parametrize("word", ["lesson", "занятие", "会议", "\U0001f389\U0001f389"])
def test_a_long_description_is_cut_at_a_word_to_what_the_column_holds_in_any_script(word: str) -> None:
    warnings: list[str] = []
    cut = description_text(f"{word} " * 30_000, warnings)
    stored = sum(10 if char > "\uffff" else len(char.encode()) for char in cut)  # emoji are stored as ":f09f8e89:"
    assert fields.DESCRIPTION_LIMIT_BYTES - 40 < stored <= fields.DESCRIPTION_LIMIT_BYTES
    assert cut.endswith(f"{word} {word}…")
    assert "the portal holds 60000; it is cut at a word" in warnings[0]


def test_a_description_that_just_fits_is_left_alone() -> None:
    warnings: list[str] = []
    fits = "ж" * 30_000
    assert description_text(fits, warnings) == fits
    assert warnings == []


def test_line_ends_become_plain_and_control_characters_go() -> None:
    assert description_text("a\r\nb\rc\x07d\tе", []) == "a\nb\ncd\tе"


@given(st.text())
def test_no_text_gets_through_that_a_calendar_cannot_show(value: str) -> None:
    for clean in (location_text(value, []), description_text(value, [])):
        clean.encode("utf-8")
        assert not any(ord(c) < 32 and c not in "\t\n" for c in clean)
