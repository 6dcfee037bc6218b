"""Events of the portal in the terms of RFC 5545."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from syncd.model.entry import Entry, Moment, Reminder
from syncd.source.bitrix24.event_reader import Culture, EventRow, Surroundings, read_row
from tests.source.calendars import days, timed

ROW: dict[str, Any] = {
    "ID": "7", "PARENT_ID": "7", "NAME": "Stand-up", "DT_SKIP_TIME": "N", "DATE_FROM": "01.12.2026 09:00:00",
    "DATE_FROM_FORMATTED": "Tue Dec 01 2026 09:00:00", "DATE_TO_FORMATTED": "Tue Dec 01 2026 10:00:00",
    "TZ_FROM": "Europe/Moscow", "TZ_TO": "Europe/Moscow", "RRULE": "", "EXDATE": "", "SECTION_ID": "4",
}  # fmt: skip
ALL_DAY: dict[str, Any] = {
    "DT_SKIP_TIME": "Y", "DATE_FROM_FORMATTED": "Tue Dec 01 2026", "DATE_TO_FORMATTED": "Wed Dec 02 2026",
}  # fmt: skip


def read(last: date | None = date(2027, 12, 31), zone: str | None = None, **changed: Any) -> Entry:
    row = msgspec.convert({**ROW, **changed}, EventRow)
    people = {1: "boss@example.com", 2: "ann@example.com"}
    around = Surroundings(where="w", owner="ann@example.com", section="Work", people=people, zone=zone,
                          culture=Culture.learn([row]), last=last)  # fmt: skip
    return read_row(row, around)


def test_times_are_wall_clocks_in_their_zones_and_all_day_ends_become_exclusive() -> None:
    assert read().span == timed("2026-12-01 09:00", "2026-12-01 10:00")
    assert read(TZ_TO="Europe/Berlin").span == timed("2026-12-01 09:00", "2026-12-01 10:00", end_zone="Europe/Berlin")
    assert read(TZ_FROM=None, TZ_TO=None, zone="Asia/Omsk").span == timed(
        "2026-12-01 09:00", "2026-12-01 10:00", "Asia/Omsk"
    )
    assert read(**ALL_DAY).span == days("2026-12-01", "2026-12-03")


def test_fields_are_read_and_what_only_the_portal_understands_is_left_out() -> None:
    entry = read(
        DESCRIPTION="Daily\n[syncd:0123456789abcdef]", LOCATION="calendar_5_9", ACCESSIBILITY="free", PRIVATE_EVENT="1",
        IMPORTANCE="high", COLOR="#AABBCC", REMIND=[{"type": "hour", "count": 1}], MEETING_HOST="1",
        ATTENDEE_LIST=[{"id": 2}, {"id": 99}],
    )  # fmt: skip
    details = entry.details
    assert (details.description, details.location, details.transparent) == ("Daily", "", True)
    assert (details.classification, details.priority, details.color) == ("PRIVATE", 1, "#aabbcc")
    assert details.reminders == (Reminder(before=timedelta(hours=1)),)
    assert (details.organizer, details.attendees) == ("boss@example.com", ("ann@example.com",))
    assert entry.uid == "bitrix24-7"
    by = read(DESCRIPTION="Daily\n[syncd-by:1a2b3c4d] [syncd:0123456789abcdef]")
    assert by.details.description == "Daily"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"FREQ": "DAILY", "INTERVAL": 2, "COUNT": 5}, "FREQ=DAILY;INTERVAL=2;COUNT=5"),
        ({"FREQ": "WEEKLY", "INTERVAL": 1, "BYDAY": {"TU": "TU", "TH": "TH"}},
         "FREQ=WEEKLY;INTERVAL=1;BYDAY=TU,TH"),
        ({"FREQ": "MONTHLY", "INTERVAL": "1", "UNTIL_TS": 1811808000},
         "FREQ=MONTHLY;INTERVAL=1;UNTIL=20270601T205959Z"),
        ({"FREQ": "YEARLY", "INTERVAL": 1, "UNTIL_TS": 2145916800}, "FREQ=YEARLY;INTERVAL=1"),
    ],
)  # fmt: skip
def test_a_series_keeps_its_rule(rule: dict[str, Any], expected: str) -> None:
    entry = read(RRULE=rule)
    assert entry.recurrence is not None
    assert entry.recurrence.rules == (expected,)


def test_a_weekly_series_begins_on_its_first_day_for_the_portal_shows_no_other() -> None:
    entry = read(RRULE={"FREQ": "WEEKLY", "INTERVAL": 2, "BYDAY": {"MO": "MO"}})
    assert entry.span == timed("2026-12-14 09:00", "2026-12-14 10:00")
    bare = read(RRULE={"FREQ": "WEEKLY", "INTERVAL": 1, "BYDAY": ""})
    assert bare.span == timed("2026-12-07 09:00", "2026-12-07 10:00")


def test_a_day_that_some_months_lack_becomes_the_first_of_the_next_as_the_portal_shows_it() -> None:
    start = {"DATE_FROM_FORMATTED": "Sun Jan 31 2027 09:00:00", "DATE_TO_FORMATTED": "Sun Jan 31 2027 10:00:00",
             "DATE_FROM": "31.01.2027"}  # fmt: skip
    entry = read(RRULE={"FREQ": "MONTHLY", "INTERVAL": 1}, last=date(2027, 6, 15), **start)
    assert entry.recurrence is not None
    assert entry.recurrence.rules == ()
    assert entry.recurrence.rdates == tuple(
        timed(f"{day} 09:00", f"{day} 10:00") for day in ("2027-03-01", "2027-03-31", "2027-05-01", "2027-05-31")
    )


@pytest.mark.parametrize(
    ("date_from", "exdate"),
    [
        ("15.12.2026 09:00:00", "22.12.2026;05.01.2027"),
        ("12/15/2026 09:00:00 am", "12/22/2026;01/05/2027"),
        ("15/12/2026 9:00", "22/12/2026;05/01/2027"),
        ("2026-12-15 09:00:00", ["2026-12-22", "2027-01-05"]),
    ],
)
def test_days_left_out_are_read_in_the_order_that_the_portal_writes_dates_in(date_from: str, exdate: Any) -> None:
    entry = read(
        DATE_FROM=date_from, EXDATE=exdate, RRULE={"FREQ": "DAILY", "INTERVAL": 7},
        DATE_FROM_FORMATTED="Tue Dec 15 2026 09:00:00", DATE_TO_FORMATTED="Tue Dec 15 2026 10:00:00",
    )  # fmt: skip
    assert entry.recurrence is not None
    assert entry.recurrence.exdates == tuple(
        Moment(wall=datetime(*day, 9), zone="Europe/Moscow") for day in ((2026, 12, 22), (2027, 1, 5))
    )


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"TZ_FROM": ""}, "no time zone"),
        ({"DATE_FROM_FORMATTED": ""}, "gave no date"),
        ({"RRULE": {"FREQ": "HOURLY"}}, "repeats HOURLY"),
        ({"RRULE": "FREQ=DAILY"}, "rule cannot be read"),
        ({"RRULE": {"FREQ": "DAILY"}, "EXDATE": "soon"}, "'soon', which is not a date"),
        ({"DATE_TO_FORMATTED": "Tue Dec 01 2026 08:00:00"}, "end is before start"),
    ],
)
def test_an_event_that_cannot_be_read_is_refused_with_its_reason(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(**changed)
