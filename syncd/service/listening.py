"""Hears of people's edits: asks one portal's queue again and again, looks at what is ours, and has it put right.

queue -> ids that are linked -> what stands there -> kept in the ledger -> a pass of the sync, which decides
A hint is lost at worst, and then found by the next reading of the portal (`verify_every`).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
from syncd.portal.client import Portal
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
)

_log = structlog.get_logger()
_PAGES = 10
"""How many answers of the queue one poll takes: a flood of foreign events is worked off beside everything else."""
_BOUND_FOR_S = 3600.0
"""How long bindings are believed in: an update of the application drops them (PORTAL.md 11.3)."""
_NOTED_EVERY_S = 600.0
_TENDED_EVERY_S = 6 * 3600.0
_LONGEST_PAUSE_S = 600.0
_TOLD_AFTER = 3
_LOOKS = 6
"""How often what was heard is looked at in vain; the next reading of the portal finds it."""
_MOST_WAITING = 10_000
"""So many hints wait for a look at most."""


@dataclass(slots=True, kw_only=True)
class Listener:
    """Hears of what people change in the portal `name`, until it is cancelled. `poke` starts a pass of a sync.

    `pending` are the ids that a pass has to look at, by sync, each with the user. `trouble` is why nothing is heard, ""
    while it works.
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
    """Where the portal calls, "" for who asks its queue."""
    _failures: int = 0
    _remembered: bool = False
    _bound_at: float | None = None
    _reserves: bool = False
    _noted_at: float | None = None
    _tended_at: float | None = None
    _heard: dict[tuple[str, int, bool], Hint] = field(default_factory=dict)
    _anew: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _bell: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def client(self) -> Portal:
        """The client of the portal that is in use now."""
        return self.app.portals[self.name]

    async def run(self) -> None:
        """Poll until cancelled. Whatever the portal says, the next poll tries again, after growing pauses."""
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
            every = self.config.events_every.total_seconds()
            pause = min(every * 2 ** min(self._failures, 6), max(every, _LONGEST_PAUSE_S))
            await self._wait(pause)

    async def poll(self) -> None:
        """Hear once what has been changed; raises SyncdError."""
        if not self.here():  # another machine has it, and hears
            self.pending.clear()
            self._remembered, self._bound_at = False, None
            return
        if not self._remembered:
            await self._remember()
        portal = self.client.part(asyncio.Event(), hasty=True)
        await self._bind(portal)
        await self._take_in()
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

    def called(self, form: Mapping[str, Json]) -> None:
        """Take in an event that the portal has sent by itself; one that cannot be understood is passed over."""
        auth = form.get("auth")
        user = str(auth.get("user_id", "")) if isinstance(auth, Mapping) else ""
        hint = hint_of(form.get("event"), form.get("data"), int(user) if user.isascii() and user.isdecimal() else 0)
        if hint is None:
            _log.warning(events.HINTS_UNREADABLE, portal=self.name, rows=1)
            return
        self._hear(hint)
        self._bell.set()

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

        What was heard of again since it began stays for the next one: it may have looked before that.
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

    async def _bind(self, portal: Portal) -> None:
        now = self.clock.monotonic()
        if self._tended_at is None or now - self._tended_at > _TENDED_EVERY_S:
            self._tended_at = now
            if portal.application is not None:
                await portal.application.tend()
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

    def _hear(self, hint: Hint) -> None:
        self._heard[hint.kind, hint.id, hint.deleted] = hint
        if len(self._heard) > _MOST_WAITING:
            self._heard.pop(next(iter(self._heard)))  # which the next reading of the portal finds

    async def _take_in(self) -> None:
        """Look at what is ours of all that was heard, keep what is not as it was left, and start the passes.

        If the portal does not answer, it is looked at with the next polls: the queue does not give it again.
        """
        heard = dict(self._heard)
        found: dict[str, dict[int, int]] = {}
        for sync, links in (await self._linked(tuple(heard.values()))).items():
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
        for key, hint in heard.items():
            if self._heard.get(key) is hint:
                del self._heard[key]
        if found:
            for sync, users in found.items():
                _log.info(events.EDITS_HEARD, portal=self.name, sync=sync, edits=len(users))
                self.poke(sync)

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
        """Wait for the next poll, or until the portal calls and has had a second for more."""
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
        if self._failures >= _TOLD_AFTER and not self.trouble:
            self.trouble = reason
            _log.warning(events.HINTS_STOPPED, portal=self.name, reason=self.trouble)

    def _worked(self) -> None:
        if self.trouble:
            _log.info(events.HINTS_RESUMED, portal=self.name)
        self._failures, self.trouble = 0, ""
