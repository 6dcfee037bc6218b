"""Collects what the status page shows, from the ledger, the daemon and the portals' clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from syncd.config import SyncConfig
from syncd.cycle.result import Prepared
from syncd.model.item import Change
from syncd.portal.client import Portal
from syncd.service.daemon import Standing
from syncd.service.schedule import schedule_of, schedule_shown, stale_after_s, stale_at
from syncd.state.ledger import Ledger
from syncd.web.views import ChangeLine, Freshness, PlanView, PortalView, SyncView, Totals, View

if TYPE_CHECKING:
    from syncd.service.host import Service

_SHOWN_RUNS = 60
_SHOWN_CHANGES = 25
_SHOWN_HOLDS = 50


class Overview:
    """Reads how everything stands; `began` is when the service did."""

    def __init__(self, ledger: Ledger, began: float, version: str) -> None:
        self._ledger = ledger
        self._began = began
        self._version = version

    async def view(self, service: Service, now: float) -> View:
        """Return everything at unix time `now`; raises StateError when the ledger cannot be read."""
        standing = service.daemon.standing()
        refused = {sync.portal: standing[sync.name].refused for sync in service.config.syncs if sync.name in standing}
        return View(
            now=now,
            began=self._began,
            version=self._version,
            config_refused=service.config_refused,
            syncs=tuple(
                [
                    await self._sync(sync, standing[sync.name], service.sources[sync.name], service.plans, now)
                    for sync in service.config.syncs
                    if sync.name in standing
                ]
            ),
            portals=tuple(
                _portal(portal.host, service.portals[portal.name], refused.get(portal.name, ""))
                for portal in service.config.portals
            ),
            totals=Totals(passes=dict(service.passes), changes=dict(service.changes)),
        )

    async def freshness(self, sync: SyncConfig, now: float) -> Freshness:
        """Return whether `sync` has succeeded lately enough at unix time `now`; raises StateError."""
        last_success = await self._ledger.last_success(sync.name)
        if now >= self._stale_at(sync, last_success):
            return "stale"
        return "new" if last_success is None else "fresh"

    def _stale_at(self, sync: SyncConfig, last_success: float | None) -> float:
        return stale_at(schedule_of(sync), stale_after_s(sync), self._began if last_success is None else last_success)

    async def _sync(
        self, sync: SyncConfig, standing: Standing, source: str, plans: Mapping[str, PlanView], now: float
    ) -> SyncView:
        ledger = self._ledger
        last_success = await ledger.last_success(sync.name)
        return SyncView(
            name=sync.name,
            portal=sync.portal,
            source=source,
            schedule=schedule_shown(sync),
            due=standing.due,
            running_since=standing.running_since,
            failures=standing.failures,
            freshness=await self.freshness(sync, now),
            stale_at=self._stale_at(sync, last_success),
            last_success=last_success,
            tally=await ledger.tally(sync.name),
            holds=(await ledger.holds(sync.name))[:_SHOWN_HOLDS],
            runs=await ledger.runs(sync.name, _SHOWN_RUNS),
            plan=plans.get(sync.name),
        )


def _portal(host: str, portal: Portal, refused: str) -> PortalView:
    progress = portal.progress()
    return PortalView(
        name=portal.name,
        host=host,
        refused=refused,
        operating=portal.operating(),
        usage=portal.usage(),
        refused_rate=progress.refused_rate,
        waiting_for=progress.waiting_for,
        waiting_until=progress.waiting_until,
    )


def plan_view(prepared: Prepared) -> PlanView:
    """Return the plan of a pass in the few words that the page keeps of it."""
    changes = prepared.plan.changes
    return PlanView(
        counts={name: count for name, count in prepared.counts.items() if count},
        changes=tuple(_line(change) for change in changes[:_SHOWN_CHANGES]),
        total=len(changes),
        notices=prepared.notices,
        seconds=prepared.forecast.seconds,
    )


def halted(plan: PlanView, why: str) -> PlanView:
    """Return the plan as one that waits for a person."""
    return replace(plan, stopped=why)


def _line(change: Change) -> ChangeLine:
    holder = change.item or change.link
    assert holder is not None
    return ChangeLine(op=change.op, title=holder.title, where=holder.where, start=holder.start, reason=change.reason)
