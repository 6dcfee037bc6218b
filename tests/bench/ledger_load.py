"""Measures how long the ledger takes over 100,000 links, in SQLite and in PostgreSQL.

`python -m tests.bench.ledger_load [COUNT]`; without a PostgreSQL, and with `sqlite` as a second argument, SQLite alone.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter

from syncd.app.state_move import move_state
from syncd.config.database import Database, database_at
from syncd.model.record import Settlement, Written
from syncd.state.ledger import Ledger
from tests.state.values import SYNC, intent, key, link

BATCH = 50
TIMES = 7


async def measure(count: int, place: Path | Database) -> None:
    """Print what takes how long, but for loading; leave a ledger with `count` links and a few more."""
    ledger = await Ledger.open(place, now=1.0)
    run_id = await ledger.of(SYNC).begin_run(1.0)
    began = perf_counter()
    await ledger.of(SYNC).adopt(run_id, [link(f"uid-{n}@example.org", remote_id=n) for n in range(count)], now=1.0)
    print(f"adopt {count} links: {perf_counter() - began:.2f} s")
    await ledger.close()

    began = perf_counter()
    ledger = await Ledger.open(place, now=1.0)
    print(f"open and check: {perf_counter() - began:.2f} s")
    keys = {each.key for each in await ledger.of(SYNC).links()}
    began = perf_counter()
    await ledger.of(SYNC).mark_absent((), keys)
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


async def loaded(found: Sequence[Path | Database]) -> list[float]:
    """Return the shortest time in which all links were loaded from each place, one after the other and again."""
    times: list[list[float]] = [[] for _ in found]
    ledgers = [await Ledger.open(place, now=1.0) for place in found]
    for _ in range(TIMES):
        for ledger, own in zip(ledgers, times, strict=True):
            began = perf_counter()
            await ledger.of(SYNC).links()
            own.append(perf_counter() - began)
    for ledger in ledgers:
        await ledger.close()
    return [min(own) for own in times]


def moved(file: Path, database: Database) -> None:
    """Print how long all of it takes into a database and back into a file."""
    spare = database_at(database.url, f"{database.schema}_moved")
    for source, target, place in ((file, spare, "PostgreSQL"), (spare, file, "SQLite")):
        began = perf_counter()
        rows = move_state(source, target, 0.0).rows
        print(f"move {rows['links']} links and {rows['changes']} records to {place}: {perf_counter() - began:.1f} s")


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
        for place in found:
            print("SQLite" if isinstance(place, Path) else "PostgreSQL")
            asyncio.run(measure(count, place))
        times = asyncio.run(loaded(found))
        print("load all links:", ", ".join(f"{one:.2f} s" for one in times))
        match found:
            case [Path() as file, Database() as database]:
                print(f"loading from PostgreSQL takes {times[1] / times[0]:.2f} times as long")
                moved(file, database)


if __name__ == "__main__":
    main()
