"""The events that share a UID to entries: which are series, versions and changed occurrences, and what a bad one costs.

in the group                               the entry
one event without RECURRENCE-ID            that event, the others its overrides
several of one start                       the highest SEQUENCE, then DTSTAMP; equals: the first, others rejected
several of different starts, each with a   versions of one event that was moved: the highest SEQUENCE, with a line
SEQUENCE of its own
several of different starts, otherwise     an entry each, with a name made of UID and start; in invitations
                                           (METHOD:REQUEST) they are versions, and the highest SEQUENCE counts
a cancellation (METHOD:CANCEL)             it takes away those whose SEQUENCE is not higher
one that begins with an occurrence of      that occurrence, changed (expanded.py)
another, without RECURRENCE-ID
overrides only, one                        a single event
overrides only, several                    a series of just these days, each overridden
an override that cannot be read            that occurrence is left out, with a line
an event that cannot be read               rejected with its overrides: half a series would show wrong days
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from syncd.lang.saying import say, say_count
from syncd.log import entry_crashed
from syncd.model.entry import AllDay, Details, Entry, Moment, Override, Problem, Recurrence, Span
from syncd.source.ical.calendar_reader import FileFacts, RawMember, lines_of, text_of
from syncd.source.ical.expanded import Expanded, find_expanded, says_nothing
from syncd.source.ical.group_result import GroupResult, Unusual
from syncd.source.ical.lines import read_component
from syncd.source.ical.time_values import Home, moved
from syncd.source.ical.vevent import CalendarFacts, VEvent, read_event, read_occurrence, removed_span, title_of
from syncd.source.reasons import reason_of
from syncd.source.stamps import read_stamp

_SHOWN_PLACES = 5
_CHANGE = re.compile(r"\nRECURRENCE-ID[;:]", re.IGNORECASE)
_LATE = say("a date of it, or one counted from there, lies past the year 9999 (write the real one, or leave it out)")
_START = re.compile(r"\nDTSTART(?:;[^:\n]*)?:([^\n]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One VEVENT of a group: its unfolded text, and why it cannot be read if its end is missing."""

    text: str
    facts: CalendarFacts
    where: str
    broken: str = ""


def read_group(uid: str, members: Sequence[Member], lines: tuple[int, ...]) -> GroupResult:
    """Return what the VEVENTs of one UID become; nothing that is wrong in them raises."""
    if len(members) == 1 and (result := _alone(uid, members[0], lines)) is not None:
        return result
    group = _Group(uid)
    changes = []
    for member in members:
        if _is_change(member.text):
            changes.append(member)
        else:
            group.add_event(member)
    group.settle()
    for member in changes:
        group.add_change(member)
    return group.result(lines)


def read_members(file: FileFacts, uid: str, members: Sequence[RawMember]) -> GroupResult:
    """Return what a group becomes; an error that nobody foresaw costs the group alone."""
    lines = lines_of(members)
    opened = [
        Member(
            text=text_of(one.piece.content, file.encoding),
            facts=one.calendar.facts,
            where=f"{file.name}:{one.piece.line}",
            broken=one.broken,
        )
        for one in members
    ]
    try:
        return read_group(uid, opened, lines)
    except Exception as error:  # noqa: BLE001 - what one event meets must not stop the others
        where = opened[0].where
        problem = Problem(where=where, kind="rejected", reason=entry_crashed(where, error), key=uid)
        return GroupResult(lines=lines, entry=None, problems=(problem,), rejected=(uid,))


def _is_change(text: str) -> bool:
    # Nested components may have such a line too; the look at the text only saves most events from being parsed twice.
    return _CHANGE.search(text) is not None and "RECURRENCE-ID" in read_component(text).properties


def _alone(uid: str, member: Member, lines: tuple[int, ...]) -> GroupResult | None:
    """Return what the only VEVENT of a UID becomes, None unless it is as plain as nearly all are."""
    if member.broken or _CHANGE.search(member.text):
        return None
    try:
        event = read_event(member.text, member.facts, where=member.where)
    except (ValueError, OverflowError):
        return None
    except Exception as error:  # noqa: BLE001 - what one event meets must not stop the others
        entry_crashed(member.where, error)
        return None
    entry = Entry(uid=uid, where=event.where, details=event.details, span=event.span, recurrence=event.recurrence)
    problems = tuple(Problem(where=event.where, kind="warning", reason=warning, key=uid) for warning in event.warnings)
    return GroupResult(lines=lines, entry=entry, problems=problems, sequence=event.rank[0])


@dataclass(slots=True, kw_only=True)
class _Series:
    """An event without RECURRENCE-ID and the changes that belong to it; `removed` are occurrences lost to bad ones.

    `expanded` are changes that lack RECURRENCE-ID; one that has it counts more.
    """

    main: VEvent
    changes: list[VEvent] = field(default_factory=list)
    expanded: tuple[VEvent, ...] = ()
    removed: list[Override] = field(default_factory=list)


class _Group:
    """Collects the events of one UID; lives for one call of `read_group`."""

    def __init__(self, uid: str) -> None:
        self._uid = uid
        self._problems: list[Problem] = []
        self._events: list[VEvent] = []
        self._requests = True
        self._series: list[_Series] = []
        self._loose: list[VEvent] = []
        self._unread: list[str] = []
        self._unused: list[str] = []

    def add_event(self, member: Member) -> None:
        """Read an event that is no change of another one."""
        event = self._read(member, None)
        if event is None:
            self._unread.append(_start_text(member.text))
        else:
            self._events.append(event)
            self._requests = self._requests and member.facts.invites

    def settle(self) -> None:
        """Decide which of the events are versions of one another, once all of them are read."""
        if self._requests and self._events:
            latest = max(event.rank[0] for event in self._events)
            self._events = [event for event in self._events if event.rank[0] == latest]
        self._events = self._newest(self._uncancelled(self._events))
        expanded = find_expanded(self._events) if len(self._events) > 1 else None
        changes = self._told(expanded) if expanded is not None else ()
        taken = {change.where for change in changes}
        for event in self._latest((one for one in self._events if one.where not in taken), _start):
            is_theirs = expanded is not None and event is expanded.series
            self._series.append(_Series(main=event, expanded=changes if is_theirs else ()))

    def _newest(self, events: list[VEvent]) -> list[VEvent]:
        """Return the newest version of an event that was moved, with a line (RFC 5546, 2.1.5).

        Where two starts have one SEQUENCE, the UID does not name one event, and a series beside a single event is no
        version of it: these are all shown.
        """
        starts: dict[int, set[Hashable]] = {}
        for event in events:
            starts.setdefault(event.rank[0], set()).add(_start(event))
        kinds = {event.recurrence is None for event in events}
        if (
            len(set[Hashable]().union(*starts.values())) < 2
            or any(len(same) > 1 for same in starts.values())
            or len(kinds) > 1
        ):
            return events
        latest = max(starts)
        newest = [event for event in events if event.rank[0] == latest]
        older = [event.where for event in events if event.rank[0] != latest]
        reason = say_count(
            "an earlier version of it, with a lower SEQUENCE, stands at {places} and is not used",
            "{count:,} earlier versions of it, with a lower SEQUENCE, stand at {places} and are not used",
            len(older),
            places=(*older[:_SHOWN_PLACES], "…") if len(older) > _SHOWN_PLACES else tuple(older),
        )
        self._problems.append(Problem(where=newest[0].where, kind="warning", reason=reason, key=self._uid))
        return newest

    def _told(self, expanded: Expanded) -> tuple[VEvent, ...]:
        """Return the occurrences of a series that lack RECURRENCE-ID, with a line; one too for what may be some."""
        at = expanded.series.where
        if found := expanded.changes:
            reason = say_count(
                "{count:,} event without RECURRENCE-ID has the UID of the series at {at}, taken for an occurrence of"
                " it",
                "{count:,} events without RECURRENCE-ID have the UID of the series at {at}, taken for occurrences of"
                " it",
                len(found),
                at=at,
            )
            self._problems.append(Problem(where=found[0].where, kind="warning", reason=reason, key=self._uid))
        if near := expanded.doubted:
            reason = say(
                "it stands beside an occurrence of the series at {at} on the same day, and both are shown (give it a "
                "RECURRENCE-ID if it replaces that one)",
                at=at,
            )
            self._problems.append(Problem(where=near[0].where, kind="warning", reason=reason, key=self._uid))
        return found

    def _uncancelled(self, events: list[VEvent]) -> list[VEvent]:
        """Return the events that no cancellation takes away, or the cancellation if it takes away all."""
        cancellation = max((event for event in events if event.cancels), key=lambda one: one.rank, default=None)
        if cancellation is None:
            return events
        left = [event for event in events if event.rank[0] > cancellation.rank[0]]
        for event in events if not left else ():
            if not event.cancels:
                reason = say(
                    "it cancels «{title}» at {where}, which is taken off the calendar",
                    title=event.details.title,
                    where=event.where,
                )
                self._problems.append(Problem(where=cancellation.where, kind="warning", reason=reason, key=self._uid))
        return left or [cancellation]

    def add_change(self, member: Member) -> None:
        """Read a changed occurrence; only after `settle`."""
        if self._unread and not self._series:
            self._unused.append(member.where)
            return
        if not self._series:
            event = self._read(member, None)
            self._loose += [event] if event is not None else []
            return
        series = self._owner(member.text)
        event = self._read(member, series.main.home)
        if event is not None:
            series.changes.append(event)
        elif (at := read_occurrence(member.text, series.main.home)) is not None:
            series.removed.append(_removal(at, member.where))

    def result(self, lines: tuple[int, ...]) -> GroupResult:
        """Return what the group has become."""
        entries = self._entries()
        if self._unused:
            reason = say(
                "it belongs to an event that cannot be read, and is not shown (nor are {number} in all)",
                number=len(self._unused),
            )
            self._problems.append(Problem(where=self._unused[0], kind="warning", reason=reason, key=self._uid))
        return GroupResult(
            lines=lines,
            entry=entries[0] if entries else None,
            problems=tuple(self._problems),
            rejected=self._rejected(entries),
            sequence=max((event.rank[0] for event in (*self._events, *self._loose)), default=0),
            unusual=self._unusual(entries),
        )

    def _rejected(self, entries: Sequence[Entry]) -> tuple[str, ...]:
        """Return the names of what is in the file and cannot be used, also by the name that it may have had alone."""
        if entries and not self._unread:
            return ()
        rejected = {self._uid, *(self._named(start) for start in self._unread if start and entries)}
        return tuple(sorted(rejected.difference(entry.uid for entry in entries)))

    def _unusual(self, entries: Sequence[Entry]) -> Unusual | None:
        nameless = bool(entries) and not all(self._unread)
        if len(entries) < 2 and not self._loose and not nameless:
            return None
        doubt = say(
            "one of the events with the UID {uid!r} cannot be read, and it is not known which it is", uid=self._uid
        )
        return Unusual(
            entries=tuple(entries[1:]),
            loose=tuple(_override(event, "") for event in self._latest(self._loose, _occurrence)),
            incomplete=doubt if nameless else "",
        )

    def _read(self, member: Member, series: Home | None) -> VEvent | None:
        """Return the VEVENT, or None with a problem that says what it costs."""
        if member.broken:
            reason = say("the event cannot be read: {reason}", reason=member.broken)
            self._reject(member.where, _with_cost(reason, member.text, series), title_of(member.text))
            return None
        try:
            event = read_event(member.text, member.facts, where=member.where, series=series)
        except (ValueError, OverflowError) as error:
            said = _LATE if isinstance(error, OverflowError) else reason_of(error)
            self._reject(member.where, _with_cost(said, member.text, series), title_of(member.text))
            return None
        except Exception as error:  # noqa: BLE001 - what one event meets must not stop the others
            self._reject(member.where, entry_crashed(member.where, error), "")
            return None
        for warning in event.warnings:
            self._problems.append(Problem(where=event.where, kind="warning", reason=warning, key=self._uid))
        return event

    def _reject(self, where: str, reason: str, title: str) -> None:
        self._problems.append(Problem(where=where, kind="rejected", reason=reason, key=self._uid, title=title))

    def _latest(self, events: Iterable[VEvent], name: Callable[[VEvent], Hashable]) -> list[VEvent]:
        """Return the latest version of each; of equal ranks the first, with a problem if the contents differ."""
        kept: dict[Hashable, VEvent] = {}
        for event in events:
            other = kept.get(name(event))
            if other is None or event.rank > other.rank:
                kept[name(event)] = event
            # A feed may repeat an event, which is harmless; two contents of one version are a contradiction.
            elif event.rank == other.rank and not _says_the_same(event, other):
                reason = say(
                    "the same event with the same SEQUENCE and DTSTAMP, but other content, stands at {where}, "
                    "so this one is not used",
                    where=other.where,
                )
                self._reject(event.where, reason, event.details.title)
        return list(kept.values())

    def _owner(self, text: str) -> _Series:
        """Return the series that a change belongs to: the only one that repeats, else the last begun by then."""
        if len(self._series) == 1:
            return self._series[0]
        repeating = [one for one in self._series if one.main.recurrence is not None] or self._series
        walls = [(read_occurrence(text, one.main.home), one) for one in repeating]
        begun = [(_wall(one), one) for at, one in walls if at is not None and _wall(one).date() <= at.wall.date()]
        return max(begun, key=lambda pair: pair[0])[1] if begun else repeating[0]

    def _entries(self) -> tuple[Entry, ...]:
        if not self._series:
            loose = self._latest(self._loose, _occurrence)
            return (_without_master(self._uid, loose),) if loose else ()
        number = len(self._series) + len(self._unread)
        repeating = [one for one in self._series if one.main.recurrence is not None]
        if number > 1:
            first = self._series[0].main
            reason = say(
                "{number} events of different starts share the UID {uid!r}; each is an entry of its own",
                number=number,
                uid=self._uid,
            )
            self._problems.append(Problem(where=first.where, kind="warning", reason=reason, key=self._uid))
        names: dict[str, _Series] = {}
        for one in self._series:
            keeps = number == 1 or repeating == [one]
            name = self._uid if keeps else self._named(f"{_wall(one):%Y%m%dT%H%M%S}")
            names[name if name not in names else f"{name} {len(names)}"] = one
        return tuple(self._entry(name, one) for name, one in names.items())

    def _entry(self, name: str, series: _Series) -> Entry:
        main = series.main
        changes = self._latest(series.changes, _occurrence)
        named = {change.at for change in changes}
        expanded = [one for one in series.expanded if one.at not in named and not says_nothing(one, main)]
        changes += self._latest(expanded, _occurrence)
        title = main.details.title
        return Entry(
            uid=name,
            where=main.where,
            details=main.details,
            span=main.span,
            recurrence=main.recurrence,
            overrides=(*(_override(event, title) for event in changes), *series.removed),
        )

    def _named(self, start: str) -> str:
        return f"{self._uid}#{start}"


def _with_cost(reason: str, text: str, series: Home | None) -> str:
    """Return why an event cannot be read; that of a change ends with the occurrence that it costs."""
    if series is None:
        return reason
    at = read_occurrence(text, series)
    if at is None:
        return say(
            "{reason}; which occurrence it changes is not known, so the series is shown without this change",
            reason=reason,
        )
    day = at.wall.date() if at.zone is None else at.wall
    return say("{reason}; only the occurrence of {day} is left out", reason=reason, day=day)


def _start_text(text: str) -> str:
    """Return the start of an event that cannot be read, as names of entries have it, "" if it cannot be read either."""
    found = _START.search(text)
    try:
        return f"{read_stamp(found[1].strip())[0]:%Y%m%dT%H%M%S}" if found else ""
    except ValueError:
        return ""


def _says_the_same(one: VEvent, other: VEvent) -> bool:
    return replace(one, where=other.where, warnings=other.warnings, home=other.home) == other


def _wall(series: _Series) -> datetime:
    start = series.main.home.start
    assert start is not None
    return start.wall


def _start(event: VEvent) -> Hashable:
    start = event.home.start
    assert start is not None
    return start.wall, start.zone


def _occurrence(event: VEvent) -> Hashable:
    return event.at, event.this_and_future


def _override(event: VEvent, title: str) -> Override:
    """Return an event as a changed occurrence; without a SUMMARY of its own it has that of its series."""
    assert event.at is not None
    details = event.details if event.details.title or not title else replace(event.details, title=title)
    return Override(
        at=event.at, span=event.span, details=details, where=event.where, this_and_future=event.this_and_future
    )


def _removal(at: Moment, where: str) -> Override:
    return Override(at=at, span=removed_span(at), details=Details(title="", status="CANCELLED"), where=where)


def _without_master(uid: str, events: Sequence[VEvent]) -> Entry:
    """Return the event of one override, or a series of the occurrences that several replace, overridden there."""
    if len(events) == 1:
        (main,) = events
        return Entry(uid=uid, where=main.where, details=main.details, span=main.span)
    named = sorted((_override(event, "") for event in events), key=lambda one: (one.at.wall, one.where))
    stands = [_placed(one) for one in named]
    return Entry(
        uid=uid,
        where=named[0].where,
        details=named[0].details,
        span=stands[0],
        recurrence=Recurrence(rdates=tuple(stands[1:])),
        overrides=tuple(named),
    )


def _placed(override: Override) -> Span:
    """Return the override's span moved to the occurrence that it replaces."""
    at, span = override.at, override.span
    if isinstance(span, AllDay) or at.zone is None:
        days = span.days if isinstance(span, AllDay) else 1
        return AllDay(first=at.wall.date(), end=at.wall.date() + timedelta(days=days))
    return moved(span, at.wall, at.zone)
