"""What PHP makes of batch commands, proven against PHP's own answers in tests/vectors/batch.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.sandbox.php.query import parse_command, parse_query, substitute
from syncd.sandbox.php.scalars import PhpValue, as_php_array, is_empty, to_int, truthy

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "batch.json").read_text("utf-8"))
NOTHING_YET: dict[str, PhpValue] = {"result": [], "next": [], "total": [], "time": [], "error": []}
BOB: dict[str, PhpValue] = {
    "result": {"a": {"ID": 5, "NAME": "Bob"}, "b": ["x", "y"], "c": 2.5, "d": True, "e": "Юлия"},
    "next": [],
    "total": {"a": 3},
    "time": {"a": {"duration": 1e25}},
    "error": [],
}


def received(command: str, maps: dict[str, PhpValue]) -> PhpValue:
    _, params = parse_command(command)
    return as_php_array(substitute(params, maps))


@pytest.mark.parametrize("case", VECTORS["encoded"], ids=lambda case: case["cmd"][:40])
def test_an_encoded_command_arrives_as_php_gives_it(case: dict[str, Any]) -> None:
    assert received(case["cmd"], NOTHING_YET) == case["decoded"]
    assert received(case["cmd"], VECTORS["prior"]) == case["with_prior"]


@pytest.mark.parametrize("case", VECTORS["raw"], ids=lambda case: case["cmd"][:40])
def test_a_raw_command_arrives_as_php_gives_it(case: dict[str, Any]) -> None:
    assert parse_command(case["cmd"])[0] == "m.x"
    assert received(case["cmd"], NOTHING_YET) == case["decoded"]


def test_the_vectors_are_all_there() -> None:
    assert (len(VECTORS["encoded"]), len(VECTORS["raw"])) == (300, 300)


@pytest.mark.parametrize(
    ("command", "method", "params"),
    [
        ("m?a=1#b=2", "m", {"a": "1"}),
        ("m?a=x\ny\x7fz", "m", {"a": "x_y_z"}),
        ("m?a=x%0Ay", "m", {"a": "x\ny"}),
        ("m?a=1+2%2B3", "m", {"a": "1 2+3"}),
        ("m?a=1;b=2", "m", {"a": "1;b=2"}),
        ("m:80?a=1", "80", {"a": "1"}),
        ("m:80", "", {}),
        ("m:80/x?a=1", "/x", {"a": "1"}),
        ("//host", "", {}),
        ("///m?a=1", "", {}),
        ("http://host/m?a=1", "/m", {"a": "1"}),
        ("http:/m?a=1", "/m", {"a": "1"}),
        ("http://h:99999/m?a=1", "", {}),
        ("file:///m?a=1", "/m", {"a": "1"}),
        (":", "", {}),
        ("/m:?a", "/m:", {"a": ""}),
        ("?a=1", "", {"a": "1"}),
        ("m", "m", {}),
        ("", "", {}),
        ("m?a.b=1&c d=2&e[f.g]=3", "m", {"a_b": "1", "c_d": "2", "e": {"f.g": "3"}}),
        ("m?a[b=1", "m", {"a_b": "1"}),
        ("m?a[b][c=1", "m", {"a": {"b": "1"}}),
        ("m?k[]=", "m", {"k": [""]}),
        ("m?k[1]=a&k[]=b", "m", {"k": {"1": "a", "2": "b"}}),
        ("m?k[0][t]=min&k[0][c]=15", "m", {"k": [{"t": "min", "c": "15"}]}),
        ("m?k[05]=a&k[-1]=b", "m", {"k": {"05": "a", "-1": "b"}}),
        ("m?a=1&a[b]=2", "m", {"a": {"b": "2"}}),
        ("m?a[b]=2&a=1", "m", {"a": "1"}),
        ("m?a[b]c=2", "m", {"a": {"b": "2"}}),
        ("m?a[ ]=2", "m", {"a": ["2"]}),
        ("m?a%00b=2%00c", "m", {"a": "2\0c"}),
        ("m?a=%FF", "m", {"a": "�"}),
    ],
)
def test_a_command_is_split_as_parse_url_and_parse_str_do(command: str, method: str, params: PhpValue) -> None:
    assert parse_command(command) == (method, params)


def test_variables_past_the_thousandth_are_dropped() -> None:
    query = "&".join(f"v{number}=1" for number in range(1500))
    assert list(parse_query(query)) == [f"v{number}" for number in range(1000)]


def test_a_variable_nested_too_deep_drops_earlier_ones_of_its_name() -> None:
    deep = "a" + "[b]" * 64
    assert list(parse_query(f"{deep}=1")) == ["a"]
    assert parse_query(f"a[x]=1&{deep}[b]=1&c=2") == {"c": "2"}


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("cost $total[a] usd", "cost 3 usd"),
        ("US$total[a]", "US3"),
        ("x $result[a][NAME]! z", "x Bob z"),
        ("$RESULT[a]", None),
        ("$result[zzz]", BOB["result"]),
        ("$result[a][NAME][0]", "B"),
        ("$result[a][NAME][-1]", "b"),
        ("$result[a][NAME][7]", "Bob"),
        ("$result[e][0]", "�"),
        ("$result[b][1]", "y"),
        ("$result[b][2]", ["x", "y"]),
        ("n $result[c]", "n 2.5"),
        ("n $result[d]", "n $result[d]"),
        ("n $result[b]", "n $result[b]"),
        ("n $time[a][duration]", "n 1.0E+25"),
        ("$timeout[a]", {"duration": 1e25}),
        ("$5 [note]", "$5 [note]"),
        ("$result", "$result"),
        ("$result[]", "$result[]"),
        ("$time [x]", "$time [x]"),
        ("$foo[bar]", "$foo[bar]"),
        ("$re\u017fult[a]", "$re\u017fult[a]"),
        ("$total[a]\u00a0x", 3),
    ],
)
def test_a_macro_is_replaced_as_probed(text: str, outcome: PhpValue) -> None:
    assert substitute({"k": {"deep": [text]}}, BOB) == {"k": {"deep": [outcome]}}


def test_without_maps_nothing_is_a_macro() -> None:
    assert substitute({"a": "$result[a]"}, {}) == {"a": "$result[a]"}


@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", "0", [], {}])
def test_php_calls_it_empty(value: PhpValue) -> None:
    assert is_empty(value)
    assert not truthy(value)


@pytest.mark.parametrize("value", [True, 1, -0.5, "false", "0.0", " ", "00", [0], {"a": None}])
def test_php_calls_it_true(value: PhpValue) -> None:
    assert truthy(value)
    assert not is_empty(value)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (None, 0),
        (True, 1),
        (7, 7),
        (2.9, 2),
        (-2.9, -2),
        (float("nan"), 0),
        (2.0**64 + 2**12, 4096),
        ("12abc", 12),
        (" \t-7", -7),
        ("abc", 0),
        ("", 0),
        ("1.9", 1),
        ("1e3", 1000),
        (".5", 0),
        ("+", 0),
        ("99999999999999999999", 2**63 - 1),
        ("-99999999999999999999", -(2**63)),
        ("1e999", 2**63 - 1),
        ("٣", 0),
        ([], 0),
        (["0"], 1),
    ],
)
def test_php_reads_it_as_this_integer(value: PhpValue, number: int) -> None:
    assert to_int(value) == number


def test_only_keys_counting_from_zero_in_order_make_a_list() -> None:
    assert as_php_array({0: "a", 1: "b"}) == ["a", "b"]
    assert as_php_array({"0": "a", "1": "b"}) == ["a", "b"]
    assert as_php_array({1: "b"}) == {"1": "b"}
    assert as_php_array({1: "b", 0: "a"}) == {"1": "b", "0": "a"}
    assert as_php_array({"00": "a"}) == {"00": "a"}
    assert as_php_array({}) == []


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_at_all_is_a_command(text: str) -> None:
    method, params = parse_command(text)
    assert substitute(params, {}) == params
    assert not any(mark in method for mark in "#?\n\x7f")


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text(st.characters(codec="utf-8")), max_size=5))
def test_what_is_percent_encoded_comes_out_as_it_went_in(fields: dict[str, str]) -> None:
    query = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in fields.items())
    assert parse_query(query) == fields
