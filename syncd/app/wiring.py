"""Makes ledger, portals, sources and targets from the config and joins them; nothing is decided here.

The command line and the service open the same `App`, so that the config means the same in both.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cache, partial
from hashlib import blake2b
from pathlib import Path
from random import SystemRandom

import structlog

from syncd import events
from syncd.app.application import App, Connect
from syncd.app.authorising import open_application
from syncd.app.configured import claim, read_config
from syncd.app.database_feeds import DatabaseFeeds
from syncd.app.program import program_mark
from syncd.clock import Clock, SystemClock
from syncd.config import Config, PortalConfig, SyncConfig
from syncd.config.learn import Learn
from syncd.cycle.sync import Sync
from syncd.errors import ConfigError, PortalUnusableError, SyncdError
from syncd.lang.saying import say
from syncd.model.guard import Guard
from syncd.model.plan import Policy
from syncd.portal.client import Portal
from syncd.portal.limits.tariff import limits_of
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import AiohttpTransport, Permit, Transport, Webhook
from syncd.portal.oauth.application import Application
from syncd.scrub import Clean
from syncd.source import open_source
from syncd.source.base import FeedCache, PortalBacked
from syncd.source.shelf import KINDS, Board, shelf_name
from syncd.source.web.cache import DirectoryCache
from syncd.state.ledger import Ledger
from syncd.target.make import make_target

_log = structlog.get_logger()


@asynccontextmanager
async def make_portal(config: PortalConfig, ledger: Ledger, clock: Clock, learn_secret: Learn) -> AsyncIterator[Portal]:
    """Open the client of one portal, with what the ledger remembers of its operating budget.

    If several machines share the ledger, the client uses the lease that is held now. Without a lease it may only read
    and send messages, and keeps nothing.
    """
    tenure = ledger.tenure(config.name)
    keeps = not ledger.shared or tenure is not None
    credential = await _credential(config, ledger, clock, learn_secret)
    async with Portal(
        name=config.name,
        credential=credential,
        limits=limits_of(config),
        clock=clock,
        random=SystemRandom().random,
        transport=_transport(config, credential, tenure),
        state=await ledger.of_portal(config.name).budget() if keeps else None,
        permit=tenure,
        after_another=tenure is not None and not tenure.orderly,
    ) as portal:
        try:
            yield portal
            if not ledger.readonly and portal.application is not None and portal.usage().requests:
                await portal.application.tend()
        finally:
            if keeps and not ledger.readonly and portal.usage().requests and (tenure is None or tenure.valid()):
                with suppress(SyncdError):  # a full disk: the next process then assumes more than there was
                    await ledger.of_portal(config.name).note_budget(portal.budget_state(), clock.now())


async def _credential(config: PortalConfig, ledger: Ledger, clock: Clock, learn_secret: Learn) -> Webhook | Application:
    """Return what calls the portal: a webhook, or an application with its tokens from the ledger."""
    if config.app is not None:
        return await open_application(config, config.app, ledger, clock, learn_secret)
    webhook = config.webhook.reveal()
    if not config.unusable:
        learn_secret(webhook)  # again in its full form
    return Webhook(address=webhook)


def _transport(config: PortalConfig, credential: Webhook | Application, permit: Permit | None) -> Transport:
    """Return the transport for requests to the portal that `config` names."""
    if config.unusable:
        return _Unusable(config.unusable)
    if config.tls is None:
        return AiohttpTransport(credential, permit=permit)
    from syncd.config.certificates import make_context  # noqa: PLC0415 - few portals need it

    return AiohttpTransport(credential, tls=make_context(config.tls), permit=permit)


class _Unusable:
    """The transport of a portal whose secret is missing: every request raises the error that says why."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        raise PortalUnusableError(self._why, say("put the secret there and reload; the other portals go on"))

    async def close(self) -> None:
        pass


@asynccontextmanager
async def open_app(
    path: Path,
    *,
    readonly: bool,
    learn_secret: Learn,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
    connect: Connect = make_portal,
    clean: Clean = str,
) -> AsyncIterator[App]:
    """Load the config at `path`, open the ledger and one client for each portal; close them at the end.

    `learn_secret` is given every secret, so that `clean` can remove it from the errors that the ledger keeps. Raises
    ConfigError, StateError and, unless `readonly`, StateLockedError.
    """
    clock = clock or SystemClock()
    config = read_config(path, os.environ if environ is None else environ, learn_secret)
    # Before the ledger is opened: a config that cannot be used must not be told as a state that is held.
    syncs = make_syncs(config, writable=not readonly, clock=clock)
    if readonly:
        ledger = await Ledger.open_readonly(
            config.ledger, booted_at=clock.booted_at(), thorough=True, terms=config.lease
        )
    else:
        ledger = await Ledger.open(
            config.ledger, now=clock.now(), keep_runs=config.keep_runs, booted_at=clock.booted_at()
        )
        if config.database is not None:
            await _sharing(ledger, config, clock)
    ledger.thread.clean = clean
    if ledger.doubt is not None:
        log = _log.warning if ledger.doubt.replaced else _log.info
        log(events.LEDGER_DOUBTED, path=ledger.shown, reason=ledger.doubt.reason)
    if config.state == config.earlier_state:
        _log.info(events.STATE_KEPT, path=str(config.state))
    for sync in syncs.values():
        if isinstance(sync.feeds, DatabaseFeeds):
            sync.feeds.bind(ledger)
    app = App(config, ledger, clock=clock, learn_secret=learn_secret, connect=connect)
    try:
        if not readonly:
            await claim(config, ledger, clock)
        await app.take_over(config, syncs)
        yield app
    finally:
        await app.close()
        await ledger.close()


async def _sharing(ledger: Ledger, config: Config, clock: Clock) -> None:
    """Start to hold leases in the database of `ledger`; if that fails, close the ledger."""
    try:
        await ledger.share(config.lease, clock)
    except BaseException:
        await ledger.close()
        raise


def make_syncs(config: Config, *, writable: bool, clock: Clock, ledger: Ledger | None = None) -> dict[str, Sync]:
    """Return the syncs of `config` by name; raises ConfigError if the options of a source cannot be used.

    If `writable`, feeds from the web are kept for the next process, beside the state or in its database: that of
    `ledger`, if it is open already.
    """
    feeds = _feeds(config, writable=writable)
    if isinstance(feeds, DatabaseFeeds) and ledger is not None:
        feeds.bind(ledger)
    index = _index(config, writable=writable)
    program = cache(program_mark)  # not before the first pass: a start must be quick
    syncs = {sync.name: make_sync(config, sync, feeds, index, clock, program) for sync in config.syncs}
    if writable:  # what is kept of removed syncs would stay for ever
        index.keep_only({shelf_name(kind, sync) for sync in syncs for kind in KINDS})
    portals = {portal.name for portal in config.portals}
    for source in (sync.source for sync in syncs.values()):
        if isinstance(source, PortalBacked) and source.portal not in portals:
            raise ConfigError(
                say("{where}: portal names {portal!r}, which is not there", where=source.where, portal=source.portal),
                say("see [portals]"),
            )
    return syncs


def _feeds(config: Config, *, writable: bool) -> FeedCache:
    if config.database is not None:
        return DatabaseFeeds(writable=writable)
    return DirectoryCache(config.state.with_name(f"{config.state.name}-feeds"), writable=writable)


def _index(config: Config, *, writable: bool) -> DirectoryCache:
    return DirectoryCache(config.state.with_name(f"{config.state.name}-index"), writable=writable)


def make_sync(
    config: Config, sync: SyncConfig, feeds: FeedCache, index: Board, clock: Clock, program: Callable[[], str]
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
        verify_unheard=sync.verify_unheard,
        zone=sync.timezone,
        siblings=_siblings(config.syncs, sync),
        portal_zone=config.portal(sync.portal).server_timezone,
        country=sync.country,
        feeds=feeds,
        index=index,
        mark=partial(_mark, config, sync, program),
    )


def _mark(config: Config, sync: SyncConfig, program: Callable[[], str]) -> str:
    """Return a mark of everything that a plan of `sync` follows from and that stays the same under one config.

    It is "" while an upgrade replaces the files of the program: what is kept for later must not fail a pass for it.
    """
    owners = sorted(sync.target.owners.items())  # which may stand in a file of their own
    try:
        everything = repr((config.digest, sync.name, owners, program()))
    except OSError:
        return ""
    return blake2b(everything.encode(), digest_size=16).hexdigest()


def _siblings(syncs: Iterable[SyncConfig], sync: SyncConfig) -> tuple[str, ...]:
    return tuple(other.name for other in syncs if other.portal == sync.portal)
