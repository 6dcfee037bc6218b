"""Why a request got no answer, as a message that names the server or the proxy and the remedy, but no address."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from syncd.source.web.error import WebError

_EXPIRED, _WRONG_NAME = 10, frozenset({62, 64})
"""OpenSSL's verify codes: the certificate has expired; it is for another name or address."""
_PROXY = "the proxy that HTTPS_PROXY or HTTP_PROXY names"


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
    remedy = ""
    match error:
        case aiohttp.ClientConnectorError() if not isinstance(error.os_error, ConnectionResetError):
            text, remedy = f" cannot be reached: {_reason(error.os_error)}", "check url and the network"
        case aiohttp.ConnectionTimeoutError():
            text, remedy = " cannot be reached: no answer", "check url and the network"
        case TimeoutError():
            text, remedy = f" sent nothing for {request.timeout_s:g} s", "a longer timeout may help"
        case aiohttp.InvalidURL():
            return WebError(f"{request.name}: the address cannot be used", "check url")
        # Only an https server that breaks off before it answers may have wanted a client certificate.
        case _ if begun or not request.encrypted:
            text = ": the connection broke before everything had come"
        case _:
            text = ": the connection broke before an answer came"
            asks = "servers that ask for a client certificate do so, too: give client_cert"
            remedy = "check client_cert" if request.certified else asks
    return WebError(request.name + text, remedy, transient=True)


def _proxy(error: aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError, name: str) -> WebError:
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        remedy = "check it, or name the server in NO_PROXY"
        return WebError(f"{name}: {_PROXY} cannot be reached: {_reason(error.os_error)}", remedy, transient=True)
    if error.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return WebError(f"{name}: {_PROXY} wants credentials (407)", "write it as http://user:password@host:port")
    remedy = "let the proxy reach that server, or name it in NO_PROXY"
    return WebError(f"{name}: {_PROXY} refuses ({error.status})", remedy, transient=error.status >= 500)


def _insecure(fault: ssl.SSLError, request: Request) -> WebError:
    """Return the WebError for a failed TLS handshake."""
    said = getattr(fault, "verify_message", "") or (fault.reason or "it failed").replace("_", " ").lower()
    text = f"{request.name}: no secure connection: {said}"
    code = getattr(fault, "verify_code", 0)
    if code == _EXPIRED:
        return WebError(text, "the server needs a new certificate, unless this machine's clock is wrong")
    if code in _WRONG_NAME:
        return WebError(text, "check url: the certificate is for another server")
    if code:
        return WebError(text, "give the certificate of its authority as ca_file, if you trust it")
    # An alert comes from the server: our certificate is missing or not accepted.
    if " alert " in f" {said} ":
        wants = (
            "the server does not accept client_cert"
            if request.certified
            else "the server may want a client certificate: give client_cert"
        )
        return WebError(text, wants)
    return WebError(text, "check url: the server may not speak https")


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
    if error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or "no answer"
