"""How long ago something was, whatever was done to the calendar clock since."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.elapsed import ClockNote, Moment, elapsed_s, noted

SENT = 1_800_000_000.0


def moment(wall: float, uptime: float, *, boot: str = "a", portal: float | None = None) -> Moment:
    return Moment(wall=wall, boot=boot, uptime=uptime, portal=portal)


@pytest.mark.parametrize("set_by", [-7200.0, 0.0, 7200.0, 1e6])
def test_a_clock_that_is_set_changes_nothing_while_the_machine_runs_on(set_by: float) -> None:
    notes = noted((), moment(SENT, 500.0))
    assert elapsed_s(SENT, notes, moment(SENT + 30 + set_by, 530.0)) == 30.0


@pytest.mark.parametrize("set_by", [-7200.0, 0.0, 7200.0])
def test_after_a_new_start_the_portals_clock_tells(set_by: float) -> None:
    notes = noted((), moment(SENT, 500.0, portal=SENT + 111))
    assert elapsed_s(SENT, notes, moment(SENT + 30 + set_by, 5.0, boot="b", portal=SENT + 141)) == 30.0


def test_where_no_clock_can_be_trusted_nothing_has_passed_for_sure() -> None:
    notes = noted((), moment(SENT, 500.0))
    assert elapsed_s(SENT, notes, moment(SENT + 9000, 5.0, boot="b", portal=SENT + 9000)) == 0.0
    unknown = noted((), moment(SENT, 0.0, boot=""))
    assert elapsed_s(SENT, unknown, moment(SENT + 9000, 0.0, boot="")) == 0.0


def test_without_notes_the_calendar_clock_is_all_there_is() -> None:
    assert elapsed_s(SENT, (), moment(SENT + 30, 1.0)) == 30.0
    assert elapsed_s(SENT, (), moment(SENT - 30, 1.0)) == 0.0


def test_a_clock_that_was_set_while_sending_never_makes_the_time_longer() -> None:
    notes = noted((), moment(SENT, 500.0))
    notes = noted(notes, moment(SENT + 7210, 510.0))  # set ahead by two hours in between
    assert len(notes) == 2
    assert elapsed_s(SENT, notes, moment(SENT + 7230, 530.0)) <= 30.0
    assert elapsed_s(SENT + 7210, notes, moment(SENT + 7230, 530.0)) <= 20.0


def test_clocks_that_stand_as_before_are_noted_once() -> None:
    notes = noted((), moment(SENT, 500.0))
    assert noted(notes, moment(SENT + 60.2, 560.0)) is not None
    assert noted(notes, moment(SENT + 60.2, 560.0)) == notes
    told = noted(notes, moment(SENT + 60, 560.0, portal=SENT + 65))
    assert told == (ClockNote(boot="a", ahead_of_uptime_s=SENT - 500, behind_portal_s=5.0),)
    assert noted(told, moment(SENT + 61, 561.0)) == told


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(-9000, 9000)), min_size=1, max_size=7), st.data())
def test_what_surely_passed_never_exceeds_what_passed(steps: list[tuple[float, float]], data: st.DataObject) -> None:
    passed = set_by = 0.0
    notes: tuple[ClockNote, ...] = ()
    sent: list[tuple[float, float]] = []
    for seconds, leap in steps:
        passed += seconds
        set_by += leap
        now = moment(SENT + passed + set_by, passed)
        notes = noted(notes, now)
        sent.append((passed, now.wall))
    at, said = data.draw(st.sampled_from(sent))
    later = passed + data.draw(st.floats(0, 500))
    leap = data.draw(st.floats(-9000, 9000))
    assert elapsed_s(said, notes, moment(SENT + later + set_by + leap, later)) <= later - at + 1.001
