"""Compiles an entry into the fewest pieces that the portal shows exactly as RFC 5545 says.

    rules, exceptions -> carriers (from the rule alone) -> runs (cut at exceptions) -> candidates -> proof -> pieces
                                                                                     `- none passes: single events

Pieces are named by the original start they begin with, so that a change in one place leaves the names of all others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfoNotFoundError

from syncd.errors import message_of
from syncd.lang.saying import say, say_count
from syncd.model.entry import AllDay, Entry, Problem, Recurrence, Span, Timed, Window
from syncd.model.recurrence import rfc
from syncd.model.recurrence.carriers import Carried, by_weekday, carry, in_progressions, native_rules
from syncd.model.recurrence.conditions import Conditions
from syncd.model.recurrence.occurrences import Group, Occurrences, expand, last_day, start_of
from syncd.model.recurrence.piece import Compiled, Piece
from syncd.model.recurrence.portal_arithmetic import END_OF_TIME
from syncd.model.recurrence.proof import shows
from syncd.model.recurrence.rrule import Rule, RuleError, parse
from syncd.model.recurrence.runs import Run, is_hazardous, runs_of
from syncd.model.recurrence.summary import became
from syncd.model.recurrence.wall import DAY, WallClock, as_date, as_datetime, clock_of, day_seconds, seconds
from syncd.model.rule import NativeRule

_OTHER_ZONES = ("UTC", "Asia/Dubai", "Asia/Tokyo", "America/Phoenix")


def in_safe_zones(span: Span, server: WallClock) -> Span:
    """Return the same moments, in other zones if necessary; whole days stay as they are.

    The portal reads naive times in its own zone first and moves those that this zone skips (PORTAL.md 4.1). A span that
    would end before it begins, because its own zone skips its start, keeps its length (RFC 5545 3.8.5.3).
    """
    if isinstance(span, AllDay):
        return span
    begin, end = clock_of(span.zone), clock_of(span.end_zone)
    first, last = span.start.toordinal(), span.end.toordinal()
    if begin.is_calm(first) and end.is_calm(last) and server.is_calm(first) and server.is_calm(last):
        return span  # as nearly always
    given = seconds(span.start), seconds(span.end)
    unix = begin.unix(given[0]), end.unix(given[1])
    if span.zone == span.end_zone and unix[1] <= unix[0]:  # it begins in an hour that the clock skips
        unix = unix[0], unix[0] + given[1] - given[0]
    walls, zones = (begin.wall(unix[0]), end.wall(unix[1])), (span.zone, span.end_zone)
    if is_hazardous(server, *walls, is_all_day=False):
        for other in _OTHER_ZONES:
            clock = clock_of(other)
            moved = clock.wall(unix[0]), clock.wall(unix[1])
            if not is_hazardous(server, *moved, is_all_day=False):
                walls, zones = moved, (other, other)
                break
    if walls == given:
        return span
    return Timed(start=as_datetime(walls[0]), end=as_datetime(walls[1]), zone=zones[0], end_zone=zones[1])


MOST_PIECES = 2000
HORIZON = timedelta(days=730)
_LOOK_AHEAD_YEARS = 6
_FAR_YEARS = 20
_FAR_YEAR = 2100
_LAST_YEAR = 9000
_CHUNK_DAYS = 900
# Fewer dates of RDATE than this make no series: one more in an uneven list would rename all pieces after it.
_FEWEST_DATES = 3


_NOTHING = Compiled(pieces=(), summary=None, problems=())


def compile_entry(entry: Entry, *, window: Window, portal_zone: str, today: date) -> Compiled:
    """Compile `entry` for a portal whose server runs in the IANA zone `portal_zone`.

    Only pieces that touch `window` are returned. Where an endless series has to become single events and the window
    has no end (or one decades away), it is followed up to `today` plus two years. Raises ZoneInfoNotFoundError when
    `portal_zone` is no zone.
    """
    return compile_in(entry, Conditions(window, today), portal_zone)


def compile_once(entry: Entry, days: Window | Conditions, portal_zone: str) -> Compiled:
    """Do what `compile_entry` does for an entry that happens once; most are such, so it asks for as little as it can.

    Only for an entry without recurrence and overrides.
    """
    try:
        span, first, last = _placed(entry.span, clock_of(portal_zone))
    except ZoneInfoNotFoundError as error:
        return _rejected(entry, _unknown_zone(error))
    except RuleError as error:
        return _rejected(entry, _unusable_rule(error))
    if not days.touches(first, last):
        return _NOTHING
    piece = Piece(id="", span=span, rule=None, details=entry.details, where=entry.where)
    return Compiled(pieces=(piece,), summary=None, problems=())


def compile_in(entry: Entry, conditions: Conditions, portal_zone: str) -> Compiled:
    """Do what `compile_entry` does; `conditions` then tell for which others the result is the same."""
    server = clock_of(portal_zone)
    if entry.recurrence is None and not entry.overrides:
        return compile_once(entry, conditions, portal_zone)
    try:
        recurrence = entry.recurrence or Recurrence()
        rules = tuple(parse(text) for text in recurrence.rules)
        return _Compiler(entry, recurrence, rules, conditions, server).compile()
    except ZoneInfoNotFoundError as error:
        reason = _unknown_zone(error)
    except RuleError as error:
        reason = _unusable_rule(error)
    except rfc.TooOftenError:
        reason = say(
            "the recurrence rule fires too often for a calendar; use a rarer one or give it an end (UNTIL, COUNT)"
        )
    except _TooManyError as error:
        reason = say_count(
            "the entry would become {count} portal event, more than {most_pieces}; narrow the window, simplify "
            "the rule or give it an end (UNTIL, COUNT)",
            "the entry would become {count} portal events, more than {most_pieces}; narrow the window, simplify "
            "the rule or give it an end (UNTIL, COUNT)",
            error.count,
            most_pieces=MOST_PIECES,
        )
    return _rejected(entry, reason)


def _rejected(entry: Entry, reason: str) -> Compiled:
    return Compiled(pieces=(), summary=None, problems=(Problem(where=entry.where, kind="rejected", reason=reason),))


def _unknown_zone(error: Exception) -> str:
    return say("the time zone is not known: {error}; use an IANA name such as Europe/Berlin", error=message_of(error))


def _unusable_rule(error: Exception) -> str:
    return say("the recurrence rule cannot be used: {error}; correct RRULE in the source", error=message_of(error))


# In a timetable many entries are at the same time, and where a span lies depends on nothing else.
@lru_cache(maxsize=32_768)
def _placed(given: Span, server: WallClock) -> tuple[Span, date, date]:
    """Return the span that represents `given` in the portal, and its first and last day; raises RuleError."""
    span = in_safe_zones(given, server)
    first = span.start.date() if isinstance(span, Timed) else span.first
    if first.year >= _LAST_YEAR:
        raise RuleError(say("the series begins beyond the year 9000"))
    return span, first, last_day(given)


class _TooManyError(ValueError):
    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


class _Compiler:
    """Compiles one entry; lives for one call."""

    def __init__(
        self,
        entry: Entry,
        recurrence: Recurrence,
        rules: tuple[Rule, ...],
        conditions: Conditions,
        server: WallClock,
    ) -> None:
        self._entry = entry
        self._recurrence = recurrence
        self._rules = rules
        self._conditions = conditions
        self._server = server
        self._start = start_of(entry.span)
        self._has_one_time = True
        self._rule_starts: frozenset[int] = frozenset()
        self._this_year, self._last_year = conditions.this_year, conditions.last_year
        self._is_open = self._last_year > max(self._this_year, as_date(self._start).year) + _FAR_YEARS
        self._may_cut_off = False
        self._cut_off: date | None = None

    def compile(self) -> Compiled:
        if as_date(self._start).year >= _LAST_YEAR:
            raise RuleError(say("the series begins beyond the year 9000"))
        occurrences = self._expand()
        starts = [start for one in occurrences.rules for start in one.starts]
        self._rule_starts = frozenset(starts)
        self._has_one_time = len({start % DAY for start in starts}) < 2
        self._may_cut_off = self._is_open and any(one.endless for one in occurrences.rules)
        carried, alone = self._carry(occurrences)
        pieces = list(self._alone(occurrences, alone, is_main_free=not carried))
        for number, (one, endless) in enumerate(carried):
            runs = runs_of(one, occurrences, endless=endless, server=self._server)
            for place, run in enumerate(runs):
                name = "" if number == place == 0 else self._name(run.originals[0])
                pieces.extend(self._run_pieces(run, name))
        if len(pieces) > MOST_PIECES:
            raise _TooManyError(len(pieces))
        pieces.sort(key=lambda piece: (start_of(piece.span), piece.id))
        return Compiled(
            pieces=tuple(pieces),
            summary=became(self._recurrence, self._entry, pieces),
            problems=self._problems(occurrences),
        )

    def _expand(self) -> Occurrences:
        """Follow endless rules some years beyond what the window, today and the exceptions need."""
        base = max(self._this_year, as_date(self._start).year)
        named = [moment.wall.year for moment in self._recurrence.exdates]
        named += [override.at.wall.year for override in self._entry.overrides]
        if not self._is_open:
            named.append(self._last_year)
        year = max([base, *(year for year in named if year <= base + _FAR_YEARS)]) + _LOOK_AHEAD_YEARS
        horizon = day_seconds(date(year, 1, 1))
        far = max(horizon, day_seconds(date(_FAR_YEAR, 1, 1)))
        return expand(self._entry, self._recurrence, self._rules, horizon=horizon, far=far)

    def _carry(self, occurrences: Occurrences) -> tuple[list[tuple[Carried, bool]], list[int]]:
        """Return all carriers, the one with the first occurrence first, and the starts that stand alone.

        Spans of whole days that overlap the next occurrence are split by weekday. The portal shows only some of their
        runs as one series, and then each exception would change all pieces.
        """
        length = self._entry.span.days if isinstance(self._entry.span, AllDay) else 0
        listed, alone = in_progressions(sorted(occurrences.extra), self._start, _FEWEST_DATES)
        carriers = [(one, False) for one in listed]
        for one in occurrences.rules:
            carried, left_over = carry(one.rule, self._start, one.starts)
            for each in carried:
                parts = by_weekday(each) if length > each.carrier.shortest_step else (each,)
                carriers += [(part, one.endless) for part in parts]
            alone += left_over
        return sorted(carriers, key=lambda pair: pair[0].starts[0]), alone

    def _alone(self, occurrences: Occurrences, alone: list[int], *, is_main_free: bool) -> Iterator[Piece]:
        """Yield changed occurrences, RDATEs and occurrences without a carrier as single events."""
        for original in alone:
            if original not in occurrences.removed:
                name = "" if is_main_free and original == self._start else self._name(original)
                yield from self._single(name, occurrences.groups[occurrences.group_of(original)], original)
        for single in occurrences.singles:
            piece = Piece(
                id=self._name(single.original),
                span=in_safe_zones(single.span, self._server),
                rule=None,
                details=single.details,
                where=single.where,
            )
            yield from self._if_in_window(piece, last_day(single.span))

    def _run_pieces(self, run: Run, name: str) -> Iterator[Piece]:
        """Yield the pieces of one run: one native series if the portal shows it exactly, else smaller parts."""
        if not self._reaches_window(run):
            return
        if len(run.originals) == 1 and not run.endless:
            yield from self._single(name, run.group, run.originals[0])
            return
        rule = self._proven_rule(run)
        if rule is not None:
            counted = self._counted(run, rule)
            piece = Piece(
                id=name,
                span=run.group.span_at(run.originals[0]),
                rule=counted or rule,
                details=run.group.details,
                where=run.group.where,
                dated=rule if counted else None,
            )
            yield from self._if_in_window(piece, None if run.endless else self._last_day(run))
            return
        for part, inherits in self._parts(run):
            yield from self._run_pieces(part, name if inherits else self._name(part.originals[0]))

    def _parts(self, run: Run) -> Iterator[tuple[Run, bool]]:
        """Yield the parts to try in place of a run that no native series shows, each with whether it keeps the name."""
        size = len(run.originals)
        if (
            size > 1
            and self._server.unix(run.ends[0]) - self._server.unix(run.starts[0]) != run.ends[0] - run.starts[0]
        ):
            # the server's clock switches during the first occurrence, and the portal takes its length for all
            yield run.part(0, 1), True
            yield run.part(1, size), False
        elif len(run.weekdays) > 1 and size > 2 * len(run.weekdays):
            for weekday in run.weekdays:
                part = run.on_weekday(weekday)
                yield part, part.originals[0] == run.originals[0]
        elif run.endless or run.originals[-1] - run.originals[0] > 2 * _CHUNK_DAYS * DAY:
            first = 0
            for number in range(1, size + 1):
                if number == size or self._chunk(run, number) != self._chunk(run, first):
                    yield replace(run.part(first, number), endless=False), first == 0
                    first = number
        else:
            for number in range(size):
                yield run.part(number, number + 1), number == 0

    def _chunk(self, run: Run, number: int) -> int:
        """Return which stretch of about two and a half years, counted from the carrier's anchor, a start is in."""
        return (run.originals[number] // DAY - run.carrier.anchor // DAY) // _CHUNK_DAYS

    def _proven_rule(self, run: Run) -> NativeRule | None:
        day_shift = run.starts[0] // DAY - run.originals[0] // DAY
        rules = native_rules(run.carrier, run.starts, run.ends[-1], day_shift=day_shift, endless=run.endless)
        expected = self._foreseeable(run).expected
        return next((rule for rule in rules if shows(rule, expected, self._server)), None)

    def _counted(self, run: Run, rule: NativeRule) -> NativeRule | None:
        """Return the rule that ends by COUNT, like the source's own, if the portal shows the same by it.

        The portal computes what it has skipped before a window in days of 24 hours and months of 30 (PORTAL.md 4.13).
        So it counts months, and days on which its clock is set, right only by chance; the same holds for several
        weekdays (4.7).
        """
        count = self._rules[0].count if len(self._rules) == 1 and self._rules[0].until is None else None
        if count != len(run.originals) or rule.until is None or len(rule.byday) > 1 or rule.freq == "MONTHLY":
            return None
        if rule.freq == "DAILY" and self._server.switches(run.starts[0] - DAY, run.ends[-1] + 2 * DAY):
            return None
        counted = replace(rule, until=None, count=count)
        return counted if shows(counted, run.expected, self._server) else None

    def _foreseeable(self, run: Run) -> Run:
        """Return an endless run without what lies beyond 2038, as long as neither the window nor today is near it.

        The portal ends series without UNTIL there, and an exception decades away must not change how others are sent.
        """
        nearest = self._this_year + _LOOK_AHEAD_YEARS
        seen = nearest if self._is_open else max(nearest, self._last_year + 1)
        limit = day_seconds(END_OF_TIME)
        if not run.endless or seen >= END_OF_TIME.year or run.starts[0] >= limit:
            return run
        return replace(run.part(0, bisect_left(run.starts, limit)), endless=True)

    def _single(self, name: str, group: Group, original: int) -> Iterator[Piece]:
        if self._is_cut_off(original + group.shift):
            return
        span = group.span_at(original)
        safe = in_safe_zones(span, self._server)
        piece = Piece(id=name, span=safe, rule=None, details=group.details, where=group.where)
        yield from self._if_in_window(piece, last_day(span))

    def _if_in_window(self, piece: Piece, last: date | None) -> Iterator[Piece]:
        if self._conditions.touches(as_date(start_of(piece.span)), last):
            yield piece

    def _reaches_window(self, run: Run) -> bool:
        if (run.is_rolled or not run.endless) and self._is_cut_off(run.starts[0]):
            return False
        return self._conditions.touches(as_date(run.starts[0]), None if run.endless else self._last_day(run))

    def _is_cut_off(self, start: int) -> bool:
        """Return True if a start lies beyond the horizon of an endless series that has to be rolled forward."""
        if not self._may_cut_off or as_date(start) <= (last := self._conditions.today + HORIZON):
            return False
        self._cut_off = last
        return True

    def _last_day(self, run: Run) -> date:
        return last_day(run.group.span_at(run.originals[-1]))

    def _name(self, original: int) -> str:
        """Return the name of an original start: its day if that is enough, so that names survive a change of time."""
        wall = as_datetime(original)
        if isinstance(self._entry.span, AllDay) and original % DAY == 0:
            return f"{wall:%Y%m%d}"
        if self._has_one_time and original in self._rule_starts:
            return f"{wall:%Y%m%d}"
        return f"{wall:%Y%m%dT%H%M%S}" if wall.second else f"{wall:%Y%m%dT%H%M}"

    def _problems(self, occurrences: Occurrences) -> tuple[Problem, ...]:
        reasons: list[str] = [say("recurrence rule: {note}", note=note) for rule in self._rules for note in rule.notes]
        reasons += occurrences.warnings
        if self._cut_off is not None:
            reasons.append(
                say(
                    "the series has no end, the window neither, and the portal cannot repeat it by itself: it is shown"
                    " until {until}; bound the window, or let later passes carry it on",
                    until=self._cut_off,
                )
            )
        return tuple(Problem(where=self._entry.where, kind="warning", reason=reason) for reason in reasons)
