"""Who is told of what: the plan says beforehand exactly what people then get (PORTAL.md 4.10)."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.cycle.plan import preview
from syncd.cycle.prepared import Prepared
from syncd.cycle.takeback import Offer, purge
from syncd.sandbox.tables.database import Event
from tests.support.restoring import ask
from tests.support.sandbox import NOON, SHIFTS, Stage, run_inline

MAILS = {1: "olga.smirnova", 3: "anna.petrova", 5: "ivan.sokolov", 7: "emma.clarke", 8: "james.walker"}
HEADER = "ID,Shift,Start,End,E-mail,Place,Guests,Rule\n"
CONFIG = SHIFTS.replace('location = "Place"', 'location = "Place"\nattendees = "Guests"\nrrule = "Rule"').replace(
    "removed_after = 1", 'removed_after = 1\nmax_removed = "100%"\nmax_changed = "100%"'
)
FIELDS = '[sync.fields]\nattendees = "source"\n'
BASE = datetime.fromtimestamp(NOON, UTC).replace(tzinfo=None) + timedelta(hours=3, minutes=20)


def line(uid: str, title: str, start_h: int, hours: int, owner: int, guests: tuple[int, ...], rule: str = "") -> str:
    start = BASE + timedelta(hours=start_h)
    end = start + timedelta(hours=hours)
    people = ", ".join(f"{MAILS[one]}@school.example" for one in guests)
    whole = "%Y-%m-%d" if not hours else "%Y-%m-%d %H:%M"
    return f'{uid},{title},{start:{whole}},{end:{whole}},{MAILS[owner]}@school.example,Hall,"{people}",{rule}\n'


rows = st.builds(
    line,
    uid=st.sampled_from("abc"),
    title=st.sampled_from(("Council", "Review")),
    start_h=st.sampled_from((-400, -49, -30, -2, 0, 3, 30, 200)),
    hours=st.sampled_from((0, 1, 1, 30)),
    owner=st.sampled_from((3, 5)),
    guests=st.sets(st.sampled_from(sorted(MAILS)), max_size=4).map(lambda some: tuple(sorted(some))),
    rule=st.sampled_from(
        ("", "", "", "FREQ=DAILY;INTERVAL=2;COUNT=3", "FREQ=WEEKLY;COUNT=2", "FREQ=YEARLY;COUNT=2", "FREQ=WEEKLY")
    ),
)
schedules = st.lists(rows, max_size=3, unique_by=lambda one: one.partition(",")[0])


async def planned(stage: Stage) -> Prepared:
    async with stage.opened() as (syncs, app):
        return await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)


def copies(stage: Stage) -> list[Event]:
    tables = stage.world.tables
    parents = [event for calendar in stage.world.calendars() for event in stage.world.events(*calendar)]
    return [copy for event in parents for copy in tables.copies_of(event.id)]


def answer(stage: Stage, seed: int) -> None:
    """Let everybody who is invited answer, or not."""
    random = Random(seed)
    for copy in copies(stage):
        if copy.meeting_status in ("Q", "Y", "N"):
            copy.meeting_status = random.choice("QYYN")


def told_and_planned(stage: Stage) -> tuple[Counter[int], Counter[int]]:
    before = len(stage.world.notices)
    prepared = run_inline(planned(stage))
    result = run_inline(stage.one_pass())
    assert result.record.counts["held"] == 0, result.record.problems
    assert result.prepared is not None
    assert result.prepared.notified == prepared.notified
    return Counter(notice.to for notice in stage.world.notices[before:]), Counter(prepared.notified)


@settings(max_examples=40)
@given(
    plans=st.lists(schedules, min_size=2, max_size=3),
    calendar=st.sampled_from(("user", "user", "company")),
    host=st.sampled_from(("", "host = 1\n")),
    seed=st.integers(0, 99),
)
def test_people_get_exactly_the_notices_that_the_plan_counts(
    plans: list[list[str]], calendar: str, host: str, seed: int
) -> None:
    config = CONFIG
    if calendar == "company":
        config = CONFIG.replace('calendar = "user"\nowner = "{owner}"', 'calendar = "company"')
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), config + FIELDS + host)
        for number, schedule in enumerate(plans):
            stage.write("shifts.csv", HEADER + "".join(schedule))
            told, planned_ = told_and_planned(stage)
            assert told == planned_
            answer(stage, seed + number)


def test_the_webhooks_own_user_is_told_like_anybody_else(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CONFIG + FIELDS)
    stage.write("shifts.csv", HEADER + "".join(line(str(n), "Council", 30, 1, 3, (1, 5)) for n in range(5)))
    assert told_and_planned(stage) == (Counter({1: 5, 5: 5}), Counter({1: 5, 5: 5}))


def test_nobody_is_told_of_the_end_of_what_a_person_has_deleted_already(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CONFIG + FIELDS)
    stage.write("shifts.csv", HEADER + line("1", "Council", 30, 1, 3, (5,)) + line("2", "Review", 40, 1, 3, (7,)))
    run_inline(stage.one_pass())
    (first, _) = sorted(stage.world.events("user", 3), key=lambda event: event.id)
    ask(stage, "calendar.event.delete", id=first.id)
    stage.write("shifts.csv", HEADER)
    assert told_and_planned(stage) == (Counter({7: 1}), Counter({7: 1}))


def test_who_made_an_event_that_is_gone_is_told_of_the_one_made_in_its_place(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CONFIG + FIELDS)
    stage.write("shifts.csv", HEADER + line("1", "Council", 30, 1, 3, ()))
    run_inline(stage.one_pass())
    (event,) = stage.world.events("user", 3)
    ask(stage, "calendar.event.delete", id=event.id)
    stage.write("shifts.csv", HEADER + line("1", "Council", 30, 1, 3, (1, 5)))
    assert told_and_planned(stage) == (Counter({1: 1, 5: 1}), Counter({1: 1, 5: 1}))


@pytest.mark.parametrize(("calendar", "host", "expected"), [
    ("user", "", {1, 5}), ("user", "host = 1\n", {5}), ("company", "", {3, 5}), ("company", "host = 3\n", {5}),
])  # fmt: skip
def test_host_creator_and_owner_are_told_nothing(tmp_path: Path, calendar: str, host: str, expected: set[int]) -> None:
    config = CONFIG
    if calendar == "company":
        config = CONFIG.replace('calendar = "user"\nowner = "{owner}"', 'calendar = "company"')
    stage = Stage(tmp_path, config + FIELDS + host)
    stage.write("shifts.csv", HEADER + line("1", "Council", 30, 1, 3, (1, 3, 5)))
    prepared = run_inline(planned(stage))
    assert set(prepared.notified) == expected


def test_a_purge_says_how_many_get_a_cancel_notice(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CONFIG + FIELDS)
    stage.write("shifts.csv", HEADER + line("1", "Council", 30, 1, 3, (1, 5)) + line("2", "Old", -400, 1, 3, (5,)))
    run_inline(stage.one_pass())
    stage.world.tables.notices.clear()
    offers: list[Offer] = []

    async def purged() -> None:
        async def yes(offer: Offer) -> bool:
            offers.append(offer)
            return True

        async with stage.opened() as (syncs, app):
            await purge(app.open_pass(syncs["shifts"], asyncio.Event()), confirm=yes)

    run_inline(purged())
    assert [offer.notices for offer in offers] == [len(stage.world.notices)] == [2]


def test_guests_of_an_event_taken_over_are_counted_when_it_changes(tmp_path: Path) -> None:
    """They stay the person's guests, but the portal tells them what syncd changes."""
    stage = Stage(tmp_path, CONFIG.replace("removed_after = 1", 'removed_after = 1\nadopt = "same-time"') + FIELDS)
    stage.write("shifts.csv", HEADER + line("1", "Council", 30, 1, 3, (5, 7)))
    run_inline(stage.one_pass())
    answer_all_yes(stage)
    (tmp_path / "state" / "syncd.db").unlink()
    stage.config = stage.config.replace(FIELDS, "")
    stage.write("shifts.csv", HEADER + line("1", "Council", 30, 1, 3, ()).replace("Hall", "Gym"))
    assert told_and_planned(stage) == (Counter({5: 1, 7: 1}), Counter({5: 1, 7: 1}))
    stage.write("shifts.csv", HEADER + line("1", "Council", 31, 1, 3, ()))
    assert told_and_planned(stage) == (Counter({5: 1, 7: 1}), Counter({5: 1, 7: 1}))


def answer_all_yes(stage: Stage) -> None:
    for copy in copies(stage):
        copy.meeting_status = "Y"
