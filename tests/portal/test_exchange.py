"""The exchange by itself: pure decisions, step by step."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.portal.exchange.exchange import Exchange
from syncd.portal.exchange.queue import Idle, Job, Send, Wait
from syncd.portal.limits.pace import Limits, Pace
from syncd.portal.line.answers import Answer
from syncd.portal.line.wire import NOT_SENT, CallTime, Command, Done, Refused, Reply, Unknown
from tests.portal.fake import ADD, DELETE, UPDATE, jobs_of

T0 = 1_800_000_000.0


def exchange_of(limits: Limits | None = None) -> tuple[Exchange, Pace]:
    pace = Pace(limits or Limits(), guess=T0, random=lambda: 0.5)
    return Exchange(pace), pace


def sent(decision: Send | Wait | Idle) -> Send:
    assert isinstance(decision, Send), decision
    return decision


def all_done(send: Send, now: float, used: float = 1.0) -> Answer:
    time = CallTime(start=T0 + now - 1.5, finish=T0 + now - 1.1, operating=used, operating_reset_at=T0 + now + 590)
    return Answer(replies=tuple(Done(result=1, time=time) for _ in send.jobs), time=time)


def failed(send: Send, failure: Refused | Unknown) -> Answer:
    return Answer(replies=(failure,) * len(send.jobs), whole=failure)


def test_nothing_to_do_is_idle() -> None:
    exchange, _ = exchange_of()
    assert exchange.next(0) == Idle()
    assert exchange.offer([]) == ()


def test_batches_have_keys_that_are_no_numbers_and_end_in_time() -> None:
    exchange, _ = exchange_of(Limits(batch_seconds=2.0))
    exchange.offer(jobs_of(ADD, 30))
    send = sent(exchange.next(0))
    assert send.keys == tuple(f"c{n}" for n in range(len(send.jobs)))
    assert send.texts[0] == "calendar.event.add?uid=0"
    assert send.expected_s <= 2.0
    assert not send.single


def test_a_job_is_offered_once_and_follows_only_what_was_offered() -> None:
    exchange, _ = exchange_of()
    exchange.offer(jobs_of(ADD, 2))
    with pytest.raises(ValueError, match="offered before"):
        exchange.offer(jobs_of(ADD, 1))
    with pytest.raises(ValueError, match="after job 77"):
        exchange.offer(jobs_of(ADD, 1, first=9, after=(77,)))


def test_answers_settle_jobs_in_the_order_sent() -> None:
    exchange, _ = exchange_of()
    exchange.offer(jobs_of(ADD, 3))
    send = sent(exchange.next(0))
    settled = exchange.answered(send.ticket, 2.0, all_done(send, 2.0))
    assert [job.id for job, _ in settled] == [0, 1, 2]
    assert exchange.next(2.0) == Idle()
    assert exchange.remaining == 0


def test_commands_refused_for_operating_time_wait_and_only_those() -> None:
    exchange, _ = exchange_of()
    exchange.offer(jobs_of(ADD, 2) + jobs_of(UPDATE, 2, first=10))
    send = sent(exchange.next(0))
    good = all_done(send, 2.0).replies
    blocked = Refused(code="OPERATION_TIME_LIMIT", description="", reach="method", transient=True)
    replies: tuple[Reply, ...] = (good[0], blocked, good[2], good[3])
    settled = exchange.answered(send.ticket, 2.0, Answer(replies=replies, time=None))
    assert [job.id for job, _ in settled] == [0, 10, 11]
    wait = exchange.next(2.0)
    assert isinstance(wait, Wait)
    assert wait.why == "operating time of calendar.event.add"
    assert wait.until is not None
    again = sent(exchange.next(wait.until))
    assert [job.id for job in again.jobs] == [1]


LACKING = Refused(code="ERROR_METHOD_NOT_FOUND", description="Method not found!", reach="method")


def test_a_method_the_portal_lacks_is_asked_for_once_and_all_its_jobs_are_refused() -> None:
    exchange, _ = exchange_of(Limits(batch_size=2))
    follower = Job(id=90, command=Command(method=ADD, params={}), repeatable=False, after=(20,))
    exchange.offer(jobs_of(ADD, 8) + jobs_of(UPDATE, 1, first=20) + [follower])
    exchange.offer(jobs_of(ADD, 2, first=30), single=True)
    first = sent(exchange.next(0))
    assert [job.id for job in first.jobs] == [0, 1]
    answer = Answer(replies=(all_done(first, 1.0).replies[0], LACKING), time=None)
    settled = exchange.answered(first.ticket, 1.0, answer)
    refused = sorted(job.id for job, reply in settled if reply == LACKING)
    assert refused == [1, 2, 3, 4, 5, 6, 7, 30, 31, 90]
    assert [reply for _, reply in exchange.offer(jobs_of(ADD, 1, first=99))] == [LACKING]
    later = sent(exchange.next(1.0))
    assert [job.id for job in later.jobs] == [20], "other methods go on"
    assert exchange.answered(later.ticket, 2.0, all_done(later, 2.0))[0][0].id == 20
    assert exchange.next(2.0) == Idle()


def test_what_was_lost_before_stays_unknown_when_its_method_turns_out_to_be_lacking() -> None:
    exchange, _ = exchange_of(Limits(batch_size=2))
    exchange.offer(jobs_of(UPDATE, 6))
    known = sent(exchange.next(0))
    exchange.answered(known.ticket, 1.0, all_done(known, 1.0))
    lost, refused = sent(exchange.next(1.0)), sent(exchange.next(1.0))
    assert exchange.answered(lost.ticket, 2.0, failed(lost, Unknown(reason="cut"))) == ()
    settled = {job.id: reply for job, reply in exchange.answered(refused.ticket, 2.0, Answer(replies=(LACKING,) * 2))}
    assert settled == {2: Unknown(reason="cut"), 3: Unknown(reason="cut"), 4: LACKING, 5: LACKING}


def test_a_refusal_for_the_rate_puts_everything_back_and_leaves_one_lane() -> None:
    exchange, pace = exchange_of()
    exchange.offer(jobs_of(ADD, 5))
    send = sent(exchange.next(0))
    refused = Refused(code="QUERY_LIMIT_EXCEEDED", description="", reach="rate", transient=True)
    assert exchange.answered(send.ticket, 1.0, failed(send, refused)) == ()
    assert pace.lanes.allowed == 1
    assert [job.id for job in sent(exchange.next(1.0)).jobs] == [0, 1, 2, 3, 4]


def test_a_lost_request_pauses_and_halves_the_batch() -> None:
    exchange, pace = exchange_of()
    exchange.offer(jobs_of(UPDATE, 40))
    send = sent(exchange.next(0))
    assert exchange.answered(send.ticket, 60.0, failed(send, Unknown(reason="cut"))) == ()
    assert pace.batch_seconds == 10
    wait = exchange.next(60.0)
    assert isinstance(wait, Wait)
    assert wait.until is not None
    assert 61 <= wait.until <= 62
    assert wait.why == "pause after a fault"


def test_suspects_travel_in_small_groups_then_alone() -> None:
    exchange, _ = exchange_of()
    exchange.offer(jobs_of(UPDATE, 10))
    now, sizes = 0.0, []
    for _ in range(40):
        decision = exchange.next(now)
        if isinstance(decision, Wait):
            now = decision.until if decision.until is not None else now + 1
            continue
        if isinstance(decision, Idle):
            break
        sizes.append(len(decision.jobs))
        poisoned = any(job.id == 3 for job in decision.jobs)
        answer = failed(decision, Unknown(reason="HTTP 500")) if poisoned else all_done(decision, now + 1)
        settled = exchange.answered(decision.ticket, now + 1, answer)
        assert all(isinstance(outcome, Done) == (job.id != 3) for job, outcome in settled)
    assert sizes[0] == 10
    assert max(sizes[1:]) <= 7
    assert exchange.remaining == 0


def test_a_careful_job_travels_by_itself() -> None:
    exchange, _ = exchange_of()
    exchange.offer(jobs_of(ADD, 2, careful=True) + jobs_of(ADD, 5, first=10))
    now, groups = 0.0, []
    while isinstance(decision := exchange.next(now), Send):
        groups.append([job.id for job in decision.jobs])
        now += 2
        exchange.answered(decision.ticket, now, all_done(decision, now))
    assert groups == [[0], [1], [10, 11, 12, 13, 14]]


def test_a_request_counts_from_its_departure_not_from_the_decision_to_send_it() -> None:
    exchange, pace = exchange_of()
    exchange.offer(jobs_of(UPDATE, 5))
    send = sent(exchange.next(0.0))
    # The gate and the journal may hold a request back; nothing of it is at work in the portal meanwhile.
    send.sent_at = 120.0
    (flight,) = exchange.flying(121.0)
    assert flight.age_s == 1.0
    exchange.answered(send.ticket, 130.0, failed(send, Unknown(reason="cut")))
    assert set(pace.operating.drops(UPDATE, T0 + 130)) == {int(T0 + 120) // 60}
    # No command can outlast the ten seconds since the departure.
    assert 0 < pace.operating.used(UPDATE, T0 + 130) <= 10.0


def test_a_withdrawn_request_leaves_no_trace() -> None:
    exchange, pace = exchange_of()
    exchange.offer(jobs_of(ADD, 5))
    send = sent(exchange.next(0))
    exchange.drop(send.ticket, 0, departed=False)
    assert pace.operating.reserved[ADD] == 0
    assert exchange.give_back() == ()
    assert sent(exchange.next(0)).jobs == send.jobs


def test_what_was_sent_but_not_executed_is_given_back_as_not_sent() -> None:
    exchange, _ = exchange_of()
    exchange.offer(jobs_of(ADD, 2) + jobs_of(UPDATE, 2, first=10))
    send = sent(exchange.next(0))
    away = Refused(code=NOT_SENT, description="refused", reach="rate", transient=True)
    exchange.answered(send.ticket, 1.0, failed(send, away))
    given = exchange.give_back()
    assert [(job.id, outcome.code) for job, outcome in given if isinstance(outcome, Refused)] == [
        (0, NOT_SENT), (1, NOT_SENT), (10, NOT_SENT), (11, NOT_SENT),
    ]  # fmt: skip
    assert exchange.remaining == 0


def test_a_shorter_batch_than_ours_is_learned() -> None:
    exchange, _ = exchange_of()
    exchange.offer(jobs_of(ADD, 8))
    send = sent(exchange.next(0))
    long = Refused(code="ERROR_BATCH_LENGTH_EXCEEDED", description="", transient=True)
    replies = (*all_done(send, 2.0).replies[:4], *(long,) * 4)
    assert len(exchange.answered(send.ticket, 2.0, Answer(replies=replies))) == 4
    assert [job.id for job in sent(exchange.next(2.0)).jobs] == [4, 5, 6, 7]


def test_a_batch_that_is_itself_out_of_operating_time_waits_as_a_whole() -> None:
    exchange, _ = exchange_of()
    exchange.offer(jobs_of(ADD, 3))
    send = sent(exchange.next(0))
    refused = Refused(code="OPERATION_TIME_LIMIT", description="", reach="method", transient=True)
    assert exchange.answered(send.ticket, 1.0, failed(send, refused)) == ()
    wait = exchange.next(1.0)
    assert isinstance(wait, Wait)
    assert wait.until is not None
    assert [job.id for job in sent(exchange.next(wait.until)).jobs] == [0, 1, 2]


def test_a_job_waits_for_all_it_follows_and_goes_not_when_one_was_not_done() -> None:
    exchange, _ = exchange_of(Limits(batch_size=1, lanes=1))
    jobs = jobs_of(UPDATE, 3, success="id")
    exchange.offer([*jobs, *jobs_of(ADD, 1, first=10, after=(0, 1)), *jobs_of(ADD, 1, first=11, after=(1, 2))])
    assert exchange.counts() == {UPDATE: 3, ADD: 2}
    gone: list[int] = []
    settled: list[tuple[int, bool]] = []
    while isinstance(decision := exchange.next(0), Send):
        (job,) = decision.jobs
        gone.append(job.id)
        said = Answer(replies=(Done(result="Access denied" if job.id == 2 else 1),))
        settled += [(one.id, isinstance(what, Done)) for one, what in exchange.answered(decision.ticket, 0, said)]
    assert gone == [0, 1, 2, 10]
    assert sorted(settled) == [(0, True), (1, True), (2, False), (10, True), (11, False)]
    assert exchange.remaining == 0


def test_big_commands_do_not_make_a_huge_request() -> None:
    exchange, _ = exchange_of()
    text = "x" * 150_000
    exchange.offer(Job(id=n, command=Command(method=ADD, params={"d": text}), repeatable=False) for n in range(30))
    while isinstance(decision := exchange.next(0), Send):
        assert sum(map(len, decision.texts)) <= 1_000_000
        exchange.answered(decision.ticket, 0, all_done(decision, 0.0))
    assert exchange.remaining == 0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_decisions_are_deterministic_and_every_job_settles_once(seed: int) -> None:
    def story() -> list[object]:
        rng = random.Random(seed)
        exchange, pace = exchange_of(Limits(batch_size=rng.choice([1, 5, 50]), lanes=rng.choice([1, 3])))
        jobs = jobs_of(ADD, 30) + jobs_of(UPDATE, 30, first=100)
        jobs += [
            job
            for n in range(20)
            for job in jobs_of(DELETE, 1, first=200 + n, after=rng.choice([(n,), (100 + n,), (n, 100 + n)]))
        ]
        told: list[object] = list(exchange.offer(jobs))
        flying: list[Send] = []
        settled: list[int] = []
        now = 0.0
        while True:
            decision = exchange.next(now)
            if isinstance(decision, Idle):
                break
            told.append(decision)
            if isinstance(decision, Send):
                flying.append(decision)
                assert pace.lanes.in_flight == len(flying) <= 3
                if rng.random() < 0.5:
                    continue
            elif decision.until is not None:
                assert decision.until > now
                now = decision.until
            if flying:
                send = flying.pop(rng.randrange(len(flying)))
                now += rng.random()
                settled += [job.id for job, _ in exchange.answered(send.ticket, now, random_answer(rng, send, now))]
        settled += [job.id for job, _ in exchange.give_back()]
        assert len(settled) == len(set(settled))
        assert exchange.stopped is not None or set(settled) == {job.id for job in jobs}
        assert not any(pace.operating.reserved[method] for method in (ADD, UPDATE, DELETE))
        return told

    assert story() == story()


def random_answer(rng: random.Random, send: Send, now: float) -> Answer:
    kinds: list[Refused | Unknown] = [
        Unknown(reason="cut"),
        Refused(code="QUERY_LIMIT_EXCEEDED", description="", reach="rate", transient=True),
        Refused(code=NOT_SENT, description="", reach="rate", transient=True),
    ]
    nested: list[Reply] = [
        Unknown(reason="no word"),
        Refused(code="", description="no"),
        Refused(code="OPERATION_TIME_LIMIT", description="", reach="method", transient=True),
    ]
    if rng.random() < 0.2:
        return failed(send, rng.choice(kinds))
    replies = [rng.choice(nested) if rng.random() < 0.15 else done for done in all_done(send, now).replies]
    return Answer(replies=tuple(replies), time=None)


def test_a_method_nobody_has_measured_has_forty_commands_out_until_one_answers() -> None:
    exchange, _ = exchange_of()
    exchange.offer(jobs_of(ADD, 400))
    wave = []
    while isinstance(send := exchange.next(0), Send):
        wave.append(send)
    assert send == Wait(until=None, why="answers")
    assert len(wave) == 6
    assert sum(len(one.jobs) for one in wave) == 40
    assert max(len(one.jobs) for one in wave) == 7
    exchange.answered(wave[0].ticket, 2.0, all_done(wave[0], 2.0))
    assert isinstance(exchange.next(2.0), Send)


def test_a_long_push_begins_with_one_request_alone() -> None:
    exchange, _ = exchange_of()
    exchange.offer(jobs_of(ADD, 1500) + jobs_of(UPDATE, 600, first=2000))
    first = sent(exchange.next(0))
    assert Counter(job.command.method for job in first.jobs) == {ADD: 10, UPDATE: 10}
    assert exchange.next(0) == Wait(until=None, why="answers")
    exchange.answered(first.ticket, 2.0, all_done(first, 2.0))
    assert isinstance(exchange.next(2.0), Send)


@pytest.mark.parametrize("limit", [20.0, 60.0, 150.0, 480.0])
def test_commands_of_ten_seconds_do_not_pass_the_limit_before_the_first_answer(limit: float) -> None:
    exchange, _ = exchange_of(Limits(operating_limit=limit))
    exchange.offer(jobs_of(ADD, 400))
    commands = 0
    while isinstance(send := exchange.next(0), Send):
        commands += len(send.jobs)
    assert commands == 10 or commands * 10 <= limit * 0.9


def test_a_lost_request_is_booked_with_the_time_it_took_when_that_is_more_than_expected() -> None:
    exchange, pace = exchange_of()
    exchange.offer(jobs_of(UPDATE, 10))
    send = sent(exchange.next(0))
    exchange.answered(send.ticket, 60.0, failed(send, Unknown(reason="cut")))
    assert send.expected_s < 10
    assert pace.operating.used(UPDATE, pace.clock.at(60.0)) == pytest.approx(60.0)


def test_what_is_left_is_parted_evenly_so_that_all_lanes_end_together() -> None:
    exchange, pace = exchange_of(Limits(batch_seconds=20.0, lanes=3))
    for _ in range(10):
        pace.costs.learn(UPDATE, 0.4)
    exchange.offer(jobs_of(UPDATE, 90))
    last = [sent(exchange.next(4.0)) for _ in range(3)]
    assert [len(send.jobs) for send in last] == [30, 30, 30]


def test_what_is_left_makes_no_more_requests_than_it_needs() -> None:
    exchange, pace = exchange_of()
    for _ in range(20):
        pace.costs.learn(UPDATE, 0.05)
    pace.lanes.answered(None)
    exchange.offer(jobs_of(UPDATE, 1000))
    rng = random.Random(2)
    now, sizes, flying = 0.0, [], list[tuple[float, Send]]()
    while exchange.remaining:
        while isinstance(send := exchange.next(now), Send):
            flying.append((now + len(send.jobs) * rng.uniform(0.03, 0.07), send))
            sizes.append(len(send.jobs))
        ends, send = min(flying, key=lambda one: one[0])
        flying.remove((ends, send))
        now = ends
        time = CallTime(start=T0 + now - 0.05, finish=T0 + now + 0.0001)
        exchange.answered(
            send.ticket, now, Answer(replies=tuple(Done(result=1, time=time) for _ in send.jobs), time=time)
        )
    assert len(sizes) <= 26
    assert sum(sizes) == 1000


def test_a_short_push_stays_one_request_with_all_lanes_open() -> None:
    exchange, pace = exchange_of()
    exchange.offer(jobs_of(UPDATE, 10))
    first = sent(exchange.next(0))
    assert len(first.jobs) == 10
    exchange.answered(first.ticket, 4.0, all_done(first, 4.0))
    exchange.offer(jobs_of(UPDATE, 9, first=100))
    assert pace.lanes.allowed - pace.lanes.in_flight == 8
    assert len(sent(exchange.next(4.0)).jobs) == 9


@pytest.mark.parametrize(("commands", "requests"), [(40, 8), (200, 6)])
def test_before_the_first_answer_a_small_push_goes_out_on_all_lanes_and_a_larger_one_on_six(
    commands: int, requests: int
) -> None:
    exchange, _ = exchange_of(Limits(lanes=8))
    exchange.offer(jobs_of(ADD, commands))
    sends = 0
    while isinstance(exchange.next(0.0), Send):
        sends += 1
    assert sends == requests


def test_before_the_first_answer_a_reading_goes_out_on_six_lanes_however_small_it_is() -> None:
    _, pace = exchange_of(Limits(lanes=8))
    exchange = Exchange(pace, reading=True)
    exchange.offer(jobs_of("calendar.event.getbyid", 40))
    sends = 0
    while isinstance(exchange.next(0.0), Send):
        sends += 1
    assert sends == 6


def test_a_request_is_timed_from_its_departure_not_from_its_wait_before() -> None:
    exchange, pace = exchange_of()
    exchange.offer(jobs_of(UPDATE, 10))
    send = sent(exchange.next(0))
    send.sent_at = 30.0
    assert [flight.age_s for flight in exchange.flying(31.0)] == [1.0]
    exchange.answered(send.ticket, 31.0, failed(send, Unknown(reason="cut")))
    assert pace.operating.used(UPDATE, pace.clock.at(31.0)) == pytest.approx(send.expected_s)


def test_a_lost_request_leaves_to_an_unmeasured_method_all_the_time_that_measured_ones_do_not_need() -> None:
    exchange, pace = exchange_of()
    pace.costs.learn(UPDATE, 1.0)
    exchange.offer(jobs_of(UPDATE, 2) + jobs_of(ADD, 5, first=10))
    send = sent(exchange.next(0))
    assert {job.command.method for job in send.jobs} == {UPDATE, ADD}
    exchange.answered(send.ticket, 22.0, failed(send, Unknown(reason="cut")))
    assert pace.operating.used(ADD, pace.clock.at(22.0)) == pytest.approx(20.0)
    assert pace.costs.expected(ADD) == pytest.approx(4.0)
    pace.costs.learn(ADD, 0.3)
    assert pace.costs.expected(ADD) == pytest.approx(0.6)  # one cheap command is not believed yet
    for _ in range(7):
        pace.costs.learn(ADD, 0.3)
    assert pace.costs.expected(ADD) == pytest.approx(0.3)


def test_requests_that_fail_together_try_the_patience_once() -> None:
    exchange, pace = exchange_of()
    exchange.offer(jobs_of(UPDATE, 400))
    wave = [sent(exchange.next(0)) for _ in range(6)]
    for send in wave:
        exchange.answered(send.ticket, 1.0, failed(send, Unknown(reason="cut")))
    assert pace.faults == 1
    assert pace.batch_seconds == 10
    assert exchange.stopped is None
    assert isinstance(exchange.next(1.0), Wait)


def test_a_request_that_left_before_a_refusal_does_not_end_the_wait_after_it() -> None:
    exchange, pace = exchange_of()
    exchange.offer(jobs_of(UPDATE, 400))
    first, second = sent(exchange.next(0)), sent(exchange.next(0))
    refused = Refused(code="OPERATION_TIME_LIMIT", description="", reach="method", transient=True)
    exchange.answered(first.ticket, 2.0, Answer(replies=(refused,) * len(first.jobs)))
    exchange.answered(second.ticket, 3.0, all_done(second, 3.0))
    assert not pace.operating.fits(UPDATE, pace.clock.at(3.0), 0.1)
