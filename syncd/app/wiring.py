"""Makes ledger, portals, sources and targets from the config and joins them; nothing is decided here."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import SystemRandom

from syncd.app.targets import make_target
from syncd.clock import Clock, SystemClock
from syncd.config import CardConfig, Config, PortalConfig, SyncConfig, TargetConfig, load_config
from syncd.cycle.setup import SyncSetup, World
from syncd.errors import ConfigError
from syncd.model.guard import Guard
from syncd.model.names import nearest
from syncd.model.plan import Policy
from syncd.portal.client import Portal
from syncd.portal.limits.pace import Limits
from syncd.portal.line.credential import Webhook
from syncd.source import open_source
from syncd.source.base import FeedCache, PortalBacked, Written
from syncd.source.web.cache import DirectoryCache
from syncd.state.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Everything the config asks for, ready to run."""

    config: Config
    ledger: Ledger
    portals: Mapping[str, Portal]
    clock: Clock
    ready: Mapping[str, SyncSetup]

    def setups(self, names: Sequence[str] = ()) -> tuple[SyncSetup, ...]:
        """Return the syncs of these names, or all, in the config's order; raises ConfigError for an unknown name."""
        for name in names:
            self.setup(name)
        return tuple(setup for setup in self.ready.values() if not names or setup.name in names)

    def setup(self, name: str) -> SyncSetup:
        """Return the sync of this name; raises ConfigError when there is none."""
        if name not in self.ready:
            close = nearest(name, self.ready)
            raise ConfigError(
                f"{self.config.path} has no sync {name!r}",
                f"did you mean {close!r}?" if close else f"it has: {', '.join(self.ready) or 'none'}",
            )
        return self.ready[name]

    def world(self, name: str) -> World:
        """Return what a pass of the sync `name` works with."""
        portal = next(sync.portal for sync in self.config.syncs if sync.name == name)
        return World(portal=self.portals[portal], ledger=self.ledger, clock=self.clock, keep_runs=self.config.keep_runs)


@asynccontextmanager
async def open_app(
    path: Path,
    *,
    readonly: bool,
    learn_secret: Callable[[str], None],
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[App]:
    """Load the config at `path`, open the ledger and one client per portal; close them at the end.

    `learn_secret` hears of every secret, so that the log can hide it. Raises ConfigError, StateError and, unless
    `readonly`, StateLockedError.
    """
    clock = clock or SystemClock()
    config = load_config(path, os.environ if environ is None else environ)
    feeds = DirectoryCache(feeds_directory(config.state), writable=not readonly)
    setups = {sync.name: make_setup(config, sync, feeds) for sync in config.syncs}
    async with AsyncExitStack() as closing:
        ledger = (
            await Ledger.open_readonly(config.state) if readonly else await Ledger.open(config.state, now=clock.now())
        )
        closing.push_async_callback(ledger.close)
        portals = {}
        for portal in config.portals:
            portals[portal.name] = await closing.enter_async_context(make_portal(portal, ledger, clock, learn_secret))
        bind_portals(config, setups, portals, ledger)
        yield App(config=config, ledger=ledger, portals=portals, clock=clock, ready=setups)


def bind_portals(
    config: Config, setups: Mapping[str, SyncSetup], portals: Mapping[str, Portal], ledger: Ledger
) -> None:
    """Give sources that read a portal their client, and what tells which events there are our own."""
    for setup in setups.values():
        if isinstance(setup.source, PortalBacked):
            name = setup.source.portal
            if name not in portals:
                raise ConfigError(f"{setup.source.where}: portal names {name!r}, which is not there", "see [portals]")
            setup.source.bind(portals[name], partial(written_in, config, name, ledger))


async def written_in(config: Config, portal: str, ledger: Ledger) -> Written:
    """Return what syncd itself writes in a portal's calendars; links of syncs no longer configured count for all."""
    calendars = {
        sync.name: sync.target
        for sync in config.syncs
        if sync.portal == portal and isinstance(sync.target, TargetConfig)
    }
    elsewhere = {sync.name for sync in config.syncs} - calendars.keys()
    links = [link for name in await ledger.linked_syncs() if name not in elsewhere for link in await ledger.links(name)]
    kinds = {"company": "company_calendar"}
    return Written(
        events=frozenset(link.remote_id for link in links),
        sections=frozenset(link.section_id for link in links),
        names=frozenset(
            (kinds.get(target.calendar, target.calendar), target.section.casefold()) for target in calendars.values()
        ),
    )


@asynccontextmanager
async def make_portal(
    config: PortalConfig, ledger: Ledger, clock: Clock, learn_secret: Callable[[str], None]
) -> AsyncIterator[Portal]:
    """Open the client of one portal, with what the ledger remembers of its operating budget."""
    webhook = config.webhook.reveal()
    learn_secret(webhook)
    note = await ledger.read_note(f"portal/{config.name}", "budget")
    async with Portal(
        name=config.name,
        credential=Webhook(address=webhook),
        limits=limits_of(config),
        clock=clock,
        random=SystemRandom().random,
        state=note[0] if note is not None else None,
    ) as portal:
        yield portal


def limits_of(config: PortalConfig) -> Limits:
    """Return the limits of a portal: the tariff's, with what the config sets."""
    return replace(Limits.tariff(config.tariff), **config.limits.given())  # type: ignore[arg-type]


def feeds_directory(state: Path) -> Path:
    """Return where feeds from the web are kept for the next process: beside the state."""
    return state.with_name(f"{state.name}-feeds")


def make_setup(config: Config, sync: SyncConfig, feeds: FeedCache | None = None) -> SyncSetup:
    """Return one sync made ready; raises ConfigError when its source's options cannot be used."""
    return SyncSetup(
        name=sync.name,
        source=open_source(sync.source.options, sync.source.base, where=sync.source.where),
        target=make_target(sync),
        filter=sync.filter,
        policy=Policy(
            on_removed=sync.on_removed,
            removed_after=sync.removed_after,
            on_conflict=sync.on_conflict,
            adopt=sync.adopt or _carries_origin(sync),
        ),
        guard=Guard(max_removed=sync.max_removed, max_changed=sync.max_changed),
        past=sync.past,
        future=sync.future,
        window_given=sync.window_given,
        uids=sync.uids,
        verify_every=sync.verify_every,
        zone=sync.timezone,
        siblings=_siblings(config.syncs, sync),
        portal_zone=config.portal(sync.portal).server_timezone,
        feeds=feeds,
    )


def _carries_origin(sync: SyncConfig) -> bool:
    """Say whether items name their origin: ours are taken over whatever `adopt` says, or a lost state doubles them."""
    return isinstance(sync.target, CardConfig) and sync.target.type == "activity"


def _siblings(syncs: Iterable[SyncConfig], sync: SyncConfig) -> tuple[str, ...]:
    return tuple(other.name for other in syncs if other.portal == sync.portal)
