"""What recovery waits for and what not, what it takes for its own, and what a ledger that fails lets through."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest

from syncd.config import load_config
from syncd.cycle.plan import preview
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.errors import StateError
from syncd.model.item import Hold, Item
from syncd.model.json_values import Json
from syncd.portal.limits.tariff import limits_of
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from syncd.state.sqlite import connection as file
from tests.cycle.machine import Kill, Play, Row
from tests.cycle.test_faults import expected, faulty, run_until_done
from tests.cycle.test_pass import ROWS, _series_stage, _take_out, staged
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

TIMEOUT_S = 75.0


def armed(folder: Path, *faults: str, waf: bool = False, rows: str = ROWS) -> Stage:
    stage = staged(folder, rows)
    settings = Settings(integer_stamps=False, waf=waf, faults=tuple(parse_fault(text) for text in faults))
    stage.set_faults(settings)
    return stage


@pytest.mark.parametrize("fault", ["error-after", "error-before", "half", "html", "crash", "redirect"])
def test_a_whole_answer_however_useless_is_not_waited_for(tmp_path: Path, fault: str) -> None:
    stage = armed(tmp_path, f"{fault}:method=calendar.event.add,times=1")
    result = run_inline(stage.one_pass())
    assert result.exit_code == 0
    assert result.record.seconds < TIMEOUT_S / 2


@pytest.mark.parametrize("fault", ["cut-after", "cut-before", "html:status=502", "late:seconds=70"])
def test_a_request_that_may_be_at_work_is_waited_for_until_it_must_have_ended(tmp_path: Path, fault: str) -> None:
    joint = "," if ":" in fault else ":"
    stage = armed(tmp_path, f"{fault}{joint}method=calendar.event.add,times=1")
    result = run_inline(stage.one_pass())
    assert result.exit_code == 0
    assert result.record.seconds >= TIMEOUT_S
    assert len(stage.names()) == 3


def test_a_text_that_the_filter_rewrote_is_recognised_after_a_cut(tmp_path: Path) -> None:
    rows = ROWS.replace("Early shift", "Create event for the Select from list").replace("Night shift", "a < b & c")
    stage = armed(tmp_path, "cut-after:method=calendar.event.add,times=1", waf=True, rows=rows)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["created"], len(stage.names())) == (0, 3, 3)
    again = run_inline(stage.one_pass(verify=True))
    assert again.record.counts["unchanged"] == 3


@pytest.mark.parametrize("fault", ["cut-after", "cut-during:keep=1", "late:seconds=60", "error-after", "hang", "half"])
def test_a_section_whose_create_was_lost_is_made_once(tmp_path: Path, fault: str) -> None:
    joint = "," if ":" in fault else ":"
    stage = armed(tmp_path, f"{fault}{joint}method=calendar.section.add,times=1")
    run_until_done(stage)
    stage.clock.advance(600)
    run_inline(stage.one_pass(verify=True))
    assert sections(stage) == [("user", 3), ("user", 5), ("user", 7)]


@pytest.mark.parametrize("seconds", [1, 30, 60])
def test_a_process_that_dies_while_a_section_is_made_leaves_it_to_the_next_one(tmp_path: Path, seconds: int) -> None:
    """The request goes on at the portal after the process has died, and ends when the next process is at it."""
    stage = armed(tmp_path, f"late:method=calendar.section.add,times=1,seconds={seconds}")

    async def dying() -> None:
        async with stage.opened() as (syncs, app):
            await asyncio.wait_for(run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions()), 5)

    with pytest.raises(TimeoutError):
        run_inline(dying())
    run_until_done(stage)
    stage.clock.advance(600)
    run_inline(stage.one_pass(verify=True))
    assert sections(stage) == [("user", 3), ("user", 5), ("user", 7)]
    assert len(stage.names()) == 3


def sections(stage: Stage) -> list[tuple[str, int]]:
    return sorted(one.calendar for one in stage.world.tables.sections.values() if one.name == "Shifts")


def test_an_identical_event_that_stood_there_before_is_never_taken_for_a_lost_create(tmp_path: Path) -> None:
    """With adopt = false a person's event stays a person's, even when our own create of its twin was never executed."""
    stage = staged(tmp_path, ROWS, SHIFTS.replace("removed_after = 1", "removed_after = 1\nadopt = false"))
    run_inline(stage.one_pass())
    (ours,) = stage.world.events("user", 3)
    twin = {"from": "2026-12-02T06:00:00", "to": "2026-12-02T14:00:00", "name": "Early shift", "skip_time": "N"}
    zones = {"timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow"}
    run_inline(_ask(stage, "calendar.event.add", type="user", ownerId=3, section=ours.section_id, **twin, **zones))
    foreign = max(event.id for event in stage.world.events("user", 3))
    stage.set_faults(
        Settings(integer_stamps=False, faults=(parse_fault("cut-before:method=calendar.event.add,times=1"),))
    )
    more = "9,Early shift,2026-12-02 06:00,2026-12-02 14:00,anna.petrova@school.example,\n"
    stage.write("shifts.csv", HEADER + ROWS + more)
    run_inline(stage.one_pass(verify=True))
    links = run_inline(_links(stage))
    assert foreign not in {link.remote_id for link in links}
    assert len(stage.world.events("user", 3)) == 3


@pytest.mark.parametrize("back_s", [3600, 400 * 86400])
def test_a_clock_that_was_set_back_neither_hangs_nor_loses_anything(tmp_path: Path, back_s: int) -> None:
    stage = faulty(tmp_path, "cut-after:method=calendar.event.add,times=1")

    async def killed() -> None:
        async with stage.opened() as (syncs, app):
            await asyncio.wait_for(run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions()), 5)

    with pytest.raises(TimeoutError):
        run_inline(killed())
    stage.clock.advance(-float(back_s))
    began = stage.clock.start + stage.clock.offset_s
    config = load_config(tmp_path / "syncd.toml", {})
    stage.write("syncd.toml", stage.config)
    result = run_inline(stage.one_pass())
    assert result.record.seconds < 2 * limits_of(config.portals[0]).timeout + 60
    assert result.record.started >= began
    stage.clock.advance(float(back_s) + 7200)
    run_until_done(stage)
    assert stage.names() == expected(40)


def test_a_hold_made_under_a_clock_that_was_ahead_does_not_wait_for_that_time(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    item = run_inline(_wanted(stage))[0]

    async def held(since: float) -> int:
        async with stage.opened() as (syncs, app):
            hold = Hold(key=item.key, reason="refused", fingerprint=item.fingerprint, attempts=1, since=since,
                        retry_at=since + 900)  # fmt: skip
            await app.ledger.of("shifts").hold([hold])
            return (await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=True)).counts["held"]

    now = stage.clock.start + stage.clock.offset_s
    assert run_inline(held(now - 60)) == 1
    assert run_inline(held(now + 400 * 86400)) == 0


async def _wanted(stage: Stage) -> tuple[Item, ...]:
    async with stage.opened() as (syncs, app):
        return tuple((await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=True)).wanted.items)


class Full(sqlite3.OperationalError):
    sqlite_errorname = "SQLITE_FULL"


@pytest.mark.parametrize("at", range(1, 14))
def test_a_full_disk_at_any_write_sends_nothing_that_is_not_written_down(
    tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = faulty(tmp_path)
    writes = 0
    transaction = file.transaction

    def filling(connection: sqlite3.Connection) -> Any:
        nonlocal writes
        writes += 1
        if writes >= at:
            raise Full("database or disk is full")
        return transaction(connection)

    for room in ("file", "store"):
        monkeypatch.setattr(f"syncd.state.sqlite.{room}.transaction", filling)
    try:
        result: PassResult | StateError = run_inline(stage.one_pass())
    except StateError as error:
        result = error
    told = result.error if isinstance(result, PassResult) else result
    assert isinstance(told, StateError)
    assert (told.exit_code, "no room left" in told.message) == (7, True)
    monkeypatch.undo()
    linked = {link.remote_id for link in run_inline(_links(stage))}
    intended = run_inline(_intended(stage))
    assert len(stage.names()) - len(linked) <= intended
    stage.clock.advance(600)
    run_until_done(stage)
    assert stage.names() == expected(40)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_ledger_is_told_before_the_portal_is_asked(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    (tmp_path / "state" / "syncd.db").chmod(0o400)
    asked = stage.transport.requests
    with pytest.raises(StateError, match=r"syncd\.db cannot be opened for this"):
        run_inline(stage.one_pass())
    assert stage.transport.requests == asked


def test_a_corrupt_ledger_is_told_before_the_portal_is_asked(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    path = tmp_path / "state" / "syncd.db"
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xff" * 8192
    path.write_bytes(bytes(content))
    asked = stage.transport.requests
    with pytest.raises(StateError, match="damaged"):
        run_inline(stage.one_pass())
    assert stage.transport.requests == asked


async def _links(stage: Stage) -> Any:
    async with stage.opened() as (_, app):
        return await app.ledger.of("shifts").links()


async def _intended(stage: Stage) -> int:
    async with stage.opened() as (_, app):
        return len(await app.ledger.of("shifts").open_intents())


async def _ask(stage: Stage, method: str, **params: Json) -> None:
    async with stage.opened() as (_, app):
        await app.portals["main"].read(method, params)


def test_an_update_that_was_lost_is_sent_again_even_when_only_the_portal_tells_that_it_is_needed(
    tmp_path: Path,
) -> None:
    """The source has not changed since the last pass: nothing but the doubt about its update calls for another."""
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    (event,) = stage.world.events("user", 3)
    run_inline(_ask(stage, "calendar.event.update", id=event.id, type="user", ownerId=3, name="Edited", skip_time="N",
                    timezone_from="Europe/Moscow", timezone_to="Europe/Moscow"))  # fmt: skip
    stage.set_faults(
        Settings(integer_stamps=False, faults=(parse_fault("cut-before:method=calendar.event.update,times=30"),))
    )
    run_inline(stage.one_pass(verify=True))
    assert stage.names(owner=3) == ["Edited"]
    stage.set_faults(Settings(integer_stamps=False))
    stage.clock.advance(300)
    run_inline(stage.one_pass())
    assert stage.names(owner=3) == ["Early shift"]


@pytest.mark.parametrize("passes", [2, 3])
def test_a_pass_that_plans_anew_counts_what_is_absent_once(tmp_path: Path, passes: int) -> None:
    """A lost create makes the pass plan a second time; nothing may be deleted for having been absent in both plans."""
    config = SHIFTS.replace("removed_after = 1", f'removed_after = {passes}\nmax_removed = "100%"')
    stage = staged(tmp_path, config=config)
    run_inline(stage.one_pass())
    kept = HEADER + "".join(ROWS.splitlines(keepends=True)[:2])
    for number in range(1, passes + 1):
        fault = parse_fault("cut-before:method=calendar.event.add,times=1")
        stage.set_faults(Settings(integer_stamps=False, faults=(fault,)))
        kept += f"9{number},Another,2026-12-0{number} 06:00,2026-12-0{number} 14:00,anna.petrova@school.example,\n"
        stage.write("shifts.csv", kept)
        counts = run_inline(stage.one_pass()).record.counts
        assert (counts["created"], counts["deleted"]) == (1, int(number == passes))


def test_while_one_delete_waits_creates_and_updates_go_on(tmp_path: Path) -> None:
    stage = staged(tmp_path, config=SHIFTS.replace("removed_after = 1", "removed_after = 3"))
    run_inline(stage.one_pass())
    rows = ROWS.splitlines(keepends=True)
    more = "4,New shift,2026-12-03 06:00,2026-12-03 14:00,anna.petrova@school.example,\n"
    stage.write("shifts.csv", HEADER + rows[0].replace("Early", "Earlier") + rows[1] + more)
    result = run_inline(stage.one_pass())
    counts = result.record.counts
    assert (counts["created"], counts["updated"], counts["deleted"]) == (1, 1, 0)
    assert [problem.kind for problem in result.record.problems] == ["warning"]
    assert "Night shift" in stage.names()


def test_a_series_whose_create_was_lost_and_that_a_person_took_an_occurrence_out_of_is_put_right(
    tmp_path: Path,
) -> None:
    stage = _series_stage(tmp_path)
    stage.set_faults(
        Settings(integer_stamps=False, faults=(parse_fault("cut-after:method=calendar.event.add,times=1"),))
    )

    async def killed() -> None:
        async with stage.opened() as (syncs, app):
            await asyncio.wait_for(run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions()), 5)

    with pytest.raises(TimeoutError):
        run_inline(killed())
    (series,) = stage.world.events("user", 3)
    run_inline(_take_out(stage, series.id))
    stage.clock.advance(600)
    codes = [run_inline(stage.one_pass(verify=True)).exit_code for _ in range(2)]
    assert (codes[-1], stage.names(owner=3)) == (0, ["Stand-up"])


def test_an_event_with_a_mark_that_a_person_moved_before_its_answer_was_noted_is_found_again(tmp_path: Path) -> None:
    """The process died between the answer and the ledger; a person moved and renamed the event before the next look."""
    for number in range(30, 46):
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            play = Play(Path(folder), marker=True, passes=1, private=False)
            row = Row(title="Early", day=1, hour=9, owner="anna.petrova", place="", rule="")
            play.rows["extras"] = {"r1": row}
            play.one_pass("extras", verify=False, force=True, kill=Kill(at="ledger", number=number, after=False))
            play.edit(0, moves=False)
            play.check_converged()
