"""The least time any program could need under the portal's limits; README.md derives it. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

WINDOW_S = 600
MINUTE_S = 60
LONGEST_REQUEST_S = 60.0
_LONGEST_WINDOWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What the limits leave: `operating_s` of each method per ten minutes, requests at once and per second, lanes."""

    operating_s: float
    burst: float
    rate: float
    lanes: int
    round_trip_s: float
    batch: int = 50


def least_s(
    counts: Mapping[str, int], allowed: Allowed, *, began: float, cheapest: Callable[[str, float, float], float]
) -> float:
    """Return the seconds below which nobody can execute `counts` commands by method, starting at unix time `began`.

    `cheapest(method, opens, closes)` is the mean cost of a command in the cheapest moment of a span of unix time.
    """
    everything = began + 30 * 86_400
    least_work = {method: count * cheapest(method, began, everything) for method, count in counts.items()}
    needed = max(
        math.ceil(sum(counts.values()) / allowed.batch), math.ceil(sum(least_work.values()) / LONGEST_REQUEST_S)
    )
    by_rate = (needed - allowed.burst) / allowed.rate
    by_lanes = (sum(least_work.values()) + needed * allowed.round_trip_s) / allowed.lanes
    by_operating = max(
        _operating_s(method, count, allowed, began=began, cheapest=cheapest) for method, count in counts.items()
    )
    return max(by_rate, by_lanes, by_operating)


def _operating_s(
    method: str,
    count: int,
    allowed: Allowed,
    *,
    began: float,
    cheapest: Callable[[str, float, float], float],
) -> float:
    """Walk through ten-minute spans of whole minutes: in each at most the budget, at the cheapest price in it."""
    opens = math.floor(began / MINUTE_S) * MINUTE_S
    left = float(count)
    for window in range(_LONGEST_WINDOWS):
        at = opens + window * WINDOW_S
        price = cheapest(method, at, at + WINDOW_S)
        affordable = allowed.operating_s / price
        if left <= affordable:
            return max(at, began) - began + left * price / allowed.lanes
        left -= affordable
    raise ValueError(f"{method} would take more than {_LONGEST_WINDOWS} windows")
