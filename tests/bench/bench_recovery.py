"""What reading back and recovery cost at 20,000 events; run as `python -m tests.bench.bench_recovery`.

Simulated portal with its usual costs, standard tariff, virtual time: the numbers are the portal's seconds and ours.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog

from syncd.cycle.look import read_back
from syncd.cycle.run import PassOptions, run_pass
from tests.cycle import test_scale
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
KILL_BEFORE_LAST = 500


class _Killed(BaseException):
    pass


def stage_of(folder: Path, count: int) -> Stage:
    """Return a portal of 40 people and a schedule of `count` shifts over 125 days."""
    test_scale.ROWS = count
    stage = Stage(folder, SHIFTS, seed=test_scale.big_company())
    lines = (
        f"{n},{title},{a:%Y-%m-%d %H:%M},{b:%Y-%m-%d %H:%M},p{who}@x.example,\n"
        for n, title, a, b, who in test_scale.plan_rows()
    )
    stage.write("shifts.csv", HEADER + "".join(lines))
    return stage


async def migrated(stage: Stage, *, kill_at: int | None) -> None:
    """Run a pass; with `kill_at` the process dies when so many events stand there."""
    async with stage.opened() as (syncs, app):
        if kill_at is not None:
            handle = stage.world.handle

            def dying(now: float, request: Any) -> Any:
                response = handle(now, request)
                if sum(1 for one in stage.world.calendars() for _ in stage.world.tables.events_of(one)) >= kill_at:
                    stage.world.handle = handle  # type: ignore[method-assign]
                    raise _Killed
                return response

            stage.world.handle = dying  # type: ignore[method-assign]
        await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())


async def recovered(stage: Stage) -> tuple[float, float, int]:
    """Run the pass after the death; return portal seconds and ours until its first create, and requests before it."""
    found: list[tuple[float, float, int]] = []
    began, ours = stage.clock.now(), time.perf_counter()
    first = stage.transport.requests
    handle = stage.world.handle

    def watching(now: float, request: Any) -> Any:
        if b"calendar.event.add" in request.body and not found:
            found.append((now - began, time.perf_counter() - ours, stage.transport.requests - first - 1))
        return handle(now, request)

    stage.world.handle = watching  # type: ignore[method-assign]
    async with stage.opened() as (syncs, app):
        await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())
    return found[0]


async def proved(stage: Stage) -> None:
    """Read everything back and print what it took."""
    async with stage.opened() as (syncs, app):
        keys = [link.key for link in await app.ledger.of("shifts").links()]
        before, began, ours = app.portals["main"].usage(), stage.clock.now(), time.perf_counter()
        found = await read_back(app.open_pass(syncs["shifts"], asyncio.Event()), keys)
        used = app.portals["main"].usage(before)
        costs = sum(line.duration_s for line in list(stage.world.log)[-used.requests :])
        print(
            f"read-back of {len(keys):,}: {len(found.confirmed):,} confirmed,"
            f" {used.commands} commands in {used.requests} requests, {costs:.0f} s of operating time,"
            f" {stage.clock.now() - began:.0f} s for the portal, {time.perf_counter() - ours:.1f} s of ours"
        )


def main() -> None:
    """Migrate, die near the end, recover, read back."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        stage = stage_of(Path(folder), COUNT)
        try:
            run_inline(migrated(stage, kill_at=COUNT - KILL_BEFORE_LAST))
        except (_Killed, BaseExceptionGroup):
            stage.clock.advance(5)
        portal_s, ours_s, requests = run_inline(recovered(stage))
        print(
            f"recovery after a kill with {COUNT - KILL_BEFORE_LAST:,} events there: first create after {portal_s:.0f} s"
            f" for the portal ({requests} requests), {ours_s:.1f} s of ours"
        )
        run_inline(proved(stage))


if __name__ == "__main__":
    main()
