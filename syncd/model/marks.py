"""The recovery mark in a description, and the name of the ledger that wrote it.

    Room 4
    [syncd-by:1a2b3c4d] [syncd:0123456789abcdef]

The second part names the item, the same for every ledger; it is among the item's fields. The first names the ledger. It
is added when an event is sent and is no part of the fields: events that stand there without it, as versions before made
them, are what they were, so that nothing is written because of it.
"""

from __future__ import annotations

import html
import re

LEDGER_DIGITS = 8
_PART = re.compile(r"\s*\[syncd(?:-by:[0-9a-f]{8}|:[0-9a-f]{16})\]")
_MARK = re.compile(r"\s*(?:\[syncd-by:([0-9a-f]{8})\]\s*)?\[syncd:([0-9a-f]{16})\]\s*\Z")


def marked(text: str, mark: str, ledger: str) -> str:
    """Return a description with its recovery mark on a line of its own (PORTAL.md 4.12); unchanged without a mark.

    `ledger` is the name of the ledger that writes, "" for none.
    """
    if not mark:
        return text
    by = f"[syncd-by:{ledger}] " if ledger else ""
    return f"{text}\n{by}[syncd:{mark}]".lstrip()


def unmarked(text: str) -> str:
    """Return a source's text without anything that would pass for a mark or a part of one: only syncd writes marks."""
    decoded = html.unescape(text) if "&" in text else text  # as the portal's filter leaves it (PORTAL.md 1.5)
    found = 1 if "[syncd" in decoded else 0
    if found and _PART.search(decoded):
        text = decoded
    while found:  # what is left may be one in its turn
        text, found = _PART.subn("", text)
    return text


def is_marked(text: str) -> bool:
    """Return True if a description ends with a recovery mark."""
    return _MARK.search(text) is not None


def split_mark(text: str) -> tuple[str, str, str]:
    """Return a description without its recovery mark, the mark, and the ledger that wrote it; "" for what is missing.

    The white space between the two parts may vary: people's editors and the portal's filter change it.
    """
    found = _MARK.search(text)
    return (text[: found.start()], found[2], found[1] or "") if found else (text, "", "")
