"""What an address says about who is at the other end: this machine, the same owner, a portal's webhook.

Pure. No message repeats an address, because the address of a webhook is a password.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from syncd.lang.saying import say

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_CLOUD_PORTAL = re.compile(r"[a-z0-9-]+\.(?P<domain>bitrix24\.[a-z.]+)")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_WEBHOOK_PATH = re.compile(r"(?P<before>(?:/[A-Za-z0-9_.~-]+)*/rest/\d+)/(?P<code>[A-Za-z0-9_-]+)/?")

LONGEST_SOCKET = 107
"""How many bytes the path of a Unix socket may have (man 7 unix)."""

_JUST_A_HOST: Final = say("must be just https://HOST, without anything behind it")
_JUST_A_WEBHOOK: Final = say("must be just https://HOST/rest/USER/CODE/, without anything added")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAddress:
    """The parts of an inbound webhook's address: `origin` is scheme, host and port, `code` the password."""

    origin: str
    netloc: str
    path: str
    code: str = field(repr=False)

    @property
    def url(self) -> str:
        """The whole address, with a slash at the end."""
        return f"{self.origin}{self.path}/{self.code}/"


def webhook_address(text: str) -> WebhookAddress:
    """Read `https://HOST/rest/USER/CODE/` (PORTAL.md 1.1).

    Raises ValueError when it has another shape, or is plain http to another machine. The message continues a sentence
    that begins with the name of the address and does not repeat it.
    """
    origin, netloc, path = _of_a_portal(text, _JUST_A_WEBHOOK)
    found = _WEBHOOK_PATH.fullmatch(path)
    if found is None:
        raise ValueError(
            say("must look like https://HOST/rest/USER/CODE/, as the portal shows it, without a method's name")
        )
    return WebhookAddress(origin=origin, netloc=netloc, path=found["before"], code=found["code"])


def portal_origin(text: str) -> tuple[str, str]:
    """Read the address of a portal, `https://HOST` with nothing behind it; return its origin, and its host and port.

    Raises ValueError when it has another shape, or is plain http to another machine. The message continues a sentence
    that begins with the name of the address.
    """
    origin, netloc, path = _of_a_portal(text, _JUST_A_HOST)
    if path.strip("/"):
        raise ValueError(_JUST_A_HOST)
    return origin, netloc


def _of_a_portal(text: str, otherwise: str) -> tuple[str, str, str]:
    """Return the origin of an address of a portal, its host and port, and its path; raises ValueError, as above.

    `otherwise` is what the error says of an address that has more than these.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError(say("is not an address")) from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError(say("must begin with https:// and the portal's host"))
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(otherwise)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(say("must use https: plain http is allowed only to this machine"))
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    netloc = host if port is None else f"{host}:{port}"
    return f"{parts.scheme}://{netloc}", netloc, parts.path


def is_loopback(host: str) -> bool:
    """Return True if a host name or address means this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keeps_secrets(url: str) -> bool:
    """Return True if what is sent to `url` is encrypted, or stays on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host or "")))


def same_owner(host: str, other: str) -> bool:
    """Return True if two hosts belong to whoever registered the one: `a.example.com` and `example.com` do.

    Used to decide whether a secret may follow a redirect, so it says no where it cannot tell: a bare address has an
    owner of its own, and so has each name below a public suffix such as `co.uk` or `github.io` (publicsuffix.org).
    """
    if host == other:
        return True
    registered = _registered_domain(host)
    return registered is not None and registered == _registered_domain(other)


def is_renaming(host: str, other: str) -> bool:
    """Return True if the vendor's cloud may have renamed the portal `host` to `other` (PORTAL.md 1.1).

    Only the name below the vendor's own domain changes, as from `old.bitrix24.de` to `new.bitrix24.de`.
    """
    names = [_CLOUD_PORTAL.fullmatch(_plain(one)) for one in (host, other)]
    domains = [name["domain"] for name in names if name is not None]
    # Whether `bitrix24.com.br` is one registration is for the list to say: `com.br` could have been anybody's.
    return len(domains) == 2 and domains[0] == domains[1] == _registered_domain(host)


def is_bare_address(host: str) -> bool:
    """Return True for an IP address as any resolver takes it: `10.0.0.5`, `10.5`, `0xa.0.0.5`, `::1`.

    A name never ends in a number (URL Standard, "ends in a number checker").
    """
    return ":" in host or _NUMBER.fullmatch(_plain(host).rpartition(".")[2]) is not None


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")


def _registered_domain(host: str) -> str | None:
    """Return the part of a name that somebody registers, None for an address and a public suffix itself."""
    if is_bare_address(host):
        return None
    try:
        name = _plain(host).encode("idna").decode("ascii")  # the list tells names apart by how they travel
    except UnicodeError:
        return None
    return _suffixes().privatesuffix(name)


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - reads a list of 300 kB, and few need it

    return PublicSuffixList()
