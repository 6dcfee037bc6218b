"""The request gate on virtual time."""

from __future__ import annotations

import asyncio

import pytest

from syncd.portal.limits.gate import RequestGate
from tests.support.simclock import VirtualClock, run_virtual


class Bucket:
    """The portal's leaky bucket (PORTAL.md 3.1)."""

    def __init__(self, burst: int, rate: float) -> None:
        self.burst, self.rate, self.level, self.ticked = burst, rate, 0.0, 0.0
        self.highest = 0.0

    def accepts(self, at: float) -> bool:
        seconds = int(at - self.ticked)
        self.level, self.ticked = max(0.0, self.level - self.rate * seconds), self.ticked + seconds
        if self.level + 1 > self.burst:
            return False
        self.level += 1
        self.highest = max(self.highest, self.level)
        return True


def gate_of(clock: VirtualClock, burst: int = 50, rate: float = 2.0) -> RequestGate:
    return RequestGate(clock, burst=burst, rate=rate, random=lambda: 0.5)


@pytest.mark.parametrize(("burst", "rate"), [(50, 2.0), (250, 5.0), (2, 2.0), (1, 0.5)])
def test_a_thousand_eager_requests_never_fill_more_than_half_the_bucket(burst: int, rate: float) -> None:
    async def main() -> float:
        clock, bucket = VirtualClock(), Bucket(burst, rate)
        gate = gate_of(clock, burst, rate)

        async def request() -> None:
            await gate.acquire()
            assert bucket.accepts(clock.monotonic())

        await asyncio.gather(*(request() for _ in range(1000)))
        assert bucket.highest <= max(1, burst // 2) + rate + 1
        return clock.monotonic()

    took = run_virtual(main())
    assert took <= 1.01 * 1000 / rate + burst / rate
    assert took >= (1000 - burst) / rate


def test_a_neighbour_may_use_the_other_half_at_the_same_time() -> None:
    async def main() -> None:
        clock, bucket = VirtualClock(), Bucket(50, 2.0)
        gate = gate_of(clock)
        for _ in range(20):
            assert bucket.accepts(0.0)
        for _ in range(300):
            await gate.acquire()
            assert bucket.accepts(clock.monotonic())

    run_virtual(main())


def test_who_asks_first_goes_first() -> None:
    async def main() -> list[int]:
        clock = VirtualClock()
        gate, order = gate_of(clock, 8, 2.0), list[int]()

        async def request(number: int) -> None:
            await gate.acquire()
            order.append(number)

        await asyncio.gather(*(request(number) for number in range(60)))
        return order

    assert run_virtual(main()) == list(range(60))


def test_an_idle_gate_asks_for_no_time_at_all_and_a_full_one_only_once_per_opening() -> None:
    async def main() -> None:
        clock = VirtualClock()
        gate = gate_of(clock)
        await asyncio.sleep(3600)
        assert clock.slept == 0
        await asyncio.gather(*(gate.acquire() for _ in range(125)))
        assert clock.slept <= 2 * 125

    run_virtual(main())


def test_a_restart_starts_cold() -> None:
    async def main() -> None:
        clock = VirtualClock()
        gate = gate_of(clock)
        for _ in range(20):
            await gate.acquire()
        assert clock.monotonic() == 0
        for _ in range(5):
            await gate.acquire()
        assert clock.monotonic() >= 2

    run_virtual(main())


def test_what_was_sent_leaks_away_at_once_not_a_window_later() -> None:
    async def main() -> float:
        clock = VirtualClock()
        gate = gate_of(clock)
        await asyncio.sleep(60)
        began = clock.monotonic()
        for _ in range(25 + 10):
            await gate.acquire()
        return clock.monotonic() - began

    assert run_virtual(main()) == pytest.approx(5.0)


@pytest.mark.parametrize(("burst", "rate"), [(50, 2.0), (250, 5.0)])
def test_one_that_starts_where_another_was_killed_stays_below_the_burst(burst: int, rate: float) -> None:
    async def main() -> None:
        clock, bucket = VirtualClock(), Bucket(burst, rate)
        for _ in range(2):
            gate = gate_of(clock, burst, rate)
            for _ in range(burst):
                await gate.acquire()
                assert bucket.accepts(clock.monotonic())
            # Killed: what it sent is saved nowhere.
            await asyncio.sleep(0.5)

    run_virtual(main())


def test_what_a_former_process_sent_still_counts() -> None:
    async def main() -> None:
        clock = VirtualClock()
        former = gate_of(clock)
        await asyncio.sleep(60)
        for _ in range(25):
            await former.acquire()
        gate = gate_of(clock)
        gate.load(former.dump())
        began = clock.monotonic()
        for _ in range(25):
            await gate.acquire()
        assert clock.monotonic() - began > 12

    run_virtual(main())


def test_commands_one_after_the_other_do_not_wait_for_what_each_start_assumes() -> None:
    async def main() -> None:
        clock, bucket, state = VirtualClock(), Bucket(50, 2.0), None
        await asyncio.sleep(60)
        waited = []
        for _ in range(12):
            gate = gate_of(clock)
            if state is not None:
                gate.load(state)
            began = clock.monotonic()
            await gate.acquire()
            waited.append(clock.monotonic() - began)
            assert bucket.accepts(clock.monotonic())
            state = gate.dump()
            await asyncio.sleep(1.0)
        # Between two of them a command that only looks, and saves nothing, may have sent something.
        assert sum(waited) < 1.0

    run_virtual(main())


@pytest.mark.parametrize("requests", [1, 3, 10, 40])
@pytest.mark.parametrize("pause_s", [0.0, 0.3, 2.0])
def test_starts_one_after_the_other_never_exceed_the_bucket(requests: int, pause_s: float) -> None:
    async def main() -> None:
        clock, bucket, state = VirtualClock(), Bucket(50, 2.0), None
        for _ in range(30):
            gate = gate_of(clock)
            if state is not None:
                gate.load(state)
            for _ in range(requests):
                await gate.acquire()
                assert bucket.accepts(clock.monotonic())
            state = gate.dump()
            await asyncio.sleep(pause_s)

    run_virtual(main())


def test_what_an_earlier_version_saved_still_counts() -> None:
    async def main() -> None:
        clock = VirtualClock()
        await asyncio.sleep(60)
        gate = gate_of(clock)
        gate.load([clock.now() - 1.0] * 25)
        began = clock.monotonic()
        for _ in range(24):
            await gate.acquire()
        assert clock.monotonic() - began > 10

    run_virtual(main())


def test_a_clock_that_was_set_back_keeps_nobody_waiting_longer_than_a_full_bucket() -> None:
    async def main() -> None:
        clock = VirtualClock()
        gate = gate_of(clock)
        gate.load({"until": clock.now() + 7200, "leaving": [clock.now() + 7200] * 25})
        assert 10 < gate.wait_s <= 12.5

    run_virtual(main())


def test_a_cancelled_waiter_takes_no_place() -> None:
    async def main() -> None:
        clock = VirtualClock()
        gate = gate_of(clock, 2, 1.0)
        await gate.acquire()
        waiters = [asyncio.ensure_future(gate.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        waiters[0].cancel()
        waiters[1].cancel()
        await asyncio.wait([waiters[2]])
        assert clock.monotonic() < 1.1

    run_virtual(main())


def test_after_a_refusal_it_pauses_longer_each_time_and_recovers_by_itself() -> None:
    async def main() -> None:
        clock = VirtualClock()
        gate = gate_of(clock)
        pauses = []
        await asyncio.sleep(60)
        for _ in range(4):
            gate.refused()
            began = clock.monotonic()
            await gate.acquire()
            pauses.append(clock.monotonic() - began)
        assert pauses == [1, 2, 4, 8]
        for _ in range(60):
            await gate.acquire()
            gate.answered()
        await asyncio.sleep(60)
        began = clock.monotonic()
        for _ in range(25):
            await gate.acquire()
        assert clock.monotonic() == began

    run_virtual(main())


def test_the_rate_stays_within_the_bucket_whatever_the_pauses() -> None:
    async def main() -> None:
        clock, bucket = VirtualClock(), Bucket(50, 2.0)
        gate = gate_of(clock)
        for number in range(400):
            await gate.acquire()
            assert bucket.accepts(clock.monotonic())
            if number % 37 == 0:
                gate.refused()
            else:
                gate.answered()
            if number % 90 == 0:
                await asyncio.sleep(45)

    run_virtual(main())


@pytest.mark.parametrize("state", [None, 5, "x", ["x"], [True], {"a": 1}, {"until": 1}, {"until": "x", "leaving": []}])
def test_nonsense_from_the_ledger_is_told_apart(state: object) -> None:
    async def main() -> None:
        with pytest.raises(TypeError):
            gate_of(VirtualClock()).load(state)  # type: ignore[arg-type] # nonsense on purpose

    run_virtual(main())
