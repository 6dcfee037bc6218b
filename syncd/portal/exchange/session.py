"""One push or reading on its way: asks the exchange what to do, does it, and reports the answers back.

All waiting happens here. Before a batch leaves, its intents are durable; once a journal fails, nothing more leaves.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from math import isfinite
from typing import Protocol

import structlog

from syncd import collector, events
from syncd.clock import Clock
from syncd.errors import LostLeaseError
from syncd.portal.exchange.exchange import Exchange
from syncd.portal.exchange.queue import Idle, Job, Send, Wait
from syncd.portal.exchange.waited import Span, Waited
from syncd.portal.limits.gate import RequestGate
from syncd.portal.limits.pace import Executed, Pace
from syncd.portal.line.answers import Answer, read_batch, read_single, scrubbed
from syncd.portal.line.transport import Credential, Permit, Renewing, Transport, TransportFault
from syncd.portal.line.wire import NOT_SENT, Command, Refused, Reply, Unknown, encode_batch, encode_single

_LOGGED_WAIT_S = 5.0
_LARGE_BYTES = 65_536

log = structlog.get_logger()


class Journal(Protocol):
    """Where a push writes down what it is about to do, and what became of it."""

    async def intend(self, jobs: Sequence[Job]) -> None:
        """Make it durable that these jobs are about to be sent. A job that is sent again comes again."""
        ...

    async def settle(self, replies: Sequence[tuple[Job, Reply]]) -> None:
        """Make durable what became of jobs: once per job, in one transaction.

        Jobs that were never sent may come without ever having been intended: those refused here (codes unsendable,
        dependency), and those of a method that the portal refuses for good.
        """
        ...


@dataclass(slots=True, kw_only=True)
class Traffic:
    """What sessions have sent and waited so far, for progress, reports and metrics."""

    requests: int = 0
    commands: int = 0
    refused_rate: int = 0
    waited: Waited = field(default_factory=Waited)
    waiting: tuple[str, float | None] | None = None
    pushes: list[tuple[Exchange, int]] = field(default_factory=list)


def count(
    traffics: Iterable[Traffic], *, requests: int = 0, commands: int = 0, refused_rate: int = 0, waited: Span = (0, 0)
) -> None:
    """Add to each of `traffics` what was sent and waited."""
    for traffic in traffics:
        traffic.requests += requests
        traffic.commands += commands
        traffic.refused_rate += refused_rate
        if waited[1] > waited[0]:
            traffic.waited.add(waited)


@dataclass(slots=True, kw_only=True)
class Landing:
    """The way in of one answer: `at` is when its last byte came, and a large one has a `turn` to be read and taken in.

    As values an answer takes ten times its bytes, and portals answer faster than listings are made small. So only one
    large answer is taken in at a time; the others wait as bytes. The collector of garbage rests meanwhile: answers make
    no circles, and a full round would keep everybody waiting for as long as it takes to look through them.
    """

    clock: Clock
    turn: asyncio.Lock
    at: float | None = None
    _held: ExitStack = field(default_factory=ExitStack)
    _large: bool = False

    async def came(self, size: int) -> None:
        """Note that an answer of `size` bytes has come. A large one waits for its turn, which it keeps until `end`."""
        self.at = self.clock.monotonic()
        if size >= _LARGE_BYTES and not self._large:
            await self.turn.acquire()
            self._large = True
            self._held.callback(self.turn.release)
            self._held.enter_context(collector.resting())

    def end(self) -> None:
        """Give the turn back: the answer has been taken in, or is given up."""
        self._held.close()


class Line:
    """Sends one request, which has passed the `gate`, and reads its answer; `turn` is that of large answers."""

    def __init__(self, transport: Transport, credential: Credential, gate: RequestGate, timeout_s: float) -> None:
        self.gate = gate
        self.turn = asyncio.Lock()
        self._transport = transport
        self._credential = credential
        self._timeout_s = timeout_s

    async def ask(self, send: Send, landing: Landing) -> Answer:
        """Send the jobs and return the answer. A fault of the line is an answer too; none is raised."""
        authorization = self._credential.parameters
        if send.single:
            method, body = send.jobs[0].command.method, encode_single(send.jobs[0].command, authorization)
        else:
            method, body = "batch", encode_batch(dict(zip(send.keys, send.texts, strict=True)), authorization)
        try:
            raw = await self._transport.post(method, body, self._timeout_s)
        except TransportFault as fault:
            failure: Refused | Unknown = Unknown(reason=fault.detail)
            if not fault.reached:
                failure = Refused(code=NOT_SENT, description=fault.detail, reach="rate", transient=True)
            lost = Answer(replies=(failure,) * len(send.jobs), whole=failure)
            return scrubbed(lost, self._credential.scrub)
        reading = [job.command.method for job in send.jobs] if send.reading else None
        read = partial(read_single, raw, reading) if send.single else partial(read_batch, raw, send.keys, reading)
        await landing.came(len(raw.body))
        # A listing of a thousand events takes longer to read than other syncs and the page should wait.
        answer = read() if len(raw.body) < _LARGE_BYTES else await asyncio.to_thread(read)
        if any(isinstance(reply, Refused) and reply.reach == "rate" for reply in answer.replies):
            self.gate.refused()
        else:
            self.gate.answered()
        return scrubbed(answer, self._credential.scrub)


class RenewingLine(Line):
    """A line whose credential expires. Then it is renewed, and the request sent again.

    The portal has refused it before any command ran.
    """

    def __init__(
        self,
        transport: Transport,
        credential: Credential,
        gate: RequestGate,
        timeout_s: float,
        *,
        renewing: Renewing,
    ) -> None:
        super().__init__(transport, credential, gate, timeout_s)
        self._renewing = renewing

    async def ask(self, send: Send, landing: Landing) -> Answer:
        """Send the jobs and return the answer; raises StateError if a new credential cannot be written down."""
        if (missing := await self._renewing.ready()) is not None:
            return Answer(replies=(missing,) * len(send.jobs), whole=missing)
        used = self._renewing.token
        answer = await super().ask(send, landing)
        if not isinstance(answer.whole, Refused) or not self._renewing.is_stale(answer.whole.code):
            return answer
        if (refused := await self._renewing.renew(used)) is not None:
            return scrubbed(Answer(replies=(refused,) * len(send.jobs), whole=refused), self._credential.scrub)
        await self.gate.acquire()
        return await super().ask(send, landing)


@dataclass(slots=True, kw_only=True)
class Channel:
    """What all sessions of one portal share.

    `turns` holds them in the order in which they were served, the longest ago first: without it the session that
    fills the lanes would be the first to see one fall free, every time. `permit` is what must be valid whenever a
    request leaves, None where no other machine could speak to the portal.
    """

    clock: Clock
    line: Line
    pace: Pace
    permit: Permit | None = None
    turns: list[Session] = field(default_factory=list)
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def check(self) -> None:
        """Raise LostLeaseError if no request may leave any more."""
        if self.permit is not None:
            self.permit.check()

    def ring(self) -> None:
        """Wake every session that waits for `bell`; those that come later wait for the next one."""
        self.bell.set()
        self.bell = asyncio.Event()


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """Drives one exchange to its end. `counts` tells how many final replies there are of each type.

    What is sent and waited counts in all of `traffics`.
    """

    exchange: Exchange
    channel: Channel
    journal: Journal
    stop: asyncio.Event
    traffics: tuple[Traffic, ...]
    counts: Counter[type[Reply]] = field(default_factory=Counter)
    _failure: BaseException | None = None
    _flights: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Send until nothing is left, or the stop is set; then settle what is still in flight.

        Sessions that were served longer ago take their turn first, whichever session the bell has woken.

        Raises what the journal raised, and LostLeaseError. On cancellation, or when the lease is lost, the requests in
        flight are given up and their jobs stay unsettled.
        """
        turns = self.channel.turns
        turns.insert(0, self)
        watch = asyncio.create_task(self._ring_on_stop())
        try:
            while not self._halted():
                # Taken before deciding: an answer that comes in between must not be missed.
                bell = self.channel.bell
                now = self.channel.clock.monotonic()
                for other in turns[: turns.index(self)]:
                    other.take_turn(now)
                match decision := self.take_turn(now):
                    case Wait():
                        await self._pass_time(decision, bell)
                    case Idle():
                        break
            while self._flights:
                await asyncio.wait(self._flights)
        finally:
            watch.cancel()
            turns.remove(self)
            for flight in self._flights:
                flight.cancel()
            await asyncio.gather(watch, *self._flights, return_exceptions=True)
        if self._failure is not None:
            raise self._failure
        if self.exchange.remaining:
            await self.record(self.exchange.give_back())

    def take_turn(self, now: float) -> Send | Wait | Idle:
        """Send one request, if this session has one and may send it at monotonic time `now`; return the decision."""
        decision = Idle() if self._halted() else self.exchange.next(now)
        if isinstance(decision, Send):
            turns = self.channel.turns
            turns.remove(self)
            turns.append(self)
            flight = asyncio.create_task(self._flight(decision))
            self._flights.add(flight)
            flight.add_done_callback(self._landed)
        return decision

    async def record(self, settled: Sequence[tuple[Job, Reply]]) -> None:
        """Hand final replies to the journal."""
        if settled:
            await self.journal.settle(settled)
            self.counts.update(type(reply) for _, reply in settled)

    def _halted(self) -> bool:
        return self._failure is not None or self.stop.is_set()

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        if not flight.cancelled() and (error := flight.exception()) is not None:
            # Only the journal and a lost lease raise in a flight: nothing more may leave, and run() raises it.
            self._failure = self._failure or error
            if isinstance(error, LostLeaseError):  # what the others would be answered can be written down by nobody
                for other in self._flights:
                    other.cancel()
        self.channel.ring()

    async def _flight(self, send: Send) -> None:
        clock, departed = self.channel.clock, False
        landing = Landing(clock=clock, turn=self.channel.line.turn)
        try:
            waited_from = clock.monotonic()
            await self.channel.line.gate.acquire()
            if self._halted():
                return
            self.channel.check()
            # After the gate: an intent is written only for a request that really leaves.
            await self.journal.intend(send.jobs)
            self.channel.check()  # again, for the disk or the database may have taken long, or the machine slept
            send.sent_at, departed = clock.monotonic(), True
            count(self.traffics, requests=1, commands=len(send.jobs), waited=(waited_from, send.sent_at))
            log.debug(
                events.BATCH_SENT, commands=len(send.jobs), single=send.single, expected_s=round(send.expected_s, 1)
            )
            await self._take_in(send, landing)
        finally:
            landing.end()
            self.exchange.drop(send.ticket, clock.monotonic(), departed=departed)

    async def _take_in(self, send: Send, landing: Landing) -> None:
        """Wait for the answer and take it in, in a function of its own: it is freed before its turn ends."""
        answer = await self.channel.line.ask(send, landing)
        arrived = self.channel.clock.monotonic() if landing.at is None else landing.at
        settled = self.exchange.answered(send.ticket, arrived, answer)
        self._report(send, answer, arrived)
        await self.record(settled)

    def _report(self, send: Send, answer: Answer, now: float) -> None:
        """Log what an answer said of the request, and of the limit of each method in it."""
        commands, seconds = len(send.jobs), round(now - send.sent_at, 3)
        match answer.whole:
            case None:
                log.debug(events.BATCH_ANSWERED, commands=commands, seconds=seconds)
            case Unknown(reason=reason):
                log.warning(events.BATCH_FAILED, commands=commands, seconds=seconds, reason=reason)
            case Refused() as refusal:
                if refusal.reach == "rate" and refusal.code != NOT_SENT:
                    count(self.traffics, refused_rate=1)
                said = refusal.code or refusal.description
                log.warning(events.BATCH_FAILED, commands=commands, seconds=seconds, reason=said)
        refused = Counter(
            method
            for method, reply in zip(send.methods, answer.replies, strict=True)
            if isinstance(reply, Refused) and reply.reach == "method" and reply.transient
        )
        for method in dict.fromkeys(send.methods):
            if refused[method]:
                log.warning(events.LIMIT_MET, refused=refused[method], **self._used(method, now))
            elif answer.whole is None and log.is_enabled_for(logging.DEBUG):
                log.debug(events.LIMIT_TOLD, **self._used(method, now))

    def _used(self, method: str, now: float) -> dict[str, str | float | None]:
        used_s, limit_s, resets_at = self.channel.pace.budget(method, now)
        wall = None if resets_at is None else self.channel.clock.now() + resets_at - now
        return {
            "method": method,
            "used_s": round(used_s, 1),
            "limit_s": round(limit_s, 1) if isfinite(limit_s) else None,
            "resets_at": None if wall is None else datetime.fromtimestamp(wall, UTC).isoformat(timespec="seconds"),
        }

    async def _ring_on_stop(self) -> None:
        await self.stop.wait()
        self.channel.ring()

    async def _pass_time(self, wait: Wait, bell: asyncio.Event) -> None:
        """Wait for the moment, or for the bell: an answer of any session, or the stop."""
        if wait.until is None:
            await bell.wait()
            return
        now = self.channel.clock.monotonic()
        self._tell_waiting((wait.why, self.channel.clock.now() + wait.until - now))
        if wait.until - now >= _LOGGED_WAIT_S and not self.exchange.in_flight:
            used = self._used(wait.method, now) if wait.method is not None else {}
            log.info(events.LIMIT_WAITED, why=wait.why, seconds=round(wait.until - now, 1), **used)
        waits = [asyncio.ensure_future(bell.wait()), asyncio.ensure_future(self.channel.clock.sleep(wait.until - now))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            self._tell_waiting(None)
        # With requests in flight the time is not lost: the portal works.
        if not self.exchange.in_flight:
            count(self.traffics, waited=(now, self.channel.clock.monotonic()))

    def _tell_waiting(self, waiting: tuple[str, float | None] | None) -> None:
        for traffic in self.traffics:
            traffic.waiting = waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Commands for one request, and how they are written in its batch; without `texts` a single call of one command.

    A text need not be what `encode_command` makes of its command: how the portal reads it may be the question.
    """

    commands: tuple[Command, ...]
    texts: tuple[str, ...] = ()


async def ask_once(channel: Channel, traffics: Sequence[Traffic], question: Question) -> Answer:
    """Send `question` and return the answer, of which each reply is as the portal gave it; raises LostLeaseError.

    It counts in all of `traffics`.
    """
    pace, clock = channel.pace, channel.clock
    commands = question.commands
    counts = Counter(command.budget_key for command in commands)
    costs = {method: number * pace.costs.expected(method) for method, number in counts.items()}
    send = Send(
        ticket=0,
        jobs=tuple(Job(id=at, command=command, repeatable=False) for at, command in enumerate(commands)),
        methods=tuple(command.budget_key for command in commands),
        single=not question.texts,
        keys=tuple(f"c{at}" for at in range(len(question.texts))),
        texts=question.texts,
        costs=costs,
        expected_s=sum(costs.values()),
        sent_at=clock.monotonic(),
        alone=False,
    )
    await channel.line.gate.acquire()
    channel.check()
    pace.sent(costs)
    send.alone, send.sent_at = pace.lanes.in_flight == 1, clock.monotonic()
    landing = Landing(clock=clock, turn=channel.line.turn)
    try:
        answer = await channel.line.ask(send, landing)
    except BaseException:
        pace.lost(costs, batched=not send.single, sent_at=send.sent_at, now=clock.monotonic())
        raise
    finally:
        landing.end()
    count(traffics, requests=1, commands=len(commands))
    _learn(channel, send, answer)
    return answer


def _learn(channel: Channel, send: Send, answer: Answer) -> None:
    pace, now, batched = channel.pace, channel.clock.monotonic(), not send.single
    match answer.whole:
        case Unknown():
            pace.lost(send.costs, batched=batched, sent_at=send.sent_at, now=now)
        case Refused(reach="rate"):
            pace.refused_for_rate(send.costs)
        case _:
            executed = list(map(Executed, send.methods, answer.replies))
            pace.answered(
                executed,
                time=answer.time,
                batched=batched,
                sent_at=send.sent_at,
                now=now,
                alone=send.alone,
                costs=send.costs,
            )
            refused = (
                method
                for method, reply in zip(send.methods, answer.replies, strict=True)
                if isinstance(reply, Refused) and reply.reach == "method" and reply.transient
            )
            for method in dict.fromkeys(refused):
                pace.blocked(method, batched=batched, now=now)
