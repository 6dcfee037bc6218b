"""A file's components to entries: groups them by UID, and parses only new groups (grouping.py)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from syncd.errors import SourceError
from syncd.lang.saying import say, say_count
from syncd.model.entry import Entry, Override
from syncd.source.files import Part
from syncd.source.ical.calendar_reader import (
    CalendarReader,
    FileFacts,
    RawMember,
    ReadCalendar,
    key_of,
    lines_of,
    text_of,
)
from syncd.source.ical.group_result import GroupResult
from syncd.source.ical.grouping import read_members
from syncd.source.ical.large_file import MANY, read_large
from syncd.source.ical.packed import Block
from syncd.source.ical.split import Calendar, Feed, RawComponent, split
from syncd.source.ical.vevent import stand_in_uid
from syncd.source.reasons import with_and

_UID = re.compile(rb"\n[Uu][Ii][Dd](?:;[^:\n]*)?:([^\n]*)")
_MISSED: Mapping[str, Callable[[int], str]] = {
    "VTODO": lambda number: say_count("{count:,} task (VTODO)", "{count:,} tasks (VTODO)", number),
    "VJOURNAL": lambda number: say_count("{count:,} note (VJOURNAL)", "{count:,} notes (VJOURNAL)", number),
}

Cache = dict[bytes, GroupResult]
"""Results of the groups of small files by their keys."""
_Groups = dict[str, list[RawMember]]


class FeedReader:
    """Reads the bytes of one file after another, in one reading of a source.

    `known` are the results of the reading before, `kept` those of this one. `parsed` is the number of groups that were
    not known, `new` how many of these are in large files, which are kept packed: `packed` has them by the name of the
    file. `calendars` reads what is not of a single group.
    """

    def __init__(self, *, known: Cache, calendars: CalendarReader | None = None) -> None:
        self._known = known
        self.calendars = calendars or CalendarReader()
        self.kept: Cache = {}
        self.packed: dict[str, Sequence[Block]] = {}
        self.parsed = self.new = 0

    def read(self, file: FileFacts, content: bytes, *, packed: Sequence[Block] = (), keep: bool = True) -> Part:
        """Return the entries of a stream of VCALENDARs; the part is incomplete if the stream seems to be cut short.

        `packed` are what groups of the file became before, and with `keep` those of this reading are packed. Raises
        SourceError if there is no VCALENDAR at all.
        """
        part = Part()
        feed = split(content)
        if not feed.calendars:
            raise SourceError(
                say("{name} is not iCalendar: there is no BEGIN:VCALENDAR in it", name=file.name),
                say("export it again"),
            )
        groups = self._groups(part, file, feed)
        if said := _left_out(feed):
            part.warn(file.name, said)
        if len(groups) >= MANY:
            self._add_large(part, file, groups, packed, keep=keep)
        else:
            for uid in list(groups):
                _add(part, file, uid, self._result(file, uid, groups.pop(uid)))
        if feed.unfinished:
            part.incomplete = say("{name}: {reason}", name=file.name, reason=feed.unfinished)
        return part

    def _groups(self, part: Part, file: FileFacts, feed: Feed) -> _Groups:
        """Return the components of all calendars by UID; what has none is rejected."""
        groups: _Groups = {}
        for number, calendar in enumerate(feed.calendars):
            read = self.calendars.read(file, calendar, number)
            if read.unknown:
                reason = say(
                    "X-WR-TIMEZONE {zone!r} is not known, so times without a zone are in timezone's", zone=read.unknown
                )
                part.warn(file.name, reason)
            if read.facts.answers:
                reason = say_count(
                    "METHOD:{method} is an answer to an invitation and no schedule: {count:,} event in it is not used",
                    "METHOD:{method} is an answer to an invitation and no schedule: {count:,} events in it are not"
                    " used",
                    len(calendar.events),
                    method=read.facts.answers,
                )
                part.warn(file.name, reason)
            else:
                _group(part, file, calendar, read, groups)
            calendar.events.clear()  # large feeds must fit in little memory
        return groups

    def _add_large(self, part: Part, file: FileFacts, groups: _Groups, packed: Sequence[Block], *, keep: bool) -> None:
        uids = list(groups)
        large = read_large(file, self.calendars, groups, packed, keep=keep)
        self.parsed += large.parsed
        self.new += large.parsed
        self.packed[file.name] = large.blocks
        for uid, result in zip(uids, large.results, strict=True):
            _add(part, file, uid, result)

    def _result(self, file: FileFacts, uid: str, members: Sequence[RawMember]) -> GroupResult:
        key, lines = key_of(members), lines_of(members)
        result = self._known.get(key)
        # Problems quote lines, so they are made again when the group has moved; the entry alone is only renumbered.
        if result is None or (result.lines != lines and (result.problems or result.entry is None)):
            self.parsed += 1
            result = read_members(file, uid, members)
        elif result.lines != lines:
            result = _moved_to(result, file.name, lines)
        self.kept[key] = result
        return result


def _group(part: Part, file: FileFacts, calendar: Calendar, read: ReadCalendar, groups: _Groups) -> None:
    """Add the components of a calendar to the `groups` of the file."""
    for piece in calendar.events:
        uid = _uid(piece, file.encoding)
        if uid:
            groups.setdefault(uid, []).append(RawMember(piece=piece, calendar=read))
        else:
            reason = say("the event has neither a UID nor a DTSTART to name it by")
            part.reject(f"{file.name}:{piece.line}", "", reason)
    for broken in calendar.broken:
        uid = "" if broken.cut else _uid(broken.piece, file.encoding)
        if uid:
            member = RawMember(piece=broken.piece, calendar=read, broken=broken.reason)
            groups.setdefault(uid, []).append(member)
        else:  # a UID may be cut too, and the part is incomplete in any case
            reason = say("the event cannot be read: {reason}", reason=broken.reason)
            part.reject(f"{file.name}:{broken.piece.line}", "", reason)


def _add(part: Part, file: FileFacts, uid: str, result: GroupResult) -> None:
    """Add what a group became to what the file holds."""
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
                "{name}: {reason}", name=file.name, reason=result.unusual.incomplete
            )


def _left_out(feed: Feed) -> str:
    """Return what the calendars hold besides events, "" if there is nothing that a person would miss."""
    counts: Counter[str] = sum((calendar.others for calendar in feed.calendars), Counter())
    missed = tuple(said(counts[kind]) for kind, said in _MISSED.items() if counts[kind])
    if not missed:
        return ""
    return say("{things} left out: only events are read", things=with_and(missed))


def _uid(piece: RawComponent, encoding: str) -> str:
    found = piece.search(_UID)
    uid = found[1].decode(encoding, "backslashreplace").strip() if found else ""
    return uid or stand_in_uid(text_of(piece.content, encoding))


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
