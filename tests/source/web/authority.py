"""Authorities of a test's own, and the certificates they give out, as files and as contexts of servers."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import trustme


@dataclass(slots=True)
class Authority:
    """An authority nobody else trusts; `folder` is where its files go."""

    folder: Path
    name: str
    _ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def ca_file(self) -> str:
        """The path of its certificate."""
        path = self.folder / f"{self.name}.pem"
        self._ca.cert_pem.write_to_path(path)
        return str(path)

    def server(self, host: str, *, expired: bool = False, asks: bool = False) -> ssl.SSLContext:
        """Return what a server called `host` uses; one that `asks` wants a client certificate of this authority."""
        until = datetime(2020, 1, 1, tzinfo=UTC) if expired else None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ca.issue_cert(host, not_after=until).configure_cert(context)
        if asks:
            self._ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self) -> tuple[str, str]:
        """Return the paths of a client's certificate and key."""
        issued = self._ca.issue_cert("syncd@school.example")
        cert, key = self.folder / f"{self.name}-client.pem", self.folder / f"{self.name}-client.key"
        issued.cert_chain_pems[0].write_to_path(cert)
        issued.private_key_pem.write_to_path(key)
        return str(cert), str(key)
