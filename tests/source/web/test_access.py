"""Credentials go where they belong and nowhere else, and no message shows them."""

from __future__ import annotations

import ssl
from base64 import b64encode
from pathlib import Path

import pytest
from aiohttp import web

from syncd.errors import ConfigError, SourceError
from syncd.source.conformance import CONTEXT
from syncd.source.web.access import WebOptions, read_access, shown
from syncd.source.web.web_client import WebClient, _is_upgrade, _origin
from tests.source.web.serving import QuickClock, ok, quick, serving, source

BASIC = "Basic " + b64encode(b"me:s3cret:x").decode()


def redirect(location: str, status: int = 302) -> web.Response:
    return web.Response(status=status, headers={"Location": location})


async def test_basic_bearer_and_headers_are_sent() -> None:
    async with serving(ok()) as site:
        await source(site.url, username="me", password="s3cret:x", headers={"X-Key": "k"}).read(CONTEXT)
        await source(site.url.replace("http://", "http://me:s3cret%3Ax@")).read(CONTEXT)
        await source(site.url, token="t0ken").read(CONTEXT)
        await source(site.url.replace("http:", "webcal:")).read(CONTEXT)
    sent = [request.headers.get("Authorization") for request in site.requests]
    assert sent == [BASIC, BASIC, "Bearer t0ken", None]
    assert site.requests[0].headers["X-Key"] == "k"


async def test_a_redirect_to_another_server_takes_no_credentials_along() -> None:
    async with serving(ok()) as other, serving(redirect(f"{other.url}/moved.ics")) as site:
        snapshot = await source(site.url, token="t0ken", headers={"X-Key": "k"}).read(CONTEXT)
    assert snapshot.complete
    assert "Authorization" not in other.requests[0].headers
    assert "X-Key" not in other.requests[0].headers


async def test_the_secrets_of_one_request_stay_at_home_too() -> None:
    async with serving(ok()) as other, serving(redirect(f"{other.url}/moved")) as site:
        access = read_access(WebOptions(url=site.url), Path(), where="test")
        async with WebClient(access, QuickClock()) as client:
            await client.ask("GET", site.url, headers={"X-Plain": "p"}, secrets={"Authorization": "Bearer s3cret"})
    assert site.requests[0].headers["Authorization"] == "Bearer s3cret"
    assert (other.requests[0].headers["X-Plain"], "Authorization" in other.requests[0].headers) == ("p", False)


async def test_a_body_that_is_a_secret_follows_no_redirect_to_another_server() -> None:
    async with serving(ok()) as other, serving(redirect(f"{other.url}/moved", 307)) as site:
        access = read_access(WebOptions(url=site.url), Path(), where="test")
        async with WebClient(access, QuickClock()) as client:
            with pytest.raises(SourceError, match="redirects to another server, which gets no secret"):
                await client.ask("POST", site.url, body=b"s3cret", at_home=True)
    assert other.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_within_the_server_keeps_them(status: int) -> None:
    async with serving(redirect("/moved.ics", status), ok()) as site:
        await source(site.url, token="t0ken").read(CONTEXT)
    assert site.requests[1].path == "/moved.ics"
    assert site.requests[1].headers["Authorization"] == "Bearer t0ken"


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("/again", "in a circle"),
        ("file:///etc/passwd", "no web address"),
        ("http://[::1", "no address"),
        ("http://me:pw@example.com/", "no web address"),
    ],
)
async def test_a_redirect_that_leads_nowhere_is_an_error(location: str, says: str) -> None:
    async with serving(redirect(location)) as site:
        with pytest.raises(SourceError, match=says):
            await source(site.url).read(CONTEXT)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (web.Response(status=403), "refuses access"),
        (web.Response(body=b"<html>sign in", content_type="text/html"), "is an HTML page"),
    ],
)
async def test_an_error_at_the_end_of_a_redirect_names_where_it_leads_but_no_secret_of_it(
    answer: web.Response, says: str
) -> None:
    async with serving(answer) as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        async with serving(redirect(f"{elsewhere}/s3cret?key=k")) as site:
            with pytest.raises(SourceError, match=rf"redirected to localhost\) {says}") as caught:
                await source(site.url).read(CONTEXT)
    assert "s3cret" not in str(caught.value)


async def test_a_redirect_to_nowhere_is_called_one() -> None:
    async with serving(web.Response(status=302)) as site:
        with pytest.raises(SourceError, match=r"redirects, but does not say where to \(302\)"):
            await source(site.url).read(CONTEXT)


def test_only_the_same_server_and_its_encrypted_self_are_home() -> None:
    assert _origin("https://Example.com/x") == _origin("https://example.com:443/y")
    assert _is_upgrade("http://example.com/x", "https://example.com/x")
    assert not _is_upgrade("http://example.com:8080/x", "https://example.com/x")
    assert not _is_upgrade("https://example.com/x", "http://example.com/x")
    assert not _is_upgrade("http://example.com/x", "https://evil.example.com/x")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://calendar.google.com/calendar/ical/x/private-0123/basic.ics", "calendar.google.com/basic.ics"),
        ("https://example.com/feeds/8f3a9c0d.ics?token=abc", "example.com"),
        ("https://me:pw@example.com:8443/", "example.com:8443"),
    ],
)
def test_an_address_is_shown_without_what_may_be_a_password(url: str, name: str) -> None:
    assert shown(url) == name


async def test_no_message_holds_a_secret(tmp_path: Path) -> None:
    async with serving(web.Response(status=401)) as site:
        feed = source(f"{site.url}/8f3a9c0d/s3cret?key=s3cret", username="me", password="s3cret")
        quick(feed)
        with pytest.raises(SourceError) as caught:
            await feed.read(CONTEXT)
    told = f"{caught.value} {caught.value!r} {feed.describe()} {feed._access!r}"  # type: ignore[attr-defined]
    assert "s3cret" not in told
    assert "8f3a" not in told


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": "ftp://example.com/s3cret"}, "url is not an address"),
        ({"url": "https://"}, "url is not an address"),
        ({"url": "https://exa mple.com/s3cret"}, "url is not an address"),
        ({"url": "https://example.com:99999/s3cret"}, "url is not an address"),
        ({"url_env": "SYNCD_NOT_SET"}, "url_env names an environment variable that is not set"),
        ({"url": "https://x", "url_file": "y"}, "url is given more than once"),
        ({"url": "https://x", "password": "s3cret"}, "password goes with username"),
        ({"url": "https://x", "username": "u", "token": "s3cret"}, "username and token exclude each other"),
        ({"url": "https://x", "token": "s3cret\nX-Evil: 1"}, "token has characters"),
        ({"url": "https://x", "headers": {"X Key": "s3cret"}}, "'X Key' is not a header's name"),
        ({"url": "https://x", "headers": {"X-Key": "s3cret\r\n"}}, "X-Key has characters"),
        ({"url": "https://x", "headers": {"Host": "s3cret"}}, "Host is not yours"),
        ({"url": "https://x", "max_bytes": 0}, "max_bytes = 0"),
        ({"url": "https://x", "timeout": "soon"}, "timeout must be a duration"),
        ({"url": "https://x", "timeout": "2h"}, 'timeout = "2h" is not between'),
        ({"url": "https://x", "total_timeout": "2d"}, 'total_timeout = "2d" is not between 1s and 24h'),
        ({"url": "https://x", "total_timeout": "30s"}, "total_timeout is shorter than timeout"),
        ({"url": "https://x", "ca_file": "none.pem"}, "ca_file none.pem cannot be used: No such file"),
        ({"url": "https://x", "ca_file": "empty.pem"}, "ca_file empty.pem cannot be used: it holds no certificate"),
        ({"url": "https://x", "client_cert": "empty.pem"}, "client_cert cannot be used"),
        ({"url": "https://x", "client_key": "empty.pem"}, "client_key goes with client_cert"),
        ({"token": "s3cret"}, "missing key 'url'"),
    ],
)
def test_options_that_cannot_be_used_are_named_without_their_secrets(
    tmp_path: Path, options: dict[str, object], says: str
) -> None:
    (tmp_path / "empty.pem").touch()
    with pytest.raises(ConfigError, match=f"^here: .*{says}") as caught:
        read_access(WebOptions(**options), tmp_path, where="here", environ={})  # type: ignore[arg-type]
    assert "s3cret" not in str(caught.value)


def test_secrets_come_from_files_and_the_environment_too(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret:x\n")
    options = WebOptions(url_env="FEED", username="me", password_file="password")
    access = read_access(options, tmp_path, where="here", environ={"FEED": "webcal://example.com/a.ics"})
    assert access.url == "https://example.com/a.ics"
    assert access.headers["Authorization"] == BASIC


def test_an_own_authority_is_the_only_one_and_others_never_see_the_certificate(tmp_path: Path) -> None:
    ca = ssl.get_default_verify_paths().openssl_cafile
    if not Path(ca).exists():
        pytest.skip("this machine has no bundle of authorities")
    access = read_access(WebOptions(url="https://x", ca_file=ca), tmp_path, where="here", environ={})
    assert access.tls is access.tls_elsewhere is not None
