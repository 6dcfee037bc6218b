"""The entries of a large source, put away as bytes once they are shaped."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, overload

from syncd.model.entry import Entry

MANY: Final = 5_000
"""From so many entries on it is worth while to put them away."""
_PART: Final = 256


class Stowed(Sequence[Entry]):
    """Entries in parts, each of them as values or as bytes.

    A pass that reads the portal needs its entries until they are shaped, and afterwards only those of the few items
    that change; a source keeps them for the next pass. As values, 100,000 take 60 MB; as bytes, five. Whoever asks for
    the entries meanwhile has them unpacked, which takes half a second for as many.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._count = len(entries)
        self._parts: list[Sequence[Entry] | bytes] = [entries[at : at + _PART] for at in range(0, len(entries), _PART)]

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        for part in self._parts:
            yield from _values(part)

    def unpack(self) -> None:
        """Have all entries as values again, for a pass that goes through them several times."""
        self._parts = [_values(part) for part in self._parts]

    def emptied(self) -> Iterator[Entry]:
        """Yield the entries, and put each part away when all of it has been taken."""
        for at, part in enumerate(self._parts):
            yield from _values(part)
            if not isinstance(part, bytes):
                # Compressed at the quickest level: rows of a table have much in common.
                self._parts[at] = zlib.compress(pickle.dumps(part, pickle.HIGHEST_PROTOCOL), 1)

    @overload
    def __getitem__(self, at: int) -> Entry: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Entry]: ...

    def __getitem__(self, at: int | slice) -> Entry | Sequence[Entry]:
        return tuple(self)[at]


def emptied(entries: Sequence[Entry]) -> Iterable[Entry]:
    """Return `entries` for somebody who is the last to need them: many are put away once they have been taken."""
    return entries.emptied() if isinstance(entries, Stowed) else entries


def _values(part: Sequence[Entry] | bytes) -> Sequence[Entry]:
    if not isinstance(part, bytes):
        return part
    found: Sequence[Entry] = pickle.loads(zlib.decompress(part))  # noqa: S301 - written by this process alone
    return found
