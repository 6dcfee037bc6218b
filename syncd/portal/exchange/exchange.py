"""Decides which request goes out next, and what an answer means for the jobs in it. No IO, no clock.

    offer -> waiting -> next: Send -> answered -> settled
                ^          |             |
                +----------+- drop       +- not executed, or unknown and repeatable: back to waiting

A job is settled exactly once. A create whose fate is unknown is never sent again from here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from syncd.lang.saying import say, say_count
from syncd.portal.exchange.queue import Idle, Job, Queue, Send, Wait, Waiting
from syncd.portal.limits.pace import ENVELOPE, Batch, Executed, Flying, Pace
from syncd.portal.line.answers import Answer
from syncd.portal.line.wire import (
    DEPENDENCY,
    NOT_SENT,
    UNEXPECTED,
    UNSENDABLE,
    Command,
    Done,
    Refused,
    Reply,
    Success,
    Unknown,
    believed,
    written,
)

_RESENDS = 3
_RESEND_AFTER_S = 1.0
_SUSPECTS = 7
"""Jobs that shared a lost request travel in small groups next, then one by one, so that the culprit is found."""

_REFUSALS_PER_FAULT = 4
_SINGLE_EVERY = 2
_SHORTEST_WAIT_S = 0.5
_ROUNDING_S = 1e-3
_SHORTEST_SHARE_S = 1.0
_SHORTEST_ALONE_S = 4.0
"""A push as short as this is one request."""

_CRUMB_S = 0.5
"""A rest smaller than this is not worth a request of its own."""

_REFUSED_PROBES = 6
"""A method is given up after this many refusals in a row, each after a longer wait: about 25 minutes in all."""

PATIENCE = 8
"""A push gives up after this many requests in a row without an answer: about three minutes of pauses."""

_LONGEST_HASTY_WAIT_S = 5.0
"""A caller that only checks whether the portal works does not wait longer than this; it is told of the wait."""

_SHOWN = 200
_AFTER_A_FAULT = say("pause after a fault")
_RESENDING = say("a pause before sending again")
_STOPPED = say("stopped before it was sent again")

Settled = tuple[tuple[Job, Reply], ...]


class Exchange:
    """The jobs of one push or reading, sent at the `pace` that all exchanges of the portal share.

    `stopped` is the reason why nothing more is sent: the portal refuses the caller or no longer answers, or, with
    `hasty`, a method is blocked and a long wait would follow.
    """

    def __init__(self, pace: Pace, *, patience: int = PATIENCE, reading: bool = False, hasty: bool = False) -> None:
        self.stopped: Refused | Unknown | None = None
        self._pace = pace
        self._reading = reading
        self._hasty = hasty
        self._patience = patience
        self._faults = self._refusals = 0
        self._fault_at = self._refused_at = -math.inf
        self._queue = Queue()
        self._flights: dict[int, Send] = {}
        self._open = 0
        self._done: dict[int, bool | None] = {}  # of every job that was offered; None while it is not settled
        self._bare: dict[tuple[str, Success], Command] = {}
        self._lacking: dict[str, Refused] = {}  # methods that the portal refuses for good, with its answer
        self._tickets = 0
        self._batches_in_a_row = 0
        self._batch_size = pace.limits.batch_size
        self._met: set[str] = set()  # methods that were blocked (429) during this exchange

    @property
    def remaining(self) -> int:
        """Number of jobs offered and not settled."""
        return self._open

    @property
    def in_flight(self) -> int:
        """Number of requests sent and not answered."""
        return len(self._flights)

    def counts(self) -> Mapping[str, int]:
        """Return the number of waiting jobs by method."""
        return self._queue.counts()

    def flying(self, now: float) -> tuple[Flying, ...]:
        """Return the requests in flight, in the form that a forecast takes."""
        return tuple(Flying(counts=Counter(send.methods), age_s=now - send.sent_at) for send in self._flights.values())

    def offer(self, jobs: Iterable[Job], *, single: bool = False) -> Settled:
        """Take in jobs, each id once; return those that are settled at once because they can never be sent.

        With `single` every job becomes a call of its own. Raises ValueError for an id offered before, and for an
        `after` that names a job that was not offered.
        """
        settled: list[tuple[Job, Reply]] = []
        for job in jobs:
            if job.id in self._done:
                raise ValueError(f"job {job.id} was offered before")
            for one in job.after:
                if one not in self._done:
                    raise ValueError(f"job {job.id} is to come after job {one}, which was not offered")
            self._done[job.id] = None
            self._open += 1
            form = written(job.command)
            if form.unsendable is not None:
                settled += self._settle(job, Refused(code=UNSENDABLE, description=form.unsendable))
            elif (lacking := self._lacking.get(job.command.budget_key)) is not None:
                settled += self._settle(job, lacking)
            elif failed := [one for one in job.after if self._done.get(one) is False]:
                settled += self._settle(job, _dependency(failed[0]))
            else:
                text = None if single else form.text
                kept = job if text is None else self._without_values(job)
                self._queue.add(kept, text, behind=[one for one in job.after if self._done[one] is None])
        return tuple(settled)

    def _without_values(self, job: Job) -> Job:
        """Return a job whose batch form says all that is sent, in much less memory than its values."""
        method, success = job.command.method, job.command.success
        bare = self._bare.get((method, success))
        if bare is None:
            bare = self._bare[method, success] = Command(method=method, success=success)
        return Job(id=job.id, command=bare, repeatable=job.repeatable, after=job.after, careful=job.careful)

    def next(self, now: float) -> Send | Wait | Idle:
        """Decide what happens next at monotonic time `now`. A Send counts as in flight from here on.

        Whoever sends it sets its `sent_at` when it leaves, after its wait for the gate and the journal.
        """
        if self.stopped is not None or not self._open:
            return Wait(until=None, why="answers") if self._flights else Idle(stopped=self.stopped)
        if self._pace.lanes.in_flight >= self._pace.lanes.allowed:
            return Wait(until=None, why="answers")
        pause = self._pace.paused_until
        if pause is not None and now < pause:
            return Wait(until=pause, why=_AFTER_A_FAULT)
        self._queue.wake(now)
        left = self._queue.counts()
        if not left.total():  # all that is open is in flight
            return Wait(until=None, why="answers")
        if not self._reading and not self._pace.lanes.in_flight:  # what is read is short, and a request costs the same
            costs = self._pace.costs
            self._pace.lanes.begin(sum(count * costs.expected(method) for method, count in left.items()))
        # Neither kind may starve the other: single calls have a turn after every few batches.
        single_first = self._batches_in_a_row >= _SINGLE_EVERY
        for single in (single_first, not single_first):
            chosen = self._pick_single(now, left) if single else self._pick_batch(now, left)
            if chosen:
                self._batches_in_a_row = 0 if single else self._batches_in_a_row + 1
                return self._launch(chosen, now, single=single)
        wait = self._wait(now, left)
        over = self._hopeless() or (self._hasty and self._too_long(wait, now))
        return Idle(stopped=self.stopped) if over else wait

    def answered(self, ticket: int, now: float, answer: Answer) -> Settled:
        """Take in the answer to a request; return the jobs it settles, with their final replies."""
        send, whole = self._flights.pop(ticket), answer.whole
        match whole:
            case Unknown():
                self._pace.lost(send.costs, batched=not send.single, sent_at=send.sent_at, now=now)
                self._fault(whole, send, now)
            case Refused(code="not_sent"):
                self._pace.unreached(send.costs, now=now)
                self._fault(Unknown(reason=whole.description), send, now)
            case Refused(reach="rate"):
                self._pace.refused_for_rate(send.costs)
                if send.sent_at >= self._refused_at:
                    self._refusals, self._refused_at = self._refusals + 1, now
                if self._refusals >= _REFUSALS_PER_FAULT * self._patience:
                    self.stopped = whole
            case Refused(reach="method"):
                # The envelope itself is out of operating time, although no portal is known to count it.
                self._pace.withdrawn(send.costs)
                self._pace.blocked(ENVELOPE, batched=False, now=now)
                self._queue.put_back(send.waiting, sent=True)
                return ()
            case _:
                self._faults = self._refusals = 0
                self._pace.answered(
                    list(map(Executed, send.methods, answer.replies)),
                    time=answer.time,
                    batched=not send.single,
                    sent_at=send.sent_at,
                    now=now,
                    alone=send.alone,
                    costs=send.costs,
                )
        return self._decide(send, answer, now)

    def drop(self, ticket: int, now: float, *, departed: bool) -> None:
        """Give up a request that did not come to its end. Do nothing if it was answered.

        If it had left, its commands may run and count, and its jobs stay unsettled. Otherwise its jobs wait again.
        """
        send = self._flights.pop(ticket, None)
        if send is None:
            return
        if departed:
            self._pace.lost(send.costs, batched=not send.single, sent_at=send.sent_at, now=now)
        else:
            self._pace.withdrawn(send.costs)
            self._queue.put_back(send.waiting)

    def give_back(self) -> Settled:
        """Settle, as not sent, the jobs that went out before, were not executed and now wait again.

        For the end of a push that stops early: what was written down as intended is then known not to have happened.
        """
        refused = Refused(code=NOT_SENT, description=_STOPPED, reach="rate", transient=True)
        settled: list[tuple[Job, Reply]] = []
        for waiting in self._queue.take_sent():
            settled += self._settle(waiting.job, self._given_up(waiting, refused))
        return tuple(settled)

    def _pick_single(self, now: float, left: Counter[str]) -> Sequence[Waiting]:
        closed: set[str] = set()
        while (waiting := self._queue.first(single=True, without=closed)) is not None:
            ration = self._pace.ration(waiting.method, now, left)
            if (
                not self._pace.crowded(ration.cost_s)
                and ration.most
                and (ration.cost_s <= ration.room_s or self._pace.may_probe(waiting.method, now))
            ):
                self._queue.take(waiting)
                return (waiting,)
            closed.add(waiting.method)
        return ()

    def _pick_batch(self, now: float, left: Counter[str]) -> Sequence[Waiting]:
        if self._queue.suspects and (lonely := self._pick_suspects(now, left)):
            return lonely
        batch = Batch(pace=self._pace, now=now, size=self._batch_size, left=left, fair_s=self._fair_s(now, left))
        chosen: list[Waiting] = []
        closed: set[str] = set()
        while not batch.full and (waiting := self._queue.first(single=False, without=closed)) is not None:
            if batch.takes(waiting.method, len(self._queue.text_of(waiting) or "")):
                self._queue.take(waiting)
                chosen.append(waiting)
            else:
                # Methods have budgets of their own: when adds must wait, updates and deletes go on.
                closed.add(waiting.method)
        return chosen

    def _fair_s(self, now: float, left: Counter[str]) -> float:
        """Return how long one of the last batches should take, so that all lanes end at the same time.

        What is left makes equal requests, as few as full ones would be: ever smaller ones would use up the rate.
        """
        costs, flights = self._pace.costs, self._flights.values()
        left_s = sum(count * costs.expected(method) for method, count in left.items())
        if left_s <= (_SHORTEST_SHARE_S if flights else _SHORTEST_ALONE_S):
            return math.inf
        flying_s = sum(max(0.0, send.expected_s - (now - send.sent_at)) for send in flights)
        ends_s = (left_s + flying_s) / self._pace.lanes.allowed
        full_s = min(self._pace.longest_s, self._batch_size * left_s / max(1, left.total()))
        share_s = max(_SHORTEST_SHARE_S, ends_s / max(1, math.ceil(ends_s / max(full_s, _SHORTEST_SHARE_S))))
        return math.inf if left_s - share_s < _CRUMB_S else share_s

    def _pick_suspects(self, now: float, left: Counter[str]) -> Sequence[Waiting]:
        """Pick jobs that a lost request left in doubt: a small group, or one that was lost more than once."""
        batch = Batch(pace=self._pace, now=now, size=min(_SUSPECTS, self._batch_size), left=left)
        chosen: list[Waiting] = []
        for waiting in sorted(self._queue.suspects):
            size = len(self._queue.text_of(waiting) or "")
            if (waiting.lonely and chosen) or batch.full or not batch.takes(waiting.method, size):
                continue
            self._queue.take(waiting)
            chosen.append(waiting)
            if waiting.lonely:
                break
        return chosen

    def _launch(self, chosen: Sequence[Waiting], now: float, *, single: bool) -> Send:
        costs: dict[str, float] = {}
        for waiting in chosen:
            costs[waiting.method] = costs.get(waiting.method, 0.0) + self._pace.costs.expected(waiting.method)
        for other in self._flights.values():
            other.alone = False
        self._tickets += 1
        send = Send(
            ticket=self._tickets,
            jobs=tuple(waiting.job for waiting in chosen),
            methods=tuple(waiting.method for waiting in chosen),
            waiting=tuple(chosen),
            single=single,
            # Keys that are numbers would become a PHP list, and gaps in it would shift the answers (PORTAL.md 2.1).
            keys=() if single else tuple(f"c{index}" for index in range(len(chosen))),
            texts=tuple(text for waiting in chosen if (text := self._queue.text_of(waiting)) is not None),
            costs=costs,
            expected_s=sum(costs.values()),
            reading=self._reading,
            sent_at=now,
            alone=not self._pace.lanes.in_flight,
        )
        self._pace.sent(costs)
        self._flights[send.ticket] = send
        return send

    def _hopeless(self) -> bool:
        """Stop, and return True, when only methods are left that the portal refuses after every wait."""
        methods = [method for method, _ in self._queue.methods()]
        if self._flights or not methods or self._queue.resend_at() is not None:
            return False
        if any(m not in self._met or self._pace.operating.refusals(m) < _REFUSED_PROBES for m in methods):
            return False
        said = say_count(
            "{methods} still refused after {count} wait",
            "{methods} still refused after {count} ever longer waits",
            _REFUSED_PROBES,
            methods=tuple(dict.fromkeys(methods)),
        )
        self.stopped = Refused(code="OPERATION_TIME_LIMIT", description=said, reach="method", transient=True)
        return True

    def _too_long(self, wait: Wait, now: float) -> bool:
        """Stop, and return True, if the wait is for a method's operating time, and long."""
        if self._flights or wait.method is None or wait.until is None or wait.until - now <= _LONGEST_HASTY_WAIT_S:
            return False
        said = say("{method} is blocked for another {seconds:.0f} s", method=wait.method, seconds=wait.until - now)
        self.stopped = Refused(code="OPERATION_TIME_LIMIT", description=said, reach="method", transient=True)
        return True

    def _wait(self, now: float, left: Counter[str]) -> Wait:
        """Return until when nothing can be sent, and why."""
        times: list[tuple[float, str, str | None]] = []
        for method, single in self._queue.methods():
            if self._pace.untried(method):
                continue
            free_at = self._pace.free_at(method, now, left)
            if not single:
                free_at = max(free_at, self._pace.envelope_free_at(now))
            times.append((free_at, say("operating time of {method}", method=method), method))
        if (resend_at := self._queue.resend_at()) is not None:
            times.append((resend_at, _RESENDING, None))
        if not times:
            return Wait(until=None, why="answers")
        until, why, waited = min(times, key=lambda one: one[:2])
        # Two clocks may disagree by a rounding: never wait for a moment that has passed.
        if until <= now + _ROUNDING_S and self._pace.lanes.in_flight:
            return Wait(until=None, why="answers")
        return Wait(until=max(until, now + _SHORTEST_WAIT_S), why=why, method=waited)

    def _decide(self, send: Send, answer: Answer, now: float) -> Settled:
        """Settle each job of a request by its reply, or put it back to be sent again; `Refused.reach` says which."""
        settled: list[tuple[Job, Reply]] = []
        blocked: set[str] = set()
        for waiting, said in zip(send.waiting, answer.replies, strict=True):
            reply = self._judged(waiting.job, said)
            match reply:
                case Refused(reach="rate") | Refused(reach="method", transient=True):
                    if reply.reach == "method":
                        blocked.add(waiting.method)
                    self._queue.put_back((waiting,), sent=True)
                case Refused(code="ERROR_BATCH_LENGTH_EXCEEDED") if len(answer.replies) > 1:
                    self._batch_size = min(self._batch_size, max(1, len(answer.replies) // 2))
                    self._queue.put_back((waiting,), sent=True)
                case Refused(reach="method"):
                    self._lacking[waiting.method] = reply
                    settled += self._settle(waiting.job, reply)
                case Refused(reach="portal"):
                    # While reading, a missing scope for one method of a batch concerns that method alone.
                    if answer.whole is not None or not self._reading:
                        self.stopped = reply
                    settled += self._settle(waiting.job, reply)
                case Unknown() if waiting.job.repeatable and waiting.losses < _RESENDS:
                    pause = _RESEND_AFTER_S * 2**waiting.losses
                    self._queue.resend(waiting, at=now + pause, doubt=reply)
                case Unknown():
                    settled += self._settle(waiting.job, replace(reply, ended=reply.ended and waiting.ended))
                case _:
                    settled += self._settle(waiting.job, reply)
        self._met |= blocked
        for method in sorted(blocked):
            self._pace.blocked(method, batched=not send.single, now=now)
        if self._lacking:
            settled += self._refuse_lacking()
        return tuple(settled)

    def _refuse_lacking(self) -> Settled:
        """Settle every waiting job whose method the portal refuses for good: the answer would always be the same."""
        settled: list[tuple[Job, Reply]] = []
        for method, reply in self._lacking.items():
            for waiting in self._queue.take_method(method):
                settled += self._settle(waiting.job, self._given_up(waiting, reply))
        return tuple(settled)

    def _given_up(self, waiting: Waiting, reply: Refused) -> Reply:
        """Return what is known of a job that is not sent (again): one that was lost before may have been executed."""
        return reply if waiting.doubt is None else Unknown(reason=waiting.doubt, ended=waiting.ended)

    def _fault(self, why: Unknown, send: Send, now: float) -> None:
        # Requests that were in flight together are one trial of the portal's patience.
        if send.sent_at >= self._fault_at:
            self._faults, self._fault_at = self._faults + 1, now
        # A clear word, though an unknown one, is no silence: to read again would change nothing.
        if (self._faults >= self._patience or (why.code and self._reading)) and self.stopped is None:
            self.stopped = why

    def _judged(self, job: Job, reply: Reply) -> Reply:
        """Return what an answer is taken for: the one place that judges whether it is believed.

        A sentence in place of a result is a refusal (PORTAL.md 4.3), and a reading of another shape is none.
        """
        if not isinstance(reply, Done):
            return reply
        if not self._reading:
            done = believed(job.command, reply)
            return reply if done else Refused(code=UNEXPECTED, description=str(reply.result)[:_SHOWN])
        if not reply.doubt:
            return reply
        return Unknown(reason=say("{method}: {fault}", method=job.command.method, fault=reply.doubt), ended=True)

    def _settle(self, job: Job, reply: Reply) -> Settled:
        """Settle a job, and with it those that wait for it if it was not done."""
        settled: list[tuple[Job, Reply]] = []
        pending: list[tuple[Job, Reply]] = [(job, reply)]
        while pending:
            one, what = pending.pop(0)
            settled.append((one, what))
            done = isinstance(what, Done)
            self._open -= self._done[one.id] is None
            self._done[one.id] = done
            if done:
                self._queue.release(one.id)
            else:
                pending += [(child, _dependency(one.id)) for child in self._queue.orphans(one.id)]
        return tuple(settled)


def _dependency(failed: int) -> Refused:
    return Refused(code=DEPENDENCY, description=say("job {failed}, which must come first, was not done", failed=failed))
