"""What the exchange can decide: send a request, wait, or that nothing is left to do. Values, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.portal.exchange.queue import Job
from syncd.portal.line.wire import Refused, Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send these jobs in one request. `keys` and `texts` are the batch's; a single call has none."""

    ticket: int
    jobs: tuple[Job, ...]
    single: bool
    keys: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    costs: Mapping[str, float]
    expected_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing may be sent before monotonic time `until`, or before an answer comes when it is None.

    `method` is the one whose operating time is waited for, None when it is something else.
    """

    until: float | None
    why: str
    method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Nothing is left to send and nothing is in flight; `stopped` tells why, when jobs remain."""

    stopped: Refused | Unknown | None = None
