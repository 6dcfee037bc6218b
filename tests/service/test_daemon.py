"""The scheduler by itself, with passes that only pretend: who runs when, who waits, and what systemd hears."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.cycle.run import PassResult
from syncd.errors import ConfigError, PortalRefusedError, PortalUnreachableError, StateError, SyncdError
from syncd.model.fates import Fates
from syncd.model.record import RunRecord
from syncd.portal.client import Progress
from syncd.service.daemon import REFUSED_PAUSE_S, Daemon
from syncd.service.notify import Notifier
from syncd.service.schedule import Cron, Every, LastRun, Schedule
from syncd.service.tracked import Ended, Scheduled
from tests.support.sandbox import SimClock, run_inline

Pass = Callable[[asyncio.Event], Awaitable[SyncdError | None]]


def progress_of(requests: int, waiting_until: float | None = None) -> Progress:
    """Return the progress of a portal that was sent so many requests and pushes nothing."""
    return Progress(
        done=0, total=0, requests=requests, refused_rate=0, waiting_for=None, waiting_until=waiting_until, eta_s=None
    )


class Stand:
    """A daemon with pretended syncs; `began` holds (time, name) of every pass."""

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self.clock = SimClock()
        self.stop = asyncio.Event()
        self.began: list[tuple[float, str]] = []
        self.ended: list[Ended] = []
        self.daemon = Daemon(
            clock=self.clock,
            notifier=Notifier(address, watchdog_s),
            stop=self.stop,
            random=lambda: 0.0,
            ended=self._end,
        )

    async def _end(self, ended: Ended) -> None:
        self.ended.append(ended)

    def sync(
        self, name: str, schedule: Schedule, work: Pass, *, portal: str = "main", last: float | None = None
    ) -> Scheduled:
        async def run(stop: asyncio.Event) -> PassResult:
            self.began.append((self.clock.now() - self.clock.start, name))
            error = await work(stop)
            state = "done" if error is None else "failed"
            record = RunRecord(id=1, sync=name, started=0.0, state=state)  # type: ignore[arg-type]
            return PassResult(record=record, fates=Fates(), error=error)

        return Scheduled(
            name=name, portal=portal, schedule=schedule, run=run,
            last_run=None if last is None else LastRun(started=last),
            progress=lambda: progress_of(int(self.clock.monotonic())),
        )  # fmt: skip

    async def run_for(self, seconds: float, *syncs: Scheduled) -> None:
        self.daemon.set_syncs(syncs)
        running = asyncio.create_task(self.daemon.run())
        await asyncio.sleep(seconds)
        self.stop.set()
        await running

    def times(self, name: str) -> list[float]:
        return [round(at) for at, who in self.began if who == name]


def taking(seconds: float) -> Pass:
    async def work(_stop: asyncio.Event) -> None:
        await asyncio.sleep(seconds)

    return work


def failing(error: Exception, seconds: float = 0.0) -> Pass:
    async def work(_stop: asyncio.Event) -> SyncdError | None:
        await asyncio.sleep(seconds)
        if not isinstance(error, SyncdError) or isinstance(error, StateError):
            raise error
        return error

    return work


def test_each_sync_keeps_its_own_rhythm() -> None:
    async def main() -> Stand:
        stand = Stand()
        quick, slow = stand.sync("a", Every(seconds=60), taking(1)), stand.sync("b", Every(seconds=150), taking(1))
        await stand.run_for(400, quick, slow)
        return stand

    stand = run_inline(main())
    assert stand.times("a") == [0, 60, 120, 180, 240, 300, 360]
    assert stand.times("b") == [0, 150, 300]


def test_a_sync_never_overlaps_itself_and_does_not_hold_up_another_of_the_same_portal() -> None:
    async def main() -> Stand:
        stand = Stand()
        await stand.run_for(
            500, stand.sync("long", Every(seconds=60), taking(290)), stand.sync("b", Every(seconds=100), taking(1))
        )
        return stand

    stand = run_inline(main())
    assert stand.times("long") == [0, 290]
    assert stand.times("b") == [0, 100, 200, 300, 400]


def test_a_cron_runs_at_its_times_for_days_through_the_change_of_the_clock() -> None:
    async def main() -> Stand:
        stand = Stand()
        stand.clock = SimClock(start=1_774_600_000.0)  # 27 March 2026
        stand.daemon = Daemon(
            clock=stand.clock, notifier=Notifier(None), stop=stand.stop, random=lambda: 0.0, ended=stand._end
        )
        await stand.run_for(5 * 86_400, stand.sync("a", Cron(expression="30 2 * * *", zone="Europe/Berlin"), taking(1)))
        return stand

    stand = run_inline(main())
    gaps = [round(after - before) for (before, _), (after, _) in zip(stand.began, stand.began[1:], strict=False)]
    assert len(stand.began) == 5
    assert sorted(set(gaps)) == [84_600, 86_400]  # the night that has no 02:30 has 03:00 instead, and one gap is short
    assert gaps.count(84_600) == 2


def test_a_machine_that_slept_runs_one_pass_when_it_wakes() -> None:
    async def main() -> Stand:
        stand = Stand()
        stand.daemon.set_syncs([stand.sync("a", Every(seconds=600), taking(1))])
        running = asyncio.create_task(stand.daemon.run())
        await asyncio.sleep(100)
        stand.clock.advance(40_000)  # suspended: the monotonic clock stood still
        await asyncio.sleep(100)
        stand.stop.set()
        await running
        return stand

    stand = run_inline(main())
    assert len(stand.began) == 2
    assert stand.began[1][0] - 40_000 <= 100 + 30


def test_a_clock_that_is_set_back_a_day_stops_nothing() -> None:
    async def main() -> Stand:
        stand = Stand()
        stand.daemon.set_syncs([stand.sync("a", Every(seconds=600), taking(1))])
        running = asyncio.create_task(stand.daemon.run())
        await asyncio.sleep(100)
        stand.clock.advance(-86_400)
        await asyncio.sleep(800)
        stand.stop.set()
        await running
        return stand

    assert len(run_inline(main()).began) == 2


@pytest.mark.parametrize("error", [PortalUnreachableError("down"), MemoryError()])
def test_failures_back_off_and_a_success_ends_that(error: SyncdError | MemoryError) -> None:
    async def main() -> Stand:
        stand = Stand()
        results = iter([error] * 4 + [None] * 99)

        async def work(_stop: asyncio.Event) -> SyncdError | None:
            result = next(results)
            if isinstance(result, MemoryError):
                raise result
            return result

        await stand.run_for(2000, stand.sync("a", Every(seconds=60), work))
        return stand

    times = run_inline(main()).times("a")
    assert times[:7] == [0, 60, 180, 420, 900, 960, 1020]


@pytest.mark.parametrize("error", [StateError("disk full"), RuntimeError("a defect"), MemoryError()])
def test_a_full_disk_or_a_defect_in_one_sync_does_not_end_the_daemon(error: Exception) -> None:
    async def main() -> Stand:
        stand = Stand()
        await stand.run_for(
            400, stand.sync("bad", Every(seconds=60), failing(error)), stand.sync("good", Every(seconds=60), taking(1))
        )
        return stand

    stand = run_inline(main())
    assert stand.times("bad") == [0, 60, 180]
    assert len(stand.times("good")) == 7
    assert {one.sync for one in stand.ended if one.error} == {"bad"}


def test_a_revoked_webhook_stops_its_portal_but_for_one_try_an_hour_and_the_others_go_on() -> None:
    async def main() -> tuple[Stand, str, str]:
        stand = Stand()
        dead = failing(PortalRefusedError("the webhook was removed"))
        syncs = [stand.sync(name, Every(seconds=60), dead, portal="dead") for name in ("a", "b", "c")]
        stand.daemon.set_syncs([*syncs, stand.sync("d", Every(seconds=60), taking(1), portal="alive")])
        running = asyncio.create_task(stand.daemon.run())
        await asyncio.sleep(1)
        told, reason = stand.daemon.status(), stand.daemon.states()["a"].refused
        await asyncio.sleep(3 * REFUSED_PAUSE_S)
        stand.stop.set()
        await running
        return stand, told, reason

    stand, told, reason = run_inline(main())
    tried = [at for at, name in stand.began if name != "d" and at > 1]
    assert [round(at / REFUSED_PAUSE_S) for at in tried] == [1, 2, 3]
    assert len(stand.times("d")) > 170
    assert "portal dead refuses syncd" in told
    assert reason == "the webhook was removed"


def test_a_reload_or_a_poke_tries_a_portal_that_refuses_at_once_and_only_a_pass_tells_that_it_is_over() -> None:
    async def main() -> tuple[Stand, list[str]]:
        stand, told = Stand(), list[str]()

        async def work(_stop: asyncio.Event) -> SyncdError | None:
            await asyncio.sleep(1)
            return PortalRefusedError("no") if stand.clock.monotonic() < 1000 else None

        syncs = [stand.sync(name, Every(seconds=60), work, portal="dead") for name in ("a", "b")]
        stand.daemon.set_syncs(syncs)
        running = asyncio.create_task(stand.daemon.run())
        for at, insist in ((300, False), (600, True), (1500, False)):
            await asyncio.sleep(at - stand.clock.monotonic())
            if insist:
                stand.daemon.poke("a", insist=True)
            else:
                stand.daemon.set_syncs(syncs)
            told.append(stand.daemon.states()["a"].refused)
            await asyncio.sleep(10)
            told.append(stand.daemon.states()["a"].refused)
        stand.daemon.set_syncs([stand.sync("d", Every(seconds=60), work, portal="other")])
        stand.stop.set()
        await running
        return stand, told

    stand, told = run_inline(main())
    assert told == ["no", "no", "no", "no", "no", ""]
    assert [at for at, _ in stand.began if 2 < at < 1500] == [300, 600]


def test_a_portal_that_takes_the_webhook_again_is_served_again_at_once() -> None:
    async def main() -> Stand:
        stand = Stand()

        async def work(_stop: asyncio.Event) -> SyncdError | None:
            return PortalRefusedError("no") if stand.clock.monotonic() < 1800 else None

        await stand.run_for(4000, *(stand.sync(name, Every(seconds=60), work) for name in ("a", "b")))
        return stand

    stand = run_inline(main())
    assert all(any(3600 <= at <= 3700 for at in stand.times(name)) for name in ("a", "b"))


def test_a_file_change_begins_a_pass_at_once_and_during_one_another_after_it() -> None:
    async def main() -> Stand:
        stand = Stand()
        stand.daemon.set_syncs([stand.sync("a", Every(seconds=3600), taking(50))])
        running = asyncio.create_task(stand.daemon.run())
        for at in (10, 200):
            await asyncio.sleep(at - stand.clock.monotonic())
            stand.daemon.poke("a")
            stand.daemon.poke("a")
            stand.daemon.poke("no such sync")
        await asyncio.sleep(200)
        stand.stop.set()
        await running
        return stand

    assert run_inline(main()).times("a") == [0, 50, 200]


def test_stopping_waits_for_the_pass_that_settles_its_batch() -> None:
    async def main() -> tuple[float, Stand]:
        stand = Stand()

        async def work(stop: asyncio.Event) -> None:
            await stop.wait()
            await asyncio.sleep(12)  # the batch in flight

        await stand.run_for(100, stand.sync("a", Every(seconds=60), work))
        return stand.clock.monotonic(), stand

    seconds, stand = run_inline(main())
    assert 112 <= seconds < 113
    assert [one.error for one in stand.ended] == [""]


def test_a_thousand_syncs_do_not_wake_the_idle_daemon_more_often_than_one_does() -> None:
    async def main(count: int) -> int:
        stand = Stand()
        woken = 0
        status = stand.daemon.status

        def counted() -> str:
            nonlocal woken
            woken += 1
            return status()

        stand.daemon.status = counted  # type: ignore[method-assign]
        now = stand.clock.now()
        syncs = [stand.sync(f"s{n}", Every(seconds=86_400), taking(0), last=now) for n in range(count)]
        await stand.run_for(3000, *syncs)
        return woken

    assert run_inline(main(1)) == run_inline(main(1000)) <= 102


def test_changing_the_schedules_keeps_those_that_are_the_same() -> None:
    async def main() -> Stand:
        stand = Stand()
        stand.daemon.set_syncs(
            [stand.sync("a", Every(seconds=600), taking(1)), stand.sync("b", Every(seconds=600), taking(1))]
        )
        running = asyncio.create_task(stand.daemon.run())
        await asyncio.sleep(100)
        now = stand.clock.now()
        changed = stand.sync("b", Every(seconds=50), taking(1), last=now - 100)
        stand.daemon.set_syncs([stand.sync("a", Every(seconds=600), taking(1)), changed])
        await asyncio.sleep(110)
        stand.stop.set()
        await running
        return stand

    stand = run_inline(main())
    assert stand.times("a") == [0]
    assert stand.times("b") == [0, 100, 150, 200]


def test_a_drained_sync_does_not_begin_again_before_it_may() -> None:
    async def main() -> Stand:
        stand = Stand()
        stand.daemon.set_syncs(
            [stand.sync("a", Every(seconds=10), taking(4)), stand.sync("b", Every(seconds=10), taking(1))]
        )
        running = asyncio.create_task(stand.daemon.run())
        await asyncio.sleep(22)
        async with stand.daemon.drained(["a", "unknown"]):
            assert [ended.sync for ended in stand.ended].count("a") == 3
            stand.daemon.poke("a")
            await asyncio.sleep(100)
        await asyncio.sleep(1)
        stand.stop.set()
        await running
        return stand

    stand = run_inline(main())
    assert stand.times("a") == [0, 10, 20, 124]
    assert stand.times("b") == list(range(0, 130, 10))[: len(stand.times("b"))]
    assert len(stand.times("b")) >= 12


@pytest.mark.parametrize("stays", [True, False])
def test_a_command_for_a_sync_that_is_being_reloaded_waits_and_is_done_only_if_it_is_still_there(stays: bool) -> None:
    async def main() -> tuple[list[str], object, Stand]:
        stand = Stand()
        kept, other = stand.sync("a", Every(seconds=1000), taking(1)), stand.sync("b", Every(seconds=1000), taking(1))
        stand.daemon.set_syncs([kept, other])
        running = asyncio.create_task(stand.daemon.run())
        await asyncio.sleep(5)
        told: list[str] = []

        async def work() -> str:
            told.append("worked")
            return "done"

        async with stand.daemon.drained(["a"]):
            asked = asyncio.create_task(
                stand.daemon.alone("a", work, asyncio.Event(), waits=lambda: told.append("waits"))
            )
            await asyncio.sleep(5)
            assert told == ["waits"]
            stand.daemon.set_syncs([kept, other] if stays else [other])
        (result,) = await asyncio.gather(asked, return_exceptions=True)
        stand.stop.set()
        await running
        return told, result, stand

    told, result, stand = run_inline(main())
    if stays:
        assert (told, result) == (["waits", "worked"], "done")
    else:
        assert told == ["waits"]
        assert isinstance(result, ConfigError)
        assert "there is no sync 'a' (any more)" in str(result)
    assert stand.times("b") == [0]


class Socket:
    """Where a service manager listens."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.setblocking(False)

    def messages(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


def watchdog_signs(folder: Path, progress: Callable[[float, float], tuple[int, float | None]], seconds: float) -> int:
    """Return how many signs of life a daemon gave while a pass ran whose progress is `progress(monotonic, now)`."""
    listening = Socket(folder)
    signs = 0

    async def main() -> int:
        nonlocal signs
        stand = Stand(listening.address, watchdog_s=120)
        scheduled = stand.sync("a", Every(seconds=60), taking(seconds))
        sync = Scheduled(
            name="a", portal="main", schedule=scheduled.schedule, last_run=scheduled.last_run,
            run=scheduled.run, progress=lambda: progress_of(*progress(stand.clock.monotonic(), stand.clock.now())),
        )  # fmt: skip
        stand.daemon.set_syncs([sync])
        running = asyncio.create_task(stand.daemon.run())
        for _ in range(int(seconds // 60)):
            await asyncio.sleep(60)
            signs += listening.messages().count("WATCHDOG=1")
        stand.stop.set()
        await running
        return signs

    try:
        return run_inline(main())
    finally:
        listening.close()


def test_the_watchdog_hears_of_a_long_pass_as_long_as_it_gets_on(tmp_path: Path) -> None:
    assert watchdog_signs(tmp_path, lambda at, _: (int(at // 300), None), 6000) >= 145


def test_the_watchdog_hears_of_a_pass_that_waits_for_a_stated_time(tmp_path: Path) -> None:
    assert watchdog_signs(tmp_path, lambda _, now: (0, now + 60), 6000) >= 145


def hanging(stop_at_cancel: bool = True) -> Pass:
    """A pass that waits for ever; also when it is cancelled, unless it is one that stops then."""

    async def work(_stop: asyncio.Event) -> None:
        while True:
            try:
                await asyncio.sleep(1e9)
            except asyncio.CancelledError:
                if stop_at_cancel or _stop.is_set():
                    raise

    return work


def still(stand: Stand, name: str, work: Pass) -> Scheduled:
    """A sync whose passes make no progress that could be seen."""
    return replace(stand.sync(name, Every(seconds=60), work), progress=lambda: progress_of(0))


def watched(folder: Path, seconds: float, *works: Callable[[Stand], Scheduled]) -> tuple[Stand, list[float]]:
    """Run a daemon with these syncs and return the seconds at which systemd heard a sign of life."""
    listening = Socket(folder)

    async def main() -> tuple[Stand, list[float]]:
        stand = Stand(listening.address, watchdog_s=120)
        began = stand.clock.monotonic()
        stand.daemon.set_syncs([make(stand) for make in works])
        running = asyncio.create_task(stand.daemon.run())
        signs: list[float] = []
        for _ in range(int(seconds // 20)):
            await asyncio.sleep(20)
            signs += [stand.clock.monotonic()] * listening.messages().count("WATCHDOG=1")
        stand.stop.set()
        await asyncio.sleep(1)  # until every pass has been told
        for one in stand.daemon._tracked.values():
            if one.task is not None:
                one.task.cancel()
        await asyncio.wait([running])
        return stand, [at - began for at in signs]

    try:
        return run_inline(main())
    finally:
        listening.close()


def test_a_pass_that_hangs_is_given_up_and_tried_again_while_others_go_on(tmp_path: Path) -> None:
    stand, signs = watched(
        tmp_path,
        6000,
        lambda stand: still(stand, "a", hanging()),
        lambda stand: stand.sync("b", Every(seconds=60), taking(1)),
    )
    assert len(signs) >= 145
    given_up = [ended for ended in stand.ended if ended.sync == "a"]
    assert len(given_up) >= 3
    assert {ended.error for ended in given_up} == {"no progress for 10 minutes"}
    assert len(stand.times("b")) >= 99


@pytest.mark.parametrize("stops", [True, False])
def test_the_watchdog_hears_no_more_when_nothing_works_after_a_pass_was_given_up(tmp_path: Path, stops: bool) -> None:
    _, signs = watched(tmp_path, 6000, lambda stand: still(stand, "a", hanging(stops)))
    assert 1150 <= max(signs) <= 1300


def test_a_pass_that_cannot_be_ended_is_no_reason_to_restart_while_others_work(tmp_path: Path) -> None:
    _, signs = watched(
        tmp_path,
        6000,
        lambda stand: still(stand, "a", hanging(False)),
        lambda stand: stand.sync("b", Every(seconds=60), taking(1)),
    )
    assert len(signs) >= 145


def test_the_notifier_speaks_only_when_somebody_listens(tmp_path: Path) -> None:
    Notifier(None).send(READY="1")
    Notifier(str(tmp_path / "nobody")).send(READY="1")
    listening = Socket(tmp_path)
    Notifier.from_environ({"NOTIFY_SOCKET": listening.address}, 1).send(READY="1", STATUS="two\nlines")
    assert listening.messages() == ["READY=1\nSTATUS=two lines"]
    listening.close()


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "120000000"}, 120.0), ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "7"}, 5.0),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "8"}, None), ({"WATCHDOG_USEC": "x"}, None), ({}, None),
    ],
)  # fmt: skip
def test_the_watchdog_is_for_the_process_that_systemd_named(environ: dict[str, str], watchdog_s: float | None) -> None:
    assert Notifier.from_environ(environ, 7).watchdog_s == watchdog_s
