"""Saving the dates and the rule of an event, and showing them for a window (PORTAL.md 4.6, 4.7, 4.13).

Takes wall clocks that the methods have parsed, and a rule as it was sent. Never refuses a rule that the portal takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time

from syncd.sandbox.php.scalars import PhpValue, PortalCrash, number_text, to_int
from syncd.sandbox.php.strtotime import strtotime
from syncd.sandbox.series.exact import expand_exactly
from syncd.sandbox.series.expand import expand, parse_rule, series_end
from syncd.sandbox.series.stored import FOREVER, WEEKDAYS, Rule, Stored
from syncd.sandbox.series.walls import DAY, ZoneClock, datetime_of, seconds_of, zone_clock

_STORABLE = ("HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_READABLE = _STORABLE[1:]


def store(
    *,
    date_from: datetime,
    date_to: datetime,
    skip_time: bool,
    tz_from: str | None,
    tz_to: str | None,
    rrule: Mapping[str, PhpValue] | None,
    exdates: Sequence[date],
    server_zone: str,
    now: float = 0.0,
) -> Stored:
    """Return the row the portal keeps of an event: naive wall clocks in, and the rule with its keys in the order sent.

    An end before the start becomes the start. `now` (unix time) matters only to an UNTIL such as "tomorrow".
    """
    clock = zone_clock(server_zone)
    if skip_time:
        row, last = _all_day(date_from.date(), date_to.date(), clock)
    else:
        tz_from = tz_from or server_zone
        row, last = _timed(_minute(date_from), _minute(date_to), tz_from, tz_to or tz_from, clock)
    if rrule is None or rrule.get("FREQ") not in _STORABLE:
        return row  # any other frequency is no recurrence, without an error (PORTAL.md 4.7)
    return _series(row, last, rrule, exdates, server_zone=server_zone, now=now)


def selected(row: Stored, window_from: datetime, window_to: datetime, server_zone: str) -> bool:
    """Return True if `calendar.event.get` returns a row for a window at all (PORTAL.md 4.13, select)."""
    # The columns carry the shift of the event's zone and the window does not: that is why the edges are off by up to a
    # day and a client has to pad its windows (PORTAL.md 4.8, trap 14).
    clock = zone_clock(server_zone)
    opens, closes = clock.unix(seconds_of(window_from)), clock.unix(seconds_of(window_to))
    return row.to_ts >= opens and row.from_ts <= closes + DAY - 1


def occurrences(
    row: Stored, window_from: datetime, window_to: datetime, server_zone: str, *, exact: bool = False
) -> tuple[tuple[datetime, datetime], ...]:
    """Return start and end of each occurrence shown for a window; all-day: midnights of the first and the last day.

    A single event is shown as it is, whatever the window: `selected` filters. `exact` replaces the portal's arithmetic
    by that of iCalendar. Raises PortalCrash for an HOURLY rule.
    """
    if row.rule is None:
        return ((row.date_from, row.date_to),)
    _check_readable(row.rule)
    if exact:
        return expand_exactly(row, row.rule, window_from, window_to)
    return expand(row, row.rule, window_from, window_to, zone_clock(server_zone))


def read_rule(text: str, date_text: Callable[[date], str]) -> dict[str, PhpValue]:
    """Return the RRULE object of a stored rule text as the portal gives it back (PORTAL.md 4.6).

    `date_text` writes a date in the portal's culture format. Raises PortalCrash for an HOURLY rule.
    """
    rule = parse_rule(text)
    if rule is None:
        return {}
    _check_readable(rule)
    read: dict[str, PhpValue] = {"FREQ": rule.freq, "INTERVAL": rule.interval}
    if rule.byday:
        read["BYDAY"] = {day: day for day in rule.byday}
    if rule.count is not None:
        read["COUNT"] = rule.count
    read["UNTIL"] = date_text(rule.until)
    read["~UNTIL"] = "" if rule.until == FOREVER else read["UNTIL"]
    read["UNTIL_TS"] = seconds_of(datetime.combine(rule.until, time()))
    return read


def _check_readable(rule: Rule) -> None:
    if rule.freq not in _READABLE:
        raise PortalCrash(f"Unsupported operand types while reading a series with FREQ={rule.freq}")


def _minute(wall: datetime) -> datetime:
    return wall.replace(second=0, microsecond=0)


def _timed(opens: datetime, closes: datetime, tz_from: str, tz_to: str, clock: ZoneClock) -> tuple[Stored, int]:
    """Return the row and W(DATE_TO) as it was before an early end was moved."""
    start, end = clock.unix(seconds_of(opens)), clock.unix(seconds_of(closes))
    offset_from, offset_to = zone_clock(tz_from).offset(start), zone_clock(tz_to).offset(end)
    from_ts, to_ts = start - offset_from, end - offset_to
    if from_ts > to_ts:  # not an error: the event silently gets zero length (PORTAL.md 4.1)
        closes, to_ts, tz_to, offset_to = opens, from_ts, tz_from, offset_from
    row = Stored(
        date_from=opens,
        date_to=closes,
        tz_from=tz_from,
        tz_to=tz_to,
        tz_offset_from=offset_from,
        tz_offset_to=offset_to,
        from_ts=from_ts,
        to_ts=to_ts,
        length=to_ts - from_ts,
        skip_time=False,
        rrule="",
        rule=None,
        exdates=(),
    )
    return row, end


def _all_day(first: date, last: date, clock: ZoneClock) -> tuple[Stored, int]:
    opens, closes = datetime.combine(first, time()), datetime.combine(last, time())
    sent_end = clock.unix(seconds_of(closes))
    closes = max(opens, closes)
    start, end = clock.unix(seconds_of(opens)), clock.unix(seconds_of(closes))
    row = Stored(
        date_from=opens,
        date_to=closes,
        tz_from=None,
        tz_to=None,
        tz_offset_from=None,
        tz_offset_to=None,
        from_ts=start,
        to_ts=end,
        length=DAY if start == end else end - start + DAY,
        skip_time=True,
        rrule="",
        rule=None,
        exdates=(),
    )
    return row, sent_end


def _series(
    row: Stored, last: int, rrule: Mapping[str, PhpValue], exdates: Sequence[date], *, server_zone: str, now: float
) -> Stored:
    """Add the rule to a row: its text, its exceptions, and its end in place of the first event's."""
    clock = zone_clock(server_zone)
    sent_until = _until(rrule.get("UNTIL"), server_zone, now)
    until = sent_until or FOREVER
    until_ts = clock.unix(seconds_of(datetime.combine(until, time())))
    # An UNTIL before the end of the first event is raised to that end, which then gives two occurrences (4.7).
    if sent_until is not None and until_ts + DAY < last:
        until_ts, until = last, datetime_of(clock.wall(last)).date()
    text, days = _rule_text(rrule, until)
    to_ts = until_ts + DAY
    if rrule.get("COUNT") is not None and rrule["FREQ"] != "HOURLY":
        to_ts = series_end(
            clock,
            row.date_from,
            row.date_to,
            freq=str(rrule["FREQ"]),
            count=to_int(rrule["COUNT"]),
            interval=to_int(rrule.get("INTERVAL")),  # 0 if it was not sent, though the reader takes 1 (trap 16)
            days=days,
            shift=0,
        )
    # Dropped on every save, so the extra day after UNTIL cannot be excluded (PORTAL.md 4.7).
    kept = tuple(day for day in exdates if clock.unix(seconds_of(datetime.combine(day, time()))) <= until_ts)
    return replace(row, to_ts=to_ts, rrule=text, rule=parse_rule(text), exdates=kept)


def _until(value: PhpValue, server_zone: str, now: float) -> date | None:
    """Read UNTIL: the date in the server zone; None when absent or unreadable."""
    stamp = strtotime(value, server_zone, now) if isinstance(value, str) else None
    return None if stamp is None else datetime_of(zone_clock(server_zone).wall(stamp)).date()


def _rule_text(rrule: Mapping[str, PhpValue], until: date) -> tuple[str, int]:
    """Return the stored text of a rule and the number of its BYDAY entries as counted on save."""
    parts, days = dict[str, str](), 0
    for key, value in rrule.items():
        if key == "BYDAY":
            if rrule["FREQ"] == "WEEKLY":
                names = _byday(value)
                days, parts[key] = len(names), ",".join(names)
        else:
            parts[key] = _scalar(value)
    parts["UNTIL"] = f"{until:%d.%m.}{until.year:04}"
    return "".join(f"{key}={value};" for key, value in parts.items()), days


def _byday(value: PhpValue) -> tuple[str, ...]:
    """Return the entries of BYDAY: those of a list unchecked, of a comma text only exact day names (PORTAL.md 4.7)."""
    match value:
        case list():
            return tuple(map(_scalar, value))
        case dict():
            return tuple(map(_scalar, value.values()))
        case str():
            return tuple(day for day in value.upper().split(",") if day in WEEKDAYS)
        case _:
            return ()


def _scalar(value: PhpValue) -> str:
    """Return PHP's `(string)` of a value; an array is the word "Array"."""
    match value:
        case str():
            return value
        case None | False:
            return ""
        case True:
            return "1"
        case int() | float():
            return number_text(value)
        case _:
            return "Array"
