"""Answers on their way in: large ones are taken in one at a time, while the collector of garbage rests."""

from __future__ import annotations

import asyncio
import gc

from syncd.portal.exchange.session import Landing
from tests.support.simclock import VirtualClock, run_virtual

LARGE = 2**20


def landings(count: int) -> list[Landing]:
    clock, turn = VirtualClock(), asyncio.Lock()
    return [Landing(clock=clock, turn=turn) for _ in range(count)]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_large_answer_waits_until_the_one_before_has_been_taken_in() -> None:
    first, second = landings(2)
    await first.came(LARGE)
    waiting = asyncio.create_task(second.came(LARGE))
    await settled()
    assert not waiting.done()
    first.end()
    await waiting
    second.end()


async def test_a_small_answer_waits_for_nothing() -> None:
    first, second = landings(2)
    await first.came(LARGE)
    await asyncio.wait_for(second.came(100), 1)
    second.end()
    first.end()


def test_what_counts_is_when_an_answer_came_not_when_it_had_its_turn() -> None:
    async def story() -> float | None:
        first, second = landings(2)
        await first.came(LARGE)
        waiting = asyncio.create_task(second.came(LARGE))
        await asyncio.sleep(10)
        first.end()
        await waiting
        second.end()
        return second.at

    assert run_virtual(story()) == 0.0


async def test_one_that_is_given_up_while_it_waits_leaves_the_turn_to_the_next() -> None:
    first, second, third = landings(3)
    await first.came(LARGE)
    waiting = asyncio.create_task(second.came(LARGE))
    await settled()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    second.end()
    first.end()
    await asyncio.wait_for(third.came(LARGE), 1)
    third.end()


async def test_one_that_is_asked_again_keeps_its_turn() -> None:
    (one,) = landings(1)
    await one.came(LARGE)
    await asyncio.wait_for(one.came(LARGE), 1)
    one.end()
    assert not one.turn.locked()


async def test_the_collector_rests_while_a_large_answer_is_taken_in_and_no_longer() -> None:
    (one,) = landings(1)
    assert gc.isenabled()
    await one.came(LARGE)
    assert not gc.isenabled()
    one.end()
    assert gc.isenabled()
