"""Everything that a config asks for, ready to use: the portals' clients, the ledger and the syncs.

`wiring.py` makes it. This module loads nothing that only passes need, because `status` and the like must be quick.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from syncd.clock import Clock
from syncd.config import Config, PortalConfig, TargetConfig
from syncd.config.learn import Learn
from syncd.errors import ConfigError, PortalUnusableError
from syncd.lang.saying import say
from syncd.source.base import OwnEvents, PortalBacked
from syncd.state.ledger import Ledger
from syncd.threads import Threads

if TYPE_CHECKING:
    from syncd.cycle.sync import Pass, Sync
    from syncd.portal.client import Portal

Connect = Callable[[PortalConfig, Ledger, Clock, Learn], "AbstractAsyncContextManager[Portal]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Connection:
    config: PortalConfig
    portal: Portal
    closing: AsyncExitStack


class App:
    """Everything that a config asks for, ready to run; made by `open_app`.

    Another config can be taken over while it runs, as long as `state` stays the same. `connect` opens the client of a
    portal, and `learn_secret` is given every secret. Without `connect` the config and the ledger can only be looked at.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        *,
        clock: Clock,
        learn_secret: Learn,
        connect: Connect | None = None,
    ) -> None:
        self.config = config
        self.ledger = ledger
        self.clock = clock
        self._learn_secret = learn_secret
        self._connect = connect
        self._connections: dict[str, _Connection] = {}
        self._syncs: Mapping[str, Sync] = {}
        # A portal may come or go while a new config is taken over.
        self._exchanging = asyncio.Lock()
        # One at a time: several would not be done sooner, for Python runs one of them at any moment, and the event loop
        # would wait for its turn among all of them.
        self._workroom = Threads(max_workers=1, thread_name_prefix="workroom")

    @property
    def portals(self) -> Mapping[str, Portal]:
        """The clients of the portals, by name."""
        return {name: one.portal for name, one in self._connections.items()}

    def syncs(self, names: Sequence[str] = (), *, portal: str | None = None) -> tuple[Sync, ...]:
        """Return the syncs of these names, or all, in the config's order; a name may be a pattern such as "north-*".

        With a `portal`, return only those that write to it. Raises ConfigError for an unknown name or portal, and for a
        pattern that no name matches.
        """
        chosen = self.config.chosen(names, portal)
        return tuple(self._syncs[name] for name in chosen if name in self._syncs)

    def sync(self, name: str) -> Sync:
        """Return the sync of this name; raises ConfigError if there is none."""
        if name not in self._syncs:
            raise self.config.unknown(name)
        return self._syncs[name]

    def portal(self, name: str | None) -> Portal:
        """Return the client of the portal `name`, of the only portal if None; raises ConfigError for any other."""
        if name is None and len(self._connections) == 1:
            return next(iter(self.portals.values()))
        if name is None or name not in self._connections:
            raise ConfigError(
                say("which portal? {names}", names=tuple(self._connections)), say("name one with --portal")
            )
        return self._connections[name].portal

    def portal_of(self, name: str) -> Portal:
        """Return the client of the portal that the sync `name` writes to."""
        return self._connections[next(sync.portal for sync in self.config.syncs if sync.name == name)].portal

    def ties(self) -> list[tuple[str, ...]]:
        """Return each portal by itself, and the portals that one sync reads and writes together."""
        ties: list[tuple[str, ...]] = [(portal.name,) for portal in self.config.portals]
        return ties + [
            (sync.portal, source) for sync in self.config.syncs if (source := _source_portal(self._syncs[sync.name]))
        ]

    def open_pass(self, sync: Sync, stop: asyncio.Event) -> Pass:
        """Return a pass of `sync` that has not begun; `stop` ends it after the requests in flight.

        Raises PortalUnusableError if its portal has no secret.
        """
        portal = self.portal_of(sync.name)
        if unusable := self._connections[portal.name].config.unusable:
            # Before a run begins: without an address the portal would seem to be another one.
            raise PortalUnusableError(unusable, say("put the secret there and reload; the other portals go on"))
        from syncd.cycle.sync import Pass  # noqa: PLC0415 - see above

        return Pass(
            sync=sync,
            portal=portal.part(stop),
            ledger=self.ledger.of(sync.name),
            portal_ledger=self.ledger.of_portal(portal.name),
            ledger_of_all=self.ledger,
            clock=self.clock,
            stop=stop,
            workroom=self._workroom,
        )

    def leaving(self, config: Config) -> tuple[str, ...]:
        """Return the names of the syncs whose passes must have ended before `config` is taken over."""
        names = {sync.name for sync in config.syncs}
        gone = self._gone(config)
        return tuple(
            one.name
            for one in self.config.syncs
            if one.name not in names or one.portal in gone or _source_portal(self._syncs[one.name]) in gone
        )

    async def take_over(self, config: Config, syncs: Mapping[str, Sync]) -> None:
        """Put `config` with its `syncs` in force.

        Portals whose settings are the same keep their client, and so what it knows of the portal's limits.
        """
        async with self._exchanging:
            await self._take_over(config, syncs)

    async def _take_over(self, config: Config, syncs: Mapping[str, Sync]) -> None:
        assert self._connect is not None
        gone = self._gone(config)
        made: dict[str, _Connection] = {}
        async with AsyncExitStack() as unless_taken:
            for wanted in config.portals:
                if wanted.name not in self._connections or wanted.name in gone:
                    closing = await unless_taken.enter_async_context(AsyncExitStack())
                    portal = await closing.enter_async_context(
                        self._connect(wanted, self.ledger, self.clock, self._learn_secret)
                    )
                    await self._teach(portal)
                    made[wanted.name] = _Connection(config=wanted, portal=portal, closing=closing)
            unless_taken.pop_all()
        old = [self._connections[name] for name in gone]
        # All at once, without a pause in which others would find the portals of one config and the syncs of the other.
        self._connections = {name: one for name, one in self._connections.items() if name not in gone} | made
        self.config, self._syncs = config, syncs
        self.ledger.keep_runs = config.keep_runs
        self.ledger.serve({sync.name: sync.portal for sync in config.syncs})
        for sync in syncs.values():
            self._bind(sync)
        for one in old:
            await one.closing.aclose()

    async def disconnect(self, name: str) -> None:
        """Close the client of the portal `name`, and note how much of the portal's limits is used.

        Nobody may be using it. Here and in `reconnect` a portal that the config no longer has is ignored.
        """
        async with self._exchanging:
            await self._disconnect(name)

    async def _disconnect(self, name: str) -> None:
        if (one := self._connections.get(name)) is not None:
            self._connections = {**self._connections, name: replace(one, closing=AsyncExitStack())}
            await one.closing.aclose()

    async def reconnect(self, name: str) -> None:
        """Give the portal `name` a new client that uses the lease held now, or none; raises StateError.

        The client starts with what the ledger knows of the portal's limits: another machine may have used them.
        """
        assert self._connect is not None
        async with self._exchanging:
            await self._disconnect(name)
            if name not in self._connections:
                return
            closing, config = AsyncExitStack(), self._connections[name].config
            portal = await closing.enter_async_context(
                self._connect(config, self.ledger, self.clock, self._learn_secret)
            )
            if not self.ledger.shared or self.ledger.tenure(name) is not None:
                await self._teach(portal)
            self._connections = {
                **self._connections,
                name: _Connection(config=config, portal=portal, closing=closing),
            }
            for sync in self._syncs.values():
                self._bind(sync)

    async def _teach(self, portal: Portal) -> None:
        """Tell a client what a probe has found out about its portal, if there was one."""
        from syncd.portal.probe.facts import facts_from  # noqa: PLC0415 - what only looks at the state asks no portal

        facts = facts_from(await self.ledger.of_portal(portal.name).facts(portal.origin))
        if facts is not None:
            portal.learn(facts)

    def _gone(self, config: Config) -> frozenset[str]:
        """Return the names of the portals that `config` lacks, or has with other settings: their clients go."""
        return frozenset(name for name, one in self._connections.items() if one.config not in config.portals)

    async def close(self) -> None:
        """Close the connections to the portals."""
        self._workroom.shutdown(wait=False, cancel_futures=True)
        for one in self._connections.values():
            await one.closing.aclose()

    def _bind(self, sync: Sync) -> None:
        """Give a source that reads a portal its client, and a function that returns which events there are ours."""
        if isinstance(sync.source, PortalBacked):
            name = sync.source.portal
            sync.source.bind(self._connections[name].portal, partial(_written_in, self.config, name, self.ledger))


def _source_portal(sync: Sync) -> str:
    """Return the name of the portal that a sync reads from, "" if its source is no portal."""
    return sync.source.portal if isinstance(sync.source, PortalBacked) else ""


async def _written_in(config: Config, portal: str, ledger: Ledger) -> OwnEvents:
    """Return what syncd itself writes in a portal's calendars, also by links of syncs no longer configured."""
    calendars = {
        sync.name: sync.target
        for sync in config.syncs
        if sync.portal == portal and isinstance(sync.target, TargetConfig)
    }
    elsewhere = {sync.name for sync in config.syncs} - calendars.keys()
    links = [
        link for name in await ledger.linked_syncs() if name not in elsewhere for link in await ledger.of(name).links()
    ]
    kinds = {"company": "company_calendar"}
    return OwnEvents(
        events=frozenset(link.remote_id for link in links),
        sections=frozenset(link.section_id for link in links),
        names=frozenset(
            (kinds.get(target.calendar, target.calendar), target.section.casefold()) for target in calendars.values()
        ),
    )
