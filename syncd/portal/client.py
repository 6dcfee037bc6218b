"""The client of one portal: reads, pushes, forecasts. Everything that talks to the portal goes through here.

It never sends a create twice, never sends what was not written down, and never lets a secret out.
"""

from __future__ import annotations

import asyncio
import copy
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog

from syncd import events
from syncd.clock import Clock
from syncd.errors import PortalUnreachableError, StoppedError
from syncd.model.item import Json
from syncd.portal.exchange.exchange import Exchange
from syncd.portal.exchange.queue import Job
from syncd.portal.exchange.session import Bell, Journal, Line, Session, Tally, Turns
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
from syncd.portal.line.answers import CommandRefusedError, portal_error
from syncd.portal.line.transport import AiohttpTransport, Credential, Transport
from syncd.portal.line.wire import Command, Done, Outcome, Refused, Unknown

_READING_PATIENCE = 4
_PAGE = 50
_OFFERED_AT_ONCE = 500
_MOST_PAGES = 4000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSummary:
    """What one push did. `remaining` jobs were not settled: the push was stopped before they were sent."""

    done: int
    refused: int
    unknown: int
    remaining: int
    requests: int
    commands: int
    seconds: float
    waited_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the pushes under way are; `waiting_until` and `eta_s` in unix time and seconds, None if unknown."""

    done: int
    total: int
    requests: int
    refused_rate: int
    waiting_for: str | None
    waiting_until: float | None
    eta_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Requests and commands sent so far, and seconds waited for the limits."""

    requests: int
    commands: int
    waited_s: float

    def since(self, before: Usage) -> Usage:
        """Return what came after `before`."""
        return Usage(
            requests=self.requests - before.requests,
            commands=self.commands - before.commands,
            waited_s=self.waited_s - before.waited_s,
        )


class Portal:
    """One configured portal. `random` gives numbers in [0, 1); `state` is what `budget_state` gave before a restart.

    Without a `transport` it opens real connections. State that cannot be read is left aside: the budgets then start
    as if the portal were unknown, which is slower but safe.
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
    ) -> None:
        self.name = name
        self.limits = limits
        self._origin = credential.origin
        self._clock = clock
        self._random = random
        self._transport = transport or AiohttpTransport(credential)
        self._pace = self._fresh_pace()
        gate = RequestGate(clock, burst=limits.burst, rate=limits.rate, random=random)
        self._line = Line(self._transport, credential, gate, limits.timeout)
        self._bell = Bell()
        self._turns = Turns()
        self._tally = Tally()
        self._stop = asyncio.Event()
        self.claiming = asyncio.Lock()
        """Held by whoever takes events or sections that nobody owns for its own: two syncs must not both."""
        if state is not None:
            self._restore(state)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give up the connections."""
        await self._transport.close()

    def part(self, stop: asyncio.Event) -> Portal:
        """Return this portal for one pass: limits and turns are shared, usage and progress are the pass's own.

        Once `stop` is set, reading raises StoppedError after the requests in flight.
        """
        one = copy.copy(self)
        one._tally = Tally(above=self._tally)
        one._stop = stop
        return one

    @property
    def origin(self) -> str:
        """Scheme and host of the portal, fit for messages."""
        return self._origin

    @property
    def server_offset_s(self) -> int | None:
        """UTC offset of the server zone in seconds, learned from any answer; None before the first."""
        return self._pace.clock.utc_offset_s

    @property
    def skew_s(self) -> float:
        """How far the portal's clock is ahead of this machine's, in seconds."""
        return self._pace.clock.offset_s - (self._clock.now() - self._clock.monotonic())

    async def read(self, method: str, params: Mapping[str, Json]) -> Json:
        """Call a method that is safe to repeat, as a JSON call of its own, and return its `result`.

        Raises CommandRefusedError when the portal refuses this call, PortalRefusedError when it refuses the caller,
        PortalUnreachableError when it does not answer after several attempts, StoppedError (see `part`).
        """
        return (await self._read_one(Command(method=method, params=params))).result

    async def read_many(self, commands: Sequence[Command]) -> tuple[Outcome, ...]:
        """Call methods that are safe to repeat, in batches; return their outcomes in the same order.

        What is unknown is asked again a few times. Raises PortalRefusedError and PortalUnreachableError.
        """
        return await self._read_all(commands, single=False)

    async def read_pages(self, method: str, params: Mapping[str, Json]) -> tuple[Json, ...]:
        """Read all rows of a list method; return them in the portal's order, each id once.

        Pages after the first are read in batches where the portal tells the total; a page past the end, which would
        be the first one again, is never asked for (PORTAL.md 6.9). Raises like `read`.
        """
        first = await self._read_one(Command(method=method, params=params))
        rows = _Rows()
        rows.add(first.result)
        start, asked = first.next, 0
        page = max(1, start - _int(params.get("start"))) if start is not None else _PAGE
        while start is not None:
            starts = range(start, max(first.total or 0, start + 1), page)
            asked += len(starts)
            if asked > _MOST_PAGES:
                raise PortalUnreachableError(f"{self._origin}: {method} has no last page")
            commands = [Command(method=method, params={**params, "start": at}) for at in starts]
            new = 0
            for outcome in await self._read_all(commands, single=False):
                last = _must(method, outcome)
                new = rows.add(last.result)
            start = last.next
            if start is not None and start <= starts[-1]:
                if new == 0:
                    # Rows went away meanwhile: the page past the end was the first one again.
                    break
                raise PortalUnreachableError(f"{self._origin}: the pages of {method} go in circles")
        return rows.all()

    async def push(
        self, jobs: Sequence[Job], journal: Journal, stop: asyncio.Event, *, alone: bool = False
    ) -> PushSummary:
        """Execute each job once and settle it in the journal; see Journal, and Refused.reach for what stops it.

        With `alone` every job is a request of its own, so that one the portal cannot bear keeps no other from its turn.

        Jobs settled as Refused with the code `not_sent` are known not to have been executed. Raises
        PortalRefusedError or PortalUnreachableError after settling what was in flight, and what the journal raises.
        """
        began = self._clock.monotonic()
        exchange = Exchange(self._pace)
        session = self._session(exchange, journal=journal, stop=stop)
        entry = (exchange, len(jobs))
        for tally in self._tally.chain():
            tally.pushes.append(entry)
        try:
            for first in range(0, len(jobs), _OFFERED_AT_ONCE):
                await session.record(exchange.offer(jobs[first : first + _OFFERED_AT_ONCE], single=alone))
                await self._clock.sleep(0)
            await session.run()
        finally:
            for tally in self._tally.chain():
                tally.pushes.remove(entry)
        if exchange.stopped is not None:
            raise portal_error(self._origin, exchange.stopped)
        kinds = Counts(type(outcome) for outcome in session.outcomes.values())
        return PushSummary(
            done=kinds[Done],
            refused=kinds[Refused],
            unknown=kinds[Unknown],
            remaining=exchange.remaining,
            requests=session.tally.requests,
            commands=session.tally.commands,
            seconds=self._clock.monotonic() - began,
            waited_s=session.tally.waited_s,
        )

    def forecast(self, counts: Mapping[str, int]) -> Forecast:
        """Return what sending so many commands by method would take from now on."""
        return forecast(self._pace, counts, self._clock.monotonic())

    def progress(self) -> Progress:
        """Return how far the pushes under way are."""
        pushes = self._tally.pushes
        total = sum(count for _, count in pushes)
        now = self._clock.monotonic()
        left: Counts[str] = Counts()
        for exchange, _ in pushes:
            left.update(exchange.counts())
        flying = [flight for exchange, _ in pushes for flight in exchange.flying(now)]
        waiting = self._tally.waiting
        gate_s = self._line.gate.wait_s
        if waiting is None and gate_s > 0 and pushes:
            waiting = ("the request rate", self._clock.now() + gate_s)
        return Progress(
            done=total - sum(exchange.remaining for exchange, _ in pushes),
            total=total,
            requests=self._tally.requests,
            refused_rate=self._tally.refused_rate,
            waiting_for=waiting[0] if waiting is not None else None,
            waiting_until=waiting[1] if waiting is not None else None,
            eta_s=forecast(self._pace, left, now, flying).seconds if pushes else None,
        )

    def operating(self) -> Mapping[str, MethodBudget]:
        """Return the operating time of every method the portal has told of."""
        return operating_of(self._pace, self._clock)

    def usage(self) -> Usage:
        """Return what was sent and waited since this client was made; requests under way count when they end."""
        return Usage(requests=self._tally.requests, commands=self._tally.commands, waited_s=self._tally.waited_s)

    def budget_state(self) -> Json:
        """Return what must survive a restart so that the limits are kept across it."""
        wall = self._clock.now() - self._clock.monotonic()
        return {"version": 1, "pace": self._pace.dump(wall_offset_s=wall), "gate": self._line.gate.dump()}

    async def _read_one(self, command: Command) -> Done:
        (outcome,) = await self._read_all([command], single=True)
        return _must(command.method, outcome)

    async def _read_all(self, commands: Iterable[Command], *, single: bool) -> tuple[Outcome, ...]:
        jobs = [Job(id=number, command=command, repeatable=True) for number, command in enumerate(commands)]
        exchange = Exchange(self._pace, patience=_READING_PATIENCE, reading=True)
        session = self._session(exchange, journal=None, stop=self._stop)
        await session.record(exchange.offer(jobs, single=single))
        await session.run()
        if len(session.outcomes) < len(jobs) and self._stop.is_set():
            raise StoppedError("stopped while reading")
        if exchange.stopped is not None:
            raise portal_error(self._origin, exchange.stopped)
        return tuple(session.outcomes[job.id] for job in jobs)

    def _session(self, exchange: Exchange, *, journal: Journal | None, stop: asyncio.Event) -> Session:
        return Session(
            exchange,
            self._line,
            self._clock,
            bell=self._bell,
            turns=self._turns,
            tally=self._tally,
            journal=journal,
            stop=stop,
        )

    def _fresh_pace(self) -> Pace:
        guess = self._clock.now() - self._clock.monotonic()
        return Pace(self.limits, guess=guess, random=self._random)

    def _restore(self, state: Json) -> None:
        try:
            pace, gate = saved_parts(state)
            self._pace.load(pace, wall_offset_s=self._clock.now() - self._clock.monotonic())
            self._line.gate.load(gate)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            log.warning(events.BUDGET_UNREADABLE, portal=self.name, reason=str(error))
            self._pace = self._fresh_pace()


class _Rows:
    """Rows of several pages; a row whose ID was seen is left out, as rows move while pages are read."""

    def __init__(self) -> None:
        self._rows: list[Json] = []
        self._seen: set[str] = set()

    def add(self, result: Json) -> int:
        """Add the rows of one page, return how many are new; PHP writes a list with gaps as an object."""
        rows = result.values() if isinstance(result, Mapping) else result
        if isinstance(rows, str) or not isinstance(rows, Iterable):
            return 0
        before = len(self._rows)
        for row in rows:
            mark = row.get("ID", row.get("id")) if isinstance(row, Mapping) else None
            if isinstance(mark, (str, int)):
                if str(mark) in self._seen:
                    continue
                self._seen.add(str(mark))
            self._rows.append(row)
        return len(self._rows) - before

    def all(self) -> tuple[Json, ...]:
        """Return the rows in the order they came."""
        return tuple(self._rows)


def _int(value: Json) -> int:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else 0


def _must(method: str, outcome: Outcome) -> Done:
    match outcome:
        case Done():
            return outcome
        case Refused():
            raise CommandRefusedError(method, outcome)
        case Unknown():
            raise PortalUnreachableError(f"{method} was not answered: {outcome.reason}", "try again later")


__all__ = [
    "CommandRefusedError",
    "Forecast",
    "Job",
    "Journal",
    "MethodBudget",
    "Portal",
    "Progress",
    "PushSummary",
    "remembered_operating",
]
