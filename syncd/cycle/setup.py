"""What one sync is made of once the config has been read; wired by the app, used by every step of the cycle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from syncd.clock import Clock
from syncd.model.diff import Policy
from syncd.model.filter import Filter
from syncd.model.guard import Guard
from syncd.model.window import Window
from syncd.portal.client import Portal
from syncd.source.base import FeedCache, ReadContext, Source
from syncd.state.ledger import Ledger
from syncd.target.base import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSetup:
    """One [[sync]] of the config, made ready.

    `past` and `future` span the window around today. `siblings` are the names of all syncs that write to the same
    portal, this one included. `portal_zone` is the server's own zone where the config names it. `feeds` keeps what
    the source fetched for the next process.
    """

    name: str
    source: Source
    target: Target
    filter: Filter
    policy: Policy
    guard: Guard
    past: timedelta
    future: timedelta
    verify_every: timedelta
    zone: str | None
    siblings: tuple[str, ...]
    portal_zone: str | None = None
    feeds: FeedCache | None = None

    def today(self, now: float) -> date:
        """Return the date at unix time `now` in the sync's zone (UTC where it names none)."""
        return datetime.fromtimestamp(now, ZoneInfo(self.zone) if self.zone else UTC).date()

    def window(self, now: float) -> Window:
        """Return the days a pass at `now` looks at."""
        today = self.today(now)
        return Window(first=today - self.past, last=today + self.future)

    def reading(self, now: float) -> ReadContext:
        """Return what the source is told of a pass at `now`."""
        return ReadContext(zone=self.zone, window=self.window(now), today=self.today(now), cache=self.feeds)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What every pass on one portal shares: the portal's client, the ledger, the clock, and how long runs are kept."""

    portal: Portal
    ledger: Ledger
    clock: Clock
    keep_runs: timedelta = timedelta(days=90)
