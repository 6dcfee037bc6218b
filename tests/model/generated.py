"""Random series for the recurrence tests: rules, zones, exceptions and overrides as feeds have them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from syncd.model.entry import AllDay, Entry, Moment, Override, Span, Timed, Window
from syncd.model.recurrence.occurrences import start_of
from syncd.model.recurrence.rfc import starts
from syncd.model.recurrence.rrule import parse
from syncd.model.recurrence.wall import as_datetime
from tests.model.referee import days, override, series, timed

ZONES = ("Europe/Berlin", "Europe/Moscow", "America/New_York", "Asia/Vladivostok", "UTC", "Pacific/Auckland")
SERVERS = ("Europe/Moscow", "Europe/Berlin", "America/New_York", "UTC", "Asia/Yekaterinburg")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def generated_series(rng: random.Random, *, around: date | None = None) -> Entry:
    """Return a series with up to four exceptions; it begins between 2021 and 2026, or some time around a day."""
    span = _span(rng, around)
    rule = _rule(rng, span)
    members = _members(span, rule)
    exdates, overrides = [], []
    for member in rng.sample(members, min(len(members), rng.choice((0, 0, 1, 2, 4)))):
        if rng.random() < 0.5:
            exdates.append(_moment(rng, span, member))
        else:
            overrides.append(_override(rng, span, member))
    rdates = _rdates(rng, span)
    free = [member for member in members if all(_names(one.at, span) != member for one in overrides)]
    if free and not rdates and rng.random() < 0.1:
        overrides.append(_from_then_on(rng, span, rng.choice(free)))
    taken = {_names(one.at, span) for one in overrides}
    exdates = [moment for moment in exdates if _names(moment, span) not in taken]
    return series(span, rule, rdates=rdates, exdates=exdates, overrides=overrides)


def generated_window(rng: random.Random, entry: Entry) -> tuple[date, date]:
    """Return a window that begins before, at or after the start of the series and is up to fourteen months long."""
    start = entry.span.first if isinstance(entry.span, AllDay) else entry.span.start.date()
    first = start + timedelta(days=rng.choice((-40, -40, 0, 20, 100, 200, 500, 1200)))
    return first, first + timedelta(days=rng.choice((75, 200, 420)))


def moving_windows(rng: random.Random, entry: Entry, steps: Iterable[int]) -> Iterator[tuple[Window, date, str]]:
    """Yield a window, moved by so many days each time, with a day for today and always the same zone of a server."""
    first, last = generated_window(rng, entry)
    zone = rng.choice(SERVERS)
    unbounded = rng.random() < 0.2
    for step in (0, *steps):
        first, last = first + timedelta(days=step), last + timedelta(days=step)
        yield Window(first=first, last=None if unbounded else last), first + timedelta(days=30), zone


def _span(rng: random.Random, around: date | None) -> Span:
    first = date(2021, 1, 1) + timedelta(days=rng.randrange(2100))
    if around is not None:
        first = around + timedelta(days=rng.choice((-1100, -400, -200, -60, -30, 0, 60, 150)) + rng.randrange(60))
    elif rng.random() < 0.25:  # near the switches of Europe and America
        first = date(rng.randrange(2021, 2027), rng.choice((3, 10, 11)), rng.choice((1, 6, 12, 24, 28)))
    if rng.random() < 0.3:
        return days(first, rng.choice((1, 1, 1, 2, 3, 5)))
    clock = rng.choice(((9, 0), (0, 0), (2, 30), (23, 0), (18, 45), (1, 15), (12, 0)))
    length = rng.choice((30, 60, 60, 60, 90, 480, 0, 1500))
    return timed(datetime(first.year, first.month, first.day, *clock), minutes=length, zone=rng.choice(ZONES))


def _rule(rng: random.Random, span: Span) -> str:
    freq = rng.choice(("DAILY", "WEEKLY", "WEEKLY", "WEEKLY", "MONTHLY", "MONTHLY", "YEARLY"))
    parts = [f"FREQ={freq}"]
    if rng.random() < 0.4:
        parts.append(f"INTERVAL={rng.choice((2, 2, 3, 4, 6, 7))}")
    if freq == "WEEKLY" and rng.random() < 0.7:
        parts.append("BYDAY=" + ",".join(rng.sample(WEEKDAYS, rng.choice((1, 2, 2, 3, 5)))))
    if freq == "DAILY" and rng.random() < 0.2:
        parts.append("BYDAY=" + ",".join(rng.sample(WEEKDAYS, 3)))
    if freq == "MONTHLY" and rng.random() < 0.6:
        parts.append(
            rng.choice(("BYMONTHDAY=1,15", "BYMONTHDAY=31", "BYDAY=2TU", "BYDAY=-1FR", "BYMONTHDAY=-1", "BYDAY=MO"))
        )
    if freq == "YEARLY" and rng.random() < 0.4:
        parts.append(rng.choice(("BYMONTH=1,7", "BYMONTH=3,6,9,12;BYMONTHDAY=10", "BYMONTH=5;BYDAY=2SU")))
    if freq in ("DAILY", "WEEKLY") and rng.random() < 0.1:
        parts.append("BYMONTH=9,10,11,12")
    if rng.random() < 0.2:
        parts.append("WKST=SU")
    ending = rng.random()
    if ending < 0.3:
        parts.append(f"COUNT={rng.choice((1, 2, 3, 10, 30, 100))}")
    elif ending < 0.65:
        parts.append("UNTIL=" + _until(rng, span))
    return ";".join(parts)


def _until(rng: random.Random, span: Span) -> str:
    reach = timedelta(days=rng.choice((5, 30, 100, 400, 800)))
    if isinstance(span, AllDay):
        return f"{span.first + reach:%Y%m%d}"
    local = (span.start + reach).replace(tzinfo=ZoneInfo(span.zone))
    return f"{local.astimezone(UTC) + timedelta(hours=rng.choice((0, 0, 5))):%Y%m%dT%H%M%SZ}"


def first_starts(span: Span, rule: str, number: int) -> list[datetime]:
    """Return the first `number` starts that a rule gives from `span` on."""
    start = start_of(span)
    return [as_datetime(wall) for wall in islice(starts(parse(rule), start, start + 20 * 366 * 86400), number)]


def _members(span: Span, rule: str) -> list[datetime]:
    parsed = parse(rule)
    start = start_of(span)
    found = []
    for wall in starts(parsed, start, start + 2 * 366 * 86400):
        found.append(as_datetime(wall))
        if parsed.count is not None and len(found) >= parsed.count:
            break
    if parsed.until is not None:
        found = [wall for wall in found if wall < parsed.until.wall - timedelta(days=1)]
    return found


def _moment(rng: random.Random, span: Span, member: datetime) -> Moment:
    if isinstance(span, AllDay):
        return Moment(wall=member, zone=None)
    if rng.random() < 0.3:
        utc = member.replace(tzinfo=ZoneInfo(span.zone)).astimezone(UTC)
        return Moment(wall=utc.replace(tzinfo=None), zone="UTC")
    return Moment(wall=member, zone=span.zone)


def _from_then_on(rng: random.Random, span: Span, member: datetime) -> Override:
    moved = member + timedelta(days=rng.choice((0, 0, 1, -1)))
    if isinstance(span, Timed):
        new: Span = timed(moved + timedelta(minutes=rng.choice((0, 60, -90))), minutes=45, zone=span.zone)
        return override(Moment(wall=member, zone=span.zone), new, future=True)
    return override(Moment(wall=member, zone=None), days(moved.date(), rng.choice((1, 2))), future=True)


def _rdates(rng: random.Random, span: Span) -> list[Span]:
    if rng.random() < 0.85:
        return []
    if isinstance(span, Timed):
        begin = span.start + timedelta(days=rng.randrange(100), hours=rng.choice((0, 2)))
        return [timed(begin, minutes=int((span.end - span.start).total_seconds()) // 60, zone=span.zone)]
    return [days(span.first + timedelta(days=rng.randrange(100)), span.days)]


def _names(moment: Moment, span: Span) -> datetime:
    """Return the wall clock in the series' zone that a moment names."""
    if moment.zone is None or not isinstance(span, Timed):
        return moment.wall
    aware = moment.wall.replace(tzinfo=ZoneInfo(moment.zone))
    return aware.astimezone(ZoneInfo(span.zone)).replace(tzinfo=None)


def _override(rng: random.Random, span: Span, member: datetime) -> Override:
    moment = _moment(rng, span, member)
    moved = member + timedelta(days=rng.choice((0, 0, 1, -1, 9)))
    if isinstance(span, Timed):
        new: Span = timed(moved + timedelta(minutes=rng.choice((0, 60, -90))), minutes=45, zone=rng.choice(ZONES))
    else:
        new = days(moved.date(), rng.choice((1, 2)))
    return override(moment, new, status=rng.choice(("", "", "CANCELLED")))
