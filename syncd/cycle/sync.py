"""What one sync is made of, and one pass of it: everything that the steps of the cycle work with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Literal, ParamSpec, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import structlog

from syncd import collector, events
from syncd.clock import Clock
from syncd.errors import ConfigError, GuardError, SourceError, SyncdError
from syncd.lang.saying import say
from syncd.model.elapsed import ClockNote, Moment
from syncd.model.entry import Problem, Window
from syncd.model.fates import Fates
from syncd.model.filter import Filter
from syncd.model.guard import Guard
from syncd.model.item import Key, Place
from syncd.model.known_shapes import KnownShapes
from syncd.model.plan import Policy
from syncd.model.record import RunKind, RunRecord, RunState
from syncd.model.traces import Heard
from syncd.net import is_loopback
from syncd.portal.client import Portal, Usage
from syncd.source.base import FeedCache, ReadContext, Source
from syncd.source.shelf import Board, Kind, Shelf
from syncd.state.ledger import Ledger
from syncd.state.notes import SyncNotes
from syncd.state.portal_ledger import PortalLedger
from syncd.state.sync_ledger import SyncLedger
from syncd.target.base import Target

P = ParamSpec("P")
T = TypeVar("T")

_log = structlog.get_logger()
HEARD_LASTS_S = 3600.0
"""For so long after its events were last asked for, a portal counts as one that reports people's edits itself."""
_JITTER_S = 1.0
"""A clock may go back by so much without having been set: it is slewed, and its values are rounded."""
_COUNTS = ("created", "updated", "deleted", "adopted", "unchanged", "held", "rejected", "conflict", "skipped", "kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """One [[sync]] of the config, made ready.

    `past` and `future` span the window around today. `siblings` are the names of all syncs that write to the same
    portal, this one included. `portal_zone` is the server's own zone where the config names it, `country` the country
    of phones without one. `feeds` keeps what the source fetched for the next process, and `index` what it was parsed to
    and what series became. `window_given` is True if the config names the window, `everything` if all days count
    instead. `uids` says what names entries: the source, or their content. `mark` returns a mark that differs whenever
    the config or the program does, "" while it cannot be told, and blocks; without one no pass is taken for settled,
    and nothing is kept for the next process. `shapes` is what is known of the entries of the last pass.
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
    verify_unheard: timedelta | None = None
    zone: str | None
    siblings: tuple[str, ...]
    portal_zone: str | None = None
    country: str = ""
    feeds: FeedCache | None = None
    window_given: bool = True
    uids: Literal["source", "content"] = "source"
    everything: bool = False
    index: Board | None = None
    mark: Callable[[], str] | None = None
    shapes: KnownShapes = field(default_factory=KnownShapes, repr=False, compare=False)

    def today(self, now: float) -> date:
        """Return the date at unix time `now` in the sync's zone (UTC where it names none)."""
        return datetime.fromtimestamp(now, ZoneInfo(self.zone) if self.zone else UTC).date()

    def unbounded(self) -> Sync:
        """Return the sync as a migration sees it: with every day there is, unless the config names a window."""
        return replace(self, everything=not self.window_given)

    def window(self, now: float) -> Window:
        """Return the days that a pass at unix time `now` looks at."""
        if self.everything:
            return Window(first=None, last=None)
        today = self.today(now)
        return Window(first=today - self.past, last=today + self.future)

    @property
    def directory_every(self) -> timedelta:
        """How often the portal is read where it tells nothing by itself, as of its people: no events tell of those."""
        return self.verify_every if self.verify_unheard is None else min(self.verify_every, self.verify_unheard)

    def check_links(self, places: Iterable[Place]) -> None:
        """Raise ConfigError if some of the sync's links, which stand in `places`, are of another kind of target.

        Their ids mean other things to this target, so it must not touch them.
        """
        foreign = next((one for one in places if not self.target.writes_to(one)), None)
        if foreign is not None:
            raise ConfigError(
                say(
                    "{name}: it has written to {foreign} before, which its present target does not know",
                    name=self.name,
                    foreign=str(foreign),
                ),
                say(
                    "give the sync with the new target a name of its own; under the former config, "
                    "`syncd purge {name}` deletes what it made",
                    name=self.name,
                ),
            )

    def reading(self, now: float, *, whole: bool = False) -> ReadContext:
        """Return what the source is told of a pass at unix time `now`; `whole` has it ask for more than changes."""
        return ReadContext(
            zone=self.zone,
            window=self.window(now),
            today=self.today(now),
            cache=self.feeds,
            filter=self.filter,
            whole=whole,
            shelf=self.shelf("parsed"),
        )

    def shelf(self, kind: Kind) -> Shelf | None:
        """Return where things of a kind are kept for the next process, None if nowhere."""
        if self.index is None or self.mark is None:
            return None
        return Shelf(kind=kind, sync=self.name, board=self.index, mark=self.mark)


@dataclass(slots=True, kw_only=True)
class Pass:
    """One pass of a sync, or one taking back, under way: what its steps work with, and what became of the items so far.

    `portal` is the pass's own part of the portal's client; `ledger` is the ledger of the sync, `portal_ledger` that of
    its portal, `ledger_of_all` that of every sync. `stop` ends the pass after the requests in flight. `run_id` is 0
    while nothing is recorded of it, as for a plan that is only shown. `notes` are the ledger's notes on the sync, read
    once. `directory_mark` is the mark of the kept directory that the pass uses, "" if the portal was asked for any of
    it. `workroom` runs long work. `hints` are ids of events that somebody may have changed, each with the user, and
    `heard_at` is when the portal was last asked for such; `heard` returns events without a known link. `overlooked`: an
    event was found that people have edited, about which a reading decides.
    """

    sync: Sync
    portal: Portal
    ledger: SyncLedger
    portal_ledger: PortalLedger
    ledger_of_all: Ledger
    clock: Clock
    stop: asyncio.Event
    run_id: int = 0
    ledger_name: str = ""
    notes: SyncNotes = field(default_factory=SyncNotes)
    directory_mark: str = ""
    workroom: Executor | None = None
    hints: Mapping[int, int] = field(default_factory=dict)
    heard_at: float | None = None
    heard: Callable[[], Heard] = Heard
    overlooked: bool = False
    fates: Fates = field(default_factory=Fates)

    async def worked_out(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, without keeping the event loop from the other syncs, the page and the watchdog.

        It must ask nothing of portal and ledger. Raises what it raises.
        """
        quietly = collector.resting()(partial(work, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(self.workroom, quietly)

    async def claimed(self, keys: Iterable[Key]) -> frozenset[int]:
        """Return the ids that some sync of the portal has linked in places of the same kinds as those of `keys`.

        Events and activities are counted apart, so the same id means two things.
        """
        return await self.ledger_of_all.claimed(self.sync.siblings, {key.place.kind for key in keys})

    async def forget_verified(self) -> None:
        """Make the next pass read the portal, however recently that was done."""
        self.notes = replace(self.notes, verified=None)
        await self.ledger.forget_verified()

    def verify_due(self) -> bool:
        """Return True if the portal's events have to be read, as after the clock was set back.

        What was read in another portal does not count.
        """
        verified, now = self.notes.verified, self.clock.now()
        if verified is None or verified.portal != self.portal.origin:
            return True
        heard = self.heard_at is not None and -_JITTER_S <= now - self.heard_at < HEARD_LASTS_S
        every = self.sync.verify_every if heard else self.sync.directory_every
        return not -_JITTER_S <= now - verified.at < every.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A run that has begun: unix time, the monotonic time beside it, and what the portal's client had done before."""

    started: float
    monotonic: float
    before: Usage
    kind: RunKind = "pass"


async def begin(run: Pass, kind: RunKind = "pass") -> Begun:
    """Write down that a run of the sync begins, and read the notes on it; raises StateError."""
    now = run.clock.now()
    if await run.ledger_of_all.notice(run.clock.booted_at()):
        _log.info(events.CLOCK_MOVED)
    run.ledger_name = await run.ledger_of_all.name(now)
    run.run_id = await run.ledger.begin_run(now, kind)
    run.notes = await run.ledger.notes()
    run.heard_at = await run.portal_ledger.heard_at()
    return Begun(started=now, monotonic=run.clock.monotonic(), before=run.portal.usage(), kind=kind)


async def close(
    run: Pass,
    begun: Begun,
    *,
    state: RunState,
    error: SyncdError | None,
    planned: Mapping[str, int],
    problems: tuple[Problem, ...],
) -> RunRecord:
    """Write the run's record and its one canonical log line; return the record.

    `planned` are the counts of the plan, of which those count that it alone tells (such as unchanged and kept),
    `problems` those met on the way to it; what was refused while sending comes on top.
    """
    used = run.portal.usage(begun.before)
    refused = run.fates.refused
    counts = run.fates.counts()
    counts.update(planned)
    told = {one.key for one in problems if one.kind == "held"}  # what was refused before the plan waits in the plan
    held = tuple(
        Problem(where=one.where, kind="held", key=str(key), reason=one.reason)
        for key, one in refused.items()
        if str(key) not in told
    )
    counts["held"] += len(held)
    problems = (*problems, *held)
    record = RunRecord(
        id=run.run_id,
        sync=run.sync.name,
        started=begun.started,
        finished=run.clock.now(),
        state=state,
        counts={name: counts[name] for name in _COUNTS},
        requests=used.requests,
        commands=used.commands,
        waited_s=used.waited_s,
        seconds=run.clock.monotonic() - begun.monotonic,
        problems=problems,
        problem_count=len(problems),
        error=str(error) if error is not None else "",
        kind=begun.kind,
    )
    await run.ledger.end_run(run.run_id, record)
    log = _log.error if error is not None else _log.info
    log(events.PASS_DONE, sync=record.sync, run=record.id, state=state, **record.counts, problems=record.problem_count,
        requests=record.requests, commands=record.commands, waited_s=round(record.waited_s, 1),
        seconds=round(record.seconds, 1), error=record.error or None)  # fmt: skip
    if isinstance(error, SourceError):
        _log.warning(events.SOURCE_UNREADABLE, sync=run.sync.name, reason=error.message)
    return record


async def moment_for(portal: Portal, clocks: Sequence[ClockNote]) -> Moment:
    """Return this moment by the clocks that are needed to tell how long ago something was; raises the client's errors.

    The portal is asked only if this machine has been restarted since.
    """
    boot = portal.moment().boot
    return portal.moment() if boot and all(one.boot == boot for one in clocks) else await portal.asked_moment()


async def check_home(run: Pass) -> bool:
    """Return True if the sync starts afresh in another portal than before, with nothing left in the old one.

    Raises GuardError if something is left: in any other portal, an id there means another event, or nothing, so the
    links must not be taken for events of this one. It happens to people who rehearse on a simulated portal and then put
    the real one's webhook into the same config.
    """
    home = run.notes.home
    if home is None or _same_portal(home, run.portal.origin):
        return False
    tally = await run.ledger.tally()
    if tally.items or tally.open_intents:
        raise GuardError(
            say(
                "{name}: it has written {items} items to {home}, but {portal} is {origin} now; nothing was sent",
                name=run.sync.name,
                items=tally.items,
                home=home,
                portal=run.portal.name,
                origin=run.portal.origin,
            ),
            say(
                "another portal: give this config a `state` file of its own;"
                " the same one under a new address: run `syncd sync {name} --force` once",
                name=run.sync.name,
            ),
        )
    return True


async def settle_home(run: Pass, *, force: bool) -> None:
    """Write down that the sync writes to another portal than before; `force`: the same one under a new address.

    Raises GuardError like `check_home`, before anything is sent.
    """
    if not force and await check_home(run):
        await run.ledger.forget_events()
        run.notes = run.notes.without_events()
    await run.ledger.note_home(run.portal.origin, run.clock.now())


def _same_portal(before: str, now: str) -> bool:
    # Simulated portals on this machine have another port at every start, which says nothing.
    return before == now or all(is_loopback(urlsplit(origin).hostname or "") for origin in (before, now))
