"""What one sync is made of once the config has been read; wired by the app, used by every step of the cycle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from syncd.clock import Clock
from syncd.cycle.shaped import ShapingMemory
from syncd.errors import ConfigError
from syncd.model.filter import Filter
from syncd.model.guard import Guard
from syncd.model.item import Link
from syncd.model.plan import Policy
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
    the source fetched for the next process, `shaped` what its entries became for the next pass. `window_given` tells
    that the config names the window, `everything` that all days count instead. `uids` says what names entries: the
    source, or their content.
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
    window_given: bool = True
    uids: Literal["source", "content"] = "source"
    everything: bool = False
    shaped: ShapingMemory = field(default_factory=ShapingMemory, compare=False, repr=False)

    def today(self, now: float) -> date:
        """Return the date at unix time `now` in the sync's zone (UTC where it names none)."""
        return datetime.fromtimestamp(now, ZoneInfo(self.zone) if self.zone else UTC).date()

    def unbounded(self) -> SyncSetup:
        """Return the sync as a migration sees it: with every day there is, unless the config names a window."""
        return replace(self, everything=not self.window_given)

    def window(self, now: float) -> Window:
        """Return the days a pass at `now` looks at."""
        if self.everything:
            return Window(first=None, last=None)
        today = self.today(now)
        return Window(first=today - self.past, last=today + self.future)

    def check_links(self, links: Iterable[Link]) -> None:
        """Raise ConfigError when some of the sync's `links` were made by another kind of target.

        Their ids mean other things to this one, so it must not touch them.
        """
        foreign = next((one.key.place for one in links if one.key.place.kind not in self.target.places), None)
        if foreign is not None:
            raise ConfigError(
                f"{self.name}: it has written to {foreign} before, which its target of now does not know",
                "give the sync with the new target a name of its own; under the former config, "
                f"`syncd purge {self.name}` deletes what it made",
            )

    def reading(self, now: float) -> ReadContext:
        """Return what the source is told of a pass at `now`."""
        return ReadContext(
            zone=self.zone,
            window=self.window(now),
            today=self.today(now),
            cache=self.feeds,
            moments=self.target.on_cards,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What every pass on one portal shares: the portal's client, the ledger, the clock, and how long runs are kept."""

    portal: Portal
    ledger: Ledger
    clock: Clock
    keep_runs: timedelta = timedelta(days=90)
