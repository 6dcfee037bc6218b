"""Which groups the webhook finds: secret ones, and collabs where its scopes allow (PORTAL.md 7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.app.check import check_all
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.seed.world_schema import WorldSeed
from syncd.sandbox.settings import SWITCHES, Settings
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

BOTH = ("calendar", "user", "sonet_group", "socialnetwork")
ROW = "1,Council,2026-12-01 10:00,2026-12-01 11:00,x@y,Hall\n"


def with_groups(scopes: tuple[str, ...] = BOTH, **group: Any) -> WorldSeed:
    """Return the company with one more group, of which user 1 is no member."""
    world = default_world()
    more = msgspec.structs.replace(world.groups[2], **{"id": 90, "name": "Partners", "members": (6,), **group})
    hooks = tuple(msgspec.structs.replace(hook, scopes=scopes) for hook in world.webhooks)
    return msgspec.structs.replace(world, groups=(*world.groups, more), webhooks=hooks)


def synced(folder: Path, seed: WorldSeed, *, admin_groups: str = "asked") -> list[str]:
    """Sync one row into the calendar of «Partners»; return the reasons why it is held."""
    config = SHIFTS.replace('calendar = "user"\nowner = "{owner}"', 'calendar = "group"\nowner = "Partners"')
    stage = Stage(folder, config, seed=seed)
    stage.set_faults(Settings(integer_stamps=False, admin_groups="always" if admin_groups == "always" else "asked"))
    stage.write("shifts.csv", HEADER + ROW)
    result = run_inline(stage.one_pass())
    assert (len(stage.names("group", 90)) == 1) is (result.exit_code == 0)

    async def look() -> bool:
        async with stage.opened() as (_, app):
            return all([one.ok async for one in check_all(app, offline=False)])

    assert run_inline(look()) is (result.exit_code == 0), "check foretells what sync does"
    return [problem.reason for problem in result.record.problems if problem.kind == "held"]


@pytest.mark.parametrize("position", SWITCHES["admin_groups"])
def test_an_administrators_webhook_finds_a_secret_group(tmp_path: Path, position: str) -> None:
    assert synced(tmp_path, with_groups(secret=True), admin_groups=position) == []


def test_a_collab_is_found_where_the_webhook_has_the_scope_socialnetwork(tmp_path: Path) -> None:
    assert synced(tmp_path, with_groups(kind="collab")) == []


@pytest.mark.parametrize("kind", ["group", "project", "scrum"])
def test_other_kinds_are_found_without_that_scope(tmp_path: Path, kind: str) -> None:
    assert synced(tmp_path, with_groups(("calendar", "user", "sonet_group"), kind=kind)) == []


def test_a_collab_that_the_webhook_cannot_see_is_told_with_the_scope_that_shows_it(tmp_path: Path) -> None:
    (reason,) = synced(tmp_path, with_groups(("calendar", "user", "sonet_group"), kind="collab"))
    assert "no group 'Partners' that syncd's user can see" in reason
    assert "socialnetwork" in reason
