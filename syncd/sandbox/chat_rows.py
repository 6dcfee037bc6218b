"""Chats, and what people and chats were told (PORTAL.md 10)."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A chat; only its members may write into it."""

    id: int
    title: str = ""
    members: frozenset[int] = frozenset()


_ACTS = re.compile(
    r"""\[/?(?:b|i|u|s|br|url|user|chat|call|send|put|icon|img|quote|code|color|size|attach|timestamp|pch|rating)
        (?:[=\s][^\]]*)?\] | \#br\# | \n | https?:// | ^>>""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a person or a chat was told: `to` is a dialog (`7`, `chat42`, `sg3`), `sender` 0 the portal itself."""

    at: float
    to: str
    sender: int
    text: str
    notice: bool
    previews: bool = True

    @property
    def acts(self) -> tuple[str, ...]:
        """What of the text is more than text to the portal: BB-code, line breaks, quotes and links (PORTAL.md 10)."""
        return tuple(found[0] for found in _ACTS.finditer(self.text))
