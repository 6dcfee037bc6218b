"""A ledger that is lost or damaged while a pass works with it: nothing is sent that would not be remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.errors import StateError
from tests.cycle.test_faults import rows
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ROWS = 150


def delete(ledger: Path) -> None:
    for one in ledger.parent.glob(f"{ledger.name}*"):
        one.unlink()


def delete_alone(ledger: Path) -> None:
    ledger.unlink()


def move_aside(ledger: Path) -> None:
    ledger.rename(ledger.with_name("aside"))


def replace(ledger: Path) -> None:
    ledger.rename(ledger.with_name("aside"))
    ledger.write_bytes(ledger.with_name("aside").read_bytes())


def staged(folder: Path) -> Stage:
    stage = Stage(folder, SHIFTS)
    stage.write("shifts.csv", HEADER + rows(ROWS))
    return stage


def at_request(stage: Stage, number: int, do: Callable[[Path], None]) -> Path:
    """Do something to the ledger of `stage` right before so many requests were sent, and return where it is."""
    ledger = stage.folder / "state" / "syncd.db"

    def count() -> None:
        if stage.transport.requests == number:
            do(ledger)

    stage.transport.before = count
    return ledger


async def passed(
    stage: Stage, times: int = 1, again: Callable[[], None] | None = None, pages: int = 2000
) -> list[PassResult | StateError]:
    """Return how passes of one process ended."""
    ends: list[PassResult | StateError] = []
    async with stage.opened() as (syncs, app):
        app.ledger.thread.connection.execute(f"PRAGMA cache_size = {pages}")
        for number in range(times):
            if number and again is not None:
                again()
            try:
                ends.append(await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions(force=True)))
            except StateError as error:
                ends.append(error)
    return ends


def told(end: PassResult | StateError) -> str:
    return str(end.error if isinstance(end, PassResult) else end)


@pytest.mark.parametrize("lose", [delete, delete_alone, replace])
def test_a_ledger_that_is_gone_in_the_middle_of_a_pass_ends_it_and_the_next_process_makes_nothing_twice(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    stage = staged(tmp_path)
    ledger = at_request(stage, 6, lose)
    ends = run_inline(passed(stage, 2))
    assert all(f"{ledger} is gone" in told(end) for end in ends)
    assert "start syncd again" in told(ends[-1])
    made = len(stage.names())
    assert made < ROWS
    assert stage.transport.requests < 12  # also the second pass sent nothing
    stage.transport.before = None
    for _ in range(4):
        run_inline(passed(stage))
    assert len(stage.names()) == len(set(stage.names())) == ROWS


def test_a_ledger_that_was_moved_away_and_back_goes_on(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    ledger = at_request(stage, 6, move_aside)

    def back() -> None:
        ledger.with_name("aside").rename(ledger)

    first, *_, last = run_inline(passed(stage, 4, lambda: back() if not ledger.exists() else None))
    assert "is gone" in told(first)
    assert isinstance(last, PassResult)
    assert (last.error, last.state) == (None, "done")
    assert len(stage.names()) == len(set(stage.names())) == ROWS


@pytest.mark.parametrize("pages", [1, 2000])
def test_a_ledger_that_is_damaged_in_the_middle_of_a_pass_is_told_and_nothing_is_made_twice(
    tmp_path: Path, pages: int
) -> None:
    def scribble(path: Path) -> None:
        log = path.with_name(f"{path.name}-wal")
        for one in (path, log):
            with one.open("r+b") as file:
                file.seek(0)
                file.write(b"\xa5" * one.stat().st_size)

    stage = staged(tmp_path)
    run_inline(passed(stage))
    before = stage.names()
    stage.write("shifts.csv", HEADER + rows(ROWS, "Other"))
    ledger = at_request(stage, stage.transport.requests + 3, scribble)
    (end,) = run_inline(passed_closing(stage, pages))
    # What SQLite has in memory is whole; with less room there it has to read, and finds out.
    assert f"{ledger} is damaged" in told(end) if pages == 1 else told(end) == "None"
    stage.transport.before = None
    with pytest.raises(StateError, match=r"damaged|another program"):
        run_inline(passed(stage))
    assert len(stage.names()) == len(before) == ROWS


async def passed_closing(stage: Stage, pages: int) -> list[PassResult | StateError]:
    try:
        return await passed(stage, pages=pages)
    except StateError as error:  # where it is found at the end alone
        return [error]
