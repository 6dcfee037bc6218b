"""Collects what the status page, /healthz and /metrics show, from the ledger and from what the service knows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from syncd.clock import Clock, SystemClock
from syncd.config import Config, PortalConfig, SyncConfig
from syncd.cycle.prepared import Prepared
from syncd.lang.saying import say
from syncd.model.item import Change
from syncd.model.labels import labels
from syncd.model.record import ChangeRecord
from syncd.portal.client import Portal, Progress, remembered_operating
from syncd.portal.limits.tariff import limits_of
from syncd.service.schedule import SyncState, describe_schedule, noted_due, sync_stale_at
from syncd.state.leases import Leases
from syncd.state.ledger import Ledger
from syncd.state.standing import Standing
from syncd.web.views import ChangeLine, Freshness, PlanView, PortalView, ProgressView, RunView, SyncView, Totals, View

MOST_IN_FULL = 12
_SHOWN_RUNS = 60
_SHOWN_CHANGES = 25
_SHOWN_RUN_CHANGES = 200
_SHOWN_HOLDS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """What the running service knows that is not in the ledger.

    Mappings are by the name of a sync, `portals` by the name of a portal. `sources` describe in a few words, without
    secrets, what each sync reads. `config_refused` is why the last change of the config was refused, "" if it was not.
    `progress` returns how far the running pass of a sync is. `away` returns who else may write to a portal now, None if
    this process may; `leases` are those of this process if several machines share the state.
    """

    config: Config
    config_refused: str
    syncs: Mapping[str, SyncState]
    sources: Mapping[str, str]
    plans: Mapping[str, PlanView]
    portals: Mapping[str, Portal]
    totals: Totals
    progress: Callable[[str], Progress]
    away: Callable[[str], str | None] = lambda _: None
    leases: Leases | None = None


class Overview:
    """Collects how everything stands. `began` is the unix time at which the service started."""

    def __init__(self, ledger: Ledger, began: float, version: str, clock: Clock | None = None) -> None:
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._began = began
        self._version = version

    async def view(self, service: ServiceState, now: float) -> View:
        """Return how everything stands at unix time `now`; raises StateError if the ledger cannot be read.

        If there are more than a dozen syncs, only those that need a person are shown in full (with holds and runs).
        """
        # A sync of a config that is being taken over right now may not be scheduled yet: it is left out until it is.
        syncs = [sync for sync in service.config.syncs if sync.name in service.syncs]
        standings = await self._ledger.standings([sync.name for sync in syncs])
        views = {one.name: self._sync(one, service, standings[one.name], now) for one in syncs}
        away = [one for one in syncs if not views[one.name].here]
        outlooks = await self._ledger.outlooks([one.name for one in away]) if away else {}
        for one in away:
            due = noted_due(one, outlooks[one.name].due, outlooks[one.name].newest, now)
            views[one.name] = replace(views[one.name], due=due)
        for name in _in_full(views.values()):
            views[name] = await self._told_in_full(views[name])
        refused = {sync.portal: service.syncs[sync.name].refused for sync in syncs}
        return View(
            now=now,
            began=self._began,
            version=self._version,
            config_refused=service.config_refused,
            syncs=tuple(views.values()),
            portals=tuple(
                [await self._portal(portal, service, refused.get(portal.name, "")) for portal in service.config.portals]
            ),
            totals=service.totals,
        )

    async def sync(self, service: ServiceState, name: str, now: float) -> SyncView | None:
        """Return how the sync `name` stands, in full; None if there is none. Raises StateError."""
        found = next((one for one in service.config.syncs if one.name == name and name in service.syncs), None)
        if found is None:
            return None
        standing = (await self._ledger.standings([name]))[name]
        return await self._told_in_full(self._sync(found, service, standing, now))

    async def run(self, service: ServiceState, name: str, number: int) -> RunView | None:
        """Return pass `number` of the sync `name` and what it changed; None if there is none (any more).

        Raises StateError.
        """
        record = await self._ledger.run(number)
        if record is None or record.sync != name or name not in service.syncs:
            return None
        changes = await self._ledger.of(name).changes(number, _SHOWN_RUN_CHANGES + 1)
        lines = tuple(_done_line(change) for change in changes[:_SHOWN_RUN_CHANGES])
        return RunView(record=record, changes=lines, more=len(changes) > len(lines))

    async def _told_in_full(self, view: SyncView) -> SyncView:
        """Return `view` with its last runs and the first of its holds."""
        ledger = self._ledger.of(view.name)
        return replace(view, runs=await ledger.runs(_SHOWN_RUNS), holds=await ledger.holds(_SHOWN_HOLDS), in_full=True)

    async def freshness(
        self, syncs: Sequence[SyncConfig], now: float, *, paused: Collection[str]
    ) -> Mapping[str, Freshness]:
        """Return whether each of `syncs` has succeeded recently enough at unix time `now`; raises StateError.

        Those in `paused` are never stale: somebody wants it so.
        """
        standings = await self._ledger.standings([sync.name for sync in syncs])
        return {
            sync.name: self._freshness(sync, standings[sync.name], now, paused=sync.name in paused) for sync in syncs
        }

    def _freshness(self, sync: SyncConfig, standing: Standing, now: float, *, paused: bool) -> Freshness:
        if not paused and now >= self._stale_at(sync, standing):
            return "stale"
        return "new" if standing.last_success is None else "fresh"

    def _stale_at(self, sync: SyncConfig, standing: Standing) -> float:
        """Return when the sync becomes stale. One that never succeeded is measured from its first try.

        Not from the start of the service, or each restart would give it the time for a first pass again.
        """
        never = self._began if standing.tried_since is None else min(self._began, standing.tried_since)
        return sync_stale_at(sync, never if standing.last_success is None else standing.last_success)

    async def _portal(self, config: PortalConfig, service: ServiceState, refused: str) -> PortalView:
        portal = service.portals[config.name]
        progress, here = portal.progress(), service.away(config.name) is None
        view = PortalView(
            name=portal.name,
            host=config.host,
            refused=refused,
            operating=portal.operating(),
            usage=portal.usage(),
            refused_rate=progress.refused_rate,
            waiting_for=progress.waiting_for,
            waiting_until=progress.waiting_until,
            here=here,
        )
        if service.leases is None:
            return view
        lease = service.leases.board.lease(config.name)
        if not here:  # the client of this process has asked nothing
            budget = await self._ledger.of_portal(config.name).budget()
            view = replace(
                view, operating=remembered_operating(budget, limits_of(config), self._clock) if budget else {}
            )
        if lease is None or not lease.held:
            return replace(view, holder="")
        return replace(view, holder=f"{lease.host} ({lease.pid})", held_since=lease.since)

    def _sync(self, sync: SyncConfig, service: ServiceState, standing: Standing, now: float) -> SyncView:
        state = service.syncs[sync.name]
        return SyncView(
            name=sync.name,
            portal=sync.portal,
            source=service.sources[sync.name],
            schedule=describe_schedule(sync),
            due=state.due,
            running_since=state.running_since,
            failures=state.failures,
            freshness=self._freshness(sync, standing, now, paused=state.paused is not None),
            stale_at=self._stale_at(sync, standing) if state.paused is None else float("inf"),
            last_success=standing.last_success,
            tally=standing.tally,
            holds=(),
            runs=(standing.last,) if standing.last is not None else (),
            plan=service.plans.get(sync.name),
            paused=state.paused,
            in_full=False,
            progress=_progress(service.progress(sync.name)) if state.running_since is not None else None,
            here=service.away(sync.portal) is None,
        )


def _in_full(views: Collection[SyncView]) -> list[str]:
    """Return the names of the syncs to show in full: all if they are few, otherwise those that need a person."""
    if len(views) <= MOST_IN_FULL:
        return [one.name for one in views]
    needy = [one for one in views if one.freshness == "stale" or one.failures or (one.plan and one.plan.stopped)]
    needy.sort(key=lambda one: one.freshness != "stale")
    return [one.name for one in needy[:MOST_IN_FULL]]


def _progress(progress: Progress) -> ProgressView | None:
    """Return how far the changes are, None before the first is sent."""
    if not progress.total:
        return None
    return ProgressView(done=progress.done, total=progress.total, eta_s=progress.eta_s)


def plan_view(prepared: Prepared) -> PlanView:
    """Return the part of a pass's plan that the page shows, so that the plan itself can be dropped."""
    changes = prepared.plan.changes  # copied as text, or the page would keep every entry of the pass in memory
    return PlanView(
        counts={name: count for name, count in prepared.counts.items() if count},
        changes=tuple(_line(change) for change in changes[:_SHOWN_CHANGES]),
        total=len(changes),
        notices=prepared.notices,
        seconds=prepared.forecast.seconds,
    )


def stopped_view(plan: PlanView, why: str) -> PlanView:
    """Return the plan as one that a guard stopped and that waits for a person to decide."""
    return replace(plan, stopped=why)


def _line(change: Change) -> ChangeLine:
    holder = change.item or change.link
    assert holder is not None
    return ChangeLine(op=change.op, title=holder.title, where=holder.where, start=holder.start, reason=change.reason)


def _done_line(change: ChangeRecord) -> ChangeLine:
    """Return a change that a pass made as a line. In place of a reason it has the fields that were changed."""
    holder = change.after or change.before
    return ChangeLine(
        op=change.op,
        title=holder.title if holder is not None else str(change.key),
        where=holder.where if holder is not None else "",
        start=holder.start if holder is not None else "",
        reason=say("{names}", names=labels(change.changed_fields)),
    )
