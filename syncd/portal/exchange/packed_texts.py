"""The texts of waiting jobs, packed: a long push holds a hundred thousand, which differ in a few words.

A group is packed when it is offered and unpacked when the first of its jobs has its turn. Nothing else may change: what
is unpacked is, letter by letter, what was packed.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

from syncd.model.json_values import dumps, loads

TOGETHER = 250
"""How many texts are packed together: larger groups are hardly smaller, and are held for longer once unpacked."""

_FAST = 1
_UNPACKED_AT_ONCE = 8


class TextGroup(msgspec.Struct, frozen=True, eq=False, gc=False):
    """The texts of jobs in a row, packed; `first` is the number of the first one."""

    first: int
    packed: bytes


def grouped(first: int, texts: Sequence[str | None]) -> TextGroup:
    """Return the texts of the jobs from number `first` on, packed. A job that travels alone has none."""
    return TextGroup(first, zlib.compress(dumps(texts, about_bytes=sum(len(text or "") for text in texts)), _FAST))


class Unpacking:
    """Unpacks groups, and holds a few of them: jobs come in turn, of each method from a group of its own."""

    def __init__(self) -> None:
        self._groups: dict[TextGroup, list[str]] = {}

    def text(self, group: TextGroup, number: int) -> str:
        """Return the text of the job with this number."""
        texts = self._groups.get(group)
        if texts is None:
            if len(self._groups) >= _UNPACKED_AT_ONCE:
                del self._groups[next(iter(self._groups))]
            texts = self._groups[group] = loads(zlib.decompress(group.packed))
        return texts[number - group.first]
