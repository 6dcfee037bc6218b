"""What the calendar page shows, as plain values: from_tables.py fills them, pages.py and month.py turn them into HTML.

Texts are as callers of the portal sent them and must not be trusted; escaping is the work of syncd/html.py.
"""

from __future__ import annotations

from calendar import MONDAY, Calendar
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionView:
    """A section of a calendar; `color` as stored, `events` counts rows (a series is one)."""

    name: str
    color: str
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarView:
    """A calendar: `cal_type` is the portal's (`user`, `group`, `company_calendar`), `owner_id` is 0 for the company."""

    cal_type: str
    owner_id: int
    owner_name: str
    sections: tuple[SectionView, ...]
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeView:
    """One method's operating time; `resets_at` is a wall clock of the server."""

    method: str
    used_s: float
    limit_s: float
    resets_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficView:
    """Counts since the sandbox started: refused = QUERY_LIMIT_EXCEEDED, blocked = OPERATION_TIME_LIMIT."""

    requests: int
    commands: int
    failed: int
    refused: int
    blocked: int
    notices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexView:
    """The first page; `now` is a wall clock of the server zone. No gauges: the limiter is off or unused."""

    portal: str
    now: datetime
    zone: str
    calendars: tuple[CalendarView, ...]
    gauges: tuple[GaugeView, ...]
    traffic: TrafficView


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One occurrence: naive wall clocks in the event's own zone; all-day ends are inclusive midnights.

    `zone` is named only where it is not the server's.
    """

    event_id: int
    title: str
    opens: datetime
    closes: datetime
    all_day: bool
    color: str
    section: str = ""
    location: str = ""
    zone: str = ""
    private: bool = False
    cancelled: bool = False
    tentative: bool = False
    recurring: bool = False

    @property
    def first_day(self) -> date:
        """The day it begins."""
        return self.opens.date()

    @property
    def last_day(self) -> date:
        """The last day it is shown on; what is shorter than a day, such as a night shift, stays on its first day."""
        if not self.all_day and self.closes - self.opens < timedelta(days=1):
            return self.first_day
        last = self.closes.date()
        if not self.all_day and self.closes.time() == time():
            last -= timedelta(days=1)
        return max(last, self.first_day)

    @property
    def multi_day(self) -> bool:
        """Whether it is shown on more than one day."""
        return self.last_day > self.first_day


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthView:
    """One calendar's month; `entries` cover the whole weeks of `month_weeks`, in any order."""

    portal: str
    calendar: CalendarView
    year: int
    month: int
    today: date
    zone: str
    entries: tuple[EntryView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendeeView:
    """A guest of a meeting; `status` is the portal's letter: H host, Y yes, N no, Q not answered."""

    name: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One event with its details; `entry` holds the first occurrence, `columns` the row as the portal keeps it."""

    portal: str
    calendar: CalendarView
    entry: EntryView
    description: str
    rule: str
    exdates: tuple[date, ...]
    reminders: tuple[str, ...]
    attendees: tuple[AttendeeView, ...]
    accessibility: str
    importance: str
    created_by: str
    created_at: datetime
    changed_at: datetime
    version: int
    columns: tuple[tuple[str, str], ...]


def month_weeks(year: int, month: int) -> tuple[tuple[date, ...], ...]:
    """Return the weeks, Monday first, that a month's grid shows; ValueError at the very ends of the calendar."""
    try:
        return tuple(map(tuple, Calendar(MONDAY).monthdatescalendar(year, month)))
    except (OverflowError, ValueError) as error:
        raise ValueError(f"the weeks of {year}-{month:02} leave the calendar") from error
