"""An event that makes the portal crash is set aside by itself, and is never taken for done."""

from __future__ import annotations

from pathlib import Path

from syncd.portal.line.answers import RawAnswer
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from tests.cycle.test_pass import ROWS, staged
from tests.cycle.test_taking import purged
from tests.support.sandbox import HEADER, Stage, WorldTransport, run_inline

MORE = "".join(
    f"{n},Shift {n},2026-12-{n:02} 06:00,2026-12-{n:02} 14:00,anna.petrova@school.example,\n" for n in range(4, 20)
)


class CrashingTransport(WorldTransport):
    """A portal that dies of one title before it does anything."""

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        if b"Late" in body and b"event.add" in method.encode() + body:
            self.requests += 1
            return RawAnswer(status=500, headers={"content-type": "text/html"}, body=b"<h1>500</h1>")
        return await super().post(method, body, timeout_s)


def poisoned(folder: Path) -> Stage:
    stage = staged(folder, ROWS + MORE)
    stage.transport = CrashingTransport(stage.world, stage.clock)
    return stage


def test_one_event_that_crashes_the_portal_keeps_no_other_from_its_place(tmp_path: Path) -> None:
    stage = poisoned(tmp_path)
    result = run_inline(stage.one_pass())
    assert (result.record.counts["created"], result.record.counts["held"], result.exit_code) == (18, 1, 1)
    assert "Late shift" not in stage.names()
    (problem,) = result.record.problems
    assert (problem.where, problem.kind) == ("shifts.csv:3", "held")
    assert "no usable answer to it, even sent alone: HTTP 500" in problem.reason


def test_it_is_left_alone_until_its_time_and_made_once_the_portal_bears_it(tmp_path: Path) -> None:
    stage = poisoned(tmp_path)
    run_inline(stage.one_pass())
    before = stage.transport.requests
    assert run_inline(stage.one_pass()).record.counts["held"] == 1
    assert stage.transport.requests == before
    stage.transport = WorldTransport(stage.world, stage.clock)
    stage.clock.advance(901)
    assert run_inline(stage.one_pass()).record.counts["created"] == 1
    assert len(stage.names()) == 19


def test_a_portal_that_crashes_at_every_event_is_never_called_done(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    crash = parse_fault("crash:method=calendar.event.add")
    stage.set_faults(Settings(integer_stamps=False, faults=(crash,)))
    stage.write("shifts.csv", HEADER + ROWS)
    result = run_inline(stage.one_pass())
    assert result.record.counts["created"] == 0
    assert result.exit_code != 0
    assert result.record.counts["held"] == 3 or result.error is not None


def test_a_purge_whose_deletes_crash_the_portal_is_never_called_done(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    crash = parse_fault("crash:method=calendar.event.delete")
    stage.set_faults(Settings(integer_stamps=False, faults=(crash,)))
    taken = purged(stage)
    assert (len(stage.names()), taken.record.counts["deleted"]) == (3, 0)
    assert taken.exit_code != 0
