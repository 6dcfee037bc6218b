"""The circle closes: what a probe found makes a simulated portal of which a probe finds the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from syncd.errors import ConfigError
from syncd.portal.probe.facts import Facts
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.seed.likeness import Likeness, alike, peopled, read_likeness
from syncd.sandbox.seed.world_schema import WorldSeed
from syncd.sandbox.settings import SWITCHES, Settings, switched
from tests.portal.probe.probing import Probing, telling_world, with_scopes


def otherwise(name: str) -> str:
    """Return a position in which a switch does not usually stand."""
    usual = getattr(Settings(), name)
    standing = usual if isinstance(usual, str) else "yes" if usual else "no"
    return next(position for position in SWITCHES[name] if position != standing)


def written(folder: Path, facts: Facts) -> Path:
    path = folder / "portal-facts.json"
    path.write_bytes(orjson.dumps(facts.document()))
    return path


def rehearsal(folder: Path, facts: Facts, **settings: Any) -> Probing:
    """Return a simulated portal that is like the one of which these facts were found."""
    likeness = read_likeness(written(folder, facts))
    made = Probing(alike(Settings(**settings), likeness), seed=default_world())
    made.seed = peopled(default_world(), likeness, made.clock.start)
    made.__post_init__()
    return made


def values(facts: Facts) -> dict[str, Any]:
    return {fact.name: fact.value for fact in facts.facts if fact.name != "costs_s"}


def far_company(seed: WorldSeed) -> WorldSeed:
    """Return a portal whose webhook's user lives west of its server."""
    users = tuple(
        msgspec.structs.replace(user, zone="America/New_York" if user.id == 1 else user.zone) for user in seed.users
    )
    return msgspec.structs.replace(seed, users=users, culture="us", server_zone="Europe/Berlin")


@pytest.mark.parametrize(
    "probing",
    [
        Probing(),
        Probing(switched(Settings(), [(name, otherwise(name)) for name in SWITCHES])),
        Probing(Settings(waf=True, name_length=120, description_length=1000), seed=far_company(telling_world())),
        Probing(Settings(tariff="self-hosted", costs_s={"calendar.event.add": 0.02})),
        Probing(seed=with_scopes(telling_world(), "calendar", "user")),
        Probing(seed=peopled(telling_world(), Likeness({"page_size": 50}), 0.0)),
    ],
    ids=["as PORTAL.md says", "every switch otherwise", "far away", "self-hosted", "few scopes", "many people"],
)
def test_a_portal_that_is_like_another_has_the_same_facts(probing: Probing, tmp_path: Path) -> None:
    facts = probing.probe().facts
    again = rehearsal(tmp_path, facts).probe().facts
    assert values(again) == values(facts)


def test_its_commands_cost_what_they_cost_there(tmp_path: Path) -> None:
    facts = Probing(Settings(costs_s={"calendar.event.add": 0.13, "calendar.event.get": 0.02})).probe().facts
    made = rehearsal(tmp_path, facts, costs_s={"calendar.event.get": 0.5})
    assert made.settings.cost_s("calendar.event.add") == pytest.approx(0.13, abs=0.01)
    assert made.settings.cost_s("calendar.event.get") == 0.5, "the command line counts more"


def test_what_it_cannot_imitate_is_named() -> None:
    likeness = Likeness(
        {"whole_day_end": "exclusive", "room_text": "kept", "name_length": 100, "host_rule": "anybody"},
        dict.fromkeys(("whole_day_end", "name_length", "host_rule")),
    )
    assert likeness.unlike() == ("whole_day_end (exclusive)", "room_text (kept)", "host_rule (anybody)")
    assert alike(Settings(), likeness).host_rule == Settings().host_rule


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 2, "facts": []}', '{"version": 1, "facts": 5}'])
def test_a_file_that_holds_no_facts_is_an_error_that_names_it(content: str, tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"facts\.json holds no facts about a portal"):
        read_likeness(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_likeness(tmp_path / "nowhere.json")


def test_nonsense_in_a_fact_changes_nothing(tmp_path: Path) -> None:
    rows = [
        {"fact": "waf", "found": "perhaps"},
        {"fact": "name_length", "found": -5},
        {"fact": "costs_s", "found": {"calendar.event.add": "much", "calendar.event.get": -1}},
        {"fact": "server_zone", "found": "Nowhere/Land"},
        {"fact": "culture", "found": 7},
        {"fact": "scopes", "found": "all"},
        {"fact": "something new", "found": 1},
    ]
    path = tmp_path / "facts.json"
    path.write_bytes(orjson.dumps({"version": 1, "facts": rows}))
    likeness = read_likeness(path)
    assert alike(Settings(), likeness) == Settings()
    assert peopled(default_world(), likeness, 0.0) == default_world()
