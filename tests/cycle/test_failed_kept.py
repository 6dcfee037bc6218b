"""A pass that fails leaves nothing of itself behind: neither its error nor the collector keeps what it worked with."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd import collector
from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassOptions, run_pass
from syncd.cycle.takeback import Offer, purge
from syncd.errors import SourceError, SyncdError, without_frames
from syncd.model.entry import Snapshot
from syncd.model.item import Change, Item, Key, Link, Observed, Place, SentFields
from syncd.model.json_values import PackedFields, packed_fields
from syncd.model.plan import Plan
from syncd.portal.line.transport import TransportFault
from tests.cycle.test_faults import rows
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ROWS = 60


COLLECTED = (Snapshot, Change, Plan, Prepared)
BULK = (PackedFields, SentFields, Link, Item, Observed)
"""What the collector does not look at (model/bulk.py)."""


def alive() -> Counter[str]:
    """Count what a pass works with, by the names of the classes.

    Of the classes that the collector passes over it counts the references: every instance holds one to its class.
    """
    found = Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, COLLECTED))
    return found + Counter({kind.__name__: sys.getrefcount(kind) for kind in BULK})


def test_every_value_that_the_collector_passes_over_is_counted() -> None:
    before = alive()
    fields = packed_fields({"name": "A"})
    sent = [SentFields(b"{}", "Shifts", "f") for _ in range(ROWS)]
    key = Key(uid="a", place=Place(kind="user", owner=1))
    seen = Observed(remote_id=5, place=key.place, section_id=7, version=1, fields=fields)
    more = alive() - before
    assert not any(map(gc.is_tracked, (fields, sent[0], seen)))
    assert more == {"PackedFields": 1, "SentFields": ROWS, "Observed": 1}
    del fields, sent, seen
    assert alive() == before


def away(stage: Stage) -> None:
    def cut() -> None:
        raise TransportFault("cut", "the connection broke")

    stage.transport.before = cut


def unreadable(stage: Stage) -> None:
    stage.write("shifts.csv", "no such columns\n1\n")


def guarded(stage: Stage) -> None:
    stage.write("shifts.csv", HEADER + rows(ROWS // 10))


@pytest.mark.parametrize(("break_it", "verify"), [(away, True), (unreadable, False), (guarded, False), (guarded, True)])
def test_failed_passes_keep_nothing_alive_even_where_their_errors_are_kept(
    tmp_path: Path, break_it: Callable[[Stage], None], *, verify: bool
) -> None:
    stage = Stage(tmp_path, SHIFTS)
    stage.write("shifts.csv", HEADER + rows(ROWS))
    run_inline(stage.one_pass())
    errors: list[SyncdError | None] = []

    async def main() -> list[Counter[str]]:
        found: list[Counter[str]] = []
        async with stage.opened() as (syncs, app):
            break_it(stage)
            gc.collect()
            gc.disable()
            found.append(alive())  # constants of other tests, which have nothing to do with it
            try:
                for _ in range(4):
                    result = await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions(verify=verify))
                    errors.append(result.error)
                    del result
                    await asyncio.sleep(0)  # until now the loop holds what its last step was given
                    found.append(alive())
            finally:
                gc.enable()
        return found

    before, first, *_, last = run_inline(main())
    assert all(errors)
    assert last == first
    for kind in (*BULK, Change, Prepared):
        assert last[kind.__name__] == before[kind.__name__]


def test_a_purge_that_fails_keeps_no_link_alive(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS)
    stage.write("shifts.csv", HEADER + rows(ROWS))
    run_inline(stage.one_pass())

    async def never(_offer: Offer) -> bool:
        raise AssertionError

    async def main() -> tuple[SyncdError | None, Counter[str], Counter[str]]:
        async with stage.opened() as (syncs, app):
            away(stage)
            gc.collect()
            gc.disable()
            before = alive()
            try:
                taken = await purge(app.open_pass(syncs["shifts"], asyncio.Event()), confirm=never)
                await asyncio.sleep(0)
                return taken.error, before, alive()
            finally:
                gc.enable()

    error, before, left = run_inline(main())
    assert error is not None
    for kind in BULK:
        assert left[kind.__name__] == before[kind.__name__]


def test_what_was_made_while_the_collector_rested_is_collected_when_it_is_garbage() -> None:
    class Node:
        def __init__(self) -> None:
            self.own = self

    gc.collect()
    frozen = gc.get_freeze_count()
    made_young = len(gc.get_objects(generation=2))
    with collector.resting():
        kept = [Node() for _ in range(10_000)]
    # What the collector counts it collects in time; `gc.freeze` moves things where nothing is counted.
    assert gc.get_freeze_count() == frozen
    assert len(gc.get_objects(generation=2)) - made_young < len(kept)


def unread() -> None:
    try:
        Path("/nowhere/at/all").read_bytes()
    except OSError as error:
        raise SourceError("it cannot be read") from error


def raised() -> SourceError:
    with pytest.raises(SourceError) as caught:
        unread()
    return caught.value


def test_an_error_that_is_kept_has_no_frames_nor_have_its_causes() -> None:
    error = raised()
    cause = error.__cause__
    assert cause is not None
    assert without_frames(error) is error
    assert error.__traceback__ is cause.__traceback__ is None
    error.__context__ = cause.__context__ = error  # a circle, as `raise ... from` can make one
    assert without_frames(error) is error


def test_errors_of_a_group_lose_their_frames_too() -> None:
    group = ExceptionGroup("several", [raised()])
    assert without_frames(group).exceptions[0].__traceback__ is None
