"""Makes ledger, portals, sources and targets from the config and joins them; nothing is decided here.

Both the command line and the service open the same `App`, so that what the config says holds in both.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from hashlib import blake2b
from pathlib import Path
from random import SystemRandom

import structlog

from syncd import events
from syncd.app.configured import claim, read_config
from syncd.app.program import program_mark
from syncd.clock import Clock, SystemClock
from syncd.config import Config, PortalConfig, SyncConfig, TargetConfig
from syncd.cycle.sync import Pass, Sync
from syncd.errors import ConfigError, PortalUnusableError, SyncdError
from syncd.model.guard import Guard
from syncd.model.plan import Policy
from syncd.portal.client import Portal
from syncd.portal.limits.pace import Limits
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import AiohttpTransport, Transport, Webhook
from syncd.portal.probe.facts import facts_from
from syncd.scrub import Clean
from syncd.source import open_source
from syncd.source.base import FeedCache, OwnEvents, PortalBacked
from syncd.source.web.cache import DirectoryCache
from syncd.state.ledger import Ledger
from syncd.target.make import make_target

_log = structlog.get_logger()


@asynccontextmanager
async def make_portal(
    config: PortalConfig, ledger: Ledger, clock: Clock, learn_secret: Callable[[str], None]
) -> AsyncIterator[Portal]:
    """Open the client of one portal, with what the ledger remembers of its operating budget."""
    webhook = config.webhook.reveal()
    if not config.unusable:
        learn_secret(webhook)  # again in its full form
    credential = Webhook(address=webhook)
    async with Portal(
        name=config.name,
        credential=credential,
        limits=limits_of(config),
        clock=clock,
        random=SystemRandom().random,
        transport=_transport(config, credential),
        state=await ledger.of_portal(config.name).budget(),
    ) as portal:
        try:
            yield portal
        finally:
            if not ledger.readonly and portal.usage().requests:
                with suppress(SyncdError):  # a full disk: the next process then assumes more than there was
                    await ledger.of_portal(config.name).note_budget(portal.budget_state(), clock.now())


def _transport(config: PortalConfig, credential: Webhook) -> Transport:
    """Return what carries the requests to the portal that `config` names."""
    if config.unusable:
        return _Unusable(config.unusable)
    if config.tls is None:
        return AiohttpTransport(credential)
    from syncd.config.certificates import make_context  # noqa: PLC0415 - few portals need it

    return AiohttpTransport(credential, tls=make_context(config.tls))


class _Unusable:
    """The transport of a portal whose secret is missing: whatever is asked, it says why."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        raise PortalUnusableError(self._why, "put the secret there and reload; the other portals go on")

    async def close(self) -> None:
        pass


Connect = Callable[[PortalConfig, Ledger, Clock, Callable[[str], None]], AbstractAsyncContextManager[Portal]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Connection:
    config: PortalConfig
    portal: Portal
    closing: AsyncExitStack


class App:
    """Everything that a config asks for, ready to run; made by `open_app`.

    Another config can be taken over while it runs, apart from `state`. `connect` opens the client of a portal, and
    `learn_secret` hears of every secret.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        *,
        clock: Clock,
        learn_secret: Callable[[str], None],
        connect: Connect = make_portal,
    ) -> None:
        self.config = config
        self.ledger = ledger
        self.clock = clock
        self._learn_secret = learn_secret
        self._connect = connect
        self._connections: dict[str, _Connection] = {}
        self._syncs: Mapping[str, Sync] = {}
        # One at a time: several would not be done sooner, for Python runs one of them at any moment, and the event loop
        # would wait for its turn among all of them.
        self._workroom = ThreadPoolExecutor(max_workers=1, thread_name_prefix="workroom")

    @property
    def portals(self) -> Mapping[str, Portal]:
        """The clients of the portals, by name."""
        return {name: one.portal for name, one in self._connections.items()}

    def syncs(self, names: Sequence[str] = (), *, portal: str | None = None) -> tuple[Sync, ...]:
        """Return the syncs of these names, or all, in the config's order; a name may be a pattern such as "north-*".

        With a `portal` only those that write to it. Raises ConfigError for an unknown name or portal, and for a pattern
        that no name matches.
        """
        chosen = self.config.chosen(names, portal)
        return tuple(self._syncs[name] for name in chosen if name in self._syncs)

    def sync(self, name: str) -> Sync:
        """Return the sync of this name; raises ConfigError when there is none."""
        if name not in self._syncs:
            raise self.config.unknown(name)
        return self._syncs[name]

    def portal(self, name: str | None) -> Portal:
        """Return the client of the portal `name`, or without one of the only portal; raises ConfigError otherwise."""
        if name is None and len(self._connections) == 1:
            return next(iter(self.portals.values()))
        if name is None or name not in self._connections:
            raise ConfigError(f"which portal? {', '.join(self._connections)}", "name one with --portal")
        return self._connections[name].portal

    def portal_of(self, name: str) -> Portal:
        """Return the client of the portal that the sync `name` writes to."""
        return self._connections[next(sync.portal for sync in self.config.syncs if sync.name == name)].portal

    def open_pass(self, sync: Sync, stop: asyncio.Event) -> Pass:
        """Return a pass of `sync` that has not begun; `stop` ends it after the requests in flight.

        Raises PortalUnusableError if the secret of its portal is missing.
        """
        portal = self.portal_of(sync.name)
        if unusable := self._connections[portal.name].config.unusable:
            # Before a run begins: without an address the portal would seem to be another one.
            raise PortalUnusableError(unusable, "put the secret there and reload; the other portals go on")
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
        """Return the names of the present syncs whose passes must have ended before `config` is taken over."""
        names = {sync.name for sync in config.syncs}
        gone = self._gone(config)
        return tuple(
            one.name
            for one in self.config.syncs
            if one.name not in names or one.portal in gone or _source_portal(self._syncs[one.name]) in gone
        )

    async def take_over(self, config: Config, syncs: Mapping[str, Sync]) -> None:
        """Let `config` with its `syncs` be the one in force.

        Portals whose settings are the same keep their client, and with it what it knows of the portal's limits.
        """
        gone = self._gone(config)
        made: dict[str, _Connection] = {}
        async with AsyncExitStack() as unless_taken:
            for wanted in config.portals:
                if wanted.name not in self._connections or wanted.name in gone:
                    closing = await unless_taken.enter_async_context(AsyncExitStack())
                    portal = await closing.enter_async_context(
                        self._connect(wanted, self.ledger, self.clock, self._learn_secret)
                    )
                    facts = facts_from(await self.ledger.of_portal(wanted.name).facts(portal.origin))
                    if facts is not None:
                        portal.learn(facts)
                    made[wanted.name] = _Connection(config=wanted, portal=portal, closing=closing)
            unless_taken.pop_all()
        old = [self._connections[name] for name in gone]
        # All at once, without a pause in which others would find the portals of one config and the syncs of the other.
        self._connections = {name: one for name, one in self._connections.items() if name not in gone} | made
        self.config, self._syncs = config, syncs
        self.ledger.keep_runs = config.keep_runs
        for sync in syncs.values():
            self._bind(sync)
        for one in old:
            await one.closing.aclose()

    def _gone(self, config: Config) -> frozenset[str]:
        """Return the names of the portals whose client `config` has no use for, or only with other settings."""
        return frozenset(name for name, one in self._connections.items() if one.config not in config.portals)

    async def close(self) -> None:
        """Give up the portals' connections."""
        self._workroom.shutdown(wait=False, cancel_futures=True)
        for one in self._connections.values():
            await one.closing.aclose()

    def _bind(self, sync: Sync) -> None:
        """Give a source that reads a portal its client, and what tells which events there are our own."""
        if isinstance(sync.source, PortalBacked):
            name = sync.source.portal
            sync.source.bind(self._connections[name].portal, partial(_written_in, self.config, name, self.ledger))


def _source_portal(sync: Sync) -> str:
    """Return the name of the portal that a sync reads from, empty if it reads from something else."""
    return sync.source.portal if isinstance(sync.source, PortalBacked) else ""


@asynccontextmanager
async def open_app(
    path: Path,
    *,
    readonly: bool,
    learn_secret: Callable[[str], None],
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
    connect: Connect = make_portal,
    clean: Clean = str,
) -> AsyncIterator[App]:
    """Load the config at `path`, open the ledger and one client per portal; close them at the end.

    `learn_secret` hears of every secret, so that `clean` can take it out of what the ledger keeps of errors. Raises
    ConfigError, StateError and, unless `readonly`, StateLockedError.
    """
    clock = clock or SystemClock()
    config = read_config(path, os.environ if environ is None else environ, learn_secret)
    # Before the ledger is opened: a config that cannot be used must not be told as a state that is held.
    syncs = make_syncs(config, writable=not readonly, clock=clock)
    if readonly:
        ledger = await Ledger.open_readonly(config.state, booted_at=clock.booted_at(), thorough=True)
    else:
        ledger = await Ledger.open(
            config.state, now=clock.now(), keep_runs=config.keep_runs, booted_at=clock.booted_at()
        )
    ledger.thread.clean = clean
    if ledger.doubt is not None:
        log = _log.warning if ledger.doubt.replaced else _log.info
        log(events.LEDGER_DOUBTED, path=str(ledger.path), reason=ledger.doubt.reason)
    if config.state == config.earlier_state:
        _log.info(events.STATE_KEPT, path=str(config.state))
    app = App(config, ledger, clock=clock, learn_secret=learn_secret, connect=connect)
    try:
        if not readonly:
            await claim(config, ledger, clock.now())
        await app.take_over(config, syncs)
        yield app
    finally:
        await app.close()
        await ledger.close()


def make_syncs(config: Config, *, writable: bool, clock: Clock) -> dict[str, Sync]:
    """Return the syncs of `config` by name; raises ConfigError when a source's options cannot be used.

    `writable` lets feeds from the web be kept for the next process, beside the state.
    """
    feeds = DirectoryCache(config.state.with_name(f"{config.state.name}-feeds"), writable=writable)
    index = DirectoryCache(config.state.with_name(f"{config.state.name}-index"), writable=writable)
    program = cache(program_mark)  # not before the first pass: a start must be quick
    syncs = {sync.name: make_sync(config, sync, feeds, index, clock, program) for sync in config.syncs}
    portals = {portal.name for portal in config.portals}
    for source in (sync.source for sync in syncs.values()):
        if isinstance(source, PortalBacked) and source.portal not in portals:
            raise ConfigError(f"{source.where}: portal names {source.portal!r}, which is not there", "see [portals]")
    return syncs


def make_sync(
    config: Config, sync: SyncConfig, feeds: FeedCache, index: FeedCache, clock: Clock, program: Callable[[], str]
) -> Sync:
    """Return one sync made ready; raises ConfigError when its source's options cannot be used.

    `program` returns the mark of the program.
    """
    return Sync(
        name=sync.name,
        source=open_source(sync.source.options, sync.source.base, where=sync.source.where, clock=clock),
        target=make_target(sync),
        filter=sync.filter,
        policy=Policy(
            on_removed=sync.on_removed,
            removed_after=sync.removed_after,
            on_conflict=sync.on_conflict,
            adopt=sync.adopt,
            on_host_change=sync.on_host_change if sync.fields.host is not None else "keep",
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
        country=sync.country,
        feeds=feeds,
        index=index,
        settings=partial(_settings, config, sync, program),
    )


def _settings(config: Config, sync: SyncConfig, program: Callable[[], str]) -> str:
    """Return a mark of all that a plan of `sync` follows from and that stays the same while its config is in force."""
    owners = sorted(sync.target.owners.items())  # which may stand in a file of their own
    everything = repr((config.digest, sync.name, owners, program()))
    return blake2b(everything.encode(), digest_size=16).hexdigest()


def _siblings(syncs: Iterable[SyncConfig], sync: SyncConfig) -> tuple[str, ...]:
    return tuple(other.name for other in syncs if other.portal == sync.portal)


def limits_of(config: PortalConfig) -> Limits:
    """Return the limits of a portal: the tariff's, with what the config sets.

    A time-out that it does not set grows with the time a batch may take.
    """
    usual = Limits.tariff(config.tariff)
    timeout = max(usual.timeout, config.limits.longest_batch_s)
    return replace(usual, **{"timeout": timeout, **config.limits.given()})  # type: ignore[arg-type]


async def _written_in(config: Config, portal: str, ledger: Ledger) -> OwnEvents:
    """Return what syncd itself writes in a portal's calendars; links of syncs no longer configured count for all."""
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
