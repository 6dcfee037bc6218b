"""The state follows the config's place and owner, never whoever runs syncd."""

from __future__ import annotations

import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.config import load_config, state_place
from syncd.config.state_place import SYSTEM_STATE, default_state

Write = Callable[[str], Path]
MINIMAL = '[portals.main]\nwebhook = "https://example.bitrix24.com/rest/1/s3cr3tc0de/"\n'


@pytest.mark.parametrize("path", ["/etc/syncd/config.toml", "/etc/syncd/clients/a.toml", "/etc/x/../syncd/b.toml"])
@pytest.mark.parametrize("environ", [{}, {"HOME": "/root"}, {"XDG_STATE_HOME": "/x"}, {"STATE_DIRECTORY": "/s"}])
def test_a_config_in_etc_has_its_state_where_systemd_puts_it(path: str, environ: dict[str, str]) -> None:
    assert default_state(Path(path), environ) == SYSTEM_STATE


def test_each_config_has_a_state_of_its_own_that_its_name_can_be_seen_from(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    found = {default_state(tmp_path / folder / "syncd.toml", environ) for folder in ("north", "south", "north/a")}
    assert len(found) == 3
    assert {one.parent for one in found} == {tmp_path / ".local" / "state" / "syncd"}
    assert any(one.name.startswith("north-syncd-") for one in found)


def test_a_config_has_one_state_under_all_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "syncd.toml"
    config.write_text(MINIMAL)
    (tmp_path / "link.toml").symlink_to(config)
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": "/h"}
    names = [config, Path("syncd.toml"), Path("./x/../syncd.toml"), tmp_path / "link.toml"]
    assert len({default_state(name, environ) for name in names}) == 1


def test_the_state_is_the_owner_s_whoever_runs_syncd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "syncd.toml"
    config.write_text(MINIMAL)
    other = next(one for one in pwd.getpwall() if one.pw_uid not in (0, config.stat().st_uid))
    monkeypatch.setattr(state_place, "owner_of", lambda _config: other.pw_uid)
    environs = ({"HOME": "/root"}, {"XDG_STATE_HOME": "/x"}, {"STATE_DIRECTORY": "/s"})
    found = {default_state(config, environ) for environ in environs}
    assert {one.parent for one in found} == {Path(other.pw_dir) / ".local" / "state" / "syncd"}
    assert len(found) == 1


def test_a_user_without_a_name_as_in_a_container_has_it_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_place, "owner_of", lambda _config: 4_000_000_000)
    found = default_state(tmp_path / "syncd.toml", {"HOME": "/h"})
    assert found.parent == Path("/h/.local/state/syncd")


@pytest.mark.parametrize(
    ("variable", "place"),
    [("HOME", ".local/state/syncd/syncd.db"), ("XDG_STATE_HOME", "syncd/syncd.db"), ("STATE_DIRECTORY", "syncd.db")],
)
def test_a_state_that_an_earlier_version_left_is_offered_until_there_is_a_new_one(
    write: Write, tmp_path: Path, variable: str, place: str
) -> None:
    environ = {"HOME": str(tmp_path / "home"), variable: str(tmp_path / "old")}
    path = write(MINIMAL)
    assert load_config(path, environ).earlier_state is None
    old = tmp_path / "old" / place
    old.parent.mkdir(parents=True)
    old.touch()
    config = load_config(path, environ)
    assert config.earlier_state == old
    assert not config.state_given
    config.state.parent.mkdir(parents=True, exist_ok=True)
    config.state.touch()
    assert load_config(path, environ).earlier_state is None


def test_a_state_that_is_named_has_no_other_place(write: Write, tmp_path: Path) -> None:
    environ = {"STATE_DIRECTORY": str(tmp_path)}
    (tmp_path / "syncd.db").touch()
    config = load_config(write(f'state = "mine.db"\n{MINIMAL}'), environ)
    assert (config.state, config.earlier_state, config.state_given) == (tmp_path / "mine.db", None, True)
