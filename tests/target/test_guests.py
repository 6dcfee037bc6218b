"""Who is invited, who is told, and what becomes of people the portal does not know."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from syncd.sandbox.seed.world_schema import SeedUser, SeedWebhook, WorldSeed
from tests.support.sandbox import Stage, run_inline
from tests.target.guests_stage import HEADER, MEETINGS, event_of, rewrite, staged

GUESTS = "IVAN.SOKOLOV@school.example, emma.clarke@school.example, guest@outside.example"


def test_guests_are_matched_in_any_case_and_the_plan_names_who_is_told(tmp_path: Path) -> None:
    stage = staged(tmp_path, GUESTS)
    result = run_inline(stage.one_pass())
    assert result.prepared is not None
    assert dict(result.prepared.notified) == {5: 1, 7: 1}
    event = event_of(stage, 3)
    assert (event.is_meeting, event.host, set(event.attendees)) == (True, 3, {3, 5, 7})
    assert sorted(notice.to for notice in stage.world.notices) == [5, 7]
    (problem,) = result.record.problems
    assert (
        "not invited, because they are no active users of the portal: guest@outside.example; left out" in problem.reason
    )


def test_the_plan_never_tells_of_fewer_notices_than_go_out(tmp_path: Path) -> None:
    stage = staged(tmp_path, GUESTS)
    run_inline(stage.one_pass())
    for guests, title in ((GUESTS, "Council 2"), ("james.walker@school.example", "Council 2"), ("", "Council 2")):
        before = len(stage.world.notices)
        rewrite(stage, guests, title=title)
        result = run_inline(stage.one_pass())
        assert result.prepared is not None
        sent = [notice.to for notice in stage.world.notices[before:]]
        assert all(result.prepared.notified[user] >= sent.count(user) for user in sent), (title, sent)


def test_nobody_is_told_of_a_meeting_that_is_over_or_of_what_nobody_sees(tmp_path: Path) -> None:
    stage = staged(tmp_path, GUESTS)
    run_inline(stage.one_pass())
    stage.config = stage.config + "remind = ['5m']\n"
    result = run_inline(stage.one_pass())
    assert result.prepared is not None
    assert (result.record.counts["updated"], dict(result.prepared.notified)) == (1, {})
    past = tmp_path / "past"
    past.mkdir()
    stage = Stage(past, MEETINGS)
    stage.write("shifts.csv", HEADER + f'1,Old,2026-11-10 10:00,2026-11-10 11:00,3,Hall,"{GUESTS}",\n')
    result = run_inline(stage.one_pass())
    assert result.prepared is not None
    assert (result.record.counts["created"], result.prepared.notices, len(stage.world.notices)) == (1, 0, 0)


def test_people_from_outside_are_named_in_the_description_when_asked(tmp_path: Path) -> None:
    stage = staged(tmp_path, GUESTS, 'outside_guests = "list"\n')
    run_inline(stage.one_pass())
    assert event_of(stage, 3).description == "Guests: guest@outside.example"


def test_copies_are_silent_and_stand_in_each_guests_own_calendar(tmp_path: Path) -> None:
    stage = staged(tmp_path, GUESTS, 'invite = "copy"\n')
    result = run_inline(stage.one_pass())
    assert result.record.counts["created"] == 3
    assert len(stage.world.notices) == 0
    for owner in (3, 5, 7):
        event = event_of(stage, owner)
        assert (event.is_meeting, event.name) == (False, "Council")
        assert stage.world.tables.sections[event.section_id].name == "Shifts"
    rewrite(stage, "emma.clarke@school.example")
    again = run_inline(stage.one_pass())
    assert again.record.counts["deleted"] == 1
    assert stage.names("user", 5) == []


@pytest.mark.parametrize(
    ("host", "expected", "warned"),
    [('"OLGA.smirnova@school.example"', 1, False), ('"nobody@x.example"', 3, True), ('""', 3, False), ("1", 1, False)],
)
def test_the_host_may_be_somebody_else(tmp_path: Path, host: str, expected: int, warned: bool) -> None:
    stage = staged(tmp_path, "ivan.sokolov@school.example", f"host = {host}\n")
    result = run_inline(stage.one_pass())
    event = event_of(stage, 3)
    assert (event.host, expected in event.attendees) == (expected, True)
    assert any("the host is left to" in problem.reason for problem in result.record.problems) is warned


def test_a_host_without_a_right_to_the_calendar_holds_the_entry(tmp_path: Path) -> None:
    stage = staged(tmp_path, "ivan.sokolov@school.example", "host = 8\n")
    result = run_inline(stage.one_pass())
    assert result.record.counts["held"] == 1
    assert "whether user 8, the host, may write to user/3; see host" in result.record.problems[-1].reason


def test_fifteen_hundred_guests_are_invited_in_one_call_of_their_own(tmp_path: Path) -> None:
    people = 1_500
    seed = WorldSeed(
        users=tuple(
            SeedUser(id=n, name="P", last_name=str(n), email=f"p{n}@x.example", zone="Europe/Moscow", admin=n == 1)
            for n in range(1, people + 2)
        ),
        webhooks=(SeedWebhook(user=1, code="sandboxadmin"),),
    )
    stage = Stage(tmp_path, MEETINGS, seed=seed)
    guests = ", ".join(f"P{n}@x.example" for n in range(2, people + 2))
    stage.write("shifts.csv", HEADER + f'1,All hands,2026-12-01 10:00,2026-12-01 11:00,p1@x.example,Hall,"{guests}",\n')
    result = run_inline(stage.one_pass())
    assert result.exit_code == 0, result.record.problems
    (event,) = stage.world.events("user", 1)
    assert len(event.attendees) == people + 1


def test_a_dismissed_guest_is_left_out_and_told(tmp_path: Path) -> None:
    stage = staged(tmp_path, GUESTS)
    users = tuple(msgspec.structs.replace(user, active=user.id != 5) for user in stage.seed.users)
    stage = Stage(tmp_path, stage.config, seed=msgspec.structs.replace(stage.seed, users=users))
    result = run_inline(stage.one_pass())
    assert set(event_of(stage, 3).attendees) == {3, 7}
    assert "IVAN.SOKOLOV@school.example, guest@outside.example" in result.record.problems[0].reason
