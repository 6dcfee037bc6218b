"""An ordinary pass keeps only what there is to decide about, and decides as one that keeps everything."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.cycle.plan import preview
from syncd.cycle.prepared import Prepared
from tests.cycle.edits import decided, told
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ROWS = {
    str(n): f"Shift {n},2026-12-{1 + n % 20:02} 06:00,2026-12-{1 + n % 20:02} 14:00,anna.petrova@school.example,"
    for n in range(30)
}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path, SHIFTS.replace("removed_after = 1", 'removed_after = 1\nmax_changed = "100%"'))
    write(stage, ROWS)
    run_inline(stage.one_pass())
    return stage


def write(stage: Stage, rows: dict[str, str]) -> None:
    stage.write("shifts.csv", HEADER + "".join(f"{uid},{row}\n" for uid, row in rows.items()))


def planned(stage: Stage) -> Prepared:
    """Return the plan of an ordinary pass, which is that of one that keeps everything and asks the portal as often."""

    async def both() -> Prepared:
        async with stage.opened() as (syncs, app):
            before = stage.transport.requests
            ordinary = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)
            asked = stage.transport.requests
            whole = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False, fresh=True)
            assert (told(ordinary), decided(ordinary)) == (told(whole), decided(whole))
            assert asked - before == stage.transport.requests - asked
            assert len(whole.links) == len(ROWS)
            return ordinary

    return run_inline(both())


def test_items_and_links_of_unchanged_entries_are_let_go_of(stage: Stage) -> None:
    changed = ROWS | {"3": ROWS["3"].replace("Shift", "Late shift"), "new": ROWS["4"]}
    del changed["7"]
    write(stage, changed)
    prepared = planned(stage)
    assert sorted(item.key.uid for item in prepared.wanted.items) == ["3", "new"]
    assert sorted(link.key.uid for link in prepared.links) == ["3", "7"]
    assert prepared.counts["unchanged"] == prepared.wanted.as_sent == 28
    assert prepared.plan.known_uids == 30


def test_what_was_absent_is_kept_until_it_counts_as_present_again(stage: Stage) -> None:
    stage.config = stage.config.replace('"delete"', '"keep"')
    write(stage, {uid: row for uid, row in ROWS.items() if uid != "7"})
    run_inline(stage.one_pass())
    write(stage, ROWS)
    prepared = planned(stage)
    assert [(link.key.uid, link.absent_passes) for link in prepared.links] == [("7", 1)]
    assert {key.uid for key in prepared.plan.present} == {"7"}
    run_inline(stage.one_pass())
    write(stage, ROWS | {"new": ROWS["4"]})
    assert planned(stage).links == ()


def test_a_second_link_to_an_event_is_noticed_and_the_portal_read(stage: Stage) -> None:
    async def twice() -> None:
        async with stage.opened() as (_, app):
            ledger = app.ledger.of("shifts")
            first, second, *_ = await ledger.links()
            run_id = await ledger.begin_run(stage.clock.now())
            await ledger.adopt(run_id, [replace(second, remote_id=first.remote_id)], now=stage.clock.now())

    run_inline(twice())
    write(stage, ROWS | {"0": ROWS["0"].replace("Shift", "Late shift")})
    prepared = planned(stage)
    assert (prepared.verified, [key.uid for key in prepared.gone]) == (True, ["1"])


def test_events_of_a_lost_ledger_are_looked_at_once(stage: Stage) -> None:
    stage.config = stage.config.replace("removed_after = 1", 'removed_after = 1\nmarker = "description"')
    run_inline(stage.one_pass())
    for name in ("syncd.db", "syncd.db-wal", "syncd.db-shm", "syncd.db.echo"):
        (stage.folder / "state" / name).unlink(missing_ok=True)
    assert run_inline(stage.one_pass()).record.counts["adopted"] == len(ROWS)
    write(stage, ROWS | {"3": ROWS["3"].replace("Shift", "Late shift")})
    prepared = planned(stage)
    assert [change.op for change in prepared.plan.changes] == ["update"]
    (seen,) = [change.observed for change in prepared.plan.changes]
    assert seen is not None and seen.ledger not in ("", prepared.run.ledger_name)
    assert len(prepared.wanted.items) == len(prepared.links) == 1


def test_a_renamed_file_has_the_portal_asked_for_people_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS.replace('uid = "ID"\n', "").replace('path = "shifts.csv"', 'path = "*.csv"'))
    rows = ROWS | {"x": ROWS["1"].replace("anna.petrova", "nobody")}
    write(stage, rows)
    run_inline(stage.one_pass())
    (stage.folder / "shifts.csv").rename(stage.folder / "later.csv")
    changed = rows | {"3": ROWS["3"].replace("06:00", "07:00")}
    stage.write("later.csv", HEADER + "".join(f"{uid},{row}\n" for uid, row in changed.items()))
    stage.clock.advance(1000)
    prepared = planned(stage)
    assert [change.op for change in prepared.plan.changes] == ["update"]
