"""When passes are due: intervals, cron with its clock changes, back-off, and when silence becomes an alarm."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.service.schedule import Cron, Every, LastRun, Schedule, first_due, following, next_due, stale_at

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC).timestamp()
BERLIN = ZoneInfo("Europe/Berlin")


def berlin(*parts: int, fold: int = 0) -> float:
    return datetime(*parts, tzinfo=BERLIN, fold=fold).timestamp()  # type: ignore[misc, arg-type]


def times(cron: str, start: float, count: int, zone: str = "Europe/Berlin") -> list[str]:
    found = []
    for _ in range(count):
        start = following(Cron(expression=cron, zone=zone), start)
        found.append(datetime.fromtimestamp(start, UTC).astimezone(ZoneInfo(zone)).strftime("%d %H:%M%z"))
    return found


def due(schedule: Schedule, *, started: float, failures: int = 0, now: float, random: float = 0.0) -> float:
    return next_due(schedule, started=started, failures=failures, now=now, random=random)


def test_the_first_pass_of_an_interval_begins_at_once_and_that_of_a_cron_at_its_time() -> None:
    assert first_due(Every(seconds=900), None, NOW) == NOW
    assert first_due(Cron(expression="0 3 * * *"), None, NOW) == NOW + 18 * 3600


def test_after_a_restart_the_rhythm_goes_on_and_what_was_missed_runs_once() -> None:
    assert first_due(Every(seconds=900), LastRun(started=NOW - 600), NOW) == NOW + 300
    assert first_due(Every(seconds=900), LastRun(started=NOW - 86_400), NOW) == NOW
    assert first_due(Cron(expression="0 3 * * *"), LastRun(started=NOW - 86_400), NOW) == NOW
    assert first_due(Cron(expression="0 3 * * *"), LastRun(started=NOW - 3600), NOW) == NOW + 18 * 3600


@pytest.mark.parametrize("schedule", [Every(seconds=86_400), Cron(expression="0 3 * * *")])
def test_a_pass_that_did_not_come_to_its_end_is_tried_again_soon_after_a_restart(schedule: Schedule) -> None:
    assert first_due(schedule, LastRun(started=NOW - 600, ended=False), NOW) == NOW + 60
    assert first_due(schedule, LastRun(started=NOW - 86_400, ended=False), NOW) == NOW


def test_a_clock_that_was_set_back_postpones_nothing_for_long() -> None:
    assert first_due(Every(seconds=900), LastRun(started=NOW + 86_400), NOW) == NOW
    assert due(Every(seconds=900), started=NOW + 86_400, now=NOW) == NOW + 900


def test_passes_missed_while_one_ran_or_the_machine_slept_run_once() -> None:
    assert due(Every(seconds=900), started=NOW, now=NOW + 5000) == NOW + 5000
    assert due(Cron(expression="*/15 * * * *"), started=NOW, now=NOW + 50_000) == NOW + 50_000


def test_jitter_delays_a_pass_by_a_part_of_it() -> None:
    assert due(Every(seconds=900, jitter_s=30), started=NOW, now=NOW + 1, random=0.5) == NOW + 915
    assert due(Cron(expression="0 * * * *", jitter_s=60), started=NOW, now=NOW + 1, random=0.25) == NOW + 3615


MINUTES = (1, 2, 4, 8, 16, 32, 60, 60, 60)
"""The pauses after one failure, two and so on, whatever the schedule."""


@pytest.mark.parametrize(
    "schedule",
    [
        *(Every(seconds=seconds) for seconds in (5, 60, 900, 3600, 86_400)),
        *(Cron(expression=cron) for cron in ("* * * * *", "*/15 * * * *", "0 3 * * *", "0 7 * * 1")),
    ],
)
def test_failures_double_the_pause_from_a_minute_up_to_an_hour_for_every_schedule(schedule: Schedule) -> None:
    pauses = [due(schedule, started=NOW, failures=n, now=NOW) - NOW for n in range(1, 10)]
    assert pauses == [minutes * 60 for minutes in MINUTES]
    assert due(schedule, started=NOW, failures=9999, now=NOW) == NOW + 3600


def test_failures_do_not_keep_a_rare_pass_from_its_ordinary_time() -> None:
    three = NOW + 18 * 3600
    assert due(Cron(expression="0 3 * * *"), started=three - 3600, failures=9, now=three - 1200) == three
    assert due(Every(seconds=86_400), started=NOW, failures=9, now=NOW + 86_000) == NOW + 86_400
    assert due(Every(seconds=86_400), started=NOW, failures=9, now=NOW + 90_000) == NOW + 90_000


def test_a_frequent_pass_that_fails_and_fails_runs_once_an_hour() -> None:
    for schedule in (Every(seconds=900), Cron(expression="*/15 * * * *")):
        now, passes = NOW, 0
        while now < NOW + 86_400:
            passes += 1
            now = due(schedule, started=now, failures=passes, now=now)
        assert passes == 6 + 23


def test_jitter_is_no_longer_than_the_pause_before_a_retry() -> None:
    daily = Every(seconds=86_400, jitter_s=1800)
    assert due(daily, started=NOW, failures=1, now=NOW, random=0.5) == NOW + 90
    assert due(daily, started=NOW, failures=8, now=NOW, random=0.5) == NOW + 3600 + 900


def test_a_fixed_time_that_spring_leaps_over_runs_right_after_it() -> None:
    assert times("30 2 * * *", berlin(2026, 3, 28, 12), 2) == ["29 03:00+0200", "30 02:30+0200"]


def test_a_fixed_time_that_autumn_repeats_runs_once() -> None:
    assert times("30 2 * * *", berlin(2026, 10, 24, 12), 2) == ["25 02:30+0200", "26 02:30+0100"]


def test_steps_go_by_real_time_through_both_changes_of_the_clock() -> None:
    assert times("*/30 * * * *", berlin(2026, 3, 29, 1, 20), 3) == ["29 01:30+0100", "29 03:00+0200", "29 03:30+0200"]
    autumn = times("*/30 * * * *", berlin(2026, 10, 25, 1, 50), 5)
    assert autumn == ["25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100", "25 03:00+0100"]


def test_working_hours_are_those_of_the_sync_s_own_zone() -> None:
    assert times("0 7-8 * * 1-5", NOW, 3, "Asia/Vladivostok") == ["23 07:00+1000", "23 08:00+1000", "24 07:00+1000"]


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(1_760_000_000, 1_830_000_000),
    cron=st.sampled_from(["*/15 * * * *", "30 2 * * *", "0 */3 * * 1-5", "59 23 31 * *", "0 0 29 2 *"]),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Europe/Moscow", "Asia/Tehran"]),
)
def test_a_cron_always_moves_on_and_comes_at_whole_minutes(start: int, cron: str, zone: str) -> None:
    schedule = Cron(expression=cron, zone=zone)
    first = following(schedule, start)
    second = following(schedule, first)
    assert start < first < second
    assert first % 60 == 0
    assert following(schedule, first - 1) == first


@settings(max_examples=200, deadline=None)
@given(
    started=st.floats(0, 2e9), took=st.floats(-1e6, 1e6), failures=st.integers(0, 60), random=st.floats(0, 0.999),
    seconds=st.floats(1, 1e6), jitter=st.floats(0, 60),
)  # fmt: skip
def test_the_next_pass_is_never_in_the_past_nor_later_than_the_longest_pause(
    started: float, took: float, failures: int, random: float, seconds: float, jitter: float
) -> None:
    now = started + took
    when = due(Every(seconds=seconds, jitter_s=jitter), started=started, failures=failures, now=now, random=random)
    assert now <= when <= now + max(seconds, 3600) + jitter + 1


def test_silence_becomes_an_alarm_after_four_intervals_or_as_the_config_says() -> None:
    assert stale_at(Every(seconds=3600), None, NOW) == NOW + 4 * 3600
    assert stale_at(Every(seconds=60), None, NOW) == NOW + 3600
    assert stale_at(Every(seconds=60), 120.0, NOW) == NOW + 120


def test_a_weekend_without_passes_is_no_alarm_for_a_cron_of_working_days() -> None:
    friday_evening = datetime(2026, 11, 20, 20, 0, tzinfo=UTC).timestamp()
    monday_morning = datetime(2026, 11, 23, 7, 0, tzinfo=UTC).timestamp()
    assert stale_at(Cron(expression="0 7-20 * * 1-5"), None, friday_evening) == monday_morning + 3600
