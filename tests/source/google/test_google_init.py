"""Files that Google gives lead to a first config that says what is left to do."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from syncd.app.init import make_start
from syncd.errors import SourceError
from tests.source.google.server import ROBOT, FakeGoogle
from tests.source.web.serving import QuickClock

KEY, CLIENT = FakeGoogle().key(), FakeGoogle().client()


async def start(folder: Path, content: str) -> tuple[dict[str, object], dict[str, object], tuple[str, ...], str]:
    """Return the tables of source and target, what is to be checked, and the whole text."""
    (folder / "file.json").write_text(content)
    made = await make_start(str(folder / "file.json"), None, folder=folder, clock=QuickClock())
    (sync,) = tomllib.loads(made.text)["sync"]
    return sync["source"], sync["target"], made.doubts, made.text


async def test_the_key_of_a_service_account_asks_whose_calendars(tmp_path: Path) -> None:
    source, target, doubts, text = await start(tmp_path, KEY)
    assert source == {"type": "google", "key_file": str(tmp_path / "file.json"), "calendars": "users.csv"}
    assert target["owner"] == "{owner}"
    assert any("users.csv is a stand-in" in one for one in doubts)
    assert ROBOT in text
    assert "PRIVATE" not in text


async def test_the_client_of_an_application_asks_for_consent(tmp_path: Path) -> None:
    source, _, doubts, text = await start(tmp_path, CLIENT)
    assert source["token_file"] == "google.json"
    assert any("syncd source authorize meetings" in one for one in doubts)
    assert "app-s3cret" not in text


async def test_what_a_person_has_agreed_to_is_read_at_once(tmp_path: Path) -> None:
    source, _, _, _ = await start(tmp_path, FakeGoogle().token())
    assert (source["token_file"], source["calendars"]) == (str(tmp_path / "file.json"), "primary")


async def test_the_client_of_a_web_application_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"client of a web application.*Desktop app"):
        await start(tmp_path, json.dumps({"web": {"client_id": "x"}}))


@pytest.mark.parametrize("content", ["{}", "[]", '{"rows": [1]}', "not json"])
async def test_any_other_json_is_no_file_of_googles(tmp_path: Path, content: str) -> None:
    with pytest.raises(SourceError):
        await start(tmp_path, content)
