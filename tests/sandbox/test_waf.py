"""The portal's filter does to texts what its auditors were seen to do (PORTAL.md 1.5)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.sandbox.php.scalars import PhpValue
from syncd.sandbox.php.waf import filter_params, filter_text
from tests.support.growth import growth

PROBED = [
    ("Create event for marketing", "Cre ate   event for marketing"),
    ("Drop table tennis", "Dr op   table tennis"),
    ("Alter view of the plan", "Alt er   view of the plan"),
    ("Select a room from the list", "Sel ect a room fr om the list"),
    ("Trip from Riga, where to meet?", "Trip fr om Riga, wh ere to meet?"),
    ("from May limit 5", "fr om May lim it 5"),
    ("Update the calendar and set reminder", "Upd ate the calendar and se t reminder"),
    ("Insert coin and set the value", "Ins ert coin and set the val ue"),
    ("union meeting, select delegates", "uni on meeting, sel ect delegates"),
    ("see ../docs/../a", "see ../docs/. ./a"),
    ("<link>", "<li nk>"),
    ("<style>", "<st yle>"),
    ("<html>", "<ht ml>"),
    ("<meta", "<met a"),
    ("<form>", "<fo rm>"),
    ("<script", "<sc ript"),
    ("javascript:", "jav * ascript:"),
    ("expression(", "ex * pression("),
    ("online = 3", "onl ine = 3"),
    ("x; data: 5", "x; dat a: 5"),
]
UNCHANGED = ["<b>", "<br>", "<table>", "&amp;", "https://h/?a=1&onlyx=1"]


@pytest.mark.parametrize(("sent", "stored"), PROBED)
def test_a_probed_text_is_stored_as_probed(sent: str, stored: str) -> None:
    assert filter_text(sent) == stored


@pytest.mark.parametrize(("sent", "stored"), PROBED)
def test_case_does_not_matter_to_the_auditors(sent: str, stored: str) -> None:
    assert filter_text(sent.upper()) == stored.upper()


@pytest.mark.parametrize("text", UNCHANGED)
def test_a_probed_text_stays_as_it_is(text: str) -> None:
    assert filter_text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "create_event from-where",
        "Recreate event",
        "from.where",
        "Where from?",
        "fromage, somewhere",
        "Урок рисования, группа 5",
        "create-table",
        "select",
        "one = 1",
        "data: 5",
        "../a",
        "&#1055;лан",
    ],
)
def test_nothing_fires_on_parts_of_words_or_half_a_pair(text: str) -> None:
    assert filter_text(text) == text


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("&#60;script&#x3e;", "<sc ript>"),
        ("javascript&colon;x", "jav * ascript:x"),
        ("&#1055; from here, where?", "П fr om here, wh ere?"),
        ("create\0 event", "cre ate   event"),
        ("create&tab;event", "cre ate \t event"),
        ("a/../../b", "a/. ./. ./b"),
        ("select from where", "sel ect fr om where"),
        ("from a where b from c where d", "fr om a wh ere b fr om c wh ere d"),
        ("from a from b where c", "fr om a from b wh ere c"),
        ("insert into x", "ins ert in to x"),
        ("insert x select y", "ins ert x sel ect y"),
        ("write into an outfile", "write in to an out file"),
        ("load_file(x)", "load_ file(x)"),
        ("vbscript:", "vb * script:"),
        ("create 2 event", "cre ate  2  event"),
        ("<iframe src=x>", "<if rame src=x>"),
        ('"onclick="', '"onc lick="'),
        ("select\na\nfrom", "sel ect\na\nfr om"),
        ("&#xD800; <link>", "&#xD800; <li nk>"),
    ],
)
def test_the_families_of_triggers_fire(sent: str, stored: str) -> None:
    assert filter_text(sent) == stored


def test_keys_are_filtered_as_well_as_values_and_other_scalars_pass() -> None:
    params: PhpValue = {"name": "Drop table", "rows <form>": ["from a, where b", 5, None, True], "n": 1.5}
    assert filter_params(params) == {
        "name": "Dr op   table",
        "rows <fo rm>": ["fr om a, wh ere b", 5, None, True],
        "n": 1.5,
    }


def test_a_long_text_without_an_end_of_pair_costs_no_more_than_reading_it() -> None:
    small, large = "select " * 5_000, "select " * 20_000
    assert filter_text(large) == large
    assert growth(lambda: filter_text(small), lambda: filter_text(large)) < 9


WORDS = st.sampled_from(
    [
        *("create", "event", "drop", "table", "select", "from", "where", "limit", "union", "update", "set", "insert"),
        *("value", "into", "<form>", "javascript:", "/", "..", "on", "online", "=", "data:", ";", "&#60;", "встреча"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(WORDS, st.sampled_from(["", " ", "/"])), max_size=12))
def test_filtering_twice_is_filtering_once_and_adds_only_blanks_and_stars(parts: list[tuple[str, str]]) -> None:
    text = "".join(word + gap for word, gap in parts)
    once = filter_text(text)
    assert filter_text(once) == once
    if once != text:
        assert re.sub(r"[\s*]", "", once) == re.sub(r"[\s*]", "", text.replace("&#60;", "<"))
