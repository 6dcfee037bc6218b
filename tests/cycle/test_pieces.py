"""A series of several pieces that people damaged is put right, whatever happened to ledger and source meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cycle.test_masked import lose_ledger
from tests.cycle.test_pass import SERIES, _series_stage
from tests.support.restoring import ask
from tests.support.sandbox import Stage, run_inline

PIECES = SERIES.replace(
    "SUMMARY:Stand-up\n", "SUMMARY:Stand-up\nEXDATE;TZID=Europe/Moscow:20261222T100000,20270119T100000\n"
).replace(
    "END:VEVENT\n",
    "END:VEVENT\nBEGIN:VEVENT\nUID:standup\nRECURRENCE-ID;TZID=Europe/Moscow:20270202T100000\n"
    "DTSTART;TZID=Europe/Moscow:20270202T120000\nDTEND;TZID=Europe/Moscow:20270202T123000\nSUMMARY:Moved stand-up\n"
    "ORGANIZER:mailto:anna.petrova@school.example\nEND:VEVENT\n",
)


def shown(stage: Stage) -> list[tuple[str, str]]:
    """Return every occurrence that the portal shows, without asking syncd."""
    rows = ask(stage, "calendar.event.get", type="user", ownerId=3, **{"from": "2026-11-20", "to": "2027-03-31"})
    return sorted((row["DATE_FROM"], row["NAME"]) for row in rows)


def take_out(stage: Stage) -> int:
    """A person takes the second occurrence out of every series; return how many series there are."""
    series = [event for event in stage.world.events("user", 3) if event.stored.rule is not None]
    for event in series:
        day = event.stored.date_from.date()
        second = day.fromordinal(day.toordinal() + 7).isoformat()
        ask(
            stage, "calendar.event.update", id=event.id, type="user", ownerId=3, name="Cancelled", skip_time="N",
            recurrence_mode="this", current_date_from=second, timezone_from="Europe/Moscow",
            timezone_to="Europe/Moscow",
        )  # fmt: skip
    return len(series)


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize(
    ("marked", "changed", "lost"),
    [
        (False, False, False),
        (False, True, False),
        (True, False, False),
        (True, True, False),
        (True, False, True),
        (True, True, True),
    ],
)
def test_what_people_took_out_of_several_pieces_comes_back(
    tmp_path: Path, private: bool, marked: bool, changed: bool, lost: bool
) -> None:
    stage, before = damaged(tmp_path, private=private, marked=marked)
    if changed:
        stage.write("team.ics", PIECES.replace("SUMMARY:", "SUMMARY:New "))
        before = sorted((start, f"New {name}") for start, name in before)
    if lost:
        lose_ledger(stage)
    for verify in (False, True):
        run_inline(stage.one_pass(verify=verify))
    assert of_the_source(stage) == before
    after = run_inline(stage.one_pass(verify=True)).record
    assert (after.counts["unchanged"], after.problems) == (sum(after.counts.values()), ())


@pytest.mark.parametrize("private", [False, True])
def test_without_ledger_and_marks_damaged_pieces_are_told_and_not_made_twice(tmp_path: Path, private: bool) -> None:
    stage, before = damaged(tmp_path, private=private, marked=False)
    stands = of_the_source(stage)
    lose_ledger(stage)
    for verify in (False, True):
        result = run_inline(stage.one_pass(verify=verify))
        assert [one for one in result.record.problems if "looks like" in one.reason]
        assert of_the_source(stage) == stands
    assert len(stands) < len(before)


def damaged(folder: Path, *, private: bool, marked: bool) -> tuple[Stage, list[tuple[str, str]]]:
    """Return a portal in which people took occurrences out of our pieces, and what it showed before."""
    stage = _series_stage(folder, 'marker = "description"\n' if marked else "")
    stage.config += "[sync.fields]\nprivate = true\n" if private else ""
    stage.write("team.ics", PIECES)
    assert run_inline(stage.one_pass()).exit_code == 0
    before = of_the_source(stage)
    assert take_out(stage) > 1
    return stage, before


def of_the_source(stage: Stage) -> list[tuple[str, str]]:
    """Return what the portal shows without what people made of the occurrences that they took out."""
    return [one for one in shown(stage) if one[1] != "Cancelled"]
