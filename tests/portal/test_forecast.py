"""The time left, told while a migration runs on virtual time through the sandbox's own limiter."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace

import pytest

from syncd.portal.client import Portal
from syncd.portal.exchange.queue import Job
from syncd.portal.line.transport import Webhook
from syncd.portal.line.wire import Command
from tests.bench.pace import Keeper, work_of
from tests.bench.pace_scenarios import ADD, DELETE, UPDATE, Scenario
from tests.bench.pace_world import LightPortal, by_method, steady
from tests.support.simclock import VirtualClock, run_virtual

LAST_S = 20.0
"""In the length of its last batch a push ends when the last answer comes: nobody can tell that within a fifth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the progress told at `at` seconds after the start."""

    at: float
    requests: int
    eta_s: float
    waiting_for: str | None
    waiting_until: float | None


def portal_of(scenario: Scenario, light: LightPortal, state: object = None) -> Portal:
    return Portal(
        name="main",
        credential=Webhook(address="https://demo.bitrix24.com/rest/1/secretcode/"),
        limits=scenario.limits,
        clock=VirtualClock(),
        random=random.Random(2).random,
        transport=light,
        state=state,  # type: ignore[arg-type] # JSON
    )


def jobs_of(scenario: Scenario) -> list[Job]:
    return [
        Job(id=number, command=Command(method=method, params={"uid": uid}), repeatable=method != ADD)
        for number, (method, uid) in enumerate(work_of(scenario))
    ]


def follow(scenario: Scenario, every_s: float) -> tuple[list[Told], float]:
    """Push a scenario; return what the progress told every so often, and when it was over."""

    async def main() -> tuple[list[Told], float]:
        light = scenario.portal()
        portal = portal_of(scenario, light)
        push = asyncio.ensure_future(portal.push(jobs_of(scenario), Keeper(), asyncio.Event()))
        told = []
        while not push.done():
            await asyncio.sleep(every_s)
            now = portal.progress()
            if now.eta_s is not None:
                at = light.now() - light.began
                told.append(
                    Told(
                        at=at,
                        requests=now.requests,
                        eta_s=now.eta_s,
                        waiting_for=now.waiting_for,
                        waiting_until=now.waiting_until,
                    )
                )
        return told, light.finished_at

    return run_virtual(main())


CALM = Scenario(name="calm", counts={ADD: 4_000}, cost=steady(0.3))


@pytest.mark.parametrize(
    ("scenario", "waits"),
    [
        (replace(CALM, counts={ADD: 1_000}, cost=steady(0.05)), False),
        (replace(CALM, counts={ADD: 1_000}), False),
        (CALM, True),
        (replace(CALM, counts={ADD: 1_500}, cost=steady(1.5)), True),
        (
            replace(
                CALM,
                counts={ADD: 3_000, UPDATE: 1_500, DELETE: 1_000},
                cost=by_method({ADD: 0.4, UPDATE: 0.3, DELETE: 0.1}),
            ),
            True,
        ),
        (replace(CALM, counters=False), True),
    ],
)
def test_after_two_batches_the_time_left_is_true_within_a_fifth_also_across_waits(
    scenario: Scenario, waits: bool
) -> None:
    told, ended = follow(scenario, 0.5 if not waits else 15.0)
    judged = [one for one in told if one.requests > 4 and ended - one.at > min(LAST_S, ended / 10)]
    assert len(judged) > 5
    for one in judged:
        assert one.eta_s == pytest.approx(ended - one.at, rel=0.2), one
    # The gate is closed for moments as well; a wait for the budget lasts longer.
    assert any(one.waiting_for == f"operating time of {ADD}" for one in judged) == waits


def test_a_lower_limit_is_forecast_once_it_is_learned() -> None:
    told, ended = follow(replace(CALM, counts={ADD: 6_000}, limit_s=420.0), 15.0)
    after = [one for one in told if one.at > 200 and ended - one.at > LAST_S]
    assert len(after) > 50
    assert all(one.eta_s == pytest.approx(ended - one.at, rel=0.2) for one in after)


def test_a_neighbour_is_reckoned_with_from_what_was_seen_of_it() -> None:
    async def main() -> tuple[float, float]:
        light = LightPortal(cost=steady(0.3))

        async def neighbour() -> None:
            while True:
                light.neighbour(ADD, 4.0)
                await asyncio.sleep(15.0)

        eater = asyncio.ensure_future(neighbour())
        await asyncio.sleep(600)
        portal = portal_of(CALM, light)
        push = asyncio.ensure_future(
            portal.push(jobs_of(replace(CALM, counts={ADD: 8_000})), Keeper(), asyncio.Event())
        )
        await asyncio.sleep(60)
        eta_s = portal.progress().eta_s
        assert eta_s is not None
        told = light.now() - light.began + eta_s
        await push
        eater.cancel()
        return told - 600, light.finished_at - 600

    told, ended = run_virtual(main())
    assert told == pytest.approx(ended, rel=0.25)
    assert ended > 8_000 * 0.3 / 432 * 600 * 1.1


def test_a_wait_is_told_until_the_moment_it_ends() -> None:
    told, _ = follow(CALM, 5.0)
    epoch = CALM.began
    waits = [one for one in told if one.waiting_for is not None and "operating" in one.waiting_for]
    assert waits
    for one in waits:
        assert one.waiting_until is not None
        assert epoch + one.at < one.waiting_until <= epoch + one.at + 600
    ends = {round(one.waiting_until) for one in waits if one.waiting_until is not None}
    assert all(round(end - epoch + 20) % 60 == 0 for end in ends), "budgets drop at the portal's minutes"


def test_a_later_run_forecasts_with_the_costs_an_earlier_one_learned() -> None:
    async def main() -> None:
        light = LightPortal(cost=steady(1.2))
        first = portal_of(CALM, light)
        fresh = first.forecast({ADD: 1_000})
        await first.push(jobs_of(replace(CALM, counts={ADD: 100})), Keeper(), asyncio.Event())
        again = portal_of(CALM, light, state=first.budget_state()).forecast({ADD: 1_000})
        unknown = portal_of(CALM, light).forecast({ADD: 1_000})
        assert fresh.operating_s == unknown.operating_s
        assert again.operating_s[ADD] == pytest.approx(1_200, rel=0.1)
        assert again.operating_s[ADD] > 2 * unknown.operating_s[ADD]
        assert again.seconds > unknown.seconds + 600

    run_virtual(main())
