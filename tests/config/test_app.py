"""`app` of a portal in the config: one of the two ways in, its secrets in four forms, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from syncd.config import Config, load_config
from syncd.errors import ConfigError

SYNC = '[[sync]]\nname = "shifts"\nsource = { type = "csv", path = "x.csv" }\ntarget = { owner = "{owner}" }\n'
APP = 'address = "https://school.bitrix24.com", client_id = "local.1"'


def loaded(folder: Path, portal: str, sync: str = SYNC, **environ: str) -> Config:
    path = folder / "syncd.toml"
    path.write_text(f"[portals.main]\n{portal}\n{sync}")
    return load_config(path, {"HOME": str(folder), **environ})


@pytest.mark.parametrize("form", ["", "_file", "_env", "_credential"])
def test_the_secret_of_an_application_may_be_given_in_four_ways(tmp_path: Path, form: str) -> None:
    (tmp_path / "named").write_text("s3cret-of-the-app\n")
    value = {"": "s3cret-of-the-app", "_env": "SECRET"}.get(form, "named")
    config = loaded(
        tmp_path,
        f'app = {{ {APP}, client_secret{form} = "{value}" }}',
        SECRET="s3cret-of-the-app",
        CREDENTIALS_DIRECTORY=str(tmp_path),
    )
    app = config.portals[0].app
    assert app is not None
    assert app.client_secret.reveal() == "s3cret-of-the-app"
    assert "s3cret" not in repr(config)
    assert config.portals[0].host == "school.bitrix24.com"


def test_a_simulated_portal_gives_its_tokens_itself(tmp_path: Path) -> None:
    app = (
        loaded(tmp_path, 'app = { address = "http://127.0.0.1:9", client_id = "a", client_secret = "s" }')
        .portals[0]
        .app
    )
    assert app is not None and app.server == "http://127.0.0.1:9"


def test_where_the_portal_tells_of_edits_it_is_read_once_a_day(tmp_path: Path) -> None:
    portal = f'app = {{ {APP}, client_secret = "s" }}'
    assert loaded(tmp_path, portal).syncs[0].verify_every == timedelta(hours=24)
    own = SYNC.replace('name = "shifts"', 'name = "shifts"\nverify_every = "3h"')
    assert loaded(tmp_path, portal, own).syncs[0].verify_every == timedelta(hours=3)
    deaf = f'app = {{ {APP}, client_secret = "s", events = "off" }}'
    assert loaded(tmp_path, deaf).syncs[0].verify_every == timedelta(hours=6)


def test_a_missing_secret_stops_only_its_own_portal_where_there_are_several(tmp_path: Path) -> None:
    portal = (
        f'app = {{ {APP}, client_secret_file = "missing" }}\n'
        '[portals.other]\nwebhook = "https://o.bitrix24.com/rest/1/CODE/"'
    )
    config = loaded(tmp_path, portal, SYNC.replace('name = "shifts"', 'name = "shifts"\nportal = "other"'))
    assert "client_secret_file names" in config.portals[0].unusable
    with pytest.raises(ConfigError, match="client_secret_file names"):
        loaded(tmp_path, f'app = {{ {APP}, client_secret_file = "missing" }}')


@pytest.mark.parametrize(
    ("portal", "said"),
    [
        ('webhook = "https://a.example/rest/1/C/"\napp = { ' + APP + ', client_secret = "s" }', "exclude each other"),
        ("app = { " + APP + " }", "client_secret is missing"),
        ("app = { " + APP + ', client_secret = "s", client_secret_env = "S" }', "given more than once"),
        ("app = { " + APP + ', client_secret = "s", token_key = "short" }', "shorter than 32 characters"),
        ("app = { " + APP + ', client_secret = "s", events_every = "1s" }', 'must be from "5s" to "10m"'),
        ("app = { " + APP + ', client_secret = "s", events = "all" }', "must be one of"),
        ("app = { " + APP + ', client_secret = "s", server = "http://other.example" }', "must use https"),
        ('app = { address = "https://a.example/rest/", client_id = "x", client_secret = "s" }', "just https://HOST"),
        ('app = { address = "http://a.example", client_id = "x", client_secret = "s" }', "must use https"),
        ('app = { address = "https://a.example", client_id = " ", client_secret = "s" }', "client_id is empty"),
        ("app = { " + APP + ', client_secret = "s", secret = "s" }', "secret is not a known key"),
    ],
)
def test_what_cannot_be_an_application_is_refused_with_its_line(tmp_path: Path, portal: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        loaded(tmp_path, portal)
    assert "syncd.toml:" in str(caught.value)
