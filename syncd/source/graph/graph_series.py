"""A series of Microsoft Graph in the terms of RFC 5545: its rule, proved by the occurrences listed, and exceptions.

what the rule gives      what Graph lists on that day        the series
an occurrence            the same                            an occurrence of the rule
an occurrence            nothing                             EXDATE: it was cancelled, which no listing says
an occurrence            an exception of that day            an override
nothing                  an occurrence                       the rule is not understood: all days as they are listed

Outside the days that are listed, the days of cancelled occurrences count that the details of the series name. Pure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from syncd.lang.saying import say
from syncd.model.recurrence import rfc
from syncd.model.recurrence.rrule import Rule, parse
from syncd.model.recurrence.wall import DAY, as_date, as_datetime, clock_of, day_seconds, seconds
from syncd.source.accounts.told import At, Told, Wall
from syncd.source.graph.graph_event import Clocks, GraphEvent, given, times_of, told_of
from syncd.source.graph.graph_known import KnownSeries, View, as_of, instant_of, length_days
from syncd.source.graph.graph_pattern import PatternedRecurrence, UnknownPatternError, first_day, rule_of
from syncd.source.reasons import reason_of

_EDGE = timedelta(days=2)
"""A view is bounded by instants and a series has days in its own zone: no zone is farther than that."""
_BEYOND = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read a series: the rule, the zone that its days are in (None: whole days), and the days it gives."""

    rule: str
    zone: str | None
    clock: int
    days: tuple[date, ...]

    def at(self, day: date) -> At:
        """Return the occurrence of a day."""
        if self.zone is None:
            return day
        return Wall(wall=as_datetime(day_seconds(day) + self.clock), zone=self.zone)

    def day_of(self, start: int) -> date:
        """Return the day of an instant in seconds; of whole days it is written as midnight UTC."""
        return as_date(start if self.zone is None else clock_of(self.zone).wall(start))


def told_series(series: KnownSeries, views: tuple[View, ...], clocks: Clocks) -> tuple[Told, ...]:
    """Return the master of a series, and its exceptions as changed occurrences.

    Raises ValueError with the reason if it cannot be used.
    """
    master = series.master
    if master is None:
        raise ValueError(say("its occurrences are listed, and the series itself is not there (look at it in Outlook)"))
    recurrence = master.recurrence
    if not isinstance(recurrence, PatternedRecurrence):
        return _as_listed(series, master, views, clocks, say("it is a series without a pattern"))
    try:
        reading = _reading(series, master, recurrence, views, clocks)
    except (UnknownPatternError, rfc.TooOftenError) as error:
        return _as_listed(series, master, views, clocks, reason_of(error))
    if reading is None:
        return _as_listed(series, master, views, clocks, say("its occurrences are not those of its pattern"))
    return _by_rule(series, master, reading, views, clocks)


def gaps(series: KnownSeries, views: tuple[View, ...], clocks: Clocks) -> tuple[date, ...]:
    """Return the days on which the series should have an occurrence, and nothing says what became of it."""
    master = series.master
    if master is None or not isinstance(master.recurrence, PatternedRecurrence):
        return ()
    try:
        reading = _reading(series, master, master.recurrence, views, clocks)
    except ValueError:
        return ()
    if reading is None:
        return ()
    named = {*(series.cancelled or ()), *_placed(series, reading, clocks)}
    return tuple(day for day in _unlisted(series, master, reading, views) if day not in named)


def _reading(
    series: KnownSeries,
    master: GraphEvent,
    recurrence: PatternedRecurrence,
    views: tuple[View, ...],
    clocks: Clocks,
) -> Reading | None:
    """Return the reading that has all the occurrences that are listed and misses the fewest, None if there is none."""
    end = max(view.end for view in views)
    for zone in _zones(master, recurrence, clocks):
        clock, first = _time_of_day(master, zone), first_day(recurrence.range)
        readings = (
            Reading(rule=rule, zone=zone, clock=clock, days=_days(rule, first, clock, zone, end))
            for rule in rule_of(recurrence, zone)
        )
        fitting = [one for one in readings if _explains(one, series)]
        if fitting:
            return min(fitting, key=lambda one: _misses(one, series, master, views, clocks))
    return None


def _misses(reading: Reading, series: KnownSeries, master: GraphEvent, views: tuple[View, ...], clocks: Clocks) -> int:
    """Return how much of what is known of a series a reading leaves unexplained."""
    placed = _placed(series, reading, clocks)
    cancelled = frozenset(series.cancelled or ())
    gone = sum(1 for day in _unlisted(series, master, reading, views) if day not in placed and day not in cancelled)
    return gone + len(series.exceptions) - len(placed) + len(cancelled - frozenset(reading.days))


def _zones(master: GraphEvent, recurrence: PatternedRecurrence, clocks: Clocks) -> tuple[str | None, ...]:
    """Return the zones that the days of a series may be in; of a zone that is not known, the listing has to tell."""
    if given(master.is_all_day, default=False):
        return (None,)
    named = (recurrence.range.recurrence_time_zone or "", given(master.original_start_time_zone, ""))
    known = [zone for name in named if (zone := clocks.known(name)) is not None]
    return tuple(dict.fromkeys([*known, clocks.usual, "UTC"]))


def _time_of_day(master: GraphEvent, zone: str | None) -> int:
    begin, _ = times_of(master)
    return 0 if zone is None else clock_of(zone).wall(seconds(begin)) % DAY


def _days(rule: str, first: date, clock: int, zone: str | None, end: date) -> tuple[date, ...]:
    """Return the days that a rule gives, for a year beyond the last view."""
    parsed = parse(rule)
    limit = _last_start(parsed, zone)
    found: list[date] = []
    for wall in rfc.starts(parsed, day_seconds(first) + clock, day_seconds(end + _BEYOND)):
        if (limit is not None and wall > limit) or len(found) == parsed.count:
            break
        found.append(as_date(wall))
    return tuple(found)


def _last_start(rule: Rule, zone: str | None) -> int | None:
    """Return the last wall clock that UNTIL allows, None without it."""
    if rule.until is None:
        return None
    wall = seconds(rule.until.wall)
    return wall if zone is None else clock_of(zone).wall(wall)


def _explains(reading: Reading, series: KnownSeries) -> bool:
    """Return True if every occurrence that is listed begins when one of the rule does."""
    days = frozenset(reading.days)
    return all(_is_of_rule(start, days, reading) for start in series.listed.values())


def _is_of_rule(start: int, days: frozenset[date], reading: Reading) -> bool:
    day = reading.day_of(start)
    if reading.zone is None:
        return start % DAY == 0 and day in days
    zoned = clock_of(reading.zone)
    wall = day_seconds(day) + reading.clock
    # A time that a day skips or repeats may be read in two ways; there is only one occurrence on that day.
    return day in days and (zoned.unix(wall) == start or not zoned.is_plain(wall))


def _unlisted(series: KnownSeries, master: GraphEvent, reading: Reading, views: Iterable[View]) -> Iterator[date]:
    """Yield the days of the rule that a view should list and does not."""
    listed = {reading.day_of(start) for start in series.listed.values()}
    # What began before the view and lasts into it may be listed or not; so may what touches its edges in some zone.
    early = timedelta(days=length_days(master) + 1)
    for view in views:
        first = bisect_left(reading.days, view.first + early)
        end = bisect_right(reading.days, view.end - _EDGE)
        yield from (day for day in reading.days[first:end] if day not in listed)


def _placed(series: KnownSeries, reading: Reading, clocks: Clocks) -> dict[date, GraphEvent]:
    """Return the exceptions by the day of the rule that each of them stands for."""
    days = frozenset(reading.days)
    found: dict[date, GraphEvent] = {}
    for _, event in sorted(series.exceptions.items()):
        day = next((day for day in _originals(event, reading, clocks) if day in days and day not in found), None)
        if day is not None:
            found[day] = event
    return found


def _originals(event: GraphEvent, reading: Reading, clocks: Clocks) -> Iterator[date]:
    """Yield the days that an exception may stand for, as its occurrenceId and its originalStart tell."""
    if (day := as_of(given(event.occurrence_id, ""))) is not None:
        yield day
    moment = instant_of(given(event.original_start, ""))
    if moment is None:
        return
    yield reading.day_of(seconds(moment))
    if reading.zone is None:
        # Of whole days some servers write midnight UTC, and some the midnight of the zone the event was made in.
        yield as_date(clock_of(clocks.of(event)).wall(seconds(moment)))


def _by_rule(
    series: KnownSeries, master: GraphEvent, reading: Reading, views: tuple[View, ...], clocks: Clocks
) -> tuple[Told, ...]:
    if not reading.days:
        raise ValueError(say("its pattern gives no day at all (give it a usual repetition)"))
    placed = _placed(series, reading, clocks)
    listed = {reading.day_of(start) for start in series.listed.values()}
    # Where a day is listed it takes place, whatever else is said of it.
    cancelled = {day for day in series.cancelled or () if day not in listed}
    missing = ({*_unlisted(series, master, reading, views)} | cancelled) & set(reading.days) - placed.keys()
    others = [event for event in series.exceptions.values() if event not in placed.values()]
    lost = _loose(others, reading, clocks)
    told = _moved(told_of(master, clocks, reading.zone), reading.at(reading.days[0]))
    lines = (
        f"RRULE:{reading.rule}",
        *(f"RDATE{_stamp(at)}" for at, _ in lost),
        *(f"EXDATE{_stamp(reading.at(day))}" for day in sorted(missing)),
    )
    changed = (_changed(event, reading.at(day), clocks) for day, event in sorted(placed.items()))
    notes = tuple(_unplaced(others, reading.zone))
    return (
        replace(told, recurrence=lines, notes=notes),
        *changed,
        *(_changed(event, at, clocks) for at, event in lost),
    )


def _loose(events: Iterable[GraphEvent], reading: Reading, clocks: Clocks) -> tuple[tuple[At, GraphEvent], ...]:
    """Return exceptions of which nothing tells the day they stand for, as further occurrences where they now are.

    The day that they stand for is a gap in the series in any case.
    """
    found: dict[str, tuple[At, GraphEvent]] = {}
    for event in events:
        at = _own_start(event, reading.zone)
        if at is not None:
            found.setdefault(_stamp(at), (at, event))
    return tuple(found[stamp] for stamp in sorted(found))


def _unplaced(events: Iterable[GraphEvent], zone: str | None) -> Iterator[str]:
    """Yield a note for each exception that says neither which day it stands for nor when it is."""
    for event in events:
        if _own_start(event, zone) is None:
            if isinstance(event.broken, str):
                yield say(
                    "a changed occurrence cannot be read ({error}) and nothing says which it is, so it is left out",
                    error=event.broken,
                )
            else:
                yield say("a changed occurrence cannot be read and nothing says which it is, so it is left out")


def _own_start(event: GraphEvent, zone: str | None) -> At | None:
    try:
        begin, _ = times_of(event)
    except ValueError:
        return None
    return begin.date() if zone is None else Wall(wall=as_datetime(clock_of(zone).wall(seconds(begin))), zone=zone)


def _moved(told: Told, start: At) -> Told:
    """Return a master whose first occurrence is at `start`, with its length on the clock."""
    before, end = told.start, told.end
    if isinstance(start, Wall) and isinstance(before, Wall) and isinstance(end, Wall):
        return replace(told, start=start, end=Wall(wall=end.wall + (start.wall - before.wall), zone=end.zone))
    if not isinstance(start, Wall) and not isinstance(before, Wall | None) and not isinstance(end, Wall | None):
        return replace(told, start=start, end=end + (start - before))
    return told


def _changed(event: GraphEvent, at: At, clocks: Clocks) -> Told:
    """Return an exception as what changes the occurrence `at`; one that cannot be read takes it away, with a note."""
    usual = at.zone if isinstance(at, Wall) else None
    own = clocks.known(given(event.original_start_time_zone, ""))
    try:
        return replace(told_of(event, clocks, own or usual), at=at)
    except ValueError as error:
        day = at.wall.date() if isinstance(at, Wall) else at
        note = say(
            "the occurrence of {day} was changed to what cannot be read, so it is left out: {reason}",
            day=day,
            reason=reason_of(error),
        )
        return Told(id=str(day), at=at, status="CANCELLED", notes=(note,))


def _as_listed(
    series: KnownSeries, master: GraphEvent, views: tuple[View, ...], clocks: Clocks, because: str
) -> tuple[Told, ...]:
    """Return a series by the days that are listed; raises ValueError if there are none."""
    zone = None if given(master.is_all_day, default=False) else clocks.of(master)
    clock = _time_of_day(master, zone)
    reading = Reading(rule="", zone=zone, clock=clock, days=())
    exceptions = _loose(series.exceptions.values(), reading, clocks)
    starts = {
        _stamp(at): at for at in (*(_start(one, zone) for one in series.listed.values()), *(a for a, _ in exceptions))
    }
    if not starts:
        raise ValueError(
            say("{reason}, and no occurrence of it is listed (give it a usual repetition)", reason=because)
        )
    first, *others = (starts[stamp] for stamp in sorted(starts))
    last = max(view.end for view in views)
    told = _moved(told_of(master, clocks, zone), first)
    master_told = replace(
        told,
        recurrence=tuple(f"RDATE{_stamp(at)}" for at in others),
        notes=(
            say("{reason}; it is shown on the days that Graph lists, until {day}", reason=because, day=last),
            *_unplaced(series.exceptions.values(), zone),
        ),
    )
    return (master_told, *(_changed(event, at, clocks) for at, event in exceptions))


def _start(start: int, zone: str | None) -> At:
    return as_date(start) if zone is None else Wall(wall=as_datetime(clock_of(zone).wall(start)), zone=zone)


def _stamp(at: At) -> str:
    """Return a day or time as the end of a line of EXDATE or RDATE."""
    if not isinstance(at, Wall):
        return f";VALUE=DATE:{at:%Y%m%d}"
    return f":{at.wall:%Y%m%dT%H%M%S}Z" if at.zone == "UTC" else f";TZID={at.zone}:{at.wall:%Y%m%dT%H%M%S}"
