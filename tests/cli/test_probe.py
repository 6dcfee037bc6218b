"""`syncd portal probe` as people use it: asks first, shows what differs, keeps what it found, and leaves nothing."""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.cli import main
from syncd.cli.commands import probe as command
from syncd.cli.commands import sandbox
from syncd.cli.commands.probe import contradiction_text
from syncd.cli.commands.takeback import purge
from syncd.cli.desk import OwnDesk
from syncd.portal.probe.facts import Fact, facts_from
from syncd.sandbox.seed.world_schema import WorldSeed
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline


class Killed(BaseException):
    """The program ends here."""


def staged(folder: Path) -> Stage:
    stage = Stage(folder, SHIFTS)
    stage.write("shifts.csv", HEADER)
    return stage


def probe(stage: Stage, *, answer: str = "", **options: Any) -> int:
    """Probe as a run of the program of its own; `answer` is what the person says to the question."""
    given = {"portal": None, "json": False, "keep": False, "yes": True} | options

    async def ran() -> int:
        async with stage.opened() as (_, app):
            desk = OwnDesk(app, asyncio.Event())

            async def agreed(question: str) -> bool:
                desk.note(question)
                return answer == "y"

            desk.agreed = agreed  # type: ignore[method-assign]
            code = await command.probe(argparse.Namespace(**given), desk)
            # As it is done where real connections are closed.
            await app.ledger.of_portal("main").note_budget(app.portal(None).budget_state(), app.clock.now())
            return code

    return run_inline(ran())


def kept(stage: Stage) -> tuple[Any, bool]:
    """Return the facts that the ledger has, and whether a probe may have left something."""

    async def read() -> tuple[Any, bool]:
        async with stage.opened() as (_, app):
            ledger = app.ledger.of_portal("main")
            return await ledger.facts(app.portal(None).origin), await ledger.probe_under_way()

    return run_inline(read())


def test_it_tells_what_it_will_do_and_does_nothing_without_a_yes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = staged(tmp_path)
    assert probe(stage, yes=False, answer="n") == 130
    told = capsys.readouterr().err
    assert "scratch section of the webhook's own user" in told
    assert "less than two minutes, and 4.8 s of the operating time" in told
    assert stage.transport.requests == 0
    assert kept(stage) == (None, False)


def test_the_answers_are_kept_with_the_portal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = staged(tmp_path)
    assert probe(stage, yes=False, answer="y") == 0
    table = capsys.readouterr().out
    assert "Europe/Moscow" in table
    assert "0 contradictions" in table
    document, under_way = kept(stage)
    facts = facts_from(document)
    assert facts is not None
    assert (facts.text("server_zone"), facts.text("host_rule"), under_way) == ("Europe/Moscow", "source", False)


def test_facts_of_another_portal_of_the_same_name_do_not_count(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    probe(stage)
    stage.webhook = stage.webhook.replace("127.0.0.1", "127.0.0.2")
    assert kept(stage) == (None, False)


def test_a_contradiction_is_a_line_with_the_section_of_portal_md(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = staged(tmp_path)
    stage.set_faults(Settings(integer_stamps=False, name_length=100))
    probe(stage)
    out = capsys.readouterr().out
    assert "PORTAL.md 4.2: name_length: 255 characters; found: 100 characters" in out
    (noon,) = (line for line in out.splitlines() if line.startswith("whole_day_noon"))
    assert noon.count("stays on its day") == 2
    assert "1 contradiction;" in out


def test_the_document_is_one_and_holds_nothing_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    probe(staged(tmp_path), json=True)
    text = capsys.readouterr().out
    document = json.loads(text)
    assert document["known"] == sum(row["found"] is not None for row in document["facts"])
    assert (document["contradictions"], document["left"]) == (0, 0)
    assert not [word for word in ("sandboxadmin", "127.0.0.1", "school.example", "main") if word in text]


def test_keep_leaves_the_section_and_a_purge_removes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = staged(tmp_path)
    before = set(stage.world.tables.sections)
    probe(stage, keep=True)
    assert len(stage.world.tables.sections) == len(before) + 1
    assert kept(stage)[1] is True
    purged(stage)
    assert set(stage.world.tables.sections) == before
    assert kept(stage)[1] is False
    assert "removed what a probe had left: 1 scratch section" in capsys.readouterr().err


def purged(stage: Stage) -> int:
    async def ran() -> int:
        async with stage.opened() as (_, app):
            given = argparse.Namespace(name="shifts", yes=True, force=False, json=False)
            return await purge(given, OwnDesk(app, asyncio.Event()))

    return run_inline(ran())


@pytest.mark.parametrize("number", [4, 5, 12, 30, 47])
def test_what_a_probe_that_was_cut_off_left_goes_with_the_next_purge(tmp_path: Path, number: int) -> None:
    stage = staged(tmp_path)
    before = set(stage.world.tables.sections)

    def kill() -> None:
        if stage.transport.requests >= number:
            raise Killed

    stage.transport.before = kill
    with pytest.raises(Killed):
        probe(stage)
    stage.transport.before = None
    assert kept(stage)[1] is True
    purged(stage)
    assert (set(stage.world.tables.sections), kept(stage)[1]) == (before, False)


def test_of_many_series_a_contradiction_names_those_that_are_otherwise() -> None:
    fact = Fact(
        name="series",
        value={"daily, plain": "neither", "weekly without a day": "both"},
        expected={"daily, plain": "portal", "weekly without a day": "both"},
    )
    assert contradiction_text(fact) == "PORTAL.md 4.13: series: daily, plain: portal; found: daily, plain: neither"
    assert contradiction_text(Fact(name="name_length", value=100)) == (
        "PORTAL.md 4.2: name_length: 255 characters; found: 100 characters"
    )


def test_a_sandbox_like_another_portal_says_what_it_cannot_imitate(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"fact": "waf", "found": True},
        {"fact": "operating", "found": False},
        {"fact": "whole_day_end", "found": "exclusive", "contradicts": True},
        {"fact": "deleted_getbyid", "found": "still shown", "contradicts": True},
        {"fact": "macros", "found": False, "contradicts": True},
        {
            "fact": "series",
            "found": {"daily, plain": "neither", "weekly": "both"},
            "expected": {"daily, plain": "portal", "weekly": "both"},
            "contradicts": True,
        },
    ]
    (folder / "facts.json").write_text(json.dumps({"version": 1, "facts": rows}))
    usual = Settings(waf=True, tariff="self-hosted", deleted_getbyid="still shown")
    assert served(folder / "facts.json") == usual
    said = "unlike that portal: whole_day_end (exclusive), macros (no), series (daily, plain: neither)\n"
    assert capsys.readouterr().err == said
    given = served(folder / "facts.json", tariff="enterprise", switch=["waf=no", "deleted_getbyid=null"])
    assert given == Settings(tariff="enterprise"), "the command line counts more"
    assert main(["sandbox", "--port", "0", "--like", "nowhere.json"]) == 2


def served(facts: Path, **options: Any) -> Settings:
    """Return the settings with which a sandbox like `facts` is served, and end it at once."""
    given: dict[str, Any] = {"port": 0, "world": None, "tariff": None, "cost": [], "fault": [], "switch": []}
    given |= {"waf": False, "from_portal": None, "export": None}
    worlds: list[World] = []

    async def ran() -> None:
        stop = asyncio.Event()
        stop.set()
        await sandbox.sandbox(argparse.Namespace(**(given | {"like": facts} | options)), stop)

    class Noted(World):
        def __init__(self, settings: Settings, seed: WorldSeed) -> None:
            super().__init__(settings, seed)
            worlds.append(self)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sandbox, "World", Noted)
        asyncio.run(ran())
    return replace(worlds[0].settings, costs_s=Settings().costs_s)


def test_the_first_forecast_after_a_probe_is_no_guess(tmp_path: Path) -> None:
    stage = staged(tmp_path)

    def guessed() -> bool:
        async def forecast() -> bool:
            async with stage.opened() as (_, app):
                counts = {"calendar.event.add": 100, "calendar.event.update": 10, "calendar.event.delete": 1}
                return app.portal(None).forecast(counts).guessed

        return run_inline(forecast())

    assert guessed() is True
    probe(stage)
    assert guessed() is False
