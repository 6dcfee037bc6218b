"""How long a number of commands will take under the limits, by the same model that paces them. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.portal.buckets import BUCKETS, COUNTED_FROM_S, MINUTE, minute_of
from syncd.portal.pace import Pace

_LONGEST_MINUTES = 20_000
"""Two weeks are looked at minute by minute; beyond, the rate of the last day goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What sending some commands will take; `operating_s` are the seconds of operating time by method."""

    requests: int
    commands: int
    seconds: float
    operating_s: Mapping[str, float] = field(default_factory=dict)


def forecast(pace: Pace, counts: Mapping[str, int], now: float) -> Forecast:
    """Return what sending `counts` commands by method will take from monotonic time `now`, all limits at work."""
    wanted = {method.lower(): count for method, count in counts.items() if count > 0}
    costs = {method: max(pace.costs.expected(method), 1e-3) for method in wanted}
    run = _Run(pace, wanted, costs, pace.clock.at(now))
    return Forecast(
        requests=run.requests,
        commands=sum(wanted.values()),
        seconds=run.at - pace.clock.at(now),
        operating_s={method: round(count * costs[method], 3) for method, count in wanted.items()},
    )


class _Run:
    """The commands worked off minute by minute; each minute its lanes, its requests and every method's budget."""

    def __init__(self, pace: Pace, wanted: Mapping[str, int], costs: Mapping[str, float], at: float) -> None:
        self._pace = pace
        self._costs = costs
        self._left = dict(wanted)
        self._booked = {method: dict(pace.operating.drops(method, at)) for method in wanted}
        self.at = at
        self.requests = 0
        began, total = at, sum(wanted.values())
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
        lane_s = (ends - self.at) * limits.lanes
        most_requests = max(1, math.floor((ends - self.at) * limits.rate))
        spent = 0.0
        sent = 0
        for method in self._left:
            cost = self._costs[method]
            batch = max(1, min(limits.batch_size, math.floor(limits.batch_seconds / cost)))
            room = min(
                math.ceil((lane_s - spent) / cost), most_requests * batch - sent, self._affordable(method, minute)
            )
            count = min(self._left[method], max(0, room))
            self._left[method] -= count
            self._booked[method][minute] = self._booked[method].get(minute, 0.0) + count * cost
            spent += count * cost
            sent += count
        mean = spent / sent if sent else 0.0
        per_request = max(1, min(limits.batch_size, math.floor(limits.batch_seconds / mean) if mean else 1))
        requests = math.ceil(sent / per_request)
        self.requests += requests
        if any(self._left.values()):
            self.at = float(ends)
        else:
            # The last minute ends when its work does: as many lanes at once as there are requests.
            self.at += max(
                spent / max(1, min(limits.lanes, requests)), max(0, requests - limits.burst / 2) / limits.rate
            )

    def _affordable(self, method: str, minute: int) -> int:
        booked = self._booked[method]
        for old in [m for m in booked if m <= minute - BUCKETS]:
            del booked[old]
        used = sum(booked.values())
        room = self._pace.operating.soft_s(self.at) - used
        if math.isinf(room):
            return self._left[method]
        # A command dearer than the whole budget still goes when nothing is used.
        return max(math.floor(room / self._costs[method]), 1 if used <= COUNTED_FROM_S else 0)
