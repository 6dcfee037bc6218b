"""A light portal for long migrations: the sandbox's own request bucket and operating limiter, and nothing else.

It keeps no events, so that 100,000 commands cost seconds; limits, batches, the cut after 60 s and the counters in the
answers are the whole portal's. Must never be kinder than the sandbox.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from time import process_time
from typing import Any

import orjson

from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import TransportFault
from syncd.sandbox.limits import OperatingLimiter, OperatingRequest, RequestBucket
from tests.support.simclock import EPOCH

LONGEST_S = 60.0
ROUND_TRIP_S = 0.04
NOON_HOURS = range(9, 18)
_HEADERS = {"content-type": "application/json"}

Cost = Callable[[str, float], float]
"""Seconds one command of a method takes at a unix time, before jitter."""


def steady(seconds: float) -> Cost:
    """Every command of every method takes the same."""
    return lambda method, at: seconds


def by_method(costs: dict[str, float]) -> Cost:
    """Each method has its own price."""
    return lambda method, at: costs[method]


def slow_between(seconds: float, opens: float, closes: float) -> Cost:
    """Twice as slow between two unix times."""
    return lambda method, at: seconds * (2 if opens <= at < closes else 1)


def slow_by_day(seconds: float) -> Cost:
    """Twice as slow from 9 to 18 h UTC."""
    return lambda method, at: seconds * (2 if datetime.fromtimestamp(at, UTC).hour in NOON_HOURS else 1)


class LightPortal:
    """A Transport on virtual time. `began` is the unix time of the loop's zero; `cpu_s` what answering cost here."""

    def __init__(
        self,
        *,
        cost: Cost,
        burst: float = 50.0,
        rate: float = 2.0,
        limit_s: float = 480.0,
        limited: bool = True,
        counters: bool = True,
        began: float = EPOCH,
        jitter: float = 0.5,
        seed: int = 1,
    ) -> None:
        self.limiter = OperatingLimiter(limit_s=limit_s, active=limited)
        self.bucket = RequestBucket(capacity=burst, leak=rate, active=limited)
        self.began = began
        self.requests = self.rate_refusals = self.cuts = 0
        self.blocked: list[tuple[float, int]] = []
        self.executed: Counter[str] = Counter()
        self.uids: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.neighbours = Counter({"asked": 0, "refused": 0})
        self.finished_at = 0.0
        self.cpu_s = 0.0
        self._cost = cost
        self._counters = counters
        self._jitter = jitter
        self._random = random.Random(seed)
        self._ending: list[tuple[float, int, OperatingRequest]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self.began + asyncio.get_running_loop().time()

    async def close(self) -> None:
        pass

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        await asyncio.sleep(ROUND_TRIP_S / 2)
        cpu = process_time()
        self.requests += 1
        served, lasts_s = self.serve(method, body)
        self.cpu_s += process_time() - cpu
        await asyncio.sleep(lasts_s + ROUND_TRIP_S / 2)
        if served is None:
            raise TransportFault("cut", "the connection broke")
        return served

    def serve(self, method: str, body: bytes) -> tuple[RawAnswer | None, float]:
        """Answer a request; None when it was cut. Returns the seconds it took, too."""
        now = self.now()
        self.settle(now)
        if not self.bucket.take(now):
            self.rate_refusals += 1
            return _answer(503, {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}), 0.002
        request = self.limiter.begin(now)
        work = _Work(self, request, now)
        if method == "batch":
            commands = orjson.loads(body)["cmd"]
            served = work.batch(commands)
        else:
            served = work.single(method, orjson.loads(body))
        if work.refused:
            self.blocked.append((now - self.began, work.refused))
        heapq.heappush(self._ending, (now + work.elapsed_s, next(self._numbers), request))
        self.finished_at = max(self.finished_at, now + work.elapsed_s - self.began)
        return served, work.elapsed_s

    def settle(self, now: float) -> None:
        """Charge the requests that have ended."""
        while self._ending and self._ending[0][0] <= now:
            heapq.heappop(self._ending)[2].end()

    def cost_s(self, method: str, at: float) -> float:
        """Draw what one command takes."""
        return self._cost(method, at) * self._random.uniform(1 - self._jitter, 1 + self._jitter)

    def neighbour(self, method: str, seconds: float) -> None:
        """Let another program behind the same address, with another webhook, do one batch of `method`.

        It gives up what is refused. `neighbours` counts.
        """
        now, cpu = self.now(), process_time()
        self.settle(now)
        self.neighbours["asked"] += 1
        if not self.bucket.take(now):
            self.neighbours["refused"] += 1
        else:
            request = self.limiter.begin(now)
            if request.blocked(_nested(method)):
                self.neighbours["refused"] += 1
            else:
                request.finished(_nested(method), now, seconds, ok=True)
            heapq.heappush(self._ending, (now + seconds, next(self._numbers), request))
        self.cpu_s += process_time() - cpu

    def stamps(self, began: float, ended: float, told: tuple[float, int]) -> dict[str, Any]:
        """Return a `time` object; without counters when this portal gives none."""
        stamps: dict[str, Any] = {"start": began, "finish": ended, "duration": ended - began}
        if self._counters:
            stamps |= {"operating": told[0], "operating_reset_at": told[1]}
        return stamps


class _Work:
    """One request being served."""

    def __init__(self, portal: LightPortal, request: OperatingRequest, now: float) -> None:
        self.portal, self.request, self.now = portal, request, now
        self.elapsed_s = 0.005
        self.refused = 0

    def batch(self, commands: dict[str, str]) -> RawAnswer | None:
        results: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        times: dict[str, Any] = {}
        for key, text in commands.items():
            if self.elapsed_s > LONGEST_S:
                self.portal.cuts += 1
                self.elapsed_s = LONGEST_S
                return None
            method, _, query = text.partition("?")
            stamps = self._run(method, _nested(method), query.partition("uid=")[2].partition("&")[0])
            if stamps is None:
                errors[key] = {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked"}
            else:
                results[key], times[key] = self.portal.executed.total(), stamps
        outer = self.portal.stamps(self.now, self.now + self.elapsed_s, (0, int(self.now) + 600))
        maps: dict[str, Any] = {
            "result": results or [],
            "result_error": errors or [],
            "result_total": [],
            "result_next": [],
        }
        return _answer(200, {"result": {**maps, "result_time": times or []}, "time": outer})

    def single(self, method: str, params: dict[str, Any]) -> RawAnswer:
        stamps = self._run(method, f"1|{method}", str(params.get("uid", "")))
        if stamps is None:
            return _answer(429, {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked"})
        return _answer(200, {"result": self.portal.executed.total(), "time": stamps})

    def _run(self, method: str, key: str, uid: str) -> dict[str, Any] | None:
        if self.request.blocked(key):
            self.refused += 1
            return None
        began = self.now + self.elapsed_s
        seconds = self.portal.cost_s(method, began)
        self.elapsed_s += seconds
        self.portal.executed[method] += 1
        self.portal.uids[uid] += 1
        self.portal.seconds[method] += seconds  # type: ignore[assignment] # Counter adds floats as well
        return self.portal.stamps(began, began + seconds, self.request.finished(key, began, seconds, ok=True))


def _nested(method: str) -> str:
    """All webhooks share one counter for commands inside batches (PORTAL.md 3.2)."""
    return f"|{method}"


def _answer(status: int, body: object) -> RawAnswer:
    return RawAnswer(status=status, headers=_HEADERS, body=json.dumps(body).encode())
