"""What lies far apart in time is found again all the same: a birthday of 1960 beside the lessons of next year."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest

from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from tests.cycle.test_pass import _series_stage
from tests.support.sandbox import Stage, run_inline

NAMES = ["Birthday", "Lesson", "Long ago", "Next year"]


def event(uid: str, name: str, start: str, more: str = "") -> str:
    lines = [f"UID:{uid}", f"SUMMARY:{name}", f"DTSTART{start}", "ORGANIZER:mailto:anna.petrova@school.example", more]
    return "BEGIN:VEVENT\n" + "\n".join(line for line in lines if line) + "\nEND:VEVENT\n"


def timed(day: date) -> str:
    return f";TZID=Europe/Moscow:{day:%Y%m%d}T100000"


CALENDAR = (
    "BEGIN:VCALENDAR\nVERSION:2.0\n"
    + event("birthday", "Birthday", ";VALUE=DATE:19600505", "RRULE:FREQ=YEARLY")
    + event("long-ago", "Long ago", timed(date(1971, 3, 1)))
    + event("lesson", "Lesson", timed(date(2026, 12, 1)), "RRULE:FREQ=WEEKLY;BYDAY=TU")
    + event("next", "Next year", timed(date(2027, 3, 1)))
    + "END:VCALENDAR\n"
)


def staged(folder: Path) -> Stage:
    stage = _series_stage(folder)
    stage.write("team.ics", CALENDAR)
    return stage


def unbounded(stage: Stage) -> PassResult:
    """Run a pass as a migration does, with every day there is."""

    async def go() -> PassResult:
        async with stage.opened() as (syncs, app):
            setup = syncs["shifts"].unbounded()
            return await run_pass(app.open_pass(setup, asyncio.Event()), PassOptions(verify=True))

    return run_inline(go())


def test_after_the_ledger_was_lost_everything_is_adopted_however_far_back_it_begins(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    assert unbounded(stage).record.counts["created"] == 4
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / "state" / f"syncd.db{suffix}").unlink(missing_ok=True)
    again = unbounded(stage).record.counts
    assert (again["adopted"], again["created"], again["updated"]) == (4, 0, 0)
    assert stage.names(owner=3) == NAMES


@pytest.mark.parametrize("fault", ["error-after", "cut-after"])
def test_a_batch_that_was_lost_is_found_whole_however_far_apart_its_events_are(tmp_path: Path, fault: str) -> None:
    stage = staged(tmp_path)
    lost = parse_fault(f"{fault}:method=calendar.event.add,times=1")
    stage.set_faults(Settings(integer_stamps=False, faults=(lost,)))
    result = unbounded(stage)
    assert (result.exit_code, result.record.counts["created"]) == (0, 4)
    assert stage.names(owner=3) == NAMES


def test_reading_all_back_asks_for_the_months_in_which_something_begins(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    unbounded(stage)
    result = unbounded(stage)
    assert (result.record.counts["unchanged"], result.record.counts["updated"]) == (4, 0)
    assert result.record.commands < 40
