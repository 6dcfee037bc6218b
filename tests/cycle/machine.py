"""A play in which everything goes wrong: people edit, answers get lost, the process dies, the ledger is lost.

What holds afterwards is said in `check_converged`; which moves there are, in `test_machine`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import orjson
from dateutil.rrule import rrulestr

from syncd.app.application import App
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.cycle.sync import Sync
from syncd.cycle.takeback import Offer, Taken, purge, undo
from syncd.model.item import Hold, Link
from syncd.model.observation import bare
from syncd.portal.line.answers import RawAnswer
from syncd.sandbox.faults import FaultLine, parse_fault
from syncd.sandbox.php.wire import PortalRequest
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.series.series import occurrences
from syncd.sandbox.tables.database import Event, Tables
from syncd.state.sqlite.store import FileStore
from tests.support.mutation import MutatingTransport, Mutation
from tests.support.sandbox import NOON, SHIFTS, WEBHOOK, SimClock, Stage, run_inline

T = TypeVar("T")

PEOPLE = {
    user.email.partition("@")[0]: user.id
    for user in default_world().users
    if user.email.startswith(("anna.petrova", "ivan.sokolov"))
}
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
HEADER = "ID,Shift,Start,End,E-mail,Place,Rule\n"
BASE = datetime.fromtimestamp(NOON, UTC).replace(tzinfo=None)
CONFIG = SHIFTS.replace('location = "Place"', 'location = "Place"\nrrule = "Rule"').replace(
    "removed_after = 1", 'removed_after = {passes}\nmax_removed = "60%"\nmax_changed = "100%"\n{more}'
)
SYNCS = ("shifts", "extras")
"""Two syncs of one portal that write into the same sections."""
_SUSPECT = re.compile(r"id (\d+)\) may be this one: ")
_LOOKALIKE = re.compile(r"looks like .* id (\d+)\), which syncd did not make")


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

    @property
    def start(self) -> datetime:
        return BASE.replace(hour=self.hour, minute=0) + timedelta(days=self.day)

    @property
    def said(self) -> str:
        """The rule, with days that fit the start put in."""
        day = self.start.weekday()
        return self.rule.format(
            day=WEEKDAYS[day], other=WEEKDAYS[(day + 2) % 7], nth=(self.start.day - 1) // 7 + 1, far=self.start.year + 1
        )

    def line(self, uid: str) -> str:
        end = self.start + timedelta(hours=1)
        times = f"{self.start:%Y-%m-%d %H:%M},{end:%Y-%m-%d %H:%M}"
        return f'{uid},"{self.title}",{times},{self.owner}@school.example,{self.place},"{self.said}"\n'

    def starts(self, first: date, last: date) -> Counter[datetime]:
        """Return when it takes place from `first` to `last`, by the RFC."""
        low, high = datetime.combine(first, datetime.min.time()), datetime.combine(last, datetime.max.time())
        if not self.rule:
            return Counter([self.start] if low <= self.start <= high else [])
        return Counter(rrulestr(self.said, dtstart=self.start).between(low, high, inc=True))


class DyingTransport(MutatingTransport):
    """A transport that dies with its process; what it brings may be wrong."""

    life: Life

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        self.life.meets("request", after=False)
        answering = super().post(method, body, timeout_s)
        try:
            return await answering
        finally:
            self.life.meets("request", after=True)


class PortalClock:
    """The portal's clock; it goes on when the machine's is set back."""

    def __init__(self, machine: SimClock) -> None:
        self._machine = machine
        self.ahead_s = 0.0

    def now(self) -> float:
        return self._machine.now() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        await self._machine.sleep(seconds)


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
    do: Callable[..., Coroutine[Any, Any, Any]] = FileStore.do

    async def dying(self: FileStore, *args: Any, **kwargs: Any) -> Any:
        life.meets("ledger", after=False)
        result = await do(self, *args, **kwargs)
        life.meets("ledger", after=True)
        return result

    FileStore.do = dying  # type: ignore[method-assign]
    try:
        yield
    finally:
        FileStore.do = do  # type: ignore[method-assign]


class Play:
    """A source, a portal with people at work in it, and processes that come and go."""

    def __init__(self, folder: Path, *, marker: bool, passes: int, private: bool = False) -> None:
        more = 'marker = "description"' if marker else ""
        config = CONFIG + ("[sync.fields]\nprivate = true\n" if private else "")
        config = config.replace("{more}", more).replace("{passes}", str(passes))
        head, joint, first = config.partition("[[sync]]")
        second = first.replace('name = "shifts"', 'name = "extras"').replace("shifts.csv", "extras.csv")
        self.stage = Stage(folder, head + joint + first + joint + second)
        self.marker = marker
        self.portal = PortalClock(self.stage.clock)
        self.transport = DyingTransport(self.stage.world, self.portal)  # type: ignore[arg-type]
        self.transport.life = Life()
        self.stage.transport = self.transport
        self.removed_after = passes
        self.rows: dict[str, dict[str, Row]] = {sync: {} for sync in SYNCS}
        self.foreign = {number: (event.version, event.name) for number, event in self.events().items()}
        self.orphans: set[int] = set()
        self.told: set[int] = set()
        self.shaken = False
        self.kept: tuple[Tables, dict[int, tuple[int, str]], set[int]]
        self.stage.world.tables.users[2].admin = True  # so that there are two
        self.back_up()
        self.edits = 0
        self.last: PassResult | Taken | None = None

    # What people do.

    def ask(self, method: str, **params: Any) -> Any:
        body = orjson.dumps(params)
        path = f"/rest/1/sandboxadmin/{method}"
        request = PortalRequest(path=path, content_type="application/json", body=body, address="10.0.0.9")
        response = self.stage.world.handle(self._now(), request)
        return orjson.loads(response.body).get("result")

    def _now(self) -> float:
        clock = self.stage.clock
        return clock.start + clock.offset_s + clock._last + self.portal.ahead_s

    def events(self) -> dict[int, Event]:
        calendars = self.stage.world.calendars()
        return {event.id: event for calendar in calendars for event in self.stage.world.events(*calendar)}

    def ours(self) -> list[Event]:
        return [event for event in self.events().values() if event.id not in self.orphans | set(self.foreign)]

    def linked(self) -> set[int]:
        """Return the ids the ledger knows, of whichever sync; none where it was lost."""
        path = self.stage.folder / "state" / "syncd.db"
        if not path.exists():
            return set()
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return {number for (number,) in connection.execute("SELECT remote_id FROM links")}

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

    def imitate(self, row: Row) -> None:
        """A person makes an event with a row's title and time in the section of ours, and with a text of its own."""
        owner = PEOPLE[row.owner]
        sections = [one.id for one in self.stage.world.tables.sections_of(("user", owner)) if one.name == "Shifts"]
        times = {"from": row.start.isoformat(), "to": (row.start + timedelta(hours=1)).isoformat(), "skip_time": "N"}
        zones = {"timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow"}
        if sections and not row.rule:
            made = self.ask(
                "calendar.event.add", type="user", ownerId=owner, section=min(sections), name=row.title,
                description="Bring the budget", **times, **zones,
            )  # fmt: skip
            self.foreign[made] = (1, self.events()[made].name)

    def tells(self, event: Event) -> bool:
        """Return True if an open create tells that `event`, which nobody has edited yet, is ours.

        Not after anything that people may do but rarely: who made it, when, or which id it got tells nothing then.
        """
        path = self.stage.folder / "state" / "syncd.db"
        if self.shaken or not path.exists():
            return False
        with contextlib.closing(sqlite3.connect(path)) as connection:
            found = connection.execute(
                "SELECT fields, created_at FROM intents WHERE op = 'create' AND calendar = 'user' AND owner = ?",
                (event.owner_id,),
            ).fetchall()
        start = event.stored.date_from.isoformat()
        return any(
            orjson.loads(fields)["start"] == start
            and bare(orjson.loads(fields)["name"]) == bare(event.name)
            and abs(event.created_at - at) < 60
            for fields, at in found
        )

    def edit(self, which: int, *, moves: bool) -> None:
        """A person renames one of ours, at most twice in a play: the third time syncd would leave it.

        Or moves it to the first section of its calendar that is another one.
        """
        own = sorted(self.ours(), key=lambda event: event.id)
        if not own or self.edits >= 2:
            return
        event = own[which % len(own)]
        self.edits += 1
        sections = self.stage.world.tables.sections_of(event.calendar)
        others = [section.id for section in sections if section.id != event.section_id]
        section = others[0] if moves and others else event.section_id
        if event.id not in self.linked() and (not self.marker or section != event.section_id):
            if self.tells(event):
                self.told.add(event.id)
            elif event.id not in self.told:
                self.orphans.add(event.id)  # its create was given up: nothing tells any more whose it was
        wall = {"from": "2026-12-24T10:00:00", "to": "2026-12-24T11:00:00"}
        zones = {"timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow"}
        self.ask(
            "calendar.event.update", id=event.id, type="user", ownerId=event.owner_id, name="Edited",
            section=section, skip_time="N", **wall, **zones,
        )  # fmt: skip

    def take_out(self, which: int) -> None:
        """A person changes the second occurrence of one of our series: the portal makes it an event of its own."""
        series = sorted((event for event in self.ours() if event.stored.rule is not None), key=lambda event: event.id)
        if not series:
            return
        event = series[which % len(series)]
        step = {"DAILY": 1, "WEEKLY": 7}.get(event.stored.rule.freq if event.stored.rule else "", 1)
        day = event.stored.date_from.date() + timedelta(days=step)
        known = set(self.events())
        self.ask(
            "calendar.event.update", id=event.id, type="user", ownerId=event.owner_id, name="Cancelled", skip_time="N",
            recurrence_mode="this", current_date_from=day.isoformat(), timezone_from="Europe/Moscow",
            timezone_to="Europe/Moscow",
        )  # fmt: skip
        self.orphans |= set(self.events()) - known

    def delete(self, which: int) -> None:
        own = sorted(self.ours(), key=lambda event: event.id)
        if own:
            self.ask("calendar.event.delete", id=own[which % len(own)].id)

    def delete_section(self, owner: int) -> None:
        """A person deletes the section that syncd made, and with it whatever stands in it, their own too."""
        for section in self.stage.world.tables.sections_of(("user", owner)):
            if section.name == "Shifts":
                self.ask("calendar.section.delete", id=section.id, type="user", ownerId=owner)
        left = self.events()
        self.foreign = {number: what for number, what in self.foreign.items() if number in left}

    def make_again(self, which: int) -> None:
        """A person deletes one of ours and makes the same again; it is taken over, or stays theirs."""
        own = [one for one in sorted(self.ours(), key=lambda one: one.id) if one.stored.rule is None]
        if not own:
            return
        event = own[which % len(own)]
        self.ask("calendar.event.delete", id=event.id)
        wall = {"from": event.stored.date_from.isoformat(), "to": event.stored.date_to.isoformat()}
        made = self.ask(
            "calendar.event.add", type="user", ownerId=event.owner_id, name=event.name, section=event.section_id,
            description=event.description, location=event.location, private_event="Y" if event.private else "N",
            skip_time="N", timezone_from=event.stored.tz_from, timezone_to=event.stored.tz_to, **wall,
        )  # fmt: skip
        if isinstance(made, int):
            self.orphans.add(made)

    def settle_lookalikes(self) -> None:
        """People read which events keep entries waiting, and delete them."""
        for sync in SYNCS:
            for hold in self.looked(self._holds(sync)):
                suspected = _SUSPECT.search(hold.reason)
                if named := suspected or _LOOKALIKE.match(hold.reason):
                    number = int(named[1])
                    known = number in self.orphans | set(self.foreign)
                    assert known or (suspected and self.shaken), "an entry waits for one of ours"
                    self.foreign.pop(number, None)
                    self.ask("calendar.event.delete", id=number)

    # What the machine goes through.

    def back_up(self) -> None:
        """The portal makes a backup of itself."""
        self.kept = (deepcopy(self.stage.world.tables), dict(self.foreign), set(self.orphans))

    def restore(self) -> None:
        """The portal goes back to its backup: what was made since is gone, its ids come again, the deleted is back."""
        self.shaken = True
        tables, foreign, orphans = self.kept
        stood = {event.id for event in tables.all_events()}
        self.stage.world.tables = deepcopy(tables)
        self.foreign = dict(foreign)
        self.orphans = orphans | (self.orphans & stood) | (stood - set(foreign) - self.linked())
        self.stage.clock.advance(5_003)

    def hand_over(self) -> None:
        """Another administrator's webhook is put into the config, or the first one's again."""
        self.shaken = True
        first = self.transport.webhook == WEBHOOK
        self.transport.webhook = WEBHOOK.replace("/1/sandboxadmin/", "/2/sandboxstaff/") if first else WEBHOOK

    def unmask(self) -> None:
        """Let both administrators see every event."""
        for event in self.stage.world.tables.all_events():
            event.attendees = tuple({*event.attendees, 1, 2})

    def set_clock(self, seconds: float) -> None:
        self.shaken = True
        self.stage.clock.set(seconds)
        self.portal.ahead_s -= seconds

    def start_machine_anew(self) -> None:
        self.shaken = True
        self.stage.clock.boot += "'"

    def arm(self, *faults: str, waf: bool | None = None) -> None:
        world = self.stage.world
        world.settings = replace(world.settings, waf=world.settings.waf if waf is None else waf)
        world._line = FaultLine(tuple(parse_fault(text) for text in faults), Random(1))

    def let_all_end(self) -> None:
        """Let requests that still wait in the portal come to their end: who has forgotten them cannot wait for them."""
        self.stage.clock.advance(600)
        self.stage.world.settle(self._now())

    def lose_ledger(self) -> None:
        self.let_all_end()
        self.shaken = True
        self.orphans |= {event.id for event in self.ours()}
        for suffix in ("", "-wal", "-shm"):
            (self.stage.folder / "state" / f"syncd.db{suffix}").unlink(missing_ok=True)

    def back_up_ledger(self) -> None:
        """Copy the ledger as it is now, beside one another with what is known of ours."""
        path = self.stage.folder / "state" / "syncd.db"
        if path.exists():
            with (
                contextlib.closing(sqlite3.connect(path)) as ledger,
                contextlib.closing(sqlite3.connect(self.stage.folder / "backup.db")) as copy,
            ):
                ledger.backup(copy)

    def restore_ledger(self, *, whole: bool) -> None:
        """Put the last copy back, in place of the ledger; `whole`: the machine forgot the echo too, as after a loss.

        What it does not know any more counts as ours while nobody has touched it, or it bears a mark.
        """
        copy = self.stage.folder / "backup.db"
        if not copy.exists():
            return
        self.let_all_end()
        path = self.stage.folder / "state" / "syncd.db"
        path.parent.mkdir(exist_ok=True)
        for suffix in ("-wal", "-shm", *((".echo",) if whole else ())):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        path.write_bytes(copy.read_bytes())
        self.shaken = True
        known = self.linked()
        self.orphans |= {event.id for event in self.ours() if event.id not in known}

    def one_pass(
        self,
        sync: str,
        *,
        verify: bool,
        force: bool,
        faults: tuple[str, ...] = (),
        kill: Kill | None = None,
        mutation: Mutation | None = None,
    ) -> None:
        """Run the program once; it may die on the way."""
        self.transport.mutation = mutation
        lines = "".join(row.line(uid) for uid, row in sorted(self.rows[sync].items()))
        self.stage.write(f"{sync}.csv", HEADER + lines)
        self._live(lambda: self._pass(sync, PassOptions(verify=verify, force=force)), faults, kill)
        self.transport.mutation = None

    def broken_pass(self, sync: str, text: str) -> None:
        """Run the program while its source is no schedule; it must not take that for an empty one."""
        self.stage.write(f"{sync}.csv", text)
        self._live(lambda: self._pass(sync, PassOptions(force=True)), (), None)
        assert isinstance(self.last, PassResult)
        assert self.last.exit_code == 5
        assert self.last.prepared is None or self.last.prepared.plan.count("delete") == 0

    def take_back(self, sync: str, *, everything: bool, faults: tuple[str, ...] = (), kill: Kill | None = None) -> None:
        """Undo the last run of a sync, or purge the sync."""
        self._live(lambda: self._take_back(sync, everything=everything), faults, kill)

    def _live(
        self,
        program: Callable[[], Coroutine[Any, Any, PassResult | Taken | None]],
        faults: tuple[str, ...],
        kill: Kill | None,
    ) -> None:
        self.arm(*faults)
        life = Life(kill)
        self.transport.life = life
        self.last, ended = None, False
        with mortal(life), contextlib.suppress(Killed, BaseExceptionGroup):
            self.last = run_inline(program())
            ended = True
        assert ended or life.dead, "the program ended in a defect"
        self.arm()
        self.stage.clock.offset_s += self.stage.clock._last
        self.stage.clock._last, self.stage.clock._loop = 0.0, None
        self.check_foreign()

    async def _pass(self, sync: str, options: PassOptions) -> PassResult:
        async with self.stage.opened() as (syncs, app):
            return await run_pass(app.open_pass(syncs[sync], asyncio.Event()), options)

    async def _take_back(self, sync: str, *, everything: bool) -> Taken | None:
        async with self.stage.opened() as (syncs, app):
            if everything:
                return await purge(app.open_pass(syncs[sync], asyncio.Event()), confirm=_agreed)
            last = await app.ledger.of(sync).last_pass()
            if last is None:
                return None
            return await undo(app.open_pass(syncs[sync], asyncio.Event()), last.id, confirm=_agreed)

    # What must hold.

    def check_foreign(self) -> None:
        events = self.events()
        for number, what in self.foreign.items():
            assert number in events, "a foreign event is gone"
            assert (events[number].version, events[number].name) == what, "a foreign event was touched"

    def check_converged(self) -> None:
        """Heal everything, let passes run, and see that each entry is there once and nothing else has changed."""
        self.unmask()
        for done in range(9):
            codes = [self._passed(sync) for sync in SYNCS]
            if not any(codes) and done >= self.removed_after:
                break
            self.settle_lookalikes()
            self.stage.clock.advance(25 * 3600)
        assert not any(codes), self.last
        self.let_all_end()
        links: dict[str, tuple[Link, ...]] = {sync: self.looked(self._links(sync)) for sync in SYNCS}
        events = self.events()
        for sync in SYNCS:
            self._check_rows(self.rows[sync], links[sync], events)
        every = [link.remote_id for sync in SYNCS for link in links[sync] if link.remote_id in events]
        assert len(set(every)) == len(every), "two links to one event"
        assert set(events) == set(every) | set(self.foreign) | (self.orphans & set(events)), "an unknown event"
        names = [(s.calendar, s.name) for s in self.stage.world.tables.sections.values() if s.name == "Shifts"]
        assert len(names) == len(set(names)), "a section was made twice"
        before = {number: event.version for number, event in events.items()}
        for sync in SYNCS:
            self._passed(sync)
            assert isinstance(self.last, PassResult)
            counts = self.last.record.counts
            assert not any(counts[name] for name in ("created", "updated", "deleted", "adopted")), counts
        assert before == {number: event.version for number, event in self.events().items()}

    def _passed(self, sync: str) -> int:
        self.one_pass(sync, verify=True, force=True)
        assert isinstance(self.last, PassResult)
        return self.last.exit_code

    def _check_rows(self, rows: dict[str, Row], links: tuple[Link, ...], events: dict[int, Event]) -> None:
        """See that every row is shown as it says on every day that is surely in the window."""
        today = datetime.fromtimestamp(self.stage.clock.start + self.stage.clock.offset_s, UTC).date()
        first, last = today - timedelta(days=28), today + timedelta(days=363)
        low, high = datetime.combine(first, datetime.min.time()), datetime.combine(last, datetime.max.time())
        for uid, row in rows.items():
            own = [
                events[link.remote_id]
                for link in links
                if link.key.uid == uid
                and link.remote_id in events
                and link.starts_on <= last.isoformat()
                and (link.ends_on is None or link.ends_on >= first.isoformat())  # what is past is left as it is
            ]
            said = row.starts(first, last)
            shown = Counter(
                start
                for event in own
                for start, _ in occurrences(event.stored, low, high, "Europe/Moscow", exact=True)
                if low <= start <= high
            )
            assert shown == said, f"{uid} is shown at {shown}, not {said}"
            for event in own if said else ():
                assert bare(event.name) == bare(row.title)
                assert ((event.location or ""), event.owner_id) == (row.place, PEOPLE[row.owner])

    def looked(self, look: Coroutine[Any, Any, T]) -> T:
        """Return what a look into the ledger finds."""
        return run_inline(look)

    def opened(self) -> AbstractAsyncContextManager[tuple[Mapping[str, Sync], App]]:
        """Open ledger and client, to look into the ledger."""
        return self.stage.opened()

    async def _links(self, sync: str) -> tuple[Link, ...]:
        async with self.opened() as (_, app):
            return await app.ledger.of(sync).links()

    async def _holds(self, sync: str) -> tuple[Hold, ...]:
        async with self.opened() as (_, app):
            return await app.ledger.of(sync).holds()


async def _agreed(_offer: Offer) -> bool:
    return True
