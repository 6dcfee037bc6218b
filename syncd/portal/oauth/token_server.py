"""The only socket to the OAuth server: a code or a refresh token goes there, tokens or a refusal come back.

The address of a request holds the application's secret, so it is never logged and never part of a message.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from syncd import __version__
from syncd.lang.saying import say
from syncd.net import is_loopback
from syncd.portal.oauth.grants import Silent, TokenAnswer, token_answer

if TYPE_CHECKING:
    import aiohttp

_TIMEOUT_S = 30.0
_CONNECT_TIMEOUT_S = 10.0
_LARGEST_ANSWER = 65_536


class TokenServer(Protocol):
    """What gives tokens. Tests and the sandbox have servers of their own."""

    async def exchange(self, code: str) -> TokenAnswer:
        """Return the tokens for the code of an authorisation; nothing is raised."""
        ...

    async def refresh(self, refresh_token: str) -> TokenAnswer:
        """Return the next tokens of a chain; nothing is raised."""
        ...


class HttpTokenServer:
    """The OAuth server at `address`, by HTTP as documented: GET with everything in the query (PORTAL.md 11.2)."""

    def __init__(self, address: str, *, client_id: str, client_secret: str, tls: ssl.SSLContext | None = None) -> None:
        self._address = address.rstrip("/")
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._tls = tls

    async def exchange(self, code: str) -> TokenAnswer:
        """Return the tokens for the code of an authorisation."""
        return await self._ask({"grant_type": "authorization_code", "code": code})

    async def refresh(self, refresh_token: str) -> TokenAnswer:
        """Return the next tokens of a chain."""
        return await self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def _ask(self, query: Mapping[str, str]) -> TokenAnswer:
        import aiohttp  # noqa: PLC0415 - most runs renew nothing

        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S, sock_connect=_CONNECT_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(ssl=self._tls or True),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    headers={"User-Agent": f"syncd/{__version__}", "Accept": "application/json"},
                    trust_env=not is_loopback(urlsplit(self._address).hostname or ""),
                ) as session,
                session.get(
                    f"{self._address}/oauth/token/",
                    params={**query, **self._client},
                    timeout=timeout,
                    allow_redirects=False,  # the secret would travel along
                ) as response,
            ):
                return token_answer(response.status, await _read(response))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Silent(reason=say("no connection ({error})", error=type(error).__name__), reached=False)
        except TimeoutError:
            return Silent(reason=say("no answer within {seconds:g} s", seconds=_TIMEOUT_S))
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            return Silent(reason=say("the connection broke ({error})", error=type(error).__name__))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the whole body, or so much that it cannot be read: an answer has a few hundred bytes."""
    parts: list[bytes] = []
    async for part in response.content.iter_any():
        parts.append(part)
        if sum(map(len, parts)) > _LARGEST_ANSWER:
            break
    return b"".join(parts)
