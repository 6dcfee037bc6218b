"""Every message of the code is translated, no translation is left over, and both take the same values."""

from __future__ import annotations

import ast
import string
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Message

from syncd.lang import catalog
from syncd.lang.catalog import LANGUAGES, ROOT
from syncd.lang.compiling import COMPILED, compile_all, compiled, texts_in
from syncd.lang.extract import BY_HAND, read, templates, waits
from syncd.lang.saying import say

TRANSLATED = [name for name in LANGUAGES if name != "en"]


@cache
def said_by_the_code() -> frozenset[tuple[str, object, object]]:
    """Return the room, the form and the context of every message; looking for them takes seconds."""
    return frozenset(
        (room, one.id if isinstance(one.id, str) else tuple(one.id), one.context)
        for room, catalog in templates().items()
        for one in catalog
        if one.id
    )


def forms(said: object) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(said)  # type: ignore[arg-type] # a pair, or the plurals


def fields(form: str) -> set[tuple[str, str]]:
    return {(name, spec or "") for _, name, spec, _ in string.Formatter().parse(form) if name is not None}


def messages(language: str) -> list[tuple[str, Message]]:
    return [(path.stem, one) for path in texts_in(ROOT / language) for one in read(path, language) if one.id]


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_of_the_code_is_translated(language: str) -> None:
    known = {(room, one.id, one.context) for room, one in messages(language) if not waits(one)}
    said = said_by_the_code()
    assert len(said) >= 40
    assert sorted(map(str, said - known)) == [], "run python -m syncd.lang.extract and translate what it brings"


def test_no_message_stands_where_it_is_not_looked_for() -> None:
    """A message within the braces of an f-string is code to Python, and text to what collects the messages."""
    found = {form for _, message, _ in said_by_the_code() for form in forms(message)}
    lost = []
    for path in ROOT.parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match call:
                case ast.Call(func=ast.Name("say" | "say_count"), args=[ast.Constant(str(form)), *_]):
                    lost += [form] * (form not in found)
                case ast.Call(func=ast.Name("say_as"), args=[_, ast.Constant(str(form)), *_]):
                    lost += [form] * (form not in found)
    assert lost == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_left_over(language: str) -> None:
    known = {(room, one.id, one.context) for room, one in messages(language) if room != BY_HAND}
    assert sorted(map(str, known - said_by_the_code())) == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_each_translation_takes_the_values_of_its_message(language: str) -> None:
    for _, one in messages(language):
        for said in forms(one.string):
            assert fields(said) == fields(forms(one.id)[-1]), one.id


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_message_in_two_rooms_is_translated_in_one_way(language: str) -> None:
    said: dict[object, object] = {}
    for _, one in messages(language):
        assert said.setdefault((one.id, one.context), one.string) == one.string, one.id


def test_what_is_compiled_is_what_the_texts_say(tmp_path: Path) -> None:
    (tmp_path / "ru").mkdir()
    for path in texts_in(ROOT / "ru"):
        (tmp_path / "ru" / path.name).write_bytes(path.read_bytes())
    compile_all(tmp_path)
    assert (tmp_path / "ru" / COMPILED).read_bytes() == compiled(ROOT / "ru")


@pytest.mark.parametrize("left", [0, 3, 1_000])
def test_a_compiled_catalog_that_was_cut_short_is_made_again_from_the_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    (tmp_path / "ru").mkdir()
    for path in texts_in(ROOT / "ru"):
        (tmp_path / "ru" / path.name).write_bytes(path.read_bytes())
    compile_all(tmp_path)
    ready = tmp_path / "ru" / COMPILED
    ready.write_bytes(ready.read_bytes()[:left])
    monkeypatch.setattr(catalog, "ROOT", tmp_path)
    catalog.catalog.cache_clear()
    try:
        assert catalog.told(say("section changed"), "ru") == "изменён раздел"
    finally:
        catalog.catalog.cache_clear()


def test_no_message_of_the_code_is_taken_for_what_keeps_a_plain_text() -> None:
    assert "{text}" not in {message for _, message, _ in said_by_the_code()}
