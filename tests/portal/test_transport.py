"""The socket: against a real server on the loopback, and a few answers of servers that are not there."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web
from aioresponses import aioresponses

from syncd import __version__, events
from syncd.lang.catalog import told
from syncd.lang.saying import say
from syncd.portal.line.answers import read_batch, read_single
from syncd.portal.line.transport import AiohttpTransport, TransportFault, Webhook
from syncd.portal.line.wire import Done, Unknown

SECRET = "topsecretcode"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """A web server that answers every method with `handler`."""

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.port = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.path, dict(request.headers), await request.read()))
        assert self.handler is not None
        return await self.handler(request)

    def webhook(self) -> Webhook:
        return Webhook(address=f"http://127.0.0.1:{self.port}/rest/1/{SECRET}/")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server, app = Server(), web.Application()
    app.router.add_route("*", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


async def post(server: Server, timeout_s: float = 5.0, **more: Any) -> object:
    transport = AiohttpTransport(server.webhook(), **more)
    try:
        return await transport.post("profile", b'{"a": 1}', timeout_s)
    except TransportFault as fault:
        assert SECRET not in str(fault)
        assert fault.__cause__ is None
        return fault
    finally:
        await transport.close()


def answering(status: int, body: str, **headers: str) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, headers=headers)

    return handle


async def test_a_post_carries_json_and_says_who_asks(server: Server) -> None:
    server.handler = answering(200, '{"result": 5}')
    answer = await post(server)
    assert read_single(answer).replies == (Done(result=5),)  # type: ignore[arg-type] # an answer, not a fault
    path, headers, body = server.seen[0]
    assert path == f"/rest/1/{SECRET}/profile"
    assert headers["User-Agent"] == f"syncd/{__version__}"
    assert headers["Content-Type"] == "application/json"
    assert body == b'{"a": 1}'


async def test_cookies_are_not_kept(server: Server) -> None:
    server.handler = answering(200, "{}", **{"Set-Cookie": "PHPSESSID=1; path=/"})
    transport = AiohttpTransport(server.webhook())
    await transport.post("profile", b"{}", 5)
    await transport.post("profile", b"{}", 5)
    await transport.close()
    assert "Cookie" not in server.seen[1][1]


async def test_no_answer_in_time_may_have_been_executed(server: Server) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        raise AssertionError

    server.handler = hang
    fault = await post(server, timeout_s=0.2)
    assert isinstance(fault, TransportFault)
    assert (fault.kind, fault.reached) == ("timeout", True)


async def test_a_body_that_never_ends_is_given_up_in_time(server: Server) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    server.handler = drip
    fault = await post(server, timeout_s=0.3)
    assert isinstance(fault, TransportFault)
    assert fault.kind == "timeout"


@pytest.mark.parametrize("sent", [b"", b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"result"', b"nonsense\r\n\r\n"])
async def test_a_connection_that_breaks_may_have_been_executed(sent: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(sent)
        await writer.drain()
        writer.close()

    broken = await asyncio.start_server(serve, "127.0.0.1", 0)
    server = Server()
    server.port = broken.sockets[0].getsockname()[1]
    fault = await post(server)
    broken.close()
    await broken.wait_closed()
    assert isinstance(fault, TransportFault)
    assert (fault.kind, fault.reached) == ("cut", True)


async def test_a_closed_port_is_known_not_to_have_executed_anything(unused_tcp_port: int) -> None:
    server = Server()
    server.port = unused_tcp_port
    fault = await post(server)
    assert isinstance(fault, TransportFault)
    assert (fault.kind, fault.reached) == ("connect", False)


async def test_an_answer_that_is_too_big_is_not_read_to_its_end(server: Server) -> None:
    server.handler = answering(200, '{"result": "' + "x" * 300_000 + '"}')
    fault = await post(server, max_answer_bytes=100_000)
    assert isinstance(fault, TransportFault)
    assert (fault.kind, fault.reached) == ("oversize", True)


async def test_a_login_page_is_an_answer_that_says_nothing(server: Server) -> None:
    server.handler = answering(200, "<html>please log in</html>", **{"Content-Type": "text/html"})
    answer = await post(server)
    (outcome,) = read_single(answer).replies  # type: ignore[arg-type] # an answer, not a fault
    assert outcome == Unknown(reason="HTTP 200 without readable JSON (text/html)", ended=True)


async def test_a_renamed_portal_gets_the_body_again_at_its_new_address_and_from_then_on(server: Server) -> None:
    renamed: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        if not renamed:
            renamed.append(request.path)
            return web.Response(status=302, headers={"Location": f"http://127.0.0.1:{server.port}{request.path}"})
        return web.Response(text='{"result": 1}')

    server.handler = handle
    transport = AiohttpTransport(server.webhook())
    origin = f"http://127.0.0.1:{server.port}"
    structlog.reset_defaults()
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            answer = await transport.post("profile", b'{"a": 1}', 5.0)
            assert read_single(answer).replies == (Done(result=1),)
    await transport.close()
    assert transport.moved_to == origin
    assert [body for _, _, body in server.seen] == [b'{"a": 1}'] * 3
    told = {"event": events.PORTAL_MOVED, "origin": origin, "to": origin, "log_level": "warning"}
    assert lines == [told], "once"


@pytest.mark.parametrize(
    "location",
    [
        "http://evil.example/rest/1/topsecretcode/profile", "/auth/login", "", "https://127.0.0.1.evil.example/x",
        "http://user:pw@127.0.0.1/rest/1/topsecretcode/profile", "http://[::1/x",
    ],
)  # fmt: skip
async def test_a_redirect_elsewhere_is_not_followed_and_tells_nothing(server: Server, location: str) -> None:
    server.handler = answering(302, "moved", Location=location)
    answer = await post(server)
    assert len(server.seen) == 1
    batch = read_batch(answer, ("c0",))  # type: ignore[arg-type] # an answer, not a fault
    assert isinstance(batch.whole, Unknown)


@pytest.mark.parametrize(
    ("location", "followed"),
    [
        ("https://new.bitrix24.com/rest/1/topsecretcode/profile", True),
        ("http://new.bitrix24.com/rest/1/topsecretcode/profile", False),
        ("https://new.bitrix24.ru/rest/1/topsecretcode/profile", False),
        ("https://evilbitrix24.com/rest/1/topsecretcode/profile", False),
        ("https://new.bitrix24.com/auth/", False),
    ],
)
async def test_only_the_same_service_over_https_gets_the_request_again(
    responses: aioresponses, location: str, followed: bool
) -> None:
    first = "https://old.bitrix24.com/rest/1/topsecretcode/profile"
    responses.post(first, status=302, headers={"Location": location})
    responses.post(location, payload={"result": 2}, repeat=True)
    transport = AiohttpTransport(Webhook(address="https://old.bitrix24.com/rest/1/topsecretcode/"))
    answer = await transport.post("profile", b"{}", 5)
    assert (answer.status == 200) == followed
    if followed:
        again = await transport.post("profile", b"{}", 5)
        assert again.body == answer.body
    await transport.close()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("10.0.0.5", "99.9.0.5"), ("10.0.0.5", "10.0.0.5:8443"), ("firm.github.io", "evil.github.io"),
        ("portal.firm.com", "other.firm.com"), ("old.bitrix24.com", "new.bitrix24.com:8443"),
    ],
)  # fmt: skip
async def test_no_redirect_but_a_renaming_by_the_vendor_gets_the_webhook(
    responses: aioresponses, first: str, second: str
) -> None:
    path = "/rest/1/topsecretcode/"
    responses.post(f"https://{first}{path}profile", status=302, headers={"Location": f"https://{second}{path}profile"})
    responses.post(f"https://{second}{path}profile", payload={"result": 2})
    transport = AiohttpTransport(Webhook(address=f"https://{first}{path}"))
    assert (await transport.post("profile", b"{}", 5)).status == 302
    assert {url.host for _, url in responses.requests} == {first}
    await transport.close()


async def test_national_domains_need_three_labels_in_common(responses: aioresponses) -> None:
    first = "https://old.bitrix24.com.br/rest/1/topsecretcode/profile"
    responses.post(first, status=302, headers={"Location": "https://evil.com.br/rest/1/topsecretcode/profile"})
    transport = AiohttpTransport(Webhook(address="https://old.bitrix24.com.br/rest/1/topsecretcode/"))
    assert (await transport.post("profile", b"{}", 5)).status == 302
    await transport.close()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (aiohttp.ServerDisconnectedError(), "cut"),
        (aiohttp.ClientPayloadError("x"), "cut"),
        (ConnectionResetError(104, "reset"), "cut"),
        (TimeoutError(), "timeout"),
        (aiohttp.ConnectionTimeoutError(), "connect"),
        (aiohttp.ClientConnectorSSLError(None, ssl.SSLError("bad")), "tls"),
    ],
)
async def test_every_fault_of_the_line_has_its_kind(responses: aioresponses, error: Exception, kind: str) -> None:
    responses.post("https://demo.bitrix24.com/rest/1/topsecretcode/profile", exception=error)
    transport = AiohttpTransport(Webhook(address="https://demo.bitrix24.com/rest/1/topsecretcode/"))
    with pytest.raises(TransportFault) as caught:
        await transport.post("profile", b"{}", 5)
    assert caught.value.kind == kind
    assert SECRET not in repr(caught.value)
    await transport.close()


async def test_a_portal_that_is_not_there_is_told_in_the_words_of_the_system_and_of_the_reader() -> None:
    transport = AiohttpTransport(Webhook(address=f"http://127.0.0.1:1/rest/1/{SECRET}/"))
    try:
        with pytest.raises(TransportFault) as caught:
            await transport.post("profile", b"{}", 5)
    finally:
        await transport.close()
    said = say("{origin} does not answer: {reason}", origin="http://x", reason=caught.value.detail)
    assert said == "http://x does not answer: Connection refused"
    assert told(said, "ru") == "http://x не отвечает: в соединении отказано"
