"""What the ledger notes besides links, holds and runs: small values with a name and a type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Uids:
    """What one pass tells the next: `names` maps known uids to the source's, as far as they differ; `doubted` are known
    ones that may stand there still, among entries which cannot be used."""

    names: Mapping[str, str] = field(default_factory=dict)
    doubted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """When a portal's events were last read and put right, and of which portal."""

    portal: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncNotes:
    """All notes on one sync."""

    verified: Verified | None = None
    home: str | None = None
    floor: int = 0
    uids: Uids = field(default_factory=Uids)
    due: tuple[float | None, float] | None = None
