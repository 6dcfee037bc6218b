"""What may leave the process: no secret in any writing, and nothing that acts on a terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.scrub import Scrubber, escaped_json, printable, within

PASSWORD = "pä55 w/rd\"'<&"
WORDS = st.text(min_size=4, max_size=12).filter(lambda text: len(text.strip()) >= 4 and "*" not in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    where: str
    more: tuple[dict[str, str], ...] = ()
    number: int = 7


@given(st.text(max_size=20), WORDS, st.text(max_size=20))
def test_a_secret_that_was_added_is_nowhere_in_a_text_that_may_leave(before: str, secret: str, after: str) -> None:
    scrubber = Scrubber([secret])
    for writing in (secret, quote(secret, safe=""), escape(secret), json.dumps(secret), repr(secret)):
        assert secret.strip() not in scrubber.certain(f"{before}{writing}{after}")
        assert secret.strip() not in scrubber.shown(f"{before}{writing}{after}")


def test_a_secret_is_known_in_every_writing() -> None:
    scrubber = Scrubber([PASSWORD])
    forms = (PASSWORD, quote(PASSWORD), escape(PASSWORD), json.dumps(PASSWORD)[1:-1], repr(PASSWORD)[1:-1])
    assert {scrubber.certain(form) for form in forms} == {"***"}


def test_of_an_address_the_parts_are_hidden_that_let_somebody_in() -> None:
    scrubber = Scrubber(["https://ann:pass-w0rd@hooks.example/services/T0042/B17aXq?sig=abcdef123&x=1"])
    for part in ("pass-w0rd", "T0042/B17aXq", "services/T0042/B17aXq", "abcdef123"):
        assert scrubber.certain(f"<{part}>") == "<***>"
    assert scrubber.certain("ann hooks.example services x=1") == "ann hooks.example services x=1"


def test_what_people_have_written_is_no_secret_for_how_it_looks() -> None:
    text = "Secret: Santa, password = cheese; token: https://example.com/rest/room"
    assert Scrubber().certain(text) == text
    assert Scrubber().certain("https://b24.example/rest/1/abcdef123/") == "https://b24.example/rest/1/***/"


def test_a_secret_that_could_be_a_field_s_name_leaves_the_structure_as_it_is() -> None:
    scrubber = Scrubber(["events", "s3cret"])
    document = '{"events": "events s3cret"}'
    assert scrubber.finished(document) == '{"events": "events ***"}'
    assert within(json.loads(document), scrubber.certain) == {"events": "*** ***"}


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("exe.\u202egpj", "exe.\\u202egpj"), ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("\x9b2J\x7f\r", "\\x9b2J\\x7f\\r"), ("\u2066a\u2069\u200f\u061c", "\\u2066a\\u2069\\u200f\\u061c"),
        ("two\nlines\tof Кириллица 日本", "two\nlines\tof Кириллица 日本"),
    ],
)  # fmt: skip
def test_what_acts_on_a_terminal_is_escaped(text: str, escaped: str) -> None:
    assert printable(text) == escaped


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_without_controls_means_the_same(value: object) -> None:
    document = escaped_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(document) == value
    assert printable(document) == document


def test_every_text_within_a_value_is_cleaned_and_its_shape_stays() -> None:
    told = Told(where="a s3cret", more=({"s3cret": "s3cret", "b": "b"},))
    assert within(told, Scrubber(["s3cret"]).certain) == Told(where="a ***", more=({"s3cret": "***", "b": "b"},))


@pytest.mark.parametrize(
    "text",
    [
        "expired_token: The access token provided has expired",
        "INVALID_TOKEN: Wrong token",
        "OAuth: the application has no right",
        "insufficient_scope: The request requires higher privileges than provided by the webhook token",
    ],
)
def test_what_the_portal_says_of_a_token_keeps_its_words(text: str) -> None:
    assert Scrubber().text(text) == text


@pytest.mark.parametrize(
    "text", ["auth=abc", "x; token: abc", "access_token=abc", '"auth": "abc"', "refresh_token: abc"]
)
def test_what_stands_behind_a_name_of_a_secret_goes(text: str) -> None:
    assert "abc" not in Scrubber().text(text)
