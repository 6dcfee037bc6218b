"""Measures how long the ledger takes over 100,000 links, in SQLite and in PostgreSQL.

`python -m tests.bench.ledger_load [COUNT]`; without a PostgreSQL, and with `sqlite` as a second argument, SQLite alone.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter

from syncd.config.database import Database
from syncd.model.record import Settlement, Written
from syncd.state.ledger import Ledger
from tests.state.values import SYNC, intent, key, link

BATCH = 50
TIMES = 5


async def measure(count: int, place: Path | Database) -> float:
    """Print what takes how long; return the shortest time in which all links were loaded."""
    ledger = await Ledger.open(place, now=1.0)
    run_id = await ledger.of(SYNC).begin_run(1.0)
    began = perf_counter()
    await ledger.of(SYNC).adopt(run_id, [link(f"uid-{n}@example.org", remote_id=n) for n in range(count)], now=1.0)
    print(f"adopt {count} links: {perf_counter() - began:.2f} s")
    await ledger.close()

    began = perf_counter()
    ledger = await Ledger.open(place, now=1.0)
    print(f"open and check: {perf_counter() - began:.2f} s")
    loads = []
    for _ in range(TIMES):
        began = perf_counter()
        links = await ledger.of(SYNC).links()
        loads.append(perf_counter() - began)
    print(f"load {len(links)} links: {min(loads):.2f} s")

    began = perf_counter()
    await ledger.of(SYNC).mark_absent((), {each.key for each in links})
    print(f"mark all present: {perf_counter() - began:.3f} s")

    began = perf_counter()
    batches = 100
    for number in range(batches):
        ids = await ledger.of(SYNC).reserve_ids(BATCH)
        await ledger.of(SYNC).intend(run_id, [intent(i, run_id, f"new {number} {i}") for i in ids])
        done = [Settlement(intent_id=i, outcome=Written(remote_id=i, version=1), at=1.0) for i in ids]
        await ledger.of(SYNC).settle(run_id, done)
    print(f"intend and settle a batch of {BATCH}: {(perf_counter() - began) / batches * 1000:.1f} ms")
    assert (await ledger.of(SYNC).links())[0].key != key()
    await ledger.close()
    return min(loads)


@contextmanager
def places(directory: Path, *, sqlite_alone: bool) -> Iterator[list[Path | Database]]:
    """Give where ledgers are measured; a server is stopped at the end."""
    from tests.support.postgres import installed, new_database, one_server  # noqa: PLC0415 - SQLite needs no driver

    with ExitStack() as stack:
        found: list[Path | Database] = [directory / "syncd.db"]
        if not sqlite_alone and installed():
            address = stack.enter_context(one_server(directory / "postgres", "bench", fsync=True))
            found.append(new_database(address, "bench"))
        yield found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with (
        tempfile.TemporaryDirectory() as name,
        places(Path(name), sqlite_alone=sys.argv[2:] == ["sqlite"]) as found,
    ):
        times = []
        for place in found:
            print("SQLite" if isinstance(place, Path) else "PostgreSQL")
            times.append(asyncio.run(measure(count, place)))
        if len(times) > 1:
            print(f"loading from PostgreSQL takes {times[1] / times[0]:.2f} times as long")


if __name__ == "__main__":
    main()
