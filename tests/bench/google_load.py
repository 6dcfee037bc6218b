"""A company's calendars at Google brought to a portal: `python -m tests.bench.google_load [EVENTS [PEOPLE]]`.

Real processes: the test server of Google's API, the simulated portal without limits, and syncd. Prints seconds and the
peak of memory of `migrate`, of an unchanged `sync` in a new process, and of one after a single change, with the
requests that Google got.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter, time

from tests.source.google.server import FakeGoogle, serving

_FIRST = datetime(2026, 11, 2, 9)
_COSTS = ("calendar.event.add", "calendar.event.get", "calendar.section.add", "calendar.section.get", "user.get")
_CONFIG = """
state = "syncd.db"
[portals.main]
webhook = "{webhook}"
tariff = "self-hosted"
[[sync]]
name = "meetings"
timezone = "Europe/Moscow"
window = {{ past = "400d", future = "400d" }}
[sync.source]
type = "google"
url = "{api}"
key_file = "key.json"
calendars = "users.csv"
subject = "owner"
[sync.target]
calendar = "user"
owner = "{{owner}}"
section = "Google"
"""


def person(number: int) -> str:
    return f"p{number}@example.com"


def fill(google: FakeGoogle, events: int, people: int) -> None:
    """Give each person an equal share: nine single meetings, then a series with a cancelled and a moved day."""
    for number in range(events):
        calendar = google.calendar(person(number % people))
        start = _FIRST + timedelta(days=number // people % 250, minutes=15 * (number % 24))
        text, end = start.isoformat(), (start + timedelta(minutes=45)).isoformat()
        if number // people % 10:
            calendar.event(f"e{number}", text, end, location="Room 7", description="Bring the <b>figures</b>.")
            continue
        calendar.event(f"s{number}", text, end, recurrence=["RRULE:FREQ=WEEKLY;COUNT=10"])
        calendar.cancel(f"s{number}", calendar.at((start + timedelta(days=14)).isoformat()))
        later = start + timedelta(days=28)
        moved = {"start": calendar.at((later + timedelta(hours=1)).isoformat()),
                 "end": calendar.at((later + timedelta(hours=2)).isoformat())}  # fmt: skip
        calendar.occurrence(f"s{number}", calendar.at(later.isoformat()), **moved)


def world(people: int) -> str:
    users = [{"id": 1, "name": "Vera", "last_name": "Orlova", "email": "vera@example.com", "admin": True}]
    users += [{"id": n + 2, "name": f"P{n}", "last_name": "Petrov", "email": person(n)} for n in range(people)]
    return json.dumps({"users": users, "webhooks": [{"user": 1, "code": "rehearsal"}]})


def portal(folder: Path) -> tuple[subprocess.Popen[str], str]:
    costs = [part for method in _COSTS for part in ("--cost", f"{method}=0.0001")]
    arguments = ("--port", "0", "--tariff", "self-hosted", "--world", str(folder / "world.json"), *costs)
    process = subprocess.Popen(
        [sys.executable, "-m", "syncd", "sandbox", *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("webhook of user 1: "):
            return process, line.removeprefix("webhook of user 1: ").strip()
    raise RuntimeError("the simulated portal did not start")


@dataclass(slots=True)
class Usage:
    """What a process has used so far."""

    peak_mb: float = 0.0
    cpu_s: float = 0.0

    def read(self, place: Path) -> bool:
        """Read it from its directory in /proc; return False when it is gone."""
        try:
            status = (place / "status").read_text(encoding="ascii")
            used = (place / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return False
        if "VmHWM:" in status:
            self.peak_mb = int(status.partition("VmHWM:")[2].split()[0]) / 1024
            self.cpu_s = (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")
        return True


async def measured(google: FakeGoogle, folder: Path, name: str, *arguments: str) -> None:
    """Run syncd, and print what it took."""
    google.asked.clear()
    tokens, began = google.token_requests, perf_counter()
    command = (sys.executable, "-m", "syncd", "--config", str(folder / "syncd.toml"), *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    usage = Usage()
    watching = asyncio.ensure_future(watch(process.pid, usage))
    out, err = await process.communicate()
    watching.cancel()
    said = (out.decode().strip().splitlines() or err.decode().strip().splitlines() or [""])[-1]
    took = f"{perf_counter() - began:.1f} s, {usage.cpu_s:.1f} s of CPU, peak {usage.peak_mb:.0f} MB"
    asked = f"{len(google.asked)} requests for events, {google.token_requests - tokens} for tokens"
    print(f"{name}: exit {process.returncode}, {took}, {asked}\n    {said}", flush=True)


async def watch(number: int, usage: Usage) -> None:
    """Note what a process has used, as long as it runs."""
    while usage.read(Path(f"/proc/{number}")):  # noqa: ASYNC110 - a process tells nobody what it uses
        await asyncio.sleep(0.2)


async def bench(events: int, people: int) -> None:
    google = FakeGoogle()
    google.switches.now = time
    fill(google, events, people)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "world.json").write_text(world(people))
        (folder / "users.csv").write_text("".join(f"{person(n)}\n" for n in range(people)))
        process, webhook = portal(folder)
        try:
            async with serving(google):
                (folder / "key.json").write_text(google.key())
                (folder / "key.json").chmod(0o600)
                (folder / "syncd.toml").write_text(_CONFIG.format(webhook=webhook, api=google.api))
                await measured(google, folder, "migrate", "migrate", "--yes")
                for name in ("unchanged, a new process", "unchanged again, settled"):
                    await measured(google, folder, name, "sync")
                google.calendar(person(0)).event("new", "2026-12-01T09:00", "2026-12-01T10:00")
                await measured(google, folder, "one event more", "sync")
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    count, people = (int(one) for one in (sys.argv[1:] + ["20000", "200"][len(sys.argv) - 1 :]))
    asyncio.run(bench(count, people))
    print(f"of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.0f} s, the test server")


if __name__ == "__main__":
    main()
