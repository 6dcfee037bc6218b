"""Cuts what a carrier carries into runs that a single native series may show.

A run ends where an occurrence is missing, where THISANDFUTURE changes the rest, where the length on the clock changes,
and around occurrences that the portal cannot show as part of a series.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from syncd.model.entry import AllDay
from syncd.model.recurrence.carriers import Carried, Carrier, chunk_size
from syncd.model.recurrence.occurrences import Group, Occurrences
from syncd.model.recurrence.proof import Expected
from syncd.model.recurrence.wall import DAY, WallClock

_NOTHING = (0, 0, 0, False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive occurrences of one carrier and group; `starts` and `ends` are their wall clocks as shown.

    `is_rolled` is True if the portal forces cuts upon the series again and again, so that it is continued as time
    passes.
    """

    carrier: Carrier
    group: Group
    originals: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    endless: bool
    is_rolled: bool

    @property
    def expected(self) -> Expected:
        """What a native series has to show."""
        span = self.group.span
        zones = None if isinstance(span, AllDay) else (span.zone, span.end_zone)
        return Expected(
            starts=self.starts, ends=self.ends, zones=zones, horizon=self.starts[-1] if self.endless else None
        )

    def part(self, begin: int, end: int) -> Run:
        """Return the occurrences from number `begin` up to but without `end`; only the last part stays endless."""
        return replace(
            self,
            originals=self.originals[begin:end],
            starts=self.starts[begin:end],
            ends=self.ends[begin:end],
            endless=self.endless and end >= len(self.originals),
        )

    @property
    def weekdays(self) -> tuple[int, ...]:
        """The weekdays of the original starts (0 = Monday), when each of them alone makes a weekly series."""
        if self.carrier.freq == "DAILY" and self.carrier.interval == 1:
            return tuple(range(7))
        return self.carrier.weekdays

    def on_weekday(self, weekday: int) -> Run:
        """Return the occurrences whose original start lies on `weekday` (0 = Monday)."""
        chosen = [number for number, wall in enumerate(self.originals) if (wall // DAY + 3) % 7 == weekday]
        return replace(
            self,
            carrier=replace(self.carrier, freq="WEEKLY", weekdays=(weekday,), anchor=self.originals[chosen[0]]),
            originals=tuple(self.originals[number] for number in chosen),
            starts=tuple(self.starts[number] for number in chosen),
            ends=tuple(self.ends[number] for number in chosen),
        )


def runs_of(carried: Carried, occurrences: Occurrences, *, endless: bool, server: WallClock) -> Iterator[Run]:
    """Yield the runs in order; `endless` says that the carrier's rule has no end.

    A run ends where exceptions took an occurrence away (`occurrences.removed`, a gap in the carrier's numbers), where
    the group or the length changes, after `chunk_size` occurrences, and on both sides of an occurrence that must stand
    alone.
    """
    carrier = carried.carrier
    first_start, first_end = occurrences.groups[0].walls_at(carrier.anchor)
    size, first = chunk_size(carrier, (first_end - first_start) // DAY), carrier.index(carrier.anchor)
    members: list[tuple[int, int, int]] = []
    index, before, group, has_hazards = 0, _NOTHING, occurrences.groups[0], False
    for original in carried.starts:
        if original in occurrences.removed:
            continue
        current = occurrences.groups[occurrences.group_of(original)]
        is_all_day = isinstance(current.span, AllDay)
        start, end = current.walls_at(original)
        start, end = start - start % 60, end - end % 60  # the portal keeps minutes
        alone = is_hazardous(server, start, end, is_all_day=is_all_day)
        has_hazards |= alone
        previous, index = index, carrier.index(original)
        chunk = 0 if size is None else (index - first) // size
        traits = (current.since, end - start, chunk, alone)
        if members and (traits != before or index != previous + 1 or alone):
            yield _run(carrier, group, members)
            members = []
        members.append((original, start, end))
        group, before = current, traits
    if members:
        goes_on = endless and carrier.is_full and size is None and members[-1][0] == carried.starts[-1]
        yield replace(_run(carrier, group, members), endless=goes_on, is_rolled=has_hazards)


def is_hazardous(server: WallClock, start: int, end: int, *, is_all_day: bool) -> bool:
    """Return True if the portal misplaces an occurrence within a series (PORTAL.md 4.7, "Expansion works").

    Timed: a wall clock that the server's zone skips or repeats. All-day: days around a spring switch of that zone.
    """
    if not is_all_day:
        return not (server.is_plain(start) and server.is_plain(end))
    ends = server.unix(end + DAY) - DAY
    return server.wall(ends) // DAY != end // DAY or server.unix(end) - server.unix(start) < end - start


def _run(carrier: Carrier, group: Group, members: list[tuple[int, int, int]]) -> Run:
    originals, starts, ends = zip(*members, strict=True)
    return Run(
        carrier=carrier, group=group, originals=originals, starts=starts, ends=ends, endless=False, is_rolled=True
    )
