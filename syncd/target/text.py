"""Texts as the portal can hold them: what would be refused, cut, or would act on the portal is caught here.

Every change to a text leaves a warning that says what was done.
"""

from __future__ import annotations

import re

from syncd.errors import EntryError
from syncd.model.template import cut

NAME_LIMIT = 255
DESCRIPTION_LIMIT_BYTES = 60_000
_BYTES_PER_CHARACTER = 4
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
    clean = " ".join(_clean(value).split())
    if _ROOM.match(clean):
        warnings.append(f"the location {clean!r} would book a room of the portal; it is written in brackets")
        clean = f"({clean})"
    if len(clean) > NAME_LIMIT:
        warnings.append(f"the location has {len(clean)} characters, the portal holds {NAME_LIMIT}; it is cut")
        clean = cut(clean, NAME_LIMIT)
    return clean


def description(value: str, warnings: list[str]) -> str:
    """Return a description of at most 60,000 bytes with plain line ends."""
    clean = _clean(value.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if len(clean) <= DESCRIPTION_LIMIT_BYTES // _BYTES_PER_CHARACTER:
        return clean
    raw = clean.encode("utf-8", "replace")
    if len(raw) <= DESCRIPTION_LIMIT_BYTES:
        return clean
    warnings.append(f"the description has {len(raw)} bytes; it is cut to {DESCRIPTION_LIMIT_BYTES}")
    return raw[: DESCRIPTION_LIMIT_BYTES - 3].decode("utf-8", "ignore").rstrip() + _ELLIPSIS


def _clean(value: str) -> str:
    """Drop control characters and halves of surrogate pairs: no calendar can show them."""
    if value.isprintable():  # then there is none, and that is quickly seen
        return value
    return _CONTROL.sub("", value).encode("utf-8", "ignore").decode("utf-8")
