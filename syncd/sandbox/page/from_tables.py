"""Fills the values of the calendar page from the tables; never writes.

A row on which the portal itself would crash must not break the page: here a person looks for what went wrong.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from syncd.sandbox.page.contents import (
    AttendeeView,
    CalendarView,
    EntryView,
    EventView,
    GaugeView,
    IndexView,
    MonthView,
    SectionView,
    TrafficView,
    month_weeks,
)
from syncd.sandbox.php.scalars import PortalCrash
from syncd.sandbox.php.timezones import unix_to_wall
from syncd.sandbox.series.series import occurrences, selected

if TYPE_CHECKING:
    from syncd.sandbox.limits import Traffic
    from syncd.sandbox.tables.database import CalendarId, Event, Tables

_DEFAULT_COLOR = "#9DCF00"


def index_view(
    tables: Tables, now: float, *, traffic: Traffic, budgets: tuple[tuple[str, float, int], ...], limit_s: float
) -> IndexView:
    """Return what the first page shows; `budgets` are limiter key, used seconds and reset time, as `World.budgets`."""
    zone_name = tables.server_zone
    return IndexView(
        portal=tables.host,
        now=unix_to_wall(now, zone_name).replace(microsecond=0),
        zone=zone_name,
        calendars=tuple(
            calendar_view(tables, calendar)
            for calendar in tables.calendars()
            if calendar[0] != "location" or tables.events_of(calendar)
        ),
        gauges=tuple(
            GaugeView(
                method=_budget_name(key),
                used_s=used,
                limit_s=limit_s,
                resets_at=unix_to_wall(resets_at, zone_name),
            )
            for key, used, resets_at in budgets
        ),
        traffic=TrafficView(
            requests=traffic.requests,
            commands=traffic.commands.total(),
            failed=traffic.refused.total(),
            refused=traffic.refused["QUERY_LIMIT_EXCEEDED"],
            blocked=traffic.refused["OPERATION_TIME_LIMIT"],
            notices=len(tables.notices),
        ),
    )


def _budget_name(key: str) -> str:
    """Return a budget's method, marked if it counts single calls of one webhook and not batched ones."""
    _, entity, method = key.split("|", 2)
    return f"{method} (1:1)" if entity else method


def calendar_view(tables: Tables, calendar: CalendarId) -> CalendarView:
    """Return a calendar with its sections and its owner's name."""
    rows = tuple(tables.events_of(calendar))
    return CalendarView(
        cal_type=calendar[0],
        owner_id=calendar[1],
        owner_name=_owner_name(tables, calendar),
        sections=tuple(
            SectionView(
                name=section.name,
                color=section.color,
                events=sum(1 for row in rows if row.section_id == section.id),
            )
            for section in tables.sections_of(calendar)
        ),
        events=len(rows),
    )


def _owner_name(tables: Tables, calendar: CalendarId) -> str:
    cal_type, owner = calendar
    if cal_type == "user" and owner in tables.users:
        return tables.users[owner].full_name
    if cal_type == "group" and owner in tables.groups:
        return tables.groups[owner].name
    return tables.host if cal_type == "company_calendar" else cal_type


def month_view(
    tables: Tables, now: float, calendar: CalendarId, year: int, month: int, *, exact: bool = False
) -> MonthView:
    """Return a month of a calendar; ValueError for a month that no calendar has."""
    weeks = month_weeks(year, month)
    opens, closes = datetime.combine(weeks[0][0], time()), datetime.combine(weeks[-1][-1], time())
    return MonthView(
        portal=tables.host,
        calendar=calendar_view(tables, calendar),
        year=year,
        month=month,
        today=unix_to_wall(now, tables.server_zone).date(),
        zone=tables.server_zone,
        entries=tuple(
            _entry(tables, row, first, last)
            for row in tables.events_of(calendar)
            for first, last in _spans(tables, row, opens, closes, exact=exact)
        ),
    )


def _spans(
    tables: Tables, row: Event, opens: datetime, closes: datetime, *, exact: bool
) -> tuple[tuple[datetime, datetime], ...]:
    """Return what the portal shows of a row in a window; of a series it cannot read (trap 17), the first date."""
    zone_name, stored = tables.server_zone, row.stored
    padded = opens - timedelta(days=1), closes + timedelta(days=1)
    if not selected(stored, *padded, zone_name):
        return ()
    try:
        return occurrences(stored, opens, closes, zone_name, exact=exact)
    except PortalCrash:
        return ((stored.date_from, stored.date_to),)


def _entry(tables: Tables, row: Event, first: datetime, last: datetime) -> EntryView:
    section = tables.sections.get(row.section_id)
    stored = row.stored
    foreign = not stored.skip_time and stored.tz_from is not None and stored.tz_from != tables.server_zone
    return EntryView(
        event_id=row.id,
        title=row.name,
        opens=first,
        closes=max(first, last),
        all_day=stored.skip_time,
        color=row.color or (section.color if section is not None else _DEFAULT_COLOR),
        section=section.name if section is not None else "",
        location=row.location,
        zone=stored.tz_from or "" if foreign else "",
        private=row.private,
        cancelled=row.meeting_status == "N",
        tentative=row.accessibility == "quest",
        recurring=stored.rule is not None,
    )


def event_view(tables: Tables, event_id: int) -> EventView | None:
    """Return one event, None if there is none with this id."""
    row = tables.event(event_id)
    if row is None:
        return None
    zone_name, creator = tables.server_zone, tables.users.get(row.created_by)
    return EventView(
        portal=tables.host,
        calendar=calendar_view(tables, row.calendar),
        entry=_entry(tables, row, row.stored.date_from, row.stored.date_to),
        description=row.description,
        rule=row.stored.rrule,
        exdates=row.stored.exdates,
        reminders=tuple(" ".join(str(value) for value in reminder.values()) for reminder in row.remind),
        attendees=_attendees(tables, row) if row.is_meeting else (),
        accessibility=row.accessibility,
        importance=row.importance,
        created_by=creator.full_name if creator is not None else str(row.created_by),
        created_at=unix_to_wall(row.created_at, zone_name).replace(microsecond=0),
        changed_at=unix_to_wall(row.changed_at, zone_name).replace(microsecond=0),
        version=row.version,
        columns=_columns(row),
    )


def _attendees(tables: Tables, row: Event) -> tuple[AttendeeView, ...]:
    statuses = {
        copy.owner_id: copy.meeting_status for copy in tables.copies_of(row.parent_id) if copy.cal_type == "user"
    }
    return tuple(
        AttendeeView(
            name=tables.users[user].full_name if user in tables.users else str(user),
            status=statuses.get(user, "H" if user == row.host else "Y"),
        )
        for user in row.attendees
    )


def _columns(row: Event) -> tuple[tuple[str, str], ...]:
    stored = row.stored
    return (
        ("ID", str(row.id)),
        ("PARENT_ID", str(row.parent_id)),
        ("RECURRENCE_ID", str(row.recurrence_id or "")),
        ("SECTION_ID", str(row.section_id)),
        ("TZ_FROM", stored.tz_from or ""),
        ("TZ_TO", stored.tz_to or ""),
        ("DATE_FROM_TS_UTC", str(stored.from_ts)),
        ("DATE_TO_TS_UTC", str(stored.to_ts)),
        ("DT_LENGTH", str(stored.length)),
        ("RRULE", stored.rrule),
        ("DAV_XML_ID", row.dav_xml_id),
        ("UF_CRM_CAL_EVENT", " ".join(row.crm)),
    )
