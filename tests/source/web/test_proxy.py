"""The proxy of the environment: when it is used, what it is told, and what is said when it fails."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from syncd.errors import SourceError
from syncd.source import Source
from syncd.source.conformance import CONTEXT
from tests.source.web.authority import Authority
from tests.source.web.serving import ok, quick, serving, source

FEED = "feeds.school.example"
"""A name that nothing here could look up: who is asked for it is the proxy."""


@dataclass(slots=True)
class Proxy:
    """A proxy that leads every name to `port` on this machine; `heads` is what it was sent, `refuses` its answer."""

    port: int
    refuses: str = ""
    url: str = ""
    heads: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                if self.refuses:
                    writer.write(f"HTTP/1.1 {self.refuses}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                    break
                onward, back = await asyncio.open_connection("127.0.0.1", self.port)
                to, out = onward, back
                if head.startswith("CONNECT "):
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    method, url, rest = head.split(" ", 2)
                    out.write(f"{method} {urlsplit(url).path} {rest}".encode())
                await asyncio.gather(_pump(reader, out), _pump(to, writer))
                break
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def proxying(port: int, *, refuses: str = "") -> AsyncIterator[Proxy]:
    proxy = Proxy(port=port, refuses=refuses)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


async def refusal(feed: Source) -> tuple[str, int]:
    clock = quick(feed)
    with pytest.raises(SourceError) as caught:
        await feed.read(CONTEXT)
    return str(caught.value), len(clock.slept)


async def test_a_feed_without_encryption_goes_through_http_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(ok()) as site, proxying(port_of(site.url)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert (await source(f"http://{FEED}/team.ics").read(CONTEXT)).complete
    assert proxy.heads[0].startswith(f"GET http://{FEED}/team.ics ")


async def test_an_encrypted_feed_goes_through_https_proxy_which_sees_only_the_servers_name(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    async with serving(ok(), tls=authority.server(FEED)) as site, proxying(port_of(site.url)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:pr0xy@"))
        feed = source(f"https://{FEED}/s3cret/team.ics", ca_file=authority.ca_file, token="t0ken")
        assert (await feed.read(CONTEXT)).complete
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT {FEED}:443 ")
    assert f"Proxy-Authorization: Basic {b64encode(b'user:pr0xy').decode()}" in head
    assert not [secret for secret in ("s3cret", "t0ken") if secret in head]
    assert "Proxy-Authorization" not in site.requests[0].headers
    assert site.requests[0].headers["Authorization"] == "Bearer t0ken"


async def test_a_certificate_is_checked_through_the_proxy_too(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    async with serving(ok(), tls=authority.server("evil.example")) as site, proxying(port_of(site.url)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        said, _ = await refusal(source(f"https://{FEED}/team.ics", ca_file=authority.ca_file))
    assert "the certificate is for another server" in said
    assert site.requests == []


async def test_no_proxy_lets_a_server_be_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(ok()) as site, proxying(1) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "0.0.0.0")
        assert (await source(site.url.replace("127.0.0.1", "0.0.0.0")).read(CONTEXT)).complete
    assert proxy.heads == []


async def test_this_machine_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(ok()) as site, proxying(1) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert (await source(site.url).read(CONTEXT)).complete
    assert proxy.heads == []


async def test_a_redirect_to_another_server_takes_no_credentials_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moved = web.Response(status=302, headers={"Location": "http://other.example/moved.ics", "Connection": "close"})
    async with serving(moved, ok()) as site, proxying(port_of(site.url)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        feed = source(f"http://{FEED}/team.ics", username="me", password="s3cret", headers={"X-Key": "k3y"})
        assert (await feed.read(CONTEXT)).complete
    first, second = proxy.heads
    assert "Authorization: Basic" in first
    assert second.startswith("GET http://other.example/moved.ics ")
    assert "Authorization" not in second
    assert "X-Key" not in second


@pytest.mark.parametrize(
    ("refuses", "says", "waits"),
    [
        ("407 Proxy Authentication Required", "wants credentials (407) (write it as http://user:password@", 0),
        ("403 Forbidden", "refuses (403) (let the proxy reach that server, or name it in NO_PROXY", 0),
        ("502 Bad Gateway", "refuses (502)", 2),
    ],
)
async def test_a_proxy_that_refuses_is_named_with_the_remedy_and_asked_again_only_where_that_helps(
    monkeypatch: pytest.MonkeyPatch, refuses: str, says: str, waits: int
) -> None:
    async with proxying(1, refuses=refuses) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:pr0xy@"))
        said, slept = await refusal(source(f"https://{FEED}/team.ics"))
    assert f"the proxy that HTTPS_PROXY or HTTP_PROXY names {says}" in said
    assert slept == waits
    assert "pr0xy" not in said


async def test_a_proxy_that_is_not_there_is_not_taken_for_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxying(1) as proxy:
        pass
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:pr0xy@"))
    said, _ = await refusal(source(f"https://{FEED}/team.ics"))
    assert "the proxy that HTTPS_PROXY or HTTP_PROXY names cannot be reached: Connection refused" in said
    assert "NO_PROXY" in said
    assert "pr0xy" not in said
