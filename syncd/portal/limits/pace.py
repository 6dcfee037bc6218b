"""What the portal allows now: operating time, length of a batch, lanes, pauses after faults.

Pure: `now` is the caller's monotonic time, mapped to the portal's clock, which is learned from its answers. There is
one Pace per portal, shared by everything that talks to it. The rate of requests is limited by the gate.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.portal.limits.costs import ODD_S, CostModel, LaneControl, ServerClock, measured, stamped
from syncd.portal.limits.minutes import NOTHING_S, Call
from syncd.portal.limits.operating import OperatingBudget
from syncd.portal.line.wire import CallTime, Done, Reply

ENVELOPE = "batch"
MAX_BATCH_BYTES = 1_000_000
"""Far below the limit of any server on the body of a request."""

_SHORTEST_BATCH_S = 1.0
_AT_ONCE = 0.8
_LINE_S = 1.0
"""The time that a request may spend on the line; far more than it takes."""

_WAVE = 40
_LONGEST_COMMAND_S = 10.0
"""`_WAVE` commands of an unmeasured method go out at once, if they stay within its limit even at this cost."""

_MORE_BATCHES = 3
_LEAST_OF_WAVE = 3
_FIRST_ALONE = 10
_LONG_PUSH = 2_000
"""A push of this many commands begins with one request alone, which tells what commands cost without interference."""

_FIRST_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits to keep, as configured: seconds, requests, requests per second.

    Raises ValueError, which names the limit, for a value that cannot work.
    """

    burst: int = 50
    rate: float = 2.0
    operating_limit: float = 480.0
    operating_share: float = 0.9
    batch_size: int = 50
    batch_seconds: float = 20.0
    lanes: int = 8
    timeout: float = 75.0
    settle: float = 120.0

    def __post_init__(self) -> None:
        for name in ("burst", "rate", "operating_limit", "batch_size", "batch_seconds", "lanes", "timeout", "settle"):
            if not getattr(self, name) > 0:
                raise ValueError(say("limits.{name} must be greater than 0", name=name))
        if not 0 < self.operating_share <= 1:
            raise ValueError(say("limits.operating_share must be greater than 0 and at most 1"))
        if self.batch_size > 50:
            raise ValueError(say("limits.batch_size must be at most 50: the portal refuses longer batches"))
        if self.timeout < self.batch_seconds:
            raise ValueError(say("limits.timeout must be at least batch_seconds: so long may a request take"))

    @property
    def at_once_s(self) -> float:
        """The server time for which all requests in flight together may be planned.

        A server with one worker takes them one after the other. A client that gave up sooner would take requests for
        lost that only wait, and send them again. Recovery waits no longer either. The rest of the time-out is for
        commands that take longer.
        """
        return _AT_ONCE * self.timeout

    @classmethod
    def tariff(cls, name: str) -> Limits:
        """Return the defaults of a tariff: standard, enterprise or self-hosted (PORTAL.md 3.1, 3.2).

        A self-hosted portal counts no operating time unless it is configured to. If it refuses a command for it
        nevertheless, the method waits.
        """
        match name:
            case "standard":
                return cls()
            case "enterprise":
                return cls(burst=250, rate=5.0)
            case "self-hosted":
                return cls(operating_limit=math.inf)
            case _:
                raise ValueError(say("no tariff {name!r}: it is standard, enterprise or self-hosted", name=name))


class Executed(NamedTuple):
    """One command of an answered request: its method and what became of it."""

    method: str
    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Flying:
    """A request under way: its commands by method, and the seconds since it left."""

    counts: Mapping[str, int]
    age_s: float


class Pace:
    """The state of one portal's limits. `random` returns numbers in [0, 1) for the jitter of pauses."""

    def __init__(self, limits: Limits, *, guess: float, random: Callable[[], float]) -> None:
        self.limits = limits
        self.costs = CostModel()
        self.lanes = LaneControl(limits.lanes)
        self.operating = OperatingBudget(limit_s=limits.operating_limit, share=limits.operating_share)
        self.clock = ServerClock(guess)
        self.batch_seconds = limits.batch_seconds
        self.faults = 0
        self.one_counter = False
        """Whether the commands of batches share one counter, that of `batch` (PORTAL.md 3.2)."""
        self.paused_until: float | None = None
        self._alone = CostModel()
        self._at_once_s = limits.at_once_s
        self._flying_s = 0.0
        self._random = random

    @property
    def longest_s(self) -> float:
        """The server seconds that the next request may be planned for."""
        return min(self.batch_seconds, self._at_once_s / self.lanes.allowed, self._at_once_s - self._flying_s)

    def crowded(self, cost_s: float) -> bool:
        """Return True if a request of `cost_s` must wait for an answer: behind the others it might take too long."""
        return self.lanes.in_flight > 0 and self._flying_s + cost_s > self._at_once_s + NOTHING_S

    def untried(self, method: str) -> bool:
        """Return True while the first requests with the method are in flight: no answer has told its cost yet."""
        return not self.costs.known(method) and self.operating.reserved[method] > 0

    def ration(self, method: str, now: float, left: Counter[str]) -> Ration:
        """Return what the next request may take of the method, when `left` by method wait for their turn.

        Of a method that was never measured, a short push sends a few commands on each lane, and a long push a single
        request.
        """
        cost, at = self.costs.expected(method), self.clock.at(now)
        flying = round(self.operating.reserved[method] / cost)
        if self.costs.known(method):
            most = min(self.costs.most(method), self._unproven(method, at, cost, flying))
        else:
            unused_s = self.operating.hard_s(at) * self.limits.operating_share - self.operating.used(method, at)
            wave = math.floor(min(_WAVE, left[method] + flying, unused_s / _LONGEST_COMMAND_S))
            share = max(_LEAST_OF_WAVE, math.ceil(wave / self.lanes.allowed))
            most = max(0, min(share, wave - flying))
            if left.total() + flying > _LONG_PUSH or wave <= _FIRST_ALONE:
                most = 0 if flying else _FIRST_ALONE
        room_s = self.operating.room_s(method, at) + NOTHING_S
        return Ration(cost_s=cost, least_s=self.least_s(method, left), most=most, room_s=room_s)

    def _unproven(self, method: str, at: float, cost: float, flying: int) -> int:
        """Return how many commands may be added to those `flying` where a lower limit than configured may be met.

        The more likely that is, the fewer are in flight, and in the end only one batch, so that no more are refused.
        """
        size = self.limits.batch_size
        doubt = self.operating.doubt(method, at, size * cost)
        if not doubt or not flying:
            return size
        whole = size * (1 + _MORE_BATCHES * (1 - doubt))
        share = math.ceil(whole / self.lanes.allowed)
        room = math.floor(whole) - flying
        return min(share, room) if 2 * room >= share else 0

    def may_probe(self, method: str, now: float) -> bool:
        """Return True if one command may be sent to learn the method's counter."""
        return self.operating.may_probe(method, self.clock.at(now), self.costs.expected(method))

    def least_s(self, method: str, left: Counter[str]) -> float:
        """Return the operating time worth a request when `left` commands wait: one, or the second that many take.

        Smaller remainders of a window would cost a request each, and the portal does not even count the smallest.
        """
        cost = self.costs.expected(method)
        return max(cost, min(_SHORTEST_BATCH_S, left[method] * cost))

    def free_at(self, method: str, now: float, left: Counter[str]) -> float:
        """Return when to ask again for commands of the method, as a monotonic time."""
        at = self.operating.free_at(method, self.clock.at(now), self.least_s(method, left))
        return at - self.clock.offset_s

    def budget(self, method: str, now: float) -> tuple[float, float, float | None]:
        """Return a method's seconds used and allowed, and the monotonic time its oldest seconds drop."""
        at = self.clock.at(now)
        resets_at = self.operating.resets_at(method, at)
        return (
            self.operating.used(method, at),
            self.operating.hard_s(at),
            None if resets_at is None else resets_at - self.clock.offset_s,
        )

    def envelope_fits(self, now: float, cost_s: float) -> bool:
        """Return True if a batch of `cost_s` may be sent, where the portal counts `batch` itself."""
        at = self.clock.at(now)
        return self.operating.fits(ENVELOPE, at, cost_s) or self.operating.may_probe(ENVELOPE, at, cost_s)

    def envelope_free_at(self, now: float) -> float:
        """Return when to ask `envelope_fits` again, as a monotonic time."""
        if ENVELOPE not in self.operating.accounts:
            return now
        return self.operating.free_at(ENVELOPE, self.clock.at(now), _SHORTEST_BATCH_S) - self.clock.offset_s

    def sent(self, costs: Mapping[str, float]) -> None:
        """Note that a request is about to be sent; `costs` are its expected seconds by method."""
        self.operating.reserve(costs)
        self._flying_s += sum(costs.values())
        self.lanes.in_flight += 1

    def withdrawn(self, costs: Mapping[str, float]) -> None:
        """Undo `sent`: the request is no longer in flight."""
        self.operating.release(costs)
        self.lanes.in_flight -= 1
        self._flying_s = self._flying_s - sum(costs.values()) if self.lanes.in_flight else 0.0

    def answered(
        self,
        commands: Sequence[Executed],
        *,
        time: CallTime | None,
        batched: bool,
        sent_at: float,
        now: float,
        alone: bool,
        costs: Mapping[str, float],
    ) -> None:
        """Learn from an answer with one reply per command; `alone` if no other request was in flight meanwhile."""
        self.withdrawn(costs)
        self.clock.learn(time, now)
        asked = began = self.clock.at(sent_at)
        if time is not None and time.start and abs(time.start - asked) <= ODD_S:
            began = time.start
        ended = max(began, self.clock.at(now))
        times = [command.reply.time if isinstance(command.reply, Done) else None for command in commands]
        seconds = measured(times, now - sent_at)
        calls = _calls(commands, times, seconds)
        slowdown = self._learn_costs(calls, alone=alone)
        if slowdown is not None and batched:
            # A portal with fewer workers than lanes lets requests wait, and its stamps do not tell.
            slowdown *= max(1.0, (now - sent_at - _LINE_S) / max(_LINE_S, sum(seconds)))
        for method in dict.fromkeys(method for method, _ in calls):
            own = [call for other, call in calls if other == method]
            self.operating.observe(method, own, batched=batched, began=began, ended=ended, asked=asked)
        if batched and time is not None and time.operating:
            # Documented as always 0 for batch itself (PORTAL.md 3.2); if a portal counts it, that is a limit too.
            call = Call(used_s=time.operating, reset_at=time.operating_reset_at, seconds=now - sent_at)
            self.operating.observe(ENVELOPE, [call], batched=False, began=began, ended=ended)
        self.lanes.answered(slowdown)
        self.faults, self.paused_until = 0, None
        self.batch_seconds = min(self.limits.batch_seconds, self.batch_seconds * 1.5)

    def refused_for_rate(self, costs: Mapping[str, float]) -> None:
        """Learn that the portal refused the request for its rate; no command ran."""
        self.withdrawn(costs)
        self.lanes.refused()

    def lost(self, costs: Mapping[str, float], *, batched: bool, sent_at: float, now: float) -> None:
        """Learn that a request had no usable answer; its commands may have run and may count."""
        self.withdrawn(costs)
        worst = self._worst(costs, now - sent_at)
        for method, seconds in worst.items():
            self.costs.suspect(method, self.costs.expected(method) * seconds / costs[method])
        self.operating.assume(worst, batched=batched, at=self.clock.at(sent_at))
        if not self._pausing(now):
            self.batch_seconds = max(_SHORTEST_BATCH_S, self.batch_seconds / 2)
        self._pause(now)

    def _worst(self, costs: Mapping[str, float], elapsed_s: float) -> Mapping[str, float]:
        """Return how much each method of a lost request may have used of its `elapsed_s`, given the expected `costs`.

        Expectations may be too low, but no command can outlast its request, so they are scaled to fill it. The cost of
        a method that was never measured is a guess: it may have used all the time that the others did not need.
        """
        least_s = _SHORTEST_BATCH_S / 100
        guessed_s = sum(seconds for method, seconds in costs.items() if not self.costs.known(method))
        known_s = sum(costs.values()) - guessed_s
        factor = max(1.0, elapsed_s / max(known_s + guessed_s, least_s))
        guess_factor = max(factor, (elapsed_s - known_s) / max(guessed_s, least_s))
        return {
            method: seconds * (factor if self.costs.known(method) else guess_factor)
            for method, seconds in costs.items()
        }

    def unreached(self, costs: Mapping[str, float], *, now: float) -> None:
        """Learn that the portal could not be reached at all; no command ran."""
        self.withdrawn(costs)
        self._pause(now)

    def _pausing(self, now: float) -> bool:
        """Return True during a pause. What fails then was in flight together with the request that began the pause."""
        return self.paused_until is not None and now < self.paused_until

    def _pause(self, now: float) -> None:
        self.lanes.failed()
        if self._pausing(now):
            return
        self.faults += 1
        pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (self.faults - 1))
        self.paused_until = now + pause * (0.5 + self._random() / 2)

    def _learn_costs(self, calls: Sequence[tuple[str, Call]], *, alone: bool) -> float | None:
        """Learn the durations of executed commands; return how much slower they were than alone, if known."""
        usual = spent = 0.0
        for method, call in calls:
            if self._alone.known(method):
                usual += self._alone.expected(method)
                spent += call.seconds
            cost = call.grown_s if alone and call.grown_s is not None else call.seconds
            self.costs.learn(method, cost)
            if alone:
                self._alone.learn(method, cost)
        return None if alone or usual <= 0 else spent / usual

    def blocked(self, method: str, *, batched: bool, now: float) -> None:
        """Learn from an OPERATION_TIME_LIMIT; call it after `answered` for the same answer."""
        self.operating.blocked(method, batched=batched, at=self.clock.at(now))

    def assume_flying(self, now: float) -> None:
        """Count, for every known method, what another machine may have in flight and not saved: all lanes full."""
        seconds = self.limits.batch_seconds * self.limits.lanes
        self.operating.assume(dict.fromkeys(self.operating.accounts, seconds), batched=True, at=self.clock.at(now))

    def dump(self, *, wall_offset_s: float) -> Json:
        """Return the state for the ledger. `wall_offset_s` is this machine's unix time minus its monotonic time."""
        return {
            "operating": self.operating.dump(),
            "costs": self.costs.dump(),
            "alone": self._alone.dump(),
            "skew_s": round(self.clock.offset_s - wall_offset_s, 3),
        }

    def load(self, state: Mapping[str, Json], *, wall_offset_s: float) -> None:
        """Restore the state that `dump` returned; raises ValueError, TypeError or KeyError for anything else."""
        operating, costs, alone, skew = state["operating"], state["costs"], state["alone"], state["skew_s"]
        if not isinstance(operating, Mapping) or not isinstance(costs, Mapping) or not isinstance(alone, Mapping):
            raise TypeError("the saved pace must be an object")
        if isinstance(skew, bool) or not isinstance(skew, (int, float)):
            raise TypeError("the saved skew must be a number")
        self.operating.load(operating)
        self.costs.load(costs)
        self._alone.load(alone)
        self.clock = ServerClock(wall_offset_s + skew)


@dataclass(slots=True, kw_only=True)
class Ration:
    """What one request may take of a method: at most `most` commands of `cost_s` each, within `room_s` of its budget.

    The first one is worth a request only where `least_s` fit. `taken` and `spent_s` are what the request has by now.
    """

    cost_s: float
    least_s: float
    most: int
    room_s: float
    taken: int = 0
    spent_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Batch:
    """A batch that is being filled. It takes commands as long as count, bytes, seconds and operating time allow.

    `left` are the waiting commands by method, `fair_s` is its share of them. `full` is True once no room is left.
    """

    pace: Pace
    now: float
    size: int
    left: Counter[str]
    fair_s: float = math.inf
    count: int = 0
    full: bool = False
    _rations: dict[str, Ration] = field(default_factory=dict)
    _bytes: int = 0
    _seconds: float = 0.0
    _longest_s: float = field(init=False)
    _counts_envelope: bool = field(init=False)

    def __post_init__(self) -> None:
        # Neither changes while it is filled, and both are asked for with every command.
        self._longest_s = self.pace.longest_s
        self._counts_envelope = ENVELOPE in self.pace.operating.accounts

    def takes(self, method: str, size_bytes: int) -> bool:
        """Take a command if there is room for it."""
        pace = self.pace
        if (ration := self._rations.get(method)) is None:
            ration = self._rations[method] = pace.ration(method, self.now, self.left)
        cost = ration.cost_s
        if ration.taken >= ration.most or (not self.count and pace.crowded(cost)):
            return False
        # The first command is taken however long it is: alone it cannot get any shorter.
        if self.count and (
            self._seconds + cost > self._longest_s
            or self._seconds + cost / 2 > self.fair_s
            or self._bytes + size_bytes > MAX_BATCH_BYTES
        ):
            return False
        more = cost if ration.taken else ration.least_s
        fits = ration.spent_s + more <= ration.room_s or (not ration.taken and pace.may_probe(method, self.now))
        if not fits or (self._counts_envelope and not pace.envelope_fits(self.now, self._seconds + cost)):
            return False
        self.count += 1
        self.full = self.count >= self.size
        self._bytes += size_bytes
        self._seconds += cost
        ration.spent_s += cost
        ration.taken += 1
        return True


def _calls(
    commands: Sequence[Executed], times: Sequence[CallTime | None], seconds: Sequence[float]
) -> Sequence[tuple[str, Call]]:
    """Return the executed commands with their methods, and the `seconds` that each took.

    After a failure, the growth of a method's counter does not show what a command cost: the portal books too much for
    the later commands of the method in the same request (PORTAL.md 3.2).
    """
    calls: list[tuple[str, Call]] = []
    latest: dict[str, float | None] = {}
    for command, time, took in zip(commands, times, seconds, strict=True):
        method, used = command.method, None if time is None else time.operating
        before = latest.get(method)
        latest[method] = None if before is None and method in latest else used
        if not isinstance(command.reply, Done):
            continue
        stamps = time or CallTime()
        told = stamped(time) is not None
        grown = used - before if not told and used is not None and before is not None and used > before else None
        precise = told and (stamps.finish or 0.0) >= (stamps.start or math.inf)
        reset_at = stamps.operating_reset_at
        calls.append((method, Call(used_s=used, reset_at=reset_at, seconds=took, precise=precise, grown_s=grown)))
    return calls
