"""Log events are constants of one module, which says the truth about the fields of each."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import syncd
from syncd import events

PACKAGE = Path(syncd.__file__).parent
NAMES = {name: value for name, value in vars(events).items() if name.isupper()}
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
LOGGERS = {"log", "_log"}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name != "events.py":
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def documented() -> dict[str, set[str]]:
    """Return the fields that the text after each constant names."""
    body = ast.parse((PACKAGE / "events.py").read_text(encoding="utf-8")).body
    found = {}
    for constant, text in pairwise(body):
        if isinstance(constant, ast.AnnAssign) and isinstance(constant.target, ast.Name):
            assert isinstance(text, ast.Expr), f"{constant.target.id} is not explained"
            assert isinstance(text.value, ast.Constant)
            found[constant.target.id] = set(re.findall(r"`([a-z_]+)`", str(text.value.value)))
    return found


def test_every_event_is_a_noun_and_what_happened_to_it_and_there_is_one_of_each() -> None:
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", event) for event in NAMES.values())
    assert all(name == event.replace(".", "_").upper() for name, event in NAMES.items())
    assert set(documented()) == set(NAMES)


def test_whatever_is_logged_is_one_of_the_events() -> None:
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and node.value in NAMES.values():
                raise AssertionError(f"{path}:{node.lineno}: {node.value!r} in place of the constant")
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=logger), attr=level), args=[first, *_]):
                    if logger in LOGGERS and level in LEVELS:
                        assert is_event(first), f"{path}:{node.lineno}: logs no event of syncd/events.py"
                case _:
                    pass


def is_event(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "events"
        and node.attr in NAMES
    )


def test_every_event_is_logged_with_the_fields_that_its_text_names() -> None:
    logged: dict[str, set[str]] = {name: set() for name in NAMES}
    uses: set[str] = set()
    more: set[str] = set()
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and is_event(node.args[0]):
                assert isinstance(node.args[0], ast.Attribute)
                name = node.args[0].attr
                uses.add(name)
                logged[name] |= {keyword.arg for keyword in node.keywords if keyword.arg is not None}
                if any(keyword.arg is None for keyword in node.keywords):  # **facts: the text names them
                    more.add(name)
    assert uses == set(NAMES)
    for name, fields in documented().items():
        if name in more:
            assert logged[name] < fields, name
        else:
            assert logged[name] == fields, name
