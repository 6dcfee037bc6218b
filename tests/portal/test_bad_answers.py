"""Nonsense from the portal: counters, stamps and refusals that cannot be believed cost time at most, never a job."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any, cast

import pytest
import structlog

from syncd.errors import PortalUnreachableError
from syncd.portal.client import Job, Portal, PushSummary
from syncd.portal.limits.pace import Limits
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import Webhook
from syncd.portal.line.wire import Command, Refused
from syncd.sandbox.limits import OperatingLimiter
from tests.bench.pace_scenarios import ADD, UPDATE
from tests.bench.pace_world import LightPortal, steady
from tests.portal.fake import Ledger
from tests.support.simclock import VirtualClock, run_virtual

Spoil = Callable[[dict[str, Any]], None]


class SpoiledPortal(LightPortal):
    """The sandbox's limiter behind answers whose `time` objects are spoiled."""

    def __init__(self, spoil: Spoil, **more: Any) -> None:
        super().__init__(cost=steady(more.pop("cost_s", 0.4)), **more)
        self.spoil = spoil

    def stamps(self, began: float, ended: float, told: tuple[float, int]) -> dict[str, Any]:
        stamps = super().stamps(began, ended, told)
        self.spoil(stamps)
        return stamps


def portal_of(light: LightPortal, limits: Limits | None = None) -> Portal:
    return Portal(
        name="main",
        credential=Webhook(address="https://demo.bitrix24.com/rest/1/topsecretcode/"),
        limits=limits or Limits(),
        clock=VirtualClock(),
        random=random.Random(3).random,
        transport=light,
    )


def jobs_of(method: str, count: int, first: int = 0) -> list[Job]:
    return [
        Job(id=n, command=Command(method=method, params={"uid": str(n)}), repeatable=method != ADD)
        for n in range(first, first + count)
    ]


def push(light: Callable[[], LightPortal], count: int) -> tuple[PushSummary, LightPortal, Ledger]:
    async def main() -> tuple[PushSummary, LightPortal, Ledger]:
        world, ledger = light(), Ledger()
        return await portal_of(world).push(jobs_of(ADD, count), ledger, asyncio.Event()), world, ledger

    return run_virtual(main())


def without(*names: str) -> Spoil:
    def spoil(stamps: dict[str, Any]) -> None:
        for name in names:
            stamps.pop(name, None)

    return spoil


def always(**values: Any) -> Spoil:
    return lambda stamps: stamps.update(values)


def as_text(stamps: dict[str, Any]) -> None:
    stamps.update({name: str(value) for name, value in stamps.items()})


def as_whole_numbers(stamps: dict[str, Any]) -> None:
    stamps.update({name: int(value) for name, value in stamps.items() if name != "operating"})


def shifted(hours: float) -> Spoil:
    names = ("start", "finish", "operating_reset_at")
    return lambda stamps: stamps.update({name: stamps[name] + hours * 3600 for name in names})


NONSENSE: dict[str, Spoil] = {
    "no counters": without("operating", "operating_reset_at"),
    "no reset": without("operating_reset_at"),
    "no stamps": without("start", "finish", "duration"),
    "nothing at all": dict.clear,
    "null": always(operating=None, operating_reset_at=None, start=None, finish=None, duration=None),
    "negative": always(operating=-5, operating_reset_at=-1),
    "words": always(operating="much", operating_reset_at="soon"),
    "numbers as text": as_text,
    "whole numbers": as_whole_numbers,
    "true": always(operating=True, operating_reset_at=False),
    "lists": always(operating=[1], operating_reset_at={"at": 5}, start=[], finish={}),
    "reset in the past": always(operating_reset_at=1_700_000_000),
    "reset in a year": always(operating_reset_at=1_820_000_000),
    "hours ahead": shifted(5),
    "hours behind": shifted(-7.5),
    "counter stands still": always(operating=3.0),
    "huge": always(operating=1e308, operating_reset_at=1e308, start=1e308, finish=1e308, duration=1e308),
    "huge counters": always(operating=1e308, operating_reset_at=10**30),
    "all negative": always(operating=-1e9, operating_reset_at=-1, start=-1, finish=-1, duration=-1),
    "a finish before the start": always(start=1_790_000_500.5, finish=1_790_000_400.5),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_whatever_the_counters_say_every_job_is_done_once_and_waits_end(name: str) -> None:
    summary, world, ledger = push(lambda: SpoiledPortal(NONSENSE[name]), 2_500)
    assert summary.done == len(ledger.ids()) == 2_500
    assert set(world.uids.values()) == {1}
    assert (world.rate_refusals, world.cuts) == (0, 0)
    # 1,000 s of work under 432 s per ten minutes: two whole waits, and one more where nothing can be believed.
    assert summary.seconds < 3 * 600 + 400
    assert len(world.blocked) <= 6, world.blocked


@pytest.mark.parametrize(
    "name", ["no counters", "null", "negative", "words", "lists", "numbers as text", "whole numbers", "hours ahead",
             "hours behind", "reset in the past"],
)  # fmt: skip
def test_what_can_be_told_all_the_same_is_enough_to_meet_no_limit(name: str) -> None:
    summary, world, _ = push(lambda: SpoiledPortal(NONSENSE[name]), 2_500)
    assert world.blocked == []
    assert summary.seconds < 1_500


def test_counters_that_go_wild_from_answer_to_answer_cost_time_but_no_job() -> None:
    rng = random.Random(9)
    wild: list[Any] = [None, -1, "x", "12.5", 0, 1e9, True, [], 3, float(10**30)]

    def spoil(stamps: dict[str, Any]) -> None:
        stamps.update(operating=rng.choice(wild), operating_reset_at=rng.choice(wild))

    summary, world, _ = push(lambda: SpoiledPortal(spoil), 400)
    assert summary.done == 400
    assert set(world.uids.values()) == {1}
    assert world.requests < 400


def test_stamps_that_leap_for_one_answer_starve_nothing() -> None:
    rng = random.Random(5)

    def spoil(stamps: dict[str, Any]) -> None:
        if rng.random() < 0.2:
            leap = rng.choice((-1, 1)) * rng.choice((4_000, 90_000, 40_000_000))
            stamps.update({name: stamps[name] + leap for name in ("start", "finish", "operating_reset_at")})

    summary, world, _ = push(lambda: SpoiledPortal(spoil), 2_500)
    assert summary.done == 2_500
    assert set(world.uids.values()) == {1}
    assert summary.seconds < 3 * 600 + 400


def test_a_429_among_successes_sends_again_only_what_was_refused() -> None:
    async def main() -> None:
        world, ledger = LightPortal(cost=steady(0.3)), Ledger()
        post = world.post
        spoiled: list[int] = []

        async def refusing(method: str, body: bytes, timeout_s: float) -> RawAnswer:
            commands = json.loads(body)["cmd"]
            if spoiled or len(commands) < 5:
                return await post(method, body, timeout_s)
            kept = {key: text for number, (key, text) in enumerate(commands.items()) if number % 2 == 0}
            spoiled.append(len(commands) - len(kept))
            answer = json.loads((await post(method, json.dumps({"cmd": kept}).encode(), timeout_s)).body)
            refusal = {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked"}
            answer["result"]["result_error"] = {key: refusal for key in commands if key not in kept}
            return RawAnswer(status=200, headers={}, body=json.dumps(answer).encode())

        world.post = refusing  # type: ignore[method-assign] # a portal that refuses every other command once
        jobs = jobs_of(ADD, 60) + jobs_of(UPDATE, 60, first=100)
        summary = await portal_of(world).push(jobs, ledger, asyncio.Event())
        assert spoiled
        assert summary.done == len(ledger.ids()) == 120
        assert set(world.uids.values()) == {1}
        assert ledger.intended.total() == 120 + spoiled[0]

    run_virtual(main())


def test_a_method_that_is_refused_for_ever_ends_the_push_without_a_hot_loop_and_the_others_are_done() -> None:
    async def main() -> None:
        world, ledger = LightPortal(cost=steady(0.1)), Ledger()
        world.limiter = cast(OperatingLimiter, _Grudge(world.limiter))
        jobs = jobs_of(ADD, 500) + jobs_of(UPDATE, 500, first=1_000)
        portal = portal_of(world)
        with pytest.raises(PortalUnreachableError, match=r"OPERATION_TIME_LIMIT: calendar\.event\.add"):
            await portal.push(jobs, ledger, asyncio.Event())
        took = asyncio.get_running_loop().time()
        assert 900 < took < 3_600
        assert world.requests < 60
        assert ledger.ids() == set(range(1_000, 1_500))
        refused = [outcome for number, outcome in ledger.settled.items() if number < 1_000]
        assert all(isinstance(one, Refused) and one.code == "not_sent" for one in refused)
        assert set(ledger.settled) == set(ledger.intended)
        before = world.requests
        with pytest.raises(PortalUnreachableError, match="OPERATION_TIME_LIMIT"):
            await portal.push(jobs_of(ADD, 500, first=5_000), Ledger(), asyncio.Event())
        assert world.requests == before + 1, "one probe, after the pause that is still due"
        assert asyncio.get_running_loop().time() - took > 300

    run_virtual(main())


class _Grudge:
    """A limiter that has taken against creates."""

    def __init__(self, limiter: OperatingLimiter) -> None:
        self._limiter = limiter

    def begin(self, now: float) -> _Blocking:
        return _Blocking(self._limiter.begin(now))


class _Blocking:
    """One request of such a limiter."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self.finished, self.end = request.finished, request.end

    def blocked(self, key: str) -> bool:
        return key.endswith(ADD)


def test_the_log_tells_used_limit_and_reset_of_the_method_that_waits() -> None:
    structlog.reset_defaults()
    with structlog.testing.capture_logs() as lines:
        push(lambda: LightPortal(cost=steady(1.0)), 700)
    waits = [line for line in lines if line["event"] == "limit.waited" and line.get("method") == ADD]
    assert waits
    for line in waits:
        assert 350 < line["used_s"] <= 440
        assert line["limit_s"] == 480
        assert line["resets_at"].startswith("2026-09-21T")
    told = [line for line in lines if line["event"] == "limit.told"]
    assert {line["method"] for line in told} == {ADD}
    assert max(line["used_s"] for line in told) > 350


def test_the_log_says_loudly_when_a_limit_was_met() -> None:
    structlog.reset_defaults()
    with structlog.testing.capture_logs() as lines:
        push(lambda: LightPortal(cost=steady(1.0), limit_s=300.0), 700)
    met = [line for line in lines if line["event"] == "limit.met"]
    assert met
    assert all(line["log_level"] == "warning" and line["method"] == ADD and line["refused"] > 0 for line in met)
    assert met[-1]["limit_s"] < 340
