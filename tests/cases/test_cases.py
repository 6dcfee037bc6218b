"""Inputs made after public reports of trouble, and what must come out; harness.py has the form of a case."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cases.harness import CASES, expectation, play, wanted


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_what_people_see_is_what_the_author_meant(case: Path, tmp_path: Path) -> None:
    expected = expectation(case)
    outcome = await play(case, tmp_path)
    assert outcome.exit_code == expected["exit"], outcome.problems
    for word in expected.get("problems", ()):
        assert any(word in line for line in outcome.problems), (word, outcome.problems)
    assert (outcome.seen - wanted(expected), wanted(expected) - outcome.seen) == ({}, {}), outcome.problems
    assert (outcome.sent_again, outcome.exit_again) == (0, expected["exit"])
