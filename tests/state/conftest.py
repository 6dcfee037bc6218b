from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.config.database import Database
from syncd.state.ledger import Ledger


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | Database:
    """Where a ledger may be: whatever is promised of it holds in both."""
    if request.param == "sqlite":
        return tmp_path / "syncd.db"
    database: Database = request.getfixturevalue("database")
    return database


@pytest.fixture
async def ledger(place: Path | Database) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(place, now=1000.0)
    yield opened
    await opened.close()


@pytest.fixture
async def file_ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(tmp_path / "syncd.db", now=1000.0)
    yield opened
    await opened.close()
