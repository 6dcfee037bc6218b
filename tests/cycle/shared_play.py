"""The play of `machine.py` with two machines that share one database: who writes to the portal changes all the time.

What must hold besides: of the requests that change the portal none comes without a lease, and none of an older epoch
after one of a newer.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from syncd.app.application import App
from syncd.app.wiring import open_app
from syncd.cli.opened import hold
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.cycle.sync import Sync
from syncd.cycle.takeback import Taken, purge, undo
from syncd.errors import SyncdError
from syncd.model.tenure import Tenure
from syncd.portal.line.transport import Permit
from syncd.scrub import Scrubber
from syncd.service.host import Runtime, Service, open_service
from syncd.service.notify import Notifier
from tests.bench.kill_relay import deeds_of
from tests.cycle.machine import HEADER, SYNCS, Play, PortalClock, _agreed
from tests.support.database_clock import DatabaseClock
from tests.support.hosts import Host, Hosts, Mishap
from tests.support.mutation import MutatingTransport, Mutation

T = TypeVar("T")

NAMES = ("one", "two")
TTL_S = 60
STOPS_WITHIN_S = 900.0
COMMAND_ENDS_WITHIN_S = 7200.0
SHARED = """state_url = "{url}"
state_schema = "play"
[lease]
ttl = "{ttl}s"
renew = "20s"
margin = "10s"
"""
LIMITS = """[portals.main.limits]
batch_size = 2
lanes = 2
"""
"""So that many requests leave where there are few rows."""


class SharedPlay(Play):
    """A source, a portal with people at work in it, and two machines whose daemons come and go."""

    def __init__(self, folder: Path, clock: DatabaseClock, *, marker: bool, passes: int, private: bool = False) -> None:
        super().__init__(folder, marker=marker, passes=passes, private=private)
        self.hosts = Hosts(clock)
        self.database = clock.schema("play")
        self._asked = clock.ask
        self.stage.clock = self.hosts.true  # type: ignore[assignment]
        self.portal = PortalClock(self.stage.clock)
        self.carrier = MutatingTransport(self.stage.world, self.portal)  # type: ignore[arg-type]
        self.transport = self.stage.transport = self.carrier  # type: ignore[assignment]
        self.machines = [self.hosts.host(name, folder / name) for name in NAMES]
        self.desk = self.hosts.host("desk", folder / "desk")
        self.services: dict[str, Service] = {}
        self.stops: dict[str, asyncio.Event] = {}
        self.newest = 0
        self.takes = 0
        head, _, rest = self.stage.config.partition("[[sync]]")
        every = 'every = "30m"\njitter = "0s"\nwatch = false\nremoved_after'
        lease = SHARED.format(url=clock.address, ttl=TTL_S)
        rest = rest.replace("removed_after", every).replace('path = "', f'path = "{folder}/')
        self.config = lease + head + LIMITS + "[[sync]]" + rest
        for host in (*self.machines, self.desk):
            (host.folder / "syncd.toml").write_text(self.config)
        self.write_sources()

    # What is sent.

    def sent(self, method: str, body: bytes, permit: Permit | None) -> None:
        """Hear of a request that reaches the portal now."""
        deeds = deeds_of(method, body)
        if deeds == "read":
            return
        assert isinstance(permit, Tenure), f"{deeds} without a lease"
        assert permit.epoch >= self.newest, f"{deeds} of epoch {permit.epoch} after {self.newest}"
        self.takes += permit.epoch > self.newest
        self.newest = permit.epoch

    def machine(self, name: str) -> Host:
        return next(host for host in self.machines if host.name == name)

    def suffers(self, host: Host, mishap: Mishap) -> None:
        """Have something happen to a host now."""

        async def suffer() -> None:
            host.suffer(mishap)

        self.hosts.run(suffer())

    def write_sources(self) -> None:
        """Put the rows into the files that both machines read."""
        for sync in SYNCS:
            lines = "".join(row.line(uid) for uid, row in sorted(self.rows[sync].items()))
            (self.stage.folder / f"{sync}.csv").write_text(HEADER + lines)

    def linked(self) -> set[int]:
        if self._asked("SELECT to_regclass('play.links')")[0][0] is None:
            return set()
        return {int(str(number)) for (number,) in self._asked("SELECT remote_id FROM play.links")}

    # What the machines do.

    def start(self, host: Host) -> None:
        """Start the daemon of a machine, unless it runs."""
        if not host.up:
            host.dead = host.frozen = host.unheard = False
            host.arm()

            async def begin() -> None:
                self.stops[host.name] = asyncio.Event()
                host.begin(self._daemon(host, self.stops[host.name]))

            self.hosts.run(begin())

    async def _daemon(self, host: Host, stop: asyncio.Event) -> None:
        runtime = Runtime(
            clock=host.clock, notifier=Notifier(None), environ={"HOME": str(host.folder)}, scrubber=Scrubber(),
            random=lambda: 0.0,
        )  # fmt: skip
        async with open_service(host.folder / "syncd.toml", runtime, stop) as service:
            self.services[host.name] = service
            await service.run(asyncio.Event())

    def stop(self, host: Host) -> None:
        """Stop the daemon of a machine in order."""
        if host.up:
            self.stops[host.name].set()
            host.go_on()
            self.until(lambda: not host.up, STOPS_WITHIN_S)
            self.ended(host)

    def kill(self, host: Host) -> None:
        """End whatever runs on a machine, at once."""
        if host.up:
            host.die()
            self.until(lambda: not host.up, STOPS_WITHIN_S)
            self.ended(host)

    def ended(self, host: Host) -> None:
        """See that nothing but a death, or what syncd knows how to tell, has ended a process."""
        main, host.main = host.main, None
        self.services.pop(host.name, None)
        if main is None or main.cancelled() or host.dead:
            return
        if (error := main.exception()) is not None:
            assert isinstance(error, SyncdError), f"{host.name} ended in a defect"

    def until(self, true: Callable[[], bool], within_s: float) -> None:
        """Let time pass until something is true."""

        async def wait() -> None:
            ends = self.hosts.loop.time() + within_s
            while not true():
                assert self.hosts.loop.time() < ends, "it takes too long"
                await asyncio.sleep(1)

        self.hosts.run(wait())

    def goes_on(
        self, seconds: float, faults: Sequence[str] = (), mutation: Mutation | None = None, poke: str | None = None
    ) -> None:
        """Let everything go on for a while; `poke` has the holder make a pass of that sync now."""
        self.write_sources()
        self.arm(*faults)
        self.carrier.mutation = mutation
        holder = self.holder()
        if poke is not None and holder is not None:
            with contextlib.suppress(SyncdError):
                self.services[holder.name].poke(poke, "the play")
        self.hosts.run(asyncio.sleep(seconds))
        self.carrier.mutation = None
        self.arm()
        for host in self.machines:
            if host.main is not None and host.main.done():
                self.ended(host)
        self.check_foreign()

    def holder(self) -> Host | None:
        """Return the machine that holds the portal and knows it."""
        found = [
            host
            for host in self.machines
            if host.up and host.name in self.services and self.services[host.name].away("main") is None
        ]
        assert len(found) < 2, "two machines hold the portal"
        return found[0] if found else None

    # Commands.

    @contextlib.asynccontextmanager
    async def _opened(self, command: str, sync: str) -> AsyncIterator[tuple[Sync, App]]:
        async with self._app(readonly=False) as app:
            await hold(argparse.Namespace(command=command, names=[sync], name=sync, portal=None), app)
            yield app.sync(sync), app

    def carried(self, program: Callable[[], Coroutine[Any, Any, Any]], *, mishaps: Sequence[Mishap] = ()) -> None:
        """Carry out a command on a third machine, which may die of it."""
        self.last = None
        self.desk.dead = self.desk.frozen = self.desk.unheard = self.desk.cut = False
        self.desk.arm(*mishaps)

        async def main() -> None:
            task = self.desk.begin(program())
            done, _ = await asyncio.wait([task], timeout=COMMAND_ENDS_WITHIN_S)
            assert done, f"a command does not end: {task.get_stack()}"
            if self.desk.dead:
                return
            error = task.exception() if not task.cancelled() else None
            if isinstance(error, SyncdError):
                return
            if error is not None:
                raise error
            self.last = task.result()

        self.write_sources()
        self.hosts.run(main())
        self.ended(self.desk)
        self.check_foreign()

    def command(
        self, sync: str, *, verify: bool, force: bool, faults: Sequence[str] = (), mishaps: Sequence[Mishap] = ()
    ) -> None:
        """Give `syncd sync`."""

        async def program() -> PassResult:
            async with self._opened("sync", sync) as (one, app):
                return await run_pass(app.open_pass(one, asyncio.Event()), PassOptions(verify=verify, force=force))

        self.arm(*faults)
        self.carried(program, mishaps=mishaps)
        self.arm()

    def taken_back(self, sync: str, *, everything: bool, mishaps: Sequence[Mishap] = ()) -> None:
        """Give `syncd undo` of the last run, or `syncd purge`."""

        async def program() -> Taken | None:
            async with self._opened("purge", sync) as (one, app):
                run = app.open_pass(one, asyncio.Event())
                if everything:
                    return await purge(run, confirm=_agreed)
                last = await app.ledger.of(sync).last_pass()
                return None if last is None else await undo(run, last.id, confirm=_agreed)

        self.carried(program, mishaps=mishaps)

    def release(self) -> None:
        """Have whoever holds the portal give it back, as `syncd lease release` does."""

        async def program() -> None:
            async with self._app(readonly=False) as app:
                assert app.ledger.leases is not None
                await app.ledger.leases.ask_back("main")

        self.carried(program)

    # How it ends.

    def calm_down(self) -> None:
        """Let both machines work as they should, hand over once each way, and stop."""
        self.unmask()
        for host in self.machines:
            host.arm()
            host.go_on()
            host.reach()
            host.clock.skew_s = 0.0
            self.start(host)
        self.goes_on(4 * TTL_S)
        first = self.holder()
        assert first is not None, "nobody holds the portal"
        self.stop(first)
        self.goes_on(2 * TTL_S)
        second = self.holder()
        assert second is not None and second is not first, "nobody has taken over"
        for host in self.machines:
            self.stop(host)

    def close(self) -> None:
        """Kill what still runs."""
        for host in (*self.machines, self.desk):
            self.kill(host)
        self.hosts.close()

    def check_converged(self) -> None:
        self.calm_down()
        super().check_converged()

    def _passed(self, sync: str) -> int:
        self.command(sync, verify=True, force=True)
        assert isinstance(self.last, PassResult), "a command could not be carried out"
        return self.last.exit_code

    def looked(self, look: Coroutine[Any, Any, T]) -> T:
        async def main() -> T:
            found: T = await self.desk.begin(look)
            return found

        self.desk.dead = False
        found: T = self.hosts.run(main())
        return found

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[Mapping[str, Sync], App]]:
        async with self._app(readonly=True) as app:
            yield {}, app

    def _app(self, *, readonly: bool) -> contextlib.AbstractAsyncContextManager[App]:
        return open_app(
            self.desk.folder / "syncd.toml", readonly=readonly, learn_secret=lambda _: None, clock=self.desk.clock,
            environ={"HOME": str(self.desk.folder)},
        )  # fmt: skip
