"""Texts as the portal can hold them: what would be refused, cut, or would act on the portal is caught here.

Every change to a text leaves a warning that says what was done.
"""

from __future__ import annotations

import re
from itertools import accumulate, takewhile

from syncd.errors import EntryError
from syncd.model.template import cut

NAME_LIMIT = 255
DESCRIPTION_LIMIT_BYTES = 60_000
"""The portal's column is of the 64 KB class (PORTAL.md 4.2); the recovery mark comes on top."""
_EMOJI_BYTES = 10
"""The portal re-encodes what UTF-8 writes with four bytes, for names at least (PORTAL.md 4.2): ":f09f9880:"."""
_LONGEST_WORD = 200
_ELLIPSIS = "…"
# A location that reads like this books a room (PORTAL.md 4.2).
_ROOM = re.compile(r"\s*(?:calendar|ecmr)_\d", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def name(value: str, warnings: list[str]) -> str:
    """Return a title of one line and at most 255 characters, cut at a word.

    Raises EntryError for a blank title and for "0", which the portal takes for a missing one (PORTAL.md 4.2).
    """
    clean = " ".join(_clean(value).split())
    if not clean:
        raise EntryError("the title is blank", "give it a title, or set name in [sync.fields]")
    if clean == "0":
        raise EntryError('the title is "0", which the portal takes for none', "give it another title")
    if len(clean) <= NAME_LIMIT:
        return clean
    warnings.append(f"the title has {len(clean)} characters, the portal holds {NAME_LIMIT}; it is cut at a word")
    return cut(clean, NAME_LIMIT)


def location(value: str, warnings: list[str]) -> str:
    """Return a place that is only text; one that would book a room is put in brackets."""
    if not value:
        return ""
    clean = " ".join(_clean(value).split())
    if _ROOM.match(clean):
        warnings.append(f"the location {clean!r} would book a room of the portal; it is written in brackets")
        clean = f"({clean})"
    if len(clean) > NAME_LIMIT:
        warnings.append(f"the location has {len(clean)} characters, the portal holds {NAME_LIMIT}; it is cut")
        clean = cut(clean, NAME_LIMIT)
    return clean


def description(value: str, warnings: list[str]) -> str:
    """Return a description of at most 60,000 bytes as the portal stores it, cut at a word, with plain line ends."""
    if not value:  # as in most tables
        return ""
    clean = _clean(value.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if len(clean) <= DESCRIPTION_LIMIT_BYTES // _EMOJI_BYTES:
        return clean
    size = sum(map(_stored_bytes, clean))
    if size <= DESCRIPTION_LIMIT_BYTES:
        return clean
    warnings.append(
        f"the description takes {size} bytes, the portal holds {DESCRIPTION_LIMIT_BYTES}; it is cut at a word"
    )
    return _cut_to_bytes(clean, DESCRIPTION_LIMIT_BYTES)


def _cut_to_bytes(text: str, limit: int) -> str:
    sizes = accumulate(map(_stored_bytes, text), initial=_stored_bytes(_ELLIPSIS))
    kept = text[: sum(1 for size in takewhile(lambda size: size <= limit, sizes)) - 1]
    word = re.search(r"\s\S*\Z", kept[-_LONGEST_WORD:])  # one word that is longer is cut in its midst
    return (kept[: len(kept) - len(word[0])] if word else kept).rstrip() + _ELLIPSIS


def _stored_bytes(character: str) -> int:
    if character < "\x80":
        return 1
    if character < "\u0800":
        return 2
    return 3 if character <= "\uffff" else _EMOJI_BYTES


def _clean(value: str) -> str:
    """Drop control characters and halves of surrogate pairs: no calendar can show them."""
    if value.isprintable():  # then there is none, and that is quickly seen
        return value
    return _CONTROL.sub("", value).encode("utf-8", "ignore").decode("utf-8")
