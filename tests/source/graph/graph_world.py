"""Calendars of a small Microsoft 365, written from Graph's reference, with the traps of the real one as switches.

It shares no code with syncd: a series is expanded by walking over all days and asking of each whether the pattern has
it. Sources: the pages "event: delta", "Get incremental changes to events in a calendar view", "Get event", "List
instances", "recurrencePattern", "recurrenceRange" and "Obtain immutable identifiers" of the reference.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]
DAY = timedelta(days=1)
NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
POSITIONS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
WINDOWS = {
    "Russian Standard Time": "Europe/Moscow",
    "W. Europe Standard Time": "Europe/Berlin",
    "Eastern Standard Time": "America/New_York",
    "AUS Eastern Standard Time": "Australia/Sydney",
    "UTC": "UTC",
}
"""The zones of the events here, by the names that Windows has for them."""


@dataclass(slots=True)
class Traps:
    """What the server does that makes clients stumble; everything is off to begin with."""

    page_size: int = 1000
    no_cancelled: bool = False  # MS Q&A 5534938: the property is asked for and not given
    refuses_select: bool = False
    no_original_start: bool = False
    original_midnight_of_zone: bool = False  # of whole days originalStart is the midnight of the event's zone
    no_batch: bool = False
    no_masters: bool = False  # occurrences are listed, their master is not
    names_removed: bool = False  # the last cancelled occurrence comes as removed, before its series comes
    repeats: bool = False  # the same event several times in one answer
    exceptions_by_one: bool = False  # the exceptions that a series names come in pages of one
    skipped: set[tuple[str, date]] = field(default_factory=set)  # occurrences that delta leaves out
    short_months_skip: bool = False  # days 29 to 31 do not move to the last day
    cut_pages: int = 0
    no_links: int = 0
    gone: int = 0  # so many requests with a token are answered with 410
    gone_in_pages: int = 0
    throttled: int = 0
    retry_after: str = "1"
    unavailable: int = 0
    tokens_die: int = 0  # so many requests are told that their token has expired
    forbidden: set[str] = field(default_factory=set)
    not_here: set[str] = field(default_factory=set)  # mailboxes on premises
    foreign_links: bool = False
    skew_s: float = 0.0


@dataclass(slots=True)
class Event:
    """A single event or a series; `changed` is the generation of its last change."""

    body: Json
    cancelled: set[date] = field(default_factory=set)
    exceptions: dict[date, Json] = field(default_factory=dict)
    changed: int = 0

    @property
    def is_series(self) -> bool:
        return bool(self.body.get("recurrence"))


@dataclass(slots=True)
class Box:
    """One calendar: its events by id, and what was deleted in which generation."""

    name: str = "Calendar"
    events: dict[str, Event] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)


def single(identity: str, start: str, end: str, *, zone: str = "Russian Standard Time", **more: Any) -> Json:
    """Return a single event; `start` and `end` are on the clock of `zone`, dates for whole days."""
    whole = len(start) == 10
    return {
        "@odata.type": "#microsoft.graph.event",
        "@odata.etag": f'W/"{identity}"',
        "id": identity,
        "type": "singleInstance",
        "subject": f"Shift {identity}",
        "body": {"contentType": "html", "content": ""},
        "isAllDay": whole,
        "isCancelled": False,
        "isOrganizer": True,
        "start": {"dateTime": _utc(start, zone, whole), "timeZone": "UTC"},
        "end": {"dateTime": _utc(end, zone, whole), "timeZone": "UTC"},
        "originalStartTimeZone": zone,
        "originalEndTimeZone": zone,
        "seriesMasterId": None,
        "recurrence": None,
        "location": {"displayName": "", "locationType": "default"},
        "showAs": "busy",
        "sensitivity": "normal",
        "importance": "normal",
        "categories": [],
        "attendees": [],
        "organizer": {"emailAddress": {"name": "Ann", "address": "ann@example.com"}},
        "responseStatus": {"response": "organizer", "time": "0001-01-01T00:00:00Z"},
        "isReminderOn": False,
        "reminderMinutesBeforeStart": 15,
        "onlineMeeting": None,
        "webLink": "https://outlook.office365.com/owa/?itemid=1",
        "iCalUId": f"0400{identity}",
        **more,
    }


def series(identity: str, start: str, end: str, pattern: Json, span: Json, **more: Any) -> Json:
    """Return the master of a series, whose first occurrence is given."""
    zone = more.get("zone", "Russian Standard Time")
    full = {
        "interval": 1, "month": 0, "dayOfMonth": 0, "daysOfWeek": [], "firstDayOfWeek": "sunday", "index": "first",
        **pattern,
    }  # fmt: skip
    whole = {
        "startDate": start[:10], "endDate": "0001-01-01", "numberOfOccurrences": 0, "recurrenceTimeZone": zone, **span,
    }  # fmt: skip
    return single(identity, start, end, **more, type="seriesMaster", recurrence={"pattern": full, "range": whole})


def _utc(text: str, zone: str, whole: bool) -> str:
    if whole:
        return f"{text}T00:00:00.0000000"
    wall = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(WINDOWS.get(zone, "UTC")))
    return f"{wall.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.0000000"


def wall_of(event: Json, name: str = "start") -> datetime:
    """Return a time of an event on the clock of its zone, of whole days as it stands there."""
    moment = datetime.fromisoformat(event[name]["dateTime"][:19])
    if event["isAllDay"]:
        return moment
    zone = ZoneInfo(WINDOWS.get(event["originalStartTimeZone"], "UTC"))
    return moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


def days_of(event: Json, until: date, *, moves: bool = True) -> Iterator[date]:
    """Yield the days of a series, walking over every day from its first one."""
    pattern, span = event["recurrence"]["pattern"], event["recurrence"]["range"]
    begin = date.fromisoformat(span["startDate"])
    end = date.fromisoformat(span["endDate"]) if span["type"] == "endDate" else until
    left = span["numberOfOccurrences"] if span["type"] == "numbered" else 1 << 30
    day = begin
    while day <= min(until, end) and left:
        if _has(pattern, begin, day, moves):
            left -= 1
            yield day
        day += DAY


def _has(pattern: Json, begin: date, day: date, moves: bool) -> bool:
    step = pattern["interval"]
    months = (day.year - begin.year) * 12 + day.month - begin.month
    match pattern["type"]:
        case "daily":
            return bool((day - begin).days % step == 0)
        case "weekly":
            first = NAMES.index(pattern["firstDayOfWeek"])
            weeks = (_week(day, first) - _week(begin, first)).days // 7
            return weeks % step == 0 and NAMES[day.weekday()] in pattern["daysOfWeek"]
        case "absoluteMonthly":
            return months % step == 0 and _is_day(pattern["dayOfMonth"], day, moves)
        case "relativeMonthly":
            return months % step == 0 and _is_relative(pattern, day)
        case "absoluteYearly":
            right = (day.year - begin.year) % step == 0 and day.month == pattern["month"]
            return right and _is_day(pattern["dayOfMonth"], day, moves)
        case "relativeYearly":
            right = (day.year - begin.year) % step == 0 and day.month == pattern["month"]
            return right and _is_relative(pattern, day)
    return (day - begin).days % 10 == 0  # a pattern that is not known yet


def _week(day: date, first: int) -> date:
    return day - DAY * ((day.weekday() - first) % 7)


def _is_day(wanted: int, day: date, moves: bool) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    return day.day == (min(wanted, last) if moves else wanted)


def _is_relative(pattern: Json, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    fitting = [n for n in range(1, last + 1) if NAMES[day.replace(day=n).weekday()] in pattern["daysOfWeek"]]
    return bool(fitting[POSITIONS[pattern["index"]]] == day.day)


class Tenant:
    """Mailboxes and their calendars, and how they change; `generation` counts the changes."""

    def __init__(self) -> None:
        self.traps = Traps()
        self.generation = 0
        self.boxes: dict[str, dict[str, Box]] = {}
        self.rooms: list[str] = []

    def box(self, mailbox: str, calendar: str = "") -> Box:
        """Return a calendar of a mailbox, by default its own; it is made if it is not there."""
        return self.boxes.setdefault(mailbox, {"": Box()}).setdefault(calendar, Box(name=calendar))

    def put(self, mailbox: str, *bodies: Json, calendar: str = "") -> None:
        """Add events, or put them in place of those with their ids."""
        for body in bodies:
            self.generation += 1
            box = self.box(mailbox, calendar)
            before = box.events.get(body["id"], Event(body=body))
            box.events[body["id"]] = Event(body, before.cancelled, before.exceptions, self.generation)

    def delete(self, mailbox: str, identity: str, calendar: str = "") -> None:
        """Delete an event, or a whole series."""
        self.generation += 1
        box = self.box(mailbox, calendar)
        del box.events[identity]
        box.deleted[identity] = self.generation

    def cancel(self, mailbox: str, identity: str, *days: date, calendar: str = "") -> None:
        """Delete occurrences of a series."""
        self.generation += 1
        event = self.box(mailbox, calendar).events[identity]
        event.cancelled |= set(days)
        event.changed = self.generation

    def change(self, mailbox: str, identity: str, day: date, calendar: str = "", **more: Any) -> None:
        """Change one occurrence of a series: `start` and `end` on its own clock, and any other property."""
        self.generation += 1
        event = self.box(mailbox, calendar).events[identity]
        zone, whole = event.body["originalStartTimeZone"], event.body["isAllDay"]
        for name in ("start", "end"):
            if name in more:
                more[name] = {"dateTime": _utc(more[name], zone, whole), "timeZone": "UTC"}
        event.exceptions[day] = more
        event.changed = self.generation

    def occurrences(self, event: Event, first: datetime, end: datetime) -> Iterator[Json]:
        """Yield the occurrences and exceptions of a series that touch a span, as a listing has them."""
        horizon = end.date() + timedelta(days=400)
        for day in days_of(event.body, horizon, moves=not self.traps.short_months_skip):
            if day in event.cancelled:
                continue
            found = self._occurrence(event, day)
            begins = datetime.fromisoformat(found["start"]["dateTime"][:19])
            ends = datetime.fromisoformat(found["end"]["dateTime"][:19])
            if begins < end and ends > first:
                yield found

    def exceptions(self, event: Event) -> list[Json]:
        """Return all exceptions of a series."""
        return [self._occurrence(event, day) for day in sorted(event.exceptions)]

    def _occurrence(self, event: Event, day: date) -> Json:
        body = event.body
        zone, whole = body["originalStartTimeZone"], body["isAllDay"]
        begins = datetime.combine(day, wall_of(body).time())
        ends = begins + (wall_of(body, "end") - wall_of(body))
        times = {
            name: {"dateTime": _utc(f"{at:%Y-%m-%d}" if whole else at.isoformat(), zone, whole), "timeZone": "UTC"}
            for name, at in (("start", begins), ("end", ends))
        }
        if day not in event.exceptions:
            return {
                "@odata.type": "#microsoft.graph.event",
                "@odata.etag": f'W/"{body["id"]}"',
                "id": f"{body['id']}-{day:%Y%m%d}",
                "type": "occurrence",
                "seriesMasterId": body["id"],
                **times,
            }
        found = {
            **body,
            **times,
            **event.exceptions[day],
            "id": f"{body['id']}-{day:%Y%m%d}",
            "type": "exception",
            "seriesMasterId": body["id"],
            "recurrence": None,
            "occurrenceId": f"OID.{body['id']}.{day}",
            "originalStart": self._original(begins, zone, whole),
        }
        if self.traps.no_original_start:
            del found["originalStart"], found["occurrenceId"]
        return found

    def _original(self, begins: datetime, zone: str, whole: bool) -> str:
        if whole and not self.traps.original_midnight_of_zone:
            return f"{begins:%Y-%m-%dT%H:%M:%S}Z"
        return _utc(begins.isoformat(), zone, whole=False)[:19] + "Z"
