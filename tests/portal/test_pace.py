"""The pure models of pace: limits, budgets, costs, lanes, forecasts."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.config.config_values import BATCH_SECONDS
from syncd.portal.limits.costs import CostModel, LaneControl, ServerClock, measured
from syncd.portal.limits.forecast import forecast
from syncd.portal.limits.minutes import Call, Counter
from syncd.portal.limits.operating import OperatingBudget
from syncd.portal.limits.pace import ENVELOPE, Executed, Limits, Pace
from syncd.portal.line.wire import CallTime, Done
from tests.portal.fake import ADD, DELETE, UPDATE, FakePortal, Ledger, jobs_of
from tests.portal.test_push import portal_of
from tests.support.simclock import EPOCH, run_virtual

T0 = 1_800_000_000.0


def pace_of(limits: Limits | None = None) -> Pace:
    return Pace(limits or Limits(), guess=T0, random=lambda: 0.5)


def budget_of(limit: float = 480.0, share: float = 0.9) -> OperatingBudget:
    return OperatingBudget(limit_s=limit, share=share)


def told(used: float | None, reset: float | None = None, seconds: float = 0.3) -> Call:
    return Call(used_s=used, reset_at=reset, seconds=seconds)


def test_tariffs_have_the_limits_of_the_documentation() -> None:
    assert (Limits.tariff("standard").burst, Limits.tariff("standard").rate) == (50, 2.0)
    assert (Limits.tariff("enterprise").burst, Limits.tariff("enterprise").rate) == (250, 5.0)
    assert math.isinf(Limits.tariff("self-hosted").operating_limit)
    with pytest.raises(ValueError, match="self-hosted"):
        Limits.tariff("gold")


def test_nobody_gives_up_while_a_request_may_still_be_at_work() -> None:
    usual = Limits()
    assert (usual.lanes, usual.batch_seconds) == (8, BATCH_SECONDS)
    with pytest.raises(ValueError, match=r"limits\.timeout must be at least batch_seconds"):
        Limits(timeout=19.9)
    assert Limits(timeout=20.0).timeout == 20


@pytest.mark.parametrize("lanes", [1, 2, 3, 8, 40])
def test_requests_in_flight_together_are_planned_for_less_than_the_timeout(lanes: int) -> None:
    pace = pace_of(Limits(lanes=lanes))
    pace.lanes.allowed = lanes
    flown = 0.0
    for _ in range(lanes):
        seconds = pace.longest_s
        assert not pace.crowded(seconds)
        pace.sent({ADD: seconds})
        flown += seconds
    assert flown <= 0.8 * Limits().timeout + 1e-6
    assert pace.crowded(61.0 - flown)


def test_lanes_that_open_beside_a_long_request_share_what_is_left_of_the_timeout() -> None:
    pace = pace_of()
    for lanes in (1, 2, 3):
        pace.lanes.allowed = lanes
        assert pace.longest_s == pytest.approx(20)
        pace.sent({ADD: pace.longest_s})
    pace.lanes.allowed = 4
    assert pace.crowded(0.1)
    pace.withdrawn({ADD: 20.0})
    assert pace.longest_s == pytest.approx(15)
    assert not pace.crowded(pace.longest_s)


@pytest.mark.parametrize(
    "bad",
    [{"burst": 0}, {"rate": -1.0}, {"batch_size": 51}, {"operating_share": 1.5}, {"lanes": 0}, {"timeout": 0.0},
     {"batch_seconds": math.nan}],
)  # fmt: skip
def test_a_limit_that_cannot_work_is_named(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Limits(**bad)


def test_cumulative_counters_are_never_added_up() -> None:
    budget = budget_of()
    for number in range(1, 50):
        at = T0 + 7 * number
        budget.observe(ADD, [told(2.0 * number, T0 + 600, 2.0)], batched=True, began=at, ended=at + 2)
    assert budget.used(ADD, T0 + 345) == pytest.approx(98.0)


def test_the_worst_of_the_counters_is_obeyed() -> None:
    budget = budget_of()
    budget.observe(ADD, [told(430.0, T0 + 600)], batched=False, began=T0, ended=T0)
    budget.observe(ADD, [told(3.0, T0 + 600)], batched=True, began=T0, ended=T0)
    assert not budget.fits(ADD, T0, 5.0)
    assert budget.fits(UPDATE, T0, 5.0)


def test_what_is_in_flight_is_reserved() -> None:
    budget = budget_of()
    budget.observe(ADD, [told(400.0, T0 + 600)], batched=True, began=T0, ended=T0)
    assert budget.fits(ADD, T0, 30.0)
    budget.reserve({ADD: 20.0})
    assert not budget.fits(ADD, T0, 30.0)
    budget.release({ADD: 20.0})
    assert budget.fits(ADD, T0, 30.0)


def test_answers_that_crossed_are_neither_lost_nor_counted_twice() -> None:
    for sees_all in (True, False):
        budget = budget_of()
        budget.observe(ADD, [told(100.0, T0 + 600)], batched=True, began=T0, ended=T0 + 1)
        budget.observe(ADD, [told(110.0, T0 + 600, 10.0)], batched=True, began=T0 + 5, ended=T0 + 20)
        second = 120.0 if sees_all else 110.0
        budget.observe(ADD, [told(second, T0 + 600, 10.0)], batched=True, began=T0 + 5, ended=T0 + 20)
        assert budget.used(ADD, T0 + 21) == pytest.approx(120.0)
        budget.observe(ADD, [told(121.0, T0 + 600, 1.0)], batched=True, began=T0 + 30, ended=T0 + 31)
        assert budget.used(ADD, T0 + 31) == pytest.approx(121.0)


def test_waits_end_when_the_oldest_minutes_drop() -> None:
    budget = budget_of()
    for minute, total in enumerate([200.0, 300.0, 420.0]):
        at = T0 + 60 * minute
        budget.observe(ADD, [told(total, T0 + 600, 200 if minute == 0 else 100)], batched=True, began=at, ended=at)
    at = T0 + 130
    assert not budget.fits(ADD, at, 20)
    assert budget.free_at(ADD, at, 20) == T0 + 600
    assert budget.fits(ADD, T0 + 600, 20)
    assert budget.resets_at(ADD, at) == T0 + 600


def test_seconds_of_unknown_age_are_found_out_by_one_probe_after_the_reset() -> None:
    budget = budget_of()
    budget.observe(ADD, [told(440.0, T0 + 120, 0.3)], batched=True, began=T0, ended=T0)
    assert not budget.fits(ADD, T0 + 1, 0.3)
    assert not budget.may_probe(ADD, T0 + 1, 0.3)
    assert budget.free_at(ADD, T0 + 1, 0.3) == T0 + 120
    assert budget.may_probe(ADD, T0 + 121, 0.3)
    budget.reserve({ADD: 0.3})
    assert not budget.may_probe(ADD, T0 + 121, 0.3)
    budget.release({ADD: 0.3})
    budget.observe(ADD, [told(50.0, T0 + 400, 0.3)], batched=True, began=T0 + 121, ended=T0 + 122)
    assert budget.fits(ADD, T0 + 122, 100)


def test_a_429_below_the_limit_teaches_a_lower_limit_and_a_day_forgets_it() -> None:
    budget = budget_of()
    budget.observe(ADD, [told(421.0, T0 + 600, 1.0)], batched=True, began=T0, ended=T0 + 1)
    budget.blocked(ADD, batched=True, at=T0 + 2)
    assert 400 < budget.hard_s(T0 + 2) < 421
    assert not budget.fits(UPDATE, T0 + 2, 400)
    assert budget.hard_s(T0 + 86_402) == 480
    assert not budget.fits(ADD, T0 + 3, 0.1)
    assert not budget.may_probe(ADD, T0 + 3, 0.1)
    assert budget.may_probe(ADD, T0 + 601, 0.1)


def test_a_429_far_below_the_limit_is_a_neighbours_doing() -> None:
    budget = budget_of()
    budget.observe(ADD, [told(30.0, T0 + 600, 1.0)], batched=True, began=T0, ended=T0 + 1)
    budget.blocked(ADD, batched=True, at=T0 + 2)
    assert budget.hard_s(T0 + 2) == 480
    assert not budget.fits(ADD, T0 + 3, 0.1)
    assert budget.free_at(ADD, T0 + 3, 0.1) == T0 + 600


def test_a_lesson_never_goes_below_what_was_seen_to_work() -> None:
    budget = budget_of()
    budget.observe(ADD, [told(440.0, T0 + 600), told(455.0, T0 + 600)], batched=True, began=T0, ended=T0 + 1)
    budget.observe(UPDATE, [told(300.0, T0 + 600)], batched=True, began=T0, ended=T0 + 1)
    budget.blocked(UPDATE, batched=True, at=T0 + 2)
    assert budget.hard_s(T0 + 2) >= 440


def test_refused_probes_come_ever_more_slowly() -> None:
    budget, at, waits = budget_of(), T0, []
    budget.blocked(ADD, batched=True, at=at)
    for _ in range(6):
        free_at = budget.free_at(ADD, at, 0.3)
        assert not budget.may_probe(ADD, free_at - 1, 0.3)
        assert budget.may_probe(ADD, free_at, 0.3)
        waits.append(free_at - at)
        at = free_at
        budget.blocked(ADD, batched=True, at=at)
    assert waits == sorted(waits)
    assert waits[:3] == [60, 120, 240]
    assert waits[-1] == 600


def test_a_self_hosted_portal_that_refuses_all_the_same_is_obeyed() -> None:
    budget = OperatingBudget(limit_s=math.inf, share=0.9)
    budget.observe(ADD, [told(None, seconds=500.0)], batched=True, began=T0, ended=T0 + 1)
    assert budget.fits(ADD, T0 + 2, 1e6)
    budget.blocked(ADD, batched=True, at=T0 + 2)
    assert not budget.fits(ADD, T0 + 3, 0.1)
    assert budget.free_at(ADD, T0 + 3, 0.1) <= T0 + 662
    json.dumps(budget.dump(), allow_nan=False)


def test_an_unanswered_request_counts_as_if_it_had_run() -> None:
    budget = budget_of()
    budget.assume({ADD: 20.0}, batched=True, at=T0)
    assert budget.used(ADD, T0 + 5) == 20
    budget.observe(ADD, [told(3.0, T0 + 600)], batched=True, began=T0 + 100, ended=T0 + 101)
    assert budget.used(ADD, T0 + 101) == pytest.approx(3.0)


@pytest.mark.parametrize("reset", [None, -1.0, 0.0, T0 - 9000, T0 + 1e9, math.inf])
def test_a_reset_time_that_cannot_be_is_not_waited_for(reset: float | None) -> None:
    budget = budget_of()
    budget.observe(ADD, [told(470.0, reset)], batched=True, began=T0, ended=T0)
    assert T0 < budget.free_at(ADD, T0, 0.3) <= T0 + 660
    assert T0 < (budget.resets_at(ADD, T0) or 0) <= T0 + 660


CALLS = st.lists(
    st.tuples(st.none() | st.floats(0, 1e4), st.none() | st.floats(0, 4e9), st.floats(0, 60)), min_size=1, max_size=5
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(CALLS, st.booleans(), st.floats(0, 90), st.booleans()), max_size=12))
def test_whatever_counters_say_waiting_always_ends_within_eleven_minutes(
    story: list[tuple[list[tuple[float | None, float | None, float]], bool, float, bool]],
) -> None:
    budget, at = budget_of(), T0
    for calls, batched, pause, blocked in story:
        values = [Call(used_s=used, reset_at=reset, seconds=s) for used, reset, s in calls]
        budget.observe(ADD, values, batched=batched, began=at, ended=at + 1)
        if blocked:
            budget.blocked(ADD, batched=batched, at=at + 1)
        at += pause
    deadline = at + 11 * 60
    for _ in range(40):
        if budget.fits(ADD, at, 0.3) or budget.may_probe(ADD, at, 0.3):
            break
        later = budget.free_at(ADD, at, 0.3)
        assert later > at
        at = later
    assert at <= deadline
    restored = budget_of()
    restored.load(json.loads(json.dumps(budget.dump())))
    assert restored.used(ADD, at) == pytest.approx(budget.used(ADD, at), abs=0.1)
    assert restored.hard_s(at) == pytest.approx(budget.hard_s(at))


def test_a_counter_falls_minute_by_minute() -> None:
    counter = Counter()
    for minute in range(3):
        counter.add(T0 + 60 * minute, 10.0)
    assert [counter.used(T0 + 60 * m) for m in (2, 9, 10, 11, 12)] == [30, 30, 20, 10, 0]


def test_one_slow_command_does_not_shrink_the_batches_of_others_for_ever() -> None:
    costs = CostModel()
    for _ in range(64):
        costs.learn(ADD, 0.2)
    costs.learn(ADD, 50.0)
    assert costs.expected(ADD) == pytest.approx(0.2)
    assert costs.expected(UPDATE) < 1


def test_before_anything_is_measured_a_batch_is_planned_on_the_dear_side_and_a_forecast_in_the_middle() -> None:
    costs = CostModel()
    assert 0.1 <= costs.mean(ADD) <= 0.3 < costs.expected(ADD)
    costs.learn(ADD, 0.7)
    assert costs.mean(ADD) == costs.expected(ADD) == pytest.approx(0.7)


def test_a_heavy_tail_costs_its_mean() -> None:
    costs = CostModel()
    for number in range(64):
        costs.learn(ADD, 5.0 if number % 8 == 0 else 0.1)
    assert costs.expected(ADD) > 0.4


def test_batches_start_small_and_grow_with_what_is_known() -> None:
    costs = CostModel()
    assert costs.most(ADD) == 10
    for _ in range(10):
        costs.learn(ADD, 0.1)
    assert costs.most(ADD) == 40


def test_whole_second_stamps_are_not_trusted() -> None:
    exact = CallTime(start=5.25, finish=5.75)
    blunt = CallTime(start=5.0, finish=6.0, duration=1.0)
    assert measured([exact, blunt, None], 1.1) == pytest.approx((0.5, 0.3, 0.3))
    assert measured([blunt], 0.2) == (0.2,)


def test_a_duration_made_of_a_whole_second_start_is_not_trusted_and_the_ends_tell() -> None:
    ends = (5.83, 5.91, 5.99, 6.07)
    times = [CallTime(start=float(int(end - 0.08)), finish=end, duration=end - int(end - 0.08)) for end in ends]
    assert measured(times, 0.34) == pytest.approx((0.1, 0.08, 0.08, 0.08))
    assert measured([times[0], None, times[3]], 0.34) == pytest.approx((0.1, 0.12, 0.12))
    exact = CallTime(start=5.9, finish=5.95)
    assert measured([times[0], exact, times[2]], 0.2) == pytest.approx((0.11, 0.05, 0.04))
    assert measured(times[:1], 3.0) == pytest.approx((0.83,))


def test_the_portals_clock_never_runs_ahead() -> None:
    clock = ServerClock(guess=T0)
    assert clock.at(10) == T0 + 10
    clock.learn(CallTime(start=T0 + 5000.0, finish=T0 + 5000.4), 11.0)
    clock.learn(CallTime(start=T0 + 5010.0, finish=T0 + 5010.4), 24.0)
    assert clock.at(11.0) == pytest.approx(T0 + 5000.4)
    clock.learn(CallTime(date_start="2026-01-01T00:00:00-03:30"), 25.0)
    assert clock.utc_offset_s == -12_600
    clock.learn(CallTime(date_start="yesterday"), 26.0)
    assert clock.utc_offset_s == -12_600


def answers(lanes: LaneControl, count: int, slowdown: Callable[[int], float]) -> list[int]:
    """Answer requests one after the other, each slowed down as `slowdown` of the lanes in use; return the lanes."""
    seen = []
    for _ in range(count):
        lanes.answered(slowdown(lanes.allowed))
        seen.append(lanes.allowed)
    return seen


def test_it_begins_with_six_lanes_and_the_first_answer_opens_the_others() -> None:
    assert LaneControl(3).allowed == 3
    lanes = LaneControl(8)
    assert lanes.allowed == 6
    lanes.answered(None)
    assert lanes.allowed == 8


def test_a_push_that_is_short_on_every_lane_begins_with_all_of_them() -> None:
    for left_s, allowed in ((32.0, 8), (32.1, 6)):
        lanes = LaneControl(8)
        lanes.begin(left_s)
        assert lanes.allowed == allowed
    three = LaneControl(3)
    three.begin(1.0)
    assert three.allowed == 3


def test_a_short_push_opens_no_lane_that_trouble_closed() -> None:
    for trouble in (LaneControl.refused, LaneControl.failed):
        lanes = LaneControl(8)
        trouble(lanes)
        lanes.begin(1.0)
        assert lanes.allowed == 1
    slow = LaneControl(8)
    answers(slow, 12, lambda used: max(1.0, used / 2))
    assert (fewer := slow.allowed) < 8
    slow.begin(1.0)
    assert slow.allowed == fewer


def test_lanes_shrink_while_they_slow_the_portal_down_and_grow_when_they_do_not() -> None:
    lanes = LaneControl(8)
    seen = answers(lanes, 200, lambda used: max(1.0, used / 3))
    assert max(seen[20:]) <= 6
    assert sum(seen[20:]) / 180 <= 4.5
    answers(lanes, 400, lambda used: 1.0)
    assert lanes.allowed == 8


def test_a_portal_that_is_slow_by_itself_keeps_its_lanes() -> None:
    lanes = LaneControl(8)
    answers(lanes, 10, lambda used: 1.0)
    seen = answers(lanes, 40, lambda used: 2.0)
    assert seen.count(8) >= 36
    assert min(seen) == 6
    assert seen[-1] == 8
    # It becomes quick again, and then slow because of the lanes: that is told from before.
    answers(lanes, 40, lambda used: 1.0)
    assert min(answers(lanes, 40, lambda used: max(1.0, used / 3))) <= 4


def test_requests_sent_before_a_trial_do_not_decide_it() -> None:
    lanes = LaneControl(8)
    answers(lanes, 10, lambda used: 1.0)
    lanes.in_flight = 7
    seen = answers(lanes, 12, lambda used: 2.0)
    assert seen.count(6) == 7 + 2
    assert seen[-1] == 8


def test_a_refusal_leaves_one_lane_until_it_has_worked_for_a_while() -> None:
    lanes = LaneControl(3)
    lanes.refused()
    assert lanes.allowed == 1
    for _ in range(20):
        lanes.answered(None)
    assert lanes.allowed == 1
    for _ in range(40):
        lanes.answered(None)
    assert lanes.allowed == 3


def test_after_trouble_lanes_open_one_by_one() -> None:
    lanes = LaneControl(5)
    lanes.failed()
    seen = {lanes.allowed}
    for _ in range(20):
        lanes.answered(None)
        seen.add(lanes.allowed)
    assert seen == {1, 2, 3, 4, 5}


def test_an_envelope_counter_is_obeyed_should_a_portal_ever_keep_one() -> None:
    pace = pace_of()
    time = CallTime(start=T0, finish=T0 + 1.5, operating=475.0, operating_reset_at=T0 + 600)
    done = Executed(method=ADD, reply=Done(result=1, time=CallTime(operating=1.0)))
    pace.sent({ADD: 1.0})
    pace.answered([done], time=time, batched=True, sent_at=0, now=1.6, alone=True, costs={ADD: 1.0})
    assert ENVELOPE in pace.operating.accounts
    assert not pace.envelope_fits(2, 1.0)
    assert pace.envelope_free_at(2) > 500


@pytest.mark.parametrize("state", [{}, {"operating": 1}, {"operating": {}, "costs": {}, "alone": {}, "skew_s": 0}])
def test_a_state_that_is_none_is_told_apart(state: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        pace_of().load(state, wall_offset_s=0.0)


@pytest.mark.parametrize("junk", [5, "x", [], {"version": 2}, {"version": 1, "pace": {}, "gate": []}])
def test_a_portal_starts_without_a_state_it_cannot_read(junk: Any) -> None:
    async def main() -> None:
        world, ledger = FakePortal(), Ledger()
        portal = portal_of(world, state=junk)
        assert (await portal.push(jobs_of(ADD, 3), ledger, asyncio.Event())).done == 3

    run_virtual(main())


@pytest.mark.parametrize(
    "counts",
    [{ADD: 3}, {ADD: 300}, {ADD: 1500}, {ADD: 5000}, {ADD: 2500, UPDATE: 2500, DELETE: 500}, {UPDATE: 1400, ADD: 1400}],
)
def test_a_forecast_is_near_what_then_happens(counts: dict[str, int]) -> None:
    async def main() -> None:
        world, ledger = FakePortal(costs=lambda m: 0.3), Ledger()
        portal = portal_of(world)
        await portal.push(
            [j for n, m in enumerate((ADD, UPDATE, DELETE)) for j in jobs_of(m, 20, 10**6 + 100 * n)],
            ledger,
            asyncio.Event(),
        )
        await asyncio.sleep(1200)
        told = portal.forecast(counts)
        began = asyncio.get_running_loop().time()
        jobs = [j for n, (m, count) in enumerate(counts.items()) for j in jobs_of(m, count, 10_000 * n)]
        summary = await portal.push(jobs, ledger, asyncio.Event())
        took = asyncio.get_running_loop().time() - began
        assert told.commands == sum(counts.values())
        assert told.seconds == pytest.approx(took, rel=0.3, abs=20)
        assert told.requests == pytest.approx(summary.requests, rel=0.25, abs=3)
        assert told.operating_s[ADD] == pytest.approx(0.3 * counts[ADD], rel=0.1)

    run_virtual(main())


def test_a_forecast_of_nothing_is_nothing_and_one_of_millions_comes_quickly() -> None:
    pace = pace_of()
    assert forecast(pace, {}, 0.0).seconds == 0
    assert forecast(pace, {ADD: 0}, 0.0).requests == 0
    huge = forecast(pace, {ADD: 50_000_000}, 0.0)
    assert huge.seconds > 50_000_000 * pace.costs.mean(ADD) / 432 * 500
    assert huge.requests >= 1_000_000


def test_a_forecast_knows_what_is_already_used() -> None:
    pace = pace_of()
    fresh = forecast(pace, {ADD: 300}, 0.0).seconds
    pace.operating.observe(ADD, [told(430.0, EPOCH + 600)], batched=True, began=T0, ended=T0)
    assert forecast(pace, {ADD: 300}, 0.0).seconds > fresh + 400
