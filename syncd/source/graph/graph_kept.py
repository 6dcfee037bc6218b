"""What a Graph source keeps between processes: the content of each calendar, and apart from it the links of all.

A link is replaced with every reading and must be kept, or it goes stale; contents are written when they change only.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

from syncd.model.encoding import packed, packed_sorted
from syncd.source.base import FeedCache
from syncd.source.graph.graph_known import KnownCalendar

_FORMAT = 1


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    calendar: KnownCalendar


@dataclass(slots=True)
class Kept:
    """A calendar with the stamp of its content, which differs whenever anything but its links does."""

    calendar: KnownCalendar = field(default_factory=KnownCalendar)
    stamp: str = ""


def stamp_of(calendar: KnownCalendar) -> str:
    """Return the stamp of a calendar's content."""
    views = tuple(msgspec.structs.replace(view, link="") for view in calendar.views)
    bare = KnownCalendar(views=views, singles=calendar.singles, series=calendar.series)
    return blake2b(packed_sorted(bare), digest_size=16).hexdigest()


def load(cache: FeedCache | None, links_name: str, names: Mapping[str, str]) -> dict[str, Kept]:
    """Return what was kept of calendars; `names` are the names of their contents. Blocking."""
    if cache is None:
        return {}
    links = _links(cache.load(links_name))
    found: dict[str, Kept] = {}
    for calendar, name in names.items():
        content = _content(cache.load(name)) if calendar in links else None
        if content is None:
            continue
        stamp, urls = links[calendar]
        # Links of another content would leave out what changed in between.
        if len(urls) == len(content.views) and stamp_of(content) == stamp:
            views = zip(content.views, urls, strict=True)
            content.views = tuple(msgspec.structs.replace(view, link=url) for view, url in views)
            found[calendar] = Kept(content, stamp)
    return found


def save(
    cache: FeedCache | None,
    links_name: str,
    names: Mapping[str, str],
    before: Mapping[str, Kept],
    now: Mapping[str, Kept],
) -> None:
    """Keep what has changed of calendars. Blocking."""
    if cache is None:
        return
    for calendar, kept in now.items():
        if calendar in names and kept.stamp != before.get(calendar, Kept()).stamp:
            content = packed(_Content(format=_FORMAT, calendar=kept.calendar))
            cache.save(names[calendar], zlib.compress(content, 1))
    links = {one: (kept.stamp, tuple(view.link for view in kept.calendar.views)) for one, kept in now.items()}
    cache.save(links_name, zlib.compress(packed(links), 1))


def _links(packed: bytes | None) -> dict[str, tuple[str, tuple[str, ...]]]:
    try:
        kind = dict[str, tuple[str, tuple[str, ...]]]
        return msgspec.msgpack.decode(zlib.decompress(packed), type=kind) if packed is not None else {}
    except (msgspec.DecodeError, zlib.error):
        return {}


def _content(packed: bytes | None) -> KnownCalendar | None:
    try:
        found = msgspec.msgpack.decode(zlib.decompress(packed), type=_Content) if packed is not None else None
    except (msgspec.DecodeError, zlib.error):
        return None
    return found.calendar if found is not None and found.format == _FORMAT else None
