"""The [probe] facts of PORTAL.md 4.7: the model shows each fault, and the compiler walks around it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from syncd.model.entry import AllDay, Entry, Span, Window
from syncd.model.recurrence import Compiled, compile_entry
from syncd.model.recurrence import portal_arithmetic as portal
from syncd.model.recurrence.wall import as_datetime, clock_of, day_seconds, seconds
from tests.model.referee import days, differences, series, timed

MOSCOW = "Europe/Moscow"
TODAY = date(2026, 3, 1)
YEAR = Window(first=date(2026, 1, 1), last=date(2026, 12, 31))


def shown(span: Span, rule: dict[str, object], first: date, last: date, server: str = MOSCOW) -> list[str]:
    """Return the starts that the portal shows of a series sent as it stands."""
    if isinstance(span, AllDay):
        walls, zones = (day_seconds(span.first), day_seconds(span.end - timedelta(days=1))), None
    else:
        walls, zones = (seconds(span.start), seconds(span.end)), (span.zone, span.end_zone)
    row = portal.save(server=clock_of(server), start=walls[0], end=walls[1], zones=zones, rule=rule)
    if not portal.selects(row, day_seconds(first), day_seconds(last)):
        return []
    found = portal.occurrences(row, day_seconds(first), day_seconds(last))
    return [f"{as_datetime(start):%m-%d}" for start, _ in found]


def compiled(entry: Entry, window: Window = YEAR, server: str = MOSCOW) -> Compiled:
    """Compile, and check against the referee for the whole window."""
    result = compile_entry(entry, window=window, portal_zone=server, today=TODAY)
    assert window.first is not None
    assert window.last is not None
    assert differences(entry, result.pieces, server, window.first, window.last) == ""
    return result


def test_weekly_without_byday_is_monday_so_byday_is_always_sent() -> None:
    wednesday = timed(datetime(2026, 1, 7, 9), zone=MOSCOW)
    assert shown(wednesday, {"FREQ": "WEEKLY", "INTERVAL": 1}, date(2026, 1, 1), date(2026, 1, 19))[0] == "01-12"
    (piece,) = compiled(series(wednesday, "FREQ=WEEKLY")).pieces
    assert piece.rule is not None
    assert piece.rule.byday == ("WE",)


def test_count_without_interval_hides_the_series_from_later_windows() -> None:
    span = timed(datetime(2026, 1, 5, 9), zone=MOSCOW)
    assert shown(span, {"FREQ": "DAILY", "COUNT": 10}, date(2026, 1, 8), date(2026, 1, 9)) == []
    assert shown(span, {"FREQ": "DAILY", "INTERVAL": 1, "COUNT": 10}, date(2026, 1, 8), date(2026, 1, 9)) != []


@pytest.mark.parametrize("span", [days(date(2026, 1, 5)), timed(datetime(2026, 1, 5), zone=MOSCOW)])
def test_until_gives_a_day_too_many_at_midnight_so_count_is_sent(span: Span) -> None:
    until = {"FREQ": "DAILY", "INTERVAL": 1, "UNTIL": "2026-01-08"}
    assert shown(span, until, date(2026, 1, 1), date(2026, 1, 20))[-1] == "01-09"
    (piece,) = compiled(series(span, "FREQ=DAILY;COUNT=4")).pieces
    assert piece.rule is not None
    assert piece.rule.count == 4


def test_until_two_days_too_early_gives_two_occurrences() -> None:
    span = timed(datetime(2026, 1, 10, 9), zone=MOSCOW)
    until = {"FREQ": "DAILY", "INTERVAL": 1, "UNTIL": "2026-01-08"}
    assert shown(span, until, date(2026, 1, 1), date(2026, 1, 20)) == ["01-10", "01-11"]


@pytest.mark.parametrize(
    ("start", "rule", "number"),
    [
        (datetime(2026, 1, 7, 9), {"FREQ": "WEEKLY", "INTERVAL": 1, "BYDAY": ["MO"], "COUNT": 3}, 2),
        (datetime(2026, 1, 9, 9), {"FREQ": "WEEKLY", "INTERVAL": 1, "BYDAY": ["MO", "WE", "FR"], "COUNT": 5}, 4),
        (datetime(2026, 1, 9, 9), {"FREQ": "WEEKLY", "INTERVAL": 2, "BYDAY": ["MO", "FR"], "COUNT": 4}, 3),
    ],
)
def test_count_loses_occurrences_of_weekly_series(start: datetime, rule: dict[str, object], number: int) -> None:
    assert len(shown(timed(start, zone=MOSCOW), rule, date(2026, 1, 1), date(2026, 4, 1))) == number


def test_count_on_several_weekdays_is_turned_into_until() -> None:
    entry = series(timed(datetime(2026, 1, 9, 9), zone=MOSCOW), "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=5")
    (piece,) = compiled(entry).pieces
    assert piece.rule is not None
    assert (piece.rule.count, piece.rule.until) == (None, date(2026, 1, 19))


def test_daily_events_longer_than_their_step_lose_the_last_one() -> None:
    span = timed(datetime(2026, 1, 5, 9), minutes=26 * 60, zone=MOSCOW)
    sent = {"FREQ": "DAILY", "INTERVAL": 1, "COUNT": 5}
    assert len(shown(span, sent, date(2026, 1, 1), date(2026, 2, 1))) == 4
    assert compiled(series(span, "FREQ=DAILY;COUNT=5")).pieces


def test_the_31st_rolls_over_so_it_becomes_stretches_of_equal_steps() -> None:
    span = timed(datetime(2026, 1, 31, 9), zone=MOSCOW)
    monthly = {"FREQ": "MONTHLY", "INTERVAL": 1}
    assert shown(span, monthly, date(2026, 1, 1), date(2026, 5, 20)) == ["01-31", "03-01", "03-31", "05-01"]
    pieces = compiled(series(span, "FREQ=MONTHLY")).pieces
    assert [(piece.id, piece.rule and (piece.rule.freq, piece.rule.interval)) for piece in pieces] == [
        ("", ("MONTHLY", 2)), ("20260831", ("MONTHLY", 2)),
    ]  # fmt: skip


def test_29_february_becomes_a_series_of_every_fourth_year() -> None:
    span = days(date(2024, 2, 29))
    assert shown(span, {"FREQ": "YEARLY", "INTERVAL": 1}, date(2025, 2, 1), date(2025, 3, 31)) == ["03-01"]
    window = Window(first=date(2024, 1, 1), last=date(2032, 12, 31))
    pieces = compiled(series(span, "FREQ=YEARLY"), window).pieces
    (piece,) = pieces
    assert piece.rule is not None
    assert (piece.id, piece.rule.freq, piece.rule.interval) == ("", "YEARLY", 4)


def test_a_fortnightly_series_on_two_days_depends_on_the_window_so_it_becomes_two() -> None:
    span = timed(datetime(2025, 1, 6, 9), zone=MOSCOW)
    rule = {"FREQ": "WEEKLY", "INTERVAL": 2, "BYDAY": ["MO", "WE"]}
    views = {
        tuple(day for day in shown(span, rule, first, date(2025, 7, 31)) if day >= "07-01")
        for first in (date(2025, 6, 1) + timedelta(days=offset) for offset in range(28))
    }
    assert len(views) > 1
    pieces = compiled(series(span, "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE")).pieces
    assert [piece.rule.byday for piece in pieces if piece.rule] == [("MO",), ("WE",)]


def test_a_monthly_series_is_lost_from_view_after_three_years_so_it_is_begun_anew() -> None:
    span = timed(datetime(2021, 1, 10, 9), zone=MOSCOW)
    assert shown(span, {"FREQ": "MONTHLY", "INTERVAL": 1}, date(2026, 6, 1), date(2026, 6, 30)) == []
    window = Window(first=date(2021, 1, 1), last=date(2027, 12, 31))
    pieces = compiled(series(span, "FREQ=MONTHLY"), window).pieces
    assert [piece.id for piece in pieces] == ["", "20230710", "20260110"]
    assert all(piece.rule is not None and piece.rule.until is not None for piece in pieces)


@pytest.mark.parametrize(("interval", "end"), [(2, 2029), (3, 2034), (6, 2040)])
def test_rarer_monthly_series_are_chunked_before_they_are_lost(interval: int, end: int) -> None:
    window = Window(first=date(2021, 1, 1), last=date(end, 12, 31))
    pieces = compiled(series(timed(datetime(2021, 1, 10, 9)), f"FREQ=MONTHLY;INTERVAL={interval}"), window).pieces
    assert 1 <= len(pieces) <= 2


@pytest.mark.parametrize("length", [1, 2, 5, 9])
@pytest.mark.parametrize("day", [1, 9, 28])
def test_months_on_end_stay_in_view_from_any_start(day: int, length: int) -> None:
    for month in range(1, 13, 2):
        begin = date(2023, month, day)
        window = Window(first=begin, last=begin.replace(year=2027))
        pieces = compiled(series(days(begin, length), "FREQ=MONTHLY"), window).pieces
        assert all(piece.rule for piece in pieces)


def test_a_week_long_event_vanishes_from_its_last_day_so_it_goes_as_every_seventh_day() -> None:
    span = days(date(2026, 1, 5), 5)
    weekly = {"FREQ": "WEEKLY", "INTERVAL": 1, "BYDAY": ["MO"]}
    assert shown(span, weekly, date(2026, 2, 6), date(2026, 2, 6)) == []
    (piece,) = compiled(series(span, "FREQ=WEEKLY")).pieces
    assert piece.rule is not None
    assert (piece.rule.freq, piece.rule.interval) == ("DAILY", 7)
    daily = portal.native_as_sent(piece.rule)
    assert "02-02" in shown(span, daily, date(2026, 2, 6), date(2026, 2, 6))


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Asia/Kamchatka"])
def test_zones_east_of_utc_11_get_a_day_before_the_start_so_daily_goes_as_weekly(zone: str) -> None:
    span = timed(datetime(2026, 1, 7, 9), zone=zone)
    daily = {"FREQ": "DAILY", "INTERVAL": 1}
    assert shown(span, daily, date(2025, 12, 20), date(2026, 1, 20))[0] == "01-06"
    (piece,) = compiled(series(span, "FREQ=DAILY;COUNT=30")).pieces
    assert piece.rule is not None
    assert piece.rule.freq == "WEEKLY"
    assert len(piece.rule.byday) == 7


def test_an_all_day_occurrence_on_the_23_hour_day_ends_before_it_begins_so_it_stands_alone() -> None:
    row = portal.save(
        server=clock_of("Europe/Berlin"),
        start=day_seconds(date(2026, 3, 1)),
        end=day_seconds(date(2026, 3, 1)),
        zones=None,
        rule={"FREQ": "WEEKLY", "INTERVAL": 1, "BYDAY": ["SU"]},
    )
    march = portal.occurrences(row, day_seconds(date(2026, 3, 1)), day_seconds(date(2026, 3, 31)))
    assert (as_datetime(march[4][0]).day, as_datetime(march[4][1]).day) == (29, 28)
    pieces = compiled(series(days(date(2026, 3, 1)), "FREQ=WEEKLY;COUNT=10"), server="Europe/Berlin").pieces
    assert [(piece.id, piece.rule is None) for piece in pieces] == [
        ("", False),
        ("20260329", True),
        ("20260405", False),
    ]


def test_a_time_in_the_hour_the_server_skips_or_repeats_stands_alone_on_another_clock() -> None:
    entry = series(timed(datetime(2026, 1, 4, 2, 30), zone="Africa/Lagos"), "FREQ=WEEKLY")
    pieces = compiled(entry, server="Europe/Berlin").pieces
    alone = [piece.span for piece in pieces if piece.rule is None]
    assert [span.zone for span in alone if not isinstance(span, AllDay)] == ["Asia/Dubai", "Asia/Dubai"]
    assert len(pieces) == 5


def test_endless_series_stop_in_2038_so_one_that_matters_there_gets_an_end_beyond() -> None:
    span = timed(datetime(2031, 1, 6, 9), zone=MOSCOW)
    endless = {"FREQ": "WEEKLY", "INTERVAL": 1, "BYDAY": ["MO"]}
    assert shown(span, endless, date(2038, 2, 1), date(2038, 3, 1)) == []
    window = Window(first=date(2037, 6, 1), last=date(2038, 6, 30))
    (piece,) = compiled(series(span, "FREQ=WEEKLY"), window).pieces
    assert piece.rule is not None
    assert piece.rule.until == date(2099, 12, 31)


@pytest.mark.parametrize(
    ("rule", "server"),
    [
        ("FREQ=WEEKLY;BYDAY=WE,SA", "Europe/Berlin"),
        ("FREQ=WEEKLY;BYDAY=WE,SA", "America/New_York"),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR", "Europe/Berlin"),
    ],
)
def test_a_view_that_is_computed_from_a_skipped_hour_on_shows_the_right_time_too(rule: str, server: str) -> None:
    """Views of a weekly series of several days are computed from any day on, also one that has no occurrence."""
    entry = series(timed(datetime(2020, 12, 23, 2, 30), zone="Pacific/Auckland"), rule)
    first, last = date(2021, 11, 1), date(2022, 12, 31)
    window = Window(first=first, last=last)
    pieces = compile_entry(entry, window=window, portal_zone=server, today=first).pieces
    assert differences(entry, pieces, server, first, last) == ""
    assert all(piece.rule is not None for piece in pieces)
