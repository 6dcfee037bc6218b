"""Wall clocks of one zone as whole seconds: fast conversion between what a clock shows and unix time.

A wall clock is the number of seconds since 1970-01-01T00:00 that its digits make, without a zone. Pure arithmetic over
a table of the zone's switches from 1960 to 2110; beyond it the nearest known offset holds.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = 86400
EPOCH = datetime(1970, 1, 1)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_FIRST = int((datetime(1960, 1, 1) - EPOCH).total_seconds())
_LAST = int((datetime(2110, 1, 1) - EPOCH).total_seconds())
_STEP = 14 * DAY
_REACH_DAYS = 2
"""A clock is never a whole day from UTC, so no hour that a switch skips or repeats is more than a day from it."""


def seconds(wall: datetime) -> int:
    """Return the wall clock `wall` (naive) as seconds, fractions dropped."""
    return (wall.toordinal() - EPOCH_ORDINAL) * DAY + wall.hour * 3600 + wall.minute * 60 + wall.second


def day_seconds(day: date) -> int:
    """Return midnight of `day` as seconds."""
    return (day.toordinal() - EPOCH_ORDINAL) * DAY


def as_datetime(wall: int) -> datetime:
    """Return the naive datetime of a wall clock in seconds."""
    return EPOCH + timedelta(seconds=wall)


def as_date(wall: int) -> date:
    """Return the date of a wall clock in seconds."""
    return date.fromordinal(wall // DAY + EPOCH_ORDINAL)


class WallClock:
    """The offsets of one zone.

    `unix` reads a wall clock as the first of two possible instants in a repeated hour (`later_unix` as the second), and
    with the offset before the switch in a skipped one, as RFC 5545 and PHP both do.
    """

    __slots__ = ("_busy_days", "_first_reading", "_later_reading", "_offsets", "_repeated", "_switches")

    def __init__(self, zone: ZoneInfo) -> None:
        self._switches, self._offsets = _switches_of(zone)
        pairs = tuple(zip(self._switches, self._offsets, self._offsets[1:], strict=False))
        self._first_reading = [at + max(before, after) for at, before, after in pairs]
        self._later_reading = [at + after for at, _, after in pairs]
        self._busy_days = frozenset(
            at // DAY + EPOCH_ORDINAL + days for at in self._switches for days in range(-_REACH_DAYS, _REACH_DAYS + 1)
        )
        self._repeated = {((at + after) % DAY, before - after) for at, before, after in pairs if after < before}

    def offset(self, unix: int) -> int:
        """Return the UTC offset in seconds at the instant `unix`."""
        return self._offsets[bisect_right(self._switches, unix)]

    def wall(self, unix: int) -> int:
        """Return what the clock shows at the instant `unix`."""
        return unix + self._offsets[bisect_right(self._switches, unix)]

    def unix(self, wall: int) -> int:
        """Return the instant at which the clock shows `wall`, the first of two."""
        return wall - self._offsets[bisect_right(self._first_reading, wall)]

    def later_unix(self, wall: int) -> int:
        """Return the instant at which the clock shows `wall`, the second of two."""
        return wall - self._offsets[bisect_right(self._later_reading, wall)]

    def is_plain(self, wall: int) -> bool:
        """Return True if the clock shows `wall` exactly once: neither skipped nor repeated."""
        first = self.unix(wall)
        return self.wall(first) == wall and first == self.later_unix(wall)

    def is_calm(self, day: int) -> bool:
        """Return True if the clock shows every time of `day` (an ordinal) exactly once, going by the days around it."""
        return day not in self._busy_days

    def may_repeat(self, wall: int) -> bool:
        """Return True if the time of day of `wall` ever lay in an hour that the zone repeats."""
        return any((wall - begin) % DAY < size for begin, size in self._repeated)

    def switches(self, first: int, last: int) -> tuple[int, ...]:
        """Return the instants of the zone's switches from `first` to `last` (unix seconds, inclusive)."""
        low, high = bisect_right(self._switches, first - 1), bisect_right(self._switches, last)
        return tuple(self._switches[low:high])


@lru_cache(maxsize=256)
def clock_of(zone_name: str) -> WallClock:
    """Return the clock of the IANA zone `zone_name`; ZoneInfoNotFoundError or ValueError for anything else."""
    return WallClock(ZoneInfo(zone_name))


def _offset(zone: ZoneInfo, unix: int) -> int:
    offset = (EPOCH + timedelta(seconds=unix)).replace(tzinfo=UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _switches_of(zone: ZoneInfo) -> tuple[list[int], list[int]]:
    """Return the instants at which the offset changes, and the offsets before, between and after them."""
    switches: list[int] = []
    offsets = [_offset(zone, _FIRST)]
    for step in range(_FIRST, _LAST, _STEP):
        low, high, after = step, step + _STEP, _offset(zone, step + _STEP)
        if after == offsets[-1]:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if _offset(zone, middle) == offsets[-1]:
                low = middle
            else:
                high = middle
        switches.append(high)
        offsets.append(after)
    return switches, offsets
