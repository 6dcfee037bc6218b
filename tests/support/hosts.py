"""Several machines in one process, on one virtual clock, over one real database: whole syncds that know nothing of it.

A host can die, stand still, or lose its line to the database, at a time or at any of its requests and statements. What
belongs to a host is told by a context variable, which its tasks inherit. One that is frozen runs nothing at all: what
its event loop would do waits until it goes on, in its order. One that is dead reaches nothing any more.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, Final, Literal
from weakref import WeakSet

import psycopg
import pytest

from syncd.app import wiring
from syncd.clock import Uptime
from syncd.config import PortalConfig
from syncd.errors import StateUnavailableError, StateUnreachableError
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import Credential, Permit, Transport
from syncd.state.postgres import sharing
from syncd.state.postgres import store as store_module
from syncd.state.postgres.connection import PostgresConnection, connect
from syncd.state.postgres.keeper import Keeper, _do
from syncd.state.postgres.store import PostgresStore
from syncd.state.postgres.trouble import UnknownCommitError
from tests.support.database_clock import DatabaseClock
from tests.support.sandbox import NOON, InlineLoop

What = Literal["request", "ledger", "lease"]
Harm = Literal["dies", "freezes", "is cut off", "is not heard"]
PATIENCE_S: Final = 10.0
"""How long a statement waits for a database that does not answer."""


class Killed(BaseException):
    """The process is dead from here on."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """What happens to a host at the n-th of something from now on, before or after it is carried out."""

    harm: Harm
    at: What
    number: int
    after: bool
    seconds: float = 0.0


HOST: ContextVar[Host | None] = ContextVar("HOST", default=None)


class HostLoop(InlineLoop):
    """A virtual loop in which hosts can stand still while time passes."""

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:  # type: ignore[override]
        context = copy_context() if context is None else context  # an empty one is false
        if context.get(HOST) is None:
            return super().call_soon(callback, *args, context=context)
        handle: list[Any] = []
        handle.append(super().call_soon(self._carry, handle, callback, args, context=context))
        return handle[0]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        context = copy_context() if context is None else context  # an empty one is false
        if context.get(HOST) is None:
            return super().call_at(when, callback, *args, context=context)
        handle: list[Any] = []
        handle.append(super().call_at(when, self._carry, handle, callback, args, context=context))
        return handle[0]

    def _carry(self, handle: list[Any], callback: Callable[..., object], args: Sequence[Any]) -> None:
        host = HOST.get()
        assert host is not None
        if host.frozen:
            context = copy_context()
            host.waiting.append(
                lambda: super(HostLoop, self).call_soon(self._carry, handle, callback, args, context=context)
            )
        elif not handle[0].cancelled():
            callback(*args)

    def jump(self, seconds: float) -> None:
        """Let time pass in which nothing runs, as while every machine sleeps."""
        self._virtual.now += seconds


class TrueClock:
    """The time that all go by, as a `SimClock`; that of the virtual loop."""

    def __init__(self, loop: HostLoop) -> None:
        self.start = NOON
        self._loop_ = loop

    @property
    def offset_s(self) -> float:
        return self._loop_.time()

    @property
    def _last(self) -> float:
        return 0.0

    def now(self) -> float:
        return self.start + self._loop_.time()

    def monotonic(self) -> float:
        return self._loop_.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        self._loop_.jump(seconds)


class HostClock:
    """The clocks of one machine: `skew_s` is how far its calendar is off."""

    def __init__(self, true: TrueClock, boot: str) -> None:
        self._true = true
        self.boot = boot
        self.skew_s = 0.0

    def now(self) -> float:
        return self._true.now() + self.skew_s

    def monotonic(self) -> float:
        return self._true.monotonic()

    def uptime(self) -> Uptime:
        return Uptime(self.boot, self._true.monotonic() + 1000.0)

    def booted_at(self) -> float:
        return self.now() - self.uptime().seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


@dataclass(slots=True, weakref_slot=True, eq=False)
class Host:
    """One process on a machine: what it is doing, and what happens to it."""

    name: str
    folder: Path
    clock: HostClock
    world: Hosts
    frozen: bool = False
    dead: bool = False
    cut: bool = False
    unheard: bool = False
    main: asyncio.Task[Any] | None = None
    tasks: WeakSet[asyncio.Task[Any]] = field(default_factory=WeakSet)
    waiting: list[Callable[[], object]] = field(default_factory=list)
    lines: list[psycopg.Connection[Any]] = field(default_factory=list)
    mishaps: list[Mishap] = field(default_factory=list)
    met: dict[tuple[str, bool], int] = field(default_factory=dict)
    linked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def up(self) -> bool:
        """Whether its process runs, or stands still."""
        return self.main is not None and not self.main.done()

    def begin(self, program: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a process; what it makes is this host's."""
        context = copy_context()
        context.run(HOST.set, self)
        self.main = asyncio.get_running_loop().create_task(program, name=self.name, context=context)
        self.tasks.add(self.main)
        return self.main

    def arm(self, *mishaps: Mishap) -> None:
        """Have these happen from now on, and none of earlier ones."""
        self.mishaps, self.met = [*mishaps], {}

    async def meets(self, what: What, *, after: bool) -> None:
        """Let happen what is to happen here; raises Killed in a process that is dead."""
        if self.dead:
            raise Killed
        self.met[what, after] = number = self.met.get((what, after), 0) + 1
        for one in [one for one in self.mishaps if (one.at, one.after, one.number) == (what, after, number)]:
            self.suffer(one)
            if self.dead:
                raise Killed
            if self.frozen:
                await asyncio.sleep(0)
        if self.dead:
            raise Killed

    def suffer(self, mishap: Mishap) -> None:
        """Let something happen to it now."""
        match mishap.harm:
            case "dies":
                self.die()
            case "freezes":
                self.frozen = True
                self._later(mishap.seconds, self.go_on)
            case "is cut off":
                self.cut = True
                self._later(mishap.seconds, self.reach)
            case "is not heard":
                self.unheard = True

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, what, context=Context())

    def die(self) -> None:
        """End it as `kill -9` does."""
        self.dead = True
        self.end_sessions()
        self.go_on()
        self.reach()
        for task in [*self.tasks]:
            task.cancel()

    def go_on(self) -> None:
        """Let it run again, beginning with what has waited."""
        self.frozen = False
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            one()

    def reach(self) -> None:
        """Let it reach the database again."""
        self.cut = False
        self.linked.set()
        self.linked = asyncio.Event()

    def end_sessions(self) -> None:
        """Break its connections to the database."""
        for line in self.lines:
            with suppress(psycopg.Error, OSError), socket.socket(fileno=line.fileno()) as gone:
                gone.shutdown(socket.SHUT_RDWR)
                gone.detach()
        self.lines.clear()

    async def reaches(self) -> bool:
        """Wait until the database answers; return False if it does not for as long as anybody waits."""
        ends = self.clock.monotonic() + PATIENCE_S
        while self.cut:
            left_s = ends - self.clock.monotonic()
            if left_s <= 0:
                return False
            with suppress(TimeoutError):
                await asyncio.wait_for(self.linked.wait(), left_s)
        return True


class HostKeeper(Keeper):
    """Keeps the leases of a host on the virtual clock, without a thread."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        found = HOST.get()
        assert found is not None
        self.host = found
        self.rung = asyncio.Event()
        self._beats: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._done(lambda: self._beat(raising=True))
        self.host.world.keepers.add(self)
        self._beats = asyncio.create_task(self._renewing(), name="leases")

    async def _renewing(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.rung.wait(), max(0.0, self._next - self._clock()))
            self.rung.clear()
            await self._before()
            self._beat()
            await self.host.meets("lease", after=True)

    async def _before(self) -> None:
        await self.host.meets("lease", after=False)
        if self.host.cut:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.host.linked.wait(), self._patience_s)

    async def _done(self, work: Callable[[], Any]) -> Any:
        await self._before()
        result = await super()._done(work)
        await self.host.meets("lease", after=True)
        return result

    def _put(self, job: tuple[Callable[[], object], Future[Any]] | None) -> None:
        if job is not None:
            _do(*job)

    def _work(self, work: Callable[[Any], Any]) -> Any:
        if self.host.cut or self.host.dead:
            raise psycopg.OperationalError("the line is cut")
        self.host.world.tell_time()
        result = super()._work(work)
        if self.host.unheard:
            self.host.unheard = False
            raise psycopg.OperationalError("the answer did not come")
        return result

    async def take(self, portal: str) -> Any:
        taken = await super().take(portal)
        self._notify()
        return taken

    async def give_back(self, portals: Sequence[str]) -> None:
        await super().give_back(portals)
        self._notify()

    async def ask_back(self, portal: str) -> bool:
        asked = await super().ask_back(portal)
        self._notify()
        return asked

    def _notify(self) -> None:
        for other in self.host.world.keepers - {self}:
            if not other.host.cut:
                other.rung.set()

    async def close(self) -> None:
        if self not in self.host.world.keepers:
            return
        self.host.world.keepers.discard(self)
        with suppress(StateUnavailableError):
            await self._done(self._leave)
        self._notify()
        assert self._beats is not None
        self._beats.cancel()
        await asyncio.gather(self._beats, return_exceptions=True)
        self._drop()
        self._end()


class HostTransport:
    """Carries the requests of a host as `carrier` does, by a permit that is asked right before they leave."""

    def __init__(
        self, carrier: Transport, permit: Permit | None, sent: Callable[[str, bytes, Permit | None], None]
    ) -> None:
        self._carrier = carrier
        self._permit = permit
        self._sent = sent

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        host = HOST.get()
        assert host is not None
        await host.meets("request", after=False)
        if self._permit is not None:
            self._permit.check()
        self._sent(method, body, self._permit)
        answer = await self._carrier.post(method, body, timeout_s)
        await host.meets("request", after=True)
        return answer

    async def close(self) -> None:
        pass


async def _do_as_host(self: PostgresStore, work: Callable[[], Any], *, writes: bool = False, scope: str = "") -> Any:
    host = HOST.get()
    assert host is not None
    self._pause = lambda _seconds: None
    await host.meets("ledger", after=False)
    if not await host.reaches():
        raise StateUnreachableError(f"{self.shown} cannot be reached", "wait")
    host.world.tell_time()
    result = await _DO(self, work, writes=writes, scope=scope)
    await host.meets("ledger", after=True)
    if host.unheard or host.cut:
        host.unheard = False
        if not await host.reaches() or writes:
            raise UnknownCommitError(f"{self.shown} did not answer", "look")
    return result


_DO = PostgresStore.do


class Hosts:
    """The machines of one test, the true time and the clock of their database, which is `database_ahead_s` ahead."""

    def __init__(self, clock: DatabaseClock) -> None:
        self.loop = HostLoop()
        self.loop.set_task_factory(self._task)
        self.loop.set_exception_handler(lambda _loop, _what: None)  # of processes that were killed nobody asks how
        self.true = TrueClock(self.loop)
        self.database_ahead_s = 0.0
        self.keepers: set[HostKeeper] = set()
        self._clock = clock
        self._numbers = count(1)

    def tell_time(self) -> None:
        """Tell the database what time it is."""
        self._clock.set(self.true.now() + self.database_ahead_s)

    def host(self, name: str, folder: Path) -> Host:
        """Return a machine; its process has not begun."""
        folder.mkdir(exist_ok=True)
        return Host(name, folder, HostClock(self.true, name), self)

    def run(self, program: Coroutine[Any, Any, Any]) -> Any:
        """Run `program`, which is no host's, to its end; what the hosts do goes on meanwhile."""
        return self.loop.run_until_complete(program)

    def close(self) -> None:
        """Close the loop."""
        self.run(self.loop.shutdown_asyncgens())
        self.loop.close()

    @staticmethod
    def _task(loop: asyncio.AbstractEventLoop, program: Any, context: Context | None = None) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(program, loop=loop, context=context)
        if (host := HOST.get()) is not None:
            host.tasks.add(task)
        return task

    def _connect(self, database: Any) -> PostgresConnection:
        host = HOST.get()
        assert host is not None
        if host.cut or host.dead:
            raise psycopg.OperationalError("the line is cut")
        self.tell_time()
        made = connect(database)
        made.pooled = True  # it is told of changes in another way
        host.lines = [one for one in host.lines if not one.closed] + [made.raw]
        return made

    @contextmanager
    def played(self, carrier: Transport, sent: Callable[[str, bytes, Permit | None], None]) -> Iterator[None]:
        """Have syncd run on these hosts while the body does."""

        def transport(_config: PortalConfig, _credential: Credential, permit: Permit | None) -> HostTransport:
            return HostTransport(carrier, permit, sent)

        def name() -> str:
            host = HOST.get()
            assert host is not None
            return host.name

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wiring, "_transport", transport)
            patch.setattr(wiring, "SystemRandom", lambda: Random(7))
            patch.setattr(wiring, "program_mark", lambda: "this program")  # else read again at every start
            patch.setattr(store_module, "connect", self._connect)
            patch.setattr(sharing, "connect", self._connect)
            patch.setattr(sharing, "Keeper", HostKeeper)
            patch.setattr(sharing, "socket", SimpleNamespace(gethostname=name))
            patch.setattr(sharing, "token_hex", lambda _: f"{next(self._numbers):04}")
            patch.setattr(PostgresStore, "do", _do_as_host)
            yield
