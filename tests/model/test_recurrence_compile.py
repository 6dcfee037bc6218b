"""Series with exceptions, overrides and awkward times become pieces that show exactly what RFC 5545 says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from syncd.lang.catalog import told
from syncd.model.entry import Entry, Moment, Timed, Window
from syncd.model.recurrence import MOST_PIECES, Compiled, compile_entry
from syncd.model.recurrence.summary import told_of
from tests.model.generated import first_starts
from tests.model.referee import at, days, differences, override, series, timed

TODAY = date(2026, 3, 1)
YEAR = Window(first=date(2026, 1, 1), last=date(2026, 12, 31))
SWITCHES = Window(first=date(2026, 3, 1), last=date(2026, 11, 30))
OPEN = Window(first=None, last=None)
MONDAY = timed(datetime(2026, 1, 5, 9))


def compiled(entry: Entry, window: Window = YEAR, server: str = "Europe/Moscow") -> Compiled:
    return compile_entry(entry, window=window, portal_zone=server, today=TODAY)


def proven(entry: Entry, window: Window = YEAR, server: str = "Europe/Moscow") -> Compiled:
    """Compile, and check against the referee for the whole window."""
    result = compiled(entry, window, server)
    assert window.first is not None
    assert window.last is not None
    assert differences(entry, result.pieces, server, window.first, window.last) == ""
    return result


def said(result: Compiled) -> str:
    assert result.summary is not None
    return told_of(result.summary)


def ids(result: Compiled) -> list[str]:
    return [piece.id for piece in result.pieces]


def test_a_plain_entry_is_one_piece_without_a_name() -> None:
    entry = replace(series(MONDAY), recurrence=None)
    result = compiled(entry)
    assert [(piece.id, piece.span, piece.rule) for piece in result.pieces] == [("", MONDAY, None)]
    assert (result.summary, result.problems) == (None, ())
    assert result.pieces[0].details == entry.details
    assert result.pieces[0].where == entry.where


@pytest.mark.parametrize(("first", "last"), [(date(2026, 1, 6), None), (None, date(2026, 1, 4))])
def test_what_does_not_touch_the_window_gives_nothing(first: date | None, last: date | None) -> None:
    window = Window(first=first, last=last)
    assert compiled(replace(series(MONDAY), recurrence=None), window).pieces == ()
    assert compiled(series(MONDAY, "FREQ=DAILY;COUNT=1"), window).pieces == ()


def test_a_series_that_ended_before_the_window_gives_nothing() -> None:
    assert compiled(series(MONDAY, "FREQ=WEEKLY;COUNT=3"), Window(first=date(2026, 2, 1), last=None)).pieces == ()


def test_an_endless_series_stays_one_native_series_without_end() -> None:
    (piece,) = proven(series(MONDAY, "FREQ=WEEKLY")).pieces
    assert piece.rule is not None
    assert (piece.id, piece.rule.until, piece.rule.count) == ("", None, None)


@pytest.mark.parametrize(
    ("day", "rule", "pieces"),
    [
        (31, "FREQ=MONTHLY", ["MONTHLY 2 2026-07-31", "MONTHLY 2 2026-12-31"]),
        (30, "FREQ=MONTHLY", ["MONTHLY 2 2026-03-30", "MONTHLY 1 2027-01-30"]),
        (29, "FREQ=MONTHLY;INTERVAL=6", ["MONTHLY 6 2031-07-29"]),
        (30, "FREQ=MONTHLY;INTERVAL=3", ["MONTHLY 3 2031-10-30"]),
        (31, "FREQ=MONTHLY;INTERVAL=12", ["YEARLY 1 2031-01-31"]),
        (31, "FREQ=YEARLY", ["YEARLY 1 None"]),
        (31, "FREQ=MONTHLY;COUNT=4", ["MONTHLY 2 2026-07-31"]),
    ],
)
def test_days_that_not_every_month_has_are_native_between_the_months_that_lack_them(
    day: int, rule: str, pieces: list[str]
) -> None:
    result = proven(series(timed(datetime(2026, 1, day, 9)), rule))
    assert [f"{one.rule.freq} {one.rule.interval} {one.rule.until}" for one in result.pieces if one.rule] == pieces


@pytest.mark.parametrize(
    ("rule", "server", "count"),
    [
        ("FREQ=DAILY;COUNT=10", "Europe/Moscow", 10),
        ("FREQ=DAILY;COUNT=100", "Europe/Berlin", None),
        ("FREQ=WEEKLY;COUNT=10", "Europe/Berlin", 10),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=10", "Europe/Moscow", 10),
        ("FREQ=WEEKLY;BYDAY=MO,TH;COUNT=10", "Europe/Moscow", None),
        ("FREQ=MONTHLY;COUNT=10", "Europe/Moscow", None),
        ("FREQ=YEARLY;COUNT=5", "Europe/Berlin", 5),
    ],
)
def test_a_series_ends_by_count_where_the_portal_counts_exactly(rule: str, server: str, count: int | None) -> None:
    (piece,) = proven(series(MONDAY, rule), server=server).pieces
    assert piece.rule is not None
    assert (piece.rule.count, piece.rule.until is None) == (count, count is not None)
    assert (piece.dated is not None and piece.dated.until is not None) == (count is not None)


def test_a_series_with_an_exception_ends_its_parts_by_their_last_days() -> None:
    pieces = proven(series(MONDAY, "FREQ=WEEKLY;COUNT=10", exdates=[at(2026, 2, 2)])).pieces
    assert [(one.rule.count, one.dated) for one in pieces if one.rule] == [(None, None), (None, None)]


def test_three_exdates_cut_a_weekly_series_into_four() -> None:
    exdates = [at(2026, 2, 2), at(2026, 3, 4), at(2026, 4, 6)]
    result = proven(series(MONDAY, "FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20260525T215959Z", exdates=exdates))
    assert ids(result) == ["", "20260204", "20260309", "20260408"]
    assert said(result) == "weekly MO WE until 25 May 2026, 3 exceptions: 4 series"


def test_what_a_series_became_is_told_in_russian() -> None:
    exdates = [at(2026, 2, 2), at(2026, 3, 4), at(2026, 4, 6)]
    result = proven(series(MONDAY, "FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20260525T215959Z", exdates=exdates))
    assert told(said(result), "ru") == "еженедельно пн ср до 25 мая 2026, 3 исключения: 4 серии"
    last = proven(series(timed(datetime(2026, 1, 30, 9)), "FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR;COUNT=5"))
    assert told(said(last), "ru").startswith("раз в 2 месяца 1-й с конца пт, 5 раз: ")


def test_month_days_become_a_monthly_series_each() -> None:
    result = proven(series(MONDAY, "FREQ=MONTHLY;BYMONTHDAY=1,15"))
    assert [piece.rule.freq for piece in result.pieces if piece.rule] == ["MONTHLY", "MONTHLY"]


def test_quarters_become_one_series() -> None:
    entry = series(timed(datetime(2026, 1, 10, 9)), "FREQ=YEARLY;BYMONTH=1,4,7,10;BYMONTHDAY=10")
    (piece,) = proven(entry).pieces
    assert piece.rule is not None
    assert (piece.rule.freq, piece.rule.interval) == ("MONTHLY", 3)


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("FREQ=MONTHLY;BYDAY=2TU", "20260105T0900  20260414 20260714 20261013"),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            "20260105T0900  20260331 20260529 20260731 20260930 20261231",
        ),
    ],
)
def test_what_the_portal_cannot_repeat_becomes_stretches_of_equal_steps_named_by_their_first_day(
    rule: str, names: str
) -> None:
    result = proven(series(MONDAY, rule))
    assert ids(result) == names.split(" ")
    assert [piece.rule is None for piece in result.pieces] == [True, *[False] * (len(result.pieces) - 1)]


def test_an_exception_in_a_stretch_of_equal_steps_changes_no_other() -> None:
    whole = proven(series(MONDAY, "FREQ=MONTHLY;BYDAY=2TU"))
    cut = proven(series(MONDAY, "FREQ=MONTHLY;BYDAY=2TU", exdates=[at(2026, 5, 12)]))
    kept = [piece for piece in whole.pieces if piece.id != "20260414"]
    assert [piece for piece in cut.pieces if piece in whole.pieces] == kept
    assert set(ids(cut)) - set(ids(whole)) == {"20260609"}


@pytest.mark.parametrize(
    ("rule", "weekdays"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2", ("WE",)),
        ("FREQ=WEEKLY;BYDAY=MO,WE,SU;BYSETPOS=1;WKST=SU", ("SU",)),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1,-1", ("MO", "FR")),
    ],
)
def test_a_position_among_the_weekdays_of_a_week_is_those_weekdays(rule: str, weekdays: tuple[str, ...]) -> None:
    (piece,) = [piece for piece in proven(series(MONDAY, rule)).pieces if piece.rule is not None]
    assert piece.rule is not None
    assert (piece.rule.freq, piece.rule.byday, piece.rule.until) == ("WEEKLY", weekdays, None)


def test_the_fifth_of_all_weekdays_of_a_month_is_its_fifth_day() -> None:
    (piece,) = proven(series(MONDAY, "FREQ=MONTHLY;BYDAY=SU,MO,TU,WE,TH,FR,SA;BYSETPOS=5")).pieces
    assert piece.rule is not None
    assert piece.rule.freq == "MONTHLY"


def test_a_day_counted_from_the_end_leaves_the_others_one_series() -> None:
    result = proven(series(timed(datetime(2026, 1, 15, 9)), "FREQ=MONTHLY;BYMONTHDAY=15,-1"))
    assert next(piece.rule.freq for piece in result.pieces if piece.rule is not None) == "MONTHLY"
    assert len(result.pieces) < 8


def test_rdates_with_equal_steps_make_a_series() -> None:
    rdates = [timed(datetime(2026, 1, 5, 9) + timedelta(weeks=week)) for week in range(1, 30)]
    (piece,) = proven(series(MONDAY, rdates=rdates)).pieces
    assert piece.rule is not None
    del rdates[9]
    assert ids(proven(series(MONDAY, rdates=rdates))) == ["", "20260323T0900"]


def test_rdates_join_the_series_and_keep_their_own_length() -> None:
    rdates = [timed(datetime(2026, 1, 8, 14)), timed(datetime(2026, 1, 12, 9), minutes=90)]
    result = proven(series(MONDAY, "FREQ=WEEKLY;COUNT=4", rdates=rdates))
    assert ids(result) == ["", "20260108T1400", "20260112", "20260119"]
    assert said(result) == "weekly, 4 times, 2 further dates: 1 series, 3 events"


def test_rdates_alone_make_single_events() -> None:
    result = proven(series(days(date(2026, 1, 5)), rdates=[days(date(2026, 1, 9)), days(date(2026, 2, 1))]))
    assert ids(result) == ["", "20260109", "20260201"]


def test_a_start_that_its_own_rule_does_not_hit_counts_as_an_occurrence() -> None:
    result = proven(series(MONDAY, "FREQ=WEEKLY;BYDAY=TU,TH;COUNT=6"))
    assert [(piece.id, piece.rule is None) for piece in result.pieces] == [("20260105T0900", True), ("", False)]


def test_two_rules_do_not_show_their_common_days_twice() -> None:
    proven(series(MONDAY, "FREQ=WEEKLY;COUNT=8", "FREQ=MONTHLY;BYMONTHDAY=5,12;COUNT=6"))


def last_until(result: Compiled) -> tuple[str, date | None]:
    """Return the name of the last piece, a series, and the last day of its rule."""
    last = result.pieces[-1]
    assert last.rule is not None
    return last.id, last.rule.until


class TestOverrides:
    def test_a_moved_occurrence_stands_beside_the_cut(self) -> None:
        moved = override(at(2026, 2, 2), timed(datetime(2026, 2, 3, 15), minutes=30, zone="Europe/London"))
        result = proven(series(MONDAY, "FREQ=WEEKLY;COUNT=10", overrides=[moved]))
        assert ids(result) == ["", "20260202", "20260209"]
        alone = result.pieces[1]
        assert (alone.span, alone.details.title, alone.where) == (moved.span, "Moved", "team.ics:9")

    def test_a_cancelled_occurrence_leaves_a_gap(self) -> None:
        cancelled = override(at(2026, 2, 2), timed(datetime(2026, 2, 2, 9)), status="CANCELLED")
        assert ids(proven(series(MONDAY, "FREQ=WEEKLY;COUNT=10", overrides=[cancelled]))) == ["", "20260209"]

    def test_this_and_future_makes_the_rest_a_series_of_its_own(self) -> None:
        later = override(at(2026, 2, 2), timed(datetime(2026, 2, 3, 11), minutes=30), future=True)
        result = proven(series(MONDAY, "FREQ=WEEKLY", overrides=[later]))
        assert [(piece.id, piece.details.title) for piece in result.pieces] == [("", "Lesson"), ("20260202", "Moved")]
        rule = result.pieces[1].rule
        assert rule is not None
        assert (rule.byday, rule.until) == (("TU",), None)
        assert result.pieces[1].span == later.span

    def test_this_and_future_moves_several_weekdays_together(self) -> None:
        later = override(at(2026, 2, 2), timed(datetime(2026, 2, 3, 11)), future=True)
        result = proven(series(MONDAY, "FREQ=WEEKLY;BYDAY=MO,TH", overrides=[later]))
        assert [piece.rule.byday for piece in result.pieces if piece.rule] == [("MO", "TH"), ("TU", "FR")]

    def test_this_and_future_cancelled_ends_the_series(self) -> None:
        gone = override(at(2026, 2, 2), timed(datetime(2026, 2, 2, 9)), status="CANCELLED", future=True)
        (piece,) = compiled(series(MONDAY, "FREQ=WEEKLY", overrides=[gone])).pieces
        assert piece.rule is not None
        assert piece.rule.until == date(2026, 1, 26)

    def test_an_exdate_on_the_first_day_of_a_change_of_all_later_ones_takes_that_day_alone(self) -> None:
        later = override(at(2026, 2, 2), timed(datetime(2026, 2, 3, 11), minutes=30), future=True)
        result = proven(series(MONDAY, "FREQ=WEEKLY;COUNT=8", exdates=[at(2026, 2, 2)], overrides=[later]))
        assert [(piece.id, piece.details.title) for piece in result.pieces] == [("", "Lesson"), ("20260209", "Moved")]
        assert not result.problems

    def test_changes_after_this_and_future_name_the_original_starts(self) -> None:
        later = override(at(2026, 2, 2), timed(datetime(2026, 2, 2, 11)), future=True)
        one = override(at(2026, 3, 2), timed(datetime(2026, 3, 4, 8)), title="Once")
        result = proven(series(MONDAY, "FREQ=WEEKLY;COUNT=20", overrides=[later, one]))
        assert ids(result) == ["", "20260202", "20260302", "20260309"]
        assert [piece.details.title for piece in result.pieces] == ["Lesson", "Moved", "Once", "Moved"]

    @pytest.mark.parametrize(
        "moment", [at(2026, 2, 2), at(2026, 2, 2, 8, zone="UTC"), at(2026, 2, 2, 11, zone="Europe/Moscow")]
    )
    def test_names_in_another_zone_hit_the_same_instant(self, moment: Moment) -> None:
        assert ids(proven(series(MONDAY, "FREQ=WEEKLY;COUNT=9", exdates=[moment]))) == ["", "20260209"]
        moved = override(moment, timed(datetime(2026, 2, 4, 9)))
        assert ids(proven(series(MONDAY, "FREQ=WEEKLY;COUNT=9", overrides=[moved]))) == ["", "20260202", "20260209"]

    def test_a_date_names_the_occurrence_of_its_day(self) -> None:
        day = at(2026, 2, 2, 0, zone=None)
        assert ids(compiled(series(MONDAY, "FREQ=WEEKLY;COUNT=9", exdates=[day]))) == ["", "20260209"]
        moved = override(day, timed(datetime(2026, 2, 4, 9)))
        result = compiled(series(MONDAY, "FREQ=WEEKLY;COUNT=9", overrides=[moved]))
        assert (ids(result), result.problems) == (["", "20260202", "20260209"], ())

    def test_local_exceptions_hit_a_utc_series(self) -> None:
        utc = timed(datetime(2026, 1, 5, 8), zone="UTC")
        result = proven(series(utc, "FREQ=WEEKLY;COUNT=20", exdates=[at(2026, 2, 2, 9), at(2026, 4, 6, 10)]))
        assert ids(result) == ["", "20260209", "20260413"]


class TestDoubtfulInput:
    def reasons(self, entry: Entry) -> list[str]:
        problems = compiled(entry).problems
        assert {problem.kind for problem in problems} <= {"warning"}
        assert {problem.where for problem in problems} <= {entry.where}
        return [problem.reason for problem in problems]

    def test_count_and_until_end_with_the_first_and_a_warning(self) -> None:
        entry = series(MONDAY, "FREQ=WEEKLY;COUNT=3;UNTIL=20261231T000000Z")
        assert "exclude each other" in self.reasons(entry)[0]
        (piece,) = compiled(entry).pieces
        assert piece.rule is not None
        assert piece.rule.until == date(2026, 1, 19)

    def test_an_exdate_that_hits_nothing_is_named(self) -> None:
        (reason,) = self.reasons(series(MONDAY, "FREQ=WEEKLY;COUNT=9", exdates=[at(2026, 2, 2, 10), at(2026, 2, 9)]))
        assert "2026-02-02 10:00 Europe/Berlin" in reason
        assert "2026-02-09" not in reason

    def test_an_exdate_after_the_end_is_no_problem(self) -> None:
        assert self.reasons(series(MONDAY, "FREQ=WEEKLY;COUNT=3", exdates=[at(2026, 6, 1)])) == []

    def test_an_override_of_nothing_is_shown_and_named(self) -> None:
        orphan = override(at(2026, 2, 4), timed(datetime(2026, 2, 5, 9)))
        entry = series(MONDAY, "FREQ=WEEKLY;COUNT=9", overrides=[orphan])
        assert ids(proven(entry)) == ["", "20260204T0900"]
        assert "names no occurrence" in self.reasons(entry)[0]

    def test_the_last_of_two_overrides_counts(self) -> None:
        twice = [override(at(2026, 2, 2), timed(datetime(2026, 2, day, 9)), title=f"No {day}") for day in (3, 4)]
        entry = series(MONDAY, "FREQ=WEEKLY;COUNT=9", overrides=twice)
        assert [piece.details.title for piece in compiled(entry).pieces] == ["Lesson", "No 4", "Lesson"]
        assert "two overrides" in self.reasons(entry)[0]

    def test_exdate_beats_an_override(self) -> None:
        moved = override(at(2026, 2, 2), timed(datetime(2026, 2, 3, 9)))
        entry = series(MONDAY, "FREQ=WEEKLY;COUNT=9", overrides=[moved], exdates=[at(2026, 2, 2)])
        assert ids(proven(entry)) == ["", "20260209"]
        assert "drop one of the two" in self.reasons(entry)[0]

    def test_until_before_the_start_shows_nothing_and_says_so(self) -> None:
        entry = series(MONDAY, "FREQ=WEEKLY;UNTIL=20250101T000000Z")
        assert compiled(entry).pieces == ()
        assert "UNTIL lies before the start" in self.reasons(entry)[0]

    def test_all_occurrences_excluded_leaves_nothing(self) -> None:
        exdates = [Moment(wall=datetime(2026, 1, 5 + 7 * week, 9), zone="Europe/Berlin") for week in range(3)]
        assert compiled(series(MONDAY, "FREQ=WEEKLY;COUNT=3", exdates=exdates)).pieces == ()

    def test_too_many_pieces_are_refused_with_the_number(self) -> None:
        rdates = [timed(datetime(2026, 1, 5, 9) + timedelta(minutes=301 * number)) for number in range(MOST_PIECES + 1)]
        (problem,) = compiled(series(MONDAY, rdates=rdates), OPEN).problems
        assert problem.kind == "rejected"
        assert f"{MOST_PIECES + 1} portal events" in problem.reason

    def test_an_endless_series_of_single_events_ends_two_years_from_today_in_an_open_window(self) -> None:
        result = compiled(series(MONDAY, "FREQ=MONTHLY;BYDAY=-1FR"), OPEN)
        assert last_until(result) == ("20271231", date(2028, 2, 25))
        assert "until 2028-02-29" in result.problems[0].reason

    @pytest.mark.parametrize("year", [2060, 9999])
    def test_a_window_decades_long_counts_as_open(self, year: int) -> None:
        result = compiled(series(MONDAY, "FREQ=MONTHLY;BYDAY=-1FR"), Window(first=None, last=date(year, 12, 31)))
        assert last_until(result) == ("20271231", date(2028, 2, 25))
        (piece,) = compiled(series(MONDAY, "FREQ=DAILY"), Window(first=None, last=date(year, 12, 31))).pieces
        assert piece.rule is not None

    def test_an_exdate_in_another_age_stretches_nothing(self) -> None:
        assert ids(compiled(series(MONDAY, "FREQ=DAILY", exdates=[at(9999, 1, 1)]), OPEN)) == [""]

    def test_an_unknown_zone_is_refused_by_name(self) -> None:
        (problem,) = compiled(series(timed(datetime(2026, 1, 5, 9), zone="Mars/Olympus"), "FREQ=DAILY")).problems
        assert problem.kind == "rejected"
        assert "Mars/Olympus" in problem.reason

    def test_a_finite_series_of_single_events_needs_no_horizon(self) -> None:
        result = compiled(series(MONDAY, "FREQ=MONTHLY;BYDAY=-1FR;COUNT=60"), OPEN)
        assert (len(result.pieces), last_until(result)[1], result.problems) == (22, date(2030, 12, 27), ())


class TestTime:
    @pytest.mark.parametrize("server", ["Europe/Moscow", "Europe/Berlin", "America/New_York", "UTC"])
    @pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
    def test_local_times_survive_the_switches_of_every_zone(self, server: str, zone: str) -> None:
        result = proven(series(timed(datetime(2026, 1, 4, 9), zone=zone), "FREQ=DAILY"), YEAR, server)
        assert len(result.pieces) == 1

    def test_a_change_from_then_on_keeps_its_length_on_the_clock_under_another_name_of_the_zone(self) -> None:
        span = timed(datetime(2026, 3, 8, 1, 15), minutes=90, zone="America/New_York")
        shorter = timed(datetime(2026, 3, 8, 1, 15), minutes=45, zone="US/Eastern")
        then_on = override(at(2026, 3, 8, 1, 15, "America/New_York"), shorter, future=True)
        for piece in compiled(series(span, "FREQ=WEEKLY;COUNT=9", overrides=[then_on])).pieces[1:]:
            assert isinstance(piece.span, Timed)
            assert piece.span.end - piece.span.start == timedelta(minutes=45)

    def test_an_exception_names_its_occurrence_under_another_name_of_the_zone_even_in_a_skipped_hour(self) -> None:
        span = timed(datetime(2026, 2, 1, 2, 30), zone="US/Eastern")
        entry = series(span, "FREQ=WEEKLY;COUNT=9", exdates=[at(2026, 3, 8, 2, 30, "America/New_York")])
        assert [piece.id for piece in compiled(entry).pieces] == ["", "20260315"]

    @pytest.mark.parametrize("server", ["Europe/Moscow", "Europe/Berlin"])
    @pytest.mark.parametrize("hour", [0, 1, 2, 23])
    def test_nights_across_the_switches_keep_their_hours(self, server: str, hour: int) -> None:
        for minutes in (30, 600):
            proven(series(timed(datetime(2026, 3, 20, hour, 30), minutes=minutes), "FREQ=DAILY"), SWITCHES, server)

    @pytest.mark.parametrize("server", ["Europe/Moscow", "Europe/Berlin", "America/New_York"])
    @pytest.mark.parametrize("length", [1, 2, 3, 7])
    def test_whole_days_stay_whole(self, server: str, length: int) -> None:
        proven(series(days(date(2026, 3, 1), length), "FREQ=WEEKLY"), YEAR, server)
        proven(series(days(date(2026, 3, 28), length), "FREQ=DAILY;INTERVAL=7;COUNT=40"), YEAR, server)

    def test_a_series_begun_in_the_night_of_the_servers_switch_is_begun_again_after_it(self) -> None:
        entry = series(timed(datetime(2026, 3, 28, 23), minutes=480), "FREQ=WEEKLY")
        result = proven(entry, YEAR, "Europe/Berlin")
        assert [(piece.id, piece.rule is None) for piece in result.pieces] == [("", True), ("20260404", False)]

    def test_an_end_at_midnight_stays_on_its_day(self) -> None:
        (piece,) = proven(series(timed(datetime(2026, 1, 5, 23)), "FREQ=DAILY;COUNT=5")).pieces
        assert piece.rule is not None
        assert compiled(series(timed(datetime(2025, 12, 31, 23)), "FREQ=DAILY;COUNT=1")).pieces == ()

    def test_a_start_in_the_gap_of_its_own_zone_moves_past_it(self) -> None:
        entry = replace(series(timed(datetime(2026, 3, 29, 2, 30))), recurrence=None)
        (piece,) = compiled(entry).pieces
        assert isinstance(piece.span, Timed)
        assert piece.span.start == datetime(2026, 3, 29, 3, 30)

    def test_ends_in_another_zone_keep_the_length(self) -> None:
        flight = Timed(
            start=datetime(2026, 1, 5, 10),
            end=datetime(2026, 1, 5, 13),
            zone="Europe/Berlin",
            end_zone="America/New_York",
        )
        result = proven(series(flight, "FREQ=WEEKLY"))
        assert [piece.id for piece in result.pieces] == ["", "20260309", "20260330", "20261026", "20261102"]

    @pytest.mark.parametrize(
        ("until", "last"),
        [
            ("20260119", date(2026, 1, 19)),
            ("20260119T080000Z", date(2026, 1, 19)),
            ("20260119T075959Z", date(2026, 1, 12)),
            ("20260119T090000", date(2026, 1, 19)),
            ("20260119T085959", date(2026, 1, 12)),
        ],
    )
    def test_until_is_read_in_the_zone_of_the_start(self, until: str, last: date) -> None:
        (piece,) = compiled(series(MONDAY, f"FREQ=WEEKLY;UNTIL={until}")).pieces
        assert piece.rule is not None
        assert piece.rule.until == last

    def test_until_with_a_time_ends_whole_days_on_its_day(self) -> None:
        (piece,) = compiled(series(days(date(2026, 1, 5)), "FREQ=WEEKLY;UNTIL=20260119T000000Z")).pieces
        assert piece.rule is not None
        assert piece.rule.until == date(2026, 1, 19)


class TestStability:
    RULES = (
        "FREQ=WEEKLY;COUNT=200",
        "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=200",
        "FREQ=DAILY;COUNT=200",
        "FREQ=MONTHLY;COUNT=200",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;COUNT=200",
        "FREQ=MONTHLY;BYDAY=1MO;COUNT=200",
    )

    def changed(self, before: Entry, after: Entry, window: Window = OPEN) -> int:
        """Return how many items a pass would touch."""
        old = {piece.id: piece for piece in compiled(before, window).pieces}
        new = {piece.id: piece for piece in compiled(after, window).pieces}
        return sum(old.get(name) != new.get(name) for name in old.keys() | new.keys())

    @pytest.mark.parametrize("rule", RULES)
    @pytest.mark.parametrize("number", [0, 1, 2, 50, 51, 198, 199])
    def test_one_exception_more_or_less_changes_at_most_three_items(self, rule: str, number: int) -> None:
        walls = first_starts(MONDAY, rule, 200)
        others = tuple(Moment(wall=walls[other], zone="Europe/Berlin") for other in (3, 49, 120))
        one = Moment(wall=walls[number], zone="Europe/Berlin")
        before, after = series(MONDAY, rule, exdates=others), series(MONDAY, rule, exdates=(*others, one))
        assert 1 <= self.changed(before, after) <= 3

    @pytest.mark.parametrize("rule", RULES)
    @pytest.mark.parametrize("number", [0, 1, 50, 199])
    def test_moving_one_occurrence_changes_at_most_three_items(self, rule: str, number: int) -> None:
        wall = first_starts(MONDAY, rule, 200)[number]
        moved = override(Moment(wall=wall, zone="Europe/Berlin"), timed(wall + timedelta(days=1, hours=2)))
        assert 1 <= self.changed(series(MONDAY, rule), series(MONDAY, rule, overrides=[moved])) <= 3

    @pytest.mark.parametrize(
        "rule", ["FREQ=WEEKLY;UNTIL={}", "FREQ=DAILY;UNTIL={}", "FREQ=WEEKLY;BYDAY=MO,FR;UNTIL={}"]
    )
    def test_prolonging_a_series_changes_one_item(self, rule: str) -> None:
        exdates = [at(2026, 2, 2), at(2026, 5, 4)]
        short, long = (
            series(MONDAY, rule.format(end), exdates=exdates) for end in ("20260630T220000Z", "20270630T220000Z")
        )
        assert self.changed(short, long) == 1
        assert self.changed(long, series(MONDAY, rule.removesuffix(";UNTIL={}"), exdates=exdates)) == 1

    def test_an_exception_decades_away_leaves_the_other_series_alone(self) -> None:
        rule = "FREQ=YEARLY;INTERVAL=2;BYMONTH=3,6;BYMONTHDAY=10"
        assert self.changed(series(MONDAY, rule), series(MONDAY, rule, exdates=[at(2040, 3, 10)])) == 2

    @pytest.mark.parametrize("rule", ["FREQ=DAILY;COUNT=100", "FREQ=WEEKLY;BYDAY=MO,TU,WE;COUNT=100"])
    def test_overlapping_whole_days_keep_their_names_too(self, rule: str) -> None:
        span = days(date(2026, 1, 5), 3)
        before, after = series(span, rule), series(span, rule, exdates=[at(2026, 2, 16, 0, zone=None)])
        assert self.changed(before, after) == 2

    def test_a_new_time_of_day_keeps_all_names(self) -> None:
        exdates = [at(2026, 2, 2, 0, zone=None)]
        later = timed(datetime(2026, 1, 5, 10, 30))
        before, after = (compiled(series(span, "FREQ=WEEKLY;COUNT=30", exdates=exdates)) for span in (MONDAY, later))
        assert ids(before) == ids(after)

    def test_a_window_rolled_forward_adds_only_new_days(self) -> None:
        for rule in ("FREQ=MONTHLY;BYDAY=-1FR", "FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=DAILY;BYMONTH=9,10"):
            entry = series(MONDAY, rule)
            known = {piece.id: piece for piece in compiled(entry, Window(first=None, last=date(2026, 6, 30))).pieces}
            for shift in range(1, 800, 61):
                window = Window(
                    first=date(2026, 1, 1) + timedelta(days=shift), last=date(2026, 6, 30) + timedelta(days=shift)
                )
                day = TODAY + timedelta(days=shift)
                result = compile_entry(entry, window=window, portal_zone="Europe/Moscow", today=day)
                for piece in result.pieces:
                    assert known.setdefault(piece.id, piece) == piece

    def test_the_pieces_do_not_depend_on_how_the_same_series_is_written(self) -> None:
        gaps = [at(2026, 2, 2), at(2026, 5, 4), at(2026, 5, 6)]
        first = compiled(series(MONDAY, "FREQ=WEEKLY;BYDAY=MO,WE", exdates=gaps))
        again = compiled(series(MONDAY, "BYDAY=WE,MO;FREQ=WEEKLY", exdates=[*reversed(gaps), gaps[0]]))
        assert len(first.pieces) > 1
        assert again.pieces == first.pieces
        assert compiled(series(MONDAY, "FREQ=WEEKLY;BYDAY=MO,WE", exdates=gaps[:2])).pieces != first.pieces
