"""What the recurrence tests compare: the RFC library's occurrences and the portal's view of compiled pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import recurring_ical_events
from icalendar import Calendar, Event, vRecur

from syncd.model.entry import AllDay, Details, Entry, Moment, Override, Recurrence, Span, Status, Timed
from syncd.model.recurrence import Piece
from syncd.model.recurrence import portal_arithmetic as portal
from syncd.model.recurrence.wall import DAY, as_date, as_datetime, clock_of, day_seconds, seconds

Shown = tuple[date, date] | tuple[datetime, datetime]
TITLE = Details(title="Lesson")


def timed(start: datetime, *, minutes: int = 60, zone: str = "Europe/Berlin", end_zone: str | None = None) -> Timed:
    return Timed(start=start, end=start + timedelta(minutes=minutes), zone=zone, end_zone=end_zone or zone)


def days(first: date, count: int = 1) -> AllDay:
    return AllDay(first=first, end=first + timedelta(days=count))


def at(year: int, month: int, day: int, hour: int = 9, minute: int = 0, zone: str | None = "Europe/Berlin") -> Moment:
    return Moment(wall=datetime(year, month, day, hour, minute), zone=zone)


def series(
    span: Span,
    *rules: str,
    rdates: Sequence[Span] = (),
    exdates: Sequence[Moment] = (),
    overrides: Sequence[Override] = (),
) -> Entry:
    return Entry(
        uid="u",
        where="team.ics:1",
        details=TITLE,
        span=span,
        recurrence=Recurrence(rules=rules, rdates=tuple(rdates), exdates=tuple(exdates)),
        overrides=tuple(overrides),
    )


def override(
    moment: Moment, span: Span, *, title: str = "Moved", status: Status = "", future: bool = False
) -> Override:
    details = Details(title=title, status=status)
    return Override(at=moment, span=span, details=details, where="team.ics:9", this_and_future=future)


def referee(entry: Entry, first: date, last: date) -> Counter[Shown]:
    """Return the occurrences starting from `first` to `last` by recurring_ical_events, cancelled ones left out."""
    calendar = Calendar()
    calendar.add_component(_event(entry))
    for one in entry.overrides:
        calendar.add_component(_override_event(entry, one))
    begin, end = datetime(first.year, first.month, first.day), datetime(last.year, last.month, last.day)
    found = recurring_ical_events.of(calendar).between(
        begin.replace(tzinfo=UTC) - timedelta(days=2), end.replace(tzinfo=UTC) + timedelta(days=2)
    )
    shown = Counter(_shown(event) for event in found if event.get("STATUS") != "CANCELLED")
    return Counter({one: count for one, count in shown.items() if first <= _day(one) <= last})


def portal_view(pieces: Iterable[Piece], server: str, first: date, last: date) -> Counter[Shown]:
    """Return what calendar.event.get shows of the pieces for the window `first`..`last`, times in UTC."""
    shown: Counter[Shown] = Counter()
    for piece in pieces:
        zones = None if isinstance(piece.span, AllDay) else (piece.span.zone, piece.span.end_zone)
        begin, end = _walls(piece.span)
        if piece.rule is None:
            if as_date(begin) <= last and as_date(end) >= first:
                shown[_instants(begin, end, zones)] += 1
            continue
        row = portal.save(
            server=clock_of(server), start=begin, end=end, zones=zones, rule=portal.native_as_sent(piece.rule)
        )
        low, high = day_seconds(first), day_seconds(last)
        if portal.selects(row, low, high):
            shown.update(_instants(*one, zones) for one in portal.occurrences(row, low, high))
    return shown


def differences(entry: Entry, pieces: Sequence[Piece], server: str, first: date, last: date) -> str:
    """Return "" when the portal shows exactly the RFC's occurrences, in every month and in the whole of the window."""
    truth = referee(entry, first - timedelta(days=45), last + timedelta(days=45))
    windows = [(first, last)]
    month = first.replace(day=1)
    while month <= last:
        following = (month + timedelta(days=31)).replace(day=1)
        if month >= first and following - timedelta(days=1) <= last:
            windows.append((month, following - timedelta(days=1)))
        month = following
    for low, high in windows:
        view = portal_view(pieces, server, low, high)
        inner = [one for one in truth if low + timedelta(days=1) <= _day(one) <= high - timedelta(days=1)]
        missing = [one for one in inner if view[one] != 1 and not (truth[one] > 1 and view[one])]
        wrong = [one for one in view if one not in truth and first <= _day(one) <= last]
        if missing or wrong:
            return f"{low}..{high}: missing {sorted(map(str, missing))[:4]}, wrong {sorted(map(str, wrong))[:4]}"
    return ""


def _walls(span: Span) -> tuple[int, int]:
    if isinstance(span, AllDay):
        return day_seconds(span.first), day_seconds(span.end) - DAY
    return seconds(span.start), seconds(span.end)


def _instants(start: int, end: int, zones: tuple[str, str] | None) -> Shown:
    if zones is None:
        return as_date(start), as_date(end)
    return in_utc(
        as_datetime(start).replace(tzinfo=ZoneInfo(zones[0])), as_datetime(end).replace(tzinfo=ZoneInfo(zones[1]))
    )


def _day(shown: Shown) -> date:
    return shown[0].date() if isinstance(shown[0], datetime) else shown[0]


def _shown(event: Event) -> Shown:
    start, end = event.start, event.end
    if isinstance(start, datetime) and isinstance(end, datetime):
        return in_utc(start, end)
    return start, end - timedelta(days=1)


def in_utc(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return both moments in UTC; what begins in a skipped hour and so ends before it begins keeps its length."""
    opens, closes = start.astimezone(UTC), end.astimezone(UTC)
    if closes <= opens and start.tzinfo == end.tzinfo:
        closes = opens + (end.replace(tzinfo=None) - start.replace(tzinfo=None))
    return opens, closes


def _event(entry: Entry) -> Event:
    event = Event()
    event.add("UID", entry.uid)
    _add_span(event, entry.span)
    recurrence = entry.recurrence or Recurrence()
    for rule in recurrence.rules:
        event.add("RRULE", vRecur.from_ical(rule))
    for span in recurrence.rdates:
        if isinstance(span, AllDay):
            event.add("RDATE", span.first)
        else:
            event.add("RDATE", [(_aware(span.start, span.zone), _aware(span.end, span.end_zone))])
    for moment in recurrence.exdates:
        event.add("EXDATE", _moment(moment))
    return event


def _override_event(entry: Entry, one: Override) -> Event:
    event = Event()
    event.add("UID", entry.uid)
    event.add("RECURRENCE-ID", _moment(one.at))
    if one.this_and_future:
        event["RECURRENCE-ID"].params["RANGE"] = "THISANDFUTURE"
    if one.details.status:
        event.add("STATUS", one.details.status)
    _add_span(event, one.span)
    return event


def _add_span(event: Event, span: Span) -> None:
    if isinstance(span, AllDay):
        event.add("DTSTART", span.first)
        event.add("DTEND", span.end)
    else:
        event.add("DTSTART", _aware(span.start, span.zone))
        event.add("DTEND", _aware(span.end, span.end_zone))


def _moment(moment: Moment) -> date | datetime:
    return moment.wall.date() if moment.zone is None else _aware(moment.wall, moment.zone)


def _aware(wall: datetime, zone: str) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(zone))
