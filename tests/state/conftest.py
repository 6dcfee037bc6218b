from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.state.ledger import Ledger


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(tmp_path / "syncd.db", now=1000.0)
    yield opened
    await opened.close()
