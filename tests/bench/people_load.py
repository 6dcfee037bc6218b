"""A real daemon by application, a real simulated portal, and people who edit what it keeps, with kills in between.

    python -m tests.bench.people_load [EDITS] [SEED] [STRIKES]

Prints how long each edit stood, in polls, and whether anything is double or lost at the end. So many STRIKES of the
kills (1) come the moment the portal has made events, before syncd knows their ids, and people edit those at once. Each
has syncd wait three minutes before it makes anything again, so with many of them the edits stand long.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import aiohttp

from syncd.clock import SystemClock
from syncd.portal.oauth.grants import code_in
from syncd.sandbox.http_server import RunningSandbox, start
from syncd.sandbox.php.wire import PortalRequest, PortalResponse
from syncd.sandbox.seed.language_school import CLIENT_ID, CLIENT_SECRET, default_world
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World

POLL_S = 5.0
ROWS = 1000
PAUSE_S = 0.6
DRAINED_WITHIN_S = 300.0
"""After a kill with creates under way syncd waits three minutes before it makes anything again (`settle`)."""
KILLED_EVERY, EXPIRED_EVERY = 120, 45
NEWEST = 3
"""So many edits after a strike are of the newest events: those of which the dead process did not learn the ids."""
STRUCK_WITHIN_S = 20.0
OWNERS = ("anna.petrova@school.example", "ivan.sokolov@school.example")
CONFIG = """state = "syncd.db"
[portals.main]
app = {{ address = "{url}", client_id = "{id}", client_secret = "{secret}", events_every = "5s" }}
tariff = "enterprise"
[[sync]]
name = "shifts"
timezone = "Europe/Moscow"
every = "12h"
watch = false
max_changed = "100%"
source = {{ type = "csv", path = "shifts.csv", columns = {columns} }}
target = {{ owner = "{{owner}}", section = "Shifts" }}
"""
COLUMNS = '{ uid = "ID", title = "Shift", start = "Start", end = "End", owner = "E-mail" }'


class DeadlyWorld(World):
    """A portal that kills syncd the moment it has made an event, before it answers, once that is asked for."""

    strike: Callable[[], None] | None = None

    def handle(self, now: float, request: PortalRequest) -> PortalResponse:
        answer = super().handle(now, request)
        if self.strike is not None and b"calendar.event.add" in request.body:
            self.strike()
            self.strike = None
        return answer


@dataclass
class Load:
    """The edits under way: name of the event -> when it was edited; and how long each one stood."""

    portal: RunningSandbox
    world: DeadlyWorld
    folder: Path
    random: Random
    standing: dict[str, float] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    struck: int = 0
    newest: int = 0
    process: asyncio.subprocess.Process | None = None

    def rows(self) -> dict[str, list[int]]:
        """Return the events of the sync's sections by name."""
        tables, found = self.portal.world.tables, dict[str, list[int]]()
        for section in tables.sections.values():
            if section.name == "Shifts":
                for row in tables.events_in(section.id):
                    found.setdefault(row.name, []).append(row.id)
        return found

    async def command(self, *words: str, answers: bytes = b"") -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "syncd", "--config", str(self.folder / "syncd.toml"), *words,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate(answers)
        assert process.returncode == 0, (words, out, err)
        return out

    async def begin(self) -> None:
        with (self.folder / "daemon.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "syncd", "--config", str(self.folder / "syncd.toml"), "run",
                stdout=log, stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    async def kill(self, *, strike: bool) -> None:
        """Kill syncd: now, or to `strike` as soon as it makes an event, before it knows its id; soon in any case."""
        assert self.process is not None
        self.world.strike = self.process.kill if strike else None
        if not strike:
            self.process.kill()
        try:
            await asyncio.wait_for(self.process.wait(), STRUCK_WITHIN_S)
            self.struck += strike
        except TimeoutError:
            self.world.strike = None
            self.process.kill()
            await self.process.wait()
        self.kills += 1
        self.note(f"kill {self.kills}")
        await self.begin()

    def note(self, what: str) -> None:
        """Write down what was done to syncd or to an event, so that a double can be explained."""
        self.told.append(f"{time.time():.1f} {what}")

    def story(self, name: str) -> str:
        """Return what happened to an event: its rows in the portal, deleted ones too, the edits and the kills."""
        rows = [
            f"{row.created_at:.1f} row {row.id} {row.name!r}, version {row.version}, changed {row.changed_at:.1f},"
            f" made by {row.created_by}{', deleted' if row.deleted else ''}"
            for row in self.portal.world.tables._events.values()
            if row.name.removeprefix("Mine, not ") == name.removeprefix("Mine, not ")
        ]
        own = re.compile(rf"kill|{re.escape(name.removeprefix('Mine, not '))}(?!\d)")
        return "\n".join(("", *sorted((*rows, *filter(own.search, self.told)))))

    async def edit(self, session: aiohttp.ClientSession, *, newest: bool = False) -> None:
        """Rename, move or delete an event whose last edit has been put right, even if it was made again this moment.

        With `newest` it is the one that was made last.
        """
        rows = self.rows()
        free = [one for one in rows if one.startswith("Shift ") and one not in self.standing]
        name = max(free, key=lambda one: rows[one]) if newest else self.random.choice(free)
        (number,) = rows[name]
        row = self.portal.world.tables.event(number)
        assert row is not None
        kind = self.random.choice(("renamed", "moved", "deleted") if not newest else ("renamed", "moved"))
        body: dict[str, object]
        hook = self.portal.webhook(1)
        if kind == "deleted":
            method, body = "calendar.event.delete", {"id": number}
        else:
            new = f"Mine, not {name}" if kind == "renamed" else name
            method = "calendar.event.update"
            body = {
                "id": number, "type": row.cal_type, "ownerId": row.owner_id, "section": row.section_id, "name": new,
                "from": "2027-03-01T10:00:00", "to": "2027-03-01T11:00:00", "skip_time": "N",
                "timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow",
            }  # fmt: skip
        async with session.post(hook + method, json=body) as response:
            assert response.status == 200, await response.text()
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.standing[name] = time.monotonic()
        self.note(f"{kind} {name}, event {number}")

    async def watch(self) -> None:
        """Note when edits are put right: the event stands there once, under its name and not at the moved time."""
        while True:
            rows, now = self.rows(), time.monotonic()
            for name, since in tuple(self.standing.items()):
                ids = rows.get(name, [])
                event = self.portal.world.tables.event(ids[0]) if len(ids) == 1 else None
                if event is not None and "2027-03-01" not in str(event.stored):
                    self.took.append(now - since)
                    del self.standing[name]
            await asyncio.sleep(0.1)


async def main(edits: int, seed: int, strikes: int) -> int:
    random = Random(seed)
    settings = Settings(tariff="enterprise", rate=(1e9, 1e9), offline_extended=bool(seed % 2))
    world = DeadlyWorld(settings, default_world())
    portal = await start(world, clock=SystemClock(), realtime=False)
    with TemporaryDirectory() as folder:
        load = Load(portal, world, Path(folder), random)
        lines = ["ID,Shift,Start,End,E-mail"]
        for n in range(ROWS):
            day = f"2026-12-{n % 28 + 1:02}"
            lines.append(f"{n},Shift {n},{day} {n % 10 + 8:02}:00,{day} {n % 10 + 9:02}:00,{OWNERS[n % 2]}")
        (load.folder / "shifts.csv").write_text("\n".join(lines) + "\n")
        (load.folder / "syncd.toml").write_text(
            CONFIG.format(url=portal.url, id=CLIENT_ID, secret=CLIENT_SECRET, columns=COLUMNS)
        )
        codes = [world.authority.consent(CLIENT_ID, 1, SystemClock().now()) for _ in range(2)]
        answers = "".join(f"{code_in(str(one), state='')}\n" for one in codes)
        await load.command("portal", "authorize", "main", answers=answers.encode())
        await load.command("sync")
        await load.begin()
        await asyncio.sleep(15)
        began, watching = time.monotonic(), asyncio.create_task(load.watch())
        async with aiohttp.ClientSession() as session:
            kills = edits // KILLED_EVERY
            struck = {(2 * one + 1) * kills // (2 * strikes) + 1 for one in range(min(strikes, kills))}
            for number in range(1, edits + 1):
                await load.edit(session, newest=load.newest > 0)
                load.newest -= 1
                if number % KILLED_EVERY == 0:
                    strike = number // KILLED_EVERY in struck
                    await load.kill(strike=strike)
                    load.newest = NEWEST if strike else 0
                    await asyncio.sleep(0.3)  # in which the watch sees what was made
                if number % EXPIRED_EVERY == 0:
                    world.authority.expire()
                await asyncio.sleep(random.expovariate(1 / PAUSE_S))
        ends = time.monotonic() + DRAINED_WITHIN_S
        while load.standing and time.monotonic() < ends:  # noqa: ASYNC110 - the other side is a process
            await asyncio.sleep(0.2)
        by_events = len(load.took)
        assert load.process is not None
        load.process.terminate()
        await load.process.wait()
        unseen = len(load.standing)
        await load.command("sync", "--verify")
        await asyncio.sleep(0.3)
        watching.cancel()
        rows = load.rows()
        wanted = {f"Shift {n}" for n in range(ROWS)}
        double = sorted(name for name, ids in rows.items() if len(ids) > 1)
        lost, foreign = sorted(wanted - set(rows)), sorted(set(rows) - wanted)
        took = sorted(load.took[:by_events])
        log = (load.folder / "daemon.log").read_text()
        secrets = [one for one in (*world.authority._tokens, *world.authority._refresh, CLIENT_SECRET) if one in log]
        print(
            f"{edits} edits {load.kinds} in {time.monotonic() - began:.0f} s, seed {seed}, {load.kills} kills,"
            f" {load.struck} of them while an event was made, {world.authority.refreshed} renewals,"
            f" reservation {'yes' if seed % 2 else 'no'}"
        )
        print(
            f"put right by events: {by_events}; left for verify: {unseen}; after it still wrong: {len(load.standing)}"
        )
        print(f"median {statistics.median(took):.1f} s = {statistics.median(took) / POLL_S:.1f} polls, "
              f"90 % within {took[int(len(took) * 0.9)]:.1f} s, all within {took[-1]:.1f} s")  # fmt: skip
        print(f"double {double[:3]}, lost {lost[:3]}, foreign {foreign[:3]}, secrets in the log {len(secrets)}")
        print("tracebacks in the log:", log.count("Traceback"))
        for name in (*double, *lost, *foreign):
            print(name, load.story(name))
    await portal.close()
    return 1 if double or lost or foreign or secrets or load.standing else 0


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    sys.exit(asyncio.run(main(*(given + [1000, 1, 1][len(given) :]))))
