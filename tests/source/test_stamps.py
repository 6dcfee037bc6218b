"""Stamps in all spellings, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.source.field_values import read_rule
from syncd.source.stamps import looks_like_stamp, read_stamp, utc_of

NINE = datetime(2026, 12, 1, 9)
HOURS = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timedelta(minutes=15 * quarters))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("20261201T090000", (NINE, True, None)),
        ("20261201T0900", (NINE, True, None)),
        ("2026-12-01T09:00:00", (NINE, True, None)),
        ("2026-12-01 09:00", (NINE, True, None)),
        ("20261201T090000Z", (NINE, True, timedelta(0))),
        ("20261201t090000z", (NINE, True, timedelta(0))),
        ("20261201T090000.000Z", (NINE, True, timedelta(0))),
        ("20261201T090000,5", (NINE, True, None)),
        ("20261201T090000+0300", (NINE, True, timedelta(hours=3))),
        ("20261201T0900-03:30", (NINE, True, timedelta(hours=-3.5))),
        ("2026-12-01T09:00:00+03", (NINE, True, timedelta(hours=3))),
        ("20261201T085960", (NINE - timedelta(seconds=1), True, None)),
        ("20261130T240000", (datetime(2026, 12, 1), True, None)),
        ("20261201", (datetime(2026, 12, 1), False, None)),
        ("2026-12-01", (datetime(2026, 12, 1), False, None)),
        ("20261201Z", (datetime(2026, 12, 1), False, None)),
    ],
)
def test_a_stamp_is_read_in_all_its_spellings(text: str, read: tuple[datetime, bool, timedelta | None]) -> None:
    assert looks_like_stamp(text)
    assert read_stamp(text) == read


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a date"),
        ("tomorrow", "is not a date"),
        ("202612-01", "is not a date"),
        ("20261201T09", "is not a date"),
        ("20261201T0900+3", "is not a date"),
        ("20261201T09+0300", "is not a date"),
        ("2026W481T090000", "is not a date"),
        ("\u0662\u0660\u0662\u0666\u0661\u0662\u0660\u0661T090000", "is not a date"),
        ("20260230", "there is no day 2026-02-30"),
        ("00000101T000000", "there is no day"),
        ("20261201T250000", "there is no time 25:00:00"),
        ("20261201T240001", "there is no time"),
        ("20261201T0960", "there is no time"),
        ("20261201T090000+1500", "there is no offset"),
        ("99991231T240000", "past the year 9999"),
    ],
)
def test_what_is_no_stamp_is_refused_with_its_reason(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_stamp(text)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2037, 12, 30)), HOURS, st.booleans())
def test_a_stamp_with_an_offset_is_the_moment_it_names(moment: datetime, offset: timedelta, basic: bool) -> None:
    moment = moment.replace(microsecond=0)
    text = moment.replace(tzinfo=timezone(offset)).isoformat()
    text = text.replace("-", "", 2).replace(":", "") if basic else text
    wall, has_time, found = read_stamp(text)
    assert (wall, has_time) == (moment, True)
    assert found is not None
    assert utc_of(wall, found) == moment.replace(tzinfo=timezone(offset)).astimezone(UTC).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", ""),
        ("RRULE:", ""),
        (" ; ", ""),
        ("freq=daily; count=3;", "FREQ=DAILY;COUNT=3"),
        ("RRULE:FREQ=DAILY\\;COUNT=10", "FREQ=DAILY;COUNT=10"),
        ("FREQ=WEEKLY;BYDAY=MO\\,TU", "FREQ=WEEKLY;BYDAY=MO,TU"),
        ("FREQ=DAILY;COUNT=-1;UNTIL=20261203T090000Z", "FREQ=DAILY;UNTIL=20261203T090000Z"),
        ("FREQ=DAILY;COUNT=0;UNTIL=20261203", "FREQ=DAILY;UNTIL=20261203"),
        ("FREQ=DAILY;COUNT=-1", "FREQ=DAILY"),
        ("FREQ=WEEKLY;UNTIL=;INTERVAL=1;BYDAY=MO", "FREQ=WEEKLY;INTERVAL=1;BYDAY=MO"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY"),
        ("FREQ=DAILY;UNTIL=2026-12-03", "FREQ=DAILY;UNTIL=20261203"),
        ("FREQ=DAILY;UNTIL=2026-12-03T09:00:00.000+03:00", "FREQ=DAILY;UNTIL=20261203T060000Z"),
        ("FREQ=DAILY;UNTIL=20261203T2300", "FREQ=DAILY;UNTIL=20261203T230000"),
        ("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=OMIT;COUNT=3", "FREQ=MONTHLY;COUNT=3"),
        ("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD;BYMONTHDAY=15", "FREQ=MONTHLY;BYMONTHDAY=15"),
        ("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD;BYDAY=1MO", "FREQ=MONTHLY;BYDAY=1MO"),
        ("RSCALE=GREGORIAN;FREQ=WEEKLY;SKIP=FORWARD", "FREQ=WEEKLY"),
        ("FREQ=WEEKLY;BYDAY=TU,", "FREQ=WEEKLY;BYDAY=TU"),
        ("FREQ=WEEKLY;BYDAY=,TU,,TH", "FREQ=WEEKLY;BYDAY=TU,TH"),
        ("FREQ=WEEKLY;BYDAY=TUE,Thursday;WKST=MONDAY", "FREQ=WEEKLY;BYDAY=TU,TH;WKST=MO"),
        ("FREQ=MONTHLY;BYDAY=-1FRIDAY;BYMONTH=1,", "FREQ=MONTHLY;BYDAY=-1FR;BYMONTH=1"),
        ('FREQ=WEEKLY;COUNT="3";BYDAY="TU","TH"', "FREQ=WEEKLY;COUNT=3;BYDAY=TU,TH"),
        ('"FREQ=WEEKLY;COUNT=3"', "FREQ=WEEKLY;COUNT=3"),
        ("FREQ=WEEKLY;COUNT=3.0;INTERVAL=+2", "FREQ=WEEKLY;COUNT=3;INTERVAL=2"),
        ("FREQ=WEEKLY,COUNT=3,BYDAY=TU,TH", "FREQ=WEEKLY;COUNT=3;BYDAY=TU,TH"),
        ("FREQ=WEEKLY;UNTIL=2026-12-31 09:00", "FREQ=WEEKLY;UNTIL=20261231T090000"),
        ("FREQ=WEEKLY;UNTIL=20261231T", "FREQ=WEEKLY;UNTIL=20261231"),
    ],
)
def test_a_rule_is_read_as_exporters_write_it(text: str, rule: str) -> None:
    assert read_rule(text) == rule


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("RSCALE=HEBREW;FREQ=YEARLY", "the calendar HEBREW"),
        ("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD", "SKIP=FORWARD"),
        ("RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=BACKWARD;BYMONTHDAY=-30", "SKIP=BACKWARD"),
        ("FREQ=DAILY;COUNT=0", "COUNT is not between"),
        ("FREQ=;COUNT=1", "is not a recurrence rule"),
        ("every day", "is not a recurrence rule"),
        ("FREQ=DAILY;COUNT=1;COUNT=2", "is not a recurrence rule"),
        ("FREQ=DAILY;UNTIL=20260230", "is not a recurrence rule|no day"),
        ("FREQ=WEEKLY;BYDAY=TUTH", "write it like MO"),
        ("FREQ=WEEKLY;BYDAY=T", "write it like MO"),
        ("FREQ=FORTNIGHTLY", "write one of YEARLY, MONTHLY, WEEKLY"),
        ("COUNT=3", "has no FREQ; write one of"),
        ("FREQ=DAILY;INTERVAL=0", "correct it, or leave it out"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "or leave BYMONTHDAY out"),
        ("FREQ=WEEKLY;BYWEEKDAY=TU", "does not know; leave it out"),
        ("FREQ=DAILY;UNTIL=31/12/26", "write it like 20260531"),
        ("every day", "write the rule like FREQ=WEEKLY;BYDAY=MO,WE"),
    ],
)
def test_a_rule_that_could_mean_two_things_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_rule(text)
