"""One VCALENDAR and its groups of events, before and while they are read: what all events of a calendar depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b

from syncd.model.bulk import bulk_dataclass
from syncd.source.ical.lines import Component, read_component
from syncd.source.ical.split import Calendar, RawComponent
from syncd.source.ical.vevent import CalendarFacts
from syncd.source.ical.vtimezone import NO_LENGTH, FeedZones

_INVITES = frozenset({"REQUEST", "CANCEL"})
_ANSWERS = frozenset({"REPLY", "COUNTER", "DECLINECOUNTER", "REFRESH"})
"""What participants send to an organizer (RFC 5546, 1.4); an event in it stands in nobody's calendar because of it."""
KEY_BYTES = 16

ZoneCache = dict[bytes, FeedZones]
"""Zones by the digest of their definitions and of everything else that they depend on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What is the same for all of a file: its name, its encoding, and the zone and year that it is read by.

    `floating` is the IANA zone of times without one in calendars that name none, `year` the current year (FeedZones).
    """

    name: str
    encoding: str
    floating: str | None
    year: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCalendar:
    """A calendar of a file: its `number` there, its facts, what its entries depend on, and what these were read from.

    `unknown` is the zone that it names as its own, if that is not known.
    """

    number: int
    facts: CalendarFacts
    context: bytes
    head: bytes
    zones: tuple[bytes, ...]
    unknown: str


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class RawMember:
    """One VEVENT of a group before it is read, and why it cannot be if its end is missing."""

    piece: RawComponent
    calendar: ReadCalendar
    broken: str = ""


class CalendarReader:
    """Reads what a calendar says of all its events.

    `meanings` are what the config says of names of zones, `no_end` the length of events with a start time and no end,
    and with `attachments` files are read; these never change between the readings of a source. `known` are the zones
    of the reading before, `zones` those of this one.
    """

    def __init__(
        self,
        *,
        meanings: Mapping[str, str] | None = None,
        no_end: timedelta = NO_LENGTH,
        attachments: bool = False,
        known: ZoneCache | None = None,
    ) -> None:
        self.meanings = meanings or {}
        self.no_end = no_end
        self.attachments = attachments
        self._known = known or {}
        self.zones: ZoneCache = {}

    def read(self, file: FileFacts, calendar: Calendar, number: int) -> ReadCalendar:
        """Return the facts of the `number`-th calendar of a file."""
        head = read_component("BEGIN:VCALENDAR\n" + text_of(calendar.head, file.encoding) + "\nEND:VCALENDAR")
        own = head.text("X-WR-TIMEZONE").strip()
        method = head.text("METHOD").strip().upper()
        zones = tuple(piece.content for piece in calendar.zones)
        named = self._zones(file, zones, file.floating).named(own) if own else None
        facts = CalendarFacts(
            zones=self._zones(file, zones, named or file.floating),
            name=head.text("X-WR-CALNAME").strip() or head.text("NAME").strip(),
            cancels=method == "CANCEL",
            answers=method if method in _ANSWERS else "",
            invites=method in _INVITES,
            attachments=self.attachments,
        )
        # The name too: problems and places quote it.
        under = repr((file.name, file.encoding, file.floating, file.year)).encode()
        return ReadCalendar(
            number=number,
            facts=facts,
            context=blake2b(under + calendar.head + b"".join(zones)).digest(),
            head=calendar.head,
            zones=zones,
            unknown=own if named is None else "",
        )

    def _zones(self, file: FileFacts, given: Sequence[bytes], floating: str | None) -> FeedZones:
        """Return the zones of a calendar; calendars with the same definitions share them."""
        seen = blake2b(repr((file.encoding, floating, file.year)).encode(), digest_size=20)
        for content in given:
            seen.update(content)
        key = seen.digest()
        found = self.zones.get(key) or self._known.get(key)
        if found is None:
            definitions: dict[str, Component] = {}
            for content in given:
                zone = read_component(text_of(content, file.encoding))
                for prop in zone.all("TZID"):
                    definitions.setdefault(prop.text, zone)
                    definitions.setdefault(prop.value, zone)
            found = FeedZones(
                definitions=definitions,
                floating=floating,
                year=file.year,
                meanings=self.meanings,
                no_end=self.no_end,
            )
        self.zones[key] = found
        return found


def key_of(members: Sequence[RawMember]) -> bytes:
    """Return a key of a group that differs whenever anything does that it is read from, except its line numbers."""
    seen = blake2b(digest_size=KEY_BYTES)
    for member in members:
        seen.update(member.calendar.context + member.broken.encode())
        seen.update(member.piece.content)
    return seen.digest()


def lines_of(members: Sequence[RawMember]) -> tuple[int, ...]:
    """Return the lines at which the components of a group begin."""
    return (members[0].piece.line,) if len(members) == 1 else tuple([member.piece.line for member in members])


def text_of(content: bytes, encoding: str) -> str:
    """Return bytes as text, from which the same bytes can be made."""
    return content.decode(encoding, "surrogateescape")
