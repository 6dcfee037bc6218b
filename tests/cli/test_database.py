"""Commands under a config whose state is in PostgreSQL, as a user gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.config.database import Database
from tests.cli.test_commands import document, edit, run
from tests.cli.test_json_documents import example, shape
from tests.support.postgres import free_port

STATE = 'state = "syncd.db"'


def let_say(folder: Path, line: str) -> None:
    config = folder / "syncd.toml"
    first, _, rest = config.read_text().partition("\n[portals")
    del first
    config.write_text(f"{line}\n[portals{rest}")


def in_database(folder: Path, database: Database) -> None:
    (folder / "address").write_text(database.url.reveal())
    let_say(folder, f'state_url_file = "address"\nstate_schema = "{database.schema}"')


def test_passes_and_looks_work_as_with_a_file(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    in_database(folder, database)
    code, first = document(capsys, "sync", "--json")
    assert (code, first["runs"][0]["counts"]["created"]) == (0, 2)
    edit(folder, "1,Early", "1,Earlier")
    code, second = document(capsys, "sync", "--json")
    counts = second["runs"][0]["counts"]
    assert (code, counts["created"], counts["updated"], counts["unchanged"]) == (0, 0, 1, 1)
    assert run(capsys, "status")[0] == 0
    assert document(capsys, "history", "--json")[1]["runs"][0]["sync"] == "shifts"
    code, checked = document(capsys, "check", "--json")
    state, careless = [one for one in checked["checks"] if one["name"] == "state"]
    assert (state["ok"], careless["ok"], "fsync is off" in careless["detail"]) == (True, False, True)
    assert "PostgreSQL" in state["detail"]
    assert not (folder / "syncd.db").exists()
    assert document(capsys, "state", "check", "--json")[1]["items"] == 2


def test_a_state_that_is_moved_goes_on_where_it_was(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "sync")
    address = database.url.reveal()
    code, moved = document(capsys, "state", "move", "--to", address, "--schema", database.schema, "--json")
    assert (code, moved["rows"]["links"], moved["moved_to"]) == (0, 2, database.shown)
    assert shape(example("syncd state move --json")) == shape(moved)
    code, _, told = run(capsys, "sync")
    assert code == 2
    assert f"was moved to {database.shown}" in told
    in_database(folder, database)
    code, ran = document(capsys, "sync", "--json")
    assert (code, ran["runs"][0]["counts"]["created"], ran["runs"][0]["counts"]["unchanged"]) == (0, 0, 2)
    code, said, told = run(capsys, "state", "move", "--to", str(folder / "syncd.db"))
    assert told == ""
    assert (code, 'say state = "' in said, "2 links" in said) == (0, True, True)
    let_say(folder, STATE)
    code, ran = document(capsys, "sync", "--json")
    assert (code, ran["runs"][0]["counts"]["created"], ran["runs"][0]["counts"]["unchanged"]) == (0, 0, 2)


def test_a_database_that_is_down_ends_commands_with_3_and_its_password_is_nowhere(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    let_say(folder, f'state_url = "postgresql://syncd:hush-hush@127.0.0.1:{free_port()}/syncd"')
    for command in (("sync",), ("status",), ("plan",), ("check",), ("state", "check")):
        code, out, told = run(capsys, *command)
        assert (command, code) == (command, 3)
        assert "cannot be reached" in out + told
        assert "hush" not in out + told


def test_a_password_on_the_command_line_is_refused_and_not_repeated(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "sync")
    code, out, told = run(capsys, "state", "move", "--to", "postgresql://syncd:hush-hush@h/d")
    assert (code, "every user of this machine can read" in told, "hush" in out + told) == (2, True, False)
    assert (folder / "syncd.db").exists()


def test_another_config_that_calls_the_portal_otherwise_is_refused(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    in_database(folder, database)
    assert run(capsys, "sync")[0] == 0
    text = (folder / "syncd.toml").read_text().replace("portals.main", "portals.crm")
    (folder / "other.toml").write_text(text.replace('name = "shifts"', 'name = "others"'))
    code, _, told = run(capsys, "sync", "--config", "other.toml")
    assert code == 2
    assert "is known in this database as 'main'" in told


def test_a_state_file_that_was_left_behind_is_not_passed_over(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "home"))
    let_say(folder, "")
    assert run(capsys, "sync")[0] == 0
    in_database(folder, database)
    code, _, told = run(capsys, "sync")
    assert (code, "knows none of its syncs" in told, "syncd state move --to" in told) == (2, True, True)
    let_say(folder, "")
    assert run(capsys, "state", "move", "--to", database.url.reveal(), "--schema", database.schema)[0] == 0
    in_database(folder, database)
    assert document(capsys, "sync", "--json")[1]["runs"][0]["counts"]["unchanged"] == 2
