"""What `check` proves about the CRM before a pass does."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from syncd.app.check import check_all
from syncd.app.checked import Check
from syncd.app.documents import change_document
from syncd.cli import show
from syncd.cycle.plan import preview
from syncd.cycle.prepared import Prepared
from syncd.errors import PortalRefusedError
from syncd.sandbox.seed.language_school import default_world
from tests.crm.stage import HEADER, ROWS, VISITS
from tests.support.sandbox import HEADER as SHIFT_HEADER
from tests.support.sandbox import SHIFTS, Stage, run_inline

SHIFT = f"{SHIFT_HEADER}1,Early shift,2026-12-01 06:00,2026-12-01 14:00,anna.petrova@school.example,Desk 1\n"


def checks(
    folder: Path, *, scopes: tuple[str, ...] = ("calendar", "user", "crm"), zone: str = "", config: str = VISITS
) -> list[Check]:
    world = default_world()
    hooks = tuple(msgspec.structs.replace(hook, scopes=scopes) for hook in world.webhooks)
    users = tuple(
        msgspec.structs.replace(user, zone=zone or user.zone) if user.id == 1 else user for user in world.users
    )
    stage = Stage(folder, config, seed=msgspec.structs.replace(world, webhooks=hooks, users=users))
    stage.write("visits.csv", HEADER + ROWS)

    async def run() -> list[Check]:
        async with stage.opened() as (_, app):
            return [one async for one in check_all(app, offline=False)]

    return run_inline(run())


def test_nothing_stands_in_the_way_of_appointments(tmp_path: Path) -> None:
    found = checks(tmp_path)
    assert [one for one in found if not one.ok and one.name != "secrets"] == []
    details = " ".join(one.detail for one in found)
    assert "3 items on 2 cards" in details
    assert "with a calendar target would show it twice" in details


UNUSED = "the entries name owners, but responsible is not set in [sync.target]"


@pytest.mark.parametrize("type_", ["activity", "todo"])
def test_owners_that_nothing_makes_responsible_are_told_by_check_and_plan(tmp_path: Path, type_: str) -> None:
    config = VISITS.replace('responsible = "{owner}"\n', "").replace('"activity"', f'"{type_}"')
    if type_ == "todo":
        config = config.replace('location = "Room"\n', "")
    (told,) = (one for one in checks(tmp_path, config=config) if one.detail.startswith(UNUSED))
    assert (told.name, told.ok) == ("target visits", True)
    (line,) = (one for one in planned(tmp_path, config).problems if one.reason.startswith(UNUSED))
    assert (line.kind, 'set responsible = "{owner}"' in line.reason) == ("warning", True)


def test_nothing_is_said_where_owners_are_responsible_or_not_named(tmp_path: Path) -> None:
    unnamed = VISITS.replace('owner = "Doctor"\n', "").replace('responsible = "{owner}"\n', "")
    for config in (VISITS, unnamed):
        assert not any(UNUSED in one.detail for one in checks(tmp_path, config=config))
        assert not any(UNUSED in one.reason for one in planned(tmp_path, config).problems)


def test_a_plan_shows_who_is_responsible(tmp_path: Path) -> None:
    prepared = planned(tmp_path, VISITS)
    shown = [change_document(change)["responsible"] for change in prepared.plan.changes]
    assert shown == [3, 5, 3]  # the last one is the client's own
    out = Console(width=200, file=io.StringIO())
    show.change_table(out, prepared.plan.changes, zone=None, directory=prepared.directory)
    assert isinstance(out.file, io.StringIO)
    assert "· responsible: Анна Петрова" in out.file.getvalue()


def planned(folder: Path, config: str) -> Prepared:
    stage = Stage(folder, config)
    stage.write("visits.csv", HEADER + ROWS)

    async def made() -> Prepared:
        async with stage.opened() as (syncs, app):
            return await preview(app.open_pass(syncs["visits"], asyncio.Event()), verify=False)

    return run_inline(made())


def test_the_missing_scope_is_named_and_the_calendars_is_not_asked_for(tmp_path: Path) -> None:
    found = checks(tmp_path, scopes=("user",))
    (scopes,) = (one for one in found if "; missing:" in one.detail)
    assert scopes.detail.endswith("missing: crm")
    (clients,) = (one for one in found if one.name == "clients visits")
    assert not clients.ok


def test_a_guessed_zone_that_times_depend_on_is_told(tmp_path: Path) -> None:
    found = checks(tmp_path, zone="Europe/Riga")
    (told,) = (one.detail for one in found if one.name == "zone visits")
    assert "server_timezone" in told


def test_a_webhook_without_the_scope_of_calendars_is_told_by_the_plan_too(tmp_path: Path) -> None:
    world = default_world()
    hooks = tuple(msgspec.structs.replace(hook, scopes=("user",)) for hook in world.webhooks)
    stage = Stage(tmp_path, SHIFTS, seed=msgspec.structs.replace(world, webhooks=hooks))
    stage.write("shifts.csv", SHIFT)

    async def planned() -> None:
        async with stage.opened() as (syncs, app):
            await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)

    with pytest.raises(PortalRefusedError, match="insufficient_scope"):
        run_inline(planned())
    found = checks(tmp_path, scopes=("user",), config=SHIFTS)
    (calendars,) = (one for one in found if one.name == "calendars shifts")
    assert not calendars.ok
    assert "insufficient_scope" in calendars.detail


def test_what_to_dos_cannot_do_is_said(tmp_path: Path) -> None:
    found = checks(tmp_path, config=VISITS.replace('"activity"', '"todo"'))
    said = [one.detail for one in found if one.name == "target visits"]
    assert any("a deadline only" in one for one in said)
    assert any("carries no origin" in one for one in said)


def test_alerts_through_a_webhook_without_the_scope_im_are_said_to_reach_nobody(tmp_path: Path) -> None:
    found = checks(tmp_path, config=f"[alerts]\nuser = 5\n{VISITS}")
    (missing,) = [one for one in found if not one.ok and "missing" in one.detail]
    assert missing.detail.endswith("missing: im")
    with_it = checks(tmp_path, scopes=("calendar", "user", "crm", "im"), config=f"[alerts]\nuser = 5\n{VISITS}")
    assert not [one for one in with_it if "missing" in one.detail]
