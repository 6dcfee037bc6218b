"""Why a request got no answer, as a message that names the server or the proxy and the remedy, but no address."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp

from syncd.lang.saying import say
from syncd.source.web.error import WebError

_EXPIRED, _WRONG_NAME = 10, frozenset({62, 64})
"""OpenSSL's verify codes: the certificate has expired; it is for another name or address."""
_KNOWN: Final = {
    str(one): one
    for one in (
        say("Connection refused"),
        say("Network is unreachable"),
        say("No route to host"),
        say("Connection timed out"),
        say("Name or service not known"),
        say("No address associated with hostname"),
        say("Temporary failure in name resolution"),
        say("certificate has expired"),
        say("certificate is not yet valid"),
        say("self-signed certificate"),
        say("self-signed certificate in certificate chain"),
        say("unable to get local issuer certificate"),
        say("it failed"),
    )
}
"""What the system and OpenSSL say most often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The request that failed.

    `name` is the server's, `encrypted` is True for https, `certified` if a client certificate was sent, and `timeout_s`
    is the longest time without a byte.
    """

    name: str
    encrypted: bool
    certified: bool
    timeout_s: float


def failure(error: Exception, request: Request, *, begun: bool) -> WebError:
    """Return the WebError for `error`; `begun` is True if the answer had begun."""
    if (fault := _tls_fault(error)) is not None:
        return _insecure(fault, request)
    if isinstance(error, aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError):
        return _proxy(error, request.name)
    name, remedy = request.name, ""
    match error:
        case aiohttp.ClientConnectorError() if not isinstance(error.os_error, ConnectionResetError):
            text = say("{name} cannot be reached: {reason}", name=name, reason=_reason(error.os_error))
            remedy = say("check url and the network")
        case aiohttp.ConnectionTimeoutError():
            text = say("{name} cannot be reached: no answer", name=name)
            remedy = say("check url and the network")
        case TimeoutError():
            text = say("{name} sent nothing for {seconds:g} s", name=name, seconds=request.timeout_s)
            remedy = say("a longer timeout may help")
        case aiohttp.InvalidURL():
            return WebError(say("{name}: the address cannot be used", name=name), say("check url"))
        # Only an https server that breaks off before it answers may have wanted a client certificate.
        case _ if begun or not request.encrypted:
            text = say("{name}: the connection broke before everything had come", name=name)
        case _:
            text = say("{name}: the connection broke before an answer came", name=name)
            asks = say("servers that ask for a client certificate do so, too: give client_cert")
            remedy = say("check client_cert") if request.certified else asks
    return WebError(text, remedy, transient=True)


def _proxy(error: aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError, name: str) -> WebError:
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        remedy = say("check it, or name the server in NO_PROXY")
        return WebError(
            say(
                "{name}: the proxy that HTTPS_PROXY or HTTP_PROXY names cannot be reached: {reason}",
                name=name,
                reason=_reason(error.os_error),
            ),
            remedy,
            transient=True,
        )
    if error.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return WebError(
            say("{name}: the proxy that HTTPS_PROXY or HTTP_PROXY names wants credentials (407)", name=name),
            say("write it as http://user:password@host:port"),
        )
    remedy = say("let the proxy reach that server, or name it in NO_PROXY")
    return WebError(
        say(
            "{name}: the proxy that HTTPS_PROXY or HTTP_PROXY names refuses ({status})", name=name, status=error.status
        ),
        remedy,
        transient=error.status >= 500,
    )


def _insecure(fault: ssl.SSLError, request: Request) -> WebError:
    """Return the WebError for a failed TLS handshake."""
    said = getattr(fault, "verify_message", "") or (fault.reason or "it failed").replace("_", " ").lower()
    text = say("{name}: no secure connection: {reason}", name=request.name, reason=_KNOWN.get(said, said))
    code = getattr(fault, "verify_code", 0)
    if code == _EXPIRED:
        return WebError(text, say("the server needs a new certificate, unless this machine's clock is wrong"))
    if code in _WRONG_NAME:
        return WebError(text, say("check url: the certificate is for another server"))
    if code:
        return WebError(text, say("give the certificate of its authority as ca_file, if you trust it"))
    # An alert comes from the server: our certificate is missing or not accepted.
    if " alert " in f" {said} ":
        wants = (
            say("the server does not accept client_cert")
            if request.certified
            else say("the server may want a client certificate: give client_cert")
        )
        return WebError(text, wants)
    return WebError(text, say("check url: the server may not speak https"))


def _tls_fault(error: BaseException) -> ssl.SSLError | None:
    """Return the error of OpenSSL, or None.

    Some of aiohttp's errors are also instances of SSLError, but without the reason; the one they wrap has it.
    """
    for one in (error.__cause__, error.__context__, error):
        if isinstance(one, ssl.SSLError) and not isinstance(one, aiohttp.ClientError):
            return one
    return None


def _reason(error: OSError) -> str:
    """Return the system's description without the numbers that asyncio adds."""
    # Errors of the resolver have negative numbers, which strerror does not know.
    said = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return _KNOWN.get(said, said) if said else say("no answer")
