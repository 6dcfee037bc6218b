"""The client of one portal: reads, pushes, forecasts. Everything that talks to the portal goes through here.

It never sends a create twice, never sends anything that was not written down, and never lets a secret out.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import structlog

from syncd import events
from syncd.clock import Clock
from syncd.errors import StoppedError, SyncdError
from syncd.lang.saying import say, say_as
from syncd.model.elapsed import Moment
from syncd.model.json_values import Json
from syncd.portal.exchange.exchange import Exchange
from syncd.portal.exchange.queue import Job
from syncd.portal.exchange.session import Channel, Journal, Line, Question, RenewingLine, Session, Traffic, ask_once
from syncd.portal.figures import Progress, PushSummary, Usage
from syncd.portal.limits.forecast import (
    Forecast,
    MethodBudget,
    forecast,
    operating_of,
    remembered_operating,
    saved_parts,
)
from syncd.portal.limits.gate import RequestGate
from syncd.portal.limits.pace import Limits, Pace
from syncd.portal.line.answers import Answer
from syncd.portal.line.remedies import CommandRefusedError, must_be_done, portal_error
from syncd.portal.line.shapes import rows_of
from syncd.portal.line.transport import AiohttpTransport, Credential, Moving, Permit, Renewing, Transport
from syncd.portal.line.wire import NOT_SENT, Command, Done, Refused, Reply, Unknown
from syncd.portal.oauth.application import Application
from syncd.portal.paging import read_pages
from syncd.portal.probe.facts import Facts

Take = Callable[[int, Reply], None]
"""Called with the position of a command among those asked for, and the reply to it."""
_READING_PATIENCE = 4
_MANY_ROWS = 200
_OFFERED_AT_ONCE = 500
_REQUEST_RATE = say("the request rate")

log = structlog.get_logger()


class Portal:
    """One configured portal. `random` returns numbers in [0, 1); `state` is what `budget_state` gave before a restart.

    Without a `transport` it opens real connections. With a `permit`, nothing is sent once the permit has ended. A state
    that cannot be read is ignored: the budgets then start as if the portal were unknown, which is slower but safe. With
    `after_another` the state is that of another machine that ended unexpectedly, and what it may have sent since then
    counts.
    """

    def __init__(
        self,
        *,
        name: str,
        credential: Credential,
        limits: Limits,
        clock: Clock,
        random: Callable[[], float],
        transport: Transport | None = None,
        state: Json = None,
        permit: Permit | None = None,
        after_another: bool = False,
    ) -> None:
        transport = transport or AiohttpTransport(credential, permit=permit)
        gate = RequestGate(clock, burst=limits.burst, rate=limits.rate, random=random)
        guess = clock.now() - clock.monotonic()
        pace = Pace(limits, guess=guess, random=random)
        if state is not None:
            try:
                saved_pace, saved_gate = saved_parts(state)
                pace.load(saved_pace, wall_offset_s=guess)
                gate.load(saved_gate)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                log.warning(events.BUDGET_UNREADABLE, portal=name, reason=str(error))
                # Whatever was read before the fault goes as well: half a state is no state.
                pace = Pace(limits, guess=guess, random=random)
        if after_another:
            pace.assume_flying(clock.monotonic())
        if isinstance(credential, Renewing):
            line: Line = RenewingLine(transport, credential, gate, limits.timeout, renewing=credential)
        else:
            line = Line(transport, credential, gate, limits.timeout)
        self._hasty = False
        self._join(
            _Shared(
                name=name,
                origin=credential.origin,
                application=credential if isinstance(credential, Application) else None,
                limits=limits,
                transport=transport,
                channel=Channel(clock=clock, line=line, pace=pace, permit=permit),
            ),
            (Traffic(),),
            asyncio.Event(),
        )

    def _join(self, shared: _Shared, traffics: tuple[Traffic, ...], stop: asyncio.Event) -> None:
        self.name = shared.name
        self.application = shared.application
        """The application whose tokens the calls are made with, None where a webhook makes them."""
        self.origin = shared.origin
        """Scheme and host of the portal, fit for messages."""
        self.limits = shared.limits
        self.claiming = shared.claiming
        """Held while events to adopt or recover, or sections to create, are claimed: two syncs never claim the same."""
        self._shared = shared
        self._channel = shared.channel
        self._pace = shared.channel.pace
        self._clock = shared.channel.clock
        self._traffic = traffics[0]
        self._traffics = traffics
        """Its own traffic, and the others in which its requests count too."""
        self._stop = stop

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._shared.transport.close()

    def part(self, stop: asyncio.Event, *, hasty: bool = False) -> Portal:
        """Return this portal for one pass: limits and turns are shared, usage and progress are the pass's own.

        Once `stop` is set, reading raises StoppedError after the requests in flight. With `hasty`, reading raises
        PortalUnreachableError instead of waiting for a method that is blocked.
        """
        return _PortalPart(self._shared, (Traffic(), *self._traffics), stop, hasty=hasty)

    @property
    def moved_to(self) -> str | None:
        """The origin at which the portal answers since it was renamed, None if it was not."""
        transport, application = self._shared.transport, self.application
        if application is not None and application.moved_to is not None:
            return application.moved_to
        return transport.moved_to if isinstance(transport, Moving) else None

    @property
    def server_offset_s(self) -> int | None:
        """UTC offset of the server zone in seconds, learned from any answer; None before the first."""
        return self._pace.clock.utc_offset_s

    @property
    def skew_s(self) -> float:
        """How far the portal's clock is ahead of this machine's, in seconds."""
        return self._pace.clock.offset_s - (self._clock.now() - self._clock.monotonic())

    def moment(self) -> Moment:
        """Return this moment by every clock. The portal's is included once an answer has told its time."""
        uptime, server = self._clock.uptime(), self._pace.clock
        portal = server.at(self._clock.monotonic()) if server.known else None
        return Moment(wall=self._clock.now(), boot=uptime.boot, uptime=uptime.seconds, portal=portal)

    async def asked_moment(self) -> Moment:
        """Return this moment after asking the portal for its time if no answer has told it yet. Raises like `read`.

        It is not an error if the portal tells no time.
        """
        if not self._pace.clock.known:
            await self.read_many([Command(method="server.time")])
        return self.moment()

    async def read(self, method: str, params: Mapping[str, Json]) -> Json:
        """Call a method that is safe to repeat, as a JSON call of its own, and return its `result`.

        Raises CommandRefusedError when the portal refuses this call, PortalRefusedError when it refuses the caller,
        PortalUnreachableError when it does not answer after several attempts, StoppedError (see `part`).
        """
        (reply,) = await self.read_many([Command(method=method, params=params)], single=True)
        return must_be_done(method, reply).result

    async def read_many(self, commands: Sequence[Command], *, single: bool = False) -> tuple[Reply, ...]:
        """Call methods that are safe to repeat, in batches; return their replies in the same order.

        With `single` each is a call of its own. Commands whose fate is unknown are repeated a few times. Raises
        PortalRefusedError, PortalUnreachableError, and StoppedError (see `part`).
        """
        replies: dict[int, Reply] = {}
        await self.read_each(commands, replies.__setitem__, single=single)
        return tuple(replies[number] for number in range(len(commands)))

    async def read_each(self, commands: Sequence[Command], take: Take, *, single: bool = False) -> None:
        """Call methods like `read_many`, but hand each reply to `take` as soon as it is final, and keep none.

        For answers that are large together. Raises like `read_many`, and what `take` raises.
        """
        exchange = Exchange(self._pace, patience=_READING_PATIENCE, reading=True, hasty=self._hasty)
        reader = _Reader(take, self._clock)
        session = Session(
            exchange=exchange, channel=self._channel, journal=reader, stop=self._stop, traffics=self._traffics
        )
        for first in range(0, len(commands), _OFFERED_AT_ONCE):
            some = enumerate(commands[first : first + _OFFERED_AT_ONCE], first)
            jobs = [Job(id=number, command=command, repeatable=True) for number, command in some]
            await session.record(exchange.offer(jobs, single=single))
            if first:
                await self._clock.sleep(0)
        await session.run()
        # What a stop found waiting to be sent again is given back as not sent: no fault of the portal's.
        given_back = any(isinstance(one, Refused) and one.code == NOT_SENT for _, one in reader.failures)
        if self._stop.is_set() and (given_back or reader.taken < len(commands)):
            raise StoppedError(say("stopped while reading"))
        if exchange.stopped is not None:
            raise self.refused(exchange.stopped)
        for number, failure in reader.failures:
            take(number, failure)

    async def read_pages(self, method: str, params: Mapping[str, Json]) -> tuple[Json, ...]:
        """Read all rows of a list method; return them in the portal's order, each id once.

        Pages after the first are read in batches if the portal gives the total. A page past the end is never asked
        for, because the portal answers it with the first page (PORTAL.md 6.9). Raises like `read`.
        """
        return await read_pages(self, method, params)

    async def push(
        self, jobs: Sequence[Job], journal: Journal, stop: asyncio.Event, *, alone: bool = False
    ) -> PushSummary:
        """Execute each job once and settle it in the journal.

        With `alone` every job is a request of its own, so that a job that makes the portal fail does not harm others.
        Jobs settled as Refused with the code `not_sent` were certainly not executed. The code `unexpected` marks
        answers that are not believed (see `Command.success`).

        Raises PortalRefusedError if the portal refuses the caller and PortalUnreachableError if it does not answer,
        after settling what was in flight; LostLeaseError without settling it; and whatever the journal raises.
        """
        began = self._clock.monotonic()
        exchange, own = Exchange(self._pace), Traffic()
        traffics = (own, *self._traffics)
        session = Session(exchange=exchange, channel=self._channel, journal=journal, stop=stop, traffics=traffics)
        entry = (exchange, len(jobs))
        for traffic in self._traffics:
            traffic.pushes.append(entry)
        try:
            for first in range(0, len(jobs), _OFFERED_AT_ONCE):
                await session.record(exchange.offer(jobs[first : first + _OFFERED_AT_ONCE], single=alone))
                # Taking in many thousands of jobs must not keep other sessions from the event loop.
                await self._clock.sleep(0)
            await session.run()
        finally:
            for traffic in self._traffics:
                traffic.pushes.remove(entry)
        if exchange.stopped is not None:
            raise self.refused(exchange.stopped)
        kinds = session.counts
        return PushSummary(
            done=kinds[Done],
            refused=kinds[Refused],
            unknown=kinds[Unknown],
            remaining=exchange.remaining,
            requests=own.requests,
            commands=own.commands,
            seconds=self._clock.monotonic() - began,
            waited_s=own.waited.seconds,
        )

    async def ask(self, question: Question) -> Answer:
        """Send one request as it is and return the answer. Nothing is sent again, and no error is raised.

        For finding out how the portal behaves. Whatever is to be kept goes through `push`.
        """
        return await ask_once(self._channel, self._traffics, question)

    def learn(self, facts: Facts) -> None:
        """Take into account what a probe has found out about this portal."""
        self._pace.one_counter = facts.text("batch_counter") == "batch"

    def cost_s(self, method: str) -> float | None:
        """Return the seconds that one call of `method` takes on average here, None if none was measured."""
        return self._pace.costs.mean(method) if self._pace.costs.known(method) else None

    def forecast(self, counts: Mapping[str, int]) -> Forecast:
        """Return what sending this number of commands by method would take, starting now."""
        return forecast(self._pace, counts, self._clock.monotonic())

    @property
    def caller(self) -> str:
        """What makes the calls, for messages: "webhook" or "application"."""
        return say_as("caller", "webhook") if self.application is None else say_as("caller", "application")

    def refused(self, why: Refused | Unknown) -> SyncdError:
        """Return the error that explains why nothing more can be sent to this portal."""
        return portal_error(self.origin, why, application_of=self.name if self.application is not None else "")

    def progress(self) -> Progress:
        """Return how far the pushes under way are."""
        pushes = self._traffic.pushes
        total = sum(count for _, count in pushes)
        now = self._clock.monotonic()
        left: Counter[str] = Counter()
        for exchange, _ in pushes:
            left.update(exchange.counts())
        flying = [flight for exchange, _ in pushes for flight in exchange.flying(now)]
        waiting = self._traffic.waiting
        gate_s = self._channel.line.gate.wait_s
        if waiting is None and gate_s > 0 and pushes:
            waiting = (_REQUEST_RATE, self._clock.now() + gate_s)
        return Progress(
            done=total - sum(exchange.remaining for exchange, _ in pushes),
            total=total,
            requests=self._traffic.requests,
            refused_rate=self._traffic.refused_rate,
            waiting_for=waiting[0] if waiting is not None else None,
            waiting_until=waiting[1] if waiting is not None else None,
            eta_s=forecast(self._pace, left, now, flying).seconds if pushes else None,
        )

    def operating(self) -> Mapping[str, MethodBudget]:
        """Return the operating time of every method that the portal has reported."""
        return operating_of(self._pace, self._clock)

    def usage(self, since: Usage | None = None) -> Usage:
        """Return what was sent and waited since an earlier reading, or since this client was made.

        Requests in flight count as soon as they have left.
        """
        sent, before = self._traffic, since or Usage(requests=0, commands=0, waited_s=0.0)
        return Usage(
            requests=sent.requests - before.requests,
            commands=sent.commands - before.commands,
            waited_s=sent.waited.seconds - before.waited_s,
        )

    def budget_state(self) -> Json:
        """Return the state that a restarted process needs to keep the limits."""
        wall = self._clock.now() - self._clock.monotonic()
        return {"version": 1, "pace": self._pace.dump(wall_offset_s=wall), "gate": self._channel.line.gate.dump()}


@dataclass(slots=True, kw_only=True)
class _Shared:
    """What a portal and its parts have in common."""

    name: str
    origin: str
    application: Application | None
    limits: Limits
    transport: Transport
    channel: Channel
    claiming: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class _Reader:
    """The journal of a reading: nothing is written down, and each result goes to `take` at once.

    `failures` are handed on at the end: if all calls fail for one reason, that reason is raised instead.
    """

    take: Take
    clock: Clock
    taken: int = 0
    failures: list[tuple[int, Refused | Unknown]] = field(default_factory=list)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def intend(self, jobs: Sequence[Job]) -> None:
        """Do nothing: reading twice does no harm."""

    async def settle(self, replies: Sequence[tuple[Job, Reply]]) -> None:
        """Hand the replies on, one after the other: a single one may be a listing of thousands of rows."""
        for job, reply in replies:
            self.taken += 1
            if not isinstance(reply, Done):
                self.failures.append((job.id, reply))
                continue
            async with self._turn:  # what takes them need not know of threads
                if len(rows_of(reply.result)) > _MANY_ROWS:
                    await asyncio.to_thread(self.take, job.id, reply)
                else:
                    self.take(job.id, reply)
            await self.clock.sleep(0)


class _PortalPart(Portal):
    """A portal for one pass, on the connections and limits of another."""

    def __init__(self, shared: _Shared, traffics: tuple[Traffic, ...], stop: asyncio.Event, *, hasty: bool) -> None:
        self._hasty = hasty
        self._join(shared, traffics, stop)


__all__ = [
    "CommandRefusedError",
    "Forecast",
    "Job",
    "Journal",
    "MethodBudget",
    "Portal",
    "Progress",
    "PushSummary",
    "Usage",
    "remembered_operating",
]
