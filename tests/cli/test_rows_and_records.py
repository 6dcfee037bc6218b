"""A database, a JSON API and 1C, as a new user types it: init, check, plan and sync, and again."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_init import syncd
from tests.source.json.records_server import ONE_C

TABLES = """
    CREATE TABLE people (id INTEGER PRIMARY KEY, name, email);
    CREATE TABLE duty_roster (id INTEGER PRIMARY KEY, shift_name, starts_at, ends_at, employee_email, room);
    INSERT INTO people VALUES (1, 'Anna Petrova', 'anna.petrova@school.example');
    INSERT INTO duty_roster VALUES
      (1, 'Day', '2026-12-01 08:00:00', '2026-12-01 20:00:00', 'anna.petrova@school.example', 'R1'),
      (2, 'Night', '2026-12-01 20:00:00', '2026-12-02 08:00:00', 'anna.petrova@school.example', NULL);
"""
CONFIG = """
state = "syncd.db"
[portals.main]
webhook = "{webhook}"
[[sync]]
name = "records"
timezone = "Europe/Moscow"
[sync.source]
type = "json"
username = "reader"
password_env = "API_PASSWORD"
{source}
[sync.target]
owner = 1
"""
API = """
url = "{url}/skip"
records = "$.data.items"
next = {{ skip = "skip", limit = "limit", size = 20 }}
columns = {{ uid = "id", title = "name", start = "begins", end = "ends" }}
"""
ONE = """
url = "{url}{path}"
preset = "1c"
columns = {{ uid = "Ref_Key", title = "Description", start = "Дата", end = "ДатаОкончания" }}
"""


@pytest.fixture
def records() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.source.json.records_server", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


def counts(folder: Path) -> dict[str, int]:
    done = syncd(folder, "sync", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    return {name: count for name, count in run["counts"].items() if count}


def test_a_file_of_sqlite_is_synced_with_the_config_that_init_writes(tmp_path: Path, webhook: str) -> None:
    database = sqlite3.connect(tmp_path / "Дежурства.db")
    database.executescript(TABLES)
    done = syncd(tmp_path, "init", "--source", "Дежурства.db", "--webhook", webhook, "-o", "syncd.toml")
    assert done.returncode == 0, done.stderr
    assert "2026-12-01 08:00–20:00 Europe/Moscow" in done.stdout
    text = (tmp_path / "syncd.toml").read_text()
    assert 'url = "sqlite:///Дежурства.db"' in text
    assert 'query = "SELECT * FROM duty_roster"' in text
    assert 'name = "dezhurstva"' in text
    (tmp_path / "syncd.toml").write_text(f'state = "syncd.db"\n{text}')
    assert syncd(tmp_path, "check").returncode == 0
    assert counts(tmp_path) == {"created": 2}
    assert counts(tmp_path) == {"unchanged": 2}
    database.execute("UPDATE duty_roster SET room = 'R2' WHERE id = 2")
    database.commit()
    assert counts(tmp_path) == {"updated": 1, "unchanged": 1}
    database.execute("DROP TABLE duty_roster")
    database.commit()
    database.close()
    failed = syncd(tmp_path, "sync")
    assert failed.returncode == 5
    assert "the query failed: no such table: duty_roster" in failed.stdout + failed.stderr


@pytest.mark.parametrize("source", [API, ONE])
def test_records_of_an_api_and_of_1c_are_synced_page_by_page(
    tmp_path: Path, webhook: str, records: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIG.format(webhook=webhook, source=source.format(url=records, path=ONE_C))
    (tmp_path / "syncd.toml").write_text(config)
    monkeypatch.setenv("API_PASSWORD", "wr0ng")
    refused = syncd(tmp_path, "check")
    assert refused.returncode == 5
    assert "wants other credentials (401); it says: login first" in refused.stdout
    assert "wr0ng" not in refused.stdout + refused.stderr
    monkeypatch.setenv("API_PASSWORD", "s3cret")
    checked = syncd(tmp_path, "check")
    assert (checked.returncode, "60 entries" in checked.stdout) == (0, True), checked.stdout
    assert counts(tmp_path) == {"created": 60}
    assert counts(tmp_path) == {"unchanged": 60}


def test_init_finds_the_records_of_an_api_and_the_preset_of_1c(tmp_path: Path, records: str) -> None:
    address = records.replace("http://", "http://reader:s3cret@")
    api = syncd(tmp_path, "init", "--source", f"{address}/link")
    assert api.returncode == 0, api.stderr
    assert 'records = "$.data.items[*]"' in api.stdout
    assert "another page (next): say in next how to ask for it" in " ".join(api.stderr.split())
    one_c = syncd(tmp_path, "init", "--source", address + ONE_C)
    assert one_c.returncode == 0, one_c.stderr
    assert 'preset = "1c"' in one_c.stdout
    assert "records =" not in one_c.stdout
    assert 'type = "activity"' not in one_c.stdout  # the number of a document is no phone


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("empty.db", "holds no table that this account may see"),
        ("sqlite:///none.db", "cannot be reached, or refuses: unable to open database file"),
        ("nosuch://x", "neither a file nor a web address"),
        ("postgresql://me:s3cret@127.0.0.1:1/x", "cannot be reached, or refuses"),
        ("empty.json", "holds no list of records"),
    ],
)
def test_what_init_cannot_read_is_told(tmp_path: Path, source: str, says: str) -> None:
    database = sqlite3.connect(tmp_path / "empty.db")
    database.executescript("CREATE TABLE a (b); DROP TABLE a")
    database.close()
    (tmp_path / "empty.json").write_text('{"value": []}')
    done = syncd(tmp_path, "init", "--source", source)
    assert done.returncode in (2, 5)
    assert says in done.stderr
    assert "s3cret" not in done.stderr
