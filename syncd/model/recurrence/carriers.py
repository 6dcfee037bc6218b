"""Which native progression can carry which of a rule's occurrences, decided from the rule alone.

The exceptions of a series play no part in it, so adding one never reshuffles the pieces: it only cuts a run in two.
What follows no progression of the portal from end to end (ordinal weekdays, BYSETPOS, the 29th to 31st, ...) is cut
into progressions of its own: the second Tuesdays of a year are four or five series of 28 or 35 days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import lcm

from syncd.model.recurrence.rfc import times_of_day
from syncd.model.recurrence.rrule import Rule
from syncd.model.recurrence.wall import DAY, as_date
from syncd.model.rule import WEEKDAYS, Frequency, NativeRule, Weekday

_ALWAYS_THERE = 28
_LAST_DAY = 31
_MOST_YEARLY = 3
_MOST_TIMES = 48
_YEARS_COMPARED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A native progression: every `interval`-th day, week (on `weekdays`, 0 = Monday), month or year from `anchor`.

    `anchor` is the wall clock of its first occurrence. `is_full` when the rule leaves none of its members out.
    """

    freq: Frequency
    interval: int
    weekdays: tuple[int, ...]
    anchor: int
    is_full: bool

    def index(self, wall: int) -> int:
        """Return the number of a member within the progression, counted from any fixed point."""
        day = wall // DAY
        if self.freq == "DAILY":
            return (day - self.anchor // DAY) // self.interval
        if self.freq == "WEEKLY":
            week, weekday = divmod(day + 3, 7)
            weeks = (week - (self.anchor // DAY + 3) // 7) // self.interval
            return weeks * len(self.weekdays) + self.weekdays.index(weekday)
        on, first = as_date(wall), as_date(self.anchor)
        if self.freq == "MONTHLY":
            return ((on.year - first.year) * 12 + on.month - first.month) // self.interval
        return (on.year - first.year) // self.interval

    @property
    def shortest_step(self) -> int:
        """Return the least number of days from one member to the next."""
        if self.freq != "WEEKLY":
            return self.interval * {"DAILY": 1, "MONTHLY": _ALWAYS_THERE, "YEARLY": 365}[self.freq]
        following = (*self.weekdays[1:], self.weekdays[0] + 7 * self.interval)
        return min(later - earlier for earlier, later in zip(self.weekdays, following, strict=True))

    @property
    def forms(self) -> tuple[tuple[Frequency, int, bool], ...]:
        """Return the (FREQ, INTERVAL, whether BYDAY is needed) that say the same, the plainest first."""
        if self.freq == "WEEKLY" and len(self.weekdays) == 1:
            return (("WEEKLY", self.interval, True), ("DAILY", 7 * self.interval, False))
        if self.freq == "DAILY" and self.interval % 7 == 0:
            return (("WEEKLY", self.interval // 7, True), ("DAILY", self.interval, False))
        if self.freq == "DAILY" and self.interval == 1:
            return (("DAILY", 1, False), ("WEEKLY", 1, True))
        return ((self.freq, self.interval, self.freq == "WEEKLY"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A carrier and the original starts it carries, in order."""

    carrier: Carrier
    starts: tuple[int, ...]


def by_weekday(one: Carried) -> tuple[Carried, ...]:
    """Split a daily or weekly progression with INTERVAL 1 into one for each weekday; others stay as they are."""
    if one.carrier.freq not in ("DAILY", "WEEKLY") or one.carrier.interval != 1:
        return (one,)
    days: dict[int, list[int]] = {}
    for wall in one.starts:
        days.setdefault((wall // DAY + 3) % 7, []).append(wall)
    return tuple(
        Carried(
            carrier=Carrier(
                freq="WEEKLY", interval=1, weekdays=(weekday,), anchor=starts[0], is_full=one.carrier.is_full
            ),
            starts=tuple(starts),
        )
        for weekday, starts in days.items()
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    freq: Frequency
    interval: int
    is_full: bool
    weekdays: frozenset[int] = frozenset()


def carry(rule: Rule, start: int, starts: Iterable[int]) -> tuple[tuple[Carried, ...], tuple[int, ...]]:
    """Distribute a rule's `starts` among carriers; return these, by first start, and the starts left over.

    `start` is DTSTART's wall clock.
    """
    times = times_of_day(rule, start)
    if times is None or len(times) > _MOST_TIMES:
        return (), tuple(starts)
    rule = _plainer(rule)
    shape = None if _picks_days(rule) else _shape(rule, start)
    group = _grouping(shape, rule) if shape is not None else lambda _: None
    groups: dict[tuple[int, ...], list[int]] = {}
    left_over: list[int] = []
    for wall in starts:
        name = group(wall)
        if name is None:
            left_over.append(wall)
        else:
            groups.setdefault(name, []).append(wall)
    carried = [_carried(shape, members) for members in groups.values()] if shape is not None else []
    more, alone = in_progressions(left_over, start)
    return tuple(sorted((*carried, *more), key=lambda one: one.starts[0])), tuple(alone)


def _plainer(rule: Rule) -> Rule:
    """Return a rule that says the same without BYSETPOS or days counted from the end, if there is one.

    A position among the weekdays of a week always selects the same ones, and exporters write the fifth day of a month
    as the fifth of its MO,TU,WE,TH,FR,SA,SU.
    """
    if rule.bysetpos and _is_one_time(rule) and not (rule.byweekno or rule.byyearday or rule.has_ordinals):
        if rule.freq == "WEEKLY" and rule.byday and not (rule.bymonth or rule.bymonthday):
            week = sorted(rule.weekdays, key=lambda weekday: (weekday - rule.wkst) % 7)
            picked = {week[at - 1 if at > 0 else at] for at in rule.bysetpos if abs(at) <= len(week)}
            if picked:
                return replace(rule, bysetpos=(), byday=tuple((0, weekday) for weekday in sorted(picked)))
        is_any_day = len(rule.weekdays) == 7 and not rule.bymonthday
        if rule.freq == "MONTHLY" and is_any_day and all(abs(at) <= _LAST_DAY for at in rule.bysetpos):
            return replace(rule, bysetpos=(), byday=(), bymonthday=rule.bysetpos)
    return rule


def _is_one_time(rule: Rule) -> bool:
    """Return True if the rule gives at most one time of day, so that BYSETPOS counts days."""
    return max(map(len, (rule.byhour, rule.byminute, rule.bysecond))) < 2


def in_progressions(starts: Iterable[int], first: int, least: int = 2) -> tuple[list[Carried], list[int]]:
    """Return starts that no native progression carries throughout, cut into short ones, and the starts left alone.

    `first` is DTSTART's wall clock. Parts with fewer than `least` starts are left alone. Of the two ways to cut, in
    order or each weekday by itself, the one with fewer parts wins. Only the first years count, because a choice that
    changed with the horizon would rename every piece.
    """
    by_time: dict[int, list[int]] = {}
    by_weekday: dict[int, dict[int, list[int]]] = {}
    for wall in starts:
        by_time.setdefault(wall % DAY, []).append(wall)
        by_weekday.setdefault(wall % DAY, {}).setdefault(wall // DAY % 7, []).append(wall)
    limit = first + _YEARS_COMPARED * 366 * DAY
    parts: list[Sequence[int]] = []
    for time, members in by_time.items():
        joined = list(_even_steps(members))
        apart = [part for one in by_weekday[time].values() for part in _even_steps(one)]
        parts += min(joined, apart, key=lambda cut: sum(part[0] < limit for part in cut))
    carried = [Carried(carrier=_progression(part), starts=tuple(part)) for part in parts if len(part) >= least]
    return carried, sorted(wall for part in parts if len(part) < least for wall in part)


def _even_steps(starts: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut `starts` (one time of day, in order) into the fewest parts of equal steps in days or months.

    Taking the longest part each time gives the fewest, because a piece of such a part is such a part too.
    """
    days = [wall // DAY for wall in starts]
    months = [_month_and_day(day) for day in days]
    begin = 0
    while begin < len(starts):
        end = max(_same_days_until(days, begin), _same_months_until(months, begin))
        yield starts[begin:end]
        begin = end


def _same_days_until(days: Sequence[int], begin: int) -> int:
    end = begin + 2
    while end < len(days) and days[end] - days[end - 1] == days[begin + 1] - days[begin]:
        end += 1
    return min(end, len(days))


def _same_months_until(months: Sequence[tuple[int, int]], begin: int) -> int:
    end = begin + 1
    while end < len(months) and months[end][1] == months[begin][1]:
        if months[end][0] - months[end - 1][0] != months[begin + 1][0] - months[begin][0]:
            break
        end += 1
    return end


def _month_and_day(day: int) -> tuple[int, int]:
    on = as_date(day * DAY)
    return on.year * 12 + on.month, on.day


def _progression(part: Sequence[int]) -> Carrier:
    """Return the carrier of at least two starts with equal steps, by months if possible, as people say it."""
    begin = [_month_and_day(wall // DAY) for wall in part]
    months = begin[1][0] - begin[0][0]
    freq: Frequency = "DAILY"
    interval = (part[1] - part[0]) // DAY
    if months and _same_months_until(begin, 0) == len(part):
        freq, interval = ("YEARLY", months // 12) if months % 12 == 0 else ("MONTHLY", months)
    return Carrier(freq=freq, interval=interval, weekdays=(), anchor=part[0], is_full=False)


def _carried(shape: _Shape, members: list[int]) -> Carried:
    weekdays: tuple[int, ...] = ()
    if shape.freq == "WEEKLY":
        weekdays = tuple(sorted(shape.weekdays)) if shape.interval == 1 else ((members[0] // DAY + 3) % 7,)
    carrier = Carrier(
        freq=shape.freq, interval=shape.interval, weekdays=weekdays, anchor=members[0], is_full=shape.is_full
    )
    if carrier.is_full and carrier.index(members[-1]) - carrier.index(members[0]) != len(members) - 1:
        carrier = Carrier(freq=shape.freq, interval=shape.interval, weekdays=weekdays, anchor=members[0], is_full=False)
    return Carried(carrier=carrier, starts=tuple(members))


def _grouping(shape: _Shape, rule: Rule) -> Callable[[int], tuple[int, ...] | None]:
    """Return the name of the carrier of a start, None for a start that the portal cannot repeat."""
    if shape.freq == "DAILY" or (shape.freq == "WEEKLY" and shape.interval == 1):
        return lambda wall: (wall % DAY,)
    if shape.freq == "WEEKLY":
        return lambda wall: (wall % DAY, (wall // DAY + 3) % 7)

    counted_on = {day for day in rule.bymonthday if day > 0}

    def by_date(wall: int) -> tuple[int, ...] | None:
        on = as_date(wall)
        if counted_on and on.day not in counted_on:  # a day counted from the end, which only looks like another
            return None
        if shape.freq == "MONTHLY":
            return (wall % DAY, on.day) if on.day <= _ALWAYS_THERE else None
        return (wall % DAY, on.day, on.month) if (on.month, on.day) != (2, 29) else None

    return by_date


def _picks_days(rule: Rule) -> bool:
    """Return True if the rule picks days in ways that no progression follows."""
    counts_back = rule.bymonthday and max(rule.bymonthday) < 0
    return bool(rule.bysetpos or rule.byweekno or rule.byyearday or rule.has_ordinals or counts_back)


def _shape(rule: Rule, start: int) -> _Shape | None:
    """Return the progressions that hold the rule's occurrences, None if the portal has none of the kind."""
    match rule.freq:
        case "YEARLY" | "MONTHLY" if rule.byday:
            is_full = rule.interval == 1 and not rule.bymonth
            return None if rule.bymonthday else _daily(rule.weekdays, 1, is_full)
        case "YEARLY":
            return _by_year(rule, start)
        case "MONTHLY":
            return _by_month(rule, rule.interval)
        case _ if rule.bymonthday:
            return _Shape("MONTHLY", 1, False) if (rule.freq, rule.interval, rule.byday) == ("DAILY", 1, ()) else None
        case "WEEKLY":
            weekdays = rule.weekdays or frozenset({(start // DAY + 3) % 7})
            return _Shape("WEEKLY", rule.interval, not rule.bymonth, weekdays)
        case _:
            interval = rule.interval if rule.freq == "DAILY" else 1
            return _daily(rule.weekdays, interval, not rule.bymonth)


def _daily(weekdays: frozenset[int], interval: int, is_full: bool) -> _Shape:
    if not weekdays or (len(weekdays) == 7 and interval == 1):
        return _Shape("DAILY", interval, is_full)
    if interval == 1:
        return _Shape("WEEKLY", 1, is_full, weekdays)
    return _Shape("WEEKLY", lcm(interval, 7) // 7, is_full, weekdays)


def _by_month(rule: Rule, interval: int) -> _Shape:
    if not rule.bymonth:
        return _Shape("MONTHLY", interval, True)
    if interval > 1:
        return _Shape("YEARLY", lcm(interval, 12) // 12, True)
    return _chosen_months(rule.bymonth)


def _by_year(rule: Rule, start: int) -> _Shape:
    months = rule.bymonth or (tuple(range(1, 13)) if rule.bymonthday else (as_date(start).month,))
    days = rule.bymonthday or (as_date(start).day,)
    if rule.interval > 1 or max(days) > _ALWAYS_THERE:
        return _Shape("YEARLY", rule.interval, True)
    return _chosen_months(months)


def _chosen_months(months: tuple[int, ...]) -> _Shape:
    """Months evenly spread over the year make one monthly series, few others a yearly one each."""
    gaps = {(later - earlier) % 12 for earlier, later in zip(months, months[1:] + months[:1], strict=True)}
    if len(months) > 1 and len(gaps) == 1:
        return _Shape("MONTHLY", gaps.pop(), True)
    if len(months) <= _MOST_YEARLY:
        return _Shape("YEARLY", 1, True)
    return _Shape("MONTHLY", 1, False)


BEYOND_2038 = date(2099, 12, 31)
_MONTHS_PER_INTERVAL = 68
_MONTHS_LOST = 39
_MONTHS_PER_DAY = 3


def chunk_size(carrier: Carrier, further_days: int) -> int | None:
    """Return how many occurrences of a monthly series may go into one piece, None for all other progressions.

    `further_days` is the number of days an occurrence goes on after its first.

    The portal takes a month for 30 days when it skips ahead to a window, and misses the window's first occurrence once
    that error reaches INTERVAL - 1/2 months (PORTAL.md 4.7): with INTERVAL 1 in the 31st month at the earliest, with
    2 after eight years; earlier for a window that opens on a later day of an occurrence.
    """
    if carrier.freq != "MONTHLY":
        return None
    months = _MONTHS_PER_INTERVAL * carrier.interval - _MONTHS_LOST - _MONTHS_PER_DAY * further_days
    return max(1, months // carrier.interval + 1)


def native_rules(
    carrier: Carrier, starts: Sequence[int], last_end: int, *, day_shift: int, endless: bool
) -> Iterator[NativeRule]:
    """Yield the rules worth trying for occurrences at the wall clocks `starts`, the last one ending at `last_end`.

    `day_shift` is the number of days between the carrier's own days and those of `starts`.
    """
    for freq, interval, needs_byday in carrier.forms:
        byday = _byday(carrier, starts[0], day_shift) if needs_byday else ()
        if endless:
            yield NativeRule(freq=freq, interval=interval, byday=byday)
            yield NativeRule(freq=freq, interval=interval, byday=byday, until=BEYOND_2038)
            continue
        last = as_date(starts[-1])
        yield NativeRule(freq=freq, interval=interval, byday=byday, until=last)
        for later in (as_date(last_end), as_date(last_end) - timedelta(days=1)):
            if later > last:  # keeps the last days of a long last occurrence in view
                yield NativeRule(freq=freq, interval=interval, byday=byday, until=later)
        if len(byday) < 2:
            yield NativeRule(freq=freq, interval=interval, byday=byday, count=len(starts))
        yield NativeRule(freq=freq, interval=interval, byday=byday, until=last - timedelta(days=1))


def _byday(carrier: Carrier, first: int, day_shift: int) -> tuple[Weekday, ...]:
    if carrier.freq == "DAILY" and carrier.interval == 1:
        return WEEKDAYS
    if len(carrier.weekdays) < 2:
        return (WEEKDAYS[(first // DAY + 3) % 7],)
    return tuple(WEEKDAYS[number] for number in sorted((day + day_shift) % 7 for day in carrier.weekdays))
