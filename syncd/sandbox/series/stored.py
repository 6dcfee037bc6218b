"""An event row as the portal stores it, its recurrence rule as the portal reads it, and where a series ends.

Source of every formula: PORTAL.md 4.7 and 4.13.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

from syncd.sandbox.php.scalars import to_int
from syncd.sandbox.series.walls import DAY, ZoneClock, civil, days_of, seconds_of

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FOREVER = date(2038, 1, 1)

_DAY_NAME = re.compile("|".join(WEEKDAYS))
_UNTIL = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule as read: INTERVAL and COUNT only above 0, BYDAY for WEEKLY only and never empty there, UNTIL always.

    `freq` is what was stored: besides the four that work also HOURLY, which no reader survives.
    """

    freq: str
    interval: int
    byday: tuple[str, ...]
    count: int | None
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The columns of one saved event: naive wall clocks, unix times and seconds.

    `from_ts` and `to_ts` carry the shift of PORTAL.md 4.6; for a series `to_ts` is its end. All-day rows have
    midnights, an inclusive `date_to`, and neither zones nor offsets. `rrule` is the stored text, "" without recurrence.
    """

    date_from: datetime
    date_to: datetime
    tz_from: str | None
    tz_to: str | None
    tz_offset_from: int | None
    tz_offset_to: int | None
    from_ts: int
    to_ts: int
    length: int
    skip_time: bool
    rrule: str
    rule: Rule | None
    exdates: tuple[date, ...]


def parse_rule(text: str) -> Rule | None:
    """Read a stored rule text as the portal's reader does; None without a FREQ."""
    parts = dict[str, str]()
    for pair in text.split(";"):
        key, _, value = pair.partition("=")
        if key:
            parts[key] = value.partition("=")[0]
    freq = parts.get("FREQ")
    if not freq:
        return None
    count = to_int(parts.get("COUNT"))
    return Rule(
        freq=freq,
        interval=max(to_int(parts.get("INTERVAL")), 0) or 1,
        byday=_byday(parts.get("BYDAY", "")) if freq == "WEEKLY" else (),
        count=count if count > 0 else None,
        until=_until(parts.get("UNTIL", "")),
    )


def _byday(text: str) -> tuple[str, ...]:
    found = (_DAY_NAME.search(entry) for entry in text.split(","))
    return tuple(dict.fromkeys(day[0] for day in found if day)) or ("MO",)


def _until(text: str) -> date:
    found = _UNTIL.fullmatch(text)
    return date(int(found[3]), int(found[2]), int(found[1])) if found else FOREVER


def series_end(
    clock: ZoneClock,
    date_from: datetime,
    date_to: datetime,
    *,
    freq: str,
    count: int,
    interval: int,
    days: int,
    shift: int,
) -> int:
    """Return END(n, k, b; x) of PORTAL.md 4.13: the unix time at which a counted series ends.

    `days` is the number of BYDAY days, `shift` moves the whole event by seconds.
    """
    opened = clock.unix(seconds_of(date_from)) + shift
    closed = clock.unix(seconds_of(date_to)) + shift
    closed_wall = clock.wall(closed - closed % 60)
    if freq == "WEEKLY":
        if days == 0:
            return 0
        weeks_s = round_half_away((count - 1) / days * 7 * interval) * DAY
        return clock.unix(closed_wall + weeks_s + (closed - closed % 60) - (opened - opened % 60))
    return clock.unix(shifted(closed_wall, freq, count * interval))


def shifted(wall_s: int, freq: str, units: int) -> int:
    """Move a wall clock by days, months or years; days that a month lacks overflow into the next."""
    if freq in ("DAILY", "WEEKLY"):
        return wall_s + units * DAY
    day, of_day = divmod(wall_s, DAY)
    year, month, of_month = civil(day)
    months = units if freq == "MONTHLY" else 12 * units
    return days_of(year, month + months, of_month) * DAY + of_day


def round_half_away(number: float) -> int:
    """Round as PHP does: halves go away from zero."""
    whole = int(abs(number) + 0.5)
    return whole if number >= 0 else -whole
