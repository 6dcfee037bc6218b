"""Pushes against a tiny portal on virtual time: never over the limits, never twice, never lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncd.errors import PortalRefusedError, PortalUnreachableError
from syncd.portal.client import Job, Portal, PushSummary
from syncd.portal.limits.pace import Limits
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import TransportFault, Webhook
from syncd.portal.line.wire import Command, Done, Refused, Unknown
from tests.portal.fake import ADD, DELETE, UPDATE, FakePortal, Fault, Ledger, jobs_of
from tests.support.simclock import VirtualClock, run_virtual

WEBHOOK = Webhook(address="https://demo.bitrix24.com/rest/1/topsecretcode/")


def portal_of(fake: FakePortal, limits: Limits | None = None, **more: Any) -> Portal:
    return Portal(
        name="main",
        credential=WEBHOOK,
        limits=limits or Limits(),
        clock=VirtualClock(skew_s=more.pop("skew_s", 0.0)),
        random=random.Random(5).random,
        transport=fake,
        **more,
    )


def push(
    fake: Callable[[], FakePortal], jobs: list[Job], ledger: Ledger, limits: Limits | None = None
) -> tuple[PushSummary, FakePortal, float]:
    async def main() -> tuple[PushSummary, FakePortal, float]:
        world = fake()
        portal = portal_of(world, limits)
        summary = await portal.push(jobs, ledger, asyncio.Event())
        return summary, world, asyncio.get_running_loop().time()

    return run_virtual(main())


def test_a_handful_of_jobs_goes_in_one_request() -> None:
    ledger = Ledger()
    summary, world, seconds = push(FakePortal, jobs_of(ADD, 5), ledger)
    assert (summary.done, summary.requests, summary.remaining) == (5, 1, 0)
    assert world.sizes == [5]
    assert seconds < 2


def test_five_thousand_creates_never_meet_a_limit_and_use_most_of_what_is_allowed() -> None:
    ledger = Ledger()
    summary, world, seconds = push(FakePortal, jobs_of(ADD, 5000), ledger)
    assert summary.done == 5000
    assert (world.rate_refusals, world.blocks, world.cuts) == (0, 0, 0)
    assert world.longest_s < 25
    # 1500 s of operating time at 432 s per ten minutes: three full windows and what fits into the fourth.
    assert seconds < 3 * 600 + 300
    assert set(world.executed.values()) == {1}


def test_updates_go_on_while_creates_wait_for_their_budget() -> None:
    ledger = Ledger()
    jobs = jobs_of(ADD, 2000) + jobs_of(UPDATE, 1200, first=2000)
    _, world, seconds = push(FakePortal, jobs, ledger)
    assert world.blocks == 0
    assert seconds < 700 + 300
    assert max(at for at, method in world.methods_at if method == UPDATE) < 600


@pytest.mark.parametrize("skew_s", [-7200.0, 0.0, 5400.0, 31.0])
@pytest.mark.parametrize("whole_stamps", [False, True])
def test_a_portal_clock_that_is_hours_off_changes_nothing(skew_s: float, whole_stamps: bool) -> None:
    ledger = Ledger()
    fake = lambda: FakePortal(skew_s=skew_s, whole_stamps=whole_stamps)  # noqa: E731 - built inside the loop
    summary, world, seconds = push(fake, jobs_of(ADD, 2500), ledger)
    assert summary.done == 2500
    assert world.blocks == 0
    assert seconds < 1400


def test_without_counters_our_own_measurement_keeps_the_limit() -> None:
    ledger = Ledger()
    _, world, _ = push(lambda: FakePortal(counters=False), jobs_of(ADD, 2500), ledger)
    assert world.blocks == 0
    assert len(ledger.ids()) == 2500


def test_many_calls_too_short_to_count_at_once_still_keep_the_limit() -> None:
    ledger = Ledger()
    costs = random.Random(3)
    fake = lambda: FakePortal(limit=60, costs=lambda m: costs.choice([0.05, 0.09, 0.12]))  # noqa: E731
    summary, world, _ = push(fake, jobs_of(ADD, 1500), ledger, Limits(operating_limit=60))
    assert summary.done == 1500
    assert world.blocks == 0


def test_slow_commands_make_small_batches_that_end_in_time() -> None:
    ledger = Ledger()
    summary, world, _ = push(
        lambda: FakePortal(costs=lambda m: 5.0, limit=10_000), jobs_of(ADD, 120), ledger, Limits(operating_limit=10_000)
    )
    assert summary.done == 120
    assert world.cuts == 0
    assert max(world.sizes[6:]) <= 4


def test_a_lower_limit_than_configured_is_learned_from_one_refusal() -> None:
    ledger = Ledger()
    summary, world, _ = push(lambda: FakePortal(limit=300), jobs_of(ADD, 6000), ledger)
    assert summary.done == 6000
    assert world.blocks <= 200
    assert set(world.executed.values()) == {1}


def test_a_neighbour_who_eats_the_request_bucket_costs_time_but_no_job() -> None:
    async def main() -> None:
        world, ledger = FakePortal(costs=lambda m: 0.01), Ledger()
        portal = portal_of(world)

        async def neighbour() -> None:
            while True:
                world._bucket()
                await asyncio.sleep(0.55)

        eater = asyncio.ensure_future(neighbour())
        world.level = 49
        summary = await portal.push(jobs_of(UPDATE, 3000), ledger, asyncio.Event())
        eater.cancel()
        assert summary.done == 3000
        assert world.rate_refusals <= 15

    run_virtual(main())


def test_one_refused_command_leaves_the_rest_of_its_batch_standing() -> None:
    def fake() -> FakePortal:
        world = FakePortal()
        world.refuse = lambda m, p: {"error": "", "error_description": "Access denied"} if p["uid"] == "3" else None
        return world

    ledger = Ledger()
    summary, _, _ = push(fake, jobs_of(ADD, 10), ledger)
    assert (summary.done, summary.refused) == (9, 1)
    assert ledger.settled[3] == Refused(code="", description="Access denied")


def test_a_poisoned_update_that_kills_its_batch_is_found_and_spoils_no_other() -> None:
    def fake() -> FakePortal:
        world = FakePortal()

        def poison(method: str, params: dict[str, str]) -> None:
            if params["uid"] == "23":
                raise ZeroDivisionError

        world.on_execute = poison
        post = world.post

        async def dying(method: str, body: bytes, timeout_s: float) -> Any:
            try:
                return await post(method, body, timeout_s)
            except ZeroDivisionError:
                return RawAnswer(status=500, body=b"")

        world.post = dying  # type: ignore[method-assign] # a portal that dies on one command
        return world

    ledger = Ledger()
    summary, _, seconds = push(fake, jobs_of(UPDATE, 100), ledger)
    assert (summary.done, summary.unknown) == (99, 1)
    assert isinstance(ledger.settled[23], Unknown)
    assert seconds < 120


def test_an_unknown_create_is_settled_at_once_and_never_sent_again() -> None:
    faults = iter(["cut after"])
    ledger = Ledger()
    summary, world, _ = push(lambda: FakePortal(faults=lambda: next(faults, None)), jobs_of(ADD, 8), ledger)
    assert summary.unknown == 8
    assert set(world.executed.values()) == {1}


def test_an_unknown_update_is_sent_again() -> None:
    faults = iter(["cut after", "html"])
    ledger = Ledger()
    summary, world, _ = push(lambda: FakePortal(faults=lambda: next(faults, None)), jobs_of(UPDATE, 8), ledger)
    assert (summary.done, summary.unknown) == (8, 0)
    assert max(world.executed.values()) <= 3


def test_creates_wait_while_the_portal_cannot_be_reached_and_are_not_in_doubt() -> None:
    faults = iter(["connect"] * 4)
    ledger = Ledger()
    summary, world, _ = push(lambda: FakePortal(faults=lambda: next(faults, None)), jobs_of(ADD, 8), ledger)
    assert (summary.done, summary.unknown) == (8, 0)
    assert set(world.executed.values()) == {1}


def test_a_portal_that_stays_away_ends_the_push_with_nothing_in_doubt() -> None:
    async def main() -> None:
        ledger = Ledger()
        with pytest.raises(PortalUnreachableError, match="connection refused"):
            await portal_of(FakePortal(faults=lambda: "connect")).push(jobs_of(ADD, 80), ledger, asyncio.Event())
        assert ledger.settled
        assert all(isinstance(o, Refused) and o.code == "not_sent" for o in ledger.settled.values())
        assert set(ledger.settled) == set(ledger.intended)
        assert asyncio.get_running_loop().time() < 300

    run_virtual(main())


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("INVALID_CREDENTIALS", "webhook"),
        ("insufficient_scope", "scope"),
        ("OVERLOAD_LIMIT", "support"),
        ("ACCESS_DENIED", "plan"),
        ("NO_AUTH_FOUND", "webhook"),
    ],
)
def test_a_fatal_answer_stops_everything_with_one_message_without_secrets(code: str, remedy: str) -> None:
    async def main() -> None:
        fault = f'{{"error": "{code}", "error_description": "no topsecretcode for you"}}'
        world, ledger = FakePortal(faults=lambda: fault), Ledger()
        with pytest.raises(PortalRefusedError) as caught:
            await portal_of(world).push(jobs_of(ADD, 500), ledger, asyncio.Event())
        assert "topsecretcode" not in str(caught.value)
        assert code in str(caught.value)
        assert remedy in str(caught.value)
        assert world.requests <= 6  # those that were in flight when the first answer came
        assert not world.executed
        assert set(ledger.settled) == set(ledger.intended)

    run_virtual(main())


def test_a_missing_scope_inside_a_batch_stops_everything_too() -> None:
    async def main() -> None:
        world, ledger = FakePortal(), Ledger()
        world.refuse = lambda m, p: {"error": "insufficient_scope", "error_description": "more"} if m == ADD else None
        with pytest.raises(PortalRefusedError, match="scope"):
            await portal_of(world).push(jobs_of(ADD, 500), ledger, asyncio.Event())
        assert world.requests <= 6  # those that were in flight when the first answer came
        assert set(ledger.settled) == set(ledger.intended)

    run_virtual(main())


def test_stop_lets_what_is_in_flight_settle_and_sends_nothing_more() -> None:
    async def main() -> None:
        world, ledger, stop = FakePortal(), Ledger(), asyncio.Event()
        push_task = asyncio.ensure_future(portal_of(world).push(jobs_of(ADD, 1000), ledger, stop))
        await asyncio.sleep(20)
        stop.set()
        sent = world.requests
        summary = await push_task
        assert world.requests == sent
        assert set(ledger.settled) == set(ledger.intended)
        assert summary.remaining == 1000 - len(ledger.settled)
        assert 0 < summary.done < 1000
        assert {int(uid) for _, uid in world.executed} == ledger.ids()

    run_virtual(main())


def test_stop_in_a_long_wait_returns_at_once() -> None:
    async def main() -> None:
        world, ledger, stop = FakePortal(), Ledger(), asyncio.Event()
        portal = portal_of(world)
        push_task = asyncio.ensure_future(portal.push(jobs_of(ADD, 5000), ledger, stop))
        await asyncio.sleep(400)
        progress = portal.progress()
        assert progress.waiting_for is not None
        assert "calendar.event.add" in progress.waiting_for
        assert 0 < progress.done < progress.total == 5000
        began = asyncio.get_running_loop().time()
        stop.set()
        summary = await push_task
        assert asyncio.get_running_loop().time() - began < 0.1
        assert summary.remaining > 0

    run_virtual(main())


def test_a_full_disk_stops_sending_at_once_and_is_passed_on() -> None:
    async def main(ledger: Ledger) -> FakePortal:
        world = FakePortal()
        with pytest.raises(OSError, match="No space"):
            await portal_of(world).push(jobs_of(ADD, 1000), ledger, asyncio.Event())
        return world

    ledger = Ledger()
    ledger.fail_intend_after = 30
    world = run_virtual(main(ledger))
    assert {int(uid) for _, uid in world.executed} <= set(ledger.intended)
    ledger = Ledger()
    ledger.fail_settle_after = 30
    world = run_virtual(main(ledger))
    assert {int(uid) for _, uid in world.executed} <= set(ledger.intended)
    assert world.requests < 10


def test_a_cancelled_push_leaves_only_what_was_in_flight_in_doubt_and_the_next_one_works() -> None:
    async def main() -> None:
        world, ledger = FakePortal(), Ledger()
        portal = portal_of(world)
        task = asyncio.ensure_future(portal.push(jobs_of(ADD, 300), ledger, asyncio.Event()))
        await asyncio.sleep(11.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        doubtful = set(ledger.intended) - set(ledger.settled)
        assert len(doubtful) <= 150
        again = [job for job in jobs_of(ADD, 300) if job.id not in ledger.intended]
        summary = await portal.push(again, ledger, asyncio.Event())
        assert summary.done == len(again)
        assert set(world.executed.values()) == {1}

    run_virtual(main())


def test_a_job_goes_only_after_the_one_it_follows_is_done() -> None:
    order: list[str] = []

    def fake() -> FakePortal:
        world = FakePortal()
        world.on_execute = lambda method, params: order.append(params["uid"])
        world.refuse = lambda m, p: {"error": "", "error_description": "no"} if p["uid"] == "1" else None
        return world

    jobs = [
        *jobs_of(ADD, 3),
        *jobs_of(DELETE, 1, first=10, after=(0,)),
        *jobs_of(DELETE, 1, first=11, after=(1,)),
        *jobs_of(DELETE, 1, first=12, after=(11,)),
    ]
    ledger = Ledger()
    summary, _, _ = push(fake, jobs, ledger)
    assert order.index("10") > order.index("0")
    assert {"11", "12"}.isdisjoint(order)
    assert isinstance(ledger.settled[11], Refused)
    assert ledger.settled[12] == Refused(code="dependency", description="job 11, which must come first, was not done")
    assert (summary.done, summary.refused) == (3, 3)


def test_a_command_that_cannot_be_written_is_refused_alone() -> None:
    ledger = Ledger()
    bad = Job(id=99, command=Command(method=ADD, params={"name": "a\ud800"}), repeatable=False)
    summary, _, _ = push(FakePortal, [*jobs_of(ADD, 3), bad], ledger)
    assert (summary.done, summary.refused) == (3, 1)
    assert isinstance(ledger.settled[99], Refused)


def test_macros_travel_alone_and_arrive_unchanged() -> None:
    seen: list[dict[str, str]] = []

    def fake() -> FakePortal:
        world = FakePortal()
        world.on_execute = lambda method, params: seen.append(params)
        return world

    text = "see $result[a][b] today"
    job = Job(id=7, command=Command(method=ADD, params={"uid": "7", "name": text}), repeatable=False)
    ledger = Ledger()
    summary, world, _ = push(fake, [*jobs_of(ADD, 5), job], ledger)
    assert summary.done == 6
    assert world.sizes == [5]
    assert {"uid": "7", "name": text} in seen


def test_singles_and_batches_do_not_starve_each_other() -> None:
    macro = [
        Job(id=n, command=Command(method=ADD, params={"uid": str(n), "name": "$total[a]"}), repeatable=False)
        for n in range(500, 520)
    ]
    ledger = Ledger()
    _, world, _ = push(FakePortal, [*jobs_of(UPDATE, 500), *macro], ledger)
    singles = [at for at, method in world.methods_at if method == ADD]
    batched = [at for at, method in world.methods_at if method == UPDATE]
    assert min(singles) < max(batched) / 2
    assert min(batched) < max(singles) / 2
    assert len(ledger.ids()) == 520


def test_two_pushes_at_once_share_the_limits() -> None:
    async def main() -> None:
        world, one, two = FakePortal(), Ledger(), Ledger()
        portal = portal_of(world)
        await asyncio.gather(
            portal.push(jobs_of(ADD, 1500), one, asyncio.Event()),
            portal.push(jobs_of(ADD, 1500, first=5000), two, asyncio.Event()),
        )
        assert len(one.ids()) + len(two.ids()) == 3000
        assert (world.rate_refusals, world.blocks) == (0, 0)
        assert world.most_running <= Limits().lanes

    run_virtual(main())


def test_budgets_survive_a_restart() -> None:
    async def main() -> None:
        world, ledger, stop = FakePortal(), Ledger(), asyncio.Event()
        first = portal_of(world)
        task = asyncio.ensure_future(first.push(jobs_of(ADD, 3000), ledger, stop))
        await asyncio.sleep(330)
        stop.set()
        await task
        second = portal_of(world, state=first.budget_state())
        assert second.operating()[ADD].used_s == pytest.approx(first.operating()[ADD].used_s, abs=1)
        left = [job for job in jobs_of(ADD, 3000) if job.id not in ledger.settled]
        await second.push(left, ledger, asyncio.Event())
        assert world.blocks == 0
        assert len(ledger.ids()) == 3000

    run_virtual(main())


def test_a_restart_without_state_costs_at_most_a_probe() -> None:
    async def main() -> None:
        world, ledger, stop = FakePortal(), Ledger(), asyncio.Event()
        task = asyncio.ensure_future(portal_of(world).push(jobs_of(ADD, 3000), ledger, stop))
        await asyncio.sleep(330)
        stop.set()
        await task
        left = [job for job in jobs_of(ADD, 3000) if job.id not in ledger.settled]
        began = asyncio.get_running_loop().time()
        await portal_of(world, state={"version": 1, "junk": []}).push(left, ledger, asyncio.Event())
        assert world.blocks == 0
        assert asyncio.get_running_loop().time() - began < 1100

    run_virtual(main())


def test_a_portal_that_serves_one_request_at_a_time_gets_one_at_a_time() -> None:
    ledger = Ledger()
    fake = lambda: FakePortal(workers=1, costs=lambda m: 0.2, limit=10_000)  # noqa: E731 - built inside the loop
    _, world, seconds = push(fake, jobs_of(UPDATE, 4000), ledger, Limits(operating_limit=10_000))
    assert seconds < 4000 * 0.2 * 1.15
    assert world.cuts == 0


def test_no_log_line_and_no_outcome_holds_the_secret() -> None:
    async def main() -> None:
        faults = iter(['{"error": "X", "error_description": "see /rest/1/topsecretcode/"}', "html", "cut after"])
        world, ledger = FakePortal(faults=lambda: next(faults, None)), Ledger()
        post = world.post

        async def leaking(method: str, body: bytes, timeout_s: float) -> RawAnswer:
            try:
                return await post(method, body, timeout_s)
            except TransportFault:
                raise TransportFault("cut", "https://demo.bitrix24.com/rest/1/topsecretcode/batch broke") from None

        world.post = leaking  # type: ignore[method-assign] # a line that talks too much
        await portal_of(world).push([*jobs_of(ADD, 4), *jobs_of(UPDATE, 9, 100)], ledger, asyncio.Event())
        assert "topsecretcode" not in repr(ledger.settled)

    structlog.reset_defaults()
    with structlog.testing.capture_logs() as lines:
        run_virtual(main())
    assert {line["event"] for line in lines} >= {"batch.sent", "batch.answered", "batch.failed"}
    assert "topsecretcode" not in repr(lines)


def test_waiting_asks_for_time_rarely() -> None:
    async def main() -> None:
        world, ledger = FakePortal(), Ledger()
        portal = portal_of(world)
        clock = portal._clock
        await portal.push(jobs_of(ADD, 4000), ledger, asyncio.Event())
        assert isinstance(clock, VirtualClock)
        assert clock.slept < 3 * world.requests + 20

    run_virtual(main())


FAULTS = ["connect", "503", "500 before", "cut after", "cut within", "half", "html", "silence"]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    trouble=st.sampled_from([0.05, 0.2, 0.4]),
    kinds=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=4, unique=True),
    counts=st.tuples(st.integers(0, 250), st.integers(0, 250), st.integers(0, 60)),
    limit=st.sampled_from([60.0, 480.0]),
    cost=st.sampled_from([0.05, 0.3, 2.0]),
)
# Adds known only from lost requests, which took far longer than the starting cost.
@example(
    seed=1220,
    trouble=0.4,
    kinds=["half", "html", "cut within", "500 before"],
    counts=(36, 198, 2),
    limit=60.0,
    cost=2.0,
)
# Adds known from lost requests and, then, from a single one that was cheap by chance.
@example(
    seed=577,
    trouble=0.4,
    kinds=["connect", "silence"],
    counts=(154, 250, 60),
    limit=60.0,
    cost=2.0,
)
def test_under_random_faults_every_job_settles_once_and_what_is_told_is_true(
    seed: int, trouble: float, kinds: list[str], counts: tuple[int, int, int], limit: float, cost: float
) -> None:
    rng = random.Random(seed)

    def fault() -> Fault:
        return rng.choice(kinds) if rng.random() < trouble else None

    async def main() -> None:
        world = FakePortal(faults=fault, limit=limit, costs=lambda m: cost * rng.uniform(0.5, 1.5))
        ledger = Ledger()
        adds, updates, deletes = counts
        jobs = jobs_of(ADD, adds) + jobs_of(UPDATE, updates, 1000) + jobs_of(DELETE, deletes, 2000)
        rng.shuffle(jobs)
        try:
            await portal_of(world, Limits(operating_limit=limit)).push(jobs, ledger, asyncio.Event())
            assert set(ledger.settled) == {job.id for job in jobs}
        except PortalUnreachableError:
            assert set(ledger.settled) == set(ledger.intended)
        await asyncio.sleep(200)
        assert "503" in kinds or world.rate_refusals == 0
        for job in jobs:
            runs = world.executed[job.command.method, str(job.id)]
            assert job.repeatable or runs <= 1
            match ledger.settled.get(job.id):
                case Done():
                    assert runs >= 1
                case Refused() | None:
                    assert runs == 0
        assert world.blocks == 0

    run_virtual(main())
