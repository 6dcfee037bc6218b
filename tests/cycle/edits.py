"""Random sequences of what happens to a sync, each followed by plans that are made with and without what is known.

Whatever is recognised must be what a whole pass finds: same counts, problems, lists, and the same changes. So must be
what a pass finds that lets go of what is as it was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import orjson

from syncd.app import documents
from syncd.cycle.plan import preview
from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.errors import SyncdError
from syncd.model.item import Change
from syncd.model.json_values import Json, packed_fields
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.php.wire import PortalRequest
from syncd.sandbox.settings import Settings
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

OWNERS = ("anna.petrova@school.example", "ivan.sokolov@school.example", "nobody@school.example", "")
DAYS = ("2026-11-15", "2026-11-21", "2026-12-01", "2026-12-09", "not a day")
HOURS = ("06:00", "14:00")
TITLES = ("A", "B", "<script>alert(1)</script>")
"""The last one is what the portal's filter refuses."""
CONFIG = SHIFTS.replace('on_removed = "delete"\nremoved_after = 1', "{policy}")
POLICIES = (
    'on_removed = "keep"',
    'on_removed = "delete"\nremoved_after = 1\nmax_removed = "100%"\nmax_changed = "100%"',
    'on_removed = "delete"\nremoved_after = 3\nmax_removed = "100%"\nmax_changed = "100%"',
    'on_removed = "keep"\non_conflict = "report"',
    'on_removed = "keep"\nadopt = false\nverify_every = "1h"',
    'on_removed = "delete"\nremoved_after = 2\nuids = "content"',
)


class Life:
    """One sync with its source and its portal, and what a `random` life does to them.

    `recognised` counts the passes that were settled, and `passes` all.
    """

    def __init__(self, folder: Path, random: Random) -> None:
        self.random = random
        self.policy = random.choice(POLICIES)
        self.stage = Stage(folder, CONFIG.replace("{policy}", self.policy))
        self.rows = {str(number): self._row() for number in range(random.randrange(4))}
        self.passes = self.recognised = 0

    def _row(self) -> str:
        pick = self.random.choice
        day = pick(DAYS)
        return f"Shift {pick(TITLES)},{day} {pick(HOURS)},{day} 23:00,{pick(OWNERS)},Hall"

    def play(self, steps: int) -> None:
        """Let `steps` things happen, with passes in between; raises AssertionError where the plans differ."""
        for _ in range(steps):
            self.random.choice(self._moves())()
            for _ in range(self.random.choice((1, 1, 2, 3))):
                self._one_pass()

    def _moves(self) -> tuple[Callable[[], None], ...]:
        def nothing() -> None:
            pass

        return (
            nothing, nothing, nothing, nothing, self._put, self._put, self._remove, self._put_without_id, self._wait,
            self._wait, self._person_acts, self._portal_changes, self._set_clock, self._configure, self._retry,
        )  # fmt: skip

    def _put(self) -> None:
        self.rows[str(self.random.randrange(5))] = self._row()

    def _put_without_id(self) -> None:
        self.rows[""] = self._row()

    def _remove(self) -> None:
        if self.rows:
            del self.rows[self.random.choice(sorted(self.rows))]

    def _wait(self) -> None:
        self.stage.clock.advance(self.random.choice((60, 899, 901, 4000, 90_000, 500_000)))

    def _set_clock(self) -> None:
        self.stage.clock.set(self.random.choice((-7200, 7200, -90_000)))

    def _person_acts(self) -> None:
        """A person renames or deletes one of our events."""
        world = self.stage.world
        own = [one for calendar in world.calendars() for one in world.events(*calendar) if "Shift" in one.name]
        if not own:
            return
        event = self.random.choice(own)
        wall = {"from": "2026-12-24T10:00:00", "to": "2026-12-24T11:00:00", "skip_time": "N"}
        zones = {"timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow"}
        whose = {"id": event.id, "type": "user", "ownerId": event.owner_id}
        if self.random.random() < 0.5:
            self._ask("calendar.event.delete", id=event.id)
        else:
            self._ask("calendar.event.update", name="Shift moved", section=event.section_id, **whose, **wall, **zones)

    def _ask(self, method: str, **params: Any) -> None:
        request = PortalRequest(
            path=f"/rest/1/sandboxadmin/{method}", content_type="application/json", body=orjson.dumps(params)
        )
        clock = self.stage.clock
        self.stage.world.handle(clock.start + clock.offset_s + clock._last, request)

    def _portal_changes(self) -> None:
        """The portal refuses some texts or all creates from now on, or none any more."""
        faults = self.random.choice(
            ((), (), (parse_fault("credentials"),), (parse_fault("crash:method=calendar.event.add"),))
        )
        self.stage.set_faults(Settings(integer_stamps=False, waf=self.random.random() < 0.5, faults=faults))

    def _configure(self) -> None:
        self.policy = self.random.choice(POLICIES)
        self.stage.config = CONFIG.replace("{policy}", self.policy)

    def _retry(self) -> None:
        async def release() -> None:
            async with self.stage.opened() as (_, app):
                await app.ledger.of("shifts").release(None)

        run_inline(release())

    def _one_pass(self) -> None:
        lines = "".join(f"{uid},{row}\n" for uid, row in sorted(self.rows.items()))
        self.stage.write("shifts.csv", HEADER + lines)
        result = run_inline(self._compared_and_passed())
        self.passes += 1
        if result.prepared is not None and result.prepared.settled is not None:
            self.recognised += 1
            assert result.record.requests == 0

    async def _compared_and_passed(self) -> PassResult:
        """Compare the plan that is recognised or keeps what matters with one that keeps all; then make a pass."""
        async with self.stage.opened() as (syncs, app):

            async def planned(*, fresh: bool) -> Prepared:
                return await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False, fresh=fresh)

            try:
                known, whole = await planned(fresh=False), await planned(fresh=True)
                assert told(known) == told(whole), self.rows
                assert known.plan.absent == whole.plan.absent
                if known.settled is None:
                    assert decided(known) == decided(whole), self.rows
            except SyncdError:
                pass  # the portal refuses, so there is no plan
            return await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())


def decided(prepared: Prepared) -> list[object]:
    """Return what a pass goes by besides what it tells."""
    plan = prepared.plan
    steps = [[_in_json(one) for one in changes] for changes in (plan.changes, plan.conflicts)]
    of_plan = (*steps, plan.lookalikes, plan.settled_holds, plan.versions, plan.waiting)
    uids = (prepared.uids, plan.known_uids, plan.removed_uids, plan.changed_uids, plan.vanished_uids)
    looked = (prepared.observed, prepared.confirmed, prepared.gone, prepared.lost, prepared.stamps, prepared.suspects)
    return [*of_plan, plan.kept, plan.forgotten, *uids, *looked, prepared.doubtful, prepared.leaves_nothing]


def _in_json(change: Change) -> Change:
    """Return `change` with its item as the ledger would keep it: shaping makes tuples where JSON knows lists."""
    if change.item is None:
        return change
    return replace(change, item=replace(change.item, fields=packed_fields(dict(change.item.fields))))


def told(prepared: Prepared) -> Json:
    """Return all that `plan --json` prints, and the exit code."""
    return [documents.plan_document([prepared], {}), prepared.left_over(prepared.counts)]
