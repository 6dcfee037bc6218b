"""Several pushes on one portal: everybody gets a turn, and each pass counts what is its own."""

from __future__ import annotations

import asyncio

import pytest

from syncd.errors import StoppedError
from syncd.portal.client import Portal
from syncd.portal.limits.pace import Limits
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import TransportFault
from syncd.portal.line.wire import Command
from tests.portal.fake import ADD, UPDATE, FakePortal, Ledger, jobs_of
from tests.portal.test_push import portal_of
from tests.support.simclock import run_virtual


async def _small_beside_large(portal: Portal, method: str, *, after_s: float) -> tuple[float, float]:
    """Return how long a push of twelve took that began `after_s` into one of three thousand, and how long that took."""
    loop = asyncio.get_running_loop()
    large = asyncio.create_task(portal.push(jobs_of(ADD, 3000), Ledger(), asyncio.Event()))
    await asyncio.sleep(after_s)
    began = loop.time()
    await portal.push(jobs_of(method, 12), Ledger(), asyncio.Event())
    small_s = loop.time() - began
    await large
    return small_s, loop.time()


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_long_migration_does_not_starve_a_small_timetable(lanes: int) -> None:
    async def main() -> tuple[float, float]:
        portal = portal_of(FakePortal(costs=lambda m: 0.1), Limits(lanes=lanes))
        return await _small_beside_large(portal, ADD, after_s=60)

    small_s, all_s = run_virtual(main())
    assert small_s < 30  # one batch under way, then its own
    assert all_s > 90


def test_when_the_budget_is_used_up_the_first_seconds_that_fall_free_go_to_who_has_sent_nothing() -> None:
    async def main() -> tuple[float, float, int]:
        fake = FakePortal(costs=lambda m: 0.3)
        small_s, all_s = await _small_beside_large(portal_of(fake), ADD, after_s=300)
        return small_s, all_s, fake.blocks

    small_s, all_s, blocks = run_virtual(main())
    assert blocks == 0
    assert small_s < 605  # the window of operating time, at the longest
    assert all_s > 1000


def test_another_method_goes_on_while_one_has_to_wait() -> None:
    async def main() -> float:
        small_s, _ = await _small_beside_large(portal_of(FakePortal(costs=lambda m: 0.3)), UPDATE, after_s=400)
        return small_s

    assert run_virtual(main()) < 30


def test_two_equal_pushes_share_the_portal_evenly() -> None:
    async def main() -> tuple[float, float]:
        portal = portal_of(FakePortal(costs=lambda m: 0.05), Limits(lanes=1))
        ends: list[float] = []

        async def one() -> None:
            await portal.push(jobs_of(ADD, 600), Ledger(), asyncio.Event())
            ends.append(asyncio.get_running_loop().time())

        await asyncio.gather(one(), one())
        return ends[0], ends[1]

    first, second = run_virtual(main())
    assert second - first < 0.1 * second


def test_each_part_counts_its_own_requests_and_the_portal_all_of_them() -> None:
    async def main() -> tuple[int, int, int]:
        portal = portal_of(FakePortal())
        one, other = portal.part(asyncio.Event()), portal.part(asyncio.Event())
        await asyncio.gather(
            one.push(jobs_of(ADD, 5), Ledger(), asyncio.Event()),
            other.push(jobs_of(UPDATE, 7), Ledger(), asyncio.Event()),
        )
        assert (one.progress().total, portal.progress().total) == (0, 0)
        return one.usage().commands, other.usage().commands, portal.usage().commands

    assert run_virtual(main()) == (5, 7, 12)


def test_a_stop_that_finds_all_that_is_left_waiting_to_be_sent_again_is_no_fault_of_the_portal() -> None:
    class Away(FakePortal):
        async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
            raise TransportFault("connect", "connection refused")

    async def main() -> None:
        stop = asyncio.Event()
        reading = asyncio.create_task(
            portal_of(Away()).part(stop).read_many([Command(method="calendar.event.get", params={"n": 1})])
        )
        await asyncio.sleep(1)
        assert not reading.done()
        stop.set()
        with pytest.raises(StoppedError):
            await reading

    run_virtual(main())


def test_a_stop_ends_a_long_reading_after_the_request_in_flight() -> None:
    async def main() -> tuple[float, int]:
        fake = FakePortal(costs=lambda m: 0.2)
        stop = asyncio.Event()
        part = portal_of(fake).part(stop)
        reading = asyncio.create_task(
            part.read_many([Command(method="calendar.event.get", params={"n": n}) for n in range(900)])
        )
        await asyncio.sleep(1)
        stop.set()
        began = asyncio.get_running_loop().time()
        with pytest.raises(StoppedError):
            await reading
        return asyncio.get_running_loop().time() - began, fake.requests

    ended_after_s, requests = run_virtual(main())
    assert ended_after_s < 25
    assert requests < 12
