"""What sources fetched is found by the machine that takes over, and does not fill the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from syncd.app import database_feeds
from syncd.app.database_feeds import DatabaseFeeds
from syncd.config.database import Database
from syncd.state.ledger import Ledger
from syncd.state.postgres import store

R = TypeVar("R")


def feeds_in(ledger: Ledger, *, writable: bool = True) -> DatabaseFeeds:
    feeds = DatabaseFeeds(writable=writable)
    feeds.bind(ledger)
    return feeds


async def blocking(work: Callable[..., R], *arguments: object) -> R:
    return await asyncio.to_thread(work, *arguments)


async def test_a_feed_that_one_machine_kept_is_loaded_by_another(database: Database) -> None:
    one, other = await Ledger.open(database, now=1.0), await Ledger.open(database, now=1.0)
    try:
        kept, found = feeds_in(one), feeds_in(other)
        assert await blocking(found.load, "ics1") is None
        for content in (b"first", bytes(range(256))):
            await blocking(kept.save, "ics1", content)
            assert await blocking(found.load, "ics1") == content
    finally:
        await one.close()
        await other.close()


async def test_the_oldest_feeds_go_where_there_is_too_much_and_one_that_is_too_large_is_not_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_FEEDS", 1000)
    monkeypatch.setattr(database_feeds, "LARGEST_FEED", 900)
    ledger = await Ledger.open(database, now=1.0)
    try:
        feeds = feeds_in(ledger)
        for name, size in (("a", 400), ("b", 400), ("c", 400), ("d", 901)):
            await blocking(feeds.save, name, b"x" * size)
        assert [await blocking(feeds.load, name) is not None for name in "abcd"] == [
            False, True, True, False
        ]  # fmt: skip
    finally:
        await ledger.close()


async def test_who_only_looks_finds_feeds_and_keeps_none(database: Database, tmp_path: Path) -> None:
    ledger = await Ledger.open(database, now=1.0)
    feeds = feeds_in(ledger, writable=False)
    await blocking(feeds.save, "a", b"x")
    assert await blocking(feeds.load, "a") is None
    await ledger.close()
    file = await Ledger.open(tmp_path / "syncd.db", now=1.0)
    feeds = feeds_in(file)
    assert await blocking(feeds.load, "a") is None
    await file.close()
