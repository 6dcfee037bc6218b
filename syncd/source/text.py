"""Bytes to text without ever inventing a character, and text to what a field may hold.

Damaged UTF-8 keeps its bad bytes as lone surrogates (PEP 383), so that only the entries around them are refused.
"""

from __future__ import annotations

import codecs
import re
from hashlib import blake2b

from syncd.errors import SourceError

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NARROW = frozenset({"utf-8", "cp1251"})
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NAMES = {"\x00": "NUL", "\x07": "BEL", "\x08": "BS", "\x0b": "VT", "\x0c": "FF", "\x1b": "ESC", "\x7f": "DEL"}
_ZEROED = "\x00" * 4
"""No text has that: it is binary, or a block that a crash left unwritten."""
_BINARY_SHARE = 0.03
"""More control characters than this, one of them NUL, and it is no text: UTF-16 read as bytes has far more."""
_AROUND_BYTES = 50_000
"""How much text on either side of the first byte that is not UTF-8 tells damage from another encoding."""
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_MARKUP = re.compile(r"\s*<(?:!doctype\s+html|html|head|body|\?xml)\b", re.IGNORECASE)


def decode(content: bytes, encoding: str, *, name: str, kind: str) -> str:
    """Return the text of a file that should hold `kind` ("CSV"), line ends as they are.

    "auto" takes the byte order mark's encoding, else UTF-8, else Windows-1251; text that is UTF-8 but for a few bytes
    stays UTF-8 with those bytes as surrogates (see `damaged`). A stray control character stays, for `clean` to drop.
    Raises SourceError for bytes that are no text, for a page of HTML, and when the configured encoding does not fit.
    """
    codec = find_encoding(content) if encoding == "auto" else encoding
    errors = "surrogateescape" if encoding == "auto" and codec in _NARROW else "strict"
    try:
        text = content.decode(codec, errors).removeprefix("\ufeff")
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = content.count(b"\n", 0, start) + 1
        message = f"{name}:{line}: byte {start} is not {codec}"
        raise SourceError(message, "correct encoding, or save the file again") from None
    if "\x00" in text and _is_binary(text):
        remedy = f"export it as {kind}; UTF-16 without a mark needs encoding"
        raise SourceError(f"{name} is a binary file, not {kind}, or was written by half", remedy)
    if _MARKUP.match(text):
        raise SourceError(f"{name} is an HTML page, not {kind}", "a login or error page may have been saved instead")
    return text


def _is_binary(text: str) -> bool:
    return _ZEROED in text or len(_CONTROLS.findall(text)) - text.count("\r") > _BINARY_SHARE * len(text)


def looks_like_markup(content: bytes) -> bool:
    """Say whether the bytes begin as a page of HTML or XML does, which what is binary never should."""
    return _MARKUP.match(content[:200].decode("latin-1").removeprefix("ï»¿")) is not None


def find_encoding(content: bytes) -> str:
    """Return the encoding that the bytes are in: their mark's, or UTF-8 if all or nearly all fit, or Windows-1251."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return encoding
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        around = content[max(0, error.start - _AROUND_BYTES) : error.start + _AROUND_BYTES]
    else:
        return "utf-8"
    text = around.decode("utf-8", "surrogateescape")
    bad = len(_SURROGATES.findall(text))
    good = sum(char > "\x7f" for char in text) - bad
    return "utf-8" if good > bad else "cp1251"


def damaged(text: str) -> bool:
    """Say whether the text holds bytes that could not be decoded."""
    return not text.isprintable() and _SURROGATES.search(text) is not None  # no half of a pair is printable


def clean(text: str) -> str:
    """Return a field's text without control characters and outer blanks; line ends become "\\n".

    The characters dropped (C0 without tab and newline, DEL) cannot be seen, and XML and the portal refuse them.
    """
    if text.isprintable():
        return text.strip()
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def dropped(text: str) -> str:
    """Return the names of the control characters that `clean` drops from the text, "" when it drops none."""
    if text.isprintable():
        return ""
    found = sorted(set(_CONTROLS.findall(text)) - {"\r"})
    return ", ".join(_NAMES.get(char, f"U+{ord(char):04X}") for char in found)


def digest(*parts: str) -> str:
    """Return a short stable name for some texts, the same on every machine."""
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogateescape"), digest_size=10).hexdigest()


def known_encoding(encoding: str) -> bool:
    """Say whether `encoding` is "auto" or a text codec that Python has."""
    if encoding == "auto":
        return True
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        return False
    return True
