"""Measures how long the ledger takes over 100,000 links: `python -m tests.bench.ledger_load [COUNT]`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from syncd.model.record import Settlement, Written
from syncd.state.ledger import Ledger
from tests.state.values import SYNC, intent, key, link

BATCH = 50


async def measure(count: int, path: Path) -> None:
    ledger = await Ledger.open(path, now=1.0)
    run_id = await ledger.of(SYNC).begin_run(1.0)
    began = perf_counter()
    await ledger.of(SYNC).adopt(run_id, [link(f"uid-{n}@example.org", remote_id=n) for n in range(count)], now=1.0)
    print(f"adopt {count} links: {perf_counter() - began:.2f} s")
    await ledger.close()

    began = perf_counter()
    ledger = await Ledger.open(path, now=1.0)
    print(f"open and check: {perf_counter() - began:.2f} s")
    for _ in range(3):
        began = perf_counter()
        links = await ledger.of(SYNC).links()
        print(f"load {len(links)} links: {perf_counter() - began:.2f} s")

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


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(measure(count, Path(directory) / "syncd.db"))


if __name__ == "__main__":
    main()
