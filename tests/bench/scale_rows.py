"""The works that `scale` measures: what each one needs on disk, the bare loop beside it, and the work itself.

To add one: a subclass of `Work`, named in `WORKS`. `prepare` and `run` are called in processes of their own; `run`
wraps what it measures in `meter()`.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp  # noqa: F401 - a daemon has it for its page before its first pass
import orjson

from syncd.app.application import App
from syncd.app.wiring import open_app
from syncd.clock import Clock, SystemClock
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.cycle.takeback import Offer, undo
from syncd.service.overview import Overview, ServiceState
from syncd.state.ledger import Ledger
from syncd.state.rows import SUMMED_CHANGE, setting
from syncd.state.sqlite.schema import learn_sum
from syncd.web.health import health_document
from syncd.web.metrics import Metrics
from syncd.web.status_page import page
from syncd.web.views import Totals
from tests.bench.plan_load import COLUMNS, CONFIG, fill, write
from tests.support.heartbeat import heartbeat

STATE = "syncd.db"
PORT = 9
"""A port at which nobody answers."""


@dataclass(slots=True)
class Measured:
    """What one work took: `more` are figures of its own, with their units in the names."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    stall_s: float = 0.0
    busy_s: float = 0.0
    peak_mb: float = 0.0
    bare_s: float = 0.0
    more: dict[str, float] = field(default_factory=dict)


@contextmanager
def bare(found: Measured) -> Iterator[None]:
    """Time the bare loop in the body."""
    began = time.process_time()
    yield
    found.bare_s = time.process_time() - began


@contextmanager
def timed(found: Measured, name: str) -> Iterator[None]:
    """Note how many seconds the body takes, by the clock on the wall."""
    began = time.perf_counter()
    yield
    found.more[name] = time.perf_counter() - began


@asynccontextmanager
async def meter(found: Measured) -> AsyncIterator[None]:
    """Measure the body: time, processor time, and the longest stall of the loop. The peak is the process's own.

    The processor time is also that of processes beside. `held_ms` is the most processor time that the process took
    while the loop waited.
    """
    async with heartbeat() as beats:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began, used = time.perf_counter(), time.process_time()
        yield
        found.wall_s, found.cpu_s = time.perf_counter() - began, time.process_time() - used
    found.stall_s, found.busy_s = beats.longest_s, beats.busiest_s
    found.more["held_ms"] = 1000 * beats.held_s
    beside = resource.getrusage(resource.RUSAGE_CHILDREN)
    if took_s := beside.ru_utime + beside.ru_stime - before.ru_utime - before.ru_stime:
        found.cpu_s += took_s
        found.more["beside_s"] = took_s
    found.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mb() -> float:
    """Return the memory that the process has now."""
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class Work:
    """One row of the table; `size` is how large it is in full, `unit` what that counts.

    One that takes many minutes is done `when_asked` only, by its name.
    """

    name = ""
    size = 0
    unit = ""
    when_asked = False

    def prepare(self, folder: Path, size: int) -> None:
        """Write what the work needs."""

    async def run(self, folder: Path, size: int) -> Measured:
        """Do the work, and measure it."""
        raise NotImplementedError


def make_csv(folder: Path, size: int, days: int = 300) -> None:
    """Write a schedule of `size` shifts on so many `days`, a config, and a ledger in which all of them are linked."""
    config = CONFIG.format(kind="csv", columns=COLUMNS, owner="{owner}")
    unlimited = '/benchmarkcode/"\ntariff = "self-hosted"\nlimits = { burst = 100000, rate = 10000 }'
    (folder / "syncd.toml").write_text(config.replace('/benchmarkcode/"', unlimited), encoding="utf-8")
    write("csv", size, folder, more=False, days=days)
    asyncio.run(fill(folder / "syncd.toml"))


@contextmanager
def portal_beside(folder: Path) -> Iterator[None]:
    """Run the portal that holds what the ledger has linked, in a process of its own, and lead the config to it."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.bench.scale_portal", str(folder / STATE)], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        config = folder / "syncd.toml"
        config.write_text(config.read_text().replace(f"127.0.0.1:{PORT}/", f"127.0.0.1:{port}/"))
        yield
    finally:
        process.kill()
        process.wait()


class SkippingClock(SystemClock):
    """A clock on which waiting takes no time, though the time passes."""

    def __init__(self) -> None:
        self._skipped_s = 0.0

    def now(self) -> float:
        return super().now() + self._skipped_s

    def monotonic(self) -> float:
        return super().monotonic() + self._skipped_s

    async def sleep(self, seconds: float) -> None:
        self._skipped_s += max(0.0, seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def opened(folder: Path, clock: Clock | None = None) -> AsyncIterator[App]:
    """Open the app of `folder`."""
    config = folder / "syncd.toml"
    async with open_app(config, readonly=False, learn_secret=lambda _: None, clock=clock) as app:
        yield app


async def one_pass(app: App, *, verify: bool) -> PassResult:
    """Run one pass of the sync."""
    return await run_pass(app.open_pass(app.sync("bench"), asyncio.Event()), PassOptions(verify=verify))


class FailedPass(Work):
    """What passes leave behind that fail because the portal is away."""

    name, size, unit = "failed pass", 100_000, "rows, portal away"

    def prepare(self, folder: Path, size: int) -> None:
        make_csv(folder, size)

    async def run(self, folder: Path, size: int) -> Measured:
        found, sizes, blocks = Measured(), list[float](), list[int]()
        config = folder / "syncd.toml"
        with socket.socket() as taken:  # bound, not listening: every connection is refused at once
            taken.bind(("127.0.0.1", 0))
            config.write_text(config.read_text().replace(f":{PORT}/", f":{taken.getsockname()[1]}/"))
            async with opened(folder, SkippingClock()) as app, meter(found):
                for _ in range(12):
                    result = await one_pass(app, verify=True)
                    assert result.error is not None
                    del result
                    gc.collect()
                    sizes.append(resident_mb())
                    blocks.append(sys.getallocatedblocks())
        # The allocator needs some passes until it has the arenas that one takes; what is kept shows in its blocks.
        found.more["kept_mb_a_pass"] = (sizes[-1] - sizes[7]) / 4
        found.more["kept_blocks_a_pass"] = (blocks[-1] - blocks[0]) / 11
        return found


class Verify(Work):
    """A pass that reads back every event; beside it the reading of as many answers as JSON."""

    name, size, unit = "verify", 100_000, "events in 300 sections"

    def prepare(self, folder: Path, size: int) -> None:
        make_csv(folder, size)

    async def run(self, folder: Path, size: int) -> Measured:
        found = Measured()
        with portal_beside(folder):
            async with opened(folder) as app, meter(found):
                result = await one_pass(app, verify=True)
            assert (result.error, result.record.counts["unchanged"]) == (None, size), result.record
            found.more["requests"] = result.record.requests
        from tests.bench.scale_portal import shifts_of  # noqa: PLC0415 - after the peak was taken

        texts = [orjson.dumps(shift.row()) for shift in shifts_of(folder / STATE)]
        with bare(found):
            for text in texts:
                orjson.loads(text)
        return found


def as_created(folder: Path) -> None:
    """Let the ledger in `folder` say that its run made what it was given."""
    with closing(sqlite3.connect(folder / STATE)) as connection:
        learn_sum(connection)
        created = setting(SUMMED_CHANGE, op="'create'")
        connection.execute(f"UPDATE changes SET {created}")
        connection.commit()


class Undo(Work):
    """`syncd undo` of a first pass."""

    name, size, unit = "undo", 20_000, "events"

    def prepare(self, folder: Path, size: int) -> None:
        make_csv(folder, size)
        as_created(folder)

    async def run(self, folder: Path, size: int) -> Measured:
        found = Measured()

        async def yes(_offer: Offer) -> bool:
            return True

        with portal_beside(folder):
            async with opened(folder) as app, meter(found):
                taken = await undo(app.open_pass(app.sync("bench"), asyncio.Event()), 1, confirm=yes, force=True)
        assert (taken.error, taken.record.counts["deleted"]) == (None, size), taken.record
        return found


class Start(Work):
    """Opening a ledger of which nothing is in memory, after an end in disorder."""

    name, size, unit = "cold start", 100_000, "links and their records"

    def prepare(self, folder: Path, size: int) -> None:
        make_csv(folder, size)
        with (folder / STATE).open("rb") as file:
            os.fsync(file.fileno())

    async def run(self, folder: Path, size: int) -> Measured:
        found = Measured()
        path = folder / STATE
        found.more["kb_an_event"] = path.stat().st_size / size / 1000
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        async with meter(found):
            ledger = await Ledger.open(path, now=time.time())
        await ledger.close()
        with path.open("rb") as file, bare(found):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while file.read(2**20):
                pass
        return found


ENTRIES_A_SYNC = 500
_MANY = """
[[sync]]
name = "s{n:04}"
timezone = "Europe/Moscow"
[sync.source]
type = "csv"
path = "bench.csv"
{columns}
[sync.target]
calendar = "user"
owner = "{{owner}}"
"""


class Page(Work):
    """The page, /healthz and /metrics of a daemon with many syncs."""

    name, size, unit = "page, health, metrics", 1000, f"syncs of {ENTRIES_A_SYNC} entries"

    def prepare(self, folder: Path, size: int) -> None:
        make_csv(folder, ENTRIES_A_SYNC)
        config = folder / "syncd.toml"
        head = config.read_text().partition("[[sync]]")[0]
        columns = COLUMNS.strip()
        many = "".join(_MANY.format(n=n, columns=columns) for n in range(size))
        config.write_text(head + many)
        asyncio.run(_multiply(folder, size))

    async def run(self, folder: Path, size: int) -> Measured:
        from syncd.service.schedule import SyncState  # noqa: PLC0415 - where it is needed

        found = Measured()
        async with opened(folder) as app:
            syncs = app.config.syncs
            state = ServiceState(
                config=app.config, config_refused="", plans={}, portals=app.portals,
                totals=Totals(passes={}, changes={}), progress=lambda name: app.portal_of(name).progress(),
                syncs={one.name: SyncState(due=0.0, running_since=None, failures=0, refused="") for one in syncs},
                sources={one.name: "CSV bench.csv" for one in syncs},
            )  # fmt: skip
            now = app.clock.now()
            overview = Overview(app.ledger, now, "0")
            await overview.view(state, now)
            async with meter(found):
                # Where the status server does each: pages and metrics are written beside the loop.
                with timed(found, "page_s"):
                    text = await asyncio.to_thread(page, await overview.view(state, now), "en")
                with timed(found, "health_s"):
                    health_document(await overview.view(state, now))
                with timed(found, "metrics_s"):
                    await asyncio.to_thread(Metrics().exposition, await overview.view(state, now))
            found.more["page_kb"] = len(text.encode()) / 1000
        return found


async def _multiply(folder: Path, size: int) -> None:
    """Give every sync the links of the one that was filled."""
    async with opened(folder) as app:
        links = await app.ledger.of("bench").links()
        now = app.clock.now()
        for n in range(size):
            own = app.ledger.of(f"s{n:04}")
            run_id = await own.begin_run(now)
            await own.adopt(run_id, links, now=now)
    gc.collect()


WORKS: tuple[type[Work], ...] = (FailedPass, Verify, Undo, Start, Page)
