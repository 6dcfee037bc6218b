"""Whole days however they are written: as dates, as instants of some midnight, with rules that count in UTC."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model.entry import AllDay, Entry, Window
from syncd.model.recurrence import compile_entry
from tests.model.referee import Shown, portal_view
from tests.source.calendars import calendar, days, event, one, parse, refusal, timed

FLAG = "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE"
ZONES = (
    "Europe/Moscow",
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Kiritimati",
    "Pacific/Honolulu",
    "Asia/Kathmandu",
)
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
WINDOW = Window(first=date(2026, 1, 1), last=date(2027, 12, 31))


def shown(entry: Entry) -> Counter[Shown]:
    assert WINDOW.first is not None
    assert WINDOW.last is not None
    compiled = compile_entry(entry, window=WINDOW, portal_zone="Europe/Moscow", today=date(2026, 1, 1))
    return portal_view(compiled.pieces, "Europe/Moscow", WINDOW.first, WINDOW.last)


def midnight(day: date, zone: str) -> str:
    """Return the instant at which a day begins, as Exchange writes it."""
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return f"{local.astimezone(UTC):%Y%m%dT%H%M%SZ}"


@settings(max_examples=80, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    first=st.dates(date(2026, 1, 10), date(2026, 12, 20)),
    weekdays=st.sets(st.integers(0, 6), min_size=1, max_size=2),
    interval=st.integers(1, 3),
    weeks=st.integers(2, 8),
    skipped=st.integers(0, 5),
    marked=st.booleans(),
)
def test_days_as_instants_are_the_days_as_dates(
    zone: str, first: date, weekdays: set[int], interval: int, weeks: int, skipped: int, marked: bool
) -> None:
    weekdays = {*weekdays, first.weekday()}
    written_in_utc = datetime.strptime(midnight(first, zone), "%Y%m%dT%H%M%SZ").date()
    shift = (written_in_utc - first).days if marked else 0
    # Where both readings hit the first day, UTC is meant, and a warning tells; such rules are tested below.
    if shift and {(day + shift) % 7 for day in weekdays} & weekdays:
        weekdays = {first.weekday()}
    until, out = first + timedelta(weeks=weeks), first + timedelta(weeks=skipped)
    rule = f"RRULE:FREQ=WEEKLY;INTERVAL={interval};WKST=MO;BYDAY="
    plain = one(
        f"DTSTART;VALUE=DATE:{first:%Y%m%d}",
        rule + ",".join(WEEKDAYS[day] for day in sorted(weekdays)) + f";UNTIL={until:%Y%m%d}",
        f"EXDATE;VALUE=DATE:{out:%Y%m%d}",
    )
    moved = rule.replace("WKST=MO", f"WKST={WEEKDAYS[shift % 7]}") + ",".join(
        WEEKDAYS[(day + shift) % 7] for day in sorted(weekdays)
    )
    start = f"DTSTART:{midnight(first, zone)}\nDTEND:{midnight(first + timedelta(days=1), zone)}\n{FLAG}"
    utc = one(
        start if marked else f"DTSTART;VALUE=DATE:{first:%Y%m%d}",
        f"{moved};UNTIL={midnight(until, zone)}",
        f"EXDATE:{midnight(out, zone)}",
        head=f"X-WR-TIMEZONE:{zone}",
    )
    assert shown(utc) == shown(plain)


@pytest.mark.parametrize(
    ("lines", "span"),
    [
        (f"DTSTART:20261220T210000Z\nDTEND:20261221T205959Z\n{FLAG}", days("2026-12-21", "2026-12-22")),
        (f"DTSTART:20261220T210000Z\n{FLAG}", days("2026-12-21", "2026-12-22")),
        (f"DTSTART:20261221T000000Z\nDTEND:20261223T000000Z\n{FLAG}", days("2026-12-21", "2026-12-23")),
        (f"DTSTART:20261221T000000\nDTEND:20261221T235900\n{FLAG}", days("2026-12-21", "2026-12-22")),
        (f"DTSTART;TZID=Asia/Tokyo:20261221T000000\nDTEND;TZID=Asia/Tokyo:20261222T000000\n{FLAG}",
         days("2026-12-21", "2026-12-22")),
        ("DTSTART:20261221T000000\nDTEND:20261222T000000\nX-FUNAMBOL-ALLDAY:1", days("2026-12-21", "2026-12-22")),
        ("DTSTART;VALUE=DATE:20261221\nDTEND:20261222T210000Z", days("2026-12-21", "2026-12-23")),
        ("DTSTART;VALUE=DATE:20261221\nDTEND:20261222T235959", days("2026-12-21", "2026-12-23")),
        ("DTSTART;VALUE=DATE:20261220T210000Z", days("2026-12-21", "2026-12-22")),
        ("DTSTART:20261220T210000Z\nDTEND:20261221T210000Z", timed("2026-12-20 21:00", "2026-12-21 21:00", "UTC")),
    ],
)  # fmt: skip
def test_a_midnight_of_the_event_or_feed_begins_a_day_and_the_second_before_it_ends_one(
    lines: str, span: AllDay
) -> None:
    assert one(lines).span == span


def test_a_zone_that_the_feed_defines_has_midnights_too() -> None:
    tokyo = "BEGIN:VTIMEZONE\nTZID:Tokyo Standard Time\nEND:VTIMEZONE"
    part = parse(calendar(tokyo, event(f"DTSTART:20261220T150000Z\nDTEND:20261221T150000Z\n{FLAG}")))
    assert [entry.span for entry in part.entries] == [days("2026-12-21", "2026-12-22")]


def test_a_mark_on_what_begins_at_no_midnight_is_told() -> None:
    part = parse(calendar(event(f"DTSTART:20261220T170000Z\nDTEND:20261221T170000Z\n{FLAG}")))
    assert [entry.span for entry in part.entries] == [timed("2026-12-20 17:00", "2026-12-21 17:00", "UTC")]
    assert [(one.kind, "whole days" in one.reason) for one in part.problems] == [("warning", True)]


@pytest.mark.parametrize(
    ("until", "last"),
    [("20261203T210000Z", 4), ("20261203T205959Z", 3), ("20261203T235959Z", 3), ("20261203T120000Z", 3),
     ("20261203T000000", 3), ("20261203", 3)],
)  # fmt: skip
def test_an_end_names_the_day_of_its_midnight_else_that_of_utc(until: str, last: int) -> None:
    entry = one("DTSTART;VALUE=DATE:20261201", f"RRULE:FREQ=DAILY;UNTIL={until}")
    assert entry.recurrence is not None
    assert entry.recurrence.rules == (f"FREQ=DAILY;UNTIL=202612{last:02}",)


def test_changed_days_are_found_however_they_are_named() -> None:
    changes = [
        event(f"RECURRENCE-ID{name}", "DTSTART:20261210T100000", f"SUMMARY:{number}")
        for number, name in enumerate((":20261201T210000Z", ";VALUE=DATE:20261203", ";TZID=Asia/Tokyo:20261204T000000"))
    ]
    part = parse(calendar(event("DTSTART;VALUE=DATE:20261201", "RRULE:FREQ=DAILY;COUNT=5"), *changes))
    assert [(one.at.zone, one.at.wall.day) for one in part.entries[0].overrides] == [(None, 2), (None, 3), (None, 4)]


def test_further_days_as_instants_are_days() -> None:
    entry = one("DTSTART;VALUE=DATE:20261201", "RDATE:20261204T210000Z,20261206T120000Z")
    assert entry.recurrence is not None
    assert entry.recurrence.rdates == (days("2026-12-05", "2026-12-06"), days("2026-12-06", "2026-12-07"))
    assert "has a time, the series has none" in refusal("DTSTART;VALUE=DATE:20261201", "RDATE:20261204T090000")


@pytest.mark.parametrize(
    ("rule", "read", "warned"),
    [
        ("FREQ=WEEKLY;BYDAY=WE", "FREQ=WEEKLY;BYDAY=TH", False),
        ("FREQ=WEEKLY;BYDAY=TH", "FREQ=WEEKLY;BYDAY=TH", False),  # with people's days
        ("FREQ=WEEKLY;BYDAY=WE,TH", "FREQ=WEEKLY;BYDAY=TH,FR", True),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=WE,SU", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH,MO;WKST=TU", False),
        ("FREQ=MONTHLY;BYMONTHDAY=3", "FREQ=MONTHLY;BYMONTHDAY=4", False),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=3", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=4", False),
        ("FREQ=MONTHLY", "FREQ=MONTHLY", False),
    ],
)
def test_the_days_of_a_rule_move_with_the_day_on_which_its_series_begins(rule: str, read: str, warned: bool) -> None:
    lines = ("DTSTART:20270203T210000Z", "DTEND:20270204T210000Z", f"RRULE:{rule}", FLAG)
    part = parse(calendar(event(*lines)))
    (entry,) = part.entries
    assert entry.recurrence is not None
    assert entry.recurrence.rules == (read,)
    assert bool(part.problems) is warned


def test_a_rule_whose_days_cannot_be_moved_is_refused() -> None:
    for rule in ("FREQ=MONTHLY;BYDAY=1WE", "FREQ=MONTHLY;BYMONTHDAY=3,10", "FREQ=MONTHLY;BYDAY=WE;BYSETPOS=1"):
        lines = ("DTSTART:20270203T210000Z", "DTEND:20270204T210000Z", f"RRULE:{rule}", FLAG)
        assert "counts days in UTC" in refusal(*lines)


def test_a_changed_day_at_the_end_of_the_calendar_is_told_and_costs_nothing_else() -> None:
    series = event("DTSTART;VALUE=DATE:20261201", "RRULE:FREQ=DAILY;COUNT=5")
    change = event("RECURRENCE-ID:99991231T235959Z", "DTSTART;VALUE=DATE:20261202")
    part = parse(calendar(series, change), "Pacific/Kiritimati")
    assert [(entry.uid, entry.overrides) for entry in part.entries] == [("u", ())]
    assert [(one.where, one.kind) for one in part.problems] == [("t.ics:8", "rejected")]
