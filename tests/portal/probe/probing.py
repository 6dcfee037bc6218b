"""Probes of the simulated portal, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

import msgspec

from syncd.portal.client import Portal
from syncd.portal.limits.pace import Limits
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import Webhook
from syncd.portal.probe.run import Probed, probe, sweep
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.seed.world_schema import SeedEvent, SeedGroup, SeedWebhook, WorldSeed
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World
from tests.support.sandbox import SimClock, WorldTransport, run_inline

ADMIN, STAFF = (1, "sandboxadmin"), (2, "sandboxstaff")
TOKEN = "0123abcd"


class KilledError(BaseException):
    """The program ends here."""


def telling_world() -> WorldSeed:
    """Return a company in which a secret group and a private event of somebody else can be found."""
    seed = default_world()
    secret = SeedGroup(id=90, name="Board", owner=3, members=(4,), secret=True)
    doctor = SeedEvent(
        id=900,
        section=3,
        name="Doctor",
        opens=datetime(2026, 11, 24, 9),
        closes=datetime(2026, 11, 24, 10),
        zone="Europe/Moscow",
        private=True,
    )
    return msgspec.structs.replace(seed, groups=(*seed.groups, secret), events=(*seed.events, doctor))


def with_scopes(seed: WorldSeed, *scopes: str) -> WorldSeed:
    """Return a world whose webhooks have these scopes only."""
    hooks = tuple(SeedWebhook(user=hook.user, code=hook.code, scopes=scopes) for hook in seed.webhooks)
    return msgspec.structs.replace(seed, webhooks=hooks)


@dataclass
class Probing:
    """A simulated portal that is probed, as often as wanted; each time by a program of its own."""

    settings: Settings = field(default_factory=Settings)
    seed: WorldSeed = field(default_factory=telling_world)
    webhook: tuple[int, str] = ADMIN
    tariff: str = "standard"
    clock: SimClock = field(default_factory=SimClock)
    answered: Callable[[int, RawAnswer], None] = lambda _number, _answer: None

    def __post_init__(self) -> None:
        self.world = World(self.settings, self.seed)
        self.requests = 0

    def probe(self, *, before: Callable[[int], None] = lambda _number: None, **options: Any) -> Probed:
        """Probe the portal; `before` is called with the number of each request, from 1."""
        stop = options.pop("stop", None)
        return run_inline(self._probed(before, stop, options))

    def sweep(self) -> Any:
        """Remove what was left."""

        async def swept() -> Any:
            return await sweep(self._portal(lambda _number: None), clock=self.clock, stop=asyncio.Event())

        return run_inline(swept())

    async def _probed(self, before: Callable[[int], None], stop: asyncio.Event | None, options: Any) -> Probed:
        portal = self._portal(before)
        return await probe(portal, clock=self.clock, stop=stop or asyncio.Event(), token=TOKEN, **options)

    def _portal(self, before: Callable[[int], None]) -> Portal:
        user, code = self.webhook
        address = f"http://127.0.0.1:9/rest/{user}/{code}/"
        transport = WorldTransport(self.world, self.clock)
        transport.webhook = address
        self.requests = 0

        def counted() -> None:
            self.requests += 1
            before(self.requests)

        transport.before = counted
        return Portal(
            name="main",
            credential=Webhook(address=address),
            limits=Limits.tariff(self.tariff),
            clock=self.clock,
            random=Random(7).random,
            transport=transport,
        )

    def contents(self) -> Any:
        """Return everything that stands in the calendars and the CRM, to compare before and after."""
        tables = self.world.tables
        events = sorted(
            (event.id, event.name, event.version)
            for calendar in self.world.calendars()
            for event in self.world.events(*calendar)
        )
        return sorted(tables.sections), events
