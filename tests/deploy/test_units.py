"""`syncd service install`: what it writes, what it leaves alone, and what it refuses."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from syncd.app.shipped import shipped
from syncd.app.units import Placed, install_units, next_steps
from syncd.cli import main
from syncd.errors import ConfigError

CONFIG = Path("etc/syncd/config.toml")
WRITTEN = (
    "etc/systemd/system/syncd.service", "etc/systemd/system/syncd-migrate@.service",
    "etc/sysusers.d/syncd.conf", "etc/tmpfiles.d/syncd.conf",
)  # fmt: skip


@pytest.fixture
def program() -> Path:
    """A program at a place that the units may read."""
    return Path("/bin/true")


def install(root: Path, program: Path, *, force: bool = False) -> dict[str, str]:
    placed = install_units(program=program, root=root, force=force)
    return {str(one.path.relative_to(root)): one.action for one in placed}


def test_every_file_of_systemd_is_written_below_the_root_with_the_program_that_asked(
    tmp_path: Path, program: Path
) -> None:
    assert install(tmp_path, program) == dict.fromkeys(WRITTEN, "written")
    for name in WRITTEN[:2]:
        text = (tmp_path / name).read_text()
        assert f"\nExecStart={program} --config /etc/syncd/config.toml " in text
        assert "/opt/syncd/bin/syncd --config" not in text
        assert f"\nDocumentation={shipped('README.md').as_uri()}\n" in text
    assert all((tmp_path / name).stat().st_mode & 0o777 == 0o644 for name in WRITTEN)


def test_a_second_installation_changes_nothing_and_one_of_another_program_replaces_the_units(
    tmp_path: Path, program: Path
) -> None:
    install(tmp_path, program)
    assert install(tmp_path, program) == dict.fromkeys(WRITTEN, "unchanged")
    moved = install(tmp_path, Path("/bin/false"))
    assert [moved[name] for name in WRITTEN] == ["replaced", "replaced", "unchanged", "unchanged"]


def test_a_file_that_somebody_changed_stays_until_it_is_forced_and_then_beside_the_new_one(
    tmp_path: Path, program: Path
) -> None:
    install(tmp_path, program)
    unit = tmp_path / WRITTEN[0]
    changed = unit.read_text().replace("WatchdogSec=120", "WatchdogSec=600")
    unit.write_text(changed)
    assert install(tmp_path, program)[WRITTEN[0]] == "kept"
    assert unit.read_text() == changed
    assert install(tmp_path, program, force=True)[WRITTEN[0]] == "replaced"
    assert "WatchdogSec=120" in unit.read_text()
    assert unit.with_name("syncd.service.old").read_text() == changed


def test_a_unit_that_was_put_there_by_hand_is_not_taken_for_an_earlier_installation(
    tmp_path: Path, program: Path
) -> None:
    unit = tmp_path / WRITTEN[0]
    unit.parent.mkdir(parents=True)
    unit.write_bytes(b"[Unit]\nDescription=\xff mine\n")
    assert install(tmp_path, program)[WRITTEN[0]] == "kept"
    assert b"mine" in unit.read_bytes()


@pytest.mark.parametrize("place", ["home/anna/venv/bin/syncd", "root/venv/bin/syncd", "tmp/venv/bin/syncd"])
def test_a_program_that_the_service_could_not_see_is_refused_with_the_place_for_it(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.app.units.os.access", lambda _path, _mode: True)
    with pytest.raises(ConfigError, match="sees no home and no temporary directory") as raised:
        install(tmp_path, Path("/") / place)
    assert "/opt/syncd" in raised.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_an_environment_whose_python_is_in_a_home_is_refused_with_the_one_to_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binaries = tmp_path / "opt" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "syncd").symlink_to("/bin/true")
    (binaries / "python").symlink_to("/home/anna/.pyenv/bin/python3")
    monkeypatch.setattr("syncd.app.units._HIDDEN", ("/home/",))
    with pytest.raises(ConfigError, match=r"its Python is /home/anna/.pyenv/bin/python3") as raised:
        install(tmp_path / "root", binaries / "syncd")
    assert "/usr/bin/python3 -m venv /opt/syncd" in raised.value.remedy


def test_a_program_that_is_not_there_or_that_no_unit_can_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no program syncd at /opt/nowhere/syncd"):
        install(tmp_path, Path("/opt/nowhere/syncd"))
    odd = tmp_path / "with blank"
    odd.symlink_to("/bin/true")
    with pytest.raises(ConfigError, match=r"no home and no temporary|a unit cannot name"):
        install(tmp_path, odd)


def test_a_directory_that_cannot_be_written_is_told_with_the_remedy(tmp_path: Path, program: Path) -> None:
    (tmp_path / "etc").write_text("a file in the place of the directory")
    with pytest.raises(ConfigError, match=r"cannot write .*etc") as raised:
        install(tmp_path, program)
    assert "sudo syncd service install" in raised.value.remedy


def test_a_full_disk_is_told_with_the_place(tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # of a write, as the system gives it: without a name

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ConfigError, match=f"cannot write {tmp_path}.*: No space left on device"):
        install(tmp_path, program)


def test_what_is_left_to_do_is_what_is_missing(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    placed = (Placed(path=Path("/etc/systemd/system/syncd.service"), action="written"),)
    assert [line.split()[0] for line in next_steps(placed, config)] == ["install", "install", "systemctl"]
    config.touch()
    (tmp_path / "webhook").touch()
    assert list(next_steps(placed, config)) == ["systemctl enable --now syncd"]
    kept = (Placed(path=Path("/etc/systemd/system/syncd.service"), action="kept"),)
    assert "syncd.service" in next(iter(next_steps(kept, config)))


def test_the_command_prints_what_it_wrote_and_runs_nothing_below_another_root(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.cli.commands.service.sys.executable", "/bin/python")
    monkeypatch.setattr("syncd.app.units.os.access", lambda _path, _mode: True)
    monkeypatch.setattr("syncd.cli.commands.service.subprocess.run", None)  # calling it would fail
    assert main(["service", "install", "--root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.count("written") == len(WRITTEN)
    assert "systemctl enable --now syncd" in said


def test_an_image_that_is_being_built_has_no_systemd_to_reload(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        called.append(" ".join(command).rpartition("/")[2])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("syncd.cli.commands.service.install_units", lambda **_: ())
    monkeypatch.setattr("syncd.cli.commands.service.subprocess.run", run)
    monkeypatch.setattr("syncd.cli.commands.service.shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr("syncd.cli.commands.service._RUNNING", tmp_path / "nothing")
    assert main(["service", "install"]) == 0
    assert called == ["systemd-sysusers syncd.conf", "systemd-tmpfiles --create syncd.conf"]
    monkeypatch.setattr("syncd.cli.commands.service._RUNNING", tmp_path)
    assert main(["service", "install"]) == 0
    assert called[-1] == "systemctl daemon-reload"
    capsys.readouterr()
    monkeypatch.setattr("syncd.cli.commands.service.shutil.which", lambda _name: None)
    assert main(["service", "install"]) == 2
    assert "run `systemd-sysusers syncd.conf`" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_the_installed_units_sound(tmp_path: Path, program: Path) -> None:
    install(tmp_path, program)
    for name in WRITTEN[:2]:
        unit = tmp_path / name.replace("@", "@shifts")
        unit.write_text((tmp_path / name).read_text())
        looked = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
        assert [line for line in looked.stderr.splitlines() if unit.name in line] == []


def test_the_wheel_holds_every_shipped_file() -> None:
    root = Path(__file__).parents[2]
    wheel = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    kept = wheel["force-include"]
    for kept_at, name in kept.items():
        assert (root / kept_at).is_file()
        assert shipped(Path(name).name).read_bytes() == (root / kept_at).read_bytes()
    names = {Path(name).name for name in kept.values()}
    assert names >= {"README.md", "README.ru.md", "config.example.toml", *(Path(name).name for name in WRITTEN[:2])}
    with pytest.raises(ConfigError, match="is missing beside syncd"):
        shipped("nothing.toml")
