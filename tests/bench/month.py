"""A month of `syncd run` on the virtual clock: `python -m tests.bench.month [DAYS [ROWS]]`; fails on growth.

Two syncs pass every 15 minutes. Each day entries are edited, the file cannot be read for a while, the portal hangs and
refuses for another while, and somebody looks at the page every hour. What is measured at the end of each day must not
grow with the passes: memory, descriptors, threads, and the ledger's file, which keeps a week of runs here.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import structlog

from syncd.portal.line.transport import TransportFault
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from syncd.service.host import Service
from syncd.web.health import health_document
from syncd.web.metrics import Metrics
from syncd.web.status_page import page
from tests.service.test_service import OTHER, SECOND, Scene
from tests.support.sandbox import HEADER, SHIFTS, run_inline

HOUR_S = 3600.0
MOST_MB = 5.0
"""How much memory may grow in a month: what the allocator spreads, not what is kept."""
MOST_OBJECTS = 3_000
MOST_FILE_SHARE = 1.2
_EVERY = 'every = "15m"\nwatch = false\nverify_every = "6h"\ntimezone'
CONFIG = 'keep_runs = "2d"\n' + f"{SHIFTS}{SECOND}[[sync]]{OTHER}".replace("timezone", _EVERY).replace(
    'name = "shifts"', 'name = "shifts"\nportal = "main"', 1
)
TROUBLES = ("hang:method=calendar.event.get,times=6", "error-before:method=calendar.event.update,times=20")


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process holds at the end of a day; `objects` are what the collector knows after it has looked."""

    day: int
    passes: int
    failed: int
    resident_mb: float
    objects: int
    descriptors: int
    threads: int
    file_bytes: int


def sample(day: int, service: Service, state: Path) -> Sample:
    """Return what the process holds now."""
    with Path("/proc/self/statm").open() as file:
        resident_mb = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    gc.collect()
    return Sample(
        day=day,
        passes=sum(service.passes.values()),
        failed=sum(count for (_, state), count in service.passes.items() if state == "failed"),
        resident_mb=resident_mb,
        objects=len(gc.get_objects()),
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        threads=threading.active_count(),
        file_bytes=sum(one.stat().st_size for one in state.rglob("syncd.db")),
    )


def schedule(rows: int, day: int) -> str:
    """Return the schedule of a day: a tenth of the entries differs from the day before."""
    return HEADER + "".join(
        f"{n},Shift {n},2026-12-{n % 28 + 1:02} {n % 20:02}:00,2026-12-{n % 28 + 1:02} {n % 20 + 2:02}:00,"
        f"{('anna.petrova', 'ivan.sokolov')[n % 2]}@school.example,Desk {day if n % 10 == day % 10 else 0}\n"
        for n in range(rows)
    )


async def look(service: Service) -> None:
    """Look at the page, /healthz and /metrics."""
    view = await service.view()
    page(view, "en")
    health_document(view)
    Metrics().exposition(view)


def _time_out() -> None:
    raise TransportFault("timeout", "no answer in time")


async def day_of(scene: Scene, service: Service, rows: int, day: int) -> None:
    """Let a day pass, with all its troubles."""
    usual = Settings(integer_stamps=False)
    for hour in range(24):
        match hour:
            case 6:
                scene.write("shifts.csv", schedule(rows, day))
            case 9:
                scene.write("shifts.csv", "neither columns nor rows\n1\n")
            case 11:
                scene.write("shifts.csv", schedule(rows, day))
            case 13:
                scene.set_faults(Settings(integer_stamps=False, faults=tuple(map(parse_fault, TROUBLES))))
                scene.write("shifts.csv", schedule(rows, day + 1))
            case 15:
                scene.set_faults(usual)
                scene.refusing.add("127.0.0.1:9")
            case 17:
                scene.refusing.clear()
                scene.transport.before = _time_out
                scene.write("shifts.csv", schedule(rows, day + 2))
            case 19:
                scene.transport.before = None
        await look(service)
        await asyncio.sleep(HOUR_S)


async def live(scene: Scene, days: int, rows: int) -> list[Sample]:
    """Run the service for so many days, and return a sample of each."""
    scene.write("shifts.csv", schedule(rows, 0))
    found: list[Sample] = []
    async with scene.running(CONFIG) as (service, _):
        for day in range(1, days + 1):
            await day_of(scene, service, rows, day)
            found.append(sample(day, service, scene.folder))
    return found


def grown(samples: list[Sample]) -> list[str]:
    """Return in words what has grown between the first third of the time and its end."""
    first, last = samples[len(samples) // 3], samples[-1]
    found = []
    if last.objects - first.objects > MOST_OBJECTS:
        found.append(f"objects: {first.objects} -> {last.objects}")
    if last.resident_mb - first.resident_mb > MOST_MB:
        found.append(f"memory: {first.resident_mb:.1f} -> {last.resident_mb:.1f} MB")
    for name in ("descriptors", "threads"):
        if getattr(last, name) > getattr(first, name):
            found.append(f"{name}: {getattr(first, name)} -> {getattr(last, name)}")
    if last.file_bytes > MOST_FILE_SHARE * first.file_bytes:
        found.append(f"the ledger: {first.file_bytes} -> {last.file_bytes} bytes")
    return found


def main() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    given = [int(one) for one in sys.argv[1:3]]
    days, rows = given + [30, 200][len(given) :]
    with tempfile.TemporaryDirectory() as folder:
        samples = run_inline(live(Scene(Path(folder), SHIFTS), days, rows))
    for one in samples:
        print(
            f"day {one.day:2}: {one.passes} passes, {one.failed} failed, {one.resident_mb:.1f} MB, {one.objects}"
            f" objects, {one.descriptors} descriptors, {one.threads} threads, ledger {one.file_bytes / 1000:.0f} kB"
        )
    if found := grown(samples):
        raise SystemExit("; ".join(found))


if __name__ == "__main__":
    main()
