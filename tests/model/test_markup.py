"""HTML descriptions as BB-code: what people see is kept, what acts is not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model.markup import MOST_CHARACTERS, is_html, to_bbcode
from tests.support.growth import growth


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ("<b>Bring</b> <i>your</i> <u>papers</u>", "[b]Bring[/b] [i]your[/i] [u]papers[/u]"),
        ("One<br>two<br/>three", "One\ntwo\nthree"),
        ("<p>One</p><p>two</p>", "One\n\ntwo"),
        ("<ul><li>a</li><li>b</li></ul>after", "• a\n• b\nafter"),
        ('<a href="https://x.example/?a=1&amp;b=2">Join</a>', "[url=https://x.example/?a=1&b=2]Join[/url]"),
        ("<a href='mailto:a@b.example'>mail</a>", "[url=mailto:a@b.example]mail[/url]"),
        ('<a href="javascript:alert(1)">Join</a>', "Join"),
        ('<a href="java&#10;script:alert(1)">Join</a>', "Join"),
        ('<a href="https://x.example/[a]">Join</a>', "[url=https://x.example/%5Ba%5D]Join[/url]"),
        ("<script>alert('x < y')</script>Text<style>b{}</style>", "Text"),
        ("<!-- secret --><html><head><title>t</title></head><body>Text</body></html>", "Text"),
        ("a &lt; b &amp;&nbsp;c", "a < b & c"),
        ("<b>open <i>and never closed", "[b]open [i]and never closed[/i][/b]"),
        ("</b>stray</i>", "stray"),
        ('<img src="x.png" onerror="alert(1)" alt="Map">', "Map"),
        ("<div onclick='x()'>Line</div><div>next</div>", "Line\nnext"),
        ("one\ntwo <b>kept</b>", "one\ntwo [b]kept[/b]"),
        ("one\n<br>two\nthree", "one\ntwo three"),
        ("2 < 3 and <b>4 > 3</b>", "2 < 3 and [b]4 > 3[/b]"),
        ("<td>a</td><td>b</td>", "a b"),
    ],
)
def test_markup_becomes_what_the_portal_shows(html: str, said: str) -> None:
    assert to_bbcode(html) == said


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Bring <b>papers</b>", True),
        ("line<br/>line", True),
        ('<a href="x">x</a>', True),
        ("a < b and c > d", False),
        ("if x<y then <z>", False),
        ("<me@x.example>", False),
        ("", False),
    ],
)
def test_only_real_tags_make_a_text_html(text: str, meant: bool) -> None:
    assert is_html(text) is meant


@pytest.mark.parametrize(
    ("piece", "times"),
    [("<b>", 12_000), ("<", 20_000), ("<a<", 8_000), ("<!--", 6_000), ("<a href='", 3_000), ("&lt;", 6_000),
     ("<div>", 6_000), ("<li>", 6_000), ('<a href="https://x.example">', 1_200), ("< ", 12_000)],
)  # fmt: skip
def test_no_bomb_takes_long_or_grows(piece: str, times: int) -> None:
    def read(bomb: str) -> None:
        is_html(bomb)
        assert len(to_bbcode(bomb)) <= MOST_CHARACTERS + 1000

    small, large = piece * times + "x>", piece * (4 * times) + "x>"
    assert growth(lambda: read(small), lambda: read(large)) < 9  # the square of four times the text would be 16


PIECES = st.sampled_from(
    [
        "<b>",
        "</b>",
        "<i>",
        "</i>",
        "<a href='https://x.example'>",
        "</a>",
        "<p>",
        "</p>",
        "<script>",
        "</script>",
        "x",
        " ",
    ]
)


@settings(max_examples=150)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_the_result_is_balanced_whatever_comes_in(html: str) -> None:
    open_tags: list[str] = []
    for closing, name in re.findall(r"\[(/?)(b|i|u|s|url)\b[^\]]*\]", to_bbcode(html)):
        if closing:
            assert open_tags.pop() == name
        else:
            open_tags.append(name)
    assert open_tags == []


@settings(max_examples=200)
@given(st.text(alphabet="<>/ab'\"=&;!- \n", max_size=200))
def test_any_text_is_read_to_its_end(text: str) -> None:
    is_html(text)
    assert "<script" not in to_bbcode(text)
