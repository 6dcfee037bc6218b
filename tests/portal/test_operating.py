"""The operating budget against the limiter's own records, and what it makes of odd counters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from syncd.portal.limits.operating import COUNTED_FROM_S, Call, OperatingBudget

VECTORS = Path(__file__).parent.parent / "vectors" / "operating.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text())["cases"]
ADD = "calendar.event.add"


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
