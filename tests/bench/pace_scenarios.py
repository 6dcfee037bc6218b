"""What is to be migrated in the pace benchmark, and through which portal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from syncd.portal.limits.pace import Limits
from tests.bench.pace_bound import Allowed, least_s
from tests.bench.pace_world import (
    NOON_HOURS,
    ROUND_TRIP_S,
    Cost,
    LightPortal,
    by_method,
    slow_between,
    slow_by_day,
    steady,
)
from tests.support.simclock import EPOCH

ADD, UPDATE, DELETE = "calendar.event.add", "calendar.event.update", "calendar.event.delete"
NEIGHBOUR_EVERY_S = 1.5
NEIGHBOUR_S = 0.4
"""A third of 480 s per ten minutes, and a third of two requests a second."""

MORNING = datetime(2026, 9, 21, 7, 0, 20, tzinfo=UTC).timestamp()
STEADY, DISTURBED = 1.05, 1.15
THREE, EIGHT = (Limits(lanes=lanes, timeout=max(75.0, 20.0 * lanes)) for lanes in (3, 8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Commands by method, the portal they go to, and what the client is told of it.

    `limit_s` is the portal's real operating limit, `limits` what the config says. A `neighbour` begins `warm_up_s`
    before syncd. The portal is twice as slow in the `slow` seconds after the loop's zero.
    """

    name: str
    counts: Mapping[str, int]
    cost: Cost
    target: float = STEADY
    lessons: int = 0
    limits: Limits = field(default_factory=lambda: THREE)
    limit_s: float = 480.0
    limited: bool = True
    counters: bool = True
    neighbour: bool = False
    warm_up_s: float = 600.0
    slow: tuple[float, float] | None = None
    whole: bool = False
    began: float = EPOCH
    slow_from_nine: bool = False

    def portal(self) -> LightPortal:
        """Make the portal; call it inside the loop."""
        return LightPortal(
            cost=self.cost, limit_s=self.limit_s, limited=self.limited, counters=self.counters, began=self.began
        )

    def bound_s(self, *, share: float, started: float) -> float:
        """Return the lower bound when `share` of the operating limit may be used, for a start at unix `started`."""
        taken_s = 600 / NEIGHBOUR_EVERY_S * NEIGHBOUR_S if self.neighbour else 0.0
        taken_rate = 1 / NEIGHBOUR_EVERY_S if self.neighbour else 0.0
        allowed = Allowed(
            operating_s=min(self.limit_s * share, self.limit_s - taken_s) if self.limited else float("inf"),
            burst=self.limits.burst if self.limited else float("inf"),
            rate=self.limits.rate - taken_rate,
            lanes=self.limits.lanes,
            round_trip_s=ROUND_TRIP_S,
        )
        least = least_s(self.counts, allowed, began=started, cheapest=self._cheapest)
        # What is bound by the lanes gets half done while the portal is slow.
        slow_s = 0.0 if self.slow is None or self.limited else self.slow[1] - self.slow[0]
        return least + slow_s / 2

    def _cheapest(self, method: str, opens: float, closes: float) -> float:
        if self.slow is not None:
            first, last = (self.began + at for at in self.slow)
            return self.cost(method, first if first <= opens and closes <= last else first - 1.0)
        if not self.slow_from_nine:
            return self.cost(method, opens)
        hours = {datetime.fromtimestamp(at, UTC).hour for at in _hours(opens, closes)}
        free = next(iter(hours - set(NOON_HOURS)), None)
        base = self.cost(method, datetime(2026, 9, 21, 3, tzinfo=UTC).timestamp())
        return base if free is not None else 2 * base


def _hours(opens: float, closes: float) -> tuple[float, ...]:
    if closes - opens > 86_400:
        closes = opens + 86_400
    return (*(opens + 600 * step for step in range(int((closes - opens) // 600) + 1)), closes - 1)


def _steady(count: int, seconds: float) -> Scenario:
    return Scenario(
        name=f"{count:,} creates, {seconds} s each", counts={ADD: count}, cost=steady(seconds), limits=THREE
    )


def _small(count: int, seconds: float, target: float) -> Scenario:
    name = f"small push: {count:,} creates, {seconds} s each, 8 lanes"
    return Scenario(name=name, counts={ADD: count}, cost=steady(seconds), target=target, limits=EIGHT)


def _neighbour(count: int, warm_up_s: float, limits: Limits) -> Scenario:
    return Scenario(
        name=f"{count:,} creates, a neighbour {warm_up_s:.0f} s before, {limits.lanes} lanes",
        counts={ADD: count}, cost=steady(0.3), neighbour=True, warm_up_s=warm_up_s, limits=limits, lessons=0,
    )  # fmt: skip


def _slow(limits: Limits, *, limited: bool) -> Scenario:
    """Slow for an hour of three, or for five minutes of ten or more where only the lanes are in the way."""
    opens, closes = (1_800.0, 5_400.0) if limited else (120.0, 420.0)
    what = "limited" if limited else "nothing counted"
    return Scenario(
        name=f"twice as slow for {(closes - opens) / 60:.0f} min, {what}, {limits.lanes} lanes",
        counts={ADD: 20_000 if limited else 10_000}, cost=slow_between(0.3, EPOCH + opens, EPOCH + closes),
        slow=(opens, closes), limited=limited, counters=limited,
        limits=limits if limited else replace(limits, operating_limit=math.inf),
    )  # fmt: skip


def scenarios() -> tuple[Scenario, ...]:
    """Return the benchmark's scenarios, steady ones first."""
    sizes, prices = (1_000, 20_000, 100_000), (0.05, 0.3, 1.5)
    third: Callable[[int], dict[str, int]] = lambda count: {ADD: count}  # noqa: E731 - one word for one method
    return (
        *(_steady(count, seconds) for count in sizes for seconds in prices),
        Scenario(
            name="10,000 creates, 6,000 updates, 4,000 deletes",
            counts={ADD: 10_000, UPDATE: 6_000, DELETE: 4_000},
            cost=by_method({ADD: 0.3, UPDATE: 0.35, DELETE: 0.2}),
        ),
        Scenario(
            name="self-hosted, nothing counted", counts=third(20_000), cost=steady(0.3),
            limits=replace(THREE, operating_limit=math.inf), limited=False, counters=False,
        ),
        Scenario(
            name="20,000 creates, whole sandbox", counts=third(20_000), cost=steady(0.3), whole=True,
        ),
        Scenario(
            name="limited, but no counters in answers", counts=third(20_000), cost=steady(0.3),
            counters=False, target=DISTURBED, lessons=1,
        ),
        Scenario(
            name="a neighbour takes a third", counts=third(20_000), cost=steady(0.3),
            neighbour=True, target=DISTURBED, lessons=1,
        ),
        Scenario(
            name="limit 420 where 480 is configured", counts=third(20_000), cost=steady(0.3),
            limit_s=420.0, target=DISTURBED, lessons=1,
        ),
        Scenario(
            name="twice as slow from 9 to 18 h", counts=third(60_000), cost=slow_by_day(0.3),
            began=MORNING, slow_from_nine=True, target=DISTURBED, lessons=1,
        ),
        _small(40, 0.3, 1.2), _small(300, 0.3, 1.3), _small(1_000, 0.05, 1.3), _small(1_000, 0.3, 1.1),
        *(_neighbour(count, warm, limits) for count, limits in ((5_000, EIGHT), (5_000, THREE), (20_000, EIGHT))
          for warm in (0.0, 120.0, 600.0)),
        Scenario(
            name="limit 420 where 480 is configured, 8 lanes", counts=third(20_000), cost=steady(0.3),
            limit_s=420.0, limits=EIGHT, lessons=1,
        ),
        *(_slow(limits, limited=limited) for limits in (THREE, EIGHT) for limited in (True, False)),
    )  # fmt: skip
