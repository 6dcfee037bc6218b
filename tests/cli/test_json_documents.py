"""app/JSON.md tells script writers the truth: each of its examples has the fields that the command really prints."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from syncd.model.lease import Board, Lease, Member
from syncd.service.status import board_document
from syncd.web.health import health_document
from tests.cli.test_commands import document, edit, run
from tests.web.views import view

NAMED_BY_VALUES = ("fields", "operating", "operating_s")
"""Objects whose field names are data: fields of an event, methods of the portal."""


def sections() -> dict[str, str]:
    """Return the text of JSON.md by heading."""
    text = files("syncd.app").joinpath("JSON.md").read_text(encoding="utf-8")
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return {heading.strip("`"): rest for heading, _, rest in (part.partition("\n") for part in parts)}


def example(heading: str) -> Any:
    found = re.search(r"^```json\n(.*?)^```", sections()[heading], re.MULTILINE | re.DOTALL)
    assert found, f"JSON.md has no example under {heading}"
    return json.loads(found[1])


def shape(value: Any, name: str = "") -> Any:
    """Return the field names of a document, nested; of a list those of its first element, null for any other value."""
    if isinstance(value, dict):
        if name in NAMED_BY_VALUES:
            return [shape(next(iter(value.values())))] if value else None
        return {key: shape(each, key) for key, each in value.items()}
    if isinstance(value, list) and name not in NAMED_BY_VALUES:
        return [shape(value[0])] if value else None
    return None


def test_each_example_has_the_fields_of_the_real_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day = (folder / "shifts.csv").read_text().splitlines()[1].split(",")[2][:10]
    rows = f"3,Night,{day} 22:00,{day} 20:00,ivan.sokolov@school.example\n"
    edit(folder, "ivan.sokolov", "nobody")
    with (folder / "shifts.csv").open("a", encoding="utf-8") as file:
        file.write(rows)
    assert shape(example("syncd check --json")) == shape(document(capsys, "check", "--json")[1])
    for what, *more in (("owners",), ("sections", "--owner", "3")):
        _, found = document(capsys, "portal", what, *more, "--json")
        assert shape(example(f"syncd portal {what} --json")) == shape(found), what

    code, ran = document(capsys, "sync", "--json")
    assert (code, shape(example("syncd sync --json"))) == (1, shape(ran))
    edit(folder, "Early", "Opening")
    assert shape(example("syncd plan --json")) == shape(document(capsys, "plan", "--json")[1])

    status, described = document(capsys, "status", "--json")[1], example("syncd status --json")
    assert shape(status["syncs"][0].pop("last_run")) == shape(ran["runs"][0])
    assert described["syncs"][0].pop("last_run") is None
    assert shape(described) == shape(status)

    (first, *_), whole = document(capsys, "history", "--json")[1]["runs"], example("syncd history --json")
    _, one = document(capsys, "history", "--run", str(first["run"]), "--json")
    assert set(whole["changes"][0]) == set(one["changes"][0])
    for changes in (whole.pop("changes"), one.pop("changes")):
        assert {name for name, (before, _) in changes[0]["fields"].items() if before is not None} == set()
    assert shape(whole) == shape(one) == shape(first)

    assert shape(example("syncd report --json")) == shape(document(capsys, "report", "--json")[1])

    backup = document(capsys, "state", "backup", "copy.db", "--json")[1]
    assert shape(example("syncd state backup --json")) == shape(backup)
    assert shape(example("syncd state check --json")) == shape(document(capsys, "state", "check", "--json")[1])
    member = Member(holder="one:812", left_s=9.0, host="one", pid=812, version="0.2.0", portals={"main": 3})
    lease = Lease(portal="main", holder="one:812", epoch=3, left_s=12.4, host="one", pid=812, since=1_790_000_000.0)
    board = Board(leases=(lease,), members=(member,))
    assert shape(example("syncd lease list --json")) == shape(board_document(board))
    assert shape(example("syncd portal limits --json")) == shape(document(capsys, "portal", "limits", "--json")[1])
    probed = document(capsys, "portal", "probe", "--yes", "--json")[1]
    assert shape(example("syncd portal probe --json")) == shape(probed)
    assert shape(example("/healthz` of the status page")) == shape(health_document(view()))


def test_every_command_that_fails_prints_the_document_of_errors(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    described = shape(example("Errors"))
    for arguments in (("plan", "nix"), ("sync", "nix")):
        code, found = document(capsys, *arguments, "--json")
        assert (code, shape(found), found["exit_code"]) == (2, described, 2)
    (folder / "shifts.csv").unlink()
    _, failed = document(capsys, "plan", "--json")
    assert set(failed["errors"][0]) == set(re.findall(r'"(\w+)"', sections()["syncd plan --json"].split("```")[0]))


def test_every_command_with_json_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    described = {heading.split()[1] for heading in sections() if heading.startswith("syncd ")}
    _, usage, _ = run(capsys, "--help")
    commands = re.findall(r"^    ([a-z]+) ", usage, re.MULTILINE)
    assert len(commands) > 10
    assert {name for name in commands if "--json" in run(capsys, name, "--help")[1]} == described
