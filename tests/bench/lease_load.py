"""Two real machines over one real PostgreSQL, with faults: `python -m tests.bench.lease_load [COUNT [FIRST SEED]]`.

Two `syncd run` share two simulated portals, each a process of its own; the parts are in `lease_faults`. After every few
faults the portals must show what the sources say, once; no request of an older epoch may come after one of a newer;
every link must have its event; and what is somebody else's must be as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psycopg
from aiohttp import ClientSession, ClientTimeout

from tests.bench.kill_portal import Portal
from tests.bench.kill_sources import Book
from tests.bench.lease_faults import Machine, Store, Watched, fallen, until
from tests.support.database_clock import AHEAD, replace_clock
from tests.support.held_line import HeldLine
from tests.support.postgres import Server, free_port

TTL_S, RENEW_S, MARGIN_S = 4, 1, 1
CONFIG = """control = "{folder}/syncd.sock"
state_url = "postgresql://tester@127.0.0.1:{port}/postgres"
state_schema = "{schema}"
[lease]
ttl = "{ttl}s"
renew = "{renew}s"
margin = "{margin}s"
"""
PORTAL = """[portals.{name}]
webhook = "{url}/rest/1/{code}/"
tariff = "enterprise"
[portals.{name}.limits]
batch_size = 6
batch_seconds = 0.5
lanes = 3
timeout = 2
settle = 0.5
"""
SYNC = """
[[sync]]
name = "{name}"
portal = "{portal}"
every = "2s"
jitter = "0s"
timezone = "Europe/Moscow"
on_removed = "delete"
removed_after = 1
max_removed = "100%"
max_changed = "100%"
verify_every = "15s"
marker = "{marker}"
[sync.source]
type = "csv"
path = "{file}"
[sync.source.columns]
uid = "ID"
title = "Title"
start = "Start"
end = "End"
owner = "E-mail"
location = "Place"
[sync.target]
calendar = "user"
owner = "{{owner}}"
section = "{section}"
"""
SYNCS = (("shifts", "a", "Shifts", "none"), ("rota", "b", "Rota", "description"))
ENTRIES = 14
FAULTS_PER_CHECK = 5
STEPS_S = (-7200.0, -30.0, 0.0, 30.0, 7200.0)
"""How far a clock is set ahead of the true time."""
SETTLED_WITHIN_S = 120.0


class ViolationError(AssertionError):
    """Something that must hold does not."""


@dataclass(slots=True)
class Tally:
    """What has been seen so far."""

    faults: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    changes: int = 0
    takes: int = 0
    doubles: int = 0
    takeovers: list[float] = field(default_factory=list)
    handovers: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def show(self) -> None:
        print(f"{sum(self.faults.values())} faults, {self.checks} checks, {self.takes} takes, {self.changes} changes")
        print(f"{self.doubles} doubles seen for a while, {len(self.violations)} violations")
        for what, number in sorted(self.faults.items()):
            print(f"  {number:5} {what}")
        for what, times, most in (
            ("take-over after kill -9", self.takeovers, TTL_S + 2.0),
            ("hand-over by SIGTERM", self.handovers, 1.0),
        ):
            if times:
                ordered = sorted(times)
                late = sum(one > most for one in times)
                print(f"{what}: {len(times)}, median {ordered[len(times) // 2]:.2f} s, longest {ordered[-1]:.2f} s, "
                      f"{late} over {most:g} s")  # fmt: skip
        for told in self.violations:
            print(f"  {told}")
        sys.stdout.flush()


@dataclass(slots=True)
class Campaign:
    """Two machines, two portals and one database, over many faults."""

    folder: Path
    random: Random
    tally: Tally
    portals: dict[str, Portal]
    relays: dict[str, Watched]
    machines: dict[str, Machine]
    store: Store
    books: dict[str, Book] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)

    async def prepare(self) -> None:
        """Write configs and sources, and start both machines."""
        for name, _, section, _ in SYNCS:
            book = Book(name, section, self.random)
            book.add(ENTRIES)
            book.write(self.folder)
            self.books[name] = book
        for machine in self.machines.values():
            machine.folder.mkdir()
            machine.set_clock(0.0)
            text = CONFIG.format(
                folder=machine.folder, port=machine.line.port, schema=self.store.schema, ttl=TTL_S, renew=RENEW_S,
                margin=MARGIN_S,
            )  # fmt: skip
            for name, relay in self.relays.items():
                text += PORTAL.format(name=name, url=relay.url, code=machine.code)
            for name, portal, section, marker in SYNCS:
                file = self.folder / self.books[name].file
                text += SYNC.format(name=name, portal=portal, section=section, marker=marker, file=file)
            (machine.folder / "syncd.toml").write_text(text)
        first, *others = self.machines.values()
        await first.start()
        if not await until(lambda: bool(self.store.ask("SELECT to_regclass('leases') IS NOT NULL")[0][0]), 30):
            raise ViolationError("the first machine made no tables")
        self.store.watch()
        for other in others:
            await other.start()

    def edit(self) -> None:
        """Change a few entries of each source."""
        for book in self.books.values():
            book.edit(self.random.randrange(1, 5))
            book.write(self.folder)

    def holder(self, portal: str) -> Machine | None:
        """Return the machine that holds a portal now."""
        rows = self.store.ask("SELECT pid FROM leases WHERE portal = %s AND holder <> ''", portal)
        return next((one for one in self.machines.values() if rows and one.pid == rows[0][0]), None)

    # What happens.

    async def fault(self) -> None:
        """Change the sources, and have something go wrong while that is being sent."""
        await self.all_up()
        self.edit()
        portal = self.random.choice(sorted(self.relays))
        relay = self.relays[portal]
        relay.met.clear()
        if self.random.random() < 0.6:  # in the middle of a push
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(relay.met.wait(), 4)
        else:
            await asyncio.sleep(self.random.uniform(0.1, 2.5))
        machine = self.holder(portal) or self.random.choice([*self.machines.values()])
        if self.random.random() < 0.15:
            machine = next(one for one in self.machines.values() if one is not machine)
        name, carry = self.random.choice(FAULTS)
        self.story = [*self.story[-9:], f"{name} of {machine.name}"]
        await carry(self, machine, portal)
        self.tally.faults[name] += 1

    async def all_up(self) -> None:
        """See to it that both machines run and reach everything."""
        for machine in self.machines.values():
            machine.send(signal.SIGCONT)
            machine.line.deliver()
            if machine.process is not None and machine.process.returncode not in (None, 0, -9, -15):
                raise ViolationError(f"{machine.name} ended with {machine.process.returncode}")
            await machine.start()

    async def kill(self, machine: Machine, portal: str) -> None:
        held = self.holder(portal) is machine
        began = time.time()
        machine.send(signal.SIGKILL)
        await machine.ended(10)
        if held:
            await self.taken(portal, began, self.tally.takeovers)

    async def taken(self, portal: str, began: float, times: list[float]) -> None:
        """Note how long it takes until another process has the portal."""

        def later() -> list[float]:
            return [at for at, name, _, _ in self.store.takes() if name == portal and at > began]

        if not await until(lambda: bool(later()), TTL_S * 4):
            raise ViolationError(f"nobody took {portal}")
        times.append(later()[0] - began)

    async def stop(self, machine: Machine, portal: str) -> None:
        """Stop a machine in order while nothing is under way, so that only the hand-over is measured."""
        await asyncio.sleep(2.5)
        held = self.holder(portal) is machine
        began = time.time()
        machine.send(signal.SIGTERM)
        if held and machine.process is not None and machine.process.returncode is None:
            await self.taken(portal, began, self.tally.handovers)
        await machine.ended(60)

    async def freeze(self, machine: Machine, portal: str) -> None:
        machine.send(signal.SIGSTOP)
        await asyncio.sleep(self.random.uniform(0.3, 2.0 * TTL_S))
        machine.send(signal.SIGCONT)

    async def cut_off(self, machine: Machine, portal: str) -> None:
        """Hold what goes between a machine and the database, and deliver it later."""
        machine.line.hold()
        await asyncio.sleep(self.random.uniform(0.3, 2.0 * TTL_S))
        machine.line.deliver()

    async def cut_and_freeze(self, machine: Machine, portal: str) -> None:
        machine.line.hold()
        await asyncio.sleep(self.random.uniform(0, 2))
        await self.freeze(machine, portal)
        machine.line.deliver()

    async def end_sessions(self, machine: Machine, portal: str) -> None:
        self.store.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'syncd'")

    async def restart_server(self, machine: Machine, portal: str) -> None:
        await asyncio.to_thread(self.store.server.stop, "immediate")
        await asyncio.sleep(self.random.choice((0, 0, 0.5, 2, TTL_S + 1)))
        await asyncio.to_thread(self.store.server.start)

    async def lose_answers(self, machine: Machine, portal: str) -> None:
        self.relays[portal].losing = self.random.randrange(1, 4)

    async def arrive_late(self, machine: Machine, portal: str) -> None:
        """Kill a machine with a request under way, which reaches the portal after its death."""
        self.relays[portal].late_s = self.random.uniform(0.1, 1.8)
        self.edit()
        await asyncio.sleep(3)
        self.relays[portal].late_s = 0.0

    async def release(self, machine: Machine, portal: str) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "syncd", "--config", str(machine.folder / "syncd.toml"), "lease", "release", portal,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await asyncio.wait_for(process.wait(), 60)

    async def reload(self, machine: Machine, portal: str) -> None:
        with (machine.folder / "syncd.toml").open("a") as file:
            file.write("# again\n")
        if await until(machine.begun, 30):
            machine.send(signal.SIGHUP)

    async def set_clock(self, machine: Machine, portal: str) -> None:
        machine.set_clock(self.random.choice(STEPS_S))
        await asyncio.sleep(self.random.uniform(0, 2.0 * TTL_S))

    async def set_database_clock(self, machine: Machine, portal: str) -> None:
        self.store.set_clock(self.random.choice(STEPS_S))
        await asyncio.sleep(self.random.uniform(0, 2.0 * TTL_S))

    # What must hold.

    async def check(self) -> None:
        """Wait until everything is as it should be, and compare."""
        await self.all_up()
        for relay in self.relays.values():
            relay.losing, relay.late_s = 0, 0.0
        ends = time.monotonic() + SETTLED_WITHIN_S
        while told := await self.differing():
            if time.monotonic() > ends:
                raise ViolationError("; ".join(told[:6]))
            await asyncio.sleep(1)
        takes = self.store.takes()
        sent = [one for relay in self.relays.values() for one in relay.sent]
        told = fallen(sent, takes)
        for portal in self.portals.values():
            told += await portal.touched()
        if told:
            raise ViolationError("; ".join(told[:6]))
        self.tally.checks += 1

    async def differing(self) -> list[str]:
        """Return what the portals do not show as the sources say, and links without an event."""
        told = []
        for name, portal_name, *_ in SYNCS:
            portal, wanted = self.portals[portal_name], self.books[name].wanted()
            found = await portal.shown()
            twice = [one for one, number in found.items() if number > wanted.get(one, 1)]
            self.tally.doubles += len(twice)
            told += [f"twice: {one}" for one in twice]
            told += [f"lost: {one}" for one in wanted - found]
            told += [f"not wanted: {one}" for one in found - wanted]
            events = {int(row["ID"]) for row in await portal.rows()} - portal.foreign.keys()
            links = {number for (number,) in self.store.ask("SELECT remote_id FROM links WHERE sync = %s", name)}
            if links != events:
                told.append(f"{name}: links without events {links - events}, events without links {events - links}")
            if left := self.store.ask("SELECT count(*) FROM intents WHERE sync = %s", name)[0][0]:
                told.append(f"{name}: {left} intents are open")
        return told


Carry = Callable[[Campaign, Machine, str], Awaitable[None]]
FAULTS: tuple[tuple[str, Carry], ...] = (
    ("kill -9", Campaign.kill),
    ("kill -9", Campaign.kill),
    ("SIGTERM", Campaign.stop),
    ("SIGSTOP, SIGCONT", Campaign.freeze),
    ("SIGSTOP, SIGCONT", Campaign.freeze),
    ("line to the database held", Campaign.cut_off),
    ("line to the database held", Campaign.cut_off),
    ("held and frozen", Campaign.cut_and_freeze),
    ("pg_terminate_backend", Campaign.end_sessions),
    ("pg_terminate_backend", Campaign.end_sessions),
    ("restart of the server", Campaign.restart_server),
    ("answers of the portal lost", Campaign.lose_answers),
    ("kill -9, the request arrives later", Campaign.arrive_late),
    ("lease release", Campaign.release),
    ("SIGHUP", Campaign.reload),
    ("clock of a machine set", Campaign.set_clock),
    ("clock of the database set", Campaign.set_database_clock),
)


@contextlib.contextmanager
def straight(server: Server) -> Iterator[int]:
    """Give the port of the server itself."""
    yield server.port


@contextlib.asynccontextmanager
async def campaign(
    folder: Path,
    random: Random,
    tally: Tally,
    way: Callable[[Server], contextlib.AbstractContextManager[int]] = straight,
) -> AsyncIterator[Campaign]:
    """Open everything, and close it. `way` gives the port by which machines reach the server."""
    async with contextlib.AsyncExitStack() as stack:
        server = Server(Path(tempfile.mkdtemp(prefix="leases-")) / "postgres", free_port())
        server.folder.parent.chmod(0o755)
        server.make()
        server.start()
        with psycopg.connect(server.address, autocommit=True) as direct:
            replace_clock(direct, AHEAD)
        stack.callback(shutil.rmtree, server.folder.parent)
        stack.callback(server.stop, "immediate")
        port = stack.enter_context(way(server))
        session = await stack.enter_async_context(ClientSession(timeout=ClientTimeout(total=60)))
        portals, relays, machines = {}, {}, {}
        for name in ("one", "two"):
            line = HeldLine(port)
            await line.open()
            stack.push_async_callback(line.close)
            machines[name] = Machine(name, folder / name, line)
        for name in ("a", "b"):
            portal = Portal(name, session, random, "enterprise")
            stack.push_async_callback(portal.close)
            await portal.open(folder / f"sandbox-{name}.log")
            await portal.remember()
            relays[name] = Watched(portal.origin, session, name, portal.path, machines)
            await relays[name].open()
            stack.push_async_callback(relays[name].close)
            portals[name] = portal
        played = Campaign(folder, random, tally, portals, relays, machines, Store(server, "leases"))
        try:
            await played.prepare()
            yield played
        finally:
            for machine in machines.values():
                machine.send(signal.SIGCONT)
                machine.send(signal.SIGKILL)
                if machine.process is not None:
                    await machine.process.wait()


async def play(seed: int, faults: int, tally: Tally, kept: Path) -> None:
    """Play one campaign."""
    folder = Path(tempfile.mkdtemp(prefix=f"leases-{seed}-"))
    async with campaign(folder, Random(seed), tally) as one:
        try:
            await one.check()
            for number in range(1, faults + 1):
                await one.fault()
                if number % FAULTS_PER_CHECK == 0 or number == faults:
                    await one.check()
        except ViolationError as violation:
            tally.violations.append(f"seed {seed}: {violation}\n    {' | '.join(one.story)}")
            shutil.copytree(folder, kept / str(seed), dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
            print(f"VIOLATION, kept in {kept / str(seed)}: {tally.violations[-1]}", flush=True)
        tally.takes += len(one.store.takes())
        tally.changes += sum(len(relay.sent) for relay in one.relays.values())
    shutil.rmtree(folder)


async def main(count: int, first: int, per_campaign: int = 50) -> Tally:
    """Play campaigns until `count` faults have happened, or something is wrong twice."""
    tally, seed = Tally(), first
    kept = Path(tempfile.mkdtemp(prefix="lease_load-"))
    while (done := sum(tally.faults.values())) < count and len(tally.violations) < 2:
        await play(seed, min(per_campaign, count - done), tally, kept)
        print(f"seed {seed}:", flush=True)
        tally.show()
        seed += 1
    return tally


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    seen = asyncio.run(main(words[0] if words else 50, words[1] if len(words) > 1 else 0))
    sys.exit(1 if seen.violations else 0)
