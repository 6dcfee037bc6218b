"""The text of a file, and the encoding of its bytes.

That is the one of its mark, UTF-16 by its zeros, UTF-8, or the one whose words read best.
Nothing is guessed where two encodings read differently and about as well: that is an error that shows both readings.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass

from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.source.alphabets import begins_with_yo, likeness
from syncd.source.field_values import CONTROLS, SURROGATES

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PRIOR = {
    "cp1251": 2.0,
    "cp1252": 1.0,
    "cp1250": 0.5,
    "koi8-r": 0.0,
    "cp866": 0.0,
    "mac-cyrillic": -1.0,
    "iso8859-5": -2.0,
    "koi8-u": -1.0,
    "iso8859-2": -1.0,
    "cp852": -1.0,
    "cp850": -0.9,
    "mac-roman": -2.0,
    "cp1253": -4.0,
    "cp1254": -2.0,
    "cp1255": -4.0,
    "cp1257": -2.0,
}
"""How much more an encoding is to be expected than others, before a word is read: a logarithm."""
_SURE = 3.0
"""A reading 20 times as likely as every other is taken."""
_RAREST, _SLACK = -3.7, -15.0
"""Letters that are rarer than that on average belong to no language of alphabets.py; a few of them say little."""
_WORD = re.compile(rb"(?<![A-Za-z\x80-\xff])[A-Za-z]*+[\x80-\xff][A-Za-z\x80-\xff]*+")
"""A word with a byte beyond ASCII, looked for at its beginning only: a word of a million letters is read once."""
_SURELY_UTF8 = re.compile(
    rb"(?<![\x80-\xff])(?:(?:\xd0[\x80-\xbf]|\xd1[\x80-\x9f]){2,}|(?:[\xc3-\xc5][\x80-\xbf]){2,})(?![\x80-\xff])"
    rb"|(?<=[A-Za-z])\xc3[\x80-\xbf](?=[a-z])"
)
"""Words of Cyrillic or accented letters in UTF-8; in a one-byte encoding each would be letters with signs between."""
_SAMPLE_BYTES, _SAMPLE_WORDS = 200_000, 2_000
_SHOWN = 30
_AROUND_BYTES = 50_000
"""How much text on either side of the first byte that is not UTF-8 tells damage from another encoding."""
_WIDE_BYTES = 4_096
_WIDE_HIGHS = frozenset({0x00, 0x01, 0x02, 0x03, 0x04, 0x20, 0x21})
"""The high byte of what is written in Europe: Latin, Greek, Cyrillic, punctuation, and the sign for number."""
_WIDE_SHARE = 0.95
_FEW_BYTES = 24
"""Valid UTF-8 with so few bytes beyond ASCII may be a word or two of another encoding all the same."""
_SHORT = frozenset(
    [
        "её",
        "рад",
        "рак",
        "рам",
        "рог",
        "род",
        "рок",
        "рим",
        "сад",
        "сам",
        "сан",
        "сок",
        "сон",
        "сом",
        "так",
        "там",
        "том",
        "тон",
        "тип",
        "тик",
        "ток",
        "тел",
        "фон",
        "фен",
        "ход",
        "цел",
        "чай",
        "чек",
        "чан",
        "шаг",
        "шок",
    ]
)
"""Words that are valid UTF-8 in the old code page of Russian DOS or Windows, for letters that nobody here writes."""
_ZEROED = "\x00" * 4
"""No text has this many: the file is binary, or a crash left a block of it unwritten."""
_BINARY_SHARE = 0.03
"""A file with a NUL and more control characters than this is not text: UTF-16 read as bytes has far more."""
_MARKUP = re.compile(r"\s*<(?:!doctype\s+html|html|head|body|\?xml)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    encoding: str
    likeness: float
    words: tuple[str, ...]


def find_encoding(content: bytes, *, name: str) -> str:
    """Return the encoding of a file's bytes: that of their mark, UTF-8 if nearly all fit, or the one that reads best.

    Raises SourceError, naming the file, the likeliest encodings and the key, where several read about as well.
    """
    if wide := _wide(content):
        return wide
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        first = error.start
    else:
        if 0 < len(content) - len(text) <= _FEW_BYTES:
            _doubt(content, text, name)
        return "utf-8"
    around = content[max(0, first - _AROUND_BYTES) : first + _AROUND_BYTES]
    text = around.decode("utf-8", "surrogateescape")
    bad = len(SURROGATES.findall(text))
    good = sum(char > "\x7f" for char in text) - bad
    # One-byte text is hardly ever valid UTF-8, so damaged UTF-8 has more good letters than bad bytes. A file put
    # together from two encodings may have fewer; read as UTF-8 its other lines are told one by one, none is garbage.
    return "utf-8" if good > bad or _SURELY_UTF8.search(around) else _narrow(content, first, name)


def is_wide(content: bytes) -> bool:
    """Return True for UTF-16 and UTF-32, with a mark or without."""
    return _wide(content) != ""


def says_itself(content: bytes) -> bool:
    """Return True if the bytes say themselves what they are: by a mark, or because they are UTF-8."""
    if any(content.startswith(mark) for mark, _ in _BOMS):
        return True
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def known_encoding(encoding: str) -> bool:
    """Return True if `encoding` is "auto" or a text codec that Python has."""
    if encoding == "auto":
        return True
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        return False
    return True


def is_told_apart(encoding: str) -> bool:
    """Return True if texts in `encoding` are recognised, so that one which surely reads otherwise is not in it."""
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        return False
    return name in ("ascii", "utf-8", "iso8859-1") or any(codecs.lookup(one).name == name for one in _PRIOR)


def _wide(content: bytes) -> str:
    """Return the encoding of a mark, UTF-16 in which every other byte is one of a few, or "" for all other bytes."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return encoding
    sample = content[:_WIDE_BYTES]
    if b"\x00" not in sample or len(content) % 2:
        return ""
    for at, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        highs, lows = sample[at::2], sample[1 - at :: 2]
        # A block of zeros, as a crash leaves, has them on both sides.
        few = sum(byte in _WIDE_HIGHS for byte in highs) >= _WIDE_SHARE * len(highs)
        if few and sum(byte > 0x08 for byte in lows) >= _WIDE_SHARE * len(lows):
            return encoding
    return ""


def _narrow(content: bytes, first: int, name: str) -> str:
    """Return the one-byte encoding in which the words read best; `first` is where the first byte beyond ASCII is."""
    readings = _readings(content, first)
    best = readings[0]
    # Encodings that read every word alike are no rivals: which of them is named makes no difference.
    rivals = [one for one in readings[1:] if one.words != best.words]
    beyond = sum(char > "\x7f" for word in best.words for char in word)
    plausible = best.likeness >= _RAREST * beyond + _SLACK
    lead = best.likeness - rivals[0].likeness if rivals else _SURE
    if plausible and lead >= _SURE:
        return best.encoding
    advised = _advised(content, first)
    if plausible and advised == codecs.lookup(best.encoding).name:
        return best.encoding
    message = say(
        "{name} is not UTF-8, and its encoding cannot be told: {readings}",
        name=name,
        readings=_said_of([best, *rivals[:1]], advised),
    )
    raise SourceError(
        message,
        say(
            'set encoding in [sync.source], such as encoding = "{encoding}", or save the file as UTF-8',
            encoding=best.encoding,
        ),
    )


def _doubt(content: bytes, text: str, name: str) -> None:
    """Raise SourceError for a few letters of UTF-8 that are words in another encoding: cp866 has "сад" for U+1824.

    Only words of a list count: a letter of a script that is written far away is as likely as a row of Russian letters.
    """
    words = list(dict.fromkeys(_WORD.findall(content)))
    for encoding in ("cp866", "cp1251", "koi8-r"):
        read = tuple(word.decode(encoding, "surrogateescape") for word in words)
        if words and all(one.casefold() in _SHORT or begins_with_yo(one) for one in read):
            meant = tuple("".join(char for char in text if char > "\x7f") for _ in words)
            likely, other = (
                _Reading(encoding=one, likeness=0.0, words=said) for one, said in ((encoding, read), ("utf-8", meant))
            )
            message = say(
                "{name} may not be UTF-8, and its encoding cannot be told: {readings}",
                name=name,
                readings=_said_of([likely, other], ""),
            )
            raise SourceError(
                message,
                say(
                    'set encoding in [sync.source], such as encoding = "{encoding}", or "utf-8" if it is that',
                    encoding=likely.encoding,
                ),
            )


def _readings(content: bytes, first: int) -> list[_Reading]:
    """Return the words beyond ASCII as each encoding reads them, the likeliest first."""
    sample = content[max(0, first - 100) : first + _SAMPLE_BYTES]
    # A word that stands in every row says no more than one that stands there once.
    words = list(dict.fromkeys(_WORD.findall(sample)))[:_SAMPLE_WORDS]
    found = []
    for encoding, prior in _PRIOR.items():
        read = tuple(word.decode(encoding, "surrogateescape") for word in words)
        found.append(_Reading(encoding=encoding, likeness=prior + likeness(read), words=read))
    return sorted(found, key=lambda one: -one.likeness)


def _advised(content: bytes, first: int) -> str:
    """Return what charset-normalizer takes the bytes for, "" if it does not know."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - few files need it, and it takes a while to import

    best = from_bytes(content[max(0, first - 1_000) : first + _SAMPLE_BYTES]).best()
    return codecs.lookup(best.encoding).name if best is not None else ""


def _said_of(readings: Sequence[_Reading], advised: str) -> tuple[str, ...]:
    """Return what each of some readings makes of the first word that they tell apart, and what else it could be."""
    words = range(len(readings[0].words))
    at = next((at for at in words if len({one.words[at] for one in readings}) == len(readings)), 0)
    said = [say("{encoding} reads {text!r}", encoding=one.encoding, text=one.words[at][:_SHOWN]) for one in readings]
    if advised and advised not in {codecs.lookup(one.encoding).name for one in readings}:
        said.append(say("or it is {encoding}", encoding=advised))
    return tuple(said)


def decode(content: bytes, encoding: str, *, name: str, kind: str) -> tuple[str, str, str]:
    """Return the text of a file that should hold `kind` ("CSV"), its encoding, and what was assumed of it.

    Nothing is assumed ("") if the config or the bytes say it themselves. Line ends stay as they are.

    "auto" finds the encoding (see `find_encoding`). Then text that has a few bytes of no character keeps those as
    surrogates (PEP 383), so that only the entries around them are rejected (see `field_values.damaged`). Raises
    SourceError for bytes that are not text, for a page of HTML, for an encoding that cannot be told, and if the
    configured one does not fit.
    """
    if encoding == "auto" and b"\x00" in content and not is_wide(content):
        _refuse_binary(content.decode("latin-1"), name, kind)  # words of a binary file would mean nothing
    codec = encoding
    if encoding == "auto":
        # ASCII is UTF-8 for certain; with zeros in it, it may be UTF-16.
        codec = "utf-8" if content.isascii() and b"\x00" not in content else find_encoding(content, name=name)
    # A wide encoding has no surrogates to escape to: there a bad byte shifts all that follow.
    errors = "surrogateescape" if encoding == "auto" and not codec.startswith(("utf-16", "utf-32")) else "strict"
    try:
        text = content.decode(codec, errors).removeprefix("\ufeff")
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = content.count(b"\n", 0, start) + 1
        where = f"{name}:{line}"
        message = say("{where}: byte {position} is not {codec}", where=where, position=start, codec=codec)
        raise SourceError(message, say("correct encoding, or save the file again")) from None
    if "\x00" in text:
        _refuse_binary(text, name, kind)
    if _MARKUP.match(text):
        raise SourceError(
            say("{name} is an HTML page, not {kind}", name=name, kind=kind),
            say("a login or error page may have been saved instead"),
        )
    if encoding != "auto" or content.isascii() or says_itself(content):
        return text, codec, ""
    return text, codec, say("{name} is taken to be {codec}", name=name, codec=codec)


def _refuse_binary(text: str, name: str, kind: str) -> None:
    """Raise SourceError for a text with NULs that is none; a few stray ones are left to the rows they stand in."""
    if _ZEROED in text or len(CONTROLS.findall(text)) - text.count("\r") > _BINARY_SHARE * len(text):
        raise SourceError(
            say("{name} is a binary file, not {kind}, or was only half written", name=name, kind=kind),
            say("export it as {kind}", kind=kind),
        )


def looks_like_markup(content: bytes) -> bool:
    """Return True if the bytes begin like a page of HTML or XML, which a binary file never does."""
    return _MARKUP.match(content[:200].decode("latin-1").removeprefix("ï»¿")) is not None
