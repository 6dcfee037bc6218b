"""The whole of syncd against the simulated portal in one process, on virtual time and without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from syncd.app.application import App
from syncd.app.wiring import open_app
from syncd.clock import Clock, Uptime
from syncd.config import PortalConfig
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.cycle.sync import Sync
from syncd.portal.client import Portal
from syncd.portal.limits.tariff import limits_of
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import TransportFault, Webhook
from syncd.sandbox.php.wire import PortalRequest
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.seed.world_schema import WorldSeed
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World
from syncd.state.ledger import Ledger
from tests.support.simclock import VirtualLoop

T = TypeVar("T")
NOON = datetime(2026, 11, 21, 9, 0, tzinfo=UTC).timestamp()
WEBHOOK = "http://127.0.0.1:9/rest/1/sandboxadmin/"


class InlineLoop(VirtualLoop):
    """A virtual loop in which work for threads is done at once, so that time cannot run away from it."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        future: asyncio.Future[Any] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - what a thread raises reaches whoever awaits it
            future.set_exception(error)
        return future


def run_inline(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on virtual time."""
    with asyncio.Runner(loop_factory=InlineLoop) as runner:
        return runner.run(main)


@dataclass(slots=True)
class SimClock:
    """A Clock that begins at `start` and follows the virtual loops of one run after the other, without going back."""

    start: float = NOON
    offset_s: float = 0.0
    boot: str = "first"
    _jumped_s: float = 0.0
    booted: float = NOON
    _loop: asyncio.AbstractEventLoop | None = None
    _begun: float = 0.0
    _last: float = 0.0

    def now(self) -> float:
        return self.start + self.monotonic() + self.offset_s

    def monotonic(self) -> float:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self.offset_s += self._last
            self._loop = loop
            # A real loop counts from when the machine was started.
            self._begun = 0.0 if isinstance(loop, VirtualLoop) else loop.time()
        self._last = loop.time() - self._begun
        return self._last

    def booted_at(self) -> float:
        return self.booted + self._jumped_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    def uptime(self) -> Uptime:
        return Uptime(self.boot, self.monotonic() + self.offset_s - self._jumped_s)

    def advance(self, seconds: float) -> None:
        """Let time pass at once, as between two runs of the program."""
        self.offset_s += seconds

    def set(self, seconds: float) -> None:
        """Set the calendar that far ahead (or back); no time passes."""
        self.offset_s += seconds
        self._jumped_s += seconds

    def restarted(self, *, after_s: float) -> None:
        """Let the machine start again after some time."""
        self.offset_s += after_s
        self.booted += after_s
        self.boot += "'"


class WorldTransport:
    """Carries requests to a simulated world and lets its server time pass."""

    def __init__(self, world: World, clock: SimClock) -> None:
        self.world = world
        self.clock = clock
        self.requests = 0
        self.webhook = WEBHOOK
        self.before: Callable[[], None] | None = None

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        self.requests += 1
        if self.before is not None:
            self.before()
        path = self.webhook.removeprefix("http://127.0.0.1:9") + method
        request = PortalRequest(path=path, content_type="application/json", body=body)
        response = self.world.handle(self.clock.now(), request)
        await self.clock.sleep(min(response.duration_s, timeout_s))
        if response.duration_s >= timeout_s:
            raise TransportFault("timeout", "no answer in time")
        if response.cut:
            raise TransportFault("cut", "the connection broke")
        headers = {name.lower(): value for name, value in response.headers}
        headers["content-type"] = response.content_type
        return RawAnswer(status=response.status, headers=headers, body=response.body)

    async def close(self) -> None:
        pass


@dataclass(slots=True)
class Stage:
    """A folder with a config, a simulated portal, and everything between them."""

    folder: Path
    config: str
    seed: WorldSeed = field(default_factory=default_world)
    settings: Settings = field(default_factory=lambda: Settings(integer_stamps=False))
    clock: SimClock = field(default_factory=SimClock)
    webhook: str = WEBHOOK
    world: World = field(init=False)
    transport: WorldTransport = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(self.settings, self.seed)
        self.transport = WorldTransport(self.world, self.clock)

    def write(self, name: str, text: str, encoding: str = "utf-8") -> Path:
        path = self.folder / name
        if name == "syncd.toml" and "state = " not in text:
            # In place of the empty line at the top, so that the others keep their numbers.
            text = 'state = "state/syncd.db"\n' + text.removeprefix("\n")
        path.write_bytes(text.encode(encoding))
        return path

    def set_faults(self, settings: Settings) -> None:
        """Go on with the same portal under other settings."""
        kept = self.world
        self.world = World(settings, self.seed)
        self.world.tables, self.world.authority = kept.tables, kept.authority
        self.world.authority.settings = settings
        self.transport.world = self.world

    @asynccontextmanager
    async def opened(self, *, readonly: bool = False) -> AsyncIterator[tuple[dict[str, Sync], App]]:
        """Open ledger and client as one run of the program does; `readonly` as one that only looks."""
        config_path = self.write("syncd.toml", self.config)
        async with open_app(
            config_path,
            readonly=readonly,
            learn_secret=lambda _secret: None,
            clock=self.clock,
            environ={"HOME": str(self.folder)},
            connect=self._connected,
        ) as app:
            yield {sync.name: sync for sync in app.syncs()}, app

    @asynccontextmanager
    async def _connected(
        self, config: PortalConfig, ledger: Ledger, clock: Clock, _learn_secret: Callable[[str], object]
    ) -> AsyncIterator[Portal]:
        yield Portal(
            name=config.name,
            credential=Webhook(address=self.webhook),
            limits=limits_of(config),
            clock=clock,
            random=Random(7).random,
            transport=self.transport,
            state=await ledger.of_portal(config.name).budget(),
        )

    async def one_pass(self, name: str = "shifts", **options: Any) -> PassResult:
        """Run one pass as a run of the program of its own."""
        async with self.opened() as (syncs, app):
            return await run_pass(app.open_pass(syncs[name], asyncio.Event()), PassOptions(**options))

    def names(self, cal_type: str = "user", owner: int | None = None) -> list[str]:
        """The names of all events of a calendar (of all calendars of that type without an owner), sorted."""
        owners = (
            [owner]
            if owner is not None
            else [calendar[1] for calendar in self.world.calendars() if calendar[0] == cal_type]
        )
        return sorted(event.name for one in owners for event in self.world.events(cal_type, one))


SHIFTS = f"""
[portals.main]
webhook = "{WEBHOOK}"

[[sync]]
name = "shifts"
timezone = "Europe/Moscow"
on_removed = "delete"
removed_after = 1

[sync.source]
type = "csv"
path = "shifts.csv"

[sync.source.columns]
uid = "ID"
title = "Shift"
start = "Start"
end = "End"
owner = "E-mail"
location = "Place"

[sync.target]
calendar = "user"
owner = "{{owner}}"
section = "Shifts"
"""
"""A shift plan into employees' calendars; the default world's people are its owners."""
HEADER = "ID,Shift,Start,End,E-mail,Place\n"
