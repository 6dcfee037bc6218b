"""The naive ways to push, re-created as policies for comparison: no code of any SDK, and no learning.

Each sends batches (or single calls) one after the other and treats answers as such programs do: a 503 or 429 is tried
again after a pause, a request without an answer is sent again as a whole, three times.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, Protocol

from syncd.portal.line.transport import TransportFault
from tests.bench.pace_world import LightPortal

_RETRIES = 3
_WINDOW_S = 600.0
_LIMIT_S = 480.0

Work = tuple[str, str]
"""Method and uid of one command."""


class Policy(Protocol):
    """Says how long to wait before a request, and hears what came of it."""

    name: str
    size: int

    def wait_s(self, now: float, method: str) -> float: ...

    def answered(self, now: float, operating: dict[str, tuple[float, float]], *, refused: int, rate: bool) -> None: ...


class OneByOne:
    """One call at a time, as a loop over the rows does it; ten seconds' rest after a refusal."""

    name = "naive: one call at a time"
    size = 1

    def __init__(self) -> None:
        self.ready = 0.0

    def wait_s(self, now: float, method: str) -> float:
        return self.ready - now

    def answered(self, now: float, operating: dict[str, tuple[float, float]], *, refused: int, rate: bool) -> None:
        self.ready = now + (1.0 if rate else 10.0 if refused else 0.0)


class FixedBatches(OneByOne):
    """Batches of 50 with half a second between them."""

    name = "naive: fixed 50, fixed pause"
    size = 50

    def answered(self, now: float, operating: dict[str, tuple[float, float]], *, refused: int, rate: bool) -> None:
        self.ready = now + (1.0 if rate else 10.0 if refused else 0.5)


class WaitAt95:
    """A token bucket and a wait for the reset once a method's counter, nested ones included, is at 95 % of 480 s."""

    name = "SDK policy: token bucket, wait at 95 %"
    size = 50

    def __init__(self) -> None:
        self.tokens, self.at = 50.0, 0.0
        self.until: dict[str, float] = {}

    def wait_s(self, now: float, method: str) -> float:
        self.tokens, self.at = min(50.0, self.tokens + 2.0 * (now - self.at)), now
        if self.tokens < 1.0:
            return (1.0 - self.tokens) / 2.0
        if (until := self.until.get(method, 0.0)) > now:
            return until - now
        self.tokens -= 1.0
        return 0.0

    def answered(self, now: float, operating: dict[str, tuple[float, float]], *, refused: int, rate: bool) -> None:
        for method, (used, reset_at) in operating.items():
            if used >= 0.95 * _LIMIT_S:
                self.until[method] = reset_at
        if refused and not operating:
            self.until = {method: max(until, now + 10.0) for method, until in self.until.items()} or {"": now + 10.0}


class SummedWindow:
    """A sliding window of ten minutes over the counters' values, added up although they are cumulative already."""

    name = "SDK policy: sliding window over sums"
    size = 50

    def __init__(self) -> None:
        self.seen: dict[str, deque[tuple[float, float]]] = defaultdict(deque)
        self.ready = 0.0

    def wait_s(self, now: float, method: str) -> float:
        seen = self.seen[method]
        while seen and seen[0][0] <= now - _WINDOW_S:
            seen.popleft()
        if sum(used for _, used in seen) > _LIMIT_S:
            return seen[0][0] + _WINDOW_S - now
        return self.ready - now

    def answered(self, now: float, operating: dict[str, tuple[float, float]], *, refused: int, rate: bool) -> None:
        for method, (used, _) in operating.items():
            self.seen[method].append((now, used))
        self.ready = now + (1.0 if rate else 10.0 if refused else 0.5)


async def migrate(portal: LightPortal, policy: Policy, work: Sequence[Work], *, give_up_after_s: float) -> int:
    """Push `work` in order by `policy`; return how many commands are confirmed by then."""
    waiting = deque(work)
    confirmed = 0
    while waiting and portal.now() - portal.began < give_up_after_s:
        batch = [waiting.popleft() for _ in range(min(policy.size, len(waiting)))]
        for _ in range(_RETRIES + 1):
            await _until_ready(portal, policy, batch[0][0])
            try:
                answer = await _send(portal, batch)
            except TransportFault:
                continue
            done = _take(portal.now(), policy, answer, batch)
            confirmed += len(done)
            waiting.extendleft(reversed([one for number, one in enumerate(batch) if number not in done]))
            break
    return confirmed


async def _until_ready(portal: LightPortal, policy: Policy, method: str) -> None:
    wait_s = policy.wait_s(portal.now(), method)
    while wait_s > 0:
        await asyncio.sleep(wait_s + 1e-3)
        wait_s = policy.wait_s(portal.now(), method)


async def _send(portal: LightPortal, batch: Sequence[Work]) -> dict[str, Any]:
    if len(batch) == 1:
        method, uid = batch[0]
        raw = await portal.post(method, json.dumps({"uid": uid}).encode(), 75.0)
        answer: dict[str, Any] = json.loads(raw.body)
        if "error" in answer:
            return answer
        return {"result": {"result": {"c0": 1}, "result_time": {"c0": answer["time"]}, "result_error": []}}
    commands = {f"c{number}": f"{method}?uid={uid}" for number, (method, uid) in enumerate(batch)}
    raw = await portal.post("batch", json.dumps({"cmd": commands}).encode(), 75.0)
    nested: dict[str, Any] = json.loads(raw.body)
    return nested


def _take(now: float, policy: Policy, answer: dict[str, Any], batch: Sequence[Work]) -> set[int]:
    if "error" in answer:
        rate = answer["error"] == "QUERY_LIMIT_EXCEEDED"
        policy.answered(now, {}, refused=0 if rate else len(batch), rate=rate)
        return set()
    maps = answer["result"]
    operating: dict[str, tuple[float, float]] = {}
    for key, time in dict(maps["result_time"]).items():
        if "operating" in time:
            operating[batch[int(key[1:])][0]] = (time["operating"], time["operating_reset_at"])
    policy.answered(now, operating, refused=len(maps["result_error"]), rate=False)
    return {int(key[1:]) for key in dict(maps["result"])}
