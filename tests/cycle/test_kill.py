"""The real program against the real sandbox server, each in a process of its own, and `kill -9` at any moment.

`SYNCD_KILLS=50` kills that often in migrations of 2,000 events; without it a few times in a small one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import IO

import orjson
from aiohttp import ClientSession

from tests.cycle.test_faults import PEOPLE, expected, rows
from tests.support.sandbox import HEADER, SHIFTS, WEBHOOK

KILLS = int(os.environ.get("SYNCD_KILLS", "0"))
OWNERS = (3, 5, 7, 10)
CHEAP = ("calendar.event.add", "calendar.event.get", "calendar.event.getbyid", "calendar.section.add", "user.get")
LIMITS = "\n[portals.main.limits]\nbatch_seconds = 0.5\ntimeout = 2\nsettle = 0.5\n"
"""A request of this sandbox never takes long, so a cut one need not be waited for longer than that."""


@contextmanager
def sandbox(log: IO[bytes]) -> Iterator[str]:
    """Run the simulated portal in a process and give the address of its first webhook."""
    costs = [word for method in CHEAP for word in ("--cost", f"{method}=0.004")]
    command = [sys.executable, "-m", "syncd", "sandbox", "--port", "0", "--tariff", "enterprise", *costs]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process:
        assert process.stdout is not None
        try:
            lines = (line.decode() for line in process.stdout)
            yield next(line.split(": ", 1)[1].strip() for line in lines if line.startswith("webhook of user 1"))
        finally:
            process.terminate()


def prepare(folder: Path, webhook: str, count: int) -> list[str]:
    """Write config and schedule; return the command that migrates it."""
    head, rest = SHIFTS.replace(WEBHOOK, webhook).split("[[sync]]", 1)
    (folder / "syncd.toml").write_text(f'state = "state.db"\n{head}{LIMITS}\n[[sync]]{rest}')
    (folder / "shifts.csv").write_text(HEADER + rows(count))
    return [sys.executable, "-m", "syncd", "-q", "--config", str(folder / "syncd.toml"), "sync"]


def run_for(command: list[str], seconds: float, log: IO[bytes]) -> int | None:
    """Run the program; kill it after so many seconds. Return its exit code, None when it was killed."""
    with subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            return None


async def portal_names(webhook: str) -> list[str]:
    """The names of all events in the shifts' calendars, as the portal's own interface tells them."""
    found: dict[str, str] = {}
    async with ClientSession() as session:
        for owner in OWNERS:
            asked = {"type": "user", "ownerId": owner, "from": "2026-11-01", "to": "2027-02-28"}
            async with session.post(f"{webhook}calendar.event.get", json=asked) as answer:
                found |= {row["ID"]: row["NAME"] for row in orjson.loads(await answer.read())["result"]}
    return sorted(name for name in found.values() if name.startswith("Shift "))


async def migrate_under_kills(folder: Path, count: int, kills: int, random: Random, longest_s: float) -> int:
    """Migrate into a fresh portal, killing the program up to `kills` times; return how often it was killed."""
    killed = 0
    with (folder / "log").open("wb") as log, sandbox(log) as webhook:
        command = prepare(folder, webhook, count)
        until = time.monotonic() + 240
        while True:
            code = run_for(command, random.uniform(0.3, longest_s) if killed < kills else 120, log)
            if code is None:
                killed += 1
                longest_s += 0.2  # waiting for cut requests must not eat every life
            elif code == 0:
                break
            assert time.monotonic() < until, (folder / "log").read_text()[-2000:]
        names = await portal_names(webhook)
        twice = [name for name, number in Counter(names).items() if number > 1]
        assert (twice, len(names)) == ([], count)
        assert names == expected(count)
        quiet = run_for([*command, "--verify", "--json"], 120, log)
        assert quiet == 0
        assert await portal_names(webhook) == names
    return killed


async def test_a_process_killed_at_any_moment_leaves_each_event_there_once(tmp_path: Path) -> None:
    assert len(PEOPLE) == len(OWNERS)
    random = Random(20261121)
    if not KILLS:
        assert await migrate_under_kills(tmp_path, 300, 2, random, 2.5) > 0
        return
    killed = migrations = 0
    while killed < KILLS:
        folder = tmp_path / str(migrations)
        folder.mkdir()
        killed += await migrate_under_kills(folder, 2000, 8, random, 5.0)
        migrations += 1
    print(f"{killed} kills in {migrations} migrations of 2,000 events")
