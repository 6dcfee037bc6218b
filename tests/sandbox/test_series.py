"""Series are stored and shown as recorded from the portal's own functions (tests/vectors/expansion.json)."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.sandbox.php.scalars import PhpValue, PortalCrash
from syncd.sandbox.series.series import occurrences, read_rule, selected, store
from syncd.sandbox.series.stored import Stored
from syncd.sandbox.series.walls import civil, datetime_of, days_of, seconds_of, weekday_of, zone_clock
from tests.support.growth import growth

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "expansion.json").read_text("utf-8"))[
    "cases"
]
MOSCOW = "Europe/Moscow"


def saved(
    start: str, end: str, rrule: dict[str, PhpValue] | None = None, *, zone: str = MOSCOW, server: str = MOSCOW
) -> Stored:
    """Save an event given by ISO texts; bare dates make it all-day."""
    return store(
        date_from=datetime.fromisoformat(start),
        date_to=datetime.fromisoformat(end),
        skip_time=len(start) == 10,
        tz_from=None if len(start) == 10 else zone,
        tz_to=None,
        rrule=rrule,
        exdates=(),
        server_zone=server,
    )


def shown(row: Stored, opens: str, closes: str, server: str = MOSCOW, *, exact: bool = False) -> list[str]:
    found = occurrences(row, datetime.fromisoformat(opens), datetime.fromisoformat(closes), server, exact=exact)
    return [start.isoformat(timespec="minutes")[: 10 if row.skip_time else 16] for start, _ in found]


@pytest.mark.parametrize("number", range(300))
def test_a_recorded_series_is_stored_and_shown_as_recorded(number: int) -> None:
    case = CASES[number]
    event, server = case["event"], case["server_zone"]
    opens, closes = map(datetime.fromisoformat, case["window"])
    row = store(
        date_from=datetime.fromisoformat(event["from"]),
        date_to=datetime.fromisoformat(event["to"]),
        skip_time=event["all_day"],
        tz_from=event["tz"],
        tz_to=event.get("tz_to"),
        rrule=event["rrule"],
        exdates=[date.fromisoformat(day) for day in event["exdate"]],
        server_zone=server,
    )
    assert columns(row) == case["stored"]
    assert selected(row, opens, closes, server) == case["selected"]
    found = occurrences(row, opens, closes, server)
    assert [[start.isoformat(), end.isoformat()] for start, end in found] == case["occurrences"]


def columns(row: Stored) -> dict[str, Any]:
    return {
        "date_from": row.date_from.isoformat(),
        "date_to": row.date_to.isoformat(),
        "tz_from": row.tz_from,
        "tz_to": row.tz_to,
        "tz_offset_from": row.tz_offset_from,
        "tz_offset_to": row.tz_offset_to,
        "date_from_ts_utc": row.from_ts,
        "date_to_ts_utc": row.to_ts,
        "dt_length": row.length,
        "rrule": row.rrule,
        "exdate": ";".join(day.strftime("%d.%m.%Y") for day in row.exdates),
    }


def test_a_single_event_is_stored_with_the_shift_of_the_server_zone() -> None:
    row = saved("2024-12-11T17:59:30", "2024-12-11T18:59", zone="Europe/Riga")
    assert row.date_from == datetime(2024, 12, 11, 17, 59)
    assert (row.from_ts, row.tz_offset_from, row.length) == (1733932740 - 10800, 7200, 3600)
    assert (row.rrule, row.rule, row.exdates) == ("", None, ())
    assert shown(row, "2020-01-01", "2020-01-02") == ["2024-12-11T17:59"]
    assert not selected(row, datetime(2020, 1, 1), datetime(2020, 1, 2), MOSCOW)


def test_an_end_before_the_start_becomes_the_start() -> None:
    timed = saved("2024-06-14T10:00", "2024-06-14T09:00", zone="Europe/Riga")
    assert (timed.date_to, timed.length, timed.to_ts) == (timed.date_from, 0, timed.from_ts)
    day = saved("2024-06-14", "2024-06-10")
    assert (day.date_to, day.length) == (day.date_from, 86400)


def test_all_day_ends_are_inclusive() -> None:
    row = saved("2024-06-14", "2024-06-15")
    assert (row.length, row.to_ts - row.from_ts) == (2 * 86400, 86400)


@pytest.mark.parametrize("rule", [{"FREQ": "NONE"}, {"FREQ": "daily"}, {"INTERVAL": "1"}, {}])
def test_any_other_frequency_is_no_recurrence(rule: dict[str, PhpValue]) -> None:
    assert saved("2024-06-14T10:00", "2024-06-14T11:00", rule) == saved("2024-06-14T10:00", "2024-06-14T11:00")


def test_hourly_is_stored_and_breaks_every_reader() -> None:
    row = saved("2024-06-14T10:00", "2024-06-14T11:00", {"FREQ": "HOURLY", "COUNT": 3})
    assert row.rrule == "FREQ=HOURLY;COUNT=3;UNTIL=01.01.2038;"
    assert selected(row, datetime(2025, 1, 1), datetime(2025, 2, 1), MOSCOW)
    with pytest.raises(PortalCrash):
        shown(row, "2025-01-01", "2025-02-01")
    with pytest.raises(PortalCrash):
        read_rule(row.rrule, date.isoformat)


def test_extra_keys_are_stored_as_text_and_ignored() -> None:
    rule: dict[str, PhpValue] = {"FREQ": "MONTHLY", "INTERVAL": 1, "BYMONTHDAY": [1, 15], "WKST": "SU", "X": True}
    row = saved("2024-06-14T10:00", "2024-06-14T11:00", rule)
    assert row.rrule == "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=Array;WKST=SU;X=1;UNTIL=01.01.2038;"
    assert shown(row, "2024-06-01", "2024-08-01") == ["2024-06-14T10:00", "2024-07-14T10:00"]


def test_a_rule_reads_back_as_an_object() -> None:
    rule: dict[str, PhpValue] = {"FREQ": "WEEKLY", "BYDAY": ["MO", "2TU", "xx"], "COUNT": "4", "UNTIL": "2025-03-01"}
    row = saved("2024-06-14T10:00", "2024-06-14T11:00", rule)
    assert read_rule(row.rrule, lambda day: f"{day:%d.%m.%Y}") == {
        "FREQ": "WEEKLY",
        "INTERVAL": 1,
        "BYDAY": {"MO": "MO", "TU": "TU"},
        "COUNT": 4,
        "UNTIL": "01.03.2025",
        "~UNTIL": "01.03.2025",
        "UNTIL_TS": 1740787200,
    }


def test_a_rule_without_end_reads_back_with_the_portals_forever() -> None:
    row = saved("2024-06-14T10:00", "2024-06-14T11:00", {"FREQ": "WEEKLY", "COUNT": 0})
    assert read_rule(row.rrule, lambda day: f"{day:%m/%d/%Y}") == {
        "FREQ": "WEEKLY",
        "INTERVAL": 1,
        "BYDAY": {"MO": "MO"},
        "UNTIL": "01/01/2038",
        "~UNTIL": "",
        "UNTIL_TS": 2145916800,
    }
    assert read_rule("", date.isoformat) == {}


def test_a_rule_saved_as_it_was_read_repairs_a_missing_interval() -> None:
    row = saved("2024-06-14T10:00", "2024-06-14T11:00", {"FREQ": "DAILY", "COUNT": 9})
    assert not selected(row, datetime(2024, 6, 18), datetime(2024, 6, 20), MOSCOW)
    again = saved("2024-06-14T10:00", "2024-06-14T11:00", read_rule(row.rrule, date.isoformat))
    assert selected(again, datetime(2024, 6, 18), datetime(2024, 6, 20), MOSCOW)
    assert shown(again, "2024-06-01", "2024-07-01")[-1] == "2024-06-22T10:00"


def test_the_portals_probed_oddities_are_there() -> None:
    days: dict[str, PhpValue] = {"FREQ": "WEEKLY", "INTERVAL": 2, "BYDAY": ["MO", "WE"]}
    fortnight = saved("2025-06-02T10:00", "2025-06-02T11:00", days)
    assert shown(fortnight, "2025-06-01", "2025-06-30")[2:4] == ["2025-06-16T10:00", "2025-06-18T10:00"]
    assert shown(fortnight, "2025-06-20", "2025-06-26") == ["2025-06-23T10:00", "2025-06-25T10:00"]
    last = saved("2025-01-31T10:00", "2025-01-31T11:00", {"FREQ": "MONTHLY", "INTERVAL": 1})
    assert [day[5:10] for day in shown(last, "2025-01-01", "2025-05-10")] == ["01-31", "03-01", "03-31", "05-01"]
    until = saved("2025-01-01", "2025-01-01", {"FREQ": "DAILY", "INTERVAL": 1, "UNTIL": "2025-01-03"})
    assert shown(until, "2024-12-01", "2025-02-01")[-1] == "2025-01-04"
    wednesday = saved(
        "2025-06-04T10:00", "2025-06-04T11:00", {"FREQ": "WEEKLY", "INTERVAL": 1, "BYDAY": ["MO"], "COUNT": 3}
    )
    assert len(shown(wednesday, "2025-06-01", "2025-07-30")) == 2
    tenth = saved("2021-01-10T10:00", "2021-01-10T11:00", {"FREQ": "MONTHLY", "INTERVAL": 1})
    assert shown(tenth, "2026-06-01", "2026-06-30") == []
    assert shown(tenth, "2026-06-01", "2026-06-30", exact=True) == ["2026-06-10T10:00"]


@pytest.mark.parametrize(
    "rule", [{"COUNT": 10**12}, {"COUNT": -(10**12)}, {"INTERVAL": 10**12}, {"INTERVAL": 10**9, "COUNT": 10**6}]
)
@pytest.mark.parametrize("freq", ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
def test_absurd_numbers_are_stored_and_read(freq: str, rule: dict[str, PhpValue]) -> None:
    row = saved("2025-06-02T10:00", "2025-06-02T11:00", {"FREQ": freq, "BYDAY": ["MO"], **rule})
    assert len(shown(row, "2025-06-01", "2025-06-30")) <= 29
    assert len(shown(row, "2030-06-01", "2030-06-30", exact=True)) <= 30


STEADY = st.fixed_dictionaries(
    {"INTERVAL": st.integers(1, 4), "FREQ": st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])},
    optional={"COUNT": st.integers(1, 12)},
)


@settings(max_examples=120, deadline=None)
@given(STEADY, st.datetimes(datetime(2024, 1, 1), datetime(2025, 12, 28)), st.integers(0, 500), st.booleans())
def test_exact_expansion_is_that_of_rfc_5545(rule: dict[str, Any], start: datetime, lead: int, two_days: bool) -> None:
    start = start.replace(second=0, microsecond=0, hour=10)
    names = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
    chosen = [names[start.weekday()], names[(start.weekday() + 2) % 7]][: 1 + two_days]
    if rule["FREQ"] == "WEEKLY":
        rule = {**rule, "BYDAY": chosen}
    row = saved(start.isoformat(), (start + timedelta(hours=1)).isoformat(), rule)
    opens = start - timedelta(days=30) + timedelta(days=lead)
    closes = opens + timedelta(days=60)
    text = ";".join(f"{key}={','.join(value) if isinstance(value, list) else value}" for key, value in rule.items())
    expected = rrulestr(text, dtstart=start).between(
        opens - timedelta(hours=1), closes + timedelta(days=1) - timedelta(seconds=1), inc=True
    )
    found = occurrences(row, opens, closes, MOSCOW, exact=True)
    assert [opening for opening, _ in found] == expected


@settings(max_examples=200, deadline=None)
@given(st.integers(-700_000, 2_900_000))
def test_days_and_dates_are_the_calendars(day: int) -> None:
    year, month, of_month = civil(day)
    wall = datetime_of(day * 86400)
    assert (year, month, of_month) == (wall.year, wall.month, wall.day)
    assert days_of(year, month, of_month) == day
    assert weekday_of(day) == wall.weekday()


@settings(max_examples=200, deadline=None)
@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "America/Havana", "Asia/Beirut", "Europe/Moscow"]),
)
def test_cached_offsets_are_the_zones_own(wall: datetime, name: str) -> None:
    wall = wall.replace(microsecond=0, fold=0)  # the portal's wall clock cannot tell the two readings of an hour apart
    clock, stamp = zone_clock(name), int(wall.replace(tzinfo=ZoneInfo(name)).timestamp())
    assert clock.unix(seconds_of(wall)) == stamp
    assert datetime_of(clock.wall(stamp)) == datetime.fromtimestamp(stamp, ZoneInfo(name)).replace(tzinfo=None)


def test_a_month_of_many_series_costs_the_sandbox_about_what_it_costs_an_rfc_library_or_less() -> None:
    rules: list[tuple[dict[str, PhpValue], str]] = [
        ({"FREQ": "DAILY", "INTERVAL": 1}, "FREQ=DAILY"),
        (
            {"FREQ": "WEEKLY", "INTERVAL": 1, "BYDAY": ["MO", "TU", "WE", "TH", "FR"]},
            "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        ),
        ({"FREQ": "MONTHLY", "INTERVAL": 1}, "FREQ=MONTHLY"),
        ({"FREQ": "YEARLY", "INTERVAL": 1}, "FREQ=YEARLY"),
    ]
    rows = [saved("2023-06-02T10:00", "2023-06-02T11:00", rule) for rule, _ in rules]
    texts = [text for _, text in rules]
    first, opens, closes = datetime(2023, 6, 2, 10), datetime(2025, 6, 1), datetime(2025, 7, 1)

    def sandbox() -> int:
        return sum(len(shown(row, "2025-06-01", "2025-06-30")) for row in rows * 20)

    def library() -> int:
        return sum(len(rrulestr(text, dtstart=first).between(opens, closes)) for text in texts * 20)

    assert sandbox() == library() == 20 * (30 + 21 + 1 + 1)
    assert growth(library, sandbox) < 2
