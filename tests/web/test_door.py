"""Who comes in to the status page: a bounded number, with a request in good time, for a name that is this machine's."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import structlog
from aiohttp.web_protocol import RequestHandler
from structlog.testing import capture_logs

from syncd import events
from syncd.web.door import LONGEST_HEAD, Limits, is_ours
from syncd.web.status_server import serving
from tests.web.test_status_server import Shown, ask
from tests.web.views import well


@pytest.fixture(autouse=True)
def _loud() -> None:
    """Let every line through, down to details; the whole test run is quiet otherwise."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))


REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def open_door(**limits: Any) -> AsyncIterator[int]:
    what = Shown()
    what.view = well()
    async with serving(
        what.read, host="127.0.0.1", port=0, names=lambda: ("status.example.com",), limits=Limits(**limits)
    ) as port:
        yield port


class Caller:
    """A raw connection to the page."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def at(cls, port: int, say: bytes = b"") -> Caller:
        caller = cls(*await asyncio.open_connection("127.0.0.1", port))
        caller.writer.write(say)
        return caller

    async def hears(self) -> bytes:
        """Return everything up to the end of the connection."""
        try:
            return await asyncio.wait_for(self.reader.read(), 30)
        except ConnectionResetError:
            return b""
        finally:
            await self.close()

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


async def test_half_open_connections_take_no_room_from_whole_requests() -> None:
    before = {id(one) for one in gc.get_objects() if isinstance(one, RequestHandler)}
    async with open_door(visits=8) as port:
        with capture_logs() as logged:
            silent = [await Caller.at(port, b"GET / HTTP/1.1\r\nHost: localh" if n % 2 else b"") for n in range(100)]
            assert (await ask(f"http://127.0.0.1:{port}/healthz"))[0] == 200
            gone = [await each.hears() for each in silent[:90]]
        assert gone == [b""] * 90
        # The HTTP server has not even heard of them.
        now = [one for one in gc.get_objects() if isinstance(one, RequestHandler) and id(one) not in before]
        assert len(now) < 8
        for each in silent[90:]:
            await each.close()
    crowded = [line for line in logged if line["event"] == events.PAGE_CROWDED]
    assert [(line["log_level"], line["most"]) for line in crowded] == [("warning", 8)]


async def test_the_oldest_gives_way_when_all_have_been_served() -> None:
    async with open_door(visits=3) as port:
        idle = [await Caller.at(port, REQUEST) for _ in range(3)]
        for each in idle:
            assert (await each.reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        another = await Caller.at(port, REQUEST)
        assert (await another.reader.readuntil(b"\r\n")) == b"HTTP/1.1 200 OK\r\n"
        await idle[0].hears()
        for each in (*idle[1:], another):
            await each.close()


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTTP/1.1\r\nHost: a", b"\x16\x03\x01\x02\x00\x01\x00"])
async def test_a_head_that_does_not_come_in_time_ends_the_connection(said: bytes) -> None:
    async with open_door(head_s=0.05) as port:
        assert await (await Caller.at(port, said)).hears() == b""


async def test_a_head_without_end_ends_the_connection() -> None:
    async with open_door() as port:
        caller = await Caller.at(port, b"GET / HTTP/1.1\r\nX: " + b"x" * LONGEST_HEAD)
        assert await caller.hears() == b""


async def test_a_head_may_come_in_pieces_and_two_requests_in_one() -> None:
    async with open_door() as port:
        caller = await Caller.at(port)
        for byte in REQUEST:
            caller.writer.write(bytes([byte]))
            await caller.writer.drain()
        await caller.reader.readuntil(b"}")
        await caller.close()
        twice = await Caller.at(port, REQUEST + REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert (await twice.hears()).count(b"HTTP/1.1 200 OK") == 2


async def test_a_connection_is_cut_off_however_slowly_its_answer_is_read() -> None:
    async with open_door(visit_s=0.05) as port:
        caller = await Caller.at(port, REQUEST)
        assert (await caller.hears()).startswith(b"HTTP/1.1 200 OK")  # and then the end, though it may be kept alive


@pytest.mark.parametrize(
    "said",
    [
        b"BREW / HTTP/9\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01 \r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    ],
)  # fmt: skip
async def test_a_malformed_request_is_no_error_of_ours(said: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with open_door() as port:
        with capture_logs() as logged:
            assert (await (await Caller.at(port, said)).hears()).startswith(b"HTTP/1.")
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
    assert {line["log_level"] for line in logged} <= {"debug"}


async def test_an_error_of_ours_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.get_running_loop().set_debug(True)  # in which aiohttp would answer with the traceback
    what = Shown()
    what.view = RuntimeError("s3cr3t")
    async with serving(what.read, host="127.0.0.1", port=0) as port:
        status, _, text = await ask(f"http://127.0.0.1:{port}/")
    assert (status, "s3cr3t" in text, "Traceback" in text) == (500, False, False)
    assert [record.levelname for record in caplog.records if record.name == "syncd.web"] == ["ERROR"]


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        (None, True), ("localhost", True), ("localhost:8787", True), ("127.0.0.1:8787", True), ("[::1]:8787", True),
        ("10.0.0.5", True), ("a.localhost", True), ("STATUS.example.com.:80", True), (socket.gethostname(), True),
        ("evil.example", False), ("localhost.evil.example", False), ("127.0.0.1.evil.example", False), ("", False),
        ("status.example.com.evil.example", False), ("[::1", False), ("notlocalhost", False),
        ("user@evil.example", False),
    ],
)  # fmt: skip
def test_a_request_is_for_an_address_or_a_name_of_this_machine(host: str | None, ours: bool) -> None:
    assert is_ours(host, ("status.example.com",)) is ours


async def test_a_page_that_calls_itself_this_machine_reads_nothing() -> None:
    async with open_door() as port:
        for path in ("/", "/healthz", "/metrics", "/style.css", "/nowhere"):
            status, headers, text = await ask(f"http://127.0.0.1:{port}{path}", headers={"Host": "evil.example"})
            assert (status, text) == (421, "421 this name is not in hosts of [http] in syncd's config\n")
            assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert (await ask(f"http://127.0.0.1:{port}/", headers={"Host": "status.example.com:80"}))[0] == 200
