"""The pace benchmark in small: its bounds by hand, syncd against the targets, and the naive ways told apart."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from syncd.portal.limits.pace import Limits
from tests.bench.pace import HEADER, line, run_naive, run_syncd
from tests.bench.pace_bound import Allowed, least_s
from tests.bench.pace_naive import FixedBatches, SummedWindow, WaitAt95
from tests.bench.pace_scenarios import ADD, UPDATE, Scenario, scenarios
from tests.bench.pace_world import steady

ALLOWED = Allowed(operating_s=480.0, burst=50, rate=2.0, lanes=3, round_trip_s=0.0)


def bound(count: int, seconds: float, allowed: Allowed = ALLOWED, began: float = 0.0) -> float:
    return least_s({ADD: count}, allowed, began=began, cheapest=lambda method, opens, closes: seconds)


def test_the_bound_is_the_worst_of_rate_lanes_and_operating_time() -> None:
    assert bound(10_000, 0.0001) == pytest.approx((200 - 50) / 2)
    assert bound(1_000, 0.3) == pytest.approx(100)
    # 1,500 s: three whole budgets of 480 s, and 60 s of the fourth on three lanes.
    assert bound(1_000, 1.5) == pytest.approx(3 * 600 + 20)
    # Who begins 20 s into a minute gets the first budget back 20 s sooner.
    assert bound(1_000, 1.5, began=20.0) == pytest.approx(3 * 600 - 20 + 20)
    assert bound(1_000, 1.5, replace(ALLOWED, operating_s=math.inf)) == pytest.approx(500)


def test_methods_have_budgets_of_their_own_in_the_bound() -> None:
    both = least_s({ADD: 1_000, UPDATE: 1_000}, ALLOWED, began=0.0, cheapest=lambda method, opens, closes: 1.5)
    assert both == pytest.approx(bound(1_000, 1.5))


@pytest.mark.parametrize(
    "name",
    [
        "1,000 creates, 0.05 s each",
        "1,000 creates, 0.3 s each",
        "1,000 creates, 1.5 s each",
        "small push: 40 creates, 0.3 s each, 8 lanes",
        "small push: 1,000 creates, 0.05 s each, 8 lanes",
    ],
)
def test_small_migrations_reach_the_target_without_a_refusal(name: str) -> None:
    scenario = next(one for one in scenarios() if one.name == name)
    row = run_syncd(scenario)
    assert (row.refused_rate, row.blocked, row.cuts, row.missing, row.twice) == (0, 0, 0, 0, 0)
    assert 1.0 <= row.ratio <= scenario.target


@pytest.mark.parametrize(
    ("change", "lessons"),
    [({"neighbour": True}, 0), ({"limit_s": 420.0}, 1), ({"counters": False}, 0), ({"limited": False}, 0)],
)
def test_disturbed_migrations_reach_theirs_and_learn_at_most_once(change: dict[str, object], lessons: int) -> None:
    calm = Scenario(name="small", counts={ADD: 5_000}, cost=steady(0.4), target=1.15)
    row = run_syncd(replace(calm, **change))  # type: ignore[arg-type] # the fields of a scenario
    assert row.lessons <= lessons
    assert (row.refused_rate, row.cuts, row.missing, row.twice) == (0, 0, 0, 0)
    assert row.ratio <= calm.target


@pytest.mark.parametrize("warm_up_s", [0.0, 120.0, 600.0])
def test_a_neighbour_that_needs_a_third_gets_it_whenever_it_came(warm_up_s: float) -> None:
    # 1,500 s of work: a little less than five whole windows, whose edges would hide the rest.
    calm = Scenario(name="beside others", counts={ADD: 3_750}, cost=steady(0.4), neighbour=True, warm_up_s=warm_up_s)
    row = run_syncd(calm)
    assert row.neighbour is not None
    assert row.neighbour < 0.02
    assert row.blocked == row.refused_rate == 0
    assert row.ratio <= 1.05


def test_the_naive_ways_are_slower_or_refused_or_make_duplicates() -> None:
    slow = Scenario(name="slow commands", counts={ADD: 500}, cost=steady(1.5))
    fixed = run_naive(slow, FixedBatches())
    assert fixed.cuts > 0
    assert fixed.twice > 0
    quick = Scenario(name="quick commands", counts={ADD: 4_000}, cost=steady(0.3))
    assert run_naive(quick, WaitAt95()).seconds > 1.1 * run_syncd(quick).seconds
    assert run_naive(quick, SummedWindow()).seconds > 2 * run_syncd(quick).seconds
    assert run_naive(quick, FixedBatches()).blocked > 0


def test_a_missed_target_is_marked_in_the_table() -> None:
    scenario = Scenario(name="idle", counts={ADD: 20}, cost=steady(0.1), limits=Limits(lanes=3), target=0.5)
    row = line(scenario, run_syncd(scenario))
    assert "!" in row
    assert row.count("|") == HEADER.splitlines()[0].count("|")
