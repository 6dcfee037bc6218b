"""Wall clocks of a zone as whole seconds and calendar days as whole numbers: the arithmetic beneath series.

A wall clock x is "seconds since 1970-01-01T00:00 as if x were UTC", so that adding a day is adding 86400. Offsets are
kept per day: one month of a full calendar asks for tens of thousands. Years beyond datetime's range are allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = 86400

_EPOCH = datetime(1970, 1, 1)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_FIRST_DAY, _LAST_DAY = -719_160, 2_932_890  # within datetime's years 1 to 9999, with room for any offset
_KEPT_DAYS = 50_000


def seconds_of(wall: datetime) -> int:
    """Return a naive wall clock as seconds; fractions are dropped."""
    return (wall - _EPOCH) // timedelta(seconds=1)


def datetime_of(wall_s: int) -> datetime:
    """Return seconds as a naive wall clock; OverflowError outside the years 1 to 9999."""
    return _EPOCH + timedelta(seconds=wall_s)


def day_of(day: date) -> int:
    """Return a date as days since 1970-01-01."""
    return day.toordinal() - _EPOCH_ORDINAL


def weekday_of(day: int) -> int:
    """Return 0 for a Monday to 6 for a Sunday."""
    return (day + 3) % 7


def civil(day: int) -> tuple[int, int, int]:
    """Return year, month and day of month of days since 1970-01-01, in the proleptic Gregorian calendar."""
    shifted = day + 719_468
    era, of_era = divmod(shifted, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    march_based = (5 * of_year + 2) // 153
    month = march_based + 3 if march_based < 10 else march_based - 9
    return year_of_era + era * 400 + (month <= 2), month, of_year - (153 * march_based + 2) // 5 + 1


def days_of(year: int, month: int, day: int) -> int:
    """Return days since 1970-01-01; month and day may overflow, as in PHP's mktime (31 February is 3 March)."""
    carried, month_index = divmod(month - 1, 12)
    year += carried - (month_index < 2)
    era, year_of_era = divmod(year, 400)
    of_year = (153 * ((month_index + 10) % 12) + 2) // 5
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + of_year - 719_468 + day - 1


def month_length(year: int, month: int) -> int:
    """Return the number of days of a month; `month` may overflow."""
    return days_of(year, month + 1, 1) - days_of(year, month, 1)


class ZoneClock:
    """One time zone: unix time to wall clock and back, the way PHP's mktime and date do it.

    A wall clock in a skipped hour moves on by an hour; one in a repeated hour is the first of the two.
    """

    __slots__ = ("_by_unix_day", "_by_wall_day", "_zone")

    def __init__(self, name: str) -> None:
        self._zone = ZoneInfo(name)
        self._by_wall_day: dict[int, int | None] = {}
        self._by_unix_day: dict[int, int | None] = {}

    def unix(self, wall_s: int) -> int:
        """Return the unix time at which this zone shows a wall clock: W(x) of PORTAL.md 4.13."""
        day = min(max(wall_s // DAY, _FIRST_DAY), _LAST_DAY)
        try:
            offset = self._by_wall_day[day]
        except KeyError:
            offset = self._keep(self._by_wall_day, day, self._wall_offset)
        return wall_s - (self._wall_offset(wall_s) if offset is None else offset)

    def wall(self, unix_s: int) -> int:
        """Return the wall clock that this zone shows at a unix time."""
        return unix_s + self.offset(unix_s)

    def offset(self, unix_s: int) -> int:
        """Return the offset from UTC in seconds at a unix time: off(z, t) of PORTAL.md 4.13."""
        day = min(max(unix_s // DAY, _FIRST_DAY), _LAST_DAY)
        try:
            offset = self._by_unix_day[day]
        except KeyError:
            offset = self._keep(self._by_unix_day, day, self._unix_offset)
        return self._unix_offset(unix_s) if offset is None else offset

    def _keep(self, kept: dict[int, int | None], day: int, offset_at: Callable[[int], int]) -> int | None:
        """Keep the offset of a whole day; None marks a day on which it changes."""
        if len(kept) >= _KEPT_DAYS:
            kept.clear()
        opening, closing = offset_at(day * DAY), offset_at(day * DAY + DAY - 1)
        kept[day] = opening if opening == closing else None
        return kept[day]

    def _wall_offset(self, wall_s: int) -> int:
        return _seconds(datetime_of(wall_s).replace(tzinfo=self._zone))

    def _unix_offset(self, unix_s: int) -> int:
        return _seconds(datetime_of(unix_s).replace(tzinfo=UTC).astimezone(self._zone))


@lru_cache(maxsize=512)
def zone_clock(name: str) -> ZoneClock:
    """Return the clock of an IANA zone; ZoneInfoNotFoundError if there is none of that name."""
    return ZoneClock(name)


def _seconds(aware: datetime) -> int:
    return (aware.utcoffset() or timedelta()) // timedelta(seconds=1)
