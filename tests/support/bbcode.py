"""What of a message's text is more than text to the portal (PORTAL.md 10.3): the oracle for texts taken from feeds."""

from __future__ import annotations

import re

_ACTIVE = re.compile(
    r"""\[/?(?:b|i|u|s|br|url|user|chat|call|send|put|icon|img|quote|code|color|size|attach|timestamp|pch|rating)
        (?:[=\s][^\]]*)?\] | \#br\# | \n | https?:// | ^>>""",
    re.IGNORECASE | re.VERBOSE,
)


def active_parts(text: str) -> tuple[str, ...]:
    """Return the BB-codes, line breaks, quotes and links of a text, in order."""
    return tuple(found[0] for found in _ACTIVE.finditer(text))
