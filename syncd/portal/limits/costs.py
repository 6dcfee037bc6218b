"""How long commands take, what the portal's clock shows, how many requests may be in flight: learned from answers.

Pure. Costs are forgotten: only the last few dozen commands of a method count, and the slowest of them not at all, so
that one slow command does not shrink later batches for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median_high, median_low

from syncd.model.json_values import Json
from syncd.portal.line.wire import CallTime

_FIRST_LANES = 6
"""The lanes that are open before anything is known of the portal. The first answer opens the others."""

_SHORT_S = 4.0
"""A request as short as this holds up no other for long, even where the portal has fewer workers than lanes."""

_SLOWED = 1.5
_RECOVERED = 0.75
_TRIED = 2
_TRIED_WITHOUT = 4
_NO_QUICKER = 0.88
"""With three lanes of four, lanes that are to blame take three quarters of the time."""

_SMOOTHING = 0.3
_GROW_AFTER = 1
_HOLD_AFTER_FAILURE = 3
_HOLD = 10
_LONGEST_HOLD = 160
_HOLD_AFTER_REFUSAL = 30

_STAMPS_KEPT = 16
ODD_S = 300.0
"""A stamp that differs from the usual ones by more than this is nonsense."""

_KEPT = 64
_AVERAGED = 500
_QUANTILE = 0.8
_OUTLIERS = 0.04
_SURE_FROM = 8
_MARGIN = 2.0
_LEAST_S = 1e-3
_FIRST_BATCH = 10
_GROWTH = 4

# Planned with before anything is measured: rather too high, because the portal cuts a batch that takes too long.
_STARTING_S: Mapping[str, float] = {
    "calendar.event.delete": 0.3,
    "calendar.event.get": 1.0,
    "calendar.event.getbyid": 0.1,
    "crm.activity.add": 0.6,
    "crm.activity.update": 0.6,
    "crm.activity.list": 0.6,
}
_DEFAULT_S = 0.4
# Forecast with until then: here neither side is the safe one, so the middle of what clouds take (0.1 to 0.3 s).
_TYPICAL_S: Mapping[str, float] = {
    "calendar.event.add": 0.2,
    "calendar.event.update": 0.2,
    "calendar.event.delete": 0.15,
    "crm.activity.add": 0.3,
    "crm.activity.update": 0.3,
}


class CostModel:
    """Expected server seconds per method."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[float]] = {}
        self._expected: dict[str, float] = {}
        self._means: dict[str, tuple[float, int]] = {}
        self._suspected: dict[str, float] = {}

    def expected(self, method: str) -> float:
        """Return the seconds to plan with for one command, high enough that a batch of them ends in time."""
        if method in self._expected:
            return self._expected[method]
        ordered = sorted(self._recent.get(method, ()))
        if ordered:
            usual = ordered[: max(1, len(ordered) - round(len(ordered) * _OUTLIERS))]
            quantile = ordered[min(len(ordered) - 1, int(len(ordered) * _QUANTILE))]
            # A heavy tail below the quantile still costs its mean.
            seconds = max(min(quantile, usual[-1]), sum(usual) / len(usual))
            if len(ordered) < _SURE_FROM:
                # One cheap command says little against requests that were lost. They may have lasted long for another
                # reason too, so it is believed that far only.
                seconds = max(seconds, min(self._suspected.get(method, 0.0), _MARGIN * ordered[-1]))
        else:
            seconds = max(_STARTING_S.get(method, _DEFAULT_S), self._suspected.get(method, 0.0))
        # Never nothing: what is in flight is told by its seconds.
        self._expected[method] = max(seconds, _LEAST_S)
        return self._expected[method]

    def mean(self, method: str) -> float:
        """Return the seconds to forecast with: the mean of some hundreds of commands, or a usual cost before any."""
        if method in self._means:
            return self._means[method][0]
        return _TYPICAL_S.get(method, self.expected(method))

    def most(self, method: str) -> int:
        """Return how many commands of the method a batch may hold: few at first, more as costs become known."""
        return max(_FIRST_BATCH, _GROWTH * len(self._recent.get(method, ())))

    def known(self, method: str) -> bool:
        """Return True if the method has been measured."""
        return bool(self._recent.get(method))

    def learn(self, method: str, seconds: float) -> None:
        """Learn the duration of one executed command."""
        seconds = max(0.0, seconds)
        self._recent.setdefault(method, deque(maxlen=_KEPT)).append(seconds)
        mean, count = self._means.get(method, (0.0, 0))
        count = min(count + 1, _AVERAGED)
        self._means[method] = (mean + (seconds - mean) / count, count)
        self._expected.pop(method, None)

    def suspect(self, method: str, seconds: float) -> None:
        """Note how long one command of a lost request may have taken; used until the method is measured a few times.

        Otherwise a method whose requests are all lost would be planned with its starting cost for ever, and could pass
        its limit.
        """
        self._suspected[method] = max(seconds, self._suspected.get(method, 0.0))
        self._expected.pop(method, None)

    def dump(self) -> Json:
        """Return the state for the ledger, in the form that `load` reads."""
        return {method: [round(s, 3) for s in recent] for method, recent in sorted(self._recent.items())}

    def load(self, state: Mapping[str, Json]) -> None:
        """Restore the state that `dump` returned; raises TypeError for anything else."""
        for method, recent in state.items():
            if not isinstance(recent, Sequence) or isinstance(recent, str):
                raise TypeError("durations must be a list")
            for seconds in recent:
                if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
                    raise TypeError("a duration must be a number")
                self.learn(method, float(seconds))


class ServerClock:
    """The portal's clock, learned from its stamps; `guess` is the offset before the first one.

    Every stamp was made before its answer arrived here, so the largest of the recent differences is the best estimate,
    and the clock never runs ahead of the portal's. A difference that is far from most of the others is ignored.
    """

    def __init__(self, guess: float) -> None:
        self.offset_s = guess
        """The portal's unix time minus the caller's monotonic time."""
        self.known = False
        """Whether an answer has told the portal's time."""
        self.utc_offset_s: int | None = None
        self._differences: deque[float] = deque(maxlen=_STAMPS_KEPT)

    def at(self, now: float) -> float:
        """Return the portal's unix time at the monotonic time `now`."""
        return now + self.offset_s

    def learn(self, time: CallTime | None, now: float) -> None:
        """Learn from the stamps of an answer that arrived at `now`."""
        if time is None:
            return
        stamp = time.finish if time.finish is not None else time.start
        if stamp is not None and stamp > 0:
            self.known = True
            self._differences.append(stamp - now)
            usual = median_low(self._differences)
            self.offset_s = max(one for one in self._differences if one - usual <= ODD_S)
        if time.date_start is not None:
            try:
                zone = datetime.fromisoformat(time.date_start).utcoffset()
            except ValueError:
                return
            if zone is not None:
                self.utc_offset_s = int(zone.total_seconds())


@dataclass(slots=True)
class _Trial:
    """A few requests with fewer lanes. `before` is the number of lanes until then, `slowdown` the slowdown with them.

    The next `skip` answers are to requests that were sent before the trial, and tell nothing.
    """

    before: int
    slowdown: float
    skip: int
    seen: list[float] = field(default_factory=list)


class LaneControl:
    """Requests in flight and how many are allowed, at most `most`.

    When answers take longer than they should, a trial with fewer lanes tells whether the lanes are to blame. If the
    portal is no quicker with fewer lanes, it is slow by itself, and fewer lanes would only take longer.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.allowed = min(_FIRST_LANES, most)
        self.in_flight = 0
        self._slowdown = self._usual = 1.0
        self._latest: deque[float] = deque(maxlen=_TRIED + 1)
        self._trial: _Trial | None = None
        self._good = 0
        self._wait = _GROW_AFTER
        self._hold = _HOLD
        self._troubled = self._blamed = False

    @property
    def likely(self) -> int:
        """How many lanes to forecast with: all of them unless there was trouble."""
        return self.allowed if self._troubled else self.most

    def begin(self, left_s: float) -> None:
        """Open all lanes before the first answer if all that is `left_s` makes only a short request on each of them.

        So small a push would be nearly over when the first answer opens the others. A larger push would lack the
        additional requests at its end, where the request rate is the limit.
        """
        if not self._good and not self._troubled and left_s <= _SHORT_S * self.most:
            self.allowed = self.most

    def answered(self, slowdown: float | None) -> None:
        """Learn from an answer. `slowdown` is its server time divided by that of the same commands alone, if known."""
        if slowdown is not None:
            self._slowdown += _SMOOTHING * (slowdown - self._slowdown)
            self._latest.append(slowdown)
        self._good += 1
        if self._slowdown < _RECOVERED * self._usual:
            self._usual = max(1.0, self._slowdown)
        if self._trial is not None:
            self._judge(self._trial, slowdown)
        elif self.allowed > 1 and self._slowdown > _SLOWED * self._usual:
            self._trial = _Trial(self.allowed, median_high(self._latest), self.in_flight)
            self.allowed -= max(1, self.allowed // _TRIED_WITHOUT)
        elif self.allowed < self.most and self._good >= self._wait:
            # Without any trouble all lanes open at once: a short push would be over before they came one by one.
            self.allowed = self.allowed + 1 if self._troubled else self.most
            # Lanes that were to blame come back slowly, so that each tells before the next one.
            self._good, self._wait = 0, self.allowed if self._blamed else _GROW_AFTER
            self._slowdown = self._usual
        elif self._good >= 2 * _LONGEST_HOLD:
            self._hold = _HOLD

    def _judge(self, trial: _Trial, slowdown: float | None) -> None:
        if trial.skip:
            trial.skip -= 1
            return
        if slowdown is not None:
            trial.seen.append(slowdown)
        if len(trial.seen) < _TRIED:
            return
        self._trial = None
        now = sum(trial.seen) / len(trial.seen)
        if now > _NO_QUICKER * trial.slowdown:
            self.allowed, self._usual, self._slowdown = trial.before, max(1.0, now), now
            return
        self._restrict(self.allowed, self._hold)
        self._slowdown, self._blamed = now, True
        self._hold = min(2 * self._hold, _LONGEST_HOLD)

    def refused(self) -> None:
        """Go back to one lane after a refusal for too many requests, until it has worked for a while."""
        self._restrict(1, _HOLD_AFTER_REFUSAL)

    def failed(self) -> None:
        """Go back to one lane after a request without an answer, until answers come again."""
        self._restrict(1, _HOLD_AFTER_FAILURE)

    def _restrict(self, allowed: int, wait: int) -> None:
        self.allowed = max(1, allowed)
        self._troubled = True
        self._blamed, self._trial = False, None
        self._good, self._wait, self._slowdown = 0, wait, self._usual


def measured(times: Sequence[CallTime | None], elapsed_s: float) -> tuple[float, ...]:
    """Return how long each command of a request took, by its own stamps where they can be trusted.

    Whole-number stamps may be wrong by a second, and so may a duration (PORTAL.md 1.2). A command with such stamps is
    given the time from the end of the previous command to its own end. Commands without a usable end, or without one
    before them, share the rest of the seconds that passed here.
    """
    own = [stamped(time) for time in times]
    found = [seconds or 0.0 for seconds in own]
    blind: list[int] = []
    waiting: list[int] = []
    ended: float | None = None
    inside_s = 0.0
    for number, time in enumerate(times):
        if own[number] is None:
            waiting.append(number)
        inside_s += found[number]
        finish = time.finish if time is not None else None
        if finish is None or finish.is_integer():
            continue
        if ended is None:
            blind += waiting
        else:
            share = max(0.0, finish - ended - inside_s) / max(1, len(waiting))
            for one in waiting:
                found[one] = share
        waiting, ended, inside_s = [], finish, 0.0
    blind += waiting
    share = max(0.0, elapsed_s - sum(found)) / max(1, len(blind))
    for number in blind:
        time = times[number]
        told = time.duration if time is not None else None
        # The portal's own duration is never too short.
        found[number] = share if told is None or told.is_integer() else max(0.0, min(share, told))
    return tuple(found)


def stamped(time: CallTime | None) -> float | None:
    """Return how long a command took by its own stamps, None if they cannot be trusted."""
    if time is None:
        return None
    start, finish = time.start, time.finish
    if (start is not None and start.is_integer()) or (finish is not None and finish.is_integer()):
        return None
    if start is not None and finish is not None and finish >= start:
        return finish - start
    if time.duration is not None and not time.duration.is_integer():
        return time.duration
    return None
