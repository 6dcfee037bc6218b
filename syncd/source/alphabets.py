"""How well words read as those of a language, by the letters that it has beyond ASCII. Pure; knows no encoding.

A wrong encoding shows in its words: letters that no one language has together, small letters before capitals, signs
inside words, and words that mix Latin with Cyrillic.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from math import log

_LATIN = (
    "üäößé",  # German
    "éèàêçôîùûâœëïüæÿ",  # French
    "óíáéñúü",  # Spanish
    "àèùìòé",  # Italian
    "ãçéáóíõêâúàôü",  # Portuguese
    "ëéïèöüó",  # Dutch
    "øåæéö",  # Danish, Norwegian
    "äöåé",  # Swedish, Finnish
    "áíðéóúæýþö",  # Icelandic
    "äõüöšž",  # Estonian
    "łąężśóćńź",  # Polish
    "íáěéýčřžšůúňťďó",  # Czech
    "áíéýčžšúľťôňäďóŕĺ",  # Slovak
    "áéöóőüíúű",  # Hungarian
    "ăîâșțşţ",  # Romanian
    "čšžćđ",  # Croatian, Slovene
    "ıüşçğöiâ",  # Turkish; the small form of its capital I with a dot is an i
    "ėšžįąųūčę",  # Lithuanian
    "āīēšūņļžģķč",  # Latvian
)
_OTHER = (
    "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",  # Russian, Bulgarian
    "оанивіетрслкдмупзяьбгчйхцжїюєшщфґ",  # Ukrainian
    "аіенорсктлвдямыуздпйьгчбжхцшюўфэё",  # Belarusian
    "аиоенсртвјукдмплзгбчшхцжњћљђфџ",  # Serbian
    "αοιετσνηυρπκμλςωάίόέήύώδγχθφβξζψ",  # Greek
    "יוהלאתרבםמשנדחקעפכגצטסזןךףץ",  # Hebrew
)
"""Commonest letter first: the n-th letter of a language comes about 1/n times as often as its first (Zipf)."""
_LOOKALIKES = frozenset("aceopxyABCEHKMOPTX")
"""Latin letters that people type into Cyrillic words by mistake."""
_FOREIGN = log(0.0008)
_BROKEN = log(0.0003)
_RIGHT, _ODD, _WRONG = log(0.2), log(0.03), log(0.002)
"""A sign where it is usual, where it is seldom, and where nobody writes it."""
_SIGNS = {
    **dict.fromkeys("«„‚‹", (_RIGHT, _WRONG, _RIGHT, _WRONG)),
    **dict.fromkeys("»”›", (_RIGHT, _RIGHT, _WRONG, _WRONG)),
    **dict.fromkeys("“‘", (_RIGHT, _RIGHT, _RIGHT, _WRONG)),
    **dict.fromkeys("’…", (_RIGHT, _RIGHT, _ODD, _RIGHT)),
    **dict.fromkeys("–—•·", (_RIGHT, _ODD, _ODD, _ODD)),
    **dict.fromkeys("№§°€", (_RIGHT, _WRONG, _WRONG, _WRONG)),
    "\u00a0": (_ODD, _RIGHT, _RIGHT, _RIGHT),
    "\u00ad": (_WRONG, _WRONG, _WRONG, _ODD),
}
"""What a sign says that has no letter beside it, one before it, one after it, and both."""
_SIDE_BY_SIDE = log(0.15)
"""Two letters beyond ASCII in a row are rare in languages with Latin letters."""
_CAPITAL_INSIDE = log(0.01)
_MIXED, _SLIPPED = -6.0, -1.0
_UNDECODED = -12.0
_UNHEARD, _BEGUN = -4.0, 2.5
_MUTES = "бвгджзклмнпрстфхцчшщ"
_NO_RUSSIAN = re.compile(
    r"(?i:[ьъ]{2}|ыы|[аеёиоуыэюя][ьъ]|(?<![а-яё])[ьъы])|[А-ЯЁ]{2}[а-яё]"
    rf"|(?<![а-яёА-ЯЁ])[{_MUTES}{_MUTES.upper()}][{_MUTES}]{{2,}}(?![а-яёА-ЯЁ])"
)
"""What no Russian word has: a soft sign after a vowel, an abbreviation that goes on, no vowel at all."""
_WITH_YO = re.compile(r"(?<![а-яё])ё(?:лк|лоч|ж|мк|рш)", re.IGNORECASE)
"""The few words that begin with ё; on a Mac it is the byte that Windows has for э or ю."""
_UNPAIRED = -6.0
_OPENING = frozenset("«„“‘")
_PAIRS = (("«", "»"), ("„", "“”"), ("‚", "‘’"), ("‘", "’"), ("“", "”"), ("”", "“„"))
"""Opening quotation marks and those that may close them; one kind without the other is no quotation."""


def _weights(letters: str) -> dict[str, float]:
    whole = sum(1 / rank for rank in range(1, len(letters) + 1))
    return {letter: log(1 / rank / whole) for rank, letter in enumerate(letters, 1)}


_LANGUAGES = (*((True, _weights(one)) for one in _LATIN), *((False, _weights(one)) for one in _OTHER))


def likeness(words: Sequence[str]) -> float:
    """Return how likely the words are in the language that fits them best: a logarithm, 0 for words in ASCII.

    Only differences between readings of the same bytes mean something. What could not be decoded is a surrogate.
    """
    whole = "".join(words)
    common = sum(_UNPAIRED for first, last in _PAIRS if first in whole and not any(one in whole for one in last))
    letters: dict[str, int] = {}
    beside = 0
    for word in words:
        common += _shape(word)
        previous = ""
        for char in word:
            if char > "\x7f" and char.isalpha():
                small = char.lower()[0]
                letters[small] = letters.get(small, 0) + 1
                beside += previous > "\x7f" and previous.isalpha()
            previous = char
    return common + max(
        sum(count * weights.get(letter, _FOREIGN) for letter, count in letters.items())
        + (beside * _SIDE_BY_SIDE if is_latin else 0.0)
        for is_latin, weights in _LANGUAGES
    )


def begins_with_yo(word: str) -> bool:
    """Return True for one of the few words that begin with ё."""
    return _WITH_YO.match(word) is not None


def _shape(word: str) -> float:
    """Return what the form of a word says, whatever its language: its signs, its capitals, its scripts."""
    found = 0.0
    for before, char, after in zip(" " + word, word, word[1:] + " ", strict=False):
        if char <= "\x7f":
            continue
        if char.isalpha():
            found += _CAPITAL_INSIDE if char.isupper() and before.islower() else 0.0
        else:
            sign = _sign(char, before.isalpha(), after.isalpha())
            if char in _OPENING and after.islower():
                # What is quoted begins with a capital more often; a capital read as a quotation mark never does.
                sign = min(sign, _ODD)
            found += min(sign, _ODD) if before > "\x7f" and not before.isalnum() else sign
    latin = {char for char in word if char.isalpha() and (char <= "\x7f" or "LATIN" in unicodedata.name(char, ""))}
    if latin and any("CYRILLIC" in unicodedata.name(char, "") for char in word if char > "\x7f"):
        found += _SLIPPED if latin <= _LOOKALIKES else _MIXED
    return found + _UNHEARD * len(_NO_RUSSIAN.findall(word)) + (_BEGUN if _WITH_YO.search(word) else 0.0)


def _sign(char: str, before: bool, after: bool) -> float:
    """Return what a sign says, by whether letters stand directly before and after it."""
    if "\ud800" <= char <= "\udfff":
        return _UNDECODED
    if char in _SIGNS:
        return _SIGNS[char][before + 2 * after]
    return _BROKEN if before or after or not char.isprintable() else _WRONG
