"""A pass that gets no more memory fails with words, the process lives, and the next pass does what was left."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.cycle import plan
from syncd.cycle.run import PassOptions, run_pass
from syncd.cycle.takeback import Offer, purge
from syncd.errors import OutOfMemoryError
from tests.cycle.test_faults import rows
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ROWS = 120


def _raise(*_args: object, **_named: object) -> None:
    raise MemoryError


def made(folder: Path, count: int = ROWS) -> Stage:
    stage = Stage(folder, SHIFTS)
    stage.write("shifts.csv", HEADER + rows(count))
    return stage


@pytest.mark.parametrize("step", ["shape_recognised", "make_plan", "named"])
def test_a_pass_without_memory_says_so_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    stage = made(tmp_path)

    async def main() -> None:
        async with stage.opened() as (syncs, app):
            with monkeypatch.context() as short:
                short.setattr(plan, step, _raise)
                result = await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())
            assert isinstance(result.error, OutOfMemoryError)
            assert (result.exit_code, result.state, result.prepared) == (7, "failed", None)
            assert "MemoryMax" in result.record.error
            result = await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())
            assert (result.error, result.record.counts["created"]) == (None, ROWS)

    run_inline(main())


def test_memory_that_ends_while_changes_are_sent_makes_nothing_twice(tmp_path: Path) -> None:
    stage, sent = made(tmp_path), 0

    def end() -> None:
        nonlocal sent
        sent += 1
        if sent == 8:
            raise MemoryError

    async def main() -> None:
        async with stage.opened() as (syncs, app):
            stage.transport.before = end
            result = await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())
            assert isinstance(result.error, OutOfMemoryError)
            stage.transport.before = None
            for _ in range(3):
                result = await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())
            assert (result.error, result.state) == (None, "done")

    run_inline(main())
    assert len(stage.names()) == len(set(stage.names())) == ROWS


def test_a_purge_without_memory_says_so(tmp_path: Path) -> None:
    stage = made(tmp_path)
    run_inline(stage.one_pass())

    async def never(_offer: Offer) -> bool:
        raise MemoryError

    async def main() -> None:
        async with stage.opened() as (syncs, app):
            taken = await purge(app.open_pass(syncs["shifts"], asyncio.Event()), confirm=never)
            assert (type(taken.error), taken.exit_code, taken.record.state) == (OutOfMemoryError, 7, "failed")

    run_inline(main())


_LIMITED = """
import re, resource, sys
from pathlib import Path
import syncd.cli, syncd.cli.execute, syncd.cli.commands.passes, syncd.app.wiring, syncd.source.table.csv
used = 1024 * int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
resource.setrlimit(resource.RLIMIT_DATA, (used + 40_000_000, resource.RLIM_INFINITY))
sys.exit(syncd.cli.main(["--config", sys.argv[1], "plan"]))
"""


def test_a_command_without_memory_ends_with_words_and_their_exit_code(tmp_path: Path) -> None:
    stage = made(tmp_path, 150_000)
    config = stage.write("syncd.toml", SHIFTS)
    done = subprocess.run(
        (sys.executable, "-P", "-c", _LIMITED, str(config)), capture_output=True, text=True, check=False
    )
    assert (done.returncode, "MemoryMax" in done.stderr) == (7, True), done.stderr
    assert "Traceback" not in done.stderr
