"""What deploy/ promises: units that hold, metrics that exist, files that name each other rightly."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from syncd.errors import ConfigError, StateLockedError, StateUnavailableError
from syncd.portal.limits.pace import Limits
from syncd.web.metrics import Metrics
from tests.bench.scale import AS_SERVICE
from tests.web.views import view

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = ("syncd.service", "syncd-migrate@.service")
WORST_EXPOSURE = 1.5


def unit(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, comment_prefixes="#")  # of a key given twice, the last
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((DEPLOY / name).read_text())
    return parser


def exposed() -> set[str]:
    return set(re.findall(r"^(\w+)(?:\{|\s)", Metrics().exposition(view()).decode(), re.MULTILINE))


def test_the_daemon_is_not_restarted_where_that_mends_nothing() -> None:
    service = unit("syncd.service")["Service"]
    assert service["RestartPreventExitStatus"].split() == [
        str(ConfigError.exit_code), str(StateLockedError.exit_code)
    ]  # fmt: skip
    assert str(StateUnavailableError.exit_code) not in service["RestartPreventExitStatus"].split()
    assert (service["Type"], service["Restart"]) == ("notify", "on-failure")
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert int(service["TimeoutStopSec"]) > 75  # the longest request may have to end first


def test_daemon_and_migration_share_user_state_and_hardening_but_never_run_together() -> None:
    daemon, migration = unit("syncd.service"), unit("syncd-migrate@.service")
    own = {"ExecStart", "ExecReload", "Type", "NotifyAccess", "WatchdogSec", "Restart", "RestartSec", "TimeoutStopSec",
           "RestartPreventExitStatus", "RuntimeDirectory"}  # fmt: skip
    for key, value in daemon["Service"].items():
        if key not in own:
            assert migration["Service"][key] == value, key
    assert migration["Unit"]["Conflicts"] == "syncd.service"
    assert migration["Unit"]["OnFailure"] == migration["Unit"]["OnSuccess"] == "syncd.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_the_unit_sound_and_hardly_exposed(tmp_path: Path, name: str) -> None:
    copy = tmp_path / name.replace("@", "@shifts")
    copy.write_text((DEPLOY / name).read_text().replace("/opt/syncd/bin/syncd", "/bin/true"))
    looked = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert [line for line in looked.stderr.splitlines() if str(copy.name) in line] == []
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", copy],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", rated.stdout)
    if found is None:
        pytest.skip("this systemd cannot rate units offline")
    assert float(found[1]) <= WORST_EXPOSURE


def test_every_metric_of_the_alert_rules_and_the_dashboard_is_exposed() -> None:
    known = exposed() | {"up"}
    rules = (DEPLOY / "prometheus-alerts.yml").read_text()
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += re.findall(r"expr: (.*)", rules)
    named = {name for query in queries for name in re.findall(r"\b(?:syncd|process)_\w+", query)}
    assert named - known == set()
    assert "syncd_sync_stale" in named
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"]) == 10


def test_the_alert_on_operating_time_can_be_reached_by_syncd_alone() -> None:
    rules = (DEPLOY / "prometheus-alerts.yml").read_text()
    found = re.search(r"alert: SyncdBudgetUsedUp\n(?: +#.*\n)*.*> (\d\.\d+)$", rules, re.MULTILINE)
    assert found is not None
    assert 0.5 < float(found[1]) < Limits().operating_share


def test_the_documentation_of_the_units_is_installed_where_they_say() -> None:
    for name in UNITS:
        assert unit(name)["Unit"]["Documentation"] == "file:///opt/syncd/README.md"
    assert "install -D -m 644 README.md /opt/syncd/README.md" in (DEPLOY / "syncd.service").read_text()


def test_services_and_containers_have_the_arenas_that_the_benchmark_measures_with() -> None:
    for name in ("syncd.service", "syncd-migrate@.service", "Dockerfile"):
        text = (DEPLOY / name).read_text()
        assert all(f"{name}={value}" in text for name, value in AS_SERVICE.items())


def test_the_container_runs_as_nobody_special_and_tells_its_health() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", stage) for stage in stages)
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", text, re.MULTILINE)
    probe = json.loads(re.search(r"^  CMD (\[.*\])$", text, re.MULTILINE)[1])  # type: ignore[index]
    compile(probe[2], "healthcheck", "exec")
    compiled = re.search(r'python -c "import (.*)"$', text, re.MULTILINE)[1].split(", ")  # type: ignore[index]
    assert all(find_spec(module) is not None for module in compiled)
    assert "syncd.cli.commands.daemon" in compiled
    assert "--no-compile" not in text  # at work nothing may be written, and each start would compile everything again
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert {".git", ".venv", "tests"} <= set(ignored)


def test_the_user_and_the_directories_are_those_of_the_units() -> None:
    assert (DEPLOY / "sysusers.conf").read_text().splitlines()[-1].startswith("u syncd ")
    directories = [
        line.split()[:5] for line in (DEPLOY / "tmpfiles.conf").read_text().splitlines() if line.startswith("d ")
    ]
    assert [line[1] for line in directories] == ["/etc/syncd", "/etc/syncd/conf.d"]
    assert {tuple(line[2:]) for line in directories} == {("0750", "root", "syncd")}


def test_the_container_and_its_compose_file_agree() -> None:
    dockerfile, compose = (DEPLOY / "Dockerfile").read_text(), (DEPLOY / "compose.yml").read_text()
    assert re.search(r"^VOLUME (\S+)$", dockerfile, re.MULTILINE)[1] in compose  # type: ignore[index]
    assert "dockerfile: deploy/Dockerfile" in compose
    stop = re.search(r"stop_grace_period: (\d+)s", compose)
    assert stop is not None
    assert stop[1] == unit("syncd.service")["Service"]["TimeoutStopSec"]
    assert f"--stop-timeout {stop[1]} " in dockerfile
    copied = {word for line in re.findall(r"^COPY (?!--)(.*)$", dockerfile, re.MULTILINE) for word in line.split()[:-1]}
    wheel = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {Path(name).parts[0] for name in wheel["force-include"]} <= copied  # or the image could not be built


@pytest.mark.parametrize("script", ["build", "try", "postinst", "prerm", "postrm"])
def test_the_scripts_of_the_debian_package_are_sound_shell_and_executable(script: str) -> None:
    path = DEPLOY / "deb" / script
    assert os.access(path, os.X_OK)
    shell = shutil.which("dash") or shutil.which("sh")
    assert shell is not None
    assert subprocess.run([shell, "-n", path], capture_output=True, text=True, check=False).stderr == ""


def test_the_debian_package_brings_every_shipped_file() -> None:
    build = (DEPLOY / "deb" / "build").read_text()
    for name in (
        *UNITS,
        "sysusers.conf",
        "tmpfiles.conf",
        "README.md",
        "README.ru.md",
        "config.example.toml",
        "config.example.ru.toml",
        "CHANGELOG.md",
    ):
        assert name in build
    for written in ("/etc/syncd", "/var/lib/syncd"):
        assert written in (DEPLOY / "deb" / "postrm").read_text()
