from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.config import COLORS, Config, LimitsConfig, TargetConfig, find_config, load_config
from syncd.errors import ConfigError
from syncd.model.guard import Threshold
from syncd.portal.limits.tariff import limits_of

Write = Callable[[str], Path]

CODE = "s3cr3tc0de"
PORTAL = f"""[portals.main]
webhook = "https://example.bitrix24.com/rest/1/{CODE}/"
"""
SYNC = """[[sync]]
name = "timetable"
[sync.source]
type = "csv"
path = "shifts.csv"
[sync.target]
owner = "{owner}"
"""
MINIMAL = PORTAL + SYNC


def loaded(path: Path, environ: dict[str, str] | None = None) -> Config:
    return load_config(path, environ if environ is not None else {"HOME": "/home/x"})


def test_what_is_left_out_gets_the_documented_default(write: Write) -> None:
    config = loaded(write(MINIMAL))
    (sync,) = config.syncs
    assert (sync.name, sync.portal, sync.timezone) == ("timetable", "main", None)
    assert (sync.when.every, sync.verify_every) == (timedelta(minutes=15), timedelta(hours=6))
    assert (sync.past, sync.future) == (timedelta(days=30), timedelta(days=365))
    assert (sync.on_removed, sync.removed_after, sync.on_conflict) == ("keep", 2, "source")
    assert (sync.max_removed, sync.max_changed) == (Threshold.parse("20%"), Threshold.parse("50%"))
    assert (sync.adopt, sync.marker) == ("identical", "none")
    assert isinstance(sync.target, TargetConfig)
    assert (sync.target.calendar, sync.target.section, sync.target.on_unresolved) == ("user", "timetable", "hold")
    assert [each.text for each in (sync.fields.name, sync.fields.description, sync.fields.location)] == [
        "{title}",
        "{description}",
        "{location}",
    ]
    assert (sync.fields.color, sync.fields.accessibility, sync.fields.importance) == (None, None, None)
    assert (sync.fields.private, sync.fields.remind, sync.fields.attendees, sync.fields.crm) == (
        False,
        None,
        "none",
        (),
    )
    assert sync.filter.names == ()
    (portal,) = config.portals
    assert (portal.tariff, portal.limits, portal.host) == ("standard", LimitsConfig(), "example.bitrix24.com")
    assert portal.limits.given() == {}
    assert portal.server_timezone is None
    assert config.portal("main") is portal
    assert config.warnings == ()
    with pytest.raises(KeyError):
        config.portal("other")


def test_the_source_is_handed_on_as_it_stands(write: Write) -> None:
    path = write(MINIMAL)
    source = loaded(path).syncs[0].source
    assert source.options == {"type": "csv", "path": "shifts.csv"}
    assert source.base == path.parent
    assert source.where == f"{path}:5: sync.source"


def test_everything_that_can_be_set_is_obeyed(write: Write) -> None:
    text = f"""{PORTAL}tariff = "enterprise"
server_timezone = "Europe/Riga"
limits = {{ burst = 9, rate = 1.5, operating_share = 1, batch_size = 50 }}
[[sync]]
name = "a-1"
every = "90s"
verify_every = "2h"
timezone = "Asia/Kolkata"
window = {{ past = "0d", future = "2d" }}
on_removed = "delete"
removed_after = 1
on_conflict = "report"
max_removed = 5
max_changed = "12.5%"
adopt = false
marker = "description"
source = {{ type = "ics", path = "x.ics" }}
target = {{ calendar = "group", owner = 7, section = 12, owners = {{ a = 1, b = "x@y" }}, on_unresolved = "skip" }}
[sync.fields]
color = "Green"
accessibility = "{{Busy|default:free}}"
importance = "low"
private = "{{Private}}"
remind = ["15m", "1d", "15m"]
attendees = [5, "a@b.example"]
crm = ["C_5", "T8a_3"]
[sync.filter]
include = ["title ~ x"]
"""
    config = loaded(write(text))
    assert config.portals[0].tariff == "enterprise"
    assert config.portals[0].server_timezone == "Europe/Riga"
    assert config.portals[0].limits.given() == {"burst": 9, "rate": 1.5, "operating_share": 1, "batch_size": 50}
    (sync,) = config.syncs
    assert (sync.when.every, sync.past, sync.future) == (timedelta(seconds=90), timedelta(0), timedelta(days=2))
    assert (sync.timezone, sync.on_removed, sync.removed_after) == ("Asia/Kolkata", "delete", 1)
    assert (sync.on_conflict, sync.adopt, sync.marker) == ("report", False, "description")
    assert (str(sync.max_removed), str(sync.max_changed)) == ("5", '"12.5%"')
    target = sync.target
    assert isinstance(target, TargetConfig)
    assert target.owner is not None
    assert (target.calendar, target.owner.constant, target.section) == ("group", "7", "12")
    assert (dict(target.owners), target.on_unresolved) == ({"a": 1, "b": "x@y"}, "skip")
    fields = sync.fields
    assert fields.color is not None
    assert fields.color.constant == COLORS["green"]
    assert fields.private is not True
    assert (fields.remind, fields.attendees) == ((15, 1440), ("5", "a@b.example"))
    assert [template.constant for template in fields.crm] == ["C_5", "T8a_3"]
    assert sync.filter.names == ("title",)


def test_a_portal_need_not_be_named_when_there_is_one_and_must_be_when_there_are_two(write: Write) -> None:
    second = '[portals.other]\nwebhook = "http://127.0.0.1:8724/rest/1/x/"\n'
    with pytest.raises(
        ConfigError, match=r"syncd.toml:5: sync.portal is missing \(there is more than one: main, other"
    ):
        loaded(write(PORTAL + second + SYNC))
    named = SYNC.replace("[sync.source]", 'portal = "other"\n[sync.source]')
    assert loaded(write(PORTAL + second + named)).syncs[0].portal == "other"


def test_a_config_without_syncs_is_enough_to_look_at_a_portal(write: Write) -> None:
    assert loaded(write(PORTAL)).syncs == ()


@pytest.mark.parametrize(
    ("line", "environ", "expected"),
    [
        ('state = "here.db"\n', {"STATE_DIRECTORY": "/s"}, "DIR/here.db"),
        ('state = "/var/x.db"\n', {}, "/var/x.db"),
        ("", {"XDG_STATE_HOME": "/xdg", "HOME": "/h"}, "/xdg/syncd"),
        ("", {"HOME": "/h"}, "/h/.local/state/syncd"),
    ],
)
def test_the_state_has_its_place(write: Write, line: str, environ: dict[str, str], expected: str) -> None:
    path = write(line + MINIMAL)
    state = loaded(path, environ).state
    assert str(state if line else state.parent) == expected.replace("DIR", str(path.parent))


def test_windows_line_ends_and_a_byte_order_mark_are_no_obstacle(write: Write) -> None:
    path = write("")
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert loaded(path).syncs[0].source.where.startswith(f"{path}:5:")


def test_the_first_config_that_exists_is_used(tmp_path: Path) -> None:
    cwd, home = tmp_path / "cwd", tmp_path / "home"
    places = [tmp_path / "env.toml", cwd / "syncd.toml", home / ".config" / "syncd" / "config.toml"]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")
    environ = {"SYNCD_CONFIG": str(places[0]), "HOME": str(home)}
    assert find_config(Path("given.toml"), environ, cwd) == Path("given.toml")
    for place in places:
        assert find_config(None, environ, cwd) == place
        place.unlink()
    if not Path("/etc/syncd/config.toml").exists():
        with pytest.raises(ConfigError, match=r"no config file; looked for .*env.toml.*/etc/syncd/config.toml"):
            find_config(None, environ, cwd)


def test_a_config_that_may_not_be_looked_for_is_told_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refused)
    assert find_config(None, {"HOME": str(tmp_path)}, tmp_path) == tmp_path / "syncd.toml"


def test_the_code_of_the_webhook_shows_nowhere(write: Write) -> None:
    config = loaded(write(MINIMAL))
    assert CODE in config.portals[0].webhook.reveal()
    for shown in (repr(config), str(config), f"{config.portals[0].webhook}", f"{config.portals[0]!r}"):
        assert CODE not in shown


def test_passwords_in_a_plugins_options_do_not_show_either(write: Write) -> None:
    plugin = SYNC.replace('"csv"', '"myplugin"').replace("[sync.target]", 'password = "pa55"\n[sync.target]')
    config = loaded(write(PORTAL + plugin))
    assert config.syncs[0].source.options["password"] == "pa55"
    assert "pa55" not in repr(config)


def test_a_timeout_that_is_not_set_grows_with_the_time_a_batch_may_take(write: Write) -> None:
    (portal,) = loaded(write(PORTAL + "limits = { batch_seconds = 100 }\n" + SYNC)).portals
    assert limits_of(portal).timeout == 100


def test_however_many_lanes_there_are_the_timeout_stays(write: Write) -> None:
    (portal,) = loaded(write(PORTAL + "limits = { lanes = 20 }\n" + SYNC)).portals
    assert limits_of(portal).timeout == 75
    assert limits_of(portal).at_once_s <= 75
