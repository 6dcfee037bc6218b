"""What half-open connections to the status page do to a running service: `python -m tests.bench.flood_load [COUNT]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from syncd.clock import SystemClock
from syncd.sandbox.http_server import start
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World
from tests.service.test_flood import flood
from tests.service.test_process import Unit

_COUNT = 1000
_DESCRIPTORS = 1024


async def measure(count: int) -> None:
    """Print memory, log and the time until a changed source was synced, under `count` half-open connections."""
    running = await start(World(Settings(), default_world()), clock=SystemClock(), port=0)
    try:
        with TemporaryDirectory() as folder:
            seen = await flood(Unit(Path(folder), running), count, _DESCRIPTORS)
    finally:
        await running.close()
    print(f"{count} half-open connections, {_DESCRIPTORS} descriptors")
    print(f"memory {seen.before_kb / 1000:.1f} MB before, {seen.after_kb / 1000:.1f} MB after")
    print(f"a changed source was synced after {seen.synced_s:.1f} s; the page answered: {seen.answered}")
    print(f"{len(seen.logged)} bytes of log, {seen.logged.count('Traceback')} tracebacks")


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else _COUNT))
