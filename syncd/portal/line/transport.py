"""Who calls the portal, and the only socket to it: one POST, one answer or one fault. It retries nothing.

The code of a webhook is a password. It leaves this module only in the URL of a request, never in a message.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable
from urllib.parse import urljoin, urlsplit

import structlog

from syncd import __version__, events
from syncd.errors import message_of
from syncd.lang.saying import say
from syncd.net import is_loopback, is_renaming, webhook_address
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.wire import Refused

if TYPE_CHECKING:
    import aiohttp

log = structlog.get_logger()

MAX_ANSWER_BYTES = 64_000_000
_CHUNK_BYTES = 65_536
_CONNECT_TIMEOUT_S = 20.0
_KEPT_ALIVE_S = 10.0
"""Shorter than any server keeps an idle connection: a request on one that the server just closed is lost."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = ("content-type", "date", "location", "retry-after")

_HIDDEN = "***"

FaultKind = Literal["connect", "tls", "timeout", "cut", "oversize"]


class TransportFault(Exception):  # noqa: N818 - it is a fault of the line, not an error of ours
    """A request without an answer; `reached` is True if the portal may have executed it."""

    def __init__(self, kind: FaultKind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail

    @property
    def reached(self) -> bool:
        """Whether any part of the request may have reached the portal."""
        return self.kind not in ("connect", "tls")


class Transport(Protocol):
    """Where requests go. Tests and the sandbox have transports of their own."""

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        """Send a JSON body to a portal method and return the answer; raises TransportFault."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


@runtime_checkable
class Moving(Protocol):
    """A transport that follows a portal to another address, and tells which one."""

    @property
    def moved_to(self) -> str | None:
        """The new origin, None if the portal was not renamed."""
        ...


class Credential(Protocol):
    """What a transport needs to know about the caller: an inbound webhook, or an application with its tokens."""

    @property
    def origin(self) -> str:
        """Scheme, host and port of the portal, fit for messages."""
        ...

    def url(self, method: str) -> str:
        """Return the address of a method; it may contain a secret."""
        ...

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters to add to every request, such as an access token."""
        ...

    def scrub(self, text: str) -> str:
        """Return `text` without the secret."""
        ...


class Permit(Protocol):
    """The right to speak to the portal, where several machines might. It ends by itself unless it is renewed."""

    def check(self) -> None:
        """Raise LostLeaseError if it has ended."""
        ...


@runtime_checkable
class Renewing(Protocol):
    """A credential that expires and is renewed. `ready` and `renew` return what keeps it from being used, else None."""

    @property
    def token(self) -> str:
        """What `parameters` gives now, "" for nothing."""
        ...

    def is_stale(self, code: str) -> bool:
        """Return True if a refusal with this code says that the token has to be renewed."""
        ...

    async def ready(self) -> Refused | None:
        """Return why nothing can be sent at all."""
        ...

    async def renew(self, used: str) -> Refused | None:
        """Put another token in place of `used`, unless that was done meanwhile; raises StateError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An inbound webhook's address, `https://HOST/rest/USER/CODE/` (PORTAL.md 1.1).

    Raises ValueError, without repeating the address, when it has another shape or is plain http to another machine.
    """

    address: str = field(repr=False)
    origin: str = field(init=False)
    """Scheme, host and port of the portal, fit for messages."""
    parameters: Mapping[str, str] = field(default_factory=dict, init=False, compare=False)
    """Always empty: a webhook is authorised by its address alone."""

    def __post_init__(self) -> None:
        try:
            found = webhook_address(self.address)
        except ValueError as error:
            raise ValueError(say("the webhook {error}", error=message_of(error))) from None
        parts = urlsplit(found.url)
        object.__setattr__(self, "address", found.url)
        object.__setattr__(self, "origin", f"{parts.scheme}://{parts.netloc}")

    def url(self, method: str) -> str:
        """Return the address of a method; it contains the secret."""
        return self.address + method

    def scrub(self, text: str) -> str:
        """Return `text` with every occurrence of the code replaced."""
        return text.replace(self._code, _HIDDEN)

    @property
    def _code(self) -> str:
        return self.address.rstrip("/").rpartition("/")[2]

    def __repr__(self) -> str:
        return f"Webhook({self.address.rstrip('/').rpartition('/')[0]}/{_HIDDEN}/)"

    __str__ = __repr__


class AiohttpTransport:
    """HTTP by aiohttp. The library is loaded and connections are opened at the first request, as many runs need none.

    With a `permit`, no byte of a request leaves without it. It is checked once the connection is established, for which
    a request may have waited long. If it has ended, `post` raises LostLeaseError.
    """

    def __init__(
        self,
        credential: Credential,
        *,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        tls: ssl.SSLContext | None = None,
        permit: Permit | None = None,
    ) -> None:
        self._credential = credential
        self._tls = tls
        self._permit = permit
        self._max_answer_bytes = max_answer_bytes
        self._session: aiohttp.ClientSession | None = None
        self._moved_to: str | None = None

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        """Send a JSON body to a portal method and return the answer; raises TransportFault.

        A renamed portal answers with a redirect and executes nothing; the request is then sent again to the new
        address if that is a renaming by the vendor's cloud (PORTAL.md 1.1). Other redirects are returned as they are:
        the webhook's code would travel along, and nobody but the vendor renames portals.
        """
        url = self._credential.url(method)
        if self._moved_to is not None:
            url = _on_host(url, self._moved_to)
        answer = await self._send(url, body, timeout_s)
        if answer.status in _REDIRECTS:
            target = _redirect_target(url, answer.headers.get("location", ""))
            if target is not None:
                if target != self._moved_to:
                    log.warning(events.PORTAL_MOVED, origin=self._credential.origin, to=target)
                self._moved_to = target
                answer = await self._send(_on_host(url, target), body, timeout_s)
        return answer

    @property
    def moved_to(self) -> str | None:
        """Where the portal was found under a new name, None for one that was not renamed."""
        return self._moved_to

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(self, url: str, body: bytes, timeout_s: float) -> RawAnswer:
        import aiohttp  # noqa: PLC0415 - see the class

        session = self._opened()
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(_CONNECT_TIMEOUT_S, timeout_s))
        try:
            async with session.post(url, data=body, timeout=timeout, allow_redirects=False) as response:
                content = await self._read(response)
                headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
                return RawAnswer(status=response.status, headers=headers, body=content)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise TransportFault("tls", _tls_detail(error)) from None
        except aiohttp.ClientConnectorError as error:
            raise TransportFault("connect", _os_detail(error)) from None
        except aiohttp.ConnectionTimeoutError:
            raise TransportFault("connect", say("no connection in time")) from None
        except TimeoutError:
            raise TransportFault("timeout", say("no answer within {seconds:g} s", seconds=timeout_s)) from None
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise TransportFault("cut", say("the connection broke ({error})", error=type(error).__name__)) from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            size += len(chunk)
            if size > self._max_answer_bytes:
                response.close()
                raise TransportFault(
                    "oversize", say("an answer of more than {bytes} bytes", bytes=self._max_answer_bytes)
                )
            parts.append(chunk)
        return b"".join(parts)

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp  # noqa: PLC0415 - see the class

        if self._session is None:
            host = urlsplit(self._credential.origin).hostname or ""
            self._session = aiohttp.ClientSession(
                trace_configs=[self._departure(self._permit)] if self._permit is not None else None,
                connector=aiohttp.TCPConnector(keepalive_timeout=_KEPT_ALIVE_S, ssl=self._tls or True),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={
                    "User-Agent": f"syncd/{__version__}",
                    "Content-Type": "application/json",
                    "Accept": "application/json",
                },
                # A proxy from the environment is meant for other machines, not for a simulated portal on this one.
                trust_env=not is_loopback(host),
            )
        return self._session

    def _departure(self, permit: Permit) -> aiohttp.TraceConfig:
        """Return what has aiohttp ask the permit right before it writes the first byte of a request."""
        import aiohttp  # noqa: PLC0415 - see the class

        async def leaving(*_: object) -> None:
            permit.check()

        trace = aiohttp.TraceConfig()
        # Called before the headers are serialised and written; what it raises ends the request and its connection.
        trace.on_request_headers_sent.append(leaving)
        return trace


def _redirect_target(url: str, location: str) -> str | None:
    """Return `scheme://host` of the redirect if it leads to the same method of the same, renamed portal, else None."""
    here = urlsplit(url)
    try:
        there = urlsplit(urljoin(url, location))
        there_host, port = there.hostname or "", there.port
    except ValueError:
        return None
    here_host = here.hostname or ""
    if not location or there.path != here.path or there.username is not None:
        return None
    origin = f"{there.scheme}://{there.netloc}"
    if is_loopback(here_host):  # a simulated portal
        return origin if there_host == here_host and there.scheme in ("http", "https") else None
    encrypted = there.scheme == "https" and port in (None, 443)
    return origin if encrypted and is_renaming(here_host, there_host) else None


def _on_host(url: str, origin: str) -> str:
    return origin + urlsplit(url).path


def _os_detail(error: aiohttp.ClientConnectorError) -> str:
    # The text of the exception itself names host and port, which a proxy's address may extend, and so does what asyncio
    # sets in place of the system's words. Errors of the resolver have negative numbers, which strerror does not know.
    fault = error.os_error
    said = os.strerror(fault.errno) if fault.errno and fault.errno > 0 else fault.strerror
    return said or say("no answer")


def _tls_detail(error: aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.__cause__ or error.__context__
    reason = getattr(cause, "verify_message", None) or getattr(cause, "reason", None)
    named = isinstance(cause, ssl.SSLError) and isinstance(reason, str)
    return say("no secure connection: {reason}", reason=str(reason)) if named else say("no secure connection")
