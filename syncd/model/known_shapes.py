"""What entries were shaped to in an earlier pass, so that those that have not changed need not be shaped again.

Nearly all that an ordinary pass asks of an entry is whether its item is as it was sent, and for that a fingerprint
does. Entries are known by the part of the source they are in: one digest and one lookup tell that of some hundreds.
Known are only entries that happen once and become one item without a word, or none as they lie outside of the window.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final
from zlib import crc32

import msgspec

from syncd.model.encoding import packed
from syncd.model.entry import AllDay, Entry, Problem, file_of
from syncd.model.item import Item
from syncd.model.sent_links import Unseen

MANY: Final = 1_000
"""From how many entries on it is worth while to know what they became."""
_ENDS_PART: Final = 0xFF
_LONGEST: Final = 1_024
_FINGERPRINT_BYTES: Final = 16
_OUTSIDE: Final = 0xFFFE
_ODD: Final = 0xFFFF

Spot = tuple[str, int, str]
"""What the key of an item has besides the uid: kind and owner of its place, and the piece of the entry."""


class PartShapes(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the plain entries of a part became, in their order.

    `numbers` has two bytes for each: the number of its item's spot among `spots`, `_OUTSIDE` if it became nothing,
    `_ODD` if it must be shaped each time. `fingerprints` are those of the items, one after the other.
    """

    spots: tuple[Spot, ...]
    numbers: bytes
    fingerprints: bytes

    def numbered(self, count: int) -> Sequence[int]:
        """Return the numbers, () if these cannot be of a part with so many plain entries: a file may hold anything."""
        if len(self.numbers) != 2 * count:
            return ()
        numbers = array("H", self.numbers)
        items = [one for one in numbers if one < _OUTSIDE]
        known = max(items, default=-1) < len(self.spots)
        return numbers if known and len(self.fingerprints) == _FINGERPRINT_BYTES * len(items) else ()


@dataclass(slots=True)
class KnownShapes:
    """What the parts of a source became under `circumstances`, by their digests; `unsaved` parts are not on disk yet.

    The circumstances name all that shaping follows from besides the entry.
    """

    circumstances: str = ""
    parts: Mapping[bytes, PartShapes] = field(default_factory=dict)
    unsaved: int = 0


class Recalling:
    """Tells in one pass which entries must be shaped, and which are as they were sent without that.

    `as_sent` counts the latter, `files` are those in which they stand, and `outside` are the uids of entries that
    became nothing. Entries that are `watched` are always shaped. With `learns` it remembers what is new.
    """

    def __init__(self, known: KnownShapes, unseen: Unseen, watched: Collection[str], *, learns: bool) -> None:
        self.as_sent = 0
        self.files: set[str] = set()
        self.outside: set[str] = set()
        self._known = known
        self._unseen = unseen
        self._apart = {key.uid for key in unseen.sent.apart}.union(watched)
        self._learns = learns
        self._parts: dict[bytes, PartShapes] = {}
        self._new = 0
        self._became: dict[str, Sequence[Item] | None] = {}

    def left(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the entries that must be shaped, in their order; what each became is to be told before the next."""
        for part in _parts_of(entries):
            plain = _plain(part)
            digest = _digest(plain)
            shapes = self._known.parts.get(digest)
            if shapes is not None and (numbers := shapes.numbered(len(plain))):
                self._parts[digest] = shapes
                yield from self._unsettled(part, plain, shapes, numbers)
                continue
            yield from part
            if self._learns and digest:
                self._parts[digest] = _learnt(plain, self._became)
                self._new += 1
            self._became.clear()

    def learn(self, entry: Entry, items: Sequence[Item], problems: Sequence[Problem], *, stands: bool) -> None:
        """Take notice of what an entry became."""
        if self._learns:
            self._became[entry.uid] = None if problems or stands else items

    def finish(self) -> None:
        """Know what the parts of this pass became, and of no others."""
        if self._learns:
            self._known.parts = self._parts
            self._known.unsaved += self._new

    def _unsettled(
        self, part: Sequence[Entry], plain: Sequence[Entry], shapes: PartShapes, numbers: Sequence[int]
    ) -> Sequence[Entry]:
        """Return the entries of a part that must be shaped after all."""
        find, see, apart, spots = self._unseen.sent.find, self._unseen.see, self._apart, shapes.spots
        sent, at, left = shapes.fingerprints.hex(), 0, set[str]()
        for one, number in zip(plain, numbers, strict=True):
            uid = one.uid
            if number < _OUTSIDE:
                before, at = at, at + 2 * _FINGERPRINT_BYTES
                link = find(uid, *spots[number], sent[before:at])
                if link < 0 or uid in apart:
                    left.add(uid)
                    continue
                see(link)
                self.files.add(file_of(one.where))
                self.as_sent += 1
            elif number == _OUTSIDE:
                self.outside.add(uid)
            else:
                left.add(uid)
        if len(plain) < len(part):
            left |= {one.uid for one in part}.difference(one.uid for one in plain)
        return [one for one in part if one.uid in left] if left else ()


def _parts_of(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield the entries in parts, which end where a uid says so: then what comes or goes changes one part alone."""
    every = list(entries)
    ends = [at for at, one in enumerate(every, 1) if not crc32(one.uid.encode("utf-8", "replace")) & _ENDS_PART]
    start = 0
    for end in (*ends, len(every)):
        while start < end:
            yield every[start : min(end, start + _LONGEST)]
            start = min(end, start + _LONGEST)


def _plain(part: Iterable[Entry]) -> list[Entry]:
    """Return the entries that happen once, and whose digest tells all of them.

    That of two times that a clock shows twice is the same.
    """
    return [
        one
        for one in part
        if one.recurrence is None
        and not one.overrides
        and (isinstance(one.span, AllDay) or not (one.span.start.fold or one.span.end.fold))
    ]


def _digest(plain: Sequence[Entry]) -> bytes:
    """Return what tells plain entries from others, except where they stand; b"" where they hold what is no text."""
    try:
        content = packed([(one.uid, one.details, one.span) for one in plain])
    except ValueError:
        return b""
    return blake2b(content, digest_size=16).digest()


def _learnt(plain: Sequence[Entry], became: Mapping[str, Sequence[Item] | None]) -> PartShapes:
    spots: dict[Spot, int] = {}
    numbers, fingerprints = array("H"), bytearray()
    for one in plain:
        items = became[one.uid]
        number = _ODD
        if items is not None and not items:
            number = _OUTSIDE
        elif items is not None and len(items) == 1 and items[0].also is None and items[0].key.uid == one.uid:
            (item,), place = items, items[0].key.place
            number = spots.setdefault((place.kind, place.owner, item.key.piece), len(spots))
            fingerprints += bytes.fromhex(item.fingerprint)
        numbers.append(number)
    return PartShapes(tuple(spots), numbers.tobytes(), bytes(fingerprints))
