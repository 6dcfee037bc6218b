"""The works of `scale` in small: calls and memory grow with the entries, never with their square.

A work of which each row costs nothing (a settled plan) may not grow at all. What failed passes and long lives leave
behind is counted in `tests/cycle/test_failed_kept.py` and `test_month.py`.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest

from syncd.app.wiring import open_app
from syncd.clock import Clock
from syncd.config import PortalConfig
from syncd.cycle.plan import preview
from syncd.cycle.run import PassOptions, run_pass
from syncd.cycle.takeback import Offer, purge, undo
from syncd.portal.client import Portal
from syncd.portal.limits.tariff import limits_of
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import Webhook
from syncd.state.ledger import Ledger
from tests.bench.scale_plans import ChangedFeed, ChangedSeries, ChangedTable, Plan, SettledFeed, SettledTable
from tests.bench.scale_portal import ScalePortal, shifts_of
from tests.bench.scale_rows import STATE, SkippingClock, as_created, make_csv, opened
from tests.support.calls import counting_calls
from tests.support.sandbox import run_inline

T = TypeVar("T")
SIZES = (60, 120, 240)
"""Fewer than there are people, so that calendars grow with the entries."""
DAYS = 14
"""Within a month or two, so that the listings grow with the calendars alone."""
MOST = 1.08
"""How much more calls the second doubling may add than twice what the first one added; what is quadratic in a single
step among many adds a tenth more, and all in all twice that."""
LANES = 3
"""What is under way at once holds memory too, and would be all there is of so few events on more lanes."""
MOST_BYTES = 10_000
"""How much more memory one more event may take at once, with the portal's answers that are on their way."""


class _Portal(ScalePortal):
    """Counts the memory from the first request on: a source's buffers are as large for one row as for many."""

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        if not self.requests and tracemalloc.is_tracing():
            tracemalloc.reset_peak()
        return await super().post(method, body, timeout_s)


async def _done(folder: Path, name: str) -> None:
    transport = _Portal(shifts_of(folder / STATE))

    @asynccontextmanager
    async def connect(
        config: PortalConfig, ledger: Ledger, clock: Clock, _learn: Callable[[str], object]
    ) -> AsyncIterator[Portal]:
        yield Portal(
            name=config.name, credential=Webhook(address="http://127.0.0.1:9/rest/1/benchmarkcode/"),
            limits=replace(limits_of(config), lanes=LANES), clock=clock, random=Random(7).random, transport=transport,
        )  # fmt: skip

    async def yes(_offer: Offer) -> bool:
        return True

    config = folder / "syncd.toml"
    clock = SkippingClock()
    async with open_app(config, readonly=False, learn_secret=lambda _: None, clock=clock, connect=connect) as app:
        run = app.open_pass(app.sync("bench"), asyncio.Event())
        if name == "verify":
            result = await run_pass(run, PassOptions(verify=True))
            assert (result.error, result.record.counts["unchanged"]) == (None, len(transport.shifts))
        elif name == "undo":
            taken = await undo(run, 1, confirm=yes, force=True)
            assert (taken.error, transport.shifts) == (None, {})
        else:
            taken = await purge(run, confirm=yes)
            assert taken.error is None


def _calls(work: Callable[[], None]) -> float:
    """Return how many functions `work` calls, those written in C included."""
    with counting_calls() as calls:
        work()
    return calls.count


def _peak(work: Callable[[], None]) -> float:
    """Return the most memory that `work` has at once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _measured(folder: Path, name: str, measure: Callable[[Callable[[], None]], float]) -> list[float]:
    """Return what a work takes at each size; once before, for what only the first time takes."""
    taken = []
    for number, size in enumerate((SIZES[0], *SIZES)):
        own = folder / str(number)
        own.mkdir()
        make_csv(own, size, DAYS)
        if name == "undo":
            as_created(own)
        taken.append(measure(lambda own=own: run_inline(_done(own, name))))  # type: ignore[misc]
    return taken[1:]


@pytest.mark.parametrize("name", ["verify", "purge", "undo"])
def test_work_grows_with_the_events_not_with_their_square(tmp_path: Path, name: str) -> None:
    small, middle, large = _measured(tmp_path, name, _calls)
    assert large - middle <= MOST * 2 * (middle - small)


@pytest.mark.parametrize("name", ["verify", "purge", "undo"])
def test_memory_grows_with_the_events_and_by_little_for_each(tmp_path: Path, name: str) -> None:
    _, middle, large = _measured(tmp_path, name, _peak)
    assert large - middle <= MOST_BYTES * (SIZES[2] - SIZES[1])


async def _planned(folder: Path) -> tuple[int, int]:
    """Make a plan, and return how much memory it holds and how much it takes at once, where that is traced."""
    async with opened(folder) as app:
        before = tracemalloc.get_traced_memory()[0]
        if tracemalloc.is_tracing():
            tracemalloc.reset_peak()
        prepared = await preview(app.open_pass(app.sync("bench"), asyncio.Event()), verify=False)
        held, peak = tracemalloc.get_traced_memory()
        assert prepared.plan.unchanged
        return held - before, peak - before


def _memory(folder: Path) -> tuple[int, int]:
    """Return how much memory a plan holds, and takes at once."""
    tracemalloc.start()
    try:
        return run_inline(_planned(folder))
    finally:
        tracemalloc.stop()


def _calls_of_plan(folder: Path) -> float:
    def work() -> None:
        run_inline(_planned(folder))

    return _calls(work)


def _plans(folder: Path, work: type[Plan], sizes: tuple[int, ...], measure: Callable[[Path], T]) -> list[T]:
    """Return what a plan takes at each size, after one for what only the first time takes."""
    taken = []
    for number, size in enumerate((sizes[0], *sizes)):
        own = folder / str(number)
        own.mkdir()
        work().prepare(own, size)
        taken.append(measure(own))
    return taken[1:]


@pytest.mark.parametrize(
    ("work", "sizes"), [(ChangedTable, SIZES), (ChangedFeed, SIZES), (ChangedSeries, (10, 20, 40))]
)
def test_a_plan_grows_with_the_entries_not_with_their_square(
    tmp_path: Path, work: type[Plan], sizes: tuple[int, ...]
) -> None:
    small, middle, large = _plans(tmp_path, work, sizes, _calls_of_plan)
    assert large - middle <= MOST * 2 * (middle - small)


@pytest.mark.parametrize(("work", "held", "peak"), [(ChangedTable, 1_200, 2_000), (ChangedFeed, 1_200, 2_500)])
def test_a_plan_takes_little_memory_for_each_entry_however_many_there_are(
    tmp_path: Path, work: type[Plan], held: int, peak: int
) -> None:
    sizes = (1_000, 2_000, 4_000)
    small, middle, large = _plans(tmp_path, work, sizes, _memory)
    for less, more, rows in ((small, middle, sizes[1] - sizes[0]), (middle, large, sizes[2] - sizes[1])):
        assert more[0] - less[0] < held * rows
        assert more[1] - less[1] < peak * rows


@pytest.mark.parametrize("work", [SettledTable, SettledFeed])
def test_a_settled_plan_costs_nothing_for_each_entry(tmp_path: Path, work: type[Plan]) -> None:
    small, _, large = _plans(tmp_path, work, SIZES, _calls_of_plan)
    assert large - small < (SIZES[2] - SIZES[0]) / 4
