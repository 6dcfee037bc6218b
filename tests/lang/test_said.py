"""What is said to people is said by `say` in one piece: the code is looked through for texts that go around it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import syncd
from syncd import errors

PACKAGE = Path(syncd.__file__).parent
SAY = {"say", "say_as", "say_count"}
ERRORS = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, Exception)}
TOLD = {"remedy", "reason", "detail", "why", "help", "description", "epilog", "incomplete_because"}
"""Names of arguments whose values people read."""
ROOMS = [
    PACKAGE,  # what stands beside the rooms
    *sorted(one for one in PACKAGE.iterdir() if one.is_dir() and one.name not in ("lang", "sandbox", "shipped")),
]
"""The sandbox speaks as the portal does; its own commands are looked through by the tests of the command line."""


def called(node: ast.AST) -> str:
    """Return the name of the function that `node` calls, "" if it is no call."""
    match node:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name
    return ""


def worded(text: str) -> bool:
    """Return True if there are words in `text`; SQL and codes of the portal have capitals only."""
    return any(map(str.islower, text))


def plain(node: ast.AST) -> bool:
    """Return True for words that no catalog knows: a literal with a space in it, an f-string, or pieces of them."""
    match node:
        case ast.Constant(value=str() as text):
            return " " in text.strip() and worded(text)
        case ast.JoinedStr(values=parts):
            return any(isinstance(one, ast.Constant) and worded(str(one.value)) for one in parts)
        case ast.BinOp(op=ast.Add() | ast.Mod(), left=left, right=right):
            return plain(left) or plain(right)
        case ast.IfExp(body=one, orelse=other):
            return plain(one) or plain(other)
        case ast.BoolOp(values=values):
            return any(map(plain, values))
    return False


def unsaid(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the texts for people that are given as plain ones."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = node.args if called(node) in ERRORS else []
            yield from filter(plain, [*given, *(one.value for one in node.keywords if one.arg in TOLD)])


def glued(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield messages that become a piece of a larger text, and forms that are not written where they are used."""
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(op=ast.Add() | ast.Mod(), left=left, right=right) if {called(left), called(right)} & SAY:
                yield node
            case ast.FormattedValue(value=value) if called(value) in SAY:
                yield node
            case ast.Call(args=[form, *more]) if called(node) in SAY:
                forms = [form, *more][: 1 if called(node) == "say" else 2]
                yield from (one for one in forms if not isinstance(one, ast.Constant))


def places(found: Callable[[ast.AST], Iterator[ast.AST]], room: Path) -> list[str]:
    """Return where in the files of a room something was `found`, each with its text."""
    return [
        f"{path.relative_to(PACKAGE)}:{getattr(one, 'lineno', 0)}: {ast.unparse(one)}"
        for path in sorted(room.glob("*.py") if room == PACKAGE else room.rglob("*.py"))
        for one in found(ast.parse(path.read_text(encoding="utf-8")))
    ]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_every_text_for_people_is_a_message(room: Path) -> None:
    assert places(unsaid, room) == []


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_no_message_is_glued_or_made_of_a_form_that_is_not_written_there(room: Path) -> None:
    assert places(glued, room) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('raise ConfigError("the file is gone")', unsaid),
        ('raise EntryError(said, f"see {text} here")', unsaid),
        ('Check(remedy="look at " + name)', unsaid),
        ('Check(detail="all is well" if ok else told)', unsaid),
        ('say("section changed") + " now"', glued),
        ("""f"{where}: {say('section changed')}" """, glued),
        ('say(f"see {text}")', glued),
        ("say(form)", glued),
    ],
)
def test_what_goes_around_the_catalogs_is_found(code: str, found: Callable[[ast.AST], Iterator[ast.AST]]) -> None:
    assert list(found(ast.parse(code)))
