"""A series of Microsoft Graph as an entry: its rule, proved by the occurrences listed, and its exceptions. Pure.

what the rule gives      what Graph lists on that day        the entry
an occurrence            the same                            an occurrence of the rule
an occurrence            nothing                             EXDATE: it was cancelled, which no listing says
an occurrence            an exception of that day            an override
nothing                  an occurrence                       the rule is not understood: all days as they are listed

Outside the days that are listed, the days of cancelled occurrences count that the details of the series name.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from syncd.model.entry import AllDay, Entry, Moment, Override, Recurrence, Span, Timed
from syncd.model.recurrence import rfc
from syncd.model.recurrence.rrule import Rule, parse
from syncd.model.recurrence.wall import DAY, as_date, as_datetime, clock_of, day_seconds, seconds
from syncd.source.graph.graph_event import (
    GraphEvent,
    details_of,
    given,
    moved_to,
    span_of,
    zone_named,
)
from syncd.source.graph.graph_known import KnownSeries, View, as_of, instant_of, length_days
from syncd.source.graph.graph_pattern import PatternedRecurrence, UnknownPatternError, first_day, rule_of

_EDGE = timedelta(days=1)
"""A view is bounded by instants and a series has days in its own zone: no zone is farther than that."""
_LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFacts:
    """What has to be known besides a series: its calendar's owner and name, its place, the sync's zone, the views."""

    owner: str
    calendar: str
    where: str
    zone: str | None
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read a series: the rule, the zone that its days are in (None: whole days), and the days it gives."""

    rule: str
    zone: str | None
    days: tuple[date, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSeries:
    """The entries of a series, several if an exception has no place in it, and what could not be read as given."""

    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()


def read_series(series: KnownSeries, facts: SeriesFacts) -> ReadSeries:
    """Return a series as entries; raises ValueError with the reason if it cannot be used."""
    master = series.master
    if master is None:
        raise ValueError("Graph lists occurrences of a series that it does not have")
    recurrence = master.recurrence
    if not isinstance(recurrence, PatternedRecurrence):
        return _as_listed(series, master, facts, "it is a series without a pattern")
    try:
        reading = _reading(series, master, recurrence, facts)
    except (UnknownPatternError, rfc.TooOftenError) as error:
        return _as_listed(series, master, facts, str(error))
    if reading is None:
        return _as_listed(series, master, facts, "its occurrences are not those of its pattern")
    return _by_rule(series, master, reading, facts)


def gaps(series: KnownSeries, facts: SeriesFacts) -> tuple[date, ...]:
    """Return the days on which the series should have an occurrence, and nothing says what became of it."""
    master = series.master
    if master is None or not isinstance(master.recurrence, PatternedRecurrence):
        return ()
    try:
        reading = _reading(series, master, master.recurrence, facts)
    except ValueError:
        return ()
    if reading is None:
        return ()
    named = {*(series.cancelled or ()), *_exceptions(series, reading)}
    return tuple(day for day in _unlisted(series, master, reading, facts.views) if day not in named)


def _reading(
    series: KnownSeries, master: GraphEvent, recurrence: PatternedRecurrence, facts: SeriesFacts
) -> Reading | None:
    """Return the first reading that has all the occurrences that are listed, None if there is none."""
    for zone in _zones(master, recurrence, facts):
        for rule in rule_of(recurrence, zone):
            reading = Reading(rule=rule, zone=zone, days=_days(rule, master, first_day(recurrence.range), zone, facts))
            if _explains(reading, series, master):
                return reading
    return None


def _zones(master: GraphEvent, recurrence: PatternedRecurrence, facts: SeriesFacts) -> tuple[str | None, ...]:
    """Return the zones that the days of a series may be in; of a zone that nobody knows, the listing has to tell."""
    if given(master.is_all_day, default=False):
        return (None,)
    named = (recurrence.range.recurrence_time_zone or "", given(master.original_start_time_zone, ""))
    known = [zone for name in named if (zone := zone_named(name)) is not None]
    return tuple(dict.fromkeys([*known, facts.zone or "UTC", "UTC"]))


def _days(rule: str, master: GraphEvent, first: date, zone: str | None, facts: SeriesFacts) -> tuple[date, ...]:
    """Return the days that a rule gives, up to the last view's end; a rule that ends sooner, all of them."""
    parsed = parse(rule)
    clock = _time_of_day(master, zone)
    last = max(view.end for view in facts.views) + _LONGEST
    limit = _last_start(parsed, zone)
    found: list[date] = []
    for wall in rfc.starts(parsed, day_seconds(first) + clock, day_seconds(last)):
        if (limit is not None and wall > limit) or len(found) == parsed.count:
            break
        found.append(as_date(wall))
    return tuple(found)


def _last_start(rule: Rule, zone: str | None) -> int | None:
    """Return the last wall clock that UNTIL allows, None without it."""
    if rule.until is None:
        return None
    wall = seconds(rule.until.wall)
    return clock_of(zone).wall(wall) if zone is not None and rule.until.utc else wall


def _time_of_day(master: GraphEvent, zone: str | None) -> int:
    span = _span(master, zone, series=True)
    return 0 if isinstance(span, AllDay) else seconds(span.start) % DAY


def _span(event: GraphEvent, zone: str | None, *, series: bool = False) -> Span:
    """Return an event's span on its own clocks, where those are known, else on that of `zone`."""
    usual = zone or "UTC"
    if series:
        # The days of a series are in the zone of its pattern, whatever zone its first event was written in.
        return span_of(event, usual, usual, series=True)
    begins = zone_named(given(event.original_start_time_zone, "")) or usual
    ends = zone_named(given(event.original_end_time_zone, "")) or begins
    return span_of(event, begins, ends)


def _explains(reading: Reading, series: KnownSeries, master: GraphEvent) -> bool:
    """Return True if every occurrence that is listed begins when one of the rule does."""
    days, clock = frozenset(reading.days), _time_of_day(master, reading.zone)
    return all(_is_of_rule(start, days, clock, reading.zone) for start in series.listed.values())


def _is_of_rule(start: int, days: frozenset[date], clock: int, zone: str | None) -> bool:
    if zone is None:
        return start % DAY == 0 and as_date(start) in days
    zoned = clock_of(zone)
    day = as_date(zoned.wall(start))
    wall = day_seconds(day) + clock
    # A time that a day skips or repeats may be read in two ways; there is only one occurrence on that day.
    return day in days and (zoned.unix(wall) == start or not zoned.is_plain(wall))


def _listed_days(series: KnownSeries, zone: str | None) -> frozenset[date]:
    if zone is None:
        return frozenset(map(as_date, series.listed.values()))
    zoned = clock_of(zone)
    return frozenset(as_date(zoned.wall(start)) for start in series.listed.values())


def _unlisted(series: KnownSeries, master: GraphEvent, reading: Reading, views: Sequence[View]) -> Iterator[date]:
    """Yield the days of the rule that a view should list and does not."""
    listed = _listed_days(series, reading.zone)
    # What began before the view and lasts into it may be listed or not; so may what touches its edges in some zone.
    early = timedelta(days=length_days(master))
    for view in views:
        first = bisect_left(reading.days, view.first + early)
        end = bisect_right(reading.days, view.end - _EDGE - _EDGE)
        yield from (day for day in reading.days[first:end] if day not in listed)


def _exceptions(series: KnownSeries, reading: Reading) -> dict[date, GraphEvent]:
    """Return the exceptions by the day of the rule that each of them stands for."""
    days = frozenset(reading.days)
    found: dict[date, GraphEvent] = {}
    for _, event in sorted(series.exceptions.items()):
        day = next((day for day in _originals(event, reading.zone) if day in days and day not in found), None)
        if day is not None:
            found[day] = event
    return found


def _originals(event: GraphEvent, zone: str | None) -> Iterator[date]:
    """Yield the days that an exception may stand for, as its occurrenceId and its originalStart tell."""
    if (day := as_of(given(event.occurrence_id, ""))) is not None:
        yield day
    moment = instant_of(given(event.original_start, ""))
    if moment is None:
        return
    if zone is not None:
        yield as_date(clock_of(zone).wall(seconds(moment)))
        return
    # Of whole days some servers write midnight UTC, and some the midnight of the zone the event was made in.
    yield moment.date()
    if (own := zone_named(given(event.original_start_time_zone, ""))) is not None:
        yield as_date(clock_of(own).wall(seconds(moment)))


def _by_rule(series: KnownSeries, master: GraphEvent, reading: Reading, facts: SeriesFacts) -> ReadSeries:
    if not reading.days:
        return ReadSeries(entries=tuple(_alone(series.exceptions, facts)))
    main = moved_to(_span(master, reading.zone, series=True), reading.days[0])
    placed = _exceptions(series, reading)
    listed = _listed_days(series, reading.zone)
    # Where a day is listed it takes place, whatever else is said of it.
    cancelled = [day for day in series.cancelled or () if day not in listed]
    missing = {*_unlisted(series, master, reading, facts.views), *cancelled} & set(reading.days) - placed.keys()
    entry = Entry(
        uid=master.id,
        where=facts.where,
        details=details_of(master, facts.owner, facts.calendar),
        span=main,
        recurrence=Recurrence(
            rules=(reading.rule,), exdates=tuple(_moment(moved_to(main, day)) for day in sorted(missing))
        ),
        overrides=tuple(
            _override(event, _moment(moved_to(main, day)), reading.zone, facts) for day, event in sorted(placed.items())
        ),
    )
    lost = {one: event for one, event in series.exceptions.items() if event not in placed.values()}
    return ReadSeries(entries=(entry, *_alone(lost, facts)))


def _moment(span: Span) -> Moment:
    if isinstance(span, AllDay):
        return Moment(wall=datetime.combine(span.first, datetime.min.time()), zone=None)
    return Moment(wall=span.start, zone=span.zone)


def _override(event: GraphEvent, at: Moment, zone: str | None, facts: SeriesFacts) -> Override:
    return Override(
        at=at,
        span=_span(event, zone or facts.zone),
        details=details_of(event, facts.owner, facts.calendar),
        where=facts.where,
    )


def _alone(exceptions: dict[str, GraphEvent], facts: SeriesFacts) -> Iterator[Entry]:
    """Yield exceptions of which nothing tells the day they stand for; that day is a gap in the series anyway."""
    for identity, event in sorted(exceptions.items()):
        yield read_single(event, facts, identity)


def read_single(event: GraphEvent, facts: SeriesFacts, identity: str = "") -> Entry:
    """Return an event that stands alone; raises ValueError with the reason if it cannot be used."""
    return Entry(
        uid=identity or event.id,
        where=facts.where,
        details=details_of(event, facts.owner, facts.calendar),
        span=_span(event, facts.zone),
    )


def _as_listed(series: KnownSeries, master: GraphEvent, facts: SeriesFacts, because: str) -> ReadSeries:
    """Return a series by the days that are listed; raises ValueError if there are none."""
    if not series.listed and not series.exceptions:
        raise ValueError(f"{because}, and no occurrence of it is listed (give it a usual repetition)")
    alone = tuple(_alone(series.exceptions, facts))
    last = max(view.end for view in facts.views)
    warning = f"{because}; it is shown on the days that Graph lists, until {last}"
    if not series.listed:
        return ReadSeries(entries=alone, warnings=(warning,))
    spans = tuple(_listed_spans(series, master, facts))
    entry = Entry(
        uid=master.id,
        where=facts.where,
        details=details_of(master, facts.owner, facts.calendar),
        span=spans[0],
        recurrence=Recurrence(rdates=spans[1:]),
    )
    return ReadSeries(entries=(entry, *alone), warnings=(warning,))


def _listed_spans(series: KnownSeries, master: GraphEvent, facts: SeriesFacts) -> Iterator[Span]:
    zone = next((one for one in (zone_named(given(master.original_start_time_zone, "")), facts.zone) if one), "UTC")
    main = span_of(master, zone, zone, series=True)
    for start in sorted(set(series.listed.values())):
        if isinstance(main, AllDay):
            yield moved_to(main, as_date(start))
            continue
        wall = as_datetime(clock_of(zone).wall(start))
        yield Timed(start=wall, end=wall + (main.end - main.start), zone=zone, end_zone=zone)


def known_zone(event: GraphEvent) -> bool:
    """Return False for an event whose zone has a name that nobody knows: its clock is then the sync's."""
    name = given(event.original_start_time_zone, "")
    return not name or zone_named(name) is not None
