"""While a push waits for ten minutes, the bar says at each look what for and until when."""

from __future__ import annotations

import asyncio
import random
import re
from typing import cast

from rich.progress import Progress as Bar

from syncd.cli.progress import follow
from syncd.portal.client import Portal
from syncd.portal.limits.pace import Limits
from syncd.portal.line.transport import Webhook
from tests.bench.pace import Keeper
from tests.bench.pace_world import LightPortal, steady
from tests.portal.fake import ADD, jobs_of
from tests.support.simclock import VirtualClock, run_virtual


class _Notes:
    """A bar that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def add_task(self, title: str, **fields: object) -> int:
        return 7

    def update(self, task: int, *, total: int, completed: int, note: str) -> None:
        assert 0 <= completed <= total
        self.notes.append(note)


def test_while_a_push_waits_for_its_budget_the_bar_says_so_and_until_when() -> None:
    async def main() -> list[str]:
        light = LightPortal(cost=steady(1.0))
        portal = Portal(
            name="main",
            credential=Webhook(address="https://demo.bitrix24.com/rest/1/topsecretcode/"),
            limits=Limits(),
            clock=VirtualClock(),
            random=random.Random(3).random,
            transport=light,
        )
        notes = _Notes()
        following = asyncio.ensure_future(follow(cast(Bar, notes), portal, "shifts"))
        await portal.push(jobs_of(ADD, 600), Keeper(), asyncio.Event())
        following.cancel()
        return notes.notes

    waits = [one for one in run_virtual(main()) if "operating" in one]
    assert len(waits) > 100
    shape = re.compile(r"0:\d\d:\d\d left, waiting for operating time of calendar\.event\.add until \d\d:\d\d:\d\d\Z")
    assert all(shape.match(one) for one in waits), waits[0]
