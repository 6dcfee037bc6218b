"""One event of the portal to one entry, in the terms of RFC 5545 (PORTAL.md 4.6, 4.7). Pure.

Times come from the FORMATTED fields and the zones beside them, never from timestamps. Series come from their master,
never from the rows into which a listing expands them. A detached occurrence is an entry of its own: its master excludes
that day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from dateutil.rrule import rrulestr

from syncd.lang.saying import say
from syncd.model import zones
from syncd.model.entry import AllDay, Details, Entry, Moment, Recurrence, Reminder, Span, Timed
from syncd.model.evidence import is_marked, split_mark
from syncd.model.json_values import Json
from syncd.portal.line.shapes import rows_of
from syncd.source.field_values import FIRST_YEAR, FIRST_YEAR_OF_SERIES, all_day_span, clean, timed_span

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MINUTES = {"min": 1, "hour": 60, "day": 1440}
_LAST_DAY = date(2037, 12, 31)
_EASY_DAY = 28
_DAY = timedelta(days=1)
_USUAL = {".": ("d", "m", "y"), "/": ("m", "d", "y"), "-": ("y", "m", "d")}


class EventRow(msgspec.Struct, rename="upper", kw_only=True):
    """The columns of PORTAL.md 4.6 that can be relied on."""

    id: int | str
    name: str | None = None
    description: str | None = None
    location: str | None = None
    dt_skip_time: str = "N"
    date_from: str | None = None
    date_from_formatted: str = ""
    date_to_formatted: str = ""
    tz_from: str | None = None
    tz_to: str | None = None
    rrule: Any = None
    exdate: Any = None
    color: str | None = None
    accessibility: str | None = None
    importance: str | None = None
    private_event: Any = None
    remind: Any = None
    meeting_status: str | None = None
    attendee_list: Any = None
    meeting_host: int | str | None = None
    section_id: int | str | None = None
    parent_id: int | str | None = None

    @property
    def is_copy(self) -> bool:
        """Whether this is an attendee's copy of another event."""
        return str(self.parent_id or self.id) != str(self.id)

    @property
    def is_ours(self) -> bool:
        """Whether the description holds syncd's recovery mark."""
        return is_marked(self.description or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Culture:
    """The order of day, month and year in which a portal writes its dates. No method returns it; events show it."""

    order: tuple[str, ...]

    @classmethod
    def learn(cls, rows: Iterable[EventRow]) -> Culture:
        """Return the order in which every row's DATE_FROM is the same day as its DATE_FROM_FORMATTED.

        If several orders fit, the one that is usual with the separator is taken.
        """
        orders = list(permutations("dmy"))
        mark = "."
        for row in rows:
            numbers = re.findall(r"\d+", row.date_from or "")[:3]
            if len(numbers) < 3:
                continue
            mark = next((char for char in row.date_from or "" if char in _USUAL), mark)
            day = read_formatted(row.date_from_formatted)
            means = {"d": day.day, "m": day.month, "y": day.year}
            fitting = [one for one in orders if all(int(n) == means[p] for n, p in zip(numbers, one, strict=True))]
            orders = fitting or orders
        return cls(order=_USUAL[mark] if _USUAL[mark] in orders else orders[0])

    def read(self, text: str) -> date:
        """Return the day of a date in the portal's order; raises ValueError if it is not one."""
        numbers = [int(number) for number in re.findall(r"\d+", text)[:3]]
        if len(numbers) < 3:
            raise ValueError(say("{text!r} is not a date", text=text))
        parts = dict(zip(self.order, numbers, strict=True))
        return date(parts["y"], parts["m"], parts["d"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What has to be known besides an event: its place, its owner and section, the users, and the order of dates.

    `people` maps user ids to e-mail addresses, `zone` is for events without one, `last` is the last day of the window.
    """

    where: str
    owner: str
    section: str
    people: Mapping[int, str]
    zone: str | None
    culture: Culture
    last: date | None


def read_row(row: EventRow, around: Surroundings) -> Entry:
    """Return one event as an entry; raises ValueError with the reason if it cannot be used."""
    main = _span(row, around.zone)
    main, recurrence = _recurrence(row, main, around) if row.rrule else (main, None)
    return Entry(
        uid=f"bitrix24-{row.id}",
        where=around.where,
        details=_details(row, around),
        span=main,
        recurrence=recurrence,
    )


def read_formatted(text: str) -> datetime:
    """Return the time of DATE_*_FORMATTED: always English, with or without a time (PORTAL.md 4.6).

    Raises ValueError for any other text.
    """
    parts = text.split()
    if len(parts) < 4 or parts[1] not in _MONTHS:
        raise ValueError(say("the portal gave no date ({text!r})", text=text[:40]))
    hour, minute, second = (int(part) for part in (parts[4] if len(parts) > 4 else "00:00:00").split(":"))
    return datetime(int(parts[3]), _MONTHS.index(parts[1]) + 1, int(parts[2]), hour, minute, second)


def _span(row: EventRow, zone: str | None) -> Span:
    start, end = read_formatted(row.date_from_formatted), read_formatted(row.date_to_formatted)
    first_year = FIRST_YEAR_OF_SERIES if row.rrule else FIRST_YEAR
    # The portal's end of whole days is inclusive, the entry's is exclusive (RFC 5545, 3.6.1).
    if row.dt_skip_time == "Y":
        return all_day_span(start.date(), end.date() + _DAY, first_year=first_year)
    begins = zones.resolve(row.tz_from or "") or zone
    if begins is None:
        raise ValueError(say('the event has no time zone (set timezone = "Europe/Moscow" or the like in [[sync]])'))
    return timed_span(start, end, begins, zones.resolve(row.tz_to or "") or begins, first_year=first_year)


def _recurrence(row: EventRow, main: Span, around: Surroundings) -> tuple[Span, Recurrence]:
    """Return the series' first occurrence, and the rule whose days are those that the portal shows."""
    if not isinstance(row.rrule, Mapping):
        raise ValueError(say("the series' rule cannot be read"))  # noqa: TRY004 - bad input, as every other reason here
    rule = dict(row.rrule)
    freq = str(rule.get("FREQ", "")).upper()
    if freq not in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
        raise ValueError(
            say("the series repeats {freq}", freq=freq) if freq else say("the series repeats in no known way")
        )
    interval, count = max(1, _number(rule.get("INTERVAL"))), _number(rule.get("COUNT"))
    until = None if count else _until(rule)
    days = [day for day in _WEEKDAYS if day in _days(rule.get("BYDAY"))] or ["MO"]  # PORTAL.md 4.7: absent is Monday
    exdates = tuple(_excluded(row.exdate, main, around.culture))
    first = _first_day(main)
    text = f"FREQ={freq};INTERVAL={interval}" + (f";BYDAY={','.join(days)}" if freq == "WEEKLY" else "")
    if freq == "WEEKLY":
        # A weekly series may begin on a day that is not among its own; the portal does not show that day (PORTAL.md
        # 4.13).
        moved = _moved(main, rrulestr(text, dtstart=datetime.combine(first, time()))[0].date())
        return moved, Recurrence(rules=(text + _ending(moved, count, until),), exdates=exdates)
    odd = (freq == "MONTHLY" and first.day > _EASY_DAY) or (freq == "YEARLY" and (first.month, first.day) == (2, 29))
    if not odd:
        return main, Recurrence(rules=(text + _ending(main, count, until),), exdates=exdates)
    step = interval * (12 if freq == "YEARLY" else 1)
    # No rule says such days, so they are listed up to the end of the window.
    last = min(day for day in (until, around.last, _LAST_DAY) if day is not None)
    shown = list(_overflowing(first, step, count, last))
    return main, Recurrence(rdates=tuple(_moved(main, day) for day in shown[1:]), exdates=exdates)


def _overflowing(first: date, step: int, count: int, last: date) -> Iterator[date]:
    """Yield the days of a monthly or yearly series on a day that some months lack.

    In those it falls on the 1st of the next month. RFC 5545 skips such months and the portal does not (PORTAL.md 4.7),
    so no rule says the same.
    """
    number = 0
    while not count or number < count:
        months = first.year * 12 + first.month - 1 + number * step
        try:
            day = date(months // 12, months % 12 + 1, first.day)
        except ValueError:
            day = date((months + 1) // 12, (months + 1) % 12 + 1, 1)
        if day > last:
            return
        yield day
        number += 1


def _ending(main: Span, count: int, until: date | None) -> str:
    if count:
        return f";COUNT={count}"
    if until is None:
        return ""
    if isinstance(main, AllDay):
        return f";UNTIL={until:%Y%m%d}"
    # RFC 5545, 3.3.10: UNTIL of a series with times is in UTC; the portal's is a day in the event's zone.
    end = datetime.combine(until, time(23, 59, 59), ZoneInfo(main.zone)).astimezone(UTC)
    return f";UNTIL={end:%Y%m%dT%H%M%SZ}"


def _until(rule: Mapping[str, Any]) -> date | None:
    """Return the last day; midnight UTC of 1 January 2038 stands for none (PORTAL.md 4.6)."""
    stamp = _number(rule.get("UNTIL_TS"))
    day = date(1970, 1, 1) + timedelta(seconds=stamp) if stamp else None
    return day if day is not None and day <= _LAST_DAY else None


def _excluded(value: Json, main: Span, culture: Culture) -> Iterator[Moment]:
    texts = value.split(";") if isinstance(value, str) else [str(one) for one in rows_of(value)]
    for text in filter(None, (text.strip() for text in texts)):
        try:
            day = culture.read(text)
        except ValueError:
            raise ValueError(say("the series leaves out {text!r}, which is not a date", text=text[:40])) from None
        start = main.start.time() if isinstance(main, Timed) else time()
        yield Moment(wall=datetime.combine(day, start), zone=main.zone if isinstance(main, Timed) else None)


def _moved(main: Span, day: date) -> Span:
    shift = day - _first_day(main)
    if isinstance(main, AllDay):
        return AllDay(first=day, end=main.end + shift)
    return Timed(start=main.start + shift, end=main.end + shift, zone=main.zone, end_zone=main.end_zone)


def _first_day(main: Span) -> date:
    return main.first if isinstance(main, AllDay) else main.start.date()


def _details(row: EventRow, around: Surroundings) -> Details:
    busy = (row.accessibility or "").lower()
    host = _number(row.meeting_host)
    return Details(
        title=clean(row.name or ""),
        description=clean(split_mark(row.description or "")[0]),
        # A location ECMR_1 or calendar_1 is a booked room's id, which means nothing outside the portal.
        location=clean(row.location or "") if not re.match(r"(?:ECMR|calendar)_", row.location or "") else "",
        owner=around.owner,
        status="TENTATIVE" if busy == "quest" else "",
        transparent={"free": True, "busy": False}.get(busy),
        classification="PRIVATE" if row.private_event in ("1", 1, True, "Y") else "",
        priority={"high": 1, "low": 9}.get((row.importance or "").lower()),
        color=(row.color or "").lower(),
        organizer=around.people.get(host, "") if host else "",
        attendees=tuple(_attendees(row.attendee_list, around.people)),
        reminders=tuple(Reminder(before=timedelta(minutes=minutes)) for minutes in sorted(_reminders(row.remind))),
        columns=(("section", around.section), ("accessibility", busy), ("id", str(row.id))),
    )


def _attendees(value: Json, people: Mapping[int, str]) -> Iterator[str]:
    for one in rows_of(value):
        if isinstance(one, Mapping) and (address := people.get(_number(one.get("id")))):
            yield address


def _reminders(value: Json) -> set[int]:
    return {
        _number(one.get("count")) * _MINUTES[str(one["type"])]
        for one in rows_of(value)
        if isinstance(one, Mapping) and one.get("type") in _MINUTES
    }


def _days(value: object) -> Sequence[str]:
    if isinstance(value, Mapping):
        return [str(one).upper() for one in value.values()]
    return str(value or "").upper().split(",") if not isinstance(value, list) else [str(one).upper() for one in value]


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else 0
