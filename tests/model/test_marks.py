"""Marks are written and read the same way, with the name of a ledger and, as earlier versions wrote them, without."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.evidence import is_marked, marked, split_mark, unmarked

MARK, LEDGER = "0123456789abcdef", "1a2b3c4d"
texts = st.text().map(str.strip).filter(lambda text: not is_marked(text))


@given(texts, st.sampled_from(["", LEDGER]))
def test_what_is_written_is_read(text: str, ledger: str) -> None:
    assert split_mark(marked(text, MARK, ledger)) == (text, MARK, ledger)


@given(st.text())
def test_without_a_mark_a_text_stays_as_it_is(text: str) -> None:
    assert marked(text, "", LEDGER) == text


@given(st.lists(st.sampled_from(["[syncd:", "[syncd-by:", MARK, LEDGER, "]", " ", "Room 4", "\n"])).map("".join))
def test_nothing_of_a_mark_is_left_in_a_text_of_a_source(text: str) -> None:
    assert not is_marked(unmarked(text))
    assert split_mark(f"{unmarked(text)}\n[syncd:{MARK}]")[2] == ""


def test_a_mark_that_the_portal_would_decode_is_none_of_a_source_either() -> None:
    assert unmarked(f"Room &lt;4&gt; &#91;syncd-by:{LEDGER}] &#x5b;s&#121;ncd:{MARK}]") == "Room <4>"
    assert unmarked("Room &lt;4&gt; &#91;syncd]") == "Room &lt;4&gt; &#91;syncd]"


def test_a_text_without_marks_is_not_changed() -> None:
    assert unmarked(f"[syncd] see [syncd:probe]\n[syncd:{MARK}] Room 4") == "[syncd] see [syncd:probe] Room 4"
    assert unmarked("Room 4") == "Room 4"


def test_a_mark_without_a_name_is_written_as_earlier_versions_wrote_it() -> None:
    assert marked("Room 4", MARK, "") == f"Room 4\n[syncd:{MARK}]"
    assert marked("", MARK, "") == f"[syncd:{MARK}]"


def test_earlier_versions_find_their_part_at_the_end_of_a_new_mark() -> None:
    assert marked("Room 4", MARK, LEDGER) == f"Room 4\n[syncd-by:{LEDGER}] [syncd:{MARK}]"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (f"Room 4  \n [syncd-by:{LEDGER}]\n\n[syncd:{MARK}] \n", ("Room 4", MARK, LEDGER)),
        (f"Room 4 [syncd-by:{LEDGER}][syncd:{MARK}]", ("Room 4", MARK, LEDGER)),
        (f"Room 4\n[syncd-by:1234567] [syncd:{MARK}]", ("Room 4\n[syncd-by:1234567]", MARK, "")),
        (f"[syncd-by:{LEDGER}]", (f"[syncd-by:{LEDGER}]", "", "")),
        (f"[syncd:{MARK}] see there", (f"[syncd:{MARK}] see there", "", "")),
        ("[syncd:probe]", ("[syncd:probe]", "", "")),
    ],
)
def test_people_may_move_its_parts_apart_but_only_a_whole_one_at_the_end_counts(
    text: str, read: tuple[str, str, str]
) -> None:
    assert split_mark(text) == read
