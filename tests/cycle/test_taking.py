"""What a run did can be taken back, and all of a sync deleted: its own, whole, once, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from syncd.app.application import App
from syncd.cycle.sync import Sync
from syncd.cycle.takeback import Offer, Taken, purge, undo
from syncd.model.json_values import Json
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from tests.cycle.test_pass import ROWS, SERIES, _series_stage, _take_out, staged
from tests.cycle.test_series_refused import holds, refusing
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

LOOSE = SHIFTS.replace("removed_after = 1", 'removed_after = 1\nmax_removed = "100%"')
Job = Callable[[Sync, App], Awaitable[Taken]]


async def yes(_offer: Offer) -> bool:
    return True


def taking(stage: Stage, job: Job) -> Taken:
    async def go() -> Taken:
        async with stage.opened() as (syncs, app):
            return await job(syncs["shifts"], app)

    return run_inline(go())


def undone(stage: Stage, run_id: int) -> Taken:
    return taking(stage, lambda setup, app: undo(app.open_pass(setup, asyncio.Event()), run_id, confirm=yes))


def purged(stage: Stage) -> Taken:
    return taking(stage, lambda setup, app: purge(app.open_pass(setup, asyncio.Event()), confirm=yes))


def shown(stage: Stage) -> list[tuple[str, str, int]]:
    calendars = [calendar for calendar in stage.world.calendars() if calendar[0] == "user"]
    events = [event for calendar in calendars for event in stage.world.events(*calendar)]
    return sorted((event.name, event.location, event.owner_id) for event in events)


def three_runs(folder: Path) -> tuple[Stage, list[tuple[str, str, int]]]:
    """One run creates three shifts; the next updates one, deletes one and creates one."""
    stage = staged(folder, config=LOOSE)
    run_inline(stage.one_pass())
    before = shown(stage)
    changed = ROWS.splitlines(keepends=True)[:2]
    changed[0] = changed[0].replace("Early shift", "Opening").replace("Desk 1", "Gate")
    more = "4,Fourth shift,2026-12-05 06:00,2026-12-05 14:00,anna.petrova@school.example,Desk 1\n"
    stage.write("shifts.csv", HEADER + "".join(changed) + more)
    result = run_inline(stage.one_pass(force=True))
    counts = result.record.counts
    assert (counts["created"], counts["updated"], counts["deleted"]) == (1, 1, 1)
    return stage, before


def test_undoing_a_run_deletes_what_it_created_and_restores_what_it_changed_and_deleted(tmp_path: Path) -> None:
    stage, before = three_runs(tmp_path)
    taken = undone(stage, 2)
    assert (taken.exit_code, taken.record.state) == (0, "done")
    assert shown(stage) == before


def test_an_undo_can_be_undone_and_a_second_undo_finds_nothing_to_do(tmp_path: Path) -> None:
    stage, before = three_runs(tmp_path)
    after = shown(stage)
    undone(stage, 2)
    again = undone(stage, 2)
    assert again.plan is not None
    assert (again.plan.changes, again.plan.already) == ((), 3)
    assert undone(stage, 3).exit_code == 0
    assert shown(stage) == after != before


@pytest.mark.parametrize("renamed", [False, True])
def test_a_series_that_was_made_anew_is_put_back_to_what_it_said_and_not_deleted(tmp_path: Path, renamed: bool) -> None:
    """No update can put right a series from which a person took an occurrence, so the run deleted and created it."""
    stage = _series_stage(tmp_path)
    run_inline(stage.one_pass())
    (event,) = stage.world.events("user", 3)
    run_inline(_take_out(stage, event.id))
    stage.write("team.ics", SERIES.replace("Stand-up", "Sit-down") if renamed else SERIES)
    counts = run_inline(stage.one_pass(verify=True)).record.counts
    assert (counts["deleted"], counts["created"]) == (1, 1)
    assert undone(stage, 2).exit_code == 0
    assert stage.names(owner=3) == ["Stand-up"]


@pytest.mark.parametrize("job", ["undo", "purge"])
def test_what_was_adopted_and_is_forgotten_is_adopted_again_and_not_made_twice(tmp_path: Path, job: str) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / "state" / f"syncd.db{suffix}").unlink(missing_ok=True)
    assert run_inline(stage.one_pass()).record.counts["adopted"] == 3
    assert (undone(stage, 1) if job == "undo" else purged(stage)).exit_code == 0
    assert run_inline(stage.one_pass()).record.counts["adopted"] == 3
    assert len(stage.names()) == 3


def test_what_a_person_changed_since_is_left_and_listed(tmp_path: Path) -> None:
    stage, _ = three_runs(tmp_path)
    edited = next(e for e in stage.world.events("user", 3) if e.name == "Fourth shift")
    run_inline(_ask(stage, "calendar.event.update", id=edited.id, type="user", ownerId=3, name="Mine now",
                    skip_time="N", timezone_from="Europe/Moscow", timezone_to="Europe/Moscow"))  # fmt: skip
    taken = undone(stage, 2)
    assert taken.plan is not None
    (left,) = taken.plan.left
    assert (left.link.title, left.reason) == ("Fourth shift", "edited in the portal since: name")
    assert taken.exit_code == 1
    assert "Mine now" in [name for name, _, _ in shown(stage)]


def test_what_a_later_run_changed_is_left_until_that_one_is_undone(tmp_path: Path) -> None:
    stage, before = three_runs(tmp_path)
    text = (tmp_path / "shifts.csv").read_text().replace("Opening", "Reopening")
    stage.write("shifts.csv", text)
    run_inline(stage.one_pass(force=True))
    first = undone(stage, 2)
    assert first.plan is not None
    assert [left.reason for left in first.plan.left] == ["changed by a later run; undo that one first"]
    undone(stage, 3)
    assert undone(stage, 2).exit_code == 0
    assert shown(stage) == before


def test_a_no_sends_nothing(tmp_path: Path) -> None:
    stage, _ = three_runs(tmp_path)
    after = shown(stage)

    async def no(offer: Offer) -> bool:
        assert len(offer.plan.changes) == 3
        assert offer.forecast.commands >= 3
        return False

    taken = taking(stage, lambda setup, app: undo(app.open_pass(setup, asyncio.Event()), 2, confirm=no))
    assert (taken.exit_code, shown(stage)) == (130, after)


@pytest.mark.parametrize("fault", ["cut-after", "cut-during:keep=1", "error-after", "half", "late:seconds=40", "hang"])
@pytest.mark.parametrize("method", ["calendar.event.add", "calendar.event.update", "calendar.event.delete"])
def test_an_undo_whose_answers_get_lost_does_everything_once(tmp_path: Path, fault: str, method: str) -> None:
    stage, before = three_runs(tmp_path)
    joint = "," if ":" in fault else ":"
    faults = (parse_fault(f"{fault}{joint}method={method},times=1"),)
    stage.set_faults(Settings(integer_stamps=False, faults=faults))
    for _ in range(3):
        if undone(stage, 2).exit_code == 0:
            break
        stage.clock.advance(3600)
    assert shown(stage) == before


def test_a_purge_deletes_what_was_created_and_forgets_what_was_adopted(tmp_path: Path) -> None:
    stage = staged(tmp_path, ROWS.splitlines(keepends=True)[0])
    run_inline(stage.one_pass())
    (tmp_path / "state" / "syncd.db").unlink()
    stage.write("shifts.csv", HEADER + ROWS)
    run_inline(stage.one_pass())  # adopts the first, creates two
    run_inline(_ask(stage, "calendar.event.add", type="user", ownerId=3, name="Dentist", skip_time="N",
                    **{"from": "2026-12-01T10:00:00", "to": "2026-12-01T11:00:00"}))  # fmt: skip
    taken = purged(stage)
    assert taken.plan is not None
    assert (taken.exit_code, taken.record.counts["deleted"]) == (0, 2)
    assert [left.link.title for left in taken.plan.left] == ["Early shift"]
    assert [name for name, _, _ in shown(stage)] == ["Dentist", "Early shift"]
    again = purged(stage)
    assert (again.record.commands, again.plan.changes if again.plan else None) == (0, ())


def test_a_purge_releases_what_was_held_and_never_created(tmp_path: Path) -> None:
    first, rest = ROWS.split("\n", 1)
    stage = staged(tmp_path, rest)
    run_inline(stage.one_pass())
    refusing(stage, "calendar.event.add")
    stage.write("shifts.csv", HEADER + f"{first}\n{rest}")
    assert run_inline(stage.one_pass()).record.counts["held"] == 1
    assert run_inline(holds(stage)) == 1
    assert purged(stage).exit_code == 0
    assert run_inline(holds(stage)) == 0


def test_a_purge_tells_what_people_edited_and_passes_over_what_they_deleted(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    (early,), (late,) = stage.world.events("user", 3), stage.world.events("user", 5)
    run_inline(_ask(stage, "calendar.event.delete", id=late.id))
    run_inline(_ask(stage, "calendar.event.update", id=early.id, type="user", ownerId=3, name="Mine",
                    skip_time="N", timezone_from="Europe/Moscow", timezone_to="Europe/Moscow"))  # fmt: skip
    taken = purged(stage)
    assert taken.plan is not None
    assert [(one.link.title, one.reason) for one in taken.plan.noted] == [
        ("Early shift", "edited in the portal since: name")
    ]
    assert (taken.exit_code, shown(stage)) == (0, [])
    created = run_inline(stage.one_pass())
    assert created.record.counts["created"] == 3


def test_a_purge_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    lines = "".join(
        f"{n},S {n},2026-12-{1 + n % 28:02} 06:00,2026-12-{1 + n % 28:02} 07:00,anna.petrova@school.example,\n"
        for n in range(150)
    )
    stage = staged(tmp_path, lines)
    run_inline(stage.one_pass())
    stop = asyncio.Event()
    begun = stage.transport.requests
    stage.transport.before = lambda: stop.set() if stage.transport.requests > begun + 3 else None
    taken = taking(stage, lambda setup, app: purge(app.open_pass(setup, stop), confirm=yes))
    stage.transport.before = None
    assert taken.exit_code == 130
    assert 0 < len(shown(stage)) < 150
    assert purged(stage).exit_code == 0
    assert shown(stage) == []


async def _ask(stage: Stage, method: str, **params: Json) -> None:
    async with stage.opened() as (_, app):
        await app.portals["main"].read(method, params)
