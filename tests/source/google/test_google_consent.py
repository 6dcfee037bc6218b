"""A person agrees in a browser, on this machine or another one, and their calendar is read from then on."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from syncd.errors import ConfigError, SourceError
from syncd.source.accounts.consent import open_consent
from syncd.source.conformance import CONTEXT
from tests.source.google.opened import ANNA, opened, starts
from tests.source.google.server import FakeGoogle, serving
from tests.source.web.serving import QuickClock


@pytest.fixture
async def google() -> AsyncIterator[FakeGoogle]:
    async with serving(FakeGoogle()) as served:
        served.calendar(ANNA).event("e", "2026-12-01T09:00", "2026-12-01T10:00")
        yield served


async def nobody() -> str | None:
    return None


async def agreed(google: FakeGoogle, *, elsewhere: bool = False, spoiled: str = "", ahead: bool = False) -> str:
    """Return the token after a person has agreed; `spoiled` is typed in place of the address that the browser shows.

    With `ahead` the browser opens a connection that it never uses.
    """
    consent = open_consent(
        {"type": "google", "url": google.api, "client_secret": google.client()},
        Path(),
        where="test",
        clock=QuickClock(),
    )
    shown: asyncio.Queue[str] = asyncio.Queue()
    type_in: asyncio.Queue[str] = asyncio.Queue()
    asking = asyncio.ensure_future(consent.ask(shown.put_nowait, type_in.get if elsewhere else nobody))
    while not (address := await shown.get()).startswith("http"):
        pass
    back = urlsplit(parse_qs(urlsplit(address).query)["redirect_uri"][0])
    idle = await asyncio.open_connection(back.hostname, back.port) if ahead else None
    async with aiohttp.ClientSession() as browser, browser.get(address, allow_redirects=not elsewhere) as answer:
        if elsewhere:
            type_in.put_nowait(spoiled or f" {answer.headers['Location']}\n")
        else:
            assert "can be closed" in await answer.text()
    token = await asyncio.wait_for(asking, timeout=10)
    if idle is not None:
        idle[1].close()
        await idle[1].wait_closed()
    return token


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_what_is_kept_of_a_consent_is_all_that_a_source_needs(google: FakeGoogle, *, elsewhere: bool) -> None:
    token = await agreed(google, elsewhere=elsewhere)
    assert json.loads(token)["refresh_token"] == f"1//refresh-{ANNA}"
    snapshot = await opened(google, token=token, calendars=()).read(CONTEXT)
    assert starts(snapshot) == {"Event e": "2026-12-01T09:00:00"}


async def test_a_connection_that_the_browser_never_uses_holds_nothing_up(google: FakeGoogle) -> None:
    assert json.loads(await agreed(google, ahead=True))["refresh_token"]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("http://127.0.0.1:1/?error=access_denied", r"it was not agreed to \(access_denied\)"),
        ("yes", "is not the address of the last page"),
        ("http://127.0.0.1:1/?state=other&code=4/x", "belongs to another attempt"),
    ],
)
async def test_what_is_typed_in_has_to_be_the_address_of_this_attempt(
    google: FakeGoogle, typed: str, says: str
) -> None:
    with pytest.raises(SourceError, match=says):
        await agreed(google, elsewhere=True, spoiled=typed)


async def test_a_calendar_that_was_not_ticked_is_told_at_once(google: FakeGoogle) -> None:
    google.switches.granted = "openid"
    with pytest.raises(SourceError, match="was not ticked"):
        await agreed(google)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"type": "csv"}, "a source of type 'csv' is not authorized so"),
        ({"type": "google"}, "needs the client of an application"),
        ({"type": "google", "client_secret": '{"web": {}}'}, "client_secret is that of a web application"),
        ({"type": "google", "client_secret": "[]"}, "client_secret is not the JSON that Google gives"),
    ],
)
def test_what_cannot_be_asked_is_told_with_its_key(keys: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=rf"^test: .*{says}"):
        open_consent(keys, Path(), where="test", clock=QuickClock())


CONFIG = """
[portals.main]
webhook = "https://example.bitrix24.com/rest/1/CODE/"
[[sync]]
name = "meetings"
[sync.source]
type = "google"
url = "{url}"
client_secret_file = "client.json"
token_file = "google.json"
[sync.target]
owner = "{{owner}}"
"""


@pytest.mark.usefixtures("measured_programs")
async def test_the_command_writes_the_token_for_its_owner_alone_and_the_check_then_reads(
    google: FakeGoogle, tmp_path: Path
) -> None:
    (tmp_path / "syncd.toml").write_text(CONFIG.format(url=google.api))
    (tmp_path / "client.json").write_text(google.client())
    command = (sys.executable, "-m", "syncd", "--config", str(tmp_path / "syncd.toml"))
    pipe = asyncio.subprocess.PIPE
    asking = await asyncio.create_subprocess_exec(
        *command, "source", "authorize", "meetings", stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    assert asking.stderr is not None
    while not (line := (await asking.stderr.readline()).decode()).startswith("http"):
        assert line
    async with aiohttp.ClientSession() as browser, browser.get(line.strip()) as answer:
        assert answer.status == 200
    said, _ = await asyncio.wait_for(asking.communicate(), timeout=60)
    token = tmp_path / "google.json"
    assert asking.returncode == 0
    assert said.decode().startswith(f"{token} is written; next: syncd check meetings ")
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    check = await asyncio.create_subprocess_exec(*command, "check", "--offline", stdout=pipe, stderr=pipe)
    said, complained = await asyncio.wait_for(check.communicate(), timeout=60)
    assert "google primary: 1 entry" in said.decode(), complained.decode()


async def test_what_keeps_the_token_from_being_written_is_told_before_anybody_is_asked(
    google: FakeGoogle, tmp_path: Path
) -> None:
    (tmp_path / "syncd.toml").write_text(CONFIG.format(url=google.api))
    (tmp_path / "client.json").write_text(google.client())
    (tmp_path / "file").touch()
    for words, expected in (
        (("meetigns",), "did you mean 'meetings'?"),
        (("meetings", "--out", "absent/google.json"), "no file can be written in absent"),
        (("meetings", "--out", "file/google.json"), "no file can be written in file"),
        (("meetings", "--out", "."), ". is a directory"),
    ):
        asking = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "syncd", "source", "authorize", *words, cwd=tmp_path,
            stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await asyncio.wait_for(asking.communicate(), timeout=60)
        assert (asking.returncode, expected in said.decode(), "http" in said.decode()) == (2, True, False), said
