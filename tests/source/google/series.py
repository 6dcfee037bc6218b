"""Random series, once in Google's terms and once as an iCalendar text, apart from what syncd makes of either."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from tests.source.google.world import CalendarWorld, Item

ZONES = ("Europe/Moscow", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney", "UTC")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_SEEN = 14
"""Exceptions fall among so many occurrences."""
_TOO_FAR = 2036
"""The portal's last year is near, and what lies beyond it is told in each reader's own places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A changed occurrence: which, and where it went; `moved` None takes it away."""

    at: datetime
    moved: datetime | None
    title: str
    line: bool = False
    """For one that is taken away: by an EXDATE line and not by a cancelled occurrence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series by the clock of its own zone; `zone` None has whole days."""

    zone: str | None
    home: str
    start: datetime
    length: timedelta
    rule: str
    until: datetime | None
    extra: tuple[datetime, ...]
    changes: tuple[Change, ...]


def random_series(random: Random) -> Series:
    """Return a series that begins with an occurrence of its rule, with exceptions among its first occurrences."""
    zone = random.choice((None, *ZONES))
    begins = datetime(2026, 9, 1) + timedelta(days=random.randrange(300))
    if zone is not None:
        begins += timedelta(hours=random.randrange(4, 23), minutes=random.choice((0, 15, 30)))
    length = (
        timedelta(days=random.randint(1, 3)) if zone is None else timedelta(minutes=random.choice((0, 30, 90, 1500)))
    )
    rule = _rule(random, begins)
    ending = random.choice(("", "", "COUNT", "UNTIL"))
    if ending == "COUNT":
        rule += f";COUNT={random.randint(2, 25)}"
    seen = [one for one in islice(rrulestr(rule, dtstart=begins), _SEEN) if one.year < _TOO_FAR]
    until = random.choice(seen) if ending == "UNTIL" else None
    shown = [one for one in seen if until is None or one <= until]
    exceptions = random.sample(shown[1:], min(len(shown) - 1, random.choice((0, 0, 1, 2, 4))))
    extra = tuple(
        day for _ in range(random.choice((0, 0, 0, 1)))
        if (day := begins + timedelta(days=random.randrange(1, 60))) not in seen
    )  # fmt: skip
    return Series(
        zone=zone, home=random.choice(ZONES), start=shown[0], length=length, rule=rule, until=until, extra=extra,
        changes=tuple(_change(random, at, zone) for at in sorted(exceptions)),
    )  # fmt: skip


def _rule(random: Random, begins: datetime) -> str:
    day = _DAYS[begins.weekday()]
    every = f";INTERVAL={random.randint(2, 4)}" if random.random() < 0.4 else ""
    days = ",".join(sorted({day, *random.sample(_DAYS, random.randint(0, 3))}, key=_DAYS.index))
    number = (begins.day - 1) // 7 + 1
    return random.choice((
        f"FREQ=DAILY{every}",
        f"FREQ=WEEKLY{every};BYDAY={days}",
        f"FREQ=WEEKLY{every};WKST={random.choice(('SU', 'MO'))};BYDAY={days}",
        f"FREQ=MONTHLY{every};BYMONTHDAY={begins.day}",
        f"FREQ=MONTHLY{every}",
        f"FREQ=MONTHLY{every};BYDAY={number if number < 5 else -1}{day}",
        "FREQ=YEARLY",
    ))  # fmt: skip


def _change(random: Random, at: datetime, zone: str | None) -> Change:
    if random.random() < 0.5:
        return Change(at=at, moved=None, title="", line=random.random() < 0.5)
    step = timedelta(days=random.randint(0, 2)) + (timedelta(hours=random.randint(0, 1)) if zone else timedelta())
    return Change(at=at, moved=at + step, title=random.choice(("Lesson", "Moved; new, title")))


def as_google(series: Series, calendar: CalendarWorld) -> None:
    """Put the series into a calendar, as Google keeps it."""
    lines = [f"RRULE:{series.rule}" + (f";UNTIL={_stamp(series, series.until, utc=True)}" if series.until else "")]
    lines += [f"EXDATE{_params(series)}:{_stamp(series, one.at)}" for one in series.changes if one.line]
    lines += [f"RDATE{_params(series)}:{_stamp(series, one)}" for one in series.extra]
    calendar.put({"id": "s", "summary": "Lesson", "recurrence": lines, **_between(series, calendar, series.start)})
    for number, one in enumerate(series.changes):
        original = _at(series, calendar, one.at)
        if number % 2:  # a zone is optional there: the moment says enough
            original.pop("timeZone", None)
        if one.moved is not None:
            calendar.occurrence("s", original, summary=one.title, **_between(series, calendar, one.moved))
        elif not one.line:
            calendar.cancel("s", original)


def _between(series: Series, calendar: CalendarWorld, start: datetime) -> dict[str, Item]:
    return {"start": _at(series, calendar, start), "end": _at(series, calendar, start + series.length)}


def _at(series: Series, calendar: CalendarWorld, wall: datetime) -> Item:
    return calendar.at(f"{wall:%Y-%m-%d}") if series.zone is None else calendar.at(wall.isoformat(), series.zone)


def as_ics(series: Series, uid: str) -> bytes:
    """Return the series as a calendar program writes it."""
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//x//EN")
    rule = series.rule + (f";UNTIL={_stamp(series, series.until, utc=True)}" if series.until else "")
    gone = [one.at for one in series.changes if one.moved is None]
    master = (
        *_span(series, series.start), f"RRULE:{rule}",
        *(f"EXDATE{_params(series)}:{_stamp(series, one)}" for one in gone),
        *(f"RDATE{_params(series)}:{_stamp(series, one)}" for one in series.extra),
    )  # fmt: skip
    changed = [
        _event(uid, one.title, (f"RECURRENCE-ID{_params(series)}:{_stamp(series, one.at)}", *_span(series, one.moved)))
        for one in series.changes
        if one.moved is not None
    ]
    lines = (*head, _event(uid, "Lesson", master), *changed, "END:VCALENDAR")
    return ("\r\n".join(lines) + "\r\n").encode()


def _event(uid: str, title: str, lines: tuple[str, ...]) -> str:
    text = title.replace(";", "\\;").replace(",", "\\,")
    return "\r\n".join(("BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{text}", *lines, "STATUS:CONFIRMED", "END:VEVENT"))


def _span(series: Series, start: datetime) -> tuple[str, str]:
    params = _params(series)
    return f"DTSTART{params}:{_stamp(series, start)}", f"DTEND{params}:{_stamp(series, start + series.length)}"


def _params(series: Series) -> str:
    return ";VALUE=DATE" if series.zone is None else f";TZID={series.zone}"


def _stamp(series: Series, wall: datetime, *, utc: bool = False) -> str:
    if series.zone is None:
        return f"{wall:%Y%m%d}"
    if utc:
        return f"{wall.replace(tzinfo=ZoneInfo(series.zone)).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{wall:%Y%m%dT%H%M%S}"
