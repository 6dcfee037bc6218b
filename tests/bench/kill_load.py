"""Kills the real program and compares the portals: `python -m tests.bench.kill_load [COUNT [FIRST SEED]]`.

Three simulated portals and five syncs, each process real; the parts are `kill_sources`, `kill_portal`, `kill_relay`.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson
from aiohttp import ClientSession, ClientTimeout

from syncd import events
from tests.bench.kill_portal import Portal
from tests.bench.kill_relay import Gun, Moment, Shooting, Shot
from tests.bench.kill_sources import Book, Shown, plain_name

TIMEOUT_S, SETTLE_S = 2.0, 0.5
LIMITS = f"""batch_size = 6
batch_seconds = 0.5
lanes = 3
timeout = {TIMEOUT_S}
settle = {SETTLE_S}
"""
"""A request of these portals never takes longer, so a cut one need not be waited for longer than that."""
SYNC = """
[[sync]]
name = "{name}"
portal = "{portal}"
every = "3s"
jitter = "0s"
settle = "1s"
timezone = "Europe/Moscow"
on_removed = "delete"
removed_after = 1
max_removed = "100%"
max_changed = "100%"
verify_every = "6s"
marker = "{marker}"
[sync.source]
type = "{type}"
path = "{file}"
"""
COLUMNS = """[sync.source.columns]
uid = "ID"
title = "Title"
start = "Start"
end = "End"
owner = "E-mail"
location = "Place"
"""
CALENDAR = '[sync.target]\ncalendar = "user"\nowner = "{{owner}}"\nsection = "{section}"\n'
GROUP = '[sync.target]\ncalendar = "group"\nowner = "Timetable"\nsection = "{section}"\n'
CARDS = (
    'contact_phone = "Phone"\n[sync.target]\ntype = "activity"\n'
    'contact = "{{contact_phone}}"\nresponsible = "{{owner}}"\n'
)
GUESTS = 'attendees = "Guests"\n' + CALENDAR + '[sync.fields]\nattendees = "source"\n'
SYNCS = (
    ("shifts", "a", "Shifts", "none", COLUMNS + CALENDAR),
    ("extras", "a", "Shifts", "none", COLUMNS + CALENDAR),
    ("lessons", "b", "Lessons", "description", GROUP),
    ("rota", "b", "Rota", "description", COLUMNS + GUESTS),
    ("visits", "c", "", "none", COLUMNS + CARDS),
)
ENTRIES = 12
KILLS_PER_CAMPAIGN = 25
LONGEST_S = 120.0
STARTED = events.DAEMON_STARTED.encode()
MOST_VIOLATIONS = 2
MOST_TOLD = 6
MOMENTS: tuple[Moment, ...] = ("at a time", "lost", "late", "sent", "answered", "delivered")
ROUNDS = ("sync", "sync", "migrate", "undo", "purge", "run", "run")


class ViolationError(AssertionError):
    """The portals do not show what they should."""


@dataclass(slots=True)
class Tally:
    """What has been seen so far."""

    kills: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    passes: int = 0
    escaped: int = 0
    violations: list[str] = field(default_factory=list)

    def show(self) -> None:
        print(
            f"{sum(self.kills.values())} kills, {self.escaped} processes ended before theirs, {self.passes} comparisons"
        )
        for title, counts in (("command", self.kills), ("moment", self.hits)):
            print(f"by {title}:")
            for what, number in sorted(counts.items()):
                print(f"  {number:5} {what}")
        print(f"{len(self.violations)} violations")
        for told in self.violations:
            print(f"  {told}")
        sys.stdout.flush()


@dataclass(slots=True)
class Campaign:
    """Three portals, five syncs and one ledger, over many kills."""

    folder: Path
    random: Random
    tally: Tally
    portals: dict[str, Portal]
    relays: dict[str, Shooting]
    gun: Gun
    books: dict[str, Book] = field(default_factory=dict)
    edited: set[tuple[str, int]] = field(default_factory=set)
    story: list[str] = field(default_factory=list)
    waiting: dict[str, frozenset[str]] = field(default_factory=dict)
    logged: int = 0
    """Where in the log the last process begins."""

    def prepare(self) -> None:
        """Write the config and the first sources."""
        text = 'state = "state.db"\n'
        for name, relay in self.relays.items():
            behind = self.portals[name]
            text += f'[portals.{name}]\nwebhook = "{relay.url}{behind.path}"\n'
            text += f'tariff = "{behind.tariff}"\n[portals.{name}.limits]\n{LIMITS}'
        for name, portal, section, marker, more in SYNCS:
            book = Book(name, section, self.random, name == "lessons", name == "rota", name == "visits")
            book.add(ENTRIES if not book.series else ENTRIES // 2)
            book.write(self.folder)
            self.books[name] = book
            kind = "ics" if book.series else "csv"
            text += SYNC.format(name=name, portal=portal, marker=marker, type=kind, file=book.file)
            text += more.format(section=section)
        (self.folder / "syncd.toml").write_text(text)

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        with (self.folder / "log").open("ab") as log:
            log.write(f"\n== {time.time():.3f} {' '.join(words)} ({self.gun.shot})\n".encode())
            log.flush()
            self.logged = log.tell()
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "syncd",
                "--config",
                str(self.folder / "syncd.toml"),
                *words,
                stdout=PIPE,
                stderr=log,
            )
        self.gun.process = process
        return process

    async def command(self, *words: str, shot: Shot | None = None) -> tuple[int, str]:
        """Run the program, which may be shot; return its exit code (-9 if it was) and what it printed."""
        self.gun.load(shot)
        process = await self.start(*words)
        if shot is not None and shot.moment == "at a time":
            timer = asyncio.get_running_loop().call_later(shot.delay_s, self._time_is_up)
        else:
            timer = None
        try:
            out, _ = await asyncio.wait_for(process.communicate(), LONGEST_S)
        except TimeoutError:
            process.kill()
            raise ViolationError(f"{' '.join(words)} did not end") from None
        finally:
            if timer is not None:
                timer.cancel()
        assert process.returncode is not None
        self.story.append(f"{' '.join(words)}: {self.gun.fired or process.returncode}")
        return process.returncode, out.decode()

    def _time_is_up(self) -> None:
        self.gun.fire(f"at a time: {self.gun.last}")

    def shot(self, longest_s: float = 2.5) -> Shot:
        """Return a kill at a random moment."""
        pick = self.random
        moment = pick.choice(MOMENTS)
        delay = {"at a time": pick.uniform(0.3, longest_s), "late": pick.uniform(0, TIMEOUT_S * 0.9)}
        writes = pick.random() < 0.75
        return Shot(moment, pick.randrange(1, 6 if writes else 9), writes, delay.get(moment, pick.uniform(0, 0.03)))

    async def killed(self, *words: str) -> None:
        """Run a command and kill it; now and then kill what comes after it too."""
        for _ in range(1 if self.random.random() < 0.6 else 2):
            code, _ = await self.command(*words, shot=self.shot())
            if self.gun.fired and code == -signal.SIGKILL:
                self.tally.kills[words[0]] += 1
                self.tally.hits[self.gun.fired] += 1
            else:
                self.tally.escaped += 1
                if code not in (0, 1):
                    raise ViolationError(f"{' '.join(words)} ended with {code}")

    async def cleanly(self, *words: str) -> str:
        """Run a command to its end; it may leave entries that wait, nothing else."""
        code, out = await self.command(*words)
        if code not in (0, 1):
            code, out = await self.command(*words)
        if code not in (0, 1):
            raise ViolationError(f"{' '.join(words)} ended with {code}: {out[-300:]}")
        return out

    def runs(self, sync: str, after: int = 0) -> list[int]:
        """Return the runs of a sync after one, the newest first."""
        with contextlib.closing(sqlite3.connect(self.folder / "state.db")) as ledger:
            found = ledger.execute("SELECT id FROM runs WHERE sync = ? AND id > ? ORDER BY id DESC", (sync, after))
            return [number for (number,) in found]

    def linked(self, *syncs: str) -> list[int]:
        """Return the ids of the single events that some syncs have links to."""
        marks = ",".join("?" for _ in syncs)
        with contextlib.closing(sqlite3.connect(self.folder / "state.db")) as ledger:
            found = ledger.execute(f"SELECT remote_id FROM links WHERE sync IN ({marks}) ORDER BY 1", syncs)
            return [number for (number,) in found]

    # What must hold.

    async def settled(self, *names: str) -> None:
        """Make a clean pass and compare every portal with the sources."""
        await self.compare(self.note_waiting(names, await self.cleanly("sync", "--verify", "--json", *names)))

    def note_waiting(self, names: tuple[str, ...], out: str) -> frozenset[str]:
        """Return the uids of all entries that wait; a pass says it of its own syncs only."""
        self.waiting = {sync: uids for sync, uids in self.waiting.items() if sync not in names}
        for sync, uids in waiting_in(out).items():
            self.waiting[sync] = uids
        return frozenset().union(*self.waiting.values())

    async def compare(self, waiting: frozenset[str] = frozenset(), without: str = "") -> None:
        """Raise ViolationError unless the portals show what the sources say, once, and what is others' as it was."""
        for name in self.portals:
            books = [self.books[sync] for sync, portal, *_ in SYNCS if portal == name and sync != without]
            wanted: Counter[Shown] = Counter()
            for book in books:
                wanted.update(book.wanted(waiting))
            await self.same(name, wanted, frozenset().union(*(book.held(waiting) for book in books)))
        self.tally.passes += 1

    async def same(self, name: str, wanted: Counter[Shown], held: frozenset[str] = frozenset()) -> None:
        """Raise ViolationError unless one portal shows exactly this, and perhaps something of the entries held."""
        for relay in self.relays.values():
            if relay.late:
                await asyncio.wait(relay.late)
        try:
            found = await self.portals[name].shown()
        except AssertionError as error:
            raise ViolationError(str(error)) from error
        told = await self.portals[name].touched()
        told += [f"lost: {one}" for one in (wanted - found)]
        more = [one for one in (found - wanted) if plain_name(one.name) not in held]
        told += [f"{'twice' if one in wanted else 'not wanted'}: {one}" for one in more]
        if told:
            longest_s = max(relay.longest_s for relay in self.relays.values())
            late = f"the last request of a dead process ended {longest_s:.1f} s after it"
            shown = told if len(told) <= MOST_TOLD else (*told[:3], "...", *told[-3:])
            raise ViolationError(f"portal {name}: {'; '.join(shown)} ({len(told)} in all; {late})")

    # What happens.

    async def people(self, *names: str) -> None:
        """People make events of their own, some of which look like ours, and change a few of ours."""
        for name in {portal for sync, portal, *_ in SYNCS if sync in names}:
            portal = self.portals[name]
            ours = sorted(one for one in await portal.shown() if one.section or one.kind == "card")
            if ours and len(portal.foreign) < 25:
                await portal.add_foreign(self.random.choice(ours))
        where = {sync: portal for sync, portal, *_ in SYNCS}
        # Portals count their ids for themselves, so that a number alone says nothing.
        known = [
            (where[sync], number)
            for sync in names
            if sync != "visits"
            for number in self.linked(sync)
            if (where[sync], number) not in self.edited
        ]
        for name, number in self.random.sample(known, min(len(known), self.random.randrange(3))):
            self.edited.add((name, number))
            with contextlib.suppress(RuntimeError):
                await self.portals[name].edit_ours(number, f"Edited {number}")

    async def round(self, kind: str) -> None:
        """Play one kind of kill with the pass that follows, and compare."""
        names = self.random.sample(sorted(self.books), self.random.choice((1, 2, 5)))
        self.story = [f"round {kind} of {', '.join(names)}"]
        match kind:
            case "sync":
                await self.kill_sync(names)
            case "migrate":
                await self.kill_migrate(names[0])
            case "undo":
                await self.kill_undo(names[0])
            case "purge":
                await self.kill_purge(names[0])
            case _:
                await self.kill_daemon()

    def edit(self, *names: str) -> None:
        for name in names:
            book = self.books[name]
            book.edit(self.random.randrange(1, len(book.entries) + 1))
            book.write(self.folder)

    async def kill_sync(self, names: list[str]) -> None:
        self.edit(*names)
        if self.random.random() < 0.5:
            await self.people(*names)
        await self.killed("sync", *(("--verify",) if self.random.random() < 0.3 else ()), *names)
        if self.random.random() < 0.3:
            await self.people(*names)
        if self.random.random() < 0.3:
            self.edit(*names)
        await self.settled(*names)

    async def kill_migrate(self, name: str) -> None:
        if self.random.random() < 0.5:
            await self.cleanly("purge", name, "--yes")
        self.edit(name)
        await self.killed("migrate", name, "--yes")
        await self.cleanly("migrate", name, "--yes")
        await self.settled(name)

    async def kill_undo(self, name: str) -> None:
        """Undo whatever it took to get from one state to another, newest first, some of it twice."""
        portal = next(portal for sync, portal, *_ in SYNCS if sync == name)
        before = await self.portals[portal].shown()
        last = max(self.runs(name), default=0)
        self.edit(name)
        if self.random.random() < 0.5:
            await self.killed("sync", name)
        if self.random.random() < 0.7 or not self.runs(name, last):
            await self.cleanly("sync", name)
        for run in self.runs(name, last):
            await self.killed("undo", str(run), "--yes")
            await self.cleanly("undo", str(run), "--yes")
        await self.same(portal, before)
        self.tally.passes += 1
        await self.settled(name)

    async def kill_purge(self, name: str) -> None:
        await self.killed("purge", name, "--yes")
        await self.cleanly("purge", name, "--yes")
        await self.compare_without(name)
        await self.settled(name)

    async def compare_without(self, name: str) -> None:
        """Compare after a purge; what waits for a look-alike in other syncs is looked up by a pass of those."""
        others = [sync for sync in self.books if sync != name]
        out = await self.cleanly("sync", "--json", *others)
        self.waiting.pop(name, None)
        await self.compare(self.note_waiting(tuple(others), out), without=name)

    async def kill_daemon(self) -> None:
        """Kill the daemon while sources change; start it again, or make a pass by hand."""
        self.gun.load(shot := self.shot(6.0))
        process = await self.start("run")
        ends = time.monotonic() + 8
        timed = time.monotonic() + shot.delay_s
        while process.returncode is None and time.monotonic() < ends:
            if self.random.random() < 0.2:
                self.edit(self.random.choice(sorted(self.books)))
            if shot.moment == "at a time" and time.monotonic() > timed:
                self._time_is_up()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 0.3)
        await self.ended(process)
        if self.random.random() < 0.5:
            await self.daemon_for(5)
        await self.settled(*self.books)

    async def ended(self, process: asyncio.subprocess.Process) -> None:
        """Note how a daemon ended; stop one that nothing has hit."""
        await self.begun(process)
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            self.tally.escaped += 1
            if await asyncio.wait_for(process.wait(), LONGEST_S) != 0:
                raise ViolationError(f"run ended with {process.returncode}")
            return
        if process.returncode != -signal.SIGKILL or not self.gun.fired:
            raise ViolationError(f"run ended with {process.returncode}")
        self.tally.kills["run"] += 1
        self.tally.hits[self.gun.fired] += 1
        self.story.append(f"run: {self.gun.fired}")

    async def begun(self, process: asyncio.subprocess.Process) -> None:
        """Wait until a daemon listens to signals, or has ended: before that SIGTERM ends it as it ends any program."""
        ends = time.monotonic() + LONGEST_S
        while process.returncode is None and STARTED not in self.told():
            if time.monotonic() > ends:
                raise ViolationError("run did not start")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 0.1)

    def told(self) -> bytes:
        """Return what the last process has logged so far."""
        with (self.folder / "log").open("rb") as log:
            log.seek(self.logged)
            return log.read()

    async def daemon_for(self, seconds: float) -> None:
        """Let the daemon work for so long and stop it in order."""
        self.gun.load(None)
        process = await self.start("run")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), seconds)
        await self.ended(process)


def waiting_in(out: str) -> dict[str, frozenset[str]]:
    """Return, by sync, the uids of entries that wait because something of somebody else's looks like them."""
    runs: list[dict[str, Any]] = orjson.loads(out)["runs"]
    waiting: dict[str, set[str]] = {}
    for run in runs:
        for problem in run["problems"]:
            if "looks like" in problem["reason"]:
                waiting.setdefault(run["sync"], set()).add(problem["key"].partition("|")[0])
            elif problem["kind"] != "warning":
                raise ViolationError(f"problem: {problem}")
    return {sync: frozenset(uids) for sync, uids in waiting.items()}


@contextlib.asynccontextmanager
async def campaign(folder: Path, random: Random, tally: Tally) -> AsyncIterator[Campaign]:
    """Open portals and relays, and close them."""
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(ClientSession(timeout=ClientTimeout(total=60)))
        gun = Gun()
        tariffs = {"a": "enterprise", "b": "self-hosted", "c": "enterprise"}
        portals = {name: Portal(name, session, random, tariff) for name, tariff in tariffs.items()}
        relays = {}
        for name, portal in portals.items():
            stack.push_async_callback(portal.close)
            await portal.open(folder / f"sandbox-{name}.log")
            await portal.remember()
            relays[name] = Shooting(portal.origin, session, gun)
            await relays[name].open()
            stack.push_async_callback(relays[name].close)
        played = Campaign(folder, random, tally, portals, relays, gun)
        played.prepare()
        yield played


async def play(seed: int, kills: int, tally: Tally, kept: Path) -> None:
    """Play one campaign until so many kills have hit, or something is wrong."""
    folder = Path(tempfile.mkdtemp(prefix=f"kills-{seed}-"))
    until = sum(tally.kills.values()) + kills
    async with campaign(folder, Random(seed), tally) as one:
        try:
            await one.settled(*one.books)
            while sum(tally.kills.values()) < until:
                await one.round(one.random.choice(ROUNDS))
        except ViolationError as violation:
            tally.violations.append(f"seed {seed}: {violation}\n    {' | '.join(one.story)}")
            shutil.copytree(folder, kept / str(seed), dirs_exist_ok=True)
            print(
                f"VIOLATION seed {seed}, kept in {kept / str(seed)}: {violation}\n    {' | '.join(one.story)}",
                flush=True,
            )
    shutil.rmtree(folder)


async def main(count: int, first: int) -> Tally:
    """Play campaigns until `count` kills have hit."""
    tally = Tally()
    kept = Path(tempfile.mkdtemp(prefix="kill_load-"))
    seed = first
    while (done := sum(tally.kills.values())) < count and len(tally.violations) < MOST_VIOLATIONS:
        await play(seed, min(KILLS_PER_CAMPAIGN, count - done), tally, kept)
        print(f"seed {seed}: {sum(tally.kills.values())} kills, {len(tally.violations)} violations", flush=True)
        seed += 1
    return tally


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    seen = asyncio.run(main(words[0] if words else 50, words[1] if len(words) > 1 else 0))
    seen.show()
    sys.exit(1 if seen.violations else 0)
