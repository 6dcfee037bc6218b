"""How a source proves who it is: Basic at once, Digest when the server asks for it, and never to other servers."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from syncd.errors import SourceError
from syncd.source.conformance import CONTEXT
from tests.source.web.serving import CALENDAR, OTHER, Handler, ok, quick, serving, source

USER, PASSWORD, REALM = "ann", "pass-wörd", "SabreDAV"


@dataclass(slots=True)
class DigestServer:
    """A server that takes Digest only (RFC 7616), as Baikal does by default; `seen` are the Authorization headers."""

    algorithm: str = "MD5"
    body: bytes = CALENDAR
    nonce: str = "n0"
    seen: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        said = request.headers.get("Authorization", "")
        self.seen.append(said)
        if self._right(request.method, said):
            return web.Response(body=self.body, headers={"ETag": f'"{hash(self.body)}"'})
        named = f", algorithm={self.algorithm}" if self.algorithm != "MD5" else ""
        challenge = f'Digest realm="{REALM}", nonce="{self.nonce}", qop="auth", opaque="o, p"{named}'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    def _right(self, method: str, said: str) -> bool:
        given = {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', said)}
        if not said.startswith("Digest ") or given.get("nonce") != self.nonce:
            return False
        one = self._hash(f"{USER}:{REALM}:{PASSWORD}")
        two = self._hash(f"{method}:{given['uri']}")
        proof = self._hash(f"{one}:{self.nonce}:{given['nc']}:{given['cnonce']}:{given['qop']}:{two}")
        return bool(given["response"] == proof)

    def _hash(self, text: str) -> str:
        name = {"MD5": "md5", "SHA-256": "sha256"}[self.algorithm]
        return hashlib.new(name, text.encode()).hexdigest()


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_server_that_wants_digest_is_read_and_one_request_is_enough_from_then_on(algorithm: str) -> None:
    server = DigestServer(algorithm=algorithm)
    async with serving(server.handle) as site:
        feed = source(site.url, username=USER, password=PASSWORD)
        assert (await feed.read(CONTEXT)).complete
        server.body = OTHER
        before = len(site.requests)
        assert len((await feed.read(CONTEXT)).entries) == 2
        assert len(site.requests) == before + 1
    assert all(PASSWORD not in said for said in server.seen)


async def test_a_nonce_that_has_become_stale_costs_no_reading() -> None:
    server = DigestServer()

    async def aging(request: web.Request) -> web.StreamResponse:
        server.nonce = f"n{len(server.seen) // 3}"
        return await server.handle(request)

    async with serving(aging) as site:
        feed = source(site.url, username=USER, password=PASSWORD)
        for _ in range(4):
            assert (await feed.read(CONTEXT)).complete


async def test_a_wrong_password_is_told_as_one_after_few_requests() -> None:
    server = DigestServer()
    async with serving(server.handle) as site:
        with pytest.raises(SourceError, match=r"wants other credentials \(401\).*check username and password"):
            await source(site.url, username=USER, password="wrong").read(CONTEXT)
        assert len(site.requests) <= 4


async def test_a_digest_is_not_given_to_a_server_that_the_configured_one_redirects_to() -> None:
    other = DigestServer()
    async with serving(other.handle) as elsewhere:
        redirect = web.Response(status=302, headers={"Location": f"{elsewhere.url}/feed.ics"})
        async with serving(redirect) as site:
            with pytest.raises(SourceError, match="401"):
                await source(site.url, username=USER, password=PASSWORD).read(CONTEXT)
    assert other.seen == [""]


@pytest.mark.parametrize(
    ("challenge", "says"),
    [
        ("Negotiate, NTLM", r"wants a login by Negotiate, Ntlm \(401\)"),
        ('Negotiate, Basic realm="a, b"', r"wants other credentials \(401\)"),
        ("", r"wants other credentials \(401\)"),
    ],
)
async def test_a_login_that_syncd_does_not_know_is_named(challenge: str, says: str) -> None:
    refused: Handler | web.Response = web.Response(status=401, headers={"WWW-Authenticate": challenge})
    async with serving(refused) as site:
        feed = source(site.url, username=USER, password=PASSWORD)
        quick(feed)
        with pytest.raises(SourceError, match=says):
            await feed.read(CONTEXT)


async def test_basic_is_still_sent_at_once() -> None:
    async with serving(ok()) as site:
        assert (await source(site.url, username=USER, password=PASSWORD).read(CONTEXT)).complete
        assert [request.headers["Authorization"].split()[0] for request in site.requests] == ["Basic"]
