"""A file that logs in to Microsoft 365, recognised for a first config: `syncd init --source graph.pem`."""

from __future__ import annotations

from syncd.errors import SourceError
from syncd.lang.saying import say


def first_keys(content: bytes, place: str) -> tuple[tuple[str, str, str], ...] | None:
    """Return the keys of `[sync.source]` with their values and comments, None if the file holds no private key.

    Raises SourceError for a key without its certificate, with which nobody could log in.
    """
    if b"PRIVATE KEY-----" not in content:
        return None
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise SourceError(
            say("{place} holds a private key and no certificate", place=place),
            say("put both into one file, see README"),
        )
    return (
        ("type", "graph", ""),
        ("tenant", "example.com", say("a stand-in: the tenant's id or one of its domains")),
        ("client_id", "00000000-0000-0000-0000-000000000000", say("a stand-in: the application's id")),
        ("private_key_file", place, say("its key and certificate: keep it to yourself")),
        ("calendars", "users.csv", say("a stand-in: addresses, one a line; or a domain, such as @example.com")),
    )
