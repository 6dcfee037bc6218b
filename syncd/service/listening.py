"""Hears of people's edits: polls one portal's queue, looks at the events that are ours, and starts passes.

queue -> ids that are linked -> what stands there -> kept in the ledger -> a pass of the sync, which decides
A hint is lost at worst, and then found by the next reading of the portal (`verify_every`).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from platform import node

import structlog

from syncd import events
from syncd.app.application import App
from syncd.clock import Clock
from syncd.config import AppConfig
from syncd.cycle.look import changed_since
from syncd.errors import SyncdError
from syncd.lang.saying import say
from syncd.model.item import Link
from syncd.model.json_values import Json
from syncd.model.traces import Heard
from syncd.portal.client import Portal
from syncd.portal.line.remedies import CommandRefusedError
from syncd.portal.oauth.event_queue import (
    CALENDAR_EVENTS,
    CRM_EVENTS,
    Hint,
    bind,
    claim,
    clear,
    hint_of,
    may_reserve,
    take,
    unbind_all,
    unpacked,
)
from syncd.state.passed_on import PassedHint

_log = structlog.get_logger()
_PAGES = 10
"""How many answers of the queue one poll takes, so that a flood of foreign events does not keep it from everything
else."""
_BOUND_FOR_S = 3600.0
"""How long bindings are trusted: an update of the application drops them (PORTAL.md 11.3)."""
_NOTED_EVERY_S = 600.0
_TENDED_EVERY_S = 6 * 3600.0
_LONGEST_PAUSE_S = 600.0
_TOLD_AFTER = 3
_LOOKS = 6
"""How often to look in vain at what was heard. After that the next reading of the portal finds it."""
_STRANGE_FOR_S, _MOST_STRANGERS = 300.0, 1_000
"""How long, and how many, ids without a link are remembered: an event of ours gets its link only when its create was
answered."""
_MOST_WAITING = 10_000
"""The most hints that wait to be looked at."""


@dataclass(slots=True, kw_only=True)
class Listener:
    """Hears of what people change in the portal `name`, until it is cancelled. `poke` starts a pass of a sync.

    If the config switches events off, it removes earlier bindings, and renews tokens that nobody else uses. `pending`
    are the ids that a pass has to look at, by sync, each with the user. `trouble` is why nothing is heard, "" while it
    works.
    """

    app: App
    name: str
    config: AppConfig
    clock: Clock
    poke: Callable[[str], None]
    here: Callable[[], bool] = lambda: True
    pending: dict[str, dict[int, int]] = field(default_factory=dict)
    trouble: str = ""
    address: str = ""
    """The address that the portal calls, "" if its queue is polled."""
    _failures: int = 0
    _remembered: bool = False
    _bound_at: float | None = None
    _reserves: bool = False
    _noted_at: float | None = None
    _tended_at: float | None = None
    _heard: dict[tuple[str, int, bool], Hint] = field(default_factory=dict)
    _strangers: dict[Hint, float] = field(default_factory=dict)
    _saved: dict[int, None] = field(default_factory=dict)
    _made: dict[int, None] = field(default_factory=dict)
    _anew: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _bell: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def client(self) -> Portal:
        """The client of the portal that is in use now."""
        return self.app.portals[self.name]

    async def run(self) -> None:
        """Poll until cancelled. Whatever fails, the next poll tries again, after growing pauses."""
        while True:
            try:
                await self.poll()
            except SyncdError as error:
                self._failed(str(error))
            except Exception as error:  # noqa: BLE001 - a defect must not keep edits from being heard of for good
                _log.exception(events.HINTS_CRASHED, portal=self.name)
                self._failed(say("a defect of syncd: {error}; the log has more", error=type(error).__name__))
            else:
                self._worked()
            every = _LONGEST_PAUSE_S if self._off else self.config.events_every.total_seconds()
            pause = min(every * 2 ** min(self._failures, 6), max(every, _LONGEST_PAUSE_S))
            await self._wait(pause)

    async def poll(self) -> None:
        """Ask once what has changed; raises SyncdError."""
        if not self.here():  # another machine has it, and hears
            self.pending.clear()
            self._remembered, self._bound_at = False, None
            await self._pass_on()
            return
        if not self._remembered:
            await self._remember()
        portal = self.client.part(asyncio.Event(), hasty=True)
        await self._tend(portal)
        if self._off:
            await self._unbind(portal)
            return
        await self._bind(portal)
        passed = await self._passed_on()
        await self._take_in()
        if passed:
            await self.app.ledger.passed_on(self.name).drop(passed)
        if not self.address:
            process = self._process if self._reserves else ""
            for _ in range(_PAGES):
                taken = await take(portal, process=process)
                if taken.malformed:
                    _log.warning(events.HINTS_UNREADABLE, portal=self.name, rows=taken.malformed)
                for hint in taken.hints:
                    self._hear(hint)
                await self._take_in()
                if process and taken.rows:
                    await clear(portal, taken, process=process)
                if not taken.more:
                    break
        await self._note_heard()

    async def called(self, form: Mapping[str, Json]) -> None:
        """Take in an event that the portal has sent by itself; one that cannot be understood is ignored.

        If another machine holds the portal, the event is passed on to it. Raises StateError if that fails.
        """
        auth = form.get("auth")
        user = str(auth.get("user_id", "")) if isinstance(auth, Mapping) else ""
        hint = hint_of(form.get("event"), form.get("data"), int(user) if user.isascii() and user.isdecimal() else 0)
        if hint is None:
            _log.warning(events.HINTS_UNREADABLE, portal=self.name, rows=1)
            return
        self._hear(hint)
        if self.here():
            self._bell.set()
        else:
            await self._pass_on()

    async def _pass_on(self) -> None:
        """Note what was heard here for the machine that holds the portal: the portal reports nothing twice."""
        heard = dict(self._heard)
        if not heard or not self.app.ledger.shared:
            return
        # Of one object only the last is kept, but who made an event proves something to whoever looks for a create.
        hints = (
            replace(one, made=True) if one.kind == "event" and one.id in self._made else one for one in heard.values()
        )
        await self.app.ledger.passed_on(self.name).note({one.name: one.packed() for one in hints}, self.clock.now())
        self._forget(heard)

    async def _passed_on(self) -> tuple[PassedHint, ...]:
        """Take what other machines have passed on, and return it."""
        if not self.app.ledger.shared:
            return ()
        passed = await self.app.ledger.passed_on(self.name).waiting()
        for hint in map(unpacked, (one.value for one in passed)):
            if hint is not None:
                self._hear(hint)
        return passed

    def _forget(self, heard: Mapping[tuple[str, int, bool], Hint]) -> None:
        """Forget what was dealt with, except what was reported again since."""
        for key, hint in heard.items():
            if self._heard.get(key) is hint:
                del self._heard[key]

    def wake(self) -> None:
        """Poll now, however often that has failed."""
        self._failures = 0
        self._bell.set()

    def taken(self, sync: str) -> dict[int, int]:
        """Return what a pass of `sync` that begins now has to look at."""
        self._anew[sync].clear()
        return dict(self.pending.get(sync, {}))

    async def looked_at(self, sync: str, hints: Mapping[int, int]) -> None:
        """Note that a pass has decided on what these `hints` are about; raises StateError.

        What was reported again since the pass began stays for the next one: the pass may have looked before that.
        """
        left = self.pending.get(sync, {})
        for one in hints.keys() - self._anew[sync]:
            left.pop(one, None)
        if not left:
            self.pending.pop(sync, None)
        await self._keep()

    async def _remember(self) -> None:
        """Go on with what an earlier process heard and no pass has looked at."""
        kept = await self.app.ledger.of_portal(self.name).hints()
        self._remembered = True
        names = self._syncs()
        for sync, hints in kept.items():
            if sync in names and hints:
                self.pending[sync] = {**hints, **self.pending.get(sync, {})}
        for sync in self.pending:
            self.poke(sync)

    @property
    def _off(self) -> bool:
        return self.config.events == "off"

    async def _tend(self, portal: Portal) -> None:
        """Renew tokens that nothing else uses, before they are too old."""
        now = self.clock.monotonic()
        if self._tended_at is None or now - self._tended_at > _TENDED_EVERY_S:
            self._tended_at = now
            if portal.application is not None:
                await portal.application.tend()

    async def _unbind(self, portal: Portal) -> None:
        """Tell the portal once to report nothing. If it refuses that, nothing can be bound either."""
        if self._bound_at is not None or portal.application is None or portal.application.authorisation is None:
            return
        try:
            ended = await unbind_all(portal, holder=self._process, now=self.clock.now() + portal.skew_s)
        except CommandRefusedError as error:
            _log.info(events.HINTS_STOPPED, portal=self.name, reason=str(error))
        else:
            if ended:
                _log.info(events.HINTS_ENDED, portal=self.name, events=ended)
        self._bound_at = self.clock.monotonic()
        if self.app.ledger.shared:
            passed = self.app.ledger.passed_on(self.name)
            await passed.drop(await passed.waiting())

    async def _bind(self, portal: Portal) -> None:
        now = self.clock.monotonic()
        if self._bound_at is not None and now - self._bound_at < _BOUND_FOR_S:
            return
        await claim(portal, holder=self._process, host=node(), now=self.clock.now() + portal.skew_s)
        wants_crm = any(self.app.sync(name).target.on_cards for name in self._syncs())
        wanted = (*CALENDAR_EVENTS, *(CRM_EVENTS if wants_crm else ()))
        unknown = await bind(portal, wanted, handler=self.address)
        if not self.address:
            self._reserves = await may_reserve(portal)
        self._bound_at = now
        _log.info(events.HINTS_BOUND, portal=self.name, unknown=list(unknown), reserves=self._reserves)

    @property
    def _process(self) -> str:
        """The name under which rows are reserved: the same after a crash, and on all machines that share the state."""
        ledger = self.app.ledger
        where = f"{node()}\0{ledger.path.absolute()}" if ledger.database is None else f"{ledger.shown}"
        seed = f"{where}\0{self.config.client_id}\0{self.name}"
        return blake2b(seed.encode(), digest_size=16).hexdigest()

    def heard_of(self) -> Heard:
        """Return which events the portal has reported since this process listens."""
        return Heard(saved=frozenset(self._saved), made=frozenset(self._made))

    def _hear(self, hint: Hint) -> None:
        if hint.kind == "event" and not hint.deleted:
            # No own change comes back through the queue, so whatever it tells the making of somebody else has made.
            _add_bounded(self._made if hint.made and not self.address else self._saved, hint.id)
        self._heard[hint.kind, hint.id, hint.deleted] = hint
        if len(self._heard) > _MOST_WAITING:
            self._heard.pop(next(iter(self._heard)))  # which the next reading of the portal finds

    async def _take_in(self) -> None:
        """Look at those of the reported events that are ours, keep what somebody has changed, and start the passes.

        If the portal does not answer, the next polls look again: the queue does not give a report twice.
        """
        heard = dict(self._heard)
        found: dict[str, dict[int, int]] = {}
        linked = await self._linked((*self._young_strangers(), *heard.values()))
        for sync, links in linked.items():
            run = self.app.open_pass(self.app.sync(sync), asyncio.Event())
            run.portal = self.client.part(asyncio.Event(), hasty=True)
            changed = await changed_since(run, [link for link, _ in links])
            users = {link.remote_id: user for link, user in links if link.remote_id in changed}
            if users:
                found[sync] = users
        for sync, users in found.items():
            self.pending.setdefault(sync, {}).update(users)
            self._anew[sync].update(users)
        if found:
            await self._keep()
        self._forget(heard)
        self._keep_strangers(heard.values(), {link.remote_id for links in linked.values() for link, _ in links})
        if found:
            for sync, users in found.items():
                _log.info(events.EDITS_HEARD, portal=self.name, sync=sync, edits=len(users))
                self.poke(sync)

    def _young_strangers(self) -> list[Hint]:
        """Return recent reports about ids that nobody knew: a create that is under way may have made them."""
        oldest = self.clock.monotonic() - _STRANGE_FOR_S
        self._strangers = {hint: at for hint, at in self._strangers.items() if at >= oldest}
        return list(self._strangers)

    def _keep_strangers(self, heard: Iterable[Hint], linked: Collection[int]) -> None:
        """Remember for a while the reports about ids that are not `linked`."""
        now = self.clock.monotonic()
        self._strangers = {hint: at for hint, at in self._strangers.items() if hint.id not in linked}
        for hint in heard:
            if hint.kind != "section" and not hint.made and hint.id not in linked:
                self._strangers[hint] = now
        for hint in list(self._strangers)[: max(0, len(self._strangers) - _MOST_STRANGERS)]:
            del self._strangers[hint]

    async def _linked(self, hints: tuple[Hint, ...]) -> Mapping[str, list[tuple[Link, int]]]:
        """Return the links that `hints` are about, by sync, each with the user."""
        found: defaultdict[str, list[tuple[Link, int]]] = defaultdict(list)
        ledger, names = self.app.ledger, self._syncs()
        for kind, on_cards in (("event", False), ("activity", True)):
            users = {hint.id: hint.user for hint in hints if hint.kind == kind}
            if users:
                for sync, link in await ledger.links_to(names, users.keys(), on_cards=on_cards):
                    found[sync].append((link, users[link.remote_id]))
        sections = {hint.id: hint.user for hint in hints if hint.kind == "section" and hint.deleted}
        for name in names if sections else ():
            for link in await ledger.of(name).links():
                if link.section_id in sections and not link.key.place.on_card:
                    found[name].append((link, sections[link.section_id]))
        return found

    def _syncs(self) -> list[str]:
        return [sync.name for sync in self.app.config.syncs if sync.portal == self.name]

    async def _keep(self) -> None:
        await self.app.ledger.of_portal(self.name).note_hints(self.pending, self.clock.now())

    async def _note_heard(self) -> None:
        now = self.clock.monotonic()
        if self._noted_at is None or now - self._noted_at > _NOTED_EVERY_S:
            await self.app.ledger.of_portal(self.name).note_heard(self.clock.now())
            self._noted_at = now

    async def _wait(self, seconds: float) -> None:
        """Wait for the next poll; if the portal calls, wait a second longer for more calls."""
        waits = [asyncio.ensure_future(self._bell.wait()), asyncio.ensure_future(self.clock.sleep(seconds))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        if self._bell.is_set():
            self._bell.clear()
            await self.clock.sleep(1.0)

    def _failed(self, reason: str) -> None:
        self._failures += 1
        self._bound_at = None
        if self._failures >= _LOOKS:
            self._heard.clear()  # or what cannot be looked at would keep all else from being heard of
        if self._failures >= _TOLD_AFTER and not self.trouble and not self._off:
            self.trouble = reason
            _log.warning(events.HINTS_STOPPED, portal=self.name, reason=self.trouble)

    def _worked(self) -> None:
        if self.trouble:
            _log.info(events.HINTS_RESUMED, portal=self.name)
        self._failures, self.trouble = 0, ""


def _add_bounded(ids: dict[int, None], number: int) -> None:
    """Add `number` to `ids` as the newest; if there are too many, the oldest are forgotten."""
    ids.pop(number, None)
    ids[number] = None
    if len(ids) > _MOST_WAITING:
        ids.pop(next(iter(ids)))
