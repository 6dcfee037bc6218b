from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from syncd.config.toml_lines import KeyPath, TomlLines

TEXT = '''# first
state = "a # not a comment"   # comment

[portals.main]
"web\\u0068ook" = 'x'
limits.burst = 5
limits . "rate" = 2.0

[[sync]]
name = """one
name = "two"
["not.a.header"]
"""
window = { past = "1d", future = "2d" }
[sync.filter]
include = [
  "a ~ [b]",  # "x",
  # nothing
  'c = ]',
  { k = [1, 2] },
]
exclude = [] # x
[[sync]]
name = \'\'\'
\'\'\'
after = 1
[sync.target]
owners = { "Front desk" = 12 }
[sync.target.deep]
x = 1979-05-27 07:32:00
y = -1e5
'''


def test_every_key_has_its_line() -> None:
    lines = TomlLines(TEXT)
    wanted: dict[KeyPath, int] = {
        ("state",): 2,
        ("portals",): 4,
        ("portals", "main"): 4,
        ("portals", "main", "webhook"): 5,
        ("portals", "main", "limits"): 6,
        ("portals", "main", "limits", "burst"): 6,
        ("portals", "main", "limits", "rate"): 7,
        ("sync",): 9,
        ("sync", 0): 9,
        ("sync", 0, "name"): 10,
        ("sync", 0, "window"): 14,
        ("sync", 0, "window", "future"): 14,
        ("sync", 0, "filter"): 15,
        ("sync", 0, "filter", "include", 0): 17,
        ("sync", 0, "filter", "include", 1): 19,
        ("sync", 0, "filter", "include", 2, "k", 1): 20,
        ("sync", 0, "filter", "exclude"): 22,
        ("sync", 1): 23,
        ("sync", 1, "name"): 24,
        ("sync", 1, "after"): 26,
        ("sync", 1, "target"): 27,
        ("sync", 1, "target", "owners", "Front desk"): 28,
        ("sync", 1, "target", "deep", "x"): 30,
        ("sync", 1, "target", "deep", "y"): 31,
    }
    assert {path: lines.line_of(path) for path in wanted} == wanted


def test_what_has_no_line_takes_that_of_what_is_around_it() -> None:
    lines = TomlLines(TEXT)
    assert lines.line_of(("sync", 0, "source", "type")) == 9
    assert lines.line_of(("nothing",)) == 1
    assert lines.line_of(()) == 1


def paths(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    match value:
        case dict():
            return [path, *(each for key, inner in value.items() for each in paths(inner, (*path, key)))]
        case list():
            return [path, *(each for index, inner in enumerate(value) for each in paths(inner, (*path, index)))]
        case _:
            return [path]


def test_the_scanner_sees_the_same_keys_as_the_parser() -> None:
    lines = TomlLines(TEXT)
    assert sorted(map(str, lines._scanned())) == sorted(map(str, paths(tomllib.loads(TEXT))[1:]))


PARTS = st.sampled_from(['"', "'", '"""', "[", "]", "{", "}", "=", ".", ",", "\n", "#", "a", " ", "\\", "é", "[[a]]"])


@given(st.lists(PARTS, max_size=30).map("".join))
@example("a = [")
@example("[[")
@example('a = {b = "')
@example('"\\U99999999" = 1')
def test_no_text_makes_it_fail_or_run_for_ever(text: str) -> None:
    assert TomlLines(text).line_of(("a",)) >= 1


LEAVES = st.integers() | st.booleans() | st.text(st.characters(codec="utf-8"), max_size=5)
KEYS = st.text("ab-\"' .#", max_size=3)


def quoted(text: str) -> str:
    special = {"\\", '"'}
    return '"' + "".join(f"\\u{ord(c):04x}" if c in special or ord(c) < 32 or ord(c) == 127 else c for c in text) + '"'


def inline(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return quoted(value)
        case list():
            return "[\n" + ",\n".join(inline(each) for each in value) + "]"
        case _:
            return "{" + ", ".join(f"{quoted(key)} = {inline(each)}" for key, each in value.items()) + "}"


@given(
    st.dictionaries(
        KEYS, st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
    )
)
def test_any_document_is_scanned_completely(document: dict[str, Any]) -> None:
    text = "\n".join(f"{quoted(key)} = {inline(value)}" for key, value in document.items())
    assert tomllib.loads(text) == document
    assert sorted(map(str, TomlLines(text)._scanned())) == sorted(map(str, paths(document)[1:]))
