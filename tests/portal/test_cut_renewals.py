"""A renewal that breaks off at any byte, of the request or of the answer, on real connections: nobody is locked out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec
import orjson
import pytest

from syncd.clock import SystemClock
from syncd.portal.oauth.application import Application
from syncd.portal.oauth.grants import Authorisation, Granted
from syncd.portal.oauth.token_server import HttpTokenServer
from syncd.sandbox.applications.authority import Authority
from syncd.sandbox.php.query import parse_query
from syncd.sandbox.seed.conversion import build_tables
from syncd.sandbox.seed.language_school import CLIENT_ID, CLIENT_SECRET, default_world
from syncd.sandbox.settings import Settings

ADDRESS = "https://school.example"
NOW = 1_800_000_000.0


@dataclass
class Memory:
    """A store that keeps what it was given last, as a disk does."""

    kept: bytes | None = None

    async def load(self) -> Authorisation | None:
        return None if self.kept is None else msgspec.json.decode(self.kept, type=Authorisation)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        yield

    async def store(self, authorisation: Authorisation) -> None:
        self.kept = msgspec.json.encode(authorisation)


@dataclass
class CuttingServer:
    """An OAuth server that stops after `heard` bytes of a request, or after `said` bytes of an answer, once."""

    authority: Authority
    heard: int | None = None
    said: int | None = None
    longest: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.heard is not None:
                await reader.readexactly(self.heard)
                self.heard = None
                return
            request = await reader.readuntil(b"\r\n\r\n")
            query = request.split(b" ", 2)[1].partition(b"?")[2].decode()
            status, value = self.authority.answer(parse_query(query), NOW)
            body = orjson.dumps(value)
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            answer = head.encode() + body
            self.longest = len(answer)
            cut, self.said = self.said, None
            writer.write(answer if cut is None else answer[:cut])
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort() if self.said is not None else writer.close()


async def authorised(server: CuttingServer, port: int) -> Application:
    """Return an application with tokens and a spare chain, that has just been opened by a new process."""
    application = Application(
        name="main",
        address=ADDRESS,
        client_id=CLIENT_ID,
        server=HttpTokenServer(f"http://127.0.0.1:{port}", client_id=CLIENT_ID, client_secret=CLIENT_SECRET),
        store=Memory(),
        clock=SystemClock(),
        learn=lambda _secret: None,
    )
    for spare in (False, True):
        value = server.authority.grant(server.authority.tables.applications[CLIENT_ID], 1, NOW)
        given = Granted(
            access_token=str(value["access_token"]), refresh_token=str(value["refresh_token"]),
            member_id=str(value["member_id"]), endpoint=f"{ADDRESS}/rest/", user=1,
        )  # fmt: skip
        await application.take(given, spare=spare)
    return application


async def every_cut(kind: str, cut: Callable[[CuttingServer, int], None], places: range) -> None:
    tables = build_tables(default_world())
    settings = Settings(refresh_tokens=kind)  # type: ignore[arg-type]
    server = CuttingServer(Authority(tables=tables, settings=settings, address=ADDRESS))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        for place in places:
            application = await authorised(server, port)
            used = application.token
            cut(server, place)
            if await application.renew(used) is not None:
                assert await application.renew(used) is None, place
            assert application.token not in ("", used), place
            own = application.authorisation
            assert own is not None
            stored = await application._store.load()
            assert stored == own, "what is used is what is kept"
            assert server.authority.access(own.chain.access_token, NOW).user == 1, place
            assert await application.renew(own.chain.access_token) is None, "and so is the next one"


def test_an_answer_has_fewer_bytes_than_are_tried() -> None:
    tables = build_tables(default_world())
    value = Authority(tables=tables, settings=Settings(), address=ADDRESS).grant(tables.applications[CLIENT_ID], 1, NOW)
    assert len(orjson.dumps(value)) + 70 < LONGEST
    assert len(urlencode({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": "x" * 70})) < LONGEST


LONGEST = 720


@pytest.mark.parametrize(("kind", "places"), [("once", range(LONGEST)), ("kept", range(0, LONGEST, 5))])
async def test_an_answer_cut_off_at_any_byte_locks_nobody_out(kind: str, places: range) -> None:
    def cut(server: CuttingServer, place: int) -> None:
        server.said = place

    await every_cut(kind, cut, places)


@pytest.mark.parametrize("kind", ["once", "kept"])
async def test_a_request_cut_off_at_any_byte_locks_nobody_out(kind: str) -> None:
    def cut(server: CuttingServer, place: int) -> None:
        server.heard = place

    await every_cut(kind, cut, range(0, 300, 1 if kind == "once" else 5))
