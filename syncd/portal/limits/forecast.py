"""How long commands will take under the limits, and how much of them is used. Pure.

A forecast works with the model that also paces the commands, so that the two cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from syncd.clock import Clock
from syncd.model.json_values import Json
from syncd.portal.limits.minutes import BUCKETS, COUNTED_FROM_S, MINUTE, minute_of
from syncd.portal.limits.pace import Flying, Limits, Pace

_LONGEST_MINUTES = 20_000
"""Two weeks are simulated minute by minute. Beyond them, the average rate so far is assumed to go on."""

_LEAST_S = 1e-3
_CAREFUL = 2.0
"""Average number of batches in flight where a lower limit than the configured one may be met."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What sending some commands will take; `operating_s` is the operating time in seconds by method.

    `guessed` is True if some method was never measured at this portal, so that a usual cost stands in for its own.
    """

    requests: int
    commands: int
    seconds: float
    operating_s: Mapping[str, float] = field(default_factory=dict)
    guessed: bool = False


def forecast(pace: Pace, counts: Mapping[str, int], now: float, flying: Sequence[Flying] = ()) -> Forecast:
    """Return what sending `counts` commands by method will take from monotonic time `now`, all limits at work.

    Requests that are already `flying` lengthen the time and change nothing else.
    """
    wanted = {method.lower(): count for method, count in counts.items() if count > 0}
    run = _Run(pace, wanted, flying, pace.clock.at(now))
    return Forecast(
        requests=run.requests,
        commands=sum(wanted.values()),
        seconds=run.at - pace.clock.at(now),
        operating_s={method: round(count * run.cost(method), 3) for method, count in wanted.items()},
        guessed=not all(pace.costs.known(method) for method in wanted),
    )


class _Run:
    """Simulates the sending minute by minute, within the lanes, requests and operating budgets of each minute.

    A minute is the portal's own unit: operating time drops at minute boundaries only (PORTAL.md 3.2).
    """

    def __init__(self, pace: Pace, wanted: Mapping[str, int], flying: Sequence[Flying], at: float) -> None:
        self._pace = pace
        self._lanes = pace.lanes.likely
        self._left = dict(wanted)
        self._proven_s = pace.operating.proven_s
        self._booked = {method: dict(pace.operating.drops(method, at)) for method in wanted}
        if pace.one_counter and wanted:
            # Each method's counter shows what all have used; the fullest was told last.
            fullest = max(self._booked.values(), key=lambda booked: sum(booked.values()))
            self._booked = dict.fromkeys(wanted, fullest)
        self._flights = len(flying)
        self._busy_s = 0.0
        self.at = at
        self.requests = 0
        longest_s = max((self._join(flight) for flight in flying), default=0.0)
        self._work_off()
        self.at = max(self.at, at + longest_s)

    def cost(self, method: str) -> float:
        """Return the seconds one command takes on average."""
        return max(self._pace.costs.mean(method), _LEAST_S)

    def _join(self, flight: Flying) -> float:
        """Book a request under way; return the seconds it will still take."""
        minute = minute_of(self.at)
        spent = {method: count * self.cost(method) for method, count in flight.counts.items()}
        for method, seconds in spent.items():
            booked = self._booked.setdefault(method, dict(self._pace.operating.drops(method, self.at)))
            booked[minute] = booked.get(minute, 0.0) + seconds
        left_s = max(0.0, sum(spent.values()) - flight.age_s)
        self._busy_s += left_s
        return left_s

    def _work_off(self) -> None:
        began, total = self.at, sum(self._left.values())
        for _ in range(_LONGEST_MINUTES):
            if not any(self._left.values()):
                return
            self._minute()
        done = total - sum(self._left.values())
        self.at = began + (self.at - began) * total / max(1, done)
        self.requests = math.ceil(self.requests * total / max(1, done))

    def _minute(self) -> None:
        minute = minute_of(self.at)
        ends = (minute + 1) * MINUTE
        limits = self._pace.limits
        lane_s = (ends - self.at) * self._lanes
        most_requests = max(1, math.floor((ends - self.at) * limits.rate))
        spent, self._busy_s = min(self._busy_s, lane_s), max(0.0, self._busy_s - lane_s)
        sent = small = 0
        for method in self._left:
            cost = self.cost(method)
            room = min(
                math.ceil((lane_s - spent) / cost),
                most_requests * self._batch_of(cost) - sent,
                self._affordable(method, minute),
            )
            count = min(self._left[method], max(0, room))
            self._left[method] -= count
            self._booked[method][minute] = self._booked[method].get(minute, 0.0) + count * cost
            small += self._careful(method, count, cost)
            spent += count * cost
            sent += count
        requests = math.ceil(sent / self._batch_of(max(spent / sent, _LEAST_S))) + small if sent else 0
        self.requests += requests
        if any(self._left.values()):
            self.at = float(ends)
        else:
            # The last minute ends with its work, on as many lanes as there are requests.
            lanes = min(self._lanes, requests + self._flights)
            self.at += max(spent / max(1, lanes), max(0, requests - limits.burst / 2) / limits.rate)

    def _batch_of(self, cost: float) -> int:
        limits = self._pace.limits
        longest_s = min(limits.batch_seconds, limits.at_once_s / self._lanes)
        return max(1, min(limits.batch_size, math.floor(longest_s / cost)))

    def _careful(self, method: str, count: int, cost: float) -> int:
        """Return how many additional requests `count` commands take because a lower limit may be met meanwhile."""
        operating, size = self._pace.operating, self._batch_of(cost)
        ends_s = sum(self._booked[method].values())
        lowest_s = max(self._proven_s, operating.doubted_from_s(self.at))
        self._proven_s = max(self._proven_s, ends_s)
        doubted = min(count, max(0.0, ends_s - lowest_s) / cost)
        return math.ceil(doubted / min(size, _CAREFUL * self._pace.limits.batch_size / self._lanes) - doubted / size)

    def _affordable(self, method: str, minute: int) -> int:
        booked = self._booked[method]
        for old in [m for m in booked if m <= minute - BUCKETS]:
            del booked[old]
        used = sum(booked.values())
        operating = self._pace.operating
        room = operating.planned_s(method, self.at) - used
        if math.isinf(room):
            return self._left[method]
        # A command that costs more than the whole budget is still sent when nothing is used.
        return max(math.floor(room / self.cost(method)), 1 if used <= COUNTED_FROM_S else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodBudget:
    """Operating time of one method: seconds used and allowed, and the unix time its oldest seconds drop."""

    used_s: float
    limit_s: float
    resets_at: float | None


def remembered_operating(state: Json, limits: Limits, clock: Clock) -> Mapping[str, MethodBudget]:
    """Return the operating time in a saved `budget_state`, without a portal; empty if it cannot be read."""
    wall = clock.now() - clock.monotonic()
    pace = Pace(limits, guess=wall, random=lambda: 0.0)
    try:
        pace.load(saved_parts(state)[0], wall_offset_s=wall)
    except (KeyError, TypeError, ValueError, IndexError):
        return {}
    return operating_of(pace, clock)


def operating_of(pace: Pace, clock: Clock) -> Mapping[str, MethodBudget]:
    """Return the operating time of every method the pace knows, in this machine's time."""
    now = clock.monotonic()
    wall = clock.now() - now
    budgets = {}
    for method in sorted(pace.operating.accounts):
        used_s, limit_s, resets_at = pace.budget(method, now)
        budgets[method] = MethodBudget(
            used_s=round(used_s, 3), limit_s=limit_s, resets_at=None if resets_at is None else resets_at + wall
        )
    return budgets


def saved_parts(state: Json) -> tuple[Mapping[str, Json], Json]:
    """Return the pace and the gate of a saved state; raises TypeError or KeyError for anything else."""
    if not isinstance(state, Mapping) or state["version"] != 1 or not isinstance(state["pace"], Mapping):
        raise TypeError("the saved budgets must be an object of version 1")
    return state["pace"], state["gate"]
