"""The example config is the reference of all keys: it has to load, and to leave none out."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from syncd.config import COLORS, load_config
from syncd.config.build_app import OAUTH_SERVER
from syncd.config.tables import (
    COLUMN_KEYS,
    GRID_KEYS,
    SOURCE_KEYS,
    SOURCE_SECRETS,
    AppTable,
    ConfigTable,
    PortalTable,
    SyncTable,
    Table,
)
from syncd.config.wrong_values import inner_table
from syncd.model.names import FIELDS
from syncd.model.template import FILTERS
from syncd.source import open_source
from syncd.source.bitrix24.portal_source import Bitrix24Options
from syncd.source.caldav.caldav_source import CaldavOptions
from syncd.source.google.google_options import GoogleOptions
from syncd.source.graph.graph_options import GraphOptions
from syncd.source.ical.ics import IcsOptions
from syncd.source.json.json_source import JsonOptions
from syncd.source.json.paging import NextOptions
from syncd.source.sql.sql_source import SqlOptions
from syncd.source.table.columns import FIELDS as COLUMN_FIELDS
from syncd.source.table.csv import CsvOptions
from syncd.source.table.grid import GridOptions
from syncd.source.table.xlsx import XlsxOptions

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
SECRETS = (
    "state_url",
    "portals.webhook",
    "portals.app.client_secret",
    "portals.app.token_key",
    "alerts.smtp.password",
    "http.token",
)
_FORMS = ("_file", "_env", "_credential")
TEXT = EXAMPLE.read_text(encoding="utf-8")


def known(kind: type[Table], *path: str) -> Iterator[str]:
    hints = get_type_hints(kind)
    for name in kind.__struct_fields__:
        inner = ({"portals": PortalTable, "sync": SyncTable} if kind is ConfigTable else {}).get(name, hints[name])
        table = inner_table(inner)
        if table is not None:
            yield from known(table, *path, name)
        else:
            yield ".".join((*path, name))


def written(table: dict[str, Any], *path: str) -> Iterator[str]:
    for key, value in table.items():
        match value:
            case dict() if path == ("portals",) and key == "main":
                yield from written(value, *path)
            case dict() if key not in ("source", "owners", "colors", "extra"):
                yield from written(value, *path, key)
            case [dict(), *_]:
                for each in value:
                    yield from written(each, *path, key)
            case _:
                yield ".".join((*path, key))


def test_the_example_loads_as_it_is() -> None:
    config = load_config(EXAMPLE, {"HOME": "/h"})
    assert [sync.name for sync in config.syncs] == ["timetable", "appointments", "callbacks"]
    assert config.state == EXAMPLE.parent / "syncd.db"


def test_the_example_has_every_key_and_every_form_of_the_webhook() -> None:
    missing = set(known(ConfigTable)) - set(written(tomllib.loads(TEXT)))
    commented = {"state_url", "state_schema", "sync.cron", "sync.target.owners_file", "alerts.smtp.ca_file"}
    commented |= {"lease.ttl", "lease.renew", "lease.margin"}  # of a state in PostgreSQL
    commented |= {f"portals.{key}" for key in ("ca_file", "client_cert", "client_key")}  # they would have to exist
    commented |= {f"portals.app.{key}" for key in AppTable.__struct_fields__ if not key.endswith(_FORMS)}
    secrets = {f"{name}_{form}" for name in SECRETS for form in ("file", "env", "credential")}
    # Whatever a sync or a portal may have may be a default.
    assert missing == secrets | commented | {"defaults.sync", "defaults.portal"}
    assert {"sync", "portal"} == set(tomllib.loads(TEXT)["defaults"])
    assert all(re.search(rf"^# +{key.rpartition('.')[2]} = ", TEXT, re.MULTILINE) for key in commented)
    assert re.search(r'^# cron = "', TEXT, re.MULTILINE)
    for form in ("file", "env", "credential"):
        assert re.search(rf"^#\s+webhook_{form} = ", TEXT, re.MULTILINE)


def test_the_application_in_the_example_works_when_uncommented(tmp_path: Path) -> None:
    text = re.sub(r"^webhook = .*\n", "", TEXT, flags=re.MULTILINE)
    head, _, rest = text.partition("# [portals.main.app]\n")
    app, _, tail = rest.partition("\n\n")
    shown = "\n".join(line.removeprefix("# ") for line in app.splitlines() if " = " in line)
    path = tmp_path / "syncd.toml"
    path.write_text(f"{head}[portals.main.app]\n{shown.replace('KEY', 'k' * 32)}\n\n{tail}")
    config = load_config(path, {"HOME": "/h"})
    app_config = config.portals[0].app
    assert app_config is not None
    assert (app_config.address, app_config.server) == ("https://example.bitrix24.com", OAUTH_SERVER)
    assert (app_config.client_secret.reveal(), app_config.events) == ("SECRET", "offline")


@pytest.mark.parametrize("form", ["file", "env", "credential"])
def test_the_other_forms_in_the_example_work_when_uncommented(tmp_path: Path, form: str) -> None:
    text = re.sub(r"^webhook = .*\n", "", TEXT, flags=re.MULTILINE)
    text = re.sub(rf'^#   (webhook_{form} = "[^"]*").*$', r"\1", text, flags=re.MULTILINE)
    path = tmp_path / "syncd.toml"
    path.write_text(text)
    address = "https://example.bitrix24.com/rest/1/CODE/"
    for name in ("webhook.secret", "webhook"):
        (tmp_path / name).write_text(address)
    environ = {"HOME": "/h", "SYNCD_WEBHOOK": address, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert load_config(path, environ).portals[0].webhook.reveal() == address


def test_the_defaults_named_in_the_example_are_the_defaults(tmp_path: Path) -> None:
    minimal = tmp_path / "syncd.toml"
    minimal.write_text(
        '[portals.main]\nwebhook = "https://example.bitrix24.com/rest/1/CODE/"\n[[sync]]\nname = "timetable"\n'
        'source = { type = "csv", path = "x.csv" }\ntarget = { owner = "{owner}" }\n'
    )
    full, bare = load_config(EXAMPLE, {"HOME": "/h"}).syncs[0], load_config(minimal, {"HOME": "/h"}).syncs[0]
    same = ("portal", "verify_every", "past", "future", "on_removed", "removed_after", "on_conflict")
    for name in (*same, "max_removed", "max_changed", "adopt", "marker", "uids"):
        assert getattr(full, name) == getattr(bare, name), name
    for name in ("every", "watch", "settle"):
        assert getattr(full.when, name) == getattr(bare.when, name), name


def named_in_source() -> set[str]:
    return set(re.findall(r"\w+", TEXT.partition("[sync.source]")[2].partition("[sync.target]")[0]))


def test_the_example_names_every_key_of_the_sources_and_they_take_it() -> None:
    options = load_config(EXAMPLE, {"HOME": "/h"}).syncs[0].source
    open_source(options.options, options.base, where=options.where)
    assert set(CsvOptions.__struct_fields__) == set(SOURCE_KEYS["csv"])
    # No config says `attachments`: it follows from files in [sync.fields].
    assert set(IcsOptions.__struct_fields__) == {*SOURCE_KEYS["ics"], "attachments"}
    assert set(Bitrix24Options.__struct_fields__) == set(SOURCE_KEYS["bitrix24"])
    assert set(CaldavOptions.__struct_fields__) == {*SOURCE_KEYS["caldav"], "attachments"}
    assert set(JsonOptions.__struct_fields__) == set(SOURCE_KEYS["json"])
    assert set(NextOptions.__struct_fields__) <= named_in_source()
    assert set(SqlOptions.__struct_fields__) == set(SOURCE_KEYS["sql"])
    assert set(XlsxOptions.__struct_fields__) == set(SOURCE_KEYS["xlsx"])
    assert set(GoogleOptions.__struct_fields__) == set(SOURCE_KEYS["google"])
    assert set(GraphOptions.__struct_fields__) == set(SOURCE_KEYS["graph"])
    named = named_in_source()
    secrets = (*SOURCE_SECRETS, "key", "client_secret", "private_key")
    forms = {secret + form for secret in secrets for form in ("_file", "_env", "_credential")}
    assert {key for keys in SOURCE_KEYS.values() for key in keys} - forms <= named
    assert set(COLUMN_KEYS) == COLUMN_FIELDS
    assert set(GRID_KEYS) == set(GridOptions.__struct_fields__) <= named
    section = TEXT.partition("[sync.source.columns]")[2].partition("[sync.target]")[0]
    assert set(COLUMN_KEYS) <= set(re.findall(r"\w+", section))


def test_the_example_names_every_field_filter_and_colour_of_templates() -> None:
    templates = TEXT.partition("# Templates.")[2]
    assert set(FIELDS) <= set(re.findall(r"\w+", templates.partition("Fields:")[2]))
    assert set(FILTERS) == set(re.findall(r"\{\w+\|(\w+)", templates))
    listed = re.search(r"# Colours by name: ([a-z#\s]*)\.", TEXT)
    assert listed is not None
    assert set(listed[1].replace("#", "").split()) == set(COLORS) - {"grey"}
