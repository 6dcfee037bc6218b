"""The ledger knows whose it is: an earlier version's is used on, and no config works with another's unawares."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog
from msgspec.structs import replace
from structlog.testing import capture_logs

from syncd import events
from syncd.app.application import App
from syncd.app.check import check_all
from syncd.app.checked import Check
from syncd.app.configured import claim, read_config
from syncd.clock import SystemClock
from syncd.config import Config
from syncd.config.database import Database
from syncd.errors import ConfigError
from syncd.state.ledger import Ledger
from syncd.state.owner import is_used_by

CONFIG = """[portals.main]
webhook = "http://127.0.0.1:9/rest/1/sandboxadmin/"
[[sync]]
name = "{name}"
[sync.source]
type = "csv"
path = "shifts.csv"
[sync.target]
owner = "{{owner}}"
"""


def written(folder: Path, name: str, sync: str, first: str = "") -> Path:
    path = folder / name
    path.write_text(first + CONFIG.format(name=sync))
    return path


def old_ledger(folder: Path, sync: str) -> Path:
    """Make a ledger where 0.1 kept it, with a run of `sync`; return the folder that was its home."""
    asyncio.run(run_of(folder / ".local" / "state" / "syncd" / "syncd.db", sync))
    return folder


async def run_of(path: Path, sync: str) -> None:
    ledger = await Ledger.open(path, now=1.0)
    await ledger.of(sync).begin_run(1.0)
    await ledger.close()


async def claimed(config: Config) -> None:
    ledger = await Ledger.open(config.state, now=2.0)
    try:
        await claim(config, ledger, SystemClock())
    finally:
        await ledger.close()


async def checked(config: Config) -> list[Check]:
    ledger = await Ledger.open_readonly(config.state)
    app = App(config, ledger, clock=SystemClock(), learn_secret=lambda _: None)
    try:
        return [one async for one in check_all(app, offline=True)]
    finally:
        await ledger.close()


def test_an_existing_installation_keeps_its_ledger_and_is_told(tmp_path: Path) -> None:
    home = old_ledger(tmp_path, "shifts")
    config = read_config(written(tmp_path, "syncd.toml", "shifts"), {"HOME": str(home)})
    assert config.state == config.earlier_state == home / ".local/state/syncd/syncd.db"
    (told,) = [one for one in asyncio.run(checked(config)) if one.name == "state"]
    assert (told.ok, "where earlier versions kept it" in told.detail) == (True, True)


def test_a_new_config_does_not_take_the_ledger_that_another_left_there(tmp_path: Path) -> None:
    home = old_ledger(tmp_path, "shifts")
    config = read_config(written(tmp_path, "new.toml", "lessons"), {"HOME": str(home)})
    assert config.state != config.earlier_state
    assert config.warnings == ()


def test_two_configs_that_shared_one_ledger_go_on_with_it(tmp_path: Path) -> None:
    home = old_ledger(tmp_path, "shifts")
    asyncio.run(run_of(home / ".local/state/syncd/syncd.db", "lessons"))
    for name, sync in (("a.toml", "shifts"), ("b.toml", "lessons"), ("a.toml", "shifts")):
        config = read_config(written(tmp_path, name, sync), {"HOME": str(home)})
        assert config.state == config.earlier_state
        asyncio.run(claimed(config))


def test_a_copy_of_a_config_gets_a_ledger_of_its_own(tmp_path: Path) -> None:
    home = old_ledger(tmp_path, "shifts")
    asyncio.run(claimed(read_config(written(tmp_path, "a.toml", "shifts"), {"HOME": str(home)})))
    copy = read_config(written(tmp_path, "copy.toml", "shifts"), {"HOME": str(home)})
    assert copy.state != copy.earlier_state


def test_an_old_ledger_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "syncd.db").write_bytes(b"no ledger at all, but something" * 40)
    assert is_used_by(tmp_path / "syncd.db", tmp_path / "a.toml", ["shifts"])


def default_shared(path: Path, folder: Path) -> Config:
    """The config at `path` with a default that it shares with others, as those of /etc/syncd do."""
    return replace(read_config(path, {"HOME": str(folder)}), state=folder / "syncd.db")


def test_two_configs_with_one_default_are_refused_where_they_name_the_same_sync(tmp_path: Path) -> None:
    first = written(tmp_path, "first.toml", "shifts")
    asyncio.run(claimed(default_shared(first, tmp_path)))
    second = written(tmp_path, "second.toml", "shifts")
    with pytest.raises(ConfigError, match=r"second\.toml: its state .* belongs to .*first\.toml, which has a sync"):
        asyncio.run(claimed(default_shared(second, tmp_path)))
    asyncio.run(claimed(default_shared(first, tmp_path)))
    asyncio.run(claimed(default_shared(written(tmp_path, "third.toml", "lessons"), tmp_path)))


def test_a_config_that_was_renamed_keeps_its_ledger(tmp_path: Path) -> None:
    first = written(tmp_path, "first.toml", "shifts")
    asyncio.run(claimed(default_shared(first, tmp_path)))
    asyncio.run(claimed(default_shared(first.rename(tmp_path / "renamed.toml"), tmp_path)))


def test_a_state_that_two_configs_name_is_shared_on_purpose_and_told(tmp_path: Path) -> None:
    structlog.reset_defaults()  # the suite begins every test with a log that says nothing
    with capture_logs() as logged:
        for name in ("first.toml", "second.toml"):
            config = read_config(written(tmp_path, name, "shifts", 'state = "syncd.db"\n'), {"HOME": "/h"})
            asyncio.run(claimed(config))
    (told,) = [one for one in logged if one["event"] == events.LEDGER_SHARED]
    assert (told["other"], told["syncs"]) == (str(tmp_path / "first.toml"), ["shifts"])


async def test_a_ledger_is_given_a_name_once_and_its_backups_have_the_same(
    place: Path | Database, tmp_path: Path
) -> None:
    assert await _name_of(place, readonly=True) == ""
    made = await _name_of(place)
    assert len(made) == 8
    assert (await _name_of(place), await _name_of(place, readonly=True)) == (made, made)
    if isinstance(place, Path):
        ledger = await Ledger.open(place, now=3.0)
        await ledger.back_up(tmp_path / "backup.db")
        await ledger.close()
        assert await _name_of(tmp_path / "backup.db") == made
    other = await Ledger.open(tmp_path / "other.db", now=3.0)
    assert await other.name(3.0) != made
    await other.close()


async def test_of_two_machines_that_name_a_ledger_at_once_both_use_the_first_name(place: Path | Database) -> None:
    ledger = await Ledger.open(place, now=3.0)
    await ledger._give_name("aaaaaaaa", 3.0)
    await ledger._give_name("bbbbbbbb", 3.0)
    assert await ledger.name(3.0) == "aaaaaaaa"
    await ledger.close()


async def _name_of(place: Path | Database, *, readonly: bool = False) -> str:
    ledger = await (Ledger.open_readonly(place) if readonly else Ledger.open(place, now=3.0))
    try:
        return await ledger.name(3.0)
    finally:
        await ledger.close()
