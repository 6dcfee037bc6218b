"""Who may write to a portal if several machines share one database: leases, and how portals are shared out. Pure.

There is one lease for each portal. Its epoch grows whenever the lease is taken, never when it is renewed.

    free --take--> held (epoch + 1) --renew--> held          the end by the database's clock passes: free again
                                   --give back--> free       and its holder has stopped `margin` earlier

The clock of the database decides when a lease ends. A machine's own clock decides only that it stops earlier.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from syncd.lang.saying import say


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms:
    """`[lease]`, in seconds: how long a lease lasts, how often it is renewed, how much earlier its holder stops.

    Raises ValueError for terms under which a lease could not be kept.
    """

    ttl_s: float = 15.0
    renew_s: float = 5.0
    margin_s: float = 3.0

    def __post_init__(self) -> None:
        if min(self.ttl_s, self.renew_s, self.margin_s) <= 0:
            raise ValueError("every term of a lease must be longer than nothing")
        if self.renew_s + self.margin_s >= self.ttl_s:
            raise ValueError("a lease must last longer than renew and margin together")

    def deadline(self, asked_at: float) -> float:
        """Return until when a lease that was asked for at `asked_at` may be used, by a clock that nobody can set.

        It counts from before the question, because the database may have granted the lease as early as that.
        """
        return asked_at + self.ttl_s - self.margin_s


_RUNS_FASTER_BY = 0.001
"""How much faster than another a clock may run; real ones stay well below."""


class OtherClock:
    """Compares the database's clock with one that nobody can set, to notice when it is set forward.

    Then leases seem to have run out before their holders know about it. The holders find out when they renew them, or
    they stop by their own clocks. So for one `ttl` nobody takes a lease that was not given back.
    """

    __slots__ = ("_ahead", "_doubted_until", "_seen_at")

    def __init__(self) -> None:
        self._ahead = float("inf")  # by so much at most
        self._seen_at = 0.0
        self._doubted_until = float("-inf")

    def seen(self, there: float, terms: LeaseTerms, *, asked_at: float, now: float) -> None:
        """Note that the database's clock showed unix time `there` between `asked_at` and `now` by the other clock."""
        most = self._ahead + _RUNS_FASTER_BY * (now - self._seen_at)
        # What a holder is early by outlasts a smaller step.
        if there - now > most + terms.margin_s / 2:
            self._doubted_until, most = now + terms.ttl_s, float("inf")
        # How long the answer was on its way is not known: of all that were, the quickest tells most.
        self._ahead, self._seen_at = min(most, there - asked_at), now

    def doubted(self, now: float) -> bool:
        """Return True while a lease that has run out by the database's clock may still be held."""
        return now < self._doubted_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One row of the leases, as the database shows it. `holder` is "" if the lease was given back.

    `left_s` is how long it still lasts by the database's clock, 0 if it is over. `since` is the unix time by that clock
    at which it was taken. `avoids` is the holder that was recently asked to give it back. It gets the lease again only
    if nobody else can take it.
    """

    portal: str
    holder: str
    epoch: int
    left_s: float
    host: str = ""
    pid: int = 0
    since: float = 0.0
    avoids: str = ""

    @property
    def held(self) -> bool:
        """Whether somebody holds it now."""
        return bool(self.holder) and self.left_s > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A daemon that shares the portals. `portals` are those that it can serve, each with its number of syncs.

    `left_s` is how long it counts as alive if nothing more is heard of it. A member that is `leaving` takes no more
    portals.
    """

    holder: str
    left_s: float
    host: str = ""
    pid: int = 0
    version: str = ""
    portals: Mapping[str, int] = field(default_factory=dict)
    leaving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All leases and members as the database showed them at unix time `now`, each ordered by name."""

    now: float = 0.0
    leases: tuple[Lease, ...] = ()
    members: tuple[Member, ...] = ()

    def lease(self, portal: str) -> Lease | None:
        """Return the lease of `portal`, None if it was never taken."""
        return next((one for one in self.leases if one.portal == portal), None)


def described(lease: Lease | None, own: str = "") -> str:
    """Return who holds a portal, in words that follow "is"; `own` is the holder that asks."""
    if lease is None or not lease.held or lease.holder == own:
        return say("held by no machine yet")
    since = datetime.fromtimestamp(lease.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return say("held by {host} (pid {pid}) since {since}", host=lease.host, pid=lease.pid, since=since)


def shares(members: Iterable[Member], leases: Iterable[Lease]) -> dict[str, str]:
    """Return who is to hold each portal. Portals that nobody can take now are left out.

    Every machine works this out by itself from the same rows, so the result depends on nothing else. A holder keeps its
    portal, unless another member would have fewer syncs with it than the holder has now. If a lease is held by somebody
    who is no member, such as a command, it is waited for.
    """
    alive = [one for one in members if one.left_s > 0 and not one.leaving]
    held = {one.portal: one for one in leases}
    weights: dict[str, int] = defaultdict(int)
    able: dict[str, list[str]] = defaultdict(list)
    for one in sorted(alive, key=lambda member: member.holder):
        for portal, syncs in one.portals.items():
            weights[portal] = max(weights[portal], syncs)  # configs may differ while they are being rolled out
            able[portal].append(one.holder)
    plan, free = _kept(able, held)
    load = {one.holder: 0 for one in alive}
    for portal, holder in plan.items():
        load[holder] += weights[portal]
    for portal in sorted(free, key=lambda name: (-weights[name], name)):
        plan[portal] = min(able[portal], key=lambda holder: (load[holder], holder))
        load[plan[portal]] += weights[portal]
    for portal, holder in _moves(plan, able, weights, load):
        load[plan[portal]] -= weights[portal]
        load[holder] += weights[portal]
        plan[portal] = holder
    return plan


def _kept(able: dict[str, list[str]], held: Mapping[str, Lease]) -> tuple[dict[str, str], list[str]]:
    """Return who keeps what, and what is free. A member that was asked to give a portal back leaves `able`."""
    plan: dict[str, str] = {}
    free: list[str] = []
    for portal in sorted(able):
        lease = held.get(portal)
        if lease is not None and lease.avoids in able[portal] and len(able[portal]) > 1:
            able[portal].remove(lease.avoids)
        if lease is None or not lease.held:
            free.append(portal)
        elif lease.holder in able[portal]:
            plan[portal] = lease.holder
        elif lease.holder == lease.avoids:
            free.append(portal)  # it gives it back
    return plan, free


def _moves(
    plan: Mapping[str, str], able: Mapping[str, Collection[str]], weights: Mapping[str, int], load: Mapping[str, int]
) -> Iterator[tuple[str, str]]:
    """Yield moves one by one, each of which makes the loads more equal. The caller carries out each of them."""
    while True:
        best: tuple[int, str, str] | None = None
        for portal, holder in plan.items():
            weight = weights[portal]
            taker = min(able[portal], key=lambda one: (load[one], one))
            gain = weight * (load[holder] - load[taker] - weight)
            if gain > 0 and (best is None or (-gain, portal) < best[:2]):
                best = (-gain, portal, taker)
        if best is None:
            return
        yield best[1:]


def units(ties: Iterable[Collection[str]]) -> dict[str, tuple[str, ...]]:
    """Return the portals that belong together, those that one sync reads and writes, by the first of their names.

    Each of `ties` names the portals of one sync. Whoever holds one portal of a unit needs the others as well; otherwise
    two machines would use up their limits.
    """
    root: dict[str, str] = {}

    def found(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    for tie in ties:
        for name in tie:
            root.setdefault(name, name)
        first = min((found(name) for name in tie), default="")
        for name in tie:
            root[found(name)] = first
    together: dict[str, list[str]] = defaultdict(list)
    for name in sorted(root):
        together[found(name)].append(name)
    return {names[0]: tuple(names) for names in together.values()}
