"""Whose calendars a Graph source reads: addresses, further calendars of a mailbox, the people of a domain, all rooms.

Who belongs to a domain is asked once an hour and kept, so that an unchanged pass asks for nothing but changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial

import msgspec

from syncd.clock import Clock
from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.model.encoding import packed
from syncd.source.accounts.people import Calendar, CalendarList
from syncd.source.base import FeedCache
from syncd.source.graph.graph_server import GraphServer, place_of
from syncd.source.graph.graph_update import Place
from syncd.source.options import nearest

_LISTED_AGAIN_S = 3600.0
"""How long it is known who belongs to a domain, what calendars a mailbox has, and which rooms there are."""
_ROOMS = "rooms"


class _Listed(msgspec.Struct, frozen=True, kw_only=True):
    at: float
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphTarget:
    """A calendar that is read: its place, its owner, and the key under which it is known.

    `by_domain` is True if it is named only by being the own calendar of somebody in a domain.
    """

    key: str
    place: Place
    owner: str
    by_domain: bool = False


class GraphPeople:
    """Finds the calendars that a list means; `name` is that under which what was listed is kept."""

    def __init__(self, calendars: CalendarList, clock: Clock, name: str) -> None:
        self._list = calendars
        self._clock = clock
        self._name = name
        self._listed: dict[str, _Listed] | None = None

    async def targets(
        self, server: GraphServer, cache: FeedCache | None, errors: dict[str, SourceError]
    ) -> list[GraphTarget]:
        """Return the calendars to read; what cannot be listed now is in `errors`, and stands as it was listed.

        Raises SourceError if it is not known who is meant: without them their events would be taken off the portal.
        """
        if self._listed is None:
            self._listed = await asyncio.to_thread(_load, cache, self._name)
        before = dict(self._listed)
        found: list[str] = []
        for domain in self._list.domains:
            found += await self._known(f"@{domain}", partial(server.people, domain), errors)
        members = frozenset(found)
        targets: dict[str, GraphTarget] = {}
        for calendar in await asyncio.to_thread(self._list.listed, found):
            for one in await self._expanded(server, calendar, errors):
                targets.setdefault(one.key, replace(one, by_domain=one.key in members))
        if before != self._listed and cache is not None:
            await asyncio.to_thread(cache.save, self._name, packed(self._listed))
        return list(targets.values())

    async def _expanded(
        self, server: GraphServer, calendar: Calendar, errors: dict[str, SourceError]
    ) -> list[GraphTarget]:
        if calendar.id == _ROOMS:
            return [target_of(room, room) for room in await self._known(_ROOMS, server.rooms, errors)]
        mailbox, _, pattern = calendar.id.partition("/")
        owner = calendar.owner if calendar.owner != calendar.id else mailbox if "@" in mailbox else ""
        if not pattern:
            return [target_of(mailbox, owner)]
        listed = await self._known(calendar.id, partial(self._calendars, server, mailbox, pattern), errors)
        return [target_of(mailbox, owner, *one.split("\t", 1)) for one in listed]

    async def _calendars(self, server: GraphServer, mailbox: str, pattern: str) -> list[str]:
        """Return id and name of a mailbox's calendars that match; raises SourceError if none does."""
        found = await server.calendars(place_of(mailbox), mailbox)
        chosen = [f"{one.id}\t{one.name}" for one in found if fnmatchcase(one.name.casefold(), pattern.casefold())]
        if not chosen:
            remedy = nearest(pattern, [one.name for one in found]) or say("there is none")
            raise SourceError(say("{name} has no calendar {pattern!r}", name=mailbox, pattern=pattern), remedy)
        return chosen

    async def _known(
        self, name: str, ask: Callable[[], Awaitable[Sequence[str]]], errors: dict[str, SourceError]
    ) -> tuple[str, ...]:
        """Return what `ask` lists, or listed a while ago."""
        assert self._listed is not None  # `targets` has read it
        now, before = self._clock.now(), self._listed.get(name)
        if before is not None and 0 <= now - before.at < _LISTED_AGAIN_S:
            return before.names
        try:
            names = tuple(await ask())
        except SourceError as error:
            if before is None:
                raise
            errors[name] = error
            return before.names
        self._listed[name] = _Listed(at=now, names=names)
        return names


def target_of(mailbox: str, owner: str, calendar: str = "", name: str = "") -> GraphTarget:
    """Return a calendar of a mailbox, by default its own."""
    shown = f"{mailbox}/{name}" if calendar else mailbox
    place = Place(path=place_of(mailbox, calendar), mailbox=place_of(mailbox), name=shown)
    return GraphTarget(key=f"{mailbox}/{calendar}" if calendar else mailbox, place=place, owner=owner)


def _load(cache: FeedCache | None, name: str) -> dict[str, _Listed]:
    content = cache.load(name) if cache is not None else None
    try:
        return msgspec.msgpack.decode(content, type=dict[str, _Listed]) if content is not None else {}
    except msgspec.DecodeError:
        return {}
