"""The entries of a large source, put away as bytes while they are not needed."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, overload

from syncd.model.entry import Entry

MANY: Final = 5_000
"""From so many entries on it is worth while to put them away."""
_PART: Final = 256


class Stowed(Sequence[Entry]):
    """Entries in parts, which are values or bytes.

    A pass that reads the portal goes through its entries a few times, and afterwards needs only those of the few items
    that change; a source keeps them for the next pass. As values, 100,000 take 60 MB; as bytes, five. Those that are
    put away are unpacked part by part for whoever goes through them, which takes half a second for as many.
    """

    def __init__(self, entries: Iterable[Entry], *, away: bool = False) -> None:
        self._away = away
        self._parts: list[tuple[Entry, ...] | bytes] = []
        self._count = 0
        taken = iter(entries)
        while part := tuple(islice(taken, _PART)):
            self._count += len(part)
            self._parts.append(_bytes(part) if away else part)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        for part in self._parts:
            yield from _values(part)

    @overload
    def __getitem__(self, at: int) -> Entry: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Entry]: ...

    def __getitem__(self, at: int | slice) -> Entry | Sequence[Entry]:
        return tuple(self)[at]

    def put_away(self) -> None:
        """Keep all entries as bytes."""
        self._away = True
        for at, part in enumerate(self._parts):
            self._parts[at] = _bytes(part)

    def unpack(self) -> None:
        """Keep all entries as values, for whoever goes through them often."""
        self._away = False
        for at, part in enumerate(self._parts):
            self._parts[at] = _values(part)

    def alike(self, entries: Iterable[Entry]) -> Stowed:
        """Return other entries, kept as these are."""
        return Stowed(entries, away=self._away)


def kept_like(known: Sequence[Entry], entries: Iterable[Entry]) -> Sequence[Entry]:
    """Return `entries`, made from those that are `known`, kept in the same way."""
    return known.alike(entries) if isinstance(known, Stowed) else tuple(entries)


def _bytes(part: tuple[Entry, ...] | bytes) -> bytes:
    if isinstance(part, bytes):
        return part
    # At the quickest level: the rows of a table have much in common.
    return zlib.compress(pickle.dumps(part, pickle.HIGHEST_PROTOCOL), 1)


def _values(part: tuple[Entry, ...] | bytes) -> tuple[Entry, ...]:
    if not isinstance(part, bytes):
        return part
    found: tuple[Entry, ...] = pickle.loads(zlib.decompress(part))  # noqa: S301 - written by this process alone
    return found
