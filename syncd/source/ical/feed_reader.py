"""A file's components to entries: groups them by UID, parses only new groups, and makes an entry of each group.

in the group                               the entry
one event without RECURRENCE-ID            that event, the others its overrides
several of them                            the highest SEQUENCE, then DTSTAMP; equals: the first, others rejected
overrides only, one                        a single event
overrides only, several                    a series of just these days, each overridden
anything that cannot be read               rejected as a whole: half a series would show wrong days
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2b

from syncd.errors import SourceError
from syncd.model.entry import AllDay, Entry, Moment, Override, Problem, Recurrence, Span
from syncd.source.files import Part
from syncd.source.ical.lines import Component, read_component
from syncd.source.ical.split import Broken, Calendar, RawComponent, split
from syncd.source.ical.time_values import moved
from syncd.source.ical.vevent import CalendarFacts, VEvent, read_event, stand_in_uid, title_of
from syncd.source.ical.vtimezone import FeedZones

_UID = re.compile(rb"\n[Uu][Ii][Dd](?:;[^:\n]*)?:([^\n]*)")
_CANCELS = frozenset({"CANCEL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupResult:
    """What became of a group: an entry or None, and its problems; `lines` are those of its components."""

    lines: tuple[int, ...]
    entry: Entry | None
    problems: tuple[Problem, ...]
    rejected: bool


Cache = dict[bytes, GroupResult]
"""Results by the digest of the group's bytes and of everything else that they depend on."""
ZoneCache = dict[bytes, FeedZones]
"""Zones by the digest of their definitions and of everything else that they depend on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    piece: RawComponent
    facts: CalendarFacts
    context: bytes


class FeedReader:
    """Reads the bytes of one file after another, in one reading of a source.

    `known` are the results of the reading before, `kept` those of this one. `parsed` is the number of groups that were
    not known. `zones` are shared by all files: calendar servers give thousands of files with the same definitions.
    """

    def __init__(self, *, known: Cache, zones: ZoneCache | None = None) -> None:
        self._known = known
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
            raise SourceError(f"{name} is not iCalendar: there is no BEGIN:VCALENDAR in it", "export it again")
        groups: dict[str, list[_Member]] = {}
        for calendar in feed.calendars:
            facts, context, unknown = self._facts(calendar, encoding, floating, year)
            if unknown:
                part.warn(name, f"X-WR-TIMEZONE {unknown!r} is not known, so times without a zone are in timezone's")
            # The name too: problems and places quote it.
            context = blake2b(repr((name, encoding, floating, year)).encode() + context).digest()
            for piece in calendar.events:
                uid = _uid(piece, encoding)
                if not uid:
                    part.reject(f"{name}:{piece.line}", "", "the event has neither a UID nor a DTSTART to name it by")
                    continue
                groups.setdefault(uid, []).append(_Member(piece=piece, facts=facts, context=context))
            for broken in calendar.broken:
                _put_aside(part, name, broken, encoding)
            calendar.events.clear()  # large feeds must fit in little memory
        # A series whose override is broken would show wrong days, so its other parts are not used either.
        broken_uids = set(part.rejected)
        for uid in list(groups):
            members = groups.pop(uid)
            if uid not in broken_uids:
                self._add(part, name, uid, members, encoding)
        if feed.unfinished:
            part.incomplete = f"{name}: {feed.unfinished}"
        return part

    def _facts(
        self, calendar: Calendar, encoding: str, floating: str | None, year: int
    ) -> tuple[CalendarFacts, bytes, str]:
        """Return the facts for all events of a calendar, what they depend on, and its own zone if it is unknown."""
        head = read_component("BEGIN:VCALENDAR\n" + _text(calendar.head, encoding) + "\nEND:VCALENDAR")
        own = head.text("X-WR-TIMEZONE").strip()
        named = self._zones(calendar, encoding, floating, year).named(own) if own else None
        facts = CalendarFacts(
            zones=self._zones(calendar, encoding, named or floating, year),
            name=head.text("X-WR-CALNAME").strip() or head.text("NAME").strip(),
            cancels=head.text("METHOD").strip().upper() in _CANCELS,
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
            found = FeedZones(definitions=definitions, floating=floating, year=year)
        self.zones[key] = found
        return found

    def _add(self, part: Part, name: str, uid: str, members: list[_Member], encoding: str) -> None:
        seen = blake2b(digest_size=20)
        for member in members:
            seen.update(member.context)
            seen.update(member.piece.content)
        key = seen.digest()
        lines = tuple(member.piece.line for member in members)
        result = self._known.get(key)
        # Problems quote lines, so they are made again when the group has moved; the entry alone is only renumbered.
        if result is None or (result.lines != lines and (result.problems or result.entry is None)):
            self.parsed += 1
            result = _read_group(name, uid, members, encoding)
        elif result.lines != lines:
            result = _moved_to(result, name, lines)
        self.kept[key] = result
        part.problems.extend(result.problems)
        if result.entry is not None:
            part.entries.append(result.entry)
        if result.rejected:
            part.rejected.add(uid)


def _text(content: bytes, encoding: str) -> str:
    return content.decode(encoding, "surrogateescape")


def _uid(piece: RawComponent, encoding: str) -> str:
    found = piece.search(_UID)
    uid = found[1].decode(encoding, "backslashreplace").strip() if found else ""
    return uid or stand_in_uid(_text(piece.content, encoding))


def _put_aside(part: Part, name: str, broken: Broken, encoding: str) -> None:
    found = broken.piece.search(_UID)
    uid = found[1].decode(encoding, "backslashreplace").strip() if found else ""
    if broken.cut:
        uid = ""  # the UID itself may be cut, and the part is incomplete in any case
    part.reject(f"{name}:{broken.piece.line}", uid, f"the event cannot be read: {broken.reason}")


def _read_group(name: str, uid: str, members: list[_Member], encoding: str) -> GroupResult:
    lines = tuple(member.piece.line for member in members)
    events: list[VEvent] = []
    for member in members:
        where = f"{name}:{member.piece.line}"
        try:
            events.append(read_event(_text(member.piece.content, encoding), member.facts, where=where))
        except ValueError as error:
            title = title_of(_text(member.piece.content, encoding))
            problem = Problem(where=where, kind="rejected", reason=str(error), key=uid, title=title)
            return GroupResult(lines=lines, entry=None, problems=(problem,), rejected=True)
    problems: list[Problem] = []
    for event in events:
        problems += [Problem(where=event.where, kind="warning", reason=text, key=uid) for text in event.warnings]
    chosen = _latest_versions(uid, events, problems)
    try:
        entry = _join(uid, chosen)
    except ValueError as error:
        first = chosen[0]
        title = first.details.title
        problems.append(Problem(where=first.where, kind="rejected", reason=str(error), key=uid, title=title))
        return GroupResult(lines=lines, entry=None, problems=tuple(problems), rejected=True)
    return GroupResult(lines=lines, entry=entry, problems=tuple(problems), rejected=False)


def _latest_versions(uid: str, events: list[VEvent], problems: list[Problem]) -> list[VEvent]:
    """Return the latest version of each occurrence; of equal ranks the first, with a problem if the contents differ."""
    kept: dict[tuple[Moment | None, bool], VEvent] = {}
    for event in events:
        name = (event.at, event.this_and_future)
        other = kept.get(name)
        if other is None or event.rank > other.rank:
            kept[name] = event
        # A feed may repeat an event, which is harmless; two contents of one version are a contradiction.
        elif event.rank == other.rank and replace(event, where=other.where) != other:
            reason = (
                f"the same event with the same SEQUENCE and DTSTAMP, but other content, stands at {other.where}, "
                "so this one is not used"
            )
            title = event.details.title
            problems.append(Problem(where=event.where, kind="rejected", reason=reason, key=uid, title=title))
    return sorted(kept.values(), key=lambda event: event.at is not None)


def _join(uid: str, events: list[VEvent]) -> Entry:
    """Return the entry of a master and its overrides, or of overrides whose master is not in the file."""
    main = events[0]
    if main.at is not None and len(events) > 1:
        return _without_master(uid, events)
    return Entry(
        uid=uid,
        where=main.where,
        details=main.details,
        span=main.span,
        recurrence=main.recurrence,
        overrides=tuple(_override(event, event.at) for event in events[1:] if event.at is not None),
    )


def _without_master(uid: str, events: Iterable[VEvent]) -> Entry:
    """Return a series of the occurrences that overrides replace: each is at its RECURRENCE-ID, and overridden there."""
    named = sorted(
        ((event, event.at) for event in events if event.at is not None), key=lambda pair: (pair[1].wall, pair[0].where)
    )
    stands = [_placed(event, at) for event, at in named]
    main = named[0][0]
    return Entry(
        uid=uid,
        where=main.where,
        details=main.details,
        span=stands[0],
        recurrence=Recurrence(rdates=tuple(stands[1:])),
        overrides=tuple(_override(event, at) for event, at in named),
    )


def _override(event: VEvent, at: Moment) -> Override:
    return Override(
        at=at, span=event.span, details=event.details, where=event.where, this_and_future=event.this_and_future
    )


def _placed(event: VEvent, at: Moment) -> Span:
    """Return the override's span moved to the occurrence that it replaces."""
    if isinstance(event.span, AllDay) or at.zone is None:
        days = event.span.days if isinstance(event.span, AllDay) else 1
        return AllDay(first=at.wall.date(), end=at.wall.date() + timedelta(days=days))
    return moved(event.span, at.wall, at.zone)


def _moved_to(result: GroupResult, name: str, lines: tuple[int, ...]) -> GroupResult:
    """Return the result of a group whose components are now on other lines."""
    entry = result.entry
    if entry is None:
        return result
    places = {f"{name}:{old}": f"{name}:{new}" for old, new in zip(result.lines, lines, strict=True)}
    overrides = tuple(replace(override, where=places[override.where]) for override in entry.overrides)
    return replace(result, lines=lines, entry=replace(entry, where=places[entry.where], overrides=overrides))
