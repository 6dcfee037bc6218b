"""Entries as iCalendar text, in the spellings that feeds use, and what the RFC library reads in such text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import recurring_ical_events
from icalendar import Calendar, Event

from syncd.model.entry import AllDay, Details, Entry, Moment, Recurrence, Span
from tests.model.referee import in_utc

SPELLINGS = {
    "Europe/Berlin": ("Europe/Berlin", "W. Europe Standard Time"),
    "Europe/Moscow": ("Europe/Moscow", "Russian Standard Time"),
    "Europe/Kyiv": ("Europe/Kiev", "FLE Standard Time"),
    "Asia/Kolkata": ("Asia/Calcutta", "India Standard Time"),
    "America/New_York": ("America/New_York", "US/Eastern"),
}
"""Names of zones that feeds use; the portal would silently take its own zone for some of them (PORTAL.md 4.1)."""


@dataclass(frozen=True, slots=True, order=True)
class Shown:
    """One occurrence as a person sees it: ISO days (the last inclusive), or ISO moments in UTC.

    `first` and `last` are the days it touches on the clocks of its own zones.
    """

    name: str
    start: str
    end: str
    first: date
    last: date

    @classmethod
    def days(cls, name: str, first: date, last: date) -> Shown:
        return cls(name, first.isoformat(), last.isoformat(), first, last)

    @classmethod
    def moments(cls, name: str, start: datetime, end: datetime) -> Shown:
        opens, closes = (moment.isoformat() for moment in in_utc(start, end))
        return cls(name, opens, closes, start.date(), end.date())

    @property
    def all_day(self) -> bool:
        return "T" not in self.start

    @property
    def said(self) -> tuple[str, str, str]:
        return self.name, self.start, self.end


class CalendarText:
    """Writes entries down; with `floating` the times of that zone are given without one.

    An event whose start or end has a zone gives one for both, and so does whatever belongs to a series with a zone:
    what has none there is on the clock of what has one.
    """

    def __init__(self, rng: Random, *, floating: str | None = None) -> None:
        self._rng = rng
        self._floating = floating
        self._series_floats = False

    def calendar(self, entries: Iterable[Entry]) -> str:
        """Return the text of a whole calendar."""
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//tests//series//EN"]
        for entry in entries:
            lines += self.events(entry)
        return "\r\n".join([*lines, "END:VCALENDAR", ""])

    def events(self, entry: Entry) -> list[str]:
        """Return the lines of an entry's VEVENTs."""
        self._series_floats = self._floats(entry.span)
        lines = self._opening(entry.uid, entry.details) + self._span(entry.span)
        recurrence = entry.recurrence or Recurrence()
        lines += [f"RRULE:{self._rule(rule, entry.span)}" for rule in recurrence.rules]
        lines += [self._rdate(span) for span in recurrence.rdates]
        lines += [self._named("EXDATE", moment) for moment in recurrence.exdates]
        lines.append("END:VEVENT")
        for one in entry.overrides:
            lines += self._opening(entry.uid, one.details)
            lines.append(self._named("RECURRENCE-ID", one.at, ";RANGE=THISANDFUTURE" if one.this_and_future else ""))
            lines += [*self._span(one.span), "END:VEVENT"]
        return lines

    def _opening(self, uid: str, details: Details) -> list[str]:
        lines = ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"SUMMARY:{details.title}"]
        return [*lines, f"STATUS:{details.status}"] if details.status else lines

    def _span(self, span: Span) -> list[str]:
        if isinstance(span, AllDay):
            return [f"DTSTART;VALUE=DATE:{span.first:%Y%m%d}", f"DTEND;VALUE=DATE:{span.end:%Y%m%d}"]
        floats = self._series_floats and self._floats(span)
        return [
            self._moment("DTSTART", Moment(wall=span.start, zone=span.zone), floats=floats),
            self._moment("DTEND", Moment(wall=span.end, zone=span.end_zone), floats=floats),
        ]

    def _floats(self, span: Span) -> bool:
        return not isinstance(span, AllDay) and span.zone == span.end_zone == self._floating

    def _named(self, name: str, moment: Moment, parameters: str = "") -> str:
        """Write what names an occurrence; where the series floats, its exceptions have to."""
        if self._series_floats and self._floating is not None and moment.zone is not None:
            utc = moment.wall.replace(tzinfo=ZoneInfo(moment.zone))
            wall = utc.astimezone(ZoneInfo(self._floating)).replace(tzinfo=None)
            moment = Moment(wall=wall, zone=self._floating)
        return self._moment(name, moment, parameters, floats=self._series_floats)

    def _moment(self, name: str, moment: Moment, parameters: str = "", *, floats: bool) -> str:
        if moment.zone is None:
            return f"{name};VALUE=DATE{parameters}:{moment.wall:%Y%m%d}"
        if floats and moment.zone == self._floating:
            return f"{name}{parameters}:{moment.wall:%Y%m%dT%H%M%S}"
        if moment.zone == "UTC":
            return f"{name}{parameters}:{moment.wall:%Y%m%dT%H%M%SZ}"
        spelling = self._rng.choice(SPELLINGS.get(moment.zone, (moment.zone,)))
        return f"{name};TZID={spelling}{parameters}:{moment.wall:%Y%m%dT%H%M%S}"

    def _rdate(self, span: Span) -> str:
        if isinstance(span, AllDay):
            return f"RDATE;VALUE=DATE:{span.first:%Y%m%d}"
        floats = self._series_floats and self._floats(span)
        start = self._moment("RDATE", Moment(wall=span.start, zone=span.zone), ";VALUE=PERIOD", floats=floats)
        end = self._moment("RDATE", Moment(wall=span.end, zone=span.end_zone), floats=floats).rpartition(":")[2]
        return f"{start}/{end}"

    def _rule(self, rule: str, span: Span) -> str:
        """Give UNTIL the form that a floating DTSTART asks for (RFC 5545 3.3.10)."""
        if isinstance(span, AllDay) or not self._series_floats:
            return rule
        head, until, rest = rule.partition("UNTIL=")
        if not until:
            return rule
        utc = datetime.strptime(rest[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return f"{head}{until}{utc.astimezone(ZoneInfo(span.zone)):%Y%m%dT%H%M%S}{rest[16:]}"


def said_by_text(text: str, first: date, last: date, *, floating: str) -> Counter[Shown]:
    """Return the occurrences that the RFC library reads in `text` from `first` to `last`; cancelled ones left out."""
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=2)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=2)
    found = recurring_ical_events.of(Calendar.from_ical(text)).between(begin, end)
    return Counter(_shown(event, floating) for event in found if event.get("STATUS") != "CANCELLED")


def _shown(event: Event, floating: str) -> Shown:
    name, start, end = str(event["SUMMARY"]), event.start, event.end
    if isinstance(start, datetime) and isinstance(end, datetime):
        return Shown.moments(name, _aware(start, floating), _aware(end, floating))
    return Shown.days(name, start, end - timedelta(days=1))


def _aware(moment: datetime, floating: str) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(floating))
