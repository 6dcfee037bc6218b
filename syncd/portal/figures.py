"""What a portal's client reports about its work: a push, its progress, and what was sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSummary:
    """What one push did. `remaining` counts jobs that were never sent because the push was stopped first."""

    done: int
    refused: int
    unknown: int
    remaining: int
    requests: int
    commands: int
    seconds: float
    waited_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the pushes under way are.

    `waiting_until` is a unix time, `eta_s` are seconds; both are None if unknown.
    """

    done: int
    total: int
    requests: int
    refused_rate: int
    waiting_for: str | None
    waiting_until: float | None
    eta_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Requests and commands sent so far, and the seconds in which any of them waited for the limits."""

    requests: int
    commands: int
    waited_s: float
