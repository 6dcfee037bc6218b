"""How a machine takes its share of the portals and gives it back: what happens to its passes, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from syncd.app.application import App
from syncd.app.configured import read_config
from syncd.app.wiring import make_syncs, open_app
from syncd.errors import StateUnavailableError
from syncd.model.lease import Board, Lease, LeaseTerms, Member
from syncd.model.tenure import Tenure
from syncd.service.tenancy import Tenancy
from syncd.service.tracked import Scheduled
from tests.support.simclock import VirtualClock, run_virtual

TERMS = LeaseTerms()


class FakeLeases:
    """Leases of one process on a board that the test writes."""

    def __init__(self, told: list[str]) -> None:
        self.who = SimpleNamespace(holder="one", host="one", pid=1)
        self.terms = TERMS
        self.board = Board()
        self.trouble = ""
        self.tenures: Mapping[str, Tenure] = {}
        self.changed = asyncio.Event()
        self.epoch = 0
        self.broken = False
        self.failure: BaseException | None = None
        self._told = told

    def show(self, members: Iterable[Member], leases: Iterable[Lease] = ()) -> None:
        self.board = Board(leases=tuple(leases), members=tuple(members))
        self.changed.set()
        self.changed = asyncio.Event()

    async def join(self, portals: Mapping[str, int]) -> None:
        self._told.append(f"join {dict(portals)}")

    async def part(self) -> None:
        self._told.append("part")

    async def take(self, portal: str) -> Tenure | None:
        if self.broken:
            raise StateUnavailableError("the database is away")
        held = self.board.lease(portal)
        if held is not None and held.held:
            return None
        self.epoch += 1
        loop = asyncio.get_running_loop()
        tenure = Tenure(portal, "one", self.epoch, clock=loop.time, deadline=TERMS.deadline(loop.time()))
        self.tenures = {**self.tenures, portal: tenure}
        self._told.append(f"take {portal}")
        return tenure

    async def give_back(self, portals: Sequence[str]) -> None:
        self.forget(portals)
        self._told.extend(f"give back {portal}" for portal in portals)

    def forget(self, portals: Collection[str]) -> None:
        for portal in portals:
            if portal in self.tenures:
                self.tenures[portal].end("it was given back")
        self.tenures = {name: one for name, one in self.tenures.items() if name not in portals}

    async def ask_back(self, portal: str) -> bool:
        return False

    async def look(self) -> Board:
        return self.board

    async def close(self) -> None:
        self._told.append("close")


class FakeDaemon:
    """Passes of which each takes `pass_s` to end in order."""

    def __init__(self, told: list[str]) -> None:
        self.pass_s = 0.0
        self._told = told

    def begin_again(self, syncs: Iterable[Scheduled]) -> None:
        self._told.append("schedule " + ", ".join(one.name for one in syncs))

    async def cut_off(self, names: Iterable[str]) -> None:
        self._told.append("cut off " + ", ".join(names))

    @asynccontextmanager
    async def drained(self, names: Iterable[str]) -> AsyncIterator[None]:
        await asyncio.sleep(self.pass_s)
        self._told.append("ended " + ", ".join(names))
        yield


class FakeApp:
    """Two portals: `main` with two syncs, `branch` with one."""

    def __init__(self, told: list[str]) -> None:
        syncs = (("a", "main"), ("b", "main"), ("c", "branch"))
        self.config = SimpleNamespace(
            syncs=[SimpleNamespace(name=name, portal=portal) for name, portal in syncs],
            portals=[SimpleNamespace(name="main"), SimpleNamespace(name="branch")],
        )
        self.clock = VirtualClock()
        self.ledger = SimpleNamespace(of=self._of, break_off=lambda: told.append("break off"))
        self._told = told

    def _of(self, name: str) -> Any:
        async def end_left_runs(_now: float) -> None:
            self._told.append(f"end runs of {name}")

        return SimpleNamespace(end_left_runs=end_left_runs)

    def ties(self) -> list[tuple[str, ...]]:
        return [(portal.name,) for portal in self.config.portals]

    async def disconnect(self, name: str) -> None:
        self._told.append(f"disconnect {name}")

    async def reconnect(self, name: str) -> None:
        self._told.append(f"reconnect {name}")


class Scene:
    """One machine, whose deeds are `told` in their order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.leases = FakeLeases(self.told)
        self.daemon = FakeDaemon(self.told)
        self.stop = asyncio.Event()
        app = cast(App, FakeApp(self.told))
        self.tenancy = Tenancy(app, cast(Any, self.leases), self.daemon, self._scheduled)
        self.task = asyncio.create_task(self.tenancy.run(self.stop))

    async def _scheduled(self, names: Collection[str]) -> list[Scheduled]:
        return [cast(Scheduled, SimpleNamespace(name=name)) for name in names]

    async def shown(self, members: Iterable[Member], leases: Iterable[Lease] = ()) -> list[str]:
        """Show a board, and return what was done because of it."""
        await asyncio.sleep(0.01)  # it has begun by then
        self.told.clear()
        self.leases.show(members, leases)
        await asyncio.sleep(0.01)
        return [*self.told]

    async def stopped(self) -> list[str]:
        self.told.clear()
        self.stop.set()
        await self.task
        return self.told


def member(name: str, left_s: float = 10.0) -> Member:
    return Member(holder=name, left_s=left_s, portals={"main": 2, "branch": 1})


def lease(portal: str, holder: str, left_s: float = 10.0, epoch: int = 1) -> Lease:
    return Lease(portal=portal, holder=holder, epoch=epoch, left_s=left_s, host=f"host-{holder}", pid=7, since=0.0)


def played(main: Coroutine[Any, Any, None]) -> None:
    run_virtual(main)


def test_a_portal_is_taken_with_fresh_budgets_and_schedules_before_a_pass_may_start() -> None:
    async def main() -> None:
        scene = Scene()
        await asyncio.sleep(0.01)
        assert scene.told == ["join {'branch': 1, 'main': 2}"]
        assert scene.tenancy.away("main") == "held by no machine yet"
        done = await scene.shown([member("one"), member("two")], [lease("branch", "two")])
        assert done == ["take main", "end runs of a", "end runs of b", "reconnect main", "schedule a, b"]
        assert scene.tenancy.away("main") is None
        assert scene.tenancy.away("branch") == "held by host-two (pid 7) since 1970-01-01T00:00:00Z"
        await scene.stopped()

    played(main())


def test_a_portal_is_given_back_only_after_its_passes_have_ended() -> None:
    async def main() -> None:
        scene = Scene()
        await scene.shown([member("one")])
        scene.daemon.pass_s = 5.0
        done = await scene.shown([member("one"), member("two")], [lease("main", "one"), lease("branch", "one")])
        assert done == []
        assert scene.tenancy.away("branch") is None  # it works on
        await asyncio.sleep(5)
        assert scene.told == ["ended c", "disconnect branch", "give back branch", "reconnect branch"]
        assert scene.tenancy.away("branch") is not None
        await scene.stopped()

    played(main())


def test_a_lease_that_could_not_be_renewed_ends_its_passes_at_once_without_asking_the_database() -> None:
    async def main() -> None:
        scene = Scene()
        await scene.shown([member("one")])
        scene.told.clear()
        scene.leases.trouble = "no route to host"
        await asyncio.sleep(TERMS.ttl_s - TERMS.margin_s + 0.2)  # and nobody says anything
        assert [one for one in scene.told if one.startswith("cut off")] != []
        assert not [one for one in scene.told if one.startswith(("give", "ended", "take"))]
        assert scene.told.index("break off") < scene.told.index("reconnect main")
        assert scene.tenancy.away("main") is not None
        await scene.stopped()

    played(main())


def test_nothing_is_taken_by_a_board_that_is_old() -> None:
    async def main() -> None:
        scene = Scene()
        scene.leases.trouble = "no route to host"
        assert await scene.shown([member("one")]) == []
        scene.leases.trouble = ""
        assert "take main" in await scene.shown([member("one")])
        await scene.stopped()

    played(main())


def test_a_stop_tells_the_others_first_and_gives_back_each_portal_when_its_passes_have_ended() -> None:
    async def main() -> None:
        scene = Scene()
        await scene.shown([member("one")])
        done = await scene.stopped()
        assert done[0] == "part"
        assert done[-1] == "close"
        assert {"give back main", "give back branch"} < set(done)
        assert done.index("ended a, b") < done.index("give back main")

    played(main())


def test_a_take_that_fails_is_tried_again() -> None:
    async def main() -> None:
        scene = Scene()
        scene.leases.broken = True
        assert await scene.shown([member("one")]) == []
        scene.leases.broken = False
        await asyncio.sleep(6)
        assert "take main" in scene.told
        await scene.stopped()

    played(main())


@pytest.mark.parametrize("step_s", [-7200.0, 86_400.0])
def test_a_step_of_the_machine_s_calendar_changes_nothing(step_s: float) -> None:
    async def main() -> None:
        scene = Scene()
        await scene.shown([member("one")])
        cast(Any, scene.tenancy)._app.clock.skew_s += step_s
        own = [lease("main", "one"), lease("branch", "one")]
        assert await scene.shown([member("one")], own) == []
        assert scene.tenancy.away("main") is None
        await scene.stopped()

    played(main())


def test_a_portal_that_a_new_config_no_longer_has_is_given_back() -> None:
    async def main() -> None:
        scene = Scene()
        await scene.shown([member("one")])
        app = cast(Any, scene.tenancy)._app
        app.config.syncs, app.config.portals = app.config.syncs[:2], app.config.portals[:1]
        await scene.tenancy.configured()
        await asyncio.sleep(6)
        assert [one for one in scene.told if one.startswith("give")] == ["give back branch"]
        assert scene.tenancy.away("main") is None
        assert scene.tenancy.away("branch") is not None
        await scene.stopped()

    played(main())


CONFIG = """[portals.{portal}]
webhook = "https://{portal}.example/rest/1/sandboxadmin/"
[[sync]]
name = "{portal}"
portal = "{portal}"
[sync.source]
type = "ics"
url = "https://feed.example/shifts.ics"
[sync.target]
owner = "{{owner}}"
"""


class FakePortal:
    """A client that says whether it was closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.origin = "http://127.0.0.1:9"
        self.closed = False

    def learn(self, _facts: object) -> None:
        raise AssertionError("no probe has asked")


async def test_a_portal_may_come_or_go_while_a_config_without_it_is_taken_over(tmp_path: Path) -> None:
    made: list[FakePortal] = []

    @asynccontextmanager
    async def connect(config: Any, *_: object) -> AsyncIterator[Any]:
        await asyncio.sleep(0)
        portal = FakePortal(config.name)
        made.append(portal)
        yield portal
        await asyncio.sleep(0)
        portal.closed = True

    path = tmp_path / "syncd.toml"
    path.write_text(CONFIG.format(portal="main") + CONFIG.format(portal="branch"))
    async with open_app(
        path, readonly=False, learn_secret=lambda _: None, environ={"HOME": str(tmp_path)}, connect=connect
    ) as app:
        path.write_text(CONFIG.format(portal="main"))
        config = read_config(path, {"HOME": str(tmp_path)})
        syncs = make_syncs(config, writable=True, clock=app.clock, ledger=app.ledger)
        await asyncio.gather(app.reconnect("branch"), app.take_over(config, syncs), app.reconnect("branch"))
        await app.disconnect("branch")
        assert [*app.portals] == ["main"]
        assert all(one.closed for one in made if one.name == "branch")
