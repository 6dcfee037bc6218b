"""What the ledger no longer needs goes back to the disk, a little with each pass, and nothing else changes by it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from syncd.state.ledger import Ledger
from tests.state.values import SYNC, link

MANY = 12_000
NOW = 1_000_000.0
KEPT = timedelta(days=1)


def _size(path: Path) -> int:
    return path.stat().st_size


async def _filled(path: Path) -> int:
    """Fill a ledger with the records of a large run, and forget them; return how large the file was."""
    ledger = await Ledger.open(path, now=NOW, keep_runs=KEPT)
    own = ledger.of(SYNC)
    run_id = await own.begin_run(NOW)
    await own.adopt(run_id, [link(f"{n}", remote_id=n + 1) for n in range(MANY)], now=NOW)
    await own.forget([link(f"{n}").key for n in range(1, MANY)])
    await ledger.close()
    size = _size(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM changes")
        connection.commit()
    return size


async def test_free_pages_are_given_back_a_little_with_each_pass(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    before = await _filled(path)
    sizes = []
    for number in range(4):
        ledger = await Ledger.open(path, now=NOW + number, keep_runs=KEPT)
        await ledger.of(SYNC).begin_run(NOW + number)
        await ledger.close()
        sizes.append(_size(path))
    assert before > 5_000_000
    assert before - sizes[0] <= 4_300_000  # no pass waits for the whole of it
    assert sizes[-1] < 1_500_000


async def test_a_mostly_empty_ledger_of_a_version_that_gave_nothing_back_is_rewritten_once(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    before = await _filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
        connection.execute("CREATE TABLE filling (text)")
        connection.execute("INSERT INTO filling VALUES (zeroblob(?))", (before,))
        connection.execute("DROP TABLE filling")
    assert _size(path) > before
    ledger = await Ledger.open(path, now=NOW)
    links = await ledger.of(SYNC).links()
    await ledger.close()
    assert [one.key.uid for one in links] == ["0"]
    assert _size(path) < 1_500_000
    again = await Ledger.open(path, now=NOW)
    assert again.doubt is None
    await again.check()
    await again.close()
