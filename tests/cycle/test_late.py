"""Requests that the portal carries out long after the client gave up: nothing is created twice because of them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from syncd.clock import SystemClock
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import TransportFault
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from tests.cycle.machine import Killed
from tests.cycle.test_faults import expected, rows
from tests.support.sandbox import HEADER, SHIFTS, Stage, WorldTransport, run_inline

SLOW = "[portals.main.limits]\nbatch_seconds = 3\ntimeout = 10\nsettle = 60\n"


def late(folder: Path, *faults: str, config: str = SHIFTS, count: int = 6) -> Stage:
    settings = Settings(integer_stamps=False, faults=tuple(parse_fault(text) for text in faults))
    stage = Stage(folder, config, settings=settings)
    stage.write("shifts.csv", HEADER + rows(count))
    return stage


def settled(stage: Stage) -> list[str]:
    """Return what stands there when everything late has come."""
    stage.clock.advance(3600)
    stage.world.settle(stage.clock.start + stage.clock.offset_s)
    return stage.names()


@pytest.mark.parametrize("kind", ["queue", "late"])
@pytest.mark.parametrize("seconds", [5, 74, 100, 150, 190])
def test_a_create_that_comes_late_is_found_and_not_made_again(tmp_path: Path, kind: str, seconds: int) -> None:
    stage = late(tmp_path, f"{kind}:method=calendar.event.add,times=1,seconds={seconds}")
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["created"]) == (0, 6)
    assert settled(stage) == expected(6)


def test_a_short_timeout_doubles_nothing_either(tmp_path: Path) -> None:
    stage = late(tmp_path, "queue:method=calendar.event.add,times=1,seconds=45", config=SLOW + SHIFTS)
    assert run_inline(stage.one_pass()).exit_code == 0
    assert settled(stage) == expected(6)


@pytest.mark.parametrize("seconds", [5, 74, 100, 190])
def test_a_section_that_comes_late_is_found_and_not_made_again(tmp_path: Path, seconds: int) -> None:
    stage = late(tmp_path, f"late:method=calendar.section.add,times=1,seconds={seconds}")
    assert run_inline(stage.one_pass()).exit_code == 0
    assert settled(stage) == expected(6)
    names = [(one.calendar, one.name) for one in stage.world.tables.sections.values()]
    assert len(set(names)) == len(names)


def test_what_was_never_carried_out_is_made_after_the_second_look(tmp_path: Path) -> None:
    stage = late(tmp_path, "cut-before:method=calendar.event.add,times=1")
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["created"]) == (0, 6)
    assert 195 <= result.record.seconds < 230
    assert settled(stage) == expected(6)


def test_what_the_portal_has_answered_is_not_waited_for(tmp_path: Path) -> None:
    stage = late(tmp_path, "error-before:method=calendar.event.add,times=1")
    result = run_inline(stage.one_pass())
    assert result.exit_code == 0
    assert result.record.seconds < 30


class Fragile(WorldTransport):
    """A process that dies the moment a connection breaks."""

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        try:
            return await super().post(method, body, timeout_s)
        except TransportFault as fault:
            raise Killed from fault


@pytest.mark.parametrize("boot", ["first", "second"])
@pytest.mark.parametrize("set_by", [0, 7200, -7200])
@pytest.mark.parametrize("method", ["calendar.event.add", "calendar.section.add"])
def test_a_clock_that_is_set_between_death_and_restart_shortens_no_wait(
    tmp_path: Path, boot: str, set_by: int, method: str
) -> None:
    stage = late(tmp_path, f"late:method={method},times=1,seconds=100")
    world = PortalTime(stage)
    stage.transport = Fragile(stage.world, world)  # type: ignore[arg-type] # the portal's own clock
    with contextlib.suppress(Killed, BaseExceptionGroup):
        run_inline(stage.one_pass())
    assert stage.names() == []
    stage.clock.set(set_by)
    world.behind_s = set_by
    stage.clock.boot = boot
    stage.transport = WorldTransport(stage.world, world)  # type: ignore[arg-type] # likewise
    result = run_inline(stage.one_pass())
    assert result.exit_code == 0
    stage.clock.advance(3600)
    stage.world.settle(world.start + 9000 + stage.clock.offset_s)
    assert stage.names() == expected(6)


def test_the_machine_tells_how_long_it_has_been_running_and_which_start_that_was() -> None:
    first, then = SystemClock().uptime(), SystemClock().uptime()
    assert first.boot == then.boot != ""
    assert 0 < first.seconds <= then.seconds


class PortalTime:
    """The portal's clock, which nobody sets."""

    def __init__(self, stage: Stage) -> None:
        self._clock = stage.clock
        self.start = stage.clock.start
        self.behind_s = 0.0

    def now(self) -> float:
        return self._clock.now() - self.behind_s

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
