"""The row of `scale` about the event loop of a daemon at work: a large sync and ten others whose files change.

Its page is looked at, and a watchdog listens. The portal and whoever looks are processes of their own
(`python -m tests.bench.scale_daemon --look URL`).
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

from syncd.app.wiring import open_app
from syncd.cycle.directories import store
from syncd.cycle.plan import preview
from syncd.scrub import Scrubber
from syncd.service.host import Service, open_service, real_runtime
from tests.bench.plan_load import COLUMNS, CONFIG, csv, link_of, people, rows
from tests.bench.scale_rows import Measured, Work, meter, portal_beside

OTHERS = 10
SECONDS = 40.0
"""How long the daemon is watched: so long that the large sync reads the portal several times."""
_EDITED_EVERY_S = 1.5
_WATCHDOG_S = 3.0
_SYNC = """
[[sync]]
name = "s{n}"
timezone = "Europe/Moscow"
every = "{every}"
verify_every = "{verify_every}"
[sync.source]
type = "csv"
path = "s{n}.csv"
{columns}
[sync.target]
calendar = "user"
owner = "{{owner}}"
section = "Shifts"
"""

_LARGE = {"every": "5s", "verify_every": "10s"}
_OTHER = {"every": "15m", "verify_every": "6h"}


class LoadedDaemon(Work):
    """`syncd run` with a large sync that reads the portal again and again, while the files of ten others change."""

    name, size, unit = "daemon under load", 30_000, "events read back, ten other syncs, page, watchdog"

    def prepare(self, folder: Path, size: int) -> None:
        head = CONFIG.format(kind="csv", columns="", owner="").partition("[[sync]]")[0]
        head = head.replace(
            '/benchmarkcode/"', '/benchmarkcode/"\ntariff = "self-hosted"\nlimits = { burst = 100000, rate = 10000 }'
        )
        syncs = "".join(
            _SYNC.format(n=n, columns=COLUMNS.strip(), **(_LARGE if n == 0 else _OTHER)) for n in range(OTHERS + 1)
        )
        listen = f'[http]\nlisten = "127.0.0.1:{_free_port()}"\n'
        (folder / "syncd.toml").write_text(f"{head}{listen}{syncs}", encoding="utf-8")
        for n in range(OTHERS + 1):
            _write(folder, n, size, edition=0)
        asyncio.run(_link(folder))

    async def run(self, folder: Path, size: int) -> Measured:
        found = Measured()
        with portal_beside(folder), _watchdog() as signs:
            await _know_portal(folder)
            async with _running(folder, signs) as (service, page), meter(found):
                await _live(folder, size, page, found)
            states, told = {state for _, state in service.passes}, service._pass_log
            assert states <= {"done", "stopped"}, (states, told.errors)  # those that the end of it found at work
            assert told.changes.total(), "no edit has arrived"
            found.more |= {"passes": sum(service.passes.values()), "updates": sum(told.changes.values())}
            found.more["watchdog_gap_s"] = signs.longest_s()
        return found


async def _live(folder: Path, size: int, page: str, found: Measured) -> None:
    """Edit one file after the other and have the page looked at every second, for as long as it is measured."""
    command = [sys.executable, "-P", "-m", "tests.bench.scale_daemon", "--look", page]
    looker = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    edition, ends = 0, time.perf_counter() + SECONDS
    while time.perf_counter() < ends:
        edition += 1
        await asyncio.to_thread(_write, folder, 1 + edition % OTHERS, size, edition)
        await asyncio.sleep(_EDITED_EVERY_S)
    said, _ = await looker.communicate(b"")
    found.more["page_s"] = float(said)


def look(url: str) -> None:
    """Get the page every second until stdin ends, and print how long it took at most."""
    longest = 0.0
    os.set_blocking(0, False)
    while sys.stdin.buffer.read(1) is None:
        began = time.perf_counter()
        with urlopen(url) as answer:
            answer.read()
        longest = max(longest, time.perf_counter() - began)
        time.sleep(1.0)
    print(longest)


class _Signs:
    """The signs of life that a watchdog gets: how far they are apart at most."""

    def __init__(self, address: str, heard: socket.socket) -> None:
        self.environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(int(_WATCHDOG_S * 1e6))}
        self._heard = heard
        self._at: list[float] = []

    def hear(self) -> None:
        """Take in what has come."""
        with suppress(BlockingIOError):
            while True:
                if b"WATCHDOG=1" in self._heard.recv(65_536):
                    self._at.append(time.perf_counter())

    def longest_s(self) -> float:
        """Return the longest time between two signs."""
        assert len(self._at) > SECONDS / _WATCHDOG_S, "the watchdog has heard too little"
        return max(later - earlier for earlier, later in zip(self._at, self._at[1:], strict=False))


@contextmanager
def _watchdog() -> Iterator[_Signs]:
    address = f"\0syncd-bench-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as heard:
        heard.bind(address)
        heard.setblocking(False)
        yield _Signs(f"@{address[1:]}", heard)


@asynccontextmanager
async def _running(folder: Path, signs: _Signs) -> AsyncIterator[tuple[Service, str]]:
    """Run the daemon until the body ends; yield it with the address of its page."""
    config, stop = folder / "syncd.toml", asyncio.Event()
    runtime = real_runtime({**os.environ, **signs.environ}, os.getpid(), Scrubber())
    asyncio.get_running_loop().add_reader(signs._heard.fileno(), signs.hear)
    async with open_service(config, runtime, stop) as service:
        task = asyncio.create_task(service.run(asyncio.Event()))
        try:
            yield service, _page(config)
        finally:
            stop.set()
            await task


def _page(config: Path) -> str:
    listen = config.read_text().partition('listen = "')[2].partition('"')[0]
    return f"http://{listen}/"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _write(folder: Path, n: int, size: int, edition: int) -> None:
    """Write the file of sync `n`, in which a few rows differ from one edition to the next."""
    made = rows(size if n == 0 else size // OTHERS, more=False)
    table = [
        (uid, f"{title} ({edition})" if edition and at < 5 else title, begins, ends, who, place)
        for at, (uid, title, begins, ends, who, place) in enumerate(made)
    ]
    part = folder / f"s{n}.csv.part"
    part.write_bytes(csv(table))
    part.replace(folder / f"s{n}.csv")


async def _know_portal(folder: Path) -> None:
    """Note that the portal, which has a new port, was read just now: only the large sync is to read it again."""
    async with open_app(folder / "syncd.toml", readonly=False, learn_secret=lambda _: None) as app:
        for n in range(OTHERS + 1):
            run = app.open_pass(app.sync(f"s{n}"), asyncio.Event())
            await run.ledger.note_home(run.portal.origin, app.clock.now())
            await run.ledger.note_verified(run.portal.origin, app.clock.now())


async def _link(folder: Path) -> None:
    """Link everything the files hold, as after a first pass of every sync."""
    async with open_app(folder / "syncd.toml", readonly=False, learn_secret=lambda _: None) as app:
        made = 0
        for n in range(OTHERS + 1):
            run = app.open_pass(app.sync(f"s{n}"), asyncio.Event())
            now = app.clock.now()
            await store(run, people(now))
            await run.ledger.note_verified(run.portal.origin, now)
            prepared = await preview(run, verify=False)
            links = [link_of(one, made + at) for at, one in enumerate(prepared.plan.changes, 1)]
            made += len(links)
            await run.ledger.adopt(await run.ledger.begin_run(now), links, now=now)


if __name__ == "__main__":
    look(sys.argv[2])
