"""A value of the wrong type in any answer of the portal: it is told, and nothing is doubled, lost or deleted for it."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from syncd.cycle.run import PassResult
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from tests.support.mutation import LEAVE_OUT, WRONG, MutatingTransport, Mutation
from tests.support.mutation import Path as Place
from tests.support.sandbox import SHIFTS, Stage, run_inline

EXAMPLES = int(os.environ.get("SYNCD_MUTATION_EXAMPLES", "0"))
METHODS = (
    *("", "user.get", "profile", "user.current", "calendar.section.get", "calendar.section.add"),
    *("calendar.event.get", "calendar.event.getbyid", "calendar.event.add", "calendar.event.update"),
    "calendar.event.delete",
)
CONFIG = SHIFTS.replace('location = "Place"', 'location = "Place"\nrrule = "Rule"').replace(
    "removed_after = 1", 'removed_after = 1\nmax_removed = "90%"'
)
HEADER = "ID,Shift,Start,End,E-mail,Place,Rule\n"
ANNA = "anna.petrova@school.example"
BEFORE = (
    f"1,Early,2026-12-01 06:00,2026-12-01 14:00,{ANNA},Desk 1,\n"
    f"2,Weekly,2026-12-02 06:00,2026-12-02 14:00,{ANNA},Desk 1,FREQ=WEEKLY;COUNT=3\n"
    f"3,Gone,2026-12-03 06:00,2026-12-03 14:00,{ANNA},Desk 1,\n"
)
AFTER = (
    f"1,Earlier,2026-12-01 06:00,2026-12-01 14:00,{ANNA},Desk 1,\n"
    f"2,Weekly,2026-12-02 06:00,2026-12-02 14:00,{ANNA},Desk 1,FREQ=WEEKLY;COUNT=3\n"
    f"4,New,2026-12-04 06:00,2026-12-04 14:00,{ANNA},Desk 1,\n"
    f"5,New series,2026-12-08 06:00,2026-12-08 14:00,{ANNA},Desk 1,FREQ=WEEKLY;COUNT=3\n"
    "6,Elsewhere,2026-12-04 06:00,2026-12-04 14:00,ivan.sokolov@school.example,Desk 1,\n"
)
FAULTS = (
    "",
    "cut-after:method=calendar.event.add,times=1",
    "cut-before:method=calendar.event.add,times=1",
    "crash:method=calendar.event.update,times=1",
    "cut-after:method=calendar.event.delete,times=1",
    "cut-after:method=calendar.section.add,times=1",
)


def begun(folder: Path) -> Stage:
    stage = Stage(folder, CONFIG)
    stage.transport = MutatingTransport(stage.world, stage.clock)
    stage.write("shifts.csv", HEADER + BEFORE)
    assert run_inline(stage.one_pass()).exit_code == 0
    return stage


def shown(stage: Stage) -> Counter[str]:
    names = (event.name for owner in stage.world.calendars() for event in stage.world.events(*owner))
    return Counter(
        name for name in names if name in ("Early", "Earlier", "Weekly", "Gone", "New", "New series", "Elsewhere")
    )


def healed(stage: Stage) -> PassResult:
    """Let the portal answer rightly again, and run passes until one has nothing to complain of."""
    assert isinstance(stage.transport, MutatingTransport)
    stage.transport.mutation = None
    stage.set_faults(Settings(integer_stamps=False))
    for _ in range(4):
        result = run_inline(stage.one_pass(verify=True))
        if result.exit_code == 0:
            break
        stage.clock.advance(25 * 3600)
    return result


@pytest.mark.parametrize("ledger_is_lost", [False, True])
@settings(
    max_examples=EXAMPLES or 30,
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)
@given(
    method=st.sampled_from(METHODS),
    value=st.sampled_from((*WRONG, LEAVE_OUT)),
    skip=st.integers(0, 4),
    times=st.sampled_from((1, 2, 10_000)),
    fault=st.sampled_from(FAULTS),
    verify=st.booleans(),
    where=st.integers(0, 10_000),
)  # fmt: skip
def test_a_wrong_value_anywhere_doubles_loses_and_deletes_nothing(
    ledger_is_lost: bool, method: str, value: object, skip: int, times: int, fault: str, verify: bool, where: int
) -> None:
    def pick(found: list[Place]) -> Place:
        return found[where % len(found)] if where % 3 else found[0]

    with tempfile.TemporaryDirectory() as name:
        stage = begun(Path(name))
        first = "Earlier"
        if ledger_is_lost:
            first = "Early"  # a changed title would tell nobody that the event was ours
            for file in (stage.folder / "state").iterdir():
                if file.is_file():  # what series became is no ledger, and stays
                    file.unlink()
        stage.write("shifts.csv", HEADER + AFTER.replace("Earlier", first))
        if fault:
            stage.set_faults(Settings(integer_stamps=False, faults=(parse_fault(fault),)))
        assert isinstance(stage.transport, MutatingTransport)
        mutation = Mutation(method=method, pick=pick, value=value, skip=skip, times=times)
        stage.transport.mutation = mutation
        run_inline(stage.one_pass(verify=verify))  # raises nothing
        during = shown(stage)
        assert during["Early"] + during["Earlier"] == during["Weekly"] == 1, (during, mutation.struck)
        assert max(during.values()) == 1, (during, mutation.struck)
        result = healed(stage)
        after = Counter((first, "Weekly", "New", "New series", "Elsewhere"))
        if ledger_is_lost:
            after["Gone"] = 1  # nothing tells that it was ours
        assert shown(stage) == after, (mutation.struck, result)
        assert result.exit_code == 0, (mutation.struck, result)
        sections = Counter((s.calendar, s.name) for s in stage.world.tables.sections.values())
        assert max(sections.values()) == 1, (sections, mutation.struck)
