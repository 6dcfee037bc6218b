"""A database that holds the state in place of a file, and the secret parts of its address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, unquote

import msgspec

from syncd.config.secrets import Secret
from syncd.lang.saying import say

DEFAULT_SCHEMA: Final = "syncd"
_LONGEST_NAME: Final = 63
"""How many bytes of a name PostgreSQL keeps."""
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]*")
# Several hosts are allowed, so that urlsplit does not do (PostgreSQL's documentation, 34.1.1.2).
_URL: Final = re.compile(
    r"(?P<scheme>postgres(?:ql)?)://(?:(?P<login>[^/?]*)@)?(?P<hosts>[^/?@]*)(?:/(?P<name>[^?]*))?(?:\?(?P<more>.*))?"
)
_SECRET_PARAMETERS: Final = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """A database that holds the state, in the schema `schema`; `url` may hold a password, `shown` never does."""

    url: Secret
    schema: str = DEFAULT_SCHEMA

    @property
    def shown(self) -> str:
        """Its name in messages: the address without user, password and parameters."""
        found = _URL.fullmatch(self.url.reveal())
        place = f"postgresql://{found['hosts'] or 'localhost'}/{found['name'] or ''}" if found else "the database"
        return place if self.schema == DEFAULT_SCHEMA else f"{place} (schema {self.schema})"


def database_at(url: Secret, schema: str = DEFAULT_SCHEMA) -> Database:
    """Return the database at `url`; raises ValueError, which does not repeat it, if it is no such address."""
    found = _URL.fullmatch(url.reveal())
    if found is None:
        raise ValueError(say("leads to what is no postgresql:// address"))
    if not (found["name"] or "dbname=" in (found["more"] or "") or "service=" in (found["more"] or "")):
        raise ValueError(say("leads to an address without the name of a database"))
    return Database(url=url, schema=schema)


def check_schema(name: str) -> None:
    """Raise ValueError unless `name` may be the name of a schema: it is written into statements unchanged."""
    if _SCHEMA.fullmatch(name) is None or len(name) > _LONGEST_NAME or name.startswith("pg_"):
        raise ValueError(say("is no name for a schema: give small letters, digits and _, not beginning with pg_"))


def secrets_in(address: str) -> Iterator[str]:
    """Yield the parts of a database's address that let somebody in, also for an address that cannot be used."""
    before, _, more = address.strip().partition("?")
    login, at, _ = before.partition("://")[2].rpartition("@")
    written = login.partition(":")[2] if at else ""
    parameters = [value for name, value in parse_qsl(more) if name in _SECRET_PARAMETERS]
    for one in dict.fromkeys((written, unquote(written), *parameters)):
        if one:
            yield one
    if written or parameters:
        yield address.strip()
