"""The operating budget against the limiter's own records, and what it makes of odd counters."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from syncd.portal.limits.minutes import COUNTED_FROM_S, Call
from syncd.portal.limits.operating import OperatingBudget

VECTORS = Path(__file__).parent.parent / "vectors" / "operating.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text())["cases"]
ADD = "calendar.event.add"
UPDATE = "calendar.event.update"
T0 = 1_800_000_000.0


def paired_seconds(spans: Sequence[tuple[float, float | None]]) -> tuple[float, ...]:
    """Return the durations the portal books for one method's calls of one request, given as (start, finish).

    A call that threw has no finish. The portal pairs starts and finishes by position, so that after a failure the
    successes look longer (PORTAL.md 3.2).
    """
    finishes = [finish for _, finish in spans if finish is not None]
    return tuple(finish - start for (start, _), finish in zip(spans, finishes, strict=False))


def counted_now(durations: Sequence[float]) -> float:
    """Return what counts against later calls of the same request; shorter calls are counted at its end."""
    return sum(seconds for seconds in durations if seconds > COUNTED_FROM_S)


class Measured:
    """One request as we would measure it: stamps of its calls by method, in order."""

    def __init__(self, at: float) -> None:
        self.now = at
        self.spans: dict[str, list[tuple[float, float | None]]] = {}

    def counted(self, method: str) -> float:
        return counted_now(paired_seconds(self.spans.get(method, [])))

    def run(self, method: str, seconds: float, *, ok: bool) -> None:
        start, self.now = self.now, self.now + seconds
        self.spans.setdefault(method, []).append((start, self.now if ok else None))


@pytest.mark.parametrize("case", range(len(CASES)))
def test_own_measurement_repeats_the_limiter_to_the_millisecond(case: int) -> None:
    limit = CASES[case]["limit"]
    budget = OperatingBudget(limit_s=limit, share=1.0)
    for request in CASES[case]["requests"]:
        at, measured = request["at"], Measured(request["at"])
        for command, answer in zip(request["cmds"], request["answers"], strict=True):
            method = command["m"]
            blocked = budget.used(method, at) + measured.counted(method) > budget.hard_s(at)
            assert blocked == ("blocked" in answer)
            if blocked:
                continue
            measured.run(method, command["d"], ok=command["ok"])
            if "operating" in answer:
                used = budget.used(method, at) + measured.counted(method)
                assert used == pytest.approx(answer["operating"], abs=0.005)
        for method, spans in measured.spans.items():
            calls = [Call(used_s=None, reset_at=None, seconds=s) for s in paired_seconds(spans)]
            budget.observe(method, calls, batched=True, began=at, ended=measured.now)


def replay_counters(case: dict[str, Any], wrong: dict[str, int]) -> None:
    """Feed only what answers tell; count where our verdict differs from the limiter's."""
    budget = OperatingBudget(limit_s=case["limit"], share=1.0)
    for request in case["requests"]:
        at, measured = request["at"], Measured(request["at"])
        told: dict[str, list[Call]] = {}
        ceiling: dict[str, float] = {}
        for command, answer in zip(request["cmds"], request["answers"], strict=True):
            method = command["m"]
            latest = told[method][-1].used_s if told.get(method) else None
            used = budget.used(method, at) if latest is None else latest
            verdict = used > case["limit"]
            blocked = "blocked" in answer
            wrong["total"] += 1
            wrong["missed"] += blocked and not verdict
            wrong["needless"] += verdict and not blocked
            if not blocked:
                measured.run(method, command["d"], ok=command["ok"])
                ceiling[method] = used + command["d"]
            if "operating" in answer:
                call = Call(used_s=answer["operating"], reset_at=answer["reset"], seconds=command["d"])
                told.setdefault(method, []).append(call)
        for method, calls in told.items():
            budget.observe(method, calls, batched=True, began=at, ended=measured.now)


def test_absolute_counters_alone_foresee_every_block_but_those_after_calls_that_threw() -> None:
    wrong = {"total": 0, "missed": 0, "needless": 0}
    for case in CASES:
        replay_counters(case, wrong)
    assert wrong["total"] > 2500
    print(wrong)
    assert wrong["missed"] <= 5
    assert wrong["needless"] <= 60


def own_request(used: float, reset_at: float | None, seconds: float) -> list[Call]:
    """One command whose counter is explained by its own seconds, so that none of them is of unknown age."""
    return [Call(used_s=used, reset_at=reset_at, seconds=seconds)]


def test_seconds_stay_in_the_forecast_for_ten_minutes_and_no_longer() -> None:
    budget = OperatingBudget(limit_s=480, share=0.9)
    budget.observe(ADD, own_request(50, None, 50), batched=True, began=T0, ended=T0 + 50)
    assert budget.drops(ADD, T0 + 9 * 60 + 59) == {T0 // 60: 50}
    assert budget.drops(ADD, T0 + 10 * 60) == {}


def test_a_reset_that_has_passed_gives_way_to_our_own_minutes() -> None:
    budget = OperatingBudget(limit_s=480, share=0.9)
    budget.observe(ADD, own_request(50, T0 + 60, 50), batched=True, began=T0, ended=T0 + 50)
    assert budget.resets_at(ADD, T0 + 59) == T0 + 60
    assert budget.resets_at(ADD, T0 + 60) == T0 + 600


def test_the_later_reset_of_batched_and_single_calls_counts_though_our_minutes_end_later_still() -> None:
    budget = OperatingBudget(limit_s=480, share=0.9)
    budget.observe(ADD, own_request(50, T0 + 120, 50), batched=True, began=T0, ended=T0 + 50)
    budget.observe(ADD, own_request(50, T0 + 300, 50), batched=False, began=T0, ended=T0 + 50)
    assert budget.resets_at(ADD, T0 + 60) == T0 + 300


def test_seconds_of_an_unanswered_request_are_probed_for_once_the_portal_has_dropped_some() -> None:
    budget = OperatingBudget(limit_s=480, share=0.9)
    budget.observe(ADD, own_request(50, T0 + 120, 50), batched=True, began=T0, ended=T0 + 50)
    budget.assume({ADD: 390.0}, batched=True, at=T0 + 51)
    assert not budget.fits(ADD, T0 + 60, 0.3)
    assert not budget.may_probe(ADD, T0 + 119, 0.3)
    assert budget.free_at(ADD, T0 + 60, 0.3) == T0 + 120
    assert budget.may_probe(ADD, T0 + 120, 0.3)


@pytest.mark.parametrize("limit", [8.0, 480.0])
def test_after_a_429_at_the_limit_the_reset_that_was_told_ends_the_wait(limit: float) -> None:
    budget = OperatingBudget(limit_s=limit, share=1.0)
    reached = Call(used_s=limit, reset_at=T0 + 600, seconds=limit)
    budget.observe(UPDATE, [reached, reached], batched=True, began=T0, ended=T0)  # so no lower limit is learned
    budget.observe(ADD, own_request(limit, T0 + 300, limit), batched=True, began=T0, ended=T0)
    budget.blocked(ADD, batched=True, at=T0 + 2)
    assert budget.hard_s(T0 + 2) == limit
    assert budget.free_at(ADD, T0 + 3, 0.3) == T0 + 300


def test_after_a_429_above_the_limit_known_minutes_end_the_wait() -> None:
    budget = OperatingBudget(limit_s=480, share=1.0)
    for minute, (used, seconds) in enumerate([(200, 200), (400, 200), (490, 90)]):
        at = T0 + 60 * minute
        budget.observe(ADD, own_request(used, T0 + 590, seconds), batched=True, began=at, ended=at)
    budget.blocked(ADD, batched=True, at=T0 + 130)
    assert budget.free_at(ADD, T0 + 131, 0.3) == T0 + 600


def test_without_a_limit_a_429_is_waited_out_until_the_reset() -> None:
    budget = OperatingBudget(limit_s=math.inf, share=0.9)
    budget.observe(ADD, own_request(500, T0 + 600, 500), batched=True, began=T0, ended=T0)
    budget.blocked(ADD, batched=True, at=T0 + 2)
    assert budget.free_at(ADD, T0 + 3, 0.3) == T0 + 600


def test_a_learned_limit_survives_a_restart_and_one_that_is_text_is_ignored() -> None:
    budget = OperatingBudget(limit_s=480, share=0.9)
    budget.observe(ADD, own_request(421, T0 + 600, 421), batched=True, began=T0, ended=T0 + 1)
    budget.blocked(ADD, batched=True, at=T0 + 2)
    saved = json.loads(json.dumps(budget.dump()))
    restored, without = OperatingBudget(limit_s=480, share=0.9), OperatingBudget(limit_s=480, share=0.9)
    restored.load(saved)
    assert restored.hard_s(T0 + 2) == pytest.approx(0.98 * 421)
    without.load({**saved, "learned": "41"})
    assert without.hard_s(T0 + 2) == 480
    fresh = OperatingBudget(limit_s=480, share=0.9)
    fresh.load(json.loads(json.dumps(OperatingBudget(limit_s=480, share=0.9).dump())))
    assert fresh.hard_s(T0) == 480
