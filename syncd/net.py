"""What an address says about who is at the other end: this machine, the same owner, a portal's webhook.

Pure. No message repeats an address, because the address of a webhook is a password.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_WEBHOOK_PATH = re.compile(r"(?P<before>(?:/[A-Za-z0-9_.~-]+)*/rest/\d+)/(?P<code>[A-Za-z0-9_-]+)/?")


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
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError("is not an address") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("must begin with https:// and the portal's host")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must be just https://HOST/rest/USER/CODE/, without anything added")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must use https: plain http is allowed only to this machine")
    found = _WEBHOOK_PATH.fullmatch(parts.path)
    if found is None:
        raise ValueError("must look like https://HOST/rest/USER/CODE/, as the portal shows it, without a method's name")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    netloc = host if port is None else f"{host}:{port}"
    return WebhookAddress(origin=f"{parts.scheme}://{netloc}", netloc=netloc, path=found["before"], code=found["code"])


def is_loopback(host: str) -> bool:
    """Return True if a host name or address means this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def same_owner(host: str, other: str) -> bool:
    """Return True if two hosts belong to whoever registered the one: `a.example.com` and `example.com` do.

    Used to decide whether a secret may follow a redirect, so it says no where it cannot tell: an IP address has an
    owner of its own.
    """
    if host == other:
        return True
    if _is_ip(host) or _is_ip(other):
        return False
    return _registered_domain(host) == _registered_domain(other)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _registered_domain(host: str) -> str:
    """Return the part of a name that somebody registers: two labels, three below co.uk, com.br and the like."""
    labels = host.lower().rstrip(".").split(".")
    # A short label below a country's code is nearly always the registry's own; a list of them would be out of date.
    below_country = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3
    return ".".join(labels[-3:] if below_country else labels[-2:])
