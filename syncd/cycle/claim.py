"""Syncs of one portal take turns where they claim what nobody owns: events to adopt or recover, sections to create."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from syncd.cycle.setup import World


@asynccontextmanager
async def claiming(world: World, *, wanted: bool) -> AsyncIterator[None]:
    """Keep other syncs of the portal from claiming what nobody owns, while the body may do so."""
    if not wanted:
        yield
        return
    async with world.portal.claiming:
        yield
