"""What syncd says of entries and portals, in the language of whoever reads the page.

Messages are made in English where the facts are, and travel as text: through the ledger, for one. Here they are known
again by their shape and told in Russian, with the same values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from syncd.html import Child, tag
from syncd.lang.catalog import told as in_language
from syncd.lang.saying import Saying
from syncd.web.language import Language
from syncd.web.messages_ru import FIELDS, MESSAGES

_VALUE: Final = re.compile(r"\{(\w+)\}")
_LONGEST: Final = 2000
"""Characters of a message that is compared with the patterns: what a feed or a portal says may be of any length."""
_REMEMBERED: Final = 4096
"""The page is loaded again every few seconds, with the same messages."""
_DEEPEST: Final = 3
"""How many messages may be within each other; a feed must not make them more."""

_MOST_BRACKETS: Final = 8


class _Saying(NamedTuple):
    surest: str  # its longest piece without values: most messages are told by not having it
    pieces: tuple[str, ...]  # what stands before, between and after the values
    names: tuple[str, ...]
    russian: str

    def values(self, text: str) -> dict[str, str] | None:
        """Return the values that `text` has, by name; None if it has another shape.

        Each value goes as far as it can, the first one first, as if it were `.*` of a regular expression. That would
        try all ways to share the text out among the values: what a feed says must not hold up the page.
        """
        first, *middle = self.pieces
        if not middle:
            return {} if text == first else None
        last = middle.pop()
        if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
            return None
        found, end = [], len(text) - len(last)
        for piece in reversed(middle):
            at = text.rfind(piece, len(first), end)
            if at < 0:
                return None
            found.append(text[at + len(piece) : end])
            end = at
        return dict(zip(self.names, (text[len(first) : end], *reversed(found)), strict=True))


def _saying(english: str, russian: str) -> _Saying:
    parts = _VALUE.split(english)
    return _Saying(max(parts[::2], key=len), tuple(parts[::2]), tuple(parts[1::2]), russian)


def _plain(pair: tuple[str, str]) -> int:
    return len(_VALUE.sub("", pair[0]))


# What says the most by itself comes first: "there is no {field}" also fits what begins so and goes on otherwise.
_SAYINGS: Final = tuple(_saying(*pair) for pair in sorted(MESSAGES, key=_plain, reverse=True))


def told(text: str, language: Language) -> Child:
    """Return a message in `language`; what is not known in Russian is marked as English, for who reads it by ear."""
    if isinstance(text, Saying) and (said := in_language(text, language)) != text:
        return said
    if language == "en" or not text:
        return text
    russian = in_russian(text)
    if russian is not None:
        return russian
    cyrillic = re.search("[А-Яа-яЁё]", text) and not re.search("[A-Za-z]{3}", text)
    return text if cyrillic else tag("span", text, lang="en")


def fields_told(names: str, language: Language) -> str:
    """Return a list of fields, as "name, start", in `language`."""
    if language == "en":
        return names
    return ", ".join(FIELDS.get(name, name) for name in names.split(", "))


@lru_cache(maxsize=_REMEMBERED)
def in_russian(text: str, depth: int = 0) -> str | None:
    """Return what `text` says in Russian, None where that is not known.

    An error may end with its remedy in brackets, as `str` of one does.
    """
    if len(text) > _LONGEST or depth > _DEEPEST:
        return None
    if text.endswith(")"):
        for start in (one.start() for one in islice(re.finditer(r" \(", text), _MOST_BRACKETS)):
            remedy = in_russian(text[start + 2 : -1], depth + 1)
            if remedy is not None and (said := in_russian(text[:start], depth + 1)) is not None:
                return f"{said} ({remedy})"
    for saying in _SAYINGS:
        if saying.surest in text and (values := saying.values(text)) is not None:
            return _filled(saying.russian, values, depth)
    return None


def _filled(russian: str, values: Mapping[str, str], depth: int) -> str:
    """Return the Russian message with `values` in it."""

    def value(one: re.Match[str]) -> str:
        name, text = one[1], values[one[1]]
        match name:
            case "fields":
                return fields_told(text, "ru")
            case "reason" | "remedy":
                return in_russian(text, depth + 1) or text
            case _:
                return text

    return _VALUE.sub(value, russian)
