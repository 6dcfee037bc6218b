"""The versions that the tests are run with are written down for everything that syncd and its tests need."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def test_every_direct_dependency_has_a_version_that_is_written_down() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    lines = (ROOT / "tests" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {_name(line) for line in lines if re.fullmatch(r"[A-Za-z0-9._-]+==\S+", line)}
    assert {_name(one) for one in wanted} - {"syncd"} <= pinned


def test_nothing_but_versions_is_written_down() -> None:
    lines = (ROOT / "tests" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[0-9][^\s/]*", line)] == []


def test_each_version_is_one_that_the_project_allows_and_what_it_needs_in_turn_has_one_too() -> None:
    lines = (ROOT / "tests" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    versions = {_name(line): line.partition("==")[2] for line in lines if not line.startswith("#")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = (project["dependencies"], *project["optional-dependencies"].values())
    direct = [Requirement(one) for group in groups for one in group if _name(one) != "syncd"]
    assert [str(one) for one in direct if not one.specifier.contains(versions[_name(one.name)])] == []
    seen: set[tuple[str, str]] = set()
    left = direct
    while left:
        one = left.pop()
        for extra in ("", *one.extras):
            if (_name(one.name), extra) in seen:
                continue
            seen.add((_name(one.name), extra))
            needs = [Requirement(text) for text in requires(one.name) or ()]
            left += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
    assert {name for name, _ in seen} - set(versions) == set()


def test_the_test_command_of_the_readme_installs_these_versions() -> None:
    assert "pip install -q -c tests/constraints.txt -e '.[dev]'" in (ROOT / "README.md").read_text(encoding="utf-8")
