"""Measures a long migration on virtual time: `python -m tests.bench.push_load [COUNT] [SECONDS_PER_COMMAND]`."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from time import process_time

import structlog

from syncd.portal.client import Portal
from syncd.portal.limits.pace import Limits
from syncd.portal.line.transport import Webhook
from tests.portal.fake import ADD, UPDATE, FakePortal, Ledger, jobs_of
from tests.support.simclock import VirtualClock, run_virtual


async def measure(count: int, cost_s: float) -> None:
    rng = random.Random(1)
    world = FakePortal(costs=lambda method: cost_s * rng.uniform(0.5, 1.5))
    portal = Portal(
        name="bench",
        credential=Webhook(address="https://demo.bitrix24.com/rest/1/benchmarkcode/"),
        limits=Limits(),
        clock=VirtualClock(),
        random=rng.random,
        transport=world,
    )
    began = process_time()
    jobs = jobs_of(ADD, count) + jobs_of(UPDATE, count, first=count)
    summary = await portal.push(jobs, Ledger(), asyncio.Event())
    hours = summary.seconds / 3600
    least_s = (count * cost_s / 480 - 1) * 600
    print(f"{summary.done} commands in {summary.requests} requests: {hours:.2f} hours of the portal's time")
    print(f"whole limit, no share kept back: at least {max(0.0, least_s) / 3600:.2f} hours")
    print(f"refused: {world.rate_refusals} for the rate, {world.blocks} for operating time; cut: {world.cuts}")
    print(f"{process_time() - began:.1f} s of this machine, the simulated portal included")


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40_000
    cost_s = float(sys.argv[2]) if len(sys.argv) > 2 else 0.6
    run_virtual(measure(count, cost_s))


if __name__ == "__main__":
    main()
