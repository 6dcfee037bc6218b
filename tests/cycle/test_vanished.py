"""Events that are suddenly not to be seen any more are not made a second time: the webhook may have lost its rights."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

import pytest

from syncd.cycle.run import PassResult
from syncd.cycle.takeback import Offer, Taken, purge, undo
from syncd.portal.line.answers import RawAnswer
from syncd.sandbox.settings import Settings
from tests.cycle.test_pass import _remove, staged
from tests.support.sandbox import HEADER, SHIFTS, Stage, WorldTransport, run_inline

MANY = 24
FEW = 5
HOUR_S = 3600.0
COMPANY = SHIFTS.replace('calendar = "user"\nowner = "{owner}"', 'calendar = "company"')


def planned(folder: Path, config: str = SHIFTS) -> Stage:
    rows = (
        f"{n},Shift {n},2026-12-{n + 1:02} 06:00,2026-12-{n + 1:02} 14:00,anna.petrova@school.example,\n"
        for n in range(MANY)
    )
    stage = staged(folder, "".join(rows), config)
    assert run_inline(stage.one_pass()).record.counts["created"] == MANY
    return stage


def after_losing(stage: Stage, number: int, *, force: bool = False) -> PassResult:
    for event in stage.world.events("user", 3)[:number]:
        run_inline(_remove(stage, event.id))
    return run_inline(stage.one_pass(verify=True, force=force))


def test_most_events_gone_stop_the_pass_before_anything_is_sent(tmp_path: Path) -> None:
    stage = planned(tmp_path)
    result = after_losing(stage, 20)
    assert (result.exit_code, len(stage.names())) == (4, MANY - 20)
    assert result.error is not None
    assert (
        "the events of 20 of 24 known entries no longer exist in the portal and would be created again"
        in result.error.message
    )
    assert 'max_changed = "50%"' in result.error.message
    assert "check that syncd's user can still see these calendars" in result.error.remedy
    assert run_inline(stage.one_pass()).exit_code == 4
    forced = run_inline(stage.one_pass(force=True))
    assert (forced.exit_code, forced.record.counts["created"], len(stage.names())) == (0, 20, MANY)


def test_a_few_events_that_people_deleted_are_made_anew(tmp_path: Path) -> None:
    stage = planned(tmp_path)
    result = after_losing(stage, 5)
    assert (result.exit_code, result.record.counts["created"], len(stage.names())) == (0, 5, MANY)


@pytest.mark.parametrize("shown", ["null", "still shown"])
@pytest.mark.parametrize("verify", [True, False], ids=["read", "found by an update"])
def test_a_deleted_event_counts_as_deleted_though_the_portal_shows_its_row(
    tmp_path: Path, shown: Literal["null", "still shown"], verify: bool
) -> None:
    stage = staged(tmp_path, "1,Early,2026-12-01 06:00,2026-12-01 14:00,anna.petrova@school.example,\n")
    stage.set_faults(Settings(integer_stamps=False, deleted_getbyid=shown))
    run_inline(stage.one_pass())
    (event,) = stage.world.events("user", 3)
    run_inline(_remove(stage, event.id))
    stage.write("shifts.csv", HEADER + "1,Late,2026-12-01 14:00,2026-12-01 22:00,anna.petrova@school.example,\n")
    result = run_inline(stage.one_pass(verify=verify))
    assert (result.exit_code, result.record.counts["created"], stage.names(owner=3)) == (0, 1, ["Late"])


def test_the_limit_is_the_config_s(tmp_path: Path) -> None:
    stage = planned(tmp_path, SHIFTS.replace("removed_after = 1", 'removed_after = 1\nmax_changed = "100%"'))
    assert after_losing(stage, MANY).record.counts["created"] == MANY


def take_back(stage: Stage, command: str, *, force: bool = False) -> tuple[Taken, list[Offer]]:
    offers: list[Offer] = []

    async def yes(offer: Offer) -> bool:
        offers.append(offer)
        return True

    async def go() -> Taken:
        async with stage.opened() as (syncs, app):
            setup, stop = syncs["shifts"], asyncio.Event()
            if command == "undo":
                return await undo(app.open_pass(setup, stop), 1, confirm=yes, force=force)
            return await purge(app.open_pass(setup, stop), confirm=yes, force=force)

    return run_inline(go()), offers


@pytest.mark.parametrize("command", ["undo", "purge"])
def test_what_cannot_be_seen_is_not_forgotten_by_taking_it_back_unless_forced(tmp_path: Path, command: str) -> None:
    stage = planned(tmp_path)
    for event in stage.world.events("user", 3)[:20]:
        run_inline(_remove(stage, event.id))
    taken, offers = take_back(stage, command)
    assert (taken.exit_code, offers, len(stage.names())) == (4, [], MANY - 20)
    assert "20 of 24 events can no longer be seen in the portal" in str(taken.error)
    assert take_back(stage, command)[0].exit_code == 4  # and so again: the links are still there
    forced, _ = take_back(stage, command, force=True)
    assert (forced.exit_code, stage.names()) == (0, [])


@pytest.mark.parametrize("command", ["undo", "purge"])
def test_a_few_events_that_are_gone_do_not_keep_the_others_from_being_taken_back(tmp_path: Path, command: str) -> None:
    stage = planned(tmp_path)
    for event in stage.world.events("user", 3)[:12]:
        run_inline(_remove(stage, event.id))
    taken, _ = take_back(stage, command)
    assert (taken.exit_code, stage.names()) == (0, [])


def company_rows(edited: str = "") -> str:
    return "".join(
        f"{n},Shift {n}{edited},2026-12-{n + 1:02} 06:00,2026-12-{n + 1:02} 14:00,anna.petrova@school.example,\n"
        for n in range(FEW)
    )


def published(folder: Path) -> Stage:
    """A stage whose events stand in a calendar of the company that only administrators may see."""
    stage = staged(folder, company_rows(), COMPANY)
    assert run_inline(stage.one_pass()).record.counts["created"] == FEW
    for section in stage.world.tables.sections.values():
        if section.cal_type == "company_calendar":
            section.access = {"G2": "denied"}
    return stage


def promote(stage: Stage, admin: bool) -> None:
    """Make the webhook's user an administrator, or one no more."""
    stage.world.tables.users[1].admin = admin


def published_names(stage: Stage) -> list[str]:
    return [name for name in stage.names("company_calendar") if name.startswith("Shift")]


def company_names(edited: str = "") -> list[str]:
    return [f"Shift {n}{edited}" for n in range(FEW)]


@pytest.mark.parametrize("edited", ["", " moved"])
def test_events_that_may_be_seen_again_after_a_while_are_not_made_a_second_time(tmp_path: Path, edited: str) -> None:
    stage = published(tmp_path)
    promote(stage, False)
    lost = run_inline(stage.one_pass(verify=True))
    assert (lost.exit_code, lost.record.counts["held"]) == (1, FEW)
    stage.write("shifts.csv", HEADER + company_rows(edited))
    promote(stage, True)
    stage.clock.advance(HOUR_S)
    back = run_inline(stage.one_pass())
    assert (back.exit_code, back.record.counts["created"]) == (0, 0)
    assert published_names(stage) == company_names(edited)
    requests = stage.transport.requests
    assert run_inline(stage.one_pass()).record.counts["unchanged"] == FEW
    assert stage.transport.requests == requests


def test_an_update_refused_for_want_of_rights_is_not_made_a_second_event_later(tmp_path: Path) -> None:
    stage = published(tmp_path)
    promote(stage, False)
    stage.write("shifts.csv", HEADER + company_rows(" moved"))
    for _ in range(3):
        assert run_inline(stage.one_pass()).record.counts["held"] == FEW
        stage.clock.advance(HOUR_S)
    promote(stage, True)
    stage.clock.advance(HOUR_S)
    back = run_inline(stage.one_pass())
    assert (back.exit_code, back.record.counts["updated"]) == (0, FEW)
    assert published_names(stage) == company_names(" moved")


def test_what_people_deleted_while_it_was_not_to_be_seen_is_made_anew_when_it_may_be(tmp_path: Path) -> None:
    stage = published(tmp_path)
    promote(stage, False)
    run_inline(stage.one_pass(verify=True))
    promote(stage, True)
    for event in stage.world.events("company_calendar", 0):
        if event.name.startswith("Shift"):
            run_inline(_remove(stage, event.id))
    assert published_names(stage) == []
    stage.clock.advance(HOUR_S)
    back = run_inline(stage.one_pass())
    assert (back.exit_code, back.record.counts["created"]) == (0, FEW)
    assert published_names(stage) == company_names()


def test_a_right_that_is_given_back_is_noticed_after_a_quarter_of_an_hour_also_where_nothing_has_changed(
    tmp_path: Path,
) -> None:
    stage = published(tmp_path)
    for section in stage.world.tables.sections.values():
        if section.cal_type == "company_calendar":
            section.access = {"G2": "view"}
    promote(stage, False)
    stage.write("shifts.csv", HEADER + company_rows(" moved"))
    stage.clock.advance(HOUR_S)
    run_inline(stage.one_pass(verify=True))
    held = [run_inline(stage.one_pass()) for _ in range(2)]
    assert [result.prepared is not None and result.prepared.settled is not None for result in held] == [False, True]
    assert [result.record.counts["held"] for result in held] == [FEW, FEW]
    promote(stage, True)
    stage.clock.advance(1000)
    back = run_inline(stage.one_pass())
    assert (back.exit_code, back.record.counts["updated"]) == (0, FEW)
    assert published_names(stage) == company_names(" moved")


class SlowTransport(WorldTransport):
    """Takes `seconds` more for each request that updates; before the first, a person deletes an event."""

    seconds = 0.0
    doomed: int | None = None

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        if b"calendar.event.update" in body or method == "calendar.event.update":
            await self.clock.sleep(self.seconds)
            if self.doomed is not None:
                doomed, self.doomed = self.world.tables.event(self.doomed), None
                assert doomed is not None
                self.world.tables.erase(doomed)
        return await super().post(method, body, timeout_s)


def test_what_a_person_deletes_during_a_long_push_is_made_again_by_the_next_pass(tmp_path: Path) -> None:
    """The portal answers an update of a deleted event as if it were done (PORTAL.md 4.3)."""
    stage = planned(tmp_path)
    slow = SlowTransport(stage.world, stage.clock)
    slow.seconds, slow.doomed = 400.0, stage.world.events("user", 3)[-1].id
    stage.transport = slow
    text = (stage.folder / "shifts.csv").read_text("utf-8").replace("Shift ", "Duty ")
    stage.write("shifts.csv", text)
    assert run_inline(stage.one_pass(force=True)).record.counts["updated"] == MANY
    assert len(stage.names()) == MANY - 1
    assert run_inline(stage.one_pass()).record.counts["created"] == 1
    assert len(stage.names()) == MANY
