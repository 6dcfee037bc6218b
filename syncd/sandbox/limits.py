"""The portal's two counters: requests per second in a leaky bucket, and operating time per method (PORTAL.md 3).

Both get the time as an argument. An inactive one counts nothing and refuses nothing, as on a self-hosted portal.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

MINUTE_S = 60
BUCKETS = 10
RESET_S = 600
NOTICED_S = 0.1


@dataclass(slots=True)
class Traffic:
    """Counts since the start: requests, commands by method, refusals by code."""

    requests: int = 0
    commands: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True, kw_only=True)
class RequestBucket:
    """The leaky bucket of one portal and one source address (PORTAL.md 3.1).

    `capacity` in requests, `leak` in requests per second, let out once per full second. `count_refused` says whether a
    refused request counts too, which the vendor does not document.
    """

    capacity: float
    leak: float
    count_refused: bool = False
    active: bool = True
    level: float = 0.0
    _last_tick: float | None = None

    def take(self, now: float) -> bool:
        """Count one request at unix time `now`; False means 503 QUERY_LIMIT_EXCEEDED."""
        if not self.active:
            return True
        self._drain(now)
        granted = self.level + 1 <= self.capacity
        if granted or self.count_refused:
            self.level += 1
        return granted

    def _drain(self, now: float) -> None:
        if self._last_tick is None:
            self._last_tick = now
        seconds = max(0, math.floor(now - self._last_tick))
        self.level = max(0.0, self.level - self.leak * seconds)
        self._last_tick += seconds


@dataclass(slots=True, kw_only=True)
class _Bucket:
    """What one key used in one wall-clock minute, and the `operating_reset_at` that the portal gives for it."""

    used_s: float = 0.0
    reset_at: int


@dataclass(slots=True, kw_only=True)
class OperatingLimiter:
    """Operating time per key over the current and the nine previous wall-clock minutes (PORTAL.md 3.2).

    A key is any hashable thing: auth type, entity and method. `limit_s` in seconds.
    """

    limit_s: float
    active: bool = True
    _buckets: dict[Hashable, dict[int, _Bucket]] = field(default_factory=dict)

    def begin(self, now: float) -> OperatingRequest:
        """Open one HTTP request at unix time `now`; its minute is fixed here, whatever its commands take."""
        return OperatingRequest(limiter=self, minute=_minute(now), began=now)

    def used(self, key: Hashable, now: float) -> float:
        """Return the seconds that ended requests of this key have used, as far as they still count at `now`."""
        return _rounded(sum(bucket.used_s for _, bucket in self.live(key, _minute(now))))

    def gauges(self, now: float) -> tuple[tuple[Hashable, float, int], ...]:
        """Return key, used seconds and `reset_at` of every key that still counts at `now`, in order of first use."""
        minute = _minute(now)
        live = ((key, [bucket for _, bucket in self.live(key, minute)]) for key in self._buckets)
        return tuple(
            (key, _rounded(sum(bucket.used_s for bucket in buckets)), buckets[0].reset_at)
            for key, buckets in live
            if buckets
        )

    def live(self, key: Hashable, minute: int) -> Iterator[tuple[int, _Bucket]]:
        """Yield the minutes of this key that count in `minute`, oldest first."""
        for at, bucket in sorted(self._buckets.get(key, {}).items(), key=lambda item: item[0]):
            if minute - BUCKETS < at <= minute:
                yield at, bucket

    def charge(self, key: Hashable, minute: int, used_s: float, reset_at: int) -> None:
        """Add what a request used to its minute, and forget the minutes that count no more."""
        kept = {at: bucket for at, bucket in self._buckets.get(key, {}).items() if at > minute - 2 * BUCKETS}
        bucket = kept.setdefault(minute, _Bucket(reset_at=reset_at))
        bucket.used_s += used_s
        self._buckets[key] = kept


@dataclass(slots=True, kw_only=True)
class _Calls:
    """Starts and ends of one key in one request.

    The portal pairs them by position and a call that threw has no end, so that the calls after it look longer, from the
    failed one's start (PORTAL.md 3.2).
    """

    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    def durations(self) -> list[float]:
        return [end - start for start, end in zip(self.starts, self.ends, strict=False)]


@dataclass(slots=True, kw_only=True)
class OperatingRequest:
    """One HTTP request at the limiter: its calls count for itself at once, for other requests when it has ended."""

    limiter: OperatingLimiter
    minute: int
    began: float
    _first_start: float | None = None
    _calls: dict[Hashable, _Calls] = field(default_factory=dict)

    def blocked(self, key: Hashable) -> bool:
        """Return True if the next call of this key meets OPERATION_TIME_LIMIT; the call crossing the line did not."""
        # Strictly greater: the call that crosses the line is not stopped, the next one is (PORTAL.md 3.2).
        return self.limiter.active and self._used(key) > self.limiter.limit_s

    def finished(self, key: Hashable, started: float, duration: float, ok: bool) -> tuple[float, int]:
        """Record a call that ran from unix time `started` for `duration` seconds; `ok` is False if it threw.

        Returns `operating` and `operating_reset_at` as the call's `time` carries them; a call that threw has none.
        """
        if not self.limiter.active:
            return 0.0, int(started + RESET_S)
        if self._first_start is None:
            self._first_start = started
        calls = self._calls.setdefault(key, _Calls())
        calls.starts.append(started)
        if ok:
            calls.ends.append(started + duration)
        return _rounded(self._used(key)), self._reset_at(key)

    def end(self) -> None:
        """Close the request: what it used, small calls included, now counts for the requests that follow."""
        for key, calls in self._calls.items():
            total = sum(calls.durations())
            # Calls below 0.1 s do not count while the request runs, but in full when it ends (PORTAL.md 3.2).
            if total > NOTICED_S:
                self.limiter.charge(key, self.minute, total, int(calls.starts[0] + RESET_S))
        self._calls = {}

    def _used(self, key: Hashable) -> float:
        before = sum(bucket.used_s for _, bucket in self.limiter.live(key, self.minute))
        here = sum(seconds for seconds in self._calls.get(key, _Calls()).durations() if seconds > NOTICED_S)
        return before + here

    def _reset_at(self, key: Hashable) -> int:
        oldest = next(self.limiter.live(key, self.minute), None)
        if oldest is not None:
            return oldest[1].reset_at
        return int((self.began if self._first_start is None else self._first_start) + RESET_S)


def _minute(now: float) -> int:
    return math.floor(now / MINUTE_S)


def _rounded(seconds: float) -> float:
    """Return seconds as the answers show them; thresholds use the raw difference of two stamps, noise included."""
    return round(seconds, 3)
