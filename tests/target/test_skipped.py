"""`on_unresolved = "skip"`: what is left out is no trouble, and is counted and listed all the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from syncd.app import report
from syncd.app.check import check_all
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

SKIP = SHIFTS + 'on_unresolved = "skip"\n'
ROWS = (
    "1,Early,2026-12-01 06:00,2026-12-01 14:00,anna.petrova@school.example,\n"
    "2,Late,2026-12-02 14:00,2026-12-02 22:00,nobody@school.example,\n"
    "3,Night,2026-12-03 22:00,2026-12-04 06:00,,\n"
)


@pytest.mark.parametrize("verify", [False, True])
def test_skipped_entries_are_counted_and_listed_in_every_pass(tmp_path: Path, verify: bool) -> None:
    stage = Stage(tmp_path, SKIP)
    stage.write("shifts.csv", HEADER + ROWS)
    for _ in range(2):
        result = run_inline(stage.one_pass(verify=verify))
        assert (result.exit_code, result.record.counts["skipped"], result.record.counts["held"]) == (0, 2, 0)
        told = [(problem.where, problem.kind, problem.key) for problem in result.record.problems]
        assert told == [("shifts.csv:3", "skipped", "2"), ("shifts.csv:4", "skipped", "3")]
        assert result.record.problems[0].reason.startswith('left out (on_unresolved = "skip"): no user \'nobody@school')
        rows = [(row[0], row[4], row[7][:8]) for row in report.rows(result)]
        assert rows[1:] == [("shifts.csv:3", "unchanged", "left out"), ("shifts.csv:4", "unchanged", "left out")]
    assert stage.names() == ["Early"]


def test_what_is_found_again_is_no_longer_skipped(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SKIP)
    stage.write("shifts.csv", HEADER + ROWS)
    run_inline(stage.one_pass())
    stage.config = SKIP + 'owners = { "nobody@school.example" = 5 }\n'
    result = run_inline(stage.one_pass())
    assert (result.record.counts["skipped"], result.record.counts["created"]) == (1, 1)


@pytest.mark.parametrize("what", ["a namesake", "dismissed"])
def test_who_is_doubted_keeps_what_stands_there(tmp_path: Path, what: str) -> None:
    stage = Stage(tmp_path, SKIP)
    rows = "1,Early,2026-12-01 06:00,2026-12-01 14:00,Соколов Иван,\n"
    stage.write("shifts.csv", HEADER + rows)
    run_inline(stage.one_pass())
    users = stage.world.tables.users
    if what == "dismissed":
        users[5] = replace(users[5], active=False)
    else:
        users[99] = replace(users[5], id=99, email="other@school.example", xml_id="")
    for _ in range(2):
        result = run_inline(stage.one_pass(verify=True))
        assert (result.exit_code, result.record.counts["skipped"], result.record.counts["deleted"]) == (0, 1, 0)
        assert 'left out (on_unresolved = "skip"; what was brought over stays)' in result.record.problems[0].reason
    assert stage.names(owner=5) == ["Early"]
    # Whoever the row names and nobody is, is not the one whose calendar it was.
    stage.write("shifts.csv", HEADER + rows.replace("Соколов Иван", "Вакансия"))
    assert run_inline(stage.one_pass(verify=True, force=True)).record.counts["deleted"] == 1


def test_what_goes_to_the_fallback_is_told_by_name_in_one_line(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS + 'on_unresolved = "fallback"\nfallback_owner = "10"\n')
    stage.write("shifts.csv", HEADER + ROWS)
    for _ in range(2):
        result = run_inline(stage.one_pass())
        (problem,) = result.record.problems
        assert (result.exit_code, problem.kind, stage.names()) == (0, "warning", ["Early", "Late", "Night"])
        assert problem.reason.startswith("2 entries go to the fallback_owner 10")
        assert "'nobody@school.example' (1), nobody (1)" in problem.reason


def test_check_says_once_that_entries_are_left_out_before_the_reasons(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SKIP)
    stage.write("shifts.csv", HEADER + ROWS)

    async def details() -> list[str]:
        async with stage.opened() as (_, app):
            return [check.detail async for check in check_all(app, offline=False) if check.name == "owners shifts"]

    (detail,) = run_inline(details())
    assert "; 2 entries left out (on_unresolved = \"skip\"): no user 'nobody@school.example'" in detail
    assert detail.count("left out") == 1
    assert "(1 entry); the owner is empty" in detail
