"""Events that repeat occurrences of a series with their UID and lack RECURRENCE-ID, as programs that expand write them.

Shown as events of their own they would stand twice. What begins at the very start of an occurrence is taken for it; at
another time of its day only where others show that the series is expanded, for it may as well be a further event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from syncd.model.entry import AllDay, Entry, Moment, Timed
from syncd.model.recurrence.occurrences import expand
from syncd.model.recurrence.rrule import parse
from syncd.model.recurrence.wall import DAY, as_datetime, seconds
from syncd.source.ical.time_values import moved_to
from syncd.source.ical.vevent import VEvent

_ENOUGH = 2
"""So many events at starts of a series, and none elsewhere, are its occurrences whatever their titles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expanded:
    """A series, what of its UID are its occurrences, as changes, and what stands on a day of it and may be one."""

    series: VEvent
    changes: tuple[VEvent, ...]
    doubted: tuple[VEvent, ...]


def find_expanded(events: Sequence[VEvent]) -> Expanded | None:
    """Return the only series among events of one UID with those that are its occurrences, None if there are none.

    These have its title, or there are several and no event stands elsewhere.
    """
    repeating = [event for event in events if event.recurrence is not None]
    others = [event for event in events if event.recurrence is None]
    if len(repeating) != 1 or not others:
        return None
    (series,) = repeating
    walls = [(event, seconds(wall)) for event in others if (wall := _wall(event, series)) is not None]
    starts = _starts(series, [wall for _, wall in walls])
    hits = [(event, wall) for event, wall in walls if wall in starts and not _is_newer(event, series)]
    sure = len(hits) == len(others)
    title = series.details.title
    same = [(event, wall) for event, wall in hits if event.details.title == title]
    taken = hits if sure and len(hits) >= _ENOUGH else same
    near = [(event, wall) for event, wall in walls if wall not in starts and event.details.title == title]
    if len(taken) >= _ENOUGH:
        taken = [*taken, *_moved(near, starts.difference(wall for _, wall in hits))]
    known = {event.where for event, _ in taken}
    days = {start // DAY for start in starts}
    found = Expanded(
        series=series,
        changes=tuple(_as_change(event, series, wall) for event, wall in taken),
        doubted=tuple(event for event, wall in (*hits, *near) if wall // DAY in days and event.where not in known),
    )
    return found if found.changes or found.doubted else None


def _moved(near: Sequence[tuple[VEvent, int]], free: frozenset[int]) -> Iterator[tuple[VEvent, int]]:
    """Yield the events that alone share their day with one occurrence that has no event yet, and its start."""
    days = Counter(wall // DAY for _, wall in near)
    starts = Counter(start // DAY for start in free)
    at = {start // DAY: start for start in free}
    for event, wall in near:
        if days[wall // DAY] == starts[wall // DAY] == 1:
            yield event, at[wall // DAY]


def _as_change(event: VEvent, series: VEvent, start: int) -> VEvent:
    zone = series.span.zone if isinstance(series.span, Timed) else None
    return replace(event, at=Moment(wall=as_datetime(start), zone=zone))


def _is_newer(event: VEvent, series: VEvent) -> bool:
    """Return True for what begins with the series itself and is another version of it, by SEQUENCE."""
    same = event.home.start == series.home.start
    return same and event.rank[0] != series.rank[0]


def says_nothing(change: VEvent, series: VEvent) -> bool:
    """Return True if a change leaves its occurrence as the series has it."""
    at, wall = change.at, _wall(change, series)
    return (
        at is not None and at.wall == wall and _length(change) == _length(series) and change.details == series.details
    )


def _starts(series: VEvent, walls: Sequence[int]) -> frozenset[int]:
    """Return the starts of a series up to the last of some wall clocks."""
    if series.recurrence is None or not walls:
        return frozenset()
    entry = Entry(uid="", where=series.where, details=series.details, span=series.span)
    last = max(walls)
    try:
        rules = tuple(parse(rule) for rule in series.recurrence.rules)
        found = expand(entry, series.recurrence, rules, horizon=last, far=last)
    except ValueError:  # it fires too often, which is told where it is made into items
        return frozenset()
    starts = {start for rule in found.rules for start in rule.starts} | set(found.extra)
    return frozenset(starts.difference(found.removed))


def _wall(event: VEvent, series: VEvent) -> datetime | None:
    """Return the start of an event on the clock of a series, None if only one of them has whole days."""
    span, main = event.span, series.span
    if isinstance(span, Timed) and isinstance(main, Timed):
        return moved_to(span.start, span.zone, main.zone)
    if isinstance(span, AllDay) and isinstance(main, AllDay):
        return datetime.combine(span.first, datetime.min.time())
    return None


def _length(event: VEvent) -> timedelta:
    span = event.span
    return span.end - span.start if isinstance(span, Timed) else span.end - span.first
