"""A purge removes the sections that syncd made itself, where nothing is left in them; any doubt leaves them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

import pytest

from syncd.cycle.takeback import Offer, Taken, purge
from syncd.model.item import Place
from syncd.model.json_values import Json
from syncd.model.made_sections import MadeSection
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from syncd.sandbox.tables.database import Section
from tests.cycle.test_pass import ROWS, staged
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

SECOND = SHIFTS.partition("[[sync]]")[2].replace('name = "shifts"', 'name = "other"').replace("shifts.csv", "other.csv")


def purged(stage: Stage, others: Collection[str] = (), name: str = "shifts") -> tuple[Taken, list[Offer]]:
    offers: list[Offer] = []

    async def yes(offer: Offer) -> bool:
        offers.append(offer)
        return True

    async def go() -> Taken:
        async with stage.opened() as (syncs, app):
            return await purge(app.open_pass(syncs[name], asyncio.Event()), confirm=yes, others=others)

    return run_inline(go()), offers


def sections(stage: Stage) -> list[tuple[int, str]]:
    return sorted((one.owner_id, one.name) for one in stage.world.tables.sections.values() if one.cal_type == "user")


def ours(stage: Stage, owner: int) -> Section:
    (section,) = (one for one in stage.world.tables.sections_of(("user", owner)) if one.name == "Shifts")
    return section


def put(stage: Stage, owner: int, **more: Json) -> None:
    async def add() -> None:
        async with stage.opened() as (_, app):
            await app.portals["main"].read("calendar.event.add", {
                "type": "user", "ownerId": owner, "section": ours(stage, owner).id, "name": "Dentist",
                "from": "2031-01-01T10:00:00", "to": "2031-01-01T11:00:00", "skip_time": "N", **more,
            })  # fmt: skip

    run_inline(add())


def synced(folder: Path, settings: Settings | None = None) -> tuple[Stage, list[tuple[int, str]]]:
    """Return a portal into which a pass has made three sections, and what sections there were before."""
    stage = staged(folder)
    if settings is not None:
        stage.set_faults(settings)
    before = sections(stage)
    run_inline(stage.one_pass())
    assert sorted(set(sections(stage)) - set(before)) == [(3, "Shifts"), (5, "Shifts"), (7, "Shifts")]
    return stage, before


def why(taken: Taken) -> dict[int, str]:
    return {one.place.owner: reason for one, reason in taken.tidied.left}


def test_what_was_made_and_is_empty_goes_and_what_stood_there_before_stays(tmp_path: Path) -> None:
    stage, before = synced(tmp_path)
    taken, (offer,) = purged(stage)
    assert [(one.place.owner, one.name) for one in offer.sections] == [(3, "Shifts"), (5, "Shifts"), (7, "Shifts")]
    assert (taken.exit_code, taken.tidied.left, sections(stage)) == (0, (), before)
    assert [one.place.owner for one in taken.tidied.removed] == [3, 5, 7]
    again, (nothing,) = purged(stage)
    assert (again.tidied.removed, nothing.sections, again.record.commands) == ((), (), 0)
    assert run_inline(stage.one_pass()).record.counts["created"] == 3
    assert sections(stage) == sorted([*before, (3, "Shifts"), (5, "Shifts"), (7, "Shifts")])


def test_a_section_that_was_there_already_is_never_removed(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    tables = stage.world.tables
    for owner in (3, 5, 7):
        number = tables.next_section_id()
        tables.add_section(
            Section(id=number, name="Shifts", cal_type="user", owner_id=owner, created_by=1, created_at=0, changed_at=0)
        )
    before = sections(stage)
    run_inline(stage.one_pass())
    taken, (offer,) = purged(stage)
    assert (offer.sections, taken.tidied.removed, sections(stage)) == ((), (), before)


def test_an_event_of_somebody_keeps_the_section_whenever_it_is(tmp_path: Path) -> None:
    stage, _ = synced(tmp_path)
    put(stage, 3)
    taken, _ = purged(stage)
    assert why(taken) == {3: "1 event of others in it"}
    assert [one.place.owner for one in taken.tidied.removed] == [5, 7]
    assert stage.names(owner=3) == ["Dentist"]
    (dentist,) = stage.world.events("user", 3)
    stage.world.tables.erase(dentist)
    taken, _ = purged(stage)  # what was left is looked at again
    assert [one.place.owner for one in taken.tidied.removed] == [3]


def test_a_private_event_that_the_caller_sees_masked_keeps_it_too(tmp_path: Path) -> None:
    stage, _ = synced(tmp_path)
    put(stage, 3, private_event=True)
    (dentist,) = (one for one in stage.world.events("user", 3) if one.name == "Dentist")
    dentist.created_by = 3
    assert why(purged(stage)[0]) == {3: "1 event of others in it"}


def test_a_section_that_people_have_renamed_or_that_another_sync_writes_to_stays(tmp_path: Path) -> None:
    stage, _ = synced(tmp_path)
    ours(stage, 3).name = "My shifts"
    taken, _ = purged(stage, others={"Shifts"})
    assert why(taken) == {3: "it is called «My shifts» now"} | dict.fromkeys((5, 7), "another sync writes there")


def test_whoever_is_purged_last_removes_what_another_sync_has_made(tmp_path: Path) -> None:
    stage, before = synced(tmp_path)
    stage.config += "[[sync]]" + SECOND
    stage.write("other.csv", HEADER + ROWS.replace("2026-12-0", "2026-12-1"))
    assert run_inline(stage.one_pass("other")).record.counts["created"] == 3
    assert not purged(stage, others={"Shifts"})[0].tidied.removed
    assert [one.place.owner for one in purged(stage, name="other")[0].tidied.removed] == [3, 5, 7]
    assert sections(stage) == before


@pytest.mark.parametrize("fault", ["cut-after", "error-after", "half", "hang"])
def test_a_section_whose_making_nobody_answered_is_known_as_made(tmp_path: Path, fault: str) -> None:
    faults = (parse_fault(f"{fault}:method=calendar.section.add,times=1"),)
    stage, before = synced(tmp_path, Settings(integer_stamps=False, faults=faults))
    purged(stage)
    assert sections(stage) == before


@pytest.mark.parametrize("fault", ["cut-after", "error-after", "half", "hang"])
@pytest.mark.parametrize("method", ["calendar.section.delete", "calendar.event.get", "calendar.section.get"])
def test_what_could_not_be_seen_or_was_not_answered_is_told_and_goes_with_the_next_purge(
    tmp_path: Path, fault: str, method: str
) -> None:
    stage, before = synced(tmp_path)
    stage.set_faults(Settings(integer_stamps=False, faults=(parse_fault(f"{fault}:method={method}"),)))
    taken, _ = purged(stage)
    assert taken.record.counts["deleted"] == 3 or method != "calendar.section.delete"
    assert not taken.tidied.removed
    stage.set_faults(Settings(integer_stamps=False))
    stage.clock.advance(3600)
    taken, _ = purged(stage)
    assert (taken.exit_code, sections(stage)) == (0, before)


def test_an_id_that_is_another_section_s_now_is_forgotten(tmp_path: Path) -> None:
    stage, _ = synced(tmp_path)
    other = ours(stage, 3)
    other.name, other.created_by = "Anna's own", 3
    put_away = stage.world.tables.sections[ours(stage, 5).id]
    stage.world.tables.remove_section(put_away.id)
    taken, _ = purged(stage)
    assert ([one.place.owner for one in taken.tidied.removed], taken.tidied.left) == ([7], ())
    assert (3, "Anna's own") in sections(stage)
    assert not purged(stage)[1][0].sections


async def test_the_sections_of_another_portal_under_the_same_name_do_not_count(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    async with stage.opened() as (_, app):
        ledger = app.ledger.of_portal("main")
        made = MadeSection(id=7, place=Place(kind="user", owner=3), name="Shifts", sync="shifts")
        await ledger.note_sections("https://one.example", [made], 1.0)
        assert await ledger.sections_made("https://one.example") == (made,)
        assert await ledger.sections_made("https://two.example") == ()
        await ledger.forget_sections("https://one.example", [7], 2.0)
        assert await ledger.sections_made("https://one.example") == ()
