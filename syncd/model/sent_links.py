"""Which links a sync has and what each was sent last, in sixteen bytes a link.

An ordinary pass asks one thing of nearly every link: is this item as it was sent? A dictionary of a million keys and
fingerprints would take 350 MB to answer that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from struct import Struct

from syncd.model.item import Item, Key, Place, fingerprint, in_other_words

_pack = Struct("=qq").pack
_SIZE = 16
_BITS = 15
_LAST = (1 << _BITS) - 1
"""The number of the last bucket: of a million links each has about thirty, which `find` goes through without Python."""


class SentLinks:
    """The links of a sync as hashes of their keys and fingerprints; filled by the ledger, in the order of keys.

    Two links count as the same if both of these 64-bit hashes are; Python keys them anew in each process. `uids` and
    `number` count uids and links, and `places` are those in which the links stand, in their order. Links whose keys are
    in `apart` count in full: their entry was absent, their event is linked twice, or something else is known of them.
    `named` are those of the uids asked for that have links.
    """

    def __init__(self) -> None:
        self.uids = 0
        self.number = 0
        self.places: dict[Place, None] = {}
        self.apart: set[Key] = set()
        self.named: set[str] = set()
        self._buckets: dict[int, bytearray] = {}

    def add(self, key: Key, sent: str) -> None:
        """Add a link with the fingerprint `sent`."""
        self.number += 1
        hashed = hash(key)
        bucket = self._buckets.get(hashed & _LAST)
        if bucket is None:
            self._buckets[hashed & _LAST] = bytearray(_pack(hashed, hash(sent)))
        else:
            bucket += _pack(hashed, hash(sent))

    def find(self, key: Key, sent: str) -> int:
        """Return the number of the link of `key` if it has the fingerprint `sent`, -1 otherwise."""
        hashed = hash(key)
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

    def holds(self, key: Key, sent: str) -> bool:
        """Return True unless an item was seen that is what the link of `key` was sent, which has that fingerprint."""
        at = self.sent.find(key, sent)
        return at < 0 or not self._seen.get(at & _LAST, 0) >> (at >> _BITS) & 1

    def undecided(self, items: Sequence[Item]) -> tuple[Item, ...]:
        """Return the items of an entry in the words that were sent, or () if there is nothing to decide about any.

        Then their links are no longer unseen.
        """
        if len(items) == 1 and items[0].key not in self.sent.apart:
            at = self.sent.find(items[0].key, items[0].fingerprint)
            if at >= 0:  # as nearly always
                self._see(at)
                return ()
        found = [self._in_words(item) for item in items]
        if any(at < 0 or item.key in self.sent.apart for item, at in found):
            return tuple(item for item, _ in found)
        for _, at in found:
            self._see(at)
        return ()

    def _see(self, at: int) -> None:
        bucket = at & _LAST
        self._seen[bucket] = self._seen.get(bucket, 0) | 1 << (at >> _BITS)
        self.number -= 1

    def _in_words(self, item: Item) -> tuple[Item, int]:
        """Return `item` in the words that were sent, and the number of its link, -1 if it has not been sent so."""
        at = self.sent.find(item.key, item.fingerprint)
        if at < 0 and item.also is not None:
            at = self.sent.find(item.key, fingerprint(item.also, item.section))
            item = in_other_words(item) if at >= 0 else item
        return item, at

    def keys(self, links: Iterable[tuple[Key, str]]) -> tuple[Sequence[Key], Collection[str]]:
        """Return the keys of the unseen links among `links`: key and fingerprint of all of them, in the order of keys.

        Also the uids that have links of both kinds.
        """
        left: list[Key] = []
        both: set[str] = set()
        uid, seen, unseen = "", False, False
        for key, sent in links:
            if key.uid != uid:
                uid, seen, unseen = key.uid, False, False
            if self.holds(key, sent):
                left.append(key)
                unseen = True
            else:
                seen = True
            if seen and unseen:
                both.add(uid)
        return left, both
