"""The example config in Russian is the English one with other comments."""

from __future__ import annotations

import re
import tomllib

from tests.config.test_example import EXAMPLE, TEXT

RUSSIAN = EXAMPLE.parent / "deploy" / "config.example.ru.toml"
COMMENT = re.compile(r"(?:^|\s)#(.*)$")
VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|[\w.-]+ = \S.*")


def without_comments(text: str) -> list[str]:
    return [COMMENT.sub("", line).rstrip() for line in text.splitlines() if not line.startswith("#")]


def test_the_russian_example_has_the_same_keys_and_values() -> None:
    assert tomllib.loads(RUSSIAN.read_text(encoding="utf-8")) == tomllib.loads(TEXT)


def test_each_key_that_is_commented_out_is_so_in_the_russian_example_too() -> None:
    def keys(text: str) -> set[str]:
        return set(re.findall(r"^#\s+([a-z][\w.]*) = ", text, re.MULTILINE))

    assert keys(TEXT) - keys(RUSSIAN.read_text(encoding="utf-8")) == set()


def test_no_comment_of_the_russian_example_is_english() -> None:
    for line in RUSSIAN.read_text(encoding="utf-8").splitlines():
        comment = VALUE.sub("", line[line.find("#") :]) if "#" in line else ""
        assert not re.search(r"\b(?:the|of|and|is|it|with)\b", comment), line


def test_the_russian_example_is_laid_out_like_the_english_one() -> None:
    assert [line for line in without_comments(RUSSIAN.read_text(encoding="utf-8")) if line] == [
        line for line in without_comments(TEXT) if line
    ]
