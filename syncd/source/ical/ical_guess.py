"""What a calendar says of itself that `syncd init` writes into a config: its zone, unknown zones, whose events are."""

from __future__ import annotations

import re
from dataclasses import dataclass

from syncd.model import zones
from syncd.source.ical.lines import read_component
from syncd.source.ical.split import Feed, split

_SAMPLE_EVENTS = 500
_OWNER = re.compile(rb"\n(X-[A-Z-]*OWNER[A-Z-]*)(?:;[^:\r\n]*)?:([^\r\n]*)", re.IGNORECASE)
_TZID = re.compile(rb';TZID=(?:"([^"\r\n]*)"|([^":;\r\n]*))[;:]', re.IGNORECASE)
_DEFINED = re.compile(rb"^TZID(?:;[^:\r\n]*)?:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarGuess:
    """The zone of a feed ("" if it names none), names of unknown zones in it, and whose its events are.

    `owner` is the property that says it, "" if there is none, and `owners` are its values.
    """

    zone: str
    unknown_zones: tuple[str, ...]
    owner: str = ""
    owners: tuple[str, ...] = ()


def guess_calendar(content: bytes) -> CalendarGuess:
    """Return what a feed says of itself; `content` is in an encoding that contains ASCII."""
    feed = split(content)
    zone = ""
    for calendar in feed.calendars:
        head = read_component("BEGIN:VCALENDAR\n" + calendar.head.decode("utf-8", "replace") + "\nEND:VCALENDAR")
        zone = zone or zones.resolve(head.text("X-WR-TIMEZONE").strip()) or ""
    owned = [
        (found[1].decode().upper(), _text(found[2]))
        for calendar in feed.calendars
        for event in calendar.events[:_SAMPLE_EVENTS]
        if (found := event.search(_OWNER)) is not None
    ]
    unknown = _unknown_zones(feed)
    if not owned:
        return CalendarGuess(zone=zone, unknown_zones=unknown)
    # The feed says whose an event is in a property of its own; a template takes it like a column.
    first = owned[0][0]
    owners = tuple(dict.fromkeys(owner for title, owner in owned if title == first and owner))
    return CalendarGuess(zone=zone, unknown_zones=unknown, owner=first, owners=owners)


def _unknown_zones(feed: Feed) -> tuple[str, ...]:
    """Return the zones that events name, and that neither their calendar defines nor anybody knows."""
    found: dict[str, None] = {}
    for calendar in feed.calendars:
        defined = {_text(one[1]) for zone in calendar.zones if (one := _DEFINED.search(zone.content)) is not None}
        names = {_text(one[1] or one[2]) for event in calendar.events for one in _TZID.finditer(event.content)}
        found |= dict.fromkeys(name for name in sorted(names - defined) if zones.resolve(name) is None)
    return tuple(found)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace").strip()
