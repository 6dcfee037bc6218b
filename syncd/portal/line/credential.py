"""Who calls the portal: a webhook now, an OAuth token by the same protocol.

The code of a webhook is a password. It never leaves this module but in the URL of a request.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

_PATH = re.compile(r"(?P<before>(?:/[A-Za-z0-9_.~-]+)*/rest/\d+)/(?P<code>[A-Za-z0-9_-]+)/?")
_HIDDEN = "***"


class Credential(Protocol):
    """What a transport needs to know of the caller."""

    @property
    def origin(self) -> str:
        """Scheme, host and port of the portal, fit for messages."""
        ...

    def url(self, method: str) -> str:
        """Return the address of a method; it may hold a secret."""
        ...

    def parameters(self) -> Mapping[str, str]:
        """Return what has to be added to the parameters of every request, such as an access token."""
        ...

    def scrub(self, text: str) -> str:
        """Return `text` without the secret."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An inbound webhook's address, `https://HOST/rest/USER/CODE/` (PORTAL.md 1.1).

    Raises ValueError, without repeating the address, when it has another shape or is plain http to another machine.
    """

    address: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.address.strip())
            port = parts.port
        except ValueError:
            raise ValueError("the webhook is not a valid address") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the webhook must begin with https:// and the portal's host")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("the webhook must be just https://HOST/rest/USER/CODE/, nothing added")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("the webhook must use https: plain http is allowed only to this machine")
        found = _PATH.fullmatch(parts.path)
        if found is None:
            raise ValueError("the webhook must look like https://HOST/rest/USER/CODE/, without a method's name")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        netloc = host if port is None else f"{host}:{port}"
        object.__setattr__(self, "address", f"{parts.scheme}://{netloc}{found['before']}/{found['code']}/")

    @property
    def origin(self) -> str:
        """Scheme, host and port of the portal, fit for messages."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def loopback(self) -> bool:
        """Whether the portal is a simulated one on this machine."""
        return is_loopback(urlsplit(self.address).hostname or "")

    def url(self, method: str) -> str:
        """Return the address of a method; it holds the secret."""
        return self.address + method

    def parameters(self) -> Mapping[str, str]:
        """Return nothing: a webhook is authorised by its address alone."""
        return {}

    def scrub(self, text: str) -> str:
        """Return `text` with the code replaced wherever it stands."""
        return text.replace(self._code, _HIDDEN)

    @property
    def _code(self) -> str:
        return self.address.rstrip("/").rpartition("/")[2]

    def __repr__(self) -> str:
        return f"Webhook({self.address.rstrip('/').rpartition('/')[0]}/{_HIDDEN}/)"

    __str__ = __repr__


def is_loopback(host: str) -> bool:
    """Say whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
