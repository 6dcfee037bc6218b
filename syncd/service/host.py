"""What `syncd run` runs: the scheduler, the status page and the alerts of one config, and its reload."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

import structlog

from syncd import events
from syncd.app.application import App, Connect
from syncd.app.configured import claim, read_config
from syncd.app.wiring import make_portal, make_syncs, open_app
from syncd.clock import Clock, SystemClock
from syncd.config import Config, SyncConfig
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.errors import ConfigError, LostLeaseError, PausedError, SyncdError, held_elsewhere
from syncd.lang.catalog import set_house
from syncd.lang.choice import house_language
from syncd.lang.saying import say
from syncd.portal.client import Portal, Progress
from syncd.scrub import Scrubber
from syncd.service.alerts import Alerts, edited_by_people, routes_of
from syncd.service.control import Caller, Control
from syncd.service.daemon import Daemon
from syncd.service.listeners import Listeners
from syncd.service.notify import Notifier
from syncd.service.overview import ServiceState
from syncd.service.page import Page
from syncd.service.pass_log import PassLog
from syncd.service.protocol import Request, socket_places
from syncd.service.schedule import SyncState, read_last_run, schedule_of
from syncd.service.starting import check_successor, check_syncs, opened, told_start
from syncd.service.tenancy import Tenancy
from syncd.service.tracked import Ended, Scheduled
from syncd.service.troubles import Signs, troubles_of, unknown_yet
from syncd.service.watch import Hints, Watched, Watcher, system_hints
from syncd.source.base import FileBacked, PortalBacked
from syncd.web.views import Totals, View

if TYPE_CHECKING:
    from syncd.web.calls import Callees

_log = structlog.get_logger()
_ALERTS_EVERY_S = 60.0


CarryOut = Callable[["Service", Request, Caller], Awaitable[int]]
"""Carries out a command for a client of the control socket, and returns its exit code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What the process gives the service; tests replace it. `connect` opens the client of a portal.

    `scrubber` learns every secret and cleans what the service lets out. `carry` carries out commands that come over the
    control socket; without it there is no socket.
    """

    clock: Clock
    notifier: Notifier
    environ: Mapping[str, str]
    scrubber: Scrubber
    random: Callable[[], float] = SystemRandom().random
    hints: Hints | None = None
    connect: Connect = make_portal
    carry: CarryOut | None = None


@asynccontextmanager
async def open_service(path: Path, runtime: Runtime, stop: asyncio.Event) -> AsyncIterator[Service]:
    """Read the config at `path` and open its ledger and portals; raises ConfigError, StateError, StateLockedError."""
    async with AsyncExitStack() as closing:

        def opening() -> AbstractAsyncContextManager[App]:
            return open_app(
                path,
                readonly=False,
                learn_secret=runtime.scrubber.add,
                clock=runtime.clock,
                environ=runtime.environ,
                connect=runtime.connect,
                clean=runtime.scrubber.certain,
            )

        async with told_start(runtime.clock, runtime.notifier):
            app = await opened(opening, closing, runtime.clock, runtime.notifier, stop)
        service = Service(app, runtime, stop)
        try:
            await service.begin()
            yield service
        finally:
            await service.close()


def real_runtime(environ: Mapping[str, str], pid: int, scrubber: Scrubber, carry: CarryOut | None = None) -> Runtime:
    """Return what a real process gives the service."""
    return Runtime(
        clock=SystemClock(),
        notifier=Notifier.from_environ(environ, pid, clean=scrubber.shown),
        environ=environ,
        scrubber=scrubber,
        hints=system_hints(),
        carry=carry,
    )


class Service:
    """Everything that runs while `syncd run` does; made by `open_service`. `passes` counts by sync and state."""

    def __init__(self, app: App, runtime: Runtime, stop: asyncio.Event) -> None:
        self.config_refused = ""
        self._pass_log = PassLog()
        self.passes = self._pass_log.passes
        self.daemon = Daemon(
            clock=runtime.clock,
            notifier=runtime.notifier,
            stop=stop,
            random=runtime.random,
            ended=self._ended,
            away=self.away,
        )
        self.app = app
        self._stop = stop
        self._runtime = runtime
        self._tenancy: Tenancy | None = None
        if (leases := app.ledger.leases) is not None:
            self._tenancy = Tenancy(app, leases, self.daemon, self._taken_over)
        self._alerts = Alerts(app.ledger, runtime.clock, clean=runtime.scrubber.shown)
        self.page = Page(
            app, runtime.clock, runtime.scrubber, self._state, partial(self.poke, by="http"), self._callees
        )
        self._watching: asyncio.Task[None] | None = None
        self.listeners = Listeners(app, runtime.clock, self.daemon.poke, lambda portal: self.away(portal) is None)
        self._control: Control | None = None
        if runtime.carry is not None:
            places = socket_places(app.config, runtime.environ)
            self._control = Control(
                places, lambda: self.config.path, partial(runtime.carry, self), clean=runtime.scrubber.shown
            )

    @property
    def scrubber(self) -> Scrubber:
        """The scrubber for everything that the service lets out."""
        return self._runtime.scrubber

    @property
    def config(self) -> Config:
        """The config that is in force."""
        return self.app.config

    @property
    def portals(self) -> Mapping[str, Portal]:
        """The clients of the portals, by name."""
        return self.app.portals

    async def run(self, reload: asyncio.Event) -> None:
        """Run the passes that come due until the stop is set; read the config again whenever `reload` is set.

        An error in the service itself ends it, and systemd starts it again.
        """
        runtime = self._runtime
        if self._control is not None:
            await self._control.open()
        # Before the first pass: a start that waited for a slow portal would exceed systemd's TimeoutStartSec.
        runtime.notifier.send(READY="1", STATUS=self.daemon.status())
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(self._reload_when(reload), name="reload"),
                tasks.create_task(self._alert_regularly(), name="alerts"),
            ]
            sharing = tasks.create_task(self._tenancy.run(self._stop), name="leases") if self._tenancy else None
            await self.daemon.run()
            await self._close_control()
            if sharing is not None:
                await sharing
            for task in beside:
                task.cancel()

    async def begin(self) -> None:
        """Open the status page and set the schedules; raises ConfigError if its address is taken or no sync exists."""
        check_syncs(self.config)
        await self.page.exchange(await self.page.prepared(self.config))
        await self._schedule()

    async def take_over(self, config: Config) -> None:
        """Put `config` in force. Portals whose settings are unchanged keep their client, and with it their pace.

        Raises ConfigError, with the old config still in force, if the new one cannot be used.
        """
        app = self.app
        syncs = make_syncs(config, writable=True, clock=app.clock, ledger=app.ledger)
        # First what may fail: a taken address must leave the old config, its page and its passes as they are.
        page = await self.page.prepared(config)
        async with AsyncExitStack() as unless_taken:
            if page is not None:
                unless_taken.push_async_callback(page.closing.aclose)
            await claim(config, app.ledger, app.clock)
            # Passes whose client is about to be closed have to end first, and may begin again only with the new one;
            # all others go on through the reload.
            async with self.daemon.drained(app.leaving(config)):
                await app.take_over(config, syncs)
                unless_taken.pop_all()
                await self.page.exchange(page)
                for gone in self._pass_log.plans.keys() - syncs.keys():
                    del self._pass_log.plans[gone]
                await self._schedule()
        app.ledger.go_by(config.lease)
        if self._tenancy is not None:
            await self._tenancy.configured()

    async def _schedule(self) -> None:
        """Set the schedules of the config in force, and watch its files."""
        self.daemon.set_syncs(await self._scheduled())
        await self._note_due([sync.name for sync in self.app.syncs()])
        self._watch()
        await self.listeners.follow(self.config)

    async def reload(self) -> None:
        """Read the config again. If it cannot be used it is refused, and the old one stays in force.

        Raises StateError if the ledger cannot be read: the service then ends, and its restart reads the new config.
        """
        notifier, clock = self._runtime.notifier, self._runtime.clock
        # systemd tells the end of this reload from that of an earlier one by its time (man sd_notify).
        stamp = str(int(clock.monotonic() * 1_000_000))
        notifier.send(RELOADING="1", MONOTONIC_USEC=stamp, STATUS=say("reading the config again"))
        try:
            config = read_config(self.config.path, self._runtime.environ, self._runtime.scrubber.add)
            check_successor(config, self.config)
            await self.take_over(config)
            set_house(house_language(self._runtime.environ, config.language))
        except ConfigError as error:
            self.config_refused = str(error)
            _log.error(events.CONFIG_REFUSED, reason=self.config_refused)
            refused = say("the new config is refused, the old one stays: {reason}", reason=error.message)
            notifier.send(READY="1", STATUS=refused)
            return
        self.config_refused = ""
        _log.info(events.CONFIG_RELOADED, syncs=len(config.syncs), portals=len(config.portals))
        notifier.send(READY="1", STATUS=self.daemon.status())

    def states(self) -> Mapping[str, SyncState]:
        """Return how every sync stands whose passes this process makes, by name."""
        states = self.daemon.states()
        return {sync.name: states[sync.name] for sync in self.config.syncs if self._is_here(sync, states)}

    def _is_here(self, sync: SyncConfig, states: Mapping[str, SyncState]) -> bool:
        # Others a reload is about to schedule, or another machine makes their passes.
        return sync.name in states and self.away(sync.portal) is None

    def away(self, portal: str) -> str | None:
        """Return who else may write to `portal` now, in words that follow "is"; None if this process may."""
        return self._tenancy.away(portal) if self._tenancy is not None else None

    def _portal_here(self, name: str) -> str:
        """Return the portal of the sync `name`.

        Raises StateLockedError if another machine makes its passes, ConfigError if there is no such sync.
        """
        self.app.sync(name)
        portal = next(sync.portal for sync in self.config.syncs if sync.name == name)
        if (holder := self.away(portal)) is not None:
            raise held_elsewhere(portal, holder)
        return portal

    def poke(self, name: str, by: str) -> None:
        """Start a pass of the sync `name` now; raises ConfigError for an unknown or paused one."""
        portal = self._portal_here(name)
        state = self.daemon.states().get(name)
        if state is not None and state.paused is not None:
            raise PausedError(say("{sync} is paused", sync=name), say("`syncd resume {sync}` lets it go on", sync=name))
        _log.info(events.SYNC_POKED, sync=name, by=by)
        self.daemon.poke(name, insist=True)
        self.listeners.wake(portal)

    async def pause(self, name: str) -> None:
        """Leave the sync `name` alone until it is resumed, restarts or not; raises ConfigError for an unknown one."""
        self._portal_here(name)
        ledger, now = self.app.ledger.of(name), self._runtime.clock.now()
        await ledger.note_paused(now)
        self.daemon.pause(name, await ledger.paused() or now)
        _log.warning(events.SYNC_PAUSED, sync=name)
        await self._note_due([name])

    async def resume(self, name: str) -> None:
        """Let the passes of the sync `name` start again, the first one now; raises ConfigError for an unknown one."""
        self._portal_here(name)
        await self.app.ledger.of(name).forget_paused()
        self.daemon.resume(name)
        _log.info(events.SYNC_RESUMED, sync=name)
        await self._note_due([name])

    async def view(self) -> View:
        """Return how everything stands now, fit to be shown; raises StateError if the ledger cannot be read."""
        return await self.page.view()

    def _callees(self) -> Callees:
        from syncd.web.calls import Callees  # noqa: PLC0415 - loads a web server

        listeners = self.listeners
        return Callees(code=listeners.arrived, install=listeners.installed, event=listeners.called)

    def _state(self) -> ServiceState:
        return ServiceState(
            config=self.config,
            config_refused=self.config_refused,
            syncs=self.daemon.states(),
            sources={sync.name: sync.source.describe() for sync in self.app.syncs()},
            plans=self._pass_log.plans,
            portals=self.portals,
            totals=Totals(passes=dict(self.passes), changes=dict(self._pass_log.changes)),
            progress=self._progress,
            away=self.away,
            leases=self.app.ledger.leases,
        )

    async def update_alerts(self) -> None:
        """Tell people once of each trouble, and once when it is over.

        Syncs that are stale or that a guard stopped, entries rejected or held, portals that refuse or report no edits,
        and edits that wait for a person.
        """
        # Decided once: a portal that is taken or lost meanwhile is left to the next round, or to whoever has it then.
        states, here = self.states(), [one.name for one in self.config.portals if self.away(one.name) is None]
        syncs = [sync for sync in self.config.syncs if sync.name in states]
        paused = {name for name, state in states.items() if state.paused is not None}
        signs = Signs(
            states=states,
            freshness=await self.page.overview.freshness(syncs, self._runtime.clock.now(), paused=paused),
            standings=await self.app.ledger.standings([sync.name for sync in syncs]),
            errors=self._pass_log.errors,
            plans=self._pass_log.plans,
        )
        troubles = troubles_of(syncs, signs, self.config.telling)
        for sync in syncs:
            if sync.on_conflict == "report" and self.config.portal(sync.portal).watched:
                troubles |= edited_by_people(sync.name, await self.app.ledger.of(sync.name).holds())
        troubles |= self.listeners.troubles()
        told = await self.app.ledger.told_alerts(here)
        unknown = unknown_yet(syncs, self._pass_log.passed)
        troubles |= {name: told[name].text for name in unknown if name in told and name not in troubles}
        await self._alerts.update(troubles, routes_of(self.config), self.portals, here)

    async def close(self) -> None:
        """Close the status page and the control socket, and stop watching files."""
        await self._close_control()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self.listeners.close()
        await self.page.close()

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
                _log.error(events.ALERT_FAILED, reason=str(error))
            await self._runtime.clock.sleep(_ALERTS_EVERY_S)

    async def _taken_over(self, names: Collection[str]) -> list[Scheduled]:
        """Return these syncs as the ledger describes them: until now their portal belonged to another machine."""
        self._pass_log.forget(names)
        return await self._scheduled(names)

    async def _scheduled(self, names: Collection[str] | None = None) -> list[Scheduled]:
        return [
            Scheduled(
                name=sync.name,
                portal=sync.portal,
                schedule=schedule_of(sync),
                last_run=await read_last_run(sync.name, self.app.ledger),
                run=partial(self._pass, sync.name),
                progress=partial(self._progress, sync.name),
                paused=await self.app.ledger.of(sync.name).paused(),
            )
            for sync in self.config.syncs
            if names is None or sync.name in names
        ]

    def _progress(self, name: str) -> Progress:
        """Return how far the pushes of a sync are. Requests to a portal that it reads from are progress as well."""
        source = self.app.sync(name).source
        written = self.app.portal_of(name).progress()
        if not isinstance(source, PortalBacked):
            return written
        read = self.portals[source.portal].progress()
        if written.waiting_until is None:
            written = replace(written, waiting_for=read.waiting_for, waiting_until=read.waiting_until)
        return replace(written, requests=written.requests + read.requests)

    async def _pass(self, name: str, stop: asyncio.Event) -> PassResult:
        hints, show = self.listeners.hints_for(name), self._pass_log.planned
        options = PassOptions(hints=hints, heard=partial(self.listeners.heard_for, name), approve=show)
        result = await run_pass(self.app.open_pass(self.app.sync(name), stop), options)
        if hints and result.error is None and result.state != "stopped":
            await self.listeners.looked_at(name, hints)
        return result

    async def _ended(self, ended: Ended) -> None:
        """Count a pass, and note when the next one is due."""
        self._pass_log.ended(ended)
        try:
            await self._note_due([ended.sync])
        except SyncdError as error:
            # Only `syncd status` needs the note; a full disk must not end the daemon.
            _log.error(events.STATE_UNWRITABLE, reason=str(error))

    async def _note_due(self, names: Iterable[str]) -> None:
        """Write down when the next passes are due, for `syncd status`, which may be unable to ask this process."""
        states = self.states()
        for name in names:
            if self._tenancy is not None and name not in states:
                continue  # the machine that makes its passes notes it
            due = states[name].due if name in states else float("inf")
            now = self._runtime.clock.now()
            with suppress(LostLeaseError):  # since a moment ago: the new holder of the portal notes it
                await self.app.ledger.of(name).note_due(due if due < float("inf") else None, now)

    def _watch(self) -> None:
        """Watch the files of all syncs with `watch` from now on."""
        if self._watching is not None:
            self._watching.cancel()
        watched = []
        for sync in self.config.syncs:
            source = self.app.sync(sync.name).source
            if sync.when.watch and isinstance(source, FileBacked):
                folder, deep = source.folder()
                settle_s = sync.when.settle.total_seconds()
                watched.append(Watched(name=sync.name, files=source.files, folder=folder, deep=deep, settle_s=settle_s))
        watcher = Watcher(watched, clock=self._runtime.clock, changed=self.daemon.poke, hints=self._runtime.hints)
        self._watching = asyncio.get_running_loop().create_task(watcher.run(), name="files")

    async def _close_control(self) -> None:
        if self._control is not None:
            await self._control.close()
