"""`state_url`: a database in place of a state file, whose password nobody sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.config import load_config, load_outline
from syncd.config.database import database_at, secrets_in
from syncd.config.secrets import Secret
from syncd.errors import ConfigError
from syncd.scrub import Scrubber

PORTAL = '[portals.main]\nwebhook = "https://example.bitrix24.com/rest/1/s3cr3tc0de/"\n'
ADDRESS = "postgresql://syncd:hu%20sh-hush@db.example:6432/state?sslmode=require"


def written(folder: Path, first: str) -> Path:
    path = folder / "syncd.toml"
    path.write_text(f"{first}\n{PORTAL}")
    return path


@pytest.mark.parametrize("form", ["", "_file", "_env", "_credential"])
def test_the_address_is_taken_from_wherever_it_is_and_its_password_is_learned(tmp_path: Path, form: str) -> None:
    (tmp_path / "address").write_text(f"{ADDRESS}\n")
    value = {"": ADDRESS, "_file": "address", "_env": "STATE", "_credential": "address"}[form]
    environ = {"HOME": str(tmp_path), "STATE": ADDRESS, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    scrubber = Scrubber()
    config = load_config(written(tmp_path, f'state_url{form} = "{value}"'), environ, scrubber.add)
    assert config.database is not None
    assert config.database.url.reveal() == ADDRESS
    assert config.database.shown == "postgresql://db.example:6432/state"
    assert config.ledger == config.database
    assert config.earlier_state is None
    for secret in (ADDRESS, "hu%20sh-hush", "hu sh-hush"):
        assert secret not in scrubber.certain(f"it says {secret} here")
    assert scrubber.certain(config.database.shown) == config.database.shown
    assert "hush" not in repr(config.database)


def test_a_config_without_one_has_its_state_in_a_file(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, ""), {"HOME": str(tmp_path)})
    assert config.database is None
    assert config.ledger == config.state


def test_each_config_can_have_a_schema_of_its_own(tmp_path: Path) -> None:
    path = written(tmp_path, 'state_url = "postgresql:///state"\nstate_schema = "north"')
    config = load_config(path, {"HOME": str(tmp_path)})
    assert config.database is not None
    assert config.database.shown == "postgresql://localhost/state (schema north)"


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ('state = "a.db"\nstate_url = "postgresql://h/d"', "state_url and state exclude each other"),
        ('state_url = "postgresql://h/d"\nstate_url_env = "X"', "is given more than once"),
        ('state_url = "mysql://u:hush@h/d"', "state_url leads to what is no postgresql:// address"),
        ('state_url = "postgresql://u:hush@h"', "state_url leads to an address without the name of a database"),
        ('state_url = " "', "state_url is empty"),
        ('state_url_env = "NOT_SET"', "names an environment variable that is not set"),
        ('state_url_file = "none"', "names a file in"),
        ('state_url = "postgresql://h/d"\nstate_schema = "a; DROP"', "state_schema is no name for a schema"),
        ('state_url = "postgresql://h/d"\nstate_schema = "pg_x"', "state_schema is no name for a schema"),
        ('state_schema = "north"', "state_schema is for a state in PostgreSQL"),
    ],
)
def test_what_cannot_be_used_is_refused_by_line_and_key(tmp_path: Path, first: str, said: str) -> None:
    path = written(tmp_path, first)
    with pytest.raises(ConfigError, match=r"syncd.toml:[12]: state") as told:
        load_config(path, {"HOME": str(tmp_path)})
    assert said in str(told.value)
    assert "hush" not in str(told.value)


def test_what_stands_where_a_file_or_variable_should_be_named_is_learned_as_the_secret(tmp_path: Path) -> None:
    for form in ("_file", "_env", "_credential"):
        scrubber = Scrubber()
        with pytest.raises(ConfigError) as told:
            load_config(written(tmp_path, f'state_url{form} = "{ADDRESS}"'), {"HOME": "/h"}, scrubber.add)
        assert "hush" not in str(told.value)
        assert ADDRESS not in scrubber.certain(f"x {ADDRESS} x")


def test_the_outline_needs_no_secret_and_names_the_place_of_the_socket(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    path = written(tmp_path, 'state_url_env = "NOT_SET"')
    assert load_outline(path, environ).state == load_outline(written(tmp_path, ""), environ).state


@pytest.mark.parametrize(
    ("address", "secrets"),
    [
        ("postgresql://u@h/d", []),
        ("postgresql://h/d?user=u", []),
        ("postgresql://u:p%40ss@h1:1,h2:2/d", ["p%40ss", "p@ss", "postgresql://u:p%40ss@h1:1,h2:2/d"]),
        ("postgresql://h/d?password=a%20b", ["a b", "postgresql://h/d?password=a%20b"]),
        ("postgres://u:p@ss@h/d", ["p@ss", "postgres://u:p@ss@h/d"]),
        ("no address", []),
    ],
)
def test_what_is_secret_in_an_address_is_found_also_where_it_cannot_be_used(address: str, secrets: list[str]) -> None:
    assert list(secrets_in(address)) == secrets


def test_several_hosts_and_a_service_are_addresses_too() -> None:
    for address, shown in (
        ("postgresql://u@h1:1,h2:2/d?target_session_attrs=read-write", "postgresql://h1:1,h2:2/d"),
        ("postgresql:///?service=syncd", "postgresql://localhost/"),
        ("postgresql://[::1]:5433/d", "postgresql://[::1]:5433/d"),
    ):
        assert database_at(Secret(address)).shown == shown
