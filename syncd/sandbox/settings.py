"""The settings of the simulated portal, apart from its contents: tariff, limits, filter, costs, faults.

Where documentation and source of the portal disagree, the default follows the source and a switch gives the other
reading (PORTAL.md, evidence tags).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

from syncd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from syncd.sandbox.faults import Fault

Tariff = Literal["standard", "enterprise", "self-hosted"]

#: Requests the leaky bucket holds and its leak per second (PORTAL.md 3.1); a self-hosted portal has no such edge.
RATES: Mapping[Tariff, tuple[float, float] | None] = MappingProxyType(
    {"standard": (50.0, 2.0), "enterprise": (250.0, 5.0), "self-hosted": None}
)

#: Seconds of server time one command takes, by method; the rest take `OTHER_COST_S`.
COSTS_S: Mapping[str, float] = MappingProxyType(
    {
        "calendar.event.add": 0.08,
        "calendar.event.update": 0.09,
        "calendar.event.delete": 0.07,
        "calendar.event.get": 0.12,
        "calendar.event.get.nearest": 0.12,
        "calendar.event.getbyid": 0.05,
        "calendar.section.add": 0.06,
        "calendar.section.update": 0.06,
        "calendar.section.delete": 0.10,
        "calendar.section.get": 0.05,
        "crm.activity.add": 0.15,
        "crm.activity.update": 0.16,
        "crm.activity.delete": 0.10,
        "crm.activity.list": 0.06,
        "crm.activity.todo.add": 0.15,
        "crm.activity.todo.update": 0.15,
        "crm.duplicate.findbycomm": 0.05,
        "user.get": 0.05,
        "user.search": 0.06,
        "server.time": 0.005,
        "methods": 0.01,
        "method.get": 0.005,
        "scope": 0.005,
        "profile": 0.01,
    }
)
OTHER_COST_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the simulated portal behaves, apart from what is in it.

    Durations are seconds of the world's time. `rate` overrides the tariff's (capacity, leak per second).
    """

    tariff: Tariff = "standard"
    rate: tuple[float, float] | None = None
    count_refused: bool = False
    operating_limit_s: float = 480.0
    load_limiter: bool = False
    """Self-hosted only: the option `load_limiter_active`, which keeps nothing between requests (PORTAL.md 3.2)."""
    request_limit_s: float = 60.0
    """The cloud cuts a request that takes longer; what it did by then stays done (PORTAL.md 1.1)."""
    waf: bool = False
    docs_statuses: bool = False
    """Answer authentication failures with the documented statuses instead of 401 for all (PORTAL.md 1.4)."""
    integer_stamps: bool = True
    """Send `time.start` and `processing` in whole seconds, as the build of May 2026 does (PORTAL.md 1.2)."""
    host_on_add: bool = True
    """Use `host` of calendar.event.add; the documentation says that it is ignored (PORTAL.md 4.2)."""
    exact_expansion: bool = False
    """Expand series by exact calendar arithmetic instead of the portal's, which depends on the window (4.13)."""
    costs_s: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    jitter: float = 0.0
    """Each duration is multiplied by a number drawn from 1 - jitter .. 1 + jitter."""
    seed: int = 0
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        if self.tariff not in get_args(Tariff):
            raise ConfigError(f"unknown tariff {self.tariff!r}", f"use one of {', '.join(get_args(Tariff))}")
        if not 0.0 <= self.jitter < 1.0:
            raise ConfigError(f"jitter {self.jitter} is outside 0..1", "a share such as 0.2")

    @property
    def cloud(self) -> bool:
        """True if the vendor hosts the portal, with its request limit and its operating limiter."""
        return self.tariff != "self-hosted"

    @property
    def request_rate(self) -> tuple[float, float] | None:
        """Capacity and leak per second of the request bucket; None without one."""
        return self.rate or RATES[self.tariff]

    def cost_s(self, method: str) -> float:
        """Return the seconds one call of `method` takes before jitter."""
        return self.costs_s.get(method, COSTS_S.get(method, OTHER_COST_S))


def parse_costs(texts: Iterable[str]) -> Mapping[str, float]:
    """Read words `METHOD=SECONDS`, of which later ones win; raise ConfigError that names a word it cannot read."""
    costs: dict[str, float] = {}
    for text in texts:
        method, equals, number = text.partition("=")
        try:
            seconds = float(number)
        except ValueError:
            seconds = -1.0
        if not method or not equals or not 0.0 <= seconds < float("inf"):
            raise ConfigError(f"cost {text!r} cannot be read", "write METHOD=SECONDS, as in calendar.event.add=0.3")
        costs[method.strip().lower()] = seconds
    return MappingProxyType(costs)
