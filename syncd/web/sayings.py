"""What syncd says of entries and portals, in the language of whoever reads the page.

Messages are made in English where the facts are, and travel as text: through the ledger, for one. Here they are known
again by their shape and told in Russian, with the same values.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from syncd.html import Child, tag
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
    shape: re.Pattern[str]
    russian: str


def _saying(english: str, russian: str) -> _Saying:
    pieces = _VALUE.split(english)
    shape = "".join(f"(?P<{one}>.*)" if number % 2 else re.escape(one) for number, one in enumerate(pieces))
    return _Saying(max(pieces[::2], key=len), re.compile(shape, re.DOTALL), russian)


def _plain(pair: tuple[str, str]) -> int:
    return len(_VALUE.sub("", pair[0]))


# What says the most by itself comes first: "there is no {field}" also fits what begins so and goes on otherwise.
_SAYINGS: Final = tuple(_saying(*pair) for pair in sorted(MESSAGES, key=_plain, reverse=True))


def told(text: str, language: Language) -> Child:
    """Return a message in `language`; what is not known in Russian is marked as English, for who reads it by ear."""
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
    for surest, shape, russian in _SAYINGS:
        if surest in text and (found := shape.fullmatch(text)) is not None:
            return _filled(russian, found, depth)
    return None


def _filled(russian: str, found: re.Match[str], depth: int) -> str:
    """Return the Russian message with the values that `found` has."""

    def value(one: re.Match[str]) -> str:
        name, text = one[1], found[one[1]]
        match name:
            case "fields":
                return fields_told(text, "ru")
            case "reason" | "remedy":
                return in_russian(text, depth + 1) or text
            case _:
                return text

    return _VALUE.sub(value, russian)
