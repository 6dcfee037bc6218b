"""What a pass tells is told in the reader's language: what the portal says in its own words, the rest in Russian."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncd.lang.catalog import reading, told
from syncd.model.entry import Problem
from tests.cycle.test_pass import ROWS, _edit, staged
from tests.cycle.test_series_refused import SENTENCE, SHAPES, refusing
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

NAMES = re.compile(r"[\w.]+@[\w.]+|on_unresolved|syncd|shifts\.csv|user/\d+|CRM|id|owners|sync\.target")


def in_russian(problem: Problem) -> str:
    """Return a reason in Russian, having seen that no English word is left in it."""
    russian = told(problem.reason, "ru")
    assert re.findall(r"[A-Za-z]{2,}", NAMES.sub("", russian)) == []
    return russian


def kept_holds(stage: Stage) -> list[str]:
    async def read() -> list[str]:
        async with stage.opened() as (_, app):
            return [told(hold.reason, "ru") for hold in await app.ledger.of("shifts").holds()]

    return run_inline(read())


def test_an_unknown_owner_is_told_in_russian(tmp_path: Path) -> None:
    stage = staged(tmp_path, ROWS.replace("emma.clarke", "nobody"))
    (problem,) = run_inline(stage.one_pass()).record.problems
    assert in_russian(problem).startswith("на портале нет пользователя «nobody@school.example»; похожи: ")
    assert in_russian(problem).endswith(" (см. on_unresolved)")
    with reading("ru"):
        assert told(problem.reason) == in_russian(problem)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_refusal_is_quoted_in_the_portal_s_words_and_explained_in_the_reader_s(tmp_path: Path, shape: str) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass())
    refusing(stage, "calendar.event.update", shape)
    stage.write("shifts.csv", HEADER + ROWS.replace("Early shift", "Opening"))
    (problem,) = run_inline(stage.one_pass()).record.problems
    assert problem.reason.startswith(f"{SENTENCE} (syncd's user may not write to this calendar: ")
    assert in_russian(problem).startswith(f"{SENTENCE} (пользователю syncd нельзя писать в этот календарь: ")


def test_an_edit_names_its_fields_in_russian_also_from_its_hold(tmp_path: Path) -> None:
    stage = staged(tmp_path, config=SHIFTS.replace("removed_after = 1", 'removed_after = 1\non_conflict = "report"'))
    run_inline(stage.one_pass())
    (event,) = stage.world.events("user", 3)
    run_inline(_edit(stage, event.id, name="Holiday"))
    (problem,) = run_inline(stage.one_pass(verify=True)).record.problems
    assert problem.reason == "edited in the portal: name"
    assert in_russian(problem) == "изменено на портале: название"
    assert kept_holds(stage) == ["изменено на портале: название"]


def test_what_a_settled_pass_tells_again_is_told_in_russian(tmp_path: Path) -> None:
    stage = staged(tmp_path, ROWS.replace("Early shift", "Early\\nshift").replace("emma.clarke", "nobody"))
    run_inline(stage.one_pass())
    first = run_inline(stage.one_pass()).record.problems
    again = run_inline(stage.one_pass()).record.problems
    assert [in_russian(one) for one in again] == [in_russian(one) for one in first]
