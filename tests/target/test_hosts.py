"""Whose meeting it is: the organiser is read and sent as he stands, by both rules (PORTAL.md 4.2, 4.3)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncd.cycle.look import ReadBack, read_back
from syncd.cycle.plan import preview
from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassResult
from syncd.sandbox.settings import HostRule, Settings
from tests.support.sandbox import Stage, run_inline
from tests.target.guests_stage import MEETINGS, event_of, rewrite, staged
from tests.target.test_notices import copies

GUESTS = "ivan.sokolov@school.example, emma.clarke@school.example"
RULES = ("source", "docs")
HOSTED = MEETINGS + 'host = "{categories}"\n'
ANNA, IVAN = "anna.petrova@school.example", "ivan.sokolov@school.example"


def portal(folder: Path, rule: HostRule, *, config: str = MEETINGS, kind: str = "") -> Stage:
    stage = staged(folder, GUESTS, kind=kind, config=config)
    stage.set_faults(Settings(integer_stamps=False, host_rule=rule))
    return stage


def counts(result: PassResult) -> dict[str, int]:
    return {name: number for name, number in result.record.counts.items() if number}


def planned(stage: Stage) -> Prepared:
    async def made() -> Prepared:
        async with stage.opened() as (syncs, app):
            return await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)

    return run_inline(made())


def proved(stage: Stage) -> ReadBack:
    async def made() -> ReadBack:
        async with stage.opened() as (syncs, app):
            run = app.open_pass(syncs["shifts"], asyncio.Event())
            return await read_back(run, [link.key for link in await run.ledger.links()])

    return run_inline(made())


@pytest.mark.parametrize("rule", RULES)
def test_a_meeting_in_another_persons_calendar_can_be_changed_again_and_again(tmp_path: Path, rule: HostRule) -> None:
    stage = portal(tmp_path, rule)
    run_inline(stage.one_pass())
    assert event_of(stage, 3).host == (3 if rule == "source" else 1)
    for title in ("Review", "Retrospective"):
        rewrite(stage, GUESTS, title=title)
        result = run_inline(stage.one_pass())
        assert (result.exit_code, counts(result)) == (0, {"updated": 1}), title
        assert event_of(stage, 3).name == title
    again = run_inline(stage.one_pass(verify=True))
    assert (again.exit_code, counts(again)) == (0, {"unchanged": 1})
    assert dict(proved(stage).wrong) == {}, "nobody asked for this host or that"


@pytest.mark.parametrize("rule", RULES)
def test_a_plain_event_becomes_a_meeting_with_the_host_that_it_has(tmp_path: Path, rule: HostRule) -> None:
    stage = portal(tmp_path, rule)
    rewrite(stage, "")
    run_inline(stage.one_pass())
    rewrite(stage, GUESTS)
    result = run_inline(stage.one_pass())
    assert (result.exit_code, counts(result)) == (0, {"updated": 1})
    assert (event_of(stage, 3).is_meeting, event_of(stage, 3).host) == (True, 3)


@pytest.mark.parametrize("rule", RULES)
def test_another_host_in_the_source_is_told_in_every_pass_and_changes_nothing(tmp_path: Path, rule: HostRule) -> None:
    stage = portal(tmp_path, rule, config=HOSTED, kind=ANNA)
    run_inline(stage.one_pass())
    before = event_of(stage, 3)
    sent = len(stage.world.notices)
    rewrite(stage, GUESTS, kind=IVAN)
    for _ in range(2):
        result = run_inline(stage.one_pass())
        assert counts(result) == {"unchanged": 1}
        (problem,) = result.record.problems
        assert "its organiser stays user 3, not user 5: no update can change that" in problem.reason
    assert event_of(stage, 3) is before
    assert len(stage.world.notices) == sent
    rewrite(stage, GUESTS, kind=IVAN, title="Review")
    result = run_inline(stage.one_pass())
    assert (counts(result), event_of(stage, 3).name) == ({"updated": 1}, "Review")
    assert event_of(stage, 3).host == (3 if rule == "source" else 1)


@pytest.mark.parametrize("rule", RULES)
def test_another_host_makes_the_meeting_again_where_the_config_says_so(tmp_path: Path, rule: HostRule) -> None:
    config = HOSTED.replace("removed_after = 1", 'removed_after = 1\non_host_change = "recreate"')
    stage = portal(tmp_path, rule, config=config, kind=ANNA)
    run_inline(stage.one_pass())
    first = event_of(stage, 3).id
    for copy in copies(stage):
        copy.meeting_status = "Y"
    rewrite(stage, GUESTS, kind="olga.smirnova@school.example")
    before = len(stage.world.notices)
    prepared = planned(stage)
    (change,) = prepared.plan.changes
    assert change.op == "delete"
    assert "organiser changed from user 3 to user 1" in change.reason
    result = run_inline(stage.one_pass())
    assert (result.exit_code, counts(result)) == (0, {"created": 1, "deleted": 1})
    assert event_of(stage, 3).id != first
    assert event_of(stage, 3).host == 1
    told = [notice.to for notice in stage.world.notices[before:]]
    assert prepared.notices > 0
    if rule == "source":
        assert sorted(told) == sorted(user for user, number in prepared.notified.items() for _ in range(number))
    again = run_inline(stage.one_pass(verify=True))
    assert counts(again) == {"unchanged": 1}, "it is not made again and again"


def test_a_host_that_the_portal_did_not_take_is_told_by_what_reads_back(tmp_path: Path) -> None:
    for rule, wrong in (("source", []), ("docs", ["reads back differently: host"])):
        folder = tmp_path / rule
        folder.mkdir()
        stage = portal(folder, "source" if rule == "source" else "docs", config=HOSTED, kind=ANNA)
        run_inline(stage.one_pass())
        assert list(proved(stage).wrong.values()) == wrong


def test_an_event_in_the_company_calendar_keeps_its_host_when_the_webhook_is_another_persons(tmp_path: Path) -> None:
    config = MEETINGS.replace('calendar = "user"\nowner = "{owner}"', 'calendar = "company"')
    stage = portal(tmp_path, "docs", config=config)
    run_inline(stage.one_pass())
    stage.world.tables.users[2].admin = True
    stage.webhook = stage.transport.webhook = "http://127.0.0.1:9/rest/2/sandboxstaff/"
    result = run_inline(stage.one_pass(verify=True))
    assert (result.exit_code, counts(result)) == (0, {"unchanged": 1})
    rewrite(stage, GUESTS, title="Review")
    result = run_inline(stage.one_pass())
    assert (result.exit_code, counts(result)) == (0, {"updated": 1})


# Links to the CRM, which can be read, too.

LINKED = MEETINGS.replace('attendees = "source"', 'crm = ["C_5"]')


def test_links_that_the_portal_did_not_make_are_told_by_what_reads_back(tmp_path: Path) -> None:
    for known, wrong in ((True, []), (False, ["reads back differently: crm"])):
        folder = tmp_path / str(known)
        folder.mkdir()
        stage = staged(folder, "", config=LINKED)
        stage.set_faults(Settings(integer_stamps=False, crm_fields=known))
        run_inline(stage.one_pass())
        assert list(proved(stage).wrong.values()) == wrong


def test_links_that_people_add_stay_through_every_update(tmp_path: Path) -> None:
    stage = staged(tmp_path, "", config=LINKED)
    run_inline(stage.one_pass())
    event = event_of(stage, 3)
    event.crm, event.version = ("C_5", "D_7"), event.version + 1
    assert counts(run_inline(stage.one_pass(verify=True))) == {"unchanged": 1}
    rewrite(stage, "", title="Review")
    run_inline(stage.one_pass())
    assert (event_of(stage, 3).name, set(event_of(stage, 3).crm)) == ("Review", {"C_5", "D_7"})
    stage.config = stage.config.replace('crm = ["C_5"]', "crm = []")
    run_inline(stage.one_pass())
    assert event_of(stage, 3).crm == ("D_7",)
    rewrite(stage, "", title="Retrospective")
    run_inline(stage.one_pass())
    assert event_of(stage, 3).crm == ("D_7",)


def test_a_link_that_a_person_took_away_is_made_again(tmp_path: Path) -> None:
    stage = staged(tmp_path, "", config=LINKED)
    run_inline(stage.one_pass())
    event = event_of(stage, 3)
    event.crm, event.version = (), event.version + 1
    assert counts(run_inline(stage.one_pass(verify=True))) == {"updated": 1}
    assert event_of(stage, 3).crm == ("C_5",)
