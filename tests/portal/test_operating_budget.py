"""The operating budget's decisions one by one: when a method may go on, how long it waits, and what it learns.

All times are the portal's; T0 is the beginning of a minute, because the portal counts by the wall-clock minute.
"""

from __future__ import annotations

import math

import pytest

from syncd.model.json_values import Json
from syncd.portal.limits.minutes import Call
from syncd.portal.limits.operating import OperatingBudget

ADD = "calendar.event.add"
UPDATE = "calendar.event.update"
MINUTE = 60.0
T0 = 28_000_000 * MINUTE
LIFETIME = 10 * MINUTE
"""The oldest seconds drop ten minutes after the minute they were booked in began (PORTAL.md 3.2)."""


def budget_of(limit_s: float = 10.0, share: float = 1.0) -> OperatingBudget:
    return OperatingBudget(limit_s=limit_s, share=share)


def tell(
    budget: OperatingBudget,
    at: float,
    *calls: tuple[float | None, float],
    reset_at: float | None = None,
    method: str = ADD,
    batched: bool = True,
) -> None:
    """One request's answer: for each call of the method its counter, None where it is absent, and its seconds."""
    told = [Call(used_s=used, reset_at=reset_at, seconds=seconds) for used, seconds in calls]
    budget.observe(method, told, batched=batched, began=at, ended=at + sum(seconds for _, seconds in calls))


def saved(**changes: Json) -> dict[str, Json]:
    """The state of a budget that has seen nothing, with `changes`."""
    return {"learned": None, "proven_s": 0.0, "counters": [], **changes}


def test_what_is_in_flight_counts_until_it_is_released() -> None:
    budget = budget_of(share=0.8)
    tell(budget, T0, (3.0, 3.0))
    budget.reserve({ADD: 2.0, UPDATE: 1.0})
    budget.reserve({ADD: 1.0})
    assert budget.reserved[ADD] == 3.0
    assert budget.fits(ADD, T0, 2.0)
    assert not budget.fits(ADD, T0, 2.1)
    budget.release({ADD: 2.0})
    assert budget.reserved[ADD] == 1.0
    assert budget.fits(ADD, T0, 4.0)
    assert not budget.fits(ADD, T0, 4.1)
    budget.release({ADD: 1.0})
    budget.release({ADD: 1.0})
    assert budget.reserved[ADD] == 0.0


def test_seconds_count_for_ten_minutes_from_the_minute_their_request_began_in() -> None:
    budget = budget_of()
    tell(budget, T0 + 59, (None, 2.0))
    booked_in = int(T0 // MINUTE)
    last = T0 + LIFETIME - 1
    assert budget.used(ADD, last) == 2.0
    assert budget.drops(ADD, last) == {booked_in: 2.0}
    assert budget.used(ADD, last + 1) == 0.0
    assert budget.drops(ADD, last + 1) == {}
    assert budget.resets_at(ADD, last) == last + 1
    assert budget.resets_at(ADD, last + 1) is None


def test_a_request_without_counters_counts_only_from_a_tenth_of_a_second_in_all() -> None:
    budget = budget_of()
    tell(budget, T0, (None, 0.05), (None, 0.05))
    assert budget.used(ADD, T0) == 0.0
    tell(budget, T0, (None, 0.06), (None, 0.05))
    assert budget.used(ADD, T0) == pytest.approx(0.11)


def test_the_worse_of_a_method_s_two_counters_is_obeyed() -> None:
    budget = budget_of()
    tell(budget, T0, (4.0, 4.0), reset_at=T0 + 600, batched=True)
    tell(budget, T0 + 120, (7.0, 7.0), reset_at=T0 + 720, batched=False)
    assert budget.used(ADD, T0 + 120) == 7.0
    assert budget.drops(ADD, T0 + 120) == {int(T0 // MINUTE) + 2: 7.0}
    assert budget.resets_at(ADD, T0 + 120) == T0 + 720
    assert list(budget.accounts) == [ADD]
    assert ADD in budget.accounts
    assert UPDATE not in budget.accounts
    assert budget.resets_at(UPDATE, T0 + 120) is None


def test_a_method_is_free_when_both_its_counters_are() -> None:
    budget = budget_of()
    tell(budget, T0, (None, 8.0), batched=True)
    tell(budget, T0 + 120, (None, 9.0), batched=False)
    assert budget.free_at(ADD, T0 + 120, 5.0) == T0 + LIFETIME + 120


def test_a_method_waits_for_the_longer_of_two_blocks() -> None:
    budget = budget_of()
    budget.blocked(ADD, batched=True, at=T0)
    budget.blocked(ADD, batched=True, at=T0 + 60)
    assert budget.free_at(ADD, T0 + 60, 0.1) == T0 + 180
    budget.blocked(ADD, batched=False, at=T0 + 180)
    assert budget.free_at(ADD, T0 + 180, 0.1) == T0 + 240
    assert budget.refusals(ADD) == 2


def test_others_seconds_are_those_of_the_fuller_counter() -> None:
    budget = budget_of()
    tell(budget, T0, (5.0, 2.0), reset_at=T0 + 600, batched=True)
    tell(budget, T0, (2.0, 2.0), reset_at=T0 + 600, batched=False)
    assert budget.others_s(ADD, T0) == pytest.approx(3.0)


@pytest.mark.parametrize("batched", [True, False])
def test_one_kind_of_call_makes_a_method_known(*, batched: bool) -> None:
    budget = budget_of()
    tell(budget, T0, (1.0, 1.0), batched=batched)
    assert ADD in budget.accounts


def test_the_oldest_minute_with_seconds_drops_first() -> None:
    budget = budget_of()
    tell(budget, T0, (None, 2.0))
    tell(budget, T0 + 120, (None, 2.0))
    assert budget.resets_at(ADD, T0 + 120) == T0 + LIFETIME
    assert budget.resets_at(ADD, T0 + LIFETIME) == T0 + LIFETIME + 120


def test_the_portal_s_word_on_the_reset_goes_before_our_own_minutes() -> None:
    budget = budget_of()
    tell(budget, T0, (3.0, 3.0), reset_at=T0 + 330)
    assert budget.resets_at(ADD, T0 + 329) == T0 + 330


def test_a_reset_that_is_past_tells_nothing_any_more() -> None:
    budget = budget_of()
    tell(budget, T0, (3.0, 3.0), reset_at=T0 + 330)
    assert budget.resets_at(ADD, T0 + 330) == T0 + LIFETIME
    assert budget.resets_at(ADD, T0 + 400) == T0 + LIFETIME


@pytest.mark.parametrize(
    ("reset_at", "believed"),
    [(-61, False), (-60, True), (12 * MINUTE, True), (12 * MINUTE + 1, False)],
)
def test_a_reset_is_believed_only_where_a_bucket_can_drop(*, reset_at: float, believed: bool) -> None:
    budget = budget_of()
    tell(budget, T0, (3.0, 3.0), reset_at=T0 + reset_at)
    (counter,) = _counters(budget)
    assert (counter["reset_at"] == T0 + reset_at) is believed


def _counters(budget: OperatingBudget) -> tuple[dict[str, Json], ...]:
    state = budget.dump()
    assert isinstance(state, dict)
    counters = state["counters"]
    assert isinstance(counters, list)
    return tuple(counters)


def test_a_lost_request_counts_as_if_it_had_run_and_may_drop_at_the_reset() -> None:
    budget = budget_of(share=0.9)
    tell(budget, T0, (6.0, 6.0), reset_at=T0 + 300)
    assert not budget.may_probe(ADD, T0 + 300, 0.5)
    budget.assume({ADD: 3.0}, batched=True, at=T0 + 60)
    assert budget.used(ADD, T0 + 60) == 9.0
    # The minute the portal booked it in is not known, so seconds may drop before our own minutes say so.
    assert budget.free_at(ADD, T0 + 60, 0.5) == T0 + 300
    assert not budget.may_probe(ADD, T0 + 299, 0.5)
    assert budget.may_probe(ADD, T0 + 300, 0.5)
    assert not budget.may_probe(ADD, T0 + 300, 0.8)
    assert budget.free_at(ADD, T0 + 300, 0.8) == T0 + LIFETIME


def test_a_probe_waits_for_what_is_in_flight() -> None:
    budget = budget_of()
    assert budget.may_probe(ADD, T0, 99.0)
    budget.reserve({ADD: 0.5})
    assert not budget.may_probe(ADD, T0, 99.0)


def test_a_command_dearer_than_the_budget_goes_alone_when_nothing_is_used() -> None:
    budget = budget_of()
    tell(budget, T0, (None, 0.3))
    assert not budget.fits(ADD, T0, 12.0)
    assert not budget.may_probe(ADD, T0, 12.0)
    assert budget.free_at(ADD, T0, 12.0) == T0 + LIFETIME
    assert budget.may_probe(ADD, T0 + LIFETIME, 12.0)


def test_free_at_is_the_first_minute_that_leaves_room() -> None:
    budget = budget_of()
    for minute, seconds in ((0, 2.0), (3, 3.0), (5, 4.0)):
        tell(budget, T0 + minute * MINUTE, (None, seconds))
    now = T0 + 5 * MINUTE
    assert budget.free_at(ADD, now, 1.0) == now
    assert budget.free_at(ADD, now, 3.0) == T0 + LIFETIME
    assert budget.free_at(ADD, now, 3.1) == T0 + LIFETIME + 3 * MINUTE
    budget.reserve({ADD: 0.1})
    assert budget.free_at(ADD, now, 3.0) == T0 + LIFETIME + 3 * MINUTE


def test_a_block_at_the_very_limit_ends_with_the_portal_s_reset() -> None:
    budget = budget_of()
    # The call after the tenth second ran: the limit is proven, and nothing of it is lowered by the refusal.
    tell(budget, T0, (10.0, 10.0), (10.0, 0.0), reset_at=T0 + 300)
    budget.blocked(ADD, batched=True, at=T0 + 60)
    assert budget.hard_s(T0 + 60) == 10.0
    assert budget.used(ADD, T0 + 60) == pytest.approx(10.1)
    # Our minutes would wait for T0 + 600, but a refusal shows that they do not tell the whole.
    assert budget.free_at(ADD, T0 + 60, 0.1) == T0 + 300
    assert not budget.may_probe(ADD, T0 + 299, 0.1)
    assert budget.may_probe(ADD, T0 + 300, 0.1)


def test_a_block_that_was_foreseen_ends_when_a_probe_stays_below_the_limit() -> None:
    budget = budget_of()
    for minute, used, seconds in ((0, 0.5, 0.5), (2, 4.5, 4.0), (4, 10.4, 5.9)):
        tell(budget, T0 + minute * MINUTE, (used, seconds), reset_at=T0 + LIFETIME)
    budget.blocked(ADD, batched=True, at=T0 + 250)
    assert budget.hard_s(T0 + 250) == 10.0
    # The first minute leaves 9.9 s, too near to the limit for a probe: it may be refused again.
    assert budget.free_at(ADD, T0 + 250, 0.1) == T0 + LIFETIME + 2 * MINUTE
    assert not budget.may_probe(ADD, T0 + LIFETIME + 119, 0.1)
    assert budget.may_probe(ADD, T0 + LIFETIME + 120, 0.1)


def test_a_block_that_no_known_limit_explains_ends_with_the_portal_s_reset() -> None:
    budget = budget_of(limit_s=math.inf)
    tell(budget, T0, (5.0, 5.0), reset_at=T0 + 300)
    budget.blocked(ADD, batched=True, at=T0 + 60)
    assert budget.used(ADD, T0 + 60) == 5.0
    assert budget.free_at(ADD, T0 + 60, 0.1) == T0 + 300


def test_a_block_without_a_reset_lasts_a_minute_and_twice_as_long_each_time() -> None:
    budget = budget_of()
    waits = []
    at = T0
    for _ in range(6):
        budget.blocked(ADD, batched=True, at=at)
        assert not budget.fits(ADD, at, 0.0)
        again = budget.free_at(ADD, at, 0.1)
        assert budget.may_probe(ADD, again, 0.1)
        waits.append(again - at)
        at = again
    assert waits == [60, 120, 240, 480, 600, 600]
    assert budget.refusals(ADD) == 6


def test_a_reset_told_before_the_block_does_not_shorten_its_wait() -> None:
    budget = budget_of()
    tell(budget, T0, (2.0, 2.0), reset_at=T0 + 50)
    budget.blocked(ADD, batched=True, at=T0 + 50)
    assert budget.free_at(ADD, T0 + 50, 0.1) == T0 + 110


def test_a_second_block_waits_longer_whatever_reset_was_told() -> None:
    budget = budget_of()
    tell(budget, T0, (10.4, 10.4), reset_at=T0 + 650)
    budget.blocked(ADD, batched=True, at=T0 + 30)
    assert budget.free_at(ADD, T0 + 30, 0.1) == T0 + LIFETIME
    budget.blocked(ADD, batched=True, at=T0 + LIFETIME)
    assert budget.free_at(ADD, T0 + LIFETIME, 0.1) == T0 + LIFETIME + 120


def test_a_second_refusal_of_the_same_wait_does_not_prolong_it() -> None:
    budget = budget_of()
    budget.blocked(ADD, batched=True, at=T0)
    budget.blocked(ADD, batched=True, at=T0 + 59)
    assert budget.refusals(ADD) == 1
    assert budget.free_at(ADD, T0 + 59, 0.1) == T0 + 60


def test_a_wait_that_is_over_is_free_now() -> None:
    budget = budget_of()
    budget.blocked(ADD, batched=True, at=T0)
    assert budget.free_at(ADD, T0 + 90, 0.1) == T0 + 90


def test_an_executed_command_ends_the_block() -> None:
    budget = budget_of()
    budget.blocked(ADD, batched=True, at=T0)
    tell(budget, T0 + 60, (1.0, 1.0), reset_at=T0 + 660)
    assert budget.refusals(ADD) == 0
    assert budget.fits(ADD, T0 + 60, 1.0)


@pytest.mark.parametrize(
    ("used", "learned"),
    [(5.9, 10.0), (6.0, 5.88), (9.5, 9.31), (10.0, 9.8), (10.1, 10.0)],
)
def test_a_block_between_six_tenths_and_the_limit_lowers_the_limit(used: float, learned: float) -> None:
    budget = budget_of()
    tell(budget, T0, (used, used), reset_at=T0 + 600)
    budget.blocked(ADD, batched=True, at=T0 + 30)
    assert budget.hard_s(T0 + 30) == pytest.approx(learned)


def test_what_is_in_flight_at_a_block_counts_for_the_lesson() -> None:
    budget = budget_of()
    tell(budget, T0, (5.0, 5.0))
    budget.reserve({ADD: 2.0})
    budget.blocked(ADD, batched=True, at=T0 + 30)
    assert budget.hard_s(T0 + 30) == pytest.approx(7.0 * 0.98)


def test_the_limit_is_never_learned_below_what_the_portal_let_pass() -> None:
    budget = budget_of()
    tell(budget, T0, (8.0, 8.0), (8.1, 0.1), reset_at=T0 + 600)
    budget.blocked(ADD, batched=True, at=T0 + 30)
    assert budget.hard_s(T0 + 30) == 8.0


def test_a_refusal_after_a_wait_teaches_nothing() -> None:
    budget = budget_of()
    tell(budget, T0, (9.0, 9.0), reset_at=T0 + 600)
    budget.blocked(ADD, batched=True, at=T0 + 30)
    hard_s = budget.hard_s(T0 + 30)
    budget.blocked(ADD, batched=True, at=T0 + 630)
    assert hard_s < budget.hard_s(T0 + 630) < 8.9


def test_a_lesson_is_forgotten_in_a_day_bit_by_bit() -> None:
    budget = budget_of()
    tell(budget, T0, (8.0, 8.0), reset_at=T0 + 600)
    budget.blocked(ADD, batched=True, at=T0)
    learned = 8.0 * 0.98
    assert budget.hard_s(T0) == pytest.approx(learned)
    assert budget.hard_s(T0 - 100) == pytest.approx(learned)
    assert budget.hard_s(T0 + 43_200) == pytest.approx((learned + 10.0) / 2)
    assert budget.hard_s(T0 + 86_400) == 10.0
    assert budget.hard_s(T0 + 200_000) == 10.0


def test_other_programs_seconds_are_what_the_counter_holds_beside_our_own() -> None:
    budget = budget_of()
    tell(budget, T0, (5.0, 2.0), reset_at=T0 + 600)
    assert budget.others_s(ADD, T0) == pytest.approx(3.0)
    assert budget.used(ADD, T0) == 5.0
    # Others will go on as they did, so what drops is only our own.
    assert budget.drops(ADD, T0) == {int(T0 // MINUTE): 2.0}
    assert budget.others_s(UPDATE, T0) == 0.0


def test_a_twentieth_of_the_limit_is_no_other_program() -> None:
    budget = budget_of()
    tell(budget, T0, (2.5, 2.0), reset_at=T0 + 600)
    assert budget.others_s(ADD, T0) == 0.0
    assert budget.drops(ADD, T0) == {int(T0 // MINUTE): pytest.approx(2.5)}


def test_a_counter_lower_than_our_sum_is_believed_unless_answers_crossed() -> None:
    budget = budget_of()
    tell(budget, T0, (None, 6.0))
    tell(budget, T0 + 60, (3.0, 1.0), reset_at=T0 + 600)
    assert budget.used(ADD, T0 + 60) == pytest.approx(3.0)

    crossing = budget_of()
    tell(crossing, T0, (None, 6.0))
    tell(crossing, T0 + 6, (3.0, 1.0), reset_at=T0 + 600)
    assert crossing.used(ADD, T0 + 6) == pytest.approx(7.0)


@pytest.mark.parametrize(("began", "used"), [(30, 7.0), (60, 7.0), (61, 3.0)])
def test_a_lost_request_may_cross_the_answers_of_a_minute(began: float, used: float) -> None:
    budget = budget_of()
    budget.assume({ADD: 6.0}, batched=True, at=T0)
    tell(budget, T0 + began, (3.0, 1.0), reset_at=T0 + 600)
    assert budget.used(ADD, T0 + began) == pytest.approx(used)


def test_what_crossed_is_not_in_the_counter_and_no_part_of_what_others_used() -> None:
    budget = budget_of()
    tell(budget, T0, (None, 2.0))
    tell(budget, T0 + 2, (5.0, 1.0), reset_at=T0 + 600)
    assert budget.others_s(ADD, T0 + 2) == pytest.approx(4.0)


@pytest.mark.parametrize(("first_s", "booked_s"), [(1.0, 1.2), (0.05, 0.25), (0.1, 0.3)])
def test_a_command_counts_no_more_than_the_counter_grew(first_s: float, booked_s: float) -> None:
    budget = budget_of()
    # The second took 5 s by our measure at most; the counter says that it was 0.2 s.
    tell(budget, T0, (6.0, first_s), (6.2, 5.0), reset_at=T0 + 600)
    assert budget.drops(ADD, T0) == {int(T0 // MINUTE): pytest.approx(booked_s)}
    assert budget.others_s(ADD, T0) == pytest.approx(6.2 + (first_s if first_s <= 0.1 else 0.0) - booked_s)


def test_a_counter_that_others_filled_may_drop_at_its_reset() -> None:
    budget = budget_of(share=0.5)
    tell(budget, T0, (3.0, 3.0), reset_at=T0 + 650, batched=False)
    tell(budget, T0, (6.0, 6.0), reset_at=T0 + 300)
    assert not budget.may_probe(ADD, T0 + 300, 0.5)
    tell(budget, T0 + 60, (9.0, 1.0), reset_at=T0 + 300)
    assert not budget.may_probe(ADD, T0 + 299, 0.5)
    assert budget.may_probe(ADD, T0 + 300, 0.5)


def test_a_counter_that_says_zero_has_no_reset() -> None:
    budget = budget_of()
    tell(budget, T0, (0.0, 0.02), reset_at=T0 + 600)
    (counter,) = _counters(budget)
    assert counter["reset_at"] is None


def test_short_calls_that_the_counter_does_not_show_yet_are_added() -> None:
    budget = budget_of()
    tell(budget, T0, (2.0, 0.06), (2.0, 0.05), (2.4, 0.4), (2.4, 0.3), reset_at=T0 + 600)
    assert budget.used(ADD, T0) == pytest.approx(2.4 + 0.06 + 0.05 + 0.1)


def test_no_call_of_a_method_says_nothing_of_it() -> None:
    budget = budget_of()
    tell(budget, T0)
    assert ADD not in budget.accounts


def test_a_saved_budget_decides_as_the_one_before() -> None:
    first = budget_of()
    tell(first, T0, (8.0, 8.0), (8.2, 0.2), reset_at=T0 + 300)
    first.blocked(ADD, batched=True, at=T0 + 30)
    tell(first, T0 + 60, (None, 2.0), method=UPDATE, batched=False)
    first.assume({UPDATE: 1.0}, batched=False, at=T0 + 60)
    state = first.dump()
    assert isinstance(state, dict)
    again = budget_of()
    again.load(state)
    assert again.dump() == state
    assert again.hard_s(T0 + 30) == first.hard_s(T0 + 30) < 10.0
    for method in (ADD, UPDATE):
        assert again.used(method, T0 + 60) == first.used(method, T0 + 60) > 0
        assert again.free_at(method, T0 + 60, 1.0) == first.free_at(method, T0 + 60, 1.0)
        assert again.refusals(method) == first.refusals(method)


def test_seconds_of_a_process_before_are_not_taken_for_other_programs() -> None:
    first = budget_of()
    tell(first, T0, (4.0, 4.0), reset_at=T0 + 600)
    state = first.dump()
    assert isinstance(state, dict)
    again = budget_of()
    again.load(state)
    tell(again, T0 + 60, (5.0, 1.0), reset_at=T0 + 600)
    assert again.others_s(ADD, T0 + 60) == 0.0


@pytest.mark.parametrize("learned", [None, "73", 7.0])
def test_a_saved_lesson_that_is_no_pair_is_left_aside(learned: Json) -> None:
    budget = budget_of()
    budget.load(saved(learned=learned))
    assert budget.hard_s(T0) == 10.0


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"counters": "none"}, TypeError),
        ({"counters": 3}, TypeError),
        ({"counters": ["one"]}, TypeError),
        ({"counters": [{"method": ADD, "buckets": []}]}, TypeError),
        ({"counters": [{"method": ADD, "buckets": {}}]}, KeyError),
        ({"learned": [True, T0]}, TypeError),
        ({"proven_s": "8"}, TypeError),
        ({"proven_s": True}, TypeError),
    ],
)
def test_a_saved_state_of_another_shape_is_refused(change: dict[str, Json], error: type[Exception]) -> None:
    with pytest.raises(error):
        budget_of().load(saved(**change))
