"""Items and events that are as their links tell, of which no more than the link is kept.

In a pass that reads the portal nearly all of 100,000 items and events are so. Each is made again when somebody asks for
it, equal to what it was and sharing its values with the link.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView, Mapping, MutableMapping, Sequence
from typing import Any, Final, cast, overload

import msgspec

from syncd.model.item import Item, Key, Link, Observed, SentFields, item_of
from syncd.model.json_values import PackedFields, packed_fields

MANY: Final = 2_000
"""From so many items or links on it is worth while."""
_MOST_SHARED: Final = 20_000


class ItemsOfLinks(Sequence[Item]):
    """Items in the order in which they were added; `linked` are the links by the keys of items.

    Those that are not as they were sent are kept themselves; where there are many, with their fields packed.
    """

    def __init__(self, linked: Mapping[Key, Link]) -> None:
        self._linked = linked
        self._held: list[Item | Link] = []
        self._packed = 0

    def extend(self, items: Iterable[Item]) -> None:
        """Add items, those that are as they were sent as `slim` returns them."""
        for item in items:
            link = self._linked.get(item.key)
            self._held.append(link if link is not None and _is_of(item, link) else item)
        if len(self._held) - self._packed >= MANY:
            self._pack()

    def complete(self) -> Sequence[Item]:
        """Return the items, to which none is added any more: the links of others are let go of."""
        if len(self._held) < MANY:
            return tuple(self)
        self._linked = {}
        self._pack()
        return self

    def _pack(self) -> None:
        """Pack the fields of items that were added since this was last done."""
        some = self._held[self._packed :]
        self._held[self._packed :] = [one if isinstance(one, Link) else _packed(one) for one in some]
        self._packed = len(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Item]:
        for one in self._held:
            yield _item_of(one) if isinstance(one, Link) else one

    @overload
    def __getitem__(self, at: int) -> Item: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Item]: ...

    def __getitem__(self, at: int | slice) -> Item | Sequence[Item]:
        if isinstance(at, slice):
            return tuple(self)[at]
        one = self._held[at]
        return _item_of(one) if isinstance(one, Link) else one


def _packed(item: Item) -> Item:
    if isinstance(item.fields, PackedFields):
        return item
    # A struct at run time (model/bulk.py), and `dataclasses.replace` takes ten times as long.
    found: Item = msgspec.structs.replace(cast(Any, item), fields=packed_fields(item.fields))
    return found


def _is_of(item: Item, link: Link) -> bool:
    """Return True if all that `item` says can be told from `link`; what is equal is shared already."""
    fields, sent = item.fields, link.sent
    return (
        type(fields) is SentFields
        and type(sent) is PackedFields
        and fields.text is sent.text
        and fields.section == item.section == link.section
        and item.section_id == link.section_id
        and item.title is link.title
        and item.where is link.where
        and item.starts_on is link.starts_on
        and item.ends_on is link.ends_on
        and item.start is link.start
        and item.summary is None
        and item.also is None
        and not item.fixed
    )


def _item_of(link: Link) -> Item:
    sent = link.sent
    assert isinstance(sent, PackedFields)
    return item_of(link, SentFields(sent.text, link.section, link.fingerprint))


class _Rest(msgspec.Struct, frozen=True, gc=False):
    """What an event tells besides that which its link does; events that were made together have it in common."""

    version: int | None
    mark: str
    ledger: str
    start: str
    stamp: str
    creator: int
    host: int
    born: str


class EventsOfLinks(MutableMapping[int, Observed]):
    """Events by id, some of them those of `links`, which are by the same ids."""

    def __init__(self, links: Mapping[int, Link]) -> None:
        self._links = links
        self._held: dict[int, Observed | _Rest] = {}
        self._shared: dict[_Rest, _Rest] = {}

    def __setitem__(self, remote_id: int, seen: Observed) -> None:
        link = self._links.get(remote_id)
        if link is None or not _shows(seen, link):
            self._held[remote_id] = seen
            return
        rest = _Rest(seen.version, seen.mark, seen.ledger, seen.start, seen.stamp, seen.creator, seen.host, seen.born)
        if len(self._shared) > _MOST_SHARED:
            self._shared.clear()
        self._held[remote_id] = self._shared.setdefault(rest, rest)

    def __getitem__(self, remote_id: int) -> Observed:
        held = self._held[remote_id]
        return _event_of(self._links[remote_id], held) if isinstance(held, _Rest) else held

    def __delitem__(self, remote_id: int) -> None:
        del self._held[remote_id]

    def __contains__(self, remote_id: object) -> bool:
        return remote_id in self._held

    def __iter__(self) -> Iterator[int]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def keys(self) -> KeysView[int]:
        """Return the ids, as a dict does."""
        return self._held.keys()


def _shows(seen: Observed, link: Link) -> bool:
    """Return True if the event shows what was sent where it was sent; what is equal is shared already."""
    return (
        seen.fields is link.sent
        and seen.place is link.key.place
        and seen.title is link.title
        and seen.remote_id == link.remote_id
        and seen.section_id == link.section_id
        and not (seen.masked or seen.damage or seen.answers)
    )


def _event_of(link: Link, rest: _Rest) -> Observed:
    return Observed(
        remote_id=link.remote_id,
        place=link.key.place,
        section_id=link.section_id,
        version=rest.version,
        fields=link.sent,
        mark=rest.mark,
        ledger=rest.ledger,
        title=link.title,
        start=rest.start,
        stamp=rest.stamp,
        creator=rest.creator,
        host=rest.host,
        born=rest.born,
    )
