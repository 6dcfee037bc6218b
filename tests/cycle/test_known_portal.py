"""What a probe found is used: the server's zone, the counters, and what check, plan and migrate say."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.app.check import check_all
from syncd.app.checked import Check
from syncd.cli.commands.migrate import migrate
from syncd.cli.desk import OwnDesk
from syncd.cycle.directories import kept_directory
from syncd.portal.probe.facts import Fact, Facts, ordered
from syncd.portal.probe.run import probe
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.settings import Settings
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ROWS = HEADER + "1,Early,2026-12-01 08:00,2026-12-01 12:00,anna.petrova@school.example,\n"


def staged(folder: Path, config: str = SHIFTS, **seed: Any) -> Stage:
    stage = Stage(folder, config, seed=msgspec.structs.replace(default_world(), **seed))
    stage.write("shifts.csv", ROWS)
    return stage


def knowing(stage: Stage, **values: Any) -> None:
    """Keep facts as a probe would."""

    async def noted() -> None:
        async with stage.opened() as (_, app):
            facts = Facts(probed_at=stage.clock.now(), facts=ordered(_found(values), "not asked"))
            await app.ledger.of_portal("main").note_facts(app.portal(None).origin, facts.kept(), 0.0)

    run_inline(noted())


def _found(values: Mapping[str, Any]) -> list[Fact]:
    return [Fact(name=name, value=value) for name, value in values.items()]


def checked(stage: Stage) -> list[Check]:
    async def all_checks() -> list[Check]:
        async with stage.opened() as (_, app):
            return [one async for one in check_all(app, offline=False)]

    return run_inline(all_checks())


def details(checks: list[Check], name: str) -> list[str]:
    return [one.detail for one in checks if one.name == name]


def zone_of(stage: Stage) -> str:
    """Return the server's zone in the directory that the last pass has kept."""

    async def read() -> str:
        async with stage.opened() as (syncs, app):
            directory = await kept_directory(app.open_pass(syncs["shifts"], asyncio.Event()))
            return directory.server_zone if directory is not None else ""

    return run_inline(read())


@pytest.mark.parametrize(("probed", "used"), [({}, ""), ({"server_zone": "Europe/Istanbul"}, "Europe/Istanbul")])
def test_a_pass_reckons_with_the_zone_that_was_found(tmp_path: Path, probed: Any, used: str) -> None:
    stage = staged(tmp_path)
    knowing(stage, **probed)
    run_inline(stage.one_pass())
    assert zone_of(stage) == used


def test_the_zone_of_the_config_counts_more_and_check_says_that_they_differ(tmp_path: Path) -> None:
    config = SHIFTS.replace("[portals.main]", '[portals.main]\nserver_timezone = "Europe/Moscow"')
    stage = staged(tmp_path, config)
    knowing(stage, server_zone="Europe/Istanbul")
    run_inline(stage.one_pass())
    assert zone_of(stage) == "Europe/Moscow"
    (wrong,) = [one for one in checked(stage) if not one.ok]
    assert wrong.detail == "its own zone is Europe/Istanbul, the config says Europe/Moscow"
    assert "server_timezone" in wrong.remedy


def test_check_takes_the_zone_that_was_found_for_no_guess(tmp_path: Path) -> None:
    stage = staged(tmp_path, server_zone="Africa/Cairo")
    assert "depend on this guess" in details(checked(stage), "zone shifts")[0]
    knowing(stage, server_zone="Africa/Cairo")
    assert details(checked(stage), "zone shifts") == ["the portal's own zone is taken as Africa/Cairo"]


def test_check_suggests_a_probe_where_there_was_none(tmp_path: Path) -> None:
    (said,) = details(checked(staged(tmp_path)), "facts main")
    assert said.startswith("never probed; `syncd portal probe`")


def test_check_says_what_the_facts_mean_for_the_syncs(tmp_path: Path) -> None:
    config = SHIFTS + '\n[sync.fields]\nhost = "{owner}"\ncrm = ["C_5"]\n'
    stage = staged(tmp_path, config)
    knowing(stage, waf=True, host_rule="docs", crm_fields=False, batch_counter="batch")
    known, *meant = details(checked(stage), "facts main")
    assert known.startswith("probed on 2026-11-21: 4 of ")
    words = ("text filter is on", "together", "`host` of shifts has no effect", "`crm` of shifts has no effect")
    assert [next(word for word in words if word in one) for one in meant] == list(words)
    knowing(stage, waf=False, host_rule="source", crm_fields=True, batch_counter="own")
    assert len(details(checked(stage), "facts main")) == 1


@pytest.mark.parametrize(("length", "said"), [(100, ["it keeps 100 characters of a title"]), (255, []), (300, [])])
def test_check_says_where_less_of_a_title_is_kept_than_syncd_sends(
    tmp_path: Path, length: int, said: list[str]
) -> None:
    stage = staged(tmp_path)
    knowing(stage, name_length=length)
    _, *meant = details(checked(stage), "facts main")
    assert [one.partition(":")[0] for one in meant] == said


def test_migrate_suggests_a_probe_and_says_when_there_was_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = staged(tmp_path)

    async def migrated() -> int:
        async with stage.opened() as (_, app):
            given = argparse.Namespace(names=[], portal=None, yes=True, report=None, json=False)
            return await migrate(given, OwnDesk(app, asyncio.Event()))

    run_inline(migrated())
    assert "portal main: never probed; `syncd portal probe`" in " ".join(capsys.readouterr().out.split())
    knowing(stage, waf=False)
    run_inline(migrated())
    assert "portal main: probed on 2026-11-21: 1 of" in capsys.readouterr().out


@pytest.mark.parametrize(("counter", "waits"), [("batch", True), ("shared", False)])
def test_a_forecast_counts_commands_together_where_the_portal_does(tmp_path: Path, counter: Any, waits: bool) -> None:
    stage = staged(tmp_path)
    stage.set_faults(Settings(integer_stamps=False, batch_counter=counter, operating_limit_s=480))

    async def forecast() -> float:
        async with stage.opened() as (_, app):
            portal = app.portal(None)
            probed = await probe(portal, clock=stage.clock, stop=asyncio.Event(), token="0123abcd")
            portal.learn(probed.facts)
            counts = {"calendar.event.add": 3000, "calendar.event.update": 3000}
            return portal.forecast(counts).seconds

    assert (run_inline(forecast()) > 400) is waits


def test_what_was_probed_is_learned_when_the_portal_is_opened(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    counts = {"calendar.event.add": 2000, "calendar.event.update": 2000, "calendar.event.delete": 2000}

    def seconds() -> float:
        async def forecast() -> float:
            async with stage.opened() as (_, app):
                return app.portal(None).forecast(counts).seconds

        return run_inline(forecast())

    before = seconds()
    knowing(stage, batch_counter="batch")
    assert seconds() > before + 300
