from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from syncd.clock import SystemClock
from syncd.sandbox.http_server import RunningSandbox, start
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World


@pytest.fixture
async def portal() -> AsyncIterator[RunningSandbox]:
    running = await start(World(Settings(), default_world()), clock=SystemClock(), port=0)
    yield running
    await running.close()
