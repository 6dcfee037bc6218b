"""A tiny portal for the client's tests: three limits, sequential batches, and faults on demand. Shares no code."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from syncd.portal.client import Job
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import TransportFault
from syncd.portal.line.wire import Command, Done, Reply, Success
from tests.support.simclock import EPOCH

ADD, UPDATE, DELETE = "calendar.event.add", "calendar.event.update", "calendar.event.delete"

SHAPED = {"profile": {"ID": "1"}, "user.current": {"ID": "1"}, "calendar.event.get": [], "calendar.section.get": []}
"""The least that reading methods answer with; any other method answers 1."""

Fault = str | None
Cost = Callable[[str], float]


class Limiter:
    """Operating time as PORTAL.md 3.2 tells it, for one kind of call."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.buckets: dict[str, dict[int, float]] = defaultdict(dict)
        self.resets: dict[tuple[str, int], float] = {}

    def used(self, method: str, minute: int) -> float:
        return sum(s for m, s in self.buckets[method].items() if minute - 9 <= m <= minute)

    def reset_at(self, method: str, minute: int, began: float) -> int:
        live = sorted(m for m in self.buckets[method] if minute - 9 <= m <= minute)
        return int(self.resets[method, live[0]]) if live else int(began + 600)

    def book(self, method: str, minute: int, seconds: float, first: float) -> None:
        if seconds > 0.1:
            if minute not in self.buckets[method]:
                self.resets[method, minute] = first + 600
            self.buckets[method][minute] = self.buckets[method].get(minute, 0.0) + seconds


class FakePortal:
    """A Transport on virtual time. `faults` is asked once per request, `costs` once per command."""

    def __init__(
        self,
        *,
        burst: int = 50,
        rate: float = 2.0,
        limit: float = 480.0,
        costs: Cost = lambda method: 0.3,
        faults: Callable[[], Fault] = lambda: None,
        skew_s: float = 0.0,
        whole_stamps: bool = False,
        counters: bool = True,
        workers: int = 1000,
        seed: int = 1,
    ) -> None:
        self.burst, self.rate = burst, rate
        self.level, self.ticked = 0.0, 0.0
        self.nested, self.single = Limiter(limit), Limiter(limit)
        self.costs, self.faults = costs, faults
        self.skew_s, self.whole_stamps, self.counters = skew_s, whole_stamps, counters
        self.workers, self.running, self.most_running = workers, 0, 0
        self.random = random.Random(seed)
        self.executed: Counter[tuple[str, str]] = Counter()
        self.sizes: list[int] = []
        self.longest_s = 0.0
        self.rate_refusals = self.blocks = self.requests = self.cuts = 0
        self.requests_at: list[float] = []
        self.methods_at: list[tuple[float, str]] = []
        self.on_execute: Callable[[str, dict[str, str]], None] = lambda method, params: None
        self.refuse: Callable[[str, dict[str, str]], dict[str, str] | None] = lambda method, params: None
        self.results: Callable[[str, dict[str, str]], Any] = lambda method, params: SHAPED.get(method, 1)
        self.closed = False
        self._work: set[asyncio.Task[RawAnswer]] = set()

    def now(self) -> float:
        return EPOCH + self.skew_s + asyncio.get_running_loop().time()

    async def close(self) -> None:
        self.closed = True

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        self.requests += 1
        self.requests_at.append(asyncio.get_running_loop().time())
        fault = self.faults()
        if fault == "connect":
            raise TransportFault("connect", "connection refused")
        await asyncio.sleep(0.02)
        if fault == "503" or not self._bucket():
            self.rate_refusals += 1
            return answer(503, {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"})
        if fault == "500 before":
            return answer(500, {"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"})
        if fault is not None and fault.startswith("{"):
            return answer(403, json.loads(fault))
        work = asyncio.ensure_future(self._serve(method, json.loads(body), fault))
        self._work.add(work)
        done, _ = await asyncio.wait({work}, timeout=timeout_s)
        if not done:
            raise TransportFault("timeout", "no answer in time")
        if fault == "silence":
            await asyncio.sleep(timeout_s)
            raise TransportFault("timeout", "no answer in time")
        await asyncio.sleep(0.02)
        if fault == "cut after":
            raise TransportFault("cut", "the connection broke")
        served = work.result()
        if fault == "half":
            return RawAnswer(status=200, body=served.body[: len(served.body) // 2])
        if fault == "html":
            return RawAnswer(status=502, headers={"content-type": "text/html"}, body=b"<html>Bad gateway</html>")
        return served

    async def _serve(self, method: str, body: dict[str, Any], fault: Fault) -> RawAnswer:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        request = _Request(self, self.now(), self.nested if method == "batch" else self.single)
        try:
            if method != "batch":
                return await self._call(method, body, request)
            parts: dict[str, Any] = {f"result{part}": {} for part in ("", "_error", "_total", "_next", "_time")}
            self.sizes.append(len(body["cmd"]))
            for number, (key, text) in enumerate(body["cmd"].items()):
                if request.elapsed() > 60 or (fault == "cut within" and number == len(body["cmd"]) // 2):
                    self.cuts += request.elapsed() > 60
                    raise TransportFault("cut", "the connection broke")
                name, _, query = text.partition("?")
                await self._execute(key, name, dict(parse_qsl(query, keep_blank_values=True)), request, parts)
                _split_page(key, parts)
            self.longest_s = max(self.longest_s, request.elapsed())
            maps = {part: value or [] for part, value in parts.items()}
            return answer(200, {"result": maps, "time": request.envelope()})
        finally:
            request.book()
            self.running -= 1

    async def _call(self, method: str, body: dict[str, Any], request: _Request) -> RawAnswer:
        parts: dict[str, Any] = {"result": {}, "result_error": {}, "result_time": {}}
        await self._execute("x", method, body, request, parts)
        if parts["result_error"]:
            error = parts["result_error"]["x"]
            return answer(429 if error["error"] == "OPERATION_TIME_LIMIT" else 400, error)
        result = parts["result"]["x"]
        if isinstance(result, dict) and "result" in result:
            return answer(200, {**result, "time": parts["result_time"]["x"]})
        return answer(200, {"result": result, "time": parts["result_time"]["x"]})

    async def _execute(
        self, key: str, method: str, params: dict[str, str], request: _Request, parts: dict[str, Any]
    ) -> None:
        if request.used(method) > request.limiter.limit:
            self.blocks += 1
            parts["result_error"][key] = {"error": "OPERATION_TIME_LIMIT", "error_description": "blocked"}
            return
        began = self.now()
        await asyncio.sleep(self.costs(method) * max(1.0, self.running / self.workers))
        refusal = self.refuse(method, params)
        self.methods_at.append((asyncio.get_running_loop().time(), method))
        if refusal is not None:
            parts["result_error"][key] = refusal
            return
        self.executed[method, params.get("uid", "")] += 1
        self.on_execute(method, params)
        parts["result"][key] = self.results(method, params)
        parts["result_time"][key] = request.finished(method, began)

    def _bucket(self) -> bool:
        now = asyncio.get_running_loop().time()
        seconds = int(now - self.ticked)
        self.level, self.ticked = max(0.0, self.level - self.rate * seconds), self.ticked + seconds
        if self.level + 1 > self.burst:
            return False
        self.level += 1
        return True


def _split_page(key: str, parts: dict[str, Any]) -> None:
    """Move total and next of a list result to where a batch has them."""
    page = parts["result"].get(key)
    if isinstance(page, dict) and "result" in page:
        parts["result"][key] = page["result"]
        for name in ("total", "next"):
            if page.get(name) is not None:
                parts[f"result_{name}"][key] = page[name]


class _Request:
    """One HTTP request inside the portal."""

    def __init__(self, portal: FakePortal, began: float, limiter: Limiter) -> None:
        self.portal, self.began, self.limiter = portal, began, limiter
        self.minute = int(began // 60)
        self.spans: dict[str, list[float]] = defaultdict(list)
        self.first: dict[str, float] = {}

    def elapsed(self) -> float:
        return self.portal.now() - self.began

    def used(self, method: str) -> float:
        return self.limiter.used(method, self.minute) + sum(s for s in self.spans[method] if s > 0.1)

    def finished(self, method: str, began: float) -> dict[str, Any]:
        now = self.portal.now()
        self.first.setdefault(method, began)
        self.spans[method].append(now - began)
        stamps: dict[str, Any] = {"start": began, "finish": now, "duration": now - began}
        if self.portal.whole_stamps:
            stamps = {name: int(value) for name, value in stamps.items()}
        stamps["date_start"] = "2026-09-21T12:00:00+03:00"
        if self.portal.counters:
            stamps["operating"] = round(self.used(method), 6)
            stamps["operating_reset_at"] = self.limiter.reset_at(method, self.minute, self.began)
        return stamps

    def envelope(self) -> dict[str, Any]:
        now = self.portal.now()
        stamps: dict[str, Any] = {"start": self.began, "finish": now, "duration": now - self.began}
        if self.portal.whole_stamps:
            stamps = {name: int(value) for name, value in stamps.items()}
        stamps["date_start"] = "2026-09-21T12:00:00+03:00"
        if self.portal.counters:
            stamps |= {"operating": 0, "operating_reset_at": int(self.began + 600)}
        return stamps

    def book(self) -> None:
        for method, first in self.first.items():
            self.limiter.book(method, self.minute, sum(self.spans[method]), first)


class Ledger:
    """A Journal that checks the promises: intents first, each job settled once."""

    def __init__(self) -> None:
        self.intended: Counter[int] = Counter()
        self.settled: dict[int, Reply] = {}
        self.fail_intend_after: int | None = None
        self.fail_settle_after: int | None = None

    async def intend(self, jobs: Sequence[Job]) -> None:
        await asyncio.sleep(0.003)
        if self.fail_intend_after is not None and len(self.intended) >= self.fail_intend_after:
            raise OSError(28, "No space left on device")
        for job in jobs:
            assert job.id not in self.settled
            self.intended[job.id] += 1

    async def settle(self, replies: Sequence[tuple[Job, Reply]]) -> None:
        await asyncio.sleep(0.003)
        if self.fail_settle_after is not None and len(self.settled) >= self.fail_settle_after:
            raise OSError(28, "No space left on device")
        for job, outcome in replies:
            assert job.id not in self.settled
            self.settled[job.id] = outcome

    def ids(self, kind: type[Reply] = Done) -> set[int]:
        return {number for number, outcome in self.settled.items() if isinstance(outcome, kind)}


def answer(status: int, body: object) -> RawAnswer:
    return RawAnswer(status=status, headers={"content-type": "application/json"}, body=json.dumps(body).encode())


def jobs_of(method: str, count: int, first: int = 0, success: Success = "anything", **more: Any) -> list[Job]:
    return [
        Job(
            id=n,
            command=Command(method=method, params={"uid": str(n)}, success=success),
            repeatable=method != ADD,
            **more,
        )
        for n in range(first, first + count)
    ]
