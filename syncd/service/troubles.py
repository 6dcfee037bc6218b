"""What is wrong with syncs and portals, in the form of alerts: a name and a text for each trouble. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from syncd.config import SyncConfig, TellingConfig
from syncd.lang.saying import say
from syncd.service.alerts import left_over
from syncd.service.schedule import SyncState
from syncd.state.standing import Standing
from syncd.web.views import Freshness, PlanView


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What troubles are recognised by, each by sync; `errors` and `plans` have entries for some syncs only."""

    states: Mapping[str, SyncState]
    freshness: Mapping[str, Freshness]
    standings: Mapping[str, Standing]
    errors: Mapping[str, str]
    plans: Mapping[str, PlanView]


def troubles_of(syncs: Iterable[SyncConfig], signs: Signs, telling: TellingConfig) -> dict[str, str]:
    """Return the troubles of `syncs` and of their portals, of the kinds that `telling` asks for."""
    found: dict[str, str] = {}
    for sync in syncs:
        if refused := signs.states[sync.name].refused:
            found[f"portal {sync.portal}"] = say("portal {portal}: {reason}", portal=sync.portal, reason=refused)
        if signs.freshness[sync.name] == "stale":
            stale = say("sync {sync} has not succeeded for too long", sync=sync.name)
            if why := signs.errors.get(sync.name):
                stale = say("sync {sync} has not succeeded for too long: {reason}", sync=sync.name, reason=why)
            found[f"sync {sync.name}"] = stale
        plan = signs.plans.get(sync.name)
        last = signs.standings[sync.name].last  # of a pass that runs nothing is counted yet
        stopped = plan.stopped if plan is not None else ""
        found |= left_over(sync.name, telling, stopped, last.counts if last is not None else {})
    return found


def unknown_yet(syncs: Iterable[SyncConfig], passed: Collection[str]) -> set[str]:
    """Return the names of troubles that may or may not be over: only a pass by this process can tell.

    `passed` are the syncs that have had one.
    """
    waiting, tried = [], set()
    for sync in syncs:
        if sync.name in passed:
            tried.add(sync.portal)
        else:
            waiting.append(sync)
    return {f"sync {sync.name} (guard)" for sync in waiting} | {
        f"portal {sync.portal}" for sync in waiting if sync.portal not in tried
    }
