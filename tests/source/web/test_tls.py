"""Real handshakes on loopback: whom a feed's server has to be trusted by, whom it is shown, and what is said else."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Iterator
from socket import SHUT_WR, create_server

import pytest
from aiohttp import web

from syncd.errors import SourceError
from syncd.source import Source
from syncd.source.conformance import CONTEXT
from tests.source.web.authority import Authority
from tests.source.web.serving import ok, quick, serving, source

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("trusted"), "trusted")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("foreign"), "foreign")


async def refusal(feed: Source) -> str:
    clock = quick(feed)
    with pytest.raises(SourceError) as caught:
        await feed.read(CONTEXT)
    return f"{caught.value} [{len(clock.slept)} waits]"


async def test_a_server_of_an_own_authority_is_read_with_its_ca_file(trusted: Authority) -> None:
    async with serving(ok(), tls=trusted.server(HOST)) as site:
        assert (await source(site.url, ca_file=trusted.ca_file).read(CONTEXT)).complete


async def test_an_authority_nobody_trusts_is_no_connection_and_ca_file_is_the_remedy(
    trusted: Authority, foreign: Authority
) -> None:
    async with serving(ok(), tls=trusted.server(HOST)) as site:
        for feed in (source(site.url), source(site.url, ca_file=foreign.ca_file)):
            said = await refusal(feed)
            assert "no secure connection" in said
            assert "as ca_file" in said
            assert "[0 waits]" in said  # it would be no other a moment later
        assert site.requests == []


async def test_an_expired_certificate_is_the_servers_to_renew(trusted: Authority) -> None:
    async with serving(ok(), tls=trusted.server(HOST, expired=True)) as site:
        said = await refusal(source(site.url, ca_file=trusted.ca_file))
    assert "certificate has expired" in said
    assert "needs a new certificate, unless this machine's clock is wrong" in said


async def test_a_certificate_for_another_name_is_a_wrong_address(trusted: Authority) -> None:
    async with serving(ok(), tls=trusted.server("feeds.school.example")) as site:
        said = await refusal(source(site.url, ca_file=trusted.ca_file))
    assert "check url: the certificate is for another server" in said


async def test_a_server_without_encryption_is_said_to_be_one() -> None:
    async with serving(ok()) as site:
        said = await refusal(source(site.url.replace("http:", "https:")))
    assert "the server may not speak https" in said


async def test_a_client_certificate_opens_a_server_that_asks_for_one(trusted: Authority) -> None:
    cert, key = trusted.client()
    async with serving(ok(), tls=trusted.server(HOST, asks=True)) as site:
        feed = source(site.url, ca_file=trusted.ca_file, client_cert=cert, client_key=key)
        assert (await feed.read(CONTEXT)).complete


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_without_the_client_certificate_that_a_server_asks_for_the_key_to_set_is_named(
    trusted: Authority, foreign: Authority, newest: ssl.TLSVersion
) -> None:
    tls = trusted.server(HOST, asks=True)
    tls.maximum_version = newest
    cert, key = foreign.client()
    async with serving(ok(), tls=tls) as site:
        bare = await refusal(source(site.url, ca_file=trusted.ca_file))
        wrong = await refusal(source(site.url, ca_file=trusted.ca_file, client_cert=cert, client_key=key))
        assert site.requests == []
    assert "client certificate" in bare
    assert "client_cert" in bare
    assert "client_cert" in wrong


@contextlib.contextmanager
def stubborn(tls: ssl.SSLContext) -> Iterator[str]:
    """Serve as most servers do: one that refuses a handshake says why before it hangs up."""
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    with create_server((HOST, 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, contextlib.suppress(OSError):
                        try:
                            tls.wrap_socket(client, server_side=True).close()
                        except ssl.SSLError:
                            client.shutdown(SHUT_WR)
                            client.recv(65_536)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"https://{HOST}:{listener.getsockname()[1]}"
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(2)
            thread.join()


async def test_a_refusal_in_the_handshake_is_told_in_the_servers_words(trusted: Authority, foreign: Authority) -> None:
    cert, key = foreign.client()
    with stubborn(trusted.server(HOST, asks=True)) as url:
        bare = await refusal(source(url, ca_file=trusted.ca_file))
        wrong = await refusal(source(url, ca_file=trusted.ca_file, client_cert=cert, client_key=key))
    assert "alert" in bare
    assert "give client_cert" in bare
    assert "unknown ca" in wrong
    assert "the server does not accept client_cert" in wrong


async def test_another_server_is_never_shown_the_client_certificate_nor_any_credential(trusted: Authority) -> None:
    cert, key = trusted.client()
    shown: list[object] = []

    async def look(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        shown.append(request.transport.get_extra_info("peercert"))
        return ok()

    optional = trusted.server(HOST, asks=True)
    optional.verify_mode = ssl.CERT_OPTIONAL
    async with serving(look, tls=optional) as other:
        moved = web.Response(status=302, headers={"Location": f"{other.url}/moved.ics"})
        async with serving(moved, tls=trusted.server(HOST, asks=True)) as site:
            feed = source(
                site.url, ca_file=trusted.ca_file, client_cert=cert, client_key=key, token="t0ken", headers={"X-K": "k"}
            )
            assert (await feed.read(CONTEXT)).complete
        assert site.requests[0].headers["Authorization"] == "Bearer t0ken"
    assert shown == [None]
    assert not {"Authorization", "X-K"} & set(other.requests[0].headers)


async def test_a_redirect_that_gives_up_encryption_is_not_followed(trusted: Authority) -> None:
    async with serving(ok()) as plain:
        moved = web.Response(status=302, headers={"Location": f"{plain.url}/moved.ics"})
        async with serving(moved, tls=trusted.server(HOST)) as site:
            said = await refusal(source(site.url, ca_file=trusted.ca_file))
    assert "redirects to an address without encryption, at 127.0.0.1; that is not followed" in said
    assert "moved.ics" not in said
    assert plain.requests == []
