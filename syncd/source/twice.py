"""Text that was encoded twice: its UTF-8 was taken for a one-byte encoding, and that was saved as UTF-8 again.

So "Урок" becomes "Ð£Ñ€Ð¾Ðº", "РЈСЂРѕРє" or "╨г╤А╨╛╨║". It is read as it was only where that is certain: where there are
rows of pairs that no language has and that are letters of UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from syncd.lang.saying import say

_CODECS = ("cp1252", "cp1251", "cp866", "mac-roman")
_COMMON = "оеаüäé"
_CYRILLIC = (0xD0, 0xD1)
_PAIRS = (0xC2, 0xC3, 0xC4, 0xC5, *_CYRILLIC, 0xD2)
_PUNCTUATION = 0xE2
_ACCENTED, _SMALL = 0xC3, (0x9F, *range(0xA0, 0xC0))
"""Small letters such as ß and ü: the first byte of their UTF-8, and the second."""
_PROOF = 3
"""So many pairs in a row are no word of any language."""
_SHOWN = 30
_BETWEEN = "\x00"
"""Stands in no cell of a workbook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mistaken:
    """How UTF-8 looks that was taken for one encoding.

    `marks` are the commonest letters, which any such text has, `proof` what no other text has, `runs` what is mended.
    `leads` are characters that are left where letters were lost.
    """

    codec: str
    bytes: Mapping[str, int]
    leads: str
    marks: tuple[str, ...]
    proof: re.Pattern[str]
    runs: re.Pattern[str]


def once(text: str) -> tuple[str, str]:
    """Return the text as it was before it was encoded twice, and what to tell of it; "" if nothing had to be done."""
    for one in _mistaken():
        # A single character is found much faster than two, and most texts have none of these.
        if any(mark[-1] in text and mark in text for mark in one.marks) and (proof := _proof(one, text)):
            mended = one.runs.sub(lambda found, one=one: _before(one, found[0]), text)  # type: ignore[misc]
            return mended, _told(one, proof, lost=any(lead in mended for lead in one.leads))
    return text, ""


def _told(one: _Mistaken, proof: str, *, lost: bool) -> str:
    values = {"codec": one.codec, "text": proof[:_SHOWN], "meant": _before(one, proof)[:_SHOWN]}
    if lost:
        return say(
            "it is encoded twice (its UTF-8 was taken for {codec}): {text!r} is read as {meant!r}, and some letters of"
            " it are lost; export it again, as UTF-8",
            **values,
        )
    return say(
        "it is encoded twice (its UTF-8 was taken for {codec}): {text!r} is read as {meant!r}; export it again, as"
        " UTF-8",
        **values,
    )


def once_in_cells(cells: Iterable[list[Any]]) -> str:
    """Mend the texts of a table as `once` does, in place, and return what to tell of them."""
    texts = [(row, at, cell) for row in cells for at, cell in enumerate(row) if isinstance(cell, str) and cell]
    mended, told = once(_BETWEEN.join(text for _, _, text in texts))
    if told:
        for (row, at, _), text in zip(texts, mended.split(_BETWEEN), strict=True):
            row[at] = text
    return told


def _proof(one: _Mistaken, text: str) -> str:
    """Return the first run that proves the mistake, "" if there is none."""
    for found in one.proof.finditer(text):
        before = _before(one, found[0])
        if before != found[0] and (before.isalpha() or len(found[0]) < 2 * _PROOF):
            return found[0]
    return ""


def _before(one: _Mistaken, run: str) -> str:
    """Return the characters of a run, or the run itself if it is not UTF-8."""
    try:
        return bytes(one.bytes[char] for char in run).decode("utf-8")
    except ValueError:
        return run


@cache
def _mistaken() -> tuple[_Mistaken, ...]:
    return tuple(map(_of_codec, _CODECS))


def _of_codec(codec: str) -> _Mistaken:
    chars = {byte: bytes([byte]).decode(codec, "ignore") for byte in range(0x80, 0x100)}
    # Bytes that an encoding lacks come through as control characters, in Latin-1 all of these.
    known = {chr(byte): byte for byte in range(0x80, 0xA0)} | {char: byte for byte, char in chars.items() if char}
    rest = _any(char for char, byte in known.items() if byte < 0xC0)
    small = _any(char for char, byte in known.items() if byte in _SMALL)
    run = f"(?:{_any(chars[byte] for byte in _PAIRS)}{rest}|{chars[_PUNCTUATION]}{rest}{rest})+"
    proof = f"(?:{_any(chars[byte] for byte in _CYRILLIC)}{rest}){{{_PROOF},}}"
    # In Latin words single letters are beyond ASCII: â€ and pairs of other letters within words prove it there.
    proof += f"|(?<=[A-Za-z])(?:{chars[_ACCENTED]}{small})+(?=[a-z])"
    marks = [letter.encode() for letter in _COMMON]
    if codec == "cp1252":
        proof += f"|â€{rest}"
        marks = [b"\xd0", b"\xc3", "–".encode()[:2]]
    has_own_letters = codec in ("cp1251", "mac-roman")
    if has_own_letters:
        run = rf"(?<![^\x00-\x7f]){run}(?![^\x00-\x7f])"  # parts of words may look so by chance
    return _Mistaken(
        codec=codec,
        bytes=known,
        leads="\ufffd" if has_own_letters else "\ufffd" + "".join(chars[byte] for byte in _CYRILLIC),
        marks=tuple("".join(chars[byte] for byte in mark) for mark in marks),
        proof=re.compile(proof),
        runs=re.compile(run),
    )


def _any(chars: Iterable[str]) -> str:
    return f"[{re.escape(''.join(chars))}]"
