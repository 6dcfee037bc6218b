"""A file's components to entries: groups them by UID, and parses only new groups (grouping.py)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2b

from syncd.errors import SourceError
from syncd.lang.saying import say, say_count
from syncd.log import entry_crashed
from syncd.model.entry import Entry, Override, Problem
from syncd.source.files import Part
from syncd.source.ical.grouping import GroupResult, Member, read_group
from syncd.source.ical.lines import Component, read_component
from syncd.source.ical.split import Calendar, Feed, RawComponent, split
from syncd.source.ical.vevent import CalendarFacts, stand_in_uid
from syncd.source.ical.vtimezone import NO_LENGTH, FeedZones
from syncd.source.reasons import with_and

_UID = re.compile(rb"\n[Uu][Ii][Dd](?:;[^:\n]*)?:([^\n]*)")
_INVITES = frozenset({"REQUEST", "CANCEL"})
_MISSED: Mapping[str, Callable[[int], str]] = {
    "VTODO": lambda number: say_count("{count:,} task (VTODO)", "{count:,} tasks (VTODO)", number),
    "VJOURNAL": lambda number: say_count("{count:,} note (VJOURNAL)", "{count:,} notes (VJOURNAL)", number),
}
_ANSWERS = frozenset({"REPLY", "COUNTER", "DECLINECOUNTER", "REFRESH"})
"""What participants send to an organizer (RFC 5546, 1.4); an event in it stands in nobody's calendar because of it."""


Cache = dict[bytes, GroupResult]
"""Results by the digest of the group's bytes and of everything else that they depend on."""
ZoneCache = dict[bytes, FeedZones]
"""Zones by the digest of their definitions and of everything else that they depend on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    piece: RawComponent
    facts: CalendarFacts
    context: bytes
    broken: str = ""


class FeedReader:
    """Reads the bytes of one file after another, in one reading of a source.

    `known` are the results of the reading before, `kept` those of this one. `parsed` is the number of groups that were
    not known. `zones` are shared by all files: calendar servers give thousands of files with the same definitions.
    `meanings` are what the config says of names of zones, `no_end` the length of events with a start time and no end,
    and with `attachments` files are read; these never change between the readings of a source.
    """

    def __init__(
        self,
        *,
        known: Cache,
        zones: ZoneCache | None = None,
        meanings: Mapping[str, str] | None = None,
        no_end: timedelta = NO_LENGTH,
        attachments: bool = False,
    ) -> None:
        self._known = known
        self._attachments = attachments
        self._no_end = no_end
        self._meanings = meanings or {}
        self._known_zones = zones or {}
        self.kept: Cache = {}
        self.zones: ZoneCache = {}
        self.parsed = 0

    def read(self, name: str, content: bytes, *, encoding: str, floating: str | None, year: int) -> Part:
        """Return the entries of a stream of VCALENDARs; the part is incomplete if the stream seems to be cut short.

        `encoding` is that of `content`, `floating` the IANA zone of times without one in calendars that name none
        themselves, `year` the current year (see FeedZones). Raises SourceError if there is no VCALENDAR at all.
        """
        part = Part()
        feed = split(content)
        if not feed.calendars:
            raise SourceError(
                say("{name} is not iCalendar: there is no BEGIN:VCALENDAR in it", name=name), say("export it again")
            )
        groups: dict[str, list[_Member]] = {}
        for calendar in feed.calendars:
            facts, context, unknown = self._facts(calendar, encoding, floating, year)
            if unknown:
                part.warn(
                    name,
                    say("X-WR-TIMEZONE {zone!r} is not known, so times without a zone are in timezone's", zone=unknown),
                )
            # The name too: problems and places quote it.
            context = blake2b(repr((name, encoding, floating, year)).encode() + context).digest()
            if facts.answers:
                reason = say_count(
                    "METHOD:{method} is an answer to an invitation and no schedule: {count:,} event in it is not used",
                    "METHOD:{method} is an answer to an invitation and no schedule: {count:,} events in it are not"
                    " used",
                    len(calendar.events),
                    method=facts.answers,
                )
                part.warn(name, reason)
                calendar.events.clear()
                continue
            for piece in calendar.events:
                uid = _uid(piece, encoding)
                if not uid:
                    part.reject(
                        f"{name}:{piece.line}", "", say("the event has neither a UID nor a DTSTART to name it by")
                    )
                    continue
                groups.setdefault(uid, []).append(_Member(piece=piece, facts=facts, context=context))
            for broken in calendar.broken:
                uid = "" if broken.cut else _uid(broken.piece, encoding)
                if uid:
                    member = _Member(piece=broken.piece, facts=facts, context=context, broken=broken.reason)
                    groups.setdefault(uid, []).append(member)
                else:  # a UID may be cut too, and the part is incomplete in any case
                    part.reject(
                        f"{name}:{broken.piece.line}",
                        "",
                        say("the event cannot be read: {reason}", reason=broken.reason),
                    )
            calendar.events.clear()  # large feeds must fit in little memory
        if said := _left_out(feed):
            part.warn(name, said)
        for uid in list(groups):
            self._add(part, name, uid, groups.pop(uid), encoding)
        if feed.unfinished:
            part.incomplete = say("{name}: {reason}", name=name, reason=feed.unfinished)
        return part

    def _facts(
        self, calendar: Calendar, encoding: str, floating: str | None, year: int
    ) -> tuple[CalendarFacts, bytes, str]:
        """Return the facts for all events of a calendar, what they depend on, and its own zone if it is unknown."""
        head = read_component("BEGIN:VCALENDAR\n" + _text(calendar.head, encoding) + "\nEND:VCALENDAR")
        own = head.text("X-WR-TIMEZONE").strip()
        method = head.text("METHOD").strip().upper()
        named = self._zones(calendar, encoding, floating, year).named(own) if own else None
        facts = CalendarFacts(
            zones=self._zones(calendar, encoding, named or floating, year),
            name=head.text("X-WR-CALNAME").strip() or head.text("NAME").strip(),
            cancels=method == "CANCEL",
            answers=method if method in _ANSWERS else "",
            invites=method in _INVITES,
            attachments=self._attachments,
        )
        depends_on = calendar.head + b"".join(piece.content for piece in calendar.zones)
        return facts, depends_on, own if named is None else ""

    def _zones(self, calendar: Calendar, encoding: str, floating: str | None, year: int) -> FeedZones:
        """Return the zones of a calendar; calendars with the same definitions share them."""
        seen = blake2b(repr((encoding, floating, year)).encode(), digest_size=20)
        for piece in calendar.zones:
            seen.update(piece.content)
        key = seen.digest()
        found = self.zones.get(key) or self._known_zones.get(key)
        if found is None:
            definitions: dict[str, Component] = {}
            for piece in calendar.zones:
                zone = read_component(_text(piece.content, encoding))
                for prop in zone.all("TZID"):
                    definitions.setdefault(prop.text, zone)
                    definitions.setdefault(prop.value, zone)
            found = FeedZones(
                definitions=definitions, floating=floating, year=year, meanings=self._meanings, no_end=self._no_end
            )
        self.zones[key] = found
        return found

    def _add(self, part: Part, name: str, uid: str, members: list[_Member], encoding: str) -> None:
        seen = blake2b(digest_size=20)
        for member in members:
            seen.update(member.context + member.broken.encode())
            seen.update(member.piece.content)
        key = seen.digest()
        lines = tuple(member.piece.line for member in members)
        result = self._known.get(key)
        # Problems quote lines, so they are made again when the group has moved; the entry alone is only renumbered.
        if result is None or (result.lines != lines and (result.problems or result.entry is None)):
            self.parsed += 1
            result = _read_group(uid, [_opened(name, member, encoding) for member in members], lines)
        elif result.lines != lines:
            result = _moved_to(result, name, lines)
        self.kept[key] = result
        part.problems.extend(result.problems)
        part.rejected.update(result.rejected)
        if result.entry is not None:
            part.add(result.entry, result.sequence)
        if result.unusual is not None:
            for entry in result.unusual.entries:
                part.add(entry, result.sequence)
            if result.unusual.loose:
                part.loose[uid] = result.unusual.loose
            if result.unusual.incomplete:
                part.incomplete = part.incomplete or say(
                    "{name}: {reason}", name=name, reason=result.unusual.incomplete
                )


def _left_out(feed: Feed) -> str:
    """Return what the calendars hold besides events, "" if there is nothing that a person would miss."""
    counts: Counter[str] = sum((calendar.others for calendar in feed.calendars), Counter())
    missed = tuple(said(counts[kind]) for kind, said in _MISSED.items() if counts[kind])
    if not missed:
        return ""
    return say("{things} left out: only events are read", things=with_and(missed))


def _read_group(uid: str, members: list[Member], lines: tuple[int, ...]) -> GroupResult:
    """Return what a group becomes; an error that nobody foresaw costs the group alone."""
    try:
        return read_group(uid, members, lines)
    except Exception as error:  # noqa: BLE001 - what one event meets must not stop the others
        where = members[0].where
        problem = Problem(where=where, kind="rejected", reason=entry_crashed(where, error), key=uid)
        return GroupResult(lines=lines, entry=None, problems=(problem,), rejected=(uid,))


def _opened(name: str, member: _Member, encoding: str) -> Member:
    text, where = _text(member.piece.content, encoding), f"{name}:{member.piece.line}"
    return Member(text=text, facts=member.facts, where=where, broken=member.broken)


def _text(content: bytes, encoding: str) -> str:
    return content.decode(encoding, "surrogateescape")


def _uid(piece: RawComponent, encoding: str) -> str:
    found = piece.search(_UID)
    uid = found[1].decode(encoding, "backslashreplace").strip() if found else ""
    return uid or stand_in_uid(_text(piece.content, encoding))


def _moved_to(result: GroupResult, name: str, lines: tuple[int, ...]) -> GroupResult:
    """Return the result of a group whose components are now on other lines."""
    places = {f"{name}:{old}": f"{name}:{new}" for old, new in zip(result.lines, lines, strict=True)}

    def moved(entry: Entry) -> Entry:
        return replace(entry, where=places[entry.where], overrides=overrides(entry.overrides))

    def overrides(given: tuple[Override, ...]) -> tuple[Override, ...]:
        return tuple(replace(one, where=places[one.where]) for one in given)

    unusual = result.unusual
    if unusual is not None:
        further = tuple(moved(entry) for entry in unusual.entries)
        unusual = replace(unusual, entries=further, loose=overrides(unusual.loose))
    entry = moved(result.entry) if result.entry is not None else None
    return replace(result, lines=lines, entry=entry, unusual=unusual)
