"""A create whose answer was lost is found again, whatever was created and however it travelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from tests.support.sandbox import SHIFTS, Stage, run_inline

CONFIG = SHIFTS.replace(
    'location = "Place"', 'location = "Place"\nrrule = "Rule"\nattendees = "Guests"\nall_day = "Day"'
)
CONFIG += '\n[sync.fields]\nattendees = "source"\n'
HEADER = "ID,Shift,Start,End,E-mail,Place,Rule,Guests,Day\n"
WHO = "anna.petrova@school.example"
KINDS = {
    "single call": f"1,Pay $result[x] now,2026-12-01 06:00,2026-12-01 14:00,{WHO},,,,\n",
    "series": f'1,Weekly,2026-12-01 06:00,2026-12-01 07:00,{WHO},,"FREQ=WEEKLY;BYDAY=TU,TH;COUNT=8",,\n',
    "two series": (f'1,Two,2026-12-01 06:00,2026-12-01 07:00,{WHO},,"FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;COUNT=6",,\n'),
    "meeting": f"1,Talk,2026-12-01 06:00,2026-12-01 07:00,{WHO},,,ivan.sokolov@school.example,\n",
    "whole day": f"1,Holiday,2026-12-01,2026-12-02,{WHO},,,,yes\n",
    "filtered": f"1,Create event for the <b>Select</b> from list,2026-12-01 06:00,2026-12-01 07:00,{WHO},a & b,,,\n",
}
FAULTS = ("cut-after", "cut-before", "error-after", "half", "late:seconds=40")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_it_ends_up_there_once_and_reads_back_as_sent(tmp_path: Path, kind: str, fault: str) -> None:
    stage = Stage(tmp_path, CONFIG)
    stage.write("shifts.csv", HEADER + KINDS[kind])
    plain = run_inline(_names_without_faults(tmp_path, kind))
    joint = "," if ":" in fault else ":"
    faults = (parse_fault(f"{fault}{joint}method=calendar.event.add,times=1"),)
    stage.set_faults(Settings(integer_stamps=False, waf=True, faults=faults))
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["created"]) == (0, plain)
    own = [event for event in stage.world.events("user", 3) if not event.is_copy]
    assert len(own) == plain
    stage.clock.advance(600)
    quiet = run_inline(stage.one_pass(verify=True))
    assert (quiet.record.counts["unchanged"], quiet.record.counts["updated"]) == (plain, 0)
    assert len([event for event in stage.world.events("user", 3) if not event.is_copy]) == plain


async def _names_without_faults(folder: Path, kind: str) -> int:
    other = folder / "plain"
    other.mkdir()
    stage = Stage(other, CONFIG)
    stage.write("shifts.csv", HEADER + KINDS[kind])
    return (await stage.one_pass()).record.counts["created"]
