"""How much operating time each method has used, and when it may be called again (PORTAL.md 3.2).

Pure; all times are the portal's own unix time. The portal's absolute counters take precedence over our own sums; what
they do not contain yet (answers that crossed, calls below 0.1 s) is added. No method may ever pass the limit.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from syncd.model.json_values import Json
from syncd.portal.limits.minutes import (
    BUCKETS,
    COUNTED_FROM_S,
    MINUTE,
    NOTHING_S,
    Call,
    Counter,
    booked,
    minute_of,
)
from syncd.portal.limits.neighbours import Neighbours

_PROBE_SHARE = 0.97
"""The part of the limit up to which a single probe may go. A larger configured share leaves no room for probes."""

_LESSON_FROM = 0.6
"""A 429 below this part of the limit is caused by other programs, not by a lower limit."""

_USUAL_FROM = 0.8
"""The lowest part of a configured limit at which portals are known to have theirs: 420 s for 480 s (PORTAL.md 3.2)."""

_LESSON = 0.98
_BESIDE_OTHERS = 0.982
"""The part of the limit to use when others are seen: their share is left to them, and no other is kept free."""

_FORGET_LESSON_S = 86_400.0
_CROSSING_S = 180.0
_NEAR_S = 5.0
"""The stamps of a request that began further than this from when it left are nonsense, and tell nothing of others."""

_LONGEST_BLOCK_S = 600.0


@dataclass(slots=True)
class _Account:
    """What is known of a method's calls of one kind, batched or single.

    `counter` is the portal's. `own` holds our seconds in it, `others` what it shows in addition, None before anything
    was seen. `bookings` are the end and the seconds of our requests, by their ends, kept while answers may come that
    lack them.
    """

    counter: Counter = field(default_factory=Counter)
    own: Counter = field(default_factory=Counter)
    others: Neighbours | None = None
    bookings: list[tuple[float, float]] = field(default_factory=list)

    def book(self, began: float, ended: float, seconds: float) -> None:
        """Note what a request of ours used."""
        # Answers of requests that began earlier may still come: what counted for them must be known then.
        self.own.forget(began - _CROSSING_S)
        self.own.add(began, seconds)
        # Kept in order: a quick portal ends hundreds of requests in the time for which they are kept.
        insort(self.bookings, (ended, seconds))
        del self.bookings[: bisect_right(self.bookings, (ended - _CROSSING_S, math.inf))]

    def crossed_s(self, began: float) -> float:
        """Return the seconds of the requests of ours that ended at `began` or later."""
        return sum(seconds for _, seconds in self.bookings[bisect_left(self.bookings, (began,)) :])

    def see_others(self, first: Call, began: float, crossed: float) -> None:
        """Learn from the first call what others had used when the request began.

        The counters of later calls may or may not contain what other requests of ours booked meanwhile.
        """
        told_at = began + first.seconds + COUNTED_FROM_S
        if first.used_s is None or not first.precise:
            return
        if bisect_right(self.bookings, (began, math.inf)) < bisect_right(self.bookings, (told_at, math.inf)):
            return  # one of ours ended meanwhile
        mine = self.own.used(began) - crossed
        counted = first.seconds if first.seconds > COUNTED_FROM_S else 0.0
        self.others = self.others or Neighbours()
        self.others.see(began, first.used_s - counted - mine, mine)


class OperatingBudget:
    """Used seconds per method, reserved seconds in flight, and the limit learned.

    `limit_s` is the portal's limit as configured, `share` the part of it that is ours to use.
    """

    def __init__(self, *, limit_s: float, share: float) -> None:
        self._limit_s = limit_s
        self._share = share
        self._learned: tuple[float, float] | None = None
        self.proven_s = 0.0
        """The highest sum at which a command of any method still ran."""
        self.accounts: dict[str, dict[bool, _Account]] = {}
        """By method, and by whether the calls were batched."""
        self.reserved: defaultdict[str, float] = defaultdict(float)
        """The seconds that requests in flight are expected to use, by method."""

    def hard_s(self, at: float) -> float:
        """Return the limit in force: the configured one, or less for a day after a 429 taught a lower one."""
        if self._learned is None:
            return self._limit_s
        learned_s, learned_at = self._learned
        forgotten = min(1.0, max(0.0, (at - learned_at) / _FORGET_LESSON_S))
        return min(self._limit_s, learned_s + (self._limit_s - learned_s) * forgotten)

    def used(self, method: str, at: float) -> float:
        """Return the seconds used at `at` by the highest of the method's counters, without requests in flight."""
        return max((account.counter.used(at) for account in self._of(method)), default=0.0)

    def others_s(self, method: str, at: float) -> float:
        """Return the seconds that others had used at the last report, or their need if that is more."""
        latest = (account.others.latest_s for account in self._of(method) if account.others is not None)
        return max([self._rooms(method, at)[2], *latest])

    def planned_s(self, method: str, at: float) -> float:
        """Return how many seconds of our own to plan with, in addition to what others use."""
        ours_s, _, needed_s = self._rooms(method, at)
        return ours_s if needed_s else ours_s - self.others_s(method, at)

    def drops(self, method: str, at: float) -> Mapping[int, float]:
        """Return the seconds of the method's highest counter by the minute they were booked in.

        The seconds of other programs (`others_s`) are left out: those are assumed to go on as before.
        """
        beside_others = self.others_s(method, at) > 0
        both = [account.own if beside_others else account.counter for account in self._of(method)]
        worst = max(both, key=lambda counter: counter.used(at), default=Counter())
        first = minute_of(at) - BUCKETS + 1
        return {minute: seconds for minute, seconds in worst.buckets.items() if minute >= first}

    def refusals(self, method: str) -> int:
        """Return the number of refusals of the method in a row, each after its wait."""
        return max((account.counter.blocks for account in self._of(method)), default=0)

    def room_s(self, method: str, at: float) -> float:
        """Return the seconds that may be sent at `at`, in addition to those in flight.

        Minus infinity as long as the method waits after a 429. A single probe is allowed by `may_probe`, not here.
        """
        if self._blocked_until(method, at) is not None:
            return -math.inf
        ours_s, whole_s, _ = self._rooms(method, at)
        flying_s = self.reserved[method]
        room_s = whole_s - self.used(method, at) - flying_s
        own_s = max((account.own.used(at) for account in self._of(method)), default=0.0) + flying_s
        # Without others the counters alone decide: our sums are no better than the stamps.
        return min(room_s, ours_s - own_s) if ours_s < whole_s and own_s > NOTHING_S else room_s

    def fits(self, method: str, at: float, cost_s: float) -> bool:
        """Return True if there is room for commands expected to take `cost_s` (see `room_s`)."""
        return cost_s <= self.room_s(method, at) + NOTHING_S

    def doubted_from_s(self, at: float) -> float:
        """Return the lowest limit that is believed to be the portal's, whatever is configured."""
        return _LESSON_FROM * self.hard_s(at)

    def doubt(self, method: str, at: float, cost_s: float) -> float:
        """Return how likely it is, from 0 to 1, that commands of `cost_s` meet a limit lower than configured.

        0 where commands have run before, or where so low a limit is not believed; 1 from the usual lower limits on.
        """
        used_s = self.used(method, at) + self.reserved[method]
        if math.isinf(self._limit_s) or used_s <= self.proven_s:
            return 0.0
        ahead_s = used_s + cost_s
        lowest_s, usual_s = self.doubted_from_s(at), _USUAL_FROM * self.hard_s(at)
        return min(1.0, max(0.0, (ahead_s - lowest_s) / (usual_s - lowest_s)))

    def may_probe(self, method: str, at: float, cost_s: float) -> bool:
        """Return True if one command may be sent although `fits` returns False.

        That is the case after a 429 once the wait is over; when the portal must have dropped an unknown number of
        seconds since its last report; and when one command costs more than the whole budget and nothing is used. Only
        the last may pass the limit.
        """
        if self.reserved[method] > 0:
            return False
        blocked_until = self._blocked_until(method, at)
        if blocked_until is not None:
            return at >= blocked_until
        if self.used(method, at) <= COUNTED_FROM_S:
            return True
        counters = [account.counter for account in self._of(method)]
        dropped = any(c.unsure and c.reset_at is not None and c.reset_at <= at for c in counters)
        return dropped and self.used(method, at) + cost_s <= self.hard_s(at) * _PROBE_SHARE

    def free_at(self, method: str, at: float, cost_s: float) -> float:
        """Return when to ask `fits` or `may_probe` again if no answer comes first."""
        blocked_until = self._blocked_until(method, at)
        if blocked_until is not None:
            return max(blocked_until, at)
        ours_s, whole_s, _ = self._rooms(method, at)
        more = self.reserved[method] + cost_s
        counters = [account.counter for account in self._of(method)]
        whole = max((counter.free_at(at, max(COUNTED_FROM_S, whole_s - more)) for counter in counters), default=at)
        if ours_s < whole_s:
            own = (account.own.free_at(at, max(0.0, ours_s - more)) for account in self._of(method))
            whole = max([whole, *own])
        resets = [c.reset_at for c in counters if c.unsure and c.reset_at is not None and c.reset_at > at]
        return min([whole, *resets])

    def resets_at(self, method: str, at: float) -> float | None:
        """Return when the method's oldest seconds drop: as the portal said, or else by our buckets; None if unused."""
        live = [account.counter for account in self._of(method) if account.counter.used(at) > 0]
        told = [counter.reset_at for counter in live if counter.reset_at is not None and counter.reset_at > at]
        own = [drop for counter in live if (drop := counter.oldest_drops_at(at)) is not None]
        return max(told or own, default=None)

    def reserve(self, costs: Mapping[str, float]) -> None:
        """Reserve the expected seconds of a request that is about to be sent, by method."""
        for method, seconds in costs.items():
            self.reserved[method] += seconds

    def release(self, costs: Mapping[str, float]) -> None:
        """Release what `reserve` set aside, once the request has ended."""
        for method, seconds in costs.items():
            left = self.reserved[method] - seconds
            self.reserved[method] = left if left > NOTHING_S else 0.0

    def observe(
        self,
        method: str,
        calls: Sequence[Call],
        *,
        batched: bool,
        began: float,
        ended: float,
        asked: float | None = None,
    ) -> None:
        """Learn from one request's answer about one method; `began` and `ended` are the portal's times.

        `asked` is when the request left by our own clock, given where the stamps of the answer may be nonsense.

        Answers may cross: the counter may lack what other requests booked since `began`. The truth lies between the
        counter and the counter plus those; our own sum decides where.
        """
        if not calls:
            return
        account = self._account(method, batched=batched)
        counter = account.counter
        own, late = booked(calls)
        counter.add(began, own)
        last = calls[-1]
        if last.used_s is not None:
            crossed = account.crossed_s(began)
            told = last.used_s + late
            if asked is None or abs(began - asked) <= _NEAR_S:
                account.see_others(calls[0], began, crossed)
            counter.settle(began, max(told, min(counter.used(began), told + crossed)))
            counter.reset_at = _plausible(last.reset_at, began) if last.used_s > 0 else None
            before = calls[-2].used_s if len(calls) > 1 else last.used_s - own
            self.proven_s = max(self.proven_s, before or 0.0)
        # A request that left before the refusal was known says nothing of the time since.
        if counter.blocked_at is None or (began if asked is None else asked) >= counter.blocked_at:
            counter.blocked_at, counter.blocks = None, 0
        account.book(began, ended, own)

    def assume(self, costs: Mapping[str, float], *, batched: bool, at: float) -> None:
        """Book the expected seconds of a request without an answer: the portal may run and count it to its end."""
        for method, seconds in costs.items():
            account = self._account(method, batched=batched)
            account.counter.add(at, seconds)
            account.counter.unsure = True
            account.book(at, at + MINUTE, seconds)

    def blocked(self, method: str, *, batched: bool, at: float) -> None:
        """Learn from a 429: the method is over the limit, whatever our sums say, until its oldest bucket drops."""
        waited = self._blocked_until(method, at)
        counter = self._account(method, batched=batched).counter
        used, hard = counter.used(at) + self.reserved[method], self.hard_s(at)
        if waited is None and _LESSON_FROM * hard <= used <= hard:
            self._learned = (max(used * _LESSON, self.proven_s), at)
        # Which minutes the seconds we did not know of belong to is unknown: hence a probe at the reset.
        if used <= self.hard_s(at) < math.inf:
            counter.settle(at, self.hard_s(at) + COUNTED_FROM_S)
            counter.unsure = True
        # Several requests may meet the same limit at once; only a refusal after waiting is another one.
        if waited is None or at >= waited:
            counter.blocks += 1
            counter.blocked_at = at

    def dump(self) -> Json:
        """Return the state for the ledger, in the form that `load` reads."""
        return {
            "learned": None if self._learned is None else list(self._learned),
            "proven_s": self.proven_s,
            "counters": [
                {
                    "method": method,
                    "batched": batched,
                    "buckets": {str(minute): round(seconds, 3) for minute, seconds in sorted(counter.buckets.items())},
                    "reset_at": counter.reset_at,
                    "unsure": counter.unsure,
                    "blocked_at": counter.blocked_at,
                    "blocks": counter.blocks,
                }
                for method, both in sorted(self.accounts.items())
                for batched, counter in sorted((batched, account.counter) for batched, account in both.items())
            ],
        }

    def load(self, state: Mapping[str, Json]) -> None:
        """Restore the state that `dump` returned; raises ValueError, TypeError or KeyError for anything else."""
        learned = state["learned"]
        if isinstance(learned, Sequence) and not isinstance(learned, str):
            self._learned = (_float(learned[0]), _float(learned[1]))
        self.proven_s = _float(state["proven_s"])
        counters = state["counters"]
        if not isinstance(counters, Sequence) or isinstance(counters, str):
            raise TypeError("counters must be a list")
        for saved in counters:
            if not isinstance(saved, Mapping) or not isinstance(saved["buckets"], Mapping):
                raise TypeError("a counter must be an object")
            account = self._account(str(saved["method"]), batched=saved["batched"] is True)
            account.counter = Counter(
                buckets={int(minute): _float(seconds) for minute, seconds in saved["buckets"].items()},
                reset_at=None if saved["reset_at"] is None else _float(saved["reset_at"]),
                unsure=saved["unsure"] is True,
                blocked_at=None if saved["blocked_at"] is None else _float(saved["blocked_at"]),
                blocks=int(_float(saved["blocks"])),
            )
            account.own = Counter(buckets=dict(account.counter.buckets))

    def _account(self, method: str, *, batched: bool) -> _Account:
        return self.accounts.setdefault(method, {}).setdefault(batched, _Account())

    def _of(self, method: str) -> Collection[_Account]:
        return self.accounts.get(method, {}).values()

    def _rooms(self, method: str, at: float) -> tuple[float, float, float]:
        """Return up to which sums we may go, of our own seconds and of everybody's, and what other programs will need.

        Of our own that is our share of the limit, or less where other programs need more.
        """
        hard_s = self.hard_s(at)
        needs = [account.others.need_s(at, hard_s) for account in self._of(method) if account.others is not None]
        others_s = max(needs, default=0.0)
        soft_s, beside_s = hard_s * self._share, hard_s * _BESIDE_OTHERS
        if not others_s:
            return soft_s, soft_s, others_s
        return min(soft_s, beside_s - others_s), max(soft_s, beside_s), others_s

    def _blocked_until(self, method: str, at: float) -> float | None:
        """Return when a method that was refused is worth a probe, None for one that was not."""
        waits = []
        for account in self._of(method):
            blocked_at = account.counter.blocked_at
            if blocked_at is not None and blocked_at > at + MINUTE:
                account.counter.blocked_at = at  # the clock was set back since: a wait for the future might never end
            if blocked_at is not None:
                waits.append(self._wait_of(account.counter, at))
        return max(waits, default=None)

    def _wait_of(self, counter: Counter, at: float) -> float:
        """Return when a blocked counter is worth one probe: at its reset, later at growing intervals."""
        blocked_at = counter.blocked_at if counter.blocked_at is not None else at
        step = min(_LONGEST_BLOCK_S, MINUTE * 2.0 ** (counter.blocks - 1))
        told = counter.reset_at
        if counter.blocks > 1 or told is None or told <= blocked_at:
            return blocked_at + step
        modelled = counter.free_at(blocked_at, self.hard_s(blocked_at) * _PROBE_SHARE)
        return told if counter.unsure or modelled <= blocked_at else modelled


def _plausible(reset_at: float | None, began: float) -> float | None:
    """Return the reset time if it can be one: a bucket lives ten minutes and drops within the minute after."""
    longest = (BUCKETS + 2) * MINUTE
    return reset_at if reset_at is not None and began - MINUTE <= reset_at <= began + longest else None


def _float(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("expected a number")
    return float(value)
