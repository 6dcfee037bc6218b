"""The HTTP client of the sources: one request, its redirects, one whole answer.

Credentials, headers and the client certificate are sent to the configured server only, never to where it redirects. No
message contains an address.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urldefrag, urljoin, urlsplit

from syncd import __version__
from syncd.clock import Clock
from syncd.lang.saying import say
from syncd.net import is_loopback, same_owner
from syncd.source.web.access import Access, shown
from syncd.source.web.error import UnusableError, WebError

if TYPE_CHECKING:
    import aiohttp
    from multidict import CIMultiDictProxy

_CHUNK_BYTES = 262_144
_CONNECT_TIMEOUT_S = 20.0
_ANSWERS_IN_ALL = 10
"""All answers of a reading together may have `max_bytes` so many times: pages of changes may go on for ever."""
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_SCHEME = re.compile(r"(?:^|,\s*)([A-Za-z][A-Za-z0-9-]*)(?=\s+[A-Za-z0-9]|\s*(?:,|$))")
"""A login scheme in WWW-Authenticate; a parameter has an equals sign directly after its name."""
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_KNOWN_SCHEMES = frozenset({"basic", "digest", "bearer"})
_TRIES = 3
_WAIT_S = 2.0
_LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAnswer:
    """A whole answer; header names are lower case, `url` is the last address after redirects."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What a request asks for besides its address; see `WebClient.ask`."""

    headers: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    at_home: bool


Origin = tuple[str, str, int]
"""Scheme, host and port."""
Digests = dict[Origin, "aiohttp.DigestAuthMiddleware"]
"""How to log in to servers that want Digest."""


@asynccontextmanager
async def in_time(access: Access) -> AsyncIterator[None]:
    """End a reading that takes longer than it may, by raising WebError.

    A server that sends a byte now and then is never silent, and each of a thousand requests may end in time.
    """
    try:
        async with asyncio.timeout(access.total_s):
            yield
    except TimeoutError:
        remedy = say("raise total_timeout in [sync.source] if that is right")
        raise WebError(
            say("{name} did not send everything within {seconds:g} s", name=access.shown, seconds=access.total_s),
            remedy,
        ) from None


class WebClient:
    """Connections to one server for the time of one reading; an async context manager.

    `digests` are those learned by the readings before, and take what this one learns: a server that wants Digest would
    otherwise refuse two requests of every reading. aiohttp is imported by the first client, because a daemon should be
    ready before that.
    """

    def __init__(self, access: Access, clock: Clock, digests: Digests | None = None) -> None:
        self._access = access
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._taken = 0
        self._digests: Digests = digests if digests is not None else {}

    async def __aenter__(self) -> Self:
        import aiohttp  # noqa: PLC0415 - see the class

        host = urlsplit(self._access.url).hostname or ""
        self._session = aiohttp.ClientSession(
            # A cookie would make a request depend on the one before.
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"syncd/{__version__}", "Accept-Encoding": "gzip, deflate"},
            trust_env=not is_loopback(host),  # a proxy could not reach this machine's own servers
            timeout=aiohttp.ClientTimeout(
                total=None,  # that of the whole reading counts, see in_time
                sock_connect=min(_CONNECT_TIMEOUT_S, self._access.timeout_s),
                sock_read=self._access.timeout_s,
            ),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        secrets: Mapping[str, str] | None = None,
        at_home: bool = False,
    ) -> WebAnswer:
        """Send a request and return the answer, whatever its status; a transient failure is tried again after a pause.

        There are three tries, with pauses of a few seconds or as long as the server asks for (Retry-After); if that is
        too long, only the next pass tries again. `secrets` are headers for the configured server only, such as a
        short-lived token. With `at_home` a redirect to another server is an error, for requests whose body is a secret.
        Raises WebError if there is no answer, and after the last try for a transient status.
        """
        wanted = _Wanted(headers=headers or {}, secrets=secrets or {}, at_home=at_home)
        for attempt in range(1, _TRIES + 1):
            try:
                answer = await self._follow(method, url, wanted, body)
                if answer.status not in _TRANSIENT:
                    return answer
                raise refusal(answer, shown(url))
            except WebError as error:
                # The pass waits meanwhile, so a long Retry-After ends the reading; the next pass tries again.
                wait_s = max(error.wait_s, _WAIT_S * 4 ** (attempt - 1) / 2)
                if not error.transient or attempt == _TRIES or wait_s > _LONGEST_WAIT_S:
                    raise
            await self._clock.sleep(wait_s)
        raise AssertionError("unreachable: the last try returns or raises")

    def trusts(self, url: str) -> bool:
        """Return True if credentials may be sent to `url`: to the configured server, or another of the same owner."""
        return _is_home(self._access, url)

    async def _follow(self, method: str, url: str, wanted: _Wanted, body: bytes | None) -> WebAnswer:
        # Redirects are followed here and not by aiohttp, which would send our headers along.
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await self._send(method, url, wanted, body)
            location = answer.headers.get("location", "")
            if answer.status not in _REDIRECTS or not location:
                return answer
            target = _target(url, location)
            if wanted.at_home and not self.trusts(target):
                raise WebError(
                    say("{name} redirects to another server, which gets no secret", name=self._access.shown),
                    say("check url"),
                )
            # RFC 9110, 15.4.4: the answer to a report is then fetched by GET. But a 303 from the well-known address
            # says where the server is (RFC 6764, 5), and that is asked for the same.
            if answer.status == 303 and method != "PROPFIND":
                method, body = "GET", None
            url = target
        raise WebError(say("{name} redirects in a circle", name=self._access.shown), say("check url"))

    async def _send(self, method: str, url: str, wanted: _Wanted, body: bytes | None) -> WebAnswer:
        import aiohttp  # noqa: PLC0415 - see the class

        from syncd.source.web.failures import Request, failure  # noqa: PLC0415 - it needs aiohttp, too

        assert self._session is not None
        home = _is_home(self._access, url)
        tls = self._access.tls if home else self._access.tls_elsewhere
        own = {**self._access.headers, **wanted.secrets} if home else {}
        digest = self._digests.get(_origin(url)) if home else None
        name = shown(url)
        begun = False
        try:
            async with self._session.request(
                method, url, headers={**wanted.headers, **own}, data=body, allow_redirects=False, ssl=tls or True,
                middlewares=(digest,) if digest is not None else (),
            ) as response:  # fmt: skip
                begun = True
                content = await self._read(response, name)
                answer = WebAnswer(status=response.status, headers=_joined(response.headers), body=content, url=url)
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError, ssl.SSLError) as error:
            request = Request(
                name=name,
                encrypted=urlsplit(url).scheme == "https",
                certified=home and self._access.tls is not self._access.tls_elsewhere,
                timeout_s=self._access.timeout_s,
            )
            raise failure(error, request, begun=begun) from None
        if digest is None and home and self._access.login is not None and wants_digest(answer):
            self._digests[_origin(url)] = aiohttp.DigestAuthMiddleware(*self._access.login)
            return await self._send(method, url, wanted, body)
        return answer

    async def _read(self, response: aiohttp.ClientResponse, name: str) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            size += len(chunk)
            self._taken += len(chunk)
            # Counted while reading, after decompression: Content-Length may be missing, and a small body may unpack to
            # gigabytes.
            if size > self._access.max_bytes:
                response.close()
                text = say("{name} sent more than {most} bytes", name=name, most=self._access.max_bytes)
                raise UnusableError(text, say("raise max_bytes in [sync.source] if that is right"))
            if self._taken > self._access.max_bytes * _ANSWERS_IN_ALL:
                response.close()
                text = say(
                    "{name} sent more than {times} times {most} bytes in all",
                    name=name,
                    times=_ANSWERS_IN_ALL,
                    most=self._access.max_bytes,
                )
                raise WebError(text, say("raise max_bytes in [sync.source] if that is right"))
            parts.append(chunk)
        return b"".join(parts)


def _joined(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    """Return headers by lower-case name; several of one name are joined into one list (RFC 9110, 5.3)."""
    return {name.lower(): ", ".join(headers.getall(name)) for name in headers}


def wants_digest(answer: WebAnswer) -> bool:
    """Return True if the server wants proof of the password by RFC 7616, as Baikal does by default."""
    return answer.status == 401 and "digest" in _schemes(answer)


def _schemes(answer: WebAnswer) -> tuple[str, ...]:
    """Return the login schemes that a 401 offers, in lower case."""
    challenges = _QUOTED.sub('""', answer.headers.get("www-authenticate", ""))
    return tuple(found.lower() for found in _SCHEME.findall(challenges))


def refusal(answer: WebAnswer, name: str) -> WebError:
    """Return the error for an answer with an unwanted status."""
    status = answer.status
    match status:
        case _ if status in _REDIRECTS:
            text = say("{name} redirects, but does not say where to ({status})", name=name, status=status)
            remedy = say("check url")
        case 401 if (offered := _schemes(answer)) and not {*offered} & _KNOWN_SCHEMES:
            ways = tuple(way.capitalize() for way in offered)
            text = say("{name} wants a login by {ways} (401)", name=name, ways=ways)
            remedy = say("let it take Basic, Digest or a token, or use another account")
        case 401:
            text = say("{name} wants other credentials (401)", name=name)
            remedy = say("check username and password, or token")
        case 403:
            text = say("{name} refuses access (403)", name=name)
            remedy = say("let this account, or everyone with the address, read it")
        case 404 | 410:
            text = say("{name} has nothing at this address ({status})", name=name, status=status)
            remedy = say("check url")
        case 206:
            text = say("{name} answered with a part only (206)", name=name)
            remedy = say("an intermediary may be cutting it; try without")
        case 407:
            text = say("{name} cannot be reached: the proxy wants credentials (407)", name=name)
            remedy = say("put them into HTTPS_PROXY")
        case 429:
            text = say("{name} asks to be left alone for a while (429)", name=name)
            remedy = say("let the sync run less often (every)")
        case _ if status >= 500:
            text = say("{name} failed ({status})", name=name, status=status)
            remedy = say("it may work again by itself")
        case _:
            text = say("{name} answered {status}", name=name, status=status)
            remedy = say("check url")
    return WebError(
        text,
        remedy,
        transient=status in _TRANSIENT,
        status=status,
        wait_s=_retry_after(answer),
        body=answer.body,
    )


def came_from(answer: WebAnswer, access: Access) -> str:
    """Return what may be shown of where an answer came from: the configured server, and the host it redirected to."""
    host = urlsplit(answer.url).hostname or ""
    if host == urlsplit(access.url).hostname:
        return access.shown
    return say("{name} (redirected to {host})", name=access.shown, host=host)


def _retry_after(answer: WebAnswer) -> float:
    text = answer.headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0.0


def _target(url: str, location: str) -> str:
    """Return the target of a redirect; raises WebError if it is not a web address or gives up encryption."""
    name = shown(url)
    try:
        target = urldefrag(urljoin(url, location)).url
        parts = urlsplit(target)
        _ = parts.port
    except ValueError:
        raise WebError(say("{name} redirects to what is no address", name=name), say("check url")) from None
    # Credentials in a redirect would be another server's choice of who we are.
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise WebError(say("{name} redirects to what is no web address", name=name), say("check url"))
    if urlsplit(url).scheme == "https" and parts.scheme == "http":
        text = say(
            "{name} redirects to an address without encryption, at {host}; that is not followed",
            name=name,
            host=parts.hostname,
        )
        raise WebError(text, say("give an address as url that stays with https"))
    return target


def _origin(url: str) -> Origin:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _is_home(access: Access, url: str) -> bool:
    """Return True if credentials may be sent to `url`."""
    own, other = _origin(access.url), _origin(url)
    if own == other or _is_upgrade(access.url, url):
        return True
    encrypted = own[0] == other[0] == "https"
    return access.family and encrypted and own[2] == other[2] and same_owner(own[1], other[1])


def _is_upgrade(configured: str, url: str) -> bool:
    """Return True if `url` is the configured http server over https, both on the usual ports."""
    scheme, host, port = _origin(configured)
    return (scheme, port) == ("http", 80) and _origin(url) == ("https", host, 443)
