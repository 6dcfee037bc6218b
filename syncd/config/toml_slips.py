"""Common mistakes in TOML, and what to write instead: the remedy beside the parser's message.

No part of a value is ever repeated, as it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from syncd.config.toml_lines import KeyPath
from syncd.lang.saying import Saying, say

_QUOTES = "“”„‟«»‘’‚‹›″＂"
_INVISIBLE = re.compile(r"[\u00a0\u2000-\u200f\u202f\u2060\u3000\ufeff]")
_PAIR = re.compile(r"\s*([A-Za-z0-9_.-]+|\"[^\"]*\"|'[^']*')\s*=\s*(.*)")
_KEY = re.compile(r"\s*([A-Za-z0-9_.-]+)")
_PLAIN_KEY = re.compile(r"[a-z_]+(?:\.[a-z_]+)*")
_WORD_OF_TRUTH = re.compile(r"(?:true|false|yes|no|on|off)\b", re.IGNORECASE)
_LOST = re.compile(r"[A-Za-z]:[^\\/]*[\b\t\n\f\r]")
_OPEN = ("Illegal character", "Unterminated string", 'Expected "\'"', 'Expected "')
BACKSLASH_REMEDY = say("write a path of Windows in single quotes, as 'C:\\Users\\x', or double each backslash")

_PARSER_SAYS: Final = (
    say("Invalid value"),
    say("Invalid statement"),
    say("Invalid initial character for a key part"),
    say("Invalid hex value"),
    say("Invalid date or datetime"),
    say("Illegal character {char}", char=""),
    say("Found invalid character {char}", char=""),
    say("Unterminated string"),
    say("Unescaped '\\' in a string"),
    say("Escaped character is not a Unicode scalar value"),
    say("Unclosed array"),
    say("Unclosed inline table"),
    say("Duplicate inline table key {key}", key=""),
    say("Cannot declare {key} twice", key=""),
    say("Cannot overwrite a value"),
    say("Cannot mutate immutable namespace {key}", key=""),
    say("Cannot redefine namespace {key}", key=""),
    say("Expected '=' after a key in a key/value pair"),
    say("Expected newline or end of document after a statement"),
    say("Expected ']' at the end of a table declaration"),
    say("Expected ']]' at the end of an array declaration"),
    say("Expected {char}", char=""),
)
"""The messages of tomllib, which are shown in the reader's language."""


def message(said: str) -> str:
    """Return what tomllib `said` as a message, or unchanged if this version of tomllib says something else."""
    for one in _PARSER_SAYS:
        names = tuple(one.values)
        pattern = re.escape(one.form)
        for name in names:
            pattern = pattern.replace(re.escape(f"{{{name}}}"), "(.*)")
        if found := re.fullmatch(pattern, said, re.DOTALL):
            return Saying(one.form, "", {name: _dotted(text) for name, text in zip(names, found.groups(), strict=True)})
    return said


def _dotted(text: str) -> str:
    """Return a key as the config writes it: tomllib shows a table as a Python tuple."""
    steps = re.findall(r"'([^']*)'", text) if text.startswith("('") else []
    return f"[{'.'.join(steps)}]" if steps else text


def remedy(line: str, column: int, said: str) -> str:
    """Return what to write instead, "" if that is not known.

    `line` is the line in which the parser stopped, at `column` (from 1), and `said` its message.
    """
    at = line[column - 1 : column]
    found = next((char for char in line if char in _QUOTES), "")
    is_open = said.startswith(_OPEN)
    if (at and at in _QUOTES) or (found and is_open):
        return say("write straight quotation marks in place of {mark}", mark=at if at and at in _QUOTES else found)
    if _INVISIBLE.match(at):
        return say("write a plain space in place of the invisible character there")
    if said.startswith(("Unescaped '\\'", "Invalid hex value")):
        return BACKSLASH_REMEDY
    if is_open:
        return say("close the quotation marks on this line")
    return _by_message(said) or _of_pair(line, at, said) or _of_statement(line, said)


def _by_message(said: str) -> str:
    known = (
        ("Cannot declare", say("the table stands there twice; put its keys into one (each sync begins with [[sync]])")),
        ("Cannot overwrite", say("the key stands there twice; keep one")),
        ("Expected ']]'", say("close the heading with ]]")),
        ("Expected ']'", say("close the heading with ]")),
        ("Unclosed array", say("put commas between the items and close the list with ]")),
        ("Unclosed inline", say("put commas between the items and close the table with }}")),
        ("Invalid initial character", say("keep what stands in braces on one line, without a comma before }}")),
    )
    return next((told for begins, told in known if said.startswith(begins)), "")


def _of_pair(line: str, at: str, said: str) -> str:
    """Return the remedy for a key with its value."""
    pair = _PAIR.match(line)
    if pair is None:
        key = _KEY.match(line)
        if key is None or not said.startswith("Expected '='"):
            return ""
        name = _named(key[1])
        return (
            say("write = in place of : after {name}", name=name)
            if at == ":"
            else say("write = between {name} and its value", name=name)
        )
    key_name, value = _named(pair[1]), pair[2]
    if not value or value.startswith("#"):
        return say("give {name} a value, or remove the line", name=key_name)
    if value[0] in "\"'":
        return say("remove what stands after the value of {name}, or put # before it", name=key_name)
    if _WORD_OF_TRUTH.match(value):
        return say("write {name} = true or {name} = false", name=key_name)
    return say('put the value of {name} in quotation marks: {name} = "..."', name=key_name)


def _named(key: str) -> str:
    """Return a key for a message. What may be a lost piece of a value is not repeated."""
    return key if _PLAIN_KEY.fullmatch(key) else say("the key")


def _of_statement(line: str, said: str) -> str:
    """Return the remedy for a line that is neither a key with its value nor the heading of a table."""
    begun = line.lstrip()
    if not said.startswith("Invalid statement"):
        return ""
    if begun.startswith(("//", ";", "--", "/*")):
        return say("begin a comment with #")
    if begun.startswith("="):
        return say("write the name of the key before =")
    return "" if begun[:1].isascii() else say("put a name with letters beyond a to z in quotation marks")


def lost_backslashes(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield where a path of Windows in double quotes has become other characters: "C:\\temp" holds a tab."""
    if isinstance(value, str) and _LOST.match(value):
        yield path
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from lost_backslashes(one, (*path, key))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from lost_backslashes(one, (*path, at))
