"""An upgrade writes nothing by itself: what earlier versions have sent stays as it is, until the source changes."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from syncd.model.item import Link
from syncd.model.recurrence.compile import _Compiler
from tests.crm.stage import HEADER, ROWS, VISITS
from tests.crm.test_todo import TODO
from tests.support.sandbox import WEBHOOK, Stage, run_inline

TEAM = f"""
[portals.main]
webhook = "{WEBHOOK}"

[[sync]]
name = "team"
timezone = "Europe/Moscow"

[sync.source]
type = "ics"
path = "team.ics"

[sync.target]
calendar = "user"
owner = "anna.petrova@school.example"
section = "Shifts"

[sync.fields]
attendees = "source"
"""
EVENTS = {
    "plain": "20261201T090000",
    "daily": "20261201T090000\nRRULE:FREQ=DAILY;COUNT=10",
    "cut": "20261201T110000\nRRULE:FREQ=WEEKLY;COUNT=6\nEXDATE;TZID=Europe/Moscow:20261215T110000",
    "yearly": "20261201T130000\nRRULE:FREQ=YEARLY;COUNT=3",
    "monthly": "20261231T130000\nRRULE:FREQ=MONTHLY;COUNT=4",
    "meeting": "20261202T090000\nATTENDEE:mailto:ivan.sokolov@school.example\nRRULE:FREQ=WEEKLY;COUNT=3",
}
COUNTED = {"daily": 10, "yearly": 3, "meeting": 3}

# The fingerprints that the version before had in its ledger, for the same sources.
EARLIER: dict[str, dict[str, str]] = {
    "team": {
        "cut|user/3": "7c1f0c4b663198184237b1909f32dfac",
        "cut|user/3|20261222": "fe3a42567c060b772a578e89cd3b11fe",
        "daily|user/3": "6b9dadbab00213e20b785fa2745506da",
        "meeting|user/3": "df09e64099c4bcbf6f1449264c491eea",
        "monthly|user/3": "a9903fa873960af4d65019bc601bb374",
        "monthly|user/3|20270331": "d6043bfc63b0a5929f5845223aa3f336",
        "plain|user/3": "b980efd92f72b90d6caf827badee7d1e",
        "yearly|user/3": "63e66414b72ef1de899b7aa382c604f9",
    },
    "activities": {
        "1|meeting-contact/1": "3f086000772949575da568a5657765c2",
        "2|meeting-contact/2": "7f355903c34839306fec86bb6488f041",
        "3|meeting-contact/1": "a438c3decafc5a461142715a6d42f7de",
    },
    "calls": {
        "1|call-contact/1": "3f086000772949575da568a5657765c2",
        "2|call-contact/2": "7f355903c34839306fec86bb6488f041",
        "3|call-contact/1": "a438c3decafc5a461142715a6d42f7de",
    },
    "todos": {
        "1|todo-contact/1": "8ae4411816c27e6c44cd12df3ffed895",
        "2|todo-contact/2": "0bf4fe7734786fd9a95f1a9294731090",
        "3|todo-contact/1": "d581b29e3b4ab27fae2b86bc9abcefd0",
    },
}


def team(description: str = "About") -> str:
    events = "".join(
        f"BEGIN:VEVENT\nUID:{uid}\nSUMMARY:{uid.title()}\nDESCRIPTION:{description} {uid}\n"
        f"DURATION:PT1H\nDTSTART;TZID=Europe/Moscow:{rest}\nEND:VEVENT\n"
        for uid, rest in EVENTS.items()
    )
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{events}END:VCALENDAR\n".replace("\n", "\r\n")


def staged(folder: Path) -> Stage:
    stage = Stage(folder, TEAM)
    stage.write("team.ics", team())
    return stage


def links(stage: Stage, sync: str) -> dict[str, Link]:
    async def read() -> dict[str, Link]:
        async with stage.opened() as (syncs, app):
            return {str(one.key): one for one in await app.open_pass(syncs[sync], asyncio.Event()).ledger.links()}

    return run_inline(read())


def fingerprints(stage: Stage, sync: str) -> dict[str, str]:
    return {key: link.fingerprint for key, link in links(stage, sync).items()}


def counts(stage: Stage) -> dict[str, int]:
    """The events that end by COUNT, by title."""
    rules = {event.name.lower(): event.stored.rule for event in stage.world.events("user", 3)}
    return {name: rule.count for name, rule in rules.items() if rule is not None and rule.count is not None}


def as_before(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a pass as the version before did, which wrote the last day of series that the source counts."""
    with monkeypatch.context() as patch:
        patch.setattr(_Compiler, "_counted", lambda *_: None)
        assert run_inline(stage.one_pass("team")).exit_code == 0
    shutil.rmtree(stage.folder / "state/syncd.db-index")  # another version's is not used
    assert fingerprints(stage, "team") == EARLIER["team"]
    assert counts(stage) == {}


def changes(stage: Stage, **options: Any) -> dict[str, int]:
    done = run_inline(stage.one_pass("team", **options)).record.counts
    return {name: done[name] for name in ("created", "updated", "deleted", "adopted", "conflict", "held")}


QUIET = dict.fromkeys(("created", "updated", "deleted", "adopted", "conflict", "held"), 0)


def test_series_that_an_earlier_version_wrote_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = staged(tmp_path)
    as_before(stage, monkeypatch)
    versions = [(event.id, event.version) for event in stage.world.events("user", 3)]
    for options in ({}, {"verify": True}, {}):
        assert changes(stage, **options) == QUIET
    assert [(event.id, event.version) for event in stage.world.events("user", 3)] == versions
    assert fingerprints(stage, "team") == EARLIER["team"]


def test_a_change_in_the_source_writes_the_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = staged(tmp_path)
    as_before(stage, monkeypatch)
    stage.write("team.ics", team("More about"))
    assert changes(stage) == QUIET | {"updated": len(EARLIER["team"])}
    assert counts(stage) == COUNTED
    for options in ({}, {"verify": True}):
        assert changes(stage, **options) == QUIET


def test_new_series_end_as_the_source_says_where_that_is_exact(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    assert changes(stage)["created"] == len(EARLIER["team"])
    assert counts(stage) == COUNTED
    assert changes(stage, verify=True) == QUIET
    # What the ledger keeps is the very last day, or an old series would count as gone from the source.
    assert {str(link.key): link.ends_on for link in links(stage, "team").values() if link.title == "Daily"} == {
        "daily|user/3": "2026-12-11"
    }


@pytest.mark.parametrize("marker", ["none", "description"])
@pytest.mark.parametrize("earlier", [True, False])
def test_series_of_either_kind_are_taken_over_after_the_state_was_lost(
    earlier: bool, marker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = staged(tmp_path)
    stage.config = stage.config.replace('timezone = "', f'marker = "{marker}"\ntimezone = "')
    with monkeypatch.context() as patch:
        if earlier:
            patch.setattr(_Compiler, "_counted", lambda *_: None)
        run_inline(stage.one_pass("team"))
    versions = [(event.id, event.version) for event in stage.world.events("user", 3)]
    shutil.rmtree(tmp_path / "state")
    number = len(EARLIER["team"])
    assert changes(stage) == QUIET | {"adopted": number}
    assert [(event.id, event.version) for event in stage.world.events("user", 3)] == versions


@pytest.mark.parametrize("kind", ["activities", "calls", "todos"])
def test_activities_and_to_dos_have_the_fields_they_had(kind: str, tmp_path: Path) -> None:
    calls = VISITS.replace('type = "activity"', 'type = "activity"\nactivity = "call"')
    stage = Stage(tmp_path, {"activities": VISITS, "calls": calls, "todos": TODO}[kind])
    stage.write("visits.csv", HEADER + ROWS)
    run_inline(stage.one_pass("visits"))
    assert fingerprints(stage, "visits") == EARLIER[kind]
