"""Keeps in the ledger, while a push runs, how much of the portal's limits is used.

So a killed process does not overrun them when it starts again within ten minutes, and `status` tells of them meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd.cycle import directory as directories
from syncd.cycle.setup import World
from syncd.portal.exchange.queue import Job
from syncd.portal.exchange.session import Journal
from syncd.portal.line.wire import Outcome

_SAVED_EVERY_S = 5.0


class BudgetJournal:
    """A Journal around another one: after answers were settled, the budgets are saved, every few seconds at most."""

    def __init__(self, inner: Journal, world: World) -> None:
        self._inner = inner
        self._world = world
        self._saved_at = world.clock.monotonic()

    async def intend(self, jobs: Sequence[Job]) -> None:
        """Write down what is about to be sent."""
        await self._inner.intend(jobs)

    async def settle(self, outcomes: Sequence[tuple[Job, Outcome]]) -> None:
        """Write down what became of jobs and, when it is time, what that cost."""
        await self._inner.settle(outcomes)
        if self._world.clock.monotonic() - self._saved_at >= _SAVED_EVERY_S:
            await save_budget(self._world)
            self._saved_at = self._world.clock.monotonic()


async def save_budget(world: World) -> None:
    """Write down how much of the portal's limits is used; raises StateError."""
    await world.ledger.note(directories.scope(world), "budget", world.portal.budget_state(), world.clock.now())
