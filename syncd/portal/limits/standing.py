"""How much of each method's operating time is used: from a live pace, or from what the ledger saved of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.clock import Clock
from syncd.model.item import Json
from syncd.portal.limits.pace import Limits, Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodBudget:
    """Operating time of one method: seconds used and allowed, and the unix time its oldest seconds drop."""

    used_s: float
    limit_s: float
    resets_at: float | None


def remembered_operating(state: Json, limits: Limits, clock: Clock) -> Mapping[str, MethodBudget]:
    """Return the operating time that a saved `budget_state` tells of, without a portal; empty when it is unreadable."""
    wall = clock.now() - clock.monotonic()
    pace = Pace(limits, guess=wall, random=lambda: 0.0)
    try:
        pace.load(saved_parts(state)[0], wall_offset_s=wall)
    except (KeyError, TypeError, ValueError, IndexError):
        return {}
    return operating_of(pace, clock)


def operating_of(pace: Pace, clock: Clock) -> Mapping[str, MethodBudget]:
    """Return the operating time of every method the pace knows of, in this machine's time."""
    now = clock.monotonic()
    wall = clock.now() - now
    budgets = {}
    for method in pace.operating.methods():
        used_s, limit_s, resets_at = pace.budget(method, now)
        budgets[method] = MethodBudget(
            used_s=round(used_s, 3), limit_s=limit_s, resets_at=None if resets_at is None else resets_at + wall
        )
    return budgets


def saved_parts(state: Json) -> tuple[Mapping[str, Json], Json]:
    """Return the parts of a saved state; raises TypeError or KeyError when it is something else."""
    if not isinstance(state, Mapping) or state["version"] != 1 or not isinstance(state["pace"], Mapping):
        raise TypeError("the saved budgets must be an object of version 1")
    return state["pace"], state["gate"]
