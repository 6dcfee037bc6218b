"""A source that takes its time keeps no other sync of the portal waiting."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from syncd.cycle.plan import preview
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.model.entry import Snapshot
from syncd.source.base import ReadContext, Source
from tests.cycle.test_pass import ROWS, staged
from tests.support.sandbox import SHIFTS, run_inline

OTHER = SHIFTS.partition("[[sync]]")[2].replace('name = "shifts"', 'name = "slow"').replace("Desk", "Slow")


class Dripping:
    """A source whose server sends nothing before it is told to."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.asked = asyncio.Event()
        self.sends = asyncio.Event()

    def describe(self) -> str:
        return self._source.describe()

    async def read(self, context: ReadContext) -> Snapshot:
        self.asked.set()
        await self.sends.wait()
        return await self._source.read(context)


class Noting:
    """A source that notes whether it was asked for everything."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.wholes: list[bool] = []

    def describe(self) -> str:
        return self._source.describe()

    async def read(self, context: ReadContext) -> Snapshot:
        self.wholes.append(context.whole)
        return await self._source.read(context)


def test_a_fresh_pass_asks_for_everything_and_one_that_verifies_for_changes(tmp_path: Path) -> None:
    stage = staged(tmp_path)

    async def main() -> list[bool]:
        async with stage.opened() as (syncs, app):
            source = Noting(syncs["shifts"].source)
            sync = replace(syncs["shifts"], source=source)
            for options in (PassOptions(), PassOptions(verify=True), PassOptions(fresh=True)):
                await run_pass(app.open_pass(sync, asyncio.Event()), options)
            await preview(app.open_pass(sync, asyncio.Event()), verify=False, fresh=True)
            return source.wholes

    assert run_inline(main()) == [False, False, True, True]


def test_a_first_pass_does_not_wait_for_the_source_of_another_one(tmp_path: Path) -> None:
    stage = staged(tmp_path, config=f"{SHIFTS}\n[[sync]]{OTHER}")

    async def main() -> tuple[PassResult, PassResult]:
        async with stage.opened() as (syncs, app):
            feed = Dripping(syncs["slow"].source)
            stop = asyncio.Event()
            slow = app.open_pass(replace(syncs["slow"], source=feed), stop)
            waiting = asyncio.create_task(run_pass(slow, PassOptions(verify=True)))
            await feed.asked.wait()
            # Both read the portal and may take events over, which only one at a time may do.
            quick = await asyncio.wait_for(
                run_pass(app.open_pass(syncs["shifts"], stop), PassOptions(verify=True)), timeout=600
            )
            assert not waiting.done()
            feed.sends.set()
            return quick, await waiting

    quick, slow = run_inline(main())
    assert (quick.state, slow.state) == ("done", "done")
    assert quick.record.counts["created"] == len(ROWS.splitlines())
