"""What the daemon reads from the config: schedules, the page's address, alerts, and files beside the main one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from syncd.config import Config, load_config
from syncd.config.config_values import HttpConfig
from syncd.errors import ConfigError

PORTAL = '[portals.main]\nwebhook = "https://example.bitrix24.com/rest/1/CODE/"\n'
SYNC = '[[sync]]\nname = "{name}"\n{more}\nsource = {{ type = "csv", path = "x.csv", columns = {{ title = "T" }} }}\n'
TARGET = 'target = { calendar = "company" }\n'


def write(path: Path, *parts: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(parts), encoding="utf-8")
    return path


def sync(name: str, more: str = "") -> str:
    return SYNC.format(name=name, more=more) + TARGET


def load(folder: Path, *parts: str) -> Config:
    return load_config(write(folder / "syncd.toml", *parts), {"HOME": str(folder)})


def refused(folder: Path, *parts: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, *parts)
    return str(caught.value).replace(str(folder), "")


def test_the_schedule_of_a_sync(tmp_path: Path) -> None:
    text = sync(
        "a", 'cron = " */15  7-20 * * MON-FRI "\njitter = "5s"\nwatch = false\nsettle = "10s"\nstale_after = "3h"'
    )
    (one,) = load(tmp_path, PORTAL, text).syncs
    assert one.when.cron == "*/15 7-20 * * MON-FRI"
    assert (one.when.jitter, one.when.settle) == (timedelta(seconds=5), timedelta(seconds=10))
    assert (one.when.watch, one.when.stale_after) == (False, timedelta(hours=3))


@pytest.mark.parametrize(
    ("listen", "host", "port", "public"),
    [
        ("127.0.0.1:8787", "127.0.0.1", 8787, False),
        ("[::1]:80", "::1", 80, False),
        ("localhost:0", "localhost", 0, False),
        ("0.0.0.0:8787", "0.0.0.0", 8787, True),
        ("status.example.com:8787", "status.example.com", 8787, True),
    ],
)
def test_where_the_status_page_listens(tmp_path: Path, listen: str, host: str, port: int, public: bool) -> None:
    http = load(tmp_path, PORTAL, f'[http]\nlisten = "{listen}"\n').http
    assert http is not None
    assert (http.host, http.port, http.public) == (host, port, public)


def test_the_page_may_be_asked_for_under_further_names(tmp_path: Path) -> None:
    http = load(tmp_path, PORTAL, '[http]\nlisten = "127.0.0.1:8787"\nhosts = ["Status.example.com", "box"]\n').http
    assert http is not None
    assert http.names == ("status.example.com", "box")
    for name in ("", "https://status.example.com", "a:80", "*.example.com", "a b", "."):
        message = refused(tmp_path, PORTAL, f'[http]\nlisten = "127.0.0.1:8787"\nhosts = ["a", "{name}"]\n')
        assert message.startswith("/syncd.toml:5: http.hosts must be a bare name"), message


@pytest.mark.parametrize(
    "listen",
    ["", "8787", ":8787", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:x", "http://127.0.0.1:80", "a:1/x", "u@a:1"],
)
def test_an_address_that_is_none_is_refused_with_its_line(tmp_path: Path, listen: str) -> None:
    message = refused(tmp_path, f'[http]\nlisten = "{listen}"\n', PORTAL)
    assert message.startswith("/syncd.toml:2: http.listen ")


def test_alerts_name_a_user_a_chat_and_a_command(tmp_path: Path) -> None:
    alerts = load(tmp_path, PORTAL, '[alerts]\nuser = 7\nchat = "chat42"\ncommand = ["/bin/mail", "root"]\n').alerts
    assert alerts is not None
    assert (alerts.portal, alerts.user, alerts.chat, alerts.command) == ("main", 7, "chat42", ("/bin/mail", "root"))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "alerts tells nobody"),
        ("user = 0", "alerts.user must be the id"),
        ('chat = "the team"', "alerts.chat must be a dialog"),
        ("command = []", "alerts.command is empty"),
        ('user = 1\nportal = "other"', 'alerts.portal names "other"'),
        ('command = ["x"]\nportal = "main"', "alerts.portal has no effect"),
        ("users = 1", "alerts.users is not a known key"),
    ],
)
def test_alerts_that_would_reach_nobody_are_refused(tmp_path: Path, table: str, said: str) -> None:
    assert said in refused(tmp_path, PORTAL, f"[alerts]\n{table}\n")


def test_included_files_bring_portals_and_syncs_with_paths_of_their_own(tmp_path: Path) -> None:
    other = '[portals.other]\nwebhook = "https://other.bitrix24.com/rest/1/CODE/"\n'
    write(tmp_path / "conf.d" / "20-b.toml", sync("b", 'portal = "main"'))
    write(tmp_path / "conf.d" / "10-a.toml", other, sync("a", 'portal = "other"'))
    write(tmp_path / "conf.d" / "notes.txt", "not for us")
    config = load(tmp_path, 'include = ["conf.d/*.toml"]\n', PORTAL, sync("main", 'portal = "main"'))
    assert [(one.name, one.portal) for one in config.syncs] == [("main", "main"), ("a", "other"), ("b", "main")]
    assert config.syncs[1].source.base == tmp_path / "conf.d"
    assert "10-a.toml:3" in config.syncs[1].where


def test_a_mistake_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    write(tmp_path / "conf.d" / "a.toml", sync("a").replace("source", "sorce", 1))
    message = refused(tmp_path, 'include = ["conf.d/*.toml"]\n', PORTAL)
    assert "/conf.d/a.toml:4: sync.sorce is not a known key" in message


def test_names_are_unique_across_files(tmp_path: Path) -> None:
    write(tmp_path / "conf.d" / "a.toml", sync("same"))
    message = refused(tmp_path, 'include = ["conf.d/*.toml"]\n', PORTAL, sync("same"))
    assert "/conf.d/a.toml:2: sync.name" in message
    assert "is taken by another sync" in message
    write(tmp_path / "conf.d" / "a.toml", PORTAL)
    assert "portals.main is given in another file" in refused(tmp_path, 'include = ["conf.d/*.toml"]\n', PORTAL)


def test_an_included_file_holds_portals_and_syncs_only(tmp_path: Path) -> None:
    write(tmp_path / "conf.d" / "a.toml", 'state = "x.db"\n')
    assert "a.toml:1: state is not a known key" in refused(tmp_path, 'include = ["conf.d/*.toml"]\n', PORTAL)


def test_a_pattern_may_match_nothing_but_a_name_must_lead_somewhere(tmp_path: Path) -> None:
    assert load(tmp_path, 'include = ["conf.d/*.toml"]\n', PORTAL).syncs == ()
    assert "include names" in refused(tmp_path, 'include = ["more.toml"]\n', PORTAL)


def test_the_token_of_who_may_start_passes_is_a_secret_and_long_enough(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    http = '[http]\nlisten = "127.0.0.1:1"\n'
    config = load(tmp_path, http + 'token_file = "token"\n', PORTAL)
    assert config.http is not None
    assert config.http.token is not None
    assert config.http.token.reveal() == "0123456789abcdef"
    assert "0123456789" not in repr(config)
    assert load(tmp_path, http, PORTAL).http == HttpConfig(host="127.0.0.1", port=1, public=False)
    short = refused(tmp_path, http + 'token = "0123456789abcde"\n', PORTAL)
    assert "syncd.toml:3: http.token is shorter than 16 characters" in short
    assert "0123456789" not in short
    assert "http.token_env names an environment variable" in refused(tmp_path, http + 'token_env = "NO"\n', PORTAL)
