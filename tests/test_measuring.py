"""The figure that the tests must reach counts every line and branch that there is, and stops what is below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.measuring import ROOT, Everything, begin, main

MODULE = """\
from typing import assert_never


def sign(number):
    if number < 0:
        return "-"
    if number > 10:  # pragma: no cover
        return "large"
    return "+"


def kind(it):
    match it:
        case str():
            return "text"
        case never:
            assert_never(never)
"""
CONFTEST = """\
from tests.support.measuring import begin

MEASURING = begin()


def pytest_configure(config):
    config.pluginmanager.register(MEASURING)
"""
TESTS = """\
def test_minus():
    from measured.reached import sign
    assert sign(-1) == "-"


def test_plus():
    from measured.reached import sign
    assert sign(1) == "+"
"""

KILLED = """\
import os, subprocess, sys
from tests.support.measuring import path_of_programs

def test_killed():
    code = "import json, os; json.dump = lambda _, file: (file.write('{'), file.flush(), os._exit(9))"
    environ = {**os.environ, "PYTHONPATH": path_of_programs()}
    assert subprocess.run([sys.executable, "-c", code], env=environ).returncode == 9
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two modules, of which nobody imports one, and two tests for the other."""
    (tmp_path / "measured").mkdir()
    (tmp_path / "measured" / "__init__.py").touch()
    (tmp_path / "measured" / "reached.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "measured" / "forgotten.py").write_text("for one in ():\n    print(one)\n", encoding="utf-8")
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "test_sign.py").write_text(TESTS, encoding="utf-8")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # takes longer than the tests
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path}")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "measured"


def test_what_nobody_imports_counts_as_not_reached(project: Path) -> None:
    files = Everything(str(project)).compared([])["files"]
    assert {name: len(file["missing_lines"]) for name, file in files.items()} == {
        "measured/__init__.py": 0,
        "measured/reached.py": 10,
        "measured/forgotten.py": 2,
    }


def test_what_several_processes_reach_is_added_up(project: Path) -> None:
    path = str(project / "reached.py")
    one, other = {path: [1, 4, 5, [5, 6]]}, {path: [5, 9, [5, 7]]}
    file = Everything(str(project)).compared([one, other])["files"]["measured/reached.py"]
    assert file["executed_lines"] == [1, 4, 5, 9]
    assert file["executed_branches"] == [(5, 6), (5, 7)]


@pytest.mark.parametrize(("floor", "code", "said"), [(44, 0, "at least 44 %"), (44.5, 2, "fewer than 44.5 %")])
def test_less_than_the_floor_is_a_failure_although_all_tests_pass(
    project: Path, capfd: pytest.CaptureFixture[str], floor: float, code: int, said: str
) -> None:
    assert main([f"--floor={floor}", "-q", "-p", "xdist", "-n", "2"], project) == code
    lines = capfd.readouterr().out.splitlines()
    assert lines[-1] == f"lines and branches reached: 44.44 %; {said}"


def test_a_failed_test_is_a_failure_whatever_was_reached(project: Path) -> None:
    (project.parent / "test_sign.py").write_text("def test_no():\n    assert False\n", encoding="utf-8")
    assert main(["-q"], project) == 1


def test_a_program_that_is_killed_while_it_ends_spoils_nothing(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project.parent / "test_killed.py").write_text(KILLED, encoding="utf-8")
    assert main(["-q"], project) == 0
    assert "reached: 44.44 %" in capfd.readouterr().out


def test_what_was_imported_before_the_measuring_began_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCD_TESTS_REACHED", "anywhere")
    monkeypatch.setenv("SYNCD_TESTS_MEASURED", str(ROOT / "tests"))
    with pytest.raises(RuntimeError, match=r"imported too early to be measured: .*tests\.support\.measuring"):
        begin()
