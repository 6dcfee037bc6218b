"""The portal's counters count as recorded from the portal's own limiter (tests/vectors/operating.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.sandbox.limits import OperatingLimiter, RequestBucket

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "operating.json").read_text("utf-8"))


def replay(limiter: OperatingLimiter, request: dict[str, Any]) -> list[dict[str, Any]]:
    session, now, answers = limiter.begin(request["at"]), request["at"], list[dict[str, Any]]()
    for command in request["cmds"]:
        if session.blocked(command["m"]):
            answers.append({"blocked": True})
            continue
        used, reset_at = session.finished(command["m"], now, command["d"], command["ok"])
        now += command["d"]
        answers.append({"operating": used, "reset": reset_at} if command["ok"] else {"threw": True})
    session.end()
    return answers


@pytest.mark.parametrize("number", range(40))
def test_operating_time_counts_as_the_portal_counts_it(number: int) -> None:
    case = VECTORS["cases"][number]
    limiter = OperatingLimiter(limit_s=case["limit"])
    for request in case["requests"]:
        assert replay(limiter, request) == request["answers"]


def test_the_vectors_show_blocks_and_throws() -> None:
    answers = [answer for case in VECTORS["cases"] for request in case["requests"] for answer in request["answers"]]
    assert len(VECTORS["cases"]) == 40
    assert any("blocked" in answer for answer in answers)
    assert any("threw" in answer for answer in answers)


def test_many_cheap_calls_count_only_when_their_request_ends() -> None:
    limiter = OperatingLimiter(limit_s=1)
    request = limiter.begin(6000.0)
    for number in range(50):
        assert request.finished("add", 6000.0 + number * 0.05, 0.05, True) == (0.0, 6600)
    assert limiter.used("add", 6000.0) == 0.0
    request.end()
    request.end()
    assert limiter.used("add", 6010.0) == 2.5
    assert limiter.begin(6010.0).blocked("add")
    assert not limiter.begin(6010.0).blocked("update")


def test_a_bucket_goes_at_the_turn_of_the_tenth_minute() -> None:
    limiter = OperatingLimiter(limit_s=1)
    request = limiter.begin(6059.0)
    request.finished("add", 6059.0, 5.0, True)
    request.end()
    assert limiter.used("add", 6599.9) == 5.0
    assert limiter.used("add", 6600.0) == 0.0
    assert limiter.gauges(6599.9) == (("add", 5.0, 6659),)
    assert limiter.gauges(6600.0) == ()


def test_a_call_that_threw_makes_the_next_one_look_longer() -> None:
    request = OperatingLimiter(limit_s=100).begin(6000.0)
    request.finished("add", 6000.0, 2.0, False)
    assert request.finished("add", 6002.0, 1.0, True) == (3.0, 6600)


def test_an_inactive_limiter_never_blocks_and_counts_nothing() -> None:
    limiter = OperatingLimiter(limit_s=0, active=False)
    request = limiter.begin(0.0)
    assert request.finished("add", 0.0, 999.0, True) == (0.0, 600)
    assert not request.blocked("add")
    request.end()
    assert limiter.gauges(1.0) == ()


def test_the_bucket_lets_a_burst_through_and_then_its_leak() -> None:
    bucket = RequestBucket(capacity=50, leak=2)
    assert [bucket.take(100.5) for _ in range(51)] == [True] * 50 + [False]
    assert not bucket.take(101.4)
    assert [bucket.take(101.5) for _ in range(3)] == [True, True, False]
    assert [bucket.take(1000.0) for _ in range(51)] == [True] * 50 + [False]


def test_refused_requests_count_only_if_the_setting_says_so() -> None:
    bucket = RequestBucket(capacity=1, leak=1, count_refused=True)
    assert [bucket.take(0.0), bucket.take(0.0), bucket.take(1.0), bucket.take(3.0)] == [True, False, False, True]


def test_an_inactive_bucket_refuses_nothing() -> None:
    bucket = RequestBucket(capacity=1, leak=1, active=False)
    assert all(bucket.take(0.0) for _ in range(10))
    assert bucket.level == 0


def test_a_clock_set_back_neither_drains_nor_breaks_the_bucket() -> None:
    bucket = RequestBucket(capacity=2, leak=1)
    assert [bucket.take(10.0), bucket.take(5.0), bucket.take(6.0)] == [True, True, False]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 3, allow_nan=False), max_size=200), st.integers(1, 20), st.integers(1, 5))
def test_never_more_than_burst_and_leak_pass(gaps: list[float], capacity: int, leak: int) -> None:
    bucket, now, passed = RequestBucket(capacity=capacity, leak=leak), 0.0, 0
    for gap in gaps:
        now += gap
        passed += bucket.take(now)
        assert passed <= capacity + leak * now
