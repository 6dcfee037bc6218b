"""An entry's occurrences as RFC 5545 gives them: rules, RDATE, EXDATE and overrides joined, each with a lasting name.

Matching is by instant, or by day where an exception is given as a date. An occurrence keeps the wall-clock length of
the first one (the exact length where start and end have different zones). DTSTART always counts, even if its rule does
not hit it; EXDATE beats an override. recurring_ical_events reads all this the same way.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from syncd.lang.saying import say
from syncd.model import zones
from syncd.model.entry import AllDay, Details, Entry, Moment, Override, Recurrence, Span, Timed
from syncd.model.recurrence import rfc
from syncd.model.recurrence.rrule import Rule, Until
from syncd.model.recurrence.wall import DAY, as_date, as_datetime, clock_of, day_seconds, seconds

_NEVER_FIRES = say("the recurrence rule never fires, correct it in the source")
_UNTIL_TOO_EARLY = say("the recurrence rule never fires; UNTIL lies before the start, correct it in the source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A stretch of the series with one length, shift and set of details: the series itself, or from THISANDFUTURE on.

    `shift` moves each original start by seconds; `span` gives the length and zones; `since` is the original start from
    which on it holds.
    """

    since: int
    shift: int
    span: Span
    details: Details
    where: str

    def walls_at(self, original: int) -> tuple[int, int]:
        """Return start and end wall clocks of the occurrence named by `original` (all-day: first and last midnight)."""
        start = original + self.shift
        if isinstance(self.span, AllDay):
            start = start // DAY * DAY
            return start, start + (self.span.days - 1) * DAY
        if self.span.zone == self.span.end_zone:
            return start, start + int((self.span.end - self.span.start).total_seconds())
        begin, end = clock_of(self.span.zone), clock_of(self.span.end_zone)
        length = end.unix(seconds(self.span.end)) - begin.unix(seconds(self.span.start))
        return start, end.wall(begin.unix(start) + length)

    def span_at(self, original: int) -> Span:
        """Return the span of the occurrence whose original start is the wall clock `original`."""
        start, end = self.walls_at(original)
        if isinstance(self.span, AllDay):
            return AllDay(first=as_date(start), end=as_date(end + DAY))
        zones = self.span.zone, self.span.end_zone
        return Timed(start=as_datetime(start), end=as_datetime(end), zone=zones[0], end_zone=zones[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """An occurrence that stands alone: an override, or an RDATE of its own length. `original` is its name."""

    original: int
    span: Span
    details: Details
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStarts:
    """What one RRULE gives: original starts up to the horizon, before exceptions; `endless` if it goes on for ever."""

    rule: Rule
    starts: tuple[int, ...]
    endless: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """All of an entry's occurrences. `removed` are the original starts that exceptions and overrides take away."""

    rules: tuple[RuleStarts, ...]
    extra: tuple[int, ...]
    removed: frozenset[int]
    groups: tuple[Group, ...]
    singles: tuple[Single, ...]
    warnings: tuple[str, ...]

    def group_of(self, original: int) -> int:
        """Return the index of the group that an original start belongs to."""
        if len(self.groups) == 1:
            return 0
        return bisect_right([group.since for group in self.groups[1:]], original)


def start_of(span: Span) -> int:
    """Return the start of a span as a wall clock."""
    return seconds(span.start) if isinstance(span, Timed) else day_seconds(span.first)


def expand(entry: Entry, recurrence: Recurrence, rules: Iterable[Rule], *, horizon: int, far: int) -> Occurrences:
    """Join rules, RDATE, EXDATE and overrides of `entry`.

    Rules with an end are followed to `far`, the others to `horizon` (wall clocks). Raises rfc.TooOftenError.
    """
    return _Joiner(entry, recurrence).join(tuple(rules), horizon, far)


class _Joiner:
    """Builds one entry's `Occurrences`; lives for one call."""

    def __init__(self, entry: Entry, recurrence: Recurrence) -> None:
        self._entry = entry
        self._recurrence = recurrence
        self._zone = entry.span.zone if isinstance(entry.span, Timed) else None
        self._start = start_of(entry.span)
        self._warnings: list[str] = []
        self._days: dict[int, list[int]] = {}

    def join(self, rules: tuple[Rule, ...], horizon: int, far: int) -> Occurrences:
        expanded = tuple(self._without_repeats([self._run(rule, horizon, far) for rule in rules]))
        known = {start for one in expanded for start in one.starts}
        extra = set() if self._ends_before_start(rules) else {self._start} - known
        singles = list(self._rdates(known, extra))
        own_length = {single.original for single in singles}
        known = (known | extra) - own_length
        named = known | own_length
        excluded = self._excluded(named)
        overrides = self._overrides(named, excluded)
        followed = {original for original, one in overrides.items() if one.this_and_future and original in known}
        removed = excluded | (overrides.keys() - followed) | own_length
        singles = [single for single in singles if single.original not in excluded | overrides.keys()]
        groups = [
            Group(
                since=self._start, shift=0, span=self._entry.span, details=self._entry.details, where=self._entry.where
            )
        ]
        for original, override in sorted(overrides.items()):
            if override.this_and_future:
                groups.append(self._group(original, override))
            if override.details.status != "CANCELLED" and original not in followed:
                singles.append(
                    Single(original=original, span=override.span, details=override.details, where=override.where)
                )
        cut = _cancelled_ranges(groups)
        gone = {start for start in known if any(low <= start < high for low, high in cut)}
        return Occurrences(
            rules=tuple(
                RuleStarts(
                    rule=one.rule, starts=one.starts, endless=one.endless and groups[-1].details.status != "CANCELLED"
                )
                for one in expanded
            ),
            extra=tuple(sorted(extra)),
            removed=frozenset(removed | gone),
            groups=tuple(groups),
            singles=tuple(sorted(singles, key=lambda single: single.original)),
            warnings=tuple(self._warnings),
        )

    def _run(self, rule: Rule, horizon: int, far: int) -> RuleStarts:
        limit = horizon if rule.is_endless else far
        last = self._last_start(rule.until) if rule.until is not None else None
        found: list[int] = []
        for start in rfc.starts(rule, self._start, limit if last is None else min(limit, last)):
            found.append(start)
            if rule.count is not None and len(found) >= rule.count:
                break
        counted_out = rule.count is not None and len(found) >= rule.count
        if not found:
            too_early = last is not None and last < self._start
            self._warnings.append(_UNTIL_TOO_EARLY if too_early else _NEVER_FIRES)
        ended = counted_out or (last is not None and last <= limit)
        return RuleStarts(rule=rule, starts=tuple(found), endless=not ended and bool(found))

    def _last_start(self, until: Until) -> int:
        """Return the last wall clock that UNTIL allows; a date allows its whole day."""
        wall = seconds(until.wall)
        if until.is_day or self._zone is None:
            return wall // DAY * DAY + DAY - 1
        if not until.utc:
            return wall
        clock = clock_of(self._zone)
        local = clock.wall(wall)
        if clock.unix(local) == wall:
            return local
        # in the second pass of a repeated hour, where every start of the first pass lies before it
        switch = clock.switches(wall - DAY, wall)[-1]
        return switch + clock.offset(switch - 1) - 1

    def _ends_before_start(self, rules: tuple[Rule, ...]) -> bool:
        ends = [self._last_start(rule.until) for rule in rules if rule.until is not None]
        return bool(ends) and max(ends) < self._start and len(ends) == len(rules)

    def _without_repeats(self, runs: list[RuleStarts]) -> Iterator[RuleStarts]:
        seen: set[int] = set()
        for run in runs:
            fresh = tuple(start for start in run.starts if start not in seen) if seen else run.starts
            seen.update(fresh)
            yield RuleStarts(rule=run.rule, starts=fresh, endless=run.endless and bool(fresh))

    def _rdates(self, known: set[int], extra: set[int]) -> Iterator[Single]:
        """Sort RDATEs into plain further starts (added to `extra`) and those with a length of their own."""
        plain = Group(since=0, shift=0, span=self._entry.span, details=self._entry.details, where=self._entry.where)
        seen: set[int] = set()
        for span in self._recurrence.rdates:
            original = start_of(span)
            if isinstance(span, Timed) and self._zone is not None:
                original = self._local(Moment(wall=span.start, zone=span.zone))
            if original in seen:
                continue
            seen.add(original)
            if not _same_moment(span, plain.span_at(original)):
                extra.discard(original)
                yield Single(original=original, span=span, details=self._entry.details, where=self._entry.where)
            elif original not in known:
                extra.add(original)

    def _local(self, moment: Moment) -> int:
        """Return the wall clock of `moment` in the series' zone (all-day series: its day)."""
        wall = seconds(moment.wall)
        if self._zone is None:
            return wall // DAY * DAY
        if moment.zone is None or zones.same(moment.zone, self._zone):
            return wall
        return clock_of(self._zone).wall(clock_of(moment.zone).unix(wall))

    def _matches(self, moment: Moment, known: set[int]) -> list[int]:
        """Return the known starts that an EXDATE or RECURRENCE-ID names: the instant, or all of a date."""
        local = self._local(moment)
        if self._zone is not None and moment.zone is None:
            if not self._days:
                self._days = _by_day(known)
            return self._days.get(local // DAY, [])
        return [local] if local in known else []

    def _excluded(self, known: set[int]) -> set[int]:
        excluded: set[int] = set()
        unmatched: list[Moment] = []
        for moment in self._recurrence.exdates:
            found = self._matches(moment, known)
            excluded.update(found)
            if not found and known and min(known) <= self._local(moment) <= max(known):
                unmatched.append(moment)
        if unmatched:
            named = tuple(_moment_text(moment) for moment in unmatched[:3]) + (("...",) if unmatched[3:] else ())
            self._warnings.append(
                say("EXDATE {named} hits no occurrence; give the exact start that is to be left out", named=named)
            )
        return excluded

    def _overrides(self, known: set[int], excluded: set[int]) -> dict[int, Override]:
        chosen: dict[int, Override] = {}
        for override in self._entry.overrides:
            found = self._matches(override.at, known)
            original = found[0] if found else self._local(override.at)
            name = _moment_text(override.at)
            # An EXDATE on the first day of a change of all later ones takes that day alone.
            if original in excluded and not override.this_and_future:
                self._warnings.append(
                    say(
                        "{where}: EXDATE removes the occurrence of {name} that RECURRENCE-ID changes; it is left out,"
                        " drop one of the two",
                        where=override.where,
                        name=name,
                    )
                )
                continue
            if original in chosen:
                self._warnings.append(
                    say(
                        "{where}: two overrides for the occurrence of {name}; the last one counts, drop the other",
                        where=override.where,
                        name=name,
                    )
                )
            elif not found:
                self._warnings.append(_stray(override, name))
            if len(found) > 1:
                self._warnings.append(
                    say(
                        "{where}: RECURRENCE-ID {name} is a date with several occurrences; the first is changed, give"
                        " the exact start",
                        where=override.where,
                        name=name,
                    )
                )
            chosen[original] = override
        return chosen

    def _group(self, original: int, override: Override) -> Group:
        """Return what THISANDFUTURE makes of the rest: the same shift in time, and the override's length (3.2.13)."""
        span = override.span
        if isinstance(span, Timed) and self._zone is not None and not zones.same(span.zone, self._zone):
            begin, series = clock_of(span.zone).unix(seconds(span.start)), clock_of(self._zone)
            end = clock_of(span.end_zone).unix(seconds(span.end))
            span = Timed(
                start=as_datetime(series.wall(begin)),
                end=as_datetime(series.wall(end)),
                zone=self._zone,
                end_zone=self._zone,
            )
        return Group(
            since=original, shift=start_of(span) - original, span=span, details=override.details, where=override.where
        )


def _cancelled_ranges(groups: list[Group]) -> list[tuple[int, float]]:
    ends: list[float] = [group.since for group in groups[1:]]
    return [
        (group.since, end)
        for group, end in zip(groups, [*ends, float("inf")], strict=True)
        if group.details.status == "CANCELLED" and group is not groups[0]
    ]


def _by_day(starts: Iterable[int]) -> dict[int, list[int]]:
    days: dict[int, list[int]] = {}
    for start in sorted(starts):
        days.setdefault(start // DAY, []).append(start)
    return days


def _same_moment(one: Span, other: Span) -> bool:
    if isinstance(one, Timed) and isinstance(other, Timed):
        return instants(one) == instants(other)
    return one == other


def instants(span: Timed) -> tuple[int, int]:
    """Return the unix times of a span's start and end."""
    return clock_of(span.zone).unix(seconds(span.start)), clock_of(span.end_zone).unix(seconds(span.end))


def last_day(span: Span) -> date:
    """Return the last day that a span touches; an end at midnight does not touch the day it begins."""
    if isinstance(span, AllDay):
        return span.end - timedelta(days=1)
    end = span.end - timedelta(seconds=1) if span.end > span.start else span.end
    return max(end.date(), span.start.date())


def _stray(override: Override, name: str) -> str:
    """Return the warning about an override of an occurrence that the series does not have."""
    if override.details.status == "CANCELLED":
        return say(
            "{where}: RECURRENCE-ID {name} names no occurrence; nothing to cancel, correct or drop it",
            where=override.where,
            name=name,
        )
    return say(
        "{where}: RECURRENCE-ID {name} names no occurrence; shown as an event of its own, correct or drop it",
        where=override.where,
        name=name,
    )


def _moment_text(moment: Moment) -> str:
    if moment.zone is None:
        return say("{day}", day=moment.wall.date())
    return say("{moment} {zone}", moment=moment.wall, zone=moment.zone)
