"""The recovery mark in a description, and the name of the ledger that wrote it.

    Room 4
    [syncd-by:1a2b3c4d] [syncd:0123456789abcdef]

The second part names the item, the same for every ledger; it is among the item's fields. The first names the ledger. It
is added when an event is sent and is no part of the fields: events that stand there without it, as versions before made
them, are what they were, so that nothing is written because of it.
"""

from __future__ import annotations

import re

LEDGER_DIGITS = 8
_MARK = re.compile(r"\s*(?:\[syncd-by:([0-9a-f]{8})\]\s*)?\[syncd:([0-9a-f]{16})\]\s*\Z")


def marked(text: str, mark: str, ledger: str) -> str:
    """Return a description with its recovery mark on a line of its own (PORTAL.md 4.12), as it is without one.

    `ledger` is the name of the ledger that writes, "" for none.
    """
    if not mark:
        return text
    by = f"[syncd-by:{ledger}] " if ledger else ""
    return f"{text}\n{by}[syncd:{mark}]".lstrip()


def is_marked(text: str) -> bool:
    """Return True if a description ends with a recovery mark."""
    return _MARK.search(text) is not None


def split_mark(text: str) -> tuple[str, str, str]:
    """Return a description without its recovery mark, the mark, and the ledger that wrote it; "" for what is not there.

    White space between the two parts may be another: people's editors and the portal's filter put in what they like.
    """
    found = _MARK.search(text)
    return (text[: found.start()], found[2], found[1] or "") if found else (text, "", "")
