"""A key with its certificate leads to a first config that says what is left to do."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from syncd.app.init import make_start
from syncd.errors import SourceError
from tests.source.graph.test_graph_errors import certificate
from tests.source.web.serving import QuickClock


async def test_a_key_with_its_certificate_asks_for_the_application_and_whose_calendars(tmp_path: Path) -> None:
    (tmp_path / "graph.pem").write_text(certificate())
    made = await make_start(str(tmp_path / "graph.pem"), None, folder=tmp_path, clock=QuickClock())
    (sync,) = tomllib.loads(made.text)["sync"]
    assert sync["source"]["type"] == "graph"
    assert sync["source"]["private_key_file"] == str(tmp_path / "graph.pem")
    assert sync["target"]["owner"] == "{owner}"
    assert any("tenant and client_id are stand-ins" in one for one in made.doubts)
    assert any("users.csv is a stand-in" in one for one in made.doubts)
    assert "PRIVATE KEY" not in made.text


async def test_a_key_without_its_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "graph.pem").write_text(certificate().partition("-----BEGIN CERTIFICATE")[0])
    with pytest.raises(SourceError, match="no certificate"):
        await make_start(str(tmp_path / "graph.pem"), None, folder=tmp_path, clock=QuickClock())


async def test_any_other_pem_is_no_login(tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_text("-----BEGIN PUBLIC KEY-----\n")
    with pytest.raises(SourceError):
        await make_start(str(tmp_path / "other.pem"), None, folder=tmp_path, clock=QuickClock())
