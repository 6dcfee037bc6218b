"""What series became, taken up by another process: the same answers as those of the compiler."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model.entry import Entry, Window
from syncd.model.recurrence import CompilerMemory, compile_entry
from syncd.model.recurrence.records import SeriesRecord, mark_of, record_of
from tests.model.generated import generated_series, moving_windows
from tests.model.referee import at, days, override, series, timed

TODAY = date(2026, 3, 1)
YEAR = Window(first=date(2026, 1, 1), last=date(2026, 12, 31))
LESSON = replace(
    series(timed(datetime(2026, 1, 5, 9)), "FREQ=WEEKLY;UNTIL=20260601", exdates=[at(2026, 2, 2)]),
    overrides=(override(at(2026, 3, 2), timed(datetime(2026, 3, 3, 9))),),
)


def taken_up(memory: CompilerMemory) -> CompilerMemory:
    """Return the memory of another process."""
    packed = msgspec.msgpack.encode(memory.records())
    other = CompilerMemory()
    other.learn(msgspec.msgpack.decode(packed, type=tuple[SeriesRecord, ...]))
    return other


def answered(memory: CompilerMemory, entry: Entry, window: Window, today: date, zone: str) -> bool:
    """Say whether `memory` answers without compiling; the answer is checked in any case."""
    before = memory.compiled
    found = memory.compile(entry, window=window, portal_zone=zone, today=today, turn=object())
    assert found == compile_entry(entry, window=window, portal_zone=zone, today=today)
    return memory.compiled == before


def first_process(*entries: Entry) -> CompilerMemory:
    memory, turn = CompilerMemory(), object()
    for entry in entries:
        memory.compile(entry, window=YEAR, portal_zone="Europe/Moscow", today=TODAY, turn=turn)
    return memory


def test_another_process_compiles_nothing_that_is_the_same_wherever_it_stands() -> None:
    birthday = replace(series(days(date(1980, 3, 7), 1), "FREQ=YEARLY"), uid="birthday")
    moved = replace(LESSON, where="team.ics:801", overrides=(replace(LESSON.overrides[0], where="team.ics:812"),))
    for entries in ((LESSON, birthday), (moved, replace(birthday, where="team.ics:3"))):
        memory, turn = taken_up(first_process(LESSON, birthday)), object()
        for entry in entries:
            found = memory.compile(entry, window=YEAR, portal_zone="Europe/Moscow", today=TODAY, turn=turn)
            assert found == compile_entry(entry, window=YEAR, portal_zone="Europe/Moscow", today=TODAY)
        assert (memory.compiled, memory.unkept, memory.known) == (0, 0, 2)


def test_whatever_matters_is_compiled_anew() -> None:
    changed = replace(LESSON, overrides=(replace(LESSON.overrides[0], span=timed(datetime(2026, 3, 3, 10))),))
    assert not answered(taken_up(first_process(LESSON)), changed, YEAR, TODAY, "Europe/Moscow")
    assert not answered(taken_up(first_process(LESSON)), LESSON, YEAR, TODAY, "Europe/Berlin")
    later = Window(first=date(2026, 4, 1), last=date(2027, 12, 31))
    assert not answered(taken_up(first_process(LESSON)), LESSON, later, TODAY, "Europe/Moscow")
    assert mark_of(replace(LESSON, details=replace(LESSON.details, title="Other"))) != mark_of(LESSON)


def test_what_has_a_problem_is_not_kept_for_it_names_its_place() -> None:
    entry = series(timed(datetime(2026, 1, 5, 9)), "FREQ=WEEKLY;BYDAY=MO;UNKNOWN=1")
    compiled = compile_entry(entry, window=YEAR, portal_zone="Europe/Moscow", today=TODAY)
    assert compiled.problems
    assert first_process(entry).records() == ()


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 100_000), steps=st.lists(st.integers(-40, 40), min_size=1, max_size=3))
def test_another_process_answers_as_the_compiler_does_for_any_window_and_day(seed: int, steps: list[int]) -> None:
    rng = random.Random(seed)
    memory, entry = CompilerMemory(), generated_series(rng)
    for window, today, zone in moving_windows(rng, entry, steps):
        answered(memory, entry, window, today, zone)
        memory = taken_up(memory)


def test_pieces_of_an_entry_that_none_of_it_says_are_not_kept() -> None:
    memory = first_process(LESSON)
    (record,) = memory.records()
    found = record.compiled(LESSON, "Europe/Moscow")
    assert found is not None
    compiled, circumstances = found
    assert record_of(LESSON, "Europe/Moscow", compiled, circumstances) == record
    strange = msgspec.structs.replace(compiled.pieces[0], where="somewhere else")
    other = msgspec.structs.replace(compiled, pieces=(strange,))
    assert record_of(LESSON, "Europe/Moscow", other, circumstances) is None
