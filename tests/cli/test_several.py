"""Commands over several syncs and portals: the names they take, and one client's trouble that stops nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import CONFIG
from tests.cli.test_commands import document, run


@pytest.fixture
def two(folder: Path, webhook: str) -> Path:
    """A folder with two clients: `north` whose webhook is missing, and `shifts` that can be synced."""
    config = CONFIG.format(webhook=webhook, section=folder.name)
    portal, _, sync = config.partition("[[sync]]")
    portal += '[portals.other]\nwebhook_env = "NOT_SET_ANYWHERE"\n\n'
    north = sync.replace('"shifts"', '"north"').replace("timezone", 'portal = "other"\ntimezone', 1)
    south = sync.replace("timezone", 'portal = "main"\ntimezone', 1)
    (folder / "syncd.toml").write_text(f"{portal}[[sync]]{north}\n[[sync]]{south}", encoding="utf-8")
    return folder


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("arguments", [("shifts",), ("sh*",), ("--portal", "main"), ("shifts", "--portal", "main")])
def test_a_check_of_some_syncs_asks_neither_the_sources_nor_the_portals_of_the_others(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, checked = document(capsys, "check", *arguments, "--json")
    names = {one["name"] for one in checked["checks"]}
    assert {"source shifts", "portal main", "owners shifts"} <= names
    assert not [name for name in names if "north" in name or "other" in name]
    assert (code, checked["ok"], checked["problems"]) == (0, True, 0)
    assert checked["checks"][0]["detail"].endswith("2 syncs, 2 portals; checked: 1 sync, 1 portal")


@pytest.mark.usefixtures("two")
def test_a_check_of_a_name_that_is_not_there_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["shits"], ["east-*"], ["--portal", "mian"]):
        code, _, err = run(capsys, "check", *arguments)
        assert (arguments, code) == (arguments, 2), err
    assert "mian" in err


@pytest.mark.usefixtures("two")
def test_a_check_ends_with_a_line_that_counts_and_names_the_problems(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check")
    last = out.splitlines()[-1]
    assert code == 2  # what a sync would end with
    assert last.endswith(" checks, 1 problem: portal other")
    assert int(last.split()[0]) == len(out.splitlines()) - 1
    assert run(capsys, "check", "shifts")[1].splitlines()[-1].endswith(" checks, no problem")


@pytest.mark.usefixtures("two")
def test_a_migration_goes_on_past_a_portal_whose_secret_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "migrate", "--yes", "--report", "report.csv")
    assert code == 2, out + err
    assert "portals.other.webhook_env names an environment variable that is not set" in out
    assert out.index("north:") < out.index("shifts: done — 2 created")
    assert Path("report.csv").read_text(encoding="utf-8").count(",ok,") == 2
