"""A daemon that portals and browsers reach: codes and installations arrive by themselves, events only mark ids."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from syncd.clock import SystemClock
from syncd.config.database import Database
from syncd.sandbox.http_server import RunningSandbox
from syncd.sandbox.seed.language_school import CLIENT_ID
from syncd.web.calls import nested_form
from tests.service.test_authorize import ByApplication
from tests.service.test_beside import written
from tests.service.test_process import _free_port


class Public(ByApplication):
    """A daemon with a public address, which is this machine's own here."""

    def __init__(self, folder: Path, portal: RunningSandbox, events: str = "online") -> None:
        super().__init__(folder, portal)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        http = f'[http]\nlisten = "127.0.0.1:{self.port}"\npublic_url = "{self.url}"\n'
        self.text = self.text.replace(" }\n", f', events = "{events}", events_every = "5s" }}\n', 1)
        self.text = self.text.replace("\n[portals.main]", f"\n{http}\n[portals.main]", 1)
        self.config.write_text(self.text)
        portal.world.tables.applications[CLIENT_ID].handler = f"{self.url}/app/main"

    async def post(self, path: str, form: dict[str, str]) -> int:
        async with aiohttp.ClientSession() as session, session.post(self.url + path, data=form) as response:
            return response.status

    async def install(self) -> None:
        to = f"{self.portal.url}/oauth/install?client_id={CLIENT_ID}&to={self.url}/app/main/install"
        async with aiohttp.ClientSession() as session, session.get(to) as response:
            assert response.status == 200


async def until(true: object, within_s: float = 30.0) -> None:
    assert callable(true)
    ends = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends
        await asyncio.sleep(0.05)


async def ended(unit: Public) -> str:
    unit.signal(signal.SIGTERM)
    code, logged = await unit.end()
    assert code == 0
    assert "Traceback" not in logged
    authority = unit.portal.world.authority
    for secret in (*authority._tokens, *authority._refresh, unit.portal.world.tables.applications[CLIENT_ID].token):
        assert not secret or secret not in logged
    return logged


async def test_an_installation_brings_the_tokens_and_events_are_put_right(
    tmp_path: Path, portal: RunningSandbox
) -> None:
    unit = Public(tmp_path, portal)
    await unit.start()
    await unit.hear("STATUS=portal main refuses syncd")
    await unit.install()
    await written(portal, 3, 1)
    tables = portal.world.tables
    await until(lambda: len([one for one in tables.queue.bindings.get(CLIENT_ID, []) if one.handler]) == 6)
    (event,) = portal.world.events("user", 3)
    webhook = f"{portal.webhook(1)}calendar.event.delete"
    async with aiohttp.ClientSession() as session, session.post(webhook, json={"id": event.id}) as response:
        assert response.status == 200
    await until(lambda: [one.name for one in portal.world.events("user", 3)] == ["Early"])
    await ended(unit)


async def test_what_is_not_proved_changes_nothing(tmp_path: Path, portal: RunningSandbox) -> None:
    unit = Public(tmp_path, portal)
    await unit.start()
    await unit.hear("STATUS=portal main refuses syncd")
    member = portal.world.authority.member_id
    forged = {
        "event": "ONAPPINSTALL", "auth[access_token]": "a" * 70, "auth[refresh_token]": "b" * 70,
        "auth[member_id]": member, "auth[client_endpoint]": f"{portal.url}/rest/", "auth[application_token]": "c",
    }  # fmt: skip
    assert await unit.post("/app/main/install", forged) == 403
    assert await unit.post("/app/main/install", {}) == 403
    assert await unit.post("/app/other/install", forged) == 403
    event = {"event": "ONCALENDARENTRYDELETE", "data[id]": "1", "auth[member_id]": member}
    assert await unit.post("/app/main/events", {**event, "auth[application_token]": "guess"}) == 403
    assert await unit.post("/app/main/events", event) == 403
    assert await unit.post("/app/main/events", {"x": "y" * 20_000}) == 413
    async with aiohttp.ClientSession() as session:
        for path in ("/app/main", "/app/main?code=1&state=2", "/app/main?code=1"):
            async with session.get(unit.url + path) as response:
                assert response.status == 404
    await ended(unit)


async def test_a_browser_brings_the_code_itself(tmp_path: Path, portal: RunningSandbox) -> None:
    unit = Public(tmp_path, portal, events="offline")
    await unit.start()
    await unit.hear("STATUS=portal main refuses syncd")
    process = await unit.started("portal", "authorize", "main", "--yes")
    assert process.stdout is not None
    link = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
    state = parse_qs(urlsplit(link).query)["state"][0]
    place = portal.world.authority.consent(CLIENT_ID, 1, SystemClock().now(), state=state)
    assert place is not None and place.startswith(f"{unit.url}/app/main?")
    async with aiohttp.ClientSession() as session, session.get(place) as response:
        assert (response.status, "syncd has the code" in await response.text()) == (200, True)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, b"authorised as user 1" in out) == (0, True), err
    await written(portal, 3, 1)
    await ended(unit)


def sharing(unit: Public, database: Database, public: Public) -> Public:
    """Have `unit` share a database with others, behind the one address that leads to `public`."""
    (unit.folder / "address").write_text(database.url.reveal())
    state = f'state_url_file = "address"\nstate_schema = "{database.schema}"'
    unit.text = unit.text.replace('state = "state/syncd.db"', state)
    unit.text = unit.text.replace(f'public_url = "{unit.url}"', f'public_url = "{public.url}"')
    unit.config.write_text(unit.text)
    return unit


async def test_what_comes_in_at_the_machine_that_does_not_hold_the_portal_reaches_the_one_that_does(
    tmp_path: Path, portal: RunningSandbox, database: Database
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    holder, other = (Public(folder, portal) for folder in folders)
    for unit in (holder, other):
        sharing(unit, database, other)
    await holder.start()
    await holder.hear("STATUS=portal main refuses syncd")
    await other.start()
    await other.hear("READY=1")
    to = f"{portal.url}/oauth/install?client_id={CLIENT_ID}&to={{}}/app/main/install"
    async with aiohttp.ClientSession() as session:
        async with session.get(to.format(other.url)) as response:  # which cannot keep tokens of it
            assert response.status == 200
        assert not portal.world.events("user", 3)
        async with session.get(to.format(holder.url)) as response:
            assert response.status == 200
        await written(portal, 3, 1)
        bindings = portal.world.tables.queue.bindings
        await until(lambda: len([one for one in bindings.get(CLIENT_ID, []) if one.handler]) == 6)
        assert {one.handler for one in bindings[CLIENT_ID]} == {f"{other.url}/app/main/events"}
        for _ in range(2):
            (event,) = portal.world.events("user", 3)
            await asyncio.sleep(1)
            webhook = f"{portal.webhook(1)}calendar.event.delete"
            async with session.post(webhook, json={"id": event.id}) as response:
                assert response.status == 200
            await until(lambda: [one.name for one in portal.world.events("user", 3)] == ["Early"])
    forged = {"event": "ONCALENDARENTRYDELETE", "data[id]": "1", "auth[application_token]": "guess"}
    assert await other.post("/app/main/events", forged) == 403
    assert "another machine holds the portal" in await ended(other)
    await ended(holder)


async def test_whoever_posts_installations_all_day_keeps_no_genuine_one_out(
    tmp_path: Path, portal: RunningSandbox
) -> None:
    unit = Public(tmp_path, portal)
    await unit.start()
    await unit.hear("STATUS=portal main refuses syncd")
    forged = {
        "event": "ONAPPINSTALL", "auth[access_token]": "a" * 70, "auth[refresh_token]": "b" * 70,
        "auth[member_id]": portal.world.authority.member_id, "auth[client_endpoint]": f"{portal.url}/rest/",
        "auth[application_token]": "c",
    }  # fmt: skip
    async with aiohttp.ClientSession() as session:
        for number in range(100):
            # A proxy may add whom it saw in a field of its own, behind what the visitor made up.
            headers = [("X-Forwarded-For", f"198.51.100.{number}"), ("X-Forwarded-For", "203.0.113.7")]
            async with session.post(f"{unit.url}/app/main/install", data=forged, headers=headers) as response:
                assert response.status == 403
    await unit.install()
    await written(portal, 3, 1)
    assert (await ended(unit)).count("more came than are looked into") == 1


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"a=1&b[c]=2&b[d][e]=3", {"a": "1", "b": {"c": "2", "d": {"e": "3"}}}),
        (b"b=1&b[c]=2", {"b": "1"}),
        (b"a[b][c][d][e]=1", {}),
        (b"%ff=1", {}),
        (b"&".join(b"a%d=1" % n for n in range(300)), {}),
        (b"", {}),
    ],
)
def test_forms_are_read_as_php_writes_them_and_no_deeper(body: bytes, form: object) -> None:
    assert nested_form(body) == form
