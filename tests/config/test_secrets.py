from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.config import Config, Secret, load_config
from syncd.config.secrets import write_secret
from syncd.errors import ConfigError
from syncd.scrub import Scrubber

Write = Callable[[str], Path]
CODE = "s3cr3tc0de"
ADDRESS = f"https://example.bitrix24.com/rest/1/{CODE}/"


def loaded(path: Path, **environ: str) -> Config:
    return load_config(path, {"HOME": "/h", **environ})


def refusal(path: Path, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(path, **environ)
    assert CODE not in str(caught.value)
    assert CODE not in repr(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value).replace(f"{path}", "FILE")


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "webhook"
    file.write_text(f"  {ADDRESS}\n")
    file.chmod(0o600)
    return file


@pytest.mark.parametrize(
    "line",
    [
        f'webhook = "{ADDRESS}"',
        f'webhook = "{ADDRESS.rstrip("/")}"',
        'webhook_file = "webhook"',
        'webhook_env = "HOOK"',
        'webhook_credential = "webhook"',
    ],
)
def test_a_webhook_comes_in_four_ways(write: Write, secret_file: Path, line: str) -> None:
    path = write(f"[portals.main]\n{line}\n")
    config = loaded(path, HOOK=ADDRESS, CREDENTIALS_DIRECTORY=str(secret_file.parent))
    assert config.portals[0].webhook.reveal() == ADDRESS
    assert config.warnings == ()


def test_files_that_everybody_can_read_are_warned_of(write: Write, secret_file: Path) -> None:
    path = write('[portals.main]\nwebhook_file = "webhook"\n')
    path.chmod(0o644)
    assert loaded(path).warnings == ()
    secret_file.chmod(0o604)
    (warning,) = loaded(path).warnings
    assert (
        warning
        == f"{secret_file} holds a webhook and can be read by every user of this machine: chmod o= {secret_file}"
    )
    inside = write(f'[portals.main]\nwebhook = "{ADDRESS}"\n')
    inside.chmod(0o644)
    (warning,) = loaded(inside).warnings
    assert warning.startswith(str(inside))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "FILE:1: portals.main.webhook is missing: give webhook, webhook_file, webhook_env or webhook_credential"),
        ('webhook = ""', "FILE:2: portals.main.webhook is empty"),
        ("webhook = 5", "FILE:2: portals.main.webhook must be text in quotes"),
        (
            f'webhook_env = "HOOK"\nwebhook = "{ADDRESS}"',
            "FILE:3: portals.main.webhook is given more than once, as webhook, webhook_env: keep one of them",
        ),
        (
            'webhook_env = "NONE"',
            "FILE:2: portals.main.webhook_env names an environment variable that is not set: give",
        ),
        ('webhook_env = "EMPTY"', "FILE:2: portals.main.webhook_env leads to an empty secret"),
        (
            'webhook_file = "none"',
            "FILE:2: portals.main.webhook_file names a file in DIR that is not there",
        ),
        ('webhook_file = "binary"', "FILE:2: portals.main.webhook_file names DIR/binary, which is not a text in UTF-8"),
        (
            'webhook_credential = "x"',
            "FILE:2: portals.main.webhook_credential names a systemd credential, but $CRED",
        ),
    ],
)
def test_a_webhook_that_cannot_be_found_is_told_with_its_key(write: Write, lines: str, message: str) -> None:
    path = write(f"[portals.main]\n{lines}\n")
    (path.parent / "binary").write_bytes(b"\xff\xfe")
    assert refusal(path, HOOK=ADDRESS, EMPTY=" ").replace(str(path.parent), "DIR").startswith(message)


def test_a_credential_is_a_name_in_systemds_directory(write: Write, tmp_path: Path) -> None:
    path = write('[portals.main]\nwebhook_credential = "../webhook"\n')
    assert "must be the name of a credential, not a path" in refusal(path, CREDENTIALS_DIRECTORY=str(tmp_path))


@pytest.mark.parametrize("key", ["webhook", "webhook_file", "webhook_env", "webhook_credential"])
@pytest.mark.parametrize("value", [ADDRESS, ADDRESS + "x/" * 200, CODE, f"~{CODE}", f"a\\u0000{CODE}", f"../{CODE}"])
def test_a_secret_written_where_its_file_or_variable_is_named_is_learned_and_not_repeated(
    write: Write, tmp_path: Path, key: str, value: str
) -> None:
    path = write(f'[portals.main]\n{key} = "{value}"\n')
    learned: list[str] = []
    for environ in ({"HOME": "/h"}, {"HOME": "/h", "CREDENTIALS_DIRECTORY": str(tmp_path)}):
        try:
            load_config(path, environ, learned.append)
        except ConfigError as error:
            assert CODE not in str(error)
            assert f"FILE:2: portals.main.{key} " in str(error).replace(str(path), "FILE")
        else:
            assert (key, value) == ("webhook", ADDRESS)
    told = f"told: {value}" + (f" and {CODE}" if value.startswith("https") or value == CODE else "")
    assert CODE not in Scrubber(learned).certain(told.replace("\\u0000", "\0"))


def test_what_every_key_leads_to_is_learned_before_the_config_is_checked(write: Write, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file-1\n")
    path = write(
        """
        state = 5
        [alerts]
        command = ["/bin/curl", "-u", "ops:curl-pass-2", "-H", "Authorization: Bearer head-3", "https://h.example/s/Th00kCode99xy"]
        [portals.main]
        webhook_env = "HOOK"
        [[sync]]
        [sync.source]
        type = "ics"
        url = "https://ann:url-pass-4@cal.example/private/c0deInThePath1/basic.ics?key=in-query-5"
        token_file = "token"
        headers = { X-Api-Key = "header-6" }
        [[sync]]
        source = { type = "json", params = { api_key = "param-12", from = "{first}" } }
        [[sync]]
        source = { type = "sql", url = "mssql://h.example/?odbc_connect=PWD%3Dsql-pass-10&password=sql-11" }
        [[sync]]
        source = { type = "plugin", api_key = "plugin-7", username = "ann", password_env = "PW", region = "north-west" }
        """.replace("        ", "")
    )
    learned: list[str] = []
    environ = {"HOOK": ADDRESS, "PW": "from-env-8", "HTTPS_PROXY": "http://me:proxy-9@proxy:3128"}
    with pytest.raises(ConfigError, match="state must be text"):
        load_config(path, environ, learned.append)
    scrubber = Scrubber(learned)
    for secret in (
        CODE, "from-a-file-1", "curl-pass-2", "head-3", "Th00kCode99xy", "url-pass-4", "c0deInThePath1", "in-query-5",
        "sql-pass-10", "sql-11", "param-12",
        "header-6", "plugin-7", "from-env-8", "proxy-9", b64encode(b"ann:from-env-8").decode(),
        b64encode(b"me:proxy-9").decode(), b64encode(b"ann:url-pass-4").decode(),
    ):  # fmt: skip
        assert scrubber.certain(f"<{secret}>") == "<***>"
    for plain in ("ann", "{first}", "north-west", "plugin", "cal.example", "basic.ics", "/bin/curl", "proxy:3128"):
        assert scrubber.certain(plain) == plain


def test_the_secrets_within_a_vendors_file_of_credentials_are_learned_one_by_one(write: Write, tmp_path: Path) -> None:
    key = {"client_email": "robot@p.example", "private_key": "-----BEGIN\nk3y-1\n", "token_uri": "https://t.example/t"}
    (tmp_path / "key.json").write_text(json.dumps(key))
    client = {"installed": {"client_id": "id-of-app", "client_secret": "s3cret-2"}}
    (tmp_path / "client.json").write_text(json.dumps(client))
    path = write(
        """
        [[sync]]
        [sync.source]
        key_file = "key.json"
        client_secret_file = "client.json"
        token = '{"refresh_token": "r3fresh-3"}'
        """.replace("        ", "")
    )
    learned: list[str] = []
    with pytest.raises(ConfigError):
        load_config(path, {"HOME": str(tmp_path)}, learned.append)
    scrubber = Scrubber(learned)
    for secret in ("-----BEGIN\nk3y-1", "s3cret-2", "r3fresh-3"):
        assert scrubber.certain(f"<{secret}>") == "<***>"
    for plain in ("robot@p.example", "https://t.example/t", "id-of-app"):
        assert scrubber.certain(plain) == plain


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (f"http://example.bitrix24.com/rest/1/{CODE}/", "must use https"),
        (f"http://10.0.0.1/rest/1/{CODE}/", "must use https"),
        (f"ftp://example.bitrix24.com/rest/1/{CODE}/", "must begin with https://"),
        (f"/rest/1/{CODE}/", "must begin with https://"),
        (f"https:///rest/1/{CODE}/", "must begin with https://"),
        (f"https://example.bitrix24.com/rest/1/{CODE}/profile.json", "must look like"),
        (f"https://example.bitrix24.com/rest/x/{CODE}/", "must look like"),
        (f"https://example.bitrix24.com/{CODE}/", "must look like"),
        ("https://example.bitrix24.com/rest/1/", "must look like"),
        (f"https://example.bitrix24.com/rest/1/{CODE}/?x=1", "without anything added"),
        (f"https://u:{CODE}@example.bitrix24.com/rest/1/{CODE}/", "without anything added"),
        (f"https://[example/rest/1/{CODE}/", "is not an address"),
        (f"https://example.com:port/rest/1/{CODE}/", "is not an address"),
        (f"https://example.com:{CODE}/rest/1/x/", "is not an address"),
    ],
)
def test_a_webhook_of_another_shape_is_refused_without_being_shown(write: Write, address: str, message: str) -> None:
    shown = refusal(write(f'\n[portals.main]\nwebhook = "{address}"\n'))
    assert shown.startswith("FILE:3: portals.main.webhook ")
    assert message in shown


@pytest.mark.parametrize("host", ["127.0.0.1:8724", "localhost", "[::1]:80"])
def test_plain_http_is_for_this_machine_only(write: Write, host: str) -> None:
    config = loaded(write(f'[portals.main]\nwebhook = "http://{host}/rest/1/{CODE}/"\n'))
    assert config.portals[0].host == host


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret(CODE)
    assert CODE not in f"{secret} {secret!r} {[secret]}"
    assert secret == Secret(CODE)
    assert secret != Secret("other")
    assert len({secret, Secret(CODE)}) == 1


def test_a_secret_is_written_for_its_owner_alone_and_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token.json"
    file.write_text("before")
    file.chmod(0o644)
    write_secret(file, CODE)
    assert (file.read_text(), file.stat().st_mode & 0o77) == (CODE, 0)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_secret(file, "after")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("token.json", CODE)]
