"""Whatever becomes of a request, each entry ends up in the portal once: nothing is doubled, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from syncd.cycle.run import PassOptions, run_pass
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

FAULTS = (
    "storm:request=5-9",
    "error-before:method=calendar.event.add,times=2",
    "error-after:method=calendar.event.add,times=1",
    "cut-before:method=calendar.event.add,times=2",
    "cut-during:method=calendar.event.add,times=2",
    "cut-after:method=calendar.event.add,times=1",
    "late:method=calendar.event.add,times=1,seconds=40",
    "html:method=calendar.event.add,times=1",
    "half:method=calendar.event.add,times=1",
    "redirect:method=calendar.event.add,times=1",
    "crash:method=calendar.event.add,times=1",
    "hang:method=calendar.event.add,times=1",
    "block:method=calendar.event.add,times=1",
    "cut-after:method=calendar.section.add,times=1",
    "error-after:method=calendar.section.add,times=1",
    "html:method=calendar.section.get,times=1",
    "cut-during:method=user.get,times=2",
)
PEOPLE = ("anna.petrova", "ivan.sokolov", "emma.clarke", "peter.novak")


def rows(count: int, title: str = "Shift") -> str:
    return "".join(
        f"{n},{title} {n},2026-12-{1 + n % 28:02} {n % 20:02}:00,2026-12-{1 + n % 28:02} {n % 20 + 2:02}:00,"
        f"{PEOPLE[n % len(PEOPLE)]}@school.example,Desk {n % 3}\n"
        for n in range(count)
    )


def expected(count: int, title: str = "Shift") -> list[str]:
    return sorted(f"{title} {n}" for n in range(count))


def faulty(folder: Path, *faults: str, count: int = 40) -> Stage:
    settings = Settings(integer_stamps=False, faults=tuple(parse_fault(text) for text in faults))
    stage = Stage(folder, SHIFTS, settings=settings)
    stage.write("shifts.csv", HEADER + rows(count))
    return stage


def run_until_done(stage: Stage, passes: int = 4) -> None:
    for _ in range(passes):
        result = run_inline(stage.one_pass())
        if result.exit_code == 0:
            return
        stage.clock.advance(3600)
    raise AssertionError(f"not done after {passes} passes: {result.record}")


@pytest.mark.parametrize("fault", FAULTS)
def test_every_entry_ends_up_there_once(tmp_path: Path, fault: str) -> None:
    stage = faulty(tmp_path, fault)
    run_until_done(stage)
    assert stage.names() == expected(40)
    quiet = run_inline(stage.one_pass(verify=True))
    assert quiet.record.counts["unchanged"] == 40
    assert stage.names() == expected(40)


@pytest.mark.parametrize(
    "fault", ["cut-during", "cut-after", "error-after", "half", "html", "late:seconds=40", "hang", "crash"]
)
def test_updates_and_deletes_survive_every_fault(tmp_path: Path, fault: str) -> None:
    stage = faulty(tmp_path)
    run_until_done(stage)
    kind, _, options = fault.partition(":")
    extra = f",{options}" if options else ""
    faults = tuple(
        parse_fault(f"{kind}:method={method},times=1{extra}")
        for method in ("calendar.event.update", "calendar.event.delete")
    )
    stage.set_faults(Settings(integer_stamps=False, faults=faults))
    stage.write("shifts.csv", HEADER + rows(34, "Duty"))
    for _ in range(4):
        result = run_inline(stage.one_pass(force=True))
        if result.exit_code == 0:
            break
        stage.clock.advance(3600)
    assert stage.names() == expected(34, "Duty")


def test_a_refused_webhook_stops_the_pass_with_one_clear_message_and_no_secret(tmp_path: Path) -> None:
    stage = faulty(tmp_path, "credentials:request=6-")
    result = run_inline(stage.one_pass())
    assert result.exit_code == 3
    assert result.error is not None
    assert "INVALID_CREDENTIALS" in str(result.error)
    assert "sandboxadmin" not in str(result.error)


def test_a_portal_that_never_answers_fails_the_pass_and_the_next_one_does_the_work(tmp_path: Path) -> None:
    stage = faulty(tmp_path, "cut-before")
    failed = run_inline(stage.one_pass())
    assert failed.exit_code == 3
    assert failed.state == "failed"
    stage.set_faults(Settings(integer_stamps=False))
    run_until_done(stage)
    assert stage.names() == expected(40)


@pytest.mark.parametrize("request_number", range(1, 14))
def test_a_kill_at_any_request_leaves_nothing_double_and_nothing_lost(tmp_path: Path, request_number: int) -> None:
    """The process dies right after the portal executed its Nth request; another one takes over."""
    stage = faulty(tmp_path)
    transport = stage.transport

    class Killed(BaseException):
        pass

    async def dying() -> None:
        async with stage.opened() as (syncs, app):
            await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())

    handle = stage.world.handle

    def executed_then_killed(now: float, request: object) -> object:
        response = handle(now, request)  # type: ignore[arg-type]
        if transport.requests == request_number:
            raise Killed
        return response

    stage.world.handle = executed_then_killed  # type: ignore[method-assign, assignment]
    with contextlib.suppress(Killed, BaseExceptionGroup):
        run_inline(dying())
    stage.world.handle = handle  # type: ignore[method-assign]
    run_until_done(stage)
    assert stage.names() == expected(40)


def test_a_stop_signal_settles_what_is_in_flight_and_the_next_run_goes_on(tmp_path: Path) -> None:
    stage = faulty(tmp_path, count=200)

    async def stopped() -> str:
        async with stage.opened() as (syncs, app):
            stop = asyncio.Event()
            stage.transport.before = lambda: stop.set() if stage.transport.requests > 7 else None
            result = await run_pass(app.open_pass(syncs["shifts"], stop), PassOptions())
            assert await app.ledger.of("shifts").open_intents() == ()
            return f"{result.state} {result.exit_code}"

    assert run_inline(stopped()) == "stopped 130"
    stage.transport.before = None
    done_before = len(stage.names())
    assert 0 < done_before < 200
    run_until_done(stage)
    assert stage.names() == expected(200)


def test_a_create_found_after_a_kill_counts_once(tmp_path: Path) -> None:
    stage = faulty(tmp_path)
    handle = stage.world.handle

    class Killed(BaseException):
        pass

    def dies_after_creating(now: float, request: object) -> object:
        response = handle(now, request)  # type: ignore[arg-type]
        if stage.names():
            raise Killed
        return response

    async def dying() -> None:
        async with stage.opened() as (syncs, app):
            await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())

    stage.world.handle = dies_after_creating  # type: ignore[method-assign, assignment]
    with contextlib.suppress(Killed, BaseExceptionGroup):
        run_inline(dying())
    stage.world.handle = handle  # type: ignore[method-assign]
    counts = run_inline(stage.one_pass()).record.counts
    assert (counts["created"], counts["unchanged"]) == (40, 0)


def test_a_move_whose_create_is_lost_keeps_its_delete_until_the_create_is_there(tmp_path: Path) -> None:
    """The delete waits for the create, and is settled without ever having been intended."""
    stage = faulty(tmp_path, count=5)
    run_until_done(stage)
    stage.set_faults(Settings(integer_stamps=False, faults=(parse_fault("cut-before:request=1-,times=1"),)))
    moved = rows(5).replace("anna.petrova", "ivan.sokolov")  # whose calendar is known: the create is the first request
    stage.write("shifts.csv", HEADER + moved)
    run_until_done(stage)
    assert stage.names() == expected(5)
    assert stage.names(owner=3) == []
