"""The compiler's memory: the same answers as without it, and none twice for what has not changed."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model.entry import Entry, Recurrence, Window
from syncd.model.recurrence import CompilerMemory, compile_entry
from syncd.model.recurrence.conditions import Conditions
from tests.model.generated import SERVERS, ZONES, generated_series, moving_windows
from tests.model.referee import at, days, override, series, timed

TODAY = date(2026, 3, 1)
YEAR = Window(first=date(2026, 1, 1), last=date(2026, 12, 31))
LESSON = series(timed(datetime(2026, 1, 5, 9)), "FREQ=WEEKLY;UNTIL=20260601", exdates=[at(2026, 2, 2)])


def remembered(
    memory: CompilerMemory, entry: Entry, window: Window = YEAR, today: date = TODAY, zone: str = "Europe/Moscow"
) -> bool:
    """Say whether `memory` answers for a new pass without compiling; the answer is checked in any case."""
    before = memory.compiled
    found = memory.compile(entry, window=window, portal_zone=zone, today=today, turn=object())
    assert found == compile_entry(entry, window=window, portal_zone=zone, today=today)
    return memory.compiled == before


def test_an_unchanged_series_is_compiled_once_however_often_it_is_asked_for() -> None:
    memory = CompilerMemory()
    assert not remembered(memory, LESSON)
    for later in range(3):
        assert remembered(memory, replace(LESSON), today=TODAY + timedelta(days=later))


def test_whatever_matters_is_compiled_anew() -> None:
    memory = CompilerMemory()
    others = (
        replace(LESSON, details=replace(LESSON.details, title="Other")),
        replace(LESSON, recurrence=replace(LESSON.recurrence or Recurrence(), exdates=())),
        replace(LESSON, overrides=(override(at(2026, 3, 2), timed(datetime(2026, 3, 3, 9))),)),
    )
    for other in others:
        assert not remembered(memory, LESSON)
        assert not remembered(memory, other)
    assert not remembered(memory, LESSON)
    assert not remembered(memory, LESSON, zone="Europe/Berlin")
    assert not remembered(memory, LESSON, window=Window(first=date(2026, 4, 1), last=date(2026, 12, 31)))
    assert not remembered(memory, LESSON, window=Window(first=date(2026, 4, 1), last=date(2027, 12, 31)))


def test_a_series_that_only_moved_in_its_file_is_not_compiled_but_tells_its_new_place() -> None:
    memory = CompilerMemory()
    entry = replace(LESSON, overrides=(override(at(2026, 3, 2), timed(datetime(2026, 3, 3, 9))),))
    assert not remembered(memory, entry)
    moved = replace(entry, where="team.ics:801", overrides=(replace(entry.overrides[0], where="team.ics:812"),))
    assert remembered(memory, moved)
    pieces = memory.compile(moved, window=YEAR, portal_zone="Europe/Moscow", today=TODAY, turn=object()).pieces
    assert {piece.where for piece in pieces} == {"team.ics:801", "team.ics:812"}


def test_what_two_passes_did_not_ask_for_is_forgotten() -> None:
    memory = CompilerMemory()
    other = replace(LESSON, uid="other")
    assert not remembered(memory, LESSON)
    assert not remembered(memory, other)
    assert not remembered(memory, LESSON)


def test_a_rolled_window_compiles_only_series_at_its_edges() -> None:
    memory = CompilerMemory()
    weekly = series(timed(datetime(2025, 1, 6, 9)), "FREQ=WEEKLY")
    last_friday = replace(series(timed(datetime(2025, 1, 31, 9)), "FREQ=MONTHLY;BYDAY=-1FR"), uid="friday")
    compiled = []
    for day in range(120):
        window = Window(first=date(2026, 1, 20) + timedelta(days=day), last=date(2026, 6, 10) + timedelta(days=day))
        before, turn = memory.compiled, object()
        for entry in (weekly, last_friday):
            found = memory.compile(entry, window=window, portal_zone="Europe/Moscow", today=TODAY, turn=turn)
            assert found == compile_entry(entry, window=window, portal_zone="Europe/Moscow", today=TODAY)
        compiled.append(memory.compiled - before)
    assert compiled[0] == 2
    assert set(compiled[1:]) <= {0, 1}
    assert sum(compiled[1:]) == 2  # the window leaves one stretch of Fridays, and reaches another


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.lists(st.integers(-40, 40), min_size=1, max_size=4))
def test_the_memory_answers_as_the_compiler_does_for_any_window_and_day(seed: int, steps: list[int]) -> None:
    rng = random.Random(seed)
    memory, entry = CompilerMemory(), generated_series(rng)
    for window, today, zone in moving_windows(rng, entry, steps):
        remembered(memory, entry, window, today, zone)


@settings(max_examples=60, deadline=None)
@given(
    day=st.dates(date(1990, 1, 1), date(2037, 1, 1)),
    minutes=st.integers(0, 3000),
    clock=st.sampled_from([(0, 0), (1, 30), (2, 30), (9, 0), (23, 59)]),
    zones=st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)),
    server=st.sampled_from(SERVERS),
    whole=st.booleans(),
)
def test_a_plain_entry_is_compiled_like_a_series_of_one(
    day: date, minutes: int, clock: tuple[int, int], zones: tuple[str, str], server: str, whole: bool
) -> None:
    start = datetime(day.year, day.month, day.day, *clock)
    span = (
        days(day, 1 + minutes // 1440)
        if whole
        else timed(start, minutes=minutes + 1440, zone=zones[0], end_zone=zones[1])
    )
    plain = replace(series(span), recurrence=None)
    for window in (Window(first=None, last=None), Window(first=day - timedelta(days=1), last=day)):
        quick = compile_entry(plain, window=window, portal_zone=server, today=TODAY)
        assert quick == compile_entry(
            replace(plain, recurrence=Recurrence()), window=window, portal_zone=server, today=TODAY
        )


def test_conditions_hold_exactly_as_long_as_every_answer_does() -> None:
    asked = Conditions(YEAR, TODAY)
    questions = [(date(2026, 1, 10), date(2026, 1, 12)), (date(2025, 12, 1), date(2025, 12, 30)), (TODAY, None)]
    answers = [asked.touches(*question) for question in questions]
    for shift in range(-60, 60):
        window = Window(first=date(2026, 1, 1) + timedelta(days=shift), last=YEAR.last)
        alike = [window.touches(*question) for question in questions] == answers
        assert asked.hold(window, TODAY) == alike
    assert asked.hold(YEAR, date(2026, 12, 31))
    assert not asked.hold(YEAR, date(2027, 1, 1))
    assert not asked.hold(Window(first=None, last=YEAR.last), TODAY)
    assert asked.today == TODAY
    assert not asked.hold(YEAR, date(2026, 12, 31))
