"""The settings of the simulated portal, apart from its contents: tariff, limits, filter, costs, faults.

Where documentation and source of the portal disagree, the default follows the source and a switch gives the other
reading (PORTAL.md, evidence tags).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

from syncd.errors import ConfigError
from syncd.lang.saying import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from syncd.sandbox.faults import Fault

Tariff = Literal["standard", "enterprise", "self-hosted"]
HostRule = Literal["source", "docs"]
BatchCounter = Literal["shared", "own", "batch"]
SectionMakers = Literal["anyone", "admins"]
AdminGroups = Literal["asked", "always"]
RefreshTokens = Literal["once", "kept"]
CrmItems = Literal["full", "bare", "none"]
DeletedGetbyid = Literal["null", "still shown"]

SWITCHES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "host_rule": get_args(HostRule),
        "batch_counter": get_args(BatchCounter),
        "sections_for": get_args(SectionMakers),
        "admin_groups": get_args(AdminGroups),
        "refresh_tokens": get_args(RefreshTokens),
        "offline_extended": ("no", "yes"),
        "crm_items": get_args(CrmItems),
        "deleted_getbyid": get_args(DeletedGetbyid),
        **dict.fromkeys(
            ("waf", "docs_statuses", "integer_stamps", "exact_expansion"),
            ("no", "yes"),
        ),
        **dict.fromkeys(("private_hidden", "crm_fields", "recurrence_mode", "listing_columns"), ("no", "yes")),
    }
)
"""The settings in which portals differ, each with its positions; what a caller can find out about a portal."""

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
    host_rule: HostRule = "source"
    """Who is organiser: whoever `host` names, or by the documentation the caller, for good (PORTAL.md 4.2, 4.3)."""
    batch_counter: BatchCounter = "shared"
    """Whose operating time a batch uses up: that of all webhooks, its own, or that of `batch` (PORTAL.md 3.2)."""
    sections_for: SectionMakers = "anyone"
    """Who may make a section in another user's calendar (PORTAL.md 5)."""
    admin_groups: AdminGroups = "asked"
    """When an administrator sees secret groups: with IS_ADMIN, or always (PORTAL.md 7)."""
    refresh_tokens: RefreshTokens = "once"
    """Whether a refresh token may be used again after its first use (PORTAL.md 11.2)."""
    offline_extended: bool = False
    """Whether the licence lets offline events be reserved; a self-hosted portal always does (PORTAL.md 11.3)."""
    crm_items: CrmItems = "full"
    """Whether crm.item.list is there and gives phones and e-mails, which older builds leave out (PORTAL.md 6.8)."""
    deleted_getbyid: DeletedGetbyid = "null"
    """What calendar.event.getbyid says of a deleted event: nothing, or its row with DELETED `Y` (PORTAL.md 4.5)."""
    private_hidden: bool = True
    """Mask private events of other people's calendars for administrators too (PORTAL.md 4.5)."""
    crm_fields: bool = True
    """Link events to the CRM; an older build ignores `crm_fields` (PORTAL.md 4)."""
    recurrence_mode: bool = True
    """Edit parts of a series; a build before calendar 24.500 ignores `recurrence_mode` (PORTAL.md 4)."""
    listing_columns: bool = False
    """Show ACTIVE, DT_FROM, DT_TO and TEXT_COLOR in calendar.event.get, as older builds do (PORTAL.md 4.6)."""
    exact_expansion: bool = False
    """Expand series by exact calendar arithmetic instead of the portal's, which depends on the window (4.13)."""
    name_length: int = 255
    """Characters that are kept of an event's name (PORTAL.md 4.2)."""
    description_length: int | None = None
    """Characters that are kept of an event's description; None for all."""
    costs_s: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    jitter: float = 0.0
    """Each duration is multiplied by a number drawn from 1 - jitter .. 1 + jitter."""
    seed: int = 0
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        if self.tariff not in get_args(Tariff):
            raise ConfigError(
                say("unknown tariff {tariff!r}", tariff=self.tariff),
                say("use one of {names}", names=tuple(get_args(Tariff))),
            )
        if not 0.0 <= self.jitter < 1.0:
            raise ConfigError(say("jitter {jitter} is outside 0..1", jitter=self.jitter), say("a share such as 0.2"))

    @property
    def cloud(self) -> bool:
        """Return True if the vendor hosts the portal, with its request limit and its operating limiter."""
        return self.tariff != "self-hosted"

    @property
    def request_rate(self) -> tuple[float, float] | None:
        """Capacity and leak per second of the request bucket; None without one."""
        return self.rate or RATES[self.tariff]

    def cost_s(self, method: str) -> float:
        """Return the seconds one call of `method` takes before jitter."""
        return self.costs_s.get(method, COSTS_S.get(method, OTHER_COST_S))


def switched(settings: Settings, positions: Iterable[tuple[str, str]]) -> Settings:
    """Return `settings` with switches in other positions, by name; raise ConfigError that names what is unknown."""
    values: dict[str, str | bool] = {}
    for name, position in positions:
        if name not in SWITCHES:
            raise ConfigError(
                say("the sandbox has no switch {name!r}", name=name),
                say("known: {names}", names=tuple(SWITCHES)),
            )
        known = SWITCHES[name]
        if position not in known:
            raise ConfigError(
                say("the switch {name} has no position {position!r}", name=name, position=position),
                say("use one of {names}", names=tuple(known)),
            )
        values[name] = position == "yes" if known == ("no", "yes") else position
    return replace(settings, **values)  # type: ignore[arg-type]


def parse_switch(text: str) -> tuple[str, str]:
    """Read `NAME=POSITION`; raise ConfigError for anything else."""
    name, equals, position = text.partition("=")
    if not equals:
        raise ConfigError(
            say("switch {text!r} cannot be read", text=text), say("write NAME=POSITION, as in host_rule=docs")
        )
    return name.strip(), position.strip()


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
            raise ConfigError(
                say("cost {text!r} cannot be read", text=text),
                say("write METHOD=SECONDS, as in calendar.event.add=0.3"),
            )
        costs[method.strip().lower()] = seconds
    return MappingProxyType(costs)
