"""What people write by mistake in place of TOML, and what they should write: the remedy beside the parser's message.

Nothing of a value is ever repeated, for it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from syncd.config.toml_lines import KeyPath

_QUOTES = "“”„‟«»‘’‚‹›″＂"
_INVISIBLE = re.compile(r"[\u00a0\u2000-\u200f\u202f\u2060\u3000\ufeff]")
_PAIR = re.compile(r"\s*([A-Za-z0-9_.-]+|\"[^\"]*\"|'[^']*')\s*=\s*(.*)")
_KEY = re.compile(r"\s*([A-Za-z0-9_.-]+)")
_PLAIN_KEY = re.compile(r"[a-z_]+(?:\.[a-z_]+)*")
_WORD_OF_TRUTH = re.compile(r"(?:true|false|yes|no|on|off)\b", re.IGNORECASE)
_LOST = re.compile(r"[A-Za-z]:[^\\/]*[\b\t\n\f\r]")
_OPEN = ("Illegal character", "Unterminated string", 'Expected "\'"', 'Expected "')
BACKSLASH_REMEDY = "write a path of Windows in single quotes, as 'C:\\Users\\x', or double each backslash"


def remedy(line: str, column: int, said: str) -> str:
    """Return what to write instead, "" if that is not known.

    `line` is the one in which the parser stopped, at `column` (from 1), and `said` its message.
    """
    at = line[column - 1 : column]
    found = next((char for char in line if char in _QUOTES), "")
    is_open = said.startswith(_OPEN)
    if (at and at in _QUOTES) or (found and is_open):
        return f"write straight quotation marks in place of {at if at and at in _QUOTES else found}"
    if _INVISIBLE.match(at):
        return "write a plain space in place of the invisible character there"
    if said.startswith(("Unescaped '\\'", "Invalid hex value")):
        return BACKSLASH_REMEDY
    if is_open:
        return "close the quotation marks on this line"
    return _by_message(said) or _of_pair(line, at, said) or _of_statement(line, said)


def _by_message(said: str) -> str:
    known = (
        ("Cannot declare", "the table stands there twice; put its keys into one (each sync begins with [[sync]])"),
        ("Cannot overwrite", "the key stands there twice; keep one"),
        ("Expected ']]'", "close the heading with ]]"),
        ("Expected ']'", "close the heading with ]"),
        ("Unclosed array", "put commas between the items and close the list with ]"),
        ("Unclosed inline", "put commas between the items and close the table with }"),
        ("Invalid initial character", "keep what stands in braces on one line, without a comma before }"),
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
        return f"write = in place of : after {name}" if at == ":" else f"write = between {name} and its value"
    key_name, value = _named(pair[1]), pair[2]
    if not value or value.startswith("#"):
        return f"give {key_name} a value, or remove the line"
    if value[0] in "\"'":
        return f"remove what stands after the value of {key_name}, or put # before it"
    if _WORD_OF_TRUTH.match(value):
        return f"write {key_name} = true or {key_name} = false"
    return f'put the value of {key_name} in quotation marks: {key_name} = "..."'


def _named(key: str) -> str:
    """Return a key as messages name it; what may as well be a lost piece of a value is not repeated."""
    return key if _PLAIN_KEY.fullmatch(key) else "the key"


def _of_statement(line: str, said: str) -> str:
    """Return the remedy for a line that is neither a key with its value nor the heading of a table."""
    begun = line.lstrip()
    if not said.startswith("Invalid statement"):
        return ""
    if begun.startswith(("//", ";", "--", "/*")):
        return "begin a comment with #"
    if begun.startswith("="):
        return "write the name of the key before ="
    return "" if begun[:1].isascii() else "put a name with letters beyond a to z in quotation marks"


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
