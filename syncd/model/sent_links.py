"""Which links a sync has and what each was sent last, in sixteen bytes a link.

An ordinary pass asks one thing of nearly every link: is this item as it was sent? A dictionary of a million keys and
fingerprints would take 350 MB to answer that.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from struct import Struct
from typing import Any

from syncd.model.item import Item, Key, Place, fingerprint, in_other_words

SentRow = Sequence[Any]
"""Uid, kind and owner of the place, piece, remote id and fingerprint of a link."""
_pack = Struct("=qq").pack
_SIZE = 16
_BITS = 15
_LAST = (1 << _BITS) - 1
"""The number of the last bucket: of a million links each has about thirty, which `find` goes through without Python."""


@dataclass(slots=True, eq=False, repr=False)
class SentLinks:
    """The links of a sync as hashes of their keys and fingerprints.

    Two links count as the same if both of these 64-bit hashes are; each process keys them in its own way. `uids` and
    `number` count uids and links, and `places` are those in which the links stand, in their order. Links whose keys are
    in `apart` count in full: their entry was absent, their event is linked twice, or something else is known of them.
    `named` are those of the uids asked for that have links.
    """

    apart: set[Key] = field(default_factory=set)
    uids: int = 0
    number: int = 0
    named: set[str] = field(default_factory=set)
    _places: dict[tuple[str, int], None] = field(default_factory=dict)
    _buckets: dict[int, bytearray] = field(default_factory=dict)

    @property
    def places(self) -> tuple[Place, ...]:
        """The places in which links stand, in the order in which they were added."""
        return tuple(Place(kind=kind, owner=owner) for kind, owner in self._places)

    def add(self, links: Iterable[SentRow], uids: Collection[str] = ()) -> Collection[int]:
        """Add links, which come in the order of keys, and return the ids of events that are linked twice."""
        buckets, places, last, ids = self._buckets, self._places, None, array("q")
        for uid, kind, owner, piece, remote_id, sent in links:
            hashed = hash((uid, kind, owner, piece))
            bucket = buckets.get(hashed & _LAST)
            if bucket is None:
                buckets[hashed & _LAST] = bytearray(_pack(hashed, hash(sent)))
            else:
                bucket += _pack(hashed, hash(sent))
            self.number += 1
            if uid != last:
                last = uid
                self.uids += 1
                if uid in uids:
                    self.named.add(uid)
            places[kind, owner] = None
            ids.append(remote_id)
        return {one for one, other in pairwise(sorted(ids)) if one == other}

    def set_apart(self, links: Iterable[SentRow], ids: Collection[int]) -> None:
        """Set those of `links` apart that are to one of the events `ids`."""
        for uid, kind, owner, piece, remote_id, _ in links:
            if remote_id in ids:
                self.apart.add(Key(uid=uid, place=Place(kind=kind, owner=owner), piece=piece))

    def find(self, uid: str, kind: str, owner: int, piece: str, sent: str) -> int:
        """Return the number of the link of a key if it has the fingerprint `sent`, -1 otherwise."""
        hashed = hash((uid, kind, owner, piece))
        bucket = self._buckets.get(hashed & _LAST, b"")
        slot = _pack(hashed, hash(sent))
        at = bucket.find(slot)
        while at % _SIZE and at > 0:  # two slots side by side may hold the same bytes in between
            at = bucket.find(slot, at + 1)
        return at if at < 0 else at // _SIZE << _BITS | hashed & _LAST


class Unseen:
    """The links for which no item was seen yet; all of `sent` to begin with."""

    def __init__(self, sent: SentLinks) -> None:
        self.sent = sent
        self.number = sent.number
        self._seen: dict[int, int] = {}

    def undecided(self, items: Sequence[Item]) -> tuple[Item, ...]:
        """Return the items of an entry in the words that were sent, or () if there is nothing to decide about any.

        Then their links are no longer unseen.
        """
        find, decided = self.sent.find, True
        found: list[tuple[Item, int]] = []
        for item in items:
            key, place, worded = item.key, item.key.place, item
            at = find(key.uid, place.kind, place.owner, key.piece, item.fingerprint)
            if at < 0 and item.also is not None:
                at = find(key.uid, place.kind, place.owner, key.piece, fingerprint(item.also, item.section))
                worded = in_other_words(item) if at >= 0 else item
            decided = decided and at >= 0 and key not in self.sent.apart
            found.append((worded, at))
        if not decided:
            return tuple(worded for worded, _ in found)
        for _, at in found:
            self.see(at)
        return ()

    def see(self, at: int) -> None:
        """Take notice of an item that is as it was sent: the link of that number (`SentLinks.find`) is seen."""
        self._seen[at & _LAST] = self._seen.get(at & _LAST, 0) | 1 << (at >> _BITS)
        self.number -= 1

    def keys(self, links: Iterable[SentRow]) -> tuple[Sequence[Key], Collection[str]]:
        """Return the keys of those of the `links` that are unseen; they are all links, in the order of keys.

        Also the uids that have links of both kinds.
        """
        left: list[Key] = []
        both: set[str] = set()
        last, seen, unseen = "", False, False
        for uid, kind, owner, piece, _, sent in links:
            if uid != last:
                last, seen, unseen = uid, False, False
            at = self.sent.find(uid, kind, owner, piece, sent)
            if at >= 0 and self._seen.get(at & _LAST, 0) >> (at >> _BITS) & 1:
                seen = True
            else:
                left.append(Key(uid=uid, place=Place(kind=kind, owner=owner), piece=piece))
                unseen = True
            if seen and unseen:
                both.add(uid)
        return left, both
