"""Events that are suddenly not to be seen any more are not made a second time: the webhook may have lost its rights."""

from __future__ import annotations

from pathlib import Path

from syncd.cycle.result import PassResult
from tests.cycle.test_pass import _remove, staged
from tests.support.sandbox import SHIFTS, Stage, run_inline

MANY = 24


def planned(folder: Path, config: str = SHIFTS) -> Stage:
    rows = (
        f"{n},Shift {n},2026-12-{n + 1:02} 06:00,2026-12-{n + 1:02} 14:00,anna.petrova@school.example,\n"
        for n in range(MANY)
    )
    stage = staged(folder, "".join(rows), config)
    assert run_inline(stage.one_pass()).record.counts["created"] == MANY
    return stage


def after_losing(stage: Stage, number: int, *, force: bool = False) -> PassResult:
    for event in stage.world.events("user", 3)[:number]:
        run_inline(_remove(stage, event.id))
    return run_inline(stage.one_pass(verify=True, force=force))


def test_most_events_gone_stop_the_pass_before_anything_is_sent(tmp_path: Path) -> None:
    stage = planned(tmp_path)
    result = after_losing(stage, 20)
    assert (result.exit_code, len(stage.names())) == (4, MANY - 20)
    assert result.error is not None
    assert "the events of 20 of 24 known entries are not to be seen in the portal any more" in result.error.message
    assert 'max_changed = "50%"' in result.error.message
    assert "may the webhook's user still see these calendars?" in result.error.remedy
    assert run_inline(stage.one_pass()).exit_code == 4
    forced = run_inline(stage.one_pass(force=True))
    assert (forced.exit_code, forced.record.counts["created"], len(stage.names())) == (0, 20, MANY)


def test_a_few_events_that_people_deleted_are_made_anew(tmp_path: Path) -> None:
    stage = planned(tmp_path)
    result = after_losing(stage, 5)
    assert (result.exit_code, result.record.counts["created"], len(stage.names())) == (0, 5, MANY)


def test_the_limit_is_the_config_s(tmp_path: Path) -> None:
    stage = planned(tmp_path, SHIFTS.replace("removed_after = 1", 'removed_after = 1\nmax_changed = "100%"'))
    assert after_losing(stage, MANY).record.counts["created"] == MANY
