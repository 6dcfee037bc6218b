"""A play in which everything goes wrong: people edit, answers get lost, the process dies, the ledger is lost.

What holds afterwards is said in `check_converged`; which moves there are, in `test_machine`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import orjson

from syncd.cycle.result import PassResult
from syncd.cycle.run import PassOptions, run_pass
from syncd.model.item import Link
from syncd.portal.answers import RawAnswer
from syncd.sandbox.faults import FaultLine, parse_fault
from syncd.sandbox.rows import Event
from syncd.sandbox.seed import default_world
from syncd.sandbox.wire import PortalRequest
from syncd.state.ledger import Ledger
from syncd.target.observe import bare
from tests.support.sandbox import NOON, SHIFTS, Stage, WorldTransport, run_inline

PEOPLE = {
    user.email.partition("@")[0]: user.id
    for user in default_world().users
    if user.email.startswith(("anna.petrova", "ivan.sokolov"))
}
HEADER = "ID,Shift,Start,End,E-mail,Place,Rule\n"
BASE = datetime.fromtimestamp(NOON, UTC).replace(tzinfo=None)
CONFIG = SHIFTS.replace('location = "Place"', 'location = "Place"\nrrule = "Rule"').replace(
    "removed_after = 1", 'removed_after = 1\nmax_removed = "100%"\nmax_changed = "100%"\n{more}'
)


class Killed(BaseException):
    """The process is dead from here on."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Death at the n-th request or ledger call, before or after it was carried out."""

    at: str
    number: int
    after: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the source."""

    title: str
    day: int
    hour: int
    owner: str
    place: str
    rule: str

    def line(self, uid: str) -> str:
        start = BASE.replace(hour=self.hour, minute=0) + timedelta(days=self.day)
        end = start + timedelta(hours=1)
        times = f"{start:%Y-%m-%d %H:%M},{end:%Y-%m-%d %H:%M}"
        return f'{uid},"{self.title}",{times},{self.owner}@school.example,{self.place},{self.rule}\n'


class DyingTransport(WorldTransport):
    """A transport that dies with its process."""

    life: Life

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        self.life.meets("request", after=False)
        answering = super().post(method, body, timeout_s)
        try:
            return await answering
        finally:
            self.life.meets("request", after=True)


@dataclass(slots=True)
class Life:
    """The life of one process: how much it has done, and when it ends."""

    kill: Kill | None = None
    dead: bool = False
    met: dict[tuple[str, bool], int] = field(default_factory=dict)

    def meets(self, what: str, *, after: bool) -> None:
        if self.dead:
            raise Killed
        place = (what, after)
        self.met[place] = self.met.get(place, 0) + 1
        kill = self.kill
        if kill is not None and (kill.at, kill.after) == place and self.met[place] == kill.number:
            self.dead = True
            raise Killed


@contextlib.contextmanager
def mortal(life: Life) -> Iterator[None]:
    """Let every call of the ledger be one that the process may die at; once dead, it writes nothing more."""
    do: Callable[..., Coroutine[Any, Any, Any]] = Ledger._do

    async def dying(self: Ledger, *args: Any, **kwargs: Any) -> Any:
        life.meets("ledger", after=False)
        result = await do(self, *args, **kwargs)
        life.meets("ledger", after=True)
        return result

    Ledger._do = dying  # type: ignore[method-assign]
    try:
        yield
    finally:
        Ledger._do = do  # type: ignore[method-assign]


class Play:
    """A source, a portal with people at work in it, and processes that come and go."""

    def __init__(self, folder: Path, *, marker: bool) -> None:
        more = 'marker = "description"' if marker else ""
        self.stage = Stage(folder, CONFIG.replace("{more}", more))
        self.stage.transport = DyingTransport(self.stage.world, self.stage.clock)
        self.stage.transport.life = Life()
        self.rows: dict[str, Row] = {}
        self.foreign = {number: (event.version, event.name) for number, event in self.events().items()}
        self.orphans: set[int] = set()
        self.edits = 0
        self.last: PassResult | None = None

    # What people do.

    def ask(self, method: str, **params: Any) -> Any:
        body = orjson.dumps(params)
        path = f"/rest/1/sandboxadmin/{method}"
        request = PortalRequest(path=path, content_type="application/json", body=body, address="10.0.0.9")
        response = self.stage.world.handle(self._now(), request)
        return orjson.loads(response.body).get("result")

    def _now(self) -> float:
        clock = self.stage.clock
        return clock.start + clock.offset_s + clock._last

    def events(self) -> dict[int, Event]:
        calendars = self.stage.world.calendars()
        return {event.id: event for calendar in calendars for event in self.stage.world.events(*calendar)}

    def ours(self) -> list[Event]:
        return [event for event in self.events().values() if event.id not in self.orphans | set(self.foreign)]

    def add_foreign(self, owner: int, number: int) -> None:
        own = [event for event in self.ours() if event.owner_id == owner]
        sections = {event.section_id for event in own}  # among ours, where there are some
        params: dict[str, Any] = {"type": "user", "ownerId": owner, "name": f"Foreign {number}", "skip_time": "N"}
        if sections:
            params["section"] = min(sections)
        params |= {"from": "2026-12-01T10:00:00", "to": "2026-12-01T11:00:00", "timezone_from": "Europe/Moscow"}
        made = self.ask("calendar.event.add", **params)
        if isinstance(made, int):
            event = self.events()[made]
            self.foreign[made] = (event.version, event.name)

    def edit(self, which: int) -> None:
        """A person renames one of ours, at most twice in a play: the third time syncd would leave it."""
        own = sorted(self.ours(), key=lambda event: event.id)
        if not own or self.edits >= 2:
            return
        event = own[which % len(own)]
        self.edits += 1
        wall = {"from": "2026-12-24T10:00:00", "to": "2026-12-24T11:00:00"}
        zones = {"timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow"}
        self.ask(
            "calendar.event.update", id=event.id, type="user", ownerId=event.owner_id, name="Edited",
            section=event.section_id, skip_time="N", **wall, **zones,
        )  # fmt: skip

    def delete(self, which: int) -> None:
        own = sorted(self.ours(), key=lambda event: event.id)
        if own:
            self.ask("calendar.event.delete", id=own[which % len(own)].id)

    # What the machine goes through.

    def arm(self, *faults: str, waf: bool | None = None) -> None:
        world = self.stage.world
        world.settings = replace(world.settings, waf=world.settings.waf if waf is None else waf)
        world._line = FaultLine(tuple(parse_fault(text) for text in faults), Random(1))

    def lose_ledger(self) -> None:
        self.orphans |= {event.id for event in self.ours()}
        for suffix in ("", "-wal", "-shm"):
            (self.stage.folder / "state" / f"syncd.db{suffix}").unlink(missing_ok=True)

    def one_pass(self, *, verify: bool = False, faults: tuple[str, ...] = (), kill: Kill | None = None) -> None:
        """Run the program once; it may die on the way."""
        lines = "".join(row.line(uid) for uid, row in sorted(self.rows.items()))
        self.stage.write("shifts.csv", HEADER + lines)
        self.arm(*faults)
        life = Life(kill)
        assert isinstance(self.stage.transport, DyingTransport)
        self.stage.transport.life = life
        self.last = None
        with mortal(life), contextlib.suppress(Killed, BaseExceptionGroup):
            self.last = run_inline(self._program(verify))
        if not life.dead:
            assert self.last is not None, "the pass ended in a defect"
        self.arm()
        self.stage.clock.offset_s += self.stage.clock._last
        self.stage.clock._last, self.stage.clock._loop = 0.0, None
        self.check_foreign()

    async def _program(self, verify: bool) -> PassResult:
        async with self.stage.opened() as (setups, world):
            return await run_pass(setups["shifts"], world, PassOptions(verify=verify), stop=asyncio.Event())

    # What must hold.

    def check_foreign(self) -> None:
        events = self.events()
        for number, what in self.foreign.items():
            assert number in events, "a foreign event is gone"
            assert (events[number].version, events[number].name) == what, "a foreign event was touched"

    def check_converged(self) -> None:
        """Heal everything, let passes run, and see that each entry is there once and nothing else has changed."""
        for _ in range(8):
            self.one_pass(verify=True)
            assert self.last is not None
            if self.last.exit_code == 0:
                break
            self.stage.clock.advance(25 * 3600)
        assert self.last is not None
        assert self.last.exit_code == 0, self.last.record
        self.stage.clock.advance(600)
        self.stage.world.settle(self._now())  # what was cut and is still at work comes to its end
        links = run_inline(self._links())
        events = self.events()
        self._check_rows(links, events)
        linked = {link.remote_id for link in links if link.remote_id in events}
        assert len(linked) == sum(link.remote_id in events for link in links), "two links to one event"
        assert set(events) == linked | set(self.foreign) | (self.orphans & set(events)), "an event nobody knows"
        names = [(s.calendar, s.name) for s in self.stage.world.tables.sections.values() if s.name == "Shifts"]
        assert len(names) == len(set(names)), "a section was made twice"
        before = {number: event.version for number, event in events.items()}
        self.one_pass(verify=True)
        counts = self.last.record.counts
        assert not any(counts[name] for name in ("created", "updated", "deleted", "adopted")), counts
        assert before == {number: event.version for number, event in self.events().items()}

    def _check_rows(self, links: tuple[Link, ...], events: dict[int, Event]) -> None:
        today = datetime.fromtimestamp(self.stage.clock.start + self.stage.clock.offset_s, UTC).date()
        for uid, row in self.rows.items():
            first = (BASE + timedelta(days=row.day)).date()
            last = first + timedelta(days=0 if not row.rule else 21)
            if last < today - timedelta(days=29) or first > today + timedelta(days=364):
                continue  # outside the window, or at its edge
            if row.rule and first < today - timedelta(days=29):
                continue
            own = [link for link in links if link.key.uid == uid]
            assert len(own) == 1, f"{uid} has {len(own)} links"
            event = events[own[0].remote_id]
            assert bare(event.name) == bare(row.title)
            assert (event.location or "") == row.place
            assert event.owner_id == PEOPLE[row.owner]
            assert event.stored.date_from.hour == row.hour
            assert event.stored.date_from.date() == first

    async def _links(self) -> tuple[Link, ...]:
        async with self.stage.opened() as (_, world):
            return await world.ledger.links("shifts")
