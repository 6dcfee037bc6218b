"""The sandbox's HTTP server: REST over a socket, broken connections, and the calendar page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from syncd.clock import Uptime
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.http_server import RunningSandbox, start
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World
from tests.sandbox.asking import NOW

EVENT = {
    "type": "user",
    "ownerId": 2,
    "name": "Lesson <b>",
    "from": "2026-12-01T10:00:00",
    "to": "2026-12-01T11:00:00",
    "description": "<script>alert(1)</script>",
}


class StoppedClock:
    """A clock on which sleeping only moves the hands."""

    def __init__(self) -> None:
        self.at = NOW
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def uptime(self) -> Uptime:
        return Uptime("only", self.at)

    def booted_at(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds
        await asyncio.sleep(0)


@asynccontextmanager
async def running(
    *faults: str, clock: StoppedClock | None = None, **settings: Any
) -> AsyncIterator[tuple[RunningSandbox, aiohttp.ClientSession]]:
    world = World(Settings(faults=tuple(map(parse_fault, faults)), **settings), default_world())
    sandbox = await start(world, clock=clock or StoppedClock())
    async with aiohttp.ClientSession() as session:
        try:
            yield sandbox, session
        finally:
            await sandbox.close()


async def test_a_webhook_answers_over_http() -> None:
    clock = StoppedClock()
    async with running(clock=clock) as (sandbox, session):
        assert sandbox.url.startswith("http://127.0.0.1:")
        assert sandbox.webhook(2) == f"{sandbox.url}/rest/2/sandboxstaff/"
        async with session.post(f"{sandbox.webhook()}calendar.event.add.json", json=EVENT) as response:
            answer = await response.json()
        assert (response.status, answer["result"]) == (200, 2)
        async with session.get(f"{sandbox.webhook()}calendar.event.getbyid?id=2") as response:
            assert (await response.json())["result"]["NAME"] == "Lesson <b>"
        async with session.post(f"{sandbox.webhook()}batch", data={"cmd[a]": "user.get?ID=7"}) as response:
            assert (await response.json())["result"]["result_total"] == {"a": 1}
    assert clock.slept == pytest.approx([0.08, 0.05, 0.055])
    with pytest.raises(KeyError):
        sandbox.webhook(3)


async def test_requests_pass_their_time_beside_each_other() -> None:
    async with running(costs_s={"server.time": 30.0}) as (sandbox, session):
        together = asyncio.Barrier(3)

        class Watch(StoppedClock):
            async def sleep(self, seconds: float) -> None:
                await together.wait()

        watched = await start(sandbox.world, clock=Watch())
        try:
            calls = (session.post(f"{watched.webhook()}server.time") for _ in range(3))
            responses = await asyncio.wait_for(asyncio.gather(*calls), timeout=60)
            assert [response.status for response in responses] == [200, 200, 200]
        finally:
            await watched.close()


async def test_without_realtime_nothing_is_slept() -> None:
    clock = StoppedClock()
    world = World(Settings(costs_s={"server.time": 30.0}), default_world())
    sandbox = await start(world, clock=clock, realtime=False)
    async with aiohttp.ClientSession() as session, session.post(f"{sandbox.webhook()}server.time") as response:
        assert response.status == 200
    await sandbox.close()
    assert clock.slept == []


async def test_a_cut_connection_is_seen_as_one() -> None:
    async with running("cut-after:request=1") as (sandbox, session):
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.post(f"{sandbox.webhook()}calendar.event.add", json=EVENT)
        assert len(sandbox.world.events("user", 2)) == 1


async def test_a_redirect_and_half_a_body_arrive_as_such() -> None:
    async with running("redirect:request=1", "half:request=2") as (sandbox, session):
        async with session.post(f"{sandbox.webhook()}server.time", allow_redirects=False) as response:
            assert response.status == 302
            assert response.headers["Location"].startswith("https://renamed.bitrix24.com/rest/1/")
        async with session.post(f"{sandbox.webhook()}server.time") as response:
            assert response.status == 200
            assert not (await response.read()).endswith(b"}")


async def test_closing_does_not_wait_for_a_hanging_request() -> None:
    asleep = asyncio.Event()

    class Endless(StoppedClock):
        async def sleep(self, seconds: float) -> None:
            asleep.set()
            await asyncio.Event().wait()

    async with running(clock=Endless()) as (sandbox, session):
        call = asyncio.create_task(session.post(f"{sandbox.webhook()}server.time"))
        await asleep.wait()
        await asyncio.wait_for(sandbox.close(), timeout=60)
        with pytest.raises(aiohttp.ClientConnectionError):
            await call


async def test_a_port_in_use_is_an_os_error() -> None:
    async with running() as (sandbox, _):
        port = int(sandbox.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            await start(sandbox.world, clock=StoppedClock(), port=port)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", ["Дмитрий Козлов", "School calendar"]),
        ("/calendar/user/2?month=2026-12", ["Lesson &lt;b&gt;"]),
        ("/calendar/user/2/2026-12", ["Lesson &lt;b&gt;"]),
        ("/calendar/user/2", ["Дмитрий Козлов"]),
        ("/calendar/company_calendar/0/2026-12", ["Weekly planning"]),
        ("/event/2", ["Lesson &lt;b&gt;", "&lt;script&gt;", "Europe/Moscow"]),
    ],
)
async def test_pages_show_the_world_escaped_and_strictly_protected(path: str, words: list[str]) -> None:
    async with running() as (sandbox, session):
        await session.post(f"{sandbox.webhook()}calendar.event.add", json=EVENT)
        async with session.get(sandbox.url + path) as response:
            page = await response.text()
            headers = response.headers
        assert response.status == 200
        for word in words:
            assert word in page
        assert "<script" not in page
        assert "sandboxadmin" not in page
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", "ru-RU,ru;q=0.9", "ru"),
        ("", "de, en;q=0.8", "en"),
        ("", "fr", "en"),
        ("?lang=en", "ru", "en"),
        ("?lang=ru", "en", "ru"),
    ],
)
async def test_pages_speak_the_language_asked_for(query: str, accepted: str, language: str) -> None:
    headers = {"Accept-Language": accepted}
    async with running() as (sandbox, session), session.get(f"{sandbox.url}/{query}", headers=headers) as response:
        assert f'<html lang="{language}">' in await response.text()


@pytest.mark.parametrize(
    "path", ["/calendar/user/999", "/calendar/user/2/2026-13", "/calendar/user/2/soon", "/event/999", "/other"]
)
async def test_an_unknown_page_is_404(path: str) -> None:
    async with running() as (sandbox, session), session.get(sandbox.url + path) as response:
        assert response.status == 404


async def test_pages_survive_a_poisoned_series() -> None:
    async with running() as (sandbox, session):
        poisoned = {
            **EVENT,
            "rrule": {"FREQ": "HOURLY", "INTERVAL": 1},
            "color": "red;x",
            "remind": [{"type": "min", "count": 5}],
        }
        await session.post(f"{sandbox.webhook()}calendar.event.add", json=poisoned)
        for path in ("/calendar/user/2/2026-12", "/event/2", "/"):
            async with session.get(sandbox.url + path) as response:
                assert response.status == 200


async def test_the_style_sheet_is_served_and_nothing_else_is_loaded() -> None:
    async with running() as (sandbox, session):
        async with session.get(f"{sandbox.url}/style.css") as response:
            assert (response.status, response.content_type) == (200, "text/css")
            assert "@import" not in await response.text()
        async with session.get(sandbox.url) as response:
            page = await response.text()
        assert "http://" not in page
        assert "https://" not in page


async def test_the_first_page_counts_traffic_and_budgets() -> None:
    async with running(costs_s={"calendar.event.add": 7.0}) as (sandbox, session):
        await session.post(f"{sandbox.webhook()}calendar.event.add", json=EVENT)
        async with session.get(sandbox.url) as response:
            page = await response.text()
        assert "calendar.event.add" in page
