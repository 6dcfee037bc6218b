"""One push or one reading on its way: asks the exchange what to do, does it, and reports what came of it.

All waiting happens here. Before a batch leaves, its intents are durable; when a journal fails, nothing more leaves.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Counts
from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Protocol

import structlog

from syncd import events
from syncd.clock import Clock
from syncd.portal.exchange.exchange import Exchange
from syncd.portal.exchange.queue import Idle, Job, Send, Wait
from syncd.portal.limits.gate import RequestGate
from syncd.portal.line.answers import Answer, RawAnswer, read_batch, read_single, scrubbed
from syncd.portal.line.transport import Credential, Transport, TransportFault
from syncd.portal.line.wire import NOT_SENT, Outcome, Refused, Unknown, encode_batch, encode_single

_LOGGED_WAIT_S = 5.0

log = structlog.get_logger()


class Journal(Protocol):
    """Where a push writes down what it is about to do, and what became of it."""

    async def intend(self, jobs: Sequence[Job]) -> None:
        """Make it durable that these jobs are about to be sent; may come again for a job sent again."""
        ...

    async def settle(self, outcomes: Sequence[tuple[Job, Outcome]]) -> None:
        """Make durable what became of jobs: once per job, in one transaction.

        Jobs refused here (codes unsendable, dependency) may come without ever having been intended.
        """
        ...


class Bell:
    """Wakes every session of a portal when any of them got an answer."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def ring(self) -> None:
        """Wake who waits for the present event; who comes later waits for the next."""
        self.event.set()
        self.event = asyncio.Event()


class Tally:
    """What sessions did so far: numbers for progress, reports and metrics; `above` counts it too."""

    def __init__(self, above: Tally | None = None) -> None:
        self.above = above
        self.requests = 0
        self.commands = 0
        self.refused_rate = 0
        self.waited_s = 0.0
        self.waiting: tuple[str, float | None] | None = None
        self.pushes: list[tuple[Exchange, int]] = []

    def chain(self) -> tuple[Tally, ...]:
        """Return this tally and those above it."""
        return (self,) if self.above is None else (self, *self.above.chain())


class Turns:
    """Whose turn it is among the sessions of one portal: who has sent longest ago goes first.

    Without turns the session that fills the lanes would be the first to see one fall free, every time.
    """

    def __init__(self) -> None:
        self._order: list[Session] = []

    def join(self, session: Session) -> None:
        """Take in a session; it has sent nothing yet, so it comes first."""
        self._order.insert(0, session)

    def leave(self, session: Session) -> None:
        """Forget a session that has ended."""
        self._order.remove(session)

    def served(self, session: Session) -> None:
        """Take note that the session sent something: it comes last now."""
        self._order.remove(session)
        self._order.append(session)

    def before(self, session: Session) -> tuple[Session, ...]:
        """Return the sessions whose turn comes before this one's."""
        return tuple(self._order[: self._order.index(session)])


class Line:
    """Sends one request through the gate and reads its answer."""

    def __init__(self, transport: Transport, credential: Credential, gate: RequestGate, timeout_s: float) -> None:
        self.gate = gate
        self._transport = transport
        self._credential = credential
        self._timeout_s = timeout_s

    async def ask(self, send: Send) -> Answer:
        """Send the jobs and return what the portal, or the line, made of them; never raises for their faults."""
        authorization = self._credential.parameters()
        try:
            if send.single:
                command = send.jobs[0].command
                raw = await self._post(command.method, encode_single(command, authorization))
                answer = read_single(raw)
            else:
                texts = dict(zip(send.keys, send.texts, strict=True))
                raw = await self._post("batch", encode_batch(texts, authorization))
                answer = read_batch(raw, send.keys)
        except TransportFault as fault:
            failure: Refused | Unknown = Unknown(reason=fault.detail)
            if not fault.reached:
                failure = Refused(code=NOT_SENT, description=fault.detail, reach="rate", transient=True)
            lost = Answer(outcomes=(failure,) * len(send.jobs), whole=failure)
            return scrubbed(lost, self._credential.scrub)
        if any(isinstance(outcome, Refused) and outcome.reach == "rate" for outcome in answer.outcomes):
            self.gate.refused()
        else:
            self.gate.answered()
        return scrubbed(answer, self._credential.scrub)

    async def _post(self, method: str, body: bytes) -> RawAnswer:
        return await self._transport.post(method, body, self._timeout_s)


class Session:
    """Drives one exchange to its end. Without a journal it reads."""

    def __init__(
        self,
        exchange: Exchange,
        line: Line,
        clock: Clock,
        *,
        bell: Bell,
        turns: Turns,
        tally: Tally,
        journal: Journal | None,
        stop: asyncio.Event,
    ) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self.tally = Tally()
        self._shared = tally
        self._exchange = exchange
        self._line = line
        self._clock = clock
        self._bell = bell
        self._turns = turns
        self._journal = journal
        self._stop = stop
        self._failure: BaseException | None = None
        self._flights: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send until nothing is left, or it is stopped; what was in flight then is settled first.

        Raises what the journal raised; on cancellation the requests in flight are given up, their jobs unsettled.
        """
        self._turns.join(self)
        watch = asyncio.create_task(self._ring_on_stop())
        try:
            while not self._halted():
                rung = self._bell.event
                now = self._clock.monotonic()
                for other in self._turns.before(self):
                    other.take_turn(now)
                decision = self._exchange.next(now)
                match decision:
                    case Send():
                        self._fly(decision)
                    case Wait():
                        await self._pass_time(decision, rung)
                    case Idle():
                        break
            while self._flights:
                await asyncio.wait(self._flights)
        finally:
            watch.cancel()
            self._turns.leave(self)
            for flight in self._flights:
                flight.cancel()
            await asyncio.gather(watch, *self._flights, return_exceptions=True)
        if self._failure is not None:
            raise self._failure
        await self.record(self._exchange.give_back())

    def take_turn(self, now: float) -> None:
        """Send one request, if this session has one and may do so at monotonic time `now`."""
        if not self._halted() and isinstance(send := self._exchange.next(now), Send):
            self._fly(send)

    async def record(self, settled: Sequence[tuple[Job, Outcome]]) -> None:
        """Keep final outcomes: in the journal when there is one, else in `outcomes`."""
        if not settled:
            return
        if self._journal is not None:
            await self._journal.settle(settled)
        for job, outcome in settled:
            self.outcomes[job.id] = outcome

    def _halted(self) -> bool:
        return self._failure is not None or self._stop.is_set()

    def _fly(self, send: Send) -> None:
        self._turns.served(self)
        flight = asyncio.create_task(self._flight(send))
        self._flights.add(flight)
        flight.add_done_callback(self._landed)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        if not flight.cancelled() and (error := flight.exception()) is not None:
            # Only the journal raises in a flight: nothing more may leave, and run() raises it.
            self._failure = self._failure or error
        self._bell.ring()

    async def _flight(self, send: Send) -> None:
        departed = False
        try:
            waited_from = self._clock.monotonic()
            await self._line.gate.acquire()
            if self._halted():
                return
            if self._journal is not None:
                await self._journal.intend(send.jobs)
            sent_at = self._clock.monotonic()
            self._wait_over(sent_at - waited_from)
            self._exchange.departed(send.ticket, sent_at)
            departed = True
            self._count(send)
            answer = await self._line.ask(send)
            self._report(send, answer, sent_at)
            arrived = self._clock.monotonic()
            settled = self._exchange.answered(send.ticket, arrived, answer)
            self._report_budgets(send, answer, arrived)
            await self.record(settled)
        finally:
            self._drop(send, departed=departed)

    def _drop(self, send: Send, *, departed: bool) -> None:
        """Give up a request that did not come to its end; does nothing when it did."""
        if not self._exchange.knows(send.ticket):
            return
        if departed:
            self._exchange.abandon(send.ticket, self._clock.monotonic())
        else:
            self._exchange.withdraw(send.ticket)

    def _count(self, send: Send) -> None:
        for tally in (self.tally, *self._shared.chain()):
            tally.requests += 1
            tally.commands += len(send.jobs)
        log.debug(events.BATCH_SENT, commands=len(send.jobs), single=send.single, expected_s=round(send.expected_s, 1))

    def _report(self, send: Send, answer: Answer, sent_at: float) -> None:
        seconds = round(self._clock.monotonic() - sent_at, 3)
        if answer.whole is None:
            log.debug(events.BATCH_ANSWERED, commands=len(send.jobs), seconds=seconds)
            return
        if isinstance(answer.whole, Refused):
            if answer.whole.reach == "rate" and answer.whole.code != NOT_SENT:
                for tally in (self.tally, *self._shared.chain()):
                    tally.refused_rate += 1
            said = answer.whole.code or answer.whole.description
        else:
            said = answer.whole.reason
        log.warning(events.BATCH_FAILED, commands=len(send.jobs), seconds=seconds, reason=said)

    def _report_budgets(self, send: Send, answer: Answer, now: float) -> None:
        """Tell of each method in an answer what it used of its limit; louder where the portal refused it."""
        refused = Counts(
            job.command.budget_key
            for job, outcome in zip(send.jobs, answer.outcomes, strict=True)
            if isinstance(outcome, Refused) and outcome.reach == "method" and outcome.transient
        )
        for method in dict.fromkeys(job.command.budget_key for job in send.jobs):
            if refused[method]:
                log.warning(events.LIMIT_MET, refused=refused[method], **self._used(method, now))
            elif answer.whole is None:
                log.debug(events.LIMIT_TOLD, **self._used(method, now))

    def _used(self, method: str, now: float) -> dict[str, str | float | None]:
        used_s, limit_s, resets_at = self._exchange.budget(method, now)
        wall = None if resets_at is None else self._clock.now() + resets_at - now
        return {
            "method": method,
            "used_s": round(used_s, 1),
            "limit_s": round(limit_s, 1) if isfinite(limit_s) else None,
            "resets_at": None if wall is None else datetime.fromtimestamp(wall, UTC).isoformat(timespec="seconds"),
        }

    async def _ring_on_stop(self) -> None:
        await self._stop.wait()
        self._bell.ring()

    async def _pass_time(self, wait: Wait, rung: asyncio.Event) -> None:
        """Wait for the moment, or for the bell: an answer of any session, or the stop."""
        if wait.until is None:
            await rung.wait()
            return
        now = self._clock.monotonic()
        self._tell_waiting((wait.why, self._clock.now() + wait.until - now))
        if wait.until - now >= _LOGGED_WAIT_S and not self._exchange.in_flight:
            used = self._used(wait.method, now) if wait.method is not None else {}
            log.info(events.LIMIT_WAITED, why=wait.why, seconds=round(wait.until - now, 1), **used)
        waits = [asyncio.ensure_future(rung.wait()), asyncio.ensure_future(self._clock.sleep(wait.until - now))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            self._tell_waiting(None)
        if not self._exchange.in_flight:
            self._wait_over(self._clock.monotonic() - now)

    def _tell_waiting(self, waiting: tuple[str, float | None] | None) -> None:
        for tally in self._shared.chain():
            tally.waiting = waiting

    def _wait_over(self, seconds: float) -> None:
        for tally in (self.tally, *self._shared.chain()):
            tally.waited_s += seconds
