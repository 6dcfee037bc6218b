"""What `syncd init` makes of each input of the cases: a config that the other commands accept."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from syncd.app.init import make_start
from tests.cases.harness import CASES, TODAY, JumpingClock, expectation

INPUTS = tuple(
    file
    for case in CASES
    # A config of its own says what the input does not: what a zone means, which encoding it has, and so on.
    if expectation(case)["exit"] == 0 and not re.search(r"zones|encoding", (case / "syncd.toml").read_text("utf-8"))
    for file in sorted(case.iterdir())
    if file.suffix in (".csv", ".xlsx", ".ics")
)


@pytest.mark.parametrize("file", INPUTS, ids=lambda file: f"{file.parent.name}-{file.name}")
async def test_init_writes_a_config_under_which_the_whole_input_is_read(file: Path, tmp_path: Path) -> None:
    shutil.copy(file, tmp_path)
    start = await make_start(str(tmp_path / file.name), None, folder=tmp_path, clock=JumpingClock(start=TODAY))
    assert start.snapshot is not None
    assert (start.snapshot.complete, [one for one in start.snapshot.problems if one.kind != "warning"]) == (True, [])
    assert start.snapshot.entries
    uncommented = re.sub(r"(?m)^# ?(?=\[|[\w\"-]+ = )", "", start.text)
    assert tomllib.loads(uncommented)["sync"][0]["name"]
