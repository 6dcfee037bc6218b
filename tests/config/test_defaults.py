"""What every sync and portal starts with, and that a mistake in it is told where it stands."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from syncd.config import Config, load_config
from syncd.errors import ConfigError

PORTALS = """
[defaults.portal]
tariff = "enterprise"
limits = { lanes = 4, burst = 40 }
[portals.north]
webhook = "https://north.bitrix24.com/rest/1/CODE/"
[portals.south]
webhook = "https://south.bitrix24.com/rest/1/CODE/"
tariff = "standard"
limits = { lanes = 2 }
"""
DEFAULTS = """
[defaults.sync]
every = "1h"
portal = "north"
timezone = "Europe/Moscow"
source = { type = "csv", path = "shifts.csv", columns = { title = "T", start = "S" } }
target = { calendar = "company" }
"""


def loaded(folder: Path, text: str, **more: str) -> Config:
    for name, content in more.items():
        (folder / f"{name}.toml").write_text(content)
    (folder / "syncd.toml").write_text(text)
    return load_config(folder / "syncd.toml", {"HOME": str(folder)})


def test_a_sync_and_a_portal_start_with_the_defaults_and_change_what_they_give(tmp_path: Path) -> None:
    syncs = """
[[sync]]
name = "a"
[[sync]]
name = "b"
cron = "0 5 * * *"
portal = "south"
source = { columns = { title = "Shift" }, url = "https://example.com/b.csv" }
target = { section = "B" }
[[sync]]
name = "c"
source = { type = "ics", path = "c.ics" }
target = { section = "C" }
"""
    config = loaded(tmp_path, PORTALS + DEFAULTS + syncs)
    north, south = config.portals
    assert (north.tariff, north.limits.lanes, north.limits.burst) == ("enterprise", 4, 40)
    assert (south.tariff, south.limits.lanes, south.limits.burst) == ("standard", 2, 40)
    a, b, c = config.syncs
    assert (a.when.every, a.when.cron, a.portal, a.timezone) == (timedelta(hours=1), None, "north", "Europe/Moscow")
    assert (b.when.cron, b.portal) == ("0 5 * * *", "south")
    assert b.source.options["columns"] == {"title": "Shift", "start": "S"}
    assert "path" not in b.source.options
    assert dict(c.source.options) == {"type": "ics", "path": "c.ics"}


def test_an_included_file_starts_with_the_main_defaults_and_has_its_own(tmp_path: Path) -> None:
    def one(name: str) -> str:
        return f'[[sync]]\nname = "{name}"\ntarget = {{ section = "{name}" }}\n'

    own = '[defaults.sync]\nevery = "2h"\n'
    config = loaded(tmp_path, 'include = ["x*.toml"]\n' + PORTALS + DEFAULTS, x1=own + one("a"), x2=one("b"))
    assert {sync.name: sync.when.every for sync in config.syncs} == {"a": timedelta(hours=2), "b": timedelta(hours=1)}
    assert {sync.timezone for sync in config.syncs} == {"Europe/Moscow"}


SYNC = """
[[sync]]
name = "a"
portal = "north"
source = { type = "ics", path = "a" }
target = { calendar = "company" }
"""
NORTH = '[portals.north]\nwebhook = "https://north.bitrix24.com/rest/1/CODE/"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[defaults.sync]\nname = "x"\n', "syncd.toml:2: defaults.sync.name belongs to each sync"),
        ('[defaults.sync]\nevry = "1h"\n', "syncd.toml:2: defaults.sync.evry is not a known key"),
        ('[defaults.portal]\ntarif = "x"\n', "syncd.toml:2: defaults.portal.tarif is not a known key"),
        ("[defaults.syncs]\n", "syncd.toml:1: defaults.syncs is not a known key"),
        ('[defaults.sync]\nevery = "1 hour"\n', "syncd.toml:2: defaults.sync.every"),
        ('[defaults.sync]\nfields = { colour = "red" }\n', "syncd.toml:2: defaults.sync.fields.colour is not a known"),
        ('[defaults.sync]\nremoved_after = "x"\n', "syncd.toml:2: defaults.sync.removed_after must be a whole number"),
        ('[defaults.portal]\ntariff = "x"\n', "syncd.toml:2: defaults.portal.tariff"),
    ],
)
def test_a_mistake_in_the_defaults_is_told_where_it_stands(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text + NORTH + SYNC)
    assert said in str(caught.value)


def test_a_mistake_in_the_main_defaults_is_told_there_also_for_an_included_sync(tmp_path: Path) -> None:
    text = 'include = ["x.toml"]\n[defaults.sync]\ntimezone = "Moskau"\n'
    with pytest.raises(ConfigError, match=r"syncd\.toml:3: defaults\.sync\.timezone must be an IANA time zone"):
        loaded(tmp_path, text + NORTH, x=SYNC)


def test_a_secret_among_the_defaults_is_learned(tmp_path: Path) -> None:
    learned: list[str] = []
    (tmp_path / "syncd.toml").write_text(
        '[defaults.sync]\nsource = { type = "caldav", username = "u", password = "hunter2hunter2" }\n' + PORTALS
    )
    load_config(tmp_path / "syncd.toml", {"HOME": str(tmp_path)}, learned.append)
    assert "hunter2hunter2" in learned
