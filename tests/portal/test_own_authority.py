"""A portal of one's own: its authority, a client certificate, and a proxy from the environment."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from syncd.app.wiring import open_app
from syncd.config import load_config
from syncd.config.certificates import make_context
from syncd.config.config_values import TlsFiles
from syncd.errors import ConfigError
from syncd.portal.line.remedies import portal_error
from syncd.portal.line.transport import AiohttpTransport, TransportFault, Webhook
from syncd.portal.line.wire import Unknown
from tests.config.conftest import Write, write
from tests.source.web.authority import Authority

__all__ = ["write"]  # a fixture


@asynccontextmanager
async def portal(tls: ssl.SSLContext) -> AsyncIterator[int]:
    """Serve a portal that answers everything with 1, on the loopback; yield its port."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"result": {"ID": "1"}})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def files(folder: Path, **given: str) -> TlsFiles:
    names = {"ca_file": None, "client_cert": None, "client_key": None}
    return TlsFiles(**{**names, **given}, base=folder, where="syncd.toml:3: portals.main")


async def status(port: int, tls: ssl.SSLContext | None) -> int:
    transport = AiohttpTransport(Webhook(address=f"https://127.0.0.1:{port}/rest/1/secretcode/"), tls=tls)
    try:
        return (await transport.post("profile", b"{}", 10.0)).status
    finally:
        await transport.close()


async def test_a_portal_of_an_own_authority_is_reached_with_its_ca_file_only(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "own")
    async with portal(authority.server("127.0.0.1")) as port:
        assert await status(port, make_context(files(tmp_path, ca_file=authority.ca_file))) == 200
        with pytest.raises(TransportFault, match="no secure connection") as fault:
            await status(port, None)
        error = portal_error("https://own.example", Unknown(reason=str(fault.value)))
        assert "ca_file in [portals.X]" in error.remedy


async def test_a_portal_that_wants_a_certificate_gets_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "own")
    cert, key = authority.client()
    async with portal(authority.server("127.0.0.1", asks=True)) as port:
        shown = make_context(files(tmp_path, ca_file=authority.ca_file, client_cert=cert, client_key=key))
        assert await status(port, shown) == 200
        with pytest.raises(TransportFault):
            await status(port, make_context(files(tmp_path, ca_file=authority.ca_file)))


async def test_the_keys_of_the_config_reach_the_connection(tmp_path: Path, write: Write) -> None:
    authority = Authority(tmp_path, "own")
    (tmp_path / "shifts.csv").write_text("ID,Title,Start\n", encoding="utf-8")
    async with portal(authority.server("127.0.0.1")) as port:
        config = write(f"""[portals.main]
webhook = "https://127.0.0.1:{port}/rest/1/secretcode/"
ca_file = "{authority.ca_file}"
[[sync]]
name = "shifts"
timezone = "Europe/Moscow"
[sync.source]
type = "csv"
path = "shifts.csv"
columns = {{ title = "Title", start = "Start" }}
[sync.target]
calendar = "user"
owner = 1
""")
        state = {"XDG_STATE_HOME": str(tmp_path / "state")}
        async with open_app(config, readonly=False, learn_secret=lambda _secret: None, environ=state) as app:
            assert await app.portals["main"].read("profile", {}) == {"ID": "1"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ca_file": "no.pem"}, "ca_file no.pem cannot be used: No such file"),
        ({"ca_file": "empty.pem"}, "ca_file empty.pem cannot be used: it holds no certificate"),
        ({"client_key": "x.key"}, "client_key goes with client_cert"),
        ({"client_cert": "empty.pem"}, "client_cert cannot be used"),
    ],
)
def test_files_that_cannot_be_used_are_told_with_their_place_in_the_config(
    tmp_path: Path, write: Write, given: dict[str, str], said: str
) -> None:
    (tmp_path / "empty.pem").write_text("", encoding="utf-8")
    (key,) = given
    config = write(f'''[portals.main]
webhook = "https://own.example/rest/1/code/"
{key} = "{given[key]}"
[[sync]]
name = "shifts"
[sync.source]
type = "csv"
path = "shifts.csv"
[sync.target]
calendar = "user"
owner = 1
''')
    with pytest.raises(ConfigError) as error:
        load_config(config, {}, lambda _secret: None)
    assert said in error.value.message
    assert error.value.message.startswith(f"{config}:3: portals.main.{key}")
