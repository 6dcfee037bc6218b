"""What an experiment is: what it sends and reads, in words for people, and the facts that it tells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from syncd.portal.probe.bench import Bench
from syncd.portal.probe.facts import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One question to a portal. `run` raises UnaskedError where it cannot be made; then none of its facts is known."""

    facts: tuple[str, ...]
    sends: str
    run: Callable[[Bench], Awaitable[Iterable[Fact]]]
    events: int = 0
    """How many events it makes, for telling beforehand; 0 for one that makes none."""
