"""Which line of a TOML text holds which key, so that an error can name it: tomllib does not keep that.

Only for texts that tomllib has accepted. Other texts give wrong lines, but never an exception or an endless loop.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(["\\bfnrt]))')
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class TomlLines:
    """The line numbers (from 1) of the tables, keys and array elements of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._arrays: dict[KeyPath, int] = {}
        self._lines: dict[KeyPath, int] = {}
        self._is_scanned = False

    def line_of(self, path: KeyPath) -> int:
        """Return the line of `path`, or of the nearest thing around it that has one."""
        lines = self._scanned()
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path, 1)

    def holds(self, path: KeyPath) -> bool:
        """Return True if the text itself gives `path`."""
        return path in self._scanned()

    def _scanned(self) -> Mapping[KeyPath, int]:
        """Return the lines, computed when first asked for: commands that only look for the state never ask."""
        if not self._is_scanned:
            self._is_scanned = True
            self._scan()
        return self._lines

    def _scan(self) -> None:
        table: KeyPath = ()
        while self._skip(_BLANK):
            start = self._at
            if self._text[start] == "[":
                table = self._header()
            else:
                self._pair(table)
            if self._at == start:  # not TOML: skip a character, or the loop would not end
                self._at += 1

    def _header(self) -> KeyPath:
        offset = self._at
        many = self._text.startswith("[[", offset)
        self._at += 2 if many else 1
        path: KeyPath = ()
        parts = self._key()
        for number, part in enumerate(parts, 1):
            path = (*path, part)
            last = number == len(parts)
            if last and many:
                self._arrays[path] = self._arrays.get(path, -1) + 1
                self._note(path, offset)
            if path in self._arrays:
                path = (*path, self._arrays[path])
            self._note(path, offset)
        self._skip(re.compile(r"\]*"))
        return path

    def _pair(self, table: KeyPath) -> None:
        offset = self._at
        parts = self._key()
        for number in range(1, len(parts) + 1):
            self._note((*table, *parts[:number]), offset)
        self._skip(_SPACE)
        if self._text.startswith("=", self._at):
            self._at += 1
            self._skip(_SPACE)
            self._value((*table, *parts))

    def _key(self) -> tuple[str, ...]:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            found = _STRING.match(self._text, self._at) or _BARE_KEY.match(self._text, self._at)
            if found is None:
                return tuple(parts)
            parts.append(_unquoted(found[0]))
            self._at = found.end()
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return tuple(parts)
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        match self._text[self._at : self._at + 1]:
            case "[":
                self._elements(path)
            case "{":
                self._inline(path)
            case _:
                found = _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at)
                self._at = found.end() if found else self._at

    def _elements(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while self._skip(_BLANK) and self._text[self._at] != "]":
            start = self._at
            self._note((*path, index), start)
            self._value((*path, index))
            index += 1
            self._comma(start)
        self._at += 1

    def _inline(self, path: KeyPath) -> None:
        self._at += 1
        while self._skip(_BLANK) and self._text[self._at] != "}":
            start = self._at
            self._pair(path)
            self._comma(start)
        self._at += 1

    def _comma(self, start: int) -> None:
        self._skip(_BLANK)
        if self._text.startswith(",", self._at) or self._at == start:
            self._at += 1

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Skip what `pattern` matches here; return True if any text is left."""
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at < len(self._text)

    def _note(self, path: KeyPath, offset: int) -> None:
        # The first line wins: a table whose keys are spread over the file is reported where it begins.
        self._lines.setdefault(path, bisect_right(self._starts, offset))


def _unquoted(key: str) -> str:
    if key.startswith("'"):
        return key[1:-1]
    if not key.startswith('"'):
        return key
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[3], found[3]) if found[3] else _character(found), key[1:-1])


def _character(found: re.Match[str]) -> str:
    code = int(found[1] or found[2], 16)
    return chr(code) if code < 0x110000 else ""
