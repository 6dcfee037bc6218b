"""How near syncd comes to the least time the limits permit: `python -m tests.bench.pace [PART OF A NAME...]`.

Prints one table: syncd's real client and the naive policies, each against the sandbox's limiter on virtual time.
`--syncd` leaves the naive policies out, `--naive` syncd.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import process_time

import structlog

from syncd.portal.client import Portal
from syncd.portal.exchange.queue import Job
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import TransportFault, Webhook
from syncd.portal.line.wire import Command, Reply
from syncd.sandbox.php.wire import PortalRequest
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World
from tests.bench.pace_naive import FixedBatches, OneByOne, Policy, SummedWindow, WaitAt95, migrate
from tests.bench.pace_scenarios import ADD, NEIGHBOUR_EVERY_S, NEIGHBOUR_S, Scenario, scenarios
from tests.bench.pace_world import ROUND_TRIP_S, LightPortal
from tests.support.simclock import VirtualClock, run_virtual

WEBHOOK = "https://demo.bitrix24.com/rest/1/sandboxadmin/"
LESSON_S = 60.0
GIVE_UP = 12.0
NEIGHBOUR_REFUSED = 0.02
POLICIES: tuple[Callable[[], Policy], ...] = (OneByOne, FixedBatches, WaitAt95, SummedWindow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One row of the table; `blocked` are the commands refused for operating time, `lessons` their episodes.

    `neighbour` is the part of a neighbour's commands that was refused, None without one.
    """

    who: str
    seconds: float
    bound_s: float
    full_bound_s: float
    requests: int
    refused_rate: int
    blocked: int
    lessons: int
    cuts: int
    missing: int
    twice: int
    cpu_s: float | None
    neighbour: float | None = None

    @property
    def ratio(self) -> float:
        """Time over the bound under the configured share."""
        return self.seconds / self.bound_s


class Keeper:
    """A Journal that keeps nothing but the number of what was settled."""

    def __init__(self) -> None:
        self.settled = 0

    async def intend(self, jobs: Sequence[Job]) -> None:
        pass

    async def settle(self, replies: Sequence[tuple[Job, Reply]]) -> None:
        self.settled += len(replies)


class WholePortal(LightPortal):
    """The whole sandbox behind the same counts: every event is really stored."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(cost=scenario.cost, began=scenario.began)
        costs = {method: scenario.cost(method, 0.0) for method in scenario.counts}
        self.world = World(Settings(costs_s=costs, jitter=0.5, integer_stamps=False), default_world())

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        await asyncio.sleep(ROUND_TRIP_S / 2)
        cpu = process_time()
        self.requests += 1
        request = PortalRequest(path=f"/rest/1/sandboxadmin/{method}", content_type="application/json", body=body)
        response = self.world.handle(self.now(), request)
        self.cpu_s += process_time() - cpu
        self.finished_at = self.now() + response.duration_s - self.began
        await asyncio.sleep(response.duration_s + ROUND_TRIP_S / 2)
        if response.cut:
            raise TransportFault("cut", "the connection broke")
        self.rate_refusals = self.world.traffic.refused["QUERY_LIMIT_EXCEEDED"]
        self.blocked = [(0.0, self.world.traffic.refused["OPERATION_TIME_LIMIT"])]
        self.executed = self.world.traffic.commands
        self.uids.update({str(n): 1 for n in range(len(self.uids), self.executed[ADD])})
        return RawAnswer(status=response.status, headers={"content-type": response.content_type}, body=response.body)


def work_of(scenario: Scenario) -> list[tuple[str, str]]:
    """Return the commands of a scenario as (method, uid), the methods mixed."""
    methods = [method for method, count in scenario.counts.items() for _ in range(count)]
    random.Random(4).shuffle(methods)
    return [(method, str(number)) for number, method in enumerate(methods)]


def command_of(method: str, uid: str) -> Command:
    """Return a command as large as a real one."""
    return Command(
        method=method,
        params={
            "type": "user",
            "ownerId": 1,
            "name": f"Shift {uid}",
            "description": "Brought over from the old schedule, see the notes of the planner",
            "from": "2026-12-01 09:00:00",
            "to": "2026-12-01 17:00:00",
            "timezone_from": "Europe/Moscow",
            "timezone_to": "Europe/Moscow",
            "skip_time": "N",
            "section": 1,
            "color": "#9cbe1c",
            "accessibility": "busy",
            "importance": "normal",
            "private_event": "N",
            "uid": uid,
        },
    )


async def _neighbour(portal: LightPortal) -> None:
    while True:
        portal.neighbour(ADD, NEIGHBOUR_S)
        await asyncio.sleep(NEIGHBOUR_EVERY_S)


async def _beside_neighbour(scenario: Scenario, portal: LightPortal) -> asyncio.Task[None] | None:
    if not scenario.neighbour:
        return None
    task = asyncio.ensure_future(_neighbour(portal))
    await asyncio.sleep(scenario.warm_up_s)
    return task


async def _syncd(scenario: Scenario) -> Measured:
    light = WholePortal(scenario) if scenario.whole else scenario.portal()
    task = await _beside_neighbour(scenario, light)
    portal = Portal(
        name="bench",
        credential=Webhook(address=WEBHOOK),
        limits=scenario.limits,
        clock=VirtualClock(skew_s=scenario.began - 1_790_000_000.0),
        random=random.Random(1).random,
        transport=light,
    )
    jobs = [
        Job(id=number, command=command_of(method, uid), repeatable=method != ADD)
        for number, (method, uid) in enumerate(work_of(scenario))
    ]
    began, cpu = light.now(), process_time()
    served = light.cpu_s
    summary = await portal.push(jobs, Keeper(), asyncio.Event())
    spent = process_time() - cpu - (light.cpu_s - served)
    if task is not None:
        task.cancel()
    return _row("syncd", scenario, light, began=began, confirmed=summary.done, cpu_s=spent)


async def _naive(scenario: Scenario, policy: Policy) -> Measured:
    light = scenario.portal()
    task = await _beside_neighbour(scenario, light)
    began = light.now()
    give_up_s = began - light.began + GIVE_UP * scenario.bound_s(share=scenario.limits.operating_share, started=began)
    confirmed = await migrate(light, policy, work_of(scenario), give_up_after_s=give_up_s)
    if task is not None:
        task.cancel()
    return _row(policy.name, scenario, light, began=began, confirmed=confirmed, cpu_s=None)


def _row(
    who: str, scenario: Scenario, light: LightPortal, *, began: float, confirmed: int, cpu_s: float | None
) -> Measured:
    lessons, last = 0, float("-inf")
    for at, count in light.blocked:
        if count and at - last > LESSON_S:
            lessons, last = lessons + 1, at
    total = sum(scenario.counts.values())
    return Measured(
        who=who,
        seconds=light.finished_at - (began - light.began),
        bound_s=scenario.bound_s(share=scenario.limits.operating_share, started=began),
        full_bound_s=scenario.bound_s(share=1.0, started=began),
        requests=light.requests,
        refused_rate=light.rate_refusals,
        blocked=sum(count for _, count in light.blocked),
        lessons=lessons,
        cuts=light.cuts,
        missing=total - confirmed,
        twice=sum(count - 1 for count in light.uids.values()),
        cpu_s=None if cpu_s is None else cpu_s / total * 1000,
        neighbour=light.neighbours["refused"] / light.neighbours["asked"] if scenario.neighbour else None,
    )


def run_syncd(scenario: Scenario) -> Measured:
    """Push a scenario through syncd's client on virtual time."""
    return run_virtual(_syncd(scenario))


def run_naive(scenario: Scenario, policy: Policy) -> Measured:
    """Push a scenario by a naive policy on virtual time."""
    return run_virtual(_naive(scenario, policy))


HEADER = (
    "| scenario | who | time | x bound at share | x bound at full limit | requests | 503 | 429 (lessons) | cut"
    " | missing | twice | CPU s / 1,000 | neighbour refused |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def line(scenario: Scenario, row: Measured) -> str:
    """Return one row of the table; a missed target is marked with an exclamation mark."""
    ours = row.who == "syncd"
    late = ours and row.ratio > scenario.target
    refused = ours and (row.refused_rate > 0 or row.lessons > scenario.lessons)
    rude = ours and (row.neighbour or 0.0) > NEIGHBOUR_REFUSED
    dear = row.cpu_s is not None and row.cpu_s > 0.15
    cells = (
        scenario.name,
        f"**{row.who}**" if ours else row.who,
        f"{_span(row.seconds)}{' +' if row.missing else ''}",
        f"{row.ratio:.3f}{' !' if late else ''}",
        f"{row.seconds / row.full_bound_s:.3f}",
        f"{row.requests:,}",
        f"{row.refused_rate:,}",
        f"{row.blocked:,} ({row.lessons}){' !' if refused else ''}",
        f"{row.cuts:,}",
        f"{row.missing:,}",
        f"{row.twice:,}",
        "" if row.cpu_s is None else f"{row.cpu_s:.3f}{' !' if dear else ''}",
        "" if row.neighbour is None else f"{row.neighbour:.1%}{' !' if rude else ''}",
    )
    return f"| {' | '.join(cells)} |"


def _span(seconds: float) -> str:
    if seconds < 600:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 36_000 else f"{seconds / 3600:.2f} h"


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    print(HEADER)
    for scenario in scenarios():
        if words and not any(word in scenario.name for word in words):
            continue
        if "--naive" not in sys.argv:
            print(line(scenario, run_syncd(scenario)), flush=True)
        if "--syncd" not in sys.argv and not scenario.whole:
            for policy in POLICIES:
                print(line(scenario, run_naive(scenario, policy())), flush=True)


if __name__ == "__main__":
    main()
