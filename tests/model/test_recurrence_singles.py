"""Series as single occurrences, for places that know no series: what RFC 5545 says, each by a name that lasts."""

from __future__ import annotations

import random
from datetime import date, datetime

import pytest

from syncd.lang.catalog import told
from syncd.model.entry import Entry, Recurrence, Window
from syncd.model.recurrence import MOST_PIECES
from syncd.model.recurrence.singles import single_pieces
from tests.model.generated import generated_series, generated_window
from tests.model.referee import at, differences, override, series, timed

TODAY = date(2026, 3, 1)
EACH = 20


@pytest.mark.parametrize("group", range(3))
def test_singles_of_generated_series_are_what_the_rfc_says(group: int) -> None:
    for seed in range(group * EACH, (group + 1) * EACH):
        rng = random.Random(seed)
        entry = generated_series(rng)
        first, last = generated_window(rng, entry)
        compiled = single_pieces(entry, window=Window(first=first, last=last), today=TODAY)
        assert not [problem for problem in compiled.problems if problem.kind == "rejected"], seed
        assert len({piece.id for piece in compiled.pieces}) == len(compiled.pieces), seed
        assert all(piece.rule is None for piece in compiled.pieces)
        assert differences(entry, compiled.pieces, "UTC", first, last) == "", seed


def test_one_more_exception_takes_one_piece_away_and_renames_none() -> None:
    window = Window(first=date(2026, 1, 1), last=date(2026, 6, 30))
    whole = series(timed(datetime(2026, 1, 5, 9)), "FREQ=WEEKLY;COUNT=10")
    cut = series(timed(datetime(2026, 1, 5, 9)), "FREQ=WEEKLY;COUNT=10", exdates=(at(2026, 1, 19),))
    before = {piece.id for piece in single_pieces(whole, window=window, today=TODAY).pieces}
    after = {piece.id for piece in single_pieces(cut, window=window, today=TODAY).pieces}
    assert before - after == {"20260119T0900"}
    assert after <= before


def test_an_occurrence_from_beyond_that_was_moved_into_the_window_is_shown() -> None:
    moved = override(at(2026, 12, 7), timed(datetime(2026, 1, 20, 15)))
    entry = series(timed(datetime(2026, 1, 5, 9)), "FREQ=WEEKLY", overrides=(moved,))
    window = Window(first=date(2026, 1, 15), last=date(2026, 1, 25))
    assert [piece.id for piece in single_pieces(entry, window=window, today=TODAY).pieces] == [
        "20260119T0900",
        "20261207T0900",
    ]


@pytest.mark.parametrize(("start", "at_year"), [(2026, 9999), (9999, 9999)])
def test_dates_at_the_end_of_time_neither_crash_nor_take_long(start: int, at_year: int) -> None:
    moved = override(at(at_year, 12, 30), timed(datetime(2026, 1, 20, 15)))
    entry = series(timed(datetime(start, 12, 1, 9)), "FREQ=DAILY", overrides=(moved,))
    compiled = single_pieces(entry, window=Window(first=date(2026, 1, 1), last=date.max), today=TODAY)
    assert compiled.problems


def test_an_endless_series_without_a_window_goes_two_years_ahead() -> None:
    entry = series(timed(datetime(2026, 1, 5, 9)), "FREQ=WEEKLY")
    pieces = single_pieces(entry, window=Window(first=None, last=None), today=TODAY).pieces
    assert pieces[-1].id == "20280228T0900"


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("FREQ=DAILY;COUNT=9000", f"more than {MOST_PIECES}"),
        ("FREQ=SECONDLY", "fires too often"),
        ("FREQ=SOMETIMES", "cannot be used"),
    ],
)
def test_what_cannot_be_told_one_by_one_is_rejected(rule: str, reason: str) -> None:
    whole = series(timed(datetime(2026, 1, 5, 9)), "FREQ=WEEKLY")
    entry = Entry(uid="u", where="x", details=whole.details, span=whole.span, recurrence=Recurrence(rules=(rule,)))
    compiled = single_pieces(entry, window=Window(first=None, last=date(2099, 1, 1)), today=TODAY)
    assert compiled.pieces == ()
    assert reason in compiled.problems[0].reason


def test_a_single_entry_outside_the_window_is_nothing() -> None:
    whole = series(timed(datetime(2026, 1, 5, 9)), "FREQ=WEEKLY")
    entry = Entry(uid="u", where="x", details=whole.details, span=whole.span)
    window = Window(first=date(2026, 2, 1), last=date(2026, 3, 1))
    assert single_pieces(entry, window=window, today=TODAY).pieces == ()
    assert [one.id for one in single_pieces(entry, window=Window(first=None, last=None), today=TODAY).pieces] == [""]


def test_dates_in_what_is_told_of_exceptions_are_in_the_readers_notation() -> None:
    stray = override(at(2026, 1, 20, 8), timed(datetime(2026, 1, 20, 15)))
    entry = series(
        timed(datetime(2026, 1, 5, 9)), "FREQ=WEEKLY;COUNT=10", exdates=(at(2026, 1, 19, 8),), overrides=(stray,)
    )
    problems = single_pieces(entry, window=Window(first=date(2026, 1, 1), last=date(2026, 6, 30)), today=TODAY).problems
    russian = " ".join(told(problem.reason, "ru") for problem in problems)
    assert "EXDATE 19.01.2026 08:00 " in russian
    assert "RECURRENCE-ID 20.01.2026 08:00 " in russian
    assert "2026-01" not in russian
    assert "EXDATE 2026-01-19 08:00 " in " ".join(told(problem.reason, "en") for problem in problems)
