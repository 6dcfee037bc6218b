"""What a vendor tells of an event becomes the same values as the VEVENT that says it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from syncd.model.entry import AllDay, Moment, Reminder, Timed
from syncd.source.accounts.told import Told, Wall, vevent
from syncd.source.ical.vevent import CalendarFacts, VEvent, read_event
from syncd.source.ical.vtimezone import FeedZones

NINE, TEN = datetime(2026, 12, 1, 9), datetime(2026, 12, 1, 10)
MOSCOW = "Europe/Moscow"


def read(told: Told) -> VEvent:
    zones = FeedZones(definitions={}, floating=MOSCOW, year=2026)
    return read_event(vevent(told, "u"), CalendarFacts(zones=zones), where="here")


def at(wall: datetime, zone: str = MOSCOW) -> Wall:
    return Wall(wall=wall, zone=zone)


def test_texts_come_through_with_their_line_breaks_commas_and_backslashes() -> None:
    text = "a,b;c\\n\\ d\r\ne\nEND:VEVENT\nDTSTART:19700101"
    event = read(Told(id="1", start=at(NINE), end=at(TEN), title=text, description=text, location=text))
    plain = text.replace("\r\n", "\n")
    assert (event.details.title, event.details.description, event.details.location) == (plain, plain, plain)
    assert event.span == Timed(start=NINE, end=TEN, zone=MOSCOW, end_zone=MOSCOW)


@pytest.mark.parametrize(
    ("zone", "known"),
    [
        ("Europe/Moscow", MOSCOW),
        ("Russian Standard Time", MOSCOW),
        ("UTC", "UTC"),
        ("", MOSCOW),
        ('"Europe/Moscow"', MOSCOW),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("Etc/GMT-3", "Etc/GMT-3"),
    ],
)
def test_zones_of_both_worlds_are_known(zone: str, known: str) -> None:
    span = read(Told(id="1", start=at(NINE, zone), end=at(TEN, zone))).span
    assert isinstance(span, Timed)
    assert (span.start, span.zone) == (NINE, known)


def test_a_zone_that_nobody_knows_is_told_with_its_remedy() -> None:
    with pytest.raises(ValueError, match=r"'Mars; Base:1' is not known.*\[sync.source.zones\]"):
        read(Told(id="1", start=at(NINE, "Mars; Base:1"), end=at(TEN, "Mars; Base:1")))


def test_whole_days_end_before_their_end() -> None:
    event = read(Told(id="1", start=date(2026, 12, 1), end=date(2026, 12, 3)))
    assert event.span == AllDay(first=date(2026, 12, 1), end=date(2026, 12, 3))


@pytest.mark.parametrize(
    ("minutes", "reminders"),
    [
        (None, None),
        ((), ()),
        ((10, 1440), (Reminder(before=timedelta(minutes=10)), Reminder(before=timedelta(days=1)))),
    ],
)
def test_no_word_of_alarms_is_not_the_word_that_there_are_none(
    minutes: tuple[int, ...] | None, reminders: tuple[Reminder, ...] | None
) -> None:
    assert read(Told(id="1", start=at(NINE), end=at(TEN), alarms=minutes)).details.reminders == reminders


def test_an_occurrence_that_is_taken_away_needs_no_time() -> None:
    event = read(Told(id="1", at=at(NINE), status="CANCELLED"))
    assert (event.at, event.details.status) == (Moment(wall=NINE, zone=MOSCOW), "CANCELLED")


@pytest.mark.parametrize("line", ["DTSTART:20261201T090000", "RRULE:FREQ=DAILY\nDTSTART:20261202", "FREQ=DAILY", ""])
def test_what_is_no_line_of_recurrence_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="is no RRULE, RDATE or EXDATE"):
        vevent(Told(id="1", start=at(NINE), end=at(TEN), recurrence=(line,)), "u")


def test_everything_that_is_told_has_its_field() -> None:
    details = read(
        Told(
            id="1", start=at(NINE), end=at(TEN), url="https://a/?b=1;c,d", conference="https://meet/x", color="#dc2127",
            status="TENTATIVE", free=True, private=True, priority=1, categories=("a,b", "c"),
            organizer="Anna@Example.com", guests=("b@example.com", "c@example.com"),
            extras=(("event type", "focusTime"), ("X-ROOM", "1")),
        )
    ).details  # fmt: skip
    assert (details.url, details.color, details.status) == ("https://a/?b=1;c,d", "#dc2127", "TENTATIVE")
    assert (details.transparent, details.classification, details.priority) == (True, "PRIVATE", 1)
    assert (details.categories, details.organizer) == (("a,b", "c"), "anna@example.com")
    assert details.attendees == ("b@example.com", "c@example.com")
    assert tuple(details.columns) == (
        ("CONFERENCE", "https://meet/x"), ("X-EVENT-TYPE", "focusTime"), ("X-ROOM", "1"),
    )  # fmt: skip
