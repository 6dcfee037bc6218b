"""Which authority syncd trusts, and which certificate it shows: PEM files, for portals and sources alike."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Protocol

from syncd.errors import ConfigError
from syncd.lang.saying import say


class Files(Protocol):
    """The files for one server, as the config names them; `where` is their place in it."""

    @property
    def ca_file(self) -> str | None:
        """The authority that is trusted in place of the system's."""
        ...

    @property
    def client_cert(self) -> str | None:
        """The certificate that is shown to the server."""
        ...

    @property
    def client_key(self) -> str | None:
        """Its key, if that is in another file."""
        ...

    @property
    def base(self) -> Path:
        """The folder of relative paths."""
        ...

    @property
    def where(self) -> str:
        """File, line and key."""
        ...


def make_context(files: Files) -> ssl.SSLContext:
    """Return the TLS context for a server with these files; raises ConfigError if they cannot be used."""
    own = certified(files.ca_file, files.client_cert, files.client_key, files.base, files.where)
    return own or trust(files.ca_file, files.base, files.where) or ssl.create_default_context()


def trust(ca_file: str | None, base: Path, where: str) -> ssl.SSLContext | None:
    """Return a context that trusts `ca_file` alone, None if there is none; `base` is the folder of relative paths.

    Raises ConfigError, whose message begins with `where`.
    """
    if ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(base / Path(ca_file).expanduser()))
    except (OSError, ssl.SSLError) as error:
        reason = _system_says(error) or say("it holds no certificate")
        raise ConfigError(
            say("{where}: ca_file {ca_file} cannot be used: {reason}", where=where, ca_file=ca_file, reason=reason),
            say("give a file in PEM"),
        ) from None


def certified(
    ca_file: str | None, client_cert: str | None, client_key: str | None, base: Path, where: str
) -> ssl.SSLContext | None:
    """Return a context that shows `client_cert`, None if there is none; raises like `trust`."""
    if client_cert is None:
        if client_key is not None:
            raise ConfigError(
                say("{where}: client_key goes with client_cert, which is missing", where=where), say("add client_cert")
            )
        return None
    context = trust(ca_file, base, where) or ssl.create_default_context()
    key = base / Path(client_key).expanduser() if client_key is not None else None
    try:
        # Without the callback OpenSSL would ask for a passphrase on the terminal, and a daemon would hang.
        context.load_cert_chain(base / Path(client_cert).expanduser(), key, password=lambda: "")
    except (OSError, ssl.SSLError, ValueError) as error:
        reason = _system_says(error) or say("certificate and key")
        remedy = say("give both in PEM, the key without a passphrase")
        raise ConfigError(
            say("{where}: client_cert cannot be used: {reason}", where=where, reason=reason), remedy
        ) from None
    return context


def _system_says(error: Exception) -> str:
    """Return why a file cannot be opened, "" if it can be opened but holds something else."""
    return error.strerror or "" if isinstance(error, FileNotFoundError | PermissionError) else ""
