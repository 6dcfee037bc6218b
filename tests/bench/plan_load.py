"""Measures commands over a large schedule and a full ledger: `python -m tests.bench.plan_load [csv|ics|xlsx] [COUNT]`.

Makes a schedule, a ledger that has all of it linked, and a directory of 300 people; then runs `syncd plan` and `syncd
status` as a user does, then plans again and again in one process as the daemon does, and prints seconds and the peak
of memory. With `--profile`, says where the time of a plan goes. No portal is needed: a plan of what is known already
asks it nothing.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

from syncd.app.wiring import open_app
from syncd.cycle.directories import store
from syncd.cycle.plan import preview
from syncd.model.item import Change, Link
from syncd.portal.people.directory import Caller, Directory, Section, User
from tests.source.workbooks import workbook
from tests.support.sandbox import run_inline

PEOPLE = 300
TITLES = ("ID", "Shift", "Start", "End", "E-mail", "Place")
CONFIG = """
state = "syncd.db"

[portals.main]
webhook = "http://127.0.0.1:9/rest/1/benchmarkcode/"

[[sync]]
name = "bench"
timezone = "Europe/Moscow"

[sync.source]
type = "{kind}"
path = "bench.{kind}"
{columns}
[sync.target]
calendar = "user"
owner = "{owner}"
section = "Shifts"
"""
COLUMNS = """
[sync.source.columns]
uid = "ID"
title = "Shift"
start = "Start"
end = "End"
owner = "E-mail"
location = "Place"
"""
Row = tuple[str, str, datetime, datetime, str, str]


def rows(count: int, *, more: bool, days: int = 300) -> list[Row]:
    """Return shifts of so many coming `days`, and one `more`: a changed one would have to be looked at in a portal."""
    today = date.today()  # noqa: DTZ011 - the command that is measured takes the day from the system's clock, too
    first = datetime(today.year, today.month, today.day, 6)
    made = []
    for n in range(count + more):
        begin = first + timedelta(days=n % days, minutes=15 * (n % 41))
        made.append(
            (f"S{n}", f"Shift {n}", begin, begin + timedelta(hours=8), f"p{n % PEOPLE}@x.example", f"Hall {n % 40}")
        )
    return made


def csv(table: list[Row]) -> bytes:
    lines = (
        f"{n},{title},{a:%Y-%m-%d %H:%M},{b:%Y-%m-%d %H:%M},{who},{place}\n" for n, title, a, b, who, place in table
    )
    return "".join((",".join(TITLES) + "\n", *lines)).encode()


def xlsx(table: list[Row]) -> bytes:
    return workbook(TITLES, *table)


def ics(table: list[Row]) -> bytes:
    events = (
        f"BEGIN:VEVENT\r\nUID:{n}\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:{title}\r\n"
        f"DTSTART;TZID=Europe/Moscow:{a:%Y%m%dT%H%M%S}\r\nDTEND;TZID=Europe/Moscow:{b:%Y%m%dT%H%M%S}\r\n"
        f"ORGANIZER:mailto:{who}\r\nLOCATION:{place}\r\nEND:VEVENT\r\n"
        for n, title, a, b, who, place in table
    )
    return "".join(("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", *events, "END:VCALENDAR\r\n")).encode()


FORMATS: dict[str, Callable[[list[Row]], bytes]] = {"csv": csv, "xlsx": xlsx, "ics": ics}


def people(now: float) -> Directory:
    """Return a directory of everybody, with one section each."""
    users = tuple(
        User(id=n, name="P", last_name=str(n), email=f"p{n - 1}@x.example", xml_id="", zone="", active=True)
        for n in range(1, PEOPLE + 1)
    )
    sections = {
        f"user/{user.id}": (Section(id=user.id + 1000, name="Shifts", writable=True, external=""),) for user in users
    }
    caller = Caller(id=1, zone="Europe/Moscow", admin=True)
    return Directory(read_at=now, caller=caller, server_offset_s=10_800, users=users, sections=sections)


def link_of(change: Change, remote_id: int) -> Link:
    item = change.item
    assert item is not None
    assert item.section_id is not None
    return Link(
        key=item.key, remote_id=remote_id, section=item.section, section_id=item.section_id,
        fingerprint=item.fingerprint, sent=item.fields, version=1, title=item.title, where=item.where,
        starts_on=item.starts_on, ends_on=item.ends_on, start=item.start,
    )  # fmt: skip


async def fill(config: Path) -> None:
    """Link everything the schedule holds, as after a first pass."""
    async with open_app(config, readonly=False, learn_secret=lambda _: None) as app:
        run = app.open_pass(app.sync("bench"), asyncio.Event())
        now = app.clock.now()
        await store(run, people(now))
        await run.ledger.note_verified(run.portal.origin, now)
        prepared = await preview(run, verify=False)
        run_id = await app.ledger.of("bench").begin_run(now)
        links = [link_of(change, 1 + n) for n, change in enumerate(prepared.plan.changes)]
        await app.ledger.of("bench").adopt(run_id, links, now=now)


def command(config: Path, *arguments: str) -> None:
    """Run one command in a process of its own, and print what it took."""
    out = config.parent / "out"
    with out.open("wb") as file:
        began = time.perf_counter()
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "syncd", "--config", str(config), *arguments],
            {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1)],
        )
        _, _, used = os.wait4(pid, 0)
        took = time.perf_counter() - began
    said = ""
    if arguments[0] == "plan":
        counts = json.loads(out.read_bytes())["plans"][0]["counts"]
        said = ", ".join(f"{name} {number}" for name, number in counts.items() if number)
    print(
        f"syncd {' '.join(arguments)}: {took:.2f} s, {used.ru_utime + used.ru_stime:.2f} s of processor time, "
        f"peak {used.ru_maxrss / 1024:.0f} MB; {said}", flush=True,
    )  # fmt: skip


async def passes(config: Path) -> None:
    """Print what one plan after the other takes in a process that goes on, as the daemon does."""
    async with open_app(config, readonly=True, learn_secret=lambda _: None) as app:
        for _ in range(3):
            began, used = time.perf_counter(), time.process_time()
            prepared = await preview(app.open_pass(app.sync("bench"), asyncio.Event()), verify=False)
            took, used = time.perf_counter() - began, time.process_time() - used
            print(f"in one process: {took:.2f} s, {used:.2f} s of processor time, unchanged {prepared.plan.unchanged}")


def profiled(config: Path) -> None:
    """Print where the time of one plan goes."""

    async def work() -> None:
        async with open_app(config, readonly=True, learn_secret=lambda _: None) as app:
            await preview(app.open_pass(app.sync("bench"), asyncio.Event()), verify=False)

    profiler = cProfile.Profile()
    profiler.runcall(run_inline, work())  # work for threads is done in this one, where the profiler looks
    stats = pstats.Stats(profiler)
    stats.sort_stats("cumulative").print_stats("syncd/", 30)
    stats.sort_stats("tottime").print_stats(45)


def measure(kind: str, count: int, folder: Path, *, profile: bool) -> None:
    config = folder / "syncd.toml"
    again = [sys.executable, "-m", "tests.bench.plan_load", kind, str(count), str(folder)]
    subprocess.run([*again, "--fill"], check=True)  # in processes of their own: a child begins with its parent's peak
    if profile:
        profiled(config)
        return
    command(config, "version")  # compiled code is written down with it, as an installation has it
    command(config, "status")
    command(config, "plan", "--json")
    subprocess.run([*again, "--change"], check=True)
    command(config, "plan", "--json")
    asyncio.run(passes(config))


def write(kind: str, count: int, folder: Path, *, more: bool, days: int = 300) -> None:
    (folder / f"bench.{kind}").write_bytes(FORMATS[kind](rows(count, more=more, days=days)))


def make(kind: str, count: int, folder: Path) -> None:
    """Write schedule, config and ledger."""
    config = folder / "syncd.toml"
    owner = "{organizer}" if kind == "ics" else "{owner}"
    columns = "" if kind == "ics" else COLUMNS
    config.write_text(CONFIG.format(kind=kind, columns=columns, owner=owner), encoding="utf-8")
    write(kind, count, folder, more=False)
    asyncio.run(fill(config))


def main() -> None:
    arguments = [one for one in sys.argv[1:] if not one.startswith("--")]
    kind = arguments[0] if arguments else "csv"
    count = int(arguments[1]) if len(arguments) > 1 else 100_000
    folder = Path(arguments[2]) if len(arguments) > 2 else None
    if folder is not None and "--fill" in sys.argv:
        make(kind, count, folder)
    elif folder is not None and "--change" in sys.argv:
        write(kind, count, folder, more=True)
    else:
        with tempfile.TemporaryDirectory() as name:
            measure(kind, count, folder or Path(name), profile="--profile" in sys.argv)


if __name__ == "__main__":
    main()
