"""What `syncd run` runs: the scheduler, the status page and the alerts of one config, and the reload of another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import SystemRandom

import structlog

from syncd import __version__
from syncd.app.wiring import bind_portals, feeds_directory, make_portal, make_setup
from syncd.clock import Clock, SystemClock
from syncd.config import Config, PortalConfig, load_config
from syncd.cycle.result import PassResult, Prepared
from syncd.cycle.run import PassOptions, run_pass
from syncd.cycle.setup import SyncSetup, World
from syncd.errors import ConfigError, GuardError, SyncdError
from syncd.portal.client import Portal
from syncd.service.alerts import Alerts
from syncd.service.daemon import Daemon, Ended, Scheduled
from syncd.service.notify import Notifier
from syncd.service.overview import Overview, ServiceState, plan_view, stopped_view
from syncd.service.schedule import DUE_NOTE, read_last_run, schedule_of
from syncd.service.watch import Hints, Watched, Watcher, system_hints
from syncd.source.base import FileBacked
from syncd.source.web.cache import DirectoryCache
from syncd.state.ledger import Ledger
from syncd.web.views import PlanView, Totals, View

_log = structlog.get_logger()
_ALERTS_EVERY_S = 60.0
Connect = Callable[[PortalConfig, Ledger, Clock, Callable[[str], None]], AbstractAsyncContextManager[Portal]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the process gives the service; tests replace them. `connect` opens the client of a portal."""

    clock: Clock
    notifier: Notifier
    environ: Mapping[str, str]
    learn_secret: Callable[[str], None]
    random: Callable[[], float] = SystemRandom().random
    hints: Hints | None = None
    connect: Connect = make_portal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    config: PortalConfig
    portal: Portal
    closing: AsyncExitStack


@asynccontextmanager
async def open_service(path: Path, around: Surroundings, stop: asyncio.Event) -> AsyncIterator[Service]:
    """Read the config at `path` and open its ledger and portals; raises ConfigError, StateError, StateLockedError."""
    config = load_config(path, around.environ)
    setups = _setups(config)
    ledger = await Ledger.open(config.state, now=around.clock.now())
    service = Service(ledger, around, stop)
    try:
        await service.take_over(config, setups)
        yield service
    finally:
        await service.close()
        await ledger.close()


def surroundings(environ: Mapping[str, str], pid: int, learn_secret: Callable[[str], None]) -> Surroundings:
    """Return the surroundings of a real process."""
    return Surroundings(
        clock=SystemClock(),
        notifier=Notifier.from_environ(environ, pid),
        environ=environ,
        learn_secret=learn_secret,
        hints=system_hints(),
    )


class Service:
    """Everything that runs while `syncd run` does; made by `open_service`.

    `passes` counts passes by sync and state, `changes` confirmed changes by sync and kind; `errors` says why the last
    pass of a sync failed. `plans` are of the passes that run, and of those that a guard stopped.
    """

    def __init__(self, ledger: Ledger, around: Surroundings, stop: asyncio.Event) -> None:
        self.config_refused = ""
        self.passes: Counter[tuple[str, str]] = Counter()
        self.changes: Counter[tuple[str, str]] = Counter()
        self.plans: dict[str, PlanView] = {}
        self.errors: dict[str, str] = {}
        self.daemon = Daemon(
            clock=around.clock, notifier=around.notifier, stop=stop, random=around.random, ended=self._ended
        )
        self._ledger = ledger
        self._around = around
        self._stop = stop
        self._open: dict[str, _Open] = {}
        self._setups: Mapping[str, SyncSetup] = {}
        self._alerts = Alerts(ledger, around.clock)
        self._overview = Overview(ledger, around.clock.now(), __version__)
        self._server: AsyncExitStack | None = None
        self._watching: asyncio.Task[None] | None = None
        self._config: Config | None = None

    @property
    def config(self) -> Config:
        """The config that is in force."""
        assert self._config is not None
        return self._config

    @property
    def portals(self) -> Mapping[str, Portal]:
        """The clients of the portals, by name."""
        return {name: one.portal for name, one in self._open.items()}

    async def run(self, reload: asyncio.Event) -> None:
        """Run the passes that come due until the stop is set; read the config again whenever `reload` is set.

        An error in the service itself ends it, and systemd starts it again.
        """
        around = self._around
        around.notifier.send(READY="1", STATUS=self.daemon.status())
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(self._reload_when(reload), name="reload"),
                tasks.create_task(self._alert_regularly(), name="alerts"),
            ]
            await self.daemon.run()
            for task in beside:
                task.cancel()

    async def take_over(self, config: Config, setups: Mapping[str, SyncSetup]) -> None:
        """Put `config` in force. Portals whose settings are unchanged keep their client, and with it their pace."""
        server = await self._serve(config) if self._config is None or config.http != self._config.http else None
        wanted = {portal.name: portal for portal in config.portals}
        leaving = [name for name, one in self._open.items() if wanted.get(name) != one.config]
        if self._config is not None:
            names = {sync.name for sync in config.syncs}
            ends = [one.name for one in self._config.syncs if one.portal in leaving or one.name not in names]
            await self.daemon.drain(ends)
        for name in leaving:
            await self._open.pop(name).closing.aclose()
        for name, portal in wanted.items():
            if name not in self._open:
                closing = AsyncExitStack()
                client = await closing.enter_async_context(
                    self._around.connect(portal, self._ledger, self._around.clock, self._around.learn_secret)
                )
                self._open[name] = _Open(config=portal, portal=client, closing=closing)
        if server is not None:
            await self._drop_server()
            self._server = server
        self._config, self._setups = config, setups
        bind_portals(config, setups, self.portals, self._ledger)
        self.plans = {name: plan for name, plan in self.plans.items() if name in setups}
        self.daemon.set_syncs(await self._scheduled())
        await self._note_due(setups)
        self._watch()

    async def reload(self) -> None:
        """Read the config again. One that cannot be used is refused, and the old one stays in force.

        Raises StateError if the ledger cannot be read: the service then ends, and its restart reads the new config.
        """
        notifier, clock = self._around.notifier, self._around.clock
        stamp = str(int(clock.monotonic() * 1_000_000))
        notifier.send(RELOADING="1", MONOTONIC_USEC=stamp, STATUS="reading the config again")
        try:
            config = self._read_again()
            await self.take_over(config, _setups(config))
        except ConfigError as error:
            self.config_refused = str(error)
            _log.error("config.refused", reason=self.config_refused)
            notifier.send(READY="1", STATUS=f"the new config is refused, the old one stays: {error.message}")
            return
        self.config_refused = ""
        _log.info("config.reloaded", syncs=len(config.syncs), portals=len(config.portals))
        notifier.send(READY="1", STATUS=self.daemon.status())

    def _read_again(self) -> Config:
        config = load_config(self.config.path, self._around.environ)
        if not config.syncs:
            raise ConfigError(f"{config.path} has no [[sync]]", "add one; see config.example.toml")
        if config.state != self.config.state:
            raise ConfigError(f"{config.path}: state cannot change while syncd runs", "restart it")
        return config

    async def view(self) -> View:
        """Return how everything stands now; raises StateError if the ledger cannot be read."""
        state = ServiceState(
            config=self.config,
            config_refused=self.config_refused,
            syncs=self.daemon.states(),
            sources={name: setup.source.describe() for name, setup in self._setups.items()},
            plans=self.plans,
            portals=self.portals,
            totals=Totals(passes=dict(self.passes), changes=dict(self.changes)),
        )
        return await self._overview.view(state, self._around.clock.now())

    async def update_alerts(self) -> None:
        """Tell people, once each, of syncs that have become stale and portals that refuse, and when that is over."""
        now, troubles = self._around.clock.now(), {}
        states = self.daemon.states()
        for sync in self.config.syncs:
            if sync.name not in states:
                continue
            if refused := states[sync.name].refused:
                troubles[f"portal {sync.portal}"] = f"portal {sync.portal}: {refused}"
            if await self._overview.freshness(sync, now) == "stale":
                why = f": {self.errors[sync.name]}" if sync.name in self.errors else ""
                troubles[f"sync {sync.name}"] = f"sync {sync.name} has not succeeded for too long{why}"
        await self._alerts.update(troubles, self.config.alerts, self.portals)

    async def close(self) -> None:
        """Close the status page and the connections to the portals."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._drop_server()
        for one in self._open.values():
            await one.closing.aclose()

    async def _reload_when(self, reload: asyncio.Event) -> None:
        while True:
            await reload.wait()
            reload.clear()
            await self.reload()

    async def _alert_regularly(self) -> None:
        while True:
            try:
                await self.update_alerts()
            except SyncdError as error:  # the ledger cannot be read or written: the next round tries again
                _log.error("alert.failed", reason=str(error))
            await self._around.clock.sleep(_ALERTS_EVERY_S)

    async def _scheduled(self) -> list[Scheduled]:
        return [
            Scheduled(
                name=sync.name,
                portal=sync.portal,
                schedule=schedule_of(sync),
                last_run=await read_last_run(sync.name, self._ledger),
                run=partial(self._pass, sync.name),
                progress=self._open[sync.portal].portal.progress,
            )
            for sync in self.config.syncs
        ]

    async def _pass(self, name: str, stop: asyncio.Event) -> PassResult:
        setup = self._setups[name]
        portal = next(sync.portal for sync in self.config.syncs if sync.name == name)
        world = World(portal=self._open[portal].portal, ledger=self._ledger, clock=self._around.clock)

        def show(prepared: Prepared) -> None:
            self.plans[name] = plan_view(prepared)

        return await run_pass(setup, world, PassOptions(approve=show), stop=stop)

    async def _ended(self, ended: Ended) -> None:
        """Count a pass, drop its plan unless a guard stopped it, and note when the next pass is due."""
        plan = self.plans.pop(ended.sync, None)
        self.errors.pop(ended.sync, None)
        if ended.error:
            self.errors[ended.sync] = ended.error
        if ended.result is not None:
            record = ended.result.record
            self.passes[ended.sync, record.state] += 1
            for name in ("created", "updated", "deleted", "adopted"):
                self.changes[ended.sync, name] += record.counts.get(name, 0)
            if plan is not None and isinstance(ended.result.error, GuardError):
                self.plans[ended.sync] = stopped_view(plan, str(ended.result.error))
        else:
            self.passes[ended.sync, "failed"] += 1
        try:
            await self._note_due([ended.sync])
        except SyncdError as error:
            _log.error("state.unwritable", reason=str(error))

    async def _note_due(self, names: Iterable[str]) -> None:
        """Write down when the next passes are due, for `syncd status`, which cannot ask this process."""
        states = self.daemon.states()
        for name in names:
            due = states[name].due if name in states else float("inf")
            now = self._around.clock.now()
            await self._ledger.note(f"sync/{name}", DUE_NOTE, due if due < float("inf") else None, now)

    def _watch(self) -> None:
        """Watch from now on the files of all syncs with `watch`."""
        if self._watching is not None:
            self._watching.cancel()
        watched = []
        for sync in self.config.syncs:
            source = self._setups[sync.name].source
            if sync.when.watch and isinstance(source, FileBacked):
                folder, deep = source.folder()
                settle_s = sync.when.settle.total_seconds()
                watched.append(Watched(name=sync.name, files=source.files, folder=folder, deep=deep, settle_s=settle_s))
        watcher = Watcher(watched, clock=self._around.clock, changed=self.daemon.poke, hints=self._around.hints)
        self._watching = asyncio.get_running_loop().create_task(watcher.run(), name="files")

    async def _serve(self, config: Config) -> AsyncExitStack | None:
        """Open the status page at its address; raises ConfigError if the address cannot be used."""
        if config.http is None:
            return AsyncExitStack()
        from syncd.web.status_server import serving  # noqa: PLC0415 - saves 0.1 s when no page is configured

        closing = AsyncExitStack()
        try:
            await closing.enter_async_context(serving(self.view, host=config.http.host, port=config.http.port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(
                f"{config.path}: http.listen: {config.http.host}:{config.http.port} cannot be used: {reason}",
                "stop the syncd that is running already, or choose another port",
            ) from error
        if config.http.public:
            _log.warning("page.public", host=config.http.host, port=config.http.port)
        return closing

    async def _drop_server(self) -> None:
        if self._server is not None:
            await self._server.aclose()
            self._server = None


def _setups(config: Config) -> dict[str, SyncSetup]:
    feeds = DirectoryCache(feeds_directory(config.state), writable=True)
    return {sync.name: make_setup(config, sync, feeds) for sync in config.syncs}
