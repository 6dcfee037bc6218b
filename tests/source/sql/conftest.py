"""One PostgreSQL for all tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.source.sql.postgres import served


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with served() as address:
        yield address
