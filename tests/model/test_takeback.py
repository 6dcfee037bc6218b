"""What taking back decides about events whose identity does not hold."""

from __future__ import annotations

from dataclasses import replace

from syncd.model.item import Link
from syncd.model.observation import FOREIGN, Observation
from syncd.model.record import ChangeRecord
from syncd.model.takeback import TakeBack, purging, undoing
from tests.model.test_diff import item, linked, observation, seen

OURS = replace(linked(item("a")), stamp="100 1")


def undone(seen_now: Observation) -> TakeBack:
    record = ChangeRecord(
        id=1, run_id=1, sync="s", op="create", key=OURS.key, remote_id=100, before=None, after=OURS, at=0.0
    )
    return undoing([record], {OURS.key: OURS}, seen_now)


def stamped(stamp: str, name: str = "Lesson") -> Observation:
    return observation(replace(seen(100, {"name": name, "start": "2026-12-01"}), stamp=stamp))


def test_what_is_ours_is_deleted() -> None:
    for plan in (purging([OURS], stamped("100 1")), undone(stamped("100 1"))):
        assert [change.op for change in plan.changes] == ["delete"]


def test_an_event_made_at_another_time_is_left_and_the_link_forgotten() -> None:
    for plan in (purging([OURS], stamped("7777 1")), undone(stamped("7777 1"))):
        assert (plan.changes, plan.forgotten, plan.missing) == ((), (OURS,), 1)
    (told,) = purging([OURS], stamped("7777 1")).left
    assert told.reason.startswith(FOREIGN)
    assert not told.ours


def test_what_cannot_be_read_is_left_and_the_link_kept() -> None:
    for plan in (purging([OURS], observation()), undone(observation())):
        assert (plan.changes, plan.forgotten) == ((), ())
        assert [one.reason for one in plan.left] == [
            "what stands at its id in the portal could not be read; run it again"
        ]


def test_one_event_is_deleted_once_though_two_links_claim_it() -> None:
    other: Link = replace(linked(item("b", name="Other")), stamp="100 1")
    plan = purging([OURS, other], stamped("100 1"))
    assert [change.key for change in plan.changes] == [OURS.key]
    assert plan.forgotten == (other,)
